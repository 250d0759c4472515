//! The port, in rows.

use std::collections::BTreeSet;

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql;

use super::groups::{Step, Told, What};
use super::read::{self, ENTRY, EntryRow};
use super::{SqlLedger, load};
use crate::draft::{Draft, Live, Rank, State};
use crate::error::Error;
use crate::hours;
use crate::known::{
    Ask, Balance, Entry, Grant, House, Medium, Month, NewGrant, Origin, Overdue, Payer, Refund,
    Reserved, Settled, Spent, Terms,
};
use crate::ports::Ledger;
use crate::tariff::Amounts;

/// How many grants are taken in one transaction.
const MOST_EXPIRED: u32 = 1_000;
/// How long it is known of a generation that its end was told before anything was set aside for it: longer than anybody
/// who would set it aside can still be under way.
const ENDED_BEFORE: Micros = 30 * 86_400_000_000;

#[async_trait]
impl Ledger for SqlLedger {
    async fn reserve(&self, ask: &Ask, terms: &Terms, now: Micros) -> Result<Reserved, Error> {
        let what = What::Reserve {
            ask: Box::new(ask.clone()),
            terms: Box::new(terms.clone()),
            amount: ask.tariff.cost(&ask.worst)?,
        };
        match self.step(Step { what, now }).await? {
            Told::Reserved(reserved) => Ok(reserved),
            Told::Ended(_) => Err(Error::Unknown),
        }
    }

    async fn settle(&self, id: &str, used: &Amounts, now: Micros) -> Result<Settled, Error> {
        let what = What::End {
            id: id.to_owned(),
            used: Some(*used),
        };
        match self.step(Step { what, now }).await? {
            Told::Ended(settled) => Ok(settled),
            Told::Reserved(_) => Err(Error::Unknown),
        }
    }

    async fn release(&self, id: &str, now: Micros) -> Result<(), Error> {
        let what = What::End {
            id: id.to_owned(),
            used: None,
        };
        self.step(Step { what, now }).await.map(drop)
    }

    async fn grant(&self, grant: &NewGrant, now: Micros) -> Result<Grant, Error> {
        let mut tx = self.begin().await?;
        if let Some(known) = read::grant(&mut tx, &grant.holder, &grant.key).await? {
            let given = &known.grant.given;
            let same = given.amount == grant.amount && given.origin == grant.origin;
            return if same && known.generation.is_none() {
                Ok(known.grant)
            } else {
                Err(Error::KeyReused)
            };
        }
        let mut draft = Draft::default();
        let names = BTreeSet::from([&*grant.holder]);
        load::holders(&mut tx, &mut draft, &names, hours::day(now)).await?;
        draft.sources = load::sources(&mut tx).await?;
        let given = draft.give(grant, None, now)?;
        self.write(&mut tx, &draft).await?;
        tx.commit().await?;
        Ok(given)
    }

    async fn refund(&self, refund: &Refund, now: Micros) -> Result<Grant, Error> {
        let mut tx = self.begin().await?;
        let mut draft = Draft::default();
        load::paid(&mut tx, &mut draft, [&*refund.generation]).await?;
        let paid = draft.paid.get(&refund.generation).cloned();
        let paid = paid.filter(|paid| !paid.holder.is_empty());
        let paid = paid.ok_or(Error::Unknown)?;
        if let Some(known) = read::grant(&mut tx, &paid.holder, &refund.key).await? {
            let amount = known.grant.given.amount;
            let same = known.generation.as_deref() == Some(&*refund.generation)
                && refund.amount.is_none_or(|asked| asked == amount);
            return same.then_some(known.grant).ok_or(Error::KeyReused);
        }
        if paid.state != State::Settled || paid.payer != Payer::Holder || paid.charged == 0 {
            return Err(Error::NotCharged);
        }
        let (refunded,): (i64,) =
            sql::query_as("SELECT refunded FROM reservations WHERE generation = $1")
                .bind(&refund.generation)
                .fetch_one(&mut *tx)
                .await?;
        let left = paid.charged - refunded;
        let amount = refund.amount.unwrap_or(left);
        if amount > left || left == 0 {
            return Err(Error::RefundTooHigh(left));
        }
        let names = BTreeSet::from([&*paid.holder]);
        load::holders(&mut tx, &mut draft, &names, hours::day(now)).await?;
        let new = NewGrant {
            key: refund.key.clone(),
            holder: paid.holder.clone(),
            origin: Origin::Refund,
            amount,
            priority: 0,
            expire_time: None,
            note: refund.note.clone(),
            actor: refund.actor.clone(),
        };
        let given = draft.give(&new, Some(&refund.generation), now)?;
        self.write(&mut tx, &draft).await?;
        sql::query("UPDATE reservations SET refunded = refunded + $1 WHERE generation = $2")
            .bind(amount)
            .bind(&refund.generation)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(given)
    }

    async fn balance(&self, holder: &str, due: &[NewGrant], now: Micros) -> Result<Balance, Error> {
        let (names, keys) = (BTreeSet::from([holder]), load::keys(due));
        let day = hours::day(now);
        let mut draft = Draft::default();
        let mut reader = self.database.read().snapshot().await?;
        load::holders(&mut reader, &mut draft, &names, day).await?;
        load::grants(&mut reader, &mut draft, &names, &keys).await?;
        if !draft.is_behind(holder, due, now) {
            return Ok(read::balance(&mut reader, holder).await?);
        }
        drop(reader);

        let mut draft = Draft::default();
        let mut tx = self.begin().await?;
        load::holders(&mut tx, &mut draft, &names, day).await?;
        load::grants(&mut tx, &mut draft, &names, &keys).await?;
        draft.sources = load::sources(&mut tx).await?;
        draft.bring_up_to_date(holder, due, now)?;
        self.write(&mut tx, &draft).await?;
        let balance = read::balance(&mut tx, holder).await?;
        tx.commit().await?;
        Ok(balance)
    }

    async fn given(&self, holder: &str, key_prefix: &str) -> Result<i64, Error> {
        let (given,): (i64,) = sql::query_as(
            "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM grants WHERE holder = $1 AND substr(key, 1, length($2)) = $2",
        )
        .bind(holder)
        .bind(key_prefix)
        .fetch_one(self.database.read())
        .await?;
        Ok(given)
    }

    async fn entries(
        &self,
        holder: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, Error> {
        // By time first, which is what the index has; of one holder it is the same order.
        let sql = format!(
            "{ENTRY} AND ($2 IS NULL OR (t.time <= (SELECT b.time FROM transfers b WHERE b.number = $2) AND t.number < $2)) \
             ORDER BY t.time DESC, t.number DESC LIMIT $3"
        );
        let rows: Vec<EntryRow> = sql::query_as(sqlx::AssertSqlSafe(sql))
            .bind(holder)
            .bind(before)
            .bind(limit)
            .fetch_all(self.database.read())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn entries_of(
        &self,
        holder: &str,
        month: Month,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, Error> {
        let sql = format!(
            "{ENTRY} AND t.time >= COALESCE((SELECT a.time FROM transfers a WHERE a.number = $4 AND a.time > $2), $2) \
             AND t.time < $3 AND t.number > $4 ORDER BY t.time, t.number LIMIT $5"
        );
        let rows: Vec<EntryRow> = sql::query_as(sqlx::AssertSqlSafe(sql))
            .bind(holder)
            .bind(month.from)
            .bind(month.to)
            .bind(after)
            .bind(limit)
            .fetch_all(self.database.read())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn balance_at(&self, holder: &str, time: Micros) -> Result<i64, Error> {
        let balance: Option<(i64,)> = sql::query_as(
            "SELECT balance FROM transfers WHERE holder = $1 AND time < $2 ORDER BY time DESC, number DESC LIMIT 1",
        )
        .bind(holder)
        .bind(time)
        .fetch_optional(self.database.read())
        .await?;
        Ok(balance.map_or(0, |(balance,)| balance))
    }

    async fn used_today(&self, holder: &str, now: Micros) -> Result<Vec<(Medium, u32)>, Error> {
        let mut reader = self.database.read().acquire().await?;
        Ok(read::used(&mut reader, holder, hours::day(now)).await?)
    }

    async fn spent(&self, now: Micros) -> Result<Spent, Error> {
        let mut reader = self.database.read().acquire().await?;
        Ok(load::spent(&mut reader, now).await?)
    }

    async fn house(&self) -> Result<Vec<(House, i64)>, Error> {
        let mut reader = self.database.read().acquire().await?;
        Ok(read::house(&mut reader).await?)
    }

    async fn overdue(&self, now: Micros, limit: u32) -> Result<Vec<Overdue>, Error> {
        let rows: Vec<(String, String, Micros)> = sql::query_as(
            "SELECT generation, service, lease_time FROM reservations \
             WHERE state = 'open' AND lease_time <= $1 ORDER BY lease_time, generation LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        let overdue = |(id, service, lease)| Overdue { id, service, lease };
        Ok(rows.into_iter().map(overdue).collect())
    }

    async fn keep(&self, id: &str, lease: Micros) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sql::query(
            "UPDATE reservations SET lease_time = $1 WHERE generation = $2 AND state = 'open' AND lease_time < $1",
        )
        .bind(lease)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn expire(&self, now: Micros, limit: u32) -> Result<u32, Error> {
        let mut tx = self.begin().await?;
        let expired = read::expired(&mut tx, now, limit.min(MOST_EXPIRED)).await?;
        let names: BTreeSet<&str> = expired.iter().map(|(holder, ..)| &**holder).collect();
        let mut draft = Draft::default();
        let mut taken = 0;
        if !names.is_empty() {
            load::holders(&mut tx, &mut draft, &names, hours::day(now)).await?;
            for (holder, id, priority, expire_time, available) in &expired {
                let live = Live {
                    rank: Rank {
                        priority: *priority,
                        expire_time: *expire_time,
                        id: id.clone(),
                    },
                    available: *available,
                };
                if let Some(holder) = draft.holders.get_mut(holder) {
                    holder.grants.push(live);
                }
            }
            for name in names {
                taken += draft.take_expired(name, now);
            }
            self.write(&mut tx, &draft).await?;
        }
        sql::query("DELETE FROM reservations WHERE holder = '' AND end_time < $1")
            .bind(now.saturating_sub(ENDED_BEFORE))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn leave(&self, holder: &str, now: Micros) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let names = BTreeSet::from([holder]);
        let mut draft = Draft::default();
        load::holders(&mut tx, &mut draft, &names, hours::day(now)).await?;
        load::grants(&mut tx, &mut draft, &names, &BTreeSet::new()).await?;
        draft.take_all(holder, now);
        self.write(&mut tx, &draft).await?;
        // What comes back to a grant that has expired is taken at once, by whichever clock.
        sql::query("UPDATE grants SET expire_time = 0, note = '', actor = '' WHERE holder = $1")
            .bind(holder)
            .execute(&mut *tx)
            .await?;
        sql::query(
            "INSERT INTO departures (holder, time) VALUES ($1, $2) ON CONFLICT (holder) DO NOTHING",
        )
        .bind(holder)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let (entries,): (i64,) = sql::query_as("SELECT COUNT(*) FROM transfers WHERE holder = $1")
            .bind(holder)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(entries.unsigned_abs())
    }
}
