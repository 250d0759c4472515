//! Deleted accounts that the book of credits is still to be told of, in rows.

use atelier_kit::sql::{self, Database, Writer};

use super::failed;
use crate::error::Error;
use crate::leaving::{ROLE, Receipt};

/// Keeps that the book is to be told, in the transaction that deletes the account.
pub(super) async fn begin(
    writer: &mut Writer,
    deletion_id: &str,
    user_id: &str,
) -> Result<(), Error> {
    sql::query("INSERT INTO departed_holders (deletion_id, user_id) VALUES ($1, $2)")
        .bind(deletion_id)
        .bind(user_id)
        .execute(writer)
        .await
        .map_err(failed)?;
    Ok(())
}

/// At most `most` deletions whose accounts the book has not been told of, each with its account.
pub(super) async fn waiting(
    database: &Database,
    most: i64,
) -> Result<Vec<(String, String)>, Error> {
    sql::query_as("SELECT deletion_id, user_id FROM departed_holders ORDER BY deletion_id LIMIT $1")
        .bind(most)
        .fetch_all(database.read())
        .await
        .map_err(failed)
}

/// Keeps that the book was told, and in the receipt how many entries stay there; whether that was news.
pub(super) async fn told(
    writer: &mut Writer,
    deletion_id: &str,
    entries: u64,
) -> Result<bool, Error> {
    let done = sql::query("DELETE FROM departed_holders WHERE deletion_id = $1")
        .bind(deletion_id)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let (text,): (String,) =
        sql::query_as("SELECT receipt FROM erasures WHERE deletion_id = $1 AND service = $2")
            .bind(deletion_id)
            .bind(ROLE)
            .fetch_one(&mut *writer)
            .await
            .map_err(failed)?;
    let mut receipt: Receipt = serde_json::from_str(&text).map_err(Error::store)?;
    receipt.kept.insert("ledger_entries".to_owned(), entries);
    sql::query("UPDATE erasures SET receipt = $3 WHERE deletion_id = $1 AND service = $2")
        .bind(deletion_id)
        .bind(ROLE)
        .bind(serde_json::to_string(&receipt).map_err(Error::store)?)
        .execute(writer)
        .await
        .map_err(failed)?;
    Ok(true)
}
