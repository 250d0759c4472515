//! Ctrl-C, SIGTERM and SIGHUP, as something to wait for.

use std::io::IsTerminal as _;

/// The signals that end the process.
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub async fn first(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// What a SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The terminal that the process was started from is gone.
    Terminal,
    /// An operator wants the files of the settings to be read again.
    Operator,
}

/// The signals by which a process is told that its terminal is gone, or its files are others.
pub struct Hangups {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    /// Whether there was a terminal.
    had_terminal: bool,
}

impl Hangups {
    /// Listens from now on.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
            had_terminal: std::io::stdin().is_terminal(),
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Hangup {
        #[cfg(unix)]
        self.hangup.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
        // A terminal whose window was closed is none any more.
        match self.had_terminal && !std::io::stdin().is_terminal() {
            true => Hangup::Terminal,
            false => Hangup::Operator,
        }
    }
}
