#![doc = include_str!("../README.md")]

pub mod calls;
pub mod offers;
pub mod registry;
