//! `atelier say`: a text spoken, into a file or straight on to whoever plays it.

use std::io::{Read as _, Seek as _, SeekFrom};

use anyhow::Context as _;
use async_trait::async_trait;
use atelier_proto::generation::v1::Artifact;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::tts::v1::tts_service_client::TtsServiceClient;
use atelier_proto::tts::v1::{
    AudioFormat, GetConversionRequest, ListVoicesRequest, SynthesizeRequest,
};
use tonic::transport::Channel;

use super::Ground;
use super::generation::{Events, Listener, Medium, Started, events, follow, follows, request_id};
use super::image::{Watched, written};
use super::interrupt::Interrupts;
use super::json::Json;
use super::object::{deliver, fetch};
use super::output::Output;
use super::session::Session;
use super::terminal::{plain, pour, print};
use super::trouble::Trouble;
use crate::args::{Format, Say};

const SYNTHESIZE: &str = "/atelier.tts.v1.TtsService/Synthesize";

/// Runs it.
pub async fn run(ground: &Ground<'_>, say: Say) -> anyhow::Result<()> {
    if say.list_voices {
        return list(ground, say.json).await;
    }
    let text = super::words(&say.text)?;
    let output = Output::decide(say.out.as_deref(), say.force, &text)?;
    let streamed = matches!(output, Output::Stdout);
    if say.json && streamed {
        return Err(Trouble::usage("--json and -o - want the same standard output").into());
    }
    let format = match say.format {
        Format::Wav => AudioFormat::Wav,
        Format::Flac => AudioFormat::Flac,
    };
    let request = SynthesizeRequest {
        text,
        voice: say.voice.unwrap_or_default(),
        format: format.into(),
        speed: say.speed,
        pitch: say.pitch,
        request_id: request_id(),
    };
    ground
        .visit(async |session| {
            session.admit(SYNTHESIZE).await?;
            let mut interrupts = Interrupts::of_process()?;
            let mut sound = Sound {
                watched: Watched::new(ground.terminal, "speaking"),
                streamed,
                poured: 0,
                gap: false,
            };
            let speech = Started {
                session,
                request,
            };
            let ended = follow(&speech, &mut sound, &mut interrupts)
                .await
                .map_err(|error| session.gone(error))?;
            let artifact = ended.artifact.context("it ended without audio")?;
            let delivery = async {
                let fresh = async || fresh(session, &artifact.id).await;
                if streamed {
                    sound.rest(session, &artifact, &output, fresh).await?;
                    return Ok(None);
                }
                let path = deliver(session, &artifact, &output, fresh).await?;
                anyhow::Ok(Some(path))
            };
            let path = tokio::select! {
                path = delivery => path?,
                () = interrupts.next() => {
                    return Err(Trouble::interrupted("interrupted; the audio is kept on the server").into());
                }
            };
            sound.watched.end(ground.terminal);
            let Some(path) = path else {
                return Ok(());
            };
            if say.json {
                return print(&written(&artifact, &path)?);
            }
            let seconds = artifact.duration.unwrap_or_default();
            ground.terminal.aside(&format!(
                "{} · {} · {}.{} s",
                ended.model,
                ended.provider,
                seconds.seconds,
                seconds.nanos / 100_000_000
            ));
            print(&format!("{}\n", path.display()))
        })
        .await
}

/// Speech that is being made.
struct Sound {
    watched: Watched,
    streamed: bool,
    /// How many bytes went to standard output.
    poured: usize,
    /// Whether bytes are missing after those: the stored file has them.
    gap: bool,
}

impl Sound {
    /// The part of a chunk that comes next; none when it came before, or when something is missing before it.
    fn next<'a>(&mut self, data: &'a [u8], offset: i64) -> Option<&'a [u8]> {
        let offset = usize::try_from(offset).ok()?;
        let Some(known) = self.poured.checked_sub(offset) else {
            self.gap = true;
            return None;
        };
        data.get(known..).filter(|next| !next.is_empty())
    }

    /// What was missed by the stream, from the stored file: but for its header it is what is streamed.
    async fn rest(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        output: &Output,
        fresh: impl AsyncFn() -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        if usize::try_from(artifact.size_bytes).ok() == Some(self.poured) {
            return Ok(());
        }
        let mut file = output.draft()?;
        fetch(session, artifact, &mut file, fresh).await?;
        let mut rest = Vec::new();
        let file = file.as_file_mut();
        file.seek(SeekFrom::Start(self.poured as u64))?;
        file.read_to_end(&mut rest)?;
        pour(&rest).await
    }
}

/// Another URL of a spoken text.
async fn fresh(session: &Session<'_>, id: &str) -> anyhow::Result<String> {
    let request = GetConversionRequest {
        conversion_id: id.to_owned(),
    };
    let answer = session
        .ask(request, async |channel: Channel, request| {
            TtsServiceClient::new(channel).get_conversion(request).await
        })
        .await?;
    let conversion = answer.conversion.context("an answer without audio")?;
    Ok(conversion.download_url)
}

#[async_trait(?Send)]
impl Listener for Sound {
    async fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        self.watched.see(event);
        let Event::AudioChunk(chunk) = event else {
            return Ok(());
        };
        if !self.streamed || self.gap {
            return Ok(());
        }
        match self.next(&chunk.data, chunk.offset) {
            Some(next) => {
                self.poured += next.len();
                pour(next).await
            }
            None => Ok(()),
        }
    }

    fn lost(&mut self) {
        self.watched.lost();
    }
}

impl Medium for Started<'_, SynthesizeRequest> {
    fn start(&self) -> Events<'_> {
        events(
            self.session
                .call(self.request.clone(), async |channel, request| {
                    TtsServiceClient::new(channel).synthesize(request).await
                }),
            |answer| answer.event,
        )
    }

    follows!(tts, TtsServiceClient<Channel>);
}

async fn list(ground: &Ground<'_>, json: bool) -> anyhow::Result<()> {
    ground
        .visit(async |session| {
            let voices = TtsServiceClient::new(session.connection().channel)
                .list_voices(ListVoicesRequest {})
                .await?
                .into_inner()
                .voices;
            let mut text = String::new();
            if json {
                let json = Json::new()?;
                for voice in &voices {
                    text.push_str(&json.line("atelier.tts.v1.Voice", voice)?);
                    text.push('\n');
                }
                return print(&text);
            }
            for voice in &voices {
                let formats: Vec<&str> = voice
                    .formats()
                    .filter_map(|format| match format {
                        AudioFormat::Wav => Some("wav"),
                        AudioFormat::Flac => Some("flac"),
                        AudioFormat::Unspecified => None,
                    })
                    .collect();
                let line = format!(
                    "{:<16} {:<8} {:<20} {} ({})",
                    voice.id,
                    voice.language,
                    voice.title,
                    voice.provider,
                    formats.join(", ")
                );
                text.push_str(&format!("{}\n", plain(&line)));
            }
            print(&text)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::terminal::Terminal;

    #[test]
    fn what_was_poured_is_not_poured_again() {
        let nowhere = Terminal {
            out: false,
            err: false,
            colour: false,
        };
        let mut sound = Sound {
            watched: Watched::new(nowhere, "speaking"),
            streamed: true,
            poured: 4,
            gap: false,
        };
        assert_eq!(sound.next(b"abcdef", 0), Some(&b"ef"[..]));
        assert_eq!(sound.next(b"abcd", 0), None);
        assert!(!sound.gap);
        assert_eq!(sound.next(b"gh", 4), Some(&b"gh"[..]));
        assert_eq!(sound.next(b"ij", 6), None);
        assert!(sound.gap);
    }
}
