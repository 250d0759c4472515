//! Roles in the name of the owner of the machine.

use atelier_kit::identity::Role;
use atelier_proto::users::v1 as pb;
use atelier_users::{GrantError, Granted, grant_role};
use tonic::{Code, Status};

use crate::admin::admin;
use crate::house::{House, bad_field, by, refused};
use crate::keys::internal;

async fn grant(house: &House, email: &str, role: &str) -> Result<String, Status> {
    let request = pb::GrantRoleRequest {
        email: email.into(),
        role: role.into(),
    };
    let answer = house.operator().grant_role(internal(request)).await;
    answer.map(|answer| answer.into_inner().user_id)
}

/// Gives a role from beside the service.
async fn offline(house: &House, email: &str, role: Role) -> Result<Granted, GrantError> {
    let on = &house.foundation;
    grant_role(on.engines.postgres.as_ref(), &on.data, email, role).await
}

/// The acts that concern an account: action, actor, and from which role to which.
async fn acts(house: &House, root: &pb::TokenPair, id: &str) -> Vec<[String; 4]> {
    let request = pb::ListAuditEventsRequest {
        subject: id.into(),
        ..Default::default()
    };
    let mut client = house.client.clone();
    let answer = client.list_audit_events(by(root, request)).await;
    let events = answer.unwrap().into_inner().events;
    events
        .into_iter()
        .filter(|event| event.action == "role.set")
        .map(|event| {
            let detail = |name: &str| event.details.get(name).cloned().unwrap_or_default();
            [detail("from"), detail("to"), event.action, event.actor]
        })
        .collect()
}

fn act(from: &str, to: &str) -> [String; 4] {
    [from, to, "role.set", "operator"].map(str::to_owned)
}

#[tokio::test]
async fn the_operator_gives_roles_by_email_and_each_is_kept_in_the_log() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let (user, tokens) = house.register("ana@x.org").await;
    // A higher role is the account's at once; a lower one ends its sessions.
    for (role, told) in [
        ("moderator", pb::Role::Moderator),
        ("admin", pb::Role::Admin),
        ("admin", pb::Role::Admin),
    ] {
        assert_eq!(grant(&house, "ANA@x.org", role).await.unwrap(), user.id);
        assert_eq!(house.me(&tokens).await.unwrap().role(), told);
    }
    assert_eq!(grant(&house, "ana@x.org", "user").await.unwrap(), user.id);
    refused(
        house.me(&tokens).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    // What changes nothing is no act.
    assert_eq!(
        acts(&house, &root, &user.id).await,
        [
            act("admin", "user"),
            act("moderator", "admin"),
            act("user", "moderator")
        ]
    );
}

#[tokio::test]
async fn the_last_admin_stays_one_for_the_operator_too() {
    let house = House::new().await;
    let (user, tokens) = admin(&house, "root@x.org").await;
    let lost = grant(&house, "root@x.org", "user").await;
    refused(lost, Code::FailedPrecondition, "LAST_ADMIN");
    let refused_too = offline(&house, "root@x.org", Role::User).await;
    assert!(refused_too.unwrap_err().to_string().contains("no admin"));
    assert_eq!(house.me(&tokens).await.unwrap().role(), pb::Role::Admin);
    house.register("ana@x.org").await;
    grant(&house, "ana@x.org", "admin").await.unwrap();
    grant(&house, "root@x.org", "user").await.unwrap();
    assert!(house.me(&tokens).await.is_err(), "{user:?}");
}

#[tokio::test]
async fn nobody_unknown_gets_a_role_and_nobody_an_unknown_one() {
    let house = House::new().await;
    let (_, anonymous) = house.anonymous().await;
    house.register("ana@x.org").await;
    for email in ["bob@x.org", "", "no e-mail"] {
        let answer = grant(&house, email, "admin").await;
        refused(answer, Code::NotFound, "NOT_FOUND");
    }
    let long = format!("{}@x.org", "a".repeat(250));
    bad_field(grant(&house, &long, "admin").await, "email");
    for role in ["", "anonymous", "ADMIN", "owner"] {
        bad_field(grant(&house, "ana@x.org", role).await, "role");
    }
    assert_eq!(
        house.me(&anonymous).await.unwrap().role(),
        pb::Role::Anonymous
    );
}

#[tokio::test]
async fn no_account_and_no_other_service_gives_roles_so() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let request = pb::GrantRoleRequest {
        email: "root@x.org".into(),
        role: "admin".into(),
    };
    let mut client = house.client.clone();
    let answer = client.grant_role(by(&root, request.clone())).await;
    refused(answer, Code::PermissionDenied, "INTERNAL_ONLY");
    let answer = house.service().grant_role(internal(request)).await;
    refused(answer, Code::PermissionDenied, "OPERATOR_ONLY");
}

#[tokio::test]
async fn what_is_granted_offline_is_kept_in_the_log_as_well() {
    let house = House::new().await;
    let (root, tokens) = admin(&house, "root@x.org").await;
    let (user, _) = house.register("ana@x.org").await;
    let granted = offline(&house, "ana@x.org", Role::Moderator).await;
    let granted = granted.unwrap();
    assert_eq!(
        (granted.user_id, granted.before),
        (user.id.clone(), Role::User)
    );
    assert_eq!(
        acts(&house, &tokens, &user.id).await,
        [act("user", "moderator")]
    );
    assert_eq!(
        acts(&house, &tokens, &root.id).await,
        [act("user", "admin")]
    );
}
