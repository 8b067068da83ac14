//! What a scan found, for people and for programs.

use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::table::{Style, Table, clean};
use crate::cli::{Console, Format};
use crate::discovery::diff::Diff;
use crate::discovery::finding::Sweep;
use crate::discovery::page::Block;
use crate::discovery::summary::{Summary, details};

/// The table of hosts, and what it cannot say.
pub(super) fn print(format: Format, console: &mut Console, sweep: &Sweep, diff: &Diff) -> io::Result<()> {
    if format == Format::Json {
        let summary = Summary::of(sweep, diff, &|line| Block::of(&line.proposal));
        let json = serde_json::to_string_pretty(&summary).map_err(io::Error::other)?;
        return writeln!(console.out, "{json}");
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
