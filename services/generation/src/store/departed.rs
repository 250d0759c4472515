//! Accounts that have left, and what is erased of them, within transactions of the service.

use atelier_kit::sql::{self, Writer};

use crate::error::Error;

/// Erases a record that has ended, within a transaction of the service that deletes the rows it belongs to.
pub async fn erase(writer: &mut Writer, id: &str) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM generations WHERE id = $1 AND end_time IS NOT NULL")
        .bind(id)
        .execute(writer)
        .await
        .map(drop)
}

/// Whether an owner has left. Within a transaction that makes something of the owner, it says so for as long as that lasts.
pub async fn has_departed(reader: &mut Writer, owner: &str) -> Result<bool, sqlx::Error> {
    let gone: Option<(i64,)> =
        sql::query_as("SELECT time FROM generation_departed WHERE owner = $1")
            .bind(owner)
            .fetch_optional(reader)
            .await?;
    Ok(gone.is_some())
}

/// Refuses an owner who has left, within the transaction that would make something of this owner: whichever of the two
/// comes first, nothing is left behind.
pub async fn refuse_departed(writer: &mut Writer, owner: &str) -> Result<(), Error> {
    if has_departed(writer, owner).await? {
        return Err(Error::Departed);
    }
    Ok(())
}
