//! What the services of the mesh pay with, on the wire.

use std::collections::HashSet;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::Caller;
use atelier_kit::moment::timestamp;
use atelier_ledger::{Amounts, Ask, Medium, Tariff, Unit};
use atelier_proto::generation::v1 as generation;
use atelier_proto::model::v1 as model;
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{CreditsGrpc, wire};
use crate::error::Error;
use crate::grpc::Answer;

/// Longest name of a model, in bytes.
const MODEL_BYTES: usize = 200;

impl CreditsGrpc {
    pub(super) async fn reserve(
        &self,
        request: Request<pb::ReserveRequest>,
    ) -> Answer<pb::ReserveResponse> {
        let service = role(&request)?;
        let request = request.into_inner();
        let mut check = Check::new();
        check
            .bytes("generation_id", &request.generation_id, 1..=64)
            .bytes("user_id", &request.user_id, 1..=64)
            .bytes("model", &request.model, 0..=MODEL_BYTES);
        let medium = medium(&mut check, request.medium());
        let worst = amounts(&mut check, "worst_case", request.worst_case.as_ref());
        let tariff = tariff(&mut check, &request.prices);
        check.finish()?;
        let currency = self.currency();
        if request
            .prices
            .iter()
            .any(|price| price.currency_code != currency)
        {
            return Err(Error::CurrencyMismatch(currency).into());
        }
        let ask = Ask {
            id: request.generation_id,
            holder: request.user_id,
            service,
            medium: medium.ok_or_else(|| Status::invalid_argument("the medium is not known"))?,
            model: request.model,
            worst,
            tariff,
        };
        let allowed = self.accounts.credits.reserve(&ask).await?;
        let counted = allowed.daily;
        Ok(Response::new(pb::ReserveResponse {
            allowance: Some(generation::Allowance {
                reserved_micros: allowed.reserved.amount,
                currency_code: currency,
                quota_limit: counted.map_or(0, i64::from),
                quota_remaining: allowed.reserved.remaining.map_or(0, i64::from),
                quota_reset_time: counted.map(|_| timestamp(allowed.reset)),
            }),
        }))
    }

    pub(super) async fn settle(
        &self,
        request: Request<pb::SettleRequest>,
    ) -> Answer<pb::SettleResponse> {
        let request = request.into_inner();
        let mut check = Check::new();
        check.bytes("generation_id", &request.generation_id, 1..=64);
        let used = amounts(&mut check, "usage", request.usage.as_ref());
        check.finish()?;
        let credits = &self.accounts.credits;
        let charged_micros = credits.settle(&request.generation_id, &used).await?;
        Ok(Response::new(pb::SettleResponse { charged_micros }))
    }

    pub(super) async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Answer<pb::ReleaseResponse> {
        let request = request.into_inner();
        Check::new()
            .bytes("generation_id", &request.generation_id, 1..=64)
            .finish()?;
        self.accounts
            .credits
            .release(&request.generation_id)
            .await?;
        Ok(Response::new(pb::ReleaseResponse {}))
    }
}

/// The role of the service that calls: whoever makes a generation is asked after it.
fn role<T>(request: &Request<T>) -> Result<String, Fault> {
    match Call::of(request)?.caller {
        Caller::Service(role) => Ok(role.to_string()),
        // The policy lets nobody else in.
        Caller::Nobody | Caller::Account(_) => Err(Fault::new(
            Kind::Denied,
            "INTERNAL_ONLY",
            "this method is for services of the mesh alone",
        )),
    }
}

fn medium(check: &mut Check, medium: pb::Medium) -> Option<Medium> {
    let medium = wire::medium_of(medium);
    check.that(medium.is_some(), "medium", "must be CHAT, IMAGE or SPEECH");
    medium
}

/// Figures of a message that must be there: one that was forgotten would make a generation that costs nothing.
fn amounts(check: &mut Check, field: &str, usage: Option<&generation::Usage>) -> Amounts {
    let Some(usage) = usage else {
        check.broken(field, "must be set");
        return Amounts::default();
    };
    for (name, figure) in [
        ("input_tokens", usage.input_tokens),
        ("output_tokens", usage.output_tokens),
        ("images", usage.images),
        ("characters", usage.characters),
        ("audio_millis", usage.audio_millis),
    ] {
        check.that(figure >= 0, &format!("{field}.{name}"), "must be 0 or more");
    }
    Amounts {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        images: usage.images,
        characters: usage.characters,
        audio_millis: usage.audio_millis,
    }
}

/// The prices, one for each unit.
fn tariff(check: &mut Check, prices: &[model::Price]) -> Tariff {
    let mut tariff = Tariff::default();
    let mut units = HashSet::new();
    for (index, price) in prices.iter().enumerate() {
        let Some(unit) = unit(price.unit()) else {
            check.broken(
                &format!("prices[{index}].unit"),
                "must be a unit that is counted",
            );
            continue;
        };
        check.that(
            units.insert(unit),
            &format!("prices[{index}].unit"),
            "must have one price alone",
        );
        match tariff.with(unit, price.micros) {
            Ok(with) => tariff = with,
            Err(_) => {
                check.broken(&format!("prices[{index}].micros"), "must be 0 or more");
            }
        }
    }
    tariff
}

fn unit(unit: model::PriceUnit) -> Option<Unit> {
    match unit {
        model::PriceUnit::Unspecified => None,
        model::PriceUnit::MillionInputTokens => Some(Unit::MillionInputTokens),
        model::PriceUnit::MillionOutputTokens => Some(Unit::MillionOutputTokens),
        model::PriceUnit::Image => Some(Unit::Image),
        model::PriceUnit::MillionCharacters => Some(Unit::MillionCharacters),
        model::PriceUnit::AudioMinute => Some(Unit::AudioMinute),
    }
}
