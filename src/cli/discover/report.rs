//! What a scan found, for people and for programs.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::table::{Style, Table, clean};
use crate::cli::{Console, Format};
use crate::discovery::diff::{Diff, Line, Verdict};
use crate::discovery::finding::Sweep;

/// The table of hosts, and what it cannot say.
pub(super) fn print(format: Format, console: &mut Console, sweep: &Sweep, diff: &Diff) -> io::Result<()> {
    if format == Format::Json {
        return writeln!(console.out, "{:#}", as_json(sweep, diff));
    }
    let plan = &sweep.plan;
    writeln!(
        console.out,
        "{} addresses looked at, {} answer (engine {}, scan {}, timing {}){}",
        sweep.looked_at,
        sweep.findings.len(),
        plan.engine.name(),
        plan.depth,
        plan.timing.name(),
        if sweep.is_complete { "" } else { "; not finished, so nothing is concluded from silence" }
    )?;
    if !diff.lines.is_empty() {
        let mut table = Table::new(&["", "HOST", "ADDRESS", "MAC", "OS", "SERVICES"]);
        for line in &diff.lines {
            let main = line.machine.main();
            let mac = main.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let vendor = main.vendor.as_ref().map(|vendor| format!(" ({vendor})")).unwrap_or_default();
            let os = main.os.as_ref().map_or("", |os| os.name.as_str());
            let services: Vec<&str> = line.proposal.services.iter().map(|one| one.name.as_str()).collect();
            table.row(vec![
                line.verdict.word().into(),
                line.proposal.name.as_str().into(),
                line.proposal.address.as_str().into(),
                format!("{mac}{vendor}").into(),
                os.into(),
                services.join(" ").into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
    }
    for line in &diff.lines {
        for detail in details(line) {
            writeln!(console.out, "{}: {}", line.proposal.name, clean(&detail))?;
        }
    }
    for name in &diff.not_seen {
        writeln!(console.out, "{name}: not seen; it stays, since missing is not gone")?;
    }
    if !diff.mirage.is_empty() {
        writeln!(
            console.out,
            "{} addresses answer all alike and say nothing: a firewall seems to answer for the network; none is proposed",
            diff.mirage.len()
        )?;
    }
    for address in &diff.broadcasts {
        writeln!(
            console.out,
            "{address}: answers ping alone at the end of its network (broadcast); not proposed"
        )?;
    }
    for unknown in &sweep.unknown {
        writeln!(console.out, "not known: {unknown}")?;
    }
    Ok(())
}

fn details(line: &Line) -> Vec<String> {
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

fn as_json(sweep: &Sweep, diff: &Diff) -> Value {
    let hosts: Vec<Value> = diff.lines.iter().map(host).collect();
    json!({
        "engine": sweep.plan.engine.name(),
        "scan": sweep.plan.depth.to_string(),
        "timing": sweep.plan.timing.name(),
        "looked_at": sweep.looked_at,
        "answered": sweep.findings.len(),
        "complete": sweep.is_complete,
        "unknown": sweep.unknown,
        "hosts": hosts,
        "not_seen": diff.not_seen,
        "mirage": diff.mirage,
        "broadcasts": diff.broadcasts,
    })
}

fn host(line: &Line) -> Value {
    let main = line.machine.main();
    let services = main.services.iter().map(|service| {
        json!({
            "port": service.port,
            "transport": service.transport.name(),
            "name": service.name,
            "sure": service.is_sure,
            "tls": service.is_tls,
            "product": service.product,
            "version": service.version,
            "note": service.note,
        })
    });
    let checks = line.proposal.services.iter().map(
        |service| json!({"name": service.name, "check": service.check().yaml(), "trouble": service.trouble}),
    );
    json!({
        "verdict": line.verdict.word(),
        "details": details(line),
        "host_name": line.proposal.name,
        "address": line.proposal.address,
        "addresses": line.machine.addresses().collect::<Vec<_>>(),
        "names": main.names,
        "mac": main.mac.map(|mac| mac.to_string()),
        "vendor": main.vendor,
        "os": main.os.as_ref().map(|os| json!({"name": os.name, "evidence": os.evidence})),
        "sign": main.sign.to_string(),
        "ssh_host_key": main.ssh_key,
        "services": services.collect::<Vec<_>>(),
        "checks": checks.collect::<Vec<_>>(),
    })
}

/// What to do next, where nothing was written.
pub(super) fn invite(format: Format, console: &mut Console, diff: &Diff) -> io::Result<()> {
    let count = diff.to_write().count();
    match (format, count) {
        (Format::Json, _) => Ok(()),
        (Format::Text, 0) => writeln!(console.out, "nothing is new or changed"),
        (Format::Text, count) => {
            writeln!(console.out, "nothing was written; the same with --write writes these {count}")
        }
    }
}

/// What was written, and where.
pub(super) fn written(
    format: Format,
    console: &mut Console,
    path: &Path,
    diff: &Diff,
    left_alone: &[String],
) -> io::Result<()> {
    for name in left_alone {
        writeln!(console.err, "vigia: {name} was reshaped by hand on the page and is left as it is")?;
    }
    if format == Format::Json {
        return Ok(());
    }
    let counts = diff.counts();
    let of = |word: &str| counts.get(word).copied().unwrap_or(0);
    writeln!(console.out, "wrote {}: {} new, {} changed", path.display(), of("new"), of("changed"))
}
