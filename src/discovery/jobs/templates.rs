//! Which templates a host gets by what was found: those of the job, and of each rule that holds. Pure.

use vigia_core::model::id::Name;
use vigia_core::model::scan::{ScanJob, ScanRule};

use crate::discovery::diff::Line;
use crate::discovery::finding::Service;
use crate::discovery::page::Block;
use crate::discovery::suggestion::list;
use crate::discovery::targets;

/// The host as this job writes it.
pub(super) fn block(job: Option<&ScanJob>, line: &Line) -> Block {
    let mut block = Block::of(&line.proposal);
    let templates: Vec<String> = job.map(|job| templates(job, line)).unwrap_or_default();
    if !templates.is_empty() {
        block.set("use", list(&templates));
    }
    block
}

/// In the order of the job, then of the rules' names, each once: the first beats the others.
fn templates(job: &ScanJob, line: &Line) -> Vec<String> {
    let of_rules = job.rules.iter().filter(|rule| holds(rule, line)).flat_map(|rule| rule.templates.iter());
    let mut all: Vec<String> = Vec::new();
    for name in job.templates.iter().chain(of_rules).map(Name::to_string) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn holds(rule: &ScanRule, line: &Line) -> bool {
    let services = || line.machine.findings.iter().flat_map(|finding| finding.services.iter());
    let main = line.machine.main();
    let fits = |service: &Service| {
        rule.port.is_none_or(|port| service.port == port)
            && rule.service.as_ref().is_none_or(|name| service.name.eq_ignore_ascii_case(name))
            && rule.product.as_ref().is_none_or(|product| has(service.product.as_deref(), product))
    };
    let is_about_services = rule.port.is_some() || rule.service.is_some() || rule.product.is_some();
    let os = main.os.as_ref().map(|os| os.name.as_str());
    (!is_about_services || services().any(fits))
        && rule.os.as_ref().is_none_or(|wanted| has(os, wanted))
        && rule.vendor.as_ref().is_none_or(|wanted| has(main.vendor.as_deref(), wanted))
        && rule
            .address
            .as_ref()
            .is_none_or(|range| line.machine.addresses().any(|address| targets::covers(range, address)))
}

/// Says it somewhere, in whatever case.
fn has(text: Option<&str>, wanted: &str) -> bool {
    text.is_some_and(|text| text.to_lowercase().contains(&wanted.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::diff::{Background, compare};
    use crate::discovery::finding::{Finding, OsGuess, Sign, Sweep, Transport};

    fn line() -> Line {
        let web = Service {
            is_sure: true,
            product: Some("nginx".into()),
            ..Service::new(443, Transport::Tcp, "https")
        };
        let finding = Finding {
            services: vec![web, Service::new(22, Transport::Tcp, "ssh")],
            vendor: Some("Dell Inc.".into()),
            os: Some(OsGuess { name: "Debian GNU/Linux 12".into(), evidence: "ssh".into() }),
            ..Finding::new("192.0.2.7".parse().unwrap(), Sign::Echo { ttl: None })
        };
        let sweep = Sweep { findings: vec![finding], looked_at: 1, ..Sweep::default() };
        compare(&sweep, &Background::default()).lines.remove(0)
    }

    fn rule(name: &str) -> ScanRule {
        ScanRule { name: name.into(), templates: vec![name.into()], ..ScanRule::default() }
    }

    #[test]
    fn all_that_a_rule_says_must_hold_of_one_service_and_of_the_host() {
        let line = line();
        let yes = [
            ScanRule { port: Some(443), product: Some("NGINX".into()), ..rule("a") },
            ScanRule { service: Some("SSH".into()), ..rule("b") },
            ScanRule { os: Some("debian".into()), vendor: Some("dell".into()), ..rule("c") },
            ScanRule { address: Some("192.0.2.0/29 192.0.2.40-50".into()), ..rule("d") },
            rule("e"),
        ];
        assert!(yes.iter().all(|rule| holds(rule, &line)));
        let no = [
            ScanRule { port: Some(22), product: Some("nginx".into()), ..rule("a") },
            ScanRule { service: Some("ftp".into()), ..rule("b") },
            ScanRule { os: Some("windows".into()), ..rule("c") },
            ScanRule { address: Some("192.0.2.8-20".into()), ..rule("d") },
        ];
        assert!(no.iter().all(|rule| !holds(rule, &line)));
    }

    #[test]
    fn templates_stand_in_order_and_once() {
        let job = ScanJob {
            templates: vec!["base".into(), "web".into()],
            rules: vec![ScanRule {
                port: Some(443),
                templates: vec!["web".into(), "tls".into()],
                ..rule("x")
            }],
            ..super::super::owner::tests::job("lan")
        };
        assert_eq!(block(Some(&job), &line()).key("use"), Some("[base, web, tls]"));
        assert_eq!(block(None, &line()).key("use"), None);
    }
}
