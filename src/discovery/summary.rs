//! What a scan found, as data that outlives it: rows for people, and of each host the YAML that would be written.
//! The page of results, the API, the store and `vigia discover --output json` show the same.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::diff::{Diff, Line, Verdict};
use super::finding::Sweep;
use super::page::Block;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub engine: String,
    pub scan: String,
    pub timing: String,
    pub looked_at: usize,
    pub answered: usize,
    pub complete: bool,
    /// What this engine, with these rights, could not find out.
    pub unknown: Vec<String>,
    pub hosts: Vec<HostRow>,
    pub not_seen: Vec<String>,
    pub mirage: Vec<IpAddr>,
    pub broadcasts: Vec<IpAddr>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRow {
    /// `new`, `changed`, `same`, `by hand`, `ignored`.
    pub verdict: String,
    pub details: Vec<String>,
    pub host_name: String,
    pub address: String,
    pub addresses: Vec<IpAddr>,
    pub names: Vec<String>,
    pub mac: Option<String>,
    pub vendor: Option<String>,
    pub os: Option<OsRow>,
    pub sign: String,
    pub ssh_host_key: Option<String>,
    pub services: Vec<ServiceRow>,
    pub checks: Vec<CheckRow>,
    /// The host as it would stand on discovery's page.
    pub yaml: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRow {
    pub name: String,
    pub evidence: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    pub port: u16,
    pub transport: String,
    pub name: String,
    pub sure: bool,
    pub tls: bool,
    pub product: Option<String>,
    pub version: Option<String>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    pub name: String,
    pub check: String,
    /// What it said when it was tried and not OK.
    pub trouble: Option<String>,
}

impl Summary {
    /// `block`: how a host of it is written.
    pub fn of(sweep: &Sweep, diff: &Diff, block: &dyn Fn(&Line) -> Block) -> Self {
        Self {
            engine: sweep.plan.engine.name().to_owned(),
            scan: sweep.plan.depth.to_string(),
            timing: sweep.plan.timing.name().to_owned(),
            looked_at: sweep.looked_at,
            answered: sweep.findings.len(),
            complete: sweep.is_complete,
            unknown: sweep.unknown.clone(),
            hosts: diff.lines.iter().map(|line| HostRow::of(line, &block(line))).collect(),
            not_seen: diff.not_seen.clone(),
            mirage: diff.mirage.clone(),
            broadcasts: diff.broadcasts.clone(),
        }
    }

    pub fn count(&self, verdict: &str) -> usize {
        self.hosts.iter().filter(|host| host.verdict == verdict).count()
    }
}

impl HostRow {
    fn of(line: &Line, block: &Block) -> Self {
        let main = line.machine.main();
        let services = main.services.iter().map(|service| ServiceRow {
            port: service.port,
            transport: service.transport.name().to_owned(),
            name: service.name.clone(),
            sure: service.is_sure,
            tls: service.is_tls,
            product: service.product.clone(),
            version: service.version.clone(),
            note: service.note.clone(),
        });
        let checks = line.proposal.services.iter().map(|service| CheckRow {
            name: service.name.clone(),
            check: service.check().yaml(),
            trouble: service.trouble.clone(),
        });
        Self {
            verdict: line.verdict.word().to_owned(),
            details: details(line),
            host_name: line.proposal.name.clone(),
            address: line.proposal.address.clone(),
            addresses: line.machine.addresses().collect(),
            names: main.names.clone(),
            mac: main.mac.map(|mac| mac.to_string()),
            vendor: main.vendor.clone(),
            os: main.os.as_ref().map(|os| OsRow { name: os.name.clone(), evidence: os.evidence.clone() }),
            sign: main.sign.to_string(),
            ssh_host_key: main.ssh_key.clone(),
            services: services.collect(),
            checks: checks.collect(),
            yaml: block.yaml(&line.proposal.name),
        }
    }

    /// New and changed hosts: what is ticked unless somebody says otherwise.
    pub fn is_offered(&self) -> bool {
        matches!(self.verdict.as_str(), "new" | "changed")
    }

    /// The host as it would stand on discovery's page. `None`: that is not what we wrote.
    pub fn block(&self) -> Option<Block> {
        let page = super::page::Page::read(&format!("hosts:\n{}", self.yaml)).ok()?;
        page.hosts.into_values().next()
    }
}

/// What there is to say of a line beside its table row.
pub fn details(line: &Line) -> Vec<String> {
    let mut details = match &line.verdict {
        Verdict::Changed(changes) | Verdict::ByHand(changes) => changes.clone(),
        Verdict::New | Verdict::Same | Verdict::Ignored => Vec::new(),
    };
    if let Some((confidence, because)) = &line.machine.because {
        let addresses: Vec<String> = line.machine.addresses().map(|address| address.to_string()).collect();
        details.push(format!("{} {} one machine ({because})", addresses.join(" and "), confidence.word()));
    }
    details.extend(line.machine.main().notes.iter().cloned());
    for service in &line.proposal.services {
        let written = service.check().yaml();
        details.extend(
            service
                .trouble
                .iter()
                .map(|trouble| format!("{} at first {trouble}; written as {written}", service.name)),
        );
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::diff::{Background, compare};
    use crate::discovery::finding::{Finding, Service, Sign, Transport};

    #[test]
    fn a_summary_that_was_kept_is_the_same_again_and_still_holds_the_host() {
        let ssh = Service { is_sure: true, ..Service::new(22, Transport::Tcp, "ssh") };
        let finding = Finding {
            services: vec![ssh],
            names: vec!["web1.example.test".into()],
            is_complete: true,
            ..Finding::new("192.0.2.7".parse().unwrap(), Sign::Echo { ttl: None })
        };
        let sweep = Sweep { findings: vec![finding], looked_at: 1, is_complete: true, ..Sweep::default() };
        let diff = compare(&sweep, &Background::default());
        let summary = Summary::of(&sweep, &diff, &|line| Block::of(&line.proposal));
        let kept = serde_json::to_string(&summary).unwrap();
        let again: Summary = serde_json::from_str(&kept).unwrap();
        assert_eq!(again, summary);
        let [host] = again.hosts.as_slice() else { panic!("{again:?}") };
        assert!(host.is_offered());
        assert_eq!(host.block().unwrap(), Block::of(&diff.lines[0].proposal));
        assert_eq!(again.count("new"), 1);
    }
}
