//! Certificates of the process: of the edge for strangers, of each role inside the mesh, and the making of a set of one's own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use atelier_kit::config::{Setting, Settings};
use atelier_kit::service::StartError;
use atelier_kit::tls::{AUTHORITY, Authority, MeshTls, ServerTls, TlsError, files_of};

use crate::operator::OPERATOR;
use crate::roster::{self, EDGE};

/// The mesh's own certificates.
pub const CERTS: Setting = Setting::new(
    "ATELIER_CERTS",
    "",
    "The folder of the mesh's own certificates (`ca.pem`, and `ROLE.pem` with `ROLE-key.pem` for each role here), made by `atelier admin certs`; roles whose URL is https:// listen and call with them.",
);
/// Whether the edge speaks TLS with a certificate of Atelier's own.
pub const EDGE_TLS: Setting = Setting::new(
    "ATELIER_EDGE_TLS",
    "",
    "`development`: the edge speaks TLS with a certificate that Atelier makes in the data folder, under `certs/`; its authority is `ca.pem` there.",
);
/// The edge's certificate.
pub const EDGE_CERT: Setting = Setting::new(
    "ATELIER_EDGE_CERT",
    "",
    "The edge's certificate and those that lead to its authority, a PEM file; it is read again when it changes.",
);
/// The edge's key.
pub const EDGE_KEY: Setting = Setting::new(
    "ATELIER_EDGE_KEY",
    "",
    "The private key of the edge's certificate, a PEM file.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[CERTS, EDGE_TLS, EDGE_CERT, EDGE_KEY];

/// The one value of [`EDGE_TLS`].
pub const DEVELOPMENT: &str = "development";
/// The names by which a machine calls itself.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long a development certificate holds: it is made anew at every start.
const DEVELOPMENT_DAYS: u32 = 365;

/// How the edge is reached by strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeTls {
    /// In the clear.
    Off,
    /// With a certificate that is made here.
    Development,
    /// With this certificate and key.
    Files(PathBuf, PathBuf),
}

impl EdgeTls {
    /// Whether there is TLS at all.
    pub fn is_on(&self) -> bool {
        *self != Self::Off
    }
}

/// The settings of this room.
#[derive(Clone, Debug)]
pub struct CertsConfig {
    /// The folder of the mesh's own certificates.
    pub folder: Option<PathBuf>,
    /// How the edge is reached by strangers.
    pub edge: EdgeTls,
}

impl CertsConfig {
    /// Reads the settings of this room.
    pub fn read(settings: &Settings) -> Self {
        let path = |setting| settings.text(setting).map(PathBuf::from);
        let development = settings.text(&EDGE_TLS);
        if let Some(other) = development.as_deref().filter(|text| *text != DEVELOPMENT) {
            settings.problem(&EDGE_TLS, &format!("{other:?} is not `{DEVELOPMENT}`"));
        }
        let edge = match (path(&EDGE_CERT), path(&EDGE_KEY), development) {
            (Some(chain), Some(key), None) => EdgeTls::Files(chain, key),
            (None, None, None) => EdgeTls::Off,
            (None, None, Some(_)) => EdgeTls::Development,
            (Some(_), Some(_), Some(_)) => {
                settings.problem(&EDGE_TLS, "there is a certificate of your own as well");
                EdgeTls::Off
            }
            _ => {
                settings.problem(
                    &EDGE_CERT,
                    "a certificate needs its key, and a key its certificate",
                );
                EdgeTls::Off
            }
        };
        Self {
            folder: path(&CERTS),
            edge,
        }
    }

    /// The certificates of a role, where there is a folder of them.
    pub fn of(&self, role: &str) -> Result<Option<MeshTls>, StartError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        MeshTls::read(folder, role)
            .map(Some)
            .map_err(|error| unusable(role, error))
    }

    /// The edge's side towards strangers, and the authority to trust when it is one of ours.
    pub fn open_edge(
        &self,
        data: &Path,
    ) -> Result<Option<(ServerTls, Option<PathBuf>)>, StartError> {
        let wrong = |error| unusable(EDGE, error);
        match &self.edge {
            EdgeTls::Off => Ok(None),
            EdgeTls::Files(chain, key) => ServerTls::public(chain.clone(), key.clone())
                .map(|tls| Some((tls, None)))
                .map_err(wrong),
            EdgeTls::Development => {
                let folder = data.join("certs");
                let names = LOCAL_NAMES.map(str::to_owned);
                Authority::in_folder(&folder)
                    .and_then(|authority| authority.issue(EDGE, &names, DEVELOPMENT_DAYS))
                    .map_err(wrong)?;
                let (chain, key) = files_of(&folder, EDGE);
                let tls = ServerTls::public(chain, key).map_err(wrong)?;
                Ok(Some((tls, Some(folder.join(AUTHORITY)))))
            }
        }
    }
}

fn unusable(role: &str, error: TlsError) -> StartError {
    StartError::other(format!("the certificates of {role}"), error)
}

/// Makes a set for every role in a folder. The authority that is there signs again; without one it is made. The
/// edge's certificate carries `names` too, so that it can be shown to strangers who trust that authority. `services`
/// are others than the roles, which get one as well.
pub fn make(folder: &Path, names: &[String], services: &[String], days: u32) -> anyhow::Result<()> {
    let names: Vec<String> = if names.is_empty() {
        LOCAL_NAMES.map(str::to_owned).to_vec()
    } else {
        names.to_vec()
    };
    let authority = Authority::in_folder(folder).context("the authority")?;
    // The operator of a process calls roles elsewhere in a name of his own.
    let roles = roster::roles().chain([OPERATOR]).map(str::to_owned);
    for role in roles.chain(services.iter().cloned()) {
        let beside: &[String] = if role == EDGE { &names } else { &[] };
        authority
            .issue(&role, beside, days)
            .with_context(|| format!("the certificate of {role}"))?;
    }
    Ok(())
}
