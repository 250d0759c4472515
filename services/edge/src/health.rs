//! Health of the door and of every service behind it, as their own health services tell; it asks and never guesses.

use std::time::Duration;

use atelier_kit::link::Link;
use atelier_kit::service::Foundation;
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::Destination;

/// How long after an answer the next question is asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than the name of any service.
const MAX_REQUEST: usize = 1024;

/// Follows every service of the roster until the foundation stops, and serves what is known: "" is the door itself, which
/// says that it takes no calls as soon as it is about to go.
pub(crate) fn follow(
    roster: &[Destination],
    leaving: &CancellationToken,
    foundation: &Foundation,
) -> HealthServer<HealthService> {
    let reporter = HealthReporter::new();
    for destination in roster {
        // Until it has answered once, nobody should be sent there. Nobody else holds the reporter yet.
        let _ = reporter
            .set_service_status(destination.service, ServingStatus::NotServing)
            .now_or_never();
        foundation.tasks.spawn(ask_on(
            destination.service,
            destination.link.clone(),
            reporter.clone(),
            foundation.stop.clone().cancelled_owned(),
        ));
    }
    let closing = reporter.clone();
    let stopped = foundation.stop.clone().cancelled_owned();
    let leaving = leaving.clone().cancelled_owned();
    foundation.tasks.spawn(async move {
        tokio::select! {
            () = leaving => {}
            () = stopped => {}
        }
        closing
            .set_service_status("", ServingStatus::NotServing)
            .await;
    });
    HealthServer::new(HealthService::from_health_reporter(reporter))
        .max_decoding_message_size(MAX_REQUEST)
}

async fn ask_on(
    service: &'static str,
    link: Link,
    reporter: HealthReporter,
    stopped: impl Future<Output = ()>,
) {
    let mut client = HealthClient::new(link).max_decoding_message_size(MAX_REQUEST);
    let mut known = ServingStatus::NotServing;
    tokio::pin!(stopped);
    loop {
        let asked = ask(&mut client, service);
        let now = tokio::select! {
            now = asked => now,
            () = &mut stopped => break,
        };
        // Watchers are told of changes alone.
        if now != known {
            known = now;
            if now == ServingStatus::Serving {
                tracing::debug!(service, "a service is there");
            } else {
                tracing::warn!(service, "a service is away");
            }
            reporter.set_service_status(service, now).await;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = &mut stopped => break,
        }
    }
    if known != ServingStatus::NotServing {
        reporter
            .set_service_status(service, ServingStatus::NotServing)
            .await;
    }
}

async fn ask(client: &mut HealthClient<Link>, service: &str) -> ServingStatus {
    let mut request = tonic::Request::new(HealthCheckRequest {
        service: service.to_owned(),
    });
    request.set_timeout(PATIENCE);
    match tokio::time::timeout(PATIENCE, client.check(request)).await {
        Ok(Ok(answer)) if answer.get_ref().status() == Told::Serving => ServingStatus::Serving,
        _ => ServingStatus::NotServing,
    }
}
