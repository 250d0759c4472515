//! `atelier image`: a picture from a prompt, into a file.

use anyhow::Context as _;
use async_trait::async_trait;
use atelier_proto::generation::v1::Artifact;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::text_image::v1::text_image_service_client::TextImageServiceClient;
use atelier_proto::text_image::v1::{
    GenerateImageRequest, GetImageRequest, Image as Picture, ListStylesRequest, Size,
};
use tonic::transport::Channel;

use super::Ground;
use super::generation::{Events, Listener, Medium, Started, events, follow, follows, request_id};
use super::interrupt::Interrupts;
use super::json::Json;
use super::object::deliver;
use super::output::Output;
use super::progress::Progress;
use super::session::Session;
use super::terminal::{Terminal, plain, print};
use super::trouble::Trouble;
use crate::args::Image;

const GENERATE: &str = "/atelier.text_image.v1.TextImageService/GenerateImage";

/// Runs it.
pub async fn run(ground: &Ground<'_>, image: Image) -> anyhow::Result<()> {
    if image.list_models {
        return list(ground, image.json).await;
    }
    let prompt = super::words(&image.prompt)?;
    let output = Output::decide(image.out.as_deref(), image.force, &prompt)?;
    if image.json && matches!(output, Output::Stdout) {
        return Err(Trouble::usage("--json and -o - want the same standard output").into());
    }
    let request = GenerateImageRequest {
        prompt,
        size: image.size.map(|(width, height)| Size { width, height }),
        style: image.style.unwrap_or_default(),
        seed: image.seed,
        model: image.model.unwrap_or_default(),
        request_id: request_id(),
    };
    ground
        .visit(async |session| {
            session.admit(GENERATE).await?;
            let mut interrupts = Interrupts::of_process()?;
            let mut watched = Watched::new(ground.terminal, "painting");
            let picture = Started {
                session,
                request,
            };
            let ended = follow(&picture, &mut watched, &mut interrupts)
                .await
                .map_err(|error| session.gone(hinted(error)))?;
            watched.progress.say("fetching");
            let artifact = ended.artifact.context("it ended without a picture")?;
            let fresh = async || Ok(made(session, &artifact.id).await?.download_url);
            let delivery = deliver(session, &artifact, &output, fresh);
            let path = tokio::select! {
                path = delivery => path?,
                () = interrupts.next() => {
                    return Err(Trouble::interrupted("interrupted; the picture is kept on the server").into());
                }
            };
            watched.end(ground.terminal);
            if image.json {
                return print(&written(&artifact, &path)?);
            }
            if ground.terminal.err {
                // A courtesy, without which the picture is no worse.
                let made = made(session, &artifact.id).await.unwrap_or_default();
                ground.terminal.aside(&about(&made, &ended.provider));
            }
            if matches!(output, Output::Stdout) {
                return Ok(());
            }
            print(&format!("{}\n", path.display()))
        })
        .await
}

/// What the server knows of a picture, with a fresh URL.
async fn made(session: &Session<'_>, id: &str) -> anyhow::Result<Picture> {
    let request = GetImageRequest {
        image_id: id.to_owned(),
    };
    let answer = session
        .ask(request, async |channel: Channel, request| {
            TextImageServiceClient::new(channel)
                .get_image(request)
                .await
        })
        .await?;
    answer.image.context("an answer without a picture")
}

fn about(picture: &Picture, provider: &str) -> String {
    let size = picture.size.unwrap_or_default();
    let mut parts = vec![provider.to_owned()];
    if !picture.id.is_empty() {
        parts.insert(0, picture.model.clone());
        parts.push(format!("{}×{}", size.width, size.height));
        if !picture.style.is_empty() {
            parts.push(picture.style.clone());
        }
        parts.push(format!("seed {}", picture.seed));
    }
    parts.join(" · ")
}

/// A refused style or model is easier to mend with the list at hand.
fn hinted(error: anyhow::Error) -> anyhow::Error {
    let told = super::trouble::status_of(&error)
        .filter(|status| status.code() == tonic::Code::InvalidArgument)
        .map(|status| status.message().to_owned());
    match told {
        Some(message) if message.starts_with("style") || message.starts_with("model") => {
            Trouble::usage(format!("{message} (--list-models lists them)")).into()
        }
        _ => error,
    }
}

/// An artifact and the file it was written to, as one object on a line.
pub fn written(artifact: &Artifact, path: &std::path::Path) -> anyhow::Result<String> {
    let artifact = Json::new()?.line("atelier.generation.v1.Artifact", artifact)?;
    let file = serde_json::to_string(&path.display().to_string())?;
    Ok(format!("{{\"artifact\":{artifact},\"file\":{file}}}\n"))
}

impl Medium for Started<'_, GenerateImageRequest> {
    fn start(&self) -> Events<'_> {
        events(
            self.session
                .call(self.request.clone(), async |channel, request| {
                    TextImageServiceClient::new(channel)
                        .generate_image(request)
                        .await
                }),
            |answer| answer.event,
        )
    }

    follows!(text_image, TextImageServiceClient<Channel>);
}

/// A generation whose progress is shown, and whose warnings are told at its end.
pub struct Watched {
    /// What is shown.
    pub progress: Progress,
    what: &'static str,
    warnings: Vec<String>,
}

impl Watched {
    /// Begins; `what` says what is being done.
    pub fn new(terminal: Terminal, what: &'static str) -> Self {
        Self {
            progress: Progress::new(terminal, what),
            what,
            warnings: Vec::new(),
        }
    }

    /// Shows an event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::Queued(queued) if queued.position > 0 => {
                self.progress
                    .say(&format!("waiting, {} before it", queued.position));
            }
            Event::Started(_) => self.progress.say(self.what),
            Event::Snapshot(snapshot) => {
                self.progress.say(self.what);
                self.progress.set(snapshot.fraction);
            }
            Event::Progress(progress) => {
                self.progress.say(self.what);
                self.progress.set(progress.fraction);
            }
            Event::Warning(warning) => self.warnings.push(warning.message.clone()),
            _ => {}
        }
    }

    /// Ends what is shown, and tells the warnings.
    pub fn end(&mut self, terminal: Terminal) {
        self.progress.end();
        for warning in self.warnings.drain(..) {
            terminal.note(&warning);
        }
    }
}

#[async_trait(?Send)]
impl Listener for Watched {
    async fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        self.see(event);
        Ok(())
    }

    fn lost(&mut self) {
        self.progress.say("the connection was lost; reconnecting");
    }
}

async fn list(ground: &Ground<'_>, json: bool) -> anyhow::Result<()> {
    ground
        .visit(async |session| {
            let answer = TextImageServiceClient::new(session.connection().channel)
                .list_styles(ListStylesRequest {})
                .await?
                .into_inner();
            let mut text = String::new();
            if json {
                let json = Json::new()?;
                for model in &answer.models {
                    let line = json.line("atelier.text_image.v1.Model", model)?;
                    text.push_str(&format!("{{\"model\":{line}}}\n"));
                }
                for style in &answer.styles {
                    let line = json.line("atelier.text_image.v1.Style", style)?;
                    text.push_str(&format!("{{\"style\":{line}}}\n"));
                }
                return print(&text);
            }
            for model in &answer.models {
                let line = format!("model  {:<16} {}", model.id, model.provider);
                text.push_str(&format!("{}\n", plain(&line)));
            }
            for style in &answer.styles {
                let line = format!("style  {:<16} {}", style.id, style.description);
                text.push_str(&format!("{}\n", plain(&line)));
            }
            print(&text)
        })
        .await
}
