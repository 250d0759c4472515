//! The person's Ctrl-C while something is under way; each listener hears only what comes after it began to listen.

/// Ctrl-C, and for commands that are done when their work is done, the request to end too.
pub struct Interrupts {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Interrupts {
    /// Listens for Ctrl-C alone. A prompt waits in the terminal and would not hear a request to end: that one must
    /// keep its usual effect.
    pub fn of_terminal() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: None,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Listens for Ctrl-C and for the request to end.
    pub fn of_process() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                terminate: Some(signal(SignalKind::terminate())?),
                ..Self::of_terminal()?
            })
        }
        #[cfg(not(unix))]
        Self::of_terminal()
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        match &mut self.terminate {
            Some(terminate) => tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            None => {
                self.interrupt.recv().await;
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
