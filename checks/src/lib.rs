//! The built-in checks: each a file, each a line in the table of kinds. Knows nothing of the daemon.
//!
//! A check is decoded once ([`Kind::decode`]) and then run any number of times ([`run`]), in the daemon, on a poller
//! or as a plugin on a command line ([`cli::plugin_main`]).

mod ber;
pub mod cert;
pub mod cli;
pub mod echo;
mod icmp;
mod kind;
pub mod liveness;
pub mod net;
pub mod options;
mod outcome;
pub mod peek;
mod resolve;
pub mod secure;

mod dns;
mod ftp;
pub mod http;
mod imap;
mod ldap;
#[cfg(feature = "mysql")]
mod mysql;
mod nrpe;
mod ntp;
mod ping;
mod pop3;
mod postgres;
mod redis;
mod smtp;
mod snmp;
mod ssh;
pub mod starttls;
mod talk;
mod tcp;
mod tls;
#[cfg(test)]
mod trial;
mod udp;

#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use vigia_core::model::check::BuiltInCheck;

pub use kind::{BuiltIn, Call, Decoded, Extra, Kind, Phase, Probe, Settings, Shared, Short, Target};
pub use outcome::{Outcome, judge_time, one_line, push_seconds, quoted_bytes};
pub use ping::unwritten as unwritten_host_check;
pub use resolve::{IpFamily, Resolver};

/// All kinds that run inside vigia, in the order of the reference page. `plugin`, `command` and `passive` are the
/// daemon's own.
pub const KINDS: &[&Kind] = &[
    &tcp::KIND,
    &udp::KIND,
    &http::HTTP,
    &http::HTTPS,
    &ssh::KIND,
    #[cfg(feature = "mysql")]
    &mysql::KIND,
    &ping::KIND,
    &dns::KIND,
    &tls::KIND,
    &smtp::KIND,
    &ftp::KIND,
    &pop3::KIND,
    &imap::KIND,
    &ntp::KIND,
    &redis::KIND,
    &ldap::KIND,
    &postgres::KIND,
    &snmp::KIND,
    &nrpe::KIND,
];

/// Kinds that exist but that this build leaves out, with the Cargo feature that brings them.
pub const LEFT_OUT: &[(&str, &str)] = &[
    #[cfg(not(feature = "mysql"))]
    ("mysql", "mysql"),
];

pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Runs a check once. Never fails, never panics, and is back by the target's deadline.
pub async fn run(check: &dyn BuiltInCheck, target: &Target<'_>, shared: &Shared) -> Outcome {
    let Some(built_in) = kind::built_in(check) else {
        return Outcome::unknown("this check was not made by this program's table of kinds");
    };
    let call = Call::new(built_in.kind, target, shared);
    let looked = AssertUnwindSafe(built_in.probe.run(&call)).catch_unwind();
    let mut outcome = match tokio::time::timeout_at(call.deadline, looked).await {
        Ok(Ok(outcome)) => outcome,
        // A mistake of ours in one check must not end the daemon, nor look like the target's fault.
        Ok(Err(_panic)) => Outcome::unknown(format!(
            "{} UNKNOWN - the check itself failed; please report this",
            built_in.kind.label
        )),
        Err(_elapsed) => call.timed_out(),
    };
    outcome.detail = call.into_detail();
    outcome
}
