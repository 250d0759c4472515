//! What the deployments must agree with, written down for their checks, which are no Rust: `services/mesh/tests/deployment`.

use std::path::Path;

use serde_json::{Map, Value, json};
use url::Url;

use crate::config::{ADMIN_PORT, PORT};
use crate::roster::{EDGE, ROSTER, needs};

/// The roster as JSON, its ports as they are when nothing is set.
fn roster() -> String {
    let number = |text: &str| text.parse::<u16>().unwrap();
    let mut roles = Map::new();
    for seat in ROSTER {
        let url = Url::parse(seat.url.default).unwrap();
        roles.insert(
            seat.role.to_owned(),
            json!({
                "services": seat.services,
                "url": seat.url.name,
                "port": url.port().unwrap(),
                "objects": seat.objects,
                "needs": needs(seat.role).map(|seat| seat.role).collect::<Vec<_>>(),
            }),
        );
    }
    let all = json!({
        "roles": Value::Object(roles),
        "edge": {
            "port": number(PORT.default),
            "needs": needs(EDGE).map(|seat| seat.role).collect::<Vec<_>>(),
        },
        "admin_port": number(ADMIN_PORT.default),
    });
    format!("{}\n", serde_json::to_string_pretty(&all).unwrap())
}

#[test]
fn the_deployments_are_told_the_roster() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deployment/roster.json");
    if std::env::vars().any(|(name, _)| name == "ATELIER_REGENERATE") {
        std::fs::write(&path, roster()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == roster(),
        "{} is stale: run `just gen`",
        path.display()
    );
}
