//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Spread, Table, median, micros, millis, times};

use crate::check::What;
use crate::house::Ended;
use crate::{Args, Rates};

/// How much more than the bare check a check of a new token may take.
const GOAL: f64 = 2.0;
/// How long an ended session may be believed, in seconds.
const LEAVES: f64 = 1.0;

/// How often the bare rate, the median over the rounds, is what this one reaches.
fn ratio(rates: &Rates, what: What) -> f64 {
    let pairs = rates[&What::Bare].iter().zip(&rates[&what]);
    median(&pairs.map(|(bare, rate)| bare / rate).collect::<Vec<_>>())
}

/// Writes the page.
pub fn write(mut page: Page, args: &Args, rates: &Rates, ended: &Ended) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "Checks of RS256 access tokens of 2048 bits: the signature alone (aws-lc-rs), the verifier that every service has, and a \
         whole call over an in-memory link through the inbound layers, 16 of them under way. Every core has a thread that does \
         this and nothing else, all at the same time; a rate is per second that such a thread had a core, so that what others \
         do with the machine is not in it. What is measured takes turns in each of {} \
         rounds, {} ms each, or, where every token is to be new to a verifier, until {} tokens have come. A figure is the \
         median over the rounds; *of the bare check* is the median of the ratios of each round.",
        args.rounds, args.slice, args.tokens
    ));
    let mut table = Table::new(&["", "per second of a core", "µs each", "of the bare check"]);
    for what in What::ALL {
        let rate = median(&rates[&what]);
        table.row([
            what.name().to_owned(),
            format!("{rate:.0}"),
            micros(1.0 / rate),
            times(ratio(rates, what)),
        ]);
    }
    page.table(&table);
    page.paragraph(
        "A token that a verifier has seen is found by its whole text, with its account, until it expires, its key is withdrawn or \
         its session is ended; 10000 are remembered.",
    );

    page.heading("When a session is ended");
    page.paragraph(&format!(
        "{} sessions, one after the other: the verifier of another service has the token in its cache and is asked every 0.2 ms \
         while the session signs out at the users service, which tells over a stream. Milliseconds until the token is refused.",
        args.sessions
    ));
    let mut table = Table::new(&["", "p50", "p90", "p99", "most"]);
    for (name, values) in [
        ("since the call that ends it was made", &ended.since_called),
        ("since that call was answered", &ended.since_answered),
    ] {
        let spread = Spread::new(values.clone());
        let cells = [0.5, 0.9, 0.99, 1.0].map(|rank| millis(spread.at(rank)));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    page.table(&table);

    page.heading("The goals");
    let first = ratio(rates, What::First);
    let word = |reached: bool| if reached { "reached" } else { "missed" };
    page.paragraph(&format!(
        "A token that was never seen is to be checked within {GOAL:.0} × the bare signature check. This run: {} ({}). One that was \
         seen takes {} of it.",
        times(first),
        word(first <= GOAL),
        times(ratio(rates, What::Again))
    ));
    let longest = Spread::new(ended.since_called.clone()).max();
    page.paragraph(&format!(
        "The token of an ended session is to be refused within a second. This run: {} ms at most ({}).",
        millis(longest),
        word(longest <= LEAVES)
    ));
    page.finish()
}
