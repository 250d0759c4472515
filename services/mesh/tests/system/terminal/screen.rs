//! A command on a pseudo-terminal: what a person sees on the screen, and the keys they press.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Desk;

/// How long something may take to be seen on a busy machine.
const SEEN: Duration = Duration::from_secs(60);
/// How wide the screen is.
pub const COLUMNS: u16 = 60;
/// How high the screen is.
pub const ROWS: u16 = 24;

/// Ctrl-C.
pub const CTRL_C: &str = "\x03";
/// Ctrl-D.
pub const CTRL_D: &str = "\x04";
/// The arrow that goes up.
pub const UP: &str = "\x1b[A";

#[derive(Clone)]
struct Seen {
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

/// A command that runs on a terminal; dropping it ends it.
pub struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    seen: Seen,
    terminal: Box<dyn MasterPty + Send>,
}

impl Screen {
    /// Starts a command of somebody.
    pub fn open(desk: &Desk, args: &[&str]) -> Self {
        Self::open_with(desk, args, &[])
    }

    /// The same, with more variables.
    pub fn open_with(desk: &Desk, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows: ROWS,
                cols: COLUMNS,
                ..PtySize::default()
            })
            .unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_atelier"));
        command.args(args);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        for (name, value) in desk.variables() {
            command.env(name, value);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(desk.folder());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let side = |length| NonZero::new(length).unwrap();
        let seen = Seen {
            screen: Arc::new(Mutex::new(vt100::Parser::new(
                side(ROWS),
                side(COLUMNS),
                1000,
            ))),
            raw: Arc::default(),
        };
        let mut reader = pair.master.try_clone_reader().unwrap();
        let filled = seen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                filled
                    .raw
                    .lock()
                    .unwrap()
                    .extend_from_slice(&bytes[..length]);
                filled.screen.lock().unwrap().process(&bytes[..length]);
            }
        });
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            seen,
            terminal: pair.master,
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.seen.screen.lock().unwrap().screen().contents()
    }

    /// All bytes that came.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.raw.lock().unwrap()).into_owned()
    }

    /// Waits until the screen has a text.
    pub async fn shows(&self, text: &str) {
        self.until(text, |screen| screen.text().contains(text))
            .await;
    }

    /// Waits until the screen asks for a secret: it has the text, and what is typed from now on is not shown by the terminal.
    pub async fn hides(&self, text: &str) {
        self.shows(text).await;
        self.until("that typing is hidden", |screen| {
            let modes = screen.terminal.get_termios();
            modes.is_some_and(|modes| modes.local_flags.bits() & libc::ECHO == 0)
        })
        .await;
    }

    /// Waits until it is the person's turn.
    pub async fn prompt(&self) {
        let turn = |screen: &Self| screen.text().trim_end().ends_with('›');
        self.until("a prompt", turn).await;
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < SEEN,
                "not seen: {what}\n── the screen ──\n{}\n──",
                self.text()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How the first letter of a text on the screen looks.
    pub fn cell(&self, text: &str) -> vt100::Cell {
        let parser = self.seen.screen.lock().unwrap();
        let screen = parser.screen();
        for (row, line) in screen.rows(0, COLUMNS).enumerate() {
            if let Some(at) = line.find(text) {
                let column = line[..at].chars().count();
                let cell = screen.cell(row as u16, column as u16);
                return cell.expect("a cell").clone();
            }
        }
        panic!("{text} is not on the screen:\n{}", screen.contents());
    }

    /// Whether the command still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end; the exit code.
    pub async fn ended(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it said last may still be on its way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return i32::try_from(status.exit_code()).unwrap();
            }
            assert!(begun.elapsed() < SEEN, "no end:\n{}", self.text());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
