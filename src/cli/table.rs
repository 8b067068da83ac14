//! What commands print: tables, states that also differ in shape, spans of time. Nothing from outside reaches
//! the terminal with control characters in it.

use std::io;

use serde_json::Value;
use vigia_core::model::time::Timestamp;

use super::Console;

/// How one state looks: the mark tells it without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) mark: &'static str,
    pub(super) word: &'static str,
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Green,
    Yellow,
    Red,
    Magenta,
    Dim,
    Plain,
}

impl Color {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "1;31",
            Self::Magenta => "35",
            Self::Dim => "2",
            Self::Plain => "0",
        }
    }
}

const fn look(mark: &'static str, word: &'static str, color: Color) -> Look {
    Look { mark, word, color }
}

/// By state number.
pub(super) const SERVICE_LOOKS: [Look; 4] = [
    look("●", "OK", Color::Green),
    look("▲", "WARNING", Color::Yellow),
    look("■", "CRITICAL", Color::Red),
    look("◆", "UNKNOWN", Color::Magenta),
];
pub(super) const HOST_LOOKS: [Look; 3] =
    [look("●", "UP", Color::Green), look("▼", "DOWN", Color::Red), look("◇", "UNREACHABLE", Color::Magenta)];
pub(super) const PENDING: Look = look("○", "PENDING", Color::Dim);

/// Of an item of the API: a host has no description.
pub(super) fn look_of(item: &Value) -> Look {
    if !flag(item, "has_been_checked") {
        return PENDING;
    }
    let looks: &[Look] = if text(item, "description").is_empty() { &HOST_LOOKS } else { &SERVICE_LOOKS };
    let state = usize::try_from(number(item, "state")).unwrap_or(usize::MAX);
    looks.get(state).copied().unwrap_or(PENDING)
}

/// Whether colour is wanted, and how wide a line may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    is_colored: bool,
    /// None: nobody looks; nothing is cut off.
    width: Option<usize>,
}

impl Style {
    pub(super) fn of(console: &Console) -> Self {
        let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let size = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            is_colored: console.is_terminal && !wants_none,
            width: console.is_terminal.then(|| size.unwrap_or(120)),
        }
    }

    pub(super) fn paint(self, text: &str, color: Color) -> String {
        if self.is_colored { format!("\x1b[{}m{text}\x1b[0m", color.code()) } else { text.to_owned() }
    }

    pub(super) fn look(self, look: Look) -> String {
        self.paint(&format!("{} {}", look.mark, look.word), look.color)
    }

    pub(super) fn count(self, look: Look, count: i64) -> String {
        let color = if count == 0 { Color::Dim } else { look.color };
        self.paint(&format!("{} {count} {}", look.mark, look.word), color)
    }
}

/// One cell: its text, and what it is painted with.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    color: Color,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text: clean(&text), color: Color::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: clean(text), color: Color::Plain }
    }
}

impl From<Look> for Cell {
    fn from(look: Look) -> Self {
        Self { text: format!("{} {}", look.mark, look.word), color: look.color }
    }
}

/// Rows under headings; the last column takes what room is left.
#[derive(Debug)]
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(super) fn print(&self, out: &mut dyn io::Write, style: Style) -> io::Result<()> {
        let widths: Vec<usize> = self
            .headings
            .iter()
            .enumerate()
            .map(|(at, heading)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| length(&cell.text)).chain([length(heading)]).max().unwrap_or(0)
            })
            .collect();
        let headings: Vec<Cell> = self
            .headings
            .iter()
            .map(|heading| Cell { text: (*heading).to_owned(), color: Color::Dim })
            .collect();
        for row in [&headings].into_iter().chain(&self.rows) {
            writeln!(out, "{}", line(row, &widths, style))?;
        }
        Ok(())
    }
}

fn line(row: &[Cell], widths: &[usize], style: Style) -> String {
    let mut line = String::new();
    let mut used = 0;
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        let is_last = at + 1 == row.len();
        let room = style.width.map_or(usize::MAX, |whole| whole.saturating_sub(used).max(10));
        let text = if is_last { cut(&cell.text, room) } else { cell.text.clone() };
        let padding = if is_last { 0 } else { width + 2 - length(&text).min(*width) };
        let is_plain = cell.color == Color::Plain;
        line.push_str(&if is_plain { text } else { style.paint(&text, cell.color) });
        line.push_str(&" ".repeat(padding));
        used += width + 2;
    }
    line.trim_end().to_owned()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, room: usize) -> String {
    if length(text) <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// Control characters could move the cursor, change the title or hide what stands before: they become spaces.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

/// As [`clean`], but lines stay lines: for notes and comments.
pub(super) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// A text of an answer; empty where it is absent or none.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number of an answer; what is a list of them counts its items.
pub(super) fn number(item: &Value, name: &str) -> i64 {
    match item.get(name) {
        Some(Value::Array(items)) => i64::try_from(items.len()).unwrap_or(i64::MAX),
        Some(value) => value.as_i64().or_else(|| value.as_bool().map(i64::from)).unwrap_or(0),
        None => 0,
    }
}

pub(super) fn flag(item: &Value, name: &str) -> bool {
    number(item, name) != 0
}

pub(super) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `web01/HTTP`, or the host alone.
pub(super) fn object(item: &Value) -> String {
    let (host, service) = (text(item, "host_name"), text(item, "description"));
    if service.is_empty() { host.to_owned() } else { format!("{host}/{service}") }
}

/// `12.3 MiB`
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => {
            let tenths = (u128::from(bytes) * 10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// `2d 4h`, `5m 3s`: two units are enough to judge by.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// How long ago `second` was; a dash for never.
pub(super) fn since(second: i64, now: Timestamp) -> String {
    if second <= 0 { "-".to_owned() } else { span(now.as_second() - second) }
}

/// A moment on this machine's own clock; a dash for never.
pub(super) fn moment(second: i64) -> String {
    if second <= 0 {
        return "-".to_owned();
    }
    let at = Timestamp::from_second(second).to_jiff().to_zoned_datetime(jiff::tz::TimeZone::system());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stand_below_each_other_and_the_last_is_cut_to_the_terminal() {
        let mut table = Table::new(&["STATE", "HOST", "INFORMATION"]);
        table.row(vec![SERVICE_LOOKS[2].into(), "web01".into(), "x".repeat(40).into()]);
        table.row(vec![SERVICE_LOOKS[0].into(), "a".into(), "fine".into()]);
        let print = |width| {
            let mut out = Vec::new();
            table.print(&mut out, Style { is_colored: false, width }).unwrap();
            String::from_utf8(out).unwrap()
        };
        let wide = format!(
            "STATE       HOST   INFORMATION\n■ CRITICAL  web01  {}\n● OK        a      fine\n",
            "x".repeat(40)
        );
        assert_eq!(print(None), wide);
        assert!(print(Some(30)).contains(&format!("web01  {}…\n", "x".repeat(10))), "{}", print(Some(30)));
    }

    #[test]
    fn nothing_from_outside_moves_the_cursor() {
        let cell = Cell::from("a\x1b[2J\u{9b}b\r\nc");
        assert!(!cell.text.chars().any(char::is_control), "{:?}", cell.text);
        assert_eq!(clean_lines("one\x07\ntwo"), "one \ntwo");
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [3, 63, 3_700, 90_000, -5].map(span);
        assert_eq!(spans, ["3s", "1m 3s", "1h 1m", "1d 1h", "0s"]);
    }

    #[test]
    fn a_state_has_its_shape_and_what_was_never_checked_is_pending() {
        let item = json!({"host_name": "a", "description": "b", "state": 2, "has_been_checked": 1});
        assert_eq!(look_of(&item), SERVICE_LOOKS[2]);
        assert_eq!(look_of(&json!({"host_name": "a", "state": 1, "has_been_checked": true})), HOST_LOOKS[1]);
        assert_eq!(look_of(&json!({"host_name": "a", "state": 0})), PENDING);
        assert_eq!(look_of(&json!({"state": 77, "has_been_checked": 1})), PENDING);
    }
}
