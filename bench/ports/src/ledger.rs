//! The book of credits: in a file, or on PostgreSQL.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sql::{Database, Writer};
use atelier_ledger::store::{Beside, MIGRATIONS, SqlLedger};
use atelier_ledger::{
    Amounts, Ask, Bounds, Grant, Ledger as _, Medium, NewGrant, Origin, Payer, Tariff, Terms, Unit,
};
use tempfile::TempDir;

use crate::engines::Engines;
use crate::{Port, Side, Turn, Verb};

/// How many accounts pay.
const HOLDERS: usize = 100;
/// What each is given: more than any run spends.
const CREDITS: i64 = 1_000_000_000_000;

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let folder = tempfile::tempdir()?;
    let mut files = Vec::new();
    let mut schemas = Vec::new();
    for name in ["written", "read"] {
        let file = folder.path().join(name);
        files.push(Database::file(&file, &[MIGRATIONS]).await?);
        let server = engines.postgres.database(&format!("ledger_{name}")).await?;
        schemas.push(Database::schema(&server, "bench", &[MIGRATIONS]).await?);
    }
    Ok(Port {
        name: "The ledger",
        about: "`SqlLedger`, called directly. A *payment* is two writes: a reservation and its settlement, of 100 accounts in turn. \
                *Balance* reads what one of them may spend.",
        verbs: &[(Verb::Write, "a payment, written"), (Verb::Read, "balance")],
        embedded: ("SQLite", Books::open(files, Some(folder)).await?),
        servers: vec![("PostgreSQL", Books::open(schemas, None).await?)],
    })
}

/// A book that is written, and another that is read.
struct Books {
    written: SqlLedger,
    read: SqlLedger,
    _folder: Option<TempDir>,
}

struct Nothing;

#[async_trait]
impl Beside for Nothing {
    async fn granted(&self, _: &mut Writer, _: &Grant) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn holder(number: usize) -> String {
    format!("holder-{}", number % HOLDERS)
}

impl Books {
    async fn open(
        databases: Vec<Database>,
        folder: Option<TempDir>,
    ) -> anyhow::Result<Arc<dyn Side>> {
        let mut books = Vec::new();
        for database in databases {
            let ledger = SqlLedger::new(database, Arc::new(Nothing));
            for number in 0..HOLDERS {
                let grant = NewGrant {
                    key: "bench".to_owned(),
                    holder: holder(number),
                    origin: Origin::Admin,
                    amount: CREDITS,
                    priority: 50,
                    expire_time: None,
                    note: String::new(),
                    actor: String::new(),
                };
                ledger.grant(&grant, moment::now()).await?;
            }
            books.push(ledger);
        }
        let [written, read] = <[_; 2]>::try_from(books).ok().context("two books")?;
        Ok(Arc::new(Self {
            written,
            read,
            _folder: folder,
        }))
    }

    async fn pay(&self, number: usize) -> anyhow::Result<()> {
        let tokens = |output_tokens| Amounts {
            input_tokens: 100,
            output_tokens,
            ..Amounts::default()
        };
        let tariff = Tariff::default()
            .with(Unit::MillionInputTokens, 250_000)?
            .with(Unit::MillionOutputTokens, 2_000_000)?;
        let ask = Ask {
            id: moment::new_id(),
            holder: holder(number),
            service: "llm-chat".to_owned(),
            medium: Medium::Chat,
            model: "m".to_owned(),
            worst: tokens(4_096),
            tariff,
        };
        let now = moment::now();
        let terms = Terms {
            payer: Payer::Holder,
            daily: None,
            concurrency: 1_000,
            network: None,
            bounds: Bounds::default(),
            lease: now + 900_000_000,
            due: Vec::new(),
        };
        self.written.reserve(&ask, &terms, now).await?;
        let settled = self
            .written
            .settle(&ask.id, &tokens(50), moment::now())
            .await?;
        // A hundred tokens read and fifty written, in millionths.
        ensure!(settled.charged == 125, "{} were charged", settled.charged);
        Ok(())
    }
}

#[async_trait]
impl Side for Books {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        if verb == Verb::Write {
            return self.pay(turn.number).await;
        }
        let holder = holder(turn.number);
        let balance = self.read.balance(&holder, &[], moment::now()).await?;
        ensure!(balance.available == CREDITS, "{}", balance.available);
        Ok(())
    }
}
