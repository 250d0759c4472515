//! The courier with real tables and a mailer that does what it is told: nothing is lost, and nothing is sent twice that
//! need not be.

use atelier_kit::sql;
use atelier_kit::testing::servers::postgres_of;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::*;
use crate::emails::{Purpose, Wanted};
use crate::mail_token::MailToken;
use crate::ports::{Mail, MailTokenStore as _};
use crate::store::{self, SqlMailStore, SqlMailTokenStore};

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Micros {
        self.0.load(SeqCst)
    }
}

/// What happens to a mail.
#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Away,
    Refused,
    Stuck,
}

/// Meets each mail with the next fate; then all are taken.
#[derive(Default)]
struct Fated {
    fates: Mutex<VecDeque<Fate>>,
    /// Recipient and link of every mail that was tried.
    tried: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl Mailer for Fated {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let link = mail.link.as_ref().map_or("", |link| link.expose_secret());
        self.tried
            .lock()
            .unwrap()
            .push((mail.to.clone(), link.to_owned()));
        let fate = self.fates.lock().unwrap().pop_front();
        match fate.unwrap_or(Fate::Taken) {
            Fate::Taken => Ok(()),
            Fate::Away => Err(MailError::Away("away".into())),
            Fate::Refused => Err(MailError::Refused("no".into())),
            Fate::Stuck => std::future::pending().await,
        }
    }

    fn told(&self) -> String {
        "nowhere".into()
    }
}

struct Office {
    courier: Courier,
    mailer: Arc<Fated>,
    clock: Arc<Hand>,
    tokens: SqlMailTokenStore,
    database: atelier_kit::sql::Database,
    _folder: tempfile::TempDir,
}

impl Office {
    async fn new(fates: &[Fate]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = store::open(postgres_of(folder.path()).as_ref(), folder.path())
            .await
            .unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_000_000 * SECOND)));
        let mailer = Arc::new(Fated {
            fates: Mutex::new(fates.iter().copied().collect()),
            ..Fated::default()
        });
        let office = Self {
            courier: Courier {
                mails: Arc::new(SqlMailStore::new(database.clone())),
                mailer: mailer.clone(),
                letters: Letters::new("{purpose}={token}".into(), &[1; 32]),
                clock: clock.clone(),
                bell: Arc::new(Notify::new()),
                every: Duration::from_millis(5),
            },
            mailer,
            clock,
            tokens: SqlMailTokenStore::new(database.clone()),
            database,
            _folder: folder,
        };
        office.account("u1", "ana@x.org").await;
        office
    }

    async fn account(&self, id: &str, email: &str) {
        let mut writer = self.database.begin().await.unwrap();
        sql::query(
            "INSERT INTO users (id, email, password_hash, display_name, role, create_time, update_time) \
             VALUES ($1, $2, 'x', '', 'user', 0, 0)",
        )
        .bind(id)
        .bind(email)
        .execute(&mut *writer)
        .await
        .unwrap();
        writer.commit().await.unwrap();
    }

    async fn want(&self, purpose: Purpose, recipient: &str, user_id: Option<&str>) {
        let wanted = Wanted {
            purpose,
            recipient,
            user_id,
        };
        self.courier
            .mails
            .want(&[wanted], self.clock.now())
            .await
            .unwrap();
    }

    /// Takes all that is due.
    async fn work(&self) {
        while self.courier.round().await {}
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * SECOND, SeqCst);
    }

    /// The links that were sent or tried so far.
    fn links(&self) -> Vec<String> {
        let tried = self.mailer.tried.lock().unwrap();
        tried.iter().map(|(_, link)| link.clone()).collect()
    }

    async fn resets(&self, link: &str) -> bool {
        let token = link.strip_prefix("reset=").unwrap().to_owned();
        let token = MailToken::presented(token).hash();
        self.tokens.resets(&token, self.clock.now()).await.unwrap()
    }

    async fn waiting(&self) -> i64 {
        let (count,): (i64,) = sql::query_as("SELECT COUNT(*) FROM mails WHERE done_time IS NULL")
            .fetch_one(self.database.read())
            .await
            .unwrap();
        count
    }
}

#[tokio::test]
async fn a_mail_is_sent_once() {
    let office = Office::new(&[]).await;
    office.want(Purpose::Reset, "ana@x.org", None).await;
    office.work().await;
    office.pass(1_000);
    office.work().await;
    assert_eq!(office.links().len(), 1);
    assert_eq!(office.waiting().await, 0);
    assert!(office.resets(&office.links()[0]).await);
}

#[tokio::test]
async fn nobody_gets_no_mail_and_counts_like_somebody() {
    let office = Office::new(&[]).await;
    for _ in 0..8 {
        for recipient in ["ana@x.org", "nobody@x.org"] {
            office.want(Purpose::Reset, recipient, None).await;
        }
        office.work().await;
        office.pass(61);
    }
    assert_eq!(office.links().len(), 5, "five in an hour");
    let rows: Vec<(String, i64)> = sql::query_as(
        "SELECT recipient, COUNT(*) FROM mails GROUP BY recipient ORDER BY recipient",
    )
    .fetch_all(office.database.read())
    .await
    .unwrap();
    assert_eq!(
        rows,
        [("ana@x.org".to_owned(), 5), ("nobody@x.org".to_owned(), 5)]
    );
    assert_eq!(office.waiting().await, 0);
    office.pass(3_600);
    office.want(Purpose::Reset, "ana@x.org", None).await;
    office.work().await;
    assert_eq!(office.links().len(), 6);
}

#[tokio::test]
async fn a_second_mail_within_a_minute_is_not_sent() {
    let office = Office::new(&[]).await;
    for (pass, sent) in [(0, 1), (59, 1), (1, 2)] {
        office.pass(pass);
        office.want(Purpose::Reset, "ana@x.org", None).await;
        office.work().await;
        assert_eq!(office.links().len(), sent, "after {pass}");
    }
    let links = office.links();
    assert!(!office.resets(&links[0]).await, "the newer ended the older");
    assert!(office.resets(&links[1]).await);
}

#[tokio::test]
async fn who_is_away_is_tried_again_with_the_same_token_and_the_whole_hour() {
    let office = Office::new(&[Fate::Away, Fate::Away]).await;
    office.want(Purpose::Reset, "ana@x.org", None).await;
    office.work().await;
    office.pass(9);
    office.work().await;
    assert_eq!(office.links().len(), 1, "not before the pause is over");
    office.pass(1);
    office.work().await;
    office.pass(20);
    office.work().await;
    let links = office.links();
    assert_eq!(links.len(), 3);
    assert!(links.iter().all(|link| *link == links[0]));
    assert_eq!(office.waiting().await, 0);
    office.pass(3_599);
    assert!(office.resets(&links[0]).await);
    office.pass(1);
    assert!(!office.resets(&links[0]).await);
}

#[tokio::test]
async fn a_refused_mail_is_not_tried_again_and_an_old_one_is_given_up() {
    let office = Office::new(&[Fate::Refused]).await;
    office.want(Purpose::Reset, "ana@x.org", None).await;
    office.work().await;
    assert_eq!((office.links().len(), office.waiting().await), (1, 0));
    office.pass(61);
    let fates = std::iter::repeat_n(Fate::Away, 1_000);
    office.mailer.fates.lock().unwrap().extend(fates);
    office.want(Purpose::Reset, "ana@x.org", None).await;
    for _ in 0..200 {
        office.work().await;
        office.pass(15 * 60);
    }
    assert_eq!(office.waiting().await, 0);
    let tried = office.links().len();
    assert!((90..=110).contains(&tried), "{tried}");
}

#[tokio::test]
async fn a_mail_that_was_begun_by_a_process_that_died_is_sent_by_the_next() {
    let office = Office::new(&[]).await;
    office.want(Purpose::Reset, "ana@x.org", None).await;
    let now = office.clock.now();
    let claimed = office
        .courier
        .mails
        .claim(now, now + LEASE, 8)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    office.work().await;
    assert!(office.links().is_empty(), "it is another's for a while");
    office.pass(LEASE / SECOND);
    office.work().await;
    assert_eq!(office.links().len(), 1);
}

#[tokio::test]
async fn a_mail_that_was_replaced_while_it_waited_does_not_end_the_newer() {
    let office = Office::new(&[]).await;
    office.want(Purpose::Change, "one@x.org", Some("u1")).await;
    let now = office.clock.now();
    let first = office
        .courier
        .mails
        .claim(now, now + LEASE, 8)
        .await
        .unwrap();
    office.pass(61);
    office.want(Purpose::Change, "two@x.org", Some("u1")).await;
    office.work().await;
    office.courier.take(&first[0]).await.unwrap();
    let tried = office.mailer.tried.lock().unwrap().clone();
    assert_eq!(tried.len(), 1);
    assert_eq!(tried[0].0, "two@x.org");
}

#[tokio::test]
async fn what_only_tells_of_something_is_told_whatever_comes_after_it() {
    let office = Office::new(&[]).await;
    office.want(Purpose::Changed, "one@x.org", Some("u1")).await;
    office.pass(61);
    office.want(Purpose::Changed, "two@x.org", Some("u1")).await;
    office.work().await;
    let tried = office.mailer.tried.lock().unwrap().clone();
    assert_eq!(tried.len(), 2);
}

#[tokio::test]
async fn the_bell_is_heard_and_the_end_does_not_wait_for_a_server_that_hangs() {
    let office = Office::new(&[Fate::Stuck]).await;
    let (mails, bell, clock) = (
        office.courier.mails.clone(),
        office.courier.bell.clone(),
        office.clock.clone(),
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let courier = Courier {
        every: Duration::from_secs(3_600),
        ..office.courier
    };
    let running = tokio::spawn(courier.run(async move {
        let _ = stopped.await;
    }));
    let wanted = Wanted {
        purpose: Purpose::Reset,
        recipient: "ana@x.org",
        user_id: None,
    };
    mails.want(&[wanted], clock.now()).await.unwrap();
    bell.notify_one();
    atelier_kit::testing::eventually("the mail is tried", || async {
        office.mailer.tried.lock().unwrap().len() == 1
    })
    .await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .expect("it ends")
        .unwrap();
}

#[test]
fn pauses_double_up_to_a_quarter_of_an_hour() {
    let pauses: Vec<Micros> = (1..=9).map(|attempts| pause(attempts) / SECOND).collect();
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
    assert_eq!(pause(i64::MAX), LONGEST_PAUSE);
}
