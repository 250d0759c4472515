//! The tables as people read them: `docs/policy.md`, which is made of them and held against them.

use std::path::Path;

use super::methods::METHODS;
use super::outcomes::{
    AT_THE_EDGE, AT_THE_SERVICE, BY_CERTIFICATE, BY_KEY, CALLERS, CERTIFICATES, For, KEYS, Key,
    Outcome,
};
use super::owned::{Met, OWNED, WHO};

/// Adds a table of what each kind of caller gets.
fn table<K: Copy, const N: usize>(
    text: &mut String,
    corner: &str,
    heads: &[&str; N],
    rows: &[(K, [Outcome; N])],
    name: impl Fn(K) -> &'static str,
) {
    text.push_str(&format!("| {corner} | {} |\n", heads.join(" | ")));
    text.push_str(&format!("|---|{}\n", "---|".repeat(N)));
    for (of, outcomes) in rows {
        let told: Vec<String> = outcomes.iter().map(|outcome| word(*outcome)).collect();
        text.push_str(&format!("| {} | {} |\n", name(*of), told.join(" | ")));
    }
}

/// The tables as people read them.
fn document() -> String {
    let mut text = String::from(
        "# Who may call what\n\n\
         Every method of the contract, whom it is for, and which scope an API key needs. The tables are reviewed: a test holds the\n\
         running mesh against them, another one shows that they object to every other policy, and this page is made of them\n\
         (`ATELIER_REGENERATE=1 cargo test -p atelier --test system the_page_of_policies`).\n\n\
         | method | for | API key |\n|---|---|---|\n",
    );
    for (path, access, key) in METHODS {
        let method = path.trim_start_matches("/atelier.");
        let (whom, key) = (whom(*access), key_word(*key));
        text.push_str(&format!("| `{method}` | {whom} | {key} |\n"));
    }
    text.push_str("\n## At a service itself\n\n");
    table(&mut text, "for", &CALLERS, &AT_THE_SERVICE, whom);
    text.push_str(
        "\n## At a service that asks for a certificate\n\n\
         Between roles whose URLs are https:// the certificate comes first: without one that the mesh's authority signed there is no\n\
         connection, and a service token must be that of the role in the certificate. Each token here is a valid one.\n\n",
    );
    table(&mut text, "for", &CERTIFICATES, &BY_CERTIFICATE, whom);
    text.push_str("\n## Through the edge\n\n");
    table(&mut text, "for", &CALLERS, &AT_THE_EDGE, whom);
    text.push_str(
        "\n## Through the edge with an API key\n\n\
         By what a method needs of a key; what is for services or the operator is `INTERNAL_ONLY` for every key.\n\n",
    );
    table(&mut text, "API key", &KEYS, &BY_KEY, key_word);
    text.push_str(
        "\n## Whose it is\n\n\
         Every method that names a thing of an account, with a real one, through the edge and at the service alike. A sign-in with a\n\
         provider is linked by a provider alone, so that here it is nobody's.\n\n",
    );
    text.push_str(&format!("| method | {} |\n", WHO.join(" | ")));
    text.push_str(&format!("|---|{}\n", "---|".repeat(WHO.len())));
    for (path, row, _) in OWNED {
        let method = path.trim_start_matches("/atelier.");
        let told = row.map(met_word).join(" | ");
        text.push_str(&format!("| `{method}` | {told} |\n"));
    }
    text
}

fn met_word(met: Met) -> &'static str {
    match met {
        Met::Well => "yes",
        Met::Unknown => "`NOT_FOUND`",
        Met::TooLow => "`ROLE_TOO_LOW`",
        Met::Another => "`USAGE_OF_ANOTHER`",
    }
}

fn whom(access: For) -> &'static str {
    match access {
        For::Anyone => "anyone",
        For::AnySession => "any session",
        For::Accounts => "registered accounts",
        For::Admins => "admins",
        For::Services => "services",
        For::Operators => "the operator",
    }
}

fn key_word(key: Key) -> &'static str {
    match key {
        Key::Free => "any",
        Key::Read => "read",
        Key::Chat => "chat",
        Key::Image => "image",
        Key::Speech => "speech",
        Key::Never => "none",
    }
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Allowed => "yes".to_owned(),
        Outcome::Denied(reason) | Outcome::Unknown(reason) => format!("`{reason}`"),
        Outcome::Cut => "no connection".to_owned(),
    }
}

#[test]
fn the_page_of_policies_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    if std::env::vars().any(|(name, _)| name == "ATELIER_REGENERATE") {
        std::fs::write(&path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document(),
        "docs/policy.md is stale: run `just gen`"
    );
}
