//! The objects of pictures: where they are, and that they go with their picture.

use atelier_proto::text_image::v1::*;
use axum::http::StatusCode;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn objects_follow_the_layout_and_the_history_has_a_line_for_each_picture() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let first = artifact(&world.paint(ask("a lighthouse")).await);
    let second = artifact(&world.paint(ask("a whale")).await);
    for made in [&first, &second] {
        let path = made
            .url
            .strip_prefix(&format!("{EDGE}/objects/text-image/"))
            .unwrap();
        let (key, _) = path.split_once('?').unwrap();
        let time = world.image(&made.id).await.unwrap().create_time.unwrap();
        let day = jiff::Timestamp::from_second(time.seconds)
            .unwrap()
            .strftime("%Y/%m/%d")
            .to_string();
        assert_eq!(
            key,
            format!("requests/{day}/{}/image/original.png", made.id)
        );
        let home = key.strip_suffix("image/original.png").unwrap();
        let mut keys = world.keys(home).await;
        keys.sort();
        assert_eq!(
            keys,
            ["image/original.png", "input.json", "record.json"].map(|end| format!("{home}{end}"))
        );
        let input = world.json(&format!("{home}input.json")).await;
        assert_eq!(input["user_id"], "ana");
        assert_eq!(input["request"]["width"], 64);
        let record = world.json(&format!("{home}record.json")).await;
        assert_eq!(record["result"]["sha256"], made.sha256);
        assert_eq!(record["request"], input["request"]);
        assert_eq!(sha256(&world.object(key).await), made.sha256);
    }

    let history = |lines: &'static [&'static str]| {
        let world = &world;
        move || async move {
            let files = world.keys("users/ana/image/history/").await;
            let Some(file) = files.first() else {
                return lines.is_empty();
            };
            assert_eq!(files.len(), 1, "the test ran over midnight");
            assert!(file.ends_with(".jsonl"), "{file}");
            let text = String::from_utf8(world.object(file).await).unwrap();
            let prompts: Vec<String> = text
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                .map(|line| line["prompt"].as_str().unwrap().to_owned())
                .collect();
            prompts == lines
        }
    };
    eventually("a line for each", history(&["a lighthouse", "a whale"])).await;
    world.delete(&first.id).await.unwrap();
    eventually("a line less", history(&["a whale"])).await;
    world.delete(&second.id).await.unwrap();
    eventually("no history at all", history(&[])).await;
}

#[tokio::test]
async fn a_deleted_picture_leaves_neither_row_nor_objects() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let gone = artifact(&world.paint(ask("a lighthouse")).await);
    let kept = artifact(&world.paint(ask("a whale")).await);
    let others = DeleteImageRequest {
        image_id: gone.id.clone(),
    };
    assert_eq!(
        world
            .rpc()
            .delete_image(world.bob(others))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    world.delete(&gone.id).await.unwrap();
    assert_eq!(
        world.image(&gone.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        world.delete(&gone.id).await.unwrap_err().code(),
        Code::NotFound
    );
    let watch = WatchGenerationRequest {
        generation_id: gone.id.clone(),
        after_sequence: 0,
    };
    assert_eq!(
        world
            .rpc()
            .watch_generation(world.ana(watch))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    eventually("its objects are gone", || async {
        world
            .keys("requests/")
            .await
            .iter()
            .all(|key| !key.contains(&gone.id))
    })
    .await;
    let (status, ..) = world.fetch(&gone.url).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _, bytes) = world.fetch(&kept.url).await;
    assert_eq!((status, sha256(&bytes)), (StatusCode::OK, kept.sha256));
}
