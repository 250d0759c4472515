//! Ends: what is charged and what comes back, once, in whatever order it is told.

use atelier_kit::sql;
use atelier_ledger::{Amounts, Ledger as _, NewGrant, Refusal, Settled};

use crate::audit::audit;
use crate::stage::{
    Book, DAY, LEASE, NOW, SECOND, ask, grant, house, pictures, refusal, tariff, terms,
};

const NOTHING: Settled = Settled {
    charged: 0,
    shortfall: 0,
};

fn charged(charged: i64) -> Settled {
    Settled {
        charged,
        shortfall: 0,
    }
}

#[tokio::test]
async fn what_was_used_is_charged_once_and_the_rest_comes_back() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    book.ledger
        .reserve(&ask("g", "ana", 60), &terms(), NOW)
        .await
        .unwrap();
    assert_eq!(
        book.ledger.settle("g", &pictures(45), NOW).await.unwrap(),
        charged(45)
    );
    // Told again, in whatever words.
    assert_eq!(
        book.ledger
            .settle("g", &pictures(45), NOW + DAY)
            .await
            .unwrap(),
        charged(45)
    );
    assert_eq!(
        book.ledger.settle("g", &pictures(60), NOW).await.unwrap(),
        charged(45)
    );
    book.ledger.release("g", NOW).await.unwrap();
    assert_eq!(book.balance("ana").await, (55, 0));
    audit(&book.database).await;
}

#[tokio::test]
async fn what_was_released_is_charged_nothing_any_more() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    book.ledger
        .reserve(&ask("g", "ana", 60), &terms(), NOW)
        .await
        .unwrap();
    book.ledger.release("g", NOW).await.unwrap();
    book.ledger.release("g", NOW).await.unwrap();
    assert_eq!(
        book.ledger.settle("g", &pictures(45), NOW).await.unwrap(),
        NOTHING
    );
    assert_eq!(book.balance("ana").await, (100, 0));
    let told = book
        .ledger
        .reserve(&ask("g", "ana", 60), &terms(), NOW)
        .await;
    assert_eq!(refusal(told), Refusal::Ended);
    audit(&book.database).await;
}

#[tokio::test]
async fn the_prices_are_those_of_the_reservation() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 1_000).await;
    let mut dear = ask("g", "ana", 10);
    dear.tariff = tariff(7);
    dear.tariff.million_input_tokens = 3_000_000;
    book.ledger.reserve(&dear, &terms(), NOW).await.unwrap();
    let used = Amounts {
        images: 2,
        input_tokens: 5,
        ..Amounts::default()
    };
    assert_eq!(
        book.ledger.settle("g", &used, NOW).await.unwrap(),
        charged(29)
    );
    assert_eq!(book.balance("ana").await, (971, 0));
}

#[tokio::test]
async fn an_end_that_was_told_first_stays_the_end() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    assert_eq!(
        book.ledger.settle("a", &pictures(9), NOW).await.unwrap(),
        NOTHING
    );
    book.ledger.release("b", NOW).await.unwrap();
    for id in ["a", "b"] {
        for _ in 0..2 {
            let told = book.ledger.reserve(&ask(id, "ana", 1), &terms(), NOW).await;
            assert_eq!(refusal(told), Refusal::Ended, "{id}");
        }
        assert_eq!(
            book.ledger.settle(id, &pictures(9), NOW).await.unwrap(),
            NOTHING
        );
    }
    assert_eq!(book.balance("ana").await, (100, 0));
    // It is known for as long as a reservation can be on its way, and what was reserved for good.
    book.ledger
        .reserve(&ask("c", "ana", 1), &terms(), NOW)
        .await
        .unwrap();
    book.ledger.release("c", NOW).await.unwrap();
    book.ledger.expire(NOW + 30 * DAY, 10).await.unwrap();
    assert_eq!(book.count("SELECT COUNT(*) FROM reservations").await, 3);
    book.ledger.expire(NOW + 30 * DAY + 1, 10).await.unwrap();
    assert_eq!(book.count("SELECT COUNT(*) FROM reservations").await, 1);
    let told = book
        .ledger
        .reserve(&ask("c", "ana", 1), &terms(), NOW + 40 * DAY)
        .await;
    assert_eq!(refusal(told), Refusal::Ended);
    audit(&book.database).await;
}

#[tokio::test]
async fn what_it_cost_beyond_the_reservation_the_house_bears() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    book.ledger
        .reserve(&ask("g", "ana", 60), &terms(), NOW)
        .await
        .unwrap();
    let told = Settled {
        charged: 60,
        shortfall: 15,
    };
    for _ in 0..2 {
        assert_eq!(
            book.ledger.settle("g", &pictures(75), NOW).await.unwrap(),
            told
        );
    }
    assert_eq!(book.balance("ana").await, (40, 0));
    book.ledger
        .reserve(&ask("nobody's", "nobody", 1), &house(), NOW)
        .await
        .unwrap();
    let told = book
        .ledger
        .settle("nobody's", &pictures(3), NOW)
        .await
        .unwrap();
    assert_eq!((told.charged, told.shortfall), (1, 2));
    let accounts = book.ledger.house().await.unwrap();
    let amounts: Vec<i64> = accounts.iter().map(|(_, amount)| *amount).collect();
    assert_eq!(amounts, [-100, 60 + 15 + 1 + 2, 0, -17, -1]);
    assert_eq!(book.ledger.spent(NOW).await.unwrap().hour, 61);
    audit(&book.database).await;
}

#[tokio::test]
async fn a_figure_that_is_no_cost_ends_it_all_the_same() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 1_000).await;
    let billion = 1_000_000_000_000_000;
    let impossible = [
        pictures(-1),
        pictures(billion),
        pictures(i64::MAX),
        Amounts {
            images: i64::MAX,
            output_tokens: i64::MAX,
            ..Amounts::default()
        },
    ];
    for (number, used) in impossible.iter().enumerate() {
        let mut one = ask(&number.to_string(), "ana", 1);
        one.tariff = tariff(i64::MAX);
        one.tariff.image = 10;
        one.tariff.million_output_tokens = 10;
        book.ledger.reserve(&one, &terms(), NOW).await.unwrap();
        let told = book.ledger.settle(&one.id, used, NOW).await.unwrap();
        assert_eq!((told.charged, told.shortfall), (10, billion), "{used:?}");
    }
    assert_eq!(book.balance("ana").await, (960, 0));
    audit(&book.database).await;
}

#[tokio::test]
async fn a_full_account_of_shortfalls_keeps_no_generation_from_ending() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let full = i64::MAX / 4;
    let mut tx = book.database.begin().await.unwrap();
    sql::query("INSERT INTO transfers (time, kind, source, target, amount) VALUES ($1, 'shortfall', 'shortfall', 'revenue', $2)")
        .bind(NOW)
        .bind(full - 3)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for (id, known) in [("a", 3), ("b", 0)] {
        book.ledger
            .reserve(&ask(id, "ana", 10), &terms(), NOW)
            .await
            .unwrap();
        let told = book.ledger.settle(id, &pictures(100), NOW).await.unwrap();
        assert_eq!((told.charged, told.shortfall), (10, known));
    }
    assert_eq!(book.balance("ana").await, (80, 0));
    audit(&book.database).await;
}

#[tokio::test]
async fn what_comes_back_to_a_grant_that_has_expired_is_lost() {
    let (book, _folder) = Book::new().await;
    let month = NewGrant {
        expire_time: Some(NOW + DAY),
        ..grant("ana", "month", 50)
    };
    book.ledger.grant(&month, NOW).await.unwrap();
    book.give("ana", 50).await;
    book.ledger
        .reserve(&ask("g", "ana", 70), &terms(), NOW)
        .await
        .unwrap();
    // Held when it expires: it is spent all the same, and before what would have lasted.
    assert_eq!(book.ledger.expire(NOW + DAY, 10).await.unwrap(), 0);
    book.ledger
        .settle("g", &pictures(30), NOW + DAY + SECOND)
        .await
        .unwrap();
    assert_eq!(book.balance_at("ana", NOW + DAY).await, (50, 0));
    let kinds: Vec<_> = book
        .ledger
        .entries("ana", None, 4)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.kind.name(), entry.amount, entry.balance))
        .collect();
    assert_eq!(
        kinds,
        [
            ("returned", 20, 50),
            ("expired", 20, 30),
            ("returned", 20, 50),
            ("charged", 30, 30)
        ]
    );
    audit(&book.database).await;
}

#[tokio::test]
async fn a_reservation_is_kept_until_somebody_says_otherwise() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let overdue = async |now, limit| {
        let overdue = book.ledger.overdue(now, limit).await.unwrap();
        overdue
            .into_iter()
            .map(|overdue| overdue.id)
            .collect::<Vec<_>>()
    };
    for (id, lease) in [("late", LEASE + 2), ("early", LEASE), ("later", LEASE + 3)] {
        let leased = atelier_ledger::Terms { lease, ..terms() };
        book.ledger
            .reserve(&ask(id, "ana", 10), &leased, NOW)
            .await
            .unwrap();
    }
    assert_eq!(overdue(LEASE - 1, 10).await, Vec::<String>::new());
    assert_eq!(overdue(LEASE, 10).await, ["early"]);
    assert_eq!(overdue(LEASE + DAY, 2).await, ["early", "late"]);
    book.ledger.keep("early", LEASE + DAY).await.unwrap();
    // An older answer takes nothing back.
    book.ledger.keep("early", LEASE).await.unwrap();
    book.ledger.keep("unknown", LEASE).await.unwrap();
    assert_eq!(overdue(LEASE + DAY - 1, 10).await, ["late", "later"]);
    book.ledger.settle("late", &pictures(1), NOW).await.unwrap();
    book.ledger.release("later", NOW).await.unwrap();
    book.ledger.keep("later", LEASE + 9 * DAY).await.unwrap();
    let left = book.ledger.overdue(LEASE + 10 * DAY, 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&*left[0].service, left[0].lease),
        ("text-image", LEASE + DAY)
    );
    assert_eq!(book.balance("ana").await, (89, 10));
    audit(&book.database).await;
}
