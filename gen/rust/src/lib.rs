//! The contract of Atelier in Rust: made from `proto/`, never edited; nothing here is written by hand but this file.
//!
//! `just gen` makes it anew, and a test fails when it is stale.

#[allow(missing_docs, clippy::all, rustdoc::all)]
mod r#gen {
    include!("gen/mod.rs");
}

pub use r#gen::atelier::{
    analytics, generation, llm_chat, model, policy, privacy, text_image, tts, upstream, users,
};

/// The whole contract as an encoded `FileDescriptorSet`, imports and policy options included: what reflection
/// serves and what the mesh reads its policies from.
pub const DESCRIPTOR: &[u8] = include_bytes!("gen/descriptor.binpb");
