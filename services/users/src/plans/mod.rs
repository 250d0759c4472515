//! What accounts can subscribe to, on which terms those are served that have no plan, and what all of them may spend together.

mod amount;
mod file;

use std::sync::Arc;

use atelier_kit::identity::Role;
use atelier_ledger::{Bounds, Medium, Quota};

pub use file::PLANS;

use crate::users::FREE;

/// What stands for the plan of accounts that are not registered.
pub const ANONYMOUS: &str = "anonymous";

/// What an account can subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, as in `free`.
    pub name: String,
    /// What it gives each month, in millionths of the currency.
    pub monthly_credits: i64,
    quotas: Quotas,
    /// How many generations may be at work at once.
    pub concurrency: u32,
    /// How an account counts where generations wait: 1 to 10.
    pub weight: u8,
    /// Whether an account may choose it by itself.
    pub is_open: bool,
}

/// How many generations of each medium there may be in a day; those that are not there are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Quotas(Vec<Quota>);

impl Quotas {
    fn of(&self, medium: Medium) -> Option<u32> {
        let found = self.0.iter().find(|quota| quota.medium == medium)?;
        Some(found.daily)
    }
}

/// What an account is given once, when it is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignUp {
    /// How much, in millionths of the currency; 0 is nothing.
    pub credits: i64,
    /// After how many days what is left is lost; never without it.
    pub days: Option<u32>,
}

/// On which terms accounts are served that are not registered; the operator pays for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anonymous {
    quotas: Quotas,
    /// How many generations of an account may be at work at once.
    pub concurrency: u32,
    /// How many of all accounts of a network.
    pub network_concurrency: u32,
    /// What all of them may cost together in a day, in millionths of the currency.
    pub daily_budget: i64,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plans {
    /// The one currency of all amounts, as its ISO 4217 code.
    pub currency: String,
    /// What an account is given once.
    pub sign_up: SignUp,
    /// The plans, in the order of the file; `free` is among them.
    plans: Vec<Arc<Plan>>,
    free: Arc<Plan>,
    /// For those who are not registered.
    pub anonymous: Anonymous,
    /// The most that all may spend in an hour, in millionths of the currency; `None` is no bound.
    pub spending_hour: Option<i64>,
    /// The same, in a day.
    pub spending_day: Option<i64>,
}

impl Plan {
    /// How many generations of each medium there may be in a day, by its name; those that are not told are not counted.
    pub fn quotas(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.quotas.named()
    }

    /// How many of a medium; `None` where they are not counted.
    pub(crate) fn daily(&self, medium: Medium) -> Option<u32> {
        self.quotas.of(medium)
    }
}

impl Anonymous {
    /// How many generations of each medium there may be in a day, by its name; those that are not told are not counted.
    pub fn quotas(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.quotas.named()
    }

    /// How many of a medium; `None` where they are not counted.
    pub(crate) fn daily(&self, medium: Medium) -> Option<u32> {
        self.quotas.of(medium)
    }
}

impl Quotas {
    fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let quotas = self.0.iter();
        quotas.map(|quota| (quota.medium.name(), quota.daily))
    }
}

impl Default for Plans {
    /// What holds without a file; `examples/plans.toml` says the same.
    fn default() -> Self {
        let images = |daily| {
            Quotas(vec![Quota {
                medium: Medium::Image,
                daily,
            }])
        };
        let free = Arc::new(Plan {
            name: FREE.to_owned(),
            monthly_credits: 0,
            quotas: images(10),
            concurrency: 32,
            weight: 1,
            is_open: true,
        });
        let premium = Plan {
            name: "premium".to_owned(),
            monthly_credits: 0,
            quotas: images(100),
            concurrency: 128,
            weight: 4,
            is_open: false,
        };
        Self {
            currency: "USD".to_owned(),
            sign_up: SignUp::default(),
            plans: vec![free.clone(), Arc::new(premium)],
            free,
            anonymous: Anonymous {
                quotas: images(10),
                concurrency: 8,
                network_concurrency: 16,
                daily_budget: 0,
            },
            spending_hour: None,
            spending_day: None,
        }
    }
}

impl Plans {
    /// All plans, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = &Plan> {
        self.plans.iter().map(Arc::as_ref)
    }

    /// The plan of a name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Plan>> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// The plan that holds for an account: `free` where the file knows its own no longer.
    pub(crate) fn of(&self, name: &str) -> &Arc<Plan> {
        self.find(name).unwrap_or(&self.free)
    }

    /// How an account counts where generations wait.
    pub(crate) fn weight(&self, role: Role, plan: &str) -> u8 {
        match role {
            Role::Anonymous => 1,
            Role::User | Role::Moderator | Role::Admin => self.of(plan).weight,
        }
    }

    /// The most that all may spend together.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            hour: self.spending_hour,
            day: self.spending_day,
            house_day: Some(self.anonymous.daily_budget),
        }
    }
}
