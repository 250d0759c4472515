//! Word problems of gaining and losing ("I have 3 cats and buy 2 more, how many …?"); it reads one quantity and no more.

use super::number::{Number, named};
use super::talk::{Part, Talk};
use super::words::Line;

const GAINS: &[&str] = &[
    "have", "has", "had", "buy", "buys", "bought", "get", "gets", "got", "find", "finds", "found",
    "receive", "receives", "add", "adds", "gain", "gains", "earn", "earns", "join", "joins",
    "arrive", "arrives", "pick", "picks", "are",
];
const LOSSES: &[&str] = &[
    "eat", "eats", "ate", "give", "gives", "gave", "lose", "loses", "lost", "sell", "sells",
    "sold", "spend", "spends", "spent", "drop", "drops", "use", "uses", "used", "leave", "leaves",
    "take", "takes", "remove", "break", "breaks", "die", "died",
];

/// Answers a word problem: the first number is what there is, each later one comes or goes by the verb before it.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    let asks = line.is(&[
        "_ how many|much * do|does|are|is|will|have|has _",
        "_ how many|much do|does|are|is|will _",
    ]);
    let states = line.is(&["if|i|he|she|there|we|suppose|say|my|imagine _"])
        || line
            .words
            .first()
            .is_some_and(|word| word.end > 0 && line.raw.starts_with(char::is_uppercase));
    if !asks || !states {
        return None;
    }
    let mut total: Option<Number> = None;
    let mut shown = String::new();
    let mut gains = true;
    let mut count = 0;
    for word in &line.words {
        let norm = word.norm.as_str();
        if norm == "how" {
            break;
        }
        if GAINS.contains(&norm) {
            gains = true;
        } else if LOSSES.contains(&norm) {
            gains = false;
        }
        let value =
            Number::read(norm).or_else(|| named(norm).map(|(value, _)| Number::whole(value)));
        let Some(value) = value else { continue };
        count += 1;
        total = match total {
            None => {
                shown = value.show();
                Some(value)
            }
            Some(sum) => {
                shown.push_str(&format!(
                    " {} {}",
                    if gains { "+" } else { "−" },
                    value.show()
                ));
                Some(if gains {
                    sum.plus(value)?
                } else {
                    sum.minus(value)?
                })
            }
        };
    }
    let total = total.filter(|_| (2..=8).contains(&count))?;
    talk.last_number = Some(total);
    Some(Part::Answer(talk.vary(&[
        format!("{}: {shown} = {}.", total.show(), total.show()),
        format!("{shown} makes {}.", total.show()),
    ])))
}
