//! That the tables see what they are there to see: under every other access and every other scope of any method, one of
//! their cells is not what a caller gets. The flips are made in the contract's own options, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::identity::{AccessVerifier, KeySource, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::policy::Policies;
use atelier_kit::secret::MeshSecret;
use atelier_kit::testing::forge::{Forge, claims, with};
use atelier_proto::DESCRIPTOR;
use axum::Router;
use axum::body::Body;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use serde_json::json;

use super::methods::METHODS;
use super::outcomes::{AT_THE_SERVICE, BY_KEY, CALLERS, For, KEYS, SCOPES, complaint, row};
use super::raw;
use crate::split::{SECRET, SERVICES};

/// The policy of every method, and its fields.
const OPTION: &str = "atelier.policy.v1.method";

/// The contract in which the policy of every method has this value in this field; 0 takes it out.
fn flipped(field: &str, number: i32) -> Policies {
    let pool = DescriptorPool::decode(DESCRIPTOR).unwrap();
    let option = pool.get_extension_by_name(OPTION).unwrap();
    let files = pool.get_message_by_name("google.protobuf.FileDescriptorSet");
    let mut set = DynamicMessage::decode(files.expect("descriptor.proto"), DESCRIPTOR).unwrap();
    let mut changed = 0;
    each(&mut set, "file", &mut |file| {
        each(file, "service", &mut |service| {
            each(service, "method", &mut |method| {
                let options = method.get_field_by_name_mut("options").unwrap();
                let options = options.as_message_mut().unwrap();
                if !options.has_extension(&option) {
                    return;
                }
                let policy = options.get_extension_mut(&option).as_message_mut().unwrap();
                policy.set_field_by_name(field, Value::EnumNumber(number));
                changed += 1;
            });
        });
    });
    assert_eq!(changed, METHODS.len(), "methods with a policy");
    Policies::read(&set.encode_to_vec()).unwrap()
}

/// Does something with each message of a repeated field.
fn each(message: &mut DynamicMessage, field: &str, act: &mut dyn FnMut(&mut DynamicMessage)) {
    let list = message.get_field_by_name_mut(field).unwrap();
    for value in list.as_list_mut().unwrap() {
        act(value.as_message_mut().unwrap());
    }
}

/// The numbers and names of an enum of the contract.
fn values(name: &str) -> Vec<(i32, String)> {
    let pool = DescriptorPool::decode(DESCRIPTOR).unwrap();
    let values = pool.get_enum_by_name(name).unwrap();
    values
        .values()
        .map(|value| (value.number(), value.name().to_owned()))
        .collect()
}

struct Published(String);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<String, Fault> {
        Ok(self.0.clone())
    }
}

/// Whoever calls a service: the callers of the tables, with tokens that are made here.
struct Callers {
    verifiers: HashMap<&'static str, Verifier>,
    tokens: HashMap<&'static str, [Option<String>; CALLERS.len()]>,
    keys: [String; KEYS.len()],
}

impl Callers {
    fn new() -> Self {
        let forge = Forge::new();
        let access = AccessVerifier::new(Arc::new(Published(forge.jwks().to_string())));
        let signed =
            |field: &str, value| forge.sign(&forge.header(), &with(claims(), field, value));
        let of_role = |role: &str| Some(signed("role", json!(role)));
        let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
        let service = ServiceTokens::new(&secret, "a-test");
        let operator = ServiceTokens::new(&secret, "operator");
        let mut callers = Self {
            verifiers: HashMap::new(),
            tokens: HashMap::new(),
            keys: SCOPES.map(|scopes| {
                let names: Vec<String> = scopes
                    .iter()
                    .map(|scope| scope.as_str_name().replace("SCOPE_", "").to_lowercase())
                    .collect();
                signed("scope", json!(names.join(" ")))
            }),
        };
        for (role, _) in SERVICES {
            let services = Some(ServiceTokens::new(&secret, role));
            let verifier = Verifier::new(access.clone(), services, role);
            callers.verifiers.insert(role, verifier);
            let token = |of: &ServiceTokens, to: &str| Some(of.token(to).unwrap().to_string());
            let tokens = [
                None,
                of_role("anonymous"),
                of_role("user"),
                of_role("user"),
                of_role("moderator"),
                of_role("admin"),
                token(&service, role),
                token(&service, "elsewhere"),
                token(&operator, role),
                Some(signed("exp", json!(1_000_000_000))),
                Some("bm90YQ.dG9rZW4.eA".to_owned()),
            ];
            callers.tokens.insert(role, tokens);
        }
        callers
    }

    /// What the tables object to about a method under these policies: what stands before its handler is real, and the
    /// handler answers everybody.
    async fn objections(&self, method: usize, policies: &Policies) -> Vec<String> {
        let (path, access, key) = METHODS[method];
        let role = raw::role_of(path);
        let handler = || async {
            http::Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "0")
                .body(Body::empty())
                .unwrap()
        };
        let gate = Inbound::new(role, policies.clone(), self.verifiers[role].clone(), 8)
            .guard(Router::new().route(path, axum::routing::post(handler)));
        let mut wrong = Vec::new();
        let by_caller = row(&AT_THE_SERVICE, access);
        for ((caller, token), outcome) in CALLERS.iter().zip(&self.tokens[role]).zip(by_caller) {
            // It is the handlers of these that know the operator from other services.
            if (access, *caller) == (For::Operators, "a service") {
                continue;
            }
            let answer = raw::call(&gate, path, token.as_deref(), Default::default()).await;
            wrong.extend(complaint(path, caller, outcome, &answer));
        }
        for ((caller, token), outcome) in KEYS.iter().zip(&self.keys).zip(row(&BY_KEY, key)) {
            let answer = raw::call(&gate, path, Some(token), Default::default()).await;
            wrong.extend(complaint(path, caller, outcome, &answer));
        }
        wrong
    }
}

#[tokio::test]
async fn the_tables_object_to_every_other_policy() {
    let callers = Callers::new();
    let real = Policies::read(DESCRIPTOR).unwrap();
    for method in 0..METHODS.len() {
        let wrong = callers.objections(method, &real).await;
        assert!(wrong.is_empty(), "the contract as it is: {wrong:#?}");
    }
    let mut flips = 0;
    for (field, of, least) in [
        ("access", "atelier.policy.v1.Access", 1),
        ("scope", "atelier.policy.v1.Scope", 0),
    ] {
        for (number, name) in values(of).into_iter().filter(|(n, _)| *n >= least) {
            let policies = flipped(field, number);
            for (method, (path, ..)) in METHODS.iter().enumerate() {
                let same = policies.of(path) == real.of(path);
                let wrong = callers.objections(method, &policies).await;
                assert_eq!(
                    wrong.is_empty(),
                    same,
                    "{path} with {field} = {name}: {wrong:#?}"
                );
                flips += usize::from(!same);
            }
        }
    }
    // Each method has five other accesses and four other scopes.
    assert_eq!(flips, METHODS.len() * 9);
}
