//! What others' suites want to call: their services in Rust, as plain gRPC without any of the house's layers, so that a
//! suite that passes has passed the edge and not what stands before it.

pub mod answer;
pub mod connect;

/// The contracts of the suites in Rust, made from `proto/` when this is built.
pub mod proto {
    #![allow(missing_docs, clippy::all, reason = "generated from the suites' files")]

    /// What the suite of Connect calls, and how it starts the program that answers.
    pub mod connect {
        tonic::include_proto!("connectrpc.conformance.v1");
    }
}

/// The same contracts as an encoded `FileDescriptorSet`.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.binpb"));
