//! That nothing is made unpaid: every method whose policy has a credit class is called, and the users role is asked what it
//! has set aside and taken for it. What is free is called too, and leaves no trace there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::policy::Policies;
use atelier_kit::secret::MeshSecret;
use atelier_proto::DESCRIPTOR;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1::{
    EntryKind, GetBalanceRequest, GetQuotasRequest, LedgerEntry, ListLedgerEntriesRequest, Medium,
};
use prost::Message as _;
use tonic::Code;

use crate::people::{Person, connect};
use crate::priced;
use crate::raw;
use crate::running::eventually;
use crate::split::{SECRET, SERVICES, Split};

/// Enough of everything, and every medium counted.
const PLANS: &str = r#"
[sign_up]
credits = 100

[plans.free]
quotas = { chat = 50, image = 50, speech = 50 }
concurrency = 16
"#;

/// How long an end may take until it is settled.
const SETTLED: Duration = Duration::from_secs(30);

/// Makes a valid request in a conversation of the caller's.
type Said = fn(conversation: &str) -> Vec<u8>;

/// Every method that is paid for: as what, and a request that it takes.
const PAID: [(&str, Medium, Said); 4] = [
    (
        "/atelier.llm_chat.v1.LlmChatService/SendMessage",
        Medium::Chat,
        |conversation| {
            let request = chat::SendMessageRequest {
                conversation_id: conversation.to_owned(),
                text: "Tell me of the north.".to_owned(),
                ..Default::default()
            };
            request.encode_to_vec()
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/Complete",
        Medium::Chat,
        |_| {
            let request = chat::CompleteRequest {
                messages: vec![chat::InputMessage {
                    role: chat::Role::User.into(),
                    text: "Tell me of the south.".to_owned(),
                }],
                ..Default::default()
            };
            request.encode_to_vec()
        },
    ),
    (
        "/atelier.text_image.v1.TextImageService/GenerateImage",
        Medium::Image,
        |_| {
            let request = image::GenerateImageRequest {
                prompt: "a boat".to_owned(),
                ..Default::default()
            };
            request.encode_to_vec()
        },
    ),
    (
        "/atelier.tts.v1.TtsService/Synthesize",
        Medium::Speech,
        |_| {
            let request = tts::SynthesizeRequest {
                text: "Good morning.".to_owned(),
                ..Default::default()
            };
            request.encode_to_vec()
        },
    ),
];

/// Methods that answer the events of a generation and start none.
const FOLLOWING: [&str; 3] = [
    "/atelier.llm_chat.v1.LlmChatService/WatchGeneration",
    "/atelier.text_image.v1.TextImageService/WatchGeneration",
    "/atelier.tts.v1.TtsService/WatchGeneration",
];

/// The class that a medium's methods have in the contract.
fn class(medium: Medium) -> &'static str {
    match medium {
        Medium::Chat => "chat",
        Medium::Image => "image",
        Medium::Speech => "speech",
        Medium::Unspecified => panic!("every row has a medium"),
    }
}

#[test]
fn every_method_that_is_paid_for_has_its_row() {
    let policies = Policies::read(DESCRIPTOR).unwrap();
    let paid: BTreeMap<&str, &str> = policies
        .iter()
        .filter(|(_, policy)| policy.credit_class != "free")
        .map(|(path, policy)| (path, policy.credit_class.as_str()))
        .collect();
    let rows: BTreeMap<&str, &str> = PAID
        .iter()
        .map(|(path, medium, _)| (*path, class(*medium)))
        .collect();
    assert_eq!(rows, paid);
}

#[test]
fn whatever_starts_a_generation_is_paid_for() {
    let telling: BTreeSet<String> = raw::methods()
        .into_iter()
        .filter(|(_, method)| {
            method.output().fields().any(|field| {
                let kind = field.kind();
                let message = kind.as_message();
                message.is_some_and(|it| it.full_name() == "atelier.generation.v1.GenerationEvent")
            })
        })
        .map(|(path, _)| path)
        .collect();
    let known = PAID.iter().map(|(path, ..)| *path).chain(FOLLOWING);
    assert_eq!(telling, known.map(str::to_owned).collect());
}

/// What the users role says of an account's credits.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    entries: Vec<LedgerEntry>,
    used: BTreeMap<i32, i64>,
    reserved: i64,
}

impl Books {
    async fn of(person: &Person) -> Self {
        let mut credits = person.credits();
        let request = ListLedgerEntriesRequest {
            page_size: 1000,
            ..Default::default()
        };
        let entries = credits.list_ledger_entries(request).await;
        let quotas = credits.get_quotas(GetQuotasRequest {}).await;
        let balance = credits.get_balance(GetBalanceRequest {}).await;
        Self {
            entries: entries.expect("entries").into_inner().entries,
            used: quotas
                .expect("quotas")
                .into_inner()
                .quotas
                .into_iter()
                .map(|quota| (quota.medium, quota.limit - quota.remaining))
                .collect(),
            reserved: balance
                .expect("a balance")
                .into_inner()
                .balance
                .expect("a balance")
                .reserved_micros,
        }
    }

    /// How much of a kind was moved for generations, and as which media.
    fn moved(&self, kind: EntryKind) -> (i64, BTreeSet<i32>) {
        let of = || self.entries.iter().filter(|entry| entry.kind() == kind);
        let all = of().map(|entry| entry.amount_micros).sum();
        (all, of().map(|entry| entry.medium).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_that_is_paid_for_pays() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = priced::launch(folder.path(), PLANS).start().await;
    let edge = connect(mesh.edge()).await;
    for (path, medium, said) in PAID {
        // An account of its own, so that all of its books are of this one call.
        let person = Person::register(mesh.edge()).await;
        let conversation = person.conversation().await;
        let before = Books::of(&person).await;
        let token = Some(person.tokens.access_token.as_str());
        let answer = raw::call(&edge, path, token, said(&conversation).into()).await;
        assert_eq!(answer.code, Code::Ok, "{path}: {answer:?}");

        // Whoever called is gone by now, which ends nothing.
        eventually(&format!("{path} is charged"), SETTLED, || async {
            let books = Books::of(&person).await;
            books.moved(EntryKind::Charged).0 > 0 && books.reserved == 0
        })
        .await;
        let books = Books::of(&person).await;
        let only = BTreeSet::from([i32::from(medium)]);
        let (reserved, media) = books.moved(EntryKind::Reserved);
        assert_eq!(media, only, "{path}: {books:?}");
        let (charged, media) = books.moved(EntryKind::Charged);
        assert_eq!(media, only, "{path}: {books:?}");
        let (returned, _) = books.moved(EntryKind::Returned);
        assert_eq!(reserved, charged + returned, "{path}: {books:?}");
        for (of, used) in &books.used {
            let one = i64::from(*of == i32::from(medium));
            assert_eq!(used - before.used[of], one, "{path}: {books:?}");
        }
    }
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

/// What ends the caller's session, or is the users role's own business with credits.
const LEFT_OUT: [&str; 6] = [
    "/atelier.users.v1.UsersService/RevokeAllSessions",
    "/atelier.users.v1.UsersService/Logout",
    "/atelier.users.v1.UsersService/DeleteAccount",
    "/atelier.users.v1.CreditsService/Reserve",
    "/atelier.users.v1.CreditsService/Settle",
    "/atelier.users.v1.CreditsService/Release",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_free_pays() {
    let folder = tempfile::tempdir().unwrap();
    let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
    let mut mesh = Split::plan(&[&["edge"], &services], folder.path());
    for (name, value) in priced::settings(folder.path(), PLANS) {
        mesh = mesh.set(name, &value);
    }
    mesh.begin("edge").await;
    mesh.begin("users").await;
    let person = Person::register(mesh.edge()).await;
    let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
    let operator = ServiceTokens::new(&secret, "operator");
    // One of each thing, so that what names one is answered.
    let things = crate::policy::Things::of(&person, mesh.edge()).await;
    eventually("all is settled", SETTLED, || async {
        Books::of(&person).await.reserved == 0
    })
    .await;
    let before = Books::of(&person).await;
    assert!(before.moved(EntryKind::Charged).0 > 0, "{before:?}");

    let policies = Policies::read(DESCRIPTOR).unwrap();
    let mut answered = 0;
    for (path, method) in raw::methods() {
        let policy = policies.of(&path).expect("a policy");
        if policy.credit_class != "free" || LEFT_OUT.contains(&path.as_str()) {
            continue;
        }
        let role = raw::role_of(&path);
        let channel = connect(mesh.of(role)).await;
        let message = crate::policy::said_of(&path, &things);
        let service = operator.token(role).unwrap();
        let token = match policy.access {
            atelier_kit::policy::Access::Internal => &*service,
            _ => person.tokens.access_token.as_str(),
        };
        let answer = raw::call(&channel, &path, Some(token), message.into()).await;
        answered += usize::from(answer.code == Code::Ok);
        drop(method);
    }
    assert!(answered > 30, "only {answered} methods were answered");
    // What was begun would be settled by now, or held.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = person.login(mesh.edge()).await;
    assert_eq!(Books::of(&again).await, before);
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
