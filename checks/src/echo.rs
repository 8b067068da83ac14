//! One ICMP echo to one of many addresses, for whoever sweeps networks. The sockets are those of the checks.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::icmp::{Answer, TOKEN_BYTES};
use crate::kind::Shared;

/// What came of one echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// `ttl`: hops left, where the kernel tells.
    Reply {
        took: Duration,
        ttl: Option<u8>,
    },
    /// Somebody on the way, or this machine, says that it cannot be reached.
    Unreachable,
    Silence,
}

/// Whether this process may send echoes to such an address.
///
/// # Errors
/// Says why not, and the remedy.
pub fn is_allowed(shared: &Shared, target: IpAddr) -> Result<(), String> {
    shared.icmp.towards(target).map(drop).map_err(|no_icmp| no_icmp.to_string())
}

/// Sends one echo and waits for the answer at most `wait`.
///
/// # Errors
/// Where this process may not send ICMP: why, and the remedy.
pub async fn once(shared: &Shared, target: IpAddr, wait: Duration) -> Result<Echo, String> {
    let echoes = shared.icmp.towards(target).map_err(|no_icmp| no_icmp.to_string())?;
    let Ok(pending) = echoes.send(SocketAddr::new(target, 0), TOKEN_BYTES).await else {
        return Ok(Echo::Unreachable);
    };
    Ok(match tokio::time::timeout(wait, pending.answer()).await {
        Ok(Answer::Reply { took, ttl }) => Echo::Reply { took, ttl },
        Ok(Answer::Unreachable { .. }) => Echo::Unreachable,
        Err(_elapsed) => Echo::Silence,
    })
}
