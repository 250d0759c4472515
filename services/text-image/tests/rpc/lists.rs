//! Who sees which pictures: owners, anonymous sessions, admins.

use atelier_kit::identity::Role;
use atelier_proto::text_image::v1::*;
use axum::http::StatusCode;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn a_list_has_every_picture_of_its_owner_once_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(artifact(&world.paint(ask(&format!("boat {number}"))).await).id);
    }
    all(world
        .rpc()
        .generate_image(world.bob(ask("a castle")))
        .await
        .unwrap()
        .into_inner())
    .await;
    made.reverse();
    for page_size in [1, 2, 5, 50] {
        let listed = pages(&world, |request| world.ana(request), page_size).await;
        assert_eq!(ids(&listed), made, "pages of {page_size}");
    }
    let listed = pages(&world, |request| world.ana(request), 5).await;
    let (status, _, bytes) = world.fetch(&listed[3].download_url).await;
    assert_eq!(
        (status, sha256(&bytes)),
        (StatusCode::OK, listed[3].sha256.clone())
    );

    // What comes in between does not shift the pages that follow.
    let first = ListImagesRequest {
        page_size: 2,
        ..Default::default()
    };
    let first = world
        .rpc()
        .list_images(world.ana(first))
        .await
        .unwrap()
        .into_inner();
    world.paint(ask("boat 5")).await;
    world.delete(&made[1]).await.unwrap();
    let rest = ListImagesRequest {
        page_size: 10,
        page_token: first.next_page_token.clone(),
    };
    let rest = world
        .rpc()
        .list_images(world.ana(rest))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ids(&rest.images), made[2..]);
    assert!(rest.next_page_token.is_empty());
    // A page token is its owner's, and of its own list.
    let stolen = ListImagesRequest {
        page_size: 2,
        page_token: first.next_page_token.clone(),
    };
    assert_eq!(
        fields(
            &world
                .rpc()
                .list_images(world.bob(stolen))
                .await
                .unwrap_err()
        ),
        ["page_token"]
    );
    let elsewhere = ListAllImagesRequest {
        page_token: first.next_page_token,
        ..Default::default()
    };
    assert_eq!(
        fields(
            &world
                .rpc()
                .list_all_images(world.admin(elsewhere))
                .await
                .unwrap_err()
        ),
        ["page_token"]
    );
}

#[tokio::test]
async fn admins_see_the_pictures_of_all_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let of_ana = artifact(&world.paint(ask("a lighthouse")).await).id;
    let of_bob = all(world
        .rpc()
        .generate_image(world.bob(ask("a castle")))
        .await
        .unwrap()
        .into_inner())
    .await;
    let of_bob = artifact(&of_bob).id;
    let of_guest = all(world
        .rpc()
        .generate_image(world.guest("guest-1", ask("a whale")))
        .await
        .unwrap()
        .into_inner())
    .await;
    let of_guest = artifact(&of_guest).id;

    let list = |page_size, page_token: &str, user_id: &str| ListAllImagesRequest {
        page_size,
        page_token: page_token.into(),
        user_id: user_id.into(),
    };
    let one = world
        .rpc()
        .list_all_images(world.admin(list(2, "", "")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ids(&one.images), [of_guest.as_str(), of_bob.as_str()]);
    assert_eq!(one.images[0].user_id, "guest-1");
    let two = list(2, &one.next_page_token, "");
    let two = world
        .rpc()
        .list_all_images(world.admin(two))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (ids(&two.images), two.next_page_token.as_str()),
        (vec![of_ana.as_str()], "")
    );
    let bobs = world
        .rpc()
        .list_all_images(world.admin(list(0, "", "bob")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ids(&bobs.images), [of_bob.as_str()]);
    let nobodys = world
        .rpc()
        .list_all_images(world.admin(list(0, "", "carol")))
        .await
        .unwrap()
        .into_inner();
    assert!(nobodys.images.is_empty());
    let filtered = list(2, &one.next_page_token, "bob");
    assert_eq!(
        fields(
            &world
                .rpc()
                .list_all_images(world.admin(filtered))
                .await
                .unwrap_err()
        ),
        ["page_token"]
    );
    let odd = world
        .rpc()
        .list_all_images(world.admin(list(0, "", "no spaces")))
        .await
        .unwrap_err();
    assert_eq!(fields(&odd), ["user_id"]);
    let (status, ..) = world.fetch(&bobs.images[0].download_url).await;
    assert_eq!(status, StatusCode::OK);

    for role in [Role::Anonymous, Role::User, Role::Moderator] {
        let asked = world.issuer.sign("ana", role, list(0, "", ""));
        let refused = world.rpc().list_all_images(asked).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role:?}");
    }
    let nobody = world
        .rpc()
        .list_all_images(list(0, "", ""))
        .await
        .unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_anonymous_session_has_its_own_pictures_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let stream = world
        .rpc()
        .generate_image(world.guest("guest-1", ask("a whale")))
        .await
        .unwrap();
    let events = all(stream.into_inner()).await;
    let id = artifact(&events).id;
    let own = world
        .rpc()
        .get_image(world.guest(
            "guest-1",
            GetImageRequest {
                image_id: id.clone(),
            },
        ))
        .await
        .unwrap();
    assert_eq!(own.into_inner().image.unwrap().user_id, "guest-1");
    assert_eq!(
        pages(&world, |request| world.guest("guest-1", request), 10)
            .await
            .len(),
        1
    );

    let get = GetImageRequest {
        image_id: id.clone(),
    };
    let delete = DeleteImageRequest {
        image_id: id.clone(),
    };
    let watch = WatchGenerationRequest {
        generation_id: id.clone(),
        after_sequence: 0,
    };
    let cancel = CancelGenerationRequest {
        generation_id: id.clone(),
    };
    for (account, role) in [
        ("guest-2", Role::Anonymous),
        ("ana", Role::User),
        ("ada", Role::Admin),
    ] {
        let issuer = &world.issuer;
        let refusals = [
            world
                .rpc()
                .get_image(issuer.sign(account, role, get.clone()))
                .await
                .unwrap_err(),
            world
                .rpc()
                .delete_image(issuer.sign(account, role, delete.clone()))
                .await
                .unwrap_err(),
            world
                .rpc()
                .watch_generation(issuer.sign(account, role, watch.clone()))
                .await
                .unwrap_err(),
            world
                .rpc()
                .cancel_generation(issuer.sign(account, role, cancel.clone()))
                .await
                .unwrap_err(),
        ];
        assert!(
            refusals
                .iter()
                .all(|status| status.code() == Code::NotFound),
            "{account}: {refusals:?}"
        );
        let listed = ListImagesRequest::default();
        let listed = world
            .rpc()
            .list_images(issuer.sign(account, role, listed))
            .await
            .unwrap()
            .into_inner();
        assert!(listed.images.is_empty(), "{account}");
    }
    world
        .rpc()
        .delete_image(world.guest("guest-1", delete))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_list_of_generations_names_the_picture_of_each_and_none_of_another_session() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let made = artifact(&world.paint(ask("a boat")).await).id;
    let listed = async |request| {
        let answer = world.rpc().list_generations(request).await.unwrap();
        answer.into_inner().generations
    };
    let ours = listed(world.ana(ListGenerationsRequest::default())).await;
    assert_eq!(ours.len(), 1);
    assert_eq!(
        (ours[0].id.as_str(), ours[0].subject.as_str()),
        (made.as_str(), made.as_str())
    );
    assert_eq!(ours[0].usage.unwrap().images, 1);
    let guest = listed(world.guest("g1", ListGenerationsRequest::default())).await;
    assert!(guest.is_empty());
}
