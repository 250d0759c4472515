//! Events as the answers of a paid call: what it is paid from is told once more in the trailers, for programs that read no
//! events.

use std::pin::Pin;

use atelier_kit::moment::{self, Micros};
use atelier_proto::generation::v1::{Allowance, GenerationEvent};
use futures_util::{Stream, StreamExt as _};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::events::EventStream;

/// The most that the generation can cost, in millionths of the currency.
pub const RESERVED_MICROS: &str = "atelier-reserved-micros";
/// How many generations of the medium the account may begin in a day.
pub const QUOTA_LIMIT: &str = "atelier-quota-limit";
/// How many of them were left when this one had begun.
pub const QUOTA_REMAINING: &str = "atelier-quota-remaining";
/// In how many seconds all are there again.
pub const QUOTA_RESET: &str = "atelier-quota-reset";

/// The answers of a streaming method.
pub type Answers<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// Events as the answers of a streaming method. One that has told all ends with OK, and with the generation's allowance in
/// its trailers.
pub fn respond<R: Send + 'static>(
    mut events: EventStream,
    wrap: fn(Option<GenerationEvent>) -> R,
) -> Answers<R> {
    Box::pin(async_stream::stream! {
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => yield Ok(wrap(Some(event))),
                Err(error) => {
                    yield Err(error.into());
                    return;
                }
            }
        }
        if let Some(allowance) = events.allowance().await {
            let told = trailers(&allowance, moment::now());
            // A status is the one way to a stream's trailers, and this one says that all went well.
            yield Err(Status::with_metadata(Code::Ok, "", told));
        }
    })
}

fn trailers(allowance: &Allowance, now: Micros) -> MetadataMap {
    let mut trailers = MetadataMap::new();
    let mut tell = |name: &'static str, figure: i64| {
        trailers.insert(name, MetadataValue::from(figure));
    };
    tell(RESERVED_MICROS, allowance.reserved_micros);
    let reset = allowance.quota_reset_time.as_ref();
    if let Some(reset) = reset.and_then(moment::from_timestamp) {
        // A refusal says when to come again, and not how many there may be.
        if allowance.quota_limit > 0 {
            tell(QUOTA_LIMIT, allowance.quota_limit);
        }
        tell(QUOTA_REMAINING, allowance.quota_remaining);
        // Rounded up: whoever waits for so long does not come too early.
        tell(QUOTA_RESET, ((reset - now).max(0) + 999_999) / 1_000_000);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_told_where_there_is_one() {
        let now = 1_790_000_000_000_000;
        let mut allowance = Allowance {
            reserved_micros: 70,
            currency_code: "USD".into(),
            ..Allowance::default()
        };
        let told = |allowance: &Allowance| {
            let told = trailers(allowance, now);
            [RESERVED_MICROS, QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET].map(|name| {
                let value = told.get(name)?;
                Some(value.to_str().unwrap().to_owned())
            })
        };
        let some = |figure: &str| Some(figure.to_owned());
        assert_eq!(told(&allowance), [some("70"), None, None, None]);
        allowance.quota_limit = 10;
        for (left, reset) in [(1_500_000, "2"), (1, "1"), (0, "0"), (-5_000_000, "0")] {
            allowance.quota_reset_time = Some(moment::timestamp(now + left));
            assert_eq!(
                told(&allowance),
                [some("70"), some("10"), some("0"), some(reset)]
            );
        }
        allowance.quota_limit = 0;
        allowance.reserved_micros = 0;
        assert_eq!(told(&allowance), [some("0"), None, some("0"), some("0")]);
    }
}
