//! The whole service behind its real client: an in-memory link, the full stack, and the service's own keys to verify with.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod accounts;
mod admin;
mod any_order;
mod api_keys;
mod attempts;
mod bank;
mod credits_admin;
mod credits_due;
mod credits_leaving;
mod credits_limits;
mod credits_paying;
mod credits_plans;
mod credits_read;
mod credits_reloaded;
mod credits_rounds;
mod departures;
mod desk;
mod emails;
mod exporting;
mod house;
mod id_tokens;
mod identities;
mod keeping;
mod keys;
mod leaving;
mod linking;
mod one_hash;
mod operator;
mod peers;
mod postgres_only;
mod provider;
mod provider_away;
mod refresh;
mod resets;
mod revocations;
mod second_factor;
mod sessions;
mod sign_in;
mod smtp;
