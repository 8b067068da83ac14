//! A scan's findings as JSON: what `vigia discover` hands to the daemon that runs beside it.

use std::net::IpAddr;

use serde_json::{Value, json};
use vigia_core::model::asset::Transport;
use vigia_core::model::time::Timestamp;

use super::Looked;
use crate::discovery::finding::{Finding, OsGuess, Service, Sign, Sweep, Tls};
use crate::discovery::plan::{Depth, Engine, Plan};

/// A scan as several reports of at most so many targets: each is small enough to be taken at once.
pub fn parts(looked: Looked, most: usize) -> Vec<Looked> {
    if looked.targets.len() <= most {
        return vec![looked];
    }
    let Looked { targets, sweep, stale_after } = looked;
    let part = |targets: &[IpAddr]| {
        let mut part = Sweep { findings: Vec::new(), looked_at: targets.len(), ..sweep.clone() };
        let is_here = |one: &&Finding| targets.binary_search(&one.address).is_ok();
        part.findings = sweep.findings.iter().filter(is_here).cloned().collect();
        Looked { targets: targets.to_vec(), sweep: part, stale_after }
    };
    targets.chunks(most.max(1)).map(part).collect()
}

pub fn to_json(looked: &Looked) -> Value {
    let sweep = &looked.sweep;
    json!({
        "targets": looked.targets,
        "stale_after": looked.stale_after,
        "scan": sweep.plan.depth.to_string(),
        "engine": sweep.plan.engine.name(),
        "looked_at": sweep.looked_at,
        "complete": sweep.is_complete,
        "findings": sweep.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "address": finding.address,
        "sign": sign(finding.sign),
        "mac": finding.mac.map(|mac| mac.to_string()),
        "vendor": finding.vendor,
        "names": finding.names,
        "os": finding.os.as_ref().map(|os| json!({ "name": os.name, "evidence": os.evidence })),
        "ssh_key": finding.ssh_key,
        "notes": finding.notes,
        "complete": finding.is_complete,
        "services": finding.services.iter().map(service).collect::<Vec<_>>(),
    })
}

fn sign(sign: Sign) -> String {
    match sign {
        Sign::Echo { .. } => "echo".to_owned(),
        Sign::Accepted(port) => format!("accepted {port}"),
        Sign::Refused(port) => format!("refused {port}"),
        Sign::Neighbour => "neighbour".to_owned(),
        Sign::Told => "told".to_owned(),
    }
}

fn service(service: &Service) -> Value {
    let tls = service.first.tls.as_ref();
    json!({
        "port": service.port,
        "transport": service.transport.name(),
        "name": service.name,
        "sure": service.is_sure,
        "tls": service.is_tls,
        "product": service.product,
        "version": service.version,
        "note": service.note,
        "tls_key": tls.map(|tls| tls.key.as_str()),
        "tls_until": tls.and_then(|tls| tls.until).map(Timestamp::as_second),
    })
}

/// Reads what [`to_json`] wrote. A stranger may have: every text is bounded.
///
/// # Errors
/// The field that is not as it must be.
pub fn from_json(value: &Value) -> Result<Looked, String> {
    let list = |name: &str| value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut targets: Vec<IpAddr> = list("targets").iter().map(address).collect::<Result<_, _>>()?;
    targets.sort_unstable();
    targets.dedup();
    let depth = Depth::parse(value.get("scan").and_then(Value::as_str).unwrap_or("fast"))?;
    let engine = match value.get("engine").and_then(Value::as_str) {
        Some("builtin") => Engine::BuiltIn,
        Some("nmap") => Engine::Nmap,
        Some(_) | None => Engine::Import,
    };
    let mut findings: Vec<Finding> = list("findings").iter().map(read_finding).collect::<Result<_, _>>()?;
    findings.sort_by_key(|finding| finding.address);
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    Ok(Looked {
        targets,
        stale_after: number("stale_after").and_then(|scans| u32::try_from(scans).ok()).unwrap_or(3),
        sweep: Sweep {
            plan: Plan { depth, engine, ..Plan::default() },
            looked_at: number("looked_at")
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(findings.len()),
            is_complete: value.get("complete").and_then(Value::as_bool).unwrap_or(false),
            findings,
            unknown: Vec::new(),
        },
    })
}

fn address(value: &Value) -> Result<IpAddr, String> {
    let text = value.as_str().unwrap_or_default();
    text.parse().map_err(|_error| format!("`{value}` is not an address"))
}

/// Longer texts than this are nobody's name or version.
const TEXT_MAX: usize = 400;

fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name).and_then(Value::as_str)?;
    let clean: String = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    (!clean.is_empty()).then_some(clean)
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let all = value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    all.iter().filter_map(Value::as_str).take(100).map(clean).collect()
}

fn read_finding(value: &Value) -> Result<Finding, String> {
    let said = value.get("sign").and_then(Value::as_str).unwrap_or_default();
    let (word, port) = said.split_once(' ').unwrap_or((said, ""));
    let sign = match (word, port.parse::<u16>()) {
        ("echo", _) => Sign::Echo { ttl: None },
        ("accepted", Ok(port)) => Sign::Accepted(port),
        ("refused", Ok(port)) => Sign::Refused(port),
        ("neighbour", _) => Sign::Neighbour,
        _ => Sign::Told,
    };
    let services = value.get("services").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let os = value.get("os").and_then(|os| {
        Some(OsGuess { name: text(os, "name")?, evidence: text(os, "evidence").unwrap_or_default() })
    });
    let mac = text(value, "mac").map(|mac| mac.parse().map_err(|()| format!("`{mac}` is no network card")));
    Ok(Finding {
        mac: mac.transpose()?,
        vendor: text(value, "vendor"),
        names: texts(value, "names"),
        os,
        services: services.iter().map(read_service).collect::<Result<_, _>>()?,
        ssh_key: text(value, "ssh_key"),
        notes: texts(value, "notes"),
        is_complete: value.get("complete").and_then(Value::as_bool).unwrap_or(false),
        ..Finding::new(address(value.get("address").unwrap_or(&Value::Null))?, sign)
    })
}

fn read_service(value: &Value) -> Result<Service, String> {
    let port = value.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let port = port.filter(|port| *port > 0).ok_or("a service needs a `port` from 1 to 65535")?;
    let transport = value.get("transport").and_then(Value::as_str).unwrap_or("tcp");
    let transport =
        Transport::from_name(transport).ok_or_else(|| format!("`{transport}` is neither tcp nor udp"))?;
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    let mut service = Service::new(port, transport, &text(value, "name").unwrap_or_default());
    (service.is_sure, service.is_tls) = (flag("sure"), flag("tls"));
    (service.product, service.version) = (text(value, "product"), text(value, "version"));
    service.note = text(value, "note");
    service.first.tls = text(value, "tls_key").map(|key| {
        let until = value.get("tls_until").and_then(Value::as_i64).map(Timestamp::from_second);
        Tls { key, until, ..Tls::default() }
    });
    Ok(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked() -> Looked {
        let mut ssh = Service::new(22, Transport::Tcp, "ssh");
        (ssh.is_sure, ssh.product, ssh.version) = (true, Some("OpenSSH".into()), Some("9.2".into()));
        let tls = Tls {
            key: "SHA256:t".into(),
            until: Some(Timestamp::from_second(1_900_000_000)),
            ..Tls::default()
        };
        let mut web = Service::new(443, Transport::Tcp, "https");
        (web.is_tls, web.first.tls) = (true, Some(tls));
        let finding = |last: u8| Finding {
            mac: "00:1e:c9:00:00:01".parse().ok(),
            vendor: Some("Dell".into()),
            names: vec!["web1.example.test".into()],
            os: Some(OsGuess { name: "Linux".into(), evidence: "banner".into() }),
            services: vec![ssh.clone(), web.clone()],
            ssh_key: Some("SHA256:k".into()),
            notes: vec!["slow".into()],
            is_complete: true,
            ..Finding::new(IpAddr::from([192, 0, 2, last]), Sign::Refused(80))
        };
        let plan = Plan { depth: Depth::Normal, ..Plan::default() };
        let findings = vec![finding(1), finding(9)];
        let sweep = Sweep { plan, findings, looked_at: 16, is_complete: true, unknown: Vec::new() };
        Looked {
            targets: (0..16).map(|last| IpAddr::from([192, 0, 2, last])).collect(),
            sweep,
            stale_after: 5,
        }
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let looked = looked();
        let read = from_json(&to_json(&looked)).unwrap();
        assert_eq!((read.targets, read.stale_after), (looked.targets, 5));
        assert_eq!(read.sweep, looked.sweep);
    }

    #[test]
    fn a_large_scan_goes_in_parts_that_tile_it() {
        let parts = parts(looked(), 8);
        let sizes: Vec<_> =
            parts.iter().map(|part| (part.targets.len(), part.sweep.findings.len())).collect();
        assert_eq!(sizes, [(8, 1), (8, 1)]);
        assert!(parts.iter().all(|part| part.sweep.is_complete));
    }

    #[test]
    fn what_is_no_report_is_refused_by_its_field() {
        assert!(from_json(&json!({})).unwrap().sweep.findings.is_empty());
        for (value, said) in [
            (json!({"targets": ["x"]}), "is not an address"),
            (json!({"scan": "quick"}), "`quick` is not a scan"),
            (json!({"findings": [{"address": "192.0.2.1", "services": [{"port": 0}]}]}), "`port` from 1"),
            (json!({"findings": [{"address": "192.0.2.1", "mac": "zz"}]}), "`zz` is no network card"),
        ] {
            let refused = from_json(&value).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
