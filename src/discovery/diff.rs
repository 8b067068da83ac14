//! What a scan found against what is known: new, changed, same, not seen. Pure.
//!
//! Hosts that a person wrote are recognised and only ever reported; hosts of discovery's own page are updated.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use super::finding::Sweep;
use super::identity::{Known, Machine, machines, recognise};
use super::mirage;
use super::page::{Block, Page};
use super::propose::{Proposal, Wish, propose, propose_as};

/// What became of one machine, or of one known host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody watches it.
    New,
    /// On discovery's page, and something is different: what.
    Changed(Vec<String>),
    /// On discovery's page, as it was.
    Same,
    /// A person wrote it. What was found beside what they watch.
    ByHand(Vec<String>),
    /// A person said that it is of no interest.
    Ignored,
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed(_) => "changed",
            Self::Same => "same",
            Self::ByHand(_) => "by hand",
            Self::Ignored => "ignored",
        }
    }
}

/// One machine with the host that is proposed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub machine: Machine,
    /// Under the known host's name, where it is one.
    pub proposal: Proposal,
    pub verdict: Verdict,
}

/// The comparison of a whole scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// In order of name.
    pub lines: Vec<Line>,
    /// Hosts of the page that were looked for and not found. Missing is not gone: they stay.
    pub not_seen: Vec<String>,
    /// Addresses for which something in between answers; nobody is proposed for them.
    pub mirage: Vec<IpAddr>,
    /// Ends of networks that answer as broadcasts.
    pub broadcasts: Vec<IpAddr>,
}

/// What there is to compare with.
#[derive(Clone, Debug, Default)]
pub struct Background<'a> {
    pub known: &'a [Known],
    pub ignored: &'a [Known],
    pub wish: Wish,
}

/// Compares. The proposals of new machines carry untried checks.
pub fn compare(sweep: &Sweep, background: &Background<'_>) -> Diff {
    let mut diff = Diff::default();
    let hollow: HashSet<IpAddr> = mirage::of_network(&sweep.findings, sweep.looked_at).into_iter().collect();
    diff.mirage = sweep.findings.iter().map(|one| one.address).filter(|one| hollow.contains(one)).collect();
    let is_broadcast = |finding: &&super::finding::Finding| mirage::is_broadcast(finding);
    diff.broadcasts = sweep.findings.iter().filter(is_broadcast).map(|one| one.address).collect();
    let real =
        sweep.findings.iter().filter(|one| !hollow.contains(&one.address) && !mirage::is_broadcast(one));
    let mut taken: BTreeSet<String> =
        background.known.iter().map(|known| known.name.to_ascii_lowercase()).collect();
    for machine in machines(real.cloned().collect()) {
        let line = line(machine, background, &taken);
        taken.insert(line.proposal.name.to_ascii_lowercase());
        diff.lines.push(line);
    }
    diff.lines.sort_by(|a, b| a.proposal.name.cmp(&b.proposal.name));
    diff
}

fn line(machine: Machine, background: &Background<'_>, taken: &BTreeSet<String>) -> Line {
    let found = recognise(&machine, background.known);
    let known = found.as_ref().and_then(|found| background.known.get(found.at));
    let (Some(found), Some(known)) = (&found, known) else {
        let is_ignored = recognise(&machine, background.ignored).is_some();
        let verdict = if is_ignored { Verdict::Ignored } else { Verdict::New };
        return Line { proposal: propose(&machine, &background.wish, taken), machine, verdict };
    };
    let mut proposal = propose_as(known.name.clone(), &machine, &background.wish);
    keep_address(&mut proposal, known);
    let mut changes = Vec::new();
    if found.is_moved {
        let from = known.addresses.first().map(|from| format!("{from} → ")).unwrap_or_default();
        let (sure, because) = (found.confidence.word(), &found.because);
        changes.push(format!("address {from}{} ({sure} the same machine: {because})", proposal.address));
    }
    changes.extend(key_changes(&machine, known));
    let verdict = match (known.is_ours, changes.is_empty()) {
        (false, _) => Verdict::ByHand(changes),
        (true, false) => Verdict::Changed(changes),
        (true, true) => Verdict::Same,
    };
    Line { machine, proposal, verdict }
}

/// Of several addresses a known host keeps the one it is watched by.
fn keep_address(proposal: &mut Proposal, known: &Known) {
    let has = |address: &String| address.parse().is_ok_and(|ip: IpAddr| known.addresses.contains(&ip));
    if has(&proposal.address) {
        return;
    }
    if let Some(watched) = proposal.aliases.iter_mut().find(|alias| has(alias)) {
        std::mem::swap(&mut proposal.address, watched);
    }
}

fn key_changes(machine: &Machine, known: &Known) -> Vec<String> {
    let mut changes = Vec::new();
    let ssh = machine.findings.iter().find_map(|finding| finding.ssh_key.as_deref());
    if let (Some(new), Some(old)) = (ssh, &known.ssh_key)
        && new != old
    {
        changes.push(format!("SSH host key {old} → {new}"));
    }
    if let (Some(new), Some(old)) = (machine.main().mac, known.mac)
        && new != old
        && old.is_identity()
    {
        changes.push(format!("network card {old} → {new}"));
    }
    changes
}

impl Diff {
    /// What the page says of the hosts that were found again: services that are new, evidence that differs.
    pub fn look_at_page(&mut self, page: &Page, sweep: &Sweep, targets: &dyn Fn(IpAddr) -> bool) {
        for line in &mut self.lines {
            let Some(block) = page.hosts.get(&line.proposal.name) else { continue };
            if let Verdict::Same | Verdict::Changed(_) = line.verdict {
                let more = service_changes(block, &line.proposal);
                match &mut line.verdict {
                    Verdict::Changed(changes) => changes.extend(more),
                    verdict if !more.is_empty() => *verdict = Verdict::Changed(more),
                    _ => {}
                }
            }
        }
        if !sweep.is_complete {
            return;
        }
        let seen: HashSet<&str> = self.lines.iter().map(|line| line.proposal.name.as_str()).collect();
        let looked_for = |block: &Block| {
            block.key("address").and_then(|ip| ip.trim_matches('"').parse().ok()).is_some_and(targets)
        };
        let missing =
            page.hosts.iter().filter(|(name, block)| !seen.contains(name.as_str()) && looked_for(block));
        self.not_seen = missing.map(|(name, _)| name.clone()).collect();
    }

    /// New hosts and changed ones: what a person ticks.
    pub fn to_write(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| matches!(line.verdict, Verdict::New | Verdict::Changed(_)))
    }

    /// How many there are of each kind, in the order of the words.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for line in &self.lines {
            *counts.entry(line.verdict.word()).or_default() += 1;
        }
        counts
    }
}

fn service_changes(block: &Block, proposal: &Proposal) -> Vec<String> {
    let mut changes = Vec::new();
    for service in &proposal.services {
        match block.services.get(&service.name) {
            None => changes.push(format!("new service {}", service.name)),
            Some((_, was)) => {
                // What a first answer said of trouble is no part of what was seen.
                let was = was.split("; at first ").next().unwrap_or_default();
                if !was.is_empty() && was != service.evidence {
                    changes.push(format!("{}: {was} → {}", service.name, service.evidence));
                }
            }
        }
    }
    let gone = block.services.keys().filter(|name| !proposal.services.iter().any(|one| one.name == **name));
    changes.extend(gone.map(|name| format!("{name} does not answer")));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::finding::{Finding, Service, Sign, Transport};

    fn finding(last: u8, version: &str) -> Finding {
        let ssh = Service::new(22, Transport::Tcp, "ssh");
        let ssh =
            Service { is_sure: true, product: Some("OpenSSH".into()), version: Some(version.into()), ..ssh };
        Finding {
            services: vec![ssh],
            is_complete: true,
            ..Finding::new(IpAddr::from([192, 0, 2, last]), Sign::Echo { ttl: None })
        }
    }

    fn sweep(findings: Vec<Finding>) -> Sweep {
        Sweep { findings, looked_at: 256, is_complete: true, ..Sweep::default() }
    }

    fn known(name: &str, last: u8, is_ours: bool) -> Known {
        Known {
            name: name.into(),
            is_ours,
            addresses: vec![IpAddr::from([192, 0, 2, last])],
            ..Known::default()
        }
    }

    fn verdicts(diff: &Diff) -> Vec<(String, Verdict)> {
        diff.lines.iter().map(|line| (line.proposal.name.clone(), line.verdict.clone())).collect()
    }

    #[test]
    fn each_machine_is_new_changed_same_by_hand_or_ignored() {
        let found = sweep(vec![
            finding(1, "9.2"),
            finding(2, "9.2"),
            finding(3, "9.3"),
            finding(4, "9.2"),
            finding(5, "9.2"),
        ]);
        let all = [
            known("mine", 1, false),
            known("same", 2, true),
            known("other", 3, true),
            known("gone", 9, true),
        ];
        let ignored = [known("printer", 4, true)];
        let background = Background { known: &all, ignored: &ignored, wish: Wish::default() };
        let mut diff = compare(&found, &background);
        let before =
            compare(&sweep(vec![finding(2, "9.2"), finding(3, "9.2"), finding(9, "9.2")]), &background);
        let hosts = before.lines.iter().map(|line| (line.proposal.name.clone(), Block::of(&line.proposal)));
        diff.look_at_page(&Page { hosts: hosts.collect(), ..Page::default() }, &found, &|_| true);
        let changed = "SSH: 22/tcp ssh OpenSSH 9.2 → 22/tcp ssh OpenSSH 9.3".to_owned();
        assert_eq!(
            verdicts(&diff),
            [
                ("192.0.2.4".to_owned(), Verdict::Ignored),
                ("192.0.2.5".to_owned(), Verdict::New),
                ("mine".to_owned(), Verdict::ByHand(Vec::new())),
                ("other".to_owned(), Verdict::Changed(vec![changed])),
                ("same".to_owned(), Verdict::Same),
            ]
        );
        assert_eq!(diff.not_seen, ["gone"]);
        assert_eq!(diff.to_write().count(), 2);
    }

    #[test]
    fn a_host_that_is_known_is_proposed_as_it_was() {
        let named = Finding { names: vec!["web1.example.test".into()], ..finding(1, "9.2") };
        let first = compare(&sweep(vec![named.clone()]), &Background::default()).lines.remove(0).proposal;
        assert_eq!(
            (first.name.as_str(), first.aliases.as_slice()),
            ("web1", &["web1.example.test".to_owned()][..])
        );
        let host = [known("web1", 1, true)];
        let again = compare(&sweep(vec![named]), &Background { known: &host, ..Background::default() });
        assert_eq!(again.lines[0].proposal, first);
    }

    #[test]
    fn an_unfinished_scan_concludes_nothing_from_silence() {
        let found = Sweep { is_complete: false, ..sweep(Vec::new()) };
        let mut diff = compare(&found, &Background::default());
        let block =
            Block::of(&compare(&sweep(vec![finding(1, "9")]), &Background::default()).lines[0].proposal);
        diff.look_at_page(
            &Page { hosts: [("a".to_owned(), block)].into(), ..Page::default() },
            &found,
            &|_| true,
        );
        assert!(diff.not_seen.is_empty());
    }

    #[test]
    fn a_machine_that_moved_keeps_its_name_and_says_so() {
        let moved = Finding { ssh_key: Some("k".into()), ..finding(7, "9.2") };
        let host = Known { ssh_key: Some("k".into()), ..known("laptop", 1, true) };
        let diff = compare(&sweep(vec![moved]), &Background { known: &[host], ..Background::default() });
        let said = "address 192.0.2.1 → 192.0.2.7 (probably the same machine: same SSH host key)".to_owned();
        assert_eq!(verdicts(&diff), [("laptop".to_owned(), Verdict::Changed(vec![said]))]);
    }
}
