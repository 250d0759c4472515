//! A provider that speaks OpenID Connect: the authorization code flow with PKCE, over `oauth2`, and ID tokens verified here.
//! Whom what it says lets in is not decided here.
//!
//! Not `openidconnect`, which would bring `rsa` and its timing (RUSTSEC-2023-0071) into the tree.

mod id_token;
mod kept;
mod server;
mod web;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::outbound;
use jsonwebtoken::Header;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _,
    TokenUrl,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use url::Url;

use self::id_token::{Expected, KeyDocument, KeySet, Profile};
use self::kept::Kept;
use self::web::{Web, WebError};
use crate::email;
use crate::error::Error;
use crate::identities::Person;
use crate::ports::{Clock, Provider, ProviderName};
use crate::sign_in::Journey;

pub use self::server::{Issuer, OpenIdServer, RedirectUris};

/// What the provider says of itself (OpenID Connect Discovery 1.0, 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What OpenID Connect adds to the answer to a code. It is never printed.
#[derive(Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdToken(…)")
    }
}

impl ExtraTokenFields for IdToken {}

/// A client of `oauth2` that knows where to send browsers and where to take codes.
type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What the provider tells when it is asked with an access token.
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    profile: Profile,
}

/// One OpenID provider. What it says of itself and its keys are fetched when they are first needed.
pub(crate) struct OpenIdProvider {
    server: OpenIdServer,
    name: ProviderName,
    web: Web,
    clock: Arc<dyn Clock>,
    discovery: Kept<Discovery>,
    keys: Kept<KeySet>,
}

impl OpenIdProvider {
    /// A provider, which is not asked yet.
    pub(crate) fn new(server: OpenIdServer, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            name: ProviderName {
                id: server.id.clone(),
                display_name: server.display_name.clone(),
                issuer: server.issuer.as_str().to_owned(),
            },
            web: Web::new(&server.issuer, server.patience)?,
            server,
            clock,
            discovery: Kept::new(),
            keys: Kept::new(),
        })
    }

    async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        let fetch = async {
            let url = self.server.issuer.discovery();
            let found: Discovery = self.web.json(&url, None).await?;
            // Another's would let it speak for this one.
            if found.issuer != self.server.issuer.as_str() {
                return Err(WebError::OtherIssuer);
            }
            let userinfo = found.userinfo_endpoint.iter();
            for url in [
                &found.token_endpoint,
                &found.jwks_uri,
                &found.authorization_endpoint,
            ]
            .into_iter()
            .chain(userinfo)
            {
                self.web.may_ask(url)?;
            }
            Ok(found)
        };
        let found = self.discovery.get(&*self.clock, |_| false, fetch).await;
        found.map_err(|error| self.away("what it says of itself", &error))
    }

    /// The provider's keys, fetched anew when there is none for a token with this header.
    async fn keys(
        &self,
        discovery: &Discovery,
        header: Option<&Header>,
    ) -> Result<Arc<KeySet>, Error> {
        let fetch = async {
            let found: KeyDocument = self.web.json(discovery.jwks_uri.as_str(), None).await?;
            Ok(KeySet::from(found))
        };
        let lacks = |keys: &KeySet| header.is_some_and(|header| keys.lacks(header));
        let found = self.keys.get(&*self.clock, lacks, fetch).await;
        found.map_err(|error| self.away("its keys", &error))
    }

    fn away(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
        let (issuer, error) = (&self.name.issuer, self.quoted(error));
        tracing::warn!(issuer, error, "the provider does not tell {what}");
        Error::ProviderAway
    }

    fn refused(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let (issuer, error) = (&self.name.issuer, self.quoted(error));
        tracing::warn!(issuer, error, "the provider does not vouch for a sign-in");
        Error::ProviderRefused
    }

    /// An error as it may stand in a log: a provider may have written much into it.
    fn quoted(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let chain = atelier_kit::fault::chain(error);
        outbound::quote(&chain, self.server.client_secret.as_ref())
    }

    fn client(&self, discovery: &Discovery) -> Client {
        let auth = AuthUrl::from_url(discovery.authorization_endpoint.clone());
        let token = TokenUrl::from_url(discovery.token_endpoint.clone());
        let client = oauth2::Client::new(ClientId::new(self.server.client_id.clone()))
            .set_auth_uri(auth)
            .set_token_uri(token);
        let Some(secret) = &self.server.client_secret else {
            return client;
        };
        // Where a provider does not say, `client_secret_basic` is meant.
        let methods = discovery.token_endpoint_auth_methods_supported.as_deref();
        let basic = methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"));
        client
            .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            .set_auth_type(if basic {
                AuthType::BasicAuth
            } else {
                AuthType::RequestBody
            })
    }

    /// The profile of somebody whose ID token has no e-mail: providers tell it there or only when asked (OpenID Connect
    /// Core 1.0, 5.4).
    async fn ask_for_profile(
        &self,
        discovery: &Discovery,
        token: &str,
        subject: &str,
    ) -> Result<Option<Profile>, Error> {
        let Some(url) = &discovery.userinfo_endpoint else {
            return Ok(None);
        };
        let told: UserInfo = match self.web.json(url.as_str(), Some(token)).await {
            Ok(told) => told,
            // It answers, and has nothing to tell to us.
            Err(WebError::Status(400..=428 | 430..=499)) => return Ok(None),
            Err(error) => return Err(self.away("of a person", &error)),
        };
        // It is not signed, so it must at least be about the same one (5.3.2).
        Ok(Some(told.profile).filter(|_| told.sub == subject))
    }
}

fn redirect(journey: &Journey) -> Result<Cow<'_, RedirectUrl>, Error> {
    let url = RedirectUrl::new(journey.redirect_uri.clone()).map_err(Error::crypto)?;
    Ok(Cow::Owned(url))
}

#[async_trait]
impl Provider for OpenIdProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn returns_to(&self, redirect_uri: &str) -> bool {
        self.server.redirect_uris.allows(redirect_uri)
    }

    async fn ready(&self) -> Result<(), Error> {
        let discovery = self.discovery().await?;
        self.keys(&discovery, None).await?;
        Ok(())
    }

    async fn authorization_url(&self, state: &str, journey: &Journey) -> Result<String, Error> {
        let discovery = self.discovery().await?;
        let verifier = PkceCodeVerifier::new(journey.verifier.expose_secret().to_owned());
        let state = CsrfToken::new(state.to_owned());
        let (url, _) = self
            .client(&discovery)
            .authorize_url(|| state)
            .add_scopes(["openid", "email", "profile"].map(|scope| Scope::new(scope.into())))
            .add_extra_param("nonce", journey.nonce.expose_secret())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_redirect_uri(redirect(journey)?)
            .url();
        Ok(url.into())
    }

    async fn person(&self, code: String, journey: &Journey) -> Result<Person, Error> {
        let discovery = self.discovery().await?;
        let verifier = PkceCodeVerifier::new(journey.verifier.expose_secret().to_owned());
        // Its future must borrow nothing: the compiler cannot see that one which does may go to another thread.
        let web = self.web.clone();
        let ask = move |request| {
            let web = web.clone();
            async move { web.call(request).await }
        };
        let answer = self
            .client(&discovery)
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(verifier)
            .set_redirect_uri(redirect(journey)?)
            .request_async(&ask)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(refusal) => {
                    self.refused(&RequestTokenError::<WebError, _>::ServerResponse(refusal))
                }
                RequestTokenError::Request(error) => self.away("who came back", &error),
                RequestTokenError::Parse(error, _) => {
                    self.away("who came back", &WebError::from(error.inner()))
                }
                RequestTokenError::Other(what) => self.away(
                    "who came back",
                    &RequestTokenError::<WebError, BasicErrorResponse>::Other(what),
                ),
            })?;
        let token = answer
            .extra_fields()
            .id_token
            .as_deref()
            .unwrap_or_default();
        let header = id_token::header(token).map_err(|error| self.refused(&error))?;
        let keys = self.keys(&discovery, Some(&header)).await?;
        let expected = Expected {
            issuer: &self.name.issuer,
            client_id: &self.server.client_id,
            nonce: journey.nonce.expose_secret(),
            now: self.clock.now(),
        };
        let claims = id_token::verify(token, &header, &keys, &expected)
            .map_err(|error| self.refused(&error))?;
        let mut profile = claims.profile;
        if profile.email.is_none() {
            let access = answer.access_token().secret();
            let told = self
                .ask_for_profile(&discovery, access, &claims.sub)
                .await?;
            profile = told.unwrap_or(profile);
        }
        let email = profile.email.as_deref().map(email::normalise);
        Ok(Person {
            issuer: self.name.issuer.clone(),
            subject: claims.sub,
            email: email.and_then(Result::ok),
            email_verified: profile.email_verified.holds(),
            name: profile.name.unwrap_or_default(),
        })
    }
}
