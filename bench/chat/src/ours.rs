//! How ours is called: with accounts of its own, and for a stored conversation with conversations that are made as they are
//! needed. What a caller must do is a part of what is measured.

use std::net::SocketAddr;

use anyhow::Context as _;
use atelier_proto::llm_chat::v1::{
    CompleteRequest, CreateConversationRequest, CreateConversationResponse, InputMessage, Role,
    SendMessageRequest,
};
use atelier_proto::users::v1::{LoginRequest, LoginResponse, RegisterRequest, RegisterResponse};
use bytes::Bytes;

use crate::upstream::Kind;
use crate::wire::{Line, Protocol, framed};

/// A method that replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The stateless call.
    Complete,
    /// A stored conversation.
    SendMessage,
}

/// How many accounts call: no share of one account bounds what is measured.
const ACCOUNTS: usize = 32;
/// After so many replies a conversation is left for a new one.
const REPLIES: usize = 10;

/// What every caller says.
pub const PROMPT: &str = "Say something about the sea, in one word or in a hundred.";

/// The accounts.
pub struct Ours {
    address: SocketAddr,
    tokens: Vec<String>,
}

fn email(account: usize) -> String {
    format!("chat-{account}@example.org")
}

const PASSWORD: &str = "a long enough password";

impl Ours {
    /// Registers them.
    pub async fn register(address: SocketAddr) -> anyhow::Result<Self> {
        let mut line = Line::connect(address, Protocol::Grpc, None).await?;
        let mut tokens = Vec::new();
        for account in 0..ACCOUNTS {
            let request = RegisterRequest {
                email: email(account),
                password: PASSWORD.to_owned(),
                display_name: String::new(),
            };
            let response: RegisterResponse = line
                .unary("/atelier.users.v1.UsersService/Register", &request)
                .await?;
            tokens.push(response.tokens.context("no tokens")?.access_token);
        }
        Ok(Self { address, tokens })
    }

    /// Signs them in anew: a token is good for a quarter of an hour.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        let mut line = Line::connect(self.address, Protocol::Grpc, None).await?;
        for (account, token) in self.tokens.iter_mut().enumerate() {
            let request = LoginRequest {
                email: email(account),
                password: PASSWORD.to_owned(),
                ..LoginRequest::default()
            };
            let response: LoginResponse = line
                .unary("/atelier.users.v1.UsersService/Login", &request)
                .await?;
            *token = response.tokens.context("no tokens")?.access_token;
        }
        Ok(())
    }

    /// The token of the caller with this number.
    pub fn token(&self, caller: usize) -> &str {
        &self.tokens[caller % self.tokens.len()]
    }
}

/// One caller's conversation.
#[derive(Debug, Default)]
pub struct Conversation {
    id: String,
    replies: usize,
}

impl Conversation {
    /// The next call: its path and its body.
    pub async fn next(
        &mut self,
        method: Method,
        kind: Kind,
        line: &mut Line,
    ) -> anyhow::Result<(&'static str, Bytes)> {
        Ok(match method {
            Method::Complete => (
                "/atelier.llm_chat.v1.LlmChatService/Complete",
                framed(&CompleteRequest {
                    messages: vec![InputMessage {
                        role: Role::User.into(),
                        text: PROMPT.to_owned(),
                    }],
                    model: kind.model().to_owned(),
                    ..CompleteRequest::default()
                }),
            ),
            Method::SendMessage => {
                if self.id.is_empty() || self.replies >= REPLIES {
                    let made: CreateConversationResponse = line
                        .unary(
                            "/atelier.llm_chat.v1.LlmChatService/CreateConversation",
                            &CreateConversationRequest::default(),
                        )
                        .await?;
                    self.id = made.conversation.context("no conversation")?.id;
                    self.replies = 0;
                }
                self.replies += 1;
                (
                    "/atelier.llm_chat.v1.LlmChatService/SendMessage",
                    framed(&SendMessageRequest {
                        conversation_id: self.id.clone(),
                        text: PROMPT.to_owned(),
                        model: kind.model().to_owned(),
                        ..SendMessageRequest::default()
                    }),
                )
            }
        })
    }
}
