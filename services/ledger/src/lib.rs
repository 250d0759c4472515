#![doc = include_str!("../README.md")]

mod draft;
mod error;
mod hours;
mod known;
mod ports;
mod tariff;

pub mod store;

pub use error::{Error, Refusal};
pub use known::{
    Ask, Balance, Bounds, Entry, EntryKind, Grant, House, Medium, Month, NewGrant, Origin, Overdue,
    Payer, Quota, Refund, Reserved, Settled, Spent, Terms,
};
pub use ports::Ledger;
pub use tariff::{Amounts, Overflow, Tariff, Unit};
