//! What a run's numbers depend on, read from `/proc` and the tools that made the program; it names no machine and no path.

use std::fs;
use std::process::Command;
use std::time::Instant;

/// How the clock of `/proc` ticks: USER_HZ is 100 on every architecture that Linux has.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is said of a thing that the machine does not tell.
const UNKNOWN: &str = "unknown";

/// Looks at the machine from the beginning of a run to its end: how much of it others had.
pub struct Watch {
    begun: Instant,
    busy: Option<f64>,
    own: Option<f64>,
    load: String,
}

impl Watch {
    /// The run begins.
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            busy: busy_seconds(),
            own: own_seconds(),
            load: load(),
        }
    }

    /// The part of all cores that other processes and, on a virtual machine, its other guests took since the
    /// beginning; `None` where the system does not tell.
    fn others(&self) -> Option<f64> {
        let busy = busy_seconds()? - self.busy?;
        let own = own_seconds()? - self.own?;
        let all = self.begun.elapsed().as_secs_f64() * cores() as f64;
        Some(((busy - own) / all).clamp(0.0, 1.0))
    }
}

/// The facts of a run, in the order in which its page has them.
pub(crate) fn facts(watch: &Watch) -> Vec<(&'static str, String)> {
    let others = watch.others().map_or("not told".to_owned(), |part| {
        format!("{:.0} % of the cores", part * 100.0)
    });
    vec![
        ("commit", commit()),
        (
            "date",
            jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
        ),
        (
            "lasted",
            format!("{:.0} s", watch.begun.elapsed().as_secs_f64()),
        ),
        ("taken by others meanwhile", others),
        (
            "load before and after",
            format!("{} and {}", watch.load, load()),
        ),
        ("cores", cores().to_string()),
        ("processor", field("/proc/cpuinfo", "model name")),
        ("memory", memory()),
        ("kernel", version(&read("/proc/sys/kernel/osrelease"))),
        ("rustc", said("rustc", &["--version"])),
    ]
}

/// The number after `name` in `/proc/PID/status`, in KiB where the file has it so; `None` when it is not there.
pub fn of_process(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What all cores have worked since the machine started, in seconds, time that was stolen from it included.
fn busy_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; what guests had is in user already.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND)
}

/// What the calling thread has worked so far, in seconds: what it waited for a core is not in it. `None` where the system
/// does not tell.
pub fn thread_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}

/// What this process and its children that have ended have worked, in seconds.
pub fn own_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces; what follows it does not.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // utime stime cutime cstime
    let ticks: Vec<f64> = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse().ok())
        .collect();
    Some(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn load() -> String {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn memory() -> String {
    let text = field("/proc/meminfo", "MemTotal");
    let kib: f64 = text
        .split(' ')
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(f64::NAN);
    format!("{:.1} GiB", kib / 1024.0 / 1024.0)
}

/// The commit that was measured; what a bench has written itself changes nothing.
fn commit() -> String {
    let hash = said("git", &["rev-parse", "--short", "HEAD"]);
    let changes = said(
        "git",
        &[
            "status",
            "--porcelain",
            "--",
            ":/",
            ":(top,exclude)bench/results",
        ],
    );
    if changes.is_empty() || hash == UNKNOWN {
        hash
    } else {
        format!("{hash} + changes")
    }
}

/// What a program says, in one line; [`UNKNOWN`] when it cannot be asked.
fn said(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or(UNKNOWN.to_owned(), |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or(UNKNOWN.to_owned(), |text| text.trim().to_owned())
}

/// The first value of a name in a file of `name: value` lines.
fn field(path: &str, name: &str) -> String {
    read(path)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or(UNKNOWN.to_owned(), |(_, value)| value.trim().to_owned())
}

/// The first two numbers of a version: the rest is what somebody calls a build of his own.
fn version(full: &str) -> String {
    full.split('.').take(2).collect::<Vec<_>>().join(".")
}
