//! What the demo shows while it goes: titles and words on standard output, progress on standard error.
#![expect(
    clippy::print_stdout,
    reason = "a command tells its result on standard output"
)]

use std::io::Write as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A chapter's title.
pub fn chapter(title: &str) {
    println!("\n— {title}");
}

/// A line of a chapter.
pub fn line(text: &str) {
    println!("  {text}");
}

/// A piece of a reply, as it arrives.
pub fn words(text: &str) {
    print!("{}", text.replace('\n', "\n    "));
    // A pipe that is closed ends the words, not the story.
    let _ = std::io::stdout().flush();
}

/// The end of a reply.
pub fn end() {
    println!();
}

/// A bar from 0 to 1.
pub struct Bar(ProgressBar);

impl Bar {
    /// Begins.
    pub fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(1000).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("  {msg} {bar:40} {percent}%") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// How far it is.
    pub fn set(&self, fraction: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1000"
        )]
        self.0
            .set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
    }

    /// Ends, and leaves no trace.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}
