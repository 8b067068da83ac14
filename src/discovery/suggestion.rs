//! A check as discovery writes it: one tree that becomes the options of a check and the line of YAML alike, so that what
//! was tried is what is written.

use vigia_checks::options::{Entry, Mark, Value};

/// A kind of check with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub kind: &'static str,
    pub options: Vec<(&'static str, Opt)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opt {
    Text(String),
    List(Vec<String>),
    Map(Vec<(&'static str, Self)>),
}

impl Suggestion {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, options: Vec::new() }
    }

    pub(super) fn tcp(port: u16) -> Self {
        Self::new("tcp").text("port", port)
    }

    #[must_use]
    pub(super) fn text(mut self, option: &'static str, text: impl ToString) -> Self {
        self.options.push((option, Opt::Text(text.to_string())));
        self
    }

    #[must_use]
    pub(super) fn with(mut self, option: &'static str, value: Opt) -> Self {
        self.options.push((option, value));
        self
    }

    /// What stands under the kind's key, for `Kind::decode`.
    pub fn value(&self) -> Value {
        map(&self.options)
    }

    /// `{ssh: {}}`, `{tcp: 10000}`, `{http: {port: 8080, expect: [200, 403]}}`.
    pub fn yaml(&self) -> String {
        match self.options.as_slice() {
            [("port", Opt::Text(port))] if self.kind == "tcp" => format!("{{tcp: {port}}}"),
            options => format!("{{{}: {}}}", self.kind, flow(options)),
        }
    }
}

fn map(options: &[(&'static str, Opt)]) -> Value {
    let entry = |(key, value): &(&'static str, Opt)| Entry {
        key: (*key).to_owned(),
        mark: Mark::default(),
        value: match value {
            Opt::Text(text) => Value::text(text.clone(), Mark::default()),
            Opt::List(items) => Value::list(
                items.iter().map(|item| Value::text(item.clone(), Mark::default())).collect(),
                Mark::default(),
            ),
            Opt::Map(options) => map(options),
        },
    };
    Value::map(options.iter().map(entry).collect(), Mark::default())
}

fn flow(options: &[(&'static str, Opt)]) -> String {
    let inside = |(key, value): &(&'static str, Opt)| {
        let value = match value {
            Opt::Text(text) => quoted(text),
            Opt::List(items) => list(items),
            Opt::Map(options) => flow(options),
        };
        format!("{key}: {value}")
    };
    format!("{{{}}}", options.iter().map(inside).collect::<Vec<_>>().join(", "))
}

/// `[a, b]`.
pub(super) fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

/// A scalar that reads back as this text, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        && !matches!(text, "null" | "Null" | "NULL");
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => quoted.push(' '),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_used_where_they_are_exact() {
        assert_eq!(Suggestion::new("ssh").yaml(), "{ssh: {}}");
        assert_eq!(Suggestion::tcp(10_000).yaml(), "{tcp: 10000}");
        let expect = Opt::List(vec!["200".to_owned(), "403".to_owned()]);
        let web = Suggestion::new("http").text("port", 8080).with("expect", expect);
        assert_eq!(web.yaml(), "{http: {port: 8080, expect: [200, 403]}}");
        let mail =
            Suggestion::new("smtp").with("tls", Opt::Map(vec![("verify", Opt::Text("off".to_owned()))]));
        assert_eq!(mail.yaml(), "{smtp: {tls: {verify: off}}}");
    }

    #[test]
    fn what_could_be_read_otherwise_is_quoted() {
        for (text, yaml) in [
            ("web-1.example.test", "web-1.example.test"),
            ("Linux 2.6", "\"Linux 2.6\""),
            ("00:1E:C9", "\"00:1E:C9\""),
            ("null", "\"null\""),
            ("-x", "\"-x\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a\nb\u{2028}c", "\"a b c\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), yaml);
        }
    }

    #[test]
    fn every_check_that_is_written_is_one_that_runs() {
        let mysql = Suggestion::new("mysql").text("on_denied", "ok");
        let kind = vigia_checks::kind("mysql").unwrap();
        assert!(kind.decode(&mysql.value()).check.is_some());
    }
}
