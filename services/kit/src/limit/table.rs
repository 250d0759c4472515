//! The limit of each bucket and scope: what is built in, and what a file says in its place. Strict, as whoever writes
//! `per_minutes` must not learn of it from a bill.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

use super::{Bucket, Quota, Scope};
use crate::followed::{FileError, read_toml};

/// What a process grants of each limit while a shared store is away, when nothing else is said.
const SHARE: f64 = 0.5;

/// How many a minute, by bucket, for account, anonymous and address. `docs/limits.md` says why.
const BUILT_IN: [(Bucket, [u32; 3]); 8] = [
    (Bucket::Read, [600, 120, 120]),
    (Bucket::Write, [120, 30, 30]),
    (Bucket::Login, [5, 5, 5]),
    (Bucket::Register, [3, 3, 3]),
    (Bucket::Chat, [60, 10, 10]),
    (Bucket::Image, [10, 2, 2]),
    (Bucket::Speech, [20, 5, 5]),
    (Bucket::Admin, [100, 10, 10]),
];

/// All limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    quotas: HashMap<(Bucket, Scope), Quota>,
    share: f64,
}

impl Default for Table {
    fn default() -> Self {
        let quotas = BUILT_IN.into_iter().flat_map(|(bucket, figures)| {
            Scope::ALL
                .into_iter()
                .zip(figures)
                .filter_map(move |(scope, figure)| {
                    Some(((bucket, scope), Quota::new(figure, figure)?))
                })
        });
        Self {
            quotas: quotas.collect(),
            share: SHARE,
        }
    }
}

impl Table {
    /// Nothing is limited.
    pub fn unlimited() -> Self {
        Self {
            quotas: HashMap::new(),
            share: SHARE,
        }
    }

    /// Reads a file; what it does not say is as it is built in.
    pub fn read(file: &str, text: &str) -> Result<Self, FileError> {
        let document: Document = read_toml(file, text)?;
        let table = document.table();
        table.map_err(|what| FileError::whole(file, what))
    }

    /// The limit of a bucket for somebody; `None` when there is none.
    pub fn quota(&self, bucket: Bucket, scope: Scope) -> Option<Quota> {
        self.quotas.get(&(bucket, scope)).copied()
    }

    /// What a process grants of each limit while a shared store is away.
    pub fn share(&self) -> f64 {
        self.share
    }
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    unlimited: bool,
    #[serde(default, deserialize_with = "part")]
    share: Option<f64>,
    read: Option<Lines>,
    write: Option<Lines>,
    login: Option<Lines>,
    register: Option<Lines>,
    chat: Option<Lines>,
    image: Option<Lines>,
    speech: Option<Lines>,
    admin: Option<Lines>,
}

/// One bucket of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    account: Option<Figures>,
    anonymous: Option<Figures>,
    address: Option<Figures>,
}

/// One limit of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    #[serde(deserialize_with = "figure")]
    per_minute: u32,
    #[serde(default, deserialize_with = "some_figure")]
    burst: Option<u32>,
}

impl Document {
    fn table(self) -> Result<Table, &'static str> {
        let lines = [
            (Bucket::Read, self.read),
            (Bucket::Write, self.write),
            (Bucket::Login, self.login),
            (Bucket::Register, self.register),
            (Bucket::Chat, self.chat),
            (Bucket::Image, self.image),
            (Bucket::Speech, self.speech),
            (Bucket::Admin, self.admin),
        ];
        if self.unlimited {
            return if lines.iter().any(|(_, lines)| lines.is_some()) {
                Err("`unlimited = true` leaves no room for the limit of a bucket")
            } else {
                Ok(Table::unlimited())
            };
        }
        let mut table = Table::default();
        table.share = self.share.unwrap_or(table.share);
        for (bucket, lines) in lines {
            let Some(lines) = lines else { continue };
            for (scope, figures) in [
                (Scope::Account, lines.account),
                (Scope::Anonymous, lines.anonymous),
                (Scope::Address, lines.address),
            ] {
                let quota = figures.and_then(|figures| {
                    Quota::new(
                        figures.per_minute,
                        figures.burst.unwrap_or(figures.per_minute),
                    )
                });
                if let Some(quota) = quota {
                    table.quotas.insert((bucket, scope), quota);
                }
            }
        }
        Ok(table)
    }
}

fn figure<'d, D: Deserializer<'d>>(from: D) -> Result<u32, D::Error> {
    let given = i64::deserialize(from)?;
    u32::try_from(given)
        .ok()
        .filter(|figure| (1..=Quota::MOST).contains(figure))
        .ok_or_else(|| {
            serde::de::Error::custom(format!("{given} is not within 1 to {}", Quota::MOST))
        })
}

fn some_figure<'d, D: Deserializer<'d>>(from: D) -> Result<Option<u32>, D::Error> {
    figure(from).map(Some)
}

fn part<'d, D: Deserializer<'d>>(from: D) -> Result<Option<f64>, D::Error> {
    let given = f64::deserialize(from)?;
    // Not a number is not greater than nothing.
    if given > 0.0 && given <= 1.0 {
        return Ok(Some(given));
    }
    Err(serde::de::Error::custom(format!(
        "a share of {given} is not above 0 and at most 1"
    )))
}
