//! How fast and how high a text is read: two bounded factors, and nothing about any engine.

use std::ops::RangeInclusive;

use super::VoiceError;

/// The speeds and pitches that a voice can still be understood at.
const RANGE: RangeInclusive<f32> = 0.5..=2.0;

/// The manner of reading, as factors of the voice's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prosody {
    /// Words per time: 2.0 takes half as long, 0.5 twice as long. 0.5 to 2.0.
    pub speed: f32,
    /// Fundamental frequency: 2.0 is an octave higher, 0.5 an octave lower. 0.5 to 2.0.
    pub pitch: f32,
}

impl Default for Prosody {
    fn default() -> Self {
        Self {
            speed: 1.0,
            pitch: 1.0,
        }
    }
}

impl Prosody {
    /// Checks both factors; NaN is outside the range too.
    pub(super) fn check(self) -> Result<Self, VoiceError> {
        for (field, value) in [("speed", self.speed), ("pitch", self.pitch)] {
            if !RANGE.contains(&value) {
                return Err(VoiceError::Prosody { field, value });
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_factors_between_half_and_double_pass() {
        for good in [0.5, 1.0, 2.0] {
            let prosody = Prosody {
                speed: good,
                pitch: good,
            };
            assert!(prosody.check().is_ok());
        }
        for bad in [0.0, -1.0, 0.49, 2.01, f32::NAN, f32::INFINITY] {
            let fast = Prosody {
                speed: bad,
                ..Prosody::default()
            };
            let high = Prosody {
                pitch: bad,
                ..Prosody::default()
            };
            assert!(matches!(
                fast.check(),
                Err(VoiceError::Prosody { field: "speed", .. })
            ));
            assert!(matches!(
                high.check(),
                Err(VoiceError::Prosody { field: "pitch", .. })
            ));
        }
    }
}
