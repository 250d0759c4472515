//! The voices by what can be measured in their sound: length, pitch, loudness, order and endings.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::*;

const SENTENCE: &str = "The boat left the harbour early on a cold and windy morning.";

fn speak(text: &str, voice: &str, prosody: Prosody) -> Result<(Vec<i16>, Spoken), VoiceError> {
    let voices = OfflineVoices::new()?;
    let mut samples = Vec::new();
    let spoken = voices.speak(text, voice, prosody, &mut |chunk| {
        samples.extend_from_slice(chunk);
        ControlFlow::Continue(())
    })?;
    assert_eq!(spoken.samples, samples.len() as u64);
    Ok((samples, spoken))
}

fn with(speed: f32, pitch: f32) -> Prosody {
    Prosody { speed, pitch }
}

/// The middle fundamental frequency of the voiced parts: autocorrelation over windows of 40 ms, at 4 kHz because the
/// fundamental lies far below and the work grows with the square of the rate.
fn pitch_of(samples: &[i16], rate: u32) -> f64 {
    const RATE: usize = 4_000;
    const WINDOW: usize = RATE * 40 / 1000;
    const SHORTEST: usize = RATE / 400;
    const LONGEST: usize = RATE / 25;
    let step = rate as usize / RATE;
    let slow: Vec<f64> = samples
        .chunks_exact(step)
        .map(|group| group.iter().map(|s| f64::from(*s)).sum::<f64>() / step as f64)
        .collect();
    let mut found: Vec<f64> = Vec::new();
    for start in (0..slow.len().saturating_sub(WINDOW + LONGEST)).step_by(WINDOW / 4) {
        let here = &slow[start..start + WINDOW];
        let energy = |part: &[f64]| part.iter().map(|s| s * s).sum::<f64>();
        if energy(here) < WINDOW as f64 * 400.0_f64.powi(2) {
            continue;
        }
        let scores: Vec<f64> = (SHORTEST..=LONGEST)
            .map(|lag| {
                let there = &slow[start + lag..start + lag + WINDOW];
                let product: f64 = here.iter().zip(there).map(|(a, b)| a * b).sum();
                product / (energy(here) * energy(there)).sqrt()
            })
            .collect();
        let best = scores.iter().copied().fold(f64::MIN, f64::max);
        if best < 0.7 {
            continue;
        }
        // Twice the period fits as well as the period: the shortest that fits nearly best, on its peak, is it.
        let peak = (1..scores.len() - 1).find(|&i| {
            scores[i] > best * 0.9 && scores[i] >= scores[i - 1] && scores[i] >= scores[i + 1]
        });
        if let Some(peak) = peak {
            // A parabola through the three highest points finds the top between two samples.
            let (left, top, right) = (scores[peak - 1], scores[peak], scores[peak + 1]);
            let bend = left - 2.0 * top + right;
            let shift = if bend < 0.0 {
                (left - right) / (2.0 * bend)
            } else {
                0.0
            };
            found.push(RATE as f64 / (SHORTEST as f64 + peak as f64 + shift));
        }
    }
    assert!(found.len() > 8, "only {} voiced windows", found.len());
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

#[test]
fn the_catalogue_names_voices_that_speak() {
    assert!(!catalogue().is_empty());
    for voice in catalogue() {
        let (samples, spoken) = speak(SENTENCE, voice.id, Prosody::default()).unwrap();
        assert!(spoken.complete);
        assert_eq!((spoken.sentences, spoken.skipped), (1, 0));
        let seconds = samples.len() as f64 / f64::from(voice.sample_rate);
        assert!(
            (2.0..6.0).contains(&seconds),
            "{} took {seconds} s",
            voice.id
        );
        let loudest = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(
            (6_000..=32_767).contains(&loudest),
            "{} peaks at {loudest}",
            voice.id
        );
        let pitch = pitch_of(&samples, voice.sample_rate);
        assert!(
            (80.0..140.0).contains(&pitch),
            "{} speaks at {pitch} hz",
            voice.id
        );
    }
}

#[test]
fn speed_changes_the_duration_and_not_the_pitch() {
    for voice in catalogue() {
        let (normal, _) = speak(SENTENCE, voice.id, Prosody::default()).unwrap();
        let normal_pitch = pitch_of(&normal, voice.sample_rate);
        for speed in [0.5, 0.8, 1.25, 2.0] {
            let (samples, _) = speak(SENTENCE, voice.id, with(speed, 1.0)).unwrap();
            let ratio = normal.len() as f64 / samples.len() as f64;
            let off = ratio / f64::from(speed);
            assert!(
                (0.95..1.05).contains(&off),
                "{} at {speed}: {ratio}",
                voice.id
            );
            let pitch = pitch_of(&samples, voice.sample_rate) / normal_pitch;
            assert!(
                (0.93..1.07).contains(&pitch),
                "{} at {speed}: pitch {pitch}",
                voice.id
            );
        }
    }
}

#[test]
fn pitch_changes_the_fundamental_and_not_the_duration() {
    for voice in catalogue() {
        let (normal, _) = speak(SENTENCE, voice.id, Prosody::default()).unwrap();
        let normal_pitch = pitch_of(&normal, voice.sample_rate);
        for pitch in [0.5, 0.75, 1.5, 2.0] {
            let (samples, _) = speak(SENTENCE, voice.id, with(1.0, pitch)).unwrap();
            let ratio = pitch_of(&samples, voice.sample_rate) / normal_pitch;
            let off = ratio / f64::from(pitch);
            assert!(
                (0.93..1.07).contains(&off),
                "{} at {pitch}: {ratio}",
                voice.id
            );
            let length = samples.len() as f64 / normal.len() as f64;
            assert!(
                (0.97..1.03).contains(&length),
                "{} at {pitch}: {length}",
                voice.id
            );
        }
    }
}

#[test]
fn the_same_words_make_the_same_sound_on_every_thread() {
    let voices = OfflineVoices::new().unwrap();
    let say = |prosody| {
        let mut samples = Vec::new();
        voices
            .speak(SENTENCE, "kal", prosody, &mut |chunk| {
                samples.extend_from_slice(chunk);
                ControlFlow::Continue(())
            })
            .unwrap();
        samples
    };
    let (plain, fast) = (say(with(1.0, 1.0)), say(with(1.7, 0.8)));
    assert_ne!(plain, fast);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (say, plain, fast) = (&say, &plain, &fast);
            scope.spawn(move || {
                for turn in 0..10 {
                    if (worker + turn) % 2 == 0 {
                        assert_eq!(&say(with(1.0, 1.0)), plain);
                    } else {
                        assert_eq!(&say(with(1.7, 0.8)), fast);
                    }
                }
            });
        }
    });
}

#[test]
fn sound_leaves_before_the_text_is_done_and_stops_when_nobody_listens() {
    let voices = OfflineVoices::new().unwrap();
    let text = format!("{SENTENCE} ").repeat(80);
    let mut calls = 0;
    let spoken = voices
        .speak(&text, "kal", Prosody::default(), &mut |chunk| {
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK);
            calls += 1;
            if calls == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(calls, 3);
    assert_eq!(spoken.samples, 3 * CHUNK as u64);
    assert_eq!((spoken.sentences, spoken.complete), (1, false));
}

#[test]
fn a_long_text_is_spoken_whole() {
    let text = format!("{SENTENCE} ").repeat(90);
    let text = &text[..5_000];
    let begun = Instant::now();
    let (samples, spoken) = speak(text, "kal", Prosody::default()).unwrap();
    assert!(spoken.complete);
    assert!(spoken.sentences >= 80);
    let seconds = samples.len() / 16_000;
    assert!((240..480).contains(&seconds), "{seconds} s of speech");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn text_that_cannot_be_said_is_refused_before_a_sample_is_made() {
    for text in [
        "",
        "   ",
        "!!!",
        "... --- ...",
        "\u{0}\u{1}\u{1f}",
        "😀🎉",
        "日本語",
        "\u{feff}",
    ] {
        let refused = speak(text, "kal", Prosody::default());
        assert!(
            matches!(refused, Err(VoiceError::NothingToSay)),
            "{text:?}: {refused:?}"
        );
    }
    let long = "a ".repeat(MAX_TEXT_BYTES / 2 + 1);
    assert!(matches!(
        speak(&long, "kal", Prosody::default()),
        Err(VoiceError::TextTooLong { .. })
    ));
    assert!(matches!(
        speak("hello", "nobody", Prosody::default()),
        Err(VoiceError::UnknownVoice(name)) if name == "nobody"
    ));
    assert!(matches!(
        speak("hello", "kal", with(f32::NAN, 1.0)),
        Err(VoiceError::Prosody { field: "speed", .. })
    ));
}

#[test]
fn what_has_no_reading_is_counted_and_the_rest_is_said() {
    let (with_extras, spoken) = speak("Good 😀 morning 日.", "kal", Prosody::default()).unwrap();
    assert_eq!(spoken.skipped, 2);
    let (plain, _) = speak("Good morning.", "kal", Prosody::default()).unwrap();
    assert_eq!(with_extras, plain);
}

#[test]
fn written_forms_sound_like_the_words_they_stand_for() {
    for (written, said) in [
        ("It costs €5.", "It costs 5 euros."),
        (
            "See https://example.com/help?x=1",
            "See example dot com slash help",
        ),
        ("Tea & cake", "Tea and cake"),
        ("“Hello”", "Hello"),
        ("Chapter 12", "Chapter twelve"),
        ("Dr. Smith", "doctor Smith"),
        ("at 5 a.m.", "at five A M"),
        ("12:45", "twelve forty five"),
        ("a\tb\u{7}c", "a b c"),
    ] {
        let written_sound = speak(written, "kal", Prosody::default()).unwrap().0;
        let said_sound = speak(said, "kal", Prosody::default()).unwrap().0;
        assert_eq!(
            written_sound, said_sound,
            "{written:?} is not read as {said:?}"
        );
    }
}

/// Random text of every unpleasant kind: no panic, no endless loop, and sound in proportion to the text.
#[test]
fn odd_text_is_survived() {
    let voices = OfflineVoices::new().unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    const PIECES: [&str; 22] = [
        "1,234,567.89",
        "555-1234",
        "12:61pm",
        "007",
        "$1.2.3",
        "$5 million",
        "3/4/5",
        "XIV",
        "o'n'l'y",
        "a-b-c-d",
        "99999999999999999999",
        "TLAs",
        "5kg",
        "60s",
        "%%",
        "''s",
        "A.B.C.",
        "1e9",
        "-0",
        "(((",
        "e.g.",
        "http://",
    ];
    for round in 0..150 {
        let mut text = String::new();
        for _ in 0..1 + below(12) {
            match below(4) {
                0 => text.push_str(PIECES[below(PIECES.len() as u64) as usize]),
                1 => (0..1 + below(30)).for_each(|_| text.push(char::from(b' ' + below(95) as u8))),
                2 => (0..1 + below(80))
                    .for_each(|_| text.push(b"aA1.-'$%"[below(8) as usize].into())),
                _ => (0..1 + below(8))
                    .for_each(|_| text.extend(char::from_u32(below(0x3000) as u32))),
            }
            if below(3) > 0 {
                text.push(' ');
            }
        }
        let prosody = with(0.5 + below(4) as f32 * 0.5, 0.5 + below(4) as f32 * 0.5);
        let voice = catalogue()[round % catalogue().len()].id;
        let mut samples = 0;
        match voices.speak(&text, voice, prosody, &mut |chunk| {
            samples += chunk.len();
            ControlFlow::Continue(())
        }) {
            Ok(spoken) => assert!(spoken.complete),
            Err(error) => assert!(
                matches!(error, VoiceError::NothingToSay),
                "{error}: {text:?}"
            ),
        }
        assert!(
            samples < (text.len() + 10) * 16_000,
            "{samples} samples for {text:?}"
        );
    }
}
