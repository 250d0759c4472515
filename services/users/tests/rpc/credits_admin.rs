//! What admins give and give back, under a request id, and the log of it.

use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::bank::{Bank, DAY, PICTURE, gift, told};
use crate::house::{bad_field, by, refused};

const DOLLAR: i64 = 1_000_000;

#[tokio::test]
async fn credits_are_given_once_for_a_request_id() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let request = pb::GrantCreditsRequest {
        priority: 5,
        expire_time: Some(timestamp(bank.now() + DAY)),
        ..gift(&user, 3 * DOLLAR, "r1")
    };
    let first = bank.give(request.clone()).await.unwrap();
    assert_eq!(
        (first.origin(), first.amount_micros),
        (pb::GrantOrigin::Admin, 3 * DOLLAR)
    );
    assert_eq!((first.available_micros, first.priority), (3 * DOLLAR, 5));
    assert_eq!(
        (first.note.as_str(), first.expire_time),
        ("enjoy", request.expire_time)
    );
    assert_eq!(bank.give(request.clone()).await.unwrap(), first);
    assert_eq!(bank.money(&tokens).await, (4 * DOLLAR, 0));
    let balance = bank.balance(&tokens).await;
    assert_eq!(
        balance.grants[0], first,
        "the lowest priority is spent first"
    );

    let (other, _) = bank.house.register("bob@x.org").await;
    let with = |change: &dyn Fn(&mut pb::GrantCreditsRequest)| {
        let mut request = request.clone();
        change(&mut request);
        bank.give(request)
    };
    for answer in [
        with(&|it| it.amount_micros = 1).await,
        with(&|it| it.priority = 6).await,
        with(&|it| it.note.clear()).await,
        with(&|it| it.expire_time = None).await,
        with(&|it| it.user_id = other.id.clone()).await,
    ] {
        refused(answer, Code::FailedPrecondition, "REQUEST_ID_REUSED");
    }
    // Another admin's id is another one.
    let (_, second) = crate::admin::admin(&bank.house, "second@x.org").await;
    let mut client = bank.house.credits();
    client.grant_credits(by(&second, request)).await.unwrap();
    assert_eq!(bank.money(&tokens).await, (7 * DOLLAR, 0));
    bank.house.clock.set(bank.now() + DAY);
    assert_eq!(bank.money(&tokens).await, (DOLLAR, 0));

    let acts = bank.acts(&user.id).await;
    let acts: Vec<_> = acts
        .iter()
        .filter(|act| act.action == "credits.granted")
        .collect();
    assert_eq!(acts.len(), 2);
    let act = acts[1];
    assert_eq!(act.actor, bank.root_id);
    assert_eq!(
        (&*act.details["amount_micros"], &*act.details["grant"]),
        ("3000000", &*first.id)
    );
    assert_eq!(act.details["request_id"], "r1");
    assert!(
        !format!("{acts:?}").contains("enjoy"),
        "the note is the account's own"
    );
}

#[tokio::test]
async fn what_is_given_is_checked() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (stranger, _) = bank.house.anonymous().await;
    let with = |change: &dyn Fn(&mut pb::GrantCreditsRequest)| {
        let mut request = gift(&user, DOLLAR, "r1");
        change(&mut request);
        bank.give(request)
    };
    bad_field(with(&|it| it.user_id.clear()).await, "user_id");
    for amount in [0, -1, i64::MIN, 1_000_000_000_000_001] {
        bad_field(with(&|it| it.amount_micros = amount).await, "amount_micros");
    }
    for priority in [-1, 101] {
        bad_field(with(&|it| it.priority = priority).await, "priority");
    }
    bad_field(with(&|it| it.note = "é".repeat(201)).await, "note");
    for request_id in ["", "a b", "a/b"] {
        bad_field(
            with(&|it| it.request_id = request_id.into()).await,
            "request_id",
        );
    }
    let now = bank.now();
    for seconds in [now / DOLLAR, i64::MAX] {
        let time = prost_types::Timestamp { seconds, nanos: 0 };
        bad_field(with(&|it| it.expire_time = Some(time)).await, "expire_time");
    }
    let answer = with(&|it| it.user_id = stranger.id.clone()).await;
    refused(answer, Code::FailedPrecondition, "ANONYMOUS_ACCOUNT");
    refused(
        with(&|it| it.user_id = "nobody".into()).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    with(&|it| it.amount_micros = 1_000_000_000_000_000)
        .await
        .unwrap();
    let mut client = bank.house.credits();
    let answer = client
        .grant_credits(by(&tokens, gift(&user, 1, "r2")))
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
    let answer = client
        .get_spending(by(&tokens, pb::GetSpendingRequest {}))
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_charge_is_given_back_up_to_what_it_was() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.gift(&user, DOLLAR).await;
    let request = pb::ReserveRequest {
        worst_case: Some(crate::bank::usage(10)),
        ..crate::bank::picture("g1", &user.id)
    };
    bank.reserve(request).await.unwrap();
    refused(
        bank.refund("g1", 0, "r1").await,
        Code::FailedPrecondition,
        "NOT_CHARGED",
    );
    bank.settle("g1", 10).await.unwrap();
    let charged = 10 * PICTURE;
    let part = bank.refund("g1", PICTURE, "r1").await.unwrap();
    assert_eq!(
        (part.origin(), part.amount_micros),
        (pb::GrantOrigin::Refund, PICTURE)
    );
    assert_eq!((part.expire_time, part.note.as_str()), (None, "sorry"));
    assert_eq!(part.priority, 0);
    assert_eq!(bank.refund("g1", PICTURE, "r1").await.unwrap(), part);
    let answer = bank.refund("g1", charged - PICTURE + 1, "r2").await;
    refused(answer, Code::FailedPrecondition, "REFUND_TOO_HIGH");
    refused(
        bank.refund("g1", 1, "r1").await,
        Code::FailedPrecondition,
        "REQUEST_ID_REUSED",
    );
    // The same request id for another generation, and for other credits.
    bank.picture("g2", &user).await.unwrap();
    bank.settle("g2", 1).await.unwrap();
    refused(
        bank.refund("g2", PICTURE, "r1").await,
        Code::FailedPrecondition,
        "REQUEST_ID_REUSED",
    );
    let answer = bank.give(gift(&user, PICTURE, "r1")).await;
    refused(answer, Code::FailedPrecondition, "REQUEST_ID_REUSED");
    // All that is left.
    let rest = bank.refund("g1", 0, "r3").await.unwrap();
    assert_eq!(rest.amount_micros, charged - PICTURE);
    assert_eq!(bank.refund("g1", 0, "r3").await.unwrap(), rest);
    refused(
        bank.refund("g1", 0, "r4").await,
        Code::FailedPrecondition,
        "REFUND_TOO_HIGH",
    );
    assert_eq!(bank.money(&tokens).await, (2 * DOLLAR - PICTURE, 0));

    refused(
        bank.refund("g9", 0, "r5").await,
        Code::NotFound,
        "NOT_FOUND",
    );
    bank.release("g8").await.unwrap();
    let answer = bank.refund("g8", 0, "r6").await;
    refused(answer, Code::NotFound, "NOT_FOUND");
    bad_field(bank.refund("", 0, "r7").await, "generation_id");
    bad_field(bank.refund("g1", -1, "r7").await, "amount_micros");
    bad_field(bank.refund("g1", 0, "").await, "request_id");

    let acts = bank.acts(&user.id).await;
    let acts = acts.iter().filter(|act| act.action == "credits.refunded");
    let acts: Vec<_> = acts
        .map(|act| (&*act.actor, &*act.details["generation"]))
        .collect();
    assert_eq!(acts, [(&*bank.root_id, "g1"), (&*bank.root_id, "g1")]);
    let entries = bank.entries(&tokens).await;
    let refunds = entries.iter().filter(|entry| entry.grant_id == rest.id);
    let refunds: Vec<_> = refunds
        .map(|entry| (entry.kind(), &*entry.generation_id))
        .collect();
    assert_eq!(refunds, [(pb::EntryKind::Granted, "g1")]);
}

#[tokio::test]
async fn a_released_generation_has_no_charge_to_give_back() {
    let bank = Bank::new().await;
    let (user, _) = bank.house.register("ana@x.org").await;
    bank.picture("g1", &user).await.unwrap();
    bank.release("g1").await.unwrap();
    let status = refused(
        bank.refund("g1", 1, "r1").await,
        Code::FailedPrecondition,
        "NOT_CHARGED",
    );
    assert_eq!(told(&status, "needed_micros"), None);
}
