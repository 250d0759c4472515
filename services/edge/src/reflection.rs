//! Reflection of everything behind the edge, in both versions that clients ask for; the contract is a parameter.

use atelier_kit::service::StartError;
use axum::Router;
use tonic_reflection::server::Builder;

/// The path of version 1.
pub(crate) const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
/// The path of the version before it, which most clients still ask for first.
pub(crate) const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
/// More than any question a client asks.
const MAX_REQUEST: usize = 16 * 1024;

/// The routes of `grpc.reflection.v1` and `v1alpha`; both list the contract, health and reflection itself.
pub(crate) fn routes(descriptor: &'static [u8]) -> Result<Router, StartError> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(descriptor)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(
                tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            )
            // Without them a client cannot read the details of an error.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .include_reflection_service(false)
    };
    let refused = |error| StartError::other("reflection of the contract", error);
    let v1 = builder().build_v1().map_err(refused)?;
    let v1alpha = builder().build_v1alpha().map_err(refused)?;
    Ok(Router::new()
        .route_service(V1, v1.max_decoding_message_size(MAX_REQUEST))
        .route_service(V1ALPHA, v1alpha.max_decoding_message_size(MAX_REQUEST)))
}
