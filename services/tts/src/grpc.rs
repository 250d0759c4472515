//! The RPCs: wire to domain and back; the rules are behind the ports and in the generation crate.

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::{Answers, Generations, NewGeneration, Priority, Repeat, respond};
use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::Fault;
use atelier_kit::idempotency;
use atelier_kit::moment;
use atelier_kit::objects::{BlobStore, ObjectKey};
use atelier_kit::page::Pages;
use atelier_privacy::Keepsakes;
use atelier_proto::tts::v1 as wire;
use atelier_proto::tts::v1::tts_service_server::TtsService;
use atelier_upstream::offers::terms;
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::audio::AudioFormat;
use crate::conversion::{CHARACTERS, Conversion, FACTORS, Order, has_words};
use crate::error::Error;
use crate::ports::ConversionStore;
use crate::provider::URL_LIFETIME;
use crate::voice::{Entry, Voices};

/// How long a deletion waits for a generation to end that it cancelled.
const CANCEL_WAIT: Duration = Duration::from_secs(5);
/// The kind of generation that Synthesize starts.
const SYNTHESIZE: &str = "synthesize";

/// The RPCs of this service.
pub struct Rpcs {
    pub(crate) store: Arc<dyn ConversionStore>,
    pub(crate) voices: Arc<Voices>,
    pub(crate) objects: Arc<dyn BlobStore>,
    pub(crate) generations: Generations,
    pub(crate) pages: Pages,
    pub(crate) keepsakes: Arc<dyn Keepsakes>,
}

impl Rpcs {
    /// What is to be spoken and by whom, or the violations of the fields.
    fn order(
        &self,
        call: &Call,
        request: &wire::SynthesizeRequest,
        body: &[u8],
    ) -> Result<NewGeneration, Status> {
        let mut check = Check::new();
        check
            .chars("text", &request.text, CHARACTERS)
            .optional_id("request_id", &request.request_id);
        if !request.text.is_empty() {
            check.that(
                has_words(&request.text),
                "text",
                "must have at least one letter or digit",
            );
        }
        let speed = request.speed.unwrap_or(1.0);
        let pitch = request.pitch.unwrap_or(1.0);
        check
            .between("speed", speed, FACTORS)
            .between("pitch", pitch, FACTORS);
        let format = format_asked(request.format);
        check.that(
            format.is_some(),
            "format",
            "must be a format that is named in AudioFormat",
        );
        let menu = self.voices.now();
        check.that(
            menu.get(&request.voice).is_some(),
            "voice",
            "must be a voice of ListVoices, or empty",
        );
        let choice = menu.choose(&request.voice, moment::now());
        if let Ok(choice) = &choice {
            able(&mut check, &choice.offer, &request.text, format, pitch);
        }
        check.finish()?;
        let choice = choice.map_err(Fault::from)?;
        let format = format.ok_or_else(|| Fault::not_found("format"))?;
        let voice = &choice.offer;
        let order = Order {
            text: request.text.clone(),
            voice: voice.voice.id.clone(),
            language: voice.language.clone(),
            format,
            speed,
            pitch,
            request_id: Some(request.request_id.clone()).filter(|id| !id.is_empty()),
            create_time: moment::now(),
            asked: choice.replaced().map(str::to_owned),
        };
        let id = moment::new_id();
        Ok(NewGeneration {
            subject: id.clone(),
            id,
            owner: call.account()?.id.to_string(),
            priority: Priority::of(call),
            kind: SYNTHESIZE,
            body: body.to_vec(),
            request_id: order.request_id.clone(),
            task: order.encode(),
            provider: voice.model.provider.clone(),
            model: voice.model.id.clone(),
        })
    }

    /// A conversion with a fresh URL, and with what is known of one that is still being made.
    async fn conversion(&self, mut conversion: Conversion) -> Result<wire::Conversion, Error> {
        if conversion.is_in_progress()
            && let Ok(record) = self
                .generations
                .find(&conversion.user_id, &conversion.id)
                .await
            && !record.has_ended()
        {
            conversion.state = record.state;
        }
        let order = conversion.order;
        let mut told = wire::Conversion {
            id: conversion.id,
            user_id: conversion.user_id,
            text: order.text,
            voice: order.voice,
            language: order.language,
            format: format_told(order.format).into(),
            speed: order.speed,
            pitch: order.pitch,
            state: conversion.state.into(),
            provider: conversion.provider,
            model: conversion.model,
            create_time: Some(moment::timestamp(order.create_time)),
            update_time: Some(moment::timestamp(conversion.update_time)),
            ..wire::Conversion::default()
        };
        if let Some(stored) = conversion.stored {
            let key = ObjectKey::new(stored.s3_key)?;
            let signed = self.objects.signed_url(&key, URL_LIFETIME).await?;
            told.duration = Some(moment::duration(stored.duration_micros));
            told.size_bytes = stored.size_bytes;
            told.sha256 = stored.sha256;
            told.download_url = signed.url;
            told.url_expire_time = Some(moment::timestamp(moment::micros(signed.expires)));
            told.processing_time = Some(moment::duration(stored.processing_micros));
        }
        Ok(told)
    }
}

/// What a voice cannot do of what is asked.
fn able(check: &mut Check, voice: &Entry, text: &str, format: Option<AudioFormat>, pitch: f64) {
    check.that(
        voice.has_pitch || pitch == 1.0,
        "pitch",
        "this voice has one pitch",
    );
    if let Some(format) = format {
        check.that(
            voice.formats.contains(&format),
            "format",
            "this voice has no such format",
        );
    }
    if let Some(most) = voice.model.limits.input_characters {
        let rule = format!(
            "must have at most {most} characters, the limit of {}",
            voice.model.id
        );
        let count = text.chars().count();
        let fits = u32::try_from(count).is_ok_and(|count| count <= most);
        check.that(fits, "text", &rule);
    }
}

/// The format of a number on the wire; `None` for a number that has no name.
fn format_asked(format: i32) -> Option<AudioFormat> {
    match wire::AudioFormat::try_from(format).ok()? {
        wire::AudioFormat::Unspecified | wire::AudioFormat::Wav => Some(AudioFormat::Wav),
        wire::AudioFormat::Flac => Some(AudioFormat::Flac),
    }
}

fn format_told(format: AudioFormat) -> wire::AudioFormat {
    match format {
        AudioFormat::Wav => wire::AudioFormat::Wav,
        AudioFormat::Flac => wire::AudioFormat::Flac,
    }
}

#[tonic::async_trait]
impl TtsService for Rpcs {
    type ExportPersonalDataStream = atelier_privacy::Pieces<wire::ExportPersonalDataResponse>;

    async fn export_personal_data(
        &self,
        request: Request<wire::ExportPersonalDataRequest>,
    ) -> Result<Response<Self::ExportPersonalDataStream>, Status> {
        let account = request.into_inner().user_id;
        let keepsakes = self.keepsakes.clone();
        atelier_privacy::export(keepsakes, crate::ROLE, &account, |piece| {
            wire::ExportPersonalDataResponse { piece }
        })
        .map(Response::new)
    }

    async fn erase_personal_data(
        &self,
        request: Request<wire::ErasePersonalDataRequest>,
    ) -> Result<Response<wire::ErasePersonalDataResponse>, Status> {
        let account = request.into_inner().user_id;
        let receipt = atelier_privacy::erase(&*self.keepsakes, crate::ROLE, &account).await?;
        Ok(Response::new(wire::ErasePersonalDataResponse {
            receipt: Some(receipt),
        }))
    }

    async fn inspect_generation(
        &self,
        request: Request<wire::InspectGenerationRequest>,
    ) -> Result<Response<wire::InspectGenerationResponse>, Status> {
        let id = request.into_inner().generation_id;
        let standing = self.generations.inspect_rpc(&id).await?;
        Ok(Response::new(wire::InspectGenerationResponse {
            standing: Some(standing),
        }))
    }

    type SynthesizeStream = Answers<wire::SynthesizeResponse>;
    type WatchGenerationStream = Answers<wire::WatchGenerationResponse>;

    async fn list_voices(
        &self,
        _: Request<wire::ListVoicesRequest>,
    ) -> Result<Response<wire::ListVoicesResponse>, Status> {
        let (menu, now) = (self.voices.now(), moment::now());
        let voices = menu.iter().enumerate().map(|(at, entry)| wire::Voice {
            id: entry.voice.id.clone(),
            title: entry.title.clone(),
            language: entry.language.clone(),
            provider: entry.model.provider.clone(),
            model: entry.model.id.clone(),
            sample_rate_hertz: i32::try_from(entry.sample_rate).unwrap_or(0),
            formats: entry
                .formats
                .iter()
                .map(|format| format_told(*format).into())
                .collect(),
            is_default: at == 0,
            terms: Some(terms(&entry.model, now)),
        });
        Ok(Response::new(wire::ListVoicesResponse {
            voices: voices.collect(),
        }))
    }

    async fn synthesize(
        &self,
        request: Request<wire::SynthesizeRequest>,
    ) -> Result<Response<Self::SynthesizeStream>, Status> {
        let call = Call::of(&request)?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let owner = &call.account()?.id;
        let body = request.encode_to_vec();
        let again = Repeat {
            owner,
            request_id: &request.request_id,
            kind: SYNTHESIZE,
            body: &body,
        };
        let made = self.order(&call, &request, &body);
        let events = self.generations.start_rpc(made, again).await?;
        Ok(Response::new(respond(events, |event| {
            wire::SynthesizeResponse { event }
        })))
    }

    async fn watch_generation(
        &self,
        request: Request<wire::WatchGenerationRequest>,
    ) -> Result<Response<Self::WatchGenerationStream>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let events = self
            .generations
            .watch_rpc(&call, &request.generation_id, request.after_sequence)
            .await?;
        Ok(Response::new(respond(events, |event| {
            wire::WatchGenerationResponse { event }
        })))
    }

    async fn cancel_generation(
        &self,
        request: Request<wire::CancelGenerationRequest>,
    ) -> Result<Response<wire::CancelGenerationResponse>, Status> {
        let call = Call::of(&request)?;
        let id = request.into_inner().generation_id;
        let state = self.generations.cancel_rpc(&call, &id).await?;
        Ok(Response::new(wire::CancelGenerationResponse {
            state: state.into(),
        }))
    }

    async fn list_generations(
        &self,
        request: Request<wire::ListGenerationsRequest>,
    ) -> Result<Response<wire::ListGenerationsResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let (generations, next_page_token) = self
            .generations
            .list_rpc(
                &call,
                &self.pages,
                request.page_size,
                &request.page_token,
                request.open_only,
            )
            .await?;
        Ok(Response::new(wire::ListGenerationsResponse {
            generations,
            next_page_token,
        }))
    }

    async fn list_upstreams(
        &self,
        _: Request<wire::ListUpstreamsRequest>,
    ) -> Result<Response<wire::ListUpstreamsResponse>, Status> {
        Ok(Response::new(wire::ListUpstreamsResponse {
            upstreams: self.voices.callers().upstreams(),
        }))
    }

    async fn get_conversion(
        &self,
        request: Request<wire::GetConversionRequest>,
    ) -> Result<Response<wire::GetConversionResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .id("conversion_id", &request.conversion_id)
            .finish()?;
        let found = self
            .store
            .find(&call.account()?.id, &request.conversion_id)
            .await?;
        let conversion = Some(self.conversion(found).await?);
        Ok(Response::new(wire::GetConversionResponse { conversion }))
    }

    async fn list_conversions(
        &self,
        request: Request<wire::ListConversionsRequest>,
    ) -> Result<Response<wire::ListConversionsResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["conversions", &*owner];
        let before = self.pages.cursor(&scope, &request.page_token)?;
        let mut rows = self.store.list(&owner, before, limit + 1).await?;
        let next_page_token = self.pages.cut(&scope, &mut rows, limit, |last| {
            (last.order.create_time, last.id.clone())
        });
        let mut conversions = Vec::with_capacity(rows.len());
        for row in rows {
            conversions.push(self.conversion(row).await?);
        }
        Ok(Response::new(wire::ListConversionsResponse {
            conversions,
            next_page_token,
        }))
    }

    async fn delete_conversion(
        &self,
        request: Request<wire::DeleteConversionRequest>,
    ) -> Result<Response<wire::DeleteConversionResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        Check::new()
            .id("conversion_id", &request.conversion_id)
            .finish()?;
        if !self.store.delete(&owner, &request.conversion_id).await? {
            self.generations
                .forget(&owner, &request.conversion_id, CANCEL_WAIT)
                .await?;
            if !self.store.delete(&owner, &request.conversion_id).await? {
                return Err(Error::StillRunning.into());
            }
        }
        Ok(Response::new(wire::DeleteConversionResponse {}))
    }
}
