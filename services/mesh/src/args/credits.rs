//! The flags of `atelier credits`; what they do is the client's own room.

use std::path::PathBuf;

use atelier_kit::moment::Micros;
use atelier_kit::money;
use clap::{Args as ClapArgs, Subcommand};

use super::client::Reach;
use crate::client::credits::calendar;

/// The flags of `atelier credits`.
#[derive(Debug, ClapArgs)]
pub struct Credits {
    #[command(subcommand)]
    pub command: Option<CreditsCommand>,
    /// Results as protobuf JSON, one object a line: what the calls of atelier.users.v1.CreditsService answer; `entries`
    /// tells LedgerEntry, `plans` Plan, `statement` {"month": …, "file": …}
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// What is asked about credits, or done with them.
#[derive(Debug, Subcommand)]
pub enum CreditsCommand {
    /// What may be spent, and the credits that it comes from
    Balance,
    /// What happened to the credits, the newest first
    Entries {
        /// How many at most
        #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
    /// The statement of a month, as a CSV file
    Statement(Statement),
    /// The plan, and what is left of today's quotas
    Quotas,
    /// The plans there are
    Plans,
    /// Moves the account to another plan that is open to everybody
    ChangePlan {
        /// Its name, one of `atelier credits plans`
        #[arg(value_name = "NAME")]
        plan: String,
    },
    /// Gives an account credits; for admins
    Grant(Grant),
    /// Gives back what a generation was charged, or a part of it; for admins
    Refund(Refund),
    /// Moves an account to a plan, open or not; for admins
    SetPlan {
        /// The account, by its e-mail or its id
        #[arg(value_name = "EMAIL|ID")]
        account: String,
        /// The plan's name
        #[arg(value_name = "NAME")]
        plan: String,
    },
    /// What was spent of the bounds for all, and what stands in the house's own accounts; for admins
    Spending,
}

/// The flags of `atelier credits statement`.
#[derive(Debug, ClapArgs)]
pub struct Statement {
    /// Which month, UTC [default: this one]
    #[arg(long, value_name = "YYYY-MM", value_parser = calendar::month)]
    pub month: Option<String>,
    /// The file, or the folder, to write to; without it, or with `-`, standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replaces the file when it is there already
    #[arg(short, long, requires = "output")]
    pub force: bool,
}

/// The flags of `atelier credits grant`.
#[derive(Debug, ClapArgs)]
pub struct Grant {
    /// The account, by its e-mail or its id
    #[arg(value_name = "EMAIL|ID")]
    pub account: String,
    /// How much, in the currency of the plans, as in 2.50
    #[arg(value_name = "AMOUNT", value_parser = amount)]
    pub amount: i64,
    /// When what is left of it is lost: the end of a day as in 2026-12-31, UTC, a time as in 2026-12-31T12:00:00Z, or so
    /// long from now, as in 30d. Without it never
    #[arg(long, value_name = "WHEN", value_parser = calendar::later)]
    pub expires: Option<Micros>,
    /// The lower, the sooner it is spent: 0 to 100
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i32).range(0..=100))]
    pub priority: i32,
    /// What its owner reads of it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub note: String,
    #[command(flatten)]
    pub key: Key,
}

/// The flags of `atelier credits refund`.
#[derive(Debug, ClapArgs)]
pub struct Refund {
    /// The generation, by its id
    #[arg(value_name = "GENERATION")]
    pub generation: String,
    /// How much of its charge; without it all that is left of it
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub amount: Option<i64>,
    /// What its owner reads of it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub note: String,
    #[command(flatten)]
    pub key: Key,
}

/// What makes a command the same when it is given again.
#[derive(Debug, ClapArgs)]
pub struct Key {
    /// A key of your own: the same command given again with the same one is done once. So long from now, as in 30d, is not
    /// the same again. Without it each command is done anew
    #[arg(long, value_name = "KEY")]
    pub request_id: Option<String>,
}

/// An amount above 0, in millionths.
fn amount(text: &str) -> Result<i64, String> {
    match money::read(text) {
        Ok(0) => Err("must be above 0".to_owned()),
        Ok(micros) => Ok(micros),
        Err(why) => Err(why.to_string()),
    }
}
