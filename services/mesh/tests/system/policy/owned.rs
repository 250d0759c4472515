//! What is somebody's own: every method that names a thing of an account, called with a real one by whom it belongs to and
//! by everybody else, through the edge and at the services. Another's is not found, and nothing has come of asking.

use std::collections::BTreeSet;

use atelier_proto::analytics::v1 as analytics;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::policy::v1::Scope;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1 as users;
use prost::Message;
use prost_types::FieldMask;
use tonic::Code;

use super::callers::Cast;
use crate::people::{Person, connect};
use crate::raw::{self, Answer};
use crate::told::listen;

/// What is made of an account, by the ids that its owner has.
pub struct Things {
    user: String,
    conversation: String,
    reply: String,
    picture: String,
    sound: String,
    session: String,
    key: String,
}

/// How somebody is met who names a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Answered.
    Well,
    /// Told that there is no such thing.
    Unknown,
    /// Told that his account is of the wrong kind: what is named is not looked at.
    TooLow,
    /// Told that it is another's: the thing is an account, whose id tells nothing.
    Another,
}
use Met::{Another, TooLow, Unknown, Well};

/// Who names it, in the order of the columns.
pub const WHO: [&str; 5] = [
    "an anonymous session",
    "another user",
    "a moderator",
    "an admin",
    "the owner",
];

/// A row: what each gets.
pub type Row = [Met; WHO.len()];

#[rustfmt::skip]
mod rows {
    use super::*;
    //                         anonymous another  moderator admin    owner
    pub const OWN: Row      = [Unknown,  Unknown, Unknown,  Unknown, Well];
    pub const ACCOUNT: Row  = [TooLow,   Unknown, Unknown,  Unknown, Well];
    pub const USAGE: Row    = [Another,  Another, Another,  Well,    Well];
    pub const UNLINKED: Row = [TooLow,   Unknown, Unknown,  Unknown, Unknown];
    pub const ONESELF: Row  = [TooLow,   Well,    Well,     Well,    Well];
}
use rows::{ACCOUNT, ONESELF, OWN, UNLINKED, USAGE};

type Said = fn(&Things) -> Vec<u8>;

/// Every such method, in an order in which nothing is ended before all others have asked for it.
pub const OWNED: [(&str, Row, Said); 21] = [
    (
        "/atelier.analytics.v1.AnalyticsService/GetUsageSummary",
        USAGE,
        |it| {
            said(analytics::GetUsageSummaryRequest {
                user_id: it.user.clone(),
                bucket_width: analytics::BucketWidth::Day.into(),
                ..Default::default()
            })
        },
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/ListUsageEvents",
        USAGE,
        |it| {
            said(analytics::ListUsageEventsRequest {
                user_id: it.user.clone(),
                ..Default::default()
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/GetConversation",
        ACCOUNT,
        |it| {
            said(chat::GetConversationRequest {
                conversation_id: it.conversation.clone(),
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/UpdateConversation",
        ACCOUNT,
        |it| {
            said(chat::UpdateConversationRequest {
                conversation: Some(chat::Conversation {
                    id: it.conversation.clone(),
                    title: "Renamed".to_owned(),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask {
                    paths: vec!["title".to_owned()],
                }),
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListMessages",
        ACCOUNT,
        |it| {
            said(chat::ListMessagesRequest {
                conversation_id: it.conversation.clone(),
                ..Default::default()
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/SendMessage",
        ACCOUNT,
        |it| {
            said(chat::SendMessageRequest {
                conversation_id: it.conversation.clone(),
                text: "What is 3 plus 4?".to_owned(),
                ..Default::default()
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/WatchGeneration",
        ACCOUNT,
        |it| {
            said(chat::WatchGenerationRequest {
                generation_id: it.reply.clone(),
                after_sequence: 0,
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/CancelGeneration",
        ACCOUNT,
        |it| {
            said(chat::CancelGenerationRequest {
                generation_id: it.reply.clone(),
            })
        },
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/DeleteConversation",
        ACCOUNT,
        |it| {
            said(chat::DeleteConversationRequest {
                conversation_id: it.conversation.clone(),
            })
        },
    ),
    (
        "/atelier.text_image.v1.TextImageService/GetImage",
        OWN,
        |it| {
            said(image::GetImageRequest {
                image_id: it.picture.clone(),
            })
        },
    ),
    (
        "/atelier.text_image.v1.TextImageService/WatchGeneration",
        OWN,
        |it| {
            said(image::WatchGenerationRequest {
                generation_id: it.picture.clone(),
                after_sequence: 0,
            })
        },
    ),
    (
        "/atelier.text_image.v1.TextImageService/CancelGeneration",
        OWN,
        |it| {
            said(image::CancelGenerationRequest {
                generation_id: it.picture.clone(),
            })
        },
    ),
    (
        "/atelier.text_image.v1.TextImageService/DeleteImage",
        OWN,
        |it| {
            said(image::DeleteImageRequest {
                image_id: it.picture.clone(),
            })
        },
    ),
    ("/atelier.tts.v1.TtsService/GetConversion", ACCOUNT, |it| {
        said(tts::GetConversionRequest {
            conversion_id: it.sound.clone(),
        })
    }),
    (
        "/atelier.tts.v1.TtsService/WatchGeneration",
        ACCOUNT,
        |it| {
            said(tts::WatchGenerationRequest {
                generation_id: it.sound.clone(),
                after_sequence: 0,
            })
        },
    ),
    (
        "/atelier.tts.v1.TtsService/CancelGeneration",
        ACCOUNT,
        |it| {
            said(tts::CancelGenerationRequest {
                generation_id: it.sound.clone(),
            })
        },
    ),
    (
        "/atelier.tts.v1.TtsService/DeleteConversion",
        ACCOUNT,
        |it| {
            said(tts::DeleteConversionRequest {
                conversion_id: it.sound.clone(),
            })
        },
    ),
    (
        "/atelier.users.v1.UsersService/RevokeApiKey",
        ACCOUNT,
        |it| {
            said(users::RevokeApiKeyRequest {
                api_key_id: it.key.clone(),
            })
        },
    ),
    ("/atelier.users.v1.UsersService/RevokeSession", OWN, |it| {
        said(users::RevokeSessionRequest {
            session_id: it.session.clone(),
        })
    }),
    // The accounts of a provider are linked by a provider alone: whose they are is shown beside one, in the tests of users.
    (
        "/atelier.users.v1.UsersService/UnlinkIdentity",
        UNLINKED,
        |_| {
            said(users::UnlinkIdentityRequest {
                identity_id: "nobody's".to_owned(),
            })
        },
    ),
    // The caller's own account is changed, whatever id is in it.
    ("/atelier.users.v1.UsersService/UpdateMe", ONESELF, |it| {
        said(users::UpdateMeRequest {
            user: Some(users::User {
                id: it.user.clone(),
                display_name: "Somebody".to_owned(),
                ..Default::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["display_name".to_owned()],
            }),
        })
    }),
];

/// Methods that name an account, or what is of one, for those who look after accounts: nobody's own.
const LOOKED_AFTER: [&str; 19] = [
    "/atelier.users.v1.UsersService/SetUserRole",
    "/atelier.users.v1.CreditsService/SetUserPlan",
    "/atelier.users.v1.CreditsService/GrantCredits",
    "/atelier.users.v1.CreditsService/RefundGeneration",
    "/atelier.users.v1.CreditsService/Reserve",
    "/atelier.users.v1.CreditsService/Settle",
    "/atelier.users.v1.CreditsService/Release",
    "/atelier.text_image.v1.TextImageService/ListAllImages",
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
];

fn said(message: impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// What the owner of things says to a method: its row's message, or nothing where it names none.
pub fn said_of(path: &str, things: &Things) -> Vec<u8> {
    let row = OWNED.iter().find(|(of, ..)| *of == path);
    row.map_or_else(Vec::new, |(_, _, message)| message(things))
}

#[test]
fn every_method_that_names_a_thing_has_its_row() {
    let names_one = |method: &prost_reflect::MethodDescriptor| {
        method.input().fields().any(|field| {
            let kind = field.kind();
            let inner = kind.as_message().filter(|_| !field.is_list());
            (field.name().ends_with("_id") && field.name() != "request_id")
                || inner.is_some_and(|message| message.get_field_by_name("id").is_some())
        })
    };
    let contract: BTreeSet<String> = raw::methods()
        .into_iter()
        .filter(|(_, method)| names_one(method))
        .map(|(path, _)| path)
        .collect();
    let table = OWNED.iter().map(|(path, ..)| *path).chain(LOOKED_AFTER);
    let table: BTreeSet<String> = table.map(str::to_owned).collect();
    assert_eq!(table, contract);
    assert_eq!(table.len(), OWNED.len() + LOOKED_AFTER.len());
}

impl Things {
    /// Makes one of each.
    pub async fn of(owner: &Person, edge: &str) -> Self {
        let conversation = owner.conversation().await;
        let request = chat::SendMessageRequest {
            conversation_id: conversation.clone(),
            text: "What is 4 plus 5?".to_owned(),
            ..Default::default()
        };
        let reply = owner.chat().send_message(request).await.unwrap();
        let request = image::GenerateImageRequest {
            prompt: "a boat".to_owned(),
            ..Default::default()
        };
        let picture = owner.pictures().generate_image(request).await.unwrap();
        let request = tts::SynthesizeRequest {
            text: "Hello.".to_owned(),
            ..Default::default()
        };
        let sound = owner.speech().synthesize(request).await.unwrap();
        let request = users::CreateApiKeyRequest {
            display_name: "mine".to_owned(),
            scopes: vec![Scope::Read.into()],
            expire_time: None,
        };
        let key = owner.users().create_api_key(request).await.unwrap();
        let there = owner.login(edge).await;
        let request = users::ListSessionsRequest::default();
        let sessions = there.users().list_sessions(request).await.unwrap();
        let sessions = sessions.into_inner().sessions;
        Self {
            user: owner.user.id.clone(),
            conversation,
            reply: listen(reply.into_inner()).await.id().to_owned(),
            picture: listen(picture.into_inner()).await.id().to_owned(),
            sound: listen(sound.into_inner()).await.id().to_owned(),
            session: sessions.into_iter().find(|it| it.current).unwrap().id,
            key: key.into_inner().api_key.unwrap().id,
        }
    }
}

fn is(met: Met, answer: &Answer) -> bool {
    let (code, reason) = match met {
        Well => return answer.code == Code::Ok,
        Unknown => (Code::NotFound, "NOT_FOUND"),
        TooLow => (Code::PermissionDenied, "ROLE_TOO_LOW"),
        Another => (Code::PermissionDenied, "USAGE_OF_ANOTHER"),
    };
    (answer.code, answer.reason()) == (code, reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let (mesh, cast) = Cast::at_work(folder.path()).await;
    let edge = connect(mesh.edge()).await;
    let mut wrong = Vec::new();
    for way in ["through the edge", "at the service"] {
        // New ones each time: at the end of a round the owner has ended what there was.
        let things = Things::of(cast.user(), mesh.edge()).await;
        let tokens = cast.tokens(mesh.edge(), "users").await;
        let [_, anonymous, owner, another, moderator, admin, ..] = tokens;
        let callers = [anonymous, another, moderator, admin, owner];
        for (path, row, message) in OWNED {
            let channel = match way {
                "through the edge" => edge.clone(),
                _ => connect(mesh.of(raw::role_of(path))).await,
            };
            for ((who, token), met) in WHO.iter().zip(&callers).zip(row) {
                let said = message(&things).into();
                let answer = raw::call(&channel, path, token.as_deref(), said).await;
                if !is(met, &answer) {
                    wrong.push(format!(
                        "{path} {way} by {who}: expected {met:?}, got {:?} {} {:?}",
                        answer.code,
                        answer.reason(),
                        answer.message
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
