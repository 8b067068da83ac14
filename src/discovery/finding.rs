//! What a scan saw: one finding an address, and what it could not find out.

use std::fmt;
use std::net::IpAddr;

pub use vigia_core::model::asset::Transport;
use vigia_core::model::time::Timestamp;

use super::mac::Mac;
use super::plan::Plan;

/// What showed that somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Answered an ICMP echo; hops left, where told.
    Echo { ttl: Option<u8> },
    /// A TCP port accepted.
    Accepted(u16),
    /// A TCP port refused: an answer too.
    Refused(u16),
    /// Its network card answered on the local link, and nothing else did.
    Neighbour,
    /// Another program said so.
    Told,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo { .. } => f.write_str("answers ping"),
            Self::Accepted(port) => write!(f, "accepts on TCP port {port}"),
            Self::Refused(port) => write!(f, "refuses on TCP port {port}"),
            Self::Neighbour => f.write_str("answers ARP alone"),
            Self::Told => f.write_str("up by another program's word"),
        }
    }
}

/// One service of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub port: u16,
    pub transport: Transport,
    /// By its IANA name where it has one (`ssh`, `http`, `mysql`); empty: nobody knows.
    pub name: String,
    /// What it said confirms the name; else the port alone suggests it.
    pub is_sure: bool,
    /// Speaks TLS from the first byte.
    pub is_tls: bool,
    pub product: Option<String>,
    pub version: Option<String>,
    /// What else is worth a comment: `answered 403`, `Debian-2+deb12u10`.
    pub note: Option<String>,
    /// What checks need to know of the first answer.
    pub first: First,
}

/// The first answer, as far as a check's baseline depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    pub http_status: Option<u16>,
    /// Names of the certificate; trusted by this system or not, expired or not.
    pub tls: Option<Tls>,
    /// It wants a login, or does not let us in at all.
    pub is_denied: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    pub names: Vec<String>,
    pub is_trusted: bool,
    pub is_expired: bool,
    /// Of the public key, as `SHA256:…`.
    pub key: String,
    /// Until when the certificate is good.
    pub until: Option<Timestamp>,
}

impl Service {
    pub fn new(port: u16, transport: Transport, name: &str) -> Self {
        Self {
            port,
            transport,
            name: name.to_owned(),
            is_sure: false,
            is_tls: false,
            product: None,
            version: None,
            note: None,
            first: First::default(),
        }
    }

    /// `OpenSSH 9.2p1`, as far as it is known.
    pub fn software(&self) -> String {
        let parts = [self.product.as_deref(), self.version.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// `22/tcp ssh OpenSSH 9.2p1`, with nmap's question mark where the port alone suggests the name.
    pub fn evidence(&self) -> String {
        let mut text = format!("{}/{}", self.port, self.transport.name());
        if !self.name.is_empty() {
            let doubt = if self.is_sure { "" } else { "?" };
            text.push_str(&format!(" {}{doubt}", self.name));
        }
        for more in [self.software(), self.note.clone().unwrap_or_default()] {
            if !more.is_empty() {
                text.push(' ');
                text.push_str(&more);
            }
        }
        text
    }
}

/// A guess, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsGuess {
    /// `Linux`, `Debian GNU/Linux 12`, `Windows`.
    pub name: String,
    pub evidence: String,
}

/// Everything that one address showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub address: IpAddr,
    pub sign: Sign,
    pub mac: Option<Mac>,
    pub vendor: Option<String>,
    /// Names that point back to the address, without the dot at their end.
    pub names: Vec<String>,
    pub os: Option<OsGuess>,
    /// In order of port.
    pub services: Vec<Service>,
    /// The SSH server's key, as `SHA256:…`.
    pub ssh_key: Option<String>,
    /// What a person should know before they believe the rest.
    pub notes: Vec<String>,
    /// Every port of the plan was asked; else services may be missing for want of time.
    pub is_complete: bool,
}

impl Finding {
    pub fn new(address: IpAddr, sign: Sign) -> Self {
        Self {
            address,
            sign,
            mac: None,
            vendor: None,
            names: Vec::new(),
            os: None,
            services: Vec::new(),
            ssh_key: None,
            notes: Vec::new(),
            is_complete: false,
        }
    }

    /// The key of a TLS server of this address: the lowest port's.
    pub fn tls_key(&self) -> Option<&str> {
        let keys = self.services.iter().filter_map(|service| service.first.tls.as_ref());
        keys.map(|tls| tls.key.as_str()).find(|key| !key.is_empty())
    }
}

/// A whole scan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    pub plan: Plan,
    /// In order of address.
    pub findings: Vec<Finding>,
    /// Addresses that were looked at.
    pub looked_at: usize,
    /// All that was wanted was done: what is missing is not there. Else nothing may be concluded from silence.
    pub is_complete: bool,
    /// What this engine, with these rights, cannot know.
    pub unknown: Vec<String>,
}
