//! Usage in SQLite: an event and the sums of its hour change in one transaction; nothing but this file knows its tables.

use std::collections::HashSet;

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Cells, Database, QueryBuilder, Writer};

use crate::error::Error;
use crate::ports::UsageStore;
use crate::summary::{HOUR, SummaryQuery, SummaryRow, floor};
use crate::usage::{Counts, Cursor, Event, Figures, HourKey, MAX_HOUR, Outcome, Recorded, roll_up};

/// Where a sum is cut in two: SQLite's SUM fails when it overflows, and the sums of both parts cannot.
const SPLIT: i64 = 1_000_000_000;
/// How many events one statement keeps; SQLite takes 32,766 values in one.
const AT_ONCE: usize = 100;

/// Usage in one SQLite file.
pub struct SqlUsageStore {
    database: Database,
}

impl SqlUsageStore {
    /// In this database, whose migrations have run.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

/// The listing, with a condition that says whose.
macro_rules! listing {
    ($whose:literal) => {
        concat!(
            "SELECT * FROM usage_events
             WHERE (time, source, id) < ($1, $2, $3) AND ",
            $whose,
            " ORDER BY time DESC, source DESC, id DESC LIMIT $4"
        )
    };
}

/// The summary, with a condition that says whose; two texts, because an `OR` would keep SQLite from its index.
///
/// It adds up whole hours. The end may lie within the last of them: the events of that hour which are not before
/// the end are taken out again. When the end is now there are hardly any.
macro_rules! summary {
    ($whose:literal) => {
        concat!(
            "SELECT bucket_start - bucket_start % $1 AS bucket,
                    CASE WHEN $2 THEN service ELSE '' END AS by_service,
                    CASE WHEN $3 THEN model ELSE '' END AS by_model,
                    CASE WHEN $4 THEN user_id ELSE '' END AS by_user,
                    SUM(generations) AS generations, SUM(failed) AS failed,
                    SUM(cancelled) AS cancelled, SUM(estimated) AS estimated,
                    SUM(input_tokens / $5) AS input_tokens_high,
                    SUM(input_tokens % $5) AS input_tokens_low,
                    SUM(output_tokens / $5) AS output_tokens_high,
                    SUM(output_tokens % $5) AS output_tokens_low,
                    SUM(images / $5) AS images_high, SUM(images % $5) AS images_low,
                    SUM(characters / $5) AS characters_high, SUM(characters % $5) AS characters_low,
                    SUM(audio_millis / $5) AS audio_millis_high,
                    SUM(audio_millis % $5) AS audio_millis_low
             FROM (
                 SELECT bucket_start, service, model, user_id, generations, failed, cancelled, estimated,
                        input_tokens, output_tokens, images, characters, audio_millis
                 FROM usage_buckets WHERE bucket_start >= $6 AND bucket_start < $7 AND ",
            $whose,
            "    UNION ALL
                 SELECT $8, source, model, user_id, -1, -(outcome = 'failed'), -(outcome = 'cancelled'),
                        -estimated, -input_tokens, -output_tokens, -images, -characters, -audio_millis
                 FROM usage_events WHERE time >= $7 AND time < $9 AND ",
            $whose,
            ")
             GROUP BY 1, 2, 3, 4 HAVING SUM(generations) > 0 ORDER BY 1, 2, 3, 4 LIMIT $10"
        )
    };
}

#[async_trait]
impl UsageStore for SqlUsageStore {
    async fn record(&self, events: &[Event]) -> Result<Recorded, Error> {
        let mut transaction = self.database.begin().await.map_err(Error::store)?;
        let mut left = insert_events(&mut transaction, events)
            .await
            .map_err(Error::store)?;
        // Of one that is told twice in a call, one is new.
        let new: Vec<&Event> = events
            .iter()
            .filter(|event| left.remove(&(event.source.clone(), event.id.clone())))
            .collect();
        let recorded = Recorded {
            new: i32::try_from(new.len()).map_err(Error::store)?,
            duplicates: i32::try_from(events.len() - new.len()).map_err(Error::store)?,
        };
        for (hour, counts) in roll_up(new) {
            add_to_hour(&mut transaction, &hour, &counts)
                .await
                .map_err(Error::store)?;
        }
        transaction.commit().await.map_err(Error::store)?;
        Ok(recorded)
    }

    async fn list(
        &self,
        user_id: Option<&str>,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Vec<Event>, Error> {
        // No event is as late as the greatest integer, so it stands for the beginning of the list.
        let (time, source, id) = after.map_or((Micros::MAX, "", ""), |at| {
            (at.time, at.source.as_str(), at.id.as_str())
        });
        let rows = sql::query(match user_id {
            Some(_) => listing!("user_id = $5"),
            None => listing!("$5 IS NULL"),
        })
        .bind(time)
        .bind(source)
        .bind(id)
        .bind(limit)
        .bind(user_id)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::store)?;
        rows.iter().map(event_of).collect()
    }

    async fn count(&self, user_id: &str) -> Result<u64, Error> {
        let (count,): (i64,) =
            sql::query_as("SELECT COUNT(*) FROM usage_events WHERE user_id = $1")
                .bind(user_id)
                .fetch_one(self.database.read())
                .await
                .map_err(Error::store)?;
        Ok(count.unsigned_abs())
    }

    async fn summarize(&self, query: &SummaryQuery, limit: i64) -> Result<Vec<SummaryRow>, Error> {
        // The hour of the last microsecond before the end: an end on the hour takes nothing out.
        let last_hour = floor(query.window.end.saturating_sub(1), HOUR);
        let rows = sql::query(match &query.user_id {
            Some(_) => summary!("user_id = $11"),
            None => summary!("$11 IS NULL"),
        })
        .bind(query.width.micros())
        .bind(query.division.service)
        .bind(query.division.model)
        .bind(query.division.user)
        .bind(SPLIT)
        .bind(query.window.start)
        .bind(query.window.end)
        .bind(last_hour)
        .bind(last_hour.saturating_add(HOUR))
        .bind(limit)
        .bind(query.user_id.as_deref())
        .fetch_all(self.database.read())
        .await
        .map_err(Error::store)?;
        rows.iter()
            .map(row_of)
            .collect::<Result<_, sqlx::Error>>()
            .map_err(Error::store)
    }
}

/// Keeps events; returns those, by source and id, that were not known.
async fn insert_events(
    writer: &mut Writer,
    events: &[Event],
) -> Result<HashSet<(String, String)>, sqlx::Error> {
    let mut new = HashSet::with_capacity(events.len());
    for events in events.chunks(AT_ONCE) {
        let mut query = QueryBuilder::new(
            "INSERT INTO usage_events (source, id, user_id, provider, model, outcome, input_tokens, output_tokens, images, \
             characters, audio_millis, estimated, duration, time) ",
        );
        query.push_values(events, |mut row, event| {
            row.push_bind(&event.source)
                .push_bind(&event.id)
                .push_bind(&event.user_id)
                .push_bind(&event.provider)
                .push_bind(&event.model)
                .push_bind(event.outcome.name())
                .push_bind(event.figures.input_tokens)
                .push_bind(event.figures.output_tokens)
                .push_bind(event.figures.images)
                .push_bind(event.figures.characters)
                .push_bind(event.figures.audio_millis)
                .push_bind(event.estimated)
                .push_bind(event.duration)
                .push_bind(event.time);
        });
        query.push(" ON CONFLICT (source, id) DO NOTHING RETURNING source, id");
        let kept: Vec<(String, String)> = query.build_query_as().fetch_all(&mut *writer).await?;
        new.extend(kept);
    }
    Ok(new)
}

/// Adds counts to an hour. Both sides are at most [`MAX_HOUR`], so the addition cannot overflow before it is cut.
async fn add_to_hour(
    writer: &mut Writer,
    hour: &HourKey<'_>,
    counts: &Counts,
) -> Result<(), sqlx::Error> {
    sql::query(
        "INSERT INTO usage_buckets (bucket_start, service, model, user_id, generations, failed, cancelled, estimated,
                                    input_tokens, output_tokens, images, characters, audio_millis)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (bucket_start, service, model, user_id) DO UPDATE SET
             generations = generations + excluded.generations,
             failed = failed + excluded.failed,
             cancelled = cancelled + excluded.cancelled,
             estimated = estimated + excluded.estimated,
             input_tokens = MIN(input_tokens + excluded.input_tokens, $14),
             output_tokens = MIN(output_tokens + excluded.output_tokens, $14),
             images = MIN(images + excluded.images, $14),
             characters = MIN(characters + excluded.characters, $14),
             audio_millis = MIN(audio_millis + excluded.audio_millis, $14)",
    )
    .bind(hour.bucket_start)
    .bind(hour.service)
    .bind(hour.model)
    .bind(hour.user_id)
    .bind(counts.generations)
    .bind(counts.failed)
    .bind(counts.cancelled)
    .bind(counts.estimated)
    .bind(counts.figures.input_tokens)
    .bind(counts.figures.output_tokens)
    .bind(counts.figures.images)
    .bind(counts.figures.characters)
    .bind(counts.figures.audio_millis)
    .bind(MAX_HOUR)
    .execute(writer)
    .await?;
    Ok(())
}

fn event_of(row: &impl Cells) -> Result<Event, Error> {
    let read = || -> Result<Option<Event>, sqlx::Error> {
        let Some(outcome) = Outcome::of(&row.cell::<String>("outcome")?) else {
            return Ok(None);
        };
        Ok(Some(Event {
            source: row.cell("source")?,
            id: row.cell("id")?,
            user_id: row.cell("user_id")?,
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            outcome,
            figures: Figures {
                input_tokens: row.cell("input_tokens")?,
                output_tokens: row.cell("output_tokens")?,
                images: row.cell("images")?,
                characters: row.cell("characters")?,
                audio_millis: row.cell("audio_millis")?,
            },
            estimated: row.cell("estimated")?,
            duration: row.cell("duration")?,
            time: row.cell("time")?,
        }))
    };
    read()
        .map_err(Error::store)?
        .ok_or_else(|| Error::store("a row of usage_events has an unknown outcome"))
}

fn row_of(row: &impl Cells) -> Result<SummaryRow, sqlx::Error> {
    let sum = |high: &str, low: &str| -> Result<i64, sqlx::Error> {
        let sum = i128::from(row.cell::<i64>(high)?) * i128::from(SPLIT)
            + i128::from(row.cell::<i64>(low)?);
        // Below zero only when an hour's sum had stopped growing and events were taken out of it.
        Ok(i64::try_from(sum.max(0)).unwrap_or(i64::MAX))
    };
    Ok(SummaryRow {
        bucket_start: row.cell("bucket")?,
        service: row.cell("by_service")?,
        model: row.cell("by_model")?,
        user_id: row.cell("by_user")?,
        counts: Counts {
            generations: row.cell("generations")?,
            failed: row.cell("failed")?,
            cancelled: row.cell("cancelled")?,
            estimated: row.cell("estimated")?,
            figures: Figures {
                input_tokens: sum("input_tokens_high", "input_tokens_low")?,
                output_tokens: sum("output_tokens_high", "output_tokens_low")?,
                images: sum("images_high", "images_low")?,
                characters: sum("characters_high", "characters_low")?,
                audio_millis: sum("audio_millis_high", "audio_millis_low")?,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Division, Width, Window};

    async fn store(folder: &std::path::Path) -> SqlUsageStore {
        let path = folder.join("analytics.db");
        SqlUsageStore::new(Database::file(&path, &[crate::MIGRATIONS]).await.unwrap())
    }

    #[tokio::test]
    async fn sums_stop_at_their_bounds_instead_of_overflowing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let mut transaction = store.database.begin().await.unwrap();
        let counts = Counts {
            generations: 1,
            figures: Figures {
                input_tokens: MAX_HOUR,
                output_tokens: 7,
                ..Figures::default()
            },
            ..Counts::default()
        };
        for hour in 0..20 {
            let bucket_start = hour * HOUR;
            let key = HourKey {
                bucket_start,
                service: "tts",
                model: "m",
                user_id: "ana",
            };
            add_to_hour(&mut transaction, &key, &counts).await.unwrap();
            add_to_hour(&mut transaction, &key, &counts).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let query = |end| SummaryQuery {
            window: Window { start: 0, end },
            width: Width::Day,
            division: Division::default(),
            user_id: None,
        };
        let one = &store.summarize(&query(HOUR), 2).await.unwrap()[0]
            .counts
            .figures;
        assert_eq!((one.input_tokens, one.output_tokens), (MAX_HOUR, 14));
        let all = &store.summarize(&query(20 * HOUR), 2).await.unwrap()[0]
            .counts
            .figures;
        assert_eq!((all.input_tokens, all.output_tokens), (i64::MAX, 280));
    }

    #[tokio::test]
    async fn no_question_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        for (plan, index) in [
            (
                concat!("EXPLAIN QUERY PLAN ", listing!("user_id = $5")),
                "usage_events_by_user",
            ),
            (
                concat!("EXPLAIN QUERY PLAN ", listing!("$5 IS NULL")),
                "usage_events_by_time",
            ),
            (
                concat!("EXPLAIN QUERY PLAN ", summary!("user_id = $11")),
                "usage_buckets_by_user",
            ),
            (
                concat!("EXPLAIN QUERY PLAN ", summary!("$11 IS NULL")),
                "PRIMARY KEY",
            ),
        ] {
            let steps = sql::query(plan)
                .fetch_all(store.database.read())
                .await
                .unwrap();
            let steps: Vec<String> = steps
                .iter()
                .map(|step| step.cell("detail").unwrap())
                .collect();
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
            let whole = |step: &String| step.starts_with("SCAN usage_");
            assert!(!steps.iter().any(whole), "{steps:?}");
        }
    }
}
