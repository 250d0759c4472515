//! A call as it is measured: where the called role is, what it checks, and what each round found.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_kit::call::Call;
use atelier_kit::identity::Role;
use atelier_kit::link::Link;
use atelier_kit::testing::Issuer;
use axum::Router;
use bench_report::Spread;
use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::AT_ONCE;
use crate::echo::{FOR_ACCOUNTS, FOR_ANYONE, FOR_SERVICES};
use crate::pace::{Trip, one_by_one};
use crate::peer::{Peer, Place};

/// What the called role does before its handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Nothing: a bare handler.
    None,
    /// The mesh's inbound stack; nobody in particular calls a method that is open to anyone.
    Nobody,
    /// The mesh's inbound stack; a service calls within a call of its own: its token (HS256), deadline and trace.
    Service,
    /// The mesh's inbound stack; an account calls with an access token (RS256).
    Account,
}

impl Checks {
    /// All.
    pub const ALL: [Self; 4] = [Self::None, Self::Nobody, Self::Service, Self::Account];

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "bare",
            Self::Nobody => "stack, nobody calls",
            Self::Service => "stack, a service calls",
            Self::Account => "stack, an account calls",
        }
    }
}

/// The sizes of message and answer, in bytes.
pub const SIZES: [usize; 2] = [100, 64 * 1024];

/// What the rounds found for one size.
#[derive(Default)]
pub struct Found {
    /// Of each round, what the calls took one after the other, in seconds.
    pub one_by_one: Vec<Spread>,
    /// Of each round, how many calls a second were answered with [`AT_ONCE`] under way.
    pub at_once: Vec<f64>,
}

/// A call, ready to be measured.
pub struct Case {
    /// Where the called role is.
    pub place: Place,
    /// What it checks.
    pub checks: Checks,
    /// What was found, by size.
    pub found: [Found; SIZES.len()],
    client: Client,
}

impl Case {
    /// How a call is named in the tables.
    pub fn name(checks: Checks, place: Place) -> String {
        format!("{}, {}", checks.name(), place.name())
    }

    /// Makes sure that the call does what its name says: the answer is the message, and where identity is checked,
    /// a caller without one is refused.
    pub async fn prove(
        peer: Peer,
        place: Place,
        checks: Checks,
        issuer: &Issuer,
    ) -> anyhow::Result<Self> {
        let client = Client::new(peer, checks, issuer)?;
        for size in SIZES {
            let message = message(size);
            let answer = client.with(message.clone()).call().await?;
            ensure!(answer == message, "the answer is not the message");
        }
        if matches!(checks, Checks::Service | Checks::Account) {
            let request = Request::new(Bytes::new());
            let refused = client.clone().send(request).await.err();
            let code = refused.as_ref().map(Status::code);
            ensure!(
                code == Some(Code::Unauthenticated),
                "a caller without a token got {refused:?}"
            );
        }
        Ok(Self {
            place,
            checks,
            found: Default::default(),
            client,
        })
    }

    /// Measures one round.
    pub async fn measure(&mut self, slice: Duration) -> anyhow::Result<()> {
        for (size, found) in SIZES.into_iter().zip(&mut self.found) {
            let mut client = self.client.with(message(size));
            found.at_once.push(client.at_once(slice).await?);
            // On a task of its own, as every call of the program is: not on the thread that blocks on the runtime.
            let taken = tokio::spawn(async move { one_by_one(&mut client, slice).await });
            found.one_by_one.push(taken.await??);
        }
        Ok(())
    }

    /// Forgets what was measured: it was for warming up.
    pub fn forget(&mut self) {
        self.found = Default::default();
    }
}

fn message(size: usize) -> Bytes {
    // No byte is like all others, should anything on the way be tempted to compress.
    (0..size).map(|n| (n * 31 % 251) as u8).collect()
}

/// A client of the called role, over whatever leads there.
#[derive(Clone)]
struct Client {
    way: Way,
    message: Bytes,
    path: PathAndQuery,
    token: Option<MetadataValue<Ascii>>,
    within: Option<Call>,
}

#[derive(Clone)]
enum Way {
    Routes(Grpc<Router>),
    Link(Grpc<Link>),
}

impl Client {
    fn new(peer: Peer, checks: Checks, issuer: &Issuer) -> anyhow::Result<Self> {
        let token = issuer.bearer("ana", Role::User);
        Ok(Self {
            way: match peer {
                Peer::Routes(routes) => Way::Routes(Grpc::new(routes)),
                Peer::Link(link) => Way::Link(Grpc::new(link)),
            },
            message: Bytes::new(),
            path: PathAndQuery::from_static(match checks {
                Checks::None | Checks::Nobody => FOR_ANYONE,
                Checks::Account => FOR_ACCOUNTS,
                Checks::Service => FOR_SERVICES,
            }),
            token: match checks {
                Checks::Account => Some(token.parse().context("its own token")?),
                Checks::None | Checks::Nobody | Checks::Service => None,
            },
            within: (checks == Checks::Service).then(|| Call::background(LIMIT)),
        })
    }

    /// The same client with another message. The call within which a service calls begins anew.
    fn with(&self, message: Bytes) -> Self {
        let mut client = self.clone();
        client.message = message;
        if let Some(call) = &mut client.within {
            call.deadline = Instant::now() + LIMIT;
        }
        client
    }

    async fn call(&mut self) -> Result<Bytes, Status> {
        let mut request = match &self.within {
            Some(call) => call.request(self.message.clone()),
            None => Request::new(self.message.clone()),
        };
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        self.send(request).await
    }

    async fn send(&mut self, request: Request<Bytes>) -> Result<Bytes, Status> {
        let codec = ProstCodec::<Bytes, Bytes>::default();
        let path = self.path.clone();
        let answer = match &mut self.way {
            Way::Routes(grpc) => {
                let Ok(()) = grpc.ready().await;
                grpc.unary(request, path, codec).await
            }
            Way::Link(grpc) => {
                grpc.ready().await?;
                grpc.unary(request, path, codec).await
            }
        };
        Ok(answer?.into_inner())
    }

    /// Answered calls a second with [`AT_ONCE`] under way, over one connection.
    async fn at_once(&self, slice: Duration) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let end = begun + slice;
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let mut client = self.clone();
            callers.spawn(async move {
                let mut answered = 0_u32;
                while Instant::now() < end {
                    client.call().await?;
                    answered += 1;
                }
                Ok::<_, Status>(answered)
            });
        }
        let mut answered = 0;
        while let Some(ended) = callers.join_next().await {
            answered += ended??;
        }
        Ok(f64::from(answered) / begun.elapsed().as_secs_f64())
    }
}

impl Trip for Client {
    async fn make(&mut self) -> anyhow::Result<()> {
        let answer = self.call().await?;
        ensure!(
            answer.len() == self.message.len(),
            "the answer is not the message"
        );
        Ok(())
    }
}

/// How long a call within which a service calls may take; a round is far shorter.
const LIMIT: Duration = Duration::from_secs(20);
