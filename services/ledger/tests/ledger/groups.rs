//! Steps of several generations at the same time: each is told what it would have been told alone.

use std::time::{Duration, Instant};

use atelier_kit::sql;
use atelier_kit::testing::servers::Store;
use atelier_ledger::{Bounds, Error, Ledger as _, Terms};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::audit::audit;
use crate::stage::{Book, HOUR, LEASE, NOW, ask, grant, house, pictures, terms};

#[tokio::test]
async fn each_of_a_group_is_told_its_own() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    book.give("kim", 10).await;
    book.ledger
        .reserve(&ask("old", "ana", 50), &terms(), NOW)
        .await
        .unwrap();
    book.ledger
        .reserve(&ask("known", "kim", 5), &terms(), NOW)
        .await
        .unwrap();
    // What no rule foresees: whoever meets it fails alone.
    let mut tx = book.database.begin().await.unwrap();
    sql::query("INSERT INTO balances (account, amount) VALUES ('available:odd', 9)")
        .execute(&mut *tx)
        .await
        .unwrap();
    let worse: &[&'static str] = match Store::chosen() {
        Store::Postgres => &[
            "CREATE FUNCTION worse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            "CREATE TRIGGER worse BEFORE INSERT ON reservations FOR EACH ROW WHEN (NEW.generation = 'worse') \
             EXECUTE FUNCTION worse()",
        ],
        Store::Sqlite | Store::Mongo => &[
            "CREATE TRIGGER worse BEFORE INSERT ON reservations WHEN NEW.generation = 'worse' \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        ],
    };
    for sql in worse {
        sql::query(*sql).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();

    let held = book.database.begin().await.unwrap();
    let daily = Terms {
        daily: Some(2),
        ..terms()
    };
    let reserve = async |id: &str, holder: &str, most| {
        let told = book
            .ledger
            .reserve(&ask(id, holder, most), &daily, NOW)
            .await;
        told.map(|told| told.remaining.map_or(-1, i64::from))
    };
    let settle = async |id: &str, images| {
        let told = book.ledger.settle(id, &pictures(images), NOW).await;
        told.map(|told| told.charged)
    };
    let mut all = join_all([
        reserve("first", "ana", 50).boxed_local(),
        reserve("one too many", "kim", 6).boxed_local(),
        settle("old", 20).boxed_local(),
        // There is enough only because the settlement before it has given back.
        reserve("after", "ana", 30).boxed_local(),
        reserve("third", "ana", 0).boxed_local(),
        reserve("known", "kim", 5).boxed_local(),
        settle("unknown", 5).boxed_local(),
        reserve("odd", "odd", 9).boxed_local(),
        reserve("worse", "max", 0).boxed_local(),
        // The same again has to wait, and is told the same.
        reserve("first", "ana", 50).boxed_local(),
        reserve("unknown", "ana", 0).boxed_local(),
    ]);
    assert!(futures_util::poll!(&mut all).is_pending());
    held.rollback().await.unwrap();
    let word = |told: Result<i64, Error>| match told {
        Ok(told) => told.to_string(),
        Err(Error::Refused(refusal)) => refusal.to_string(),
        Err(Error::Store(_)) => "failed".to_owned(),
        Err(error) => panic!("{error:?}"),
    };
    let told: Vec<String> = all.await.into_iter().map(word).collect();
    let missing = "the credits do not cover it: 6 are needed, 5 are there";
    let quota = "the daily quota is used up";
    let ended = "the generation has ended";
    assert_eq!(told[0..5], ["1", missing, "20", "0", quota]);
    assert_eq!(told[5..], ["-1", "0", "failed", "failed", "1", ended]);
    assert_eq!(book.balance("ana").await, (0, 80));
    let mut tx = book.database.begin().await.unwrap();
    sql::query("DELETE FROM balances WHERE account = 'available:odd'")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    audit(&book.database).await;
}

#[tokio::test]
async fn a_book_that_another_holds_is_busy_and_nothing_is_written() {
    let (book, folder) = Book::new().await;
    book.give("ana", 100).await;
    // A server has its own patience, of three seconds.
    let together = match Store::chosen() {
        Store::Postgres => Duration::from_secs(10),
        Store::Sqlite | Store::Mongo => {
            let mut tx = book.database.begin().await.unwrap();
            sql::query("PRAGMA busy_timeout = 50")
                .execute(&mut *tx)
                .await
                .unwrap();
            tx.rollback().await.unwrap();
            Duration::from_secs(2)
        }
    };
    let other = Book::open(folder.path()).await;
    let held = other.database.begin().await.unwrap();
    let begun = Instant::now();
    let told = join_all((0..60).map(|id: i32| {
        let book = book.clone();
        async move {
            let ask = ask(&id.to_string(), "ana", 1);
            book.ledger.reserve(&ask, &terms(), NOW).await
        }
    }));
    for told in told.await {
        assert!(matches!(told, Err(Error::Busy)), "{told:?}");
    }
    // Those who asked together waited together: one after another they would have waited for three seconds, or for three minutes.
    assert!(begun.elapsed() < together);
    held.rollback().await.unwrap();
    assert_eq!(book.balance("ana").await, (100, 0));
    let open = book.ledger.overdue(LEASE, 10).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn those_of_two_hours_are_counted_in_their_own() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let bounded = Terms {
        bounds: Bounds {
            hour: Some(10),
            ..Bounds::default()
        },
        ..terms()
    };
    let held = book.database.begin().await.unwrap();
    let mut all = join_all((0..6).map(|hour| {
        let (book, bounded) = (&book, &bounded);
        async move {
            let ask = ask(&hour.to_string(), "ana", 10);
            book.ledger.reserve(&ask, bounded, NOW + hour * HOUR).await
        }
    }));
    assert!(futures_util::poll!(&mut all).is_pending());
    held.rollback().await.unwrap();
    for told in all.await {
        told.unwrap();
    }
    assert_eq!(book.balance("ana").await, (40, 60));
    audit(&book.database).await;
}

#[tokio::test]
async fn a_group_is_within_each_bound_as_one_after_another_would_be() {
    let bounds = |bounds| Terms { bounds, ..terms() };
    let five = [
        Terms {
            daily: Some(5),
            ..terms()
        },
        Terms {
            concurrency: 5,
            ..terms()
        },
        Terms {
            network: Some((b"home".to_vec(), 5)),
            ..terms()
        },
        bounds(Bounds {
            hour: Some(59),
            ..Bounds::default()
        }),
        bounds(Bounds {
            day: Some(50),
            ..Bounds::default()
        }),
        Terms {
            bounds: Bounds {
                house_day: Some(50),
                ..Bounds::default()
            },
            ..house()
        },
        Terms {
            due: vec![grant("ana", "month", 55)],
            ..terms()
        },
    ];
    for terms in five {
        let (book, _folder) = Book::new().await;
        if terms.due.is_empty() {
            book.give("ana", 1_000).await;
        }
        let held = book.database.begin().await.unwrap();
        let mut all = join_all((0..20).map(|id| {
            let (book, terms) = (&book, &terms);
            async move {
                let ask = ask(&id.to_string(), "ana", 10);
                book.ledger.reserve(&ask, terms, NOW).await
            }
        }));
        assert!(futures_util::poll!(&mut all).is_pending());
        held.rollback().await.unwrap();
        let told = all.await;
        // They are served in the order in which they came.
        let (first, rest) = told.split_at(5);
        assert!(first.iter().all(Result::is_ok), "{terms:?}: {told:?}");
        let refused = |told: &_| matches!(told, Err(Error::Refused(_)));
        assert!(rest.iter().all(refused), "{terms:?}: {told:?}");
        audit(&book.database).await;
    }
}
