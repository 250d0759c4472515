//! From what is written to what is read aloud in English: plain letters, figures and the marks that shape a sentence.
//! It makes no sound, and nothing that it returns can surprise the engine.

use super::symbols::{amount_of, folded, symbol};

/// The longest run of letters and figures that stays one word. The engine takes a mixed run apart by recursion, so
/// this also bounds its stack.
const LONGEST_WORD: usize = 32;

/// A text that is ready to be spoken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// ASCII letters, figures and punctuation, single spaces, and a line feed between paragraphs. Empty when nothing
    /// in the text can be spoken.
    pub(super) text: String,
    /// How many characters have no English reading and were left out (pictographs, other scripts).
    pub(super) skipped: u32,
}

/// Rewrites `text`. Total work is linear in its length.
pub(super) fn read(text: &str) -> Reading {
    let mut out = Reading {
        text: String::with_capacity(text.len()),
        skipped: 0,
    };
    let mut blank = false;
    for line in text.split(['\n', '\u{2028}']) {
        let mut words = line
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .peekable();
        if words.peek().is_none() {
            blank = true;
            continue;
        }
        // Only an empty line parts two paragraphs: text is often wrapped by hand.
        if std::mem::take(&mut blank) && !out.text.is_empty() {
            out.text.push('\n');
        }
        for word in words {
            read_word(word, &mut out);
        }
    }
    let end = out.text.trim_end().len();
    out.text.truncate(end);
    out
}

fn read_word(word: &str, out: &mut Reading) {
    const AROUND: [char; 8] = ['(', ')', '<', '>', '"', '\'', ',', ';'];
    let core = word.trim_start_matches(AROUND);
    let (core, behind) = core.split_at(core.trim_end_matches(AROUND).len());
    if let Some(words) = abbreviation(core)
        .or_else(|| dotted_letters(core))
        .map(str::to_owned)
        .or_else(|| address(core))
    {
        append(&words, out);
        return close(behind, out);
    }
    let mut spoken = String::with_capacity(word.len() + 8);
    let mut before = None;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        let after = rest.clone().next();
        if let Some(name) = amount_of(c) {
            // "€5" is read after its amount, "5€" where it stands.
            let figures = rest
                .as_str()
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
                .unwrap_or(rest.as_str().len());
            let amount = rest.as_str()[..figures].trim_end_matches(['.', ',']);
            spoken.push_str(amount);
            spoken.push_str(name);
            rest = rest.as_str()[amount.len()..].chars();
        } else {
            out.skipped += read_character(before, c, after, &mut spoken);
        }
        before = Some(c);
    }
    append(&spoken, out);
}

/// Appends the reading of one character between its neighbours; returns 1 if it has none.
fn read_character(before: Option<char>, c: char, after: Option<char>, out: &mut String) -> u32 {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | ',' | ';' | ':' | '?' | '!' | '"' | '\'' => out.push(c),
        '.' if before == Some('.') || after == Some('.') => out.push_str(". "),
        '.' if letter(before) && after.is_some_and(char::is_lowercase) => out.push_str(" dot "),
        '.' if letter(before) && letter(after) => out.push_str(". "),
        '.' => out.push('.'),
        '(' | ')' => out.push_str(", "),
        '-' if before.is_some() && after.is_some() => out.push('-'),
        '-' if digit(after) => out.push_str(" minus "),
        '$' if digit(after) => out.push('$'),
        '%' if digit(before) => out.push('%'),
        '/' if digit(before) && digit(after) => out.push('/'),
        '#' if digit(after) => out.push_str(" number "),
        '\u{2013}' | '\u{2014}' if digit(before) && digit(after) => out.push('-'),
        _ => {
            if let Some(words) = symbol(c) {
                out.push_str(words);
            } else if let Some(letters) = folded(c) {
                out.push_str(letters);
            } else {
                out.push(' ');
                return 1;
            }
        }
    }
    0
}

/// Appends finished words, keeping to single spaces, bounded words and at most one mark after a word.
fn append(words: &str, out: &mut Reading) {
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let speakable = |c: char| c.is_ascii_alphanumeric();
        let Some(first) = word.find(speakable) else {
            // Marks without a word close the one before them: "Hello !!!"
            close(word, out);
            continue;
        };
        let end = word.rfind(speakable).map_or(word.len(), |last| last + 1);
        // A percent sign belongs to its figure, a currency sign to the one that follows.
        let end = if word[end..].starts_with('%') {
            end + 1
        } else {
            end
        };
        let first = if word[..first].ends_with('$') {
            first - 1
        } else {
            first
        };
        if !out.text.is_empty() && !out.text.ends_with('\n') {
            out.text.push(' ');
        }
        push_bounded(&plain_figures(&word[first..end]), out);
        close(&word[end..], out);
    }
}

/// Puts the strongest of `marks`, and of the mark that is there already, behind the last word.
fn close(marks: &str, out: &mut Reading) {
    const MARKS: [char; 6] = ['?', '!', '.', ';', ':', ','];
    let there = out.text.chars().next_back().filter(|c| MARKS.contains(c));
    let Some(mark) = MARKS
        .into_iter()
        .find(|mark| there == Some(*mark) || marks.contains(*mark))
    else {
        return;
    };
    if there.is_some() {
        out.text.pop();
    }
    if !out.text.is_empty() && !out.text.ends_with('\n') {
        out.text.push(mark);
    }
}

/// "192.168.0.1" and "1.2.3" are no numbers: each stop is read.
fn plain_figures(word: &str) -> String {
    let figures = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    if figures && word.matches('.').count() > 1 {
        word.replace('.', " point ")
    } else {
        word.to_owned()
    }
}

fn push_bounded(word: &str, out: &mut Reading) {
    let mut run = 0;
    for c in word.chars() {
        run = if c == ' ' { 0 } else { run + 1 };
        if run > LONGEST_WORD {
            out.text.push(' ');
            run = 1;
        }
        out.text.push(c);
    }
}

/// What a written abbreviation is read as.
fn abbreviation(word: &str) -> Option<&'static str> {
    const READ: [(&str, &str); 8] = [
        ("e.g.", "for example"),
        ("i.e.", "that is"),
        ("etc.", "et cetera."),
        ("etc", "et cetera"),
        ("vs.", "versus"),
        ("approx.", "approximately"),
        ("w/o", "without"),
        ("prof.", "professor"),
    ];
    READ.iter()
        .find(|(written, _)| word.eq_ignore_ascii_case(written))
        .map(|(_, read)| *read)
}

/// "U.S.A." and "a.m.", whose stops the engine knows how to read.
fn dotted_letters(word: &str) -> Option<&str> {
    let bare = word.trim_end_matches(['.', '!', '?', ':']);
    let single = |part: &str| part.len() == 1 && part.chars().all(|c| c.is_ascii_alphabetic());
    (bare.contains('.') && bare.split('.').all(single)).then_some(word)
}

/// A web or mail address the way people say it: no scheme, no query, "dot", "slash" and "at".
fn address(word: &str) -> Option<String> {
    let bare = word.trim_end_matches(['.', '!', '?', ':']);
    let marks = &word[bare.len()..];
    let web = ["https://", "http://", "ftp://"].iter().find_map(|scheme| {
        let head = bare.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme)
            .then(|| &bare[scheme.len()..])
    });
    let web = web.or_else(|| bare.starts_with("www.").then_some(bare));
    let mail = bare
        .split_once('@')
        .filter(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'));
    if web.is_none() && mail.is_none() {
        return None;
    }
    let place = web.unwrap_or(bare);
    let place = place.split(['?', '#']).next().unwrap_or(place);
    // A user name and password in an address are nobody's business.
    let place = match web {
        Some(_) => place.rsplit_once('@').map_or(place, |(_, host)| host),
        None => place,
    };
    let mut out = String::with_capacity(place.len() * 2);
    for c in place.trim_end_matches('/').chars() {
        match c {
            '.' => out.push_str(" dot "),
            '/' => out.push_str(" slash "),
            '@' => out.push_str(" at "),
            ':' => out.push_str(" port "),
            c if c.is_ascii_alphanumeric() => out.push(c),
            c => out.push_str(folded(c).unwrap_or(" ")),
        }
    }
    out.push_str(marks);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> String {
        read(text).text
    }

    #[test]
    fn plain_text_is_left_alone() {
        let text = "It's 9:30 on 21st Street, isn't it? $5.50 or 12% of 3/4.";
        assert_eq!(spoken(text), text);
    }

    #[test]
    fn nothing_to_say_reads_as_nothing() {
        for text in [
            "",
            " \t\r\n",
            "!!!",
            "?! ... --",
            "\u{0}\u{7}\u{1b}",
            "***",
            "\"\"",
            "()",
        ] {
            assert_eq!(spoken(text), "", "{text:?}");
        }
        assert_eq!(
            read("😀😀"),
            Reading {
                text: String::new(),
                skipped: 2
            }
        );
        assert_eq!(
            read("日本語"),
            Reading {
                text: String::new(),
                skipped: 3
            }
        );
    }

    #[test]
    fn typography_and_accents_become_plain() {
        assert_eq!(spoken("“Café” — naïve… Straße"), "Cafe, naive. Strasse");
        assert_eq!(spoken("don’t"), "don't");
        assert_eq!(spoken("1914–1918"), "1914-1918");
        assert_eq!(spoken("e\u{301}t\u{200d}e\u{ad}"), "ete");
        assert_eq!(spoken("a\u{0}b\u{1b}c"), "a b c");
        assert_eq!(spoken("Hi 😀, there 👍🏽!"), "Hi, there!");
    }

    #[test]
    fn symbols_are_read() {
        assert_eq!(
            spoken("€1,200.50, £3 or 5€."),
            "1,200.50 euros, 3 pounds or 5 euros."
        );
        assert_eq!(
            spoken("2 + 2 = 4 & so on @ 20°C"),
            "2 plus 2 equals 4 and so on at 20 degrees C"
        );
        assert_eq!(spoken("# Title #1 -5"), "Title number 1 minus 5");
        assert_eq!(spoken("**bold** _it_ `code` and/or"), "bold it code and or");
        assert_eq!(spoken("e.g. this, etc."), "for example this, et cetera.");
        assert_eq!(
            spoken("192.168.0.1 v1.2.3"),
            "192 point 168 point 0 point 1 v1.2.3"
        );
    }

    #[test]
    fn addresses_are_said_as_people_say_them() {
        assert_eq!(
            spoken("See https://user:pw@example.com/docs/a-b?x=1&y=2#top."),
            "See example dot com slash docs slash a b."
        );
        assert_eq!(spoken("(www.example.org/)"), "www dot example dot org");
        assert_eq!(
            spoken("mail <me@host.net>, now!"),
            "mail me at host dot net, now!"
        );
        assert_eq!(
            spoken("open main.rs.Then stop"),
            "open main dot rs. Then stop"
        );
    }

    #[test]
    fn marks_are_kept_to_one_and_stay_with_their_word() {
        assert_eq!(spoken("What ?!?! Well...no !!!"), "What? Well. no!");
        assert_eq!(spoken("He left (in May)."), "He left, in May.");
        assert_eq!(spoken("one\n\ntwo\nthree"), "one\ntwo three");
        assert_eq!(spoken("one\r\ntwo\r\n\r\nthree\r\n"), "one two\nthree");
        assert_eq!(spoken("5 a.m., in the U.S.A.!"), "5 a.m. in the U.S.A!");
    }

    #[test]
    fn endless_words_are_broken() {
        let text = spoken(&"a1".repeat(2500));
        assert!(text.split(' ').all(|word| word.len() <= LONGEST_WORD));
        assert_eq!(text.replace(' ', ""), "a1".repeat(2500));
    }

    #[test]
    fn nothing_but_plain_text_reaches_the_engine() {
        for c in (0..0x3_0000).filter_map(char::from_u32) {
            let text = spoken(&format!("a{c}b {c} {c}1 1{c}"));
            assert!(
                text.chars()
                    .all(|c| matches!(c, ' ' | '\n') || c.is_ascii_graphic()),
                "{c:?} is read as {text:?}"
            );
        }
    }
}
