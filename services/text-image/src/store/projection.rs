//! The row of a picture, written in the transaction of its generation: `pending → object → ready`, never otherwise.

use async_trait::async_trait;
use atelier_generation::store::Projection;
use atelier_generation::{End, GenerationRecord, NewGeneration, Refusal};
use atelier_kit::fault::Fault;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::Leftovers;
use atelier_kit::sql::{self, Writer};
use atelier_proto::generation::v1::State;

use crate::image::{Commission, Stored};
use crate::layout;

/// How long after a failure its objects are cleared away: a put that was under way may still arrive.
pub const SETTLING: Micros = 10_000_000;

/// Writes pictures with their generations.
#[derive(Clone, Copy, Debug)]
pub struct ImageRows {
    settling: Micros,
}

impl ImageRows {
    /// Objects of a failure are cleared away so long after it.
    pub fn new(settling: Micros) -> Self {
        Self { settling }
    }
}

#[async_trait]
impl Projection for ImageRows {
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal> {
        let commission = Commission::decode(&new.task).map_err(|error| Fault::internal(&error))?;
        sql::query(
            "INSERT INTO images (id, user_id, prompt, width, height, style, seed, state, provider, model, create_time, \
             update_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        )
        .bind(&new.id)
        .bind(&new.owner)
        .bind(&commission.prompt)
        .bind(commission.width)
        .bind(commission.height)
        .bind(&commission.style)
        .bind(commission.seed)
        .bind(i32::from(State::Queued))
        .bind(&new.provider)
        .bind(&new.model)
        .bind(moment::now())
        .execute(writer)
        .await?;
        Ok(())
    }

    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error> {
        let now = moment::now();
        if end.state != State::Completed {
            let sql = "UPDATE images SET state = $1, update_time = $2, provider = $4, model = $5 WHERE id = $3";
            sql::query(sql)
                .bind(i32::from(end.state))
                .bind(now)
                .bind(&record.id)
                .bind(&record.provider)
                .bind(&record.model)
                .execute(&mut *writer)
                .await?;
            return Leftovers::leave(
                writer,
                &record.owner,
                &layout::prefix(&record.id, record.create_time),
                now + self.settling,
            )
            .await;
        }
        // The row is this transaction's from here on; what it has in common with other pictures, the mark on the user's day, comes
        // last, so that whoever waits for it holds up nobody.
        let stored: Stored = serde_json::from_slice(&end.details)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let kept: Option<(Micros,)> = sql::query_as(
            "UPDATE images SET state = $1, s3_key = $2, content_type = $3, size_bytes = $4, sha256 = $5, width = $6, \
             height = $7, processing_micros = $8, update_time = $9, provider = $11, model = $12 WHERE id = $10 RETURNING create_time",
        )
        .bind(i32::from(State::Completed))
        .bind(&stored.s3_key)
        .bind(&stored.content_type)
        .bind(stored.size_bytes)
        .bind(&stored.sha256)
        .bind(stored.width)
        .bind(stored.height)
        .bind(stored.processing_micros)
        .bind(now)
        .bind(&record.id)
        .bind(&record.provider)
        .bind(&record.model)
        .fetch_optional(&mut *writer)
        .await?;
        let Some((create_time,)) = kept else {
            let prefix = layout::prefix(&record.id, record.create_time);
            return Leftovers::leave(writer, &record.owner, &prefix, now).await;
        };
        // The row's own time and not the record's: midnight may lie between the two, and the history reads rows.
        stale(writer, &record.owner, layout::day_of(create_time)).await
    }
}

/// The file of this history is behind the table from now on. Its version is of the time, so that none is ever that of a mark which
/// was there before and is gone: two processes may write the same history.
pub(super) async fn stale(writer: &mut Writer, user_id: &str, day: i64) -> Result<(), sqlx::Error> {
    sql::query(
        "INSERT INTO stale_histories (user_id, day, version) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id, day) DO UPDATE SET version = CASE WHEN stale_histories.version < excluded.version \
         THEN excluded.version ELSE stale_histories.version + 1 END",
    )
    .bind(user_id)
    .bind(day)
    .bind(moment::now())
    .execute(writer)
    .await
    .map(drop)
}
