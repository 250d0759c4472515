//! The page of a run: how to read it, and its tables; it measures nothing.

use bench_report::{Page, Table, median, micros, millis, said, times};

use crate::call::Kind;
use crate::load::Storm;
use crate::stand::Way;
use crate::{Cell, Found, Identity, Run};

const MIB: f64 = 1024.0 * 1024.0;

/// What the edge is to reach against Envoy at every size with identity and limits: at least so many calls, and at most so much of
/// its p99, its CPU and its memory.
const GOALS: [f64; 4] = [1.5, 0.6, 0.5, 1.0 / 6.0];

impl Found {
    fn mid(&self, of: fn(&Storm) -> f64) -> f64 {
        median(&self.storms.iter().map(of).collect::<Vec<_>>())
    }

    /// The median over the rounds of a figure against that of another way in the same round.
    fn against(&self, other: &Self, of: impl Fn(&Storm, &Storm) -> f64) -> f64 {
        let pairs = self.storms.iter().zip(&other.storms);
        median(
            &pairs
                .map(|(mine, other)| of(mine, other))
                .collect::<Vec<_>>(),
        )
    }

    fn is_of(&self, kind: Kind, identity: Identity) -> bool {
        self.cell.kind == kind && self.cell.identity == identity
    }
}

/// Says what was found, as soon as it was, with the process that a profiler would look at.
#[expect(
    clippy::print_stdout,
    reason = "a run is long, and this is how it goes"
)]
pub fn tell(found: &Found, process: Option<u32>) {
    let Cell {
        kind,
        identity,
        connections,
    } = found.cell;
    println!(
        "{}, identity {identity:?}, {connections} connections, {}: {:.0}/s, p50 {} ms, p99 {} ms, CPU {} + {} µs, {} MiB, process {}",
        kind.name(),
        found.way.name(),
        found.mid(|storm| storm.rate),
        millis(found.mid(|storm| storm.half)),
        millis(found.mid(|storm| storm.most)),
        micros(found.mid(|storm| storm.front)),
        micros(found.mid(|storm| storm.service)),
        mib(found.memory.most),
        process.map_or_else(|| "–".to_owned(), |id| id.to_string()),
    );
}

fn mib(bytes: f64) -> String {
    if bytes.is_nan() {
        "–".to_owned()
    } else {
        format!("{:.1}", bytes / MIB)
    }
}

/// Writes the page.
pub fn write(page: &mut Page, run: &Run, found: &[Found]) {
    preface(page, run);
    for kind in Kind::ALL {
        for (identity, title) in [
            (Identity::Off, "without identity and limits"),
            (Identity::On, "with identity and limits"),
        ] {
            let rows: Vec<&Found> = found.iter().filter(|f| f.is_of(kind, identity)).collect();
            if !rows.is_empty() {
                page.heading(&format!("{}, {title}", kind.name()));
                page.table(&figures(&rows));
            }
        }
    }
    goals(page, found);
    page.heading("What was compared");
    page.paragraph(&compared(run));
}

fn preface(page: &mut Page, run: &Run) {
    page.paragraph(&format!(
        "One service that sends back what it is sent, and three ways to it: gRPC over HTTP/2 with nothing between, and grpc-web over \
         HTTP/1.1 through our edge and through Envoy. Everything, the client among it, shares the cores `{}`, so what one of them \
         does not work another can. Each row has fresh processes; its ways are measured in turn, {} s each, in each of {} rounds, and \
         a figure is the median over the rounds. A connection has one call at a time.",
        run.cores, run.seconds, run.rounds
    ));
    page.paragraph(
        "The client of edge and Envoy is the same program and sends the same bytes; that of the direct way has to speak HTTP/2, on as \
         many connections, and is dearer. Every answer is looked at: its status, how many messages it has and how many bytes. Before \
         a row is measured each way has to give the message back byte by byte.",
    );
    page.paragraph(
        "With identity every call has an access token (RS256), each connection that of another account from another network. Both \
         verify it with the same keys, remember that they have, and pass it on: Envoy by `jwt_authn`, the edge as it does of every \
         token. And both count the call: Envoy in one bucket (`local_ratelimit`), the edge in one for each network; \
         its methods are of those that count by network whatever token comes, as a sign-in does, since a call with a token is \
         otherwise the service's to count. Before a row is \
         measured a token with a wrong signature has to be refused by both, and before the run a call beyond a limit of three. The \
         service behind them asks for nothing, so that it is the same for all.",
    );
    page.paragraph(
        "“CPU” is what the processes worked for one call: what stands before the service, and the service itself. “Most” is the \
         largest resident set that what stands before the service ever had, “after” what it has after the last call.",
    );
}

fn figures(rows: &[&Found]) -> Table {
    let mut table = Table::new(&[
        "connections, way",
        "in a second",
        "against Envoy",
        "p50 ms",
        "p99 ms",
        "CPU µs, before the service",
        "CPU µs, service",
        "most MiB",
        "after MiB",
    ]);
    for row in rows {
        let envoy = find(rows, row.cell, Way::Envoy);
        let against = envoy.map_or(f64::NAN, |envoy| {
            row.against(envoy, |mine, other| mine.rate / other.rate)
        });
        let front = match row.way {
            Way::Direct => f64::NAN,
            Way::Edge | Way::Envoy => row.mid(|storm| storm.front),
        };
        table.row([
            format!("{}, {}", row.cell.connections, row.way.name()),
            format!("{:.0}", row.mid(|storm| storm.rate)),
            times(against),
            millis(row.mid(|storm| storm.half)),
            millis(row.mid(|storm| storm.most)),
            micros(front),
            micros(row.mid(|storm| storm.service)),
            mib(row.memory.most),
            mib(row.memory.after),
        ]);
    }
    table
}

fn find<'f>(rows: &[&'f Found], cell: Cell, way: Way) -> Option<&'f Found> {
    rows.iter()
        .find(|row| row.cell.connections == cell.connections && row.way == way)
        .copied()
}

fn goals(page: &mut Page, found: &[Found]) {
    let mut table = Table::new(&[
        "what, connections",
        "calls ≥ 1.5 ×",
        "p99 ≤ 0.6 ×",
        "CPU ≤ 0.5 ×",
        "memory ≤ 0.17 ×",
    ]);
    let (mut asked, mut reached) = (0, 0);
    for kind in Kind::ALL {
        let of = |found: &&Found| found.is_of(kind, Identity::On);
        let rows: Vec<&Found> = found.iter().filter(of).collect();
        for edge in rows.iter().filter(|row| row.way == Way::Edge) {
            let Some(envoy) = find(&rows, edge.cell, Way::Envoy) else {
                continue;
            };
            let ratios = ratios(edge, envoy);
            let mut cells = vec![format!("{}, {}", kind.name(), edge.cell.connections)];
            for (at, (ratio, goal)) in ratios.into_iter().zip(GOALS).enumerate() {
                let is_reached = if at == 0 {
                    ratio >= goal
                } else {
                    ratio <= goal
                };
                asked += 1;
                reached += usize::from(is_reached);
                let told = if is_reached { "yes" } else { "no" };
                cells.push(format!("{}, {told}", times(ratio)));
            }
            table.row(cells);
        }
    }
    if asked == 0 {
        return;
    }
    page.heading("The goals");
    page.paragraph(&format!(
        "The edge against Envoy, with identity and limits. {reached} of {asked} are reached."
    ));
    page.table(&table);
}

/// Calls, p99, CPU and memory against Envoy's.
fn ratios(edge: &Found, envoy: &Found) -> [f64; 4] {
    [
        edge.against(envoy, |mine, other| mine.rate / other.rate),
        edge.against(envoy, |mine, other| mine.most / other.most),
        edge.against(envoy, |mine, other| mine.front / other.front),
        edge.memory.most / envoy.memory.most,
    ]
}

fn compared(run: &Run) -> String {
    let ours = "Our edge: its door and its listener as the mesh serves them in a process of their own, with the runtime and the \
                allocator of the program, one link to the service, calls that may be sent again, and limits counted in memory";
    let Some(envoy) = &run.envoy else {
        return format!("{ours}. Envoy was left out.");
    };
    format!(
        "{ours}. Envoy {}: `--concurrency` with a thread for each core, no access log, no admin port, the filters `grpc_web` and \
         `router`, between them `jwt_authn` with its cache of tokens and `local_ratelimit` where calls are checked, one static \
         cluster over HTTP/2; its files are in `bench/edge/peers`",
        said(envoy, &["--version"])
    )
}
