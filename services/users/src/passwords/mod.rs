//! Ways to hash a password.

mod argon2;

pub use argon2::Argon2Passwords;
