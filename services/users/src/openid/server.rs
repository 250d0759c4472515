//! Who the provider is and where it may send browsers back to, as the settings say; nobody is asked here.

use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

/// How long one question to the provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a provider's id.
const ID_BYTES: usize = 64;

/// An OpenID provider, and what it knows this mesh by.
#[derive(Clone, Debug)]
pub struct OpenIdServer {
    /// Its issuer identifier, exactly as it writes it.
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) redirect_uris: RedirectUris,
    /// How long one question to it may take: 10 seconds, and no variable sets it.
    pub patience: Duration,
}

impl OpenIdServer {
    /// A provider; `display_name` is `None` for its usual one. The rule that a name breaks.
    pub fn new(
        issuer: Issuer,
        client_id: String,
        client_secret: Option<SecretString>,
        display_name: Option<String>,
        redirect_uris: RedirectUris,
    ) -> Result<Self, &'static str> {
        let display_name = display_name.unwrap_or_else(|| issuer.usual_name());
        let id = slug(&display_name);
        if id.is_empty() || id.len() > ID_BYTES {
            return Err("must have 1 to 64 letters or digits");
        }
        Ok(Self {
            issuer,
            client_id,
            client_secret,
            id,
            display_name,
            redirect_uris,
            patience: PATIENCE,
        })
    }
}

/// A name in lower case, with one `-` for whatever is neither an ASCII letter nor a digit.
fn slug(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
}

/// An issuer identifier: an `https` URL without query and fragment (OpenID Connect Discovery 1.0), or for tests an `http`
/// one of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl std::str::FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must have no query and no fragment".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must have no user and no password".into());
        }
        if url.scheme() != "https" && !is_here(&url) {
            return Err(
                "it must be an https:// URL; http:// is for providers on this machine".into(),
            );
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }
}

impl Issuer {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it says of itself what it is.
    pub(super) fn discovery(&self) -> String {
        let base = self.text.trim_end_matches('/');
        format!("{base}/.well-known/openid-configuration")
    }

    /// Whether it is on this machine, where it may do without TLS.
    pub(super) fn is_here(&self) -> bool {
        is_here(&self.url)
    }

    fn usual_name(&self) -> String {
        if self.text.trim_end_matches('/') == "https://accounts.google.com" {
            return "Google".into();
        }
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

/// Whether a URL is `http` and stays on this machine.
pub(super) fn is_here(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// Where browsers may be sent back to.
#[derive(Clone, Debug, Default)]
pub struct RedirectUris(Vec<String>);

impl RedirectUris {
    /// Takes a list; the rule that one of them breaks.
    pub fn new(uris: Vec<String>) -> Result<Self, String> {
        for uri in &uris {
            let url = Url::parse(uri).map_err(|error| format!("{uri:?} is no URI: {error}"))?;
            if url.fragment().is_some() {
                return Err(format!("{uri:?} must have no fragment"));
            }
            // A private-use scheme is a domain turned around (RFC 8252, 7.1): that keeps `javascript:` and its like out.
            if url.scheme() != "https" && !is_here(&url) && !url.scheme().contains('.') {
                return Err(format!(
                    "{uri:?} must be https://, http:// of this machine, or of a scheme like com.example.app"
                ));
            }
        }
        Ok(Self(uris))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a browser may be sent back there: exactly as it is written, or with any port where it is an address of the
    /// machine that the browser runs on.
    pub(crate) fn allows(&self, uri: &str) -> bool {
        let portless = without_port(uri);
        self.0.iter().any(|allowed| {
            allowed == uri || (portless.is_some() && portless == without_port(allowed))
        })
    }
}

/// An `http` URI of a loopback address without its port; `None` for every other. The name `localhost` is none: whoever
/// names hosts may send it elsewhere (RFC 8252, 8.3).
fn without_port(uri: &str) -> Option<Url> {
    let mut url = Url::parse(uri).ok()?;
    let is_address = !matches!(url.host(), Some(Host::Domain(_)));
    if !is_address || !is_here(&url) || url.fragment().is_some() {
        return None;
    }
    url.set_port(None).ok()?;
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(text: &str) -> Result<Issuer, String> {
        text.parse()
    }

    fn server(issuer: &str, name: Option<&str>) -> Result<OpenIdServer, &'static str> {
        OpenIdServer::new(
            issuer.parse().unwrap(),
            "id".into(),
            None,
            name.map(Into::into),
            RedirectUris::default(),
        )
    }

    #[test]
    fn an_issuer_is_https_unless_it_is_here() {
        for good in [
            "https://accounts.google.com",
            "https://id.example/realms/a/",
            "http://localhost:3001",
            "http://127.0.0.1:3001/op",
            "http://[::1]:3001",
        ] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "http://localhost.example",
            "ftp://127.0.0.1",
            "https://id.example?a=b",
            "https://id.example#a",
            "https://ana:pw@id.example",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_an_issuer_says_of_itself_is_below_it() {
        for text in ["https://id.example/a", "https://id.example/a/"] {
            assert_eq!(
                issuer(text).unwrap().discovery(),
                "https://id.example/a/.well-known/openid-configuration"
            );
        }
    }

    #[test]
    fn a_provider_has_a_name_and_an_id_made_of_it() {
        for (url, name, shown, id) in [
            ("https://accounts.google.com", None, "Google", "google"),
            (
                "https://id.example:8443/a",
                None,
                "id.example",
                "id-example",
            ),
            (
                "https://id.example",
                Some(" The Company, Inc. "),
                " The Company, Inc. ",
                "the-company-inc",
            ),
        ] {
            let server = server(url, name).unwrap();
            assert_eq!(
                (server.display_name.as_str(), server.id.as_str()),
                (shown, id)
            );
        }
        for name in ["—", &"a".repeat(65)] {
            assert!(server("https://id.example", Some(name)).is_err());
        }
    }

    #[test]
    fn browsers_are_sent_back_to_where_is_listed_alone() {
        let uris = RedirectUris::new(
            [
                "https://app.example/back?a=b",
                "http://127.0.0.1/callback",
                "http://[::1]:1/callback",
                "http://localhost:3000/callback",
                "com.example.app:/callback",
            ]
            .map(str::to_owned)
            .to_vec(),
        )
        .unwrap();
        for good in [
            "https://app.example/back?a=b",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:54321/callback",
            "http://[::1]:54321/callback",
            "http://localhost:3000/callback",
            "com.example.app:/callback",
        ] {
            assert!(uris.allows(good), "{good}");
        }
        for bad in [
            "",
            "https://app.example/back",
            "https://app.example/back?a=b&c=d",
            "https://app.example:8443/back?a=b",
            "https://APP.example/back?a=b",
            "http://app.example/back?a=b",
            "https://127.0.0.1/callback",
            "http://127.0.0.1/other",
            "http://127.0.0.2/callback",
            "http://ana@127.0.0.1/callback",
            "http://127.0.0.1:1/callback#a",
            "http://127.0.0.1.example:1/callback",
            "http://localhost:3001/callback",
            "com.example.app:/other",
        ] {
            assert!(!uris.allows(bad), "{bad}");
        }
    }

    #[test]
    fn what_browsers_must_not_be_sent_to_cannot_be_listed() {
        for bad in [
            "/callback",
            "http://app.example/callback",
            "https://app.example/#a",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            assert!(RedirectUris::new(vec![bad.into()]).is_err(), "{bad}");
        }
    }
}
