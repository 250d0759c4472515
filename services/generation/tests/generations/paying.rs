//! Paying: what a generation is allowed is told wherever it is told of, and the credits of the users service are asked for it
//! over a link, by this service, for as long as it makes sense.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use atelier_generation::peers::CreditsPurse;
use atelier_generation::testing::Credits;
use atelier_generation::{Job, Purse as _, reasons};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::ServiceTokens;
use atelier_kit::link::Link;
use atelier_kit::moment;
use atelier_kit::testing::{Issuer, secret};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Allowance, GenerationEvent, Standing, State, Usage};
use bytes::Bytes;
use tokio_util::sync::DropGuard;
use tonic::Status;

use crate::book;
use crate::puppet::{Act, quote};
use crate::stage::{Plan, Process, collect, file, next, piece};

fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        owner: "ana".to_owned(),
        kind: "make-piece".to_owned(),
        task: Bytes::new(),
        model: "wood".to_owned(),
        create_time: moment::now(),
    }
}

fn allowed() -> Allowance {
    book::allowance(&quote(&job("any")).unwrap())
}

/// What is told of the allowance, event by event.
fn told(events: &[GenerationEvent]) -> Vec<Option<Allowance>> {
    let allowance = |event: &GenerationEvent| match event.event.as_ref().unwrap() {
        Event::Started(started) => Some(started.allowance.clone()),
        Event::Snapshot(snapshot) => Some(snapshot.allowance.clone()),
        _ => None,
    };
    events.iter().filter_map(allowance).collect()
}

#[tokio::test]
async fn the_allowance_is_told_when_it_begins_and_again_by_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "a word");
    process.puppets.tell(&id, Act::Replaced);
    process.puppets.finish(&id);
    let events = collect(stream).await;
    // Whoever takes the place of the first is paid from the same.
    assert_eq!(told(&events), [Some(allowed()), Some(allowed())]);
    process.lose_journal(&id).await;
    let replayed = process.watch(&id, 0).await;
    assert_eq!(told(&replayed), [Some(allowed())]);
    assert_eq!(process.find(&id).await.snapshot.allowance, Some(allowed()));
}

#[tokio::test]
async fn when_to_come_again_is_told_in_the_stream_the_record_and_the_lists() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let until = 4_000_000_000_123_456;
    *process.book.resting.lock().unwrap() = Some(until);
    let (id, stream) = process.begin().await;
    let events = collect(stream).await;
    assert!(told(&events).is_empty());
    process.lose_journal(&id).await;
    for events in [events, process.watch(&id, 0).await] {
        let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
            panic!("{events:?}")
        };
        assert_eq!(failed.reason, "QUOTA_EXHAUSTED");
        assert_eq!(failed.retry_time, Some(moment::timestamp(until)));
    }
    let listed = process.record.list("ana", None, false, 10).await.unwrap();
    assert_eq!(listed[0].failure.as_ref().unwrap().retry_time, Some(until));
    assert!(process.puppets.began().is_empty());
    process.book.reads(&id, &["release"]).await;
}

#[tokio::test]
async fn one_that_cannot_be_quoted_is_neither_paid_nor_sent() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let new = piece("ana", None, "sold out");
    let id = new.id.clone();
    collect(process.engine.start(new).await.unwrap()).await;
    let ended = process.find(&id).await;
    assert_eq!(ended.failure.unwrap().reason, "SOLD_OUT");
    assert!(process.puppets.began().is_empty());
    process.book.reads(&id, &["release"]).await;
}

#[tokio::test]
async fn an_owner_that_took_over_is_told_as_allowed_too() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let new = piece("ana", None, "a body");
    let record = process.left_behind(&new, false).await;
    let plan = Plan {
        lease: Duration::from_millis(100),
        ..Plan::default()
    };
    let taker = Process::start(&file(&folder), plan).await;
    taker.puppets.finish(&record.id);
    taker.ended(&record.id).await;
    let events = taker.watch(&record.id, 0).await;
    assert_eq!(told(&events), [None, Some(allowed())]);
    taker.book.reads(&record.id, &["reserve", "release"]).await;
}

#[tokio::test]
async fn who_keeps_the_credits_is_told_how_a_generation_stands() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.book.away.store(true, Ordering::SeqCst);
    let standing = async |id: &str| process.engine.inspect_rpc(id).await.unwrap();
    let stands = |state: State, written: Option<i64>| Standing {
        state: state.into(),
        charge: written.map(|output_tokens| Usage {
            output_tokens,
            ..Usage::default()
        }),
    };
    let (done, mut stream) = process.begin().await;
    process.puppets.say(&done, "a word");
    next(&mut stream, 3).await;
    assert_eq!(standing(&done).await, stands(State::Running, None));
    process.puppets.finish(&done);
    collect(stream).await;
    assert_eq!(standing(&done).await, stands(State::Completed, Some(1)));

    let (failing, stream) = process.begin().await;
    process.puppets.say(&failing, "a word");
    let no = atelier_generation::Failure::lasting("NO", "no");
    process.puppets.tell(&failing, Act::Fail(no));
    collect(stream).await;
    assert_eq!(standing(&failing).await, stands(State::Failed, None));

    let (cancelled, mut stream) = process.begin().await;
    process.puppets.say(&cancelled, "four");
    next(&mut stream, 3).await;
    process.engine.cancel("ana", &cancelled).await.unwrap();
    collect(stream).await;
    let told = standing(&cancelled).await;
    assert_eq!(told.state(), State::Cancelled);
    assert_eq!(told.charge.unwrap().output_tokens, 4);

    // Forgotten, and still owed: the charge is not lost with the record.
    let limit = Duration::from_secs(5);
    for id in [&done, &failing] {
        process.engine.forget("ana", id, limit).await.unwrap();
    }
    assert_eq!(standing(&done).await, stands(State::Completed, Some(1)));
    assert_eq!(standing(&failing).await, stands(State::Failed, None));
    process.book.away.store(false, Ordering::SeqCst);
    process.settled().await;
    assert_eq!(standing(&done).await, Standing::default());
    assert_eq!(standing("nobody-knows-it").await, Standing::default());
    assert!(process.engine.inspect_rpc("no id, for sure").await.is_err());
}

/// The credits over a link, as a medium has them.
struct Bank {
    credits: Credits,
    purse: CreditsPurse,
    _guard: DropGuard,
}

impl Bank {
    fn open() -> Self {
        let credits = Credits::default();
        let (route, guard) = credits.serve(&Issuer::new());
        let tokens = ServiceTokens::new(&secret(), "pieces");
        let purse = CreditsPurse::new(Link::new("users", &route, Some(tokens)).unwrap());
        Self {
            credits,
            purse,
            _guard: guard,
        }
    }

    async fn reserve(&self, id: &str) -> Result<Allowance, atelier_generation::Failure> {
        let job = job(id);
        self.purse.reserve(&job, &quote(&job).unwrap()).await
    }
}

#[tokio::test]
async fn the_credits_are_asked_as_the_service_and_once_for_each_generation() {
    let bank = Bank::open();
    bank.credits.set_quota(3);
    let first = bank.reserve("g1").await.unwrap();
    assert_eq!((first.reserved_micros, first.quota_remaining), (1000, 2));
    assert_eq!(bank.reserve("g1").await.unwrap(), first);
    let asked = bank.credits.asked("g1").unwrap();
    let expected = quote(&job("g1")).unwrap();
    assert_eq!((&*asked.user_id, &*asked.model), ("ana", "wood"));
    assert_eq!(asked.medium(), expected.medium);
    assert_eq!(asked.worst_case, Some(expected.worst));
    assert_eq!(asked.prices, expected.prices);
    let used = Usage {
        output_tokens: 70,
        ..Usage::default()
    };
    bank.purse.settle("g1", &used).await.unwrap();
    bank.reserve("g2").await.unwrap();
    bank.purse.release("g2").await.unwrap();
    assert_eq!(
        bank.credits.of("g1"),
        ["reserve 1000", "again", "settle 70"]
    );
    assert_eq!(bank.credits.of("g2"), ["reserve 1000", "release"]);
    assert_eq!(bank.credits.callers(), ["pieces"]);
    // Its end was told: whoever comes now was too slow.
    for id in ["g1", "g2"] {
        assert_eq!(bank.reserve(id).await.unwrap_err().reason, "INTERRUPTED");
    }
}

#[tokio::test]
async fn who_takes_over_from_an_owner_that_had_paid_already_pays_no_second_time() {
    let bank = Bank::open();
    bank.credits.set_quota(10);
    let folder = tempfile::tempdir().unwrap();
    let before = Process::start(&file(&folder), Plan::default()).await;
    let record = before
        .left_behind(&piece("ana", None, "a body"), false)
        .await;
    let job = record.job();
    let allowed = bank.purse.reserve(&job, &quote(&job).unwrap()).await;
    let plan = Plan {
        lease: Duration::from_millis(100),
        purse: Some(Arc::new(bank.purse.clone())),
        ..Plan::default()
    };
    let taker = Process::start(&file(&folder), plan).await;
    taker.puppets.say(&record.id, "a word");
    taker.puppets.finish(&record.id);
    let ended = taker.ended(&record.id).await;
    assert_eq!(ended.snapshot.allowance, Some(allowed.unwrap()));
    let lines = ["reserve 1000", "again", "settle 1"];
    bank.credits.reads(&record.id, &lines).await;
}

#[tokio::test]
async fn each_refusal_has_its_reason_and_says_when_to_come_again() {
    let bank = Bank::open();
    let exhausted = |reason| Fault::new(Kind::Exhausted, reason, "42 rows of the ledger");
    let in_an_hour = Duration::from_secs(3600);
    let later = |reason| exhausted(reason).retry_after(in_an_hour);
    let precondition = |reason| Fault::new(Kind::Precondition, reason, "42 rows of the ledger");
    for (fault, reason, retryable, waits) in [
        (
            exhausted(reasons::INSUFFICIENT_CREDITS),
            reasons::INSUFFICIENT_CREDITS,
            false,
            false,
        ),
        (
            later(reasons::QUOTA_EXHAUSTED),
            reasons::QUOTA_EXHAUSTED,
            true,
            true,
        ),
        (
            exhausted(reasons::TOO_MANY_AT_ONCE),
            reasons::TOO_MANY_AT_ONCE,
            true,
            false,
        ),
        (
            later(reasons::SPENDING_STOPPED),
            reasons::SPENDING_STOPPED,
            true,
            true,
        ),
        (
            later(reasons::ANONYMOUS_BUDGET_SPENT),
            reasons::ANONYMOUS_BUDGET_SPENT,
            true,
            true,
        ),
        (
            Fault::not_found("account"),
            reasons::ACCOUNT_UNKNOWN,
            false,
            false,
        ),
        (precondition("GENERATION_ENDED"), "INTERRUPTED", true, false),
        // A defect or a wrong configuration of ours.
        (precondition("CURRENCY_MISMATCH"), "INTERNAL", true, false),
        (exhausted("SOMETHING_NEW"), "INTERNAL", true, false),
        (
            Fault::new(Kind::Invalid, "INVALID_REQUEST", "worst_case"),
            "INTERNAL",
            true,
            false,
        ),
    ] {
        bank.credits.refuse(Some(Status::from(fault)));
        let calls = bank.credits.calls();
        let failure = bank.reserve("g1").await.unwrap_err();
        assert_eq!(
            (failure.reason.as_str(), failure.retryable),
            (reason, retryable)
        );
        assert!(!failure.message.contains("42"), "{failure:?}");
        let wait = failure.retry_time.map(|time| time - moment::now());
        assert_eq!(wait.is_some(), waits, "{reason}");
        let hour = moment::span(in_an_hour);
        assert!(wait.is_none_or(|wait| (hour - 5_000_000..=hour).contains(&wait)));
        assert_eq!(bank.credits.calls(), calls + 1, "{reason} is an answer");
    }
    let amounts = exhausted(reasons::INSUFFICIENT_CREDITS)
        .with("needed_micros", "250000")
        .with("available_micros", "1000");
    bank.credits.refuse(Some(Status::from(amounts)));
    assert_eq!(
        bank.reserve("g1").await.unwrap_err().message,
        "this can cost up to 0.25 USD, and your credits are 0.001 USD"
    );
    bank.credits.refuse(None);
    bank.reserve("g1").await.unwrap();
}

#[tokio::test]
async fn a_purse_that_is_away_is_asked_again_for_a_while_and_nothing_is_free() {
    let bank = Bank::open();
    bank.credits.set_away(true);
    let credits = bank.credits.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        credits.set_away(false);
    });
    bank.reserve("g1").await.unwrap();
    assert!(bank.credits.calls() > 1);
    bank.credits.set_away(true);
    let begun = Instant::now();
    let failure = bank.reserve("g2").await.unwrap_err();
    assert_eq!(failure.reason, reasons::CREDITS_UNAVAILABLE);
    assert!(failure.retryable);
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(6) && took < Duration::from_secs(30));
    assert!(bank.purse.release("g2").await.is_err());
    // One without an address is away as well.
    let none = atelier_kit::link::Links::new(&BTreeMap::new(), None).unwrap();
    let nobody = CreditsPurse::new(none.to("users"));
    let job = job("g3");
    let failure = nobody.reserve(&job, &quote(&job).unwrap()).await;
    assert_eq!(failure.unwrap_err().reason, reasons::CREDITS_UNAVAILABLE);
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up_and_made_again() {
    let bank = Arc::new(Bank::open());
    bank.credits.set_pause(Duration::from_secs(60));
    let waiting = tokio::spawn({
        let bank = bank.clone();
        async move { bank.reserve("g1").await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    bank.credits.set_pause(Duration::ZERO);
    let allowance = waiting.await.unwrap().unwrap();
    assert_eq!(allowance.reserved_micros, 1000);
    assert_eq!(bank.credits.of("g1"), ["reserve 1000"]);
}
