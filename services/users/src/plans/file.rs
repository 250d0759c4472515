//! The file of plans. Strict, as whoever writes `monthly_credit` must not learn of it from a bill.

use std::sync::Arc;

use atelier_kit::config::Setting;
use atelier_kit::followed::{FileError, read_toml};
use atelier_ledger::{Medium, Quota};
use indexmap::IndexMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::amount::Amount;
use super::{ANONYMOUS, Anonymous, Plan, Plans, Quotas, SignUp};
use crate::users::FREE;

/// The file.
pub const PLANS: Setting = Setting::new(
    "ATELIER_PLANS",
    "",
    "A TOML file of plans, quotas and what may be spent, as in examples/plans.toml; docs/credits.md describes it. It is read \
     again when it changes.",
);

/// The longest name of a plan, in bytes.
const NAME_BYTES: usize = 64;
/// What a plan has that does not say it.
const CONCURRENCY: u32 = 32;

impl Plans {
    /// Reads a file; what it does not say is as it is built in. Plans are as the file says them, and it says all or none.
    pub fn read(file: &str, text: &str) -> Result<Self, FileError> {
        let document: Document = read_toml(file, text)?;
        document.plans().map_err(|(at, what)| match at {
            Some(byte) => FileError::at(file, text, byte, &what),
            None => FileError::whole(file, &what),
        })
    }
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    currency: Option<Currency>,
    sign_up: Option<SignUpLines>,
    plans: Option<IndexMap<Spanned<String>, PlanLines>>,
    anonymous: Option<AnonymousLines>,
    spending: Option<SpendingLines>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUpLines {
    credits: Amount,
    days: Option<Figure<1, 3650>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanLines {
    #[serde(default)]
    monthly_credits: Amount,
    #[serde(default)]
    quotas: QuotaLines,
    concurrency: Option<Figure<1, 100_000>>,
    weight: Option<Figure<1, 10>>,
    #[serde(default)]
    open: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaLines {
    chat: Option<Figure<0, 1_000_000_000>>,
    image: Option<Figure<0, 1_000_000_000>>,
    speech: Option<Figure<0, 1_000_000_000>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnonymousLines {
    quotas: Option<QuotaLines>,
    concurrency: Option<Figure<1, 100_000>>,
    network_concurrency: Option<Figure<1, 100_000>>,
    daily_budget: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpendingLines {
    hour: Option<Amount>,
    day: Option<Amount>,
}

/// A whole number within bounds.
#[derive(Clone, Copy)]
struct Figure<const LEAST: i64, const MOST: i64>(u32);

impl<'d, const LEAST: i64, const MOST: i64> Deserialize<'d> for Figure<LEAST, MOST> {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        let given = i64::deserialize(from)?;
        let figure = u32::try_from(given).ok();
        figure
            .filter(|figure| (LEAST..=MOST).contains(&i64::from(*figure)))
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{given} is not within {LEAST} to {MOST}")))
    }
}

/// An ISO 4217 code.
struct Currency(String);

impl<'d> Deserialize<'d> for Currency {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(code))
        } else {
            let what = format!("the currency {code:?} is no ISO 4217 code, as in USD");
            Err(D::Error::custom(what))
        }
    }
}

/// Where in the file, and what is wrong there.
type Wrong = (Option<usize>, String);

impl Document {
    fn plans(self) -> Result<Plans, Wrong> {
        let mut plans = Plans::default();
        if let Some(Currency(code)) = self.currency {
            plans.currency = code;
        }
        if let Some(lines) = self.sign_up {
            plans.sign_up = SignUp {
                credits: lines.credits.0,
                days: lines.days.map(|days| days.0),
            };
        }
        if let Some(told) = self.plans {
            plans.plans = told.into_iter().map(plan).collect::<Result<_, _>>()?;
            let free = plans.find(FREE).cloned();
            plans.free = free.ok_or_else(|| {
                let what =
                    "there is no [plans.free], which an account has that subscribed to nothing";
                (None, what.to_owned())
            })?;
        }
        if let Some(lines) = self.anonymous {
            let usual = plans.anonymous;
            plans.anonymous = Anonymous {
                quotas: lines.quotas.map_or(usual.quotas, Into::into),
                concurrency: lines
                    .concurrency
                    .map_or(usual.concurrency, |figure| figure.0),
                network_concurrency: lines
                    .network_concurrency
                    .map_or(usual.network_concurrency, |figure| figure.0),
                daily_budget: lines
                    .daily_budget
                    .map_or(usual.daily_budget, |amount| amount.0),
            };
        }
        if let Some(lines) = self.spending {
            plans.spending_hour = lines.hour.map(|amount| amount.0);
            plans.spending_day = lines.day.map(|amount| amount.0);
        }
        Ok(plans)
    }
}

fn plan((name, lines): (Spanned<String>, PlanLines)) -> Result<Arc<Plan>, Wrong> {
    let at = Some(name.span().start);
    let name = name.into_inner();
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if !(1..=NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err((
            at,
            format!("the plan {name:?} must be named with 1 to {NAME_BYTES} of a-z 0-9 - _"),
        ));
    }
    if name == ANONYMOUS {
        let what =
            "no plan can be named `anonymous`: [anonymous] is for accounts that are not registered";
        return Err((at, what.to_owned()));
    }
    Ok(Arc::new(Plan {
        name,
        monthly_credits: lines.monthly_credits.0,
        quotas: lines.quotas.into(),
        concurrency: lines.concurrency.map_or(CONCURRENCY, |figure| figure.0),
        weight: lines
            .weight
            .and_then(|figure| u8::try_from(figure.0).ok())
            .unwrap_or(1),
        is_open: lines.open,
    }))
}

impl From<QuotaLines> for Quotas {
    fn from(lines: QuotaLines) -> Self {
        let quotas = [
            (Medium::Chat, lines.chat),
            (Medium::Image, lines.image),
            (Medium::Speech, lines.speech),
        ];
        let told = quotas.into_iter().filter_map(|(medium, daily)| {
            Some(Quota {
                medium,
                daily: daily?.0,
            })
        });
        Self(told.collect())
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
