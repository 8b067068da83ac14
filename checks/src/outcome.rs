//! What a built-in check reports, and how whatever came over the network becomes harmless text.

use std::fmt::Write as _;
use std::time::Duration;

use vigia_core::model::check::Output;
use vigia_core::model::state::{Condition, State};

use crate::options::Threshold;

/// A result without times and source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub state: State,
    pub output: Output,
    /// Step by step, when somebody watches.
    pub detail: Vec<String>,
}

/// Bytes of a first line and of all that follows: far more than a page shows, far less than a peer could send.
const LINE_MAX: usize = 4096;
const LONG_MAX: usize = 32_768;

impl Outcome {
    pub fn new(state: State, text: impl Into<String>) -> Self {
        let output = Output { text: one_line(text.into(), LINE_MAX).into(), ..Output::default() };
        Self { state, output, detail: Vec::new() }
    }

    pub fn ok(text: impl Into<String>) -> Self {
        Self::new(State::Ok, text)
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(State::Warning, text)
    }

    pub fn critical(text: impl Into<String>) -> Self {
        Self::new(State::Critical, text)
    }

    pub fn unknown(text: impl Into<String>) -> Self {
        Self::new(State::Unknown, text)
    }

    /// The performance data, as it is printed after the bar.
    #[must_use]
    pub fn perfdata(mut self, perfdata: impl Into<String>) -> Self {
        self.output.perfdata = perfdata.into().into();
        self
    }

    /// Lines below the first.
    #[must_use]
    pub fn long(mut self, lines: &[String]) -> Self {
        self.output.long = lines
            .iter()
            .map(|line| one_line(line.clone(), LINE_MAX))
            .fold(String::new(), |mut all, line| {
                if all.len() + line.len() < LONG_MAX {
                    if !all.is_empty() {
                        all.push('\n');
                    }
                    all.push_str(&line);
                }
                all
            })
            .into();
        self
    }

    /// As a plugin prints it.
    pub fn plugin_text(&self) -> String {
        let mut text = self.output.text.to_string();
        if !self.output.perfdata.is_empty() {
            // The bar divides text from numbers: no other may stand before it.
            text = text.replace('|', "/");
            let _infallible = write!(text, "|{}", self.output.perfdata);
        }
        for line in self.output.long.lines() {
            let _infallible = write!(text, "\n{}", line.replace('|', "/"));
        }
        text
    }

    /// 0, 1, 2, 3.
    pub fn exit_code(&self) -> u8 {
        self.state.number()
    }
}

/// Control characters become blanks and what is too long is cut, with a mark.
pub fn one_line(text: String, max_bytes: usize) -> String {
    let is_clean = text.len() <= max_bytes
        && text.bytes().all(|byte| byte >= 0x20 && byte != 0x7f && byte != 0xc2 && byte != 0xe2);
    if is_clean {
        return text;
    }
    let mut clean = String::with_capacity(text.len().min(max_bytes));
    for c in text.trim_end().chars() {
        if clean.len() + c.len_utf8() > max_bytes {
            clean.push('…');
            break;
        }
        // Line separators and marks that turn the direction of writing could forge what a page shows.
        let is_forging = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        clean.push(if c.is_control() || is_forging { ' ' } else { c });
    }
    clean
}

/// Bytes of a peer as text for one line: invalid UTF-8 is replaced, the end cut.
pub fn quoted_bytes(bytes: &[u8], max_bytes: usize) -> String {
    let start = bytes.get(..max_bytes.saturating_mul(2)).unwrap_or(bytes);
    one_line(String::from_utf8_lossy(start).trim_end().to_owned(), max_bytes)
}

/// One value in seconds: `time=0.004123s;0.800000;;0.000000;10.000000`, as monitoring-plugins print it.
pub fn push_seconds(
    perfdata: &mut String,
    label: &str,
    took: Duration,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
    max: Duration,
) {
    if !perfdata.is_empty() {
        perfdata.push(' ');
    }
    let _infallible = write!(perfdata, "{label}={:.6}s;", took.as_secs_f64());
    if let Some(warn) = warn {
        let _infallible = write!(perfdata, "{warn}");
    }
    perfdata.push(';');
    if let Some(crit) = crit {
        let _infallible = write!(perfdata, "{crit}");
    }
    let _infallible = write!(perfdata, ";0.000000;{:.6}", max.as_secs_f64());
}

/// The state of a time against its thresholds.
pub fn judge_time(took: Duration, warn: Option<Threshold>, crit: Option<Threshold>) -> State {
    if crit.is_some_and(|crit| crit.alerts(took)) {
        State::Critical
    } else if warn.is_some_and(|warn| warn.alerts(took)) {
        State::Warning
    } else {
        State::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_one_harmless_bounded_line() {
        assert_eq!(one_line("a\nb\0c\x1b[31m\u{85}\u{202e}d".into(), 100), "a b c [31m  d");
        assert_eq!(one_line("abcdef".into(), 4), "abcd…");
        assert_eq!(quoted_bytes(b"\xff\xfehello\r\n", 100), "\u{fffd}\u{fffd}hello");
    }

    #[test]
    fn a_bar_in_the_text_does_not_become_perfdata() {
        let outcome = Outcome::ok("a|b").perfdata("time=1s");
        assert_eq!(outcome.plugin_text(), "a/b|time=1s");
    }
}
