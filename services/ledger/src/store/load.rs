//! What a draft is to know: few statements, whatever the number of those it is about.

use std::collections::BTreeSet;

use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Cells, QueryBuilder, Reading, narrow};

use super::unreadable;
use crate::draft::{Draft, Hold, Holder, Live, Paid, Rank, Sources, State};
use crate::hours;
use crate::known::{House, Medium, NewGrant, Payer, Spent};

/// The generations of these that something was set aside for, with what is held for them and what their holders may spend.
pub(super) async fn paid(
    reader: &mut Reading,
    draft: &mut Draft,
    generations: impl IntoIterator<Item = &str>,
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::new(
        "SELECT r.generation, r.holder, r.medium, r.payer, r.network, r.prices, r.amount, r.charged, r.shortfall, \
         r.remaining, r.state, r.create_time, t.grant_id, t.amount AS held, g.priority, g.expire_time, \
         COALESCE(b.amount, 0) AS available, COALESCE((SELECT l.time FROM transfers l WHERE l.holder = r.holder \
         ORDER BY l.time DESC LIMIT 1), 0) AS last \
         FROM reservations r \
         LEFT JOIN transfers t ON r.state = 'open' AND t.generation = r.generation AND t.kind = 'reserved' \
         AND t.grant_id IS NOT NULL \
         LEFT JOIN grants g ON g.id = t.grant_id \
         LEFT JOIN balances b ON b.account = 'available:' || r.holder \
         WHERE r.generation IN ",
    );
    query.push_tuples(generations, |mut row, generation| {
        row.push_bind(generation);
    });
    // They were set aside in the order of spending.
    query.push(" ORDER BY t.number");
    for row in query.build().fetch_all(reader).await? {
        let generation: String = row.cell("generation")?;
        let hold = hold(&row)?;
        if let Some(paid) = draft.paid.get_mut(&generation) {
            paid.holds.extend(hold);
            continue;
        }
        let mut paid = paid_row(&row)?;
        paid.holds.extend(hold);
        let holder = draft.holders.entry(paid.holder.clone()).or_default();
        holder.available = row.cell("available")?;
        holder.last = row.cell("last")?;
        draft.paid.insert(generation, paid);
    }
    Ok(())
}

fn hold(row: &impl Cells) -> Result<Option<Hold>, sqlx::Error> {
    let Some(id) = row.cell::<Option<String>>("grant_id")? else {
        return Ok(None);
    };
    Ok(Some(Hold {
        rank: rank(row, id)?,
        amount: row.cell("held")?,
    }))
}

fn rank(row: &impl Cells, id: String) -> Result<Rank, sqlx::Error> {
    let expire_time: Option<Micros> = row.cell("expire_time")?;
    Ok(Rank {
        priority: narrow(row.cell("priority")?)?,
        expire_time: expire_time.unwrap_or(Micros::MAX),
        id,
    })
}

fn paid_row(row: &impl Cells) -> Result<Paid, sqlx::Error> {
    let payer: String = row.cell("payer")?;
    let state: String = row.cell("state")?;
    let medium: String = row.cell("medium")?;
    Ok(Paid {
        holder: row.cell("holder")?,
        medium: Medium::of(&medium).ok_or_else(|| unreadable("medium", &medium))?,
        payer: match payer.as_str() {
            "house" => Payer::House,
            _ => Payer::Holder,
        },
        network: row.cell("network")?,
        tariff: serde_json::from_str(&row.cell::<String>("prices")?)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        amount: row.cell("amount")?,
        charged: row.cell("charged")?,
        shortfall: row.cell("shortfall")?,
        remaining: row
            .cell::<Option<i64>>("remaining")?
            .map(narrow)
            .transpose()?,
        state: State::of(&state).ok_or_else(|| unreadable("state", &state))?,
        create_time: row.cell("create_time")?,
        holds: Vec::new(),
    })
}

/// These holders: what they may spend and what of, how many of theirs are at work, and how many they have begun in a day.
pub(super) async fn holders(
    reader: &mut Reading,
    draft: &mut Draft,
    names: &BTreeSet<&str>,
    day: i64,
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::new("WITH asked (holder) AS (");
    query.push_values(names, |mut row, name| {
        row.push_bind(*name);
    });
    query.push(
        ") SELECT a.holder, COALESCE((SELECT amount FROM balances WHERE account = 'available:' || a.holder), 0) AS available, \
         (SELECT COUNT(*) FROM reservations r WHERE r.holder = a.holder AND r.state = 'open') AS open, \
         COALESCE((SELECT l.time FROM transfers l WHERE l.holder = a.holder ORDER BY l.time DESC LIMIT 1), 0) AS last, \
         EXISTS (SELECT 1 FROM departures d WHERE d.holder = a.holder) AS left_house",
    );
    for medium in Medium::ALL {
        let name = medium.name();
        query.push(format_args!(
            ", COALESCE((SELECT q.used FROM quota_uses q WHERE q.holder = a.holder AND q.medium = '{name}' AND q.day = "
        ));
        query.push_bind(day);
        query.push(format_args!("), 0) AS {name}"));
    }
    query.push(" FROM asked a");
    for row in query.build().fetch_all(&mut *reader).await? {
        let name: String = row.cell("holder")?;
        for medium in Medium::ALL {
            let used = narrow(row.cell(medium.name())?)?;
            draft.used.insert((name.clone(), medium, day), used);
        }
        let holder = Holder {
            available: row.cell("available")?,
            open: narrow(row.cell("open")?)?,
            last: row.cell("last")?,
            left: row.cell("left_house")?,
            ..Holder::default()
        };
        draft.holders.insert(name, holder);
    }
    Ok(())
}

/// The grants of these holders that something is left of, and which of the keys of what is due to them are used.
pub(super) async fn grants(
    reader: &mut Reading,
    draft: &mut Draft,
    names: &BTreeSet<&str>,
    due: &BTreeSet<(&str, &str)>,
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::new(
        "SELECT holder, NULL AS key, id, priority, expire_time, available FROM grants \
         WHERE available > 0 AND holder IN ",
    );
    query.push_tuples(names, |mut row, name| {
        row.push_bind(*name);
    });
    if !due.is_empty() {
        query.push(
            " UNION ALL SELECT holder, key, '', 0, NULL, 0 FROM grants WHERE (holder, key) IN (",
        );
        query.push_values(due, |mut row, (holder, key)| {
            row.push_bind(*holder).push_bind(*key);
        });
        query.push(")");
    }
    for row in query.build().fetch_all(reader).await? {
        let name: String = row.cell("holder")?;
        let holder = draft.holders.entry(name).or_default();
        if let Some(key) = row.cell("key")? {
            holder.keys.insert(key);
        } else {
            holder.grants.push(Live {
                rank: rank(&row, row.cell("id")?)?,
                available: row.cell("available")?,
            });
        }
    }
    for name in names {
        if let Some(holder) = draft.holders.get_mut(*name) {
            holder
                .grants
                .sort_by(|one, other| one.rank.cmp(&other.rank));
        }
    }
    Ok(())
}

/// What is due, by holder and key.
pub(super) fn keys<'d>(
    due: impl IntoIterator<Item = &'d NewGrant>,
) -> BTreeSet<(&'d str, &'d str)> {
    due.into_iter()
        .map(|new| (&*new.holder, &*new.key))
        .collect()
}

/// How many are at work of each of these networks.
pub(super) async fn networks(
    reader: &mut Reading,
    draft: &mut Draft,
    networks: &BTreeSet<&[u8]>,
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::new(
        "SELECT network, COUNT(*) FROM reservations WHERE state = 'open' AND network IS NOT NULL AND network IN ",
    );
    query.push_tuples(networks, |mut row, network| {
        row.push_bind(*network);
    });
    query.push(" GROUP BY network");
    let found: Vec<(Vec<u8>, i64)> = query.build_query_as().fetch_all(reader).await?;
    for (network, open) in found {
        draft.networks.insert(network, narrow(open)?);
    }
    Ok(())
}

/// What was spent in this hour and this day.
pub(super) async fn spent(reader: &mut Reading, now: Micros) -> Result<Spent, sqlx::Error> {
    let day = hours::hours_of(hours::day(now));
    let rows: Vec<(bool, i64, i64)> = sql::query_as(
        "SELECT scope = 'house', hour, amount FROM spending \
         WHERE scope IN ('all', 'house') AND hour >= $1 AND hour < $2",
    )
    .bind(day.start)
    .bind(day.end)
    .fetch_all(reader)
    .await?;
    let mut spent = Spent::default();
    for (house, hour, amount) in rows {
        if house {
            spent.house_day = spent.house_day.saturating_add(amount);
        } else {
            spent.day = spent.day.saturating_add(amount);
            if hour == hours::hour(now) {
                spent.hour = amount;
            }
        }
    }
    Ok(spent)
}

/// What stands in the accounts that credits come from.
pub(super) async fn sources(reader: &mut Reading) -> Result<Sources, sqlx::Error> {
    let rows: Vec<(String, i64)> = sql::query_as(
        "SELECT account, amount FROM balances WHERE account IN ('issued', 'shortfall', 'anonymous')",
    )
    .fetch_all(reader)
    .await?;
    let of = |house: House| {
        let row = rows.iter().find(|(account, _)| account == house.name());
        row.map_or(0, |(_, amount)| *amount)
    };
    Ok(Sources {
        issued: of(House::Issued),
        shortfall: of(House::Shortfall),
        anonymous: of(House::Anonymous),
    })
}
