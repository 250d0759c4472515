//! The chapters about the account: signing up, in and out, and the sessions in between.

use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    GetMeRequest, ListSessionsRequest, LoginRequest, LogoutRequest, RefreshSessionRequest,
    RegisterRequest, RevokeSessionRequest, Session, TokenPair, UpdateMeRequest, User,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::people::{Person, connect};
use crate::raw::reason;

/// Registers, signs in, changes the name and refreshes the session.
pub async fn sign_up(edge: &str) -> Person {
    let registered = Person::register(edge).await;
    let again = UsersServiceClient::new(connect(edge).await)
        .register(RegisterRequest {
            email: registered.user.email.to_uppercase(),
            password: "another password".to_owned(),
            display_name: String::new(),
        })
        .await
        .expect_err("the e-mail is taken, however it is written");
    assert_eq!(
        (again.code(), reason(&again).as_str()),
        (Code::AlreadyExists, "EMAIL_TAKEN")
    );
    for (email, password) in [
        (registered.user.email.as_str(), "wrong password"),
        ("nobody@example.com", registered.password.as_str()),
    ] {
        let refused = UsersServiceClient::new(connect(edge).await)
            .login(LoginRequest {
                email: email.to_owned(),
                password: password.to_owned(),
                ..Default::default()
            })
            .await
            .expect_err("no login");
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::Unauthenticated, "INVALID_CREDENTIALS")
        );
    }

    let mut ada = registered.login(edge).await;
    assert_eq!(ada.user.id, registered.user.id);
    let changed = ada
        .users()
        .update_me(UpdateMeRequest {
            user: Some(User {
                display_name: "Ada".to_owned(),
                ..User::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["display_name".to_owned()],
            }),
        })
        .await
        .expect("another name");
    assert_eq!(changed.into_inner().user.unwrap().display_name, "Ada");

    let spent = ada.tokens.clone();
    ada.tokens = refresh(&ada, &spent.refresh_token).await.expect("a pair");
    assert_ne!(ada.tokens.refresh_token, spent.refresh_token);
    // A client that lost the answer asks again and gets the same.
    let repeated = refresh(&ada, &spent.refresh_token).await.expect("a pair");
    assert_eq!(repeated, ada.tokens);
    let me = ada.users().get_me(GetMeRequest {}).await.expect("me");
    ada.user = me.into_inner().user.unwrap();
    assert_eq!(ada.user.display_name, "Ada");
    ada
}

async fn refresh(person: &Person, token: &str) -> Result<TokenPair, Status> {
    let request = RefreshSessionRequest {
        refresh_token: token.to_owned(),
    };
    let answer = person.users().refresh_session(request).await?;
    Ok(answer.into_inner().tokens.unwrap())
}

async fn list(person: &Person) -> Vec<Session> {
    let request = ListSessionsRequest::default();
    let answer = person.users().list_sessions(request).await;
    answer.expect("sessions").into_inner().sessions
}

/// Finds the session of a lost phone, ends it, and signs out.
pub async fn sessions(ada: &Person, edge: &str) {
    let phone = ada.login(edge).await;
    let own = |sessions: &[Session]| {
        let mut own = sessions.iter().filter(|session| session.current);
        let id = own.next().expect("the session of the call").id.clone();
        assert_eq!(own.count(), 0, "more than one session of the call");
        id
    };
    let lost = own(&list(&phone).await);
    let before = list(ada).await;
    assert!(before.iter().any(|session| session.id == lost));
    assert_ne!(own(&before), lost);

    let request = RevokeSessionRequest {
        session_id: lost.clone(),
    };
    ada.users()
        .revoke_session(request.clone())
        .await
        .expect("an end of the session");
    assert!(list(ada).await.iter().all(|session| session.id != lost));
    let refused = refresh(&phone, &phone.tokens.refresh_token).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let refused = phone.users().get_me(GetMeRequest {}).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let gone = ada.users().revoke_session(request).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);

    ada.users()
        .logout(LogoutRequest {})
        .await
        .expect("a logout");
    let refused = refresh(ada, &ada.tokens.refresh_token).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    // The account is still there.
    assert_eq!(ada.login(edge).await.user.id, ada.user.id);
}
