//! Very many connections: those that there is room for cost little, and the others are closed at once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::stage::{Outcome, Stage};
use super::wire::{END_STREAM, PING, PREFACE, SETTINGS, connect, frame};
use crate::running::{alone, eventually};

/// What the process may take with all of them: half of what a pod has.
const CEILING: usize = 512;
/// How many are idle.
const IDLE: usize = 10_000;
/// How many connections there may be in all.
const MOST: usize = IDLE + ROOM;
/// How many others there may be.
const ROOM: usize = 700;
/// How many one address has of the idle ones, and may have.
const OF_ONE: usize = 500;
/// What may be open besides.
const FILES: u64 = 1000;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_are_borne_and_one_client_has_no_more_than_its_share() {
    let _alone = alone().await;
    allow_files(MOST as u64 + FILES);
    let settings = [
        ("ATELIER_EDGE_MAX_CONNECTIONS", MOST.to_string()),
        ("ATELIER_EDGE_MAX_CONNECTIONS_OF_ONE", OF_ONE.to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let stage = Stage::start("Crowds", CEILING, &settings).await;
    let mut crowd = Crowd::default();
    let idle = idle(&stage, &mut crowd);
    stage.attack("idle connections", idle).await;
    let greedy = greedy(&stage);
    stage
        .attack("more connections of one address than it may have", greedy)
        .await;
    let full = full(&stage);
    stage
        .attack("more connections than there may be", full)
        .await;
    assert_eq!(
        crowd.gone.load(Ordering::SeqCst),
        0,
        "of those that were there"
    );
}

/// Connections that do nothing but answer whether they are there.
#[derive(Default)]
struct Crowd {
    tasks: JoinSet<()>,
    writers: Vec<Arc<Mutex<OwnedWriteHalf>>>,
    greeted: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    gone: Arc<AtomicUsize>,
}

impl Crowd {
    async fn join(&mut self, socket: TcpStream) {
        let (mut read, mut write) = socket.into_split();
        let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        write.write_all(&begin).await.unwrap();
        let write = Arc::new(Mutex::new(write));
        self.writers.push(write.clone());
        let (greeted, answered) = (self.greeted.clone(), self.answered.clone());
        let gone = self.gone.clone();
        self.tasks.spawn(async move {
            let mut head = [0; 9];
            while read.read_exact(&mut head).await.is_ok() {
                let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
                if read.read_exact(&mut payload).await.is_err() {
                    break;
                }
                match (head[3], head[4] & END_STREAM != 0) {
                    (SETTINGS, false) => {
                        greeted.fetch_add(1, Ordering::SeqCst);
                    }
                    (PING, true) => {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    (PING, false) => {
                        let here = frame(PING, END_STREAM, 0, &payload);
                        let _ = write.lock().await.write_all(&here).await;
                    }
                    _ => {}
                }
            }
            gone.fetch_add(1, Ordering::SeqCst);
        });
    }

    /// Asks each whether it is answered still.
    async fn ask(&self) {
        for write in &self.writers {
            let ask = frame(PING, 0, 0, &[1; 8]);
            let _ = write.lock().await.write_all(&ask).await;
        }
    }
}

async fn idle(stage: &Stage, crowd: &mut Crowd) -> Outcome {
    for n in 0..IDLE {
        let host = (n / OF_ONE) as u8 + 10;
        let socket = connect(stage.port, Ipv4Addr::new(127, 0, 0, host)).await;
        crowd.join(socket.expect("it accepts")).await;
    }
    eventually("all are greeted", PATIENCE, || async {
        crowd.greeted.load(Ordering::SeqCst) == IDLE
    })
    .await;
    // They are there for a while, and then each is asked.
    tokio::time::sleep(Duration::from_secs(3)).await;
    crowd.ask().await;
    eventually("all answer", PATIENCE, || async {
        crowd.answered.load(Ordering::SeqCst) == IDLE
    })
    .await;
    assert_eq!(crowd.gone.load(Ordering::SeqCst), 0);
    Outcome::new(
        format!("{IDLE} connections of 20 addresses, a preface and SETTINGS each"),
        "SETTINGS, and a PING of each is answered",
    )
}

/// How many of so many connections of each of these addresses are closed at once; the others are kept until then.
async fn closed(stage: &Stage, hosts: &[u8], many: usize) -> usize {
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let (mut there, mut closed) = (Vec::new(), 0);
    for host in hosts {
        for _ in 0..many {
            match connect(stage.port, Ipv4Addr::new(127, 0, 1, *host)).await {
                Ok(mut socket) => {
                    // What is closed already may refuse this.
                    let _ = socket.write_all(&begin).await;
                    there.push(socket);
                }
                Err(_) => closed += 1,
            }
        }
    }
    for socket in &mut there {
        let greeted = tokio::time::timeout(PATIENCE, socket.read(&mut [0; 9])).await;
        if matches!(greeted.expect("greeted or closed"), Ok(0) | Err(_)) {
            closed += 1;
        }
    }
    closed
}

async fn greedy(stage: &Stage) -> Outcome {
    // There is room for all of them.
    let closed = closed(stage, &[1], OF_ONE + 100).await;
    assert_eq!(closed, 100);
    Outcome::new(
        format!(
            "{} connections of one address, of which {OF_ONE} may be",
            OF_ONE + 100
        ),
        format!("{closed} closed at once"),
    )
}

async fn full(stage: &Stage) -> Outcome {
    let closed = closed(stage, &[2, 3], ROOM / 2 + 100).await;
    assert!(closed >= 200, "only {closed} were closed");
    Outcome::new(
        format!(
            "{} more of other addresses, where there is room for {ROOM}",
            ROOM + 200
        ),
        format!("{closed} closed at once; those that were there stay"),
    )
}

/// Raises what this process may have open; the machine has to allow it.
#[expect(unsafe_code, reason = "the system is told so by a function of C")]
fn allow_files(needed: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both read or write the structure that they are given, and no other memory of ours.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert!(
        raised == 0 && limit.rlim_cur >= needed && limit.rlim_cur / 4 * 3 >= needed - FILES,
        "a process may have {} files open here (`ulimit -Hn`), and this test needs {needed} on each side",
        limit.rlim_cur
    );
}
