//! What others' suites want to call: their services in Rust, as plain gRPC without any of the house's layers. Whoever
//! serves one says what its calls pass.

pub mod answer;
pub mod connect;
pub mod interop;

/// The contracts of the suites in Rust, made from `proto/` when this is built.
pub mod proto {
    #![allow(missing_docs, clippy::all, reason = "generated from the suites' files")]

    /// What the suite of Connect calls, and how it starts the program that answers.
    pub mod connect {
        tonic::include_proto!("connectrpc.conformance.v1");
    }

    /// What the interop clients of gRPC call.
    pub mod interop {
        tonic::include_proto!("grpc.testing");
    }
}

/// The same contracts as an encoded `FileDescriptorSet`.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.binpb"));
