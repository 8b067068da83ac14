//! Is a host alive, where no ICMP may be sent? It is when a well-known TCP port accepts or refuses us
//! (`ossim-discovery.md` D-41): a refusal too is an answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

/// Asked in this order, a moment apart.
pub const PORTS: &[u16] = &[22, 80, 443, 445, 3389];

/// Before the next port is asked too.
const HEAD_START: Duration = Duration::from_millis(150);

/// What showed that a host is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Accepted(u16),
    Refused(u16),
}

/// Asks the ports until one answers; for ever when none does and none fails. `Err`: what was wrong with the last one.
pub async fn sign_of_life(target: IpAddr, ports: &[u16]) -> Result<Sign, io::Error> {
    let mut asked = FuturesUnordered::new();
    let mut waiting = ports.iter().copied();
    let mut last_error = io::ErrorKind::TimedOut.into();
    loop {
        let next = waiting.next();
        if let Some(port) = next {
            asked.push(async move { (port, TcpStream::connect(SocketAddr::new(target, port)).await) });
        }
        let answer = if next.is_some() {
            let Ok(answer) = tokio::time::timeout(HEAD_START, asked.next()).await else { continue };
            answer
        } else {
            asked.next().await
        };
        match answer {
            // Closed at once with FIN: nothing was sent, so nothing is left unread.
            Some((port, Ok(_stream))) => return Ok(Sign::Accepted(port)),
            Some((port, Err(error))) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Ok(Sign::Refused(port));
            }
            Some((_, Err(error))) => last_error = error,
            None if next.is_none() => return Err(last_error),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn an_open_port_is_a_sign_of_life() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(sign_of_life(LOOPBACK, &[port]).await.unwrap(), Sign::Accepted(port));
    }

    #[tokio::test]
    async fn a_refusal_is_a_sign_of_life() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(sign_of_life(LOOPBACK, &[port]).await.unwrap(), Sign::Refused(port));
    }

    #[tokio::test]
    async fn without_a_port_there_is_no_sign() {
        assert!(sign_of_life(LOOPBACK, &[]).await.is_err());
    }
}
