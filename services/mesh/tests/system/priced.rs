//! A mesh whose models cost something: simulators with a price for every unit, and plans that count every medium.

use std::path::Path;

use crate::running::Launch;

/// A model of each medium, none of which is free; a picture costs four hundredths.
const MODELS: &str = r#"
[providers.simulated]
url = "simulator://?tokens=6&tokens_per_second=500"

[[models]]
id = "speaker"
medium = "chat"
provider = "simulated"
prices = { million_input_tokens = 100, million_output_tokens = 200 }
limits = { context_tokens = 4_096, output_tokens = 512 }

[[models]]
id = "painter"
medium = "image"
provider = "simulated"
prices = { image = 0.04 }

[[models]]
id = "singer"
medium = "speech"
provider = "simulated"
voices = ["tone"]
prices = { million_characters = 15, audio_minute = "0.015" }
limits = { input_characters = 4_096 }
"#;

/// All that a mesh of this folder needs to be so.
pub fn settings(folder: &Path, plans: &str) -> Vec<(&'static str, String)> {
    std::fs::create_dir_all(folder).unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    vec![
        ("ATELIER_MODELS", file("models.toml", MODELS)),
        ("ATELIER_PLANS", file("plans.toml", plans)),
    ]
}

/// The whole mesh on this folder, in one process.
pub fn launch(folder: &Path, plans: &str) -> Launch {
    Launch::serving(&[], &folder.join("mesh")).envs(&settings(folder, plans))
}

/// Makes an account an admin; its next token says so.
pub async fn make_admin(folder: &Path, email: &str) {
    let data = folder.join("mesh").display().to_string();
    let granted = Launch::new(&["admin", "grant", email, "--data", &data])
        .run()
        .await;
    assert_eq!(granted.code(), Some(0), "{granted:?}");
}
