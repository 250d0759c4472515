//! Who the server is, as an operator writes it.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Whom to trust where the server's certificate is of an authority of one's own: a part of the URL that is ours.
const AUTHORITY: &str = "ca";

/// Where a Redis server is, and who we are there.
#[derive(Clone, Debug)]
pub struct RedisServer {
    url: SecretString,
    /// The authority that its certificate is of, a PEM file; those that the world trusts without it.
    authority: Option<PathBuf>,
    /// As it may be told: without a password.
    told: String,
}

impl RedisServer {
    /// Reads a URL such as `rediss://atelier:secret@cache:6379/0`; `?ca=/etc/atelier/redis-ca.pem` names the authority of
    /// its certificate where the world does not know it.
    pub fn parse(url: &str) -> Result<Self, String> {
        // What a parser says may have the password in it.
        let mut parsed =
            Url::parse(url).map_err(|_| "it is no URL of a Redis server".to_owned())?;
        if !matches!(parsed.scheme(), "redis" | "rediss") {
            return Err("it must begin with redis:// or rediss://".to_owned());
        }
        let host = parsed.host_str().ok_or("it names no host")?;
        let told = format!("redis {host}:{}", parsed.port().unwrap_or(6379));
        // The driver would take this for a wish not to look at the certificate at all.
        if parsed.fragment().is_some() {
            return Err("nothing may follow a #".to_owned());
        }
        let (ours, others): (Vec<_>, Vec<_>) = parsed
            .query_pairs()
            .into_owned()
            .partition(|(name, _)| name == AUTHORITY);
        parsed.set_query(None);
        if !others.is_empty() {
            parsed.query_pairs_mut().extend_pairs(others);
        }
        if !ours.is_empty() && parsed.scheme() != "rediss" {
            return Err(format!("`{AUTHORITY}` is for rediss:// alone"));
        }
        let server = Self {
            url: SecretString::from(parsed.as_str()),
            authority: ours.into_iter().next().map(|(_, path)| path.into()),
            told,
        };
        // Whatever else the driver minds in a URL is told at the start.
        ::redis::Client::open(server.expose_url())
            .map_err(|_| "it is no URL of a Redis server".to_owned())?;
        Ok(server)
    }

    /// The whole of it, for the client alone.
    pub(super) fn expose_url(&self) -> &str {
        self.url.expose_secret()
    }

    /// The file of the authority that its certificate is of.
    pub(super) fn authority(&self) -> Option<&PathBuf> {
        self.authority.as_ref()
    }
}

impl std::fmt::Display for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_without_its_password() {
        let server = RedisServer::parse("rediss://me:secret@cache:7000/1?ca=/a/b.pem").unwrap();
        assert_eq!(server.to_string(), "redis cache:7000");
        assert_eq!(server.expose_url(), "rediss://me:secret@cache:7000/1");
        assert_eq!(server.authority(), Some(&PathBuf::from("/a/b.pem")));
        assert!(!format!("{server:?}").contains("secret"));
        let plain = RedisServer::parse("redis://cache?protocol=resp3").unwrap();
        assert_eq!(plain.to_string(), "redis cache:6379");
        assert_eq!(plain.expose_url(), "redis://cache?protocol=resp3");
    }

    #[test]
    fn what_is_no_server_is_refused_without_telling_its_password() {
        for wrong in [
            "http://me:secret@cache",
            "redis:secret",
            "rediss://me:secret@cache#insecure",
            "redis://me:secret@cache?ca=/a/b.pem",
            "redis://me:secret@cache/first",
            "redis://me:secret@cache?protocol=resp9",
        ] {
            let why = RedisServer::parse(wrong).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
