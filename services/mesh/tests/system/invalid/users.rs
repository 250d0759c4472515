//! Invalid requests about accounts and sessions, one for each rule that the contract's comments state.

use atelier_proto::users::v1 as users;

use super::{Table, mask};

const SERVICE: &str = "/atelier.users.v1.UsersService/";

/// The rows.
pub fn rows(table: &mut Table) {
    let delete = |password: String, second_factor: String| users::DeleteAccountRequest {
        password,
        second_factor,
    };
    for (request, field) in [
        // The admin has a password.
        (delete(String::new(), String::new()), "password"),
        (delete("p".repeat(257), String::new()), "password"),
        (delete("p".into(), "1".repeat(33)), "second_factor"),
    ] {
        table.add(SERVICE, "DeleteAccount", request, field);
    }
    for deletion_token in [String::new(), "t".repeat(513)] {
        let request = users::GetDeletionRequest { deletion_token };
        table.add(SERVICE, "GetDeletion", request, "deletion_token");
    }
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
    let login = |email: String, password: String| users::LoginRequest {
        email,
        password,
        ..Default::default()
    };
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
    secrets(table);
    identities(table);
    keys(table);
    table.pages(SERVICE, "ListAuditEvents", |page_size, page_token| {
        users::ListAuditEventsRequest {
            page_size,
            page_token,
            subject: String::new(),
        }
    });
    let of_nobody = users::ListAuditEventsRequest {
        subject: "x".repeat(65),
        ..Default::default()
    };
    table.add(SERVICE, "ListAuditEvents", of_nobody, "subject");
    for role in ["", "anonymous", "emperor"] {
        let request = users::GrantRoleRequest {
            email: "a@example.com".into(),
            role: role.into(),
        };
        table.add(SERVICE, "GrantRole", request, "role");
    }
    for pem in [
        "nothing",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        let request = users::RotateSigningKeyRequest {
            private_key_pem: pem.into(),
        };
        table.add(SERVICE, "RotateSigningKey", request, "private_key_pem");
    }
}

/// Passwords, codes and tokens from mails.
fn secrets(table: &mut Table) {
    let long = "x".repeat(513);
    let reset = |token: &str, new_password: &str| users::ResetPasswordRequest {
        token: token.into(),
        new_password: new_password.into(),
    };
    for token in ["", &long] {
        table.add(
            SERVICE,
            "ResetPassword",
            reset(token, "long enough"),
            "token",
        );
        let confirm = users::ConfirmEmailRequest {
            token: token.into(),
        };
        table.add(SERVICE, "ConfirmEmail", confirm, "token");
    }
    table.add(
        SERVICE,
        "ResetPassword",
        reset("t", "short"),
        "new_password",
    );
    let forgot = users::RequestPasswordResetRequest {
        email: "a".repeat(255),
    };
    table.add(SERVICE, "RequestPasswordReset", forgot, "email");
    let moved = |new_email: &str, password: &str| users::RequestEmailChangeRequest {
        new_email: new_email.into(),
        password: password.into(),
    };
    table.add(
        SERVICE,
        "RequestEmailChange",
        moved("nobody", "x"),
        "new_email",
    );
    table.add(
        SERVICE,
        "RequestEmailChange",
        moved("a@b.c", ""),
        "password",
    );
    for password in [String::new(), "x".repeat(257)] {
        let enroll = users::EnrollTotpRequest {
            password: password.clone(),
        };
        table.add(SERVICE, "EnrollTotp", enroll, "password");
        let renew = users::RenewRecoveryCodesRequest {
            password: password.clone(),
        };
        table.add(SERVICE, "RenewRecoveryCodes", renew, "password");
        let disable = users::DisableTotpRequest {
            password,
            code: "123456".into(),
        };
        table.add(SERVICE, "DisableTotp", disable, "password");
    }
    for code in ["", "12345", "1234567", "abcdef"] {
        let confirm = users::ConfirmTotpRequest { code: code.into() };
        table.add(SERVICE, "ConfirmTotp", confirm, "code");
    }
}

/// API keys.
fn keys(table: &mut Table) {
    let create = |display_name: &str, scopes: &[i32]| users::CreateApiKeyRequest {
        display_name: display_name.into(),
        scopes: scopes.to_vec(),
        expire_time: None,
    };
    table.add(SERVICE, "CreateApiKey", create("", &[1]), "display_name");
    for scopes in [&[][..], &[0], &[1, 1], &[77]] {
        table.add(SERVICE, "CreateApiKey", create("a key", scopes), "scopes");
    }
    let gone = users::CreateApiKeyRequest {
        expire_time: Some(prost_types::Timestamp {
            seconds: 1,
            nanos: 0,
        }),
        ..create("a key", &[1])
    };
    table.add(SERVICE, "CreateApiKey", gone, "expire_time");
    table.pages(SERVICE, "ListApiKeys", |page_size, page_token| {
        users::ListApiKeysRequest {
            page_size,
            page_token,
        }
    });
    table.ids(SERVICE, "RevokeApiKey", "api_key_id", |api_key_id| {
        users::RevokeApiKeyRequest { api_key_id }
    });
    for secret in [String::new(), "x".repeat(257)] {
        let exchange = users::ExchangeApiKeyRequest { secret };
        table.add(SERVICE, "ExchangeApiKey", exchange, "secret");
    }
}

/// Signing in with somebody else.
fn identities(table: &mut Table) {
    let start = |provider: String, redirect_uri: String| users::StartSignInRequest {
        provider,
        redirect_uri,
    };
    let back = || "https://app.example/back".to_owned();
    let long = start("p".repeat(65), back());
    table.add(SERVICE, "StartSignIn", long, "provider");
    let beyond = format!("{}/{}", back(), "b".repeat(2048));
    for uri in [String::new(), "/back".into(), "app.example".into(), beyond] {
        let request = start("google".into(), uri);
        table.add(SERVICE, "StartSignIn", request, "redirect_uri");
    }
    let complete = || users::CompleteSignInRequest {
        sign_in_token: "t".into(),
        ..Default::default()
    };
    for sign_in_token in [String::new(), "t".repeat(513)] {
        let request = users::CompleteSignInRequest {
            sign_in_token: sign_in_token.clone(),
            ..complete()
        };
        table.add(SERVICE, "CompleteSignIn", request, "sign_in_token");
        let request = users::LinkIdentityRequest {
            sign_in_token,
            state: "s".into(),
            code: "c".into(),
        };
        table.add(SERVICE, "LinkIdentity", request, "sign_in_token");
    }
    for (field, request) in [
        (
            "state",
            users::CompleteSignInRequest {
                state: "s".repeat(513),
                ..complete()
            },
        ),
        (
            "code",
            users::CompleteSignInRequest {
                code: "c".repeat(4097),
                ..complete()
            },
        ),
        (
            "password",
            users::CompleteSignInRequest {
                password: "p".repeat(257),
                ..complete()
            },
        ),
        (
            "second_factor",
            users::CompleteSignInRequest {
                second_factor: "1".repeat(33),
                ..complete()
            },
        ),
    ] {
        table.add(SERVICE, "CompleteSignIn", request, field);
    }
    let link = |state: String, code: String| users::LinkIdentityRequest {
        sign_in_token: "t".into(),
        state,
        code,
    };
    for (state, code, field) in [
        (0, 1, "state"),
        (513, 1, "state"),
        (1, 0, "code"),
        (1, 4097, "code"),
    ] {
        let request = link("s".repeat(state), "c".repeat(code));
        table.add(SERVICE, "LinkIdentity", request, field);
    }
    table.ids(SERVICE, "UnlinkIdentity", "identity_id", |identity_id| {
        users::UnlinkIdentityRequest { identity_id }
    });
}
