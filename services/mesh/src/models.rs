//! `atelier models`: looks at a registry of models before a mesh does.

use std::fmt::Write as _;
use std::path::Path;

use atelier_kit::config::{ConfigError, Variables};
use atelier_kit::moment;
use atelier_upstream::registry::{Medium, Problems, Registry, Stage, Surroundings, day, read};

use crate::args::ModelsCommand;
use crate::client::terminal::print;

/// Does what was asked.
pub fn run(command: &ModelsCommand) -> anyhow::Result<()> {
    match command {
        ModelsCommand::Check { file } => check(file),
    }
}

/// A wrong file is a wrong setting: every problem on a line of its own.
fn check(file: &Path) -> anyhow::Result<()> {
    let named = file.display().to_string();
    let content = std::fs::read_to_string(file).map_err(|error| {
        ConfigError(Problems::whole(&named, format!("cannot be read: {error}")).to_string())
    })?;
    let mut built_in = atelier_llm_chat::model::built_in();
    built_in.extend(atelier_text_image::painter::built_in());
    built_in.extend(atelier_tts::voice::built_in());
    let around = Surroundings {
        file,
        variables: &Variables::default(),
        medium: None,
        built_in: &built_in,
    };
    let reading = read(&content, &around).map_err(|problems| ConfigError(problems.to_string()))?;
    print(&summary(&reading.registry, moment::now()))
}

/// What a good file offers, a line for each model.
fn summary(registry: &Registry, now: moment::Micros) -> String {
    let mut said = String::new();
    for medium in Medium::ALL {
        let models = registry
            .models
            .iter()
            .filter(|model| model.medium == medium);
        for (at, model) in models.enumerate() {
            let default = if at == 0 { ", the default" } else { "" };
            let date = model.life.shut_down.map(day).unwrap_or_default();
            let state = match model.life.at(now) {
                Stage::Active => String::new(),
                Stage::Deprecated if date.is_empty() => ", deprecated".to_owned(),
                Stage::Deprecated => format!(", deprecated until {date}"),
                Stage::ShutDown => ", shut down".to_owned(),
            };
            // Writing to a text cannot fail.
            let _ = writeln!(
                said,
                "{:6}  {} ({}){default}{state}",
                medium.name(),
                model.id,
                model.provider
            );
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_good() {
        let example = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/models.toml"
        ));
        check(example).unwrap();
    }
}
