//! Who may call what: every method of the contract by every kind of caller, through the edge and at the services
//! themselves. What is expected stands in tables that people review; the contract's options are not asked, and a test of
//! its own shows that the tables object to every other option.

mod callers;
mod certified;
mod flipped;
mod methods;
mod outcomes;
mod owned;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tonic::transport::Channel;

pub use self::owned::{Things, said_of};

use self::callers::Cast;
use self::methods::{ENDING, METHODS};
use self::outcomes::{
    AT_THE_EDGE, AT_THE_SERVICE, CALLERS, For, KEYS, Key, Row, complaint, of_keys, row,
};
use crate::people::connect;
use crate::raw;
use crate::split::SERVICES;

#[test]
fn the_table_has_every_method_and_no_other() {
    let contract: BTreeSet<String> = raw::methods().into_iter().map(|(path, _)| path).collect();
    let table: BTreeSet<String> = METHODS
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .collect();
    assert_eq!(table.len(), METHODS.len(), "a method has two rows");
    let unreviewed: Vec<&String> = contract.difference(&table).collect();
    assert!(
        unreviewed.is_empty(),
        "methods without a row: {unreviewed:?}"
    );
    let gone: Vec<&String> = table.difference(&contract).collect();
    assert!(gone.is_empty(), "rows without a method: {gone:?}");
    assert!(ENDING.iter().all(|path| table.contains(*path)));
}

/// The methods of a role, in the order of their table.
fn methods_of(role: &str) -> impl Iterator<Item = &'static (&'static str, For, Key)> {
    METHODS
        .iter()
        .filter(move |(path, ..)| raw::role_of(path) == role)
}

/// Calls every method of a role as everybody, and returns what was not as expected.
async fn try_all(
    channel: &Channel,
    role: &str,
    expected: &[Row],
    (cast, edge): (&Cast, &str),
) -> Vec<String> {
    let mut tokens = cast.tokens(edge, role).await;
    let mut wrong = Vec::new();
    for (path, access, _) in methods_of(role) {
        for ((caller, token), outcome) in CALLERS.iter().zip(&tokens).zip(row(expected, *access)) {
            let answer = raw::call(channel, path, token.as_deref(), Bytes::new()).await;
            wrong.extend(complaint(path, caller, outcome, &answer));
            if answer.request_id().is_none() {
                wrong.push(format!("{path} by {caller}: no x-request-id"));
            }
        }
        if ENDING.contains(path) {
            tokens = cast.tokens(edge, role).await;
        }
    }
    wrong
}

/// Calls every method of a role through the edge with each kind of API key.
async fn try_keys(edge: &Channel, role: &str, keys: &[String; KEYS.len()]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, access, key) in methods_of(role) {
        let expected = of_keys(*access, *key);
        for ((name, secret), outcome) in KEYS.iter().zip(keys).zip(expected) {
            let answer = raw::call(edge, path, Some(secret), Bytes::new()).await;
            wrong.extend(complaint(path, name, outcome, &answer));
        }
    }
    wrong
}

#[tokio::test]
async fn everybody_gets_from_every_method_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let (mesh, cast) = Cast::at_work(folder.path()).await;

    let edge = connect(mesh.edge()).await;
    let keys = cast.keys().await;
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (role, _) in SERVICES {
        let with = (&cast, mesh.edge());
        let through = try_all(&edge, role, &AT_THE_EDGE, with).await;
        wrong.entry("through the edge").or_default().extend(through);
        let keyed = try_keys(&edge, role, &keys).await;
        wrong.entry("with an API key").or_default().extend(keyed);
        let direct = connect(mesh.of(role)).await;
        let at = try_all(&direct, role, &AT_THE_SERVICE, with).await;
        wrong.entry("at the service").or_default().extend(at);
    }
    wrong.retain(|_, wrong| !wrong.is_empty());
    assert!(wrong.is_empty(), "{wrong:#?}");
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        assert!(ended.took < Duration::from_secs(20));
    }
}
