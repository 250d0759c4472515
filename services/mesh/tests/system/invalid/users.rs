//! Invalid requests about accounts and sessions, one for each rule that the contract's comments state.

use atelier_proto::users::v1 as users;

use super::{Table, mask};

const SERVICE: &str = "/atelier.users.v1.UsersService/";

/// The rows.
pub fn rows(table: &mut Table) {
    let register = |email: &str, password: &str, name: String| users::RegisterRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        display_name: name,
    };
    let none = String::new;
    for email in [
        "",
        "nobody",
        "a@b@c",
        &format!("{}@example.com", "a".repeat(250)),
    ] {
        table.add(
            SERVICE,
            "Register",
            register(email, "long enough", none()),
            "email",
        );
    }
    for password in ["short", &"p".repeat(257)] {
        table.add(
            SERVICE,
            "Register",
            register("a@example.com", password, none()),
            "password",
        );
    }
    let named = register("a@example.com", "long enough", "n".repeat(101));
    table.add(SERVICE, "Register", named, "display_name");
    let login = |email: String, password: String| users::LoginRequest { email, password };
    table.add(
        SERVICE,
        "Login",
        login("a".repeat(255), "x".into()),
        "email",
    );
    table.add(
        SERVICE,
        "Login",
        login("a@example.com".into(), none()),
        "password",
    );
    table.add(
        SERVICE,
        "Login",
        login("a@example.com".into(), "x".repeat(257)),
        "password",
    );
    for token in [none(), "t".repeat(513)] {
        let request = users::RefreshSessionRequest {
            refresh_token: token,
        };
        table.add(SERVICE, "RefreshSession", request, "refresh_token");
    }
    let me = |name: String, paths: &[&str]| users::UpdateMeRequest {
        user: Some(users::User {
            display_name: name,
            ..Default::default()
        }),
        update_mask: mask(paths),
    };
    table.add(
        SERVICE,
        "UpdateMe",
        me("n".repeat(101), &["display_name"]),
        "user.display_name",
    );
    table.add(SERVICE, "UpdateMe", me("n".into(), &[]), "update_mask");
    table.add(
        SERVICE,
        "UpdateMe",
        me("n".into(), &["role"]),
        "update_mask",
    );
    let change = |current: &str, new: &str| users::ChangePasswordRequest {
        current_password: current.to_owned(),
        new_password: new.to_owned(),
    };
    table.add(
        SERVICE,
        "ChangePassword",
        change("", "long enough"),
        "current_password",
    );
    table.add(
        SERVICE,
        "ChangePassword",
        change("x", "short"),
        "new_password",
    );
    table.pages(SERVICE, "ListSessions", |page_size, page_token| {
        users::ListSessionsRequest {
            page_size,
            page_token,
        }
    });
    table.ids(SERVICE, "RevokeSession", "session_id", |session_id| {
        users::RevokeSessionRequest { session_id }
    });
    table.pages(SERVICE, "ListUsers", |page_size, page_token| {
        users::ListUsersRequest {
            page_size,
            page_token,
        }
    });
    table.ids(SERVICE, "SetUserRole", "user_id", |user_id| {
        users::SetUserRoleRequest {
            user_id,
            role: users::Role::User.into(),
        }
    });
    for role in [0, users::Role::Anonymous as i32, 77] {
        let request = users::SetUserRoleRequest {
            user_id: "somebody".into(),
            role,
        };
        table.add(SERVICE, "SetUserRole", request, "role");
    }
}
