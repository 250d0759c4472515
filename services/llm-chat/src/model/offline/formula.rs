//! Orders the tokens of a calculation, computes it and writes it down; it reads no text.

use super::figures::{Many, Token};
use super::number::Number;

const MAX_DEPTH: usize = 24;

/// Puts verbs and follow-ups in the order of a formula; nothing when it is not a calculation.
pub(super) fn arrange(tokens: Vec<Token>, last: Option<Number>) -> Option<Vec<Token>> {
    let telling = tokens.iter().any(|token| {
        !matches!(
            token,
            Token::Value(_)
                | Token::And
                | Token::Open
                | Token::Close
                | Token::Sign('t' | 'f' | 'b')
        )
    });
    if !telling {
        return None;
    }
    // A bare "-5" or "20%" is no question unless something came before.
    let values = tokens
        .iter()
        .filter(|token| matches!(token, Token::Value(_)))
        .count();
    let mut tokens = tokens;
    if let Some(Token::Verb(verb)) = tokens.first().cloned() {
        tokens.remove(0);
        return verbal(tokens, verb, last);
    }
    let follows = matches!(
        tokens.first(),
        Some(Token::Sign('+' | '*' | '/' | '^' | 'm' | '-') | Token::Power(_))
    );
    if follows && (values < 2 || !matches!(tokens.first(), Some(Token::Sign('-')))) {
        let last = last?;
        tokens.insert(0, Token::Value(last));
    } else if values == 1 && matches!(tokens.first(), Some(Token::Factor(..) | Token::Root)) {
        // "double 7", "the root of 9": complete as they are.
    } else if values == 0 {
        let factor = tokens.len() == 1 && matches!(tokens.first(), Some(Token::Factor(..)));
        if !factor {
            return None;
        }
        tokens.push(Token::Value(last?));
    } else if values == 1
        && !tokens
            .iter()
            .any(|token| matches!(token, Token::Power(_) | Token::Factorial | Token::Percent))
    {
        return None;
    } else if values == 1 && tokens.iter().any(|token| matches!(token, Token::Percent)) {
        if tokens.len() != 3 && tokens.len() != 2 {
            return None;
        }
        // "10% of that" already holds the last result; "10%" alone asks nothing.
        return None;
    }
    arrange_any(tokens)
}

/// "to the power of" and "raised to" as signs; prepositions left over make it unreadable.
pub(super) fn arrange_any(mut tokens: Vec<Token>) -> Option<Vec<Token>> {
    let mut at = 0;
    while at < tokens.len() {
        match (&tokens[at], tokens.get(at + 1)) {
            (Token::Sign('t'), Some(Token::Of)) => {
                tokens[at] = Token::Sign('^');
                tokens.remove(at + 1);
            }
            (Token::Sign('t'), Some(Token::Value(_))) => tokens[at] = Token::Sign('^'),
            (Token::Sign('b'), _) => tokens[at] = Token::Sign('*'),
            _ => {}
        }
        at += 1;
    }
    tokens
        .iter()
        .all(|token| !matches!(token, Token::Verb(_) | Token::Sign('f' | 't')))
        .then_some(tokens)
}

/// "add 3 to 4", "subtract 2 from that", "divide it by 2", "multiply by 5", "add 10".
fn verbal(tokens: Vec<Token>, verb: char, last: Option<Number>) -> Option<Vec<Token>> {
    let split = tokens.iter().position(|token| match verb {
        '+' => matches!(token, Token::Sign('t') | Token::And),
        '-' => matches!(token, Token::Sign('f')),
        _ => matches!(token, Token::Sign('b') | Token::And),
    });
    let sign = Token::Sign(if verb == 'h' { '/' } else { verb });
    let wrap = |part: &[Token]| {
        let mut held = vec![Token::Open];
        held.extend_from_slice(part);
        held.push(Token::Close);
        if part.len() == 1 { part.to_vec() } else { held }
    };
    let known = || last.map(|value| vec![Token::Value(value)]);
    let (left, right) = match split {
        Some(at) => {
            let (first, second) = (&tokens[..at], &tokens[at + 1..]);
            let first = if first.is_empty() {
                known()?
            } else {
                wrap(first)
            };
            if verb == '-' || verb == '+' {
                (wrap(second), first)
            } else {
                (first, wrap(second))
            }
        }
        None if verb == 'h' => (
            if tokens.is_empty() {
                known()?
            } else {
                wrap(&tokens)
            },
            vec![Token::Value(Number::whole(2))],
        ),
        None if verb == '+' || verb == '-' => (known()?, wrap(&tokens)),
        None => return None,
    };
    let mut arranged = left;
    arranged.push(sign);
    arranged.extend(right);
    arrange_any(arranged)
}

pub(super) enum Trouble {
    Zero,
    Unreadable,
}

pub(super) fn solve(tokens: &[Token]) -> Result<Number, Trouble> {
    if let Some(at) = tokens
        .iter()
        .position(|token| matches!(token, Token::Many(_)))
        && let Token::Many(many) = tokens[at]
    {
        return gather(&tokens[at + 1..], many);
    }
    let mut reader = Reader {
        tokens,
        at: 0,
        depth: 0,
    };
    let value = reader.sum()?;
    if reader.at == tokens.len() {
        Ok(value)
    } else {
        Err(Trouble::Unreadable)
    }
}

fn gather(tokens: &[Token], many: Many) -> Result<Number, Trouble> {
    let values: Vec<Number> = tokens
        .iter()
        .filter_map(|token| {
            if let Token::Value(value) = token {
                Some(*value)
            } else {
                None
            }
        })
        .collect();
    let plain = tokens.iter().all(|token| {
        matches!(
            token,
            Token::Value(_) | Token::And | Token::Of | Token::Open | Token::Close
        )
    });
    if values.len() < 2 || !plain {
        return Err(Trouble::Unreadable);
    }
    let fold = |join: fn(Number, Number) -> Option<Number>| {
        values[1..]
            .iter()
            .try_fold(values[0], |sum, value| join(sum, *value))
            .ok_or(Trouble::Unreadable)
    };
    match many {
        Many::Sum => fold(Number::plus),
        Many::Product => fold(Number::times),
        Many::Mean => fold(Number::plus)?
            .over(Number::whole(values.len() as i128))
            .ok_or(Trouble::Zero),
        Many::Largest => fold(|a, b| Some(if b.float() > a.float() { b } else { a })),
        Many::Smallest => fold(|a, b| Some(if b.float() < a.float() { b } else { a })),
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, token: &Token) -> bool {
        let here = self.peek() == Some(token);
        self.at += usize::from(here);
        here
    }

    fn sum(&mut self) -> Result<Number, Trouble> {
        let mut left = self.product()?;
        loop {
            let minus = match self.peek() {
                Some(Token::Sign('+')) => false,
                Some(Token::Sign('-')) => true,
                _ => return Ok(left),
            };
            self.at += 1;
            let mut right = self.product()?;
            // "200 plus 10%" means ten percent of the 200.
            if matches!(
                self.tokens.get(self.at.wrapping_sub(1)),
                Some(Token::Percent)
            ) {
                right = left.times(right).ok_or(Trouble::Unreadable)?;
            }
            left = if minus {
                left.minus(right)
            } else {
                left.plus(right)
            }
            .ok_or(Trouble::Unreadable)?;
        }
    }

    fn product(&mut self) -> Result<Number, Trouble> {
        let mut left = self.signed()?;
        loop {
            let sign = match self.peek() {
                Some(Token::Sign(sign @ ('*' | '/' | 'm'))) => *sign,
                Some(Token::Percent)
                    if matches!(
                        self.tokens.get(self.at + 1),
                        Some(Token::Value(_) | Token::Open)
                    ) =>
                {
                    'm'
                }
                Some(Token::Open) => {
                    let right = self.signed()?;
                    left = left.times(right).ok_or(Trouble::Unreadable)?;
                    continue;
                }
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            left = match sign {
                '*' => left.times(right).ok_or(Trouble::Unreadable)?,
                '/' => left.over(right).ok_or(Trouble::Zero)?,
                _ if right.float() == 0.0 => return Err(Trouble::Zero),
                _ => left.modulo(right).ok_or(Trouble::Unreadable)?,
            };
        }
    }

    fn signed(&mut self) -> Result<Number, Trouble> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Trouble::Unreadable);
        }
        let value = if self.take(&Token::Sign('-')) {
            self.signed()?.negated()
        } else if self.take(&Token::Sign('+')) {
            self.signed()?
        } else {
            self.raised()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn raised(&mut self) -> Result<Number, Trouble> {
        let base = self.simple()?;
        if self.take(&Token::Sign('^')) {
            let exponent = self.signed()?;
            return base.power(exponent).ok_or(Trouble::Unreadable);
        }
        Ok(base)
    }

    fn simple(&mut self) -> Result<Number, Trouble> {
        let token = self.peek().cloned().ok_or(Trouble::Unreadable)?;
        self.at += 1;
        let mut value = match token {
            Token::Value(value) => value,
            Token::Open => {
                let value = self.sum()?;
                if !self.take(&Token::Close) {
                    return Err(Trouble::Unreadable);
                }
                value
            }
            Token::Root => {
                self.take(&Token::Of);
                return self.signed()?.root().ok_or(Trouble::Unreadable);
            }
            Token::Factor(top, bottom) => {
                self.take(&Token::Of);
                let value = self.signed()?;
                return value
                    .times(Number::Exact(top, bottom))
                    .ok_or(Trouble::Unreadable);
            }
            _ => return Err(Trouble::Unreadable),
        };
        loop {
            match self.peek() {
                Some(Token::Power(exponent)) => {
                    value = value
                        .power(Number::whole(i128::from(*exponent)))
                        .ok_or(Trouble::Unreadable)?;
                    self.at += 1;
                }
                Some(Token::Factorial) => {
                    let n = value
                        .as_whole()
                        .filter(|n| (0..=33).contains(n))
                        .ok_or(Trouble::Unreadable)?;
                    value = Number::whole((1..=n).product());
                    self.at += 1;
                }
                Some(Token::Percent)
                    if !matches!(
                        self.tokens.get(self.at + 1),
                        Some(Token::Value(_) | Token::Open)
                    ) =>
                {
                    self.at += 1;
                    value = value.over(Number::whole(100)).ok_or(Trouble::Unreadable)?;
                    if self.take(&Token::Of) {
                        let whole = self.signed()?;
                        return value.times(whole).ok_or(Trouble::Unreadable);
                    }
                }
                _ => return Ok(value),
            }
        }
    }
}

pub(super) fn show_all(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let part = match token {
            Token::Value(value) => value.show(),
            Token::Sign('*') => "×".to_owned(),
            Token::Sign('/') => "÷".to_owned(),
            Token::Sign('-') => "−".to_owned(),
            Token::Sign('m') => "mod".to_owned(),
            Token::Sign(sign) => sign.to_string(),
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Percent => "%".to_owned(),
            Token::Of => "of".to_owned(),
            Token::Power(2) => "²".to_owned(),
            Token::Power(_) => "³".to_owned(),
            Token::Root => "√".to_owned(),
            Token::Factor(top, 1) => format!("{top} ×"),
            Token::Factor(top, bottom) => format!("{top}/{bottom} of"),
            Token::Factorial => "!".to_owned(),
            // Sums and means of many read better without their formula.
            Token::Verb(_) | Token::And | Token::Many(_) => return String::new(),
        };
        let doubled = matches!(token, Token::Of)
            && matches!(
                at.checked_sub(1).and_then(|i| tokens.get(i)),
                Some(Token::Factor(..) | Token::Root)
            );
        if doubled {
            continue;
        }
        let tight = matches!(
            token,
            Token::Close | Token::Percent | Token::Power(_) | Token::Factorial
        ) || text.ends_with(['(', '√'])
            || text.is_empty();
        if !tight {
            text.push(' ');
        }
        text.push_str(&part);
    }
    text
}
