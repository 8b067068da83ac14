//! A machine → the host to write: name, checks, evidence. Pure; what a check answers at first is [`super::trial`].

mod table;

use std::collections::BTreeSet;

use vigia_core::model::grammar;

use super::finding::{Finding, Service, Sign, Transport};
use super::identity::Machine;
use super::suggestion::Suggestion;

pub use table::Wish;

/// A host as it is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub name: String,
    pub address: String,
    /// Its other addresses and names.
    pub aliases: Vec<String>,
    pub tags: Vec<(&'static str, String)>,
    /// Keys of `identity`.
    pub identity: Vec<(&'static str, String)>,
    /// The host's own check, where a ping would not do.
    pub check: Option<Suggestion>,
    /// In order of name.
    pub services: Vec<Proposed>,
    /// What it all rests on, a line each.
    pub evidence: Vec<String>,
}

/// A service as it is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    pub name: String,
    /// The best check first; the others are tried where it is not OK.
    pub checks: Vec<Suggestion>,
    pub evidence: String,
    /// What the first check said when it was tried and not OK: state and text.
    pub trouble: Option<String>,
}

impl Proposed {
    /// The check that is written.
    pub fn check(&self) -> &Suggestion {
        self.checks.first().expect("a service is proposed with at least one check")
    }
}

/// Proposes a host for a machine. `taken`: names that others have, in lower case.
pub fn propose(machine: &Machine, wish: &Wish, taken: &BTreeSet<String>) -> Proposal {
    propose_as(name_for(machine.main(), taken), machine, wish)
}

/// The same under a name that it has already.
pub fn propose_as(name: String, machine: &Machine, wish: &Wish) -> Proposal {
    let main = machine.main();
    let others = machine.findings.iter().skip(1);
    let mut aliases: Vec<String> = others.clone().map(|finding| finding.address.to_string()).collect();
    aliases.extend(main.names.iter().filter(|full| **full != name).take(4).cloned());
    let mut services = services(main, None, wish);
    for other in others {
        let is_new = |service: &&Service| {
            !main.services.iter().any(|one| (one.port, one.transport) == (service.port, service.transport))
        };
        let extra =
            Finding { services: other.services.iter().filter(is_new).cloned().collect(), ..other.clone() };
        services.extend(self::services(&extra, Some(other.address.to_string()), wish));
    }
    services.sort_by(|a, b| a.name.cmp(&b.name));
    services.dedup_by(|a, b| a.name == b.name);
    Proposal {
        address: main.address.to_string(),
        aliases,
        tags: tags(main),
        identity: identity(machine),
        check: host_check(main),
        services,
        evidence: evidence(machine),
        name,
    }
}

/// The first label of its name where nobody else has it, else the whole name, else the address.
fn name_for(finding: &Finding, taken: &BTreeSet<String>) -> String {
    let full = finding.names.first();
    let label = full.and_then(|full| full.split('.').next());
    let candidates = label.into_iter().chain(full.map(String::as_str));
    let is_free =
        |name: &&str| grammar::check_name(name).is_ok() && !taken.contains(&name.to_ascii_lowercase());
    // A label of digits alone would read as a part of an address.
    let is_name = |name: &&str| name.chars().any(|c| c.is_ascii_alphabetic());
    let found = candidates.into_iter().find(|name| is_free(name) && is_name(name));
    found.map_or_else(|| finding.address.to_string(), str::to_owned)
}

fn services(finding: &Finding, address: Option<String>, wish: &Wish) -> Vec<Proposed> {
    let one = |service: &Service| {
        let row = table::row(service, &finding.names, wish)?;
        let mut checks = row.checks;
        for check in checks.iter_mut().filter(|_| address.is_some()) {
            check
                .options
                .extend(address.clone().map(|address| ("address", super::suggestion::Opt::Text(address))));
        }
        Some(Proposed { name: row.name, checks, evidence: service.evidence(), trouble: None })
    };
    finding.services.iter().filter_map(one).collect()
}

fn tags(finding: &Finding) -> Vec<(&'static str, String)> {
    let mac = finding.mac.map(|mac| ("mac", mac.to_string()));
    let vendor = finding.vendor.clone().map(|vendor| ("vendor", vendor));
    let os = finding.os.as_ref().map(|os| ("os", os.name.clone()));
    [mac, vendor, os].into_iter().flatten().collect()
}

fn identity(machine: &Machine) -> Vec<(&'static str, String)> {
    let ssh = machine.findings.iter().find_map(|finding| finding.ssh_key.clone());
    let tls = machine.findings.iter().find_map(|finding| finding.tls_key().map(str::to_owned));
    let card = machine.main().mac.filter(|mac| mac.is_identity());
    let card = card.map(|mac| ("mac", mac.to_string()));
    [ssh.map(|key| ("ssh_host_key", key)), tls.map(|key| ("tls_key", key)), card]
        .into_iter()
        .flatten()
        .collect()
}

/// A host that answers no ping would be DOWN from its first minute: it is watched by what it did answer.
fn host_check(finding: &Finding) -> Option<Suggestion> {
    match finding.sign {
        Sign::Echo { .. } | Sign::Told | Sign::Neighbour => None,
        Sign::Accepted(port) => Some(Suggestion::tcp(port)),
        Sign::Refused(port) => match finding.services.iter().find(|one| one.transport == Transport::Tcp) {
            Some(service) => Some(Suggestion::tcp(service.port)),
            None => Some(Suggestion::tcp(port).text("on_refused", "ok")),
        },
    }
}

fn evidence(machine: &Machine) -> Vec<String> {
    let main = machine.main();
    let mut lines = vec![match main.names.first() {
        Some(name) => format!("{}, called {name}", main.sign),
        None => main.sign.to_string(),
    }];
    if let Some((confidence, because)) = &machine.because {
        let addresses: Vec<String> = machine.addresses().map(|address| address.to_string()).collect();
        lines.push(format!("{} one machine ({because}): {}", confidence.word(), addresses.join(", ")));
    }
    if let Some(os) = &main.os {
        lines.push(format!("{}: {}", os.name, os.evidence));
    }
    lines.extend(main.notes.iter().cloned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::finding::{First, Tls};
    use crate::discovery::identity::machines;

    fn service(port: u16, name: &str) -> Service {
        Service { is_sure: true, ..Service::new(port, Transport::Tcp, name) }
    }

    fn host(services: Vec<Service>, names: &[&str]) -> Finding {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let sign = Sign::Echo { ttl: Some(64) };
        Finding { services, names, ..Finding::new("192.0.2.135".parse().unwrap(), sign) }
    }

    fn proposal(finding: Finding) -> Proposal {
        propose(&machines(vec![finding])[0], &Wish::default(), &BTreeSet::from(["gw".to_owned()]))
    }

    fn lines(services: Vec<Service>) -> Vec<String> {
        let proposal = proposal(host(services, &["web1.example.test"]));
        proposal.services.iter().map(|one| format!("{}: {}", one.name, one.check().yaml())).collect()
    }

    #[test]
    fn services_have_the_names_of_the_table() {
        let http = |port, status| Service {
            first: First { http_status: Some(status), ..First::default() },
            ..service(port, "http")
        };
        assert_eq!(
            lines(vec![
                service(22, "ssh"),
                http(80, 403),
                http(8080, 200),
                service(3306, "mysql"),
                service(10_000, ""),
                service(111, "rpcbind"),
                service(9100, "jetdirect"),
                service(23, "telnet"),
                service(3389, "ms-wbt-server"),
                service(49_152, ""),
            ]),
            [
                "GENERIC_TCP_10000: {tcp: 10000}",
                "GENERIC_TCP_9100: {tcp: 9100}",
                "HTTP: {http: {expect: [200, 403]}}",
                "HTTP_8080: {http: {port: 8080}}",
                "MYSQL: {mysql: {on_denied: ok}}",
                "SSH: {ssh: {}}",
                "TELNET: {tcp: 23}",
                "TERMINAL_SERVER: {tcp: 3389}",
            ]
        );
    }

    #[test]
    fn a_certificate_nobody_here_trusts_is_not_verified_and_a_good_one_is() {
        let https = |is_trusted, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let tls = Tls { names, is_trusted, is_expired: false, key: "SHA256:x".to_owned(), until: None };
            let first = First { http_status: Some(200), tls: Some(tls), is_denied: false };
            Service { is_tls: true, first, ..service(443, "http") }
        };
        assert_eq!(
            lines(vec![https(false, &["web1.example.test"])]),
            ["HTTPS: {https: {tls: {verify: off}}}"]
        );
        assert_eq!(
            lines(vec![https(true, &["*.example.test"])]),
            ["HTTPS: {https: {host: web1.example.test}}"]
        );
        assert_eq!(lines(vec![https(true, &["other.test"])]), ["HTTPS: {https: {tls: {verify: off}}}"]);
    }

    #[test]
    fn a_name_is_short_where_it_is_free() {
        assert_eq!(proposal(host(Vec::new(), &["web1.example.test"])).name, "web1");
        assert_eq!(proposal(host(Vec::new(), &["gw.example.test"])).name, "gw.example.test");
        assert_eq!(proposal(host(Vec::new(), &["135.example.test"])).name, "135.example.test");
        assert_eq!(proposal(host(Vec::new(), &[])).name, "192.0.2.135");
    }

    #[test]
    fn who_answers_no_ping_is_watched_by_what_it_answers() {
        let signed = |sign, services| {
            let finding = Finding { sign, ..host(services, &[]) };
            proposal(finding).check.map(|check| check.yaml())
        };
        assert_eq!(signed(Sign::Echo { ttl: None }, Vec::new()), None);
        assert_eq!(signed(Sign::Accepted(443), Vec::new()).as_deref(), Some("{tcp: 443}"));
        assert_eq!(signed(Sign::Refused(22), vec![service(80, "http")]).as_deref(), Some("{tcp: 80}"));
        assert_eq!(
            signed(Sign::Refused(22), Vec::new()).as_deref(),
            Some("{tcp: {port: 22, on_refused: ok}}")
        );
    }

    #[test]
    fn every_proposed_check_can_be_decoded() {
        let names = [
            "ftp",
            "ssh",
            "telnet",
            "smtp",
            "domain",
            "http",
            "pop3",
            "imap",
            "ldap",
            "microsoft-ds",
            "ms-sql-s",
            "mysql",
            "postgresql",
            "redis",
            "mongodb",
            "memcached",
            "amqp",
            "irc",
            "vnc",
            "rsync",
            "",
        ];
        let services: Vec<Service> = (2_000..).zip(names).map(|(port, name)| service(port, name)).collect();
        let all = proposal(host(services, &["web1.example.test"]));
        assert_eq!(all.services.len(), names.len());
        for check in all.services.iter().flat_map(|one| &one.checks) {
            let kind = vigia_checks::kind(check.kind).unwrap();
            let decoded = kind.decode(&check.value());
            assert!(
                decoded.check.is_some() && decoded.problems.is_empty(),
                "{}: {:?}",
                check.yaml(),
                decoded.problems
            );
        }
    }
}
