//! The RPCs: wire to domain and back; the rules are behind the ports and in the generation crate.

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::{Answers, Generations, NewGeneration, Priority, Repeat, respond};
use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::Fault;
use atelier_kit::idempotency;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::{BlobStore, ObjectKey};
use atelier_kit::page::Pages;
use atelier_privacy::Keepsakes;
use atelier_proto::text_image::v1 as wire;
use atelier_proto::text_image::v1::text_image_service_server::TextImageService;
use atelier_upstream::offers::terms;
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::image::{Commission, DEFAULT_SIDE, Image, SIDES};
use crate::painter::offline::Style;
use crate::painter::{Entry, Studio};
use crate::ports::ImageStore;
use crate::provider::URL_LIFETIME;

/// The kind of generation that GenerateImage starts.
const GENERATE_IMAGE: &str = "generate-image";
/// How long a deletion waits for a picture to end that it cancelled.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// The RPCs of this service.
pub struct Rpcs {
    pub(crate) store: Arc<dyn ImageStore>,
    pub(crate) painters: Arc<Studio>,
    pub(crate) objects: Arc<dyn BlobStore>,
    pub(crate) generations: Generations,
    pub(crate) pages: Pages,
    pub(crate) keepsakes: Arc<dyn Keepsakes>,
}

impl Rpcs {
    /// An image as the wire has it, with a fresh URL once there is an object.
    async fn image(&self, image: Image) -> Result<wire::Image, Error> {
        let mut told = wire::Image {
            id: image.id,
            user_id: image.user_id,
            prompt: image.commission.prompt,
            size: Some(wire::Size {
                width: side(image.commission.width),
                height: side(image.commission.height),
            }),
            style: image.commission.style,
            seed: image.commission.seed,
            state: image.state.into(),
            provider: image.provider,
            model: image.model,
            create_time: Some(moment::timestamp(image.create_time)),
            update_time: Some(moment::timestamp(image.update_time)),
            ..wire::Image::default()
        };
        if let Some(stored) = image.stored {
            let key = ObjectKey::new(stored.s3_key)?;
            let signed = self.objects.signed_url(&key, URL_LIFETIME).await?;
            told.content_type = stored.content_type;
            told.size_bytes = stored.size_bytes;
            told.sha256 = stored.sha256;
            told.download_url = signed.url;
            told.url_expire_time = Some(moment::timestamp(moment::micros(signed.expires)));
            told.processing_time = Some(moment::duration(stored.processing_micros));
        }
        Ok(told)
    }

    /// The picture that a request asks for.
    fn picture(
        &self,
        call: &Call,
        request: &wire::GenerateImageRequest,
        body: &[u8],
    ) -> Result<NewGeneration, Status> {
        let mut check = Check::new();
        check
            .chars("prompt", &request.prompt, 1..=4000)
            .not_blank("prompt", &request.prompt)
            .optional_id("request_id", &request.request_id);
        let asked = size(&mut check, request.size);
        let style = if request.style.is_empty() {
            Some(Style::ALL[0])
        } else {
            // Other spellings of a style are understood by the painter; the contract has one.
            Style::ALL
                .into_iter()
                .find(|style| style.id() == request.style)
        };
        check.that(
            style.is_some(),
            "style",
            "must be a style of ListStyles, or empty",
        );
        let menu = self.painters.now();
        check.that(
            menu.get(&request.model).is_some(),
            "model",
            "must be a model of ListStyles, or empty",
        );
        check.finish()?;
        let style = style.ok_or_else(|| Fault::not_found("style"))?;
        let choice = menu
            .choose(&request.model, moment::now())
            .map_err(Fault::from)?;
        let painter = &choice.offer;
        let (width, height) = within(painter, asked)?;
        let id = moment::new_id();
        let commission = Commission {
            prompt: request.prompt.clone(),
            style: style.id().to_owned(),
            width,
            height,
            seed: request.seed.unwrap_or_else(|| seed_of(&id)),
            asked: choice.replaced().map(str::to_owned),
        };
        Ok(NewGeneration {
            subject: id.clone(),
            id,
            owner: call.account()?.id.to_string(),
            priority: Priority::of(call),
            kind: GENERATE_IMAGE,
            body: body.to_vec(),
            request_id: Some(request.request_id.clone()).filter(|id| !id.is_empty()),
            task: commission.encode(),
            provider: painter.model.provider.clone(),
            model: painter.model.id.clone(),
        })
    }

    /// A page of images, and the token of the next.
    async fn page(
        &self,
        scope: &[&str],
        user_id: Option<&str>,
        limit: i64,
        token: &str,
    ) -> Result<(Vec<wire::Image>, String), Status> {
        let before: Option<(Micros, String)> = self.pages.cursor(scope, token)?;
        let mut rows = self.store.list(user_id, before, limit + 1).await?;
        let next = self.pages.cut(scope, &mut rows, limit, |last| {
            (last.create_time, last.id.clone())
        });
        let mut images = Vec::with_capacity(rows.len());
        for row in rows {
            images.push(self.image(row).await?);
        }
        Ok((images, next))
    }
}

fn side(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

/// The size asked for, where one was, or the violations of its fields.
fn size(check: &mut Check, asked: Option<wire::Size>) -> Option<(u32, u32)> {
    let asked = asked?;
    check.within("size.width", asked.width.into(), SIDES);
    check.within("size.height", asked.height.into(), SIDES);
    Some((asked.width.unsigned_abs(), asked.height.unsigned_abs()))
}

/// The size within the limits of the model that paints. A size that nobody asked for is made to fit.
fn within(painter: &Entry, asked: Option<(u32, u32)>) -> Result<(u32, u32), Fault> {
    let (most_width, most_height) = painter.largest();
    let Some((width, height)) = asked else {
        return Ok((DEFAULT_SIDE.min(most_width), DEFAULT_SIDE.min(most_height)));
    };
    let rule = |most: u32| format!("must be at most {most}, the limit of {}", painter.model.id);
    Check::new()
        .that(width <= most_width, "size.width", &rule(most_width))
        .that(height <= most_height, "size.height", &rule(most_height))
        .finish()?;
    Ok((width, height))
}

/// A seed for a picture whose caller named none: another one for each picture.
fn seed_of(id: &str) -> i64 {
    let [a, b, c, d, ..] = atelier_kit::secret::digest(&[id.as_bytes()]);
    u32::from_be_bytes([a, b, c, d]).into()
}

#[tonic::async_trait]
impl TextImageService for Rpcs {
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

    type GenerateImageStream = Answers<wire::GenerateImageResponse>;
    type WatchGenerationStream = Answers<wire::WatchGenerationResponse>;

    async fn list_styles(
        &self,
        _: Request<wire::ListStylesRequest>,
    ) -> Result<Response<wire::ListStylesResponse>, Status> {
        let styles = Style::ALL
            .iter()
            .enumerate()
            .map(|(at, style)| wire::Style {
                id: style.id().to_owned(),
                title: style.title().to_owned(),
                description: style.description().to_owned(),
                is_default: at == 0,
            });
        let (menu, now) = (self.painters.now(), moment::now());
        let models = menu.iter().enumerate().map(|(at, entry)| wire::Model {
            id: entry.model.id.clone(),
            provider: entry.model.provider.clone(),
            is_default: at == 0,
            terms: Some(terms(&entry.model, now)),
        });
        Ok(Response::new(wire::ListStylesResponse {
            styles: styles.collect(),
            models: models.collect(),
        }))
    }

    async fn generate_image(
        &self,
        request: Request<wire::GenerateImageRequest>,
    ) -> Result<Response<Self::GenerateImageStream>, Status> {
        let call = Call::of(&request)?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let owner = &call.account()?.id;
        let body = request.encode_to_vec();
        let again = Repeat {
            owner,
            request_id: &request.request_id,
            kind: GENERATE_IMAGE,
            body: &body,
        };
        let made = self.picture(&call, &request, &body);
        let events = self.generations.start_rpc(made, again).await?;
        Ok(Response::new(respond(events, |event| {
            wire::GenerateImageResponse { event }
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
            upstreams: self.painters.callers().upstreams(),
        }))
    }

    async fn get_image(
        &self,
        request: Request<wire::GetImageRequest>,
    ) -> Result<Response<wire::GetImageResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new().id("image_id", &request.image_id).finish()?;
        let found = self
            .store
            .find(&call.account()?.id, &request.image_id)
            .await?;
        Ok(Response::new(wire::GetImageResponse {
            image: Some(self.image(found).await?),
        }))
    }

    async fn list_images(
        &self,
        request: Request<wire::ListImagesRequest>,
    ) -> Result<Response<wire::ListImagesResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["images", &*owner];
        let (images, next_page_token) = self
            .page(&scope, Some(&owner), limit, &request.page_token)
            .await?;
        Ok(Response::new(wire::ListImagesResponse {
            images,
            next_page_token,
        }))
    }

    async fn delete_image(
        &self,
        request: Request<wire::DeleteImageRequest>,
    ) -> Result<Response<wire::DeleteImageResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        Check::new().id("image_id", &request.image_id).finish()?;
        if !self.store.delete(&owner, &request.image_id).await? {
            self.generations
                .forget(&owner, &request.image_id, CANCEL_WAIT)
                .await?;
            if !self.store.delete(&owner, &request.image_id).await? {
                return Err(Error::StillRunning.into());
            }
        }
        Ok(Response::new(wire::DeleteImageResponse {}))
    }

    async fn list_all_images(
        &self,
        request: Request<wire::ListAllImagesRequest>,
    ) -> Result<Response<wire::ListAllImagesResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.optional_id("user_id", &request.user_id);
        check.finish()?;
        let scope = ["all-images", &request.user_id];
        let of = Some(request.user_id.as_str()).filter(|id| !id.is_empty());
        let (images, next_page_token) = self.page(&scope, of, limit, &request.page_token).await?;
        Ok(Response::new(wire::ListAllImagesResponse {
            images,
            next_page_token,
        }))
    }
}
