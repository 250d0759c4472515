//! What the offline painter promises, held by painting.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::raster::Image;
use super::words::{self, Mood, Noun, Relation, Scene, Season, Time, Weather, What};
use super::*;

fn go(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn commission(prompt: &str, style: Style) -> Commission<'_> {
    Commission {
        prompt,
        style,
        width: 160,
        height: 160,
        seed: 11,
    }
}

fn painted(prompt: &str, style: Style) -> Picture {
    paint(&commission(prompt, style), &mut go).expect("a picture")
}

/// The picture as 32 by 32 averaged colours.
fn small(p: &Picture) -> Vec<[f32; 3]> {
    let v = p
        .rgb
        .chunks_exact(3)
        .map(|c| palette::Rgb::new(f32::from(c[0]), f32::from(c[1]), f32::from(c[2])))
        .collect();
    let image = Image {
        w: p.width as usize,
        h: p.height as usize,
        v,
    }
    .reduced(32);
    image.v.iter().map(|c| [c.r, c.g, c.b]).collect()
}

/// Mean difference per channel (0..255), and the share of cells that differ clearly.
fn difference(a: &Picture, b: &Picture) -> (f32, f32) {
    let (a, b) = (small(a), small(b));
    let cells: Vec<f32> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (0..3).map(|k| (a[k] - b[k]).abs()).sum::<f32>() / 3.0)
        .collect();
    let n = cells.len() as f32;
    (
        cells.iter().sum::<f32>() / n,
        cells.iter().filter(|d| **d > 12.0).count() as f32 / n,
    )
}

#[test]
fn the_file_decodes_to_the_exact_size_and_names_its_prompt() {
    for (width, height) in [(64, 64), (333, 97), (65, 128), (640, 360)] {
        let prompt = "ein Bär 🐻 near the café\u{0}\n";
        let c = Commission {
            prompt,
            style: Style::Illustration,
            width,
            height,
            seed: 1,
        };
        let picture = paint(&c, &mut go).unwrap();
        let file = picture.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (width, height));
        assert_eq!(pixels, picture.rgb);
        let info = reader.info();
        let text: Vec<_> = info
            .uncompressed_latin1_text
            .iter()
            .map(|t| (t.keyword.as_str(), t.text.as_str()))
            .collect();
        assert!(text.contains(&("Software", "Atelier")));
        assert!(text.contains(&("Source", "atelier offline painter")));
        let said = info.utf8_text[0].get_text().unwrap();
        assert_eq!(said, "ein Bär 🐻 near the café  ");
    }
}

#[test]
fn the_same_commission_gives_the_same_bytes_and_another_seed_others() {
    for style in Style::ALL {
        let c = commission("three owls over a lighthouse, storm", style);
        let first = paint(&c, &mut go).unwrap();
        assert_eq!(first, paint(&c, &mut go).unwrap(), "{}", style.id());
        let other = paint(&Commission { seed: 12, ..c }, &mut go).unwrap();
        assert_ne!(first.rgb, other.rgb, "{}", style.id());
    }
}

#[test]
fn every_style_looks_different_from_every_other() {
    let all = Style::ALL.map(|s| (s, painted("a red boat on a lake and a house", s)));
    for (i, (a, pa)) in all.iter().enumerate() {
        for (b, pb) in &all[i + 1..] {
            let raw: f32 = pa
                .rgb
                .iter()
                .zip(&pb.rgb)
                .map(|(x, y)| f32::from(x.abs_diff(*y)))
                .sum::<f32>()
                / pa.rgb.len() as f32;
            assert!(raw > 6.0, "{} and {} differ by only {raw}", a.id(), b.id());
        }
    }
}

#[test]
fn style_ids_are_unique_and_found_again() {
    for style in Style::ALL {
        assert_eq!(Style::from_id(style.id()), Some(style));
        assert_eq!(
            Style::from_id(&style.id().replace('-', "_").to_uppercase()),
            Some(style)
        );
        assert!(!style.title().is_empty() && style.description().ends_with('.'));
    }
    assert_eq!(Style::from_id("vaporware"), None);
    assert_eq!(Style::default(), Style::ALL[0]);
}

#[test]
fn another_noun_is_another_picture_in_the_same_place() {
    let pictures: Vec<_> = Noun::ALL
        .iter()
        .map(|n| {
            let name = n.names().split(' ').next().unwrap().replace('_', " ");
            let picture = painted(
                &format!("a {name} in the meadow by day"),
                Style::Illustration,
            );
            (name, picture)
        })
        .collect();
    assert!(pictures.len() >= 40);
    for (i, (a, pa)) in pictures.iter().enumerate() {
        for (b, pb) in &pictures[i + 1..] {
            let (mean, share) = difference(pa, pb);
            assert!(
                mean > 1.2 && share > 0.02,
                "{a} and {b}: mean {mean}, share {share}"
            );
        }
    }
}

#[test]
fn unknown_nouns_each_have_their_own_figure() {
    let words = [
        "quokka",
        "gizmo",
        "wibbleplex",
        "zorgon",
        "flumph",
        "törtchen",
        "猫",
        "кот",
        "snark",
        "blorp",
    ];
    let mut pictures: Vec<_> = words
        .iter()
        .map(|w| {
            (
                *w,
                painted(&format!("a {w} in the meadow"), Style::Realistic),
            )
        })
        .collect();
    pictures.push(("cat", painted("a cat in the meadow", Style::Realistic)));
    for (i, (a, pa)) in pictures.iter().enumerate() {
        for (b, pb) in &pictures[i + 1..] {
            let (mean, share) = difference(pa, pb);
            assert!(
                mean > 1.2 && share > 0.02,
                "{a} and {b}: mean {mean}, share {share}"
            );
        }
    }
}

#[test]
fn colours_reach_the_picture() {
    let count = |prompt: &str, style: Style, like: fn(i32, i32, i32) -> bool| {
        painted(prompt, style)
            .rgb
            .chunks_exact(3)
            .filter(|c| like(i32::from(c[0]), i32::from(c[1]), i32::from(c[2])))
            .count()
    };
    let red: fn(i32, i32, i32) -> bool = |r, g, b| r > g + 60 && r > b + 60;
    let blue: fn(i32, i32, i32) -> bool = |r, g, b| b > r + 70 && b > g + 30;
    for style in [
        Style::Illustration,
        Style::Realistic,
        Style::Watercolor,
        Style::Oil,
        Style::PixelArt,
        Style::PaperCut,
    ] {
        let (with, without) = (
            count("a red car in the snow", style, red),
            count("a blue car in the snow", style, red),
        );
        assert!(
            with > without + 400,
            "{}: {with} against {without}",
            style.id()
        );
        let (with, without) = (
            count("a blue car in the desert", style, blue),
            count("a red car in the desert", style, blue),
        );
        assert!(
            with > without + 400,
            "{}: {with} against {without}",
            style.id()
        );
    }
    // In ink and light the colour is there too, less of it.
    for style in [Style::LineArt, Style::Neon] {
        let warm: fn(i32, i32, i32) -> bool = |r, g, b| r > g + 30 && r > b + 12;
        let (with, without) = (
            count("a red car in the snow", style, warm),
            count("a blue car in the snow", style, warm),
        );
        assert!(
            with > without + 300,
            "{}: {with} against {without}",
            style.id()
        );
    }
}

#[test]
fn extreme_shapes_are_painted_in_every_style() {
    for (width, height) in [(64, 2048), (2048, 64), (64, 64), (127, 2047)] {
        for style in Style::ALL {
            let c = Commission {
                prompt: "five red fish over a castle at night",
                style,
                width,
                height,
                seed: 3,
            };
            let p = paint(&c, &mut go).unwrap();
            assert_eq!(p.rgb.len(), (width * height * 3) as usize);
            let (low, high) = (p.rgb.iter().min().unwrap(), p.rgb.iter().max().unwrap());
            assert!(high - low > 60, "{width}x{height} {} is flat", style.id());
        }
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    for (width, height) in [
        (63, 100),
        (100, 63),
        (2049, 100),
        (100, 2049),
        (0, 0),
        (u32::MAX, u32::MAX),
    ] {
        let c = Commission {
            prompt: "x",
            style: Style::Oil,
            width,
            height,
            seed: 0,
        };
        assert_eq!(paint(&c, &mut go), Err(PaintError::Size { width, height }));
    }
}

#[test]
fn progress_rises_previews_come_early_and_breaking_stops() {
    let c = Commission {
        prompt: "a dragon over a castle",
        style: Style::Oil,
        width: 384,
        height: 200,
        seed: 5,
    };
    let (mut last, mut calls, mut previews) = (0.0, 0, Vec::new());
    paint(&c, &mut |p| {
        assert!(p.fraction >= last && p.fraction <= 1.0);
        last = p.fraction;
        calls += 1;
        if let Some(v) = p.preview {
            assert!(
                v.width.max(v.height) == 128 && v.rgb.len() == (v.width * v.height * 3) as usize
            );
            previews.push(p.fraction);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(last == 1.0 && previews.len() >= 2 && previews[0] < 0.3);
    for stop in [1, 2, calls / 2, calls - 1] {
        let mut heard = 0;
        let answer = paint(&c, &mut |_| {
            heard += 1;
            if heard >= stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(answer, Err(PaintError::Cancelled));
        assert_eq!(heard, stop, "nothing is told after a break");
    }
}

fn names(prompt: &str) -> Vec<(String, u8)> {
    words::read(prompt)
        .subjects
        .iter()
        .map(|s| (s.name.clone(), s.count))
        .collect()
}

#[test]
fn prompts_are_understood() {
    let r = words::read("Three red birds over a white castle at sunset, autumn, foggy");
    assert_eq!(r.subjects[0].what, What::Known(Noun::Bird));
    assert_eq!(r.subjects[0].count, 3);
    assert_eq!(r.subjects[0].place, Some((Relation::Over, 1)));
    assert_eq!(r.subjects[1].what, What::Known(Noun::Castle));
    assert!(r.subjects[0].tints[0].r > 0.7 && r.subjects[0].tints[0].g < 0.3);
    assert!(r.subjects[1].tints[0].luma() > 0.9);
    assert_eq!(
        (r.time, r.season, r.weather),
        (Time::Dusk, Season::Autumn, Weather::Fog)
    );
    let r = words::read("un gato negro sobre una casa azul de noche");
    assert_eq!(
        r.subjects
            .iter()
            .map(|s| s.what.clone())
            .collect::<Vec<_>>(),
        [What::Known(Noun::Cat), What::Known(Noun::House)]
    );
    assert!(r.subjects[0].tints[0].luma() < 0.2 && r.subjects[1].tints[0].b > 0.7);
    assert_eq!(
        (r.time, r.subjects[0].place),
        (Time::Night, Some((Relation::On, 1)))
    );
    assert_eq!(names("a stack of books"), [("books".to_owned(), 3)]);
    assert_eq!(
        names("two hot air balloons"),
        [("hot air balloons".to_owned(), 2)]
    );
    assert_eq!(
        names("12 foxes and a shiny gizmo"),
        [("foxes".to_owned(), 12), ("gizmo".to_owned(), 1)]
    );
    assert_eq!(
        names("tres mariposas, una rosa"),
        [("mariposas".to_owned(), 3), ("rosa".to_owned(), 1)]
    );
    assert_eq!(words::read("a gloomy street in Tokyo").scene, Scene::City);
    assert_eq!(words::read("a gloomy street in Tokyo").mood, Mood::Dark);
    assert_eq!(words::read("a boat").scene, Scene::Sea);
    assert_eq!(words::read("an apple").scene, Scene::Room);
    for empty in ["", "   ", "!!!", "beautiful, detailed"] {
        assert_eq!(words::read(empty).subjects.len(), 1, "{empty:?}");
    }
}

#[test]
fn every_name_of_every_noun_is_read_as_it() {
    for noun in Noun::ALL {
        let first = noun.names().split(' ').next().unwrap().replace('_', " ");
        let r = words::read(&format!("a {first}"));
        assert_eq!(r.subjects[0].what, What::Known(*noun), "{first}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_paints(prompt in "\\PC{0,200}", seed: u64, style in 0..Style::ALL.len()) {
        let c = Commission { prompt: &prompt, style: Style::ALL[style], width: 64, height: 80, seed };
        let p = paint(&c, &mut go).unwrap();
        prop_assert!(p.to_png().is_ok());
    }

    #[test]
    fn any_words_paint(words in proptest::collection::vec(0..Noun::ALL.len(), 0..8), n in 0u8..30, seed: u64) {
        let joins = [" over ", " on ", " under ", " behind ", ", ", " and 7 giant "];
        let mut prompt = format!("{n} tiny ");
        for (i, w) in words.iter().enumerate() {
            prompt += &Noun::ALL[*w].names().split(' ').next().unwrap().replace('_', " ");
            prompt += joins[(i + seed as usize) % joins.len()];
        }
        let c = Commission { prompt: &prompt, style: Style::Illustration, width: 96, height: 64, seed };
        prop_assert!(paint(&c, &mut go).is_ok());
    }

    #[test]
    fn any_text_is_read(prompt in "(.|\\n){0,600}") {
        let r = words::read(&prompt);
        prop_assert!(!r.subjects.is_empty() && r.subjects.len() <= 5);
        prop_assert!(r.subjects.iter().all(|s| (1..=12).contains(&s.count)));
    }
}

#[test]
fn what_is_under_the_moon_stays_on_its_ground() {
    let reading = super::words::read("a red boat and a lighthouse under a full moon");
    let mut rng = super::noise::Rng::new(3);
    let (_, light) = super::light::of(&reading, &mut rng);
    let canvas = super::Canvas::new(512, 512, light).unwrap();
    let stage = super::scenes::stage(&canvas, &reading);
    let placed = super::compose::layout(&canvas, &stage, &reading, &mut rng);
    for p in placed {
        let home = &reading.subjects[p.subject].what;
        if *home == super::What::Known(super::words::Noun::Lighthouse) {
            assert!(
                p.y + p.half > stage.horizon,
                "the lighthouse floats at {}",
                p.y
            );
            return;
        }
    }
    panic!("no lighthouse was placed");
}
