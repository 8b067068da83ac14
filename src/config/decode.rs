//! Typed reading of the tree: each function takes a node and gives a value, or reports what is wrong with it.
//!
//! Nothing here stops at the first mistake. A value is read as what its key wants, from the characters written.

use std::time::Duration;

use vigia_checks::options as units;

use super::place::Place;
use super::problem::{Problem, did_you_mean};
use super::tree::{Node, Value};
use vigia_checks::options::Secret;

mod fields;
mod nagios;
mod units_hint;

pub use fields::{Fields, How, Said};

/// Collects problems while one object after the other is read.
#[derive(Debug, Default)]
pub struct Decoder {
    problems: Vec<Problem>,
    /// What is being read: `web1/HTTP`.
    object: Option<String>,
    errors: usize,
}

impl Decoder {
    /// Continues a list of problems.
    pub fn with(problems: Vec<Problem>) -> Self {
        let errors = problems.iter().filter(|problem| problem.is_error()).count();
        Self { problems, object: None, errors }
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Everything reported from here on is about this object.
    pub fn reading(&mut self, object: impl Into<String>) {
        self.object = Some(object.into());
    }

    /// Everything reported from here on is about no object.
    pub fn reading_no_object(&mut self) {
        self.object = None;
    }

    /// How many errors there were so far: when the number has grown, what was read in between is mistaken.
    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn push(&mut self, mut problem: Problem) {
        self.errors += usize::from(problem.is_error());
        if problem.object.is_none() {
            problem.object.clone_from(&self.object);
        }
        self.problems.push(problem);
    }

    /// Was a message that begins like this pushed for the object?
    pub fn has_said(&self, object: &str, beginning: &str) -> bool {
        let is_it = |problem: &Problem| {
            problem.object.as_deref() == Some(object) && problem.message.starts_with(beginning)
        };
        self.problems.iter().any(is_it)
    }

    /// Reports an error and gives nothing, for the end of a function that reads.
    pub fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.push(problem);
        None
    }

    /// Counts an error that was reported before, such as a broken value or a repeated key.
    pub fn count_reported(&mut self) {
        self.errors += 1;
    }

    /// `key wants …, not …`; silent for what was reported already.
    pub fn wants<T>(&mut self, node: &Node<'_>, key: &str, what: &str) -> Option<T> {
        if matches!(node.value, Value::Broken) {
            self.count_reported();
            return None;
        }
        let found = match node.text() {
            Some(text) => format!("`{text}`"),
            None => node.what().to_owned(),
        };
        self.refuse(Problem::error(node.at, format!("`{key}` wants {what}, not {found}")))
    }

    /// Any scalar, in its own characters.
    pub fn text<'t>(&mut self, node: &'t Node<'_>, key: &str) -> Option<&'t str> {
        self.text_for(node, key, "a text")
    }

    fn text_for<'t>(&mut self, node: &'t Node<'_>, key: &str, what: &str) -> Option<&'t str> {
        match node.text() {
            Some(text) => Some(text),
            None => self.wants(node, key, what),
        }
    }

    pub fn switch(&mut self, node: &Node<'_>, key: &str) -> Option<bool> {
        let text = self.text_for(node, key, "`on` or `off`")?;
        if let Some(switch) = switch(text) {
            return Some(switch);
        }
        let hint = match text.to_lowercase().as_str() {
            "1" | "on" | "yes" | "true" | "y" | "enabled" | "enable" => "did you mean `on`?",
            "0" | "off" | "no" | "false" | "n" | "disabled" | "disable" => "did you mean `off`?",
            _ => "a switch is one of: on off yes no true false",
        };
        let problem = Problem::error(node.at, format!("`{key}` wants `on` or `off`, not `{text}`"));
        self.refuse(problem.hint(hint))
    }

    pub fn duration(&mut self, node: &Node<'_>, key: &str) -> Option<Duration> {
        let text = self.text_for(node, key, "a duration such as `30s`")?;
        match units::duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => self.refuse(units_hint::of_duration(node.at, key, text, &error)),
        }
    }

    /// A duration that may count in years of 365 days, for retention.
    pub fn retention(&mut self, node: &Node<'_>, key: &str) -> Option<Duration> {
        const YEAR: u64 = 365 * 86_400;
        let text = self.text_for(node, key, "a duration such as `400d`")?;
        let (years, rest) = text.split_once('y').unwrap_or(("", text));
        let of_years = match years {
            "" => Some(Duration::ZERO),
            years => years.parse().ok().and_then(|n: u64| n.checked_mul(YEAR)).map(Duration::from_secs),
        };
        let of_rest = if rest.is_empty() { Ok(Duration::ZERO) } else { units::duration(rest) };
        match (of_years, of_rest) {
            (Some(years), Ok(rest)) if !text.is_empty() => Some(years + rest),
            (_, Err(error)) => self.refuse(units_hint::of_duration(node.at, key, text, &error)),
            (..) => self.wants(node, key, "a duration such as `400d` or `2y`"),
        }
    }

    /// In bytes.
    pub fn size(&mut self, node: &Node<'_>, key: &str) -> Option<u64> {
        let text = self.text_for(node, key, "a size such as `10MiB`")?;
        match units::size(text) {
            Ok(size) => Some(size),
            Err(error) => self.refuse(units_hint::of_size(node.at, key, text, &error)),
        }
    }

    /// `80%` is 80.
    pub fn percent(&mut self, node: &Node<'_>, key: &str) -> Option<f64> {
        let text = self.text_for(node, key, "a percentage such as `80%`")?;
        let is_plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number = |digits: &str| digits.parse().ok().filter(|_| is_plain(digits));
        if let Some(percent) = text.strip_suffix('%').and_then(number).filter(|n: &f64| *n <= 100.0) {
            return Some(percent);
        }
        let problem =
            Problem::error(node.at, format!("`{key}` wants a percentage such as `80%`, not `{text}`"));
        let hint = number(text).map(|_: f64| format!("did you mean `{text}%`?"));
        self.refuse(problem.maybe_hint(hint))
    }

    pub fn integer(&mut self, node: &Node<'_>, key: &str, least: i64, most: i64) -> Option<i64> {
        let text = self.text_for(node, key, "a number")?;
        let is_plain = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
        let Some(number) = text.parse::<i64>().ok().filter(|_| is_plain) else {
            return self.wants(node, key, "a whole number");
        };
        if (least..=most).contains(&number) {
            return Some(number);
        }
        let message = match number < least {
            true => format!("`{key}` must be at least {least}"),
            false => format!("`{key}` must be at most {most}"),
        };
        self.refuse(Problem::error(node.at, message))
    }

    pub fn number(&mut self, node: &Node<'_>, key: &str) -> Option<f64> {
        let text = self.text_for(node, key, "a number")?;
        let is_plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        match text.parse().ok().filter(|_| is_plain) {
            Some(number) => Some(number),
            None => self.wants(node, key, "a number"),
        }
    }

    /// One of these words.
    pub fn choice(
        &mut self,
        node: &Node<'_>,
        key: &str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        let text = self.text_for(node, key, &format!("one of: {}", words.join(" ")))?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        let problem = Problem::error(node.at, format!("`{key}` has no `{text}`"));
        let known = format!("one of: {}", words.join(" "));
        let hint = did_you_mean(text, words.iter().copied())
            .map_or(known.clone(), |near| format!("{near} It is {known}"));
        self.refuse(problem.hint(hint))
    }

    /// The items of a list; one value alone counts as a list of one.
    pub fn items<'t, 's>(&mut self, node: &'t Node<'s>, key: &str) -> Option<&'t [Node<'s>]> {
        match &node.value {
            Value::List(items) => Some(items),
            Value::Text(_) | Value::Map(_) => Some(std::slice::from_ref(node)),
            Value::Null(_) | Value::Broken => self.wants(node, key, "a list"),
        }
    }

    /// Texts, each with its place; one alone counts as a list of one.
    pub fn texts<'t>(&mut self, node: &'t Node<'_>, key: &str) -> Option<Vec<(&'t str, Place)>> {
        let before = self.errors;
        let items = self.items(node, key)?;
        let texts = items.iter().filter_map(|item| Some((self.text(item, key)?, item.at))).collect();
        (self.errors == before).then_some(texts)
    }

    /// A map of texts, such as tags: key, text and the place of the text, in the order written.
    pub fn map_of_texts<'t>(
        &mut self,
        node: &'t Node<'_>,
        key: &str,
    ) -> Option<Vec<(&'t str, &'t str, Place)>> {
        let before = self.errors;
        let Some(map) = node.map() else { return self.wants(node, key, "a map of texts") };
        if !map.refused().is_empty() {
            self.count_reported();
        }
        let read = |entry: &'t super::tree::Entry<'_>| {
            let text = self.text(&entry.value, &entry.key.text)?;
            Some((&*entry.key.text, text, entry.value.at))
        };
        let texts = map.iter().filter_map(read).collect();
        (self.errors == before).then_some(texts)
    }

    /// `{file: …}`, `{env: …}`, `{credential: …}`; a literal one is taken, with a warning.
    pub fn secret(&mut self, node: &Node<'_>, key: &str) -> Option<Secret> {
        const WANTED: &str = "`{file: PATH}`, `{env: NAME}` or `{credential: NAME}`";
        if let Some(text) = node.text() {
            let warning =
                Problem::warning(node.at, format!("`{key}` is a secret, and stands here for all to read"));
            self.push(warning.conceal().hint(format!("write it into a file and say {WANTED}")));
            return Some(Secret::Literal(text.to_owned()));
        }
        let Some([entry]) = node.map().map(|map| map.iter().as_slice()) else {
            let problem = format!("`{key}` wants one of {WANTED}");
            return match node.value {
                Value::Broken => self.wants(node, key, WANTED),
                _ => self.refuse(Problem::error(node.at, problem)),
            };
        };
        let text = self.text(&entry.value, &entry.key.text)?.to_owned();
        match &*entry.key.text {
            "file" => Some(Secret::File(text)),
            "env" => Some(Secret::Env(text)),
            "credential" => Some(Secret::Credential(text)),
            other => {
                let message = format!("`{other}` is no place of a secret; it is one of {WANTED}");
                self.refuse(Problem::error(entry.key.at, message))
            }
        }
    }
}

/// The words of a switch.
pub fn switch(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" => Some(true),
        "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
