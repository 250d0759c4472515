//! `atelier plans`: looks at a file of plans before a mesh does.

use std::fmt::Write as _;
use std::path::Path;

use atelier_kit::config::ConfigError;
use atelier_kit::followed::FollowedFile;
use atelier_kit::money;
use atelier_users::{ANONYMOUS, Plans};

use crate::args::PlansCommand;
use crate::client::terminal::print;

/// Does what was asked.
pub fn run(command: &PlansCommand) -> anyhow::Result<()> {
    match command {
        PlansCommand::Check { file } => check(file),
    }
}

/// A wrong file is a wrong setting.
fn check(file: &Path) -> anyhow::Result<()> {
    let plans = FollowedFile::new(file)
        .read(Plans::read)
        .map_err(|error| ConfigError(error.to_string()))?;
    print(&summary(&plans))
}

/// The columns of the table, each with its width.
const COLUMNS: [(&str, usize); 6] = [
    ("plan", 16),
    ("each month", 16),
    ("at once", 8),
    ("weight", 6),
    ("open", 4),
    ("in a day", 0),
];

/// What holds with a file: a line for each plan and for anonymous accounts, and what there is beside them.
fn summary(plans: &Plans) -> String {
    let mut said = String::new();
    line(&mut said, COLUMNS.map(|(name, _)| name.to_owned()));
    for plan in plans.all() {
        line(
            &mut said,
            [
                plan.name.clone(),
                money::shown(plan.monthly_credits),
                plan.concurrency.to_string(),
                plan.weight.to_string(),
                if plan.is_open { "yes" } else { "no" }.to_owned(),
                counted(plan.quotas()),
            ],
        );
    }
    let anonymous = &plans.anonymous;
    line(
        &mut said,
        [
            ANONYMOUS.to_owned(),
            "-".to_owned(),
            anonymous.concurrency.to_string(),
            "1".to_owned(),
            "-".to_owned(),
            counted(anonymous.quotas()),
        ],
    );
    let currency = &plans.currency;
    let bound = |amount: Option<i64>| amount.map_or("unbound".to_owned(), money::shown);
    let days = plans
        .sign_up
        .days
        .map_or("for good".to_owned(), |days| format!("for {days} days"));
    // Writing to a text cannot fail.
    let _ = write!(
        said,
        "\nAmounts are in {currency}.\n\
         at the sign-up: {} {days}\n\
         anonymous accounts: {} at once of a network, {} a day together\n\
         all accounts: {} an hour, {} a day\n",
        money::shown(plans.sign_up.credits),
        anonymous.network_concurrency,
        money::shown(anonymous.daily_budget),
        bound(plans.spending_hour),
        bound(plans.spending_day),
    );
    said
}

/// One line of the table.
fn line(said: &mut String, cells: [String; 6]) {
    let mut text = String::new();
    for ((_, width), cell) in COLUMNS.iter().zip(cells) {
        let _ = write!(text, "{cell:width$}  ");
    }
    said.push_str(text.trim_end());
    said.push('\n');
}

/// Quotas as one text.
fn counted(quotas: impl Iterator<Item = (&'static str, u32)>) -> String {
    let told: Vec<String> = quotas
        .map(|(medium, daily)| format!("{daily} {medium}"))
        .collect();
    if told.is_empty() {
        "not counted".to_owned()
    } else {
        told.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_a_line_for_each_plan() {
        let text = "[plans.free]\nquotas = { chat = 5, image = 10 }\n[plans.pro]\nmonthly_credits = 20\nopen = true\n\
                    [sign_up]\ncredits = 1\ndays = 3\n[spending]\nday = 7.5";
        let said = summary(&Plans::read("plans.toml", text).unwrap());
        let lines: Vec<Vec<&str>> = said
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            ["free", "0.00", "32", "1", "no", "5", "chat,", "10", "image"]
        );
        assert_eq!(
            lines[2],
            ["pro", "20.00", "32", "1", "yes", "not", "counted"]
        );
        assert_eq!(lines[3], ["anonymous", "-", "8", "1", "-", "10", "image"]);
        assert!(said.contains("at the sign-up: 1.00 for 3 days\n"), "{said}");
        assert!(
            said.contains("all accounts: unbound an hour, 7.50 a day\n"),
            "{said}"
        );
        let built_in = summary(&Plans::default());
        assert!(built_in.contains("Amounts are in USD.\n"), "{built_in}");
        assert!(
            built_in.contains("at the sign-up: 0.00 for good\n"),
            "{built_in}"
        );
    }
}
