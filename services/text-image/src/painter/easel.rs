//! The built-in painter behind the port: it paints on a thread of its own and stops when nobody watches any more.

use std::ops::ControlFlow;

use atelier_generation::ProviderError;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::offline::{self, PaintError, Preview, Progress, Style};
use crate::image::Commission;
use crate::ports::{Painted, Painter, Stroke};

/// The model's id.
pub const MODEL: &str = "atelier-painter";

const PNG: &str = "image/png";
/// How many strokes may wait to be told before the painter does.
const WAITING: usize = 16;

/// Paints without any network.
#[derive(Clone, Copy, Debug)]
pub struct OfflinePainter;

impl Painter for OfflinePainter {
    fn paint(
        &self,
        _: &str,
        commission: Commission,
    ) -> BoxStream<'static, Result<Stroke, ProviderError>> {
        let (strokes, watched) = mpsc::channel(WAITING);
        // The thread ends by itself when the receiver is dropped: the next stroke that cannot be sent breaks it off.
        tokio::task::spawn_blocking(move || {
            let end = paint(&commission, &strokes).map(Stroke::Done);
            // Nobody may be watching any more.
            let _ = strokes.blocking_send(end);
        });
        Box::pin(ReceiverStream::new(watched))
    }
}

type Strokes = mpsc::Sender<Result<Stroke, ProviderError>>;

fn paint(commission: &Commission, strokes: &Strokes) -> Result<Painted, ProviderError> {
    let broken = |error: PaintError| ProviderError::Inside(Box::new(error));
    let asked = offline::Commission {
        prompt: &commission.prompt,
        style: Style::from_id(&commission.style).unwrap_or(Style::ALL[0]),
        width: commission.width,
        height: commission.height,
        seed: commission.seed.cast_unsigned(),
    };
    let mut tell = |progress: Progress<'_>| {
        let mut told = vec![Stroke::Progress(progress.fraction.into())];
        told.extend(
            progress
                .preview
                .and_then(|preview| small(&preview))
                .map(Stroke::Preview),
        );
        for stroke in told {
            if strokes.blocking_send(Ok(stroke)).is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    let picture = offline::paint(&asked, &mut tell).map_err(broken)?;
    Ok(Painted {
        bytes: picture.to_png().map_err(broken)?.into(),
        content_type: PNG,
        width: picture.width,
        height: picture.height,
        input_tokens: 0,
        output_tokens: 0,
    })
}

/// A preview as a file. One that cannot be encoded is left out: it is only a look.
fn small(preview: &Preview<'_>) -> Option<Painted> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, preview.width, preview.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(preview.rgb).ok()?;
    writer.finish().ok()?;
    Some(Painted {
        bytes: Bytes::from(file),
        content_type: PNG,
        width: preview.width,
        height: preview.height,
        input_tokens: 0,
        output_tokens: 0,
    })
}
