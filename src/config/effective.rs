//! Effective values: what each object comes to after inheritance, where each value was said, and how two
//! configurations differ in them. Texts only; whoever resolves a configuration fills them in.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Section, old name, new name: `was` carries state and history along. A host's services are not named again.
    pub renamed: Vec<(&'static str, String, String)>,
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
    /// Compares by section and name, and by the former names that `was` says.
    pub fn between(before: &[EffectiveObject], after: &[EffectiveObject]) -> Self {
        let (before, after) = (index(before), index(after));
        let mut difference = Self::default();
        let mut gone: BTreeSet<_> = before.keys().filter(|key| !after.contains_key(*key)).copied().collect();
        for (key, object) in &after {
            let names = formerly(object, &after);
            let mut former = names.iter().filter_map(|name| before.get(&(key.0, name.as_str())).copied());
            let former = former.find(|old| gone.contains(&(old.section, old.name.as_str())));
            match (before.get(key), former) {
                (Some(old), _) => difference.changed.extend(changed(old, object)),
                (None, Some(old)) => {
                    gone.remove(&(old.section, old.name.as_str()));
                    difference.changed.extend(changed(old, object));
                    // Of a service the host alone may have another name, and that was said already.
                    if key.0 != "services" || service_of(&old.name) != service_of(key.1) {
                        difference.renamed.push((key.0, old.name.clone(), key.1.to_owned()));
                    }
                }
                (None, None) => difference.added.push((key.0, key.1.to_owned())),
            }
        }
        difference.removed = gone.into_iter().map(|(section, name)| (section, name.to_owned())).collect();
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.renamed.is_empty() && self.changed.is_empty()
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for (section, name) in &self.removed {
            writeln!(out, "- {} {name}", singular(section)).expect("a String takes all");
        }
        for (section, name) in &self.added {
            writeln!(out, "+ {} {name}", singular(section)).expect("a String takes all");
        }
        for (section, old, new) in &self.renamed {
            writeln!(out, "> {} {old} is now {new}", singular(section)).expect("a String takes all");
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
        let renamed = match self.renamed.len() {
            0 => String::new(),
            renamed => format!(", {renamed} renamed"),
        };
        writeln!(out, "{added} added, {removed} removed, {changed} changed{renamed}")
            .expect("a String takes all");
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
            "renamed": self
                .renamed
                .iter()
                .map(|(section, old, new)| json!({"section": section, "before": old, "after": new}))
                .collect::<Vec<_>>(),
            "changed": changed.collect::<Vec<_>>(),
        })
    }
}

/// Names that an object may have had before, as `was` of it and of its host say.
fn formerly(object: &EffectiveObject, all: &BTreeMap<(&'static str, &str), &EffectiveObject>) -> Vec<String> {
    let was = was(object);
    let Some((host, service)) = object.name.split_once('/').filter(|_| object.section == "services") else {
        return was;
    };
    let hosts = all.get(&("hosts", host)).map(|host| self::was(host)).unwrap_or_default();
    let services: Vec<&str> = was.iter().map(String::as_str).chain([service]).collect();
    let hosts = [host.to_owned()].into_iter().chain(hosts);
    hosts
        .flat_map(|host| services.iter().map(move |service| format!("{host}/{service}")).collect::<Vec<_>>())
        .collect()
}

fn was(object: &EffectiveObject) -> Vec<String> {
    let said = object.values.iter().find(|value| value.key == "was").map_or("", |value| value.value.as_str());
    let names = said.trim_start_matches('[').trim_end_matches(']').split(", ");
    names.map(|name| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

fn service_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, service)| service)
}

fn index(objects: &[EffectiveObject]) -> BTreeMap<(&'static str, &str), &EffectiveObject> {
    objects.iter().map(|object| ((object.section, object.name.as_str()), object)).collect()
}

fn changed(before: &EffectiveObject, after: &EffectiveObject) -> Option<Changed> {
    let find = |object: &EffectiveObject, key: &str| {
        object.values.iter().find(|value| value.key == key).map(|value| (value.value.clone(), value.hidden))
    };
    let mut values = Vec::new();
    // It says what is told as a renaming, and changes nothing by itself.
    for value in after.values.iter().filter(|value| value.key != "was") {
        let old = find(before, &value.key);
        if old.as_ref().is_none_or(|(text, hidden)| *text != value.value || *hidden != value.hidden) {
            values.push((value.key.clone(), old.map(|(text, _)| text), Some(value.value.clone())));
        }
    }
    for value in before.values.iter().filter(|value| value.key != "was" && find(after, &value.key).is_none())
    {
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
    fn what_says_its_former_name_is_renamed_with_its_services() {
        let mut after = web1("5m");
        after[0].name = "shop".to_owned();
        after[0].values.extend(object("hosts", "", &[("was", "[old, web1]", None)]).values);
        after[1].name = "shop/HTTPS".to_owned();
        after[1].values.extend(object("services", "", &[("was", "HTTP", None)]).values);
        after[2].name = "shop/a: b".to_owned();
        assert_snapshot!(Difference::between(&web1("5m"), &after).text(), @r"
        > host web1 is now shop
        > service web1/HTTP is now shop/HTTPS
        0 added, 0 removed, 0 changed, 2 renamed
        ");
        // One that is still there was not renamed.
        let mut both = web1("5m");
        both.extend(after);
        let difference = Difference::between(&web1("5m"), &both);
        assert_eq!((difference.added.len(), difference.renamed.len()), (3, 0));
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
