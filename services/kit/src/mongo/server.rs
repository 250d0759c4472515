//! Who the server is.

use secrecy::{ExposeSecret as _, SecretString};

/// Where a MongoDB server is, and who we are there.
#[derive(Clone, Debug)]
pub struct MongoServer {
    url: SecretString,
    /// As it may be told: without a password.
    told: String,
}

impl MongoServer {
    /// Reads a URL such as `mongodb://atelier:secret@db:27017/atelier?tls=true`, or `mongodb+srv://…`.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("mongodb://")
            .or_else(|| url.strip_prefix("mongodb+srv://"))
            .ok_or("it must begin with mongodb:// or mongodb+srv://")?;
        // Several hosts are no URL in the general sense, so only what comes before the path is looked at.
        let hosts = rest.split(['/', '?']).next().unwrap_or("");
        let hosts = hosts.rsplit('@').next().unwrap_or("");
        if hosts.is_empty() {
            return Err("it names no host".to_owned());
        }
        Ok(Self {
            told: format!("mongodb {hosts}"),
            url: SecretString::from(url),
        })
    }

    /// The whole of it, for the driver alone.
    pub fn expose_url(&self) -> &str {
        self.url.expose_secret()
    }
}

impl std::fmt::Display for MongoServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}
