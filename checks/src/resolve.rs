//! Names to addresses, through one resolver for all checks.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;

use crate::net::{Failure, Trouble};
use crate::options::Choice;

/// Which of the two internets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpFamily {
    #[default]
    Any,
    V4,
    V6,
}

impl Choice for IpFamily {
    const WORDS: &'static [(&'static str, Self)] = &[("any", Self::Any), ("4", Self::V4), ("6", Self::V6)];
}

impl IpFamily {
    fn holds(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Asks the name servers of the system's settings, and its hosts file. Keeps answers as long as they say.
pub struct Resolver {
    /// `Err`: why the system's settings cannot be used; the C library is asked instead.
    dns: Result<TokioResolver, String>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("settings", &self.dns.as_ref().err()).finish_non_exhaustive()
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver {
    pub fn new() -> Self {
        let dns = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        Self { dns: dns.map_err(|error| error.to_string()) }
    }

    /// All addresses of a name with a port, IPv6 and IPv4 in turns.
    pub async fn resolve(&self, name: &str, port: u16, family: IpFamily) -> Result<Vec<SocketAddr>, Failure> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Failure::new(Trouble::Local, "there is no address to connect to; -H says which"));
        }
        let found = match literal(name, port) {
            Some(address) => vec![address],
            None => self.look_up(name, port).await?,
        };
        let fitting: Vec<SocketAddr> =
            found.iter().copied().filter(|address| family.holds(address.ip())).collect();
        if !fitting.is_empty() {
            return Ok(in_turns(fitting));
        }
        let text = match family {
            IpFamily::V4 => format!("`{name}` has no IPv4 address, only {}", list(&found)),
            IpFamily::V6 => format!("`{name}` has no IPv6 address, only {}", list(&found)),
            IpFamily::Any => format!("`{name}` has no address"),
        };
        Err(Failure::new(Trouble::Name, text))
    }

    /// The names that point back to an address, without the dot at their end; none where the zone has none.
    ///
    /// # Errors
    /// When no name server answers as one should.
    pub async fn names_of(&self, address: IpAddr) -> Result<Vec<String>, Failure> {
        let dns = self.dns.as_ref().map_err(|reason| Failure::new(Trouble::Local, reason.clone()))?;
        match dns.reverse_lookup(address).await {
            Ok(answer) => Ok(answer
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::PTR(name) => Some(name.to_string().trim_end_matches('.').to_owned()),
                    _ => None,
                })
                .collect()),
            // A server that refuses, or has no such zone, has answered: the address has no name.
            Err(NetError::Dns(_)) => Ok(Vec::new()),
            Err(error) => Err(explain(&address.to_string(), &error)),
        }
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let failure = match &self.dns {
            Ok(dns) => match dns.lookup_ip(name).await {
                Ok(answer) => return Ok(answer.iter().map(|ip| SocketAddr::new(ip, port)).collect()),
                Err(error) => explain(name, &error),
            },
            Err(reason) => Failure::new(Trouble::Local, format!("`{name}` does not resolve: {reason}")),
        };
        // Names without a dot, and those of the link, may be known to the C library alone (mDNS, LDAP, NIS).
        if self.dns.is_err() || !name.contains('.') || name.ends_with(".local") {
            return match tokio::net::lookup_host((name, port)).await {
                Ok(found) => Ok(found.collect()),
                Err(_also) => Err(failure),
            };
        }
        Err(failure)
    }
}

/// An address as people write it: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, `fe80::1%eth0`.
pub(crate) fn literal(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let (address, zone) = inner.split_once('%').unwrap_or((inner, ""));
    let ip: Ipv6Addr = address.parse().ok()?;
    let scope = match zone {
        "" => 0,
        zone => zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok())?,
    };
    Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)))
}

const NO_NAME: &str =
    "it is neither an address nor a name; only letters, digits, `-`, `_` and `.` are in one";

fn could_be_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A name that does not exist is the target's trouble; a name server that is silent or broken is ours.
fn explain(name: &str, error: &NetError) -> Failure {
    let code = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => Some(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => Some(*code),
        _ => None,
    };
    let (trouble, reason) = match code {
        Some(ResponseCode::NXDomain) => (Trouble::Name, "there is no such name (NXDOMAIN)".to_owned()),
        Some(ResponseCode::NoError) => (Trouble::Name, "the name has no address".to_owned()),
        Some(ResponseCode::ServFail) => (Trouble::Local, "the name server failed (SERVFAIL)".to_owned()),
        Some(ResponseCode::Refused) => (Trouble::Local, "the name server refused (REFUSED)".to_owned()),
        Some(other) => (Trouble::Local, format!("the name server answered {other}")),
        None if matches!(error, NetError::Timeout) => (Trouble::Local, "no name server answered".to_owned()),
        // What is no name at all is asked of no server, and the library's own words for it help nobody.
        None if !could_be_name(name) => (Trouble::Name, NO_NAME.to_owned()),
        None => (Trouble::Local, error.to_string()),
    };
    Failure::new(trouble, format!("`{name}` does not resolve: {reason}"))
}

/// One of each family in turn, so that a dead one costs a quarter of a second and not the whole deadline.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if addresses.len() < 2 {
        return addresses;
    }
    let (mut six, mut four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut turns = Vec::with_capacity(six.len() + four.len());
    six.reverse();
    four.reverse();
    while !six.is_empty() || !four.is_empty() {
        turns.extend(six.pop());
        turns.extend(four.pop());
    }
    turns
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_spelling() {
        for text in ["192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%1"] {
            assert!(literal(text, 80).is_some(), "{text}");
        }
        for text in ["web1", "192.0.2", "2001:db8::1%", "fe80::1%no-such-link", "[192.0.2.1"] {
            let has_scope = text.ends_with('%');
            assert_eq!(literal(text, 80).is_some(), has_scope, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_name_is_said_in_words_of_ours() {
        for text in ["192.0.2.1:80", "$HOSTADDRESS$"] {
            let failure = Resolver::new().resolve(text, 80, IpFamily::Any).await.unwrap_err();
            assert_eq!(failure.text, format!("`{text}` does not resolve: {NO_NAME}"));
        }
    }

    #[test]
    fn families_take_turns() {
        let addresses = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"].map(|text| text.parse().unwrap());
        let turns: Vec<String> = in_turns(addresses.to_vec()).iter().map(ToString::to_string).collect();
        assert_eq!(turns, ["[2001:db8::1]:1", "192.0.2.1:1", "192.0.2.2:1"]);
    }

    #[tokio::test]
    async fn localhost_resolves_through_the_hosts_file() {
        let found = Resolver::new().resolve("localhost", 80, IpFamily::V4).await.unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
    }

    /// A resolver that asks a name server of ours, which answers by the first label.
    async fn asking_ours() -> Resolver {
        use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
        use hickory_resolver::net::runtime::TokioRuntimeProvider;

        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = answer(packet.get(..count).unwrap()) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let mut connection = ConnectionConfig::udp();
        connection.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().attempts = 1;
        builder.options_mut().timeout = std::time::Duration::from_millis(300);
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Resolver { dns: Ok(builder.build().unwrap()) }
    }

    fn answer(query: &[u8]) -> Option<Vec<u8>> {
        use hickory_resolver::proto::op::Message;
        use hickory_resolver::proto::rr::{RData, Record, RecordType, rdata::A};

        let query = Message::from_vec(query).ok()?;
        let question = query.queries.first()?.clone();
        let name = question.name().to_utf8();
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.add_query(question.clone());
        match name.split('.').next()? {
            "gone" => answer.metadata.response_code = ResponseCode::NXDomain,
            "broken" => answer.metadata.response_code = ResponseCode::ServFail,
            "refused" => answer.metadata.response_code = ResponseCode::Refused,
            "silent" => return None,
            "web1" if question.query_type() == RecordType::A => {
                let address = RData::A(A::new(192, 0, 2, 1));
                answer.add_answer(Record::from_rdata(question.name().clone(), 60, address));
            }
            _ => {}
        }
        answer.to_vec().ok()
    }

    #[tokio::test]
    async fn what_a_name_server_says_reaches_the_administrator() {
        let resolver = asking_ours().await;
        let found = resolver.resolve("web1.example.test", 80, IpFamily::Any).await.unwrap();
        assert_eq!(found, ["192.0.2.1:80".parse().unwrap()]);
        for (name, family, part) in [
            (
                "gone.example.test",
                IpFamily::Any,
                "`gone.example.test` does not resolve: there is no such name (NXDOMAIN)",
            ),
            ("empty.example.test", IpFamily::Any, "the name has no address"),
            ("broken.example.test", IpFamily::Any, "SERVFAIL"),
            ("refused.example.test", IpFamily::Any, "REFUSED"),
            ("silent.example.test", IpFamily::Any, "no name server answered"),
            ("web1.example.test", IpFamily::V6, "has no IPv6 address, only 192.0.2.1"),
            ("", IpFamily::Any, "there is no address to connect to"),
        ] {
            let failure = resolver.resolve(name, 80, family).await.unwrap_err();
            assert!(failure.text.contains(part), "{name}: {failure:?}");
        }
    }
}
