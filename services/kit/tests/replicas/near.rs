//! Calls from the cores of an edge: each core has a connection of its own, and none of it is noticed when replicas go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atelier_kit::cores::Cores;
use atelier_kit::link::Link;
use atelier_kit::testing::eventually;
use tokio::task::JoinHandle;

use crate::stage::*;

/// Callers on every core, two on each, who call until they are told to end; none of their calls may fail.
struct Callers {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Callers {
    fn on(cores: &Cores, link: &Link) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let call = |_| {
            let (link, over) = (link.clone(), over.clone());
            cores.spawn(async move {
                let mut calls = 0;
                while !over.load(Ordering::SeqCst) {
                    calls += answers(&link, 10).await.values().sum::<usize>();
                }
                calls
            })
        };
        let tasks = (0..2 * cores.count()).map(call).collect();
        Self { over, tasks }
    }

    async fn end(self) -> usize {
        self.over.store(true, Ordering::SeqCst);
        let mut calls = 0;
        for task in self.tasks {
            calls += task.await.expect("no call fails");
        }
        calls
    }
}

#[tokio::test]
async fn each_core_has_a_connection_of_its_own_and_the_last_link_closes_them() {
    let replica = Replica::start().await;
    let wire = Wire::to(replica.address).await;
    let (cores, link) = (Cores::start().unwrap(), link(at(&[wire.address])));
    answers(&link, 1).await;
    assert_eq!(wire.made(), 1);
    let callers = Callers::on(&cores, &link);
    eventually("each core has one", || async {
        wire.open() == 1 + cores.count()
    })
    .await;
    let before = replica.count();
    eventually("they call", || async { replica.count() > before + 500 }).await;
    assert!(callers.end().await > 500);
    assert_eq!(wire.made(), 1 + cores.count(), "none was made twice");
    drop(link);
    eventually("all is closed", || async { wire.open() == 0 }).await;
}

#[tokio::test]
async fn replicas_that_leave_and_return_cost_the_cores_no_call() {
    let mut replicas = [Replica::start().await, Replica::start().await];
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    eventually("both answer", || async {
        answers(&link, 20).await.len() == 2
    })
    .await;
    let cores = Cores::start().unwrap();
    let callers = Callers::on(&cores, &link);
    for round in 0..4 {
        let (leaving, staying) = (round % 2, 1 - round % 2);
        replicas[leaving].leave();
        let before = replicas[staying].count();
        eventually("the other takes the calls", || async {
            replicas[staying].count() > before + 200
        })
        .await;
        replicas[leaving].kill().await;
        replicas[leaving].begin().await;
        let before = replicas[leaving].count();
        eventually("it is called again", || async {
            replicas[leaving].count() > before + 200
        })
        .await;
    }
    assert!(callers.end().await > 1600);
}

#[tokio::test]
async fn a_connection_that_a_core_cannot_make_is_done_without() {
    let replica = Replica::start().await;
    let wire = Wire::to(replica.address).await;
    let (cores, link) = (Cores::start().unwrap(), link(at(&[wire.address])));
    answers(&link, 1).await;
    wire.refuse_newcomers();
    let callers = Callers::on(&cores, &link);
    let before = replica.count();
    eventually("they call", || async { replica.count() > before + 500 }).await;
    callers.end().await;
    assert!(wire.made() > 1, "none was tried");
    assert_eq!(wire.open(), 1);
}
