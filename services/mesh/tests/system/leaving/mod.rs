//! Somebody takes everything along and leaves: in one process, over power cuts, and in a mesh of which a part is away.
//! Afterwards nothing on any disk says who it was, and what others have is whole.

mod cuts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::policy::v1::Scope;
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::text_image::v1::{GenerateImageRequest, ListImagesRequest, Size};
use atelier_proto::tts::v1::{ListConversionsRequest, SynthesizeRequest};
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    CreateApiKeyRequest, DeleteAccountRequest, Deletion, ExportAccountRequest, GetDeletionRequest,
    GetMeRequest, UpdateMeRequest, User,
};
use bytes::Bytes;
use prost_types::FieldMask;
use serde_json::Value;
use tonic::{Code, Status};

use crate::people::{Person, connect};
use crate::raw;
use crate::running::{Launch, eventually};
use crate::told::{Told, listen};
use crate::web;

/// What an ended session may be good for: the news have to reach every service.
const TOLD: Duration = Duration::from_secs(2);
/// The lease of a dead owner, the time in which an object may still arrive, and the pauses between two tries.
const ERASED: Duration = Duration::from_secs(90);
/// All services that have a part.
const ROLES: [&str; 5] = ["analytics", "llm-chat", "text-image", "tts", "users"];

/// Words that nobody else says, by whom they are.
struct Words(&'static str);

impl Words {
    fn about(&self, what: &str) -> String {
        format!("{} {what} of quartz and velvet", self.0)
    }
}

/// What somebody has made, with the bytes of what can be fetched.
struct Made {
    conversation: String,
    picture: (String, Vec<u8>),
    speech: (String, Vec<u8>),
    key: String,
}

/// Makes something of everything.
async fn make_everything(person: &Person, words: &Words) -> Made {
    let profile = UpdateMeRequest {
        user: Some(User {
            bio: words.about("bio"),
            ..User::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["bio".to_owned()],
        }),
    };
    person.users().update_me(profile).await.expect("a profile");
    let key = CreateApiKeyRequest {
        display_name: words.about("key"),
        scopes: vec![Scope::Read.into()],
        expire_time: None,
    };
    let key = person.users().create_api_key(key).await.expect("a key");
    let conversation = person.conversation().await;
    let said = chat::SendMessageRequest {
        conversation_id: conversation.clone(),
        text: words.about("question"),
        ..Default::default()
    };
    let reply = person.chat().send_message(said).await.expect("a reply");
    listen(reply.into_inner()).await;
    let completion = chat::CompleteRequest {
        messages: vec![chat::InputMessage {
            role: chat::Role::User.into(),
            text: words.about("completion"),
        }],
        ..Default::default()
    };
    let reply = person.chat().complete(completion).await.expect("a reply");
    listen(reply.into_inner()).await;
    let picture = GenerateImageRequest {
        prompt: words.about("picture"),
        size: Some(Size {
            width: 96,
            height: 64,
        }),
        ..Default::default()
    };
    let painted = person.pictures().generate_image(picture).await;
    let painted = listen(painted.expect("a picture").into_inner()).await;
    let spoken = SynthesizeRequest {
        text: words.about("speech"),
        ..Default::default()
    };
    let spoken = person.speech().synthesize(spoken).await;
    let spoken = listen(spoken.expect("speech").into_inner()).await;
    let fetched = async |told: &Told| {
        let artifact = told.artifact();
        (artifact.id.clone(), web::get(&artifact.url).await.body)
    };
    Made {
        conversation,
        picture: fetched(&painted).await,
        speech: fetched(&spoken).await,
        key: key.into_inner().secret,
    }
}

/// All files of an export, and the services whose receipts came.
async fn export(person: &Person) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let answer = person.users().export_account(ExportAccountRequest {}).await;
    let mut stream = answer.expect("an export").into_inner();
    let (mut files, mut services) = (BTreeMap::<String, Vec<u8>>::new(), Vec::new());
    let mut path = String::new();
    while let Some(answer) = stream.message().await.expect("the next piece") {
        match answer.piece.unwrap().piece.unwrap() {
            Piece::File(file) => {
                path = file.path;
                let before = files.insert(path.clone(), Vec::new());
                assert!(before.is_none(), "{path} came twice");
            }
            Piece::Data(data) => files.get_mut(&path).unwrap().extend_from_slice(&data),
            Piece::Receipt(receipt) => services.push(receipt.service),
        }
    }
    (files, services)
}

/// The export has what was made, word for word and byte for byte.
async fn takes_everything_along(person: &Person, words: &Words, made: &Made) {
    // Usage is on its way from the outboxes for a moment.
    eventually("all usage is counted", Duration::from_secs(30), || async {
        crate::story::usage_events(person).await.len() == 4
    })
    .await;
    let (files, mut services) = export(person).await;
    services.sort();
    assert_eq!(services, ROLES);
    let json = |path: &str| -> Value {
        let bytes = files
            .get(path)
            .unwrap_or_else(|| panic!("no {path}: {:?}", files.keys()));
        serde_json::from_slice(bytes).unwrap()
    };
    let account = json("users/account.json");
    assert_eq!(account["email"], person.user.email.as_str());
    assert_eq!(account["bio"], words.about("bio"));
    assert_eq!(
        json("users/api_keys.json")["api_keys"][0]["display_name"],
        words.about("key")
    );
    let conversation = json(&format!(
        "llm-chat/conversations/{}.json",
        made.conversation
    ));
    let kept = person.messages(&made.conversation).await;
    let told: Vec<&str> = conversation["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    let kept: Vec<&str> = kept.iter().map(|message| message.text.as_str()).collect();
    assert_eq!((told.len(), told[0]), (2, words.about("question").as_str()));
    assert_eq!(told, kept);
    let (id, bytes) = &made.picture;
    assert_eq!(
        json(&format!("text-image/images/{id}.json"))["prompt"],
        words.about("picture")
    );
    assert_eq!(&files[&format!("text-image/images/{id}.png")], bytes);
    let (id, bytes) = &made.speech;
    assert_eq!(
        json(&format!("tts/conversions/{id}.json"))["text"],
        words.about("speech")
    );
    assert_eq!(&files[&format!("tts/conversions/{id}.wav")], bytes);
    let events = String::from_utf8(files["analytics/usage_events.jsonl"].clone()).unwrap();
    assert_eq!(events.lines().count(), 4);
    let secrets = [&made.key, &person.password, &person.tokens.refresh_token];
    for (path, bytes) in &files {
        let found = secrets
            .iter()
            .find(|secret| contains(bytes, secret.as_bytes()));
        assert!(found.is_none(), "a secret is in {path}");
    }
}

async fn delete(person: &Person) -> String {
    let request = DeleteAccountRequest {
        password: person.password.clone(),
        second_factor: String::new(),
    };
    let answer = person
        .users()
        .delete_account(request)
        .await
        .expect("a deletion");
    answer.into_inner().deletion_token
}

async fn far(edge: &str, token: &str) -> Result<Deletion, Status> {
    let request = GetDeletionRequest {
        deletion_token: token.to_owned(),
    };
    let answer = UsersServiceClient::new(connect(edge).await)
        .get_deletion(request)
        .await?;
    Ok(answer.into_inner().deletion.unwrap())
}

/// Waits until every service has erased its part, and returns what each has.
async fn erased(edge: &str, token: &str) -> BTreeMap<String, ErasureReceipt> {
    eventually("all have erased their parts", ERASED, || async {
        far(edge, token)
            .await
            .is_ok_and(|deletion| deletion.done_time.is_some())
    })
    .await;
    let deletion = far(edge, token).await.unwrap();
    assert!(deletion.waiting.is_empty(), "{deletion:?}");
    let receipts = deletion.receipts.into_iter();
    let receipts: BTreeMap<_, _> = receipts
        .map(|receipt| (receipt.service.clone(), receipt))
        .collect();
    let services: Vec<&str> = receipts.keys().map(String::as_str).collect();
    assert_eq!(services, ROLES);
    receipts
}

/// The tokens of an account that is gone are refused by every service, and so is its key.
async fn refused_everywhere(edge: &str, person: &Person, made: &Made) {
    let gone = |answer: Result<(), Status>| {
        answer.is_err_and(|status| status.code() == Code::Unauthenticated)
    };
    eventually("every service refuses the token", TOLD, || async {
        let images = ListImagesRequest::default();
        let conversions = ListConversionsRequest::default();
        let usage = atelier_proto::analytics::v1::ListUsageEventsRequest::default();
        let conversations = chat::ListConversationsRequest::default();
        gone(person.users().get_me(GetMeRequest {}).await.map(drop))
            && gone(
                person
                    .chat()
                    .list_conversations(conversations)
                    .await
                    .map(drop),
            )
            && gone(person.pictures().list_images(images).await.map(drop))
            && gone(
                person
                    .speech()
                    .list_conversions(conversions)
                    .await
                    .map(drop),
            )
            && gone(person.usage().list_usage_events(usage).await.map(drop))
    })
    .await;
    let channel = connect(edge).await;
    eventually("the edge refuses the key", TOLD, || async {
        let path = "/atelier.users.v1.UsersService/GetMe";
        raw::call(&channel, path, Some(&made.key), Bytes::new())
            .await
            .code
            == Code::Unauthenticated
    })
    .await;
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Looks into every file, the free pages of databases and the logs beside them included: who it was stands in none.
fn nothing_says_who(data: &Path, person: &Person, words: &Words) {
    let files = files(data);
    let databases = files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "db"));
    assert!(databases.count() >= 5, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        for word in [person.user.email.as_str(), words.0] {
            assert!(
                !contains(&bytes, word.as_bytes()),
                "{word:?} stands in {}",
                path.display()
            );
        }
    }
}

/// What somebody else has made is there, and whole.
async fn is_whole(person: &Person, words: &Words, made: &Made) {
    let messages = person.messages(&made.conversation).await;
    assert_eq!(messages[0].text, words.about("question"));
    let images = person.images().await;
    assert_eq!(images.len(), 1);
    assert_eq!(web::get(&images[0].download_url).await.body, made.picture.1);
    let conversions = person.conversions().await;
    assert_eq!(conversions.len(), 1);
    assert_eq!(
        web::get(&conversions[0].download_url).await.body,
        made.speech.1
    );
}

#[tokio::test]
async fn whoever_leaves_takes_everything_along_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], folder.path()).start().await;
    let edge = mesh.edge().to_owned();
    let (ada, bob) = (Person::register(&edge).await, Person::register(&edge).await);
    let (adas, bobs) = (Words("amaranthine"), Words("bergamot"));
    let made = make_everything(&ada, &adas).await;
    let others = make_everything(&bob, &bobs).await;
    takes_everything_along(&ada, &adas, &made).await;

    let token = delete(&ada).await;
    refused_everywhere(&edge, &ada, &made).await;
    let receipts = erased(&edge, &token).await;
    assert_eq!(receipts["users"].erased["sessions"], 1);
    assert_eq!(receipts["llm-chat"].erased["messages"], 2);
    assert_eq!(receipts["llm-chat"].erased["completions"], 1);
    assert_eq!(receipts["text-image"].erased["images"], 1);
    assert_eq!(receipts["tts"].erased["conversions"], 1);
    assert_eq!(receipts["analytics"].kept["usage_events"], 4);
    is_whole(&bob, &bobs, &others).await;
    // The e-mail is free, for another account with another id.
    let again = atelier_proto::users::v1::RegisterRequest {
        email: ada.user.email.clone(),
        password: "another password".to_owned(),
        display_name: String::new(),
    };
    let again = UsersServiceClient::new(connect(&edge).await)
        .register(again)
        .await;
    let again = again.expect("the e-mail is free").into_inner();
    assert_ne!(again.user.unwrap().id, ada.user.id);
    let again = Person::sign_in(&edge, &ada.user.email, "another password").await;
    erased(&edge, &delete(&again).await).await;

    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    nothing_says_who(folder.path(), &ada, &adas);
    let mesh = Launch::serving(&[], folder.path()).start().await;
    let bob = bob.login(mesh.edge()).await;
    is_whole(&bob, &bobs, &others).await;
}
