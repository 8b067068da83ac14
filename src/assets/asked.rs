//! What scans have asked of a host: which silence is an answer. Kept as text (`22,80-99 udp`), shared by many assets.

use std::fmt;

use vigia_core::model::asset::Transport;

use crate::discovery::finding::Sweep;
use crate::discovery::plan::{Depth, Engine};
use crate::discovery::ports::Ports;

/// TCP ports, and whether the name and the time server were asked over UDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    tcp: Ports,
    udp: bool,
}

/// What our own engine asks over UDP.
const UDP: &[u16] = &[53, 123];
const UDP_WORD: &str = "udp";

impl Asked {
    /// A file of another program does not say what was asked, so nothing follows from what it lacks.
    pub fn by(sweep: &Sweep) -> Self {
        let depth = &sweep.plan.depth;
        match sweep.plan.engine {
            Engine::Import => Self::default(),
            Engine::Nmap => Self { tcp: depth.ports(), udp: false },
            Engine::BuiltIn => {
                Self { tcp: depth.ports(), udp: !matches!(depth, Depth::Ping | Depth::Custom(_)) }
            }
        }
    }

    /// As [`fmt::Display`] wrote it; what is damaged counts as not asked.
    pub fn read(text: &str) -> Self {
        let mut asked = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if word == UDP_WORD {
                asked.udp = true;
            } else {
                asked.tcp = Ports::parse(word).unwrap_or_default();
            }
        }
        asked
    }

    pub fn holds(&self, port: u16, transport: Transport) -> bool {
        match transport {
            Transport::Tcp => self.tcp.holds(port),
            Transport::Udp => self.udp && UDP.contains(&port),
        }
    }

    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { tcp: self.tcp.and(&other.tcp), udp: self.udp || other.udp }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.udp && !self.tcp.is_empty() { " " } else { "" };
        write!(f, "{}{blank}{}", self.tcp, if self.udp { UDP_WORD } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_read_as_it_was_written() {
        for text in ["", "udp", "22,80-99", "22,80-99 udp"] {
            assert_eq!(Asked::read(text).to_string(), text);
        }
        let both = Asked::read("22 udp").and(&Asked::read("23-25"));
        assert_eq!(both.to_string(), "22-25 udp");
        assert!(
            both.holds(53, Transport::Udp)
                && !both.holds(53, Transport::Tcp)
                && both.holds(24, Transport::Tcp)
        );
    }
}
