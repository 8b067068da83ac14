//! What is out there: sweeps of the network, and what becomes of their findings.
//!
//! A scan ([`scan`], or [`nmap`]) turns targets into findings. The rest is pure: findings become machines
//! ([`identity`]), machines become proposals ([`propose`]), proposals are compared with what is known ([`diff`]) and
//! written as YAML ([`page`]). Nothing here touches what a person wrote, and nothing reaches the daemon but through the
//! ordinary reload of its files.

pub mod adopt;
pub mod diff;
pub mod finding;
mod identify;
pub mod identity;
pub mod insert;
pub mod jobs;
mod key;
mod knock;
pub mod mac;
pub mod mirage;
mod neighbours;
pub mod nmap;
mod nmap_xml;
mod opening;
mod os_guess;
mod pace;
pub mod page;
pub mod plan;
pub mod ports;
pub mod propose;
pub mod report;
pub mod scan;
pub mod settle;
pub mod shelf;
mod ssh_key;
pub mod suggestion;
pub mod summary;
pub mod targets;
pub mod timing;
pub mod trial;
