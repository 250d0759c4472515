//! Plain values of the contract's method options; the mesh reads them from the descriptor and hands them in.

mod descriptor;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use descriptor::PolicyError;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone, with or without a token.
    Public,
    /// Anyone with a token, an anonymous session included.
    Anonymous,
    /// A registered account.
    User,
    /// A moderator or an admin.
    Moderator,
    /// An admin.
    Admin,
    /// Another service of the mesh.
    Internal,
}

/// What an API key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Reading what the account owns.
    Read,
    /// Chatting.
    Chat,
    /// Making pictures.
    Image,
    /// Making speech.
    Speech,
}

impl Scope {
    /// All there are.
    pub const ALL: [Scope; 4] = [Scope::Read, Scope::Chat, Scope::Image, Scope::Speech];

    /// Its name in tokens and tables.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Chat => "chat",
            Scope::Image => "image",
            Scope::Speech => "speech",
        }
    }

    /// The scope of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What happens when the same call is made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Reads only.
    Safe,
    /// A second identical call leaves the same state as one.
    Idempotent,
    /// Safe to repeat under the same `request_id`.
    Keyed,
    /// Each call acts anew.
    None,
}

/// Everything that is decided about a call before its handler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// The rate bucket, by its name in the contract without the prefix, in lower case (`login`).
    pub rate_bucket: String,
    /// The credit class, by its name in the contract without the prefix, in lower case (`free`).
    pub credit_class: String,
    /// What a repeated call does.
    pub idempotency: Idempotency,
    /// The largest request message in bytes.
    pub max_request_bytes: usize,
    /// How long a call may last; also the longest deadline a caller may set.
    pub deadline: Duration,
    /// Whether the request is a stream; each of its messages may then be as large as the largest.
    pub client_streaming: bool,
    /// Whether the answer is a stream.
    pub server_streaming: bool,
    /// The scope that an API key needs; `None`: no key may call, unless everybody may.
    pub scope: Option<Scope>,
}

/// The policies of all methods, by path (`/atelier.users.v1.UsersService/Login`).
#[derive(Clone, Debug, Default)]
pub struct Policies {
    by_path: Arc<HashMap<String, Arc<Policy>>>,
}

impl Policies {
    /// Takes the policies of all methods, by path.
    pub fn new(policies: impl IntoIterator<Item = (String, Policy)>) -> Self {
        Self {
            by_path: Arc::new(
                policies
                    .into_iter()
                    .map(|(path, policy)| (path, Arc::new(policy)))
                    .collect(),
            ),
        }
    }

    /// The policy of a path; `None` when no method of the contract has it.
    pub fn of(&self, path: &str) -> Option<&Arc<Policy>> {
        self.by_path.get(path)
    }

    /// All paths and their policies, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.by_path
            .iter()
            .map(|(path, policy)| (path.as_str(), policy.as_ref()))
    }
}
