//! The house keeps its order: who may depend on whom, and what each room may not name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every crate of the workspace with those of the workspace that it depends on, tests left aside.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().unwrap())
                .filter(|name| names.contains(name))
                .map(str::to_owned)
                .collect();
            (package["name"].as_str().unwrap().to_owned(), uses)
        })
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let edges = edges();
    let service = set(&[
        "atelier-proto",
        "atelier-kit",
        "atelier-simulator",
        "atelier-privacy",
        "atelier-generation",
        "atelier-upstream",
    ]);
    for (name, uses) in &edges {
        let allowed = match name.as_str() {
            "atelier-proto" | "atelier-kit" | "atelier-simulator" => set(&[]),
            "atelier-privacy" => set(&["atelier-proto", "atelier-kit"]),
            "atelier-generation" => set(&["atelier-proto", "atelier-kit"]),
            "atelier-ledger" => set(&["atelier-kit"]),
            "atelier-upstream" => set(&[
                "atelier-proto",
                "atelier-kit",
                "atelier-simulator",
                "atelier-generation",
            ]),
            // The edge is given the contract; it does not know it.
            "atelier-edge" => set(&["atelier-kit"]),
            "atelier" => continue,
            // The one service that keeps the book.
            "atelier-users" => set(&[
                "atelier-proto",
                "atelier-kit",
                "atelier-privacy",
                "atelier-ledger",
            ]),
            _ => service.clone(),
        };
        let wrong: Vec<&String> = uses.difference(&allowed).collect();
        assert!(wrong.is_empty(), "{name} may not depend on {wrong:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn services() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("services")).unwrap() {
        let folder = entry.unwrap().path();
        for part in ["src", "tests", "examples"] {
            if folder.join(part).is_dir() {
                sources(&folder.join(part), &mut found);
            }
        }
    }
    assert!(found.len() > 50, "the walk found too little");
    found
}

/// The path from the workspace, with slashes.
fn place(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .to_string_lossy()
        .replace('\\', "/")
}

#[test]
fn every_file_opens_with_what_it_is() {
    for path in services() {
        let text = fs::read_to_string(&path).unwrap();
        let opens = text.starts_with("//!") || text.starts_with("#![doc = include_str!");
        assert!(
            opens,
            "{} does not open with a `//!` sentence",
            place(&path)
        );
    }
}

#[test]
fn no_room_has_a_name_that_says_nothing() {
    for path in services() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let empty = [
            "utils", "util", "common", "helpers", "helper", "manager", "misc",
        ];
        assert!(
            !empty.contains(&stem.as_str()),
            "{} needs a name that says what it is",
            place(&path)
        );
    }
}

#[test]
fn every_service_says_what_it_owns() {
    for entry in fs::read_dir(root().join("services")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.ends_with("kit") || folder.ends_with("mesh") {
            continue;
        }
        assert!(
            folder.join("README.md").is_file(),
            "{} has no README.md",
            place(&folder)
        );
    }
}

/// Code without its tests, its comments and its strings of documentation.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn adapters_name_no_wire_and_the_wire_names_no_adapter() {
    let drivers = [
        "sqlx::",
        "mongodb::",
        "redis::",
        "reqwest::",
        "aws_sdk_s3",
        "s3s",
    ];
    for path in services() {
        let place = place(&path);
        let Some((service, inner)) = place
            .strip_prefix("services/")
            .and_then(|rest| rest.split_once("/src/"))
        else {
            continue;
        };
        if matches!(service, "kit" | "mesh" | "edge") || inner.ends_with("/tests.rs") {
            continue;
        }
        let code = code(&path);
        if inner.starts_with("store/") {
            assert!(
                !code.contains("tonic::"),
                "{place}: an adapter names the wire"
            );
            for other in ["crate::model", "crate::painter", "crate::voice"] {
                assert!(!code.contains(other), "{place}: an adapter names another");
            }
        } else if inner != "lib.rs" && !inner.ends_with("_tests.rs") {
            // Who wires names the migrations; for everybody else the driver is behind the store.
            for driver in ["sqlx::", "mongodb::"] {
                assert!(
                    !code.contains(driver),
                    "{place} names the store's driver {driver}"
                );
            }
        }
        if inner == "grpc.rs" || inner.starts_with("grpc/") || inner == "ports.rs" {
            for driver in drivers {
                assert!(!code.contains(driver), "{place} names the driver {driver}");
            }
        }
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    let allowed = [
        "services/mesh/src/main.rs",
        "services/mesh/src/config.rs",
        // Tests alone have them.
        "services/kit/src/testing/campaign.rs",
        "services/kit/src/testing/crash.rs",
        "services/kit/src/testing/servers/",
    ];
    for path in services() {
        let place = place(&path);
        if !place.contains("/src/")
            || place.ends_with("_tests.rs")
            || place.ends_with("/tests.rs")
            || allowed.iter().any(|allowed| place.starts_with(allowed))
        {
            continue;
        }
        assert!(
            !code(&path).contains("std::env::var"),
            "{place} reads the environment"
        );
    }
}
