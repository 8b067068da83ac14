//! Effective values: what each object comes to after inheritance, where each value was said, and how two
//! configurations differ in them. Texts only; whoever resolves a configuration fills them in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// An object with its values in the order of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveObject {
    /// The key it stands under: `hosts`, `services`, `contacts`, …
    pub section: &'static str,
    /// `web1`, `web1/HTTP`, `ana`.
    pub name: String,
    pub values: Vec<EffectiveValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveValue {
    pub key: String,
    /// As YAML on one line; secrets are stars.
    pub value: String,
    /// Tells secrets apart that are all shown as stars; 0 where nothing is hidden.
    pub hidden: u64,
    pub origin: Option<Origin>,
}

/// Where a value was said. A value without one is built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `conf.d/web.yaml:12:25`
    pub at: String,
    /// `template web-server`; nothing where the object says it itself.
    pub through: Option<String>,
}

impl EffectiveValue {
    fn origin_in_words(&self) -> String {
        match &self.origin {
            None => "built in".to_owned(),
            Some(Origin { at, through: None }) => at.clone(),
            Some(Origin { at, through: Some(through) }) => format!("{at}, {through}"),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "key": self.key,
            "value": self.value,
            "at": self.origin.as_ref().map(|origin| &origin.at),
            "through": self.origin.as_ref().and_then(|origin| origin.through.as_ref()),
        })
    }
}

/// A host with its services, or one service, in the long form that a file could hold.
pub fn yaml(objects: &[EffectiveObject], with_origin: bool) -> String {
    let mut out = String::new();
    for object in objects {
        let (host, service) = match object.name.split_once('/') {
            Some((host, service)) if object.section == "services" => (host, Some(service)),
            Some(_) | None => (object.name.as_str(), None),
        };
        let indent = match service {
            None => {
                write!(out, "{}:\n  {}:\n", object.section, quoted(host)).expect("a String takes all");
                4
            }
            Some(service) => {
                if out.is_empty() {
                    write!(out, "hosts:\n  {}:\n", quoted(host)).expect("a String takes all");
                }
                if !out.contains("\n    services:\n") {
                    out.push_str("    services:\n");
                }
                writeln!(out, "      {}:", quoted(service)).expect("a String takes all");
                8
            }
        };
        lines(&mut out, &object.values, indent, with_origin);
    }
    out
}

fn lines(out: &mut String, values: &[EffectiveValue], indent: usize, with_origin: bool) {
    let written: Vec<String> =
        values.iter().map(|value| format!("{:indent$}{}: {}", "", value.key, value.value)).collect();
    let width =
        written.iter().map(|line| line.chars().count()).filter(|width| *width <= 72).max().unwrap_or(0);
    for (line, value) in written.iter().zip(values) {
        match with_origin {
            true => writeln!(out, "{line:width$}  # {}", value.origin_in_words()),
            false => writeln!(out, "{line}"),
        }
        .expect("a String takes all");
    }
}

/// A key as YAML needs it.
pub fn quoted(text: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '@' | '+' | '%' | ' ');
    let begins_plain = text.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '/'));
    let ends_plain = !text.ends_with(' ');
    if begins_plain && ends_plain && text.chars().all(is_plain) && !matches!(text, "null" | "~") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes all"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub fn to_json(objects: &[EffectiveObject]) -> Value {
    let one = |object: &EffectiveObject| {
        json!({
            "section": object.section,
            "name": object.name,
            "values": object.values.iter().map(EffectiveValue::to_json).collect::<Vec<_>>(),
        })
    };
    Value::Array(objects.iter().map(one).collect())
}

/// How one configuration differs from another in what takes effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<(&'static str, String)>,
    pub removed: Vec<(&'static str, String)>,
    pub changed: Vec<Changed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub section: &'static str,
    pub name: String,
    /// Key, before, after; nothing where the key was not, or is no longer, in effect.
    pub values: Vec<(String, Option<String>, Option<String>)>,
}

impl Difference {
    /// Compares by section and name.
    pub fn between(before: &[EffectiveObject], after: &[EffectiveObject]) -> Self {
        let (before, after) = (index(before), index(after));
        let mut difference = Self::default();
        for (key, object) in &after {
            match before.get(key) {
                None => difference.added.push((key.0, key.1.to_owned())),
                Some(old) => difference.changed.extend(changed(old, object)),
            }
        }
        let removed = before.keys().filter(|key| !after.contains_key(*key));
        difference.removed = removed.map(|key| (key.0, key.1.to_owned())).collect();
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for (section, name) in &self.removed {
            writeln!(out, "- {} {name}", singular(section)).expect("a String takes all");
        }
        for (section, name) in &self.added {
            writeln!(out, "+ {} {name}", singular(section)).expect("a String takes all");
        }
        for object in &self.changed {
            writeln!(out, "~ {} {}", singular(object.section), object.name).expect("a String takes all");
            for (key, before, after) in &object.values {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
                let secret = if before == after { " (a secret changed)" } else { "" };
                writeln!(out, "    {key}: {} → {}{secret}", shown(before), shown(after))
                    .expect("a String takes all");
            }
        }
        let (added, removed, changed) = (self.added.len(), self.removed.len(), self.changed.len());
        writeln!(out, "{added} added, {removed} removed, {changed} changed").expect("a String takes all");
        out
    }

    pub fn to_json(&self) -> Value {
        let names = |list: &[(&'static str, String)]| -> Vec<Value> {
            list.iter().map(|(section, name)| json!({"section": section, "name": name})).collect()
        };
        let values = |object: &Changed| -> Vec<Value> {
            let values = object.values.iter();
            values.map(|(key, before, after)| json!({"key": key, "before": before, "after": after})).collect()
        };
        let changed = self
            .changed
            .iter()
            .map(|object| json!({"section": object.section, "name": object.name, "values": values(object)}));
        json!({
            "added": names(&self.added),
            "removed": names(&self.removed),
            "changed": changed.collect::<Vec<_>>(),
        })
    }
}

fn index(objects: &[EffectiveObject]) -> BTreeMap<(&'static str, &str), &EffectiveObject> {
    objects.iter().map(|object| ((object.section, object.name.as_str()), object)).collect()
}

fn changed(before: &EffectiveObject, after: &EffectiveObject) -> Option<Changed> {
    let find = |object: &EffectiveObject, key: &str| {
        object.values.iter().find(|value| value.key == key).map(|value| (value.value.clone(), value.hidden))
    };
    let mut values = Vec::new();
    for value in &after.values {
        let old = find(before, &value.key);
        if old.as_ref().is_none_or(|(text, hidden)| *text != value.value || *hidden != value.hidden) {
            values.push((value.key.clone(), old.map(|(text, _)| text), Some(value.value.clone())));
        }
    }
    for value in before.values.iter().filter(|value| find(after, &value.key).is_none()) {
        values.push((value.key.clone(), Some(value.value.clone()), None));
    }
    (!values.is_empty()).then(|| Changed { section: after.section, name: after.name.clone(), values })
}

fn singular(section: &str) -> &str {
    section.strip_suffix('s').unwrap_or(section)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn object(section: &'static str, name: &str, values: &[(&str, &str, Option<&str>)]) -> EffectiveObject {
        let value = |(key, value, at): &(&str, &str, Option<&str>)| EffectiveValue {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            hidden: 0,
            origin: at.map(|at| Origin { at: at.to_owned(), through: Some("template t".to_owned()) }),
        };
        EffectiveObject { section, name: name.to_owned(), values: values.iter().map(value).collect() }
    }

    fn web1(interval: &str) -> Vec<EffectiveObject> {
        vec![
            object(
                "hosts",
                "web1",
                &[("address", "192.0.2.1", Some("a.yaml:3:5")), ("check_interval", "1m", None)],
            ),
            object(
                "services",
                "web1/HTTP",
                &[("http", "{path: /}", None), ("check_interval", interval, None)],
            ),
            object("services", "web1/a: b", &[("tcp", "{port: 22}", None)]),
        ]
    }

    #[test]
    fn the_long_form_tells_where_each_value_was_said() {
        assert_snapshot!(yaml(&web1("5m"), true), @r#"
        hosts:
          web1:
            address: 192.0.2.1  # a.yaml:3:5, template t
            check_interval: 1m  # built in
            services:
              HTTP:
                http: {path: /}     # built in
                check_interval: 5m  # built in
              "a: b":
                tcp: {port: 22}  # built in
        "#);
        assert_snapshot!(yaml(&web1("5m")[1..2], false), @r"
        hosts:
          web1:
            services:
              HTTP:
                http: {path: /}
                check_interval: 5m
        ");
    }

    #[test]
    fn a_difference_shows_each_value_before_and_after() {
        let mut after = web1("1m");
        after.pop();
        after[0].values.pop();
        after.push(object("contacts", "ana", &[]));
        let difference = Difference::between(&web1("5m"), &after);
        assert_snapshot!(difference.text(), @r"
        - service web1/a: b
        + contact ana
        ~ host web1
            check_interval: 1m → –
        ~ service web1/HTTP
            check_interval: 5m → 1m
        1 added, 1 removed, 2 changed
        ");
        assert!(Difference::between(&after, &after).is_empty());
        assert_eq!(difference.to_json()["changed"][1]["values"][0]["before"], "5m");
    }
}
