//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Spread, Table, median, millis};

use crate::memory::{MOMENTS, Memory};
use crate::program::Started;
use crate::{Args, Found};

/// The goal: until every service is SERVING on data that is there, in seconds, half of the starts.
const GOAL_SECONDS: f64 = 0.3;
/// The goal: what is resident when nobody calls, in MiB.
const GOAL_MIB: f64 = 64.0;

/// Writes the page.
pub fn write(mut page: Page, args: &Args, services: usize, found: &Found) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "The release program with all roles in one process on embedded engines, as `atelier` without any setting runs it. \
         {} starts of each kind, in turn. Milliseconds from the moment before the process is made. *Port open*: the edge \
         takes a connection. *Says ready*: the line on standard error. *All serving*: the edge's `grpc.health.v1` tells \
         SERVING for each of the {services} services of the contract, asked every millisecond over one connection; the edge \
         learns it from each service's own health over the link. *Worked*: the time that the program's threads had spent on \
         a core by then.",
        args.starts
    ));
    page.heading("Start");
    page.table(&starts(found));
    page.heading("Memory");
    page.paragraph(&format!(
        "MiB, the median of {} processes: {} s after a start on data that is there; after the demo ran {} times (accounts, \
         chats, pictures, speech); and another {} s later. *Own* is heap and stacks; *files* are pages of files that are \
         mapped, above all of the program itself, which the kernel takes back when it needs them.",
        args.memories, args.idle, args.demos, args.idle
    ));
    page.table(&memory(found));
    page.paragraph(&format!(
        "The program's file has {:.1} MiB.",
        found.size as f64 / 1024.0 / 1024.0
    ));
    page.heading("The goals");
    page.paragraph(&verdict(found));
    page.finish()
}

fn starts(found: &Found) -> Table {
    let mut table = Table::new(&["start", "until", "p50", "p90", "max"]);
    let mut rows = |kind: &str, kinds: &[(&str, Vec<f64>)]| {
        for (until, values) in kinds {
            let spread = Spread::new(values.clone());
            table.row([
                kind.to_owned(),
                (*until).to_owned(),
                millis(spread.at(0.5)),
                millis(spread.at(0.9)),
                millis(spread.max()),
            ]);
        }
    };
    let of = |starts: &[Started]| {
        let take = |part: fn(&Started) -> f64| starts.iter().map(part).collect::<Vec<_>>();
        [
            ("port open", take(|started| started.open)),
            ("says ready", take(|started| started.ready)),
            ("**all serving**", take(|started| started.serving)),
            ("worked", take(|started| started.worked)),
        ]
    };
    rows("data is there", &of(&found.existing));
    rows(
        "the first: folder, keys and databases are made",
        &of(&found.first),
    );
    rows(
        "`atelier --version`, for comparison",
        &[("its end", found.empty.clone())],
    );
    table
}

fn memory(found: &Found) -> Table {
    let mut table = Table::new(&["moment", "resident", "own", "files", "peak", "threads"]);
    for (moment, measured) in MOMENTS.iter().zip(&found.memory) {
        let part = |part: fn(&Memory) -> u64| {
            median(
                &measured
                    .iter()
                    .map(|memory| part(memory) as f64)
                    .collect::<Vec<_>>(),
            )
        };
        let mib = |kib: f64| format!("{:.1}", kib / 1024.0);
        table.row([
            (*moment).to_owned(),
            mib(part(|memory| memory.resident)),
            mib(part(|memory| memory.own)),
            mib(part(|memory| memory.files)),
            mib(part(|memory| memory.peak)),
            format!("{:.0}", part(|memory| memory.threads)),
        ]);
    }
    table
}

fn verdict(found: &Found) -> String {
    let serving: Vec<f64> = found
        .existing
        .iter()
        .map(|started| started.serving)
        .collect();
    let serving = Spread::new(serving).at(0.5);
    let said = |reached| if reached { "reached" } else { "missed" };
    let held: Vec<String> = MOMENTS
        .iter()
        .zip(&found.memory)
        .map(|(moment, measured)| {
            let resident: Vec<f64> = measured
                .iter()
                .map(|memory| memory.resident as f64 / 1024.0)
                .collect();
            let resident = median(&resident);
            format!("{moment} {resident:.1} MiB, {}", said(resident <= GOAL_MIB))
        })
        .collect();
    format!(
        "Every service SERVING within {} ms on data that is there, p50: {} ms, {}. At most {GOAL_MIB:.0} MiB resident: {}.",
        millis(GOAL_SECONDS),
        millis(serving),
        said(serving <= GOAL_SECONDS),
        held.join("; ")
    )
}
