//! The page of a run: how to read it, what it ran against, and a table for each port; it measures nothing.

use bench_report::{Page, Table, median};

use crate::engines::Versions;
use crate::{AT_ONCE, Args, EACH, Line, OWNERS, Port, Rates};

/// Writes the page.
pub fn write(
    mut page: Page,
    args: &Args,
    versions: &Versions,
    measured: &[(Port, Vec<Line>)],
) -> anyhow::Result<()> {
    page.paragraph(&format!(
        "How often a second each port does what it is asked: on what is embedded, which needs nothing else installed, and on a server, which \
         several processes can share. *One* is one call after the other, *{AT_ONCE}* is as many callers at once. Embedded and server are measured \
         in turn, {} ms each, in each of {} rounds; rates are medians over the rounds, and *of the embedded* is the median of what each round reached \
         of its own embedded rate. Everything is on one machine: the callers are in the bench's process, the servers beside it on loopback and on the same \
         cores and disk. So a server's figure has its own work in it, and no network. What waits for nothing is done by as many at once as there are cores, \
         however many call.",
        args.slice, args.rounds
    ));
    if cfg!(debug_assertions) {
        page.paragraph(
            "**Built without optimisation**: what is done in the process is many times slower than in the program, so that the ratios flatter the \
             servers. `bench/run ports` builds in release.",
        );
    }
    page.paragraph(&format!(
        "What is read is {} things of {OWNERS} accounts in databases that nothing else is written to, so that it stays as long as it was. What is \
         written grows as fast as it is written.",
        OWNERS * EACH
    ));
    engines(&mut page, versions);
    for (port, lines) in measured {
        page.heading(port.name);
        page.paragraph(port.about);
        page.table(&table(port, lines, versions));
        for line in lines {
            let late = line.alone.late + line.together.late;
            if late > 0 {
                page.paragraph(&format!(
                    "{late} calls of {} were given up after their deadline, and are in no rate.",
                    line.name
                ));
            }
        }
    }
    page.finish()
}

/// Which servers these were, and when each says that something is kept: most of what a write takes.
fn engines(page: &mut Page, versions: &Versions) {
    page.heading("The engines");
    let mongo = if versions.is_stand_in {
        "says so at once, and leaves it to the system (its SQLite is told not to wait)"
    } else {
        "when a majority of its nodes has it, as Atelier asks"
    };
    let mut table = Table::new(&["", "when a write counts"]);
    for (name, when) in [
        (
            "SQLite, in the process",
            "when it is on the disk (`synchronous=FULL`)",
        ),
        (
            versions.postgres.as_str(),
            "when it is on the disk (its defaults)",
        ),
        (versions.mongo.as_str(), mongo),
        ("memory, in the process", "at once; gone with the process"),
        (versions.redis.as_str(), "at once; gone with the server"),
        (
            "embedded S3, in the process",
            "when it is on the disk (file and folder are synced)",
        ),
        (
            versions.s3.as_str(),
            "says so at once, and leaves it to the system",
        ),
    ] {
        table.row([name, when]);
    }
    page.table(&table);
    if versions.is_stand_in {
        page.paragraph(&format!(
            "{} is a stand-in for MongoDB: it speaks the protocol and keeps documents in SQLite, behind a door that lets one writing \
             command at a time through, and it reads a whole collection for every filter that is no `_id`. Its figures are its own and say \
             nothing of MongoDB's, and they fall as what was written grows. Where `ATELIER_TEST_MONGODB_URL` names a server, that one is measured.",
            versions.mongo
        ));
    }
}

/// As the tables name a server.
fn named<'a>(server: &'a str, versions: &'a Versions) -> &'a str {
    if server == "MongoDB" && versions.is_stand_in {
        "FerretDB"
    } else {
        server
    }
}

fn table(port: &Port, lines: &[Line], versions: &Versions) -> Table {
    let at_once = AT_ONCE.to_string();
    let mut table = Table::new(&[
        "a second",
        "one",
        "of the embedded",
        at_once.as_str(),
        "of the embedded",
    ]);
    for line in lines {
        table.row([
            format!("{}: {}", line.name, port.embedded.0),
            whole(median(&line.alone.embedded)),
            String::new(),
            whole(median(&line.together.embedded)),
            String::new(),
        ]);
        for (place, (server, _)) in port.servers.iter().enumerate() {
            table.row([
                format!("{}: {}", line.name, named(server, versions)),
                whole(median(&of(&line.alone, place))),
                share(&line.alone, place),
                whole(median(&of(&line.together, place))),
                share(&line.together, place),
            ]);
        }
    }
    table
}

/// What one server reached in each round.
fn of(rates: &Rates, server: usize) -> Vec<f64> {
    rates.servers.iter().map(|round| round[server]).collect()
}

/// What one server reached of the embedded rate of the same round.
fn share(rates: &Rates, server: usize) -> String {
    let pairs = of(rates, server).into_iter().zip(&rates.embedded);
    let ratio = median(&pairs.map(|(rate, own)| rate / own).collect::<Vec<_>>());
    match ratio {
        small if small < 0.095 => format!("{:.1} %", small * 100.0),
        large if large >= 10.0 => format!("{large:.0} ×"),
        large if large >= 2.0 => format!("{large:.1} ×"),
        other => format!("{:.0} %", other * 100.0),
    }
}

/// Three figures are all that such a measurement is good for.
fn whole(rate: f64) -> String {
    let step = match rate {
        rate if rate < 10.0 => return format!("{rate:.1}"),
        rate if rate < 1e3 => 1.0,
        rate if rate < 1e4 => 10.0,
        rate if rate < 1e5 => 100.0,
        rate if rate < 1e6 => 1e3,
        _ => 1e4,
    };
    format!("{:.0}", (rate / step).round() * step)
}
