//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Spread, Table, median, micros, times};

use crate::call::{Case, Checks, SIZES};
use crate::peer::Place;
use crate::{AT_ONCE, Args, Stand};

/// The goal, in seconds: half of the calls to a bare role in memory are answered within it.
const GOAL: f64 = 40e-6;

/// The median over the rounds of a percentile of each.
fn over_rounds(rounds: &[Spread], part: f64) -> f64 {
    median(
        &rounds
            .iter()
            .map(|round| round.at(part))
            .collect::<Vec<_>>(),
    )
}

/// What half of the calls of the first size took at most.
fn typical(case: &Case) -> f64 {
    over_rounds(&case.found[0].one_by_one, 0.5)
}

fn find(stand: &Stand, place: Place, checks: Checks) -> Option<&Case> {
    stand
        .cases
        .iter()
        .find(|case| (case.place, case.checks) == (place, checks))
}

/// Writes the page.
pub fn write(mut page: Page, args: &Args, stands: &[Stand]) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "One unary call from one role to another, through the kit's own link and listener, to a handler that sends the \
         message back. All variants are measured in turn, {} ms each, and again in each of {} rounds, so that whatever \
         else the machine does hits all of them alike. A figure is the median over the rounds: of each round's percentile \
         for calls made one after the other, of each round's rate with {AT_ONCE} calls under way on one connection. \
         Times are microseconds. Compare figures of one page; two pages were two machines, or two moods of one.",
        args.slice, args.rounds
    ));
    page.paragraph(
        "*Bare* has no layer around the handler; with the *stack* it has all that a service of the mesh has: arrival, \
         deadline, admission, message size, and the caller's token, which is verified on every call. *No link* calls the routes as \
         a function. Atelier never does that: it would ignore deadlines. The *ratio* is to the bare call in memory of the \
         same table.",
    );
    for stand in stands {
        page.heading(&match stand.name {
            "multi-thread" => "On the program's runtime (multi-thread, a worker a core)".to_owned(),
            other => format!("On a {other} runtime, for comparison"),
        });
        for (index, size) in SIZES.into_iter().enumerate() {
            page.paragraph(&format!("Message and answer of {size} bytes:"));
            page.table(&calls(stand, index));
        }
    }
    page.heading("Where the time goes");
    page.paragraph(&format!(
        "The way to a bare role in memory and back with {} bytes, taken apart: each line has more on the way than the line \
         above it, but for the socket, which stands beside the pipe. The first line is what it costs that one task wakes \
         another and is woken by it. p50, one after the other.",
        SIZES[0]
    ));
    page.table(&floors(stands));
    page.heading("The goal");
    page.paragraph(&verdict(stands));
    page.finish()
}

fn calls(stand: &Stand, size: usize) -> Table {
    let at_once = format!("{AT_ONCE} at once, calls/s");
    let mut table = Table::new(&["call", "p50", "p90", "p99", "ratio", &at_once]);
    let base = find(stand, Place::Memory, Checks::None).map_or(f64::NAN, |case| {
        over_rounds(&case.found[size].one_by_one, 0.5)
    });
    for case in &stand.cases {
        let found = &case.found[size];
        let at = |part| over_rounds(&found.one_by_one, part);
        table.row([
            Case::name(case.checks, case.place),
            micros(at(0.5)),
            micros(at(0.9)),
            micros(at(0.99)),
            times(at(0.5) / base),
            format!("{:.0}", median(&found.at_once)),
        ]);
    }
    table
}

fn floors(stands: &[Stand]) -> Table {
    let mut heads = vec!["there and back"];
    heads.extend(stands.iter().map(|stand| stand.name));
    let mut table = Table::new(&heads);
    let count = stands.first().map_or(0, |stand| stand.floors.len());
    for index in 0..count {
        let mut row = vec![stands[0].floors[index].name.to_owned()];
        row.extend(
            stands
                .iter()
                .map(|stand| micros(over_rounds(&stand.floors[index].found, 0.5))),
        );
        table.row(row);
    }
    for (name, checks) in [
        ("the kit's link to a bare role", Checks::None),
        ("the same, with the inbound stack", Checks::Nobody),
        (
            "the same, and a service's token (HS256), deadline and trace",
            Checks::Service,
        ),
        ("the stack, and an account's token (RS256)", Checks::Account),
    ] {
        let mut row = vec![name.to_owned()];
        row.extend(
            stands
                .iter()
                .map(|stand| micros(find(stand, Place::Memory, checks).map_or(f64::NAN, typical))),
        );
        table.row(row);
    }
    table
}

fn verdict(stands: &[Stand]) -> String {
    let reached: Vec<String> = stands
        .iter()
        .map(|stand| {
            let reached = find(stand, Place::Memory, Checks::None).map_or(f64::NAN, typical);
            format!(
                "{} µs on the {} runtime ({})",
                micros(reached),
                stand.name,
                if reached <= GOAL { "reached" } else { "missed" }
            )
        })
        .collect();
    format!(
        "A bare call in memory is to be answered within {} µs, p50, one after the other with {} bytes. This run: {}.",
        micros(GOAL),
        SIZES[0],
        reached.join(", ")
    )
}
