//! `atelier demo`: the whole story, told as a client of the mesh would live it; it uses nothing but the public contract.
#![expect(
    clippy::print_stdout,
    reason = "a command tells its result on standard output"
)]

mod caller;
mod chapters;
mod show;

use std::path::PathBuf;

use anyhow::Context as _;
use url::Url;

use super::Ground;
use super::connection::Connection;
use crate::args::Demo;
use crate::inventory;

pub use chapters::summary;

/// Runs the story against a mesh that runs, or against one that is started for it.
pub async fn run(ground: &Ground<'_>, demo: Demo) -> anyhow::Result<()> {
    let site = ground.site().await?;
    if let Some(mesh) = site.mesh() {
        inventory::print(mesh);
    }
    let running = site.mesh().is_none().then(|| site.url.clone());
    let told = async { tell(&site.connect().await?, running.as_ref(), &demo).await }.await;
    site.close().await;
    told
}

async fn tell(connection: &Connection, running: Option<&Url>, demo: &Demo) -> anyhow::Result<()> {
    let folder = std::env::current_dir().context("the folder to write to")?;
    let (caller, email, password) = chapters::register(connection).await?;
    chapters::chat(&caller, demo.ask.as_deref()).await?;
    let picture = chapters::draw(&caller, &demo.draw, demo.size, &folder).await?;
    let speech = chapters::say(&caller, &demo.say, &folder).await?;
    chapters::usage(&caller).await?;
    chapters::left(&caller).await?;
    epilogue(&[picture, speech], running, &email, &password);
    Ok(())
}

fn epilogue(files: &[PathBuf], running: Option<&Url>, email: &str, password: &str) {
    println!("\nFiles");
    for file in files {
        println!("  {}", file.display());
    }
    let host = match running {
        Some(url) => format!(
            "{}:{}",
            url.host_str().unwrap_or("localhost"),
            url.port_or_known_default().unwrap_or(80)
        ),
        None => {
            println!(
                "\nTry it yourself: start the mesh with `cargo run --release` (or `atelier`), then"
            );
            "localhost:8080".to_owned()
        }
    };
    if running.is_some() {
        println!("\nTry it yourself:");
    }
    println!("  grpcurl -plaintext {host} list");
    println!(
        "  grpcurl -plaintext -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' {host} \
         atelier.users.v1.UsersService/Login"
    );
    println!("  grpcurl -plaintext {host} atelier.tts.v1.TtsService/ListVoices");
}
