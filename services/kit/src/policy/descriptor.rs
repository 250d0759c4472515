//! Reads the policies from the contract's descriptor: the one option this crate reads, by its field names, and only here.

use std::time::Duration;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};

use super::{Access, Idempotency, Policies, Policy, Scope};

/// The option that every method carries.
const OPTION: &str = "atelier.policy.v1.method";

/// Why the contract was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The descriptor cannot be read.
    #[error("the contract's descriptor: {0}")]
    Descriptor(#[from] prost_reflect::DescriptorError),
    /// The policy option itself is not in the descriptor.
    #[error("the contract does not define {OPTION}")]
    NoOption,
    /// A method has no policy, or an incomplete one.
    #[error("the method {method} has no complete policy: {what} is missing")]
    Method {
        /// The path.
        method: String,
        /// What is missing.
        what: &'static str,
    },
}

impl Policies {
    /// Reads the policies of all methods of the `atelier.…` services; one without a complete policy is refused.
    pub fn read(descriptor: &[u8]) -> Result<Self, PolicyError> {
        let pool = DescriptorPool::decode(descriptor)?;
        let option = pool
            .get_extension_by_name(OPTION)
            .ok_or(PolicyError::NoOption)?;
        let mut policies = Vec::new();
        for service in pool
            .services()
            .filter(|s| s.full_name().starts_with("atelier."))
        {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let refused = |what| PolicyError::Method {
                    method: path.clone(),
                    what,
                };
                let options = method.options();
                if !options.has_extension(&option) {
                    return Err(refused("the option"));
                }
                let value = options.get_extension(&option).into_owned();
                let message = value.as_message().ok_or_else(|| refused("the option"))?;
                let policy = policy(message, &method).map_err(refused)?;
                policies.push((path, policy));
            }
        }
        Ok(Self::new(policies))
    }
}

fn policy(message: &DynamicMessage, method: &MethodDescriptor) -> Result<Policy, &'static str> {
    let access = match enum_name(message, "access", "ACCESS_")?.as_str() {
        "public" => Access::Public,
        "anonymous" => Access::Anonymous,
        "user" => Access::User,
        "moderator" => Access::Moderator,
        "admin" => Access::Admin,
        "internal" => Access::Internal,
        _ => return Err("access"),
    };
    let idempotency = match enum_name(message, "idempotency", "IDEMPOTENCY_")?.as_str() {
        "safe" => Idempotency::Safe,
        "idempotent" => Idempotency::Idempotent,
        "keyed" => Idempotency::Keyed,
        "none" => Idempotency::None,
        _ => return Err("idempotency"),
    };
    let max_request_bytes = message
        .get_field_by_name("max_request_bytes")
        .and_then(|value| value.as_u32())
        .filter(|bytes| *bytes > 0)
        .ok_or("max_request_bytes")?;
    Ok(Policy {
        access,
        rate_bucket: enum_name(message, "rate_bucket", "RATE_BUCKET_")?,
        credit_class: enum_name(message, "credit_class", "CREDIT_CLASS_")?,
        idempotency,
        max_request_bytes: max_request_bytes as usize,
        deadline: deadline(message).ok_or("default_deadline")?,
        client_streaming: method.is_client_streaming(),
        server_streaming: method.is_server_streaming(),
        scope: match enum_name(message, "scope", "SCOPE_") {
            Ok(name) => Some(Scope::of(&name).ok_or("scope")?),
            Err(_) => None,
        },
    })
}

/// The name of an enum field's value without its prefix, in lower case; the zero value counts as missing.
fn enum_name(
    message: &DynamicMessage,
    field: &'static str,
    prefix: &str,
) -> Result<String, &'static str> {
    let descriptor = message.descriptor().get_field_by_name(field).ok_or(field)?;
    let kind = descriptor.kind();
    let values = kind.as_enum().ok_or(field)?;
    let number = match message.get_field(&descriptor).as_ref() {
        Value::EnumNumber(number) if *number != 0 => *number,
        _ => return Err(field),
    };
    let value = values.get_value(number).ok_or(field)?;
    Ok(value
        .name()
        .strip_prefix(prefix)
        .ok_or(field)?
        .to_ascii_lowercase())
}

fn deadline(message: &DynamicMessage) -> Option<Duration> {
    let value = message.get_field_by_name("default_deadline")?;
    let seconds = value.as_message()?.get_field_by_name("seconds")?.as_i64()?;
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}
