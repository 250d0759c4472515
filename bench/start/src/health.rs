//! Asking the edge, as any client can, whether every service of the contract is SERVING.

use std::time::{Duration, Instant};

use anyhow::ensure;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How long after an answer the next question is asked.
const PAUSE: Duration = Duration::from_millis(1);

/// The full names of all services of the contract.
pub fn services() -> anyhow::Result<Vec<String>> {
    let files = FileDescriptorSet::decode(atelier_proto::DESCRIPTOR)?.file;
    let services: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let name = |service: &prost_types::ServiceDescriptorProto| {
                format!("{}.{}", file.package(), service.name())
            };
            file.service.iter().map(name)
        })
        .collect();
    ensure!(!services.is_empty(), "the contract has no service");
    Ok(services)
}

/// What was waited for, in seconds since `begun`.
pub struct Times {
    /// Until the port took a connection.
    pub open: f64,
    /// Until all services were SERVING.
    pub serving: f64,
}

/// Connects as soon as the port takes a connection, and asks over that one until all services are SERVING.
pub async fn all_serving(url: &str, services: &[String], begun: Instant) -> anyhow::Result<Times> {
    let endpoint = Endpoint::from_shared(url.to_owned())?;
    let channel = loop {
        match endpoint.connect().await {
            Ok(channel) => break channel,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let open = begun.elapsed().as_secs_f64();
    let mut client = HealthClient::new(channel);
    for service in services {
        while !is_serving(&mut client, service).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let serving = begun.elapsed().as_secs_f64();
    Ok(Times { open, serving })
}

/// An error is no answer yet.
async fn is_serving(client: &mut HealthClient<Channel>, service: &str) -> bool {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    client
        .check(request)
        .await
        .is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}
