//! Reads a map of settings: what is not said has the default that its key declares.

use crate::config::decode::{Decoder, Fields};
use crate::config::keys::{Key, Type};
use crate::config::place::{FileId, Place};
use crate::config::problem::Problem;
use crate::config::tree::{Map, Node, Text, Value};

/// A setting as it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// `web.auth.anonymous`
    pub key: String,
    /// As it would be written; secrets are stars.
    pub value: String,
    /// `None`: the default.
    pub at: Option<Place>,
    pub needs_restart: bool,
}

/// What all sections write into.
#[derive(Debug)]
pub(super) struct Reading<'d> {
    pub(super) decoder: &'d mut Decoder,
    pub(super) effective: Vec<Effective>,
}

pub(super) struct Section<'t, 's> {
    name: String,
    keys: &'static [Key],
    fields: Fields<'t, 's>,
    /// Of the map, for keys that are missing.
    at: Option<Place>,
}

const NOWHERE: Place = Place { file: FileId(u32::MAX), line: 0, column: 0, len: 0 };

impl<'t, 's> Section<'t, 's> {
    /// `node` is the map of this section, where there is one.
    pub(super) fn open(
        name: &str,
        keys: &'static [Key],
        node: Option<&'t Node<'s>>,
        reading: &mut Reading<'_>,
    ) -> Self {
        let map: Option<&'t Map<'s>> = match node.map(|node| (node, &node.value)) {
            None | Some((_, Value::Null(_))) => None,
            Some((_, Value::Map(map))) => Some(map),
            Some((node, _)) => reading.decoder.wants(node, name, "a map"),
        };
        let fields = map.map(|map| reading.decoder.fields(map, keys, |_| false)).unwrap_or_default();
        Self { name: name.to_owned(), keys, fields, at: node.map(|node| node.at) }
    }

    /// A section inside this one.
    pub(super) fn section(&self, key: &str, reading: &mut Reading<'_>) -> Self {
        let keys = match self.key(key).holds {
            Type::Map(keys) | Type::OffOr(keys) => keys,
            _ => &[],
        };
        Section::open(&self.path(key), keys, self.fields.get(key), reading)
    }

    /// The same where `off` may stand instead of the map; nothing for `off`, the default.
    pub(super) fn section_or_off(&self, key: &str, reading: &mut Reading<'_>) -> Option<Self> {
        match self.fields.get(key) {
            Some(node)
                if node.text().is_none_or(|text| crate::config::decode::switch(text) != Some(false)) =>
            {
                reading.record(self.path(key), "on".to_owned(), Some(node.at), self.key(key));
                Some(self.section(key, reading))
            }
            Some(_) | None => {
                let at = self.fields.get(key).map(|node| node.at);
                reading.record(self.path(key), "off".to_owned(), at, self.key(key));
                None
            }
        }
    }

    /// The value said, or the default of the key.
    ///
    /// # Panics
    /// When the table declares no default that can be read; a test reads them all.
    pub(super) fn get<T>(
        &self,
        key: &str,
        reading: &mut Reading<'_>,
        read: impl Fn(&mut Decoder, &Node<'_>, &str) -> Option<T>,
    ) -> T {
        if let Some(value) = self.find(key, reading, &read) {
            return value;
        }
        let declared = self.key(key);
        if self.fields.get(key).is_none() {
            reading.record(self.path(key), declared.default.to_owned(), None, declared);
        }
        let text = Text { text: declared.default.into(), is_quoted: false };
        let node = Node { value: Value::Text(text), at: NOWHERE };
        read(&mut Decoder::default(), &node, key).expect("declared defaults can be read")
    }

    /// The value said; nothing where it is not said or wrong.
    pub(super) fn find<T>(
        &self,
        key: &str,
        reading: &mut Reading<'_>,
        read: impl Fn(&mut Decoder, &Node<'_>, &str) -> Option<T>,
    ) -> Option<T> {
        let node = self.fields.get(key)?;
        let declared = self.key(key);
        let value = if matches!(declared.holds, Type::Secret) { "***".to_owned() } else { shown(node) };
        reading.record(self.path(key), value, Some(node.at), declared);
        read(reading.decoder, node, key)
    }

    /// The value said; that it is missing is an error.
    pub(super) fn demand<T>(
        &self,
        key: &str,
        reading: &mut Reading<'_>,
        read: impl Fn(&mut Decoder, &Node<'_>, &str) -> Option<T>,
    ) -> Option<T> {
        if self.fields.get(key).is_none() {
            let message = format!("`{}` wants `{key}`", self.name);
            return reading.decoder.refuse(Problem::error(self.at.unwrap_or(NOWHERE), message));
        }
        self.find(key, reading, read)
    }

    pub(super) fn node(&self, key: &str) -> Option<&'t Node<'s>> {
        self.fields.get(key)
    }

    fn key(&self, key: &str) -> &'static Key {
        let found = self.keys.iter().find(|known| known.name == key);
        found.expect("keys are asked for by names of their table; a test asks for all")
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}

impl Reading<'_> {
    pub(super) fn record(&mut self, key: String, value: String, at: Option<Place>, declared: &Key) {
        self.effective.push(Effective { key, value, at, needs_restart: declared.needs_restart });
    }
}

/// A node on one line, as it could be written. Nodes with secrets in them never reach this.
fn shown(node: &Node<'_>) -> String {
    match &node.value {
        Value::Null(_) | Value::Broken => "null".to_owned(),
        Value::Text(text) => text.text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entries = map.iter().map(|entry| format!("{}: {}", entry.key.text, shown(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
