//! A disk that is small enough to be filled: a file system in memory, mounted for as long as the test runs, even one that is
//! killed. Mounting takes root, or a `sudo` that asks nothing.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Mounts it beside a look at its input, which ends with the test process; then the disk goes.
const KEEPER: &str = r#"
as_root=; [ "$(id -u)" = 0 ] || as_root="sudo -n"
$as_root mount -t tmpfs -o "size=$2,mode=1777" atelier-tests "$1" || exit 1
echo mounted
cat >/dev/null
$as_root umount -l "$1"
"#;
/// What one block has.
const BLOCK: usize = 4096;
/// How often room that others have given back is taken too.
const AGAIN: Duration = Duration::from_millis(20);

/// A small disk.
pub struct Disk {
    keeper: Child,
    place: tempfile::TempDir,
    filler: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Disk {
    /// Mounts one of a size, as in `64m`.
    pub fn mount(size: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(place.path())
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let mut output = BufReader::new(keeper.stdout.take().unwrap());
        output.read_line(&mut told).unwrap();
        if told.trim() != "mounted" {
            let mut why = String::new();
            let _ = keeper.stderr.take().unwrap().read_to_string(&mut why);
            panic!(
                "a disk that can be full must be mounted, which takes root or a sudo without a password (in a container: \
                 CAP_SYS_ADMIN): {why}"
            );
        }
        Self {
            keeper,
            place,
            filler: None,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Fills it to the last block, and keeps it full: what others give back is taken too.
    pub fn fill(&mut self) {
        let (goes_on, file) = (Arc::new(AtomicBool::new(true)), self.filler());
        let mut filler = File::create(file).unwrap();
        top_up(&mut filler);
        let on = goes_on.clone();
        let keeps_full = std::thread::spawn(move || keep_full(&mut filler, &on));
        self.filler = Some((goes_on, keeps_full));
    }

    /// Gives the room back.
    pub fn free(&mut self) {
        let (goes_on, keeps_full) = self.filler.take().expect("it is full");
        goes_on.store(false, Ordering::SeqCst);
        keeps_full.join().expect("it was full all the time");
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it has a thread of its own: it must not wait for a runtime that is busy"
)]
fn keep_full(filler: &mut File, goes_on: &AtomicBool) {
    while goes_on.load(Ordering::SeqCst) {
        std::thread::sleep(AGAIN);
        top_up(filler);
    }
}

/// Writes until there is no room; any other refusal fails the test.
fn top_up(filler: &mut File) {
    let block = [7; BLOCK];
    loop {
        if let Err(error) = filler.write_all(&block) {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
            return;
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some((goes_on, keeps_full)) = self.filler.take() {
            goes_on.store(false, Ordering::SeqCst);
            let _ = keeps_full.join();
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
