//! The contract's rate buckets by their names, and who is counted in one.

/// What a call draws from; `RateBucket` of the contract, without INTERNAL, which nothing limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Reading what is there.
    Read,
    /// Small changes to what one owns.
    Write,
    /// Proving who one is.
    Login,
    /// Making accounts and anonymous sessions.
    Register,
    /// Chat generations.
    Chat,
    /// Picture generations.
    Image,
    /// Speech generations.
    Speech,
    /// Acts of administrators.
    Admin,
}

impl Bucket {
    /// All there are.
    pub const ALL: [Bucket; 8] = [
        Bucket::Read,
        Bucket::Write,
        Bucket::Login,
        Bucket::Register,
        Bucket::Chat,
        Bucket::Image,
        Bucket::Speech,
        Bucket::Admin,
    ];

    /// The bucket that bounds calls between services by nothing: they are bounded by places.
    pub const UNLIMITED: &'static str = "internal";

    /// Its name in policies, files and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Bucket::Read => "read",
            Bucket::Write => "write",
            Bucket::Login => "login",
            Bucket::Register => "register",
            Bucket::Chat => "chat",
            Bucket::Image => "image",
            Bucket::Speech => "speech",
            Bucket::Admin => "admin",
        }
    }

    /// The bucket of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name() == name)
    }

    /// Whether nobody is known yet when it is drawn from: what a method that anyone may call costs is then counted by
    /// address, whatever token comes along.
    pub fn is_before_identity(self) -> bool {
        matches!(self, Bucket::Login | Bucket::Register)
    }
}

/// As what somebody is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A registered account, with all its sessions and API keys.
    Account,
    /// An anonymous account, and the network it calls from.
    Anonymous,
    /// The network of a client of whom nothing else is known.
    Address,
}

impl Scope {
    /// All there are.
    pub const ALL: [Scope; 3] = [Scope::Account, Scope::Anonymous, Scope::Address];

    /// Its name in files, errors and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Account => "account",
            Scope::Anonymous => "anonymous",
            Scope::Address => "address",
        }
    }
}
