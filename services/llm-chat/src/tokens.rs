//! Cuts text into token-like pieces and counts them; it never looks at what the text means.

/// A word longer than this many characters is several pieces.
const WORD: usize = 7;
/// The longest run of blanks or of one repeated mark that is one piece.
const RUN: usize = 16;

/// Cuts `reply` into token-like pieces that concatenate to exactly `reply`.
///
/// The rule resembles the byte-pair vocabularies of large models: one blank belongs to the word after it, a
/// word of up to seven letters is one piece and a longer one is cut every six, digits go in threes, an ideograph
/// is a piece by itself, other blanks and repeated marks go in runs of at most sixteen. No piece begins inside a
/// user-perceived character (combining marks, joined emoji, flags, jamo, `\r\n`).
pub fn pieces(reply: &str) -> Vec<&str> {
    let mut cutter = Cutter::default();
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = reply.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        if cutter.begins(c, next) && at > from {
            found.push(&reply[from..at]);
            from = at;
        }
    }
    if from < reply.len() {
        found.push(&reply[from..]);
    }
    found
}

/// How many pieces `text` has: an estimate of a large model's tokens, by the rule of [`pieces`].
///
/// Over plain English it lands within about a quarter of what common byte-pair vocabularies count.
pub fn count_tokens(text: &str) -> u32 {
    let mut cutter = Cutter::default();
    let mut count: u32 = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if cutter.begins(c, chars.peek().copied()) {
            count = count.saturating_add(1);
        }
    }
    count
}

/// At most `most` characters from the front of `text`, never cutting a user-perceived character.
pub(super) fn head(text: &str, most: usize) -> &str {
    let mut end = 0;
    let mut before = None;
    let mut flags = 0;
    for (count, (at, c)) in text.char_indices().enumerate() {
        if !before.is_some_and(|before| joins(before, c, flags)) {
            end = at;
        }
        if count >= most {
            return &text[..end];
        }
        flags = if is_flag(c) { flags + 1 } else { 0 };
        before = Some(c);
    }
    text
}

/// The user-perceived characters of `text`, each as its own slice.
pub(super) fn characters(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut before = None;
    let mut flags = 0;
    for (at, c) in text.char_indices() {
        if at > 0 && !before.is_some_and(|before| joins(before, c, flags)) {
            found.push(&text[from..at]);
            from = at;
        }
        flags = if is_flag(c) { flags + 1 } else { 0 };
        before = Some(c);
    }
    if from < text.len() {
        found.push(&text[from..]);
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Letter,
    Digit,
    Ideograph,
    Mark,
}

/// Where the cutter stands: what the open piece holds and how long it is.
#[derive(Default)]
struct Cutter {
    before: Option<char>,
    kind: Option<Kind>,
    length: usize,
    /// How many letters the whole word has so far is unknown ahead; this is how many the open piece has.
    flags: usize,
    /// The open piece is one blank waiting for the word it belongs to.
    waiting: bool,
}

impl Cutter {
    /// Whether `c` begins a piece; `next` is the character after it.
    fn begins(&mut self, c: char, next: Option<char>) -> bool {
        let glued = self
            .before
            .is_some_and(|before| joins(before, c, self.flags));
        let kind = if glued {
            self.kind.unwrap_or(Kind::Mark)
        } else {
            kind(c)
        };
        let fresh = match (self.before, self.kind) {
            (None, _) | (_, None) => true,
            _ if glued => false,
            (Some(before), Some(open)) => {
                if self.waiting {
                    kind == Kind::Blank || kind == Kind::Ideograph
                } else if open != kind {
                    true
                } else {
                    match kind {
                        // The last blank before a word leaves its run and joins the word.
                        Kind::Blank => {
                            self.length >= RUN
                                || (c == ' ' && next.is_some_and(|n| !n.is_whitespace()))
                        }
                        Kind::Letter => {
                            self.length >= WORD && !is_mark(before)
                                || self.length + 1 >= WORD && long(c, next) && !is_mark(before)
                        }
                        Kind::Digit => self.length >= 3,
                        Kind::Ideograph => true,
                        Kind::Mark => before != c || self.length >= RUN,
                    }
                }
            }
        };
        if fresh {
            self.length = 0;
            self.waiting = false;
        }
        if !glued {
            if self.waiting {
                self.length = 0;
            }
            self.waiting = fresh && c == ' ' && next.is_some_and(|n| !n.is_whitespace());
            self.length += 1;
            self.kind = Some(kind);
        }
        self.flags = if is_flag(c) { self.flags + 1 } else { 0 };
        self.before = Some(c);
        fresh
    }
}

/// Whether a word certainly goes on after `c`, so that cutting now leaves more than one letter.
fn long(c: char, next: Option<char>) -> bool {
    c.is_alphabetic() && next.is_some_and(char::is_alphabetic)
}

fn kind(c: char) -> Kind {
    if c.is_whitespace() {
        Kind::Blank
    } else if c.is_ascii_digit() {
        Kind::Digit
    } else if matches!(u32::from(c), 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
    {
        Kind::Ideograph
    } else if c.is_alphanumeric() || c == '\'' || c == '\u{2019}' {
        Kind::Letter
    } else {
        Kind::Mark
    }
}

fn is_flag(c: char) -> bool {
    matches!(u32::from(c), 0x1F1E6..=0x1F1FF)
}

/// Whether `c` belongs to the user-perceived character that ended with `before`; `flags` counts the regional
/// indicators directly before `c`.
fn joins(before: char, c: char, flags: usize) -> bool {
    let code = u32::from(c);
    if before == '\r' {
        return c == '\n';
    }
    if before.is_control() || c.is_control() {
        return false;
    }
    is_mark(c)
        || before == '\u{200D}'
        || (is_flag(c) && flags % 2 == 1)
        || matches!(code, 0x1160..=0x11FF | 0xD7B0..=0xD7FB)
        || (matches!(u32::from(before), 0x1100..=0x115F | 0xA960..=0xA97C)
            && matches!(code, 0x1100..=0x115F | 0xA960..=0xA97C | 0xAC00..=0xD7A3))
        || PREPENDED.contains(&before)
        // A conjunct: the mark that kills a vowel ties the next consonant to itself.
        || (is_mark(before) && matches!(code, 0x0900..=0x0DFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x1A20..=0x1BFF | 0xA8E0..=0xABFF | 0x11000..=0x11FFF))
}

/// Signs that belong to the character after them.
const PREPENDED: &[char] = &[
    '\u{600}',
    '\u{601}',
    '\u{602}',
    '\u{603}',
    '\u{604}',
    '\u{605}',
    '\u{6DD}',
    '\u{70F}',
    '\u{890}',
    '\u{891}',
    '\u{8E2}',
    '\u{D4E}',
    '\u{110BD}',
    '\u{110CD}',
    '\u{111C2}',
    '\u{111C3}',
    '\u{113D1}',
    '\u{1193F}',
    '\u{11941}',
    '\u{11A84}',
    '\u{11A85}',
    '\u{11A86}',
    '\u{11A87}',
    '\u{11A88}',
    '\u{11A89}',
    '\u{11D46}',
    '\u{11F02}',
];

/// Whether `c` is drawn on the character before it.
///
/// The standard library keeps its table of grapheme extenders to itself but escapes exactly those (and what
/// cannot be printed) in debug form, which is what is asked here; spacing marks are listed by hand.
pub(super) fn is_mark(c: char) -> bool {
    if c.is_ascii()
        || matches!(u32::from(c), 0x4E00..=0x9FFF | 0xAC00..=0xD7A3)
        || c.is_whitespace()
        || c.is_control()
    {
        return false;
    }
    let code = u32::from(c);
    // Skin tones extend an emoji without being extenders by name.
    if matches!(code, 0x1F3FB..=0x1F3FF) {
        return true;
    }
    SPACING
        .binary_search_by(|&(low, high)| {
            if high < code {
                std::cmp::Ordering::Less
            } else if low > code {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
        || c.escape_debug().nth(1).is_some()
}

/// Spacing marks (vowel signs of the Brahmic scripts and their like), as inclusive ranges in order.
#[rustfmt::skip]
const SPACING: &[(u32, u32)] = &[
    (0x903, 0x903), (0x93B, 0x93B), (0x93E, 0x94F), (0x982, 0x983), (0x9BE, 0x9CC),
    (0x9D7, 0x9D7), (0xA03, 0xA03), (0xA3E, 0xA40), (0xA83, 0xA83), (0xABE, 0xACC),
    (0xB02, 0xB03), (0xB3E, 0xB57), (0xBBE, 0xBCC), (0xBD7, 0xBD7), (0xC01, 0xC03),
    (0xC41, 0xC44), (0xC82, 0xC83), (0xCBE, 0xCD6), (0xCF3, 0xCF3), (0xD02, 0xD03),
    (0xD3E, 0xD4C), (0xD57, 0xD57), (0xD82, 0xD83), (0xDCF, 0xDDF), (0xDF2, 0xDF3),
    (0xE33, 0xE33), (0xEB3, 0xEB3), (0xF3E, 0xF3F), (0xF7F, 0xF7F), (0x102B, 0x103C),
    (0x1056, 0x1057), (0x1062, 0x1064), (0x1067, 0x106D), (0x1083, 0x108C), (0x108F, 0x108F),
    (0x109A, 0x109C), (0x1715, 0x1715), (0x1734, 0x1734), (0x17B6, 0x17C8), (0x1923, 0x1938),
    (0x1A19, 0x1A1A), (0x1A55, 0x1A72), (0x1B04, 0x1B04), (0x1B35, 0x1B44), (0x1B82, 0x1B82),
    (0x1BA1, 0x1BAA), (0x1BE7, 0x1BF3), (0x1C24, 0x1C35), (0x1CE1, 0x1CE1), (0x1CF7, 0x1CF7),
    (0x302E, 0x302F), (0xA823, 0xA827), (0xA880, 0xA881), (0xA8B4, 0xA8C3), (0xA952, 0xA953),
    (0xA983, 0xA983), (0xA9B4, 0xA9C0), (0xAA2F, 0xAA34), (0xAA4D, 0xAA4D), (0xAA7B, 0xAA7D),
    (0xAAEB, 0xAAEF), (0xAAF5, 0xAAF5), (0xABE3, 0xABEA), (0xABEC, 0xABEC), (0x11000, 0x11002),
    (0x11082, 0x11082), (0x110B0, 0x110B8), (0x1112C, 0x1112C), (0x11145, 0x11146),
    (0x11182, 0x11182), (0x111B3, 0x111C0), (0x111CE, 0x111CE), (0x1122C, 0x11235),
    (0x112E0, 0x112E2), (0x11302, 0x11303), (0x1133E, 0x1134D), (0x11357, 0x11357),
    (0x11362, 0x11363), (0x113B8, 0x113CF), (0x11435, 0x11445), (0x114B0, 0x114C1),
    (0x115AF, 0x115BE), (0x11630, 0x1163E), (0x116AC, 0x116B6), (0x1171E, 0x11726),
    (0x1182C, 0x11838), (0x11930, 0x1193D), (0x11940, 0x11940), (0x11942, 0x11942),
    (0x119D1, 0x119DF), (0x119E4, 0x119E4), (0x11A39, 0x11A39), (0x11A57, 0x11A58),
    (0x11A97, 0x11A97), (0x11B61, 0x11B67), (0x11C2F, 0x11C3E), (0x11CA9, 0x11CB4),
    (0x11D8A, 0x11D96), (0x11EF5, 0x11EF6), (0x11F03, 0x11F03), (0x11F34, 0x11F3F),
    (0x1612A, 0x1612C), (0x16F51, 0x16F87), (0x16FF0, 0x16FF1), (0x1D165, 0x1D166),
    (0x1D16D, 0x1D172),
];
