//! `atelier delete-account`: asks whether it is meant, deletes the account, forgets the sign-in, and waits for the receipts.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    DeleteAccountRequest, Deletion, GetDeletionRequest, GetMeRequest, User,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::Ground;
use super::account::{ask, asked_password};
use super::interrupt::Interrupts;
use super::json::Json;
use super::progress::Progress;
use super::session::Session;
use super::terminal::{plain, print};
use super::trouble::{Trouble, is_lost};
use crate::args::DeleteAccount;

const RECEIPT: &str = "atelier.privacy.v1.ErasureReceipt";
/// How often is asked how far it is.
const PAUSE: Duration = Duration::from_millis(500);
/// How long is waited for all services; one that is away may be for days, and erases its part then.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs it.
pub async fn run(ground: &Ground<'_>, delete: DeleteAccount) -> anyhow::Result<()> {
    if !delete.yes && !std::io::stdin().is_terminal() {
        let line = "there is no terminal to ask on whether it is meant: --yes says that it is";
        return Err(Trouble::usage(line).into());
    }
    ground
        .visit(async |session| {
            let user = me(session).await?;
            let request = shown(&user, &delete)?;
            // Made once, and not again when the connection breaks: what came of it is not known then.
            let answer = session
                .call(request, async |channel, request| {
                    UsersServiceClient::new(channel)
                        .delete_account(request)
                        .await
                })
                .await
                .map_err(|error| session.gone(error))?;
            session.credentials.lock().await?.forget()?;
            wait(ground, session, answer.deletion_token.into(), delete.json).await
        })
        .await
}

async fn me(session: &Session<'_>) -> anyhow::Result<User> {
    let answer = session
        .ask(GetMeRequest {}, async |channel, request| {
            UsersServiceClient::new(channel).get_me(request).await
        })
        .await
        .map_err(|error| session.gone(error))?;
    answer.user.context("an answer without an account")
}

/// Whether it is meant, and what the account must show.
fn shown(user: &User, delete: &DeleteAccount) -> anyhow::Result<DeleteAccountRequest> {
    if !delete.yes {
        confirm(&user.email)?;
    }
    if user.email.is_empty() {
        return Ok(DeleteAccountRequest::default());
    }
    let password = asked_password(&user.email, delete.password_stdin)?;
    let second_factor = match &delete.code {
        Some(code) => code.clone(),
        None if user.second_factor && std::io::stdin().is_terminal() => {
            let code = ask("Code of the authenticator: ")?;
            code.expose_secret().to_owned()
        }
        None => String::new(),
    };
    Ok(DeleteAccountRequest {
        password: password.expose_secret().to_owned(),
        second_factor,
    })
}

/// Has the e-mail typed; of an anonymous account a word.
fn confirm(email: &str) -> anyhow::Result<()> {
    let (what, word) = if email.is_empty() {
        ("the anonymous account", "delete")
    } else {
        ("the account", email)
    };
    let mut err = std::io::stderr();
    let word = plain(word);
    writeln!(
        err,
        "This deletes {what} and everything that it has made, for ever."
    )?;
    write!(err, "Type {word} to go on: ")?;
    err.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(Trouble::interrupted("that is something else; nothing was deleted").into())
    }
}

/// Shows what each service has erased, until all have.
async fn wait(
    ground: &Ground<'_>,
    session: &Session<'_>,
    token: SecretString,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::of_process()?;
    let json = as_json.then(Json::new).transpose()?;
    let progress = Progress::new(ground.terminal, "erasing");
    let (begun, mut told) = (Instant::now(), BTreeSet::new());
    let mut waiting = Vec::new();
    loop {
        // One answer that does not come is no reason to give up: the deletion goes on without being asked for.
        match far(session, &token).await {
            Ok(deletion) => {
                for receipt in &deletion.receipts {
                    if told.insert(receipt.service.clone()) {
                        print(&match &json {
                            Some(json) => format!("{}\n", json.line(RECEIPT, receipt)?),
                            None => line(receipt),
                        })?;
                    }
                }
                waiting = deletion.waiting;
                progress.say(&format!("waiting for {}", waiting.join(", ")));
                if deletion.done_time.is_some() {
                    progress.end();
                    ground.terminal.aside("the account is deleted");
                    return Ok(());
                }
            }
            Err(error) if is_lost(&error) => session.mend().await?,
            Err(error) => return Err(error),
        }
        if begun.elapsed() > PATIENCE {
            let line = format!(
                "the account is deleted; still to erase their parts: {}",
                plain(&waiting.join(", "))
            );
            return Err(Trouble::later(line).into());
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = interrupts.next() => {
                let line = "not waiting any longer; the account is deleted, and the services go on erasing";
                return Err(Trouble::interrupted(line).into());
            }
        }
    }
}

async fn far(session: &Session<'_>, token: &SecretString) -> anyhow::Result<Deletion> {
    let request = GetDeletionRequest {
        deletion_token: token.expose_secret().to_owned(),
    };
    let answer = UsersServiceClient::new(session.connection().channel)
        .get_deletion(request)
        .await?;
    answer
        .into_inner()
        .deletion
        .context("an answer without a deletion")
}

/// What one service has erased, as people read it.
fn line(receipt: &ErasureReceipt) -> String {
    let counted = |counts: &std::collections::HashMap<String, u64>, end: &str| {
        let counts = counts.iter().filter(|(_, count)| **count > 0);
        let mut parts: Vec<String> = counts
            .map(|(kind, count)| format!("{count} {}{end}", kind.replace('_', " ")))
            .collect();
        parts.sort();
        parts
    };
    let mut parts = counted(&receipt.erased, "");
    parts.extend(counted(&receipt.kept, " stay without a name"));
    if parts.is_empty() {
        parts.push("nothing was there".to_owned());
    }
    format!(
        "{}: {}\n",
        plain(&receipt.service),
        plain(&parts.join(", "))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_a_line() {
        let receipt = |erased: &[(&str, u64)], kept: &[(&str, u64)]| {
            let counts = |counts: &[(&str, u64)]| {
                let counts = counts.iter();
                counts
                    .map(|(kind, count)| ((*kind).to_owned(), *count))
                    .collect()
            };
            line(&ErasureReceipt {
                service: "x".to_owned(),
                erased: counts(erased),
                kept: counts(kept),
                time: None,
            })
        };
        assert_eq!(receipt(&[], &[]), "x: nothing was there\n");
        assert_eq!(
            receipt(&[("images", 2), ("histories", 0)], &[("usage_events", 3)]),
            "x: 2 images, 3 usage events stay without a name\n"
        );
    }
}
