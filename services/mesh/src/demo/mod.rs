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

use crate::args::Demo;
use crate::config::Config;
use crate::inventory;
use crate::mesh::Mesh;

/// Runs the story against `--url`, or against a mesh that is started for it.
pub async fn run(mut config: Config, demo: Demo) -> anyhow::Result<()> {
    if let Some(url) = &demo.url {
        return tell(url, &demo).await;
    }
    // The demo is a guest on this machine: it takes whatever ports are free.
    config.port = 0;
    config.admin_port = 0;
    let mesh = Mesh::start(config).await?;
    inventory::print(&mesh);
    let url = mesh.edge_url.clone().context("the demo needs the edge")?;
    let told = tell(&url, &demo).await;
    mesh.stop().await;
    told
}

async fn tell(url: &Url, demo: &Demo) -> anyhow::Result<()> {
    let folder = std::env::current_dir().context("the folder to write to")?;
    let (caller, email, password) = chapters::register(url).await?;
    chapters::chat(&caller, demo.ask.as_deref()).await?;
    let picture = chapters::draw(&caller, &demo.draw, demo.size, &folder).await?;
    let speech = chapters::say(&caller, &demo.say, &folder).await?;
    chapters::usage(&caller).await?;
    epilogue(&[picture, speech], demo.url.as_ref(), &email, &password);
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
