//! Whole files of the registry: what they mean, and everything that is wrong with them, each with its place.

use std::path::Path;
use std::time::Duration;

use atelier_kit::config::Variables;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;

fn built_in() -> Vec<BuiltIn> {
    let known = |medium, name, voices| BuiltIn {
        medium,
        name,
        voices,
    };
    vec![
        known(Medium::Chat, "atelier-offline", Vec::new()),
        known(Medium::Speech, "flite", vec!["kal", "kal-telephone"]),
    ]
}

fn read_for(
    medium: Option<Medium>,
    content: &str,
    variables: &[(&str, &str)],
) -> Result<Registry, Problems> {
    let variables: Variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let around = Surroundings {
        file: Path::new("models.toml"),
        variables: &variables,
        medium,
        built_in: &built_in(),
    };
    read(content, &around).map(|reading| reading.registry)
}

pub(super) fn good(content: &str) -> Registry {
    read_for(None, content, &[]).unwrap_or_else(|problems| panic!("{problems}\n{content}"))
}

pub(super) fn wrong(content: &str) -> Vec<String> {
    let problems = read_for(None, content, &[]).expect_err(content);
    problems.to_string().lines().map(str::to_owned).collect()
}

pub(super) const PROVIDER: &str = "[providers.api]\nurl = \"http://api.example/v1\"\n";

/// A chat model of the provider with further lines.
fn model(id: &str, more: &str) -> String {
    format!("[[models]]\nid = \"{id}\"\nmedium = \"chat\"\nprovider = \"api\"\n{more}\n")
}

#[test]
fn the_example_says_what_it_says() {
    let content = include_str!("../../../../examples/models.toml");
    let registry = good(content);
    let chat = registry.clone().of(Medium::Chat);
    let ids: Vec<&str> = chat.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["gpt-5-mini", "llama", "gpt-4o", "atelier-offline"]);
    let names: Vec<&str> = chat
        .providers
        .iter()
        .map(|spec| spec.name.as_str())
        .collect();
    assert_eq!(names, ["openai", "cluster", "offline"]);
    let first = &chat.models[0];
    let prices: Vec<(Unit, i64)> = first
        .prices
        .at(0)
        .iter()
        .map(|price| (price.unit, price.micros))
        .collect();
    assert_eq!(
        prices,
        [
            (Unit::MillionInputTokens, 250_000),
            (Unit::MillionOutputTokens, 2_000_000)
        ]
    );
    assert_eq!(first.limits.output_tokens, Some(32_768));
    assert_eq!(first.fallbacks, ["llama", "atelier-offline"]);
    assert_eq!(
        chat.models[1].upstream_name,
        "meta-llama/Llama-3.3-70B-Instruct"
    );
    let old = &chat.models[2].life;
    assert_eq!((old.written, old.is_replaced), (Stage::Deprecated, true));
    assert_eq!(old.shut_down.map(day).as_deref(), Some("2027-03-31"));
    let openai = chat.provider("openai").unwrap();
    assert_eq!(openai.at_once, Some(64));
    assert_eq!(openai.timeouts.total, Duration::from_secs(600));
    assert_eq!(chat.provider("cluster").unwrap().endpoints.len(), 2);
    let images = registry.clone().of(Medium::Image);
    assert!(!images.models[1].life.is_replaced);
    let speech = registry.of(Medium::Speech);
    assert_eq!(speech.models[0].voices[1].upstream_name, "nova");
    assert_eq!(speech.models[0].voices[1].language.as_deref(), Some("es"));
    let built_in: Vec<&str> = speech.models[1]
        .voices
        .iter()
        .map(|voice| voice.id.as_str())
        .collect();
    assert_eq!(built_in, ["kal", "kal-telephone"]);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let content = r#"[providers.api]
url = "ftp://api.example"
keys = ["A"]

[providers."a b"]
urls = []

[[models]]
id = "one"
medium = "chat"
provider = "nobody"
colour = "red"

[[models]]
id = "one"
medium = "smell"
provider = "api"
prices = { million_input_tokens = -1, million_output_tokens = 0.1234567, image = 1 }
lifecycle = { state = "deprecated", shut_down = "next year", replacement = "gone" }

[[models]]
medium = "speech"
provider = "api"
"#;
    let problems = wrong(content);
    for expected in [
        "models.toml:2:7: the provider \"api\": a URL must be http:// or https://",
        "models.toml:3:1: the provider \"api\" has no `keys`; there are: at_once, url, urls, key_env, keys_env, key_file, timeouts",
        "models.toml:5:12: a provider's name must be",
        "models.toml:5:12: the provider \"a b\": `urls` must have 1 to 100",
        "models.toml:11:12: the model \"one\": there is no provider \"nobody\"",
        "models.toml:12:1: the model \"one\" has no `colour`",
        "models.toml:16:10: the model \"one\": `medium` must be chat, image or speech",
        "models.toml:18:35: the model \"one\": `prices`: `million_input_tokens` must not be below 0",
        "models.toml:18:63: the model \"one\": `prices`: `million_output_tokens` may have six digits",
        "models.toml:19:49: the model \"one\": `lifecycle`: `shut_down` must be a date, as in",
        "models.toml:21:1: the model number 3 needs `id`",
    ] {
        assert!(
            problems.iter().any(|line| line.starts_with(expected)),
            "{expected}\n--- is not in\n{}",
            problems.join("\n")
        );
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let problems = wrong("[providers.api\nurl = \"x\"\n[[models]]\nid = \n");
    assert!(problems[0].starts_with("models.toml:1:"), "{problems:?}");
    assert!(
        problems
            .iter()
            .any(|line| line.starts_with("models.toml:4:")),
        "{problems:?}"
    );
    let date = wrong("[[models]]\nlifecycle = { state = \"deprecated\", shut_down = 2026-02-30 }");
    assert!(
        date[0].starts_with("models.toml:2:") && date[0].contains("date"),
        "{date:?}"
    );
    assert!(wrong("")[0].contains("there is no model"));
    assert!(wrong("models = []")[0].contains("must be tables"));
    assert!(wrong("models = 7")[0].contains("must be tables"));
}

#[test]
fn references_lead_to_something_of_the_same_medium() {
    let with = |more: &str| format!("{PROVIDER}{more}");
    let image = "[[models]]\nid = \"picture\"\nmedium = \"image\"\nprovider = \"api\"\n";
    let replaced = |id: &str, by: &str| {
        model(
            id,
            &format!("lifecycle = {{ state = \"shut_down\", replacement = \"{by}\" }}"),
        )
    };
    for (content, expected) in [
        (
            model("a", "") + &model("a", ""),
            "there is another model \"a\"",
        ),
        (
            model("a", "fallbacks = [\"b\"]"),
            "there is no model \"b\" as its fallback",
        ),
        (
            model("a", "fallbacks = [\"a\"]"),
            "cannot be its own fallback",
        ),
        (
            model("a", "fallbacks = [\"b\", \"b\"]") + &model("b", ""),
            "has \"b\" twice",
        ),
        (
            model("a", "fallbacks = [\"picture\"]") + image,
            "makes chat, its fallback \"picture\" image",
        ),
        (
            replaced("a", "picture") + image,
            "makes chat, its replacement \"picture\" image",
        ),
        (replaced("a", "a"), "cannot be its own replacement"),
        (
            replaced("a", "b") + &replaced("b", "c") + &replaced("c", "a"),
            "replace each other in a circle: a, b, c, a",
        ),
        (
            replaced("x", "a") + &replaced("a", "b") + &replaced("b", "a"),
            "in a circle: a, b, a",
        ),
        (
            model(
                "a",
                "lifecycle = { state = \"shut_down\", then = \"replace\" }",
            ),
            "to replace needs `replacement`",
        ),
        (
            model(
                "a",
                "lifecycle = { state = \"active\", shut_down = 2027-01-01 }",
            ),
            "an active model has no",
        ),
        (model("a", "limits = { width = 64 }"), "has no `width`"),
        (
            model("a", "limits = { output_tokens = 0 }"),
            "must be a whole number from 1",
        ),
        (model("a", "voices = [\"x\"]"), "has no `voices`"),
        (
            model("a", "prices = { currency = \"dollars\" }"),
            "must be an ISO 4217 code",
        ),
    ] {
        let problems = wrong(&with(&content));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{expected}: {problems:?}");
    }
}

#[test]
fn a_voice_belongs_to_one_model() {
    let speech = |id: &str, voices: &str| {
        format!(
            "[[models]]\nid = \"{id}\"\nmedium = \"speech\"\nprovider = \"api\"\nvoices = {voices}\n"
        )
    };
    let twice = format!(
        "{PROVIDER}{}{}",
        speech("a", "[\"alloy\"]"),
        speech("b", "[\"alloy\"]")
    );
    assert!(wrong(&twice)[0].contains("the voice \"alloy\" is one of \"a\" already"));
    let fixed = twice.replacen(
        "[\"alloy\"]\n[[",
        "[{ id = \"alloy-1\", upstream_name = \"alloy\" }]\n[[",
        1,
    );
    assert_eq!(good(&fixed).models[0].voices[0].upstream_name, "alloy");
    assert!(wrong(&format!("{PROVIDER}{}", speech("a", "[]")))[0].contains("at least one"));
}

#[test]
fn what_is_built_in_is_known_by_name() {
    let offline = |upstream: &str| {
        format!(
            "[[models]]\nid = \"mine\"\nmedium = \"chat\"\nprovider = \"offline\"\nupstream_name = \"{upstream}\"\n"
        )
    };
    assert_eq!(good(&offline("atelier-offline")).models[0].id, "mine");
    assert!(
        wrong(&offline("gpt"))[0]
            .contains("no model \"gpt\" is built in; there are: atelier-offline")
    );
    let reached = format!(
        "[providers.offline]\nurl = \"http://x\"\n{}",
        offline("atelier-offline")
    );
    assert!(wrong(&reached)[0].contains("has no `url`; there are: at_once"));
}

#[test]
fn a_key_is_looked_for_by_those_who_need_it() {
    let content = format!(
        "[providers.api]\nurl = \"http://api.example/v1\"\nkeys_env = [\"A\", \"B\"]\n{}",
        model("a", "")
    );
    let wrong = read_for(Some(Medium::Chat), &content, &[("A", "x")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        wrong,
        "models.toml:3:18: the provider \"api\": the variable B is not set"
    );
    assert!(read_for(Some(Medium::Image), &content, &[]).is_ok());
    let registry = read_for(Some(Medium::Chat), &content, &[("A", "x"), ("B", " y ")]).unwrap();
    let keys: Vec<(&str, &str)> = registry.providers[0]
        .keys
        .iter()
        .map(|key| (key.source.as_str(), key.secret.expose_secret()))
        .collect();
    assert_eq!(keys, [("A", "x"), ("B", "y")]);
    assert!(!format!("{registry:?}").contains("\"x\""));
}

/// A file that says what a registry says, for reading it back.
fn write(registry: &Registry) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for provider in &registry.providers {
        let urls: Vec<&str> = provider.endpoints.iter().map(Url::as_str).collect();
        write!(out, "[providers.{:?}]\nurls = {urls:?}\n", provider.name).unwrap();
        if let Some(at_once) = provider.at_once {
            writeln!(out, "at_once = {at_once}").unwrap();
        }
        let millis = |duration: Duration| duration.as_millis();
        let Timeouts {
            connect,
            first_byte,
            idle,
            total,
        } = provider.timeouts;
        writeln!(
            out,
            "timeouts = {{ connect = \"{}ms\", first_byte = \"{}ms\", idle = \"{}ms\", total = \"{}ms\" }}",
            millis(connect), millis(first_byte), millis(idle), millis(total)
        )
        .unwrap();
    }
    for model in &registry.models {
        write!(
            out,
            "[[models]]\nid = {:?}\nmedium = {:?}\nprovider = {:?}\nupstream_name = {:?}\ndescription = {:?}\n\
             fallbacks = {:?}\ncapabilities = {:?}\n",
            model.id, model.medium.name(), model.provider, model.upstream_name, model.description,
            model.fallbacks, model.capabilities
        )
        .unwrap();
        let lists = model.prices.lists();
        for list in lists {
            let head = match (lists.len(), list.from) {
                (1, None) => "[models.prices]",
                _ => "[[models.prices]]",
            };
            writeln!(out, "{head}\ncurrency = \"EUR\"").unwrap();
            if let Some(from) = list.from {
                let time = jiff::Timestamp::from_microsecond(from).unwrap();
                writeln!(out, "from = {time}").unwrap();
            }
            for price in &list.prices {
                let name = match price.unit {
                    Unit::MillionInputTokens => "million_input_tokens",
                    _ => "million_output_tokens",
                };
                let (whole, part) = (price.micros / 1_000_000, price.micros % 1_000_000);
                writeln!(out, "{name} = {whole}.{part:06}").unwrap();
            }
        }
        writeln!(out, "[models.limits]").unwrap();
        for (name, limit) in [
            ("context_tokens", model.limits.context_tokens),
            ("output_tokens", model.limits.output_tokens),
        ] {
            if let Some(limit) = limit {
                writeln!(out, "{name} = {limit}").unwrap();
            }
        }
        let life = &model.life;
        let state = match life.written {
            Stage::Active => "active",
            Stage::Deprecated => "deprecated",
            Stage::ShutDown => "shut_down",
        };
        writeln!(out, "[models.lifecycle]\nstate = \"{state}\"").unwrap();
        if let Some(end) = life.shut_down {
            let time = jiff::Timestamp::from_microsecond(end).unwrap();
            writeln!(out, "shut_down = {time}").unwrap();
        }
        if let Some(replacement) = &life.replacement {
            let then = if life.is_replaced {
                "replace"
            } else {
                "refuse"
            };
            writeln!(out, "replacement = {replacement:?}\nthen = {then:?}").unwrap();
        }
    }
    out
}

/// The prices of tokens read and written.
type Costs = (Option<i64>, Option<i64>);

fn any_registry() -> impl Strategy<Value = Registry> {
    let line = "[a-zA-Z0-9é](?:[ -~é🎨&&[^\\\\\"]]{0,20}[a-zA-Z0-9🎨])?";
    let millis = || (1u64..86_400_000).prop_map(Duration::from_millis);
    let timeouts =
        (millis(), millis(), millis(), millis()).prop_map(|(connect, first_byte, idle, total)| {
            Timeouts {
                connect,
                first_byte,
                idle,
                total,
            }
        });
    let provider = (timeouts, proptest::option::of(1usize..1000), 1usize..4);
    let providers = proptest::collection::vec(provider, 1..4).prop_map(|list| {
        let spec = |(at, (timeouts, at_once, urls)): (usize, (Timeouts, Option<usize>, usize))| {
            ProviderSpec {
                name: format!("p{at}"),
                endpoints: (0..urls)
                    .map(|n| format!("http://h{at}-{n}/v1").parse().unwrap())
                    .collect(),
                keys: Vec::new(),
                at_once,
                timeouts,
            }
        };
        list.into_iter().enumerate().map(spec).collect::<Vec<_>>()
    });
    let life = (
        0u8..3,
        proptest::option::of(0i64..4_000_000_000),
        any::<(bool, bool)>(),
    );
    let limit = || proptest::option::of(1u32..1_000_000_000);
    let price = || proptest::option::of(0i64..1_000_000_000_000_000);
    let model = (
        line,
        line,
        any::<usize>(),
        life,
        (limit(), limit()),
        proptest::collection::vec(
            (
                proptest::option::of(0i64..1_000_000_000),
                (price(), price()),
            ),
            0..4,
        ),
        any::<bool>(),
    );
    (providers, proptest::collection::vec(model, 1..6)).prop_map(|(providers, list)| {
        let count = list.len();
        let models = list.into_iter().enumerate().map(
            |(at, (name, about, by, life, limits, prices, falls))| {
                let (stage, end, (has, replaces)) = life;
                let mut model = ModelSpec::new(
                    &format!("m{at}"),
                    Medium::Chat,
                    &providers[by % providers.len()].name,
                    about,
                );
                model.upstream_name = name;
                model.limits = Limits {
                    context_tokens: limits.0,
                    output_tokens: limits.1,
                    ..Limits::default()
                };
                let price = |unit, micros: Option<i64>| {
                    micros.map(|micros| Price {
                        unit,
                        micros,
                        currency: "EUR".to_owned(),
                    })
                };
                let mut from = None;
                let list = |(begins, (input, output)): (Option<i64>, Costs)| {
                    // The first may begin with a moment or without, the others each later than the one before.
                    from = match (from, begins) {
                        (None, begins) => begins,
                        (Some(before), begins) => Some(before + begins.unwrap_or(0) + 1),
                    };
                    let input = price(Unit::MillionInputTokens, input);
                    let output = price(Unit::MillionOutputTokens, output);
                    let list = PriceList {
                        from: from.map(|seconds| seconds * 1_000_000),
                        prices: input.into_iter().chain(output).collect(),
                    };
                    from = Some(from.unwrap_or(0));
                    list
                };
                model.prices = Prices::new(prices.into_iter().map(list).collect());
                if model.prices.is_priced() && model.limits.output_tokens.is_none() {
                    model.limits.output_tokens = Some(1);
                }
                model.capabilities = vec!["streaming".to_owned()];
                // A replacement comes later in the file: no circles.
                let replacement = (has && at + 1 < count).then(|| format!("m{}", at + 1));
                if stage > 0 {
                    model.life = Life {
                        written: if stage == 1 {
                            Stage::Deprecated
                        } else {
                            Stage::ShutDown
                        },
                        shut_down: end.map(|seconds| seconds * 1_000_000),
                        is_replaced: replaces && replacement.is_some(),
                        replacement,
                    };
                }
                if falls && at > 0 {
                    model.fallbacks = vec!["m0".to_owned()];
                }
                model
            },
        );
        let models = models.collect();
        Registry { providers, models }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(registry in any_registry()) {
        let content = write(&registry);
        let read = read_for(None, &content, &[]);
        let read = read.unwrap_or_else(|problems| panic!("{problems}\n{content}"));
        prop_assert_eq!(&read.models, &registry.models);
        prop_assert_eq!(&read.providers, &registry.providers);
    }

    /// A key that nobody knows is found wherever it stands.
    #[test]
    fn no_line_is_overlooked(registry in any_registry(), at in any::<prop::sample::Index>()) {
        let content = write(&registry);
        let mut lines: Vec<&str> = content.lines().collect();
        let at = at.index(lines.len()) + 1;
        lines.insert(at, "unheard_of = 1");
        let wrong = read_for(None, &lines.join("\n"), &[]).unwrap_err();
        prop_assert_eq!(wrong.list.len(), 1, "{}", wrong);
        prop_assert_eq!(wrong.list[0].line, at + 1);
    }

    /// A file that is cut anywhere is read, or refused, and nothing else.
    #[test]
    fn a_part_of_a_file_makes_no_panic(registry in any_registry(), at in any::<prop::sample::Index>()) {
        let content = write(&registry);
        let cut = content.char_indices().map(|(at, _)| at).nth(at.index(content.chars().count())).unwrap_or(0);
        let _ = read_for(None, &content[..cut], &[]);
    }
}
