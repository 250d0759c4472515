//! What a simulator is told to do: the parameters of its URL.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

/// The longest time that may be asked for.
const LONGEST: Duration = Duration::from_secs(3600);
/// The most tokens of a reply.
const MOST_TOKENS: u64 = 100_000;
/// The fastest pace.
const FASTEST: f64 = 1_000_000.0;

/// How a simulator behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What all its chances are made from.
    pub seed: u64,
    /// The time before the first byte.
    pub latency: RangeInclusive<Duration>,
    /// How many tokens a reply has.
    pub tokens: RangeInclusive<u64>,
    /// The pace of a streamed reply; 0 for no pace.
    pub tokens_per_second: f64,
    /// What befalls a request by chance: in how many of a hundred.
    pub chances: Vec<(Act, f64)>,
    /// What befalls the same request the first time, the second time, and so on; the last holds on.
    pub acts: Vec<Act>,
    /// When to come again, said with 429 and 503.
    pub retry_after: Option<Duration>,
}

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is answered.
    Serve,
    /// It is refused with this status.
    Refuse(u16),
    /// The connection stays, and nothing more is sent, after so many bytes; `None`: after some by chance.
    Stall(Option<u64>),
    /// The connection breaks.
    Cut(Option<u64>),
    /// Bytes that belong to no answer come between.
    Malformed(Option<u64>),
}

/// A parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct ScriptError {
    /// The parameter.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Duration::ZERO..=Duration::ZERO,
            tokens: 20..=80,
            tokens_per_second: 0.0,
            chances: Vec::new(),
            acts: Vec::new(),
            retry_after: None,
        }
    }
}

impl Script {
    /// Reads the parameters of a `simulator://` URL. What it does not name is as by default; what it does not know is an
    /// error, so that a misspelt failure is not taken for a provider without failures.
    pub fn read(url: &Url) -> Result<Self, ScriptError> {
        let mut script = Self::default();
        for (name, value) in url.query_pairs() {
            script.set(&name, &value).map_err(|why| ScriptError {
                name: name.into_owned(),
                why,
            })?;
        }
        Ok(script)
    }

    /// What is wrong with a provider's URL, as far as the simulator is concerned: every other URL is none of its business.
    pub fn check(url: &Url) -> Result<(), ScriptError> {
        if url.scheme() == crate::SCHEME {
            Self::read(url)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "seed" => self.seed = number(value)?,
            "latency" => self.latency = range(value, duration)?,
            "tokens" => {
                self.tokens = range(value, number)?;
                if *self.tokens.start() == 0 || *self.tokens.end() > MOST_TOKENS {
                    return Err(format!("must be within 1 and {MOST_TOKENS}"));
                }
            }
            "tokens_per_second" => {
                self.tokens_per_second = number(value)?;
                if !(0.0..=FASTEST).contains(&self.tokens_per_second) {
                    return Err(format!("must be within 0 and {FASTEST}"));
                }
            }
            "chance" => {
                self.chances = list(value, chance)?;
                let all: f64 = self.chances.iter().map(|(_, percent)| percent).sum();
                if all > 100.0 {
                    return Err(format!("{all} of a hundred are more than all"));
                }
            }
            "script" => self.acts = list(value, Act::from_str)?,
            "retry_after" => self.retry_after = Some(duration(value)?),
            _ => return Err("there is no such parameter".to_owned()),
        }
        Ok(())
    }
}

impl FromStr for Act {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, after) = match text.split_once('@') {
            Some((name, after)) => (name, Some(number(after)?)),
            None => (text, None),
        };
        Ok(match (name, after) {
            ("ok", None) => Self::Serve,
            ("stall", after) => Self::Stall(after),
            ("cut", after) => Self::Cut(after),
            ("malformed", after) => Self::Malformed(after),
            (status, None) => match status.parse() {
                Ok(status @ 400..=599) => Self::Refuse(status),
                _ => return Err(unknown(text)),
            },
            _ => return Err(unknown(text)),
        })
    }
}

fn unknown(text: &str) -> String {
    format!(
        "{text:?} is not ok, a status of 400 to 599, stall, cut or malformed, the last three with or without @BYTES"
    )
}

/// `429:10`: what, and in how many of a hundred.
fn chance(text: &str) -> Result<(Act, f64), String> {
    let (act, percent) = text
        .split_once(':')
        .ok_or_else(|| format!("{text:?} does not say in how many of a hundred, as in 429:10"))?;
    let percent: f64 = number(percent)?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(format!("{percent} is not within 0 and 100"));
    }
    Ok((act.parse()?, percent))
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(read).collect()
}

/// `50ms`, or `50ms-2s`.
fn range<T: PartialOrd + Clone>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<RangeInclusive<T>, String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (read(from)?, read(to)?);
    if from > to {
        return Err(format!("{text:?} ends before it begins"));
    }
    Ok(from..=to)
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.trim().parse();
    number.map_err(|_| format!("{text:?} is no number that fits here"))
}

/// A time as people write it: `50ms`, `2s`, `1m 30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no time as in 50ms or 2s"))?;
    let time = Duration::try_from(time).map_err(|_| format!("{text:?} is below zero"))?;
    if time > LONGEST {
        return Err(format!("{text:?} is longer than an hour"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Script, String> {
        let url = Url::parse(&format!("simulator://?{query}")).unwrap();
        Script::read(&url).map_err(|error| error.to_string())
    }

    #[test]
    fn every_parameter_is_read() {
        let ms = Duration::from_millis;
        let script = read(
            "seed=7&latency=50ms-2s&tokens=3-9&tokens_per_second=12.5&chance=429:10,cut:2.5,stall@0:1&\
             script=503,cut@300,malformed,ok&retry_after=2s",
        )
        .unwrap();
        let expected = Script {
            seed: 7,
            latency: ms(50)..=ms(2000),
            tokens: 3..=9,
            tokens_per_second: 12.5,
            chances: vec![
                (Act::Refuse(429), 10.0),
                (Act::Cut(None), 2.5),
                (Act::Stall(Some(0)), 1.0),
            ],
            acts: vec![
                Act::Refuse(503),
                Act::Cut(Some(300)),
                Act::Malformed(None),
                Act::Serve,
            ],
            retry_after: Some(ms(2000)),
        };
        assert_eq!(script, expected);
        assert_eq!(read("").unwrap(), Script::default());
        assert_eq!(read("latency=10ms").unwrap().latency, ms(10)..=ms(10));
        assert_eq!(
            Script::read(&Url::parse("simulator://paris?seed=1").unwrap())
                .unwrap()
                .seed,
            1
        );
    }

    #[test]
    fn what_cannot_be_simulated_is_named() {
        for (query, problem) in [
            ("sead=7", "sead: there is no such parameter"),
            ("seed=-1", "seed: \"-1\" is no number"),
            ("latency=2s-1s", "latency: \"2s-1s\" ends before it begins"),
            ("latency=fast", "latency: \"fast\" is no time"),
            ("latency=2h", "latency: \"2h\" is longer than an hour"),
            ("tokens=0", "tokens: must be within 1 and"),
            ("tokens=1-200000", "tokens: must be within 1 and"),
            (
                "tokens_per_second=-1",
                "tokens_per_second: must be within 0",
            ),
            (
                "tokens_per_second=NaN",
                "tokens_per_second: must be within 0",
            ),
            ("chance=429", "chance: \"429\" does not say"),
            ("chance=429:60,500:60", "chance: 120 of a hundred"),
            ("chance=ok:101", "chance: 101 is not within"),
            ("script=200", "script: \"200\" is not ok"),
            ("script=429@3", "script: \"429@3\" is not ok"),
            ("script=explode", "script: \"explode\" is not ok"),
            ("retry_after=-2s", "retry_after: \"-2s\" is below zero"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.starts_with(problem), "{query}: {error}");
        }
    }
}
