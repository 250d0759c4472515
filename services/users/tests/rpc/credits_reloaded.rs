//! Plans whose file changes while the service runs: what comes is on the new terms, and what is reserved keeps its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_kit::followed::FollowedFile;
use atelier_kit::testing::eventually;
use atelier_proto::users::v1 as pb;
use atelier_users::Config;
use tempfile::TempDir;
use tonic::Code;

use crate::api_keys;
use crate::bank::{Bank, PICTURE, PLANS, with_plans};
use crate::house::refused;

/// A bank whose plans are in a file.
struct Reloaded {
    bank: Bank,
    path: PathBuf,
    _folder: TempDir,
}

impl Reloaded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plans.toml");
        write(&path, PLANS);
        let file = FollowedFile::new(&path).at_pace(Duration::from_millis(5));
        let config = Config {
            plans_file: Some(file),
            ..with_plans(PLANS)
        };
        Self {
            bank: Bank::among(config, &BTreeMap::new()).await,
            path,
            _folder: folder,
        }
    }

    async fn plans(&self) -> Vec<pb::Plan> {
        let mut client = self.bank.house.credits();
        let answer = client.list_plans(pb::ListPlansRequest {}).await;
        answer.unwrap().into_inner().plans
    }

    /// Writes other plans, and waits until there are so many.
    async fn becomes(&self, plans: &str, count: usize) {
        write(&self.path, plans);
        eventually("the plans are read again", async || {
            self.plans().await.len() == count
        })
        .await;
    }
}

/// As a whole: half a file of plans may be a good one.
fn write(path: &Path, plans: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, plans).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// More pictures, what is given once is more, a month gives more, and there is a plan more.
const OTHER: &str = r#"
[sign_up]
credits = 2

[plans.free]
quotas = { image = 5 }
concurrency = 3
weight = 2
open = true

[plans.plus]
monthly_credits = 6
open = true

[plans.pro]
monthly_credits = 20

[plans.house]
"#;

#[tokio::test]
async fn what_comes_is_on_the_new_terms_and_what_is_reserved_keeps_its_own() {
    let reloaded = Reloaded::new().await;
    let bank = &reloaded.bank;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (richer, richer_tokens) = bank.house.register("bo@x.org").await;
    bank.set_plan(&richer, "plus").await.unwrap();
    assert_eq!(bank.money(&richer_tokens).await, (6_000_000, 0));
    bank.picture("g1", &user).await.unwrap();
    bank.picture("g2", &user).await.unwrap();
    let refusal = bank.picture("g3", &user).await;
    refused(refusal, Code::ResourceExhausted, "QUOTA_EXHAUSTED");
    assert_eq!(
        bank.money(&tokens).await,
        (1_000_000 - 2 * PICTURE, 2 * PICTURE)
    );

    reloaded.becomes(OTHER, 4).await;
    // What is held is as it was, and what it is charged.
    assert_eq!(
        bank.money(&tokens).await,
        (1_000_000 - 2 * PICTURE, 2 * PICTURE)
    );
    assert_eq!(bank.settle("g1", 1).await.unwrap(), PICTURE);
    // Three are left of five, and one that was refused is given now.
    assert_eq!(bank.left(&tokens).await, 3);
    bank.picture("g3", &user).await.unwrap();
    // The difference of a month that has begun; what was given once is given once.
    assert_eq!(bank.money(&richer_tokens).await, (7_000_000, 0));
    assert_eq!(bank.house.me(&tokens).await.unwrap().plan, "free");
    let token = bank.house.refresh(&tokens.refresh_token).await.unwrap();
    let claims = api_keys::claims(&token.access_token);
    assert_eq!(claims["weight"], 2, "{claims}");

    // A plan that is taken away counts as free, and is none any more.
    bank.set_plan(&richer, "house").await.unwrap();
    reloaded.becomes(PLANS, 3).await;
    assert_eq!(bank.quotas(&richer_tokens).await.plan, "free");
    let gone = bank.set_plan(&user, "house").await;
    refused(gone, Code::NotFound, "NOT_FOUND");
    let refusal = bank.picture("g4", &user).await;
    refused(refusal, Code::ResourceExhausted, "QUOTA_EXHAUSTED");
}

#[tokio::test]
async fn an_account_that_was_given_nothing_is_given_what_a_file_gives_from_then_on() {
    let reloaded = Reloaded::new().await;
    let bank = &reloaded.bank;
    reloaded.becomes("[plans.free]\n[plans.a]", 2).await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.set_plan(&user, "a").await.unwrap();
    // It stands, and that is remembered.
    assert_eq!(bank.money(&tokens).await, (0, 0));
    let more = "[sign_up]\ncredits = 1\n[plans.free]\n[plans.a]\nmonthly_credits = 2\n[plans.b]";
    reloaded.becomes(more, 3).await;
    assert_eq!(bank.money(&tokens).await, (3_000_000, 0));
}

#[tokio::test]
async fn a_wrong_file_and_another_currency_change_nothing() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The test runs on one thread, so the recorder of this thread hears the watcher too.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let reloaded = Reloaded::new().await;
    let is_told = async |good: u8| {
        let line = format!("atelier_plans_are_good {good}\n");
        eventually(&line, async || handle.render().contains(&line)).await;
    };
    for wrong in [
        "[plans.pro]",
        "currency = \"EUR\"\n[plans.free]",
        "nonsense",
    ] {
        write(&reloaded.path, wrong);
        is_told(0).await;
        assert_eq!(reloaded.plans().await.len(), 3, "{wrong}");
        write(&reloaded.path, PLANS);
        is_told(1).await;
    }
    reloaded.becomes(OTHER, 4).await;
}
