//! The chapters about what is made: a chat with memory, a picture, speech, and a reply that is cancelled.

use std::time::Duration;

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1::{GenerateImageRequest, GetImageRequest, Size};
use atelier_proto::tts::v1::{AudioFormat, GetConversionRequest, SynthesizeRequest};

use super::Made;
use crate::media::{flac_seconds, png_size, sha256, wav_seconds};
use crate::people::Person;
use crate::running::eventually;
use crate::told::{Told, listen, listen_until};
use crate::web;

/// A question whose answer takes a while.
const LONG: &str = "Tell me a long story about the sea.";

fn message(conversation: &str, text: &str) -> chat::SendMessageRequest {
    chat::SendMessageRequest {
        conversation_id: conversation.to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

/// Says something and listens to the whole reply.
pub async fn say(person: &Person, conversation: &str, text: &str) -> Told {
    let stream = person
        .chat()
        .send_message(message(conversation, text))
        .await
        .expect("a reply");
    let told = listen(stream.into_inner()).await;
    assert!(told.is_completed(), "{told:?}");
    told
}

/// Chats, is cut off in the middle, and loses nothing.
pub async fn chat(ada: &Person, made: &mut Made) -> String {
    let conversation = ada.conversation().await;
    let told = say(
        ada,
        &conversation,
        "Hello! My name is Ada and I like lighthouses.",
    )
    .await;
    made.add("llm-chat", told.id());
    assert!(told.usage().output_tokens > 0);
    let told = say(ada, &conversation, "What is my name, and what do I like?").await;
    made.add("llm-chat", told.id());
    let text = told.text();
    assert!(text.contains("Ada"), "the name is forgotten: {text}");
    assert!(text.contains("lighthouse"), "the rest is forgotten: {text}");

    // Cut in the middle: the words so far, then the rest from the last sequence seen.
    let stream = ada.chat().send_message(message(&conversation, LONG)).await;
    let is_delta = |event: &Event| matches!(event, Event::TextDelta(_));
    let cut = listen_until(stream.expect("a reply").into_inner(), |told| {
        told.events().filter(|event| is_delta(event)).count() >= 5
    })
    .await;
    made.add("llm-chat", cut.id());
    let watch = |after_sequence| chat::WatchGenerationRequest {
        generation_id: cut.id().to_owned(),
        after_sequence,
    };
    let rest = ada.chat().watch_generation(watch(cut.sequence())).await;
    let rest = listen(rest.expect("the rest").into_inner()).await;
    assert!(rest.0[0].sequence > cut.sequence());
    let whole = ada.chat().watch_generation(watch(0)).await;
    let whole = listen(whole.expect("the whole").into_inner()).await;
    let text = rest.text_after(&cut.text());
    assert!(text.len() > cut.text().len(), "nothing was left to tell");
    assert_eq!(text, whole.text());

    let kept = ada.messages(&conversation).await;
    assert_eq!(kept.len(), 6);
    assert_eq!(kept[5].text, text);
    assert_eq!(kept[5].state(), State::Completed);
    assert_eq!(kept[5].generation_id, cut.id());
    conversation
}

/// Draws a picture and fetches it as anybody can who has its URL.
pub async fn picture(ada: &Person, edge: &str, made: &mut Made) -> String {
    let request = GenerateImageRequest {
        prompt: "a lighthouse on a cliff at dusk".to_owned(),
        size: Some(Size {
            width: 320,
            height: 192,
        }),
        request_id: "the-lighthouse".to_owned(),
        ..Default::default()
    };
    let stream = ada.pictures().generate_image(request.clone()).await;
    let told = listen(stream.expect("a picture").into_inner()).await;
    assert!(told.is_completed(), "{told:?}");
    made.add("text-image", told.id());
    assert_eq!(told.usage().images, 1);
    // Asked for again under the same request id, it is the same picture.
    let again = ada.pictures().generate_image(request).await;
    let again = listen(again.expect("the same").into_inner()).await;
    assert_eq!(again.id(), told.id());

    let artifact = told.artifact();
    assert_eq!((artifact.width, artifact.height), (320, 192));
    assert!(artifact.url.starts_with(edge), "{}", artifact.url);
    let page = web::get(&artifact.url).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "image/png");
    assert_eq!(page.body.len() as i64, artifact.size_bytes);
    assert_eq!(sha256(&page.body), artifact.sha256);
    assert_eq!(png_size(&page.body), (320, 192));

    let part = web::try_get(&artifact.url, Some(("range", "bytes=0-7"))).await;
    let part = part.expect("a part");
    assert_eq!(part.status, 206);
    assert_eq!(part.body, b"\x89PNG\r\n\x1a\n");
    let rest = web::try_get(&artifact.url, Some(("range", "bytes=8-"))).await;
    assert_eq!(rest.expect("the rest").body, page.body[8..]);

    for tampered in tampered(&artifact.url) {
        let page = web::get(&tampered).await;
        assert!(
            [403, 404].contains(&page.status.as_u16()),
            "{tampered} answered {}",
            page.status
        );
        assert!(!page.body.starts_with(b"\x89PNG"), "{tampered}");
    }

    let fresh = ada
        .pictures()
        .get_image(GetImageRequest {
            image_id: artifact.id.clone(),
        })
        .await
        .expect("the image")
        .into_inner()
        .image
        .unwrap();
    assert_eq!(fresh.state(), State::Completed);
    assert_eq!(web::get(&fresh.download_url).await.body, page.body);
    fresh.id
}

/// The same URL with its signature changed, its end moved, its path changed, and without any proof.
fn tampered(url: &str) -> Vec<String> {
    let (path, query) = url.split_once('?').expect("a signed URL");
    let mut all = vec![path.to_owned()];
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a pair"))
        .collect();
    for at in 0..pairs.len() {
        let changed: Vec<String> = pairs
            .iter()
            .enumerate()
            .map(|(i, (name, value))| {
                let last = value.chars().last().unwrap_or('0');
                let other = if last == '1' { '2' } else { '1' };
                let value = if i == at {
                    format!("{}{other}", &value[..value.len() - last.len_utf8()])
                } else {
                    (*value).to_owned()
                };
                format!("{name}={value}")
            })
            .collect();
        all.push(format!("{path}?{}", changed.join("&")));
    }
    all.push(format!("{}?{query}", path.replace("original", "input")));
    all
}

/// Has a text spoken as WAV and as FLAC.
pub async fn speech(ada: &Person, made: &mut Made) -> String {
    let mut first = String::new();
    for format in [AudioFormat::Wav, AudioFormat::Flac] {
        let request = SynthesizeRequest {
            text: "The light turns slowly, and the ships come home.".to_owned(),
            format: format.into(),
            ..Default::default()
        };
        let stream = ada.speech().synthesize(request.clone()).await;
        let told = listen(stream.expect("speech").into_inner()).await;
        assert!(told.is_completed(), "{told:?}");
        made.add("tts", told.id());
        assert_eq!(told.usage().characters, request.text.chars().count() as i64);
        let artifact = told.artifact();
        let page = web::get(&artifact.url).await;
        assert_eq!(page.status, 200);
        assert_eq!(sha256(&page.body), artifact.sha256);
        let streamed = told.audio();
        let (start, seconds) = match format {
            AudioFormat::Flac => (b"fLaC", flac_seconds(&page.body)),
            _ => (b"RIFF", wav_seconds(&page.body)),
        };
        assert!(streamed.starts_with(start), "the stream has no beginning");
        assert!(seconds > 1.0, "only {seconds} s");
        let told_seconds = artifact.duration.expect("a duration");
        let told_seconds = told_seconds.seconds as f64 + f64::from(told_seconds.nanos) / 1e9;
        assert!((told_seconds - seconds).abs() < 0.05, "{told_seconds}");
        if first.is_empty() {
            first = artifact.id.clone();
        }
    }
    let kept = ada
        .speech()
        .get_conversion(GetConversionRequest {
            conversion_id: first.clone(),
        })
        .await
        .expect("the conversion");
    let kept = kept.into_inner().conversion.unwrap();
    assert_eq!(web::get(&kept.download_url).await.status, 200);
    first
}

/// Cancels a reply from a second client; what was said until then stays.
pub async fn cancel(ada: &Person, edge: &str, made: &mut Made) {
    let conversation = ada.conversation().await;
    let stream = ada.chat().send_message(message(&conversation, LONG)).await;
    let mut stream = stream.expect("a reply").into_inner();
    let mut told = Told::default();
    while told.text().is_empty() {
        let event = crate::told::next(&mut stream).await;
        told.0.push(event.expect("more events"));
    }
    let elsewhere = ada.login(edge).await;
    let request = chat::CancelGenerationRequest {
        generation_id: told.id().to_owned(),
    };
    let answer = elsewhere.chat().cancel_generation(request.clone()).await;
    // The record, which is asked here, may be a second behind what is told.
    let stood = answer.expect("a cancel").into_inner().state();
    assert!(matches!(stood, State::Queued | State::Running), "{stood:?}");
    while let Some(event) = crate::told::next(&mut stream).await {
        told.0.push(event);
    }
    assert!(matches!(told.end(), Some(Event::Cancelled(_))), "{told:?}");
    made.add("llm-chat", told.id());
    eventually(
        "the reply is cancelled",
        Duration::from_secs(10),
        || async { ada.messages(&conversation).await[1].state() == State::Cancelled },
    )
    .await;
    assert_eq!(ada.messages(&conversation).await[1].text, told.text());
    // One that has ended stays as it is.
    let answer = elsewhere.chat().cancel_generation(request).await;
    assert_eq!(
        answer.expect("a cancel").into_inner().state(),
        State::Cancelled
    );
}
