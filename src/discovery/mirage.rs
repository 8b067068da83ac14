//! What is not there although it answers: a firewall that accepts for a whole network, a tarpit with every port open, the
//! two ends of a network that answer as broadcasts.

use std::net::IpAddr;

use super::finding::{Finding, Sign};
use super::targets::Targets;

/// Fewer ports say nothing.
const LEAST_PORTS: usize = 20;

/// Says so when far more ports accept than any machine has services.
pub(crate) fn facade(asked: usize, open: usize) -> Option<String> {
    (asked >= LEAST_PORTS && open * 5 > asked * 3)
        .then(|| format!("accepts on {open} of {asked} ports: {FACADE}"))
}

const FACADE: &str = "a firewall or a tarpit answers in its place, so none is listed";

/// That no service is listed says nothing of its services.
pub fn is_facade(finding: &Finding) -> bool {
    finding.notes.iter().any(|note| note.ends_with(FACADE))
}

/// Fewer addresses say nothing of a network.
const LEAST_HOSTS: usize = 16;

/// Addresses that are alive only because something in between answers for all of them: none answers ping or has a
/// network card or says a word, nearly all that were asked are "alive", and all show the same ports.
pub fn of_network(findings: &[Finding], looked_at: usize) -> Vec<IpAddr> {
    let is_hollow = |finding: &&Finding| {
        matches!(finding.sign, Sign::Accepted(_) | Sign::Refused(_))
            && finding.mac.is_none()
            && finding.names.is_empty()
            && finding.services.iter().all(|service| !service.is_sure)
    };
    let ports = |finding: &Finding| -> Vec<u16> { finding.services.iter().map(|one| one.port).collect() };
    let hollow: Vec<&Finding> = findings.iter().filter(is_hollow).collect();
    let Some(first) = hollow.first() else { return Vec::new() };
    let same = hollow.iter().filter(|one| ports(one) == ports(first) && one.notes == first.notes).count();
    let is_mirage =
        hollow.len() >= LEAST_HOSTS && same * 10 >= hollow.len() * 9 && same * 10 >= looked_at * 8;
    if is_mirage { hollow.iter().map(|finding| finding.address).collect() } else { Vec::new() }
}

/// The first and the last address of a network may be its broadcasts: kept, and said, where nothing but a ping answers.
pub(super) fn mark_edges(findings: &mut [Finding], targets: &Targets) {
    for finding in findings {
        let is_bare = finding.services.is_empty() && finding.mac.is_none();
        if targets.edges.contains(&finding.address) && is_bare && matches!(finding.sign, Sign::Echo { .. }) {
            finding.notes.push(BROADCAST.to_owned());
        }
    }
}

const BROADCAST: &str = "the end of a network that answers ping alone: probably its broadcast address";

/// Not offered: nobody is there.
pub fn is_broadcast(finding: &Finding) -> bool {
    finding.notes.iter().any(|note| note == BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::finding::{Service, Transport};

    fn hollow(last: u8) -> Finding {
        let mut finding = Finding::new(IpAddr::from([192, 0, 2, last]), Sign::Accepted(80));
        finding.services.push(Service::new(80, Transport::Tcp, "http"));
        finding
    }

    #[test]
    fn a_firewall_that_answers_for_a_whole_network_is_recognised() {
        let mut all: Vec<Finding> = (0..64).map(hollow).collect();
        assert_eq!(of_network(&all, 64).len(), 64);
        all[7].services[0].is_sure = true;
        assert_eq!(of_network(&all, 64).len(), 63, "who says a word is somebody");
        assert!(of_network(&all, 256).is_empty(), "most addresses were silent");
        assert!(of_network(&all[..10], 10).is_empty(), "ten machines may well be alike");
    }

    #[test]
    fn every_port_open_is_a_facade() {
        assert!(facade(37, 37).is_some() && facade(65_535, 60_000).is_some());
        assert!(facade(37, 14).is_none() && facade(5, 5).is_none());
    }

    #[test]
    fn ends_of_networks_that_only_echo_are_not_offered() {
        let mut findings =
            [1, 2].map(|last| Finding::new(IpAddr::from([192, 0, 2, last]), Sign::Echo { ttl: None }));
        let targets = Targets { addresses: Vec::new(), edges: [IpAddr::from([192, 0, 2, 1])].into() };
        mark_edges(&mut findings, &targets);
        assert_eq!(findings.each_ref().map(is_broadcast), [true, false]);
    }
}
