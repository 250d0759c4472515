//! Revocations: whoever watches hears of every session that is ended, however it is ended, and of none twice.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use atelier_kit::testing::servers::Store;
use std::time::Duration;

use atelier_kit::link::AsService;
use atelier_proto::users::v1 as pb;
use pb::watch_revocations_response::Told;
use tonic::{Code, Request, Streaming};

use crate::house::{House, PASSWORD, by, refused};

type Stream = Streaming<pb::WatchRevocationsResponse>;

fn as_service<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(AsService);
    request
}

async fn watch(house: &House) -> (Stream, Vec<String>) {
    let request = as_service(pb::WatchRevocationsRequest {});
    let mut stream = house
        .service()
        .watch_revocations(request)
        .await
        .unwrap()
        .into_inner();
    match stream.message().await.unwrap().unwrap().told.unwrap() {
        Told::Snapshot(all) => {
            let ids = all.revocations.into_iter().map(|one| one.session_id);
            (stream, ids.collect())
        }
        other => panic!("a stream begins with a snapshot, not with {other:?}"),
    }
}

/// The next session that is told, within the second that it may take.
async fn next(stream: &mut Stream) -> pb::Revocation {
    let heard = async {
        loop {
            match stream.message().await.unwrap().unwrap().told.unwrap() {
                Told::Revoked(revocation) => return revocation,
                Told::Heartbeat(_) => {}
                Told::Snapshot(_) => panic!("a second snapshot"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(1), heard)
        .await
        .expect("it is told within a second")
}

async fn session_of(house: &House, tokens: &pb::TokenPair) -> String {
    let sessions = house.sessions(tokens).await;
    sessions.into_iter().find(|one| one.current).unwrap().id
}

#[tokio::test]
async fn every_way_to_end_a_session_is_told_within_a_second() {
    let house = House::new().await;
    let (mut stream, before) = watch(&house).await;
    assert_eq!(before, Vec::<String>::new());

    let (_, first) = house.register("ada@x.org").await;
    let id = session_of(&house, &first).await;
    let logout = by(&first, pb::LogoutRequest {});
    house.client.clone().logout(logout).await.unwrap();
    assert_eq!(next(&mut stream).await.session_id, id);

    let login = async || {
        let tokens = house.login("ada@x.org", PASSWORD).await.unwrap().tokens;
        let tokens = tokens.unwrap();
        let id = session_of(&house, &tokens).await;
        (tokens, id)
    };
    let (mine, my_id) = login().await;
    let (_, other) = login().await;
    let revoke = pb::RevokeSessionRequest {
        session_id: other.clone(),
    };
    let revoke = by(&mine, revoke);
    house.client.clone().revoke_session(revoke).await.unwrap();
    assert_eq!(next(&mut stream).await.session_id, other);

    let (_, other) = login().await;
    let change = pb::ChangePasswordRequest {
        current_password: PASSWORD.into(),
        new_password: "another horse".into(),
    };
    let change = by(&mine, change);
    house.client.clone().change_password(change).await.unwrap();
    assert_eq!(next(&mut stream).await.session_id, other);

    // A stolen token: presented again long after its exchange.
    house.refresh(&mine.refresh_token).await.unwrap();
    house.clock.pass(61);
    let stolen = house.refresh(&mine.refresh_token).await;
    refused(stolen, Code::Unauthenticated, "REFRESH_TOKEN_REUSED");
    assert_eq!(next(&mut stream).await.session_id, my_id);
}

#[tokio::test]
async fn whoever_comes_later_hears_all_that_still_matters() {
    let house = House::new().await;
    let (_, tokens) = house.register("ada@x.org").await;
    let id = session_of(&house, &tokens).await;
    let logout = by(&tokens, pb::LogoutRequest {});
    house.client.clone().logout(logout).await.unwrap();
    assert_eq!(watch(&house).await.1, std::slice::from_ref(&id));
    // The last access token of the session lives for a quarter of an hour.
    house.clock.pass(15 * 60 + 5);
    assert_eq!(watch(&house).await.1, [id]);
    house.clock.pass(60);
    assert_eq!(watch(&house).await.1, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_but_a_service_hears_them() {
    let house = House::new().await;
    let (_, tokens) = house.register("ada@x.org").await;
    let request = by(&tokens, pb::WatchRevocationsRequest {});
    let answer = house.client.clone().watch_revocations(request).await;
    refused(answer, Code::PermissionDenied, "INTERNAL_ONLY");
}

#[tokio::test]
async fn all_sessions_end_at_once_or_all_but_ones_own() {
    let house = House::new().await;
    let (_, mine) = house.register("ada@x.org").await;
    for _ in 0..2 {
        house.login("ada@x.org", PASSWORD).await.unwrap();
    }
    let all_but_mine = pb::RevokeAllSessionsRequest { keep_current: true };
    let request = by(&mine, all_but_mine);
    let answer = house.client.clone().revoke_all_sessions(request).await;
    assert_eq!(answer.unwrap().into_inner().revoked_sessions, 2);
    assert_eq!(house.sessions(&mine).await.len(), 1);
    let request = by(&mine, pb::RevokeAllSessionsRequest::default());
    let answer = house.client.clone().revoke_all_sessions(request).await;
    assert_eq!(answer.unwrap().into_inner().revoked_sessions, 1);
    refused(
        house.me(&mine).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
}

#[tokio::test]
async fn an_anonymous_account_that_registers_keeps_its_id() {
    let house = House::new().await;
    let (nobody, tokens) = house.anonymous().await;
    let register = |email: &str| pb::RegisterRequest {
        email: email.into(),
        password: PASSWORD.into(),
        display_name: "Ada".into(),
    };
    let request = by(&tokens, register("ada@x.org"));
    let answer = house.client.clone().register(request).await.unwrap();
    let answer = answer.into_inner();
    let user = answer.user.unwrap();
    assert_eq!(
        (user.id.clone(), user.role()),
        (nobody.id.clone(), pb::Role::User)
    );
    assert_eq!(user.create_time, nobody.create_time);
    let signed_in = house.login("ada@x.org", PASSWORD).await.unwrap();
    assert_eq!(signed_in.user.unwrap().id, nobody.id);
    // Its anonymous session is over, so nobody registers the same account twice.
    let again = by(&tokens, register("bob@x.org"));
    let again = house.client.clone().register(again).await;
    refused(again, Code::Unauthenticated, "SESSION_ENDED");
    refused(
        house.me(&tokens).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    // A taken e-mail leaves the anonymous account as it was.
    let (other, tokens) = house.anonymous().await;
    let taken = by(&tokens, register("ada@x.org"));
    let taken = house.client.clone().register(taken).await;
    refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
    assert_eq!(house.me(&tokens).await.unwrap().id, other.id);
}

#[tokio::test]
async fn acts_that_concern_security_are_told_to_admins_the_newest_first() {
    let house = House::new().await;
    let (ada, tokens) = house.register("ada@x.org").await;
    house.refresh(&tokens.refresh_token).await.unwrap();
    house.clock.pass(61);
    let stolen = house.refresh(&tokens.refresh_token).await;
    refused(stolen, Code::Unauthenticated, "REFRESH_TOKEN_REUSED");
    let (root, root_tokens) = crate::admin::admin(&house, "root@x.org").await;
    let set = pb::SetUserRoleRequest {
        user_id: ada.id.clone(),
        role: pb::Role::Moderator.into(),
    };
    let set = by(&root_tokens, set);
    house.client.clone().set_user_role(set).await.unwrap();

    let list = |subject: &str, page_size, page_token: String| {
        by(
            &root_tokens,
            pb::ListAuditEventsRequest {
                page_size,
                page_token,
                subject: subject.into(),
            },
        )
    };
    let mut actions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = list(&ada.id, 1, page_token);
        let answer = house.client.clone().list_audit_events(request).await;
        let page = answer.unwrap().into_inner();
        actions.extend(
            page.events
                .into_iter()
                .map(|event| (event.action, event.actor)),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected = [("role.set", root.id.as_str()), ("session.reused", "")];
    let actions: Vec<(&str, &str)> = actions
        .iter()
        .map(|(action, actor)| (action.as_str(), actor.as_str()))
        .collect();
    assert_eq!(actions, expected);
    let request = by(&tokens, pb::ListAuditEventsRequest::default());
    let answer = house.client.clone().list_audit_events(request).await;
    refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn the_audit_log_can_be_neither_changed_nor_emptied() {
    let house = House::new().await;
    let (_, tokens) = house.register("ada@x.org").await;
    let request = by(&tokens, pb::RevokeAllSessionsRequest::default());
    house
        .client
        .clone()
        .revoke_all_sessions(request)
        .await
        .unwrap();
    let database = house.database().await;
    let mut statements = vec![
        "UPDATE audit_events SET actor = 'nobody'",
        "DELETE FROM audit_events",
    ];
    if Store::chosen() == Store::Postgres {
        statements.push("TRUNCATE audit_events");
    }
    for statement in statements {
        let error = sql::query(statement).write_to(&database).await.unwrap_err();
        assert!(error.to_string().contains("audit events are"), "{error}");
    }
}

#[tokio::test]
async fn an_account_says_of_itself_what_it_likes_within_bounds() {
    let house = House::new().await;
    let (_, tokens) = house.register("ada@x.org").await;
    let update = |user: pb::User, paths: &[&str]| {
        by(
            &tokens,
            pb::UpdateMeRequest {
                user: Some(user),
                update_mask: Some(prost_types::FieldMask {
                    paths: paths.iter().map(|path| (*path).to_owned()).collect(),
                }),
            },
        )
    };
    let wanted = pb::User {
        bio: "I like lighthouses.".into(),
        preferences: [("theme".to_owned(), "dark".to_owned())].into(),
        display_name: "not named, so not taken".into(),
        ..Default::default()
    };
    let request = update(wanted, &["bio", "preferences"]);
    house.client.clone().update_me(request).await.unwrap();
    let me = house.me(&tokens).await.unwrap();
    assert_eq!(me.bio, "I like lighthouses.");
    assert_eq!(me.preferences["theme"], "dark");
    assert_eq!((me.display_name.as_str(), me.plan.as_str()), ("", "free"));
    let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
    let too_many = pb::User {
        preferences: many,
        ..Default::default()
    };
    let answer = house.client.clone();
    let answer = answer
        .clone()
        .update_me(update(too_many, &["preferences"]))
        .await;
    crate::house::bad_field(answer, "user.preferences");
}
