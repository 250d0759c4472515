//! What can go wrong in this service; no driver's error type is named here.

use std::time::Duration;

use atelier_kit::fault::{Fault, Kind, Violation};
use atelier_kit::moment::Micros;
use atelier_ledger::Refusal;

/// When a place among the generations that are at work may be asked for again.
const PLACE: Duration = Duration::from_secs(1);

/// Why a call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The e-mail has an account.
    #[error("the e-mail has an account already")]
    EmailTaken,
    /// No account has this e-mail, or the password is another.
    #[error("the e-mail or the password is wrong")]
    InvalidCredentials,
    /// The refresh token was never given out, or long ago.
    #[error("the refresh token is not known")]
    InvalidRefreshToken,
    /// A spent refresh token came again after its grace; its session has been ended.
    #[error("the refresh token was used before, so its session has been ended")]
    RefreshTokenReused,
    /// The session was ended or has expired.
    #[error("the session has ended")]
    SessionEnded,
    /// The current password is another.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The last admin must stay one.
    #[error("it would leave no admin")]
    LastAdmin,
    /// An anonymous account has no role to change.
    #[error("an anonymous account has no other role")]
    AnonymousAccount,
    /// The token still says admin, the account no longer does.
    #[error("the account is no longer an admin")]
    NoLongerAdmin,
    /// There is no such account.
    #[error("no such account")]
    UserUnknown,
    /// The caller has no such live session.
    #[error("no such session")]
    SessionUnknown,
    /// A key waits to sign already.
    #[error("a signing key waits to sign already")]
    RotationUnderWay,
    /// A key that somebody brings cannot be used; the rule that it breaks.
    #[error("the private key {0}")]
    KeyUnusable(&'static str),
    /// The signing keys could not be read for so long that others may have gone on to the next one.
    #[error("the signing keys cannot be read")]
    KeysUnread,
    /// The account has a second factor, and no code was sent.
    #[error("a code of the second factor is needed too")]
    SecondFactorRequired,
    /// The password was right, the code of the second factor was not.
    #[error("the code of the second factor is wrong")]
    WrongLoginCode,
    /// The code of the second factor is wrong, and the caller is signed in already.
    #[error("the code is wrong")]
    WrongCode,
    /// The account has a second factor already.
    #[error("the account has a second factor already")]
    TotpActive,
    /// The account has no second factor that this could be about.
    #[error("no authenticator has been enrolled")]
    TotpNotEnrolled,
    /// The API key is unknown, revoked or expired.
    #[error("the API key is not valid")]
    ApiKeyInvalid,
    /// The caller has no such API key.
    #[error("no such API key")]
    ApiKeyUnknown,
    /// The account has as many API keys as it may.
    #[error("the account has as many API keys as it may")]
    TooManyApiKeys,
    /// Too many failed before it; it may be tried again after this long.
    #[error("too many attempts have failed")]
    TooManyAttempts(Duration),
    /// The token from a mail is unknown, spent or expired.
    #[error("the token is not good, or no longer")]
    MailTokenInvalid,
    /// The e-mail is verified already.
    #[error("the e-mail is verified already")]
    EmailVerified,
    /// The account has something to show, a field's name, and nothing was sent.
    #[error("{0}: must be sent for this account")]
    Missing(&'static str),
    /// The account has no password to show, and its session is not a new one.
    #[error("the account has no password, so sign in again first")]
    SignInAgain,
    /// There is no deletion of this token.
    #[error("no such deletion")]
    DeletionUnknown,
    /// A service, by its role, could not tell everything that it keeps.
    #[error("the service {0} could not tell everything, so the export is not whole")]
    ExportBroken(&'static str),
    /// There is no such provider to sign in with.
    #[error("no such provider")]
    ProviderUnknown,
    /// Browsers are not sent back there.
    #[error("the redirect URI is not among those that are allowed")]
    RedirectUriUnknown,
    /// The provider does not answer, or nothing that could be understood.
    #[error("the provider cannot be reached")]
    ProviderAway,
    /// The provider does not know the code, or what it signed does not hold.
    #[error("the provider does not vouch for this sign-in")]
    ProviderRefused,
    /// The sign-in was not begun, is completed or has expired, or what came back belongs to another.
    #[error("the sign-in is not under way")]
    SignInInvalid,
    /// The e-mail has an account, and its password was not shown.
    #[error("the password of the e-mail's account is needed too")]
    PasswordRequired,
    /// The provider tells no e-mail, and the person has no account yet.
    #[error("the provider does not tell an e-mail")]
    EmailMissing,
    /// Another account is signed in with the identity.
    #[error("another account has this identity")]
    IdentityTaken,
    /// The account has another identity of the provider.
    #[error("the account has another identity of this provider")]
    ProviderLinked,
    /// The caller has no such identity.
    #[error("no such identity")]
    IdentityUnknown,
    /// Nothing would be left to sign in with.
    #[error("it is the last way to sign in: set a password with RequestPasswordReset first")]
    LastSignIn,
    /// The account has no password that could be shown.
    #[error("the account has no password: set one with RequestPasswordReset")]
    NoPassword,
    /// The configuration has no such plan.
    #[error("no such plan")]
    PlanUnknown,
    /// Accounts cannot choose the plan by themselves.
    #[error("the plan is given by an admin alone")]
    PlanClosed,
    /// The book refuses to give money; after the time it may be asked again, where that helps.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// For how long.
        wait: Option<Duration>,
    },
    /// Prices, or plans, are in another currency than the book, which is in this one.
    #[error("the amounts are not in {0}, the currency of the credits")]
    CurrencyMismatch(String),
    /// What a generation may cost is more than any amount can be.
    #[error("the cost is below 0 or too large")]
    CostTooLarge,
    /// No such generation was paid for here.
    #[error("no such generation was paid for")]
    GenerationUnknown,
    /// The generation has not ended, cost nothing, or was paid for by the operator.
    #[error("the account was charged nothing for the generation")]
    NotCharged,
    /// More than is left of the charge, which is this, in millionths.
    #[error("only {0} of the charge are left")]
    RefundTooHigh(i64),
    /// The request id gave other credits.
    #[error("the request_id was used for other credits")]
    RequestIdReused,
    /// The store is busy; the call may be repeated.
    #[error("the accounts are busy")]
    Busy,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Hashing, sealing or signing failed.
    #[error("the cryptography failed")]
    Crypto(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure of the store.
    pub(crate) fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(source.into())
    }

    /// A failure of hashing, sealing or signing.
    pub(crate) fn crypto(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Crypto(source.into())
    }

    /// What the book says, at a time.
    pub(crate) fn of_ledger(error: atelier_ledger::Error, now: Micros) -> Self {
        use atelier_ledger::Error as Ledger;
        match error {
            Ledger::Refused(refusal) => {
                let wait = wait(&refusal, now);
                Self::Refused { refusal, wait }
            }
            Ledger::Overflow(_) => Self::CostTooLarge,
            Ledger::Unknown => Self::GenerationUnknown,
            Ledger::NotCharged => Self::NotCharged,
            Ledger::RefundTooHigh(left) => Self::RefundTooHigh(left),
            Ledger::KeyReused => Self::RequestIdReused,
            Ledger::Busy => Self::Busy,
            Ledger::Store(source) => Self::Store(source),
        }
    }

    /// The kind, and the reason that programs read.
    pub fn kind(&self) -> (Kind, &'static str) {
        match self {
            Self::EmailTaken => (Kind::Exists, "EMAIL_TAKEN"),
            Self::InvalidCredentials => (Kind::Unauthenticated, "INVALID_CREDENTIALS"),
            Self::InvalidRefreshToken => (Kind::Unauthenticated, "INVALID_REFRESH_TOKEN"),
            Self::RefreshTokenReused => (Kind::Unauthenticated, "REFRESH_TOKEN_REUSED"),
            Self::SessionEnded => (Kind::Unauthenticated, "SESSION_ENDED"),
            Self::WrongPassword => (Kind::Denied, "WRONG_PASSWORD"),
            Self::LastAdmin => (Kind::Precondition, "LAST_ADMIN"),
            Self::AnonymousAccount => (Kind::Precondition, "ANONYMOUS_ACCOUNT"),
            Self::NoLongerAdmin => (Kind::Denied, "ROLE_TOO_LOW"),
            Self::UserUnknown | Self::SessionUnknown => (Kind::NotFound, "NOT_FOUND"),
            Self::RotationUnderWay => (Kind::Precondition, "ROTATION_UNDER_WAY"),
            Self::KeyUnusable(_) => (Kind::Invalid, "INVALID_REQUEST"),
            Self::KeysUnread => (Kind::Unavailable, "KEYS_UNAVAILABLE"),
            Self::SecondFactorRequired => (Kind::Unauthenticated, "SECOND_FACTOR_REQUIRED"),
            Self::WrongLoginCode => (Kind::Unauthenticated, "WRONG_CODE"),
            Self::WrongCode => (Kind::Denied, "WRONG_CODE"),
            Self::TotpActive => (Kind::Precondition, "TOTP_ACTIVE"),
            Self::TotpNotEnrolled => (Kind::Precondition, "TOTP_NOT_ENROLLED"),
            Self::ApiKeyInvalid => (Kind::Unauthenticated, "API_KEY_INVALID"),
            Self::ApiKeyUnknown => (Kind::NotFound, "NOT_FOUND"),
            Self::TooManyApiKeys => (Kind::Exhausted, "TOO_MANY_API_KEYS"),
            Self::TooManyAttempts(_) => (Kind::Exhausted, "TOO_MANY_ATTEMPTS"),
            Self::MailTokenInvalid => (Kind::Unauthenticated, "MAIL_TOKEN_INVALID"),
            Self::EmailVerified => (Kind::Precondition, "EMAIL_VERIFIED"),
            Self::Missing(_) => (Kind::Invalid, "INVALID_REQUEST"),
            Self::SignInAgain => (Kind::Precondition, "SIGN_IN_AGAIN"),
            Self::DeletionUnknown => (Kind::NotFound, "NOT_FOUND"),
            Self::ExportBroken(_) => (Kind::Unavailable, "EXPORT_BROKEN"),
            Self::ProviderUnknown => (Kind::NotFound, "PROVIDER_UNKNOWN"),
            Self::RedirectUriUnknown => (Kind::Denied, "REDIRECT_URI_UNKNOWN"),
            Self::ProviderAway => (Kind::Unavailable, "PROVIDER_AWAY"),
            Self::ProviderRefused => (Kind::Unauthenticated, "PROVIDER_REFUSED"),
            Self::SignInInvalid => (Kind::Unauthenticated, "SIGN_IN_INVALID"),
            Self::PasswordRequired => (Kind::Precondition, "PASSWORD_REQUIRED"),
            Self::EmailMissing => (Kind::Precondition, "EMAIL_MISSING"),
            Self::IdentityTaken => (Kind::Exists, "IDENTITY_TAKEN"),
            Self::ProviderLinked => (Kind::Exists, "PROVIDER_LINKED"),
            Self::IdentityUnknown => (Kind::NotFound, "NOT_FOUND"),
            Self::LastSignIn => (Kind::Precondition, "LAST_SIGN_IN"),
            Self::NoPassword => (Kind::Precondition, "NO_PASSWORD"),
            Self::PlanUnknown | Self::GenerationUnknown => (Kind::NotFound, "NOT_FOUND"),
            Self::PlanClosed => (Kind::Precondition, "PLAN_CLOSED"),
            Self::Refused { refusal, .. } => match refusal {
                Refusal::Insufficient { .. } => (Kind::Exhausted, "INSUFFICIENT_CREDITS"),
                Refusal::QuotaExhausted { .. } => (Kind::Exhausted, "QUOTA_EXHAUSTED"),
                Refusal::TooManyAtOnce(_) | Refusal::NetworkTooManyAtOnce(_) => {
                    (Kind::Exhausted, "TOO_MANY_AT_ONCE")
                }
                Refusal::SpendingStopped { .. } => (Kind::Exhausted, "SPENDING_STOPPED"),
                Refusal::HouseBudgetSpent { .. } => (Kind::Exhausted, "ANONYMOUS_BUDGET_SPENT"),
                Refusal::Ended => (Kind::Precondition, "GENERATION_ENDED"),
            },
            Self::CurrencyMismatch(_) => (Kind::Precondition, "CURRENCY_MISMATCH"),
            Self::CostTooLarge => (Kind::Invalid, "INVALID_REQUEST"),
            Self::NotCharged => (Kind::Precondition, "NOT_CHARGED"),
            Self::RefundTooHigh(_) => (Kind::Precondition, "REFUND_TOO_HIGH"),
            Self::RequestIdReused => (Kind::Precondition, "REQUEST_ID_REUSED"),
            Self::Busy => (Kind::Unavailable, "STORE_BUSY"),
            Self::Store(_) | Self::Crypto(_) => (Kind::Internal, "INTERNAL"),
        }
    }
}

/// How long money is refused, where time alone helps. A place is free as soon as another generation ends, which nobody
/// knows: it may be tried again soon.
fn wait(refusal: &Refusal, now: Micros) -> Option<Duration> {
    match refusal {
        Refusal::Insufficient { .. } | Refusal::Ended => None,
        Refusal::TooManyAtOnce(_) | Refusal::NetworkTooManyAtOnce(_) => Some(PLACE),
        Refusal::QuotaExhausted { reset, .. }
        | Refusal::SpendingStopped { reset }
        | Refusal::HouseBudgetSpent { reset } => {
            Some(Duration::from_micros((reset - now).max(0).unsigned_abs()))
        }
    }
}

/// A refusal with what it is about, for programs.
fn refused(fault: Fault, refusal: &Refusal) -> Fault {
    match refusal {
        Refusal::Insufficient { needed, available } => fault
            .with("needed_micros", needed.to_string())
            .with("available_micros", available.to_string()),
        Refusal::QuotaExhausted { limit, .. } => fault.with("limit", limit.to_string()),
        Refusal::TooManyAtOnce(limit) => fault
            .with("scope", "account")
            .with("limit", limit.to_string()),
        Refusal::NetworkTooManyAtOnce(limit) => fault
            .with("scope", "network")
            .with("limit", limit.to_string()),
        Refusal::SpendingStopped { .. } | Refusal::HouseBudgetSpent { .. } | Refusal::Ended => {
            fault
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Error::Refused { refusal, wait } = &error {
            let (kind, reason) = error.kind();
            let fault = refused(Fault::new(kind, reason, error.to_string()), refusal);
            return match wait {
                Some(wait) => fault.retry_after(*wait),
                None => fault,
            };
        }
        if let Error::CostTooLarge = &error {
            return Fault::bad_request(vec![Violation {
                field: "worst_case".to_owned(),
                rule: error.to_string(),
            }]);
        }
        if let Error::TooManyAttempts(wait) = &error {
            let (kind, reason) = error.kind();
            return Fault::new(kind, reason, error.to_string()).retry_after(*wait);
        }
        if let Error::Missing(field) = &error {
            return Fault::bad_request(vec![Violation {
                field: (*field).to_owned(),
                rule: "must be sent for this account".to_owned(),
            }]);
        }
        match error.kind() {
            (Kind::Internal, _) => Fault::internal(&error),
            (Kind::Unavailable, reason) => Fault::new(Kind::Unavailable, reason, error.to_string())
                .retry_after(Duration::from_secs(1)),
            (kind, reason) => Fault::new(kind, reason, error.to_string()),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}
