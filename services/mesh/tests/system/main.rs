//! The whole system as its users and its operator see it: the real program, started as they start it, and spoken to
//! over its sockets alone. Nothing here reaches into a service.

#![cfg(unix)]

mod demo;
mod faults;
mod handshake;
mod invalid;
mod keyed;
mod leaving;
mod limits;
#[cfg(target_os = "linux")]
mod listener;
mod media;
mod people;
mod policy;
mod priced;
mod process;
mod raw;
mod reload;
mod renewal;
mod replicas;
mod rolling;
mod running;
mod seats;
mod shared;
mod simulator;
mod split;
mod storm;
mod story;
mod terminal;
mod tokens;
mod told;
mod unpaid;
mod upstream;
mod web;
