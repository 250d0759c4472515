//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Spread, Table, median, micros, times};

use crate::{AT_ONCE, Args, Line};

/// What paying may add to a chat call at most, in seconds.
const GOAL: f64 = 0.001;

/// Writes the page.
pub fn write(mut page: Page, args: &Args, lines: &[Line]) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "Paying for a generation is a reservation before it begins and a settlement after its end. *The book* is the ledger by itself; \
         *the service* is the users service over its in-memory link, as the service of a medium calls it: service tokens, policies, the account and its \
         plan. *Two bare commits* are two transactions of one statement each in a file of the same settings, which is the least that two writes \
         which count once they are on the disk can take. *At once* is {AT_ONCE} callers, the others are one call after the other; *many accounts* \
         are {}. Everything is measured in turn, {} ms each, in each of {} rounds; rates are medians over the rounds, and *of the bare* the median of \
         what each round reached of its own bare commits. Everything, the callers too, is in one process.",
        args.accounts, args.slice, args.rounds
    ));
    page.heading("Reservations and settlements a second");
    let mut table = Table::new(&["", "a second", "of the bare"]);
    for line in lines {
        let rates: Vec<f64> = line.rounds.iter().map(|paid| paid.rate).collect();
        table.row([
            line.name.to_owned(),
            format!("{:.0}", median(&rates)),
            format!("{:.0} %", 100.0 * of_the_bare(line, lines)),
        ]);
    }
    page.table(&table);
    page.heading("What a caller waits for");
    page.paragraph("The reservation alone: what paying adds to a call before its provider is asked. The settlement comes after the end. Times are microseconds.");
    let mut table = Table::new(&["", "p50", "p90", "p99", "of the bare p50"]);
    for line in lines {
        let spread = waited(line);
        let bare = waited(bare_of(line, lines));
        table.row([
            line.name.to_owned(),
            micros(spread.at(0.5)),
            micros(spread.at(0.9)),
            micros(spread.at(0.99)),
            times(spread.at(0.5) / bare.at(0.5)),
        ]);
    }
    page.table(&table);
    page.heading("The goal");
    if let Some(line) = lines
        .iter()
        .find(|line| line.name.starts_with("the service"))
    {
        let added = waited(line).at(0.5);
        let word = if added < GOAL { "reached" } else { "missed" };
        page.paragraph(&format!(
            "Paying is to add less than {} µs to a chat call at p50. This run: {} µs ({word}).",
            micros(GOAL),
            micros(added)
        ));
    }
    page.finish()
}

/// The bare commits that a line is compared with: as many at once.
fn bare_of<'a>(line: &'a Line, lines: &'a [Line]) -> &'a Line {
    lines
        .iter()
        .find(|bare| bare.at_once == line.at_once)
        .unwrap_or(line)
}

fn of_the_bare(line: &Line, lines: &[Line]) -> f64 {
    let pairs = line.rounds.iter().zip(&bare_of(line, lines).rounds);
    median(
        &pairs
            .map(|(paid, bare)| paid.rate / bare.rate)
            .collect::<Vec<_>>(),
    )
}

fn waited(line: &Line) -> Spread {
    Spread::new(
        line.rounds
            .iter()
            .flat_map(|paid| paid.waited.iter().copied())
            .collect(),
    )
}
