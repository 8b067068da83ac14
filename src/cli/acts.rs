//! What commands that do something share: the objects they are about, and how the outcome is told.

use serde_json::{Value, json};
use vigia_core::model::id::ObjectKey;

use super::table::{clean, number, text};
use super::{Answer, Common, Console, Exit, Failure, Format};

/// The objects an act is about.
#[derive(Debug, clap::Args)]
pub(super) struct Objects {
    /// `HOST` or `HOST/SERVICE`; several with spaces between
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
}

impl Objects {
    pub(super) fn of(objects: Vec<String>) -> Self {
        Self { objects }
    }

    /// `fields` and whom they are about, as the API wants it.
    pub(super) fn body(&self, fields: Value) -> Value {
        let objects: Vec<Value> = self.objects.iter().map(|name| named(name)).collect();
        let mut body = fields;
        match (objects.as_slice(), &mut body) {
            ([Value::Object(only)], Value::Object(fields)) => fields.extend(only.clone()),
            (_, Value::Object(fields)) => {
                fields.insert("objects".to_owned(), objects.into());
            }
            (_, _) => {}
        }
        body
    }
}

impl Objects {
    /// Says that names are wanted, where somebody wrote a pattern as after `vigia status`.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let is_pattern = |name: &String| name.contains(['*', '?']);
        match self.objects.iter().find(|name| is_pattern(name)) {
            Some(name) if failure.hint.is_none() => failure.hint(format!(
                "patterns are not taken here: name each object; `vigia status '{}'` lists them",
                clean(name)
            )),
            Some(_) | None => failure,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        self.objects.iter().map(|name| ObjectKey::parse(name))
    }
}

/// `HOST` or `HOST/SERVICE` as the API writes it.
pub(super) fn named(name: &str) -> Value {
    let key = ObjectKey::parse(name);
    match &key.service {
        Some(service) => json!({"host": *key.host, "service": **service}),
        None => json!({"host": *key.host}),
    }
}

/// Tells what was done, and what was refused of several.
pub(super) fn done(common: &Common, console: &mut Console, answer: &Value) -> Answer {
    let refused = answer.get("refused").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let exit = if refused.is_empty() { Exit::DONE } else { Exit::REFUSED };
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(exit);
    }
    let message = clean(text(answer, "message"));
    if !message.is_empty() {
        writeln!(console.out, "{message}")?;
    }
    for item in refused {
        let (host, service) = (text(item, "host"), text(item, "service"));
        let slash = if service.is_empty() { "" } else { "/" };
        let why = clean(text(item, "error"));
        writeln!(console.err, "vigia: {}: {why}", clean(&format!("{host}{slash}{service}")))?;
    }
    Ok(exit)
}

/// How many are not shown.
pub(super) fn tell_more(console: &mut Console, answer: &Value, shown: usize) -> std::io::Result<()> {
    let more = number(answer, "total") - i64::try_from(shown).unwrap_or(i64::MAX);
    if more > 0 { writeln!(console.out, "… and {more} more (--limit)") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_told_that_names_are_wanted() {
        let refused = |name: &str| {
            let objects = Objects { objects: vec![name.to_owned()] };
            objects.explain(Failure::new(Exit::REFUSED, "there is no host or service")).hint
        };
        assert!(refused("web1/*").is_some_and(|hint| hint.contains("`vigia status 'web1/*'`")));
        assert_eq!(refused("web1/SSH"), None);
    }

    #[test]
    fn one_object_stands_alone_and_several_in_a_list() {
        let objects =
            |names: &[&str]| Objects { objects: names.iter().map(|name| (*name).to_owned()).collect() };
        let one = objects(&["web01/disk /var"]).body(json!({"comment": "x"}));
        assert_eq!(one, json!({"comment": "x", "host": "web01", "service": "disk /var"}));
        let two = objects(&["web01", "web02/SSH"]).body(json!({}));
        let listed = json!([{"host": "web01"}, {"host": "web02", "service": "SSH"}]);
        assert_eq!(two, json!({ "objects": listed }));
    }
}
