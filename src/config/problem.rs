//! What is wrong in a file: place, message, hint, and how it is shown to people and to programs.
//!
//! A [`Problem`] points into the sources of its load. [`report`] turns problems into [`Reported`] ones, which
//! carry all they need to be shown (the line, the path) and so may outlive the load.

use std::collections::BTreeMap;

use super::place::{FileId, Place, Sources};
use super::veil;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, with a way out where we know one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub message: String,
    pub at: Place,
    /// Other places that belong to it, each with what it is: *first defined here*.
    pub also: Vec<(Place, String)>,
    /// What it is wrong with: `web1/HTTP`, `contact ana`.
    pub object: Option<String>,
    /// The way by which the value reached the object, nearest first: `template web-server`.
    pub through: Vec<String>,
    pub hint: Option<String>,
    /// What stands at `at` is a secret: no excerpt of any problem shows it.
    pub is_concealed: bool,
}

impl Problem {
    pub fn error(at: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, at, message.into())
    }

    pub fn warning(at: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, at, message.into())
    }

    fn new(severity: Severity, at: Place, message: String) -> Self {
        Self {
            severity,
            message,
            at,
            also: Vec::new(),
            object: None,
            through: Vec::new(),
            hint: None,
            is_concealed: false,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `hint` where there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    #[must_use]
    pub fn also(mut self, at: Place, what: impl Into<String>) -> Self {
        self.also.push((at, what.into()));
        self
    }

    #[must_use]
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    #[must_use]
    pub fn through(mut self, step: impl Into<String>) -> Self {
        self.through.push(step.into());
        self
    }

    /// The text at its place is a secret.
    #[must_use]
    pub fn conceal(mut self) -> Self {
        self.is_concealed = true;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A problem with all that is needed to show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reported {
    pub severity: Severity,
    pub message: String,
    pub path: String,
    /// From 1; 0 for a file as a whole.
    pub line: u32,
    pub column: u32,
    pub len: u32,
    /// The line itself, as it is printed: no control characters, tabs as blanks.
    pub excerpt: Option<String>,
    /// Where in `excerpt` the caret stands, in columns of a terminal, and how many carets.
    pub caret: (usize, usize),
    /// `path:line:column` and what it is.
    pub also: Vec<(String, String)>,
    pub object: Option<String>,
    pub through: Vec<String>,
    pub hint: Option<String>,
}

/// The places of secrets by file and line.
type Secrets = BTreeMap<(FileId, u32), Vec<Place>>;

/// Sorted by place, without repetitions, ready to be shown.
pub fn report(mut problems: Vec<Problem>, sources: &Sources) -> Vec<Reported> {
    problems.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut secrets = Secrets::new();
    for secret in problems.iter().filter(|one| one.is_concealed).map(|one| one.at) {
        secrets.entry((secret.file, secret.line)).or_default().push(secret);
    }
    problems.dedup_by(|later, first| key(later) == key(first));
    let mut lines = Lines::new(sources);
    problems.into_iter().map(|problem| reported(problem, sources, &secrets, &mut lines)).collect()
}

/// The same mistake seen through two objects is one mistake: the object is not part of it.
fn key(problem: &Problem) -> (Place, Severity, &str) {
    (problem.at, problem.severity, &problem.message)
}

fn reported(problem: Problem, sources: &Sources, secrets: &Secrets, lines: &mut Lines<'_>) -> Reported {
    let Place { file, line, column, len } = problem.at;
    let secrets = secrets.get(&(file, line)).map_or(&[][..], Vec::as_slice);
    let excerpt = lines.get(problem.at).map(|text| Excerpt::around(&masked(text, secrets), column, len));
    let (excerpt, caret) = match excerpt {
        Some(excerpt) => (Some(excerpt.text), excerpt.caret),
        None => (None, (0, 0)),
    };
    Reported {
        severity: problem.severity,
        message: plain(&veil::without_passwords(&problem.message)),
        path: sources.of(file).map_or_else(|| "?".to_owned(), |source| plain(&source.path)),
        line,
        column,
        len,
        excerpt,
        caret,
        also: problem.also.into_iter().map(|(at, what)| (plain(&sources.show(at)), plain(&what))).collect(),
        object: problem.object.as_deref().map(plain),
        through: problem.through.iter().map(|step| plain(step)).collect(),
        hint: problem.hint.as_deref().map(|hint| plain_lines(&without_secrets(hint))),
    }
}

/// A hint's first line is ours; below it may be lines of the file as they should be.
fn without_secrets(hint: &str) -> String {
    let veiled = |(number, line)| if number == 0 { veil::without_passwords(line) } else { veil::line(line) };
    hint.lines().enumerate().map(veiled).collect::<Vec<_>>().join("\n")
}

/// Problems come sorted, so each file is walked through once, however many there are.
struct Lines<'a> {
    sources: &'a Sources,
    file: Option<FileId>,
    at: u32,
    rest: std::str::Lines<'a>,
    current: Option<&'a str>,
}

impl<'a> Lines<'a> {
    fn new(sources: &'a Sources) -> Self {
        Self { sources, file: None, at: 0, rest: "".lines(), current: None }
    }

    fn get(&mut self, place: Place) -> Option<&'a str> {
        if self.file != Some(place.file) || place.line < self.at {
            self.rest = self.sources.of(place.file)?.text.lines();
            (self.file, self.at, self.current) = (Some(place.file), 0, None);
        }
        while self.at < place.line {
            self.current = self.rest.next();
            self.at += 1;
        }
        if place.line == 0 { None } else { self.current }
    }
}

struct Excerpt {
    text: String,
    caret: (usize, usize),
}

/// The line with stars for secrets, of the same length.
fn masked(line: &str, secrets: &[Place]) -> String {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let is_secret = |at: usize| {
        secrets
            .iter()
            .any(|secret| at >= wide(secret.column) && at < wide(secret.column.saturating_add(secret.len)))
    };
    let line = veil::line(line);
    line.chars().enumerate().map(|(at, c)| if is_secret(at + 1) { '*' } else { c }).collect()
}

/// How much of a long line is shown, in characters, and how much of it before the caret.
const EXCERPT: usize = 100;
const BEFORE: usize = 60;

impl Excerpt {
    fn around(line: &str, column: u32, len: u32) -> Self {
        let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let start = wide(column.saturating_sub(1));
        let whole = line.chars().count();
        let skip = if whole > EXCERPT { start.min(whole).saturating_sub(BEFORE) } else { 0 };
        let mut text = String::from(if skip > 0 { "…" } else { "" });
        let mut at = text.chars().count();
        let (mut from, mut width) = (None, 0);
        for (index, character) in line.chars().enumerate().skip(skip).take(EXCERPT) {
            if index == start {
                from = Some(at);
            }
            let shown = if character.is_control() || is_bidi(character) { ' ' } else { character };
            let columns = columns(shown);
            if index >= start && index < start.saturating_add(wide(len.max(1))) {
                width += columns;
            }
            at += columns;
            text.push(shown);
        }
        if whole > skip + EXCERPT {
            text.push('…');
        }
        Self { text, caret: (from.unwrap_or(at), width.max(1)) }
    }
}

/// How many columns of a terminal a character takes: enough of Unicode's East Asian Width for a caret to
/// stand under the right word.
fn columns(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f | 0x20d0..=0x20ff => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Text for a terminal: control characters cannot move its cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c }).collect()
}

fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Characters that reorder what stands around them, with which a line could be made to look like another.
fn is_bidi(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

mod format;
mod near;

pub use format::{github, json, text};
pub use near::{did_you_mean, nearest};

#[cfg(test)]
mod tests;
