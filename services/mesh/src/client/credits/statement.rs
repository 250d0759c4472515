//! The statement of a month: a file that is written whole or not at all.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use atelier_proto::users::v1::ExportStatementRequest;

use super::{Client, Ground, Teller, calendar, print};
use crate::args::Statement;
use crate::client::output::Output;
use crate::client::terminal::{plain, pour};
use crate::client::trouble::Trouble;

const EXPORT: &str = "/atelier.users.v1.CreditsService/ExportStatement";
const CONTENT_TYPE: &str = "text/csv";

/// Runs it.
pub async fn run(ground: &Ground<'_>, statement: Statement, teller: &Teller) -> anyhow::Result<()> {
    let month = statement.month.unwrap_or_else(calendar::this_month);
    let output = match statement.output.as_deref() {
        Some(path) if path != Path::new("-") => {
            Output::decide(Some(path), statement.force, &format!("statement {month}"))?
        }
        // A terminal can show it, unlike pictures and sounds.
        _ if teller.0.is_none() => Output::Stdout,
        _ => {
            let line = "a statement is a CSV file: with --json, --output says where it goes";
            return Err(Trouble::usage(line).into());
        }
    };
    ground
        .visit(async |session| {
            session.admit(EXPORT).await?;
            let request = ExportStatementRequest {
                month: month.clone(),
            };
            let mut answers = session
                .call(request, async |channel, request| {
                    Client::new(channel).export_statement(request).await
                })
                .await
                .map_err(|error| session.gone(error))?;
            let mut draft = output.draft()?;
            loop {
                let piece = answers.message().await;
                let piece = piece.map_err(|status| session.gone(status.into()))?;
                let Some(piece) = piece else { break };
                draft.write_all(&piece.data)?;
            }
            if matches!(output, Output::Stdout) {
                draft.rewind()?;
                let mut bytes = Vec::new();
                draft.read_to_end(&mut bytes)?;
                return pour(&bytes).await;
            }
            let file = output.keep(draft, CONTENT_TYPE)?;
            let file = file.display().to_string();
            print(&match teller.0 {
                Some(_) => format!("{}\n", serde_json::json!({"month": month, "file": file})),
                None => format!("{}\n", plain(&file)),
            })
        })
        .await
}
