//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Spread, Table, median, micros, millis, times};

use crate::load::{CONNECTIONS, protocol};
use crate::ways::{Call, Stand};
use crate::{Found, Run, Storm};

const MIB: f64 = 1024.0 * 1024.0;

fn mid(storms: &[Storm], of: fn(&Storm) -> f64) -> f64 {
    median(&storms.iter().map(of).collect::<Vec<_>>())
}

fn whole(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        format!("{value:.0}")
    }
}

/// The median over the rounds of a rate against that of another way in the same round.
fn against(storms: &[Storm], others: &[Storm]) -> f64 {
    let ratios: Vec<f64> = storms
        .iter()
        .zip(others)
        .map(|(storm, other)| storm.rate / other.rate)
        .collect();
    median(&ratios)
}

/// Writes the page.
pub fn write(page: &mut Page, run: &Run, stand: &Stand, found: &[Found]) {
    let by_name = |part: &str| {
        let at = stand.ways.iter().position(|way| way.name.contains(part))?;
        found.get(at)
    };
    let (litellm, envoy) = (by_name("LiteLLM"), by_name("Envoy"));
    page.paragraph(&format!(
        "One fake upstream that answers at once, and the ways to it, all running at the same time and measured in turn, \
         {} rounds. What is measured has the cores `{}`, alone in its turn; the upstream and the load program share the \
         cores `{}`. Each Python program has one worker for each of its cores, Envoy one thread, Atelier what its runtime \
         takes. {CONNECTIONS} connections, each with one call at a time.",
        run.rounds, run.programs.cores, run.programs.load_cores
    ));
    page.paragraph(
        "Ours is the whole mesh in one process as it comes: the edge, its link to the chat role, identity checked on every call, \
         limits that count it, credits reserved before it and settled after it at the model's prices, the journal, the record in SQLite with every commit on the disk, the usage told to analytics. `SendMessage` stores both \
         messages; ten replies make a conversation, then the caller creates the next one, which is counted in. The others keep \
         nothing; LiteLLM compares the one key that it does not start without, and nobody else asks who calls. The client is the same for all: it looks for the pieces in the bytes and knows no \
         more of a protocol than it must.",
    );
    page.heading("As much as each takes");
    page.paragraph(
        "A call's reply is of one piece, a stream's of a hundred, which the upstream writes ten at a time as fast as they are \
         taken. “CPU” is what the process and its children worked for one; where “busy” is below what it has, the upstream or \
         the load program was the bound, and CPU is the figure to compare.",
    );
    for (title, of) in [("Calls", true), ("Streams of a hundred pieces", false)] {
        page.heading(title);
        let storms = |found: &Found| {
            if of {
                found.call.clone()
            } else {
                found.burst.clone()
            }
        };
        let mut table = Table::new(&[
            "way",
            "in a second",
            "against LiteLLM",
            "against Envoy",
            "p50 ms",
            "p99 ms",
            "CPU µs each",
            "busy cores",
        ]);
        for (way, found) in stand.ways.iter().zip(found) {
            let mine = storms(found);
            let ratio = |other: Option<&Found>| {
                other.map_or("–".to_owned(), |other| {
                    times(against(&mine, &storms(other)))
                })
            };
            table.row([
                way.name.to_owned(),
                whole(mid(&mine, |storm| storm.rate)),
                ratio(litellm),
                ratio(envoy),
                millis(mid(&mine, |storm| storm.half)),
                millis(mid(&mine, |storm| storm.most)),
                micros(mid(&mine, |storm| storm.worked)),
                format!("{:.2}", mid(&mine, |storm| storm.busy)),
            ]);
        }
        page.table(&table);
    }

    page.heading("What each adds at a light load");
    page.paragraph(&format!(
        "A call alone on one connection; and the first piece of a stream while {CONNECTIONS} streams are held at twenty pieces \
         in a second. What is added is the figure less the same figure of the upstream itself. Memory is the most that was \
         seen between the rounds, what processes share counted once.",
    ));
    let mut table = Table::new(&[
        "way",
        "spoken",
        "call p50, added ms",
        "first piece p50, added ms",
        "first piece p99, added ms",
        "memory MiB",
    ]);
    let bare = (
        Spread::new(found[0].alone.clone()),
        Spread::new(found[0].first.clone()),
    );
    for (way, found) in stand.ways.iter().zip(found) {
        let (alone, first) = (
            Spread::new(found.alone.clone()),
            Spread::new(found.first.clone()),
        );
        table.row([
            way.name.to_owned(),
            protocol(way).to_owned(),
            millis(alone.at(0.5) - bare.0.at(0.5)),
            millis(first.at(0.5) - bare.1.at(0.5)),
            millis(first.at(0.99) - bare.1.at(0.99)),
            whole(found.memory / MIB),
        ]);
    }
    page.table(&table);
    page.paragraph(&format!(
        "The upstream itself: a call {} ms, a first piece {} ms p50 and {} ms p99.",
        millis(bare.0.at(0.5)),
        millis(bare.1.at(0.5)),
        millis(bare.1.at(0.99))
    ));

    if run.crowd > 0 {
        page.heading(&format!("{} slow streams for a minute", run.crowd));
        page.paragraph(
            "Each over a connection of its own, at twenty pieces in a second, begun within two seconds. A gap is the time from \
             one piece to the next as the caller sees it; what the way adds to its p99 is to be 50 ms at most.",
        );
        let mut table = Table::new(&[
            "way",
            "gap p50 ms",
            "gap p99 ms",
            "added to p99 ms",
            "longest ms",
            "memory for each stream, KiB",
            "busy cores",
        ]);
        let bare = found[0]
            .crowd
            .as_ref()
            .map_or(f64::NAN, |crowd| crowd.gaps.at(0.99));
        for (way, found) in stand.ways.iter().zip(found) {
            let Some(crowd) = &found.crowd else { continue };
            table.row([
                way.name.to_owned(),
                millis(crowd.gaps.at(0.5)),
                millis(crowd.gaps.at(0.99)),
                millis(crowd.gaps.at(0.99) - bare),
                millis(crowd.gaps.max()),
                whole(crowd.memory / 1024.0),
                format!("{:.2}", crowd.busy),
            ]);
        }
        page.table(&table);
    }
    goals(page, stand, found);
    page.heading("What was compared");
    page.paragraph(&stand.notes.join(". "));
}

fn goals(page: &mut Page, stand: &Stand, found: &[Found]) {
    let find = |part: &str| {
        let at = stand.ways.iter().position(|way| way.name.contains(part))?;
        found.get(at)
    };
    let (Some(litellm), Some(envoy)) = (find("LiteLLM"), find("Envoy")) else {
        return;
    };
    page.heading("The goals");
    let mut table = Table::new(&["goal", "asked", "found", "reached"]);
    let bare = Spread::new(found[0].first.clone());
    let mut line = |name: String, asked: String, value: f64, told: String, good: bool| {
        if value.is_finite() {
            table.row([
                name,
                asked,
                told,
                if good { "yes" } else { "no" }.to_owned(),
            ]);
        }
    };
    for (way, found) in stand.ways.iter().zip(found) {
        let Call::Ours(method) = way.call else {
            continue;
        };
        let (calls, streams) = match method {
            crate::ours::Method::Complete => (80.0, 50.0),
            crate::ours::Method::SendMessage => (30.0, 30.0),
        };
        let mut ratio = |what: &str, asked: f64, value: f64| {
            line(
                format!("{}: {what}", way.name),
                times(asked),
                value,
                times(value),
                value >= asked,
            );
        };
        ratio(
            "calls against LiteLLM",
            calls,
            against(&found.call, &litellm.call),
        );
        ratio(
            "streams against LiteLLM",
            streams,
            against(&found.burst, &litellm.burst),
        );
        if method == crate::ours::Method::Complete {
            ratio(
                "streams against Envoy",
                1.0,
                against(&found.burst, &envoy.burst),
            );
        }
        let first = Spread::new(found.first.clone());
        for (what, part, most) in [("p50", 0.5, 1e-3), ("p99", 0.99, 3e-3)] {
            let value = first.at(part) - bare.at(part);
            line(
                format!("{}: first piece added, {what}", way.name),
                format!("≤ {} ms", millis(most)),
                value,
                format!("{} ms", millis(value)),
                value <= most,
            );
        }
    }
    if let Some(ours) = find("Complete, gRPC") {
        let value = litellm.memory / ours.memory;
        line(
            "memory: LiteLLM's against ours".to_owned(),
            times(10.0),
            value,
            times(value),
            value >= 10.0,
        );
    }
    page.table(&table);
}
