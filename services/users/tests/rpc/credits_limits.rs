//! What keeps somebody from spending: quotas, places at work, the budget for anonymous accounts, and the bounds for all.

use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::bank::{Bank, DAY, HOUR, PICTURE, free_picture, picture, told, wait};
use crate::house::refused;

#[tokio::test]
async fn a_daily_quota_ends_and_is_whole_again_at_midnight_utc() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let midnight = (bank.now() / DAY + 1) * DAY;
    let quotas = bank.quotas(&tokens).await;
    assert_eq!((quotas.plan.as_str(), quotas.concurrency), ("free", 3));
    assert_eq!(quotas.quotas.len(), 1);
    assert_eq!((quotas.quotas[0].limit, quotas.quotas[0].remaining), (2, 2));
    assert_eq!(
        quotas.quotas[0].reset_time.unwrap().seconds,
        midnight / 1_000_000
    );

    for (id, left) in [("g1", 1), ("g2", 0)] {
        let allowance = bank.reserve(free_picture(id, &user.id)).await.unwrap();
        assert_eq!(
            (allowance.quota_limit, allowance.quota_remaining),
            (2, left)
        );
        assert_eq!(
            allowance.quota_reset_time.unwrap().seconds,
            midnight / 1_000_000
        );
    }
    bank.settle("g1", 1).await.unwrap();
    bank.house.clock.set(midnight - 1);
    let answer = bank.picture("g3", &user).await;
    let status = refused(answer, Code::ResourceExhausted, "QUOTA_EXHAUSTED");
    assert_eq!(wait(&status), Some(1));
    assert_eq!(told(&status, "limit").unwrap(), "2");
    assert_eq!(bank.left(&tokens).await, 0);
    bank.house.clock.set(midnight);
    assert_eq!(bank.left(&tokens).await, 2);
    bank.picture("g3", &user).await.unwrap();
    // One of yesterday that is given back today is one of yesterday.
    bank.release("g2").await.unwrap();
    assert_eq!(bank.left(&tokens).await, 1);
    // Other media are not counted.
    let chat = pb::ReserveRequest {
        medium: pb::Medium::Chat.into(),
        ..free_picture("g4", &user.id)
    };
    bank.reserve(chat).await.unwrap();
    assert_eq!(bank.left(&tokens).await, 1);
}

#[tokio::test]
async fn as_many_are_at_work_as_the_plan_allows() {
    let bank = Bank::new().await;
    let (user, _) = bank.house.register("ana@x.org").await;
    let (other, _) = bank.house.register("bob@x.org").await;
    let chat = |id: &str, user: &pb::User| pb::ReserveRequest {
        medium: pb::Medium::Chat.into(),
        ..free_picture(id, &user.id)
    };
    // All media together.
    bank.picture("g1", &user).await.unwrap();
    bank.reserve(chat("g2", &user)).await.unwrap();
    bank.reserve(chat("g3", &user)).await.unwrap();
    let answer = bank.reserve(chat("g4", &user)).await;
    let status = refused(answer, Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
    assert_eq!(told(&status, "scope").unwrap(), "account");
    assert_eq!(told(&status, "limit").unwrap(), "3");
    assert!(wait(&status).is_some());
    bank.reserve(chat("g5", &other)).await.unwrap();
    bank.settle("g2", 0).await.unwrap();
    bank.reserve(chat("g4", &user)).await.unwrap();
    // A plan with more places holds at once.
    refused(
        bank.reserve(chat("g6", &user)).await,
        Code::ResourceExhausted,
        "TOO_MANY_AT_ONCE",
    );
    bank.set_plan(&user, "plus").await.unwrap();
    bank.reserve(chat("g6", &user)).await.unwrap();
}

#[tokio::test]
async fn a_network_of_strangers_has_its_places_too() {
    let bank = Bank::new().await;
    let (one, tokens) = bank.stranger("192.0.2.7").await;
    let (two, _) = bank.stranger("192.0.2.7").await;
    let (far, _) = bank.stranger("192.0.2.8").await;
    let quotas = bank.quotas(&tokens).await;
    assert_eq!((quotas.plan.as_str(), quotas.concurrency), ("anonymous", 2));
    assert_eq!(quotas.quotas[0].limit, 4);
    let ask = async |id: &str, user: &pb::User| bank.reserve(free_picture(id, &user.id)).await;
    ask("g1", &one).await.unwrap();
    ask("g2", &one).await.unwrap();
    let status = refused(
        ask("g3", &one).await,
        Code::ResourceExhausted,
        "TOO_MANY_AT_ONCE",
    );
    assert_eq!(told(&status, "scope").unwrap(), "account");
    ask("g3", &two).await.unwrap();
    let status = refused(
        ask("g4", &two).await,
        Code::ResourceExhausted,
        "TOO_MANY_AT_ONCE",
    );
    assert_eq!(told(&status, "scope").unwrap(), "network");
    assert_eq!(told(&status, "limit").unwrap(), "3");
    // Another network has its own, and a registered account none.
    ask("g5", &far).await.unwrap();
    let (user, _) = bank.house.register("ana@x.org").await;
    ask("g6", &user).await.unwrap();
    bank.release("g1").await.unwrap();
    ask("g4", &two).await.unwrap();

    // The book knows it by no name.
    let rows = crate::leaving::everything(&bank.house).await;
    let named = rows.iter().filter(|row| row.contains("192.0.2."));
    assert!(
        named.clone().all(|row| row.starts_with("sessions.address")),
        "{named:?}"
    );
}

#[tokio::test]
async fn the_operator_pays_for_strangers_within_a_budget() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.stranger("192.0.2.7").await;
    let (other, _) = bank.stranger("192.0.2.8").await;
    assert_eq!(bank.money(&tokens).await, (0, 0));
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(bank.settle("g1", 1).await.unwrap(), PICTURE);
    bank.picture("g2", &user).await.unwrap();
    // 0.08 of 0.10 are spent or held.
    let answer = bank.picture("g3", &other).await;
    let status = refused(answer, Code::ResourceExhausted, "ANONYMOUS_BUDGET_SPENT");
    let midnight = (bank.now() / DAY + 1) * DAY;
    assert_eq!(wait(&status), Some(midnight - bank.now()));
    // What costs nothing is theirs all the same.
    bank.reserve(free_picture("g4", &other.id)).await.unwrap();
    assert_eq!(bank.house_account("anonymous").await, -2 * PICTURE);
    assert_eq!(bank.money(&tokens).await, (0, 0));
    let spending = bank.spending().await.spending;
    let scope = pb::spending::Scope::AnonymousDay;
    let day = spending
        .iter()
        .find(|spending| spending.scope() == scope)
        .unwrap();
    assert_eq!(
        (day.spent_micros, day.limit_micros),
        (2 * PICTURE, Some(100_000))
    );
    bank.release("g2").await.unwrap();
    bank.picture("g3", &other).await.unwrap();
    bank.house.clock.set(midnight);
    bank.picture("g5", &user).await.unwrap();
    // Nobody is refunded what he did not pay.
    refused(
        bank.refund("g1", 0, "r1").await,
        Code::FailedPrecondition,
        "NOT_CHARGED",
    );
}

#[tokio::test]
async fn without_a_budget_what_costs_something_is_not_for_strangers() {
    let bank = Bank::with("").await;
    let (user, _) = bank.stranger("192.0.2.7").await;
    let answer = bank.picture("g1", &user).await;
    refused(answer, Code::ResourceExhausted, "ANONYMOUS_BUDGET_SPENT");
    bank.reserve(free_picture("g1", &user.id)).await.unwrap();
}

#[tokio::test]
async fn a_stranger_that_registers_keeps_its_id_and_pays_for_itself() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.stranger("192.0.2.7").await;
    bank.picture("g1", &user).await.unwrap();
    let request = pb::RegisterRequest {
        email: "ana@x.org".into(),
        password: crate::house::PASSWORD.into(),
        display_name: String::new(),
    };
    let mut client = bank.house.client.clone();
    let answer = client.register(crate::house::by(&tokens, request)).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.user.unwrap().id, user.id);
    let tokens = answer.tokens.unwrap();
    assert_eq!(bank.money(&tokens).await, (1_000_000, 0));
    // What was begun before is the operator's still.
    bank.settle("g1", 1).await.unwrap();
    assert_eq!(bank.money(&tokens).await, (1_000_000, 0));
    bank.picture("g2", &user).await.unwrap();
    assert_eq!(bank.money(&tokens).await, (1_000_000 - PICTURE, PICTURE));
}

#[tokio::test]
async fn the_bounds_for_all_stop_what_costs_something() {
    let plans = "[plans.free]\n[spending]\nhour = 0.08\nday = 0.12\n[sign_up]\ncredits = 1";
    let bank = Bank::with(plans).await;
    let (user, _) = bank.house.register("ana@x.org").await;
    let (other, _) = bank.house.register("bob@x.org").await;
    bank.house.clock.set(bank.now() + HOUR / 2);
    let hour = (bank.now() / HOUR + 1) * HOUR;
    let midnight = (bank.now() / DAY + 1) * DAY;
    bank.picture("g1", &user).await.unwrap();
    bank.picture("g2", &other).await.unwrap();
    let answer = bank.picture("g3", &user).await;
    let status = refused(answer, Code::ResourceExhausted, "SPENDING_STOPPED");
    assert_eq!(wait(&status), Some(hour - bank.now()));
    bank.reserve(free_picture("g4", &user.id)).await.unwrap();
    bank.house.clock.set(hour - 1);
    refused(
        bank.picture("g3", &user).await,
        Code::ResourceExhausted,
        "SPENDING_STOPPED",
    );
    // The next hour has its own bound, the day has not.
    bank.house.clock.set(hour);
    bank.picture("g3", &user).await.unwrap();
    let answer = bank.picture("g5", &other).await;
    let status = refused(answer, Code::ResourceExhausted, "SPENDING_STOPPED");
    assert_eq!(wait(&status), Some(midnight - hour));
    let told = bank.spending().await;
    assert_eq!(told.currency_code, "USD");
    let of = |scope| {
        told.spending
            .iter()
            .find(move |spending| spending.scope() == scope)
            .unwrap()
    };
    let this_hour = of(pb::spending::Scope::Hour);
    assert_eq!(
        (this_hour.spent_micros, this_hour.limit_micros),
        (PICTURE, Some(80_000))
    );
    assert_eq!(
        this_hour.reset_time.unwrap().seconds,
        (hour + HOUR) / 1_000_000
    );
    let today = of(pb::spending::Scope::Day);
    assert_eq!(
        (today.spent_micros, today.limit_micros),
        (3 * PICTURE, Some(120_000))
    );
    assert_eq!(today.reset_time.unwrap().seconds, midnight / 1_000_000);
    // What is given back is not spent.
    bank.release("g3").await.unwrap();
    bank.picture("g5", &other).await.unwrap();
    bank.house.clock.set(midnight);
    bank.picture("g6", &user).await.unwrap();
    bank.picture("g7", &other).await.unwrap();
}

#[tokio::test]
async fn without_bounds_none_is_told() {
    let bank = Bank::with("[plans.free]\n[sign_up]\ncredits = 1").await;
    let (user, _) = bank.house.register("ana@x.org").await;
    bank.reserve(picture("g1", &user.id)).await.unwrap();
    for spending in bank.spending().await.spending {
        let is_house = spending.scope() == pb::spending::Scope::AnonymousDay;
        assert_eq!(spending.limit_micros, is_house.then_some(0));
        assert_eq!(spending.spent_micros, if is_house { 0 } else { PICTURE });
    }
}
