//! Ways to hash a password.

mod argon2;
mod memory;

pub use argon2::Argon2Passwords;
