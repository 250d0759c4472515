//! A house that believes a provider, and what people do there.

use atelier_kit::sql;
use atelier_proto::users::v1 as pb;
use atelier_users::Clock as _;
use serde_json::{Value, json};
use tonic::{Code, Response, Status};
use totp_rs::{Builder, Secret};

use crate::emails::confirm;
use crate::house::{House, PASSWORD, by, refused};
use crate::provider::{FakeProvider, REDIRECT_URI, merge};

/// A house that believes a provider.
pub struct Desk {
    pub house: House,
    pub provider: FakeProvider,
    _folder: tempfile::TempDir,
}

/// What a provider says of Ana.
pub fn ana() -> Value {
    json!({"sub": "1", "email": "Ana@X.org", "email_verified": true, "name": "Ana"})
}

/// The same, with this changed.
pub fn ana_with(change: Value) -> Value {
    let mut claims = ana();
    merge(&mut claims, change);
    claims
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(FakeProvider::config).await
    }

    pub async fn with(config: impl FnOnce(&FakeProvider) -> atelier_users::Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = FakeProvider::new().await;
        Self {
            house: House::at(folder.path(), config(&provider)).await,
            provider,
            _folder: folder,
        }
    }

    pub async fn start(
        &self,
        caller: Option<&pb::TokenPair>,
    ) -> Result<pb::StartSignInResponse, Status> {
        self.start_at(caller, "fake-id", REDIRECT_URI).await
    }

    pub async fn start_at(
        &self,
        caller: Option<&pb::TokenPair>,
        provider: &str,
        redirect_uri: &str,
    ) -> Result<pb::StartSignInResponse, Status> {
        let request = pb::StartSignInRequest {
            provider: provider.into(),
            redirect_uri: redirect_uri.into(),
        };
        let request = match caller {
            Some(tokens) => by(tokens, request),
            None => tonic::Request::new(request),
        };
        let answer = self.house.client.clone().start_sign_in(request).await;
        answer.map(Response::into_inner)
    }

    /// Begins, and comes back from the provider.
    pub async fn go(
        &self,
        caller: Option<&pb::TokenPair>,
        claims: Value,
    ) -> pb::CompleteSignInRequest {
        let started = self.start(caller).await.unwrap();
        let (state, code) = self.provider.authorize(&started.authorization_url, claims);
        pb::CompleteSignInRequest {
            sign_in_token: started.sign_in_token,
            state,
            code,
            ..Default::default()
        }
    }

    pub async fn complete(
        &self,
        request: &pb::CompleteSignInRequest,
    ) -> Result<pb::CompleteSignInResponse, Status> {
        let answer = self
            .house
            .client
            .clone()
            .complete_sign_in(request.clone())
            .await;
        answer.map(Response::into_inner)
    }

    pub async fn sign_in(&self, claims: Value) -> Result<pb::CompleteSignInResponse, Status> {
        let request = self.go(None, claims).await;
        self.complete(&request).await
    }

    /// How many accounts, sessions and identities there are.
    pub async fn rows(&self) -> (i64, i64, i64) {
        sql::query_as(
            "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions), \
             (SELECT COUNT(*) FROM identities)",
        )
        .fetch_one(self.house.database().await.read())
        .await
        .unwrap()
    }
}

impl Desk {
    pub async fn link(
        &self,
        tokens: &pb::TokenPair,
        claims: Value,
    ) -> Result<pb::Identity, Status> {
        let request = self.go(Some(tokens), claims).await;
        self.link_with(tokens, &request).await
    }

    pub async fn link_with(
        &self,
        tokens: &pb::TokenPair,
        request: &pb::CompleteSignInRequest,
    ) -> Result<pb::Identity, Status> {
        let request = pb::LinkIdentityRequest {
            sign_in_token: request.sign_in_token.clone(),
            state: request.state.clone(),
            code: request.code.clone(),
        };
        let mut client = self.house.client.clone();
        let answer = client.link_identity(by(tokens, request)).await?;
        Ok(answer.into_inner().identity.unwrap())
    }

    pub async fn identities(&self, tokens: &pb::TokenPair) -> Vec<pb::Identity> {
        let request = by(tokens, pb::ListIdentitiesRequest {});
        let answer = self.house.client.clone().list_identities(request).await;
        answer.unwrap().into_inner().identities
    }

    pub async fn unlink(&self, tokens: &pb::TokenPair, identity_id: &str) -> Result<u32, Status> {
        let request = pb::UnlinkIdentityRequest {
            identity_id: identity_id.into(),
        };
        let mut client = self.house.client.clone();
        let answer = client.unlink_identity(by(tokens, request)).await;
        answer.map(|answer| answer.into_inner().revoked_sessions)
    }

    /// An account with an e-mail that is verified.
    pub async fn verified(&self, email: &str) -> (pb::User, pb::TokenPair) {
        let (user, tokens) = self.house.register(email).await;
        let token = self.house.token(email, 1).await;
        confirm(&self.house, &token).await.unwrap();
        (user, tokens)
    }

    /// What was kept in the audit log, the oldest first.
    pub async fn acts(&self) -> Vec<String> {
        let rows: Vec<(String,)> = sql::query_as("SELECT action FROM audit_events ORDER BY id")
            .fetch_all(self.house.database().await.read())
            .await
            .unwrap();
        rows.into_iter().map(|(action,)| action).collect()
    }

    /// Gives an account an authenticator; returns its secret.
    pub async fn enroll(&self, tokens: &pb::TokenPair) -> String {
        let mut client = self.house.client.clone();
        let request = pb::EnrollTotpRequest {
            password: PASSWORD.into(),
        };
        let answer = client.enroll_totp(by(tokens, request)).await.unwrap();
        let secret = answer.into_inner().secret;
        let request = pb::ConfirmTotpRequest {
            code: self.code(&secret),
        };
        client.confirm_totp(by(tokens, request)).await.unwrap();
        self.house.clock.pass(30);
        secret
    }

    pub fn code(&self, secret: &str) -> String {
        let seconds = self.house.clock.now() / 1_000_000;
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(seconds).unwrap()).to_string()
    }
}

/// Not under way, or no longer.
#[track_caller]
pub fn invalid<T>(answer: Result<T, Status>) {
    refused(answer, Code::Unauthenticated, "SIGN_IN_INVALID");
}

/// The same sign-in, gone on with under a password.
pub fn with_password(
    request: &pb::CompleteSignInRequest,
    password: &str,
) -> pb::CompleteSignInRequest {
    pb::CompleteSignInRequest {
        // Neither is looked at again.
        state: String::new(),
        code: String::new(),
        password: password.into(),
        ..request.clone()
    }
}
