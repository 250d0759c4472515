//! The book by itself: reserve and settle, in the process that asks.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sql::{Database, Writer};
use atelier_ledger::store::{Beside, MIGRATIONS, SqlLedger};
use atelier_ledger::{
    Amounts, Ask, Bounds, Grant, Ledger as _, Medium, NewGrant, Origin, Payer, Tariff, Terms, Unit,
};
use tempfile::TempDir;

use crate::{Payment, Whose};

/// What each holder is given: more than any run spends.
const CREDITS: i64 = 1_000_000_000_000;

/// A book of holders with credits.
pub struct Book {
    ledger: SqlLedger,
    holders: usize,
    _folder: TempDir,
}

struct Nothing;

#[async_trait]
impl Beside for Nothing {
    async fn granted(&self, _: &mut Writer, _: &Grant) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn holder(number: usize) -> String {
    format!("holder-{number}")
}

impl Book {
    /// With so many holders, in a folder of its own.
    pub async fn open(holders: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = Database::file(&folder.path().join("book.db"), &[MIGRATIONS]).await?;
        let ledger = SqlLedger::new(database, Arc::new(Nothing));
        let holders = holders as usize;
        for number in 0..holders {
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
        Ok(Self {
            ledger,
            holders,
            _folder: folder,
        })
    }

    /// That it was paid: something is gone, and nothing is held.
    pub async fn prove(&self) -> anyhow::Result<()> {
        let balance = self.ledger.balance(&holder(0), &[], moment::now()).await?;
        ensure!(balance.available < CREDITS, "nothing was charged");
        ensure!(balance.reserved == 0, "something is still held");
        Ok(())
    }
}

#[async_trait]
impl Payment for Book {
    async fn pay(&self, number: usize, whose: Whose) -> anyhow::Result<f64> {
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
            holder: holder(match whose {
                Whose::One => 0,
                Whose::Many => number % self.holders,
            }),
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
        let begun = Instant::now();
        self.ledger.reserve(&ask, &terms, now).await?;
        let waited = begun.elapsed().as_secs_f64();
        self.ledger
            .settle(&ask.id, &tokens(50), moment::now())
            .await?;
        Ok(waited)
    }
}
