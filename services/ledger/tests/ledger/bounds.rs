//! How much and how many there may be: at once, of a network, in a day, and of all together.

use atelier_ledger::{Bounds, Ledger as _, Medium, Refusal, Spent, Terms};

use crate::audit::audit;
use crate::stage::{Book, DAY, HOUR, NOW, SECOND, ask, house, pictures, refusal, terms};

/// The next full hour, and the next midnight.
const NEXT_HOUR: i64 = NOW + 15 * 60 * SECOND;
const MIDNIGHT: i64 = NEXT_HOUR + 13 * HOUR;

#[tokio::test]
async fn no_more_of_a_holder_are_at_work_than_may_be() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let two = Terms {
        concurrency: 2,
        ..terms()
    };
    let mut chat = ask("chat", "ana", 0);
    chat.medium = Medium::Chat;
    book.ledger.reserve(&chat, &two, NOW).await.unwrap();
    book.ledger
        .reserve(&ask("a", "ana", 1), &two, NOW)
        .await
        .unwrap();
    // All media together, and what costs nothing too.
    let told = book.ledger.reserve(&ask("b", "ana", 0), &two, NOW).await;
    assert_eq!(refusal(told), Refusal::TooManyAtOnce(2));
    book.ledger
        .reserve(&ask("b", "kim", 0), &two, NOW)
        .await
        .unwrap();
    book.ledger.release("chat", NOW).await.unwrap();
    book.ledger
        .reserve(&ask("c", "ana", 1), &two, NOW)
        .await
        .unwrap();
    let told = book.ledger.reserve(&ask("d", "ana", 1), &two, NOW).await;
    assert_eq!(refusal(told), Refusal::TooManyAtOnce(2));
    book.ledger.settle("a", &pictures(1), NOW).await.unwrap();
    book.ledger
        .reserve(&ask("d", "ana", 1), &two, NOW)
        .await
        .unwrap();
    audit(&book.database).await;
}

#[tokio::test]
async fn no_more_of_a_network_are_at_work_than_may_be() {
    let (book, _folder) = Book::new().await;
    let of = |network: &[u8]| Terms {
        network: Some((network.to_vec(), 2)),
        ..house()
    };
    book.ledger
        .reserve(&ask("a", "one", 1), &of(b"home"), NOW)
        .await
        .unwrap();
    book.ledger
        .reserve(&ask("b", "two", 1), &of(b"home"), NOW)
        .await
        .unwrap();
    let told = book
        .ledger
        .reserve(&ask("c", "three", 1), &of(b"home"), NOW)
        .await;
    assert_eq!(refusal(told), Refusal::NetworkTooManyAtOnce(2));
    book.ledger
        .reserve(&ask("c", "three", 1), &of(b"work"), NOW)
        .await
        .unwrap();
    book.ledger.settle("a", &pictures(1), NOW).await.unwrap();
    // A network is known for no longer than it is needed.
    let ended = book
        .count("SELECT COUNT(*) FROM reservations WHERE state <> 'open' AND network IS NOT NULL");
    assert_eq!(ended.await, 0);
    book.ledger
        .reserve(&ask("d", "four", 1), &of(b"home"), NOW)
        .await
        .unwrap();
    audit(&book.database).await;
}

#[tokio::test]
async fn a_quota_is_a_days_of_a_medium_and_what_delivered_nothing_is_not_counted() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let daily = Terms {
        daily: Some(2),
        ..terms()
    };
    let reserve = async |id, now| {
        let told = book.ledger.reserve(&ask(id, "ana", 1), &daily, now).await;
        told.map(|told| told.remaining)
    };
    assert_eq!(reserve("a", NOW).await.unwrap(), Some(1));
    assert_eq!(reserve("b", NOW).await.unwrap(), Some(0));
    let used_up = Refusal::QuotaExhausted {
        limit: 2,
        reset: MIDNIGHT,
    };
    assert_eq!(refusal(reserve("c", NOW).await), used_up);
    let mut speech = ask("speech", "ana", 1);
    speech.medium = Medium::Speech;
    let told = book.ledger.reserve(&speech, &daily, NOW).await.unwrap();
    assert_eq!(told.remaining, Some(1));

    book.ledger.release("a", NOW).await.unwrap();
    assert_eq!(reserve("c", NOW).await.unwrap(), Some(0));
    // One that was cancelled before it had delivered anything.
    book.ledger.settle("b", &pictures(0), NOW).await.unwrap();
    assert_eq!(reserve("d", NOW).await.unwrap(), Some(0));
    book.ledger.settle("d", &pictures(1), NOW).await.unwrap();
    assert_eq!(refusal(reserve("e", MIDNIGHT - 1).await), used_up);
    let used = book.ledger.used_today("ana", NOW).await.unwrap();
    assert_eq!(used, [(Medium::Image, 2), (Medium::Speech, 1)]);

    assert_eq!(reserve("e", MIDNIGHT).await.unwrap(), Some(1));
    // It is of yesterday's quota, and given back there.
    book.ledger.release("c", MIDNIGHT).await.unwrap();
    let used = book.ledger.used_today("ana", MIDNIGHT).await.unwrap();
    assert_eq!(used, [(Medium::Image, 1)]);
    let used = book.ledger.used_today("ana", NOW).await.unwrap();
    assert_eq!(used, [(Medium::Image, 1), (Medium::Speech, 1)]);
    // A smaller quota than what was used leaves none, and is no less than that.
    let fewer = Terms {
        daily: Some(0),
        ..terms()
    };
    let told = book
        .ledger
        .reserve(&ask("f", "ana", 1), &fewer, MIDNIGHT)
        .await;
    assert!(matches!(
        refusal(told),
        Refusal::QuotaExhausted { limit: 0, .. }
    ));
    audit(&book.database).await;
}

#[tokio::test]
async fn all_together_spend_no_more_than_the_bounds() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 1_000).await;
    let bounds = Bounds {
        hour: Some(50),
        day: Some(100),
        house_day: Some(20),
    };
    let bound = |terms: Terms| Terms { bounds, ..terms };
    let reserve = async |id: &str, most, now| {
        book.ledger
            .reserve(&ask(id, "ana", most), &bound(terms()), now)
            .await
    };
    let for_nobody = async |id: &str, most, now| {
        book.ledger
            .reserve(&ask(id, "nobody", most), &bound(house()), now)
            .await
    };
    let stopped = |reset| Refusal::SpendingStopped { reset };

    for_nobody("house", 20, NOW).await.unwrap();
    let budget = Refusal::HouseBudgetSpent { reset: MIDNIGHT };
    assert_eq!(refusal(for_nobody("more", 1, NOW).await), budget);
    // What the house pays is of all.
    reserve("a", 30, NOW).await.unwrap();
    assert_eq!(refusal(reserve("b", 1, NOW).await), stopped(NEXT_HOUR));
    reserve("free", 0, NOW).await.unwrap();
    // What was not needed was not spent, in the hour in which it was set aside.
    book.ledger
        .settle("a", &pictures(10), NEXT_HOUR)
        .await
        .unwrap();
    reserve("b", 20, NEXT_HOUR - 1).await.unwrap();
    assert_eq!(
        refusal(reserve("c", 1, NEXT_HOUR - 1).await),
        stopped(NEXT_HOUR)
    );
    reserve("c", 50, NEXT_HOUR).await.unwrap();
    // Now the day is over as well, and the next hour would be no better.
    assert_eq!(refusal(reserve("d", 1, NEXT_HOUR).await), stopped(MIDNIGHT));
    assert_eq!(
        refusal(reserve("d", 1, MIDNIGHT - 1).await),
        stopped(MIDNIGHT)
    );
    let spent = Spent {
        hour: 50,
        day: 100,
        house_day: 20,
    };
    assert_eq!(book.ledger.spent(NEXT_HOUR).await.unwrap(), spent);
    book.ledger.release("c", NEXT_HOUR).await.unwrap();
    let spent = Spent {
        hour: 0,
        day: 50,
        house_day: 20,
    };
    assert_eq!(book.ledger.spent(NEXT_HOUR).await.unwrap(), spent);
    assert_eq!(
        book.ledger.spent(NOW + DAY).await.unwrap(),
        Spent::default()
    );
    reserve("d", 50, MIDNIGHT).await.unwrap();
    for_nobody("next day", 1, MIDNIGHT + HOUR).await.unwrap();
    audit(&book.database).await;
}

#[tokio::test]
async fn the_first_of_several_reasons_is_told_and_leaves_nothing() {
    let (book, _folder) = Book::new().await;
    let mut worst = Terms {
        daily: Some(0),
        concurrency: 0,
        network: Some((b"home".to_vec(), 0)),
        bounds: Bounds {
            hour: Some(0),
            day: None,
            house_day: None,
        },
        ..terms()
    };
    let told =
        async |terms: &Terms| refusal(book.ledger.reserve(&ask("g", "ana", 1), terms, NOW).await);
    assert_eq!(told(&worst).await, Refusal::TooManyAtOnce(0));
    worst.concurrency = 1;
    assert_eq!(told(&worst).await, Refusal::NetworkTooManyAtOnce(0));
    worst.network = None;
    assert!(matches!(told(&worst).await, Refusal::QuotaExhausted { .. }));
    worst.daily = Some(1);
    assert!(matches!(
        told(&worst).await,
        Refusal::SpendingStopped { .. }
    ));
    worst.bounds.hour = None;
    assert!(matches!(told(&worst).await, Refusal::Insufficient { .. }));
    for table in [
        "SELECT COUNT(*) FROM transfers",
        "SELECT COUNT(*) FROM reservations",
        "SELECT COUNT(*) FROM quota_uses",
        "SELECT COUNT(*) FROM spending",
    ] {
        assert_eq!(book.count(table).await, 0, "{table}");
    }
}
