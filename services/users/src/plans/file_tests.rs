//! The file of plans: what it says, and what is wrong with it.

use super::*;

use atelier_kit::config::Settings;
use atelier_kit::followed::FollowedFile;

fn read(content: &str) -> Result<Plans, String> {
    Plans::read("plans.toml", content).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_what_is_built_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/plans.toml");
    let example = FollowedFile::new(path).read(Plans::read).unwrap();
    assert_eq!(example, Plans::default());
    assert_eq!(read("").unwrap(), Plans::default());
}

#[test]
fn a_file_says_it_all() {
    let plans = read(
        r#"
        currency = "EUR"
        [sign_up]
        credits = 1.5
        days = 30
        [plans.pro]
        monthly_credits = "20"
        quotas = { image = 0, speech = 7 }
        concurrency = 3
        weight = 10
        open = true
        [plans.free]
        [anonymous]
        quotas = {}
        concurrency = 1
        network_concurrency = 2
        daily_budget = 0.25
        [spending]
        hour = 10
        day = "100.000001"
        "#,
    )
    .unwrap();
    assert_eq!(plans.currency, "EUR");
    let days = Some(30);
    let credits = 1_500_000;
    assert_eq!(plans.sign_up, SignUp { credits, days });
    let names: Vec<&str> = plans.all().map(|plan| plan.name.as_str()).collect();
    assert_eq!(names, ["pro", "free"]);
    let pro = plans.find("pro").unwrap();
    assert_eq!((pro.monthly_credits, pro.concurrency), (20_000_000, 3));
    assert_eq!((pro.weight, pro.is_open), (10, true));
    assert_eq!(pro.daily(Medium::Image), Some(0));
    assert_eq!(pro.daily(Medium::Speech), Some(7));
    assert_eq!(pro.daily(Medium::Chat), None);
    let free = plans.of("a plan of yesterday");
    assert_eq!((free.name.as_str(), free.concurrency), ("free", 32));
    assert_eq!(
        (free.weight, free.is_open, free.quotas().count()),
        (1, false, 0)
    );
    assert_eq!(plans.anonymous.quotas().count(), 0);
    assert_eq!(plans.anonymous.network_concurrency, 2);
    let bounds = plans.bounds();
    assert_eq!(bounds.hour, Some(10_000_000));
    assert_eq!(
        (bounds.day, bounds.house_day),
        (Some(100_000_001), Some(250_000))
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let free = "[plans.free]\n";
    for (content, told) in [
        ("[plans.pro]\n", "plans.toml: there is no [plans.free]"),
        (
            "currency = \"usd\"",
            "plans.toml:1:12: the currency \"usd\"",
        ),
        ("\ncurrencies = \"USD\"", "plans.toml:2:1: unknown field"),
        (
            "[sign_up]\ndays = 1",
            "plans.toml:1:1: missing field `credits`",
        ),
        (
            "[sign_up]\ncredits = -1",
            "plans.toml:2:11: the amount -1 must not be below 0",
        ),
        (
            "[spending]\nday = -0.01",
            "plans.toml:2:7: the amount -0.01 must not be below 0",
        ),
        (
            "[spending]\nhour = \"-0\"",
            "plans.toml:2:8: the amount -0 must not be below 0",
        ),
        (
            "[spending]\nday = 0.0000001",
            "plans.toml:2:7: the amount 0.0000001 may have six",
        ),
        (
            "[spending]\nday = 1000000001",
            "plans.toml:2:7: the amount 1000000001 is too high",
        ),
        ("[spending]\nday = 1e300", "plans.toml:2:7: the amount 1"),
        (
            "[spending]\nday = inf",
            "plans.toml:2:7: the amount inf must be a decimal",
        ),
        ("[spending]\nday = true", "plans.toml:2:7: invalid type"),
        (
            "[anonymous]\nconcurrency = 0",
            "plans.toml:2:15: 0 is not within 1 to",
        ),
        (
            "[plans.free]\nweight = 11",
            "plans.toml:2:10: 11 is not within 1 to 10",
        ),
        (
            "[plans.free]\nquotas = { picture = 1 }",
            "plans.toml:2:12: unknown field",
        ),
        (
            "[plans.free]\nquotas = { image = -1 }",
            "plans.toml:2:20: -1 is not within 0",
        ),
        (
            "[plans.free]\nmonthly_credit = 1",
            "plans.toml:2:1: unknown field",
        ),
        (
            &format!("{free}[plans.Pro]"),
            "plans.toml:2:8: the plan \"Pro\" must be named",
        ),
        (
            &format!("{free}[plans.anonymous]"),
            "plans.toml:2:8: no plan can be named",
        ),
        ("[plans", "plans.toml:1:"),
    ] {
        let error = read(content).unwrap_err();
        assert!(error.starts_with(told), "{error}\n{told}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_wrong_file_stops_the_start() {
    let set = Settings::new([("ATELIER_PLANS".to_owned(), "/nowhere/plans.toml".to_owned())]);
    crate::Config::read(&set);
    let error = set.finish(&[&PLANS]).unwrap_err();
    assert!(
        error
            .0
            .starts_with("ATELIER_PLANS: /nowhere/plans.toml: cannot be read: "),
        "{error:?}"
    );
}
