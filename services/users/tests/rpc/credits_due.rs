//! What is given without anybody's asking: once at the sign-up, and each month by the plan.

use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::bank::{Bank, DAY, PICTURE, SECOND};
use crate::house::{PASSWORD, refused};

const DOLLAR: i64 = 1_000_000;

/// The origins of the grants that something is left of, with what is left.
fn origins(balance: &pb::Balance) -> Vec<(pb::GrantOrigin, i64)> {
    let grants = balance.grants.iter();
    grants
        .map(|grant| (grant.origin(), grant.available_micros))
        .collect()
}

#[tokio::test]
async fn an_account_is_given_something_once_and_it_expires() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let begun = bank.now();
    for _ in 0..3 {
        let balance = bank.balance(&tokens).await;
        assert_eq!(
            (balance.available_micros, balance.currency_code.as_str()),
            (DOLLAR, "USD")
        );
        assert_eq!(origins(&balance), [(pb::GrantOrigin::SignUp, DOLLAR)]);
        let grant = &balance.grants[0];
        assert_eq!(
            grant.expire_time.unwrap().seconds,
            (begun + 10 * DAY) / SECOND
        );
        assert_eq!((grant.amount_micros, grant.priority), (DOLLAR, 20));
    }
    // It expires to the microsecond, and is not given again.
    bank.house.clock.set(begun + 10 * DAY - 1);
    assert_eq!(bank.money(&tokens).await, (DOLLAR, 0));
    bank.house.clock.set(begun + 10 * DAY);
    assert_eq!(bank.money(&tokens).await, (0, 0));
    refused(
        bank.picture("g1", &user).await,
        Code::ResourceExhausted,
        "INSUFFICIENT_CREDITS",
    );
    assert_eq!(bank.house_account("expired").await, DOLLAR);
    assert_eq!(bank.house_account("issued").await, -DOLLAR);
    let kinds: Vec<_> = bank
        .entries(&tokens)
        .await
        .iter()
        .map(pb::LedgerEntry::kind)
        .collect();
    assert_eq!(kinds, [pb::EntryKind::Expired, pb::EntryKind::Granted]);
}

#[tokio::test]
async fn what_is_due_is_there_for_the_first_generation() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    // Nobody has asked for the balance before.
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(bank.money(&tokens).await, (DOLLAR - PICTURE, PICTURE));
}

#[tokio::test]
async fn the_month_of_a_plan_is_given_once_and_ends_with_it() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    assert_eq!(bank.set_plan(&user, "pro").await.unwrap(), 21 * DOLLAR);
    let balance = bank.balance(&tokens).await;
    // What ends with the month is spent first.
    let expected = [
        (pb::GrantOrigin::Plan, 20 * DOLLAR),
        (pb::GrantOrigin::SignUp, DOLLAR),
    ];
    assert_eq!(origins(&balance), expected);
    let (_, next) = bank.month;
    assert_eq!(
        balance.grants[0].expire_time.unwrap().seconds,
        next / SECOND
    );
    assert_eq!(balance.grants[0].priority, 10);
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(
        origins(&bank.balance(&tokens).await)[0].1,
        20 * DOLLAR - PICTURE
    );

    bank.house.clock.set(next - 1);
    assert_eq!(bank.money(&tokens).await, (20 * DOLLAR - PICTURE, PICTURE));
    bank.house.clock.set(next);
    let balance = bank.balance(&tokens).await;
    assert_eq!(origins(&balance), [(pb::GrantOrigin::Plan, 20 * DOLLAR)]);
    // What was held of the month before is spent all the same; what comes back of it is lost.
    assert_eq!(bank.settle("g1", 0).await.unwrap(), 0);
    assert_eq!(bank.money(&tokens).await, (20 * DOLLAR, 0));
}

#[tokio::test]
async fn going_up_gives_the_difference_going_down_nothing_and_back_and_forth_nothing_more() {
    let bank = Bank::new().await;
    let (_, tokens) = bank.house.register("ana@x.org").await;
    let (user, _) = (bank.house.me(&tokens).await.unwrap(), ());
    assert_eq!(bank.change_plan(&tokens, "plus").await.unwrap(), 6 * DOLLAR);
    assert_eq!(bank.set_plan(&user, "pro").await.unwrap(), 21 * DOLLAR);
    for _ in 0..3 {
        assert_eq!(
            bank.change_plan(&tokens, "free").await.unwrap(),
            21 * DOLLAR
        );
        assert_eq!(
            bank.change_plan(&tokens, "plus").await.unwrap(),
            21 * DOLLAR
        );
        assert_eq!(bank.set_plan(&user, "pro").await.unwrap(), 21 * DOLLAR);
    }
    bank.change_plan(&tokens, "free").await.unwrap();
    // What was spent does not come back by it either.
    bank.picture("g1", &user).await.unwrap();
    bank.settle("g1", 1).await.unwrap();
    assert_eq!(
        bank.set_plan(&user, "pro").await.unwrap(),
        21 * DOLLAR - PICTURE
    );
    bank.set_plan(&user, "plus").await.unwrap();
    // The next month is that of the plan that holds then.
    bank.house.clock.set(bank.month.1);
    let tokens = bank
        .house
        .login("ana@x.org", PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    assert_eq!(bank.money(&tokens).await, (5 * DOLLAR, 0));
}

#[tokio::test]
async fn who_asks_at_once_is_given_once() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let asks = (0..16).map(|number| {
        let (bank, user, tokens) = (&bank, &user, &tokens);
        async move {
            if number % 2 == 0 {
                let plan = if number % 4 == 0 { "plus" } else { "pro" };
                bank.set_plan(user, plan).await.unwrap();
            } else {
                bank.balance(tokens).await;
            }
        }
    });
    futures_util::future::join_all(asks).await;
    bank.set_plan(&user, "pro").await.unwrap();
    assert_eq!(bank.money(&tokens).await, (21 * DOLLAR, 0));
    assert_eq!(bank.house_account("issued").await, -21 * DOLLAR);
}
