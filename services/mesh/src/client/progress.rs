//! Progress on standard error, where a person sees it; it leaves no trace.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Terminal, plain};

/// A spinner, or a bar once it is known how far the work is.
pub struct Progress {
    bar: ProgressBar,
    measured: bool,
}

impl Progress {
    /// Begins with a spinner.
    pub fn new(terminal: Terminal, what: &str) -> Self {
        let target = if terminal.err {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg:.dim}") {
            bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        bar.set_message(plain(what));
        bar.enable_steady_tick(Duration::from_millis(90));
        Self {
            bar,
            measured: false,
        }
    }

    /// Says what is going on.
    pub fn say(&self, what: &str) {
        self.bar.set_message(plain(what));
    }

    /// How far it is, from 0 to 1.
    pub fn set(&mut self, fraction: f64) {
        if !self.measured {
            self.measured = true;
            let template = "{spinner:.cyan} {msg:.dim} {bar:32.cyan/dim} {percent:>3}%";
            if let Ok(style) = ProgressStyle::with_template(template) {
                let style = style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ").progress_chars("━╸─");
                self.bar.set_style(style);
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1000"
        )]
        self.bar
            .set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
    }

    /// Ends, and leaves no trace.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
