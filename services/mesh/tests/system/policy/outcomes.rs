//! What is expected: whom methods are for, the kinds of callers, and how each of them is met. These tables are what
//! people review.

use atelier_proto::policy::v1::Scope;
use tonic::Code;

use crate::raw::Answer;

/// Whom a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    Anyone,
    AnySession,
    Accounts,
    Admins,
    Services,
    Operators,
}
use For::{Accounts, Admins, AnySession, Anyone, Operators, Services};

/// What an API key needs for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing: everybody may call it.
    Free,
    /// The scope `read`.
    Read,
    /// The scope `chat`.
    Chat,
    /// The scope `image`.
    Image,
    /// The scope `speech`.
    Speech,
    /// No key may call it.
    Never,
}

/// How a call is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler answers, whatever it says.
    Allowed,
    /// PERMISSION_DENIED for this reason.
    Denied(&'static str),
    /// UNAUTHENTICATED for this reason.
    Unknown(&'static str),
    /// There is no connection to call over: nobody answers.
    Cut,
}

const OPEN: Outcome = Outcome::Allowed;
const LOW: Outcome = Outcome::Denied("ROLE_TOO_LOW");
const NO_ACCOUNT: Outcome = Outcome::Denied("ACCOUNT_NEEDED");
const INSIDE: Outcome = Outcome::Denied("INTERNAL_ONLY");
const OWNER: Outcome = Outcome::Denied("OPERATOR_ONLY");
const SCOPE: Outcome = Outcome::Denied("SCOPE_MISSING");
const NO_KEY: Outcome = Outcome::Denied("NOT_FOR_API_KEYS");
const MISSING: Outcome = Outcome::Unknown("TOKEN_MISSING");
const EXPIRED: Outcome = Outcome::Unknown("TOKEN_EXPIRED");
const INVALID: Outcome = Outcome::Unknown("TOKEN_INVALID");
const MISMATCH: Outcome = Outcome::Unknown("CERTIFICATE_MISMATCH");
const CUT: Outcome = Outcome::Cut;

/// What a handler itself refuses an empty message for, with a code that otherwise says that the caller may not call.
const HANDLERS_OWN: [&str; 1] = ["WRONG_PASSWORD"];

/// The kinds of callers, in the order of the columns below.
pub const CALLERS: [&str; 11] = [
    "nobody",
    "an anonymous session",
    "a user",
    "another user",
    "a moderator",
    "an admin",
    "a service",
    "a service that meant another",
    "the operator",
    "an expired token",
    "garbage",
];

/// What each caller gets from the methods that are for somebody.
pub type Row = (For, [Outcome; CALLERS.len()]);

/// What each caller gets from a service itself.
#[rustfmt::skip]
pub const AT_THE_SERVICE: [Row; 6] = [
    //            nobody   anonymous user   other   mod.    admin   service     elsewhere operator    expired  garbage
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   OPEN,       INVALID,  OPEN,       EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Services,   [MISSING, INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, OPEN,       INVALID,  OPEN,       EXPIRED, INVALID]),
    (Operators,  [MISSING, INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, OWNER,      INVALID,  OPEN,       EXPIRED, INVALID]),
];

/// What each caller gets through the edge: the same, but what is for services is for nobody who comes from outside, and their
/// tokens say nothing there.
#[rustfmt::skip]
pub const AT_THE_EDGE: [Row; 6] = [
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   INVALID,    INVALID,  INVALID,    EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   INVALID,    INVALID,  INVALID,    EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   INVALID,    INVALID,  INVALID,    EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   INVALID,    INVALID,  INVALID,    EXPIRED, INVALID]),
    (Services,   [INSIDE,  INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, INSIDE,     INSIDE,   INSIDE,     INSIDE,  INSIDE]),
    (Operators,  [INSIDE,  INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, INSIDE,     INSIDE,   INSIDE,     INSIDE,  INSIDE]),
];

/// The certificates that a service with a valid token may show where roles ask each other for certificates.
pub const CERTIFICATES: [&str; 4] = [
    "a service with its certificate",
    "a service with the certificate of another role",
    "a service with the certificate of a foreign authority",
    "a service without a certificate",
];

/// What a service with a valid token gets from a service that asks for a certificate.
#[rustfmt::skip]
pub const BY_CERTIFICATE: [(For, [Outcome; CERTIFICATES.len()]); 6] = [
    //            its own     another role's foreign none
    (Anyone,     [OPEN,       MISMATCH,      CUT,    CUT]),
    (AnySession, [NO_ACCOUNT, MISMATCH,      CUT,    CUT]),
    (Accounts,   [NO_ACCOUNT, MISMATCH,      CUT,    CUT]),
    (Admins,     [NO_ACCOUNT, MISMATCH,      CUT,    CUT]),
    (Services,   [OPEN,       MISMATCH,      CUT,    CUT]),
    (Operators,  [OWNER,      MISMATCH,      CUT,    CUT]),
];

/// The kinds of API keys.
pub const KEYS: [&str; 5] = [
    "a key that may read",
    "a key that may chat",
    "a key that may make pictures",
    "a key that may make speech",
    "a key with every scope",
];

/// The scopes of each.
pub const SCOPES: [&[Scope]; KEYS.len()] = [
    &[Scope::Read],
    &[Scope::Chat],
    &[Scope::Image],
    &[Scope::Speech],
    &[Scope::Read, Scope::Chat, Scope::Image, Scope::Speech],
];

/// What each key of a registered account gets from methods that its account may call.
#[rustfmt::skip]
pub const BY_KEY: [(Key, [Outcome; KEYS.len()]); 6] = [
    //             read    chat    image   speech  all
    (Key::Free,   [OPEN,   OPEN,   OPEN,   OPEN,   OPEN]),
    (Key::Read,   [OPEN,   SCOPE,  SCOPE,  SCOPE,  OPEN]),
    (Key::Chat,   [SCOPE,  OPEN,   SCOPE,  SCOPE,  OPEN]),
    (Key::Image,  [SCOPE,  SCOPE,  OPEN,   SCOPE,  OPEN]),
    (Key::Speech, [SCOPE,  SCOPE,  SCOPE,  OPEN,   OPEN]),
    (Key::Never,  [NO_KEY, NO_KEY, NO_KEY, NO_KEY, NO_KEY]),
];

/// The row of a table.
pub fn row<K: PartialEq + Copy, const N: usize>(
    table: &[(K, [Outcome; N])],
    of: K,
) -> [Outcome; N] {
    let found = table.iter().find(|(key, _)| *key == of);
    found.expect("every kind has its row").1
}

/// What each key gets through the edge: what is for services is for nobody who comes from outside.
pub fn of_keys(access: For, key: Key) -> [Outcome; KEYS.len()] {
    match access {
        Services | Operators => [INSIDE; KEYS.len()],
        _ => row(&BY_KEY, key),
    }
}

/// Whether an answer is what was expected.
pub fn is(outcome: Outcome, answer: &Answer) -> bool {
    match outcome {
        Outcome::Allowed => match answer.code {
            Code::Unauthenticated | Code::PermissionDenied => {
                HANDLERS_OWN.contains(&answer.reason())
            }
            // None is a handler's answer to an empty message.
            code => !matches!(
                code,
                Code::Unimplemented | Code::Unavailable | Code::Internal | Code::Unknown
            ),
        },
        Outcome::Denied(reason) => {
            answer.code == Code::PermissionDenied && answer.reason() == reason
        }
        Outcome::Unknown(reason) => {
            answer.code == Code::Unauthenticated && answer.reason() == reason
        }
        // Whatever answers in the mesh gives a request id; this is what clients say by themselves.
        Outcome::Cut => {
            matches!(
                answer.code,
                Code::Unavailable | Code::Cancelled | Code::Unknown
            ) && matches!(answer.reason(), "" | "PEER_UNREACHABLE")
                && answer.request_id().is_none()
        }
    }
}

/// What is not as expected about an answer.
pub fn complaint(path: &str, caller: &str, outcome: Outcome, answer: &Answer) -> Option<String> {
    (!is(outcome, answer)).then(|| {
        format!(
            "{path} by {caller}: expected {outcome:?}, got {:?} {} {:?}",
            answer.code,
            answer.reason(),
            answer.message
        )
    })
}
