//! A model's terms on the wire, as they are today, and what a generation is quoted on them.

use atelier_generation::Quote;
use atelier_kit::moment::{self, Micros};
use atelier_proto::generation::v1::Usage;
use atelier_proto::model::v1 as wire;
use atelier_proto::users::v1::Medium as PaidAs;

use crate::registry::{Medium, ModelSpec, Price, Stage, Unit};

/// The terms of a model at this time.
pub fn terms(model: &ModelSpec, now: Micros) -> wire::Terms {
    let count = |limit: Option<u32>| limit.map_or(0, i64::from);
    let side = |limit: Option<u32>| limit.map_or(0, |side| i32::try_from(side).unwrap_or(i32::MAX));
    let limits = &model.limits;
    wire::Terms {
        upstream_name: model.upstream_name.clone(),
        lifecycle: Some(wire::Lifecycle {
            state: match model.life.at(now) {
                Stage::Active => wire::LifecycleState::Active,
                Stage::Deprecated => wire::LifecycleState::Deprecated,
                Stage::ShutDown => wire::LifecycleState::ShutDown,
            }
            .into(),
            shut_down_time: model.life.shut_down.map(moment::timestamp),
            replacement: model.life.replacement.clone().unwrap_or_default(),
        }),
        prices: prices(model.prices.at(now)),
        announced_prices: model
            .prices
            .after(now)
            .map(|(from, list)| wire::PriceChange {
                start_time: Some(moment::timestamp(from)),
                prices: prices(list),
            })
            .collect(),
        limits: Some(wire::Limits {
            context_tokens: count(limits.context_tokens),
            output_tokens: count(limits.output_tokens),
            input_characters: count(limits.input_characters),
            width: side(limits.width),
            height: side(limits.height),
        }),
        capabilities: model.capabilities.clone(),
        fallbacks: model.fallbacks.clone(),
    }
}

/// What a generation is quoted that uses so much at most, at the prices of this model as they are at this time.
pub fn quote(model: &ModelSpec, worst: Usage, at: Micros) -> Quote {
    Quote {
        medium: match model.medium {
            Medium::Chat => PaidAs::Chat,
            Medium::Image => PaidAs::Image,
            Medium::Speech => PaidAs::Speech,
        },
        model: model.id.clone(),
        worst,
        prices: prices(model.prices.at(at)),
    }
}

/// Prices as the wire has them.
pub fn prices(prices: &[Price]) -> Vec<wire::Price> {
    let price = |price: &Price| wire::Price {
        unit: match price.unit {
            Unit::MillionInputTokens => wire::PriceUnit::MillionInputTokens,
            Unit::MillionOutputTokens => wire::PriceUnit::MillionOutputTokens,
            Unit::Image => wire::PriceUnit::Image,
            Unit::MillionCharacters => wire::PriceUnit::MillionCharacters,
            Unit::AudioMinute => wire::PriceUnit::AudioMinute,
        }
        .into(),
        micros: price.micros,
        currency_code: price.currency.clone(),
    };
    prices.iter().map(price).collect()
}
