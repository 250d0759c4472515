//! How long a text takes to be spoken, before anybody has: at most, and usually.

use super::received::MAX_SECONDS;

/// How long a character of ordinary English takes at a voice's own pace.
pub(super) const SECONDS_A_CHARACTER: f64 = 0.068;
/// A letter of a word at the slowest that voices speak: not a third of the pace of ordinary English.
const LETTER_MILLIS: i64 = 250;
/// Whatever may be read as a word of its own: a figure, a sign, a letter of an abbreviation, an ideograph.
const WORD_MILLIS: i64 = 1_000;
/// From here on a letter is a syllable or a word.
const IDEOGRAPHS: char = '\u{2E80}';
/// The silence around all of it.
const SILENCE_MILLIS: i64 = 1_000;

/// The longest that a text can take at this speed, in milliseconds; longer audio is not taken from anybody.
pub fn longest_millis(text: &str, speed: f64) -> i64 {
    let millis = |letter: char| {
        let is_of_a_word = letter.is_alphabetic() && !letter.is_uppercase() && letter < IDEOGRAPHS;
        if is_of_a_word || letter.is_whitespace() {
            LETTER_MILLIS
        } else {
            WORD_MILLIS
        }
    };
    let longest = text.chars().fold(SILENCE_MILLIS, |sum, letter| {
        sum.saturating_add(millis(letter))
    });
    // Whole seconds are compared with the bound, so that audio may have nearly one more.
    let most = i64::try_from(MAX_SECONDS).map_or(i64::MAX, |seconds| (seconds + 1) * 1_000);
    // A text has thousands of characters and a speed is 0.5 to 2: a float is exact enough, and what it makes of nonsense is
    // the bound.
    let spoken = (longest as f64 / speed).ceil();
    if spoken < most as f64 {
        spoken as i64
    } else {
        most
    }
}

/// How long so many characters usually take at this speed, in milliseconds.
pub fn usual_millis(characters: i64, speed: f64) -> i64 {
    (characters as f64 * SECONDS_A_CHARACTER * 1_000.0 / speed).ceil() as i64
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::super::offline::{OfflineVoices, Prosody, VoiceError};
    use super::*;

    /// How long the built-in voice speaks, in milliseconds.
    fn spoken(voices: &OfflineVoices, text: &str, speed: f32) -> i64 {
        let prosody = Prosody { speed, pitch: 1.0 };
        let mut listen = |_: &[i16]| ControlFlow::Continue(());
        match voices.speak(text, "kal", prosody, &mut listen) {
            Ok(spoken) => i64::try_from(spoken.samples * 1_000 / 16_000).unwrap(),
            Err(VoiceError::NothingToSay) => 0,
            Err(error) => panic!("{text:?}: {error}"),
        }
    }

    #[test]
    fn the_built_in_voice_never_takes_longer() {
        let voices = OfflineVoices::new().unwrap();
        let letters = "The quick brown fox jumps over the lazy dog. ".repeat(20);
        for text in [
            &*letters,
            "I",
            "WWW",
            "7",
            "7777777777",
            "$",
            "a%",
            "1/2 €",
            "x",
            "&&&&&a",
            "10:45",
            "3.14159",
            "W. W. W.",
            "9/11/2001",
            "-40 °C",
            "IEEE 802.11",
            "é",
            "%%%%%%%%1",
        ] {
            for speed in [0.5, 1.0, 2.0] {
                let (takes, most) = (
                    spoken(&voices, text, speed),
                    longest_millis(text, speed.into()),
                );
                assert!(
                    takes <= most,
                    "{text:?} at {speed}: {takes} ms, at most {most}"
                );
            }
        }
        // And ordinary words are what is usual, so that nobody reserves many times what is used.
        let characters = i64::try_from(letters.chars().count()).unwrap();
        let (takes, usual) = (
            spoken(&voices, &letters, 1.0),
            usual_millis(characters, 1.0),
        );
        assert!(
            (takes * 3 / 4..=takes * 5 / 4).contains(&usual),
            "{takes} {usual}"
        );
        assert!(longest_millis(&letters, 1.0) < 5 * takes);
    }

    #[test]
    fn no_speed_and_no_length_goes_beyond_what_is_taken() {
        let longest = "7".repeat(10_000);
        for (speed, most) in [
            (0.5, 7_201_000),
            (2.0, 5_000_500),
            (0.0, 7_201_000),
            (f64::NAN, 7_201_000),
        ] {
            assert_eq!(longest_millis(&longest, speed), most, "{speed}");
        }
        assert_eq!(longest_millis("", 1.0), 1_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn nothing_that_is_written_takes_longer_than_is_reserved_for_it(
            text in "[a-zA-Z0-9 .,;:!?%$&/()+@#*'-]{1,60}",
            speed in prop::sample::select(vec![0.5_f32, 1.0, 1.7]),
        ) {
            let voices = OfflineVoices::new().unwrap();
            let (takes, most) = (spoken(&voices, &text, speed), longest_millis(&text, speed.into()));
            prop_assert!(takes <= most, "{} ms, at most {}", takes, most);
        }
    }
}
