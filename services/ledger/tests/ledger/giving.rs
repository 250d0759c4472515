//! Credits that are given, given back, lost, and taken from those who leave.

use atelier_ledger::{EntryKind, Error, Ledger as _, NewGrant, Origin};

use crate::audit::audit;
use crate::stage::{Book, DAY, NOW, ask, grant, house, pictures, refund, terms};

#[tokio::test]
async fn a_key_gives_once() {
    let (book, _folder) = Book::new().await;
    let new = NewGrant {
        note: "welcome".to_owned(),
        actor: "an admin".to_owned(),
        expire_time: Some(NOW + DAY),
        ..grant("ana", "k", 10)
    };
    let first = book.ledger.grant(&new, NOW).await.unwrap();
    assert_eq!(
        (&first.given, first.available, first.create_time),
        (&new, 10, NOW)
    );
    book.ledger
        .reserve(&ask("g", "ana", 4), &terms(), NOW)
        .await
        .unwrap();
    let again = book.ledger.grant(&new, NOW + 1).await.unwrap();
    assert_eq!((&again.id, again.available), (&first.id, 6));
    for other in [
        grant("ana", "k", 11),
        NewGrant {
            origin: Origin::Plan,
            ..new.clone()
        },
    ] {
        let told = book.ledger.grant(&other, NOW).await;
        assert!(matches!(told, Err(Error::KeyReused)), "{told:?}");
    }
    // Another's key is another key.
    book.ledger
        .grant(&grant("kim", "k", 11), NOW)
        .await
        .unwrap();
    assert_eq!(
        (book.balance("ana").await, book.balance("kim").await),
        ((6, 4), (11, 0))
    );
    assert_eq!(book.count("SELECT COUNT(*) FROM told").await, 1);
    assert_eq!(book.ledger.given("ana", "k").await.unwrap(), 10);
    assert_eq!(book.ledger.given("ana", "K").await.unwrap(), 0);
    assert_eq!(book.ledger.given("ana", "k%").await.unwrap(), 0);
    assert_eq!(book.ledger.given("ana", "").await.unwrap(), 10);
    audit(&book.database).await;
}

#[tokio::test]
async fn what_is_kept_beside_it_is_of_the_same_transaction() {
    let (book, _folder) = Book::new().await;
    let new = NewGrant {
        actor: "an admin".to_owned(),
        note: "fail".to_owned(),
        ..grant("ana", "k", 10)
    };
    let told = book.ledger.grant(&new, NOW).await;
    assert!(matches!(told, Err(Error::Store(_))), "{told:?}");
    assert_eq!(book.balance("ana").await, (0, 0));
    assert_eq!(book.count("SELECT COUNT(*) FROM told").await, 0);
    book.ledger.grant(&grant("ana", "k", 5), NOW).await.unwrap();
    book.ledger
        .reserve(&ask("g", "ana", 5), &terms(), NOW)
        .await
        .unwrap();
    book.ledger.settle("g", &pictures(5), NOW).await.unwrap();
    let mut wrong = refund("g", "r", None);
    wrong.note = "fail".to_owned();
    assert!(matches!(
        book.ledger.refund(&wrong, NOW).await,
        Err(Error::Store(_))
    ));
    book.ledger
        .refund(&refund("g", "r", None), NOW)
        .await
        .unwrap();
    assert_eq!(book.count("SELECT COUNT(*) FROM told").await, 1);
    audit(&book.database).await;
}

#[tokio::test]
async fn no_more_is_given_than_the_book_can_add_up() {
    let (book, _folder) = Book::new().await;
    let most = i64::MAX / 4;
    for wrong in [0, -1, i64::MIN, most + 1, i64::MAX] {
        let told = book.ledger.grant(&grant("ana", "k", wrong), NOW).await;
        assert!(matches!(told, Err(Error::Overflow(_))), "{wrong}: {told:?}");
    }
    book.ledger
        .grant(&grant("ana", "k", most - 1), NOW)
        .await
        .unwrap();
    let told = book.ledger.grant(&grant("kim", "k", 2), NOW).await;
    assert!(matches!(told, Err(Error::Overflow(_))), "{told:?}");
    book.ledger.grant(&grant("kim", "k", 1), NOW).await.unwrap();
    // Each account that credits come from is as low as it can be, and all of it has been charged: it adds up.
    book.ledger
        .reserve(&ask("g", "ana", most - 1), &terms(), NOW)
        .await
        .unwrap();
    book.ledger
        .settle("g", &pictures(most - 1), NOW)
        .await
        .unwrap();
    book.ledger
        .reserve(&ask("h", "nobody", most), &house(), NOW)
        .await
        .unwrap();
    book.ledger.settle("h", &pictures(most), NOW).await.unwrap();
    let told = book
        .ledger
        .reserve(&ask("i", "nobody", 1), &house(), NOW)
        .await;
    assert!(matches!(told, Err(Error::Overflow(_))), "{told:?}");
    audit(&book.database).await;
}

#[tokio::test]
async fn no_more_comes_back_than_was_charged() {
    let (book, _folder) = Book::new().await;
    let month = NewGrant {
        expire_time: Some(NOW + DAY),
        ..grant("ana", "month", 100)
    };
    book.ledger.grant(&month, NOW).await.unwrap();
    book.ledger
        .reserve(&ask("g", "ana", 60), &terms(), NOW)
        .await
        .unwrap();
    let told = book.ledger.refund(&refund("g", "r", None), NOW).await;
    assert!(
        matches!(told, Err(Error::NotCharged)),
        "it has not ended: {told:?}"
    );
    book.ledger.settle("g", &pictures(50), NOW).await.unwrap();

    let part = book
        .ledger
        .refund(&refund("g", "r", Some(20)), NOW)
        .await
        .unwrap();
    assert_eq!(
        (part.given.origin, part.given.amount, part.given.priority),
        (Origin::Refund, 20, 0)
    );
    assert_eq!(part.given.expire_time, None);
    for asked in [Some(20), None] {
        let again = book
            .ledger
            .refund(&refund("g", "r", asked), NOW)
            .await
            .unwrap();
        assert_eq!(again.id, part.id);
    }
    let told = book.ledger.refund(&refund("g", "r", Some(21)), NOW).await;
    assert!(matches!(told, Err(Error::KeyReused)), "{told:?}");
    let told = book.ledger.refund(&refund("g", "month", None), NOW).await;
    assert!(matches!(told, Err(Error::KeyReused)), "{told:?}");
    let told = book.ledger.refund(&refund("g", "s", Some(31)), NOW).await;
    assert!(matches!(told, Err(Error::RefundTooHigh(30))), "{told:?}");
    for wrong in [0, -1, i64::MIN] {
        let told = book
            .ledger
            .refund(&refund("g", "s", Some(wrong)), NOW)
            .await;
        assert!(matches!(told, Err(Error::Overflow(_))), "{wrong}: {told:?}");
    }
    let rest = book
        .ledger
        .refund(&refund("g", "s", None), NOW)
        .await
        .unwrap();
    assert_eq!(rest.given.amount, 30);
    for asked in [None, Some(1)] {
        let told = book.ledger.refund(&refund("g", "t", asked), NOW).await;
        assert!(matches!(told, Err(Error::RefundTooHigh(0))), "{told:?}");
    }
    // It has come to stay, where what it was charged from would have been lost.
    assert_eq!(book.balance_at("ana", NOW + DAY).await, (50, 0));
    let entries = book.ledger.entries("ana", None, 10).await.unwrap();
    let given = entries.iter().find(|entry| entry.grant == rest.id).unwrap();
    assert_eq!((given.kind, &*given.generation), (EntryKind::Granted, "g"));
    audit(&book.database).await;
}

#[tokio::test]
async fn only_what_a_holder_was_charged_comes_back() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    book.ledger
        .settle("never", &pictures(1), NOW)
        .await
        .unwrap();
    for unknown in ["unknown", "never"] {
        let told = book.ledger.refund(&refund(unknown, "r", None), NOW).await;
        assert!(matches!(told, Err(Error::Unknown)), "{told:?}");
    }
    book.ledger
        .reserve(&ask("released", "ana", 5), &terms(), NOW)
        .await
        .unwrap();
    book.ledger.release("released", NOW).await.unwrap();
    book.ledger
        .reserve(&ask("nothing", "ana", 5), &terms(), NOW)
        .await
        .unwrap();
    book.ledger
        .settle("nothing", &pictures(0), NOW)
        .await
        .unwrap();
    book.ledger
        .reserve(&ask("house", "ana", 5), &house(), NOW)
        .await
        .unwrap();
    book.ledger
        .settle("house", &pictures(5), NOW)
        .await
        .unwrap();
    for id in ["released", "nothing", "house"] {
        let told = book.ledger.refund(&refund(id, "r", None), NOW).await;
        assert!(matches!(told, Err(Error::NotCharged)), "{id}: {told:?}");
    }
    audit(&book.database).await;
}

#[tokio::test]
async fn what_has_expired_is_taken_in_rounds() {
    let (book, _folder) = Book::new().await;
    for number in 0..5 {
        for holder in ["ana", "kim"] {
            let new = NewGrant {
                expire_time: Some(NOW + DAY + number),
                ..grant(holder, &number.to_string(), 10)
            };
            book.ledger.grant(&new, NOW).await.unwrap();
        }
    }
    book.ledger
        .reserve(&ask("g", "ana", 13), &terms(), NOW)
        .await
        .unwrap();
    assert_eq!(book.ledger.expire(NOW + DAY - 1, 100).await.unwrap(), 0);
    // Ana's first is held as a whole: there is nothing to be taken of it.
    assert_eq!(book.ledger.expire(NOW + DAY + 3, 4).await.unwrap(), 4);
    assert_eq!(book.ledger.expire(NOW + DAY + 3, 4).await.unwrap(), 3);
    assert_eq!(book.ledger.expire(NOW + DAY + 3, 4).await.unwrap(), 0);
    assert_eq!(book.balance_at("ana", NOW + DAY + 3).await, (10, 13));
    assert_eq!(book.balance_at("kim", NOW + DAY + 3).await, (10, 0));
    // Whoever asks first is told no other thing than whoever asks after a round.
    assert_eq!(book.balance_at("kim", NOW + DAY + 4).await, (0, 0));
    assert_eq!(book.ledger.expire(NOW + DAY + 4, 4).await.unwrap(), 1);
    book.ledger.release("g", NOW + DAY + 4).await.unwrap();
    assert_eq!(book.balance_at("ana", NOW + DAY + 4).await, (0, 0));
    audit(&book.database).await;
}

#[tokio::test]
async fn who_leaves_leaves_nothing_but_entries() {
    let (book, _folder) = Book::new().await;
    let new = NewGrant {
        note: "for a friend".to_owned(),
        actor: "an admin".to_owned(),
        ..grant("ana", "k", 100)
    };
    book.ledger.grant(&new, NOW).await.unwrap();
    book.ledger
        .reserve(&ask("settled", "ana", 10), &terms(), NOW)
        .await
        .unwrap();
    book.ledger
        .reserve(&ask("released", "ana", 20), &terms(), NOW)
        .await
        .unwrap();
    assert_eq!(book.ledger.leave("ana", NOW).await.unwrap(), 4);
    assert_eq!(book.balance("ana").await, (0, 30));
    // Another's clock may be behind.
    book.ledger
        .settle("settled", &pictures(7), NOW - DAY)
        .await
        .unwrap();
    book.ledger.release("released", NOW - DAY).await.unwrap();
    assert_eq!(book.balance_at("ana", NOW - DAY).await, (0, 0));
    // What is given or due by mistake is taken at once too, and what is asked for is refused.
    book.ledger
        .refund(&refund("settled", "r", None), NOW)
        .await
        .unwrap();
    assert_eq!(
        book.ledger
            .grant(&grant("ana", "l", 9), NOW)
            .await
            .unwrap()
            .available,
        0
    );
    let due = atelier_ledger::Terms {
        due: vec![grant("ana", "month", 9)],
        ..terms()
    };
    assert!(
        book.ledger
            .reserve(&ask("late", "ana", 1), &due, NOW)
            .await
            .is_err()
    );
    assert_eq!(book.balance("ana").await, (0, 0));
    assert_eq!(
        book.count("SELECT COUNT(*) FROM grants WHERE key = 'month'")
            .await,
        0
    );
    let said = "SELECT COUNT(*) FROM grants WHERE note = 'for a friend' OR actor = 'an admin' AND key = 'k'";
    assert_eq!(book.count(said).await, 0);
    let entries = book.ledger.leave("ana", NOW).await.unwrap();
    assert_eq!(
        entries,
        book.ledger.entries("ana", None, 100).await.unwrap().len() as u64
    );
    assert_eq!(book.ledger.leave("nobody", NOW).await.unwrap(), 0);
    audit(&book.database).await;
}
