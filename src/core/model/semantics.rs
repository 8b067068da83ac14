//! What a result means where Nagios lets its administrator choose. The defaults are Nagios' own.

use std::time::Duration;

use super::state::State;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semantics {
    /// Of a service whose check ran into its deadline (`service_check_timeout_state`).
    pub timeout_state: State,
    /// A host check that says WARNING means not UP (`use_aggressive_host_checking`).
    pub warning_is_down: bool,
    /// Passive results of hosts are retried like active ones (`passive_host_checks_are_soft`).
    pub passive_hosts_are_soft: bool,
    /// Passive DOWN behind a dead parent is UNREACHABLE (`translate_passive_host_checks`).
    pub passive_hosts_are_translated: bool,
    /// A master's soft state counts for dependencies (`soft_state_dependencies`).
    pub soft_masters_count: bool,
    /// A result so young answers a check on demand (`cached_host_check_horizon`).
    pub horizon: Duration,
}

impl Default for Semantics {
    fn default() -> Self {
        Self {
            timeout_state: State::Critical,
            warning_is_down: false,
            passive_hosts_are_soft: false,
            passive_hosts_are_translated: false,
            soft_masters_count: false,
            horizon: Duration::from_secs(15),
        }
    }
}
