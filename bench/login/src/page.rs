//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Table, median, millis};

use crate::kinds::{Kinds, kolmogorov_smirnov, of_halves, once_in_twenty, spread};
use crate::{AT_ONCE, Args, Rate, Rates};

/// The part of the bare rate that logins are to reach.
const GOAL: f64 = 0.9;

/// The median over the rounds of what each reached of the same round's bare rate.
fn part(rates: &[Rate], bare: &[Rate], by: fn(&Rate) -> f64) -> f64 {
    let pairs = rates.iter().zip(bare);
    median(
        &pairs
            .map(|(rate, bare)| by(rate) / by(bare))
            .collect::<Vec<_>>(),
    )
}

fn by_clock(rate: &Rate) -> f64 {
    rate.by_clock
}

fn by_core(rate: &Rate) -> f64 {
    rate.by_core
}

/// Writes the page.
pub fn write(
    mut page: Page,
    args: &Args,
    cores: usize,
    rates: &Rates,
    kinds: &Kinds,
) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "Logins with the right password at the real users service, on SQLite in a folder of its own, against the hash alone: \
         argon2id with 19 MiB, two passes and one lane, on {cores} threads that do nothing else and keep their memory. {} accounts sign in in turn, \
         {} at once. What is measured takes turns, {} ms each, in each of {} rounds. *Of a core* is per second that \
         a thread of this process had a core: what others do with the machine is not in it. *By the clock* is per second on \
         all cores: waiting for the disk is in it, and so are the others. A figure is the median over the rounds, and *of the \
         bare* the median of what each round reached of its own bare rate. Everything, the callers too, is in one process.",
        args.logins,
        AT_ONCE * cores,
        args.slice,
        args.rounds
    ));
    page.heading("Logins a second");
    let mut table = Table::new(&[
        "",
        "of a core",
        "of the bare",
        "by the clock",
        "of the bare",
    ]);
    for (name, of) in [
        ("the bare hash", &rates.bare),
        ("logins, in memory", &rates.memory),
        ("logins, through the edge", &rates.edge),
    ] {
        let mut cells = vec![name.to_owned()];
        for by in [by_core as fn(&Rate) -> f64, by_clock] {
            let rate = median(&of.iter().map(by).collect::<Vec<_>>());
            cells.push(format!("{rate:.1}"));
            cells.push(format!("{:.1} %", part(of, &rates.bare, by) * 100.0));
        }
        table.row(cells);
    }
    page.table(&table);
    page.paragraph(
        "A login also counts the attempt, makes a session, signs a token and forgives the attempt: three transactions, each of \
         which waits for the disk.",
    );

    page.heading("Who has an account");
    page.paragraph(&format!(
        "{} logins of each kind through the edge, one after the other, the kinds in turn, each e-mail once in a kind, from 100 \
         addresses, so that nobody has to wait for failed attempts. Times are milliseconds.",
        args.logins
    ));
    let mut table = Table::new(&["", "p1", "p10", "p25", "p50", "p75", "p90", "p99", "most"]);
    for (name, values) in [
        ("a known e-mail, a wrong password", &kinds.wrong),
        ("an unknown e-mail", &kinds.unknown),
        ("a known e-mail, its password", &kinds.right),
    ] {
        let spread = spread(values);
        let ranks = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0];
        let cells = ranks.map(|rank| millis(spread.at(rank)));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    page.table(&table);
    page.paragraph(&format!(
        "How far two of them are apart, by the two-sample Kolmogorov–Smirnov statistic: 0 is the same, 1 is no overlap. Two \
         samples of this size from one distribution exceed {:.3} once in twenty runs; the halves of one kind show what the \
         noise of this run makes of nothing ({:.3} for them).",
        once_in_twenty(kinds.wrong.len(), kinds.unknown.len()),
        once_in_twenty(kinds.wrong.len() / 2, kinds.wrong.len() / 2)
    ));
    let mut table = Table::new(&["", "statistic"]);
    for (name, statistic) in [
        (
            "wrong password and unknown e-mail",
            kolmogorov_smirnov(&kinds.wrong, &kinds.unknown),
        ),
        ("the halves of wrong password", of_halves(&kinds.wrong)),
        ("the halves of unknown e-mail", of_halves(&kinds.unknown)),
        (
            "wrong password and right password",
            kolmogorov_smirnov(&kinds.wrong, &kinds.right),
        ),
    ] {
        table.row([name.to_owned(), format!("{statistic:.3}")]);
    }
    page.table(&table);

    page.heading("The goals");
    let told = |name: &str, of: &[Rate]| {
        let reached = part(of, &rates.bare, by_core);
        let word = if reached >= GOAL { "reached" } else { "missed" };
        format!("{:.1} % {name} ({word})", reached * 100.0)
    };
    page.paragraph(&format!(
        "Logins are to reach {:.0} % of the bare rate of a core. This run: {}, {}.",
        GOAL * 100.0,
        told("in memory", &rates.memory),
        told("through the edge", &rates.edge)
    ));
    let apart = kolmogorov_smirnov(&kinds.wrong, &kinds.unknown);
    let limit = once_in_twenty(kinds.wrong.len(), kinds.unknown.len());
    let word = if apart <= limit { "reached" } else { "missed" };
    page.paragraph(&format!(
        "The times of a known and an unknown e-mail are to be as those of one distribution, {limit:.3} at most. This run: \
         {apart:.3} ({word})."
    ));
    page.finish()
}
