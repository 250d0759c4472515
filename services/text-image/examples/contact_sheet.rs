//! Paints the contact sheet of the offline painter into `docs/`: a PNG and a Markdown list of what is on it.
//!
//! `cargo run --release -p atelier-text-image --example contact_sheet [FOLDER]`

use std::error::Error;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use atelier_text_image::painter::offline::{Commission, Style, paint};

/// Painted at twice the size of a thumbnail, then averaged, so that fine marks stay quiet.
const PAINTED: u32 = 352;
const THUMB: usize = PAINTED as usize / 2;
const GAP: usize = 4;

/// Left half of every row in these styles, right half in the others.
const LEFT: [Style; 4] = [
    Style::Illustration,
    Style::Watercolor,
    Style::Oil,
    Style::PixelArt,
];
const RIGHT: [Style; 4] = [
    Style::Realistic,
    Style::LineArt,
    Style::Neon,
    Style::PaperCut,
];

const PROMPTS: [&str; 24] = [
    "a red boat on a calm lake at sunset",
    "three birds flying over a castle in the mountains",
    "a black cat on a stack of books by the window",
    "a lighthouse in a storm at night",
    "a field of sunflowers and a windmill in summer",
    "an astronaut and a robot on the lunar surface",
    "a blue whale underwater with five orange fish",
    "a rocket over a purple planet in space",
    "a cottage in a snowy pine forest at night, snowfall",
    "a fox under a tree in autumn, foggy morning",
    "a yellow car in the rain in Tokyo at night",
    "a teapot, two cups and an apple on a table",
    "a green dragon over a volcano at dusk",
    "four hot air balloons above the clouds at dawn",
    "a cactus and a horse in the desert",
    "a penguin with a red umbrella in the snow",
    "un gato negro sobre una casa azul de noche",
    "tres mariposas y una rosa amarilla en el campo",
    "a quokka and a giant gizmo on the beach",
    "a tent and a campfire by the lake, starry night",
    "a steam train crossing a meadow in spring",
    "a pirate ship on the sea, full moon",
    "a white rabbit and three mushrooms in a magical forest",
    "a glowing wibbleplex",
];

fn main() -> Result<(), Box<dyn Error>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let folder = std::env::args_os().nth(1).map_or(beside, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let (columns, rows) = (LEFT.len() + RIGHT.len(), PROMPTS.len() / 2);
    let (w, h) = (columns * (THUMB + GAP) + GAP, rows * (THUMB + GAP) + GAP);
    let mut sheet = vec![246u8; w * h * 3];
    for (i, prompt) in PROMPTS.iter().enumerate() {
        let (row, right) = (i / 2, i % 2);
        for (k, style) in [LEFT, RIGHT][right].into_iter().enumerate() {
            let thumb = thumbnail(prompt, style, row as u64 + 1)?;
            let (x, y) = (
                (right * 4 + k) * (THUMB + GAP) + GAP,
                row * (THUMB + GAP) + GAP,
            );
            for line in 0..THUMB {
                let at = ((y + line) * w + x) * 3;
                sheet[at..at + THUMB * 3]
                    .copy_from_slice(&thumb[line * THUMB * 3..(line + 1) * THUMB * 3]);
            }
        }
    }
    std::fs::write(folder.join("contact-sheet.png"), encode(&sheet, w, h)?)?;
    std::fs::write(folder.join("contact-sheet.md"), legend()?)?;
    Ok(())
}

/// One painting, averaged down to a thumbnail.
fn thumbnail(prompt: &str, style: Style, seed: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let c = Commission {
        prompt,
        style,
        width: PAINTED,
        height: PAINTED,
        seed,
    };
    let picture = paint(&c, &mut |_| ControlFlow::Continue(()))?;
    let side = PAINTED as usize;
    let mut out = Vec::with_capacity(THUMB * THUMB * 3);
    for y in 0..THUMB {
        for x in 0..THUMB {
            for channel in 0..3 {
                let at = |dx: usize, dy: usize| {
                    u32::from(picture.rgb[((y * 2 + dy) * side + x * 2 + dx) * 3 + channel])
                };
                let mean = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4;
                // Five bits a channel: the sheet is for looking at, and half the size this way.
                out.push((((mean + 4).min(255) / 8) * 255 / 31) as u8);
            }
        }
    }
    Ok(out)
}

fn encode(rgb: &[u8], w: usize, h: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, u32::try_from(w)?, u32::try_from(h)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.add_text_chunk("Software".into(), "Atelier".into())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(file)
}

fn legend() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "# Contact sheet of the offline painter\n\n\
         Painted by `cargo run --release -p atelier-text-image --example contact_sheet`; the seed is the number of the row,\n\
         no model and no network. The same prompt, style, size and seed always give the same bytes.\n\n\
         ![contact sheet](contact-sheet.png)\n\n",
    );
    let names = |styles: [Style; 4]| styles.map(Style::title).join(", ");
    writeln!(
        text,
        "- Columns 1 to 4: the left prompt of the row as {}.",
        names(LEFT)
    )?;
    writeln!(
        text,
        "- Columns 5 to 8: the right prompt of the row as {}.\n",
        names(RIGHT)
    )?;
    text.push_str("| Row | Left, columns 1 to 4 | Right, columns 5 to 8 |\n|---|---|---|\n");
    for (row, pair) in PROMPTS.chunks_exact(2).enumerate() {
        writeln!(text, "| {} | {} | {} |", row + 1, pair[0], pair[1])?;
    }
    text.push_str("\n## Styles\n\n| Id | What it looks like |\n|---|---|\n");
    for style in Style::ALL {
        writeln!(text, "| `{}` | {} |", style.id(), style.description())?;
    }
    Ok(text)
}
