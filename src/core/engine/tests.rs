//! Stories of the whole engine, and what must hold in every one of them.

mod absent;
mod acts;
mod crowds;
pub(super) mod fixture;
mod ledger;
mod messages;
mod planned;
mod properties;
mod stories;
mod suppressions;
mod tickets;
