//! Mails by SMTP against a server of a few lines that says what it is told to.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;

/// Takes one mail, and answers RCPT with a line; returns where it is and what it will have heard.
async fn server(rcpt: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut heard = String::new();
        let mut body = false;
        write.write_all(b"220 here\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            heard.push_str(&line);
            heard.push('\n');
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." => {
                    body = false;
                    "250 taken"
                }
                _ if body => continue,
                "DATA" => {
                    body = true;
                    "354 go on"
                }
                "RCPT" => rcpt,
                "QUIT" => "221 bye",
                _ => "250 fine",
            };
            if write
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .is_err()
            {
                break;
            }
        }
        heard
    });
    (port, heard)
}

fn mail() -> Mail {
    Mail {
        id: "0190-1".into(),
        to: "ana@y.org".into(),
        subject: "A subject",
        text: "See:\n\n.hidden\nhttp://localhost:8080/#reset=abc\n"
            .to_owned()
            .into(),
        link: None,
    }
}

fn mailer(port: u16) -> SmtpMailer {
    let server = SmtpServer::parse(&format!("smtp://127.0.0.1:{port}")).unwrap();
    SmtpMailer::new(server, "Atelier <atelier@x.org>".parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_mail_is_handed_over_whole() {
    let (port, heard) = server("250 fine").await;
    let mailer = mailer(port);
    mailer.send(&mail()).await.unwrap();
    assert_eq!(mailer.told(), format!("smtp 127.0.0.1:{port}"));
    let heard = heard.await.unwrap();
    for line in [
        "MAIL FROM:<atelier@x.org>",
        "RCPT TO:<ana@y.org>",
        "To: ana@y.org",
        "..hidden",
        "http://localhost:8080/#reset=abc",
    ] {
        assert!(
            heard.lines().any(|found| found.trim_end() == line),
            "{line} in {heard}"
        );
    }
}

#[tokio::test]
async fn no_such_mailbox_is_for_ever_and_everything_else_is_not() {
    for (answer, refused) in [
        ("550 no such mailbox", true),
        ("501 no such address", true),
        ("450 come back", false),
        ("535 who are you", false),
        ("521 not here", false),
    ] {
        let (port, heard) = server(answer).await;
        let error = mailer(port).send(&mail()).await.unwrap_err();
        assert_eq!(
            matches!(error, MailError::Refused(_)),
            refused,
            "{answer}: {error:?}"
        );
        drop(heard);
    }
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = away.local_addr().unwrap().port();
    drop(away);
    let error = mailer(port).send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailError::Away(_)), "{error:?}");
}

#[tokio::test]
async fn a_password_is_not_told_to_a_server_without_tls() {
    let (port, heard) = server("250 fine").await;
    // By a name that is not this machine's, though it is.
    let url = format!("smtp://ana:hunter2@127.0.0.1.nip.invalid:{port}");
    let server = SmtpServer::parse(&url).unwrap();
    assert!(server.url.expose_secret().contains("tls=required"));
    let required = AsyncSmtpTransport::<Tokio1Executor>::from_url(&format!(
        "smtp://ana:hunter2@127.0.0.1:{port}?tls=required"
    ))
    .unwrap()
    .build();
    let mailer = SmtpMailer {
        server,
        transport: required,
        sender: "atelier@x.org".parse().unwrap(),
    };
    let error = mailer.send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailError::Away(_)), "{error:?}");
    let heard = heard.await.unwrap();
    assert!(
        !heard.contains("AUTH") && !heard.contains("MAIL"),
        "{heard}"
    );
}

#[test]
fn a_server_is_read_and_its_password_never_shown() {
    let read = |url: &str| SmtpServer::parse(url);
    let told = |url: &str| read(url).unwrap().told;
    assert_eq!(told("smtps://mail.example"), "mail.example:465");
    assert_eq!(told("smtp://mail.example"), "mail.example:587");
    assert_eq!(
        told("smtp://ana:hunter2@mail.example:25"),
        "mail.example:25"
    );
    for plain in [
        "smtp://localhost:25",
        "smtp://a:b@127.0.0.1:25",
        "smtp://mail.example",
    ] {
        let url = read(plain).unwrap().url;
        assert!(
            url.expose_secret().ends_with("tls=opportunistic"),
            "{plain}"
        );
    }
    for bad in [
        "",
        "mail.example:25",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example?tls=required",
        "smtp://mail.example:25#x",
        "smtp://ana:hunter2@mail.example:99999",
    ] {
        let error = read(bad).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let shown = format!("{:?}", read("smtps://ana:hunter2@mail.example").unwrap());
    assert_eq!(shown, "SmtpServer(mail.example:465)");
}
