//! Accounts, sessions and pairs as the contract writes them; nothing is decided here.

use atelier_kit::identity::Role;
use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;

use crate::sessions::Session;
use crate::tokens::Pair;
use crate::users::User;

impl From<User> for pb::User {
    fn from(user: User) -> Self {
        let role = match user.role {
            Role::Anonymous => pb::Role::Anonymous,
            Role::User => pb::Role::User,
            Role::Moderator => pb::Role::Moderator,
            Role::Admin => pb::Role::Admin,
        };
        pb::User {
            id: user.id,
            email: user.email.unwrap_or_default(),
            display_name: user.display_name,
            role: role.into(),
            create_time: Some(timestamp(user.create_time)),
            update_time: Some(timestamp(user.update_time)),
            email_verified: user.email_verified,
            bio: user.bio,
            preferences: user.preferences.into_iter().collect(),
            plan: user.plan,
            second_factor: user.second_factor,
        }
    }
}

impl From<Pair> for pb::TokenPair {
    fn from(pair: Pair) -> Self {
        pb::TokenPair {
            access_token: pair.access,
            access_expire_time: Some(timestamp(pair.access_expire_time)),
            refresh_token: pair.refresh,
            refresh_expire_time: Some(timestamp(pair.refresh_expire_time)),
        }
    }
}

/// A session, and whether it is that of the call itself.
pub(super) fn session(session: Session, current: &str) -> pb::Session {
    pb::Session {
        current: session.id == current,
        id: session.id,
        user_agent: session.user_agent,
        create_time: Some(timestamp(session.create_time)),
        last_use_time: Some(timestamp(session.last_use_time)),
        expire_time: Some(timestamp(session.expire_time)),
        address: session.address,
    }
}

/// The role that an account can be given; `None` for one that cannot be given.
pub(super) fn role_to_give(role: pb::Role) -> Option<Role> {
    match role {
        pb::Role::User => Some(Role::User),
        pb::Role::Moderator => Some(Role::Moderator),
        pb::Role::Admin => Some(Role::Admin),
        pb::Role::Unspecified | pb::Role::Anonymous => None,
    }
}
