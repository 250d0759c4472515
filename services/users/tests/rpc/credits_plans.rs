//! Plans: what there is, who moves to which, and what tokens say of it.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::api_keys;
use crate::bank::Bank;
use crate::house::{House, PASSWORD, bad_field, bearing, by, refused};

/// What the access token of a pair says.
fn claims(tokens: &pb::TokenPair) -> serde_json::Value {
    api_keys::claims(&tokens.access_token)
}

#[tokio::test]
async fn plans_are_told_to_anybody_in_their_order() {
    let bank = Bank::new().await;
    let answer = bank
        .house
        .credits()
        .list_plans(pb::ListPlansRequest {})
        .await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.currency_code, "USD");
    let names: Vec<&str> = answer.plans.iter().map(|plan| &*plan.name).collect();
    assert_eq!(names, ["free", "plus", "pro"]);
    let [free, plus, pro] = &answer.plans[..] else {
        unreachable!()
    };
    assert_eq!(
        (free.monthly_credits_micros, free.concurrency, free.weight),
        (0, 3, 1)
    );
    assert_eq!(
        (free.quotas[0].medium(), free.quotas[0].daily_limit),
        (pb::Medium::Image, 2)
    );
    assert_eq!(
        (plus.monthly_credits_micros, plus.weight, plus.quotas.len()),
        (5_000_000, 3, 0)
    );
    assert_eq!(
        (free.is_open, plus.is_open, pro.is_open),
        (true, true, false)
    );
}

#[tokio::test]
async fn what_is_built_in_is_ten_pictures_a_day_and_a_hundred() {
    let house = House::new().await;
    let answer = house.credits().list_plans(pb::ListPlansRequest {}).await;
    let plans = answer.unwrap().into_inner().plans;
    let told: Vec<_> = plans
        .iter()
        .map(|plan| {
            (
                &*plan.name,
                plan.quotas[0].daily_limit,
                plan.is_open,
                plan.weight,
            )
        })
        .collect();
    assert_eq!(told, [("free", 10, true, 1), ("premium", 100, false, 4)]);
}

#[tokio::test]
async fn an_account_chooses_among_the_open_plans() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    refused(
        bank.change_plan(&tokens, "gold").await,
        Code::NotFound,
        "NOT_FOUND",
    );
    refused(
        bank.change_plan(&tokens, "pro").await,
        Code::FailedPrecondition,
        "PLAN_CLOSED",
    );
    bad_field(bank.change_plan(&tokens, "").await, "plan");
    bad_field(bank.change_plan(&tokens, &"x".repeat(65)).await, "plan");
    assert_eq!(bank.house.me(&tokens).await.unwrap().plan, "free");
    bank.change_plan(&tokens, "plus").await.unwrap();
    bank.change_plan(&tokens, "plus").await.unwrap();
    assert_eq!(bank.house.me(&tokens).await.unwrap().plan, "plus");
    assert_eq!(
        bank.quotas(&tokens).await.quotas.len(),
        0,
        "it holds at once"
    );
    // Who was given a closed one may say that he keeps it.
    bank.set_plan(&user, "pro").await.unwrap();
    bank.change_plan(&tokens, "pro").await.unwrap();

    let acts = bank.acts(&user.id).await;
    let acts: Vec<_> = acts
        .iter()
        .filter(|act| act.action == "plan.set")
        .map(|act| (&*act.actor, &*act.details["from"], &*act.details["to"]))
        .collect();
    // The newest first; what changed nothing is none.
    let expected = [(&*bank.root_id, "plus", "pro"), (&*user.id, "free", "plus")];
    assert_eq!(acts, expected);
}

#[tokio::test]
async fn only_admins_give_plans_and_only_to_registered_accounts() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (stranger, strange) = bank.house.anonymous().await;
    let answer = bank.set_plan(&stranger, "pro").await;
    refused(answer, Code::FailedPrecondition, "ANONYMOUS_ACCOUNT");
    refused(
        bank.set_plan(&user, "gold").await,
        Code::NotFound,
        "NOT_FOUND",
    );
    let nobody = pb::User::default();
    bad_field(bank.set_plan(&nobody, "pro").await, "user_id");
    bad_field(bank.set_plan(&user, "").await, "plan");
    let nobody = pb::User {
        id: "nobody".into(),
        ..nobody
    };
    refused(
        bank.set_plan(&nobody, "pro").await,
        Code::NotFound,
        "NOT_FOUND",
    );
    let request = pb::SetUserPlanRequest {
        user_id: user.id.clone(),
        plan: "pro".into(),
    };
    let mut client = bank.house.credits();
    let answer = client.set_user_plan(by(&tokens, request)).await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
    // An anonymous account has no plan to change.
    let request = pb::ChangePlanRequest {
        plan: "plus".into(),
    };
    let answer = client.change_plan(by(&strange, request)).await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
    // A token that says admin still is not enough.
    let database = bank.house.database().await;
    sql::query("UPDATE users SET role = 'user' WHERE id = $1")
        .bind(&bank.root_id)
        .write_to(&database)
        .await
        .unwrap();
    refused(
        bank.set_plan(&user, "pro").await,
        Code::PermissionDenied,
        "ROLE_TOO_LOW",
    );
}

#[tokio::test]
async fn a_token_says_the_weight_of_the_plan() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    assert_eq!(claims(&tokens)["weight"], 1);
    bank.set_plan(&user, "pro").await.unwrap();
    let tokens = bank.house.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(
        (&claims(&tokens)["weight"], &claims(&tokens)["plan"]),
        (&9.into(), &"pro".into())
    );
    let tokens = bank
        .house
        .login("ana@x.org", PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    assert_eq!(claims(&tokens)["weight"], 9);
    let (_, stranger) = bank.house.anonymous().await;
    assert_eq!(claims(&stranger)["weight"], 1);
}

#[tokio::test]
async fn a_plan_that_is_configured_no_longer_counts_as_free() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let database = bank.house.database().await;
    sql::query("UPDATE users SET plan = 'gone' WHERE id = $1")
        .bind(&user.id)
        .write_to(&database)
        .await
        .unwrap();
    let quotas = bank.quotas(&tokens).await;
    assert_eq!((quotas.plan.as_str(), quotas.quotas[0].limit), ("free", 2));
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(bank.left(&tokens).await, 1);
    let tokens = bank.house.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(claims(&tokens)["weight"], 1);
}

#[tokio::test]
async fn what_stands_in_the_book_never_becomes_another_currency() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |plans: &str| {
        let foundation = atelier_kit::testing::foundation("users", folder.path());
        let built = atelier_users::build(crate::bank::with_plans(plans), &foundation).await;
        foundation.stop.cancel();
        foundation.tasks.close();
        foundation.tasks.wait().await;
        built.map(drop).map_err(|error| error.to_string())
    };
    let (dollars, euros) = ("", "currency = \"EUR\"");
    open(dollars).await.unwrap();
    // Nothing was given yet.
    open(euros).await.unwrap();
    open(dollars).await.unwrap();
    let house = House::at(folder.path(), crate::bank::with_plans(dollars)).await;
    let (_, root) = crate::admin::admin(&house, "root@x.org").await;
    let root_user = house.me(&root).await.unwrap();
    let request = crate::bank::gift(&root_user, 1, "r1");
    house
        .credits()
        .grant_credits(by(&root, request))
        .await
        .unwrap();
    house.close().await;
    let error = open(euros).await.unwrap_err();
    assert!(
        error.contains("ATELIER_PLANS") && error.contains("not in USD"),
        "{error}"
    );
    open(dollars).await.unwrap();
}

#[tokio::test]
async fn a_key_counts_as_its_account_reads_and_changes_no_plan() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.set_plan(&user, "plus").await.unwrap();
    let asked = api_keys::asked(&[atelier_proto::policy::v1::Scope::Read], None);
    let (_, secret) = api_keys::create(&bank.house, &tokens, asked).await.unwrap();
    let token = api_keys::exchange(&bank.house, &secret).await.unwrap();
    let token = token.access_token;
    assert_eq!(api_keys::claims(&token)["weight"], 3);
    let mut client = bank.house.credits();
    let answer = client
        .get_balance(bearing(&token, pb::GetBalanceRequest {}))
        .await;
    let balance = answer.unwrap().into_inner().balance.unwrap();
    assert_eq!(balance.available_micros, 6_000_000);
    let request = pb::ChangePlanRequest {
        plan: "free".into(),
    };
    let answer = client.change_plan(bearing(&token, request)).await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
}
