//! Calls that are refused name what is wrong with them, and leave nothing behind.

use atelier_kit::identity::Role;
use atelier_kit::testing::Issuer;
use atelier_proto::tts::v1 as pb;
use tonic::Code;

use crate::house::{FOX, House, fields, of, text};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let plain = || text(FOX);
    let with_speed = |speed| pb::SynthesizeRequest {
        speed: Some(speed),
        ..plain()
    };
    let with_pitch = |pitch| pb::SynthesizeRequest {
        pitch: Some(pitch),
        ..plain()
    };
    for (request, field) in [
        (text(""), "text"),
        (text(" …!? \n"), "text"),
        (text(&"a".repeat(5001)), "text"),
        (
            pb::SynthesizeRequest {
                voice: "nobody".into(),
                ..plain()
            },
            "voice",
        ),
        (
            pb::SynthesizeRequest {
                format: 99,
                ..plain()
            },
            "format",
        ),
        (
            pb::SynthesizeRequest {
                format: -1,
                ..plain()
            },
            "format",
        ),
        (with_speed(0.49), "speed"),
        (with_speed(2.01), "speed"),
        (with_speed(f64::NAN), "speed"),
        (with_speed(f64::INFINITY), "speed"),
        (with_pitch(0.0), "pitch"),
        (with_pitch(f64::NAN), "pitch"),
        (
            pb::SynthesizeRequest {
                request_id: "not an id".into(),
                ..plain()
            },
            "request_id",
        ),
    ] {
        let what = format!(
            "{field} of {:?}",
            (
                request.text.len(),
                request.format,
                request.speed,
                request.pitch
            )
        );
        let answer = room.say("ana", request).await;
        assert_eq!(
            fields(answer),
            (Code::InvalidArgument, vec![field.to_owned()]),
            "{what}"
        );
    }
    let all = pb::SynthesizeRequest {
        voice: "nobody".into(),
        format: 9,
        speed: Some(9.0),
        pitch: Some(9.0),
        request_id: "!".into(),
        ..text("?")
    };
    let (_, named) = fields(room.say("ana", all).await);
    for field in ["text", "voice", "format", "speed", "pitch", "request_id"] {
        assert!(
            named.iter().any(|name| name == field),
            "{field} in {named:?}"
        );
    }
    let request = pb::ListConversionsRequest::default();
    let kept = room
        .client()
        .list_conversions(of("ana", request))
        .await
        .unwrap()
        .into_inner();
    assert!(kept.conversions.is_empty());
    assert!(house.keys().await.is_empty());
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_sizes_and_tokens_are_named() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let refused = |field: &str| (Code::InvalidArgument, vec![field.to_owned()]);
    for id in ["", "no/id", &"a".repeat(65)] {
        assert_eq!(fields(room.get("ana", id).await), refused("conversion_id"));
        assert_eq!(
            fields(room.delete("ana", id).await),
            refused("conversion_id")
        );
        assert_eq!(
            fields(room.cancel("ana", id).await),
            refused("generation_id")
        );
        assert_eq!(
            fields(room.watch("ana", id, 0).await),
            refused("generation_id")
        );
    }
    assert_eq!(
        fields(room.watch("ana", "a", -1).await),
        refused("after_sequence")
    );
    for (page_size, page_token, field) in [
        (-1, "", "page_size"),
        (1001, "", "page_size"),
        (0, "made-up", "page_token"),
    ] {
        let request = pb::ListConversionsRequest {
            page_size,
            page_token: page_token.into(),
        };
        let answer = room.client().list_conversions(of("ana", request)).await;
        assert_eq!(fields(answer), refused(field));
    }
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_is_not_found() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let told = room.say("ana", text(FOX)).await.unwrap();
    for id in [told.id(), "never-was"] {
        assert_eq!(
            room.get("bob", id).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            room.delete("bob", id).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            room.cancel("bob", id).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            room.watch("bob", id, 0).await.unwrap_err().code(),
            Code::NotFound
        );
    }
    let request = pb::ListConversionsRequest::default();
    let listed = room
        .client()
        .list_conversions(of("bob", request))
        .await
        .unwrap()
        .into_inner();
    assert!(listed.conversions.is_empty());
    assert_eq!(room.get("ana", told.id()).await.unwrap().text, FOX);
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_without_an_account_of_their_own() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let bare = room.client().synthesize(text(FOX)).await.unwrap_err();
    assert_eq!(bare.code(), Code::Unauthenticated);
    let forged = Issuer::new().sign("ana", Role::User, text(FOX));
    assert_eq!(
        room.client().synthesize(forged).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    room.shut().await;
}
