//! Mails by SMTP to a server that others wrote; run by `./test system`, which brings that server.

use atelier_kit::sql;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use atelier_users::{Config, MailConfig, SmtpServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::house::{House, quiet};

/// The server, which ends with this.
struct Server {
    _process: Child,
    said: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Server {
    async fn new(wanted: &[&str]) -> Self {
        let python = std::env::var_os("AIOSMTPD_PYTHON").expect("AIOSMTPD_PYTHON is needed");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
        let mut process = Command::new(python)
            .arg(script)
            .args(wanted)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = said.next_line().await.unwrap().unwrap().parse().unwrap();
        Self {
            _process: process,
            said,
            port,
        }
    }

    /// The next mail that it took.
    async fn mail(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.said.next_line());
        serde_json::from_str(&line.await.expect("a mail comes").unwrap().unwrap()).unwrap()
    }

    async fn house(&self, folder: &Path, user: &str) -> House {
        let url = format!("smtp://{user}127.0.0.1:{}", self.port);
        let mails = MailConfig {
            smtp: Some(SmtpServer::parse(&url).unwrap()),
            from: "Atelier <atelier@x.org>".parse().unwrap(),
            link: "https://a.example/{purpose}#{token}".into(),
            every: Duration::from_millis(50),
        };
        House::at(folder, Config { mails, ..quiet() }).await
    }
}

/// How many times the mails to a recipient were begun, and how many of them wait.
async fn standing(house: &House, recipient: &str) -> (i64, i64) {
    sql::query_as(
        "SELECT CAST(SUM(attempts) AS BIGINT), COUNT(*) - COUNT(done_time) FROM mails WHERE recipient = $1",
    )
    .bind(recipient)
    .fetch_one(house.database().await.read())
    .await
    .unwrap()
}

async fn becomes(house: &House, recipient: &str, wanted: (i64, i64)) {
    atelier_kit::testing::eventually("the mail stands so", || async {
        standing(house, recipient).await == wanted
    })
    .await;
}

#[tokio::test]
#[ignore = "needs aiosmtpd: `./test system` brings it"]
async fn a_mail_server_of_others_takes_what_it_may_and_is_asked_again_when_it_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = [
        "--user",
        "ana:p@ss word",
        "--refuse",
        "refused@x.org",
        "--busy",
        "busy@x.org",
    ];
    let mut server = Server::new(&wanted).await;
    let house = server.house(folder.path(), "ana:p%40ss%20word@").await;
    let (user, _) = house.register("ana@x.org").await;
    let mail = server.mail().await;
    assert_eq!(mail["from"], "atelier@x.org");
    assert_eq!(mail["to"], serde_json::json!(["ana@x.org"]));
    assert_eq!(mail["signed_in"], true);
    assert_eq!(mail["header_from"], "Atelier <atelier@x.org>");
    assert_eq!(mail["subject"], "Verify your e-mail for Atelier");
    let text = mail["text"].as_str().unwrap();
    let link = text
        .lines()
        .find(|line| line.starts_with("https://"))
        .unwrap();
    let token = link.strip_prefix("https://a.example/verify#").unwrap();
    let request = atelier_proto::users::v1::ConfirmEmailRequest {
        token: token.into(),
    };
    let answer = house.client.clone().confirm_email(request).await.unwrap();
    assert_eq!(answer.into_inner().email, user.email);

    house.register("refused@x.org").await;
    becomes(&house, "refused@x.org", (1, 0)).await;
    house.register("busy@x.org").await;
    becomes(&house, "busy@x.org", (1, 1)).await;
    // The refusal may be written down only after the clock has been moved, and then it waits once more.
    let again = loop {
        house.clock.pass(11);
        let mail = tokio::time::timeout(Duration::from_secs(3), server.mail());
        if let Ok(mail) = mail.await {
            break mail;
        }
    };
    assert_eq!(again["to"], serde_json::json!(["busy@x.org"]));
    becomes(&house, "busy@x.org", (2, 0)).await;
    assert!(!folder.path().join("mails").exists());
}

#[tokio::test]
#[ignore = "needs aiosmtpd: `./test system` brings it"]
async fn mails_wait_until_the_password_of_the_server_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(&["--user", "ana:right"]).await;
    let house = server.house(folder.path(), "ana:wrong@").await;
    house.register("ana@x.org").await;
    becomes(&house, "ana@x.org", (1, 1)).await;
    house.close().await;
    let house = server.house(folder.path(), "ana:right@").await;
    house.clock.pass(120);
    assert_eq!(server.mail().await["to"], serde_json::json!(["ana@x.org"]));
    becomes(&house, "ana@x.org", (2, 0)).await;
}
