//! Problems as text with a caret, as JSON, and as annotations of a code host.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::{Reported, Severity};

/// All of them as text, one after the other.
pub fn text(problems: &[Reported]) -> String {
    problems.iter().map(Reported::to_string).collect()
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        writeln!(f, ": {warning}{}", self.message)?;
        let number = self.line.to_string();
        let gutter = number.len().max(4);
        let place = self.place_in_words();
        if let Some(excerpt) = &self.excerpt {
            writeln!(f, " {number:>gutter$} | {excerpt}")?;
            let (skip, width) = self.caret;
            let space = if place.is_empty() { "" } else { " " };
            writeln!(f, " {:>gutter$} | {:skip$}{}{space}{place}", "", "", "^".repeat(width))?;
        } else if !place.is_empty() {
            writeln!(f, "   {place}")?;
        }
        for (at, what) in &self.also {
            writeln!(f, "   {at}: {what}")?;
        }
        for (index, line) in self.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
            writeln!(f, "   {}{line}", if index == 0 { "hint: " } else { "      " })?;
        }
        Ok(())
    }
}

impl Reported {
    /// `of web1/HTTP, through template web-server`; empty where there is nothing to say.
    fn place_in_words(&self) -> String {
        let mut words = String::new();
        if let Some(object) = &self.object {
            words.push_str("of ");
            words.push_str(object);
        }
        for step in &self.through {
            let comma = if words.is_empty() { "" } else { ", " };
            words.push_str(comma);
            words.push_str("through ");
            words.push_str(step);
        }
        words
    }

    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.word(),
            "file": self.path,
            "line": self.line,
            "column": self.column,
            "length": self.len,
            "message": self.message,
            "object": self.object,
            "through": self.through,
            "also": self.also.iter().map(|(at, what)| json!({"at": at, "message": what})).collect::<Vec<_>>(),
            "hint": self.hint,
        })
    }
}

/// `{"valid": …, "errors": 1, "warnings": 0, "problems": […]}`.
pub fn json(problems: &[Reported]) -> Value {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    json!({
        "valid": errors == 0,
        "errors": errors,
        "warnings": problems.len() - errors,
        "problems": problems.iter().map(Reported::to_json).collect::<Vec<_>>(),
    })
}

/// GitHub's workflow commands, one a line: `::error file=…,line=…,col=…::message`.
pub fn github(problems: &[Reported]) -> String {
    let mut out = String::new();
    for problem in problems {
        let word = problem.severity.word();
        write!(out, "::{word} file={}", property(&problem.path)).expect("a String takes all");
        if problem.line > 0 {
            let end = problem.column + problem.len.max(1) - 1;
            write!(out, ",line={},col={},endColumn={end}", problem.line, problem.column)
                .expect("a String takes all");
        }
        let words = problem.place_in_words();
        let words = if words.is_empty() { words } else { format!(" ({words})") };
        let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
        let message = format!("{}{words}{hint}", problem.message);
        writeln!(out, "::{}", message_text(&message)).expect("a String takes all");
    }
    out
}

fn message_text(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message_text(text).replace(':', "%3A").replace(',', "%2C")
}
