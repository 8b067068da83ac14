//! vigia, a monitoring daemon: discover, watch, alarm, ticket, learn.
//!
//! The parts in layer order, each using only those above it here (`docs/architecture.md` has the picture,
//! `tests/it/layering.rs` the rule as data). Below all of them lie the crates `vigia_core`, which knows no
//! clock and no I/O, and `vigia_checks`, which knows nothing of the daemon.

pub mod telemetry;

pub mod wording;

pub mod config;
pub mod os;

pub mod assets;
pub mod backup;
pub mod deliver;
pub mod desk;
pub mod discovery;
pub mod runtime;
pub mod store;

pub mod web;

pub mod app;
pub mod cli;

#[cfg(test)]
mod fixture;
