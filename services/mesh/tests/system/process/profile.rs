//! The production profile: what a service in earnest must not stand on is refused, all of it at once and by its name, and taken
//! when the operator names it.

use crate::running::Launch;
use crate::split::SECRET;

/// What a mesh stands on that nobody has set anything for.
const STANDS_ON: [&str; 6] = [
    "sqlite",
    "memory",
    "local-objects",
    "local-secret",
    "offline",
    "mail-folder",
];

#[tokio::test]
async fn production_refuses_what_is_fine_on_a_laptop_and_names_each() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::serving(&[], folder.path()).env("ATELIER_PROFILE", "production");
    let ended = launch.run().await;
    assert_eq!(ended.code(), Some(64), "{}", ended.stderr);
    for name in STANDS_ON {
        let line = format!("  {name}: ");
        assert!(
            ended.stderr.contains(&line),
            "no {name} in {}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("any-origin: "), "{}", ended.stderr);
    for setting in ["ATELIER_POSTGRES_URL", "ATELIER_SECRET", "ATELIER_ALLOW"] {
        assert!(ended.stderr.contains(setting), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn production_takes_what_its_operator_names_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let launch = |allow: &str| {
        Launch::serving(&[], folder.path())
            .env("ATELIER_PROFILE", "production")
            .env("ATELIER_SECRET", SECRET)
            .env("ATELIER_CORS_ORIGINS", "*")
            .env("ATELIER_CHAT_URL", "simulator://")
            .env("ATELIER_CHAT_MODELS", "m")
            .env("ATELIER_ALLOW", allow)
    };
    let but_two = "sqlite, memory,local-objects,offline,mail-folder";
    let ended = launch(but_two).run().await;
    assert_eq!(ended.code(), Some(64), "{}", ended.stderr);
    for name in ["any-origin", "simulator"] {
        let line = format!("  {name}: ");
        assert!(
            ended.stderr.contains(&line),
            "no {name} in {}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("  offline: "), "{}", ended.stderr);

    let running = launch(&format!("{but_two},any-origin,simulator"))
        .start()
        .await;
    assert_eq!(running.terminate().await.code(), Some(0));

    let ended = launch("sqlight").run().await;
    assert_eq!(ended.code(), Some(64));
    assert!(ended.stderr.contains("sqlight"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_role_is_asked_only_for_what_it_stands_on_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Launch::serving(&["analytics"], folder.path())
        .env("ATELIER_PROFILE", "production")
        .env("ATELIER_SECRET", SECRET)
        .run()
        .await;
    assert_eq!(ended.code(), Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("  sqlite: "), "{}", ended.stderr);
    for name in ["offline", "local-objects", "mail-folder"] {
        let line = format!("  {name}: ");
        assert!(!ended.stderr.contains(&line), "{}", ended.stderr);
    }
}
