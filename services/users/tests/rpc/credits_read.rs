//! What an account reads of its credits: entries by pages, and the statement of a month.

use atelier_proto::users::v1 as pb;
use tonic::{Code, Status};

use crate::bank::{Bank, DAY, PICTURE, picture};
use crate::house::{PASSWORD, bad_field, by, refused};

const DOLLAR: i64 = 1_000_000;

/// The pieces of a statement.
async fn pieces(
    bank: &Bank,
    tokens: &pb::TokenPair,
    month: &str,
) -> Result<Vec<bytes::Bytes>, Status> {
    let request = pb::ExportStatementRequest {
        month: month.into(),
    };
    let mut client = bank.house.credits();
    let mut stream = client
        .export_statement(by(tokens, request))
        .await?
        .into_inner();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.message().await? {
        pieces.push(piece.data);
    }
    Ok(pieces)
}

type Row = std::collections::BTreeMap<String, String>;

/// The lines of a statement, by the names of their columns.
async fn statement(bank: &Bank, tokens: &pb::TokenPair, month: &str) -> Vec<Row> {
    let file = pieces(bank, tokens, month).await.unwrap().concat();
    let mut reader = csv::Reader::from_reader(&file[..]);
    let header = "time,kind,medium,generation_id,model,grant_id,change,balance,currency\r\n";
    assert!(file.starts_with(header.as_bytes()));
    reader.deserialize().map(Result::unwrap).collect()
}

/// The millionths of a decimal of six places.
fn micros(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 6, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

fn month_of(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap();
    time.to_string()[..7].to_owned()
}

/// The changes of a statement end at the balance that it closes with.
fn adds_up(rows: &[Row]) {
    let mut balance = micros(&rows[0]["balance"]);
    assert_eq!((&*rows[0]["kind"], &*rows[0]["change"]), ("opening", ""));
    for row in &rows[1..rows.len() - 1] {
        if row["kind"] != "charged" {
            balance += micros(&row["change"]);
        }
        assert_eq!(micros(&row["balance"]), balance, "{row:?}");
        assert_eq!(row["currency"], "USD");
    }
    let last = &rows[rows.len() - 1];
    assert_eq!((&*last["kind"], &*last["change"]), ("closing", ""));
    assert_eq!(micros(&last["balance"]), balance);
}

#[tokio::test]
async fn a_statement_adds_up_and_follows_the_one_before() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.gift(&user, 2 * DOLLAR).await;
    let priced = |id: &str, model: &str| pb::ReserveRequest {
        model: model.into(),
        ..picture(id, &user.id)
    };
    bank.reserve(priced("g1", "@maker/painter")).await.unwrap();
    bank.settle("g1", 0).await.unwrap();
    bank.reserve(priced("g2", "say \"cheese\", please"))
        .await
        .unwrap();
    bank.settle("g2", 1).await.unwrap();
    let this = month_of(bank.month.0);
    let rows = statement(&bank, &tokens, &this).await;
    adds_up(&rows);
    let kinds: Vec<&str> = rows.iter().map(|row| &*row["kind"]).collect();
    let expected = [
        "opening", "granted", "granted", "reserved", "returned", "reserved", "charged", "closing",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(rows[0]["time"], format!("{this}-01T00:00:00Z"));
    assert_eq!(
        rows[7]["time"],
        jiff::Timestamp::from_microsecond(bank.now())
            .unwrap()
            .to_string()
    );
    assert_eq!(
        (&*rows[3]["medium"], &*rows[3]["generation_id"]),
        ("image", "g1")
    );
    assert_eq!(
        (&*rows[3]["change"], &*rows[4]["change"]),
        ("-0.040000", "0.040000")
    );
    assert_eq!(
        (&*rows[6]["change"], &*rows[6]["balance"]),
        ("0.040000", "2.960000")
    );
    // No spreadsheet calculates with a model's name, and no comma ends it.
    assert_eq!(
        (&*rows[3]["model"], &*rows[5]["model"]),
        ("'@maker/painter", "say \"cheese\", please")
    );

    // The sign-up's have expired; the next month opens with what this one closed with.
    bank.house.clock.set(bank.month.1 + DAY);
    let tokens = bank
        .house
        .login("ana@x.org", PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    bank.balance(&tokens).await;
    let (before, after) = (
        rows,
        statement(&bank, &tokens, &month_of(bank.month.1)).await,
    );
    adds_up(&after);
    assert_eq!(after[0]["balance"], before[7]["balance"]);
    let kinds: Vec<&str> = after.iter().map(|row| &*row["kind"]).collect();
    assert_eq!(kinds, ["opening", "expired", "closing"]);
    // The month that is over is told to its end.
    let whole = statement(&bank, &tokens, &this).await;
    assert_eq!(
        whole[7]["time"],
        format!("{}-01T00:00:00Z", month_of(bank.month.1))
    );
    assert_eq!(whole[..7], before[..7]);
    // One before the account was there has nothing.
    let rows = statement(&bank, &tokens, "1999-12").await;
    assert_eq!(rows.len(), 2);
    adds_up(&rows);
}

#[tokio::test]
async fn a_long_statement_comes_in_pieces_of_whole_lines() {
    let bank = Bank::with("[plans.free]\nconcurrency = 1000\n[sign_up]\ncredits = 1000").await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (name, id) = ("\"".repeat(200), "\"".repeat(60));
    for number in 0..100 {
        let request = pb::ReserveRequest {
            model: name.clone(),
            ..picture(&format!("{id}{number}"), &user.id)
        };
        bank.reserve(request).await.unwrap();
    }
    let told = pieces(&bank, &tokens, &month_of(bank.now())).await.unwrap();
    assert!(told.len() > 1, "{}", told.len());
    for piece in &told {
        assert!(piece.len() <= 64 * 1024, "{}", piece.len());
        assert!(piece.ends_with(b"\r\n"));
    }
    let rows = statement(&bank, &tokens, &month_of(bank.now())).await;
    adds_up(&rows);
    assert_eq!(rows.len(), 103);
    assert_eq!(rows[50]["model"], name);
}

#[tokio::test]
async fn only_a_month_that_has_begun_is_told() {
    let bank = Bank::new().await;
    let (_, tokens) = bank.house.register("ana@x.org").await;
    let next = month_of(bank.month.1);
    for month in ["", "2026", "2026-13", "2026-11-01", "now", &next] {
        bad_field(pieces(&bank, &tokens, month).await, "month");
    }
}

#[tokio::test]
async fn entries_are_told_page_by_page_the_newest_first() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    for amount in 1..=6 {
        bank.gift(&user, amount).await;
    }
    bank.picture("g1", &user).await.unwrap();
    let page = async |size: i32, token: &str| {
        let request = pb::ListLedgerEntriesRequest {
            page_size: size,
            page_token: token.into(),
        };
        let answer = bank
            .house
            .credits()
            .list_ledger_entries(by(&tokens, request))
            .await;
        answer.map(tonic::Response::into_inner)
    };
    let all = page(0, "").await.unwrap();
    assert_eq!(all.next_page_token, "");
    // The sign-up's, six gifts, one reserved.
    assert_eq!(all.entries.len(), 8);
    let newest = &all.entries[0];
    assert_eq!(
        (newest.kind(), newest.amount_micros),
        (pb::EntryKind::Reserved, PICTURE)
    );
    assert_eq!(
        (newest.medium(), newest.model.as_str()),
        (pb::Medium::Image, "painter-1")
    );
    assert_eq!(
        (newest.generation_id.as_str(), newest.balance_micros),
        ("g1", DOLLAR + 21 - PICTURE)
    );
    assert_eq!(all.entries[1].medium(), pb::Medium::Unspecified);
    assert!(all.entries.windows(2).all(|pair| pair[0].id > pair[1].id));
    let (mut told, mut token) = (Vec::new(), String::new());
    loop {
        let answer = page(3, &token).await.unwrap();
        assert!(answer.entries.len() <= 3);
        told.extend(answer.entries);
        // What happens meanwhile moves no page.
        bank.gift(&user, 100).await;
        bank.house.clock.pass(1);
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(told, all.entries);

    bad_field(page(-1, "").await, "page_size");
    bad_field(page(1001, "").await, "page_size");
    let token = page(1, "").await.unwrap().next_page_token;
    bad_field(page(1, &token[1..]).await, "page_token");
    // Another's page is none.
    let (_, other) = bank.house.register("bob@x.org").await;
    let request = pb::ListLedgerEntriesRequest {
        page_size: 1,
        page_token: token,
    };
    bad_field(
        bank.house
            .credits()
            .list_ledger_entries(by(&other, request))
            .await,
        "page_token",
    );
}

#[tokio::test]
async fn nobody_reads_anothers_credits() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let (_, other) = bank.house.register("bob@x.org").await;
    bank.gift(&user, 7).await;
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(bank.money(&other).await, (DOLLAR, 0));
    let entries = bank.entries(&other).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let rows = statement(&bank, &other, &month_of(bank.now())).await;
    assert_eq!(rows.len(), 3);
    assert_eq!(bank.left(&other).await, 2);

    // Nor without a session.
    let mut client = bank.house.credits();
    let answer = client.get_balance(pb::GetBalanceRequest {}).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
    let logout = pb::LogoutRequest::default();
    bank.house
        .client
        .clone()
        .logout(by(&tokens, logout))
        .await
        .unwrap();
    let answer = client
        .get_balance(by(&tokens, pb::GetBalanceRequest {}))
        .await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    let answer = pieces(&bank, &tokens, &month_of(bank.now())).await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    // Who has no credits has no entries to read.
    let (_, stranger) = bank.house.anonymous().await;
    let request = by(&stranger, pb::ListLedgerEntriesRequest::default());
    let answer = client.list_ledger_entries(request).await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
}
