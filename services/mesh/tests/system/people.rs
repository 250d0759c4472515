//! The people of these tests: accounts with their tokens, and the generated clients that speak for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{
    Conversation, CreateConversationRequest, ListConversationsRequest, ListMessagesRequest, Message,
};
use atelier_proto::text_image::v1::text_image_service_client::TextImageServiceClient;
use atelier_proto::text_image::v1::{Image, ListImagesRequest};
use atelier_proto::tts::v1::tts_service_client::TtsServiceClient;
use atelier_proto::tts::v1::{Conversion, ListConversionsRequest};
use atelier_proto::users::v1::credits_service_client::CreditsServiceClient;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    CreateAnonymousSessionRequest, LoginRequest, RegisterRequest, TokenPair, User,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// How long a call may take to answer on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);

/// Puts an access token on every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A channel that signs its calls.
pub type Signed = InterceptedService<Channel, Bearer>;

/// Somebody with a session.
#[derive(Clone)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Its tokens.
    pub tokens: TokenPair,
    /// Its password; empty for an anonymous session.
    pub password: String,
    channel: Channel,
}

/// Connects to a URL.
pub async fn connect(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned())
        .unwrap()
        .connect_timeout(Duration::from_secs(10))
        .timeout(ANSWER)
        .connect()
        .await
        .unwrap_or_else(|error| panic!("nobody answers at {url}: {error}"))
}

/// An e-mail and a password that nobody has yet.
pub fn credentials() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    (
        format!("person-{count}@example.com"),
        format!("correct-horse-{count}-{}", std::process::id()),
    )
}

impl Person {
    /// Registers a new account.
    pub async fn register(url: &str) -> Self {
        let (email, password) = credentials();
        let channel = connect(url).await;
        let request = RegisterRequest {
            email,
            password: password.clone(),
            display_name: "A person".to_owned(),
        };
        let answer = UsersServiceClient::new(channel.clone())
            .register(request)
            .await
            .expect("an account")
            .into_inner();
        Self {
            user: answer.user.unwrap(),
            tokens: answer.tokens.unwrap(),
            password,
            channel,
        }
    }

    /// Signs in once more, over a connection of its own.
    pub async fn login(&self, url: &str) -> Self {
        Self::sign_in(url, &self.user.email, &self.password).await
    }

    /// Signs in.
    pub async fn sign_in(url: &str, email: &str, password: &str) -> Self {
        let channel = connect(url).await;
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            ..Default::default()
        };
        let answer = UsersServiceClient::new(channel.clone())
            .login(request)
            .await
            .expect("a login")
            .into_inner();
        Self {
            user: answer.user.unwrap(),
            tokens: answer.tokens.unwrap(),
            password: password.to_owned(),
            channel,
        }
    }

    /// Begins an anonymous session.
    pub async fn anonymous(url: &str) -> Self {
        let channel = connect(url).await;
        let answer = UsersServiceClient::new(channel.clone())
            .create_anonymous_session(CreateAnonymousSessionRequest {})
            .await
            .expect("an anonymous session")
            .into_inner();
        Self {
            user: answer.user.unwrap(),
            tokens: answer.tokens.unwrap(),
            password: String::new(),
            channel,
        }
    }

    /// The same session through another door, which need not be open yet.
    pub fn through(&self, url: &str) -> Self {
        let door = Endpoint::from_shared(url.to_owned()).unwrap();
        let door = door
            .connect_timeout(Duration::from_secs(10))
            .timeout(ANSWER);
        Self {
            channel: door.connect_lazy(),
            ..self.clone()
        }
    }

    fn signed(&self) -> (Channel, Bearer) {
        let value = format!("Bearer {}", self.tokens.access_token);
        (self.channel.clone(), Bearer(value.parse().unwrap()))
    }

    /// The users service, as this person.
    pub fn users(&self) -> UsersServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        UsersServiceClient::with_interceptor(channel, bearer)
    }

    /// The credits, as this person.
    pub fn credits(&self) -> CreditsServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        CreditsServiceClient::with_interceptor(channel, bearer)
    }

    /// The chat service, as this person.
    pub fn chat(&self) -> LlmChatServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        LlmChatServiceClient::with_interceptor(channel, bearer)
    }

    /// The picture service, as this person.
    pub fn pictures(&self) -> TextImageServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        TextImageServiceClient::with_interceptor(channel, bearer)
    }

    /// The speech service, as this person.
    pub fn speech(&self) -> TtsServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        TtsServiceClient::with_interceptor(channel, bearer)
    }

    /// The usage, as this person.
    pub fn usage(&self) -> AnalyticsServiceClient<Signed> {
        let (channel, bearer) = self.signed();
        AnalyticsServiceClient::with_interceptor(channel, bearer)
    }

    /// Makes a conversation and returns its id.
    pub async fn conversation(&self) -> String {
        let answer = self
            .chat()
            .create_conversation(CreateConversationRequest::default())
            .await
            .expect("a conversation");
        answer.into_inner().conversation.unwrap().id
    }

    /// The first page of this person's conversations.
    pub async fn conversations(&self) -> Vec<Conversation> {
        let request = ListConversationsRequest::default();
        let answer = self.chat().list_conversations(request).await;
        answer.expect("conversations").into_inner().conversations
    }

    /// The first page of a conversation's messages.
    pub async fn messages(&self, conversation: &str) -> Vec<Message> {
        let request = ListMessagesRequest {
            conversation_id: conversation.to_owned(),
            ..Default::default()
        };
        let answer = self.chat().list_messages(request).await;
        answer.expect("messages").into_inner().messages
    }

    /// The first page of this person's pictures.
    pub async fn images(&self) -> Vec<Image> {
        let request = ListImagesRequest::default();
        let answer = self.pictures().list_images(request).await;
        answer.expect("images").into_inner().images
    }

    /// The first page of this person's spoken texts.
    pub async fn conversions(&self) -> Vec<Conversion> {
        let request = ListConversionsRequest::default();
        let answer = self.speech().list_conversions(request).await;
        answer.expect("conversions").into_inner().conversions
    }
}
