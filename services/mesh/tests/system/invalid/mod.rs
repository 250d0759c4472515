//! What is wrong with a message is told in one way everywhere: the broken field of every method that has any, bytes
//! that are no message, and messages over the method's limit.

mod analytics;
mod chat;
mod credits;
mod image;
mod tts;
mod users;

use std::collections::BTreeSet;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::policy::Policies;
use atelier_kit::secret::MeshSecret;
use atelier_proto::DESCRIPTOR;
use bytes::Bytes;
use prost::Message;
use prost_types::FieldMask;
use tonic::Code;
use tonic::transport::Channel;

use crate::people::{Person, connect};
use crate::raw::{self, Answer};
use crate::running::Launch;
use crate::split::{SECRET, SERVICES, Split};

/// Methods whose request has no field: nothing in it can be invalid.
const NOTHING_TO_SAY: [&str; 20] = [
    "/atelier.users.v1.CreditsService/GetBalance",
    "/atelier.users.v1.CreditsService/GetQuotas",
    "/atelier.users.v1.CreditsService/ListPlans",
    "/atelier.users.v1.CreditsService/GetSpending",
    "/atelier.users.v1.UsersService/ListSignInProviders",
    "/atelier.users.v1.UsersService/ListIdentities",
    "/atelier.users.v1.UsersService/ExportAccount",
    "/atelier.users.v1.UsersService/RequestEmailVerification",
    "/atelier.users.v1.UsersService/WatchRevocations",
    "/atelier.users.v1.UsersService/ListSigningKeys",
    "/atelier.users.v1.UsersService/Logout",
    "/atelier.users.v1.UsersService/GetMe",
    "/atelier.users.v1.UsersService/CreateAnonymousSession",
    "/atelier.users.v1.UsersService/GetKeySet",
    "/atelier.llm_chat.v1.LlmChatService/ListModels",
    "/atelier.text_image.v1.TextImageService/ListStyles",
    "/atelier.tts.v1.TtsService/ListVoices",
    "/atelier.llm_chat.v1.LlmChatService/ListUpstreams",
    "/atelier.text_image.v1.TextImageService/ListUpstreams",
    "/atelier.tts.v1.TtsService/ListUpstreams",
];
/// Methods whose request has fields of which every value is fine.
const NOTHING_WRONG: [&str; 1] = ["/atelier.users.v1.UsersService/RevokeAllSessions"];
/// Methods that the edge forwards to nobody.
const FOR_SERVICES: [&str; 20] = [
    "/atelier.users.v1.CreditsService/Reserve",
    "/atelier.users.v1.CreditsService/Settle",
    "/atelier.users.v1.CreditsService/Release",
    "/atelier.llm_chat.v1.LlmChatService/InspectGeneration",
    "/atelier.text_image.v1.TextImageService/InspectGeneration",
    "/atelier.tts.v1.TtsService/InspectGeneration",
    "/atelier.llm_chat.v1.LlmChatService/ExportPersonalData",
    "/atelier.llm_chat.v1.LlmChatService/ErasePersonalData",
    "/atelier.text_image.v1.TextImageService/ExportPersonalData",
    "/atelier.text_image.v1.TextImageService/ErasePersonalData",
    "/atelier.tts.v1.TtsService/ExportPersonalData",
    "/atelier.tts.v1.TtsService/ErasePersonalData",
    "/atelier.analytics.v1.AnalyticsService/ExportPersonalData",
    "/atelier.analytics.v1.AnalyticsService/ErasePersonalData",
    "/atelier.analytics.v1.AnalyticsService/RecordEvents",
    "/atelier.users.v1.UsersService/ExchangeApiKey",
    "/atelier.users.v1.UsersService/WatchRevocations",
    "/atelier.users.v1.UsersService/ListSigningKeys",
    "/atelier.users.v1.UsersService/RotateSigningKey",
    "/atelier.users.v1.UsersService/GrantRole",
];

/// An invalid request of a method, and the field that is broken.
struct Broken {
    path: String,
    message: Bytes,
    field: &'static str,
}

/// The table in the making.
struct Table(Vec<Broken>);

impl Table {
    fn add(&mut self, service: &str, method: &str, message: impl Message, field: &'static str) {
        self.0.push(Broken {
            path: format!("{service}{method}"),
            message: message.encode_to_vec().into(),
            field,
        });
    }

    /// Ids that no mesh could have made: none, too long.
    fn ids<M: Message>(
        &mut self,
        service: &str,
        method: &str,
        field: &'static str,
        with: impl Fn(String) -> M,
    ) {
        for id in [String::new(), "x".repeat(65)] {
            self.add(service, method, with(id), field);
        }
    }

    /// Page sizes and page tokens that no listing takes.
    fn pages<M: Message>(&mut self, service: &str, method: &str, with: impl Fn(i32, String) -> M) {
        for size in [-1, 1001, i32::MIN] {
            self.add(service, method, with(size, String::new()), "page_size");
        }
        self.add(service, method, with(0, "not-a-token".into()), "page_token");
    }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    })
}

fn table() -> Vec<Broken> {
    let mut table = Table(Vec::new());
    users::rows(&mut table);
    credits::rows(&mut table);
    chat::rows(&mut table);
    image::rows(&mut table);
    tts::rows(&mut table);
    analytics::rows(&mut table);
    table.0
}

#[test]
fn the_table_has_every_method_and_no_other() {
    let rows: BTreeSet<String> = table().into_iter().map(|row| row.path).collect();
    let methods = raw::methods();
    for (path, method) in &methods {
        let has_fields = method.input().fields().len() > 0;
        let fine = NOTHING_WRONG.contains(&path.as_str());
        assert_eq!(
            rows.contains(path),
            has_fields && !fine,
            "{path}: invalid requests"
        );
        let silent = NOTHING_TO_SAY.contains(&path.as_str());
        assert_eq!(silent, !has_fields, "{path}: nothing to say");
    }
    let all: BTreeSet<&str> = methods.iter().map(|(path, _)| path.as_str()).collect();
    let table = rows.iter().map(String::as_str).chain(NOTHING_TO_SAY);
    let table = table.chain(NOTHING_WRONG).chain(FOR_SERVICES);
    let gone: Vec<&str> = table.filter(|path| !all.contains(path)).collect();
    assert!(gone.is_empty(), "rows without a method: {gone:?}");
}

/// A split mesh, and somebody who may call everything: an admin, and for some methods the operator.
struct Stage {
    mesh: Split,
    edge: Channel,
    direct: Vec<(&'static str, Channel)>,
    admin: Person,
    operator: ServiceTokens,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
        let mesh = Split::start(&[&["edge"], &services], folder.path()).await;
        let admin = Person::register(mesh.edge()).await;
        let data = folder.path().join("machine-1").display().to_string();
        let granted = Launch::new(&["admin", "grant", &admin.user.email, "--data", &data])
            .run()
            .await;
        assert_eq!(granted.code(), Some(0), "{granted:?}");
        let admin = admin.login(mesh.edge()).await;
        let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
        let mut direct = Vec::new();
        for role in services {
            direct.push((role, connect(mesh.of(role)).await));
        }
        Self {
            edge: connect(mesh.edge()).await,
            mesh,
            direct,
            admin,
            operator: ServiceTokens::new(&secret, "operator"),
            _folder: folder,
        }
    }

    /// At the service that has the method.
    async fn at_the_service(&self, path: &str, message: Bytes) -> Answer {
        let role = raw::role_of(path);
        let (_, channel) = self.direct.iter().find(|(of, _)| *of == role).unwrap();
        if FOR_SERVICES.contains(&path) {
            let token = self.operator.token(role).unwrap();
            return raw::call(channel, path, Some(&*token), message).await;
        }
        let token = self.admin.tokens.access_token.as_str();
        raw::call(channel, path, Some(token), message).await
    }

    /// Through the edge, where it leads to the method.
    async fn through_the_edge(&self, path: &str, message: Bytes) -> Option<Answer> {
        if FOR_SERVICES.contains(&path) {
            return None;
        }
        let token = Some(self.admin.tokens.access_token.as_str());
        Some(raw::call(&self.edge, path, token, message).await)
    }

    /// Both ways.
    async fn both(&self, path: &str, message: Bytes) -> Vec<Answer> {
        let mut answers = vec![self.at_the_service(path, message.clone()).await];
        answers.extend(self.through_the_edge(path, message).await);
        answers
    }
}

/// What is not as it should be about a refusal.
fn complaint(answer: &Answer, code: Code, reason: &str) -> Option<String> {
    let domain = answer.details.error_info().map(|info| info.domain.as_str());
    let right = answer.code == code
        && answer.reason() == reason
        && domain == Some("atelier")
        && answer.request_id().is_some();
    (!right).then(|| format!("expected {code:?} {reason}, got {answer:?}"))
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_told() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();

    for Broken {
        path,
        message,
        field,
    } in table()
    {
        for answer in stage.both(&path, message).await {
            let told = complaint(&answer, Code::InvalidArgument, "INVALID_REQUEST").or_else(|| {
                let named = answer.fields().contains(&field);
                (!named).then(|| format!("{field} is not named: {answer:?}"))
            });
            wrong.extend(told.map(|told| format!("{path} ({field}): {told}")));
        }
    }

    // Field 1 as bytes, of which none follow: no message of any type can be read from it.
    let torn = Bytes::from_static(&[0x0a, 0x7f]);
    let policies = Policies::read(DESCRIPTOR).unwrap();
    for (path, _) in raw::methods() {
        for answer in stage.both(&path, torn.clone()).await {
            let told = complaint(&answer, Code::InvalidArgument, "MALFORMED_MESSAGE");
            wrong.extend(told.map(|told| format!("{path} (torn): {told}")));
        }
        let limit = policies.of(&path).expect("a policy").max_request_bytes;
        let large = Bytes::from(vec![0; limit + 1]);
        for answer in stage.both(&path, large).await {
            let told = complaint(&answer, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
            wrong.extend(told.map(|told| format!("{path} (large): {told}")));
        }
    }
    assert!(wrong.is_empty(), "{} answers: {wrong:#?}", wrong.len());

    // A refusal leaves nothing behind.
    let admin = &stage.admin;
    assert!(admin.conversations().await.is_empty());
    assert!(admin.images().await.is_empty());
    assert!(admin.conversions().await.is_empty());
    drop(stage.mesh);
}
