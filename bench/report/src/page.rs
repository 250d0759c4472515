//! One run's page in Markdown: told on standard output while it is made, and kept as `bench/results/NAME.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::machine::{self, Watch};

/// Where a bench's page goes, and by which command it was asked for; flags that all benches have.
#[derive(Clone, Debug, clap::Args)]
pub struct Output {
    /// The folder that the page is written into
    #[arg(long, value_name = "FOLDER", default_value = "bench/results")]
    pub results: PathBuf,
    /// The command that the page says it was made by
    #[arg(long, value_name = "TEXT")]
    pub command: Option<String>,
}

/// A table: one line of heads, then rows of as many cells. The first column is words, the others are numbers.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads.
    pub fn new(heads: &[&str]) -> Self {
        Self {
            rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table in Markdown, its columns aligned so that it reads as well unrendered.
    pub fn markdown(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let width = |row: &Vec<String>| row.get(column).map_or(0, |cell| length(cell));
                self.rows.iter().map(width).max().unwrap_or(0).max(3)
            })
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                let space = " ".repeat(width - length(cell));
                let (before, after) = if column == 0 {
                    ("", space.as_str())
                } else {
                    (space.as_str(), "")
                };
                let _ = write!(text, "| {before}{cell}{after} ");
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { "-" } else { ":" };
                    let _ = write!(text, "|-{}{end}", "-".repeat(*width));
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

fn length(cell: &str) -> usize {
    cell.chars().count()
}

/// The page of a run.
pub struct Page {
    name: &'static str,
    output: Output,
    watch: Watch,
    text: String,
}

impl Page {
    /// Begins a page; the run begins with it. `name` is the bench's and the file's.
    pub fn begin(name: &'static str, title: &str, output: &Output) -> Self {
        Self {
            name,
            output: output.clone(),
            watch: Watch::begin(),
            text: format!("# {title}\n"),
        }
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.add(text.trim_end());
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: &str) {
        self.add(&format!("## {text}"));
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) {
        self.add(table.markdown().trim_end());
    }

    #[expect(
        clippy::print_stdout,
        reason = "a bench tells its result on standard output"
    )]
    fn add(&mut self, block: &str) {
        println!("\n{block}");
        let _ = write!(self.text, "\n{block}\n");
    }

    /// Ends the run and writes the page, with the machine and the state of the tree.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let command = match &self.output.command {
            Some(command) => command.clone(),
            None => format!("bench/run {}", self.name),
        };
        let mut table = Table::new(&["", ""]);
        let facts = [("command", format!("`{command}`"))]
            .into_iter()
            .chain(machine::facts(&self.watch));
        for (name, value) in facts {
            table.row([name.to_owned(), value]);
        }
        self.heading("The run");
        self.table(&table);
        let folder = &self.output.results;
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        let path = folder.join(format!("{}.md", self.name));
        std::fs::write(&path, self.text).with_context(|| format!("{}", path.display()))
    }
}

/// Seconds as microseconds, for a cell.
pub fn micros(seconds: f64) -> String {
    number(seconds * 1e6)
}

/// Seconds as milliseconds, for a cell.
pub fn millis(seconds: f64) -> String {
    number(seconds * 1e3)
}

/// A ratio, for a cell.
pub fn times(ratio: f64) -> String {
    format!("{} ×", number(ratio))
}

/// Three figures are all that such a measurement is good for.
fn number(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_its_rule() {
        let mut table = Table::new(&["what", "µs"]);
        table.row(["in memory", "37.1"]);
        assert_eq!(
            table.markdown(),
            "| what      |   µs |\n|-----------|-----:|\n| in memory | 37.1 |\n"
        );
    }

    #[test]
    fn a_number_has_three_figures() {
        assert_eq!(micros(0.000_001_234), "1.23");
        assert_eq!(millis(0.045_67), "45.7");
        assert_eq!(times(3.0), "3.00 ×");
        assert_eq!(micros(f64::NAN), "–");
    }
}
