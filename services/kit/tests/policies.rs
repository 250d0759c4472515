//! The contract's policies: the real descriptor has them all, and one that lacks any is refused by the method's name.

use std::time::Duration;

use atelier_kit::policy::{Access, Policies, PolicyError};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use prost_types::FileDescriptorSet;

/// Every method of the contract: its path and whether it answers with a stream.
fn methods() -> Vec<(String, bool)> {
    let set = FileDescriptorSet::decode(atelier_proto::DESCRIPTOR).unwrap();
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                methods.push((path, method.server_streaming()));
            }
        }
    }
    methods
        .into_iter()
        .filter(|(path, _)| path.starts_with("/atelier."))
        .collect()
}

/// The contract's descriptor with the options of one method changed. It is edited as a dynamic message, because
/// the plain types do not keep options that they do not know.
fn changed(path: &str, change: impl Fn(&mut DynamicMessage)) -> Vec<u8> {
    let pool = DescriptorPool::decode(atelier_proto::DESCRIPTOR).unwrap();
    let kind = pool
        .get_message_by_name("google.protobuf.FileDescriptorSet")
        .unwrap();
    let mut set = DynamicMessage::decode(kind, atelier_proto::DESCRIPTOR).unwrap();
    let mut found = 0;
    for file in list(&mut set, "file") {
        let file = file.as_message_mut().unwrap();
        let package = text(file, "package");
        for service in list(file, "service") {
            let service = service.as_message_mut().unwrap();
            let service_name = text(service, "name");
            for method in list(service, "method") {
                let method = method.as_message_mut().unwrap();
                if format!("/{package}.{service_name}/{}", text(method, "name")) == path {
                    change(method);
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, 1, "{path}");
    set.encode_to_vec()
}

fn list<'a>(message: &'a mut DynamicMessage, field: &str) -> &'a mut Vec<Value> {
    message
        .get_field_by_name_mut(field)
        .unwrap()
        .as_list_mut()
        .unwrap()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message
        .get_field_by_name(field)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

/// The policy option within a method's options.
fn with_policy(method: &mut DynamicMessage, change: impl Fn(&mut DynamicMessage)) {
    let pool = method.parent_pool();
    let option = pool
        .get_extension_by_name("atelier.policy.v1.method")
        .unwrap();
    let options = method
        .get_field_by_name_mut("options")
        .unwrap()
        .as_message_mut()
        .unwrap();
    change(options.get_extension_mut(&option).as_message_mut().unwrap());
}

trait ParentPool {
    fn parent_pool(&self) -> DescriptorPool;
}

impl ParentPool for DynamicMessage {
    fn parent_pool(&self) -> DescriptorPool {
        use prost_reflect::ReflectMessage as _;
        self.descriptor().parent_pool().clone()
    }
}

#[test]
fn every_method_of_the_contract_has_a_policy() {
    let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
    let methods = methods();
    assert!(
        methods.len() > 20,
        "the contract is not empty: {}",
        methods.len()
    );
    for (path, streams) in &methods {
        let policy = policies
            .of(path)
            .unwrap_or_else(|| panic!("{path} has no policy"));
        assert_eq!(policy.server_streaming, *streams, "{path}");
        assert!(
            policy.max_request_bytes > 0 && policy.max_request_bytes <= 4 << 20,
            "{path}"
        );
        assert!(policy.deadline > Duration::ZERO, "{path}");
    }
    assert_eq!(policies.iter().count(), methods.len());
    assert!(
        policies
            .of("/atelier.users.v1.UsersService/Nothing")
            .is_none()
    );
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
    let policy = policies
        .of("/atelier.analytics.v1.AnalyticsService/RecordEvents")
        .unwrap();
    assert_eq!(policy.access, Access::Internal);
    assert_eq!(
        (policy.rate_bucket.as_str(), policy.credit_class.as_str()),
        ("internal", "free")
    );
    assert_eq!(policy.max_request_bytes, 1_048_576);
    assert_eq!(policy.deadline, Duration::from_secs(10));
}

#[test]
fn a_method_added_without_a_policy_fails() {
    for (path, _) in methods() {
        let descriptor = changed(&path, |method| method.clear_field_by_name("options"));
        match Policies::read(&descriptor) {
            Err(PolicyError::Method { method, what }) => {
                assert_eq!((method, what), (path, "the option"))
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn a_policy_that_lacks_any_part_fails() {
    let path = "/atelier.analytics.v1.AnalyticsService/RecordEvents";
    for field in [
        "access",
        "rate_bucket",
        "credit_class",
        "idempotency",
        "max_request_bytes",
        "default_deadline",
    ] {
        let descriptor = changed(path, |method| {
            with_policy(method, |policy| policy.clear_field_by_name(field))
        });
        match Policies::read(&descriptor) {
            Err(PolicyError::Method { method, what }) => {
                assert_eq!((method.as_str(), what), (path, field))
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn the_editing_of_these_tests_changes_nothing_else() {
    let path = "/atelier.analytics.v1.AnalyticsService/RecordEvents";
    assert!(Policies::read(&changed(path, |_| ())).is_ok());
}

#[test]
fn a_descriptor_that_is_none_or_has_no_option_is_refused() {
    assert!(matches!(
        Policies::read(b"nonsense"),
        Err(PolicyError::Descriptor(_))
    ));
    assert!(matches!(Policies::read(b""), Err(PolicyError::NoOption)));
}
