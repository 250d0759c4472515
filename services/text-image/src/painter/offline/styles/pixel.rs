//! A coarse grid in a small palette of the picture's own colours, dithered in an ordered pattern.

use super::super::canvas::Canvas;
use super::super::palette::Rgb;
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

/// Colours in the palette.
const COLOURS: usize = 28;
/// Cells on the long side, of two pixels at least.
const CELLS: usize = 104;
const BAYER: [[f32; 4]; 4] = [
    [0.0, 8.0, 2.0, 10.0],
    [12.0, 4.0, 14.0, 6.0],
    [3.0, 11.0, 1.0, 9.0],
    [15.0, 7.0, 13.0, 5.0],
];

pub fn render(canvas: &Canvas, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    // Long strips keep a grid fine enough for their short side.
    let measure = w.max(h).min(w.min(h) * 2);
    let cell = (measure / CELLS).max(2);
    let (columns, rows) = (w.div_ceil(cell), h.div_ceil(cell));
    let ink = Plane::channel(&canvas.ink, 3);
    let body = Plane::channel(&canvas.field, 2);
    let mut cells = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        if row % 16 == 0 {
            ticker.styled(0.3 * row as f32 / rows as f32)?;
        }
        for column in 0..columns {
            cells.push(average(&base, &ink, &body, column * cell, row * cell, cell));
        }
    }
    let palette = choose(&cells);
    ticker.styled(0.6)?;
    let mut painted = Vec::with_capacity(cells.len());
    for (i, &c) in cells.iter().enumerate() {
        let (x, y) = (i % columns, i / columns);
        painted.push(dither(c, &palette, BAYER[y % 4][x % 4] / 16.0));
    }
    let v = super::each(w, h, ticker, (0.7, 1.0), |x, y, _| {
        painted[(y / cell) * columns + x / cell]
    })?;
    Ok(Image { w, h, v })
}

/// The colour of a cell: its mean, darker where the subject's contour runs through it.
fn average(base: &Image, ink: &Plane, body: &Plane, x0: usize, y0: usize, cell: usize) -> Rgb {
    let (mut sum, mut line, mut inside, mut n) = (Rgb::BLACK, 0.0, 0.0, 0.0);
    for y in y0..(y0 + cell).min(base.h) {
        for x in x0..(x0 + cell).min(base.w) {
            let i = y * base.w + x;
            sum = sum.plus(base.v[i]);
            line += ink.v[i];
            inside += body.v[i];
            n += 1.0;
        }
    }
    let c = sum.scale(1.0 / n);
    // Half inside and half outside: the silhouette itself.
    let share: f32 = inside / n;
    let outline = if share > 0.12 && share < 0.88 {
        0.62
    } else {
        (line / n - 0.3).max(0.0) * 0.6
    };
    c.vivid(1.2).dark(outline.min(0.7))
}

/// Median cut: splits the widest box until there are enough.
fn choose(cells: &[Rgb]) -> Vec<Rgb> {
    let mut boxes: Vec<Vec<Rgb>> = vec![cells.to_vec()];
    let spread = |b: &[Rgb], f: fn(&Rgb) -> f32| {
        let (low, high) = b
            .iter()
            .map(f)
            .fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
        high - low
    };
    let axes: [fn(&Rgb) -> f32; 3] = [|c| c.r, |c| c.g, |c| c.b];
    while boxes.len() < COLOURS {
        let mut best: Option<(usize, usize, f32)> = None;
        for (i, b) in boxes.iter().enumerate().filter(|(_, b)| b.len() > 1) {
            for (axis, f) in axes.iter().enumerate() {
                // Wide boxes first, populous ones a little earlier.
                let weight = spread(b, *f) * (b.len() as f32).sqrt().sqrt();
                if best.is_none_or(|(_, _, w)| weight > w) {
                    best = Some((i, axis, weight));
                }
            }
        }
        let Some((i, axis, weight)) = best else { break };
        if weight < 0.02 {
            break;
        }
        let mut split = boxes.swap_remove(i);
        split.sort_by(|a, b| axes[axis](a).total_cmp(&axes[axis](b)));
        let upper = split.split_off(split.len() / 2);
        boxes.push(split);
        boxes.push(upper);
    }
    boxes
        .iter()
        .map(|b| {
            b.iter()
                .fold(Rgb::BLACK, |s, c| s.plus(*c))
                .scale(1.0 / b.len().max(1) as f32)
        })
        .collect()
}

/// The nearest palette colour, or the second nearest where the pattern says so.
fn dither(c: Rgb, palette: &[Rgb], threshold: f32) -> Rgb {
    let (mut first, mut second) = ((f32::MAX, c), (f32::MAX, c));
    for &p in palette {
        let d = c.distance2(p);
        if d < first.0 {
            second = first;
            first = (d, p);
        } else if d < second.0 {
            second = (d, p);
        }
    }
    let (a, b) = (first.0.sqrt(), second.0.sqrt());
    // Only close relatives are mixed: a pattern of strangers is noise.
    let share = if a + b > 0.0 { a / (a + b) } else { 0.0 };
    if share > threshold * 0.44 + 0.14 && first.1.distance2(second.1) < 0.016 {
        second.1
    } else {
        first.1
    }
}
