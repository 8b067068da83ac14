//! Collects what is wrong while options are read, so that a person sees all of it in one run.

use super::{Mark, Node, OptionProblem, Value};

/// Passed to everything that reads a value.
#[derive(Debug)]
pub struct Reader {
    problems: Vec<OptionProblem>,
    bare_numbers: bool,
    /// Options whose value was refused: they are wrong, not missing.
    refused: Vec<&'static str>,
    path: Vec<&'static str>,
}

impl Reader {
    /// For files: units are compulsory.
    pub fn written() -> Self {
        Self { problems: Vec::new(), bare_numbers: false, refused: Vec::new(), path: Vec::new() }
    }

    /// For the command line: a bare number means what it means to monitoring-plugins.
    pub fn command_line() -> Self {
        Self { bare_numbers: true, ..Self::written() }
    }

    /// Whether `-w 0.8` is seconds and `-C 30` days.
    pub fn allows_bare_numbers(&self) -> bool {
        self.bare_numbers
    }

    pub fn problem(&mut self, problem: OptionProblem) {
        self.problems.push(problem);
    }

    pub fn wrong(&mut self, mark: Mark, message: impl Into<String>) {
        self.problem(OptionProblem {
            mark,
            is_warning: false,
            is_secret: false,
            message: message.into(),
            hint: None,
        });
    }

    pub fn wrong_with_hint(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.problem(OptionProblem {
            mark,
            is_warning: false,
            is_secret: false,
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    pub fn warn(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.problem(OptionProblem {
            mark,
            is_warning: true,
            is_secret: false,
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    /// A warning whose place holds a secret.
    pub fn warn_of_secret(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.problem(OptionProblem {
            mark,
            is_warning: true,
            is_secret: true,
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    /// A word that is none of the known ones.
    pub fn unknown(&mut self, mark: Mark, what: &str, word: &str, known: &[&str]) {
        let hint = match nearest(word, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => format!("known: {}", known.join(", ")),
        };
        self.wrong_with_hint(mark, format!("unknown {what} `{word}`"), hint);
    }

    /// Reads one option; remembers its name when it was refused.
    pub(super) fn under<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.path.push(name);
        let value = read(self);
        self.path.pop();
        if value.is_none() {
            self.refused.push(name);
        }
        value
    }

    pub(super) fn has_refused(&self, name: &str) -> bool {
        self.refused.contains(&name)
    }

    /// The option being read, for messages: `tls.min`.
    pub fn path(&self) -> String {
        if self.path.is_empty() { "the value".to_owned() } else { format!("`{}`", self.path.join(".")) }
    }

    /// The text of a single value; anything else is refused with what was expected.
    pub fn text<'v>(&mut self, value: &'v Value, expected: &str) -> Option<&'v str> {
        match &value.node {
            Node::Text(text) => Some(text),
            Node::Null | Node::List(_) | Node::Map(_) => {
                let message = format!("{} wants {expected}, not {}", self.path(), value.what());
                self.wrong(value.mark, message);
                None
            }
        }
    }

    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| !problem.is_warning)
    }

    pub fn into_problems(self) -> Vec<OptionProblem> {
        self.problems
    }
}

/// The known word that a mistyped one was probably meant to be.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let limit = 1 + word.chars().count() / 4;
    let near =
        known.iter().map(|&known| (distance(word, known), known)).min_by_key(|(distance, _)| *distance)?;
    (near.0 <= limit).then_some(near.1)
}

/// Edits between two words; swapping neighbours is one.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let swap = if i > 0 && j > 0 && a[i - 1] == y && b[j - 1] == x {
                before_last[j - 1] + 1
            } else {
                usize::MAX
            };
            row.push((last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1).min(swap));
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_mistyped_word_finds_its_neighbour_and_nonsense_finds_none() {
        assert_eq!(nearest("prot", &["port", "send", "expect"]), Some("port"));
        assert_eq!(nearest("expct", &["port", "send", "expect"]), Some("expect"));
        assert_eq!(nearest("banana", &["port", "send", "expect"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
