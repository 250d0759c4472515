//! What is told of a picture while it is made, and what it then is.

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::text_image::v1::*;
use axum::http::StatusCode;

use crate::stage::*;

#[tokio::test]
async fn a_picture_is_told_as_it_grows_and_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let asked = GenerateImageRequest {
        size: Some(Size {
            width: 320,
            height: 200,
        }),
        style: "watercolor".into(),
        seed: Some(-7),
        ..ask("a red boat under a full moon")
    };
    let events = world.paint(asked).await;
    let told = kinds(&events);
    assert_eq!(told[..2], ["queued", "started"]);
    assert_eq!(told[told.len() - 3..], ["artifact", "usage", "completed"]);
    let middle = &told[2..told.len() - 3];
    assert!(
        middle
            .iter()
            .all(|kind| ["progress", "preview"].contains(kind)),
        "{told:?}"
    );
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert!(
        events
            .iter()
            .all(|event| event.generation_id == events[0].generation_id)
    );

    let Some(Event::Started(started)) = &events[1].event else {
        panic!("{:?}", events[1])
    };
    assert_eq!(
        (started.provider.as_str(), started.model.as_str()),
        ("offline", "atelier-painter")
    );
    let fractions: Vec<f64> = events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::Progress(progress)) => Some(progress.fraction),
            _ => None,
        })
        .collect();
    assert!(
        fractions.len() > 3 && fractions.windows(2).all(|pair| pair[0] < pair[1]),
        "{fractions:?}"
    );
    assert!(
        fractions
            .iter()
            .all(|fraction| (0.0..=1.0).contains(fraction))
    );
    let previews: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::ImagePreview(preview)) => Some(preview),
            _ => None,
        })
        .collect();
    assert!(!previews.is_empty());
    for preview in previews {
        assert!(preview.data.len() <= 64 * 1024, "{}", preview.data.len());
        assert_eq!(preview.content_type, "image/png");
        let (width, height, _) = decode(&preview.data);
        assert_eq!((width, height), (preview.width, preview.height));
    }
    let Some(Event::Usage(usage)) = &events[events.len() - 2].event else {
        panic!("{told:?}")
    };
    assert_eq!((usage.images, usage.estimated), (1, false));

    let told = artifact(&events);
    let image = world.image(&told.id).await.unwrap();
    assert_eq!(image.id, events[0].generation_id);
    assert_eq!(
        (image.user_id.as_str(), image.state()),
        ("ana", State::Completed)
    );
    assert_eq!(
        (image.prompt.as_str(), image.style.as_str()),
        ("a red boat under a full moon", "watercolor")
    );
    assert_eq!(
        (image.size, image.seed),
        (
            Some(Size {
                width: 320,
                height: 200
            }),
            -7
        )
    );
    assert_eq!(
        (image.provider.as_str(), image.model.as_str()),
        ("offline", "atelier-painter")
    );
    assert_eq!(
        (told.width, told.height, told.content_type.as_str()),
        (320, 200, "image/png")
    );
    assert_eq!(
        (&image.sha256, image.size_bytes),
        (&told.sha256, told.size_bytes)
    );
    assert_eq!(image.content_type, "image/png");
    assert!(image.processing_time.unwrap().seconds < 600);
    let (made, expires) = (image.create_time.unwrap(), image.url_expire_time.unwrap());
    assert!(
        (3500..=3700).contains(&(expires.seconds - made.seconds)),
        "{made:?} {expires:?}"
    );

    for url in [&told.url, &image.download_url] {
        let (status, content_type, bytes) = world.fetch(url).await;
        assert_eq!(
            (status, content_type.as_str()),
            (StatusCode::OK, "image/png")
        );
        assert_eq!(sha256(&bytes), image.sha256);
        assert_eq!(i64::try_from(bytes.len()).unwrap(), image.size_bytes);
        let (width, height, shades) = decode(&bytes);
        assert_eq!((width, height), (320, 200));
        assert!(shades > 16, "a picture of {shades} shades");
    }
    let (status, ..) = world
        .fetch(&image.download_url.replace("original", "originel"))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_same_seed_paints_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let seeded = |seed| GenerateImageRequest {
        seed,
        ..ask("a castle on a hill")
    };
    let one = artifact(&world.paint(seeded(Some(42))).await);
    let two = artifact(&world.paint(seeded(Some(42))).await);
    let other = artifact(&world.paint(seeded(Some(43))).await);
    assert_ne!(one.id, two.id);
    assert_eq!(one.sha256, two.sha256);
    assert_ne!(one.sha256, other.sha256);

    let free = artifact(&world.paint(seeded(None)).await);
    let again = artifact(&world.paint(seeded(None)).await);
    assert_ne!(free.sha256, again.sha256);
    // The seed that was picked is told, so that the picture can be had again.
    let seed = world.image(&free.id).await.unwrap().seed;
    assert_eq!(
        artifact(&world.paint(seeded(Some(seed))).await).sha256,
        free.sha256
    );
    let extreme = artifact(&world.paint(seeded(Some(i64::MIN))).await);
    assert_eq!(world.image(&extreme.id).await.unwrap().seed, i64::MIN);
}

#[tokio::test]
async fn every_style_of_the_list_paints() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    // Anybody may look, without any token.
    let listed = world
        .rpc()
        .list_styles(ListStylesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(listed.styles.len() >= 2 && listed.models.len() == 1);
    let defaults = |flags: Vec<bool>| flags[0] && !flags[1..].contains(&true);
    assert!(defaults(
        listed.styles.iter().map(|style| style.is_default).collect()
    ));
    assert!(defaults(
        listed.models.iter().map(|model| model.is_default).collect()
    ));
    assert_eq!(
        (
            listed.models[0].id.as_str(),
            listed.models[0].provider.as_str()
        ),
        ("atelier-painter", "offline")
    );
    let mut sums = Vec::new();
    for style in listed.styles {
        assert!(
            !style.title.is_empty() && !style.description.is_empty(),
            "{style:?}"
        );
        let asked = GenerateImageRequest {
            style: style.id.clone(),
            model: listed.models[0].id.clone(),
            seed: Some(1),
            ..ask("a cat")
        };
        let made = artifact(&world.paint(asked).await);
        assert_eq!(world.image(&made.id).await.unwrap().style, style.id);
        sums.push(made.sha256);
    }
    let styles = sums.len();
    sums.sort();
    sums.dedup();
    assert_eq!(sums.len(), styles, "two styles look the same");
}

#[tokio::test]
async fn the_longest_prompt_of_the_widest_characters_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let prompt = "🎨".repeat(4000);
    let asked = GenerateImageRequest {
        request_id: "r".repeat(64),
        ..ask(&prompt)
    };
    let made = artifact(&world.paint(asked).await);
    assert_eq!(world.image(&made.id).await.unwrap().prompt, prompt);
    // Not set, the size is 512 × 512; a picture of the smallest and one of unequal sides are what was asked for.
    let plain = GenerateImageRequest {
        size: None,
        ..ask("a tree")
    };
    let made = artifact(&world.paint(plain).await);
    assert_eq!((made.width, made.height), (512, 512));
    let narrow = GenerateImageRequest {
        size: Some(Size {
            width: 64,
            height: 1000,
        }),
        ..ask("a tree")
    };
    let made = artifact(&world.paint(narrow).await);
    let key = made
        .url
        .strip_prefix(&format!("{EDGE}/objects/text-image/"))
        .unwrap()
        .split_once('?')
        .unwrap()
        .0;
    let (width, height, _) = decode(&world.object(key).await);
    assert_eq!((width, height), (64, 1000));
}
