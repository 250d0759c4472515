//! Messages of the contract as protobuf JSON, on one line each, as grpcurl names their fields.

use anyhow::Context as _;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

/// Writes messages of the contract as JSON.
pub struct Json(DescriptorPool);

impl Json {
    /// Reads the contract.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(DescriptorPool::decode(atelier_proto::DESCRIPTOR)?))
    }

    /// A message of the contract by its full name, as in `atelier.users.v1.User`, on one line without an end.
    pub fn line(&self, name: &str, message: &impl Message) -> anyhow::Result<String> {
        let descriptor = self
            .0
            .get_message_by_name(name)
            .with_context(|| format!("the contract has no {name}"))?;
        let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
        let mut line = Vec::new();
        let mut writer = serde_json::Serializer::new(&mut line);
        message.serialize_with_options(&mut writer, &SerializeOptions::new())?;
        Ok(String::from_utf8(line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_proto::generation::v1::Artifact;
    use atelier_proto::users::v1::{Role, User};

    #[test]
    fn it_is_protobuf_json() {
        let json = Json::new().unwrap();
        let user = User {
            id: "1".to_owned(),
            display_name: "Ada".to_owned(),
            role: Role::Admin.into(),
            create_time: Some(prost_types::Timestamp {
                seconds: 0,
                nanos: 0,
            }),
            ..User::default()
        };
        assert_eq!(
            json.line("atelier.users.v1.User", &user).unwrap(),
            r#"{"id":"1","displayName":"Ada","role":"ROLE_ADMIN","createTime":"1970-01-01T00:00:00Z"}"#
        );
        let artifact = Artifact {
            size_bytes: 5,
            ..Artifact::default()
        };
        let line = json
            .line("atelier.generation.v1.Artifact", &artifact)
            .unwrap();
        assert_eq!(line, r#"{"sizeBytes":"5"}"#);
    }
}
