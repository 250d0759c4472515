//! What paying takes at least: two transactions of one statement each, both on the disk before they count.

use std::time::Instant;

use async_trait::async_trait;
use atelier_kit::sql::{self, Database};
use tempfile::TempDir;

use crate::{Payment, Whose};

/// A file with one row.
pub struct Bare {
    database: Database,
    _folder: TempDir,
}

impl Bare {
    /// In a folder of its own.
    pub async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = Database::file(&folder.path().join("bare.db"), &[]).await?;
        let mut write = database.begin().await?;
        for sql in ["CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (0)"] {
            sql::query(sql).execute(&mut *write).await?;
        }
        write.commit().await?;
        Ok(Self {
            database,
            _folder: folder,
        })
    }

    async fn commit(&self) -> anyhow::Result<()> {
        let mut write = self.database.begin().await?;
        sql::query("UPDATE t SET n = n + 1")
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }
}

#[async_trait]
impl Payment for Bare {
    async fn pay(&self, _: usize, _: Whose) -> anyhow::Result<f64> {
        let begun = Instant::now();
        self.commit().await?;
        let waited = begun.elapsed().as_secs_f64();
        self.commit().await?;
        Ok(waited)
    }
}
