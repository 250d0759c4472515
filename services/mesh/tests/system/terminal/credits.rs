//! Credits at a shell: what there is, what happened to it, plans, refusals, and what admins give.

use std::path::Path;

use super::Desk;
use crate::priced::{self, make_admin};
use crate::running::{Launch, Running, free_port};

/// Two pictures a day for nothing, a plan that anybody may take, and one that nobody can.
const PLANS: &str = r#"
[plans.free]
quotas = { image = 2 }

[plans.premium]
monthly_credits = "5"
quotas = { image = 100 }
open = true

[plans.staff]
monthly_credits = 50
"#;

const PICTURE: [&str; 4] = ["image", "a boat", "--size", "64x64"];

async fn mesh(folder: &Path) -> Running {
    priced::launch(folder, PLANS).start().await
}

/// The same plans where models cost nothing.
async fn free_mesh(folder: &Path) -> Running {
    let plans = folder.join("plans.toml");
    std::fs::write(&plans, PLANS).unwrap();
    Launch::serving(&[], &folder.join("mesh"))
        .env("ATELIER_PLANS", plans.display().to_string())
        .start()
        .await
}

#[tokio::test]
async fn a_quota_is_told_and_its_refusal_says_when_it_is_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = free_mesh(folder.path()).await;
    let mut desk = Desk::at(mesh.edge());
    desk.run(&["credits"]).await.refused(77);
    desk.register().await;
    let said = desk.run(&["credits"]).await;
    assert_eq!(
        said.well(),
        "0.00 USD to spend\nplan free · 32 at once\npictures 2 of 2 left today\n"
    );
    for left in [1, 0] {
        // A picture that is paid for is told as any other.
        let said = desk.run(&PICTURE).await;
        assert!(said.well().ends_with(".png\n"), "{said:?}");
        assert_eq!(said.err, "");
        let said = desk.run(&["credits", "quotas"]).await;
        let line = format!("pictures {left} of 2 left today · all again at 20");
        assert!(said.well().contains(&line), "{said:?}");
        assert!(said.well().ends_with(" 00:00 UTC\n"), "{said:?}");
    }
    let said = desk.run(&PICTURE).await;
    let line = said.refused(75);
    assert!(line.contains("`atelier credits`"), "{line}");
    assert!(line.contains("it may work again at 20"), "{line}");
    assert!(line.ends_with(" 00:00 UTC"), "{line}");

    let told = desk.run(&["credits", "--json"]).await.json();
    assert_eq!(told[0]["balance"]["currencyCode"], "USD");
    assert_eq!(told[1]["plan"], "free");
    assert_eq!(told[1]["quotas"][0]["medium"], "MEDIUM_IMAGE");
    assert_eq!(told[1]["quotas"][0]["limit"], "2");
    // A flag may stand on either side of what is asked for.
    let before = desk.run(&["credits", "--json", "quotas"]).await.json();
    let after = desk.run(&["credits", "quotas", "--json"]).await.json();
    assert_eq!((before.len(), &before[0]), (1, &after[0]));
}

#[tokio::test]
async fn a_plan_is_chosen_spent_and_told_in_a_statement() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh(folder.path()).await;
    let mut desk = Desk::at(mesh.edge());
    let plans = desk.run(&["credits", "plans"]).await;
    let lines: Vec<&str> = plans.well().lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].starts_with("premium "), "{lines:?}");
    assert!(lines[1].ends_with("pictures 100 a day · 5.00 USD a month"));
    assert!(lines[2].ends_with("given by admins"), "{lines:?}");

    desk.register().await;
    let said = desk.run(&PICTURE).await;
    let line = said.refused(1);
    assert!(line.contains("`atelier credits`"), "{line}");
    assert!(desk.run(&["credits", "entries"]).await.well().is_empty());
    for plan in ["staff", "nobody's"] {
        desk.run(&["credits", "change-plan", plan]).await.refused(1);
    }
    let said = desk.run(&["credits", "change-plan", "premium"]).await;
    assert!(said.well().ends_with("\n5.00 USD to spend\n"), "{said:?}");

    assert_eq!(desk.run(&PICTURE).await.code, 0);
    // What it cost is settled a moment after its end.
    let mut entries = Vec::new();
    for _ in 0..100 {
        entries = desk.run(&["credits", "entries", "--json"]).await.json();
        if entries.iter().any(|it| it["kind"] == "ENTRY_KIND_CHARGED") {
            break;
        }
    }
    let kinds: Vec<&str> = entries
        .iter()
        .map(|entry| {
            entry["kind"]
                .as_str()
                .unwrap()
                .trim_start_matches("ENTRY_KIND_")
        })
        .collect();
    assert_eq!(kinds, ["CHARGED", "RESERVED", "GRANTED"]);
    assert_eq!(entries[0]["amountMicros"], "40000");
    assert_eq!(entries[0]["model"], "painter");
    let said = desk.run(&["credits", "balance"]).await;
    assert!(said.well().starts_with("4.96 USD to spend\n"), "{said:?}");
    assert!(said.well().contains("4.96 of 5.00"), "{said:?}");
    assert!(said.well().contains("of the plan · until "), "{said:?}");
    let said = desk.run(&["credits", "entries", "-n", "2"]).await;
    assert_eq!(said.well().lines().count(), 2, "{said:?}");

    let csv = desk.run(&["credits", "statement"]).await;
    let lines: Vec<&str> = csv.well().lines().collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines[0].starts_with("time,kind,medium,"), "{lines:?}");
    assert!(lines[5].contains("4.960000,USD"), "{lines:?}");
    let args = ["credits", "statement", "-o", "month.csv"];
    assert_eq!(desk.run(&args).await.well(), "month.csv\n");
    let written = std::fs::read_to_string(desk.folder().join("month.csv")).unwrap();
    let written: Vec<&str> = written.lines().collect();
    // The last line of a month that has not ended is of the moment.
    assert_eq!(written[..5], lines[..5]);
    assert_eq!(written.len(), 6);
    desk.run(&args).await.refused(64);
    let told = [&args[..], &["--force", "--json"]].concat();
    assert_eq!(desk.run(&told).await.json()[0]["file"], "month.csv");
    let other = desk
        .run(&["credits", "statement", "--month", "2020-02"])
        .await;
    assert_eq!(other.well().lines().count(), 3, "{other:?}");
}

#[tokio::test]
async fn an_admin_gives_and_gives_back() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh(folder.path()).await;
    let (mut desk, mut admin) = (Desk::at(mesh.edge()), Desk::at(mesh.edge()));
    let email = desk.register().await;
    let who = desk.run(&["whoami", "--json"]).await.json();
    let id = who[0]["id"].as_str().unwrap();
    for args in [
        &["credits", "grant", &email, "1"][..],
        &["credits", "refund", "anything"],
        &["credits", "set-plan", &email, "premium"],
        &["credits", "spending"],
    ] {
        desk.run(args).await.refused(77);
    }
    let boss = admin.register().await;
    make_admin(folder.path(), &boss).await;
    // The token in hand is still a user's; a renewed one says what the account is.
    super::tamper(&admin.credentials(), |sign_in| {
        sign_in["access_expires"] = 0.into();
    });

    let once = [
        "credits",
        "grant",
        &email,
        "2.5",
        "--expires",
        "2999-12-31",
        "--note",
        "a gift",
        "--request-id",
        "gift",
    ];
    for _ in 0..2 {
        let said = admin.run(&once).await;
        assert!(
            said.well()
                .starts_with("2.50 USD given until 3000-01-01 00:00 UTC"),
            "{said:?}"
        );
        assert!(said.well().ends_with("\n2.50 USD to spend\n"), "{said:?}");
    }
    let said = admin
        .run(&["credits", "grant", id, "0.000001", "--json"])
        .await;
    assert_eq!(said.json()[0]["grant"]["amountMicros"], "1");
    let said = desk.run(&["credits", "balance"]).await;
    assert!(
        said.well().starts_with("2.500001 USD to spend\n"),
        "{said:?}"
    );
    assert!(said.well().contains("given · until 3000-01-01"), "{said:?}");
    assert!(said.well().contains("a gift"), "{said:?}");
    let line = admin
        .run(&["credits", "grant", "nobody@example.com", "1"])
        .await;
    assert!(line.refused(1).contains("nobody@example.com"), "{line:?}");

    assert_eq!(desk.run(&PICTURE).await.code, 0);
    let mut generation = None;
    for _ in 0..100 {
        let entries = desk.run(&["credits", "entries", "--json"]).await.json();
        let charged = entries.iter().find(|it| it["kind"] == "ENTRY_KIND_CHARGED");
        generation = charged.map(|it| it["generationId"].as_str().unwrap().to_owned());
        if generation.is_some() {
            break;
        }
    }
    let generation = generation.expect("a charge");
    let part = ["credits", "refund", &generation, "--amount", "0.01"];
    assert_eq!(admin.run(&part).await.well(), "0.01 given back\n");
    let rest = ["credits", "refund", &generation];
    assert_eq!(admin.run(&rest).await.well(), "0.03 given back\n");
    admin.run(&rest).await.refused(1);
    let said = desk.run(&["credits"]).await;
    assert!(
        said.well().starts_with("2.500001 USD to spend\n"),
        "{said:?}"
    );

    let said = admin.run(&["credits", "set-plan", &email, "staff"]).await;
    assert!(said.well().starts_with("staff "), "{said:?}");
    assert!(
        said.well().ends_with("\n52.500001 USD to spend\n"),
        "{said:?}"
    );
    let said = admin.run(&["credits", "spending"]).await;
    let lines: Vec<&str> = said.well().lines().collect();
    assert!(lines[0].starts_with("this hour "), "{said:?}");
    assert!(said.well().contains("\nissued "), "{said:?}");
}

#[tokio::test]
async fn what_is_written_wrongly_is_refused_before_a_mesh_is_looked_for() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let desk = Desk::at(&url);
    for args in [
        &["credits", "grant", "a@example.com", "0"][..],
        &["credits", "grant", "a@example.com", "-1"],
        &["credits", "grant", "a@example.com", "1e3"],
        &["credits", "grant", "a@example.com", "0.0000001"],
        &[
            "credits",
            "grant",
            "a@example.com",
            "1",
            "--expires",
            "2020-01-01",
        ],
        &[
            "credits",
            "grant",
            "a@example.com",
            "1",
            "--priority",
            "101",
        ],
        &["credits", "refund", "g", "--amount", "0"],
        &["credits", "statement", "--month", "2026-13"],
        &["credits", "statement", "--json"],
        &["credits", "statement", "-o", "no/folder/here.csv"],
        &["credits", "entries", "-n", "0"],
        &["credits", "nothing"],
    ] {
        let said = desk.run(args).await;
        assert_eq!(said.code, 64, "{args:?}: {said:?}");
        assert!(said.out.is_empty(), "{said:?}");
    }
    let said = desk.run(&["credits"]).await;
    assert!(said.refused(69).contains(&url), "{said:?}");
    let said = desk.run(&["credits", "--help"]).await;
    assert!(said.well().contains("atelier credits grant "), "{said:?}");
}
