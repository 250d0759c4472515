//! Makes the Rust half of `gen/` from `proto/` and fails when what is committed differs.
//!
//! `ATELIER_REGENERATE=1 cargo test -p atelier-proto --test codegen` writes it anew. No `protoc` is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the contract, in the order of the imports.
fn contract(proto: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![proto.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the proto folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "proto") {
                files.push(
                    path.strip_prefix(proto)
                        .expect("found inside the folder")
                        .to_path_buf(),
                );
            }
        }
    }
    files.sort();
    files
}

fn generate(proto: &Path, out: &Path) {
    let mut compiler = protox::Compiler::new([proto]).expect("the proto folder is a root");
    compiler.include_source_info(true).include_imports(true);
    for file in contract(proto) {
        compiler
            .open_file(&file)
            .unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
    }
    tonic_prost_build::configure()
        .bytes(".")
        .emit_rerun_if_changed(false)
        .include_file("mod.rs")
        .out_dir(out)
        .compile_fds(compiler.file_descriptor_set())
        .expect("the contract compiles to Rust");

    // `file_descriptor_set()` drops the policy options; the encoded form keeps them. Comments are left out of
    // what reflection serves: they are a quarter of a megabyte that nobody reads there.
    let mut compiler = protox::Compiler::new([proto]).expect("the proto folder is a root");
    compiler.include_source_info(false).include_imports(true);
    for file in contract(proto) {
        compiler.open_file(&file).expect("compiled above");
    }
    fs::write(
        out.join("descriptor.binpb"),
        compiler.encode_file_descriptor_set(),
    )
    .expect("the descriptor is writable");
}

fn read(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable"))
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("the file is readable"),
            )
        })
        .collect()
}

#[test]
fn the_generated_rust_is_fresh() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let proto = home.join("../../proto");
    let committed = home.join("src/gen");
    if std::env::var_os("ATELIER_REGENERATE").is_some() {
        if committed.exists() {
            fs::remove_dir_all(&committed).expect("the old files can be removed");
        }
        fs::create_dir_all(&committed).expect("the folder can be made");
        generate(&proto, &committed);
        return;
    }
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(&proto, fresh.path());
    let (fresh, committed) = (read(fresh.path()), read(&committed));
    assert_eq!(
        fresh.keys().collect::<Vec<_>>(),
        committed.keys().collect::<Vec<_>>(),
        "gen/rust has other files than the contract: run `just gen`"
    );
    for (name, bytes) in &fresh {
        assert!(
            committed[name] == *bytes,
            "gen/rust/src/gen/{name} is stale: run `just gen`"
        );
    }
}
