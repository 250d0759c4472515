//! A text is spoken: what is streamed, what is stored, and what is told of it.

use std::io::Cursor;

use atelier_kit::fault::reason_of;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{FinishReason, State};
use atelier_proto::tts::v1 as pb;
use tonic::Code;

use crate::house::{FOX, House, first, of, text};

fn flac_samples(bytes: &[u8]) -> Vec<i16> {
    let mut reader = claxon::FlacReader::new(Cursor::new(bytes)).unwrap();
    reader
        .samples()
        .map(|sample| i16::try_from(sample.unwrap()).unwrap())
        .collect()
}

/// The samples of a WAV file, as a player takes them that reads to the end whatever the header says.
fn wav_samples(bytes: &[u8]) -> Vec<i16> {
    let reader = hound::WavReader::new(Cursor::new(bytes)).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (16_000, 1)
    );
    bytes[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_is_streamed_before_the_end_and_stored_exactly() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let mut sounds = Vec::new();
    for (format, content_type, end) in [
        (pb::AudioFormat::Unspecified, "audio/wav", "wav"),
        (pb::AudioFormat::Flac, "audio/flac", "flac"),
    ] {
        let request = pb::SynthesizeRequest {
            format: format.into(),
            ..text(FOX)
        };
        let told = room.say("ana", request).await.unwrap();
        assert!(
            matches!(told.last(), Event::Completed(end) if end.finish_reason() == FinishReason::Stop)
        );
        let (streamed, chunks) = told.audio();
        assert!(chunks > 2, "{chunks}");
        let kinds: Vec<&Event> = told.events().collect();
        let artifact_at = kinds
            .iter()
            .position(|event| matches!(event, Event::Artifact(_)))
            .unwrap();
        let audio_at = kinds
            .iter()
            .rposition(|event| matches!(event, Event::AudioChunk(_)))
            .unwrap();
        assert!(audio_at < artifact_at);
        assert!(
            matches!(kinds[1], Event::Started(by) if by.provider == "offline" && by.model == "flite")
        );
        let fractions: Vec<f64> = told
            .events()
            .filter_map(|event| match event {
                Event::Progress(progress) => Some(progress.fraction),
                _ => None,
            })
            .collect();
        assert!(
            fractions.len() > 2 && fractions.is_sorted() && fractions[0] < 0.5,
            "{fractions:?}"
        );

        let found = room.get("ana", told.id()).await.unwrap();
        let day = told
            .artifact()
            .url
            .split('/')
            .skip(5)
            .take(4)
            .collect::<Vec<_>>()
            .join("/");
        let key = format!("{day}/{}/audio/original.{end}", told.id());
        let stored = house.object(&key).await;
        let artifact = told.artifact();
        assert_eq!(artifact.id, told.id());
        assert_eq!(artifact.content_type, content_type);
        assert_eq!(artifact.size_bytes, stored.len() as i64);
        assert_eq!(artifact.sha256, sha256_hex(&stored));
        assert!(
            artifact
                .url
                .starts_with("http://edge.example/objects/tts/requests/"),
            "{}",
            artifact.url
        );
        assert!(artifact.expire_time.is_some());

        // The same sound in both forms, and the stored header knows how long it is.
        let samples = if end == "wav" {
            let reader = hound::WavReader::new(Cursor::new(&stored)).unwrap();
            assert_eq!(reader.len() as usize * 2 + 44, stored.len());
            assert_eq!(wav_samples(&streamed), wav_samples(&stored));
            wav_samples(&stored)
        } else {
            let info = claxon::FlacReader::new(Cursor::new(&stored))
                .unwrap()
                .streaminfo();
            assert_eq!(info.samples, Some(flac_samples(&stored).len() as u64));
            assert_eq!(flac_samples(&streamed), flac_samples(&stored));
            flac_samples(&stored)
        };
        assert!((told.seconds() - samples.len() as f64 / 16_000.0).abs() < 1e-5);
        assert!((2.0..5.0).contains(&told.seconds()), "{}", told.seconds());

        let usage = kinds.iter().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        assert_eq!(usage.unwrap().characters, 44);
        assert_eq!(
            usage.unwrap().audio_millis,
            (told.seconds() * 1000.0) as i64
        );
        assert!(!usage.unwrap().estimated);

        assert_eq!(found.state(), State::Completed);
        assert_eq!((found.user_id.as_str(), found.text.as_str()), ("ana", FOX));
        assert_eq!(
            (found.voice.as_str(), found.language.as_str()),
            ("kal", "en-US")
        );
        assert_eq!(
            (found.provider.as_str(), found.model.as_str()),
            ("offline", "flite")
        );
        assert_eq!((found.speed, found.pitch), (1.0, 1.0));
        assert_eq!(
            (found.size_bytes, &found.sha256),
            (artifact.size_bytes, &artifact.sha256)
        );
        assert_eq!(found.duration, artifact.duration);
        assert!(found.download_url.contains(&key) && found.url_expire_time.is_some());
        assert!(found.processing_time.is_some() && found.create_time.is_some());
        sounds.push(samples);
    }
    assert_eq!(sounds[0], sounds[1], "both formats hold the same sound");
    room.shut().await;
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_changes_the_length_and_pitch_the_height() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let spoken = async |speed, pitch| {
        let told = room
            .say(
                "ana",
                pb::SynthesizeRequest {
                    speed,
                    pitch,
                    ..text(FOX)
                },
            )
            .await
            .unwrap();
        let samples = wav_samples(&told.audio().0);
        (told.seconds(), height(&samples))
    };
    let (plain, own) = spoken(None, None).await;
    let (fast, _) = spoken(Some(2.0), None).await;
    let (slow, _) = spoken(Some(0.5), None).await;
    let (high_seconds, high) = spoken(None, Some(1.6)).await;
    assert!((0.4..0.65).contains(&(fast / plain)), "{fast} of {plain}");
    assert!((1.6..2.3).contains(&(slow / plain)), "{slow} of {plain}");
    assert!(
        (0.9..1.1).contains(&(high_seconds / plain)),
        "{high_seconds} of {plain}"
    );
    assert!((1.3..1.9).contains(&(high / own)), "{high} Hz for {own} Hz");
    room.shut().await;
}

/// The median of the fundamental frequency in hertz, by autocorrelation over the loud parts.
fn height(samples: &[i16]) -> f64 {
    let mut pitches: Vec<f64> = samples
        .chunks_exact(800)
        .filter(|frame| frame.iter().any(|sample| sample.abs() > 4000))
        .map(|frame| {
            let like = |lag: usize| -> f64 {
                let pairs = frame.iter().zip(&frame[lag..]);
                pairs
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>()
                    / (800 - lag) as f64
            };
            let lag = (50..250)
                .max_by(|a, b| like(*a).total_cmp(&like(*b)))
                .unwrap();
            16_000.0 / lag as f64
        })
        .collect();
    pitches.sort_by(f64::total_cmp);
    pitches[pitches.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let told = room.say("ana", text("Hello 你好, friend.")).await.unwrap();
    let warned = told.events().any(|event| {
        matches!(event, Event::Warning(warning) if warning.reason == "CHARACTERS_SKIPPED" && warning.message.starts_with('2'))
    });
    assert!(
        warned && matches!(told.last(), Event::Completed(_)),
        "{:?}",
        told.last()
    );

    let told = room.say("ana", text("你好")).await.unwrap();
    assert_eq!(
        (told.failed().reason.as_str(), told.failed().retryable),
        ("NOTHING_TO_SAY", false)
    );
    let found = room.get("ana", told.id()).await.unwrap();
    assert_eq!(
        (found.state(), found.download_url.as_str()),
        (State::Failed, "")
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_text_is_spoken_to_its_end() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let long: String = "One two three. ".chars().cycle().take(5000).collect();
    let told = room
        .say(
            "ana",
            pb::SynthesizeRequest {
                speed: Some(0.5),
                ..text(&long)
            },
        )
        .await
        .unwrap();
    assert!(
        matches!(told.last(), Event::Completed(_)),
        "{:?}",
        told.last()
    );
    assert!(told.seconds() > 300.0, "{}", told.seconds());
    assert_eq!(
        room.get("ana", told.id()).await.unwrap().size_bytes,
        told.artifact().size_bytes
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_gets_the_rest_from_any_sequence() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let told = room.say("ana", text(FOX)).await.unwrap();
    for seen in [0, told.0.len() / 2, told.0.len() - 1] {
        let after = if seen == 0 {
            0
        } else {
            told.0[seen - 1].sequence
        };
        let rest = room.watch("ana", told.id(), after).await.unwrap();
        assert_eq!(rest.0, told.0[seen..]);
    }
    assert_eq!(
        room.watch("bob", told.id(), 0).await.unwrap_err().code(),
        Code::NotFound
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_nothing() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let request = of("ana", text(&FOX.repeat(20)));
    let mut stream = room
        .client()
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    let begun = first(&mut stream, |_| true, |answer| answer.event.unwrap()).await;
    drop(stream);
    let told = room.watch("ana", &begun.generation_id, 0).await.unwrap();
    assert!(matches!(told.last(), Event::Completed(_)));
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_joins_or_replays_and_another_is_refused() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let request = pb::SynthesizeRequest {
        request_id: "r-1".into(),
        ..text(FOX)
    };
    let both = futures_util::future::join(
        room.say("ana", request.clone()),
        room.say("ana", request.clone()),
    );
    let (one, other) = both.await;
    let one = one.unwrap();
    assert_eq!(one, other.unwrap());
    assert_eq!(room.say("ana", request.clone()).await.unwrap(), one);

    let changed = pb::SynthesizeRequest {
        speed: Some(1.5),
        ..request.clone()
    };
    let refused = room.say("ana", changed).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason_of(&refused).as_deref(), Some("REQUEST_ID_REUSED"));
    // Another account's request ids are its own.
    assert_ne!(room.say("bob", request).await.unwrap().id(), one.id());
    let all = room
        .client()
        .list_conversions(of("ana", pb::ListConversionsRequest::default()))
        .await
        .unwrap();
    assert_eq!(all.into_inner().conversions.len(), 1);
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_voices_are_listed_to_anybody_and_speak() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let voices = room
        .client()
        .list_voices(pb::ListVoicesRequest {})
        .await
        .unwrap()
        .into_inner()
        .voices;
    let ids: Vec<_> = voices
        .iter()
        .map(|voice| (voice.id.as_str(), voice.is_default))
        .collect();
    assert_eq!(ids, [("kal", true), ("kal-telephone", false)]);
    for voice in &voices {
        assert_eq!(
            (voice.provider.as_str(), voice.language.as_str()),
            ("offline", "en-US")
        );
        assert_eq!(voice.formats.len(), 2);
        let request = pb::SynthesizeRequest {
            voice: voice.id.clone(),
            ..text(FOX)
        };
        let told = room.say("ana", request).await.unwrap();
        let audio = told.audio().0;
        let reader = hound::WavReader::new(Cursor::new(&audio)).unwrap();
        assert_eq!(reader.spec().sample_rate as i32, voice.sample_rate_hertz);
        assert_eq!(room.get("ana", told.id()).await.unwrap().voice, voice.id);
    }
    room.shut().await;
}
