//! What is refused, by which field, and that a refused call leaves nothing behind.

use atelier_proto::text_image::v1::*;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn bad_input_names_its_field_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let sized = |width, height| GenerateImageRequest {
        size: Some(Size { width, height }),
        ..ask("a boat")
    };
    for (request, expected) in [
        (sized(0, 64), vec!["size.width"]),
        (sized(64, 0), vec!["size.height"]),
        (sized(100_000, 64), vec!["size.width"]),
        (sized(63, 64), vec!["size.width"]),
        (sized(64, 2049), vec!["size.height"]),
        (sized(-64, i32::MIN), vec!["size.width", "size.height"]),
        (ask(""), vec!["prompt", "prompt"]),
        (ask(" \n\t\u{3000} "), vec!["prompt"]),
        (ask(&"x".repeat(4001)), vec!["prompt"]),
        (
            GenerateImageRequest {
                style: "baroque".into(),
                ..ask("a boat")
            },
            vec!["style"],
        ),
        (
            GenerateImageRequest {
                style: "Oil".into(),
                ..ask("a boat")
            },
            vec!["style"],
        ),
        (
            GenerateImageRequest {
                model: "dall-e-9".into(),
                ..ask("a boat")
            },
            vec!["model"],
        ),
        (
            GenerateImageRequest {
                request_id: "no spaces".into(),
                ..ask("a boat")
            },
            vec!["request_id"],
        ),
        (
            GenerateImageRequest {
                request_id: "r".repeat(65),
                ..ask("a boat")
            },
            vec!["request_id"],
        ),
        (
            GenerateImageRequest {
                style: "x".into(),
                model: "y".into(),
                ..sized(1, 64)
            },
            vec!["size.width", "style", "model"],
        ),
    ] {
        let told = format!("{request:?}").chars().take(200).collect::<String>();
        let status = world
            .rpc()
            .generate_image(world.ana(request))
            .await
            .unwrap_err();
        assert_eq!(fields(&status), expected, "{told}");
    }
    for id in ["", "../secret", &"i".repeat(65)] {
        let status = world
            .rpc()
            .get_image(world.ana(GetImageRequest {
                image_id: id.into(),
            }))
            .await
            .unwrap_err();
        assert_eq!(fields(&status), ["image_id"]);
        let status = world
            .rpc()
            .delete_image(world.ana(DeleteImageRequest {
                image_id: id.into(),
            }))
            .await
            .unwrap_err();
        assert_eq!(fields(&status), ["image_id"]);
        let cancel = CancelGenerationRequest {
            generation_id: id.into(),
        };
        assert_eq!(
            fields(
                &world
                    .rpc()
                    .cancel_generation(world.ana(cancel))
                    .await
                    .unwrap_err()
            ),
            ["generation_id"]
        );
    }
    let watch = WatchGenerationRequest {
        generation_id: "g".into(),
        after_sequence: -1,
    };
    assert_eq!(
        fields(
            &world
                .rpc()
                .watch_generation(world.ana(watch))
                .await
                .unwrap_err()
        ),
        ["after_sequence"]
    );
    let page = ListImagesRequest {
        page_size: 1001,
        ..Default::default()
    };
    assert_eq!(
        fields(&world.rpc().list_images(world.ana(page)).await.unwrap_err()),
        ["page_size"]
    );
    let page = ListImagesRequest {
        page_size: 1,
        page_token: "AAAA".into(),
    };
    assert_eq!(
        fields(&world.rpc().list_images(world.ana(page)).await.unwrap_err()),
        ["page_token"]
    );

    let too_large = world
        .rpc()
        .generate_image(world.ana(ask(&"x".repeat(20_000))))
        .await
        .unwrap_err();
    assert_eq!(
        (too_large.code(), reason(&too_large).as_str()),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
    );
    let nobody = world.rpc().generate_image(ask("a boat")).await.unwrap_err();
    assert_eq!(
        (nobody.code(), reason(&nobody).as_str()),
        (Code::Unauthenticated, "TOKEN_MISSING")
    );
    let listed = world
        .rpc()
        .list_images(world.ana(ListImagesRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(listed.images.is_empty());
    assert!(world.keys("").await.is_empty());
}
