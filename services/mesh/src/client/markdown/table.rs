//! A table in a terminal: columns as wide as they need, narrower where the terminal is, each cell broken within its own.

use pulldown_cmark::Alignment;

use super::lines::{Line, Look, Span, wrapped};

/// The narrowest column.
const NARROWEST: usize = 4;
/// What stands between two columns.
const BETWEEN: &str = "  ";

type Cell = Vec<Option<Span>>;

/// A table that is being read.
pub struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Cell>>,
    row: Vec<Cell>,
}

impl Table {
    /// With columns aligned so.
    pub fn new(alignments: Vec<Alignment>) -> Self {
        Self {
            alignments,
            rows: Vec::new(),
            row: Vec::new(),
        }
    }

    /// The next cell of a row.
    pub fn cell(&mut self, cell: Cell) {
        self.row.push(cell);
    }

    /// The end of a row; the first one is the head.
    pub fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    /// Sets it into so many columns, as far as that can be.
    pub fn set(self, room: usize) -> Vec<Line> {
        let widths = self.widths(room);
        let mut lines = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            self.set_row(row, &widths, &mut lines);
            if number == 0 {
                let look = Look {
                    dim: true,
                    ..Look::default()
                };
                let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                lines.push(Line::new([Span::new(&rules.join(BETWEEN), look)]));
            }
        }
        lines
    }

    /// As wide as the widest cell, the widest columns cut down first.
    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths = vec![0; self.alignments.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(Line::new(cell.iter().flatten().cloned()).width());
            }
        }
        let between = BETWEEN.len() * widths.len().saturating_sub(1);
        let room = room.saturating_sub(between);
        loop {
            let all: usize = widths.iter().sum();
            let widest = widths.iter_mut().max();
            match widest {
                Some(widest) if all > room && *widest > NARROWEST => {
                    *widest -= (all - room).min((*widest - NARROWEST).div_ceil(2));
                }
                _ => return widths,
            }
        }
    }

    fn set_row(&self, row: &[Cell], widths: &[usize], lines: &mut Vec<Line>) {
        let cells: Vec<Vec<Line>> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| match row.get(column) {
                Some(cell) => wrapped(cell, (*width).max(1)),
                None => Vec::new(),
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        for at in 0..height {
            let mut line = Line::default();
            for (column, width) in widths.iter().enumerate() {
                if column > 0 {
                    line.push(Span::new(BETWEEN, Look::default()));
                }
                let cell = cells[column].get(at).cloned().unwrap_or_default();
                let empty = width.saturating_sub(cell.width());
                let before = match self.alignments.get(column) {
                    Some(Alignment::Right) => empty,
                    Some(Alignment::Center) => empty / 2,
                    _ => 0,
                };
                let space = |count: usize| Span::new(&" ".repeat(count), Look::default());
                line.push(space(before));
                for span in cell.into_spans() {
                    line.push(span);
                }
                line.push(space(empty - before));
            }
            lines.push(line);
        }
    }
}
