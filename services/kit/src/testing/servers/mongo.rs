//! A server of one test process that speaks MongoDB's protocol: `services/kit/tests/mongo`, or a real one that is running
//! already.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Private;
use crate::mongo::MongoServer;

/// Names a server that is running already, as in `mongodb://127.0.0.1:27017`. Processes that a test starts are told of its
/// own server by it, too.
pub const URL: &str = "ATELIER_TEST_MONGODB_URL";

/// A server with as many databases as tests ask for.
#[derive(Debug)]
pub struct Mongo {
    url: String,
    /// `None` where somebody else runs it.
    server: Option<Private>,
}

impl Mongo {
    /// The one that all tests of this process share.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Mongo> = OnceLock::new();
        SHARED.get_or_init(|| match set(URL) {
            Some(url) => Self {
                url: url.into_string().expect("a URL is text"),
                server: None,
            },
            None => Self::start(),
        })
    }

    /// One more, for a test that will kill it; never one that somebody else runs.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        let folder = Private::folder("mongo");
        let port = Private::port();
        let address = format!("127.0.0.1:{port}");
        let command = vec![
            program().display().to_string(),
            address.clone(),
            folder.display().to_string(),
        ];
        Self {
            url: format!("mongodb://{address}"),
            server: Some(Private::start(folder, port, command)),
        }
    }

    /// A database of this name.
    ///
    /// # Panics
    ///
    /// When the URL is none.
    pub fn database(&self, name: &str) -> MongoServer {
        MongoServer::parse(&self.url(name)).unwrap()
    }

    /// The URL of a database: the path of the server's own is replaced, and its options stay.
    pub fn url(&self, name: &str) -> String {
        let (base, options) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (scheme, rest) = base.split_once("://").unwrap_or(("mongodb", base));
        let hosts = rest.split('/').next().unwrap_or_default();
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("?{options}")
        };
        format!("{scheme}://{hosts}/{name}{options}")
    }

    /// What tells a process that a test starts to use this server, and not one of its own.
    pub fn for_children(&self) -> (&'static str, String) {
        (URL, self.url.clone())
    }

    /// The server itself, to be killed, frozen and started again.
    ///
    /// # Panics
    ///
    /// When somebody else runs it.
    pub fn server(&mut self) -> &mut Private {
        self.server
            .as_mut()
            .expect("a server of somebody else is left alone")
    }
}

fn set(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where `./test --setup mongo` puts it.
fn program() -> PathBuf {
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = set("HOME")?;
        Some(Path::new(&home).join(".cache"))
    });
    let program = cache.expect("there is no HOME").join("atelier/mongo/mongo");
    assert!(
        program.exists(),
        "the MongoDB server of the tests is not there: ./test --setup mongo"
    );
    program
}
