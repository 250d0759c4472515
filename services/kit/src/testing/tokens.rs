//! Access tokens that must not be believed, each with what it is refused as; a verifier that takes one of them is wrong.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::forge::{Forge, claims, encoded, hs256, part, with};

/// What becomes of a call with a bad token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is UNAUTHENTICATED for this reason.
    For(&'static str),
    /// The headers are too large to arrive; the connection goes on for others.
    OnItsWay,
}

/// What must not be believed.
#[derive(Clone, Debug)]
pub struct BadToken {
    /// What is wrong, for a person.
    pub what: String,
    /// The values of the `authorization` headers, in order.
    pub authorization: Vec<Vec<u8>>,
    /// How it ends.
    pub refused: Refused,
}

const INVALID: Refused = Refused::For("TOKEN_INVALID");
const EXPIRED: Refused = Refused::For("TOKEN_EXPIRED");

/// The table: nothing in it may be believed by anybody who believes `forge`, and nothing may be fetched from `url`,
/// which some of them name as the place of their key. A verifier sees ids of keys that it does not know.
pub fn bad_tokens(forge: &Forge, url: &str) -> Vec<BadToken> {
    let mut table = Vec::new();
    signatures(forge, &mut table);
    headers(forge, url, &mut table);
    payloads(forge, &mut table);
    texts(forge, &mut table);
    carriers(forge, &mut table);
    table
}

fn add(table: &mut Vec<BadToken>, what: impl Into<String>, token: &str) {
    table.push(BadToken {
        what: what.into(),
        authorization: vec![format!("Bearer {token}").into_bytes()],
        refused: INVALID,
    });
}

/// Signatures that were not made with the key, or not as RS256.
fn signatures(forge: &Forge, table: &mut Vec<BadToken>) {
    let good = forge.good();
    let (text, made) = good.rsplit_once('.').unwrap();
    let algorithm = |name: &str| with(forge.header(), "alg", json!(name));
    for name in ["none", "None", "NONE", "nOnE", "", " none", "null"] {
        let head = part(&algorithm(name));
        let unsigned = format!("{head}.{}.", part(&claims()));
        add(table, format!("alg {name:?}, unsigned"), &unsigned);
        let borrowed = format!("{unsigned}{made}");
        add(
            table,
            format!("alg {name:?} with another's signature"),
            &borrowed,
        );
    }
    for (form, secret) in forge.public_forms() {
        let token = hs256(&secret, &algorithm("HS256"), &claims());
        add(
            table,
            format!("HS256 with the public key as {form}"),
            &token,
        );
    }
    let parts = |name: &str| format!("{}.{}", part(&algorithm(name)), part(&claims()));
    let signed = |name: &str, encoding| forge.seal(parts(name), encoding);
    add(
        table,
        "RS512 by the right key",
        &signed("RS512", &RSA_PKCS1_SHA512),
    );
    add(
        table,
        "PS256 by the right key",
        &signed("PS256", &RSA_PSS_SHA256),
    );
    add(
        table,
        "PS256 that says RS256",
        &signed("RS256", &RSA_PSS_SHA256),
    );
    add(
        table,
        "RS512 that says RS256",
        &signed("RS256", &RSA_PKCS1_SHA512),
    );
    let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    for name in ["ES256", "RS256"] {
        let text = parts(name);
        let made = curve
            .sign(&SystemRandom::new(), text.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec();
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(made));
        add(table, format!("ES256 that says {name}"), &token);
    }
    for name in [
        "RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256", "rs256", "RSA",
    ] {
        let token = forge.sign(&algorithm(name), &claims());
        add(table, format!("RS256 that says {name}"), &token);
    }
    let zeros = URL_SAFE_NO_PAD.encode([0; 256]);
    add(table, "a signature of zeros", &format!("{text}.{zeros}"));
    add(table, "an empty signature", &format!("{text}."));
    let half = format!("{text}.{}", &made[..made.len() / 2]);
    add(table, "half a signature", &half);
    add(table, "a signature twice", &format!("{text}.{made}{made}"));
    let last = made.as_bytes()[made.len() - 1];
    // The last letter carries four bits of nothing: another spelling of the same signature.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.iter().position(|byte| *byte == last).unwrap();
    let other = char::from(alphabet[at ^ 1]);
    let spelled = format!("{text}.{}{other}", &made[..made.len() - 1]);
    add(table, "a signature spelled in another way", &spelled);
    let admin = part(&with(claims(), "role", json!("admin")));
    let raised = format!("{}.{admin}.{made}", part(&forge.header()));
    add(table, "the claims changed", &raised);
    let stranger = Forge::new();
    let token = stranger.sign(&forge.header(), &claims());
    add(table, "a stranger's key under this id", &token);
    add(table, "a stranger's token", &stranger.good());
}

/// Headers that name no key, or one that they bring along.
fn headers(forge: &Forge, url: &str, table: &mut Vec<BadToken>) {
    let head = |field: &str, to: Value| with(forge.header(), field, to);
    let sign = |header: &Value| forge.sign(header, &claims());
    for typ in [
        Value::Null,
        json!("JWT"),
        json!("jwt"),
        json!("service+jwt"),
        json!("application/at+jwt"),
        json!(1),
    ] {
        add(table, format!("the typ {typ}"), &sign(&head("typ", typ)));
    }
    let kid = forge.kid();
    for kid in [
        Value::Null,
        json!(""),
        json!("unknown"),
        json!("../../../../etc/passwd"),
        json!(format!("./{kid}")),
        json!(format!("{kid}/../{kid}")),
        json!(format!("{kid}\u{0}")),
        json!(format!("{kid} ")),
        json!(kid.to_uppercase()),
        json!("' OR '1'='1"),
        json!("/dev/null"),
        json!(url),
        json!("k".repeat(4096)),
        json!(1),
        json!([kid]),
    ] {
        let shown: String = kid.to_string().chars().take(40).collect();
        add(table, format!("the kid {shown}"), &sign(&head("kid", kid)));
    }
    let stranger = Forge::new();
    let brought = [
        ("jku", json!(format!("{url}/jwks.json"))),
        ("x5u", json!(format!("{url}/chain.pem"))),
        ("jwk", stranger.jwk()),
        ("x5c", json!([STANDARD.encode(stranger.public_der())])),
    ];
    for (field, value) in brought {
        for named in [forge.kid(), stranger.kid()] {
            let header = with(head("kid", json!(named)), field, value.clone());
            let token = stranger.sign(&header, &claims());
            let whose = if named == forge.kid() { "our" } else { "its" };
            add(
                table,
                format!("a key by {field} under {whose} own id"),
                &token,
            );
        }
    }
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp")] {
        let header = with(head("crit", crit.clone()), "b64", json!(true));
        add(table, format!("crit {crit}"), &sign(&header));
    }
    let twice = |first: &str| format!(r#"{{{first},"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#);
    for first in [
        r#""alg":"none""#,
        r#""kid":"unknown""#,
        r#""typ":"service+jwt""#,
    ] {
        let token = forge.sign_text(&twice(first), &claims().to_string());
        add(table, format!("a header with {first} first"), &token);
    }
    for text in ["", "null", "[]", "\"RS256\"", "{", "{}"] {
        let token = forge.sign_text(text, &claims().to_string());
        add(table, format!("the header {text:?}"), &token);
    }
}

/// Claims that are missing, wrong, or not what they seem.
fn payloads(forge: &Forge, table: &mut Vec<BadToken>) {
    let now = jsonwebtoken::get_current_timestamp();
    let sign = |claims: &Value| forge.sign(&forge.header(), claims);
    for missing in ["iss", "aud", "sub", "sid", "role", "exp", "iat", "jti"] {
        let token = sign(&with(claims(), missing, Value::Null));
        add(table, format!("no {missing}"), &token);
    }
    for (claim, value) in [
        ("iss", json!("elsewhere")),
        ("iss", json!(["elsewhere"])),
        ("aud", json!("elsewhere")),
        ("aud", json!(["elsewhere", "nowhere"])),
        ("aud", json!("atelier ")),
        ("sub", json!(7)),
        ("sid", json!({})),
        ("role", json!("owner")),
        ("role", json!("Admin")),
        ("role", json!(["user", "admin"])),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!([now + 900])),
        ("exp", json!({"$gt": 0})),
        ("nbf", json!(now + 86_400)),
        ("nbf", json!((now + 86_400).to_string())),
        ("iat", json!("today")),
        ("scope", json!(["read"])),
    ] {
        let token = sign(&with(claims(), claim, value.clone()));
        add(table, format!("{claim} {value}"), &token);
    }
    for exp in [0, 1, now - 3_600, now - 60] {
        add(
            table,
            format!("expired at {exp}"),
            &sign(&with(claims(), "exp", json!(exp))),
        );
        table.last_mut().unwrap().refused = EXPIRED;
    }
    for twice in [
        r#""role":"admin""#,
        r#""sub":"bob""#,
        r#""exp":1"#,
        r#""aud":"elsewhere""#,
    ] {
        let sound = claims().to_string();
        let doubled = format!("{{{twice},{}", &sound[1..]);
        let token = forge.sign_text(&forge.header().to_string(), &doubled);
        add(table, format!("claims with {twice} first"), &token);
    }
    for text in ["", "null", "[]", "{", "{}", "\u{feff}{}"] {
        let token = forge.sign_text(&forge.header().to_string(), text);
        add(table, format!("the claims {text:?}"), &token);
    }
}

/// Texts that are no compact token of three parts.
fn texts(forge: &Forge, table: &mut Vec<BadToken>) {
    let good = forge.good();
    for (what, text) in [
        ("nothing", String::new()),
        ("no JWT", "abc".into()),
        ("one dot", ".".into()),
        ("two dots", "..".into()),
        ("no JSON", "YWJj.YWJj.YWJj".into()),
        ("a part too many", format!("{good}.{}", encoded("more"))),
        ("a part in front", format!("{}.{good}", encoded("more"))),
        (
            "an encrypted token's five parts",
            "e30.e30.e30.e30.e30".into(),
        ),
        ("a dot at the end", format!("{good}.")),
        (
            "an unprotected header",
            format!("{{\"protected\":\"{good}\"}}"),
        ),
        ("white space within", good.replacen('.', ". ", 1)),
        ("a tab within", good.replacen('.', ".\t", 1)),
        ("a letter of another alphabet", good.replacen('.', "+.", 1)),
        ("two tokens with a space", format!("{good} {good}")),
        ("two tokens with a comma", format!("{good},{good}")),
        ("quotation marks", format!("\"{good}\"")),
        ("too long", "x".repeat(8 * 1024 + 1)),
    ] {
        add(table, what, &text);
    }
    let padded = |value: &Value| URL_SAFE.encode(format!("{value} "));
    // One of the two has padding whatever the lengths are.
    let text = format!(
        "{}=.{}",
        padded(&forge.header()).trim_end_matches('='),
        padded(&claims())
    );
    add(table, "padding", &forge.seal(text, &RSA_PKCS1_SHA256));
    let lengths = (0..good.len()).step_by(16).chain([good.len() - 1]);
    for length in lengths {
        add(
            table,
            format!("cut after {length} letters"),
            &good[..length],
        );
    }
}

/// Headers that carry no token, or more than one.
fn carriers(forge: &Forge, table: &mut Vec<BadToken>) {
    let good = format!("Bearer {}", forge.good());
    let token = &good["Bearer ".len()..];
    let late = forge.sign(&forge.header(), &with(claims(), "exp", json!(1)));
    for (what, values, refused) in [
        ("the same token twice", vec![good.as_str(), &good], INVALID),
        ("nonsense after it", vec![&good, "Bearer x"], INVALID),
        ("nonsense before it", vec!["Bearer x", &good], INVALID),
        ("an empty second header", vec![&good, ""], INVALID),
        ("an empty header", vec![""], INVALID),
        ("a scheme alone", vec!["Bearer"], INVALID),
        ("another scheme", vec!["Basic YW5hOnB3"], INVALID),
        (
            "a token of another scheme",
            vec![&format!("DPoP {token}")],
            INVALID,
        ),
        ("no scheme", vec![token], INVALID),
        ("a scheme twice", vec![&format!("Bearer {good}")], INVALID),
        (
            "a tab after the scheme",
            vec![&format!("Bearer\t{token}")],
            INVALID,
        ),
        (
            "a colon after the scheme",
            vec![&format!("Bearer: {token}")],
            INVALID,
        ),
        (
            "a scheme in lower case, of an expired token",
            vec![&format!("bearer {late}")],
            EXPIRED,
        ),
        (
            "a scheme in lower case, of nonsense",
            vec!["bearer a.b.c"],
            INVALID,
        ),
    ] {
        table.push(BadToken {
            what: what.to_owned(),
            authorization: values
                .iter()
                .map(|value| value.as_bytes().to_vec())
                .collect(),
            refused,
        });
    }
    table.push(BadToken {
        what: "letters beyond ASCII".to_owned(),
        authorization: vec![format!("{good}é").into_bytes()],
        refused: INVALID,
    });
    table.push(BadToken {
        what: "a megabyte".to_owned(),
        authorization: vec![format!("Bearer {}", "x".repeat(1024 * 1024)).into_bytes()],
        refused: Refused::OnItsWay,
    });
}
