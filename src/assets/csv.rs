//! Assets as CSV, in the columns of OSSIM 5.x and some more: what another tool knows comes in, what vigia knows goes out.
//!
//! A file with a mistake changes nothing; each mistake is named by its line. An empty cell means "as it is".

use std::net::IpAddr;

use vigia_core::model::asset::Asset;
use vigia_core::model::time::Timestamp;

use super::edit::{Change, FIELDS, said, say};
use crate::config::problem::did_you_mean;

/// Our columns: heading, and the field behind it; none: it goes out and is passed over on its way in.
const COLUMNS: &[(&str, Option<&str>)] = &[
    ("IPs", Some("addresses")),
    ("Hostname", Some("name")),
    ("FQDNs", None),
    ("Description", Some("description")),
    ("Asset Value", Some("value")),
    ("Operating System", Some("os")),
    ("Latitude", Some("latitude")),
    ("Longitude", Some("longitude")),
    ("Host ID", None),
    ("External Asset", None),
    ("Device Type", Some("kind")),
    ("Owner", Some("owner")),
    ("Place", Some("place")),
    ("Notes", Some("notes")),
    ("MAC", None),
    ("Vendor", None),
    ("Services", None),
    ("Host", None),
    ("First Seen", None),
    ("Last Seen", None),
    ("Stale Since", None),
];
/// Of older versions of OSSIM.
const ALSO_PASSED_OVER: &[&str] =
    &["sensors", "fqdn/aliases", "nat", "rrd profile", "threshold c", "threshold a"];

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 1; where it begins.
    pub line: usize,
    pub addresses: Vec<IpAddr>,
    pub changes: Vec<Change>,
}

/// A mistake at a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct Mistake {
    pub line: usize,
    pub text: String,
}

/// The most lines of one file.
const MOST: usize = 100_000;

/// Reads a file.
///
/// # Errors
/// Every mistake in it; nothing is to be imported then.
pub fn read(text: &str) -> Result<Vec<Row>, Vec<Mistake>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separator = separator(text.lines().next().unwrap_or_default());
    let lines = cells(text, separator).map_err(|mistake| vec![mistake])?;
    let mut lines = lines.into_iter();
    let Some((_, heading)) = lines.next() else {
        return Err(vec![Mistake {
            line: 1,
            text: "the file is empty: its first line names the columns".to_owned(),
        }]);
    };
    let columns = heading_of(&heading)?;
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for (line, cells) in lines.take(MOST + 1) {
        if cells.len() != columns.len() {
            let text = format!("{} cells, and the first line names {} columns", cells.len(), columns.len());
            mistakes.push(Mistake { line, text });
            continue;
        }
        match row(line, &columns, &cells) {
            Ok(row) => rows.push(row),
            Err(all) => mistakes.extend(all),
        }
    }
    if rows.len() > MOST {
        mistakes.push(Mistake { line: 1, text: format!("more than {MOST} lines: split the file") });
    }
    check_addresses(&rows, &mut mistakes);
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

/// OSSIM writes semicolons; spreadsheets write what their country does.
fn separator(heading: &str) -> char {
    [';', '\t', ','].into_iter().max_by_key(|sign| heading.matches(*sign).count()).unwrap_or(';')
}

fn heading_of(heading: &[String]) -> Result<Vec<Option<&'static str>>, Vec<Mistake>> {
    let mut columns = Vec::new();
    let mut mistakes = Vec::new();
    for cell in heading {
        let cell = cell.trim();
        let by_title = COLUMNS.iter().find(|(title, _)| title.eq_ignore_ascii_case(cell));
        let by_field =
            COLUMNS.iter().filter_map(|(_, field)| *field).find(|field| field.eq_ignore_ascii_case(cell));
        let is_old = ALSO_PASSED_OVER.iter().any(|title| title.eq_ignore_ascii_case(cell));
        match (by_title, by_field) {
            (Some((_, field)), _) => columns.push(*field),
            (None, Some(field)) => columns.push(Some(field)),
            (None, None) if is_old || cell.is_empty() => columns.push(None),
            (None, None) => {
                let known = COLUMNS.iter().map(|(title, _)| *title);
                let all = || COLUMNS.iter().map(|(title, _)| *title).collect::<Vec<_>>().join(", ");
                let hint = did_you_mean(cell, known).unwrap_or_else(|| format!("columns are {}", all()));
                mistakes.push(Mistake { line: 1, text: format!("`{cell}` is no column; {hint}") });
            }
        }
    }
    if !columns.iter().flatten().any(|field| matches!(*field, "addresses" | "name")) {
        let text =
            "neither `IPs` nor `Hostname` is among the columns: nothing says which asset a line is about";
        mistakes.push(Mistake { line: 1, text: text.to_owned() });
    }
    if mistakes.is_empty() { Ok(columns) } else { Err(mistakes) }
}

fn row(line: usize, columns: &[Option<&'static str>], cells: &[String]) -> Result<Row, Vec<Mistake>> {
    let mut row = Row { line, addresses: Vec::new(), changes: Vec::new() };
    let mut mistakes = Vec::new();
    let mut wrong = |text: String| mistakes.push(Mistake { line, text });
    let mut words = Default::default();
    for (field, cell) in columns.iter().zip(cells).filter_map(|(field, cell)| Some(((*field)?, cell.trim())))
    {
        let cell = unguarded(cell);
        if cell.is_empty() {
            continue;
        }
        if field == "addresses" {
            for part in cell.split([',', ' ']).filter(|part| !part.is_empty()) {
                match part.parse() {
                    Ok(address) => row.addresses.push(address),
                    Err(_) => wrong(format!("`{part}` is not an address")),
                }
            }
            continue;
        }
        let change = Change { field, text: cell.to_owned() };
        match say(&mut words, &change) {
            Ok(()) => row.changes.push(change),
            Err(error) => wrong(error.to_string()),
        }
    }
    if row.addresses.is_empty() && words.name.is_none() {
        wrong("neither an address nor a name: nothing says which asset this is".to_owned());
    }
    if mistakes.is_empty() { Ok(row) } else { Err(mistakes) }
}

fn check_addresses(rows: &[Row], mistakes: &mut Vec<Mistake>) {
    let mut first = std::collections::HashMap::new();
    for row in rows {
        for address in &row.addresses {
            if let Some(other) = first.insert(*address, row.line).filter(|other| *other != row.line) {
                let text = format!("{address} stands in line {other} already");
                mistakes.push(Mistake { line: row.line, text });
            }
        }
    }
}

/// Cells of each line, with the number of the line at which it begins. Quoted cells may hold separators, quotes (twice)
/// and ends of lines.
fn cells(text: &str, separator: char) -> Result<Vec<(usize, Vec<String>)>, Mistake> {
    let mut all = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut begun) = (1, 1);
    let mut quoted_since = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted_since) {
            ('"', Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', Some(_)) => quoted_since = None,
            ('"', None) if cell.trim().is_empty() => {
                cell.clear();
                quoted_since = Some(line);
            }
            ('\n', None) => {
                cells.push(std::mem::take(&mut cell));
                line += 1;
                push_line(&mut all, begun, std::mem::take(&mut cells));
                begun = line;
            }
            (c, None) if c == separator => cells.push(std::mem::take(&mut cell)),
            ('\r', None) => {}
            (c, _) => {
                line += usize::from(c == '\n');
                cell.push(c);
            }
        }
    }
    if let Some(line) = quoted_since {
        return Err(Mistake { line, text: "the quote that begins here never ends".to_owned() });
    }
    cells.push(cell);
    push_line(&mut all, begun, cells);
    Ok(all)
}

fn push_line(all: &mut Vec<(usize, Vec<String>)>, line: usize, cells: Vec<String>) {
    if cells.iter().any(|cell| !cell.trim().is_empty()) {
        all.push((line, cells));
    }
}

/// A spreadsheet takes a text that begins like this for a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t']) && text.parse::<f64>().is_err()
}

/// What came out with our own guard before it.
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// The line that names the columns.
pub fn heading() -> String {
    line(COLUMNS.iter().map(|(title, _)| (*title).to_owned()))
}

/// One asset as a line.
pub fn written(asset: &Asset) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let list = |all: Vec<String>| all.join(", ");
    let each = |of: &dyn Fn(&vigia_core::model::asset::AssetAddress) -> Option<String>| {
        list(asset.addresses.iter().filter_map(of).collect())
    };
    let service = |one: &vigia_core::model::asset::AssetService| format!("{} {}", one.subject(), one.told());
    let known = asset.services.iter().filter(|one| one.gone.is_none());
    let cell = |(title, field): &(&str, Option<&str>)| match (*title, *field) {
        ("IPs", _) => each(&|one| Some(one.address.to_string())),
        ("Hostname", _) => asset.name().to_owned(),
        ("Operating System", _) => asset.os().unwrap_or_default().to_owned(),
        ("FQDNs", _) => list(asset.names.iter().map(ToString::to_string).collect()),
        ("Host ID", _) => asset.id.to_string(),
        ("MAC", _) => each(&|one| one.mac.as_deref().map(str::to_owned)),
        ("Vendor", _) => each(&|one| one.vendor.as_deref().map(str::to_owned)),
        ("Services", _) => list(known.clone().map(service).collect()),
        ("Host", _) => asset.host.as_deref().unwrap_or_default().to_owned(),
        ("First Seen", _) => time(asset.first_seen),
        ("Last Seen", _) => time(asset.last_seen),
        ("Stale Since", _) => time(asset.stale),
        (_, Some(field)) => said(&asset.set, field),
        (_, None) => String::new(),
    };
    line(COLUMNS.iter().map(cell))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| {
        let guard = if is_formula(&cell) { "'" } else { "" };
        let is_plain = guard.is_empty() && !cell.contains([';', '"', '\n', '\r']);
        if is_plain { cell } else { format!("\"{guard}{}\"", cell.replace('"', "\"\"")) }
    };
    let mut line = cells.map(quoted).collect::<Vec<_>>().join(";");
    line.push_str("\r\n");
    line
}

/// Fields that a file can say, for the manual.
pub fn fields() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(field, ..)| *field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ossim_wrote_is_read() {
        let text = "\"IPs\";\"Hostname\";\"FQDNs\";\"Description\";\"Asset Value\";\"Operating System\";\"Latitude\";\"Longitude\";\
             \"Host ID\";\"External Asset\";\"Device Type\"\r\n\"192.0.2.1,192.0.2.2\";\"web1\";\"web1.example.test\";\"front; \"\"old\"\"\";\
             \"4\";\"Linux\";\"40.4\";\"-3.7\";\"A1\";\"0\";\"Server:Web Server\"\r\n";
        let rows = read(text).unwrap();
        let said: Vec<_> = rows[0].changes.iter().map(|one| (one.field, one.text.as_str())).collect();
        assert_eq!(rows[0].addresses.len(), 2);
        assert_eq!(
            said,
            [
                ("name", "web1"),
                ("description", "front; \"old\""),
                ("value", "4"),
                ("os", "Linux"),
                ("latitude", "40.4"),
                ("longitude", "-3.7"),
                ("kind", "Server:Web Server"),
            ]
        );
    }

    #[test]
    fn every_mistake_is_named_by_its_line_and_nothing_is_read() {
        let text = "IPs,Hostname,Asset Value,Latitude\n192.0.2.1,web1,2,\n\"192.0.2.2\",\"two\nlines\",9,x\n192.0.2.300,,,\n\
             ,,3,\n192.0.2.1,again,,\n192.0.2.9,short\n";
        let mistakes: Vec<String> = read(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            mistakes,
            [
                "line 3: value: `9` is not a number from 0 to 5",
                "line 3: latitude: `x` is not a number of degrees from -90 to 90",
                "line 5: `192.0.2.300` is not an address",
                "line 5: neither an address nor a name: nothing says which asset this is",
                "line 6: neither an address nor a name: nothing says which asset this is",
                "line 7: 192.0.2.1 stands in line 2 already",
                "line 8: 2 cells, and the first line names 4 columns",
            ]
        );
        assert!(read("IPs;Hostnam\n").unwrap_err()[0].text.contains("did you mean `Hostname`?"));
        assert!(read("Notes\nx\n").unwrap_err()[0].text.contains("nothing says which asset"));
        assert_eq!(read("IPs\n\"192").unwrap_err()[0].line, 2);
        assert_eq!(read("").unwrap_err()[0].line, 1);
    }

    #[test]
    fn what_goes_out_comes_in_again_and_is_no_formula() {
        let mut asset = Asset { found_name: "=cmd()".into(), ..Asset::default() };
        asset.addresses.push(vigia_core::model::asset::AssetAddress::new(IpAddr::from([192, 0, 2, 1])));
        asset.set.notes = Some("two\nlines; \"quoted\"".into());
        asset.set.longitude = Some(-3.7);
        let text = format!("{}{}", heading(), written(&asset));
        assert!(text.contains("\"'=cmd()\"") && text.contains(";-3.7;"), "{text}");
        let row = &read(&text).unwrap()[0];
        let said: Vec<_> = row.changes.iter().map(|one| (one.field, one.text.as_str())).collect();
        assert_eq!(said, [("name", "=cmd()"), ("longitude", "-3.7"), ("notes", "two\nlines; \"quoted\"")]);
    }
}
