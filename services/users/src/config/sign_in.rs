//! The settings of signing in with somebody else.

use atelier_kit::config::{Setting, Settings};

use crate::openid::{Issuer, OpenIdServer, RedirectUris};

/// The provider.
pub const OIDC_ISSUER: Setting = Setting::new(
    "ATELIER_OIDC_ISSUER",
    "",
    "The OpenID provider that accounts may be signed in with, by its issuer URL, as in https://accounts.google.com; none without it.",
);

/// What the provider knows this mesh by.
pub const OIDC_CLIENT_ID: Setting = Setting::new(
    "ATELIER_OIDC_CLIENT_ID",
    "",
    "What the OpenID provider knows this mesh by.",
);

/// What the provider knows that it is this mesh by.
pub const OIDC_CLIENT_SECRET: Setting = Setting::new(
    "ATELIER_OIDC_CLIENT_SECRET",
    "",
    "The secret that goes with ATELIER_OIDC_CLIENT_ID; none for a public client.",
);

/// What people call the provider.
pub const OIDC_NAME: Setting = Setting::new(
    "ATELIER_OIDC_NAME",
    "",
    "What people call the OpenID provider: without it Google for Google, else the issuer's host. Its id is made of it.",
);

/// Where browsers may be sent back to.
pub const OIDC_REDIRECT_URIS: Setting = Setting::new(
    "ATELIER_OIDC_REDIRECT_URIS",
    "",
    "Where the OpenID provider may send browsers back to, divided by commas; http://127.0.0.1/… stands for any port.",
);

/// The settings that mean nothing without an issuer.
const OTHERS: [&Setting; 4] = [
    &OIDC_CLIENT_ID,
    &OIDC_CLIENT_SECRET,
    &OIDC_NAME,
    &OIDC_REDIRECT_URIS,
];

/// Reads the provider; `None` without one. Half a provider is a problem of the settings.
pub(super) fn read(settings: &Settings) -> Option<OpenIdServer> {
    if settings.text(&OIDC_ISSUER).is_none() {
        let half = OTHERS
            .into_iter()
            .find(|other| settings.text(other).is_some());
        if let Some(other) = half {
            settings.problem(other, "needs ATELIER_OIDC_ISSUER");
        }
        return None;
    }
    let issuer: Issuer = settings.parse(&OIDC_ISSUER)?;
    let Some(client_id) = settings.text(&OIDC_CLIENT_ID) else {
        settings.problem(&OIDC_CLIENT_ID, "must be set where ATELIER_OIDC_ISSUER is");
        return None;
    };
    let redirect_uris = RedirectUris::new(settings.list(&OIDC_REDIRECT_URIS))
        .map_err(|rule| settings.problem(&OIDC_REDIRECT_URIS, &rule))
        .ok()?;
    if redirect_uris.is_empty() {
        settings.problem(
            &OIDC_REDIRECT_URIS,
            "must be set where ATELIER_OIDC_ISSUER is",
        );
        return None;
    }
    OpenIdServer::new(
        issuer,
        client_id,
        settings.secret(&OIDC_CLIENT_SECRET),
        settings.text(&OIDC_NAME),
        redirect_uris,
    )
    .map_err(|rule| settings.problem(&OIDC_NAME, rule))
    .ok()
}
