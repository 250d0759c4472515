//! The servers that services keep things on, by their URLs; what is not set is embedded.

use atelier_kit::config::{Setting, Settings};
use atelier_kit::mongo::MongoServer;
use atelier_kit::redis::RedisServer;
use atelier_kit::service::Engines;
use atelier_kit::sql::PostgresServer;
use secrecy::ExposeSecret as _;

/// Where PostgreSQL is.
pub const POSTGRES_URL: Setting = Setting::new(
    "ATELIER_POSTGRES_URL",
    "",
    "The PostgreSQL server that accounts, credits, pictures and conversions are kept on, each service in a schema of its own, as in `postgres://atelier:secret@db:5432/atelier?sslmode=verify-full`; SQLite in the data folder without it.",
);
/// Where MongoDB is.
pub const MONGODB_URL: Setting = Setting::new(
    "ATELIER_MONGODB_URL",
    "",
    "The MongoDB server that conversations and usage are kept on, as in `mongodb://atelier:secret@db:27017/?tls=true`; SQLite in the data folder without it.",
);
/// Where Redis is.
pub const REDIS_URL: Setting = Setting::new(
    "ATELIER_REDIS_URL",
    "",
    "The Redis 7 or Valkey server that replicas share running generations and limits through, as in `rediss://:secret@cache:6379/0`, with `?ca=FILE` where its certificate is of an authority of your own; each process has its own without it.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[POSTGRES_URL, MONGODB_URL, REDIS_URL];

/// Reads the settings of this room.
pub fn read(settings: &Settings) -> Engines {
    Engines {
        postgres: server(settings, &POSTGRES_URL, PostgresServer::parse),
        mongodb: server(settings, &MONGODB_URL, MongoServer::parse),
        redis: server(settings, &REDIS_URL, RedisServer::parse),
    }
}

/// A problem is told without the value: there may be a password in it.
fn server<T>(
    settings: &Settings,
    setting: &Setting,
    parse: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let url = settings.secret(setting)?;
    parse(url.expose_secret())
        .inspect_err(|why| settings.problem(setting, why))
        .ok()
}
