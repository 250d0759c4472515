//! Registries in real files that change while they are looked at, as editors, deployments and accidents change them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_kit::config::Settings;
use atelier_kit::service::StartError;
use atelier_kit::testing::foundation_with;
use atelier_kit::testing::log::Log;
use tokio_util::sync::DropGuard;

use super::*;
use crate::calls::{Caller, Callers};
use crate::registry::{MODELS, Medium, ModelSpec, Registry};

const PACE: Duration = Duration::from_millis(40);

struct Plain(ModelSpec);

impl Offered for Plain {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn model(&self) -> &ModelSpec {
        &self.0
    }
}

fn make(registry: &Registry, _: &Callers) -> Result<Vec<Plain>, StartError> {
    Ok(registry.models.iter().cloned().map(Plain).collect())
}

/// Offers of a file, looked at often.
struct World {
    offers: Arc<Offers<Plain>>,
    log: Log,
    _stop: DropGuard,
}

impl World {
    async fn open(path: &Path, pace: Duration) -> Self {
        let log = Log::new();
        let variables = [(MODELS.name.to_owned(), path.display().to_string())];
        let settings = Settings::new(variables);
        let supply = Supply::read(&settings, Medium::Chat, Vec::new(), &[]);
        settings.finish(&[&MODELS]).unwrap();
        let foundation = foundation_with("llm-chat", path.parent().unwrap(), &BTreeMap::new());
        let stop = foundation.stop.clone().drop_guard();
        let supply = supply.unwrap().at_pace(pace);
        let offers = Offers::open(supply, make, &foundation).await.unwrap();
        Self {
            offers,
            log,
            _stop: stop,
        }
    }

    fn ids(&self) -> Vec<String> {
        let menu = self.offers.now();
        menu.iter().map(|entry| entry.id().to_owned()).collect()
    }

    async fn comes(&self, what: &str, mut is_there: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !is_there(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{what} did not come: {:?}\n{}",
                self.ids(),
                self.log.text()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn offers(&self, ids: &[&str]) {
        self.comes(&format!("{ids:?}"), |world| world.ids() == ids)
            .await;
    }

    /// Long enough for many looks.
    async fn several_looks(&self) {
        tokio::time::sleep(PACE * 8).await;
    }

    fn errors(&self) -> usize {
        self.log
            .text()
            .matches("cannot be used, and what was offered")
            .count()
    }

    fn caller(&self, provider: &str) -> Caller {
        self.offers.callers().get(provider).unwrap()
    }
}

/// Whether two callers are one: what it knows is in one place.
fn is_one(a: &Caller, b: &Caller) -> bool {
    std::ptr::eq(a.timeouts(), b.timeouts())
}

fn content(ids: &[&str]) -> String {
    let mut content = "[providers.api]\nurl = \"http://127.0.0.1:9/v1\"\n".to_owned();
    for id in ids {
        content += &format!("[[models]]\nid = \"{id}\"\nmedium = \"chat\"\nprovider = \"api\"\n");
    }
    content
}

fn file(folder: &tempfile::TempDir, ids: &[&str]) -> PathBuf {
    let path = folder.path().join("models.toml");
    fs::write(&path, content(ids)).unwrap();
    path
}

#[tokio::test]
async fn a_file_that_is_replaced_by_renaming_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &["a"]);
    let world = World::open(&path, PACE).await;
    assert_eq!(world.ids(), ["a"]);
    let begun_before = world.offers.now();
    let next = folder.path().join(".models.toml.swp");
    fs::write(&next, content(&["b", "a"])).unwrap();
    fs::rename(&next, &path).unwrap();
    world.offers(&["b", "a"]).await;
    // What began before keeps what it began with.
    assert_eq!(begun_before.iter().count(), 1);
    // The same length and, on some file systems, the same time: it is the content that counts.
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, content(&["c", "a"])).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    world.offers(&["c", "a"]).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_map_whose_link_is_swapped_is_read() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, ids) in [("..1", &["a"][..]), ("..2", &["b"][..])] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("models.toml"), content(ids)).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/models.toml", at("models.toml")).unwrap();
    let world = World::open(&at("models.toml"), PACE).await;
    assert_eq!(world.ids(), ["a"]);
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    world.offers(&["b"]).await;
}

#[tokio::test]
async fn a_file_that_is_written_in_pieces_is_not_read_midway() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &["a", "b", "c"]);
    let pace = Duration::from_millis(400);
    let world = World::open(&path, pace).await;
    let whole = content(&["d", "e", "f", "g"]);
    let mut out = fs::File::create(&path).unwrap();
    // Each model that is written makes a file that would be good.
    let begun = Instant::now();
    for piece in whole.split_inclusive("provider = \"api\"\n") {
        out.write_all(piece.as_bytes()).unwrap();
        out.flush().unwrap();
        for _ in 0..15 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let ids = world.ids();
            assert!(ids == ["a", "b", "c"] || ids.len() == 4, "{ids:?} midway");
        }
    }
    assert!(begun.elapsed() > pace, "it was never looked at midway");
    world.offers(&["d", "e", "f", "g"]).await;
    assert_eq!(world.errors(), 0, "{}", world.log.text());
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_told_once_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &["a"]);
    let world = World::open(&path, PACE).await;
    let broken = content(&["b"]).replace("provider", "colour");
    fs::write(&path, &broken).unwrap();
    world.comes("an error", |world| world.errors() == 1).await;
    world.several_looks().await;
    assert_eq!(world.errors(), 1, "{}", world.log.text());
    assert_eq!(world.ids(), ["a"]);
    let log = world.log.text();
    assert!(
        log.contains("models.toml:6:1: the model \"b\" has no `colour`"),
        "{log}"
    );
    // Another mistake is another error.
    fs::write(&path, "models = [").unwrap();
    world
        .comes("another error", |world| world.errors() == 2)
        .await;
    fs::remove_file(&path).unwrap();
    world
        .comes("a third error", |world| world.errors() == 3)
        .await;
    assert_eq!(world.ids(), ["a"]);
    fs::write(&path, content(&["b"])).unwrap();
    world.offers(&["b"]).await;
}

#[tokio::test]
async fn a_file_that_is_as_it_was_is_mended_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &["a"]);
    let world = World::open(&path, PACE).await;
    fs::write(&path, "").unwrap();
    world.comes("an error", |world| world.errors() == 1).await;
    fs::write(&path, content(&["a"])).unwrap();
    let again = |world: &World| world.log.text().contains("was read again");
    world.comes("the old file", again).await;
    // And the next mistake is told again, although it is the same.
    fs::write(&path, "").unwrap();
    world
        .comes("the same error", |world| world.errors() == 2)
        .await;
}

#[tokio::test]
async fn a_provider_that_stays_as_it_is_keeps_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    let key = folder.path().join("api.key");
    let content = |more: &str| {
        format!(
            "[providers.api]\nurl = \"http://127.0.0.1:9/v1\"\nkey_file = \"api.key\"\n\
             [providers.other]\nurl = \"http://127.0.0.1:9/v2\"\n\
             [[models]]\nid = \"a\"\nmedium = \"chat\"\nprovider = \"api\"\n\
             [[models]]\nid = \"b\"\nmedium = \"chat\"\nprovider = \"other\"\n{more}"
        )
    };
    fs::write(&key, "first-key\n").unwrap();
    fs::write(&path, content("")).unwrap();
    let world = World::open(&path, PACE).await;
    let (api, other) = (world.caller("api"), world.caller("other"));
    fs::write(&path, content("description = \"It is new.\"\n")).unwrap();
    let described =
        |world: &World| world.offers.now().get("b").unwrap().0.description == "It is new.";
    world.comes("a description", described).await;
    assert!(is_one(&api, &world.caller("api")) && is_one(&other, &world.caller("other")));

    // A key that is changed in its own file is a change of its provider alone.
    fs::write(&key, "second-key\n").unwrap();
    world
        .comes("the other key", |world| !is_one(&api, &world.caller("api")))
        .await;
    assert!(is_one(&other, &world.caller("other")));
    let registry = world.offers.now().registry().clone();
    let provider = registry.provider("api").unwrap();
    assert_eq!(provider.keys[0].source, "api.key");

    // One that is gone keeps what was, and one that comes back is found although the file is as it was.
    let api = world.caller("api");
    fs::remove_file(&key).unwrap();
    world.comes("an error", |world| world.errors() == 1).await;
    assert!(is_one(&api, &world.caller("api")));
    fs::write(&key, "third-key\n").unwrap();
    world
        .comes("the third key", |world| !is_one(&api, &world.caller("api")))
        .await;
    let log = world.log.text();
    for key in ["first-key", "second-key", "third-key"] {
        assert!(!log.contains(key), "{log}");
    }
}

#[tokio::test]
async fn an_unusable_file_stops_the_start_and_says_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &["a", "a"]);
    let url = atelier_kit::config::Setting::new("ATELIER_CHAT_URL", "", "");
    let read = |pairs: &[(&str, &str)]| {
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::new(variables);
        let supply = Supply::read(&settings, Medium::Chat, Vec::new(), &[&url]);
        settings
            .finish(&[&MODELS, &url])
            .map(|()| supply)
            .map_err(|error| error.0)
    };
    let named = path.display().to_string();
    let error = read(&[(MODELS.name, &named)]).unwrap_err();
    assert_eq!(
        error,
        format!("ATELIER_MODELS: {named}:8:6: there is another model \"a\"")
    );
    fs::write(&path, content(&["a"])).unwrap();
    assert!(read(&[(MODELS.name, &named)]).unwrap().is_some());
    assert!(read(&[]).unwrap().is_none());
    let both = read(&[(MODELS.name, &named), (url.name, "http://api.example")]).unwrap_err();
    assert_eq!(
        both,
        "ATELIER_CHAT_URL: the models are in the file of ATELIER_MODELS: leave this unset"
    );
    let missing = read(&[(MODELS.name, "/nowhere/models.toml")]).unwrap_err();
    assert!(
        missing.contains("/nowhere/models.toml: cannot be read"),
        "{missing}"
    );
}
