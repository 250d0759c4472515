//! The page that tells what came of each fault: written whole, so that nobody edits it by hand.

use std::fmt::Write as _;
use std::process::Command;

/// What came of one fault.
#[derive(Clone)]
pub struct Row {
    /// What happened.
    pub fault: String,
    /// What went on meanwhile; nothing where nobody called.
    pub load: Option<Held>,
    /// How many writes were acknowledged.
    pub acknowledged: usize,
    /// How many of them are missing.
    pub lost: usize,
    /// How long it took until the mesh answered again, in seconds.
    pub recovered: f64,
    /// How long the same calls took before, in seconds, while nothing was wrong.
    pub well: Option<f64>,
}

/// The load, and what it met.
#[derive(Clone)]
pub struct Held {
    /// How many callers there were.
    pub callers: usize,
    /// How many calls a second.
    pub pace: f64,
    /// How many calls were refused.
    pub refused: usize,
    /// How many generations failed.
    pub failed: u64,
    /// How long the longest call took, in seconds.
    pub longest: f64,
}

/// The heads of the columns, and how they are set.
const HEAD: &str = "\
| fault | load held | writes acknowledged | writes lost | calls refused | generations failed and told so | longest call, s | answers again after, s | the same while all was well, s |
|---|---|--:|--:|--:|--:|--:|--:|--:|
";

impl Row {
    /// As a line of the table.
    pub fn line(&self) -> String {
        let nothing = || "–".to_owned();
        let load = self.load.as_ref();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {} |",
            self.fault,
            load.map_or_else(
                || "nobody yet".to_owned(),
                |load| format!("{} callers, {:.0} calls/s", load.callers, load.pace)
            ),
            self.acknowledged,
            self.lost,
            load.map_or_else(nothing, |load| load.refused.to_string()),
            load.map_or_else(nothing, |load| load.failed.to_string()),
            load.map_or_else(nothing, |load| format!("{:.1}", load.longest)),
            self.recovered,
            self.well.map_or_else(nothing, |well| format!("{well:.1}")),
        )
    }
}

/// The whole page: `engines` says which servers there were, and `how` what was run with which seed.
pub fn write(engines: &str, how: &str, machine: &str, rows: &[Row], failed: &[String]) -> String {
    let mut page = format!(
        "\
# What a mesh in earnest survives

This page is written by `just faults`, which runs `services/mesh/tests/system/faults`: two processes of each role on loopback, on
{engines}.
FerretDB takes one write at a time here, and has no indexes. Callers register, talk, draw, speak and read through both edges; then one thing fails, is away for four seconds, and comes back. After each fault every write that a caller was told is done is looked for:
accounts sign in, conversations have their messages, pictures and speeches are fetched from where they are listed, and each generation is
counted once.

{how}, at {}, with the {} build, {machine}.

{HEAD}",
        commit(),
        match cfg!(debug_assertions) {
            true => "debug",
            false => "release",
        }
    );
    for row in rows {
        let _ = writeln!(page, "{}", row.line());
    }
    for fault in failed {
        let _ = writeln!(page, "| {fault} | **FAILED** | | | | | | | |");
    }
    page.push_str(NOTES);
    page
}

const NOTES: &str = "
- *Load held*: callers with a rest of 0.3 to 0.9 s between two things, and what they did in a second over the whole row.
- *Calls refused*: UNAVAILABLE with RetryInfo, or a connection that broke; anything else fails the run, and so does an error while all was well, or a caller
  who is kept waiting for forty seconds.
- *Generations failed*: their owners were told a reason that passes, and nothing was charged.
- *Longest call*: from the asking to the end of what was asked for, or to its refusal; a reply, a picture and a speech are made in it.
- *Answers again*: the latest of the first successes of five calls at each edge, each tried again and again beside the others and beside the load: an
  account is read (users, on PostgreSQL), a conversation made (llm-chat, on MongoDB), a picture drawn and a word spoken to their ends (text-image and tts, on
  PostgreSQL, Redis and S3), and the usage summed up (analytics, on MongoDB). It is counted from the return of an engine, of an edge or of room on a disk;
  where one of two other processes is killed or told to go, from that moment, since the other one is there; where one has another clock, from its start; and where both
  begin at once, from their start until each is ready and the calls have succeeded. More than ten seconds, and ten for a busy machine, fail the run.
- *The same while all was well*: the same calls, under the same load, just before.
- *Two minutes ahead*: the process runs with a clock that is two minutes ahead, and all of it is done once while it does.
- *Streams*: five replies that take seven seconds, each watched by ten callers through both edges with `WatchGeneration`. A caller who is cut off comes back
  with the last sequence that he has seen; each hears every event once, and all who listen to a reply hear the same end. For these *answers again* is also not before the last
  of those who were cut off has his stream again.
- *A full disk*: a file system in memory on which not one block is left, and on which what others give back is taken too, until all is given back. For SQLite
  it holds the data folder of a mesh in one process, its objects included.
- *Started at once*: both processes of each role, on databases without a table. Each migration is applied once.
";

/// Which commit this is, and whether something was changed since.
fn commit() -> String {
    let told = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let told = told.ok().filter(|told| told.status.success());
    told.map_or_else(
        || "an unknown commit".to_owned(),
        |told| String::from_utf8_lossy(&told.stdout).trim().to_owned(),
    )
}

/// The machine, and how much other work it did when the run began.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("on a machine of {cores} cores whose load was {load} before the run")
}
