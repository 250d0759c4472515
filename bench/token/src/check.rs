//! What is measured of one token: the signature alone, the verifier of every service, and a whole call; each on a thread
//! of its own for every core.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::identity::{AccessVerifier, Caller, KeySource, Role, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::{Listener, Side, serve};
use atelier_kit::testing::Issuer;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The method of the calls: the smallest that everybody has generated code for.
const METHOD: &str = "/grpc.health.v1.Health/Check";
/// How many tokens are hot: as many callers as a busy service has at once.
const HOT: usize = 100;
/// How many calls are under way at once where calls are measured.
const AT_ONCE: usize = 16;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// RS256 over the token, with a key that was read before.
    Bare,
    /// The same, with a key that is read from its two numbers each time.
    BareRead,
    /// The verifier, for tokens that it has never seen.
    First,
    /// The verifier, for tokens that it has seen.
    Again,
    /// A call by nobody, with everything but a token.
    CallByNobody,
    /// A call with a token that the service has never seen.
    CallFirst,
    /// A call with a token that it has seen.
    CallAgain,
}

impl What {
    /// All of them, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Bare,
        Self::BareRead,
        Self::First,
        Self::Again,
        Self::CallByNobody,
        Self::CallFirst,
        Self::CallAgain,
    ];

    /// Its line in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "RS256 alone, the key read before",
            Self::BareRead => "RS256 alone, the key read each time",
            Self::First => "the verifier, tokens it has never seen",
            Self::Again => "the verifier, tokens it has seen",
            Self::CallByNobody => "a whole call, without a token",
            Self::CallFirst => "a whole call, tokens it has never seen",
            Self::CallAgain => "a whole call, tokens it has seen",
        }
    }
}

/// The keys as they are published.
struct Published(Issuer);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<String, Fault> {
        self.0.fetch().await
    }
}

/// The tokens, and the key that signed them.
pub struct Stand {
    issuer: Issuer,
    /// The signed part and the signature of each token.
    parts: Vec<(String, Vec<u8>)>,
    /// Each token as a caller sends it.
    headers: Vec<HeaderMap>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    key: ParsedPublicKey,
}

impl Stand {
    /// So many tokens, of as many accounts.
    pub async fn new(tokens: usize) -> anyhow::Result<Self> {
        let issuer = Issuer::new();
        let set: serde_json::Value = serde_json::from_str(&issuer.fetch().await?)?;
        let number = |name: &str| {
            let text = set["keys"][0][name].as_str().context("a key")?;
            anyhow::Ok(URL_SAFE_NO_PAD.decode(text)?)
        };
        let (modulus, exponent) = (number("n")?, number("e")?);
        let public = RsaPublicKeyComponents {
            n: &modulus,
            e: &exponent,
        };
        let public: aws_lc_rs::rsa::PublicEncryptingKey = public
            .try_into()
            .map_err(|_| anyhow::anyhow!("the key cannot be read"))?;
        let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(
            &public,
        )?;
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref())
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let (mut parts, mut headers) = (Vec::new(), Vec::new());
        for number in 0..tokens {
            let bearer = issuer.bearer(&format!("account-{number}"), Role::User);
            let (signed, signature) = bearer
                .strip_prefix("Bearer ")
                .and_then(|token| token.rsplit_once('.'))
                .context("a token")?;
            parts.push((signed.to_owned(), URL_SAFE_NO_PAD.decode(signature)?));
            let mut header = HeaderMap::new();
            header.insert(http::header::AUTHORIZATION, bearer.parse()?);
            headers.push(header);
        }
        let stand = Self {
            issuer,
            parts,
            headers,
            modulus,
            exponent,
            key,
        };
        stand.prove().await?;
        Ok(stand)
    }

    /// That the bare check and the verifier take what is right, and nothing else.
    async fn prove(&self) -> anyhow::Result<()> {
        let (signed, signature) = &self.parts[0];
        ensure!(self.bare(signed, signature) && self.bare_read(signed, signature));
        ensure!(
            !self.bare("another text", signature) && !self.bare_read("another text", signature)
        );
        let verifier = self.verifier();
        let caller = verifier.identify(&self.headers[0]).await?;
        ensure!(matches!(&caller, Caller::Account(who) if &*who.id == "account-0"));
        let mut forged = self.headers[0].clone();
        let of_another = &self.parts[1].1;
        let forgery = format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(of_another));
        forged.insert(http::header::AUTHORIZATION, forgery.parse()?);
        ensure!(verifier.identify(&forged).await.is_err(), "a forged token");
        Ok(())
    }

    fn bare(&self, signed: &str, signature: &[u8]) -> bool {
        self.key.verify_sig(signed.as_bytes(), signature).is_ok()
    }

    fn bare_read(&self, signed: &str, signature: &[u8]) -> bool {
        let public = RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        };
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature)
            .is_ok()
    }

    /// A verifier as every service has one, that has seen nothing.
    fn verifier(&self) -> Verifier {
        let access = AccessVerifier::new(Arc::new(Published(self.issuer.clone())));
        Verifier::new(access, None, "text-image")
    }

    /// A service in memory behind the layers that all have, and a client of it. Dropping the token ends it.
    fn service(&self, verifier: Verifier) -> anyhow::Result<(HealthClient<Link>, Closing)> {
        let (reporter, health) = tonic_health::server::health_reporter();
        // Nobody sets anything: what is asked for is the process itself.
        drop(reporter);
        let access = Access::Public;
        let policy = Policy {
            access,
            rate_bucket: "read".to_owned(),
            credit_class: "free".to_owned(),
            idempotency: Idempotency::Safe,
            max_request_bytes: 1024,
            deadline: Duration::from_secs(20),
            client_streaming: false,
            server_streaming: false,
            scope: None,
        };
        let policies = Policies::new([(METHOD.to_owned(), policy)]);
        let router: Router = Routes::new(health).into_axum_router();
        let router = Inbound::new("text-image", policies, verifier, 1024).guard(router);
        let (near, far) = pipe();
        let closing = CancellationToken::new();
        let ended = closing.clone();
        tokio::spawn(serve(router, Listener::Memory(far), Side::Inside, ended));
        let link = Link::new("text-image", &Route::Memory(near), None)?;
        Ok((HealthClient::new(link), Closing(closing)))
    }

    /// How many one thread manages in each second that it has a core, while others do the same: until the tokens of its share are used up, or, where
    /// they come again, for a slice.
    fn on_one(
        &self,
        what: What,
        share: std::ops::Range<usize>,
        slice: Duration,
    ) -> anyhow::Result<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        match what {
            What::Bare | What::BareRead => {
                let (begun, mut count) = (Begun::now()?, 0_u32);
                while begun.at.elapsed() < slice {
                    for number in share.clone().take(50) {
                        let (signed, signature) = &self.parts[number];
                        let holds = match what {
                            What::Bare => self.bare(signed, signature),
                            _ => self.bare_read(signed, signature),
                        };
                        ensure!(holds, "a signature");
                        count += 1;
                    }
                }
                begun.rate(f64::from(count))
            }
            What::First | What::Again => runtime.block_on(self.verified(what, share, slice)),
            _ => self.called(&runtime, what, share, slice),
        }
    }

    async fn verified(
        &self,
        what: What,
        share: std::ops::Range<usize>,
        slice: Duration,
    ) -> anyhow::Result<f64> {
        let verifier = self.verifier();
        let last = share.end - 1;
        // The keys are fetched, and what comes again has come once.
        verifier.identify(&self.headers[last]).await?;
        let hot = share.start..share.start + HOT;
        if what == What::Again {
            for number in hot.clone() {
                verifier.identify(&self.headers[number]).await?;
            }
        }
        let (begun, mut count) = (Begun::now()?, 0_u32);
        if what == What::First {
            for number in share.start..last {
                verifier.identify(&self.headers[number]).await?;
                count += 1;
            }
        } else {
            while begun.at.elapsed() < slice {
                for number in hot.clone() {
                    verifier.identify(&self.headers[number]).await?;
                    count += 1;
                }
            }
        }
        begun.rate(f64::from(count))
    }

    fn called(
        &self,
        runtime: &Runtime,
        what: What,
        share: std::ops::Range<usize>,
        slice: Duration,
    ) -> anyhow::Result<f64> {
        runtime.block_on(async {
            let (client, _closing) = self.service(self.verifier())?;
            let call = async |number: Option<usize>| {
                let mut request = Request::new(HealthCheckRequest::default());
                if let Some(number) = number {
                    let value = &self.headers[number][http::header::AUTHORIZATION];
                    let value = value.to_str()?.parse()?;
                    request.metadata_mut().insert("authorization", value);
                }
                client.clone().check(request).await?;
                anyhow::Ok(())
            };
            let last = share.end - 1;
            call(Some(last)).await?;
            let hot = share.start..share.start + HOT;
            if what == What::CallAgain {
                for number in hot.clone() {
                    call(Some(number)).await?;
                }
            }
            let next = std::cell::Cell::new(share.start);
            let begun = Begun::now()?;
            let callers = (0..AT_ONCE).map(|_| async {
                loop {
                    let number = next.get();
                    let over = match what {
                        What::CallFirst => number == last,
                        _ => begun.at.elapsed() >= slice,
                    };
                    if over {
                        return anyhow::Ok(());
                    }
                    next.set(number + 1);
                    call(match what {
                        What::CallByNobody => None,
                        What::CallFirst => Some(number),
                        _ => Some(hot.start + number % HOT),
                    })
                    .await?;
                }
            });
            futures_util::future::try_join_all(callers).await?;
            let count = (next.get() - share.start) as f64;
            begun.rate(count)
        })
    }

    /// How many a second of a core, measured on all of them at once: the mean.
    pub fn per_core(&self, what: What, slice: Duration) -> anyhow::Result<f64> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = self.headers.len() / cores;
        let rates: anyhow::Result<Vec<f64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores)
                .map(|core| {
                    let share = core * share..(core + 1) * share;
                    scope.spawn(move || self.on_one(what, share, slice))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok().context("a thread has panicked")?)
                .collect()
        });
        Ok(rates?.iter().sum::<f64>() / cores as f64)
    }
}

/// When a thread began, by the clock and by its own work.
struct Begun {
    at: Instant,
    worked: f64,
}

impl Begun {
    fn now() -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            worked: worked()?,
        })
    }

    /// So many by now, in a second of a core.
    fn rate(&self, count: f64) -> anyhow::Result<f64> {
        Ok(count / (worked()? - self.worked))
    }
}

fn worked() -> anyhow::Result<f64> {
    bench_report::thread_seconds().context("the system does not tell how long a thread has worked")
}

/// Ends a service when it is dropped.
struct Closing(CancellationToken);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
