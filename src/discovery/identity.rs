//! Which findings are one machine, and is it one we know? By evidence, with a stated confidence. (promise 39)
//!
//! Evidence for: SSH host key, network card, TLS key, name. Evidence against: two different host keys, different software
//! behind the same port. A cloned machine has the key of its original and another card, so a key alone is not enough when
//! the cards differ.

use std::collections::HashMap;
use std::net::IpAddr;

use super::finding::Finding;
use super::mac::Mac;

/// How sure we are that several addresses, or an address and a host, are one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    Medium,
    High,
}

impl Confidence {
    fn of(score: i32) -> Option<Self> {
        match score {
            80.. => Some(Self::High),
            50.. => Some(Self::Medium),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Medium => "probably",
            Self::High => "surely",
        }
    }
}

/// One machine with all its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The first is the one its checks connect to.
    pub findings: Vec<Finding>,
    /// Why its addresses are one machine, where it has several.
    pub because: Option<(Confidence, String)>,
}

impl Machine {
    pub fn main(&self) -> &Finding {
        self.findings.first().expect("a machine is made of at least one finding")
    }

    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.findings.iter().map(|finding| finding.address)
    }
}

/// Weighs what two findings have in common, and what speaks against.
struct Scale {
    score: i32,
    because: Vec<&'static str>,
}

impl Scale {
    fn new() -> Self {
        Self { score: 0, because: Vec::new() }
    }

    fn same(&mut self, what: &'static str, weight: i32) {
        self.score += weight;
        self.because.push(what);
    }

    fn verdict(&self) -> Option<(Confidence, String)> {
        Confidence::of(self.score).map(|sure| (sure, self.because.join(", ")))
    }
}

/// A card or a TLS key that more addresses than this have belongs to a router, or to a farm that shares it.
const SHARED_BY: usize = 8;

fn weigh(one: &Finding, other: &Finding, is_shared: &dyn Fn(&str) -> bool) -> Scale {
    let mut scale = Scale::new();
    if let (Some(a), Some(b)) = (&one.ssh_key, &other.ssh_key) {
        if a == b { scale.same("same SSH host key", 60) } else { scale.score -= 100 }
    }
    if let (Some(a), Some(b)) = (one.mac, other.mac) {
        if a != b {
            scale.score -= 20;
        } else if a.is_identity() && !is_shared(&a.to_string()) {
            scale.same("same network card", 50);
        }
    }
    if let (Some(a), Some(b)) = (one.tls_key(), other.tls_key())
        && a == b
        && !is_shared(a)
    {
        scale.same("same TLS key", 30);
    }
    if one.names.iter().any(|name| other.names.contains(name)) {
        scale.same("same name", 30);
    }
    let differs = one.services.iter().any(|a| {
        let same_port = |b: &&super::finding::Service| (b.port, b.transport) == (a.port, a.transport);
        let twin = other.services.iter().find(same_port);
        twin.is_some_and(|b| a.is_sure && b.is_sure && (&a.name, &a.product) != (&b.name, &b.product))
    });
    if differs {
        scale.score -= 60;
    }
    scale
}

/// Puts together what is one machine. Findings that share no evidence are never compared.
pub fn machines(findings: Vec<Finding>) -> Vec<Machine> {
    let mut by_evidence: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let card = finding.mac.filter(|mac| mac.is_identity()).map(|mac| mac.to_string());
        let tls = finding.tls_key().map(str::to_owned);
        let all =
            finding.ssh_key.clone().into_iter().chain(card).chain(tls).chain(finding.names.iter().cloned());
        for evidence in all {
            by_evidence.entry(evidence).or_default().push(at);
        }
    }
    let is_shared = |evidence: &str| by_evidence.get(evidence).is_some_and(|users| users.len() > SHARED_BY);
    let mut group: Vec<usize> = (0..findings.len()).collect();
    let mut because: HashMap<usize, (Confidence, String)> = HashMap::new();
    for users in by_evidence.values().filter(|users| (2..=256).contains(&users.len())) {
        for (at, first) in users.iter().enumerate() {
            for second in users.iter().skip(at + 1) {
                let (Some(one), Some(other)) = (findings.get(*first), findings.get(*second)) else {
                    continue;
                };
                if let Some(verdict) = weigh(one, other, &is_shared).verdict() {
                    join(&mut group, *first, *second);
                    because.insert(*first, verdict);
                }
            }
        }
    }
    gathered(findings, &group, &because)
}

fn root(group: &[usize], mut at: usize) -> usize {
    while let Some(up) = group.get(at).filter(|up| **up != at) {
        at = *up;
    }
    at
}

fn join(group: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(group, one), root(group, other));
    if let Some(slot) = group.get_mut(one.max(other)) {
        *slot = one.min(other);
    }
}

fn gathered(
    findings: Vec<Finding>,
    group: &[usize],
    because: &HashMap<usize, (Confidence, String)>,
) -> Vec<Machine> {
    let mut machines: Vec<(usize, Machine)> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for (at, finding) in findings.into_iter().enumerate() {
        let root = root(group, at);
        let slot = *place.entry(root).or_insert_with(|| {
            machines.push((root, Machine { findings: Vec::new(), because: None }));
            machines.len() - 1
        });
        let Some((_, machine)) = machines.get_mut(slot) else { continue };
        machine.findings.push(finding);
        // The weakest link tells how sure the whole is.
        if let Some(link) = because.get(&at)
            && machine.because.as_ref().is_none_or(|known| link.0 < known.0)
        {
            machine.because = Some(link.clone());
        }
    }
    let mut machines: Vec<Machine> = machines.into_iter().map(|(_, machine)| machine).collect();
    for machine in &mut machines {
        // Most services first; of equals IPv4, and then the lowest address.
        machine.findings.sort_by_key(|finding| {
            (std::cmp::Reverse(finding.services.len()), finding.address.is_ipv6(), finding.address)
        });
    }
    machines
}

/// A host of the configuration, as far as it can be recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub name: String,
    /// Stands on a page of discovery; else a person wrote it.
    pub is_ours: bool,
    /// Of its address and its aliases, names resolved.
    pub addresses: Vec<IpAddr>,
    /// Its name, and whatever of address and aliases is a name.
    pub names: Vec<String>,
    pub ssh_key: Option<String>,
    pub tls_key: Option<String>,
    pub mac: Option<Mac>,
}

/// The known host that a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Place in the list of known hosts.
    pub at: usize,
    pub confidence: Confidence,
    pub because: String,
    /// None of its addresses is one that was known.
    pub is_moved: bool,
}

/// Finds a machine among the known hosts. An address that is known decides: nobody watches one address twice.
pub fn recognise(machine: &Machine, known: &[Known]) -> Option<Match> {
    let by_address =
        known.iter().position(|host| machine.addresses().any(|address| host.addresses.contains(&address)));
    if let Some(at) = by_address {
        return Some(Match {
            at,
            confidence: Confidence::High,
            because: "same address".to_owned(),
            is_moved: false,
        });
    }
    let weighed = known.iter().enumerate().filter_map(|(at, host)| {
        let scale = weigh_known(machine, host);
        let (confidence, because) = scale.verdict()?;
        Some((scale.score, Match { at, confidence, because, is_moved: true }))
    });
    weighed.max_by_key(|(score, _)| *score).map(|(_, found)| found)
}

fn weigh_known(machine: &Machine, host: &Known) -> Scale {
    let mut scale = Scale::new();
    let ssh = machine.findings.iter().find_map(|finding| finding.ssh_key.as_ref());
    if let (Some(a), Some(b)) = (ssh, &host.ssh_key) {
        if a == b { scale.same("same SSH host key", 60) } else { scale.score -= 100 }
    }
    let card = machine.findings.iter().find_map(|finding| finding.mac);
    if let (Some(a), Some(b)) = (card, host.mac) {
        if a != b {
            scale.score -= 20;
        } else if a.is_identity() {
            scale.same("same network card", 50);
        }
    }
    let tls = machine.findings.iter().find_map(Finding::tls_key);
    if tls.is_some() && tls == host.tls_key.as_deref() {
        scale.same("same TLS key", 30);
    }
    let mut names = machine.findings.iter().flat_map(|finding| &finding.names);
    if names.any(|name| host.names.iter().any(|known| is_name_of(known, name))) {
        // A name that a person wrote for a host is that host, whatever address it has today.
        scale.same("same name", if host.is_ours { 30 } else { 50 });
    }
    scale
}

/// `web1` is the name of `web1.example.test`, and so is the whole; `WEB1` too.
fn is_name_of(known: &str, full: &str) -> bool {
    let label = full.split('.').next().unwrap_or_default();
    known.eq_ignore_ascii_case(full) || known.eq_ignore_ascii_case(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::finding::{Service, Sign, Transport};

    fn finding(last: u8, key: Option<&str>, mac: Option<&str>, name: Option<&str>) -> Finding {
        Finding {
            ssh_key: key.map(str::to_owned),
            mac: mac.map(|mac| mac.parse().unwrap()),
            names: name.map(str::to_owned).into_iter().collect(),
            ..Finding::new(IpAddr::from([192, 0, 2, last]), Sign::Echo { ttl: None })
        }
    }

    const CARD: &str = "00:1e:c9:00:00:01";
    const OTHER: &str = "00:1e:c9:00:00:02";

    fn groups(findings: Vec<Finding>) -> Vec<Vec<u8>> {
        let last = |address: IpAddr| match address {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        };
        machines(findings).iter().map(|machine| machine.addresses().map(last).collect()).collect()
    }

    #[test]
    fn several_addresses_of_one_machine_are_one_machine() {
        let all = vec![
            finding(1, Some("k"), Some(CARD), None),
            finding(2, Some("k"), Some(CARD), None),
            finding(3, None, Some(CARD), None),
            finding(4, Some("other"), Some(OTHER), None),
        ];
        assert_eq!(groups(all.clone()), [vec![1, 2, 3], vec![4]]);
        let because = machines(all)[0].because.clone().unwrap();
        assert_eq!(because.0, Confidence::Medium, "the weakest link counts");
    }

    #[test]
    fn a_clone_is_another_machine() {
        let clones = vec![finding(1, Some("k"), Some(CARD), None), finding(2, Some("k"), Some(OTHER), None)];
        assert_eq!(groups(clones), [[1], [2]]);
        let router = vec![
            finding(1, Some("k"), Some(CARD), Some("gw")),
            finding(2, Some("k"), Some(OTHER), Some("gw")),
        ];
        assert_eq!(groups(router), [[1, 2]], "two cards, one key and one name");
        let keys = vec![finding(1, Some("a"), Some(CARD), None), finding(2, Some("b"), Some(CARD), None)];
        assert_eq!(groups(keys), [[1], [2]], "two keys behind one card");
    }

    #[test]
    fn random_cards_and_routers_that_answer_for_many_are_no_evidence() {
        let random = "52:54:00:00:00:01";
        assert_eq!(
            groups(vec![finding(1, None, Some(random), None), finding(2, None, Some(random), None)]).len(),
            2
        );
        let proxied = (1..=12).map(|last| finding(last, None, Some(CARD), None)).collect();
        assert_eq!(groups(proxied).len(), 12);
    }

    #[test]
    fn different_software_behind_one_port_speaks_against() {
        let with = |last, product: &str| {
            let mut finding = finding(last, None, Some(CARD), None);
            let service = Service::new(80, Transport::Tcp, "http");
            finding.services.push(Service { is_sure: true, product: Some(product.to_owned()), ..service });
            finding
        };
        assert_eq!(groups(vec![with(1, "nginx"), with(2, "Apache")]).len(), 2);
        assert_eq!(groups(vec![with(1, "nginx"), with(2, "nginx")]).len(), 1);
    }

    #[test]
    fn a_known_host_is_recognised_by_address_key_or_name() {
        let known = [
            Known { name: "a".into(), addresses: vec![IpAddr::from([192, 0, 2, 1])], ..Known::default() },
            Known { name: "b".into(), is_ours: true, ssh_key: Some("k".into()), ..Known::default() },
            Known { name: "web1".into(), names: vec!["web1".into()], ..Known::default() },
        ];
        let who = |finding| {
            let found = recognise(&machines(vec![finding])[0], &known);
            found.map(|found| (found.at, found.is_moved))
        };
        assert_eq!(who(finding(1, Some("new key"), None, None)), Some((0, false)));
        assert_eq!(who(finding(9, Some("k"), None, None)), Some((1, true)));
        assert_eq!(who(finding(9, None, None, Some("web1.example.test"))), Some((2, true)));
        assert_eq!(who(finding(9, Some("x"), None, Some("web12.example.test"))), None);
    }
}
