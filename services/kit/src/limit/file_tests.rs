//! What a file of limits may say, and what becomes of one that changes.

use super::*;

use std::time::Duration;

use crate::followed::FollowedFile;

#[test]
fn a_file_says_what_is_other_than_built_in() {
    let text = "share = 0.25\n[image]\naccount = { per_minute = 30, burst = 5 }\n[login.address]\nper_minute = 20\n";
    let table = Table::read("limits.toml", text).unwrap();
    let quota = |bucket, scope| table.quota(bucket, scope).unwrap();
    assert_eq!(
        quota(Bucket::Image, Scope::Account),
        Quota::new(30, 5).unwrap()
    );
    assert_eq!(
        quota(Bucket::Image, Scope::Anonymous),
        Quota::new(2, 2).unwrap()
    );
    assert_eq!(
        quota(Bucket::Login, Scope::Address),
        Quota::new(20, 20).unwrap()
    );
    assert_eq!(table.share().to_bits(), 0.25_f64.to_bits());
    assert_eq!(Table::read("limits.toml", "").unwrap(), Table::default());
    assert_eq!(
        Table::read("limits.toml", "unlimited = true").unwrap(),
        Table::unlimited()
    );
}

#[test]
fn a_wrong_file_is_one_clear_line() {
    for (text, place, part) in [
        (
            "[image]\naccount = { per_minute = 0 }",
            Some((2, 26)),
            "0 is not within 1 to 1000000",
        ),
        (
            "[image]\naccount = { per_minute = -1 }",
            Some((2, 26)),
            "-1 is not within",
        ),
        (
            "[image]\naccount = { per_minute = 1000001 }",
            Some((2, 26)),
            "1000001 is not within",
        ),
        (
            "[image]\naccount = { per_minute = 5, burst = 0 }",
            Some((2, 37)),
            "0 is not within",
        ),
        (
            "[image]\naccount = { per_minute = 4294967301 }",
            Some((2, 26)),
            "is not within",
        ),
        (
            "[image]\naccount = { per_minute = 99999999999999999999 }",
            Some((2, 26)),
            "",
        ),
        ("[image]\naccount = { per_minute = 1.5 }", Some((2, 26)), ""),
        (
            "[image]\naccount = { per_minute = \"5\" }",
            Some((2, 26)),
            "",
        ),
        (
            "[image]\naccount = { burst = 5 }",
            Some((2, 11)),
            "per_minute",
        ),
        (
            "[image]\naccount = { per_minutes = 5 }",
            Some((2, 13)),
            "per_minutes",
        ),
        (
            "[image]\nmoderator = { per_minute = 5 }",
            Some((2, 1)),
            "moderator",
        ),
        (
            "[internal]\naccount = { per_minute = 5 }",
            Some((1, 2)),
            "internal",
        ),
        ("[image]\n[image]\n", Some((2, 2)), "duplicate"),
        ("share = 0", Some((1, 9)), "0 is not above 0"),
        (
            "share = 1.5",
            Some((1, 9)),
            "1.5 is not above 0 and at most 1",
        ),
        ("share = nan", Some((1, 9)), "NaN is not above 0"),
        ("unlimited = true\n[image]", None, "leaves no room"),
        ("[image", Some((1, 7)), ""),
    ] {
        let error = Table::read("limits.toml", text).unwrap_err();
        let line = error.to_string();
        assert_eq!(error.place, place, "{text}: {line}");
        assert!(line.contains(part), "{text}: {line}");
        assert!(
            line.starts_with("limits.toml:") && !line.contains('\n'),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_file_is_read_again_and_a_wrong_one_changes_nothing() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The test runs on one thread, so the recorder of this thread hears the watcher too.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.toml");
    std::fs::write(&path, "").unwrap();
    let file = FollowedFile::new(&path).at_pace(Duration::from_millis(5));
    let limits = Arc::new(Limits::local(file.read(Table::read).unwrap()));
    let followed = tokio::spawn(follow(file, limits.clone()));
    let images = || {
        let quota = limits.table().quota(Bucket::Image, Scope::Account);
        quota.map(Quota::per_minute)
    };
    let becomes = async |text: &str, expected: Option<u32>| {
        std::fs::write(&path, text).unwrap();
        crate::testing::eventually("it is read", || async { images() == expected }).await;
    };
    becomes("[image]\naccount = { per_minute = 7 }", Some(7)).await;
    // A wrong one, and its correction: whatever was between them, the seven holds until the eight.
    std::fs::write(&path, "[image]\naccount = { per_minute = 0 }").unwrap();
    crate::testing::eventually("it is told", || async {
        handle.render().contains("atelier_limits_are_good 0")
    })
    .await;
    assert_eq!(images(), Some(7));
    becomes("[image]\naccount = { per_minute = 8 }", Some(8)).await;
    becomes("unlimited = true", None).await;
    std::fs::remove_file(&path).unwrap();
    becomes("", Some(10)).await;
    followed.abort();
}
