//! Cuts a calculation in figures and words into tokens; it computes nothing.

use super::number::{Number, named};
use super::talk::Talk;

const MAX_TOKENS: usize = 120;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Value(Number),
    /// One of `+ - * / ^ m` (m for modulo), or a verb's preposition: `b` by, `f` from, `t` to.
    Sign(char),
    Open,
    Close,
    Percent,
    Of,
    Power(u8),
    Root,
    Factor(i128, i128),
    Verb(char),
    Factorial,
    And,
    Many(Many),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Many {
    Sum,
    Mean,
    Largest,
    Smallest,
    Product,
}

pub(super) fn lex(text: &str, talk: &Talk) -> Option<Vec<Token>> {
    if text.len() > 600 {
        return None;
    }
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text;
    let mut number: Option<(i128, i128)> = None;
    while let Some(c) = rest.chars().next() {
        if tokens.len() > MAX_TOKENS {
            return None;
        }
        if c.is_alphabetic() {
            let end = rest
                .find(|c: char| {
                    !c.is_alphabetic() && c != '-'
                        || c == '-' && number.is_none() && !hyphenated(rest)
                })
                .unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches('-');
            rest = &rest[word.len()..];
            if let Some((value, scales)) = named(word) {
                number = Some(grow(number, value, scales)?);
                continue;
            }
            if word == "and"
                && number.is_some_and(|(total, open)| total > 0 || open >= 100)
                && rest
                    .split_whitespace()
                    .next()
                    .is_some_and(|next| named(next).is_some())
            {
                continue;
            }
            flush(&mut tokens, &mut number);
            if matches!(word, "more" | "less") && rest.trim_start().starts_with("than ") {
                // "3 less than 10" is 10 − 3, so only "more" can be read from left to right.
                if word == "less" {
                    return None;
                }
                rest = rest.trim_start().trim_start_matches("than");
                tokens.push(Token::Sign('+'));
                continue;
            }
            if word == "square" && rest.trim_start().starts_with("root") {
                continue;
            }
            match word_token(word, &tokens, talk) {
                Some(Some(token)) => tokens.push(token),
                Some(None) => {}
                // "5 apples plus 3 apples", "300 euros divided by 14 days".
                None if word.len() > 2
                    && matches!(tokens.last(), Some(Token::Value(_)))
                    && ends_or_goes_on(rest) => {}
                None => return None,
            }
            continue;
        }
        if c.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        flush(&mut tokens, &mut number);
        if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let end = rest
                .char_indices()
                .find(|&(at, c)| {
                    let next_digit =
                        rest[at + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
                    !(c.is_ascii_digit() || (matches!(c, '.' | ',') && next_digit))
                })
                .map_or(rest.len(), |(at, _)| at);
            let figures = &rest[..end];
            match Number::read(figures) {
                Some(value) => tokens.push(Token::Value(value)),
                // "3,4,5" without blanks is three numbers.
                None => {
                    for part in figures.split(',') {
                        tokens.push(Token::Value(Number::read(part)?));
                        tokens.push(Token::And);
                    }
                    tokens.pop();
                }
            }
            rest = &rest[end..];
            continue;
        }
        let token = match c {
            '+' => Token::Sign('+'),
            '-' | '−' | '–' => Token::Sign('-'),
            '*' | '×' | '·' => {
                if rest.starts_with("**") {
                    rest = &rest[1..];
                    Token::Sign('^')
                } else {
                    Token::Sign('*')
                }
            }
            '/' | '÷' | ':' => Token::Sign('/'),
            '^' => Token::Sign('^'),
            '(' | '[' => Token::Open,
            ')' | ']' => Token::Close,
            '%' => Token::Percent,
            '!' => Token::Factorial,
            '²' => Token::Power(2),
            '³' => Token::Power(3),
            '√' => Token::Root,
            ',' | ';' => Token::And,
            '?' | '.' | '=' | '$' | '€' | '£' | '"' | '\'' => {
                rest = &rest[c.len_utf8()..];
                continue;
            }
            _ => return None,
        };
        tokens.push(token);
        rest = &rest[c.len_utf8()..];
    }
    flush(&mut tokens, &mut number);
    while matches!(tokens.last(), Some(Token::Factorial))
        && !matches!(tokens.iter().rev().nth(1), Some(Token::Value(_)))
    {
        tokens.pop();
    }
    Some(tokens)
}

/// Whether what comes after a thing that was counted is the end or the next operation.
fn ends_or_goes_on(rest: &str) -> bool {
    let rest = rest.trim_start();
    let word = rest
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or_default();
    matches!(
        word,
        "plus"
            | "minus"
            | "times"
            | "divided"
            | "multiplied"
            | "and"
            | "por"
            | "entre"
            | "más"
            | "menos"
    ) || rest.is_empty()
        || rest.starts_with(['+', '-', '*', '/', '×', '÷', ',', ')'])
}

/// Whether the word at the front is a hyphenated number such as "twenty-one".
fn hyphenated(rest: &str) -> bool {
    let end = rest
        .find(|c: char| !c.is_alphabetic() && c != '-')
        .unwrap_or(rest.len());
    named(&rest[..end]).is_some()
}

/// Adds a number word to a number under way: (finished thousands, what is still growing).
fn grow(number: Option<(i128, i128)>, value: i128, scales: bool) -> Option<(i128, i128)> {
    let (total, open) = number.unwrap_or((0, if scales { 1 } else { 0 }));
    if !scales {
        return Some((total, open.checked_add(value)?));
    }
    let open = open.max(1).checked_mul(value)?;
    Some(if value >= 1_000 {
        (total.checked_add(open)?, 0)
    } else {
        (total, open)
    })
}

fn flush(tokens: &mut Vec<Token>, number: &mut Option<(i128, i128)>) {
    if let Some((total, open)) = number.take() {
        tokens.push(Token::Value(Number::whole(total.saturating_add(open))));
    }
}

/// The token of a word: `None` when it is not about arithmetic, `Some(None)` when it means nothing here.
fn word_token(word: &str, before: &[Token], talk: &Talk) -> Option<Option<Token>> {
    let after_value = matches!(
        before.last(),
        Some(Token::Value(_) | Token::Close | Token::Power(_))
    );
    Some(Some(match word {
        "plus" | "más" | "mas" => Token::Sign('+'),
        "minus" | "less" | "menos" => Token::Sign('-'),
        "times" | "por" | "into" => Token::Sign('*'),
        "x" if after_value => Token::Sign('*'),
        "multiplied" | "dividido" if after_value => return Some(None),
        "divided" | "over" | "entre" if after_value || before.is_empty() => Token::Sign('/'),
        "mod" | "modulo" => Token::Sign('m'),
        "by" => match before.last() {
            Some(Token::Sign('/')) => return Some(None),
            _ => Token::Sign('b'),
        },
        "from" => Token::Sign('f'),
        "to" => Token::Sign('t'),
        "squared" | "square" if after_value || before.is_empty() => Token::Power(2),
        "cubed" if after_value || before.is_empty() => Token::Power(3),
        "root" | "sqrt" | "raíz" => Token::Root,
        "square" | "cuadrada" => return Some(None),
        "half" => Token::Factor(1, 2),
        "third" => Token::Factor(1, 3),
        "quarter" => Token::Factor(1, 4),
        "double" | "twice" => Token::Factor(2, 1),
        "triple" => Token::Factor(3, 1),
        "percent" => Token::Percent,
        "of" | "de" => Token::Of,
        "add" => Token::Verb('+'),
        "subtract" | "deduct" => Token::Verb('-'),
        "multiply" => Token::Verb('*'),
        "divide" => Token::Verb('/'),
        "halve" => Token::Verb('h'),
        "factorial" => Token::Factorial,
        "and" | "y" => Token::And,
        "sum" | "total" => Token::Many(Many::Sum),
        "average" | "mean" => Token::Many(Many::Mean),
        "largest" | "biggest" | "greatest" | "maximum" | "max" | "highest" => {
            Token::Many(Many::Largest)
        }
        "smallest" | "lowest" | "minimum" | "min" | "least" => Token::Many(Many::Smallest),
        "product" => Token::Many(Many::Product),
        "it" | "that" | "this" | "result" | "answer" | "eso" => Token::Value(talk.last_number?),
        "the" | "a" | "all" | "number" | "numbers" | "please" | "equal" | "equals" | "make"
        | "power" | "raised" | "is" | "together" | "la" | "el" | "el resultado" | "then"
        | "again" | "just" => return Some(None),
        _ => {
            let value = talk
                .variables
                .iter()
                .find(|(name, _)| name == word)
                .map(|(_, value)| *value)?;
            Token::Value(value)
        }
    }))
}
