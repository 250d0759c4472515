//! Every service of the contract has its seat: it is healthy at its role and through the edge, and both hear when the role ends.

use std::collections::BTreeSet;
use std::time::Duration;

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::people::connect;
use crate::raw;
use crate::running::eventually;
use crate::split::{SERVICES, Split};
use crate::web;

/// The services of the contract by their full names, each with its role.
fn services() -> BTreeSet<(&'static str, String)> {
    raw::methods()
        .iter()
        .map(|(path, method)| {
            let service = method.parent_service().full_name().to_owned();
            (raw::role_of(path), service)
        })
        .collect()
}

async fn serves(channel: &Channel, service: &str) -> bool {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}

#[tokio::test]
async fn every_service_is_healthy_at_its_role_and_through_the_edge() {
    let folder = tempfile::tempdir().unwrap();
    let others: Vec<&str> = SERVICES[1..].iter().map(|(role, _)| *role).collect();
    let mut mesh = Split::start(&[&["edge"], &["users"], &others], folder.path()).await;
    let edge = connect(mesh.edge()).await;
    let page = web::get(&format!("{}/", mesh.edge())).await.text();
    for (role, service) in services() {
        let direct = connect(mesh.of(role)).await;
        assert!(serves(&direct, &service).await, "{service} at {role}");
        eventually(&service, Duration::from_secs(10), || {
            serves(&edge, &service)
        })
        .await;
        assert!(page.contains(&service), "{service} is not on the page");
    }

    mesh.kill("users").await;
    let limit = Duration::from_secs(10);
    for (role, service) in services() {
        if role == "users" {
            let gone = || async { !serves(&edge, &service).await };
            eventually(&format!("{service} is away"), limit, gone).await;
        } else {
            assert!(serves(&edge, &service).await, "{service} went too");
        }
    }
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
