//! What becomes of credits when somebody takes his data along, or leaves.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use atelier_kit::testing::servers::Store;
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::bank::{Bank, PICTURE, PLANS, gift, with_plans};
use crate::exporting::export;
use crate::house::{PASSWORD, refused};
use crate::leaving::{delete, deletion, everything};
use crate::peers::Peers;

const DOLLAR: i64 = 1_000_000;

#[tokio::test]
async fn an_export_has_the_credits_and_what_happened_to_them() {
    let peers = Peers::start();
    let bank = Bank::among(with_plans(PLANS), &peers.routes).await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (other, _) = bank.house.register("bob@x.org").await;
    bank.give(gift(&user, 5, "r1")).await.unwrap();
    bank.give(gift(&other, 77, "r2")).await.unwrap();
    bank.picture("g1", &user).await.unwrap();
    let (files, _, broken) = export(&bank.house, &tokens).await;
    assert!(broken.is_none(), "{broken:?}");
    let credits: serde_json::Value = serde_json::from_str(&files["users/credits.json"]).unwrap();
    assert_eq!(credits["currency"], "USD");
    assert_eq!(
        (&credits["available"], &credits["reserved"]),
        (&"0.960005".into(), &"0.040000".into())
    );
    assert_eq!(credits["grants"][0]["origin"], "sign_up");
    assert_eq!(credits["grants"][1]["note"], "enjoy");
    let lines: Vec<serde_json::Value> = files["users/ledger.jsonl"]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["generation_id"]),
        (&"reserved".into(), &"g1".into())
    );
    assert_eq!(
        (&lines[0]["amount"], &lines[0]["medium"]),
        (&"0.040000".into(), &"image".into())
    );
    assert!(!files["users/ledger.jsonl"].contains("0.000077"));
}

#[tokio::test]
async fn who_leaves_leaves_his_credits_and_his_entries_stay() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.give(gift(&user, 5 * DOLLAR, "r1")).await.unwrap();
    bank.picture("g1", &user).await.unwrap();
    bank.picture("g2", &user).await.unwrap();
    let answer = delete(&bank.house, &tokens, PASSWORD, "").await.unwrap();
    let token = answer.deletion_token;
    let receipt = &answer.deletion.unwrap().receipts[0];
    // Two grants, two reservations, and what was taken of the grants.
    assert_eq!(
        (receipt.service.as_str(), receipt.kept["ledger_entries"]),
        ("users", 6)
    );
    let again = deletion(&bank.house, &token).await.unwrap();
    assert_eq!(again.receipts[0].kept["ledger_entries"], 6);
    let rows = everything(&bank.house).await;
    assert!(
        !rows.iter().any(|row| row.contains("enjoy")),
        "the note is gone"
    );

    // What he had begun is charged, and what comes back is nobody's.
    assert_eq!(bank.settle("g1", 1).await.unwrap(), PICTURE);
    bank.release("g2").await.unwrap();
    let accounts = bank.spending().await.house_accounts;
    let sum: i64 = accounts.iter().map(|account| account.balance_micros).sum();
    assert_eq!(sum, 0, "{accounts:?}");
    assert_eq!(bank.house_account("expired").await, 6 * DOLLAR - PICTURE);
    refused(bank.picture("g3", &user).await, Code::NotFound, "NOT_FOUND");
    let answer = bank.give(gift(&user, 1, "r2")).await;
    refused(answer, Code::NotFound, "NOT_FOUND");
    let answer = bank.set_plan(&user, "pro").await;
    refused(answer, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn credits_that_could_not_be_taken_at_once_are_taken_later() {
    let folder = tempfile::tempdir().unwrap();
    let peers = Peers::start();
    let open = async || {
        crate::house::House::among(folder.path(), crate::leaving::eager(), &peers.routes).await
    };
    let house = open().await;
    let (user, tokens) = house.register("ana@x.org").await;
    let (_, root) = crate::admin::admin(&house, "root@x.org").await;
    let give = crate::house::by(&root, gift(&user, DOLLAR, "r1"));
    house.credits().grant_credits(give).await.unwrap();
    // The book cannot be told: as after an end between the two.
    let database = house.database().await;
    let (close, open): (&[&'static str], _) = match Store::chosen() {
        Store::Postgres => (
            &[
                "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$",
                "CREATE TRIGGER closed BEFORE INSERT ON departures FOR EACH ROW EXECUTE FUNCTION closed()",
            ],
            "DROP TRIGGER closed ON departures",
        ),
        Store::Sqlite | Store::Mongo => (
            &[
                "CREATE TRIGGER closed BEFORE INSERT ON departures BEGIN SELECT RAISE(ABORT, 'closed'); END",
            ],
            "DROP TRIGGER closed",
        ),
    };
    for sql in close {
        sql::query(*sql).write_to(&database).await.unwrap();
    }
    let answer = delete(&house, &tokens, PASSWORD, "").await.unwrap();
    let begun = answer.deletion.unwrap();
    let own = begun.receipts.iter().find(|told| told.service == "users");
    let kept = &own.expect("a receipt of its own").kept;
    assert!(!kept.contains_key("ledger_entries"));
    let token = answer.deletion_token;
    atelier_kit::testing::eventually("all others have answered", || async {
        house.clock.pass(1);
        deletion(&house, &token).await.unwrap().receipts.len() == 5
    })
    .await;
    assert_eq!(deletion(&house, &token).await.unwrap().done_time, None);
    sql::query(open).write_to(&database).await.unwrap();
    atelier_kit::testing::eventually("the book was told", || async {
        let told: pb::Deletion = deletion(&house, &token).await.unwrap();
        told.done_time.is_some()
    })
    .await;
    let done = deletion(&house, &token).await.unwrap();
    let users = done
        .receipts
        .iter()
        .find(|receipt| receipt.service == "users")
        .unwrap();
    assert_eq!(users.kept["ledger_entries"], 2);
}
