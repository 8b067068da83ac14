//! What a backup says of itself: the last file in it, so that one that was cut off has none.

use serde_json::{Value, json};
use vigia_core::model::time::Timestamp;

use crate::store::backup::Census;

/// Its name in the archive.
pub(super) const NAME: &str = "MANIFEST.json";

/// What this program writes; it reads all up to it.
const FORMAT: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Of the vigia that made it.
    pub version: String,
    /// Of the state in it.
    pub taken: Timestamp,
    /// The machine's name.
    pub machine: String,
    pub census: Census,
    pub files: Vec<Listed>,
    /// Files of the configuration that are not in it, and why.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In the archive.
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

impl Manifest {
    pub(super) fn text(&self) -> String {
        let files = self
            .files
            .iter()
            .map(|file| json!({"name": file.name, "size": file.size, "sha256": file.sha256}));
        let counts: serde_json::Map<String, Value> =
            self.census.counts().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
        let manifest = json!({
            "format": FORMAT,
            "vigia": self.version,
            "taken": self.taken.to_jiff().to_string(),
            "machine": self.machine,
            "schema": self.census.schema,
            "counts": counts,
            "files": files.collect::<Vec<Value>>(),
            "left_out": self.left_out,
        });
        format!("{manifest:#}\n")
    }

    /// Reads what [`Self::text`] wrote; the error is for people.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(text).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        let format = value.get("format").and_then(Value::as_u64);
        if format.is_none_or(|format| format > FORMAT) {
            return Err("its form is of a newer vigia".to_owned());
        }
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| value.get("counts")?.get(key)?.as_u64();
        let list = |key: &str| value.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let listed = |file: &Value| {
            Some(Listed {
                name: text(file, "name")?,
                size: file.get("size")?.as_u64()?,
                sha256: text(file, "sha256")?,
            })
        };
        let whole = || {
            let taken: jiff::Timestamp = text(&value, "taken")?.parse().ok()?;
            Some(Self {
                version: text(&value, "vigia")?,
                taken: Timestamp::from_micros(taken.as_microsecond()),
                machine: text(&value, "machine")?,
                census: Census {
                    schema: value.get("schema")?.as_i64()?,
                    objects: number("objects")?,
                    events: number("events")?,
                    alarms: number("alarms")?,
                    tickets: number("tickets")?,
                    users: number("users")?,
                },
                files: list("files").iter().map(listed).collect::<Option<_>>()?,
                left_out: list("left_out").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            })
        };
        whole().ok_or_else(|| "its manifest lacks something".to_owned())
    }
}
