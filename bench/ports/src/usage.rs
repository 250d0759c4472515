//! Usage: the analytics service on a file, or on MongoDB.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::config::Settings;
use atelier_kit::link::Link;
use atelier_kit::moment;
use atelier_kit::mongo::MongoServer;
use atelier_proto::analytics::v1 as pb;
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::generation::v1::Usage;
use tempfile::TempDir;

use crate::engines::Engines;
use crate::house::{House, account};
use crate::{EACH, OWNERS, Port, Side, Turn, Verb};

const ROLE: &str = "analytics";
/// The service whose generations are counted.
const SOURCE: &str = "llm-chat";
/// How long a call may take.
const CALL: Duration = Duration::from_secs(10);
/// An hour, in microseconds.
const HOUR: i64 = 3_600_000_000;

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let server = |name| Some(engines.mongo.database(name));
    let servers = [server("usage_written"), server("usage_read")];
    Ok(Port {
        name: "Usage",
        about: "The analytics service over its in-memory link, with its whole stack: its stores are its own. *RecordEvents* counts one \
                event, all of one service; one that has more to tell brings up to 500 in a call. *GetUsageSummary* sums an account's 10 \
                events of the last 10 hours by day.",
        verbs: &[
            (Verb::Write, "RecordEvents"),
            (Verb::Read, "GetUsageSummary"),
        ],
        embedded: ("SQLite", Counts::open([None, None]).await?),
        servers: vec![("MongoDB", Counts::open(servers).await?)],
    })
}

type Client = AnalyticsServiceClient<Link>;

/// A service that is written to, and another that is read from.
struct Counts {
    house: House,
    written: Client,
    read: Client,
    _folders: [TempDir; 2],
}

impl Counts {
    async fn open(servers: [Option<MongoServer>; 2]) -> anyhow::Result<Arc<dyn Side>> {
        let mut house = House::open()?;
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let mut clients = Vec::new();
        for (folder, server) in folders.iter().zip(servers) {
            let mut ground = house.foundation(ROLE, folder.path(), None)?;
            ground.engines.mongodb = server;
            let config = atelier_analytics::Config::read(&Settings::default());
            let service = atelier_analytics::build(config, &ground).await?;
            clients.push(Client::new(house.serve(service, ROLE, SOURCE)?));
        }
        let read = clients.pop().context("two services")?;
        let written = clients.pop().context("two services")?;
        let now = moment::now();
        let hours = (0_i64..).step_by(usize::try_from(HOUR)?).take(EACH);
        let events = hours.flat_map(|before| (0..OWNERS).map(move |of| event(of, now - before)));
        record(&read, events.collect()).await?;
        Ok(Arc::new(Self {
            house,
            written,
            read,
            _folders: folders,
        }))
    }
}

fn event(number: usize, time: i64) -> pb::UsageEvent {
    pb::UsageEvent {
        id: moment::new_id(),
        source: SOURCE.to_owned(),
        user_id: account(number),
        provider: "offline".to_owned(),
        model: "small".to_owned(),
        outcome: pb::Outcome::Completed.into(),
        usage: Some(Usage {
            input_tokens: 10,
            output_tokens: 80,
            ..Usage::default()
        }),
        duration: Some(moment::duration(1_500_000)),
        time: Some(moment::timestamp(time)),
    }
}

/// Has events counted, as the service that made them.
async fn record(client: &Client, events: Vec<pb::UsageEvent>) -> anyhow::Result<()> {
    let count = i32::try_from(events.len())?;
    let request = Call::background(CALL).request(pb::RecordEventsRequest { events });
    let answer = client.clone().record_events(request).await?.into_inner();
    ensure!(answer.recorded == count, "{} were new", answer.recorded);
    Ok(())
}

#[async_trait]
impl Side for Counts {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        if verb == Verb::Write {
            return record(&self.written, vec![event(turn.number, moment::now())]).await;
        }
        let now = moment::now();
        let request = pb::GetUsageSummaryRequest {
            start_time: Some(moment::timestamp(now - 48 * HOUR)),
            end_time: Some(moment::timestamp(now)),
            user_id: account(turn.number),
            ..Default::default()
        };
        let request = self.house.request(turn.number, request);
        let answer = self.read.clone().get_usage_summary(request).await?;
        let rows = answer.into_inner().rows;
        let count: i64 = rows.iter().map(|row| row.generations).sum();
        ensure!(count == i64::try_from(EACH)?, "{count} were counted");
        Ok(())
    }
}
