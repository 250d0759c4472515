//! What single characters are called in English, and which plain letters stand for accented ones; tables only.

/// The currency that a sign stands for, with a space before it. The dollar is missing: the engine reads it itself.
pub(super) fn amount_of(c: char) -> Option<&'static str> {
    Some(match c {
        '€' => " euros",
        '£' => " pounds",
        '¥' => " yen",
        '₹' => " rupees",
        '₩' => " won",
        '₿' => " bitcoin",
        _ => return None,
    })
}

/// The words or the pause for a symbol; an empty string for a character that is to vanish without a trace, a space for
/// one that only parts words.
pub(super) fn symbol(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => " and ",
        '@' => " at ",
        '+' => " plus ",
        '=' => " equals ",
        '%' => " percent ",
        '$' => " dollars ",
        '°' => " degrees ",
        '×' => " times ",
        '÷' => " divided by ",
        '±' => " plus or minus ",
        '§' => " section ",
        'µ' => " micro ",
        '½' => " one half ",
        '¼' => " one quarter ",
        '¾' => " three quarters ",
        '²' => " squared ",
        '³' => " cubed ",
        '→' => " to ",
        '‘' | '’' | '‚' | '′' => "'",
        '“' | '”' | '„' | '«' | '»' | '″' => "\"",
        '‐' | '‑' => "-",
        '‒' | '–' | '—' | '―' => " , ",
        '…' => ". ",
        '-' | '*' | '_' | '~' | '^' | '`' | '|' | '\\' | '{' | '}' | '[' | ']' | '<' | '>'
        | '/' | '#' | '•' | '·' | '©' | '®' | '™' | '¡' | '¿' => " ",
        // Combining accents, joiners, direction marks, variation selectors, the byte order mark, the soft hyphen.
        '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ad}' => "",
        _ => return None,
    })
}

/// The plain letters for an accented Latin one, and for full-width forms.
pub(super) fn folded(c: char) -> Option<&'static str> {
    if let '\u{ff01}'..='\u{ff5e}' = c {
        const ASCII: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
        let at = c as usize - 0xff01;
        return ASCII.get(at..=at);
    }
    Some(match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ª' => "a",
        'Æ' => "Ae",
        'æ' => "ae",
        'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'Ð' | 'Ď' | 'Đ' => "D",
        'ð' | 'ď' | 'đ' => "d",
        'È'..='Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'Ĥ' | 'Ħ' => "H",
        'ĥ' | 'ħ' => "h",
        'Ì'..='Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' => "I",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'Ĵ' => "J",
        'ĵ' => "j",
        'Ķ' => "K",
        'ķ' => "k",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ŀ' | 'Ł' => "L",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'Ñ' | 'Ń' | 'Ņ' | 'Ň' => "N",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'º' => "o",
        'Œ' => "Oe",
        'œ' => "oe",
        'Ŕ' | 'Ŗ' | 'Ř' => "R",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'Ţ' | 'Ť' | 'Ŧ' | 'Ț' => "T",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'Ù'..='Ü' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'Ŵ' => "W",
        'ŵ' => "w",
        'Ý' | 'Ŷ' | 'Ÿ' => "Y",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        'Þ' => "Th",
        'þ' => "th",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        _ => return None,
    })
}
