//! The changes of a draft, in one statement for each table.

use atelier_kit::sql::{QueryBuilder, Transaction};

use crate::draft::{Changes, State};
use crate::known::{Medium, Payer};
use crate::tariff::Tariff;

/// SQLite takes 32,766 values in a statement, and PostgreSQL 65,535.
const ROWS: usize = 1_000;

/// Writes all of it.
pub(super) async fn changes(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    grants(write, changes).await?;
    transfers(write, changes).await?;
    reservations(write, changes).await?;
    ended_before(write, changes).await?;
    ended(write, changes).await
}

/// What may be spent of them comes with their rows in the book.
async fn grants(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    for grants in changes.grants.chunks(ROWS) {
        QueryBuilder::new(
            "INSERT INTO grants (id, holder, key, origin, amount, priority, expire_time, note, actor, generation, create_time) ",
        )
        .push_values(grants, |mut row, given| {
            let (grant, new) = (&given.grant, &given.grant.given);
            row.push_bind(&grant.id)
                .push_bind(&new.holder)
                .push_bind(&new.key)
                .push_bind(new.origin.name())
                .push_bind(new.amount)
                .push_bind(new.priority)
                .push_bind(new.expire_time)
                .push_bind(&new.note)
                .push_bind(&new.actor)
                .push_bind(&given.generation)
                .push_bind(grant.create_time);
        })
        .build()
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

async fn transfers(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    for transfers in changes.transfers.chunks(ROWS) {
        QueryBuilder::new(
            "INSERT INTO transfers (time, kind, source, target, amount, holder, balance, grant_id, generation) ",
        )
        .push_values(transfers, |mut row, transfer| {
            row.push_bind(transfer.time)
                .push_bind(transfer.kind.name())
                .push_bind(&transfer.source)
                .push_bind(&transfer.target)
                .push_bind(transfer.amount)
                .push_bind(&transfer.holder)
                .push_bind(transfer.balance)
                .push_bind(&transfer.grant)
                .push_bind(&transfer.generation);
        })
        .build()
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

fn payer(payer: Payer) -> &'static str {
    match payer {
        Payer::Holder => "holder",
        Payer::House => "house",
    }
}

fn prices(tariff: &Tariff) -> Result<String, sqlx::Error> {
    serde_json::to_string(tariff).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

async fn reservations(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    for reservations in changes.reservations.chunks(ROWS) {
        let mut rows = Vec::with_capacity(reservations.len());
        for reservation in reservations {
            rows.push((reservation, prices(&reservation.ask.tariff)?));
        }
        QueryBuilder::new(
            "INSERT INTO reservations (generation, holder, service, medium, model, payer, network, prices, amount, \
             remaining, counted, state, lease_time, create_time) ",
        )
        .push_values(rows, |mut row, (reservation, prices)| {
            let ask = &reservation.ask;
            row.push_bind(&ask.id)
                .push_bind(&ask.holder)
                .push_bind(&ask.service)
                .push_bind(ask.medium.name())
                .push_bind(&ask.model)
                .push_bind(payer(reservation.payer))
                .push_bind(&reservation.network)
                .push_bind(prices)
                .push_bind(reservation.amount)
                .push_bind(reservation.remaining)
                .push_bind(reservation.remaining.is_some())
                .push_bind(State::Open.name())
                .push_bind(reservation.lease)
                .push_bind(reservation.create_time);
        })
        .build()
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

/// Rows that only say that it is too late to set something aside.
async fn ended_before(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    let free = prices(&Tariff::default())?;
    for ended in changes.ended_before.chunks(ROWS) {
        QueryBuilder::new(
            "INSERT INTO reservations (generation, holder, service, medium, model, payer, prices, amount, counted, state, \
             lease_time, create_time, end_time) ",
        )
        .push_values(ended, |mut row, (generation, time)| {
            row.push_bind(generation)
                .push("'', ''")
                .push_bind(Medium::Chat.name())
                .push("''")
                .push_bind(payer(Payer::Holder))
                .push_bind(&free)
                .push("0, FALSE")
                .push_bind(State::Released.name())
                .push_bind(time)
                .push_bind(time)
                .push_bind(time);
        })
        .build()
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

async fn ended(write: &mut Transaction, changes: &Changes) -> Result<(), sqlx::Error> {
    for ended in changes.ended.chunks(ROWS) {
        let mut query =
            QueryBuilder::new("WITH ends (of, state, charged, shortfall, counted, time) AS (");
        query.push_values(ended, |mut row, end| {
            row.push_bind(&end.generation)
                .push_bind(end.state.name())
                .push_bind(end.charged)
                .push_bind(end.shortfall)
                .push_bind(end.counted)
                .push_bind(end.time);
        });
        query.push(
            ") UPDATE reservations SET state = ends.state, charged = ends.charged, shortfall = ends.shortfall, \
             counted = ends.counted, end_time = ends.time, network = NULL FROM ends WHERE generation = ends.of",
        );
        query.build().execute(&mut **write).await?;
    }
    Ok(())
}
