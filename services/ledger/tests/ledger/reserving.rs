//! Setting aside: out of which grants, on which terms, and once.

use atelier_ledger::{
    Error, Ledger as _, Medium, NewGrant, Payer, Refusal, Reserved, Tariff, Terms,
};

use crate::audit::audit;
use crate::stage::{Book, DAY, HOUR, NOW, ask, grant, house, pictures, refusal, tariff, terms};

#[tokio::test]
async fn what_can_be_needed_is_held_until_the_end() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let told = book
        .ledger
        .reserve(&ask("one", "ana", 60), &terms(), NOW)
        .await;
    let reserved = Reserved {
        amount: 60,
        remaining: None,
    };
    assert_eq!(told.unwrap(), reserved);
    assert_eq!(book.balance("ana").await, (40, 60));
    // The last credit is as good as the first, and there is none after it.
    let told = book
        .ledger
        .reserve(&ask("two", "ana", 41), &terms(), NOW)
        .await;
    let missing = Refusal::Insufficient {
        needed: 41,
        available: 40,
    };
    assert_eq!(refusal(told), missing);
    book.ledger
        .reserve(&ask("three", "ana", 40), &terms(), NOW)
        .await
        .unwrap();
    assert_eq!(book.balance("ana").await, (0, 100));
    audit(&book.database).await;
}

#[tokio::test]
async fn the_same_generation_is_reserved_once_and_told_the_same() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let daily = Terms {
        daily: Some(10),
        concurrency: 2,
        ..terms()
    };
    let first = book
        .ledger
        .reserve(&ask("g", "ana", 60), &daily, NOW)
        .await
        .unwrap();
    assert_eq!(first.remaining, Some(9));
    book.ledger
        .reserve(&ask("other", "ana", 1), &daily, NOW)
        .await
        .unwrap();
    // Neither the balance, nor the quota, nor what is at work would let it begin now; it has begun.
    let none = Terms {
        daily: Some(0),
        concurrency: 0,
        ..terms()
    };
    for _ in 0..2 {
        let again = book
            .ledger
            .reserve(&ask("g", "ana", 60), &none, NOW + DAY)
            .await;
        assert_eq!(again.unwrap(), first);
    }
    assert_eq!(book.balance("ana").await, (39, 61));
    book.ledger.settle("g", &pictures(5), NOW).await.unwrap();
    let settled = book.ledger.reserve(&ask("g", "ana", 60), &none, NOW).await;
    assert_eq!(settled.unwrap(), first);
    book.ledger.release("other", NOW).await.unwrap();
    let ended = book
        .ledger
        .reserve(&ask("other", "ana", 1), &terms(), NOW)
        .await;
    assert_eq!(refusal(ended), Refusal::Ended);
    assert_eq!(
        book.ledger.used_today("ana", NOW).await.unwrap(),
        [(Medium::Image, 1)]
    );
    audit(&book.database).await;
}

#[tokio::test]
async fn grants_are_spent_by_priority_then_by_what_expires_first_then_by_age() {
    let (book, _folder) = Book::new().await;
    // In the order in which they are to be spent, given in another.
    let wanted = [
        ("e", 1, Some(NOW + 9 * DAY)),
        ("d", 1, None),
        ("b", 7, Some(NOW + DAY)),
        ("c", 7, Some(NOW + 2 * DAY)),
        ("a", 7, None),
        ("f", 7, None),
    ];
    for key in ["a", "b", "c", "d", "e", "f"] {
        let (key, priority, expire_time) = *wanted.iter().find(|(of, ..)| *of == key).unwrap();
        let new = NewGrant {
            priority,
            expire_time,
            ..grant("ana", key, 10)
        };
        book.ledger.grant(&new, NOW).await.unwrap();
    }
    let keys = async || {
        let balance = book.ledger.balance("ana", &[], NOW).await.unwrap();
        let left = balance.grants.into_iter();
        left.map(|grant| (grant.given.key, grant.available))
            .collect::<Vec<_>>()
    };
    let in_order: Vec<_> = wanted
        .iter()
        .map(|(key, ..)| ((*key).to_owned(), 10))
        .collect();
    assert_eq!(keys().await, in_order);
    book.ledger
        .reserve(&ask("g", "ana", 25), &terms(), NOW)
        .await
        .unwrap();
    assert_eq!(keys().await[0], ("b".to_owned(), 5));
    assert_eq!(keys().await.len(), 4);
    // What would have been lost first is charged first; the rest is where it was.
    book.ledger.settle("g", &pictures(12), NOW).await.unwrap();
    let mut left = in_order[1..].to_vec();
    left[0].1 = 8;
    assert_eq!(keys().await, left);
    audit(&book.database).await;
}

#[tokio::test]
async fn what_is_due_is_given_first_and_once_also_where_it_does_not_suffice() {
    let (book, _folder) = Book::new().await;
    let due = |amount| Terms {
        due: vec![
            NewGrant {
                expire_time: Some(NOW + DAY),
                ..grant("ana", "month:1", amount)
            },
            grant("ana", "sign-up", 1),
            grant("ana", "sign-up", 1),
        ],
        ..terms()
    };
    let told = book
        .ledger
        .reserve(&ask("a", "ana", 32), &due(30), NOW)
        .await;
    let missing = Refusal::Insufficient {
        needed: 32,
        available: 31,
    };
    assert_eq!(refusal(told), missing);
    assert_eq!(book.balance("ana").await, (31, 0));
    // The key says that it was given, whatever its amount would be today.
    book.ledger
        .reserve(&ask("b", "ana", 20), &due(99), NOW)
        .await
        .unwrap();
    assert_eq!(book.balance("ana").await, (11, 20));
    let again = book.ledger.balance("ana", &due(1).due, NOW).await.unwrap();
    assert_eq!((again.available, again.grants.len()), (11, 2));
    let fresh = book
        .ledger
        .balance("kim", &[grant("kim", "month:1", 5)], NOW)
        .await
        .unwrap();
    assert_eq!(fresh.available, 5);
    audit(&book.database).await;
}

#[tokio::test]
async fn what_has_expired_pays_for_nothing() {
    let (book, _folder) = Book::new().await;
    let new = NewGrant {
        expire_time: Some(NOW + DAY),
        ..grant("ana", "a", 10)
    };
    book.ledger.grant(&new, NOW).await.unwrap();
    book.give("ana", 5).await;
    // To the microsecond.
    book.ledger
        .reserve(&ask("in time", "ana", 6), &terms(), NOW + DAY - 1)
        .await
        .unwrap();
    let told = book
        .ledger
        .reserve(&ask("late", "ana", 6), &terms(), NOW + DAY)
        .await;
    let missing = Refusal::Insufficient {
        needed: 6,
        available: 5,
    };
    assert_eq!(refusal(told), missing);
    assert_eq!(book.balance_at("ana", NOW + DAY).await, (5, 6));
    audit(&book.database).await;
}

#[tokio::test]
async fn what_costs_nothing_is_counted_and_moves_nothing() {
    let (book, _folder) = Book::new().await;
    let counted = Terms {
        daily: Some(1),
        ..terms()
    };
    let mut free = ask("free", "ana", 3);
    free.tariff = Tariff::default();
    let told = book.ledger.reserve(&free, &counted, NOW).await.unwrap();
    assert_eq!((told.amount, told.remaining), (0, Some(0)));
    assert_eq!(book.count("SELECT COUNT(*) FROM transfers").await, 0);
    // It delivered something: it counts, though nothing is charged.
    let settled = book.ledger.settle("free", &pictures(3), NOW).await.unwrap();
    assert_eq!((settled.charged, settled.shortfall), (0, 0));
    assert_eq!(
        book.ledger.used_today("ana", NOW).await.unwrap(),
        [(Medium::Image, 1)]
    );
    audit(&book.database).await;
}

#[tokio::test]
async fn a_worst_case_that_is_no_amount_is_refused() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    for (price, images) in [(2, i64::MAX), (1, -1), (-1, 1)] {
        let mut wrong = ask("g", "ana", images);
        wrong.tariff = tariff(price);
        let told = book.ledger.reserve(&wrong, &terms(), NOW).await;
        assert!(matches!(told, Err(Error::Overflow(_))), "{told:?}");
    }
    // As much as an amount can be: no holder has it, and the house does not pay it.
    let told = book
        .ledger
        .reserve(&ask("g", "ana", i64::MAX), &terms(), NOW)
        .await;
    assert!(matches!(refusal(told), Refusal::Insufficient { .. }));
    let told = book
        .ledger
        .reserve(&ask("g", "ana", i64::MAX), &house(), NOW)
        .await;
    assert!(matches!(told, Err(Error::Overflow(_))), "{told:?}");
    assert_eq!(book.count("SELECT COUNT(*) FROM reservations").await, 0);
    audit(&book.database).await;
}

#[tokio::test]
async fn the_house_pays_for_those_who_have_no_credits() {
    let (book, _folder) = Book::new().await;
    book.ledger
        .reserve(&ask("g", "nobody", 30), &house(), NOW)
        .await
        .unwrap();
    assert_eq!(book.balance("nobody").await, (0, 0));
    let spent = book.ledger.spent(NOW).await.unwrap();
    assert_eq!((spent.hour, spent.day, spent.house_day), (30, 30, 30));
    book.ledger
        .settle("g", &pictures(20), NOW + HOUR)
        .await
        .unwrap();
    let spent = book.ledger.spent(NOW).await.unwrap();
    assert_eq!((spent.hour, spent.day, spent.house_day), (20, 20, 20));
    book.ledger
        .reserve(&ask("lost", "nobody", 7), &house(), NOW)
        .await
        .unwrap();
    book.ledger.release("lost", NOW).await.unwrap();
    let accounts = book.ledger.house().await.unwrap();
    let known: Vec<(&str, i64)> = accounts
        .iter()
        .map(|(of, amount)| (of.name(), *amount))
        .collect();
    assert_eq!(
        known,
        [
            ("issued", 0),
            ("revenue", 20),
            ("expired", 0),
            ("shortfall", 0),
            ("anonymous", -20)
        ]
    );
    // It is no entry of anybody's.
    assert!(
        book.ledger
            .entries("nobody", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    audit(&book.database).await;
}

#[tokio::test]
async fn who_pays_is_remembered_with_the_reservation() {
    let (book, _folder) = Book::new().await;
    book.ledger
        .reserve(&ask("g", "ana", 10), &house(), NOW)
        .await
        .unwrap();
    // The account was registered meanwhile, and has credits now.
    book.give("ana", 10).await;
    assert_eq!(house().payer, Payer::House);
    book.ledger.settle("g", &pictures(10), NOW).await.unwrap();
    assert_eq!(book.balance("ana").await, (10, 0));
    audit(&book.database).await;
}
