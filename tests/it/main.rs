//! The one integration-test binary: every file beside this one is a module of it.
#![allow(
    unreachable_pub,
    reason = "nothing outside a test binary can reach it; `pub` says what a module offers"
)]
#![allow(clippy::string_slice, reason = "places that were just found in the same text")]

mod acts;
mod alarms;
mod assets;
mod attachments;
mod backup;
mod bad_input;
mod browser;
mod checks;
mod cli;
mod clients;
mod clock;
mod crash;
mod crash_long;
mod definition;
mod discovery;
mod disk;
mod documents;
mod doors;
mod event_names;
mod examples;
mod faults;
mod generated_pages;
mod handbook;
mod https;
mod itself;
mod kinds;
mod layering;
mod metrics;
mod net_discovery;
mod notify;
mod pages;
mod random_input;
mod reload;
mod scans;
mod secrets;
mod seed;
mod serve;
mod servers;
mod soak;
mod support;
mod systemd;
mod ticket_mail;
mod tickets;
mod tidy;
