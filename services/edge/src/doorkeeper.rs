//! Who gets in: an API key is exchanged for the access token that stands for it, and any other token has to be one that
//! holds. What a caller may do is not asked here; the service that is called verifies for itself.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{AccessVerifier, Caller, Verifier};
use atelier_kit::inbound;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::exchange::{self, Exchange};

/// See above.
pub(crate) struct Doorkeeper {
    verifier: Verifier,
    exchange: Arc<Exchange>,
}

impl Doorkeeper {
    pub(crate) fn new(access: AccessVerifier, exchange: Arc<Exchange>) -> Self {
        Self {
            // What services say to each other is no business of those outside: their tokens are refused.
            verifier: Verifier::new(access, None, "edge"),
            exchange,
        }
    }
}

#[async_trait]
impl inbound::Doorkeeper for Doorkeeper {
    async fn recognise(&self, call: &mut Parts) -> Result<Caller, Fault> {
        if let Some(key) = exchange::key_of(&call.headers) {
            let stand = self.exchange.stand_for(key).await?;
            call.headers
                .insert(AUTHORIZATION, stand.authorization.clone());
            // Whoever hears the answer tells the exchange when it does not hold any more.
            call.extensions.insert(stand);
            return Ok(Caller::Nobody);
        }
        match self.verifier.identify(&call.headers).await {
            // The keys are away: the service, which may have them, decides.
            Err(fault) if fault.kind() == Kind::Unavailable => Ok(Caller::Nobody),
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKeyExchange, Exchanged};
    use atelier_kit::identity::{KeySource, Role};
    use atelier_kit::inbound::Doorkeeper as _;
    use atelier_kit::testing::Issuer;
    use secrecy::SecretString;

    struct Away;

    #[async_trait]
    impl KeySource for Away {
        async fn fetch(&self) -> Result<String, Fault> {
            Err(Fault::new(Kind::Unavailable, "AWAY", "away"))
        }
    }

    #[async_trait]
    impl ApiKeyExchange for Away {
        async fn exchange(&self, _: SecretString) -> Result<Exchanged, Fault> {
            Err(Fault::new(Kind::Unavailable, "AWAY", "away"))
        }
    }

    async fn recognised(keys: impl KeySource, authorization: &str) -> Result<Caller, Fault> {
        let doorkeeper = Doorkeeper::new(
            AccessVerifier::new(Arc::new(keys)),
            Arc::new(Exchange::new(Arc::new(Away))),
        );
        let request = http::Request::builder().header(AUTHORIZATION, authorization);
        let (mut call, ()) = request.body(()).unwrap().into_parts();
        let caller = doorkeeper.recognise(&mut call).await;
        assert_eq!(call.headers[AUTHORIZATION], authorization);
        caller
    }

    #[tokio::test]
    async fn a_token_is_judged_by_the_keys_and_by_the_service_while_they_are_away() {
        let issuer = Issuer::new();
        let token = issuer.bearer("ann", Role::User);
        let known = recognised(issuer.clone(), &token).await.unwrap();
        assert!(matches!(known, Caller::Account(account) if &*account.id == "ann"));
        let forged = recognised(Issuer::new(), &token).await.unwrap_err();
        assert_eq!(forged.kind(), Kind::Unauthenticated);
        // What no key is needed for is refused all the same.
        assert_eq!(recognised(Away, &token).await.unwrap(), Caller::Nobody);
        assert_eq!(
            recognised(Away, "Bearer nonsense")
                .await
                .unwrap_err()
                .kind(),
            Kind::Unauthenticated
        );
    }
}
