//! How calls end: by their caller, by the clock, and by the other side; counted on the other side.

use std::time::{Duration, Instant};

use atelier_kit::testing::eventually;
use atelier_simulator::Simulator;
use atelier_upstream::calls::Caller;
use atelier_upstream::calls::Repeats::{Freely, Unbegun};
use futures_util::StreamExt as _;

use crate::stage::*;

async fn dropped(simulator: &Simulator, count: u64) {
    let begun = Instant::now();
    eventually("the other side sees that its caller is gone", async || {
        simulator.counts().dropped == count
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(simulator.counts().open, 0);
}

async fn patient(simulator: &Simulator) -> Caller {
    let mut spec = spec(&[simulator.url().as_str()], &[]);
    spec.timeouts.first_byte = Duration::from_secs(30);
    spec.timeouts.idle = Duration::from_secs(30);
    Caller::new(&spec).await.unwrap()
}

#[tokio::test]
async fn a_caller_who_goes_before_the_answer_closes_the_connection() {
    let simulator = simulator("latency=20s").await;
    let caller = patient(&simulator).await;
    let going = tokio::time::timeout(Duration::from_millis(300), ask(&caller, Freely)).await;
    assert!(going.is_err());
    assert_eq!(simulator.counts().requests, 1);
    dropped(&simulator, 1).await;
    assert_eq!(caller.upstreams()[0].in_flight, 0);
    assert_eq!(caller.upstreams()[0].failures, 0, "it was nobody's fault");
}

#[tokio::test]
async fn a_caller_who_goes_in_the_middle_closes_it_too_and_nobody_else_does() {
    let simulator = simulator("script=stall@300&tokens=60").await;
    let caller = patient(&simulator).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let answer = ask(&caller, Freely).await.unwrap();
        let mut body = Box::pin(answer.bytes(1 << 20));
        body.next().await.unwrap().unwrap();
        bodies.push(body);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        (simulator.counts().open, simulator.counts().dropped),
        (3, 0)
    );
    assert_eq!(caller.upstreams()[0].in_flight, 3);
    bodies.clear();
    dropped(&simulator, 3).await;
    assert_eq!(caller.upstreams()[0].in_flight, 0);
    // One that was not read at all.
    drop(ask(&caller, Freely).await.unwrap());
    dropped(&simulator, 4).await;
}

#[tokio::test]
async fn silence_in_the_middle_has_an_end() {
    let simulator = simulator("script=stall@300&tokens=60").await;
    let caller = caller(&[simulator.url().as_str()], &[]).await;
    let begun = Instant::now();
    let error = ask(&caller, Freely)
        .await
        .unwrap()
        .read(1 << 20)
        .await
        .unwrap_err();
    assert!(begun.elapsed() >= SHORT.idle && begun.elapsed() < SHORT.idle * 8);
    assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
    dropped(&simulator, 1).await;
    assert_eq!(caller.upstreams()[0].failures, 1);
}

#[tokio::test]
async fn all_of_a_call_has_an_end_however_much_is_said() {
    let simulator = simulator("tokens=5000&tokens_per_second=50").await;
    let mut spec = spec(&[simulator.url().as_str()], &[]);
    spec.timeouts.total = Duration::from_millis(900);
    let caller = Caller::new(&spec).await.unwrap();
    let begun = Instant::now();
    let error = ask(&caller, Freely)
        .await
        .unwrap()
        .read(1 << 20)
        .await
        .unwrap_err();
    assert!(
        begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < Duration::from_secs(5)
    );
    assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
    dropped(&simulator, 1).await;
}

#[tokio::test]
async fn the_end_of_all_of_a_call_is_the_end_of_its_repeats() {
    let simulator = simulator("latency=10s").await;
    let mut spec = spec(&[simulator.url().as_str()], &[]);
    spec.timeouts.total = Duration::from_millis(600);
    let caller = Caller::new(&spec).await.unwrap();
    let begun = Instant::now();
    ask(&caller, Freely).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2));
    let requests = simulator.counts().requests;
    dropped(&simulator, requests).await;
}

#[tokio::test]
async fn a_simulator_can_be_an_endpoint_and_ends_with_its_caller() {
    let caller = caller(&["simulator://?tokens=3"], &[]).await;
    assert!(caller.is_simulated());
    let answer = ask(&caller, Unbegun).await.unwrap();
    assert!(answer.read(1 << 20).await.is_ok());
    let endpoint = caller.upstreams()[0].endpoint.clone();
    drop(caller);
    let address = endpoint.trim_start_matches("http://").to_owned();
    eventually("the simulator is gone", async || {
        tokio::net::TcpStream::connect(&address).await.is_err()
    })
    .await;
}
