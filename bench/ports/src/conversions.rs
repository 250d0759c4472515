//! Conversions: the speech service on a file, or on PostgreSQL.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::config::Settings;
use atelier_kit::link::Link;
use atelier_kit::objects::BlobStore;
use atelier_kit::sql::PostgresServer;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::tts::v1 as pb;
use atelier_proto::tts::v1::tts_service_client::TtsServiceClient;
use tempfile::TempDir;

use crate::engines::Engines;
use crate::house::House;
use crate::objects::Embedded;
use crate::{EACH, OWNERS, Port, Side, Turn, Verb};

const ROLE: &str = "tts";

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let written = engines.postgres.database("conversions_written").await?;
    let read = engines.postgres.database("conversions_read").await?;
    Ok(Port {
        name: "Conversions",
        about: "The speech service over its in-memory link, with its whole stack: its stores are its own. *Synthesize* is a whole \
                generation, from its begin until its end is told: a word is spoken by the built-in voice, its audio is put on the embedded \
                object store on both sides, and its rows are written with the record. As many are spoken at once as there are cores, and \
                the others wait. *GetConversion* reads one by its id, *ListConversions* the newest 10 of an account.",
        verbs: &[
            (Verb::Write, "Synthesize"),
            (Verb::Read, "GetConversion"),
            (Verb::List, "ListConversions"),
        ],
        embedded: ("SQLite", Conversions::open([None, None]).await?),
        servers: vec![(
            "PostgreSQL",
            Conversions::open([Some(written), Some(read)]).await?,
        )],
    })
}

type Client = TtsServiceClient<Link>;

/// A service that is written to, and another that is read from.
struct Conversions {
    house: House,
    written: Client,
    read: Client,
    ids: Vec<String>,
    _objects: Embedded,
    _folders: [TempDir; 2],
}

impl Conversions {
    async fn open(servers: [Option<PostgresServer>; 2]) -> anyhow::Result<Arc<dyn Side>> {
        let mut house = House::open()?;
        let objects = Embedded::start().await?;
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let mut clients = Vec::new();
        for ((folder, server), bucket) in folders.iter().zip(servers).zip(["written", "read"]) {
            let store: Arc<dyn BlobStore> = Arc::new(objects.store(bucket)?);
            let mut ground = house.foundation(ROLE, folder.path(), Some(store))?;
            ground.engines.postgres = server;
            let config = atelier_tts::Config::read(&Settings::new([]));
            let service = atelier_tts::build(config, &ground).await?;
            clients.push(Client::new(house.serve(service, ROLE, "tester")?));
        }
        let read = clients.pop().context("two services")?;
        let written = clients.pop().context("two services")?;
        let mut ids = Vec::new();
        for number in 0..OWNERS * EACH {
            ids.push(speak(&house, &read, number).await?);
        }
        Ok(Arc::new(Self {
            house,
            written,
            read,
            ids,
            _objects: objects,
            _folders: folders,
        }))
    }
}

/// Has a word spoken for an account, and waits for the end; returns its id.
async fn speak(house: &House, client: &Client, number: usize) -> anyhow::Result<String> {
    let request = pb::SynthesizeRequest {
        text: "Fox.".to_owned(),
        request_id: format!("request-{number}"),
        ..Default::default()
    };
    let request = house.request(number, request);
    let mut told = client.clone().synthesize(request).await?.into_inner();
    let mut last = None;
    while let Some(answer) = told.message().await? {
        last = answer.event;
    }
    let last = last.context("nothing was told")?;
    let is_whole = matches!(last.event, Some(Event::Completed(_)));
    ensure!(is_whole, "it ended with {:?}", last.event);
    Ok(last.generation_id)
}

#[async_trait]
impl Side for Conversions {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        let mut client = self.read.clone();
        match verb {
            Verb::Write => {
                speak(&self.house, &self.written, turn.number).await?;
            }
            Verb::Read => {
                let number = turn.number % self.ids.len();
                let request = pb::GetConversionRequest {
                    conversion_id: self.ids[number].clone(),
                };
                let request = self.house.request(number, request);
                let found = client.get_conversion(request).await?.into_inner();
                let id = found.conversion.context("no conversion")?.id;
                ensure!(id == self.ids[number], "{id} is another one");
            }
            Verb::List => {
                let request = pb::ListConversionsRequest {
                    page_size: i32::try_from(EACH)?,
                    ..Default::default()
                };
                let request = self.house.request(turn.number, request);
                let found = client.list_conversions(request).await?.into_inner();
                let count = found.conversions.len();
                ensure!(count == EACH, "there are {count} conversions");
            }
        }
        Ok(())
    }
}
