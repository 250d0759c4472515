//! The list of offline voices: what a caller may choose from; it makes no sound.

/// A voice that needs no network, as it is shown to someone who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceInfo {
    /// The name to ask for.
    pub id: &'static str,
    /// A short name for people.
    pub title: &'static str,
    /// The language it speaks, as a BCP 47 tag.
    pub language: &'static str,
    /// `male`, `female` or `neutral`.
    pub gender: &'static str,
    /// One sentence on how it sounds.
    pub description: &'static str,
    /// Samples in a second, in hertz.
    pub sample_rate: u32,
    /// The program that speaks.
    pub engine: &'static str,
}

/// The 16 kHz recording of the one speaker whose voice is built in.
pub(super) const KAL: &str = "kal";
/// The same speaker at telephone quality.
pub(super) const KAL_TELEPHONE: &str = "kal-telephone";

static CATALOGUE: [VoiceInfo; 2] = [
    VoiceInfo {
        id: KAL,
        title: "Kal",
        language: "en-US",
        gender: "male",
        description: "A plain, synthetic American voice, built in and made on this machine.",
        sample_rate: 16_000,
        engine: "flite",
    },
    VoiceInfo {
        id: KAL_TELEPHONE,
        title: "Kal, by telephone",
        language: "en-US",
        gender: "male",
        description: "The same voice at telephone quality, in half the bytes.",
        sample_rate: 8_000,
        engine: "flite",
    },
];

/// Every offline voice; the first is the one to use when nobody chose.
pub fn catalogue() -> &'static [VoiceInfo] {
    &CATALOGUE
}
