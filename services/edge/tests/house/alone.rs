//! A door with one service behind it, for methods and replicas that are a test's own.

#![allow(dead_code, missing_docs, reason = "each test file uses its own part")]

use std::sync::Arc;

use atelier_edge::{Destination, Door, EdgeConfig};
use atelier_kit::config::Settings;
use atelier_kit::identity::AccessVerifier;
use atelier_kit::link::{Link, Route};
use atelier_kit::policy::Policies;
use atelier_kit::serve::Side;
use atelier_kit::testing::foundation;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};

use super::{NoKeys, listen, unlimited};

pub struct Alone {
    url: String,
    _guard: DropGuard,
    _folder: tempfile::TempDir,
}

impl Alone {
    pub async fn before(
        service: &'static str,
        role: &'static str,
        route: &Route,
        policies: Policies,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let none: [(String, String); 0] = [];
        let door = Door {
            config: EdgeConfig::read(&Settings::new(none)),
            roster: vec![Destination {
                service,
                role,
                link: Link::new(role, route, None).unwrap(),
            }],
            policies,
            descriptor: atelier_proto::DESCRIPTOR,
            jwks: Arc::new(NoKeys),
            access: AccessVerifier::new(Arc::new(NoKeys)),
            api_keys: Arc::new(NoKeys),
            object_roles: vec![],
            limits: unlimited(),
            leaving: CancellationToken::new(),
        };
        let router = atelier_edge::build(door, &foundation("edge", folder.path())).unwrap();
        let (url, guard) = listen(router, Side::Edge, "127.0.0.1:0").await;
        Self {
            url,
            _guard: guard,
            _folder: folder,
        }
    }

    pub fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.url.clone()).unwrap();
        endpoint.connect_lazy()
    }
}

/// A way to a URL whose connections break when they are told to.
pub async fn breakable(url: &str) -> (Route, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let there = url.strip_prefix("http://").unwrap().to_owned();
    let cut = Arc::new(Notify::new());
    let told = cut.clone();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let (there, told) = (there.clone(), told.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(there).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = told.notified() => {}
                }
            });
        }
    });
    (Route::Url(here.parse().unwrap()), cut)
}
