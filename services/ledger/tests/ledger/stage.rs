//! A book in a folder, or on the server that stands for it, and short words for what is asked of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer};
use atelier_kit::testing::servers;
use atelier_ledger::store::{Beside, MIGRATIONS, SqlLedger};
use atelier_ledger::{
    Amounts, Ask, Bounds, Error, Grant, Ledger as _, Medium, NewGrant, Origin, Payer, Refund,
    Refusal, Tariff, Terms,
};

pub const SECOND: Micros = 1_000_000;
pub const HOUR: Micros = 3_600 * SECOND;
pub const DAY: Micros = 24 * HOUR;
/// A quarter to eleven on some day.
pub const NOW: Micros = 20_000 * DAY + 10 * HOUR + 45 * 60 * SECOND;
/// When the lease of what is reserved at [`NOW`] is over.
pub const LEASE: Micros = NOW + HOUR;

/// Notes who gave what in a table of its own; fails for the note `fail`.
struct Notes;

#[async_trait]
impl Beside for Notes {
    async fn granted(&self, writer: &mut Writer, grant: &Grant) -> Result<(), sqlx::Error> {
        sql::query("INSERT INTO told (id, actor, amount) VALUES ($1, $2, $3)")
            .bind(&grant.id)
            .bind(&grant.given.actor)
            .bind(grant.given.amount)
            .execute(&mut *writer)
            .await?;
        match &*grant.given.note {
            "fail" => Err(sqlx::Error::RowNotFound),
            _ => Ok(()),
        }
    }
}

/// A book, and the database that it is in.
#[derive(Clone)]
pub struct Book {
    pub ledger: SqlLedger,
    pub database: Database,
}

impl Book {
    /// The one of a folder.
    pub async fn open(folder: &Path) -> Self {
        let database = match servers::postgres_of(folder) {
            Some(server) => Database::schema(&server, "ledger", &[MIGRATIONS]).await,
            None => Database::file(&folder.join(FILE), &[MIGRATIONS]).await,
        };
        let database = database.unwrap();
        let known = sql::query("SELECT id FROM told LIMIT 1")
            .fetch_optional(database.read())
            .await;
        if known.is_err() {
            let mut tx = database.begin().await.unwrap();
            sql::query(
                "CREATE TABLE IF NOT EXISTS told (id TEXT PRIMARY KEY, actor TEXT, amount BIGINT)",
            )
            .execute(&mut *tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
        Self {
            ledger: SqlLedger::new(database.clone(), Arc::new(Notes)),
            database,
        }
    }

    /// One in a folder of its own, which ends with the guard.
    pub async fn new() -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Self::open(folder.path()).await, folder)
    }

    /// Gives a holder so much that does not expire.
    pub async fn give(&self, holder: &str, amount: i64) -> Grant {
        let key = format!("admin:{}", atelier_kit::moment::new_id());
        self.ledger
            .grant(&grant(holder, &key, amount), NOW)
            .await
            .unwrap()
    }

    /// What a holder may spend, and what is held.
    pub async fn balance(&self, holder: &str) -> (i64, i64) {
        self.balance_at(holder, NOW).await
    }

    pub async fn balance_at(&self, holder: &str, now: Micros) -> (i64, i64) {
        let balance = self.ledger.balance(holder, &[], now).await.unwrap();
        (balance.available, balance.reserved)
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = sql::query_as(sql)
            .fetch_one(self.database.read())
            .await
            .unwrap();
        count
    }
}

/// The file of a book in its folder.
const FILE: &str = "book.db";

/// A new folder whose book is a copy of another's, which nobody has open.
pub fn copy(prepared: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    servers::copy_databases(prepared, folder.path());
    if servers::Store::chosen() == servers::Store::Sqlite {
        std::fs::copy(prepared.join(FILE), folder.path().join(FILE)).unwrap();
    }
    folder
}

/// Pictures at a millionth each: their number is their cost.
pub fn pictures(images: i64) -> Amounts {
    Amounts {
        images,
        ..Amounts::default()
    }
}

pub fn tariff(image: i64) -> Tariff {
    Tariff {
        image,
        ..Tariff::default()
    }
}

/// A generation that costs at most so much.
pub fn ask(id: &str, holder: &str, most: i64) -> Ask {
    Ask {
        id: id.to_owned(),
        holder: holder.to_owned(),
        service: "text-image".to_owned(),
        medium: Medium::Image,
        model: "a model".to_owned(),
        worst: pictures(most),
        tariff: tariff(1),
    }
}

/// No bounds.
pub fn terms() -> Terms {
    Terms {
        payer: Payer::Holder,
        daily: None,
        concurrency: u32::MAX,
        network: None,
        bounds: Bounds::default(),
        lease: LEASE,
        due: Vec::new(),
    }
}

/// Those of somebody who has no credits.
pub fn house() -> Terms {
    Terms {
        payer: Payer::House,
        ..terms()
    }
}

/// Credits that do not expire.
pub fn grant(holder: &str, key: &str, amount: i64) -> NewGrant {
    NewGrant {
        key: key.to_owned(),
        holder: holder.to_owned(),
        origin: Origin::Admin,
        amount,
        priority: 50,
        expire_time: None,
        note: String::new(),
        actor: String::new(),
    }
}

pub fn refund(generation: &str, key: &str, amount: Option<i64>) -> Refund {
    Refund {
        key: key.to_owned(),
        generation: generation.to_owned(),
        amount,
        note: "sorry".to_owned(),
        actor: "an admin".to_owned(),
    }
}

/// Why it was refused.
pub fn refusal<T: std::fmt::Debug>(told: Result<T, Error>) -> Refusal {
    match told {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// This test binary as another process, which lives the "test" of this name.
pub fn process(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .envs(servers::shared_with_children())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Waits for a process without keeping a thread of the runtime.
pub async fn ended(mut child: Child) -> std::process::ExitStatus {
    tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap()
}
