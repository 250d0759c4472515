//! Who one is: signing in and out, and asking who is signed in and what was used.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::net::IpAddr;

use anyhow::Context as _;
use atelier_kit::moment;
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::analytics::v1::{Dimension, GetUsageSummaryRequest, UsageRow};
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    GetMeRequest, LoginRequest, LogoutRequest, RegisterRequest, Role, User,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::Connection;
use super::credentials::{Credentials, SignIn};
use super::json::Json;
use super::session::Session;
use super::terminal::{plain, print};
use super::trouble::{Trouble, exit_of};
use super::{Ground, demo};
use crate::args::{Login, Usage, Whoami};
use crate::inventory::NOT_ALLOWED;

const USER: &str = "atelier.users.v1.User";
const USAGE_ROW: &str = "atelier.analytics.v1.UsageRow";
/// The longest password that is read; the contract's bound, in bytes of any script.
const MAX_PASSWORD_BYTES: u64 = 4 * 256 + 2;

/// Signs in, and keeps it. Whoever was signed in at this mesh before is signed out.
pub async fn login(ground: &Ground<'_>, login: Login) -> anyhow::Result<()> {
    let password = password(&login)?;
    ground
        .visit(async |session| {
            let connection = session.connection();
            if is_overheard(&connection) {
                ground.terminal.note(&format!(
                    "the way to {} is not encrypted: others may read the password",
                    connection.shown()
                ));
            }
            let (user, sign_in) = sign_in(&connection, &login, &password).await?;
            let before = {
                let held = session.credentials.lock().await?;
                let before = held.read()?;
                held.keep(&sign_in)?;
                before
            };
            if let Some(before) = before {
                // The session nobody has a token of any more would stay open for weeks; that it does is no failure.
                let _ = end(&connection, &before).await;
            }
            if login.json {
                return print(&format!("{}\n", Json::new()?.line(USER, &user)?));
            }
            print(&format!("signed in as {}\n", plain(&user.email)))
        })
        .await
}

async fn sign_in(
    connection: &Connection,
    login: &Login,
    password: &SecretString,
) -> anyhow::Result<(User, SignIn)> {
    let mut users = UsersServiceClient::new(connection.channel.clone());
    let (email, password) = (login.email.clone(), password.expose_secret().to_owned());
    let (user, tokens) = if login.register {
        let request = RegisterRequest {
            email,
            password,
            display_name: login.name.clone().unwrap_or_default(),
        };
        let answer = users.register(request).await?.into_inner();
        (answer.user, answer.tokens)
    } else {
        let answer = users
            .login(LoginRequest {
                email,
                password,
                ..LoginRequest::default()
            })
            .await?;
        let answer = answer.into_inner();
        (answer.user, answer.tokens)
    };
    let user = user.context("an answer without an account")?;
    let sign_in = SignIn::new(&user, tokens.context("an answer without tokens")?);
    Ok((user, sign_in))
}

/// Whether what is sent may be read on its way.
fn is_overheard(connection: &Connection) -> bool {
    let near = match connection.url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    connection.url.scheme() != "https" && !near
}

/// The password, from standard input or from the terminal; a new one is asked for twice.
fn password(login: &Login) -> anyhow::Result<SecretString> {
    let password = asked_password(&login.email, login.password_stdin)?;
    if login.register && !login.password_stdin {
        let again = ask("Once more: ")?;
        if again.expose_secret() != password.expose_secret() {
            return Err(Trouble::usage("the two passwords differ").into());
        }
    }
    Ok(password)
}

/// The password of an e-mail, from standard input or from the terminal.
pub fn asked_password(email: &str, from_stdin: bool) -> anyhow::Result<SecretString> {
    if from_stdin {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(MAX_PASSWORD_BYTES)
            .read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Trouble::usage("the password is not text in UTF-8"))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return given(line.strip_suffix('\r').unwrap_or(line).to_owned());
    }
    if !std::io::stdin().is_terminal() {
        let line = "there is no terminal to ask for the password on: --password-stdin reads it";
        return Err(Trouble::usage(line).into());
    }
    let password = ask(&format!("Password of {}: ", plain(email)))?;
    given(password.expose_secret().to_owned())
}

/// Asks the terminal for something that it does not show.
pub fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    let typed = rpassword::prompt_password(prompt)
        .map_err(|_| Trouble::interrupted("nothing was given"))?;
    Ok(typed.into())
}

fn given(password: String) -> anyhow::Result<SecretString> {
    if password.is_empty() {
        return Err(Trouble::usage("the password is empty").into());
    }
    Ok(password.into())
}

/// Ends the session on the server, and forgets it here whatever the server says.
pub async fn logout(ground: &Ground<'_>) -> anyhow::Result<()> {
    let site = ground.site().await?;
    let credentials = Credentials::new(&ground.client.folder, &site.key);
    let Some(sign_in) = credentials.read()? else {
        ground.terminal.note("nobody is signed in here");
        site.close().await;
        return Ok(());
    };
    let ended = match site.connect().await {
        Ok(connection) => {
            let session = Session::new(ground, site, connection);
            let ended = session
                .ask(LogoutRequest {}, async |channel, request| {
                    UsersServiceClient::new(channel).logout(request).await
                })
                .await
                .map_err(|error| session.gone(error));
            session.close().await;
            ended
        }
        Err(error) => {
            site.close().await;
            Err(error)
        }
    };
    credentials.lock().await?.forget()?;
    match ended {
        // A session that has ended already is what was wanted.
        Err(error) if exit_of(&error) != NOT_ALLOWED => {
            let line = "forgotten here; the session stays open on the server until it expires";
            Err(error.context(line))
        }
        _ if sign_in.is_anonymous() => print("the anonymous session has ended\n"),
        _ => print(&format!("signed out {}\n", plain(&sign_in.email))),
    }
}

/// Ends a session that is not the kept one.
async fn end(connection: &Connection, sign_in: &SignIn) -> anyhow::Result<()> {
    let mut request = tonic::Request::new(LogoutRequest {});
    let mut token: tonic::metadata::MetadataValue<tonic::metadata::Ascii> =
        format!("Bearer {}", sign_in.access.expose_secret()).parse()?;
    token.set_sensitive(true);
    request.metadata_mut().insert("authorization", token);
    request.set_timeout(std::time::Duration::from_secs(3));
    UsersServiceClient::new(connection.channel.clone())
        .logout(request)
        .await?;
    Ok(())
}

/// Tells who is signed in, as the server knows it.
pub async fn whoami(ground: &Ground<'_>, whoami: Whoami) -> anyhow::Result<()> {
    ground
        .visit(async |session| {
            let answer = session
                .ask(GetMeRequest {}, async |channel, request| {
                    UsersServiceClient::new(channel).get_me(request).await
                })
                .await
                .map_err(|error| session.gone(error))?;
            let user = answer.user.context("an answer without an account")?;
            if whoami.json {
                return print(&format!("{}\n", Json::new()?.line(USER, &user)?));
            }
            let role = match user.role() {
                Role::Anonymous | Role::Unspecified => "anonymous",
                Role::User => "user",
                Role::Moderator => "moderator",
                Role::Admin => "admin",
            };
            let mut parts = vec![role, &user.id];
            for name in [&user.display_name, &user.email] {
                if !name.is_empty() {
                    parts.insert(0, name);
                }
            }
            print(&format!("{}\n", plain(&parts.join(" · "))))
        })
        .await
}

/// Tells what the account used.
pub async fn usage(ground: &Ground<'_>, usage: Usage) -> anyhow::Result<()> {
    ground
        .visit(async |session| {
            let days = i64::from(usage.days) * 86_400 * 1_000_000;
            let now = moment::now();
            let request = GetUsageSummaryRequest {
                start_time: Some(moment::timestamp(now - days)),
                end_time: Some(moment::timestamp(now)),
                dimensions: vec![Dimension::Service.into(), Dimension::Model.into()],
                ..GetUsageSummaryRequest::default()
            };
            let answer = session
                .ask(request, async |channel, request| {
                    AnalyticsServiceClient::new(channel)
                        .get_usage_summary(request)
                        .await
                })
                .await
                .map_err(|error| session.gone(error))?;
            if answer.truncated {
                ground
                    .terminal
                    .note("there is more than is told here: ask for fewer days");
            }
            let mut text = String::new();
            if usage.json {
                let json = Json::new()?;
                for row in &answer.rows {
                    text.push_str(&json.line(USAGE_ROW, row)?);
                    text.push('\n');
                }
            } else {
                for row in summed(answer.rows) {
                    text.push_str(&plain(&demo::summary(&row)));
                    text.push('\n');
                }
            }
            if text.is_empty() {
                ground.terminal.aside("nothing was used");
            }
            print(&text)
        })
        .await
}

/// The rows of all days as one for each service and model.
fn summed(rows: Vec<UsageRow>) -> Vec<UsageRow> {
    let mut sums: BTreeMap<(String, String), UsageRow> = BTreeMap::new();
    for row in rows {
        let sum = sums
            .entry((row.service.clone(), row.model.clone()))
            .or_insert_with(|| UsageRow {
                service: row.service.clone(),
                model: row.model.clone(),
                ..UsageRow::default()
            });
        sum.generations += row.generations;
        sum.failed += row.failed;
        sum.cancelled += row.cancelled;
        let (all, more) = (
            sum.usage.get_or_insert_default(),
            row.usage.unwrap_or_default(),
        );
        all.input_tokens += more.input_tokens;
        all.output_tokens += more.output_tokens;
        all.images += more.images;
        all.characters += more.characters;
        all.audio_millis += more.audio_millis;
        all.estimated |= more.estimated;
    }
    sums.into_values().collect()
}
