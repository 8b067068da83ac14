//! What the main file says about the other files: `include`, and how large they may be.

use super::FILE_LIMIT;
use crate::config::decode::Decoder;
use crate::config::place::{FileId, Place, Source};
use crate::config::tree::{self, Map, Node};

/// Paths and globs to load, relative to the main file, each with its place.
#[derive(Debug, Default)]
pub(super) struct Include {
    /// `None`: `conf.d`, which may be missing.
    pub(super) paths: Option<Vec<(String, Place)>>,
}

/// Mistakes in these keys are reported with all others, when the file is read in earnest.
pub(super) fn of(source: &Source, file: FileId) -> (Include, u64) {
    let default = (Include::default(), FILE_LIMIT);
    // A file of 5 MB that says neither is not parsed twice.
    if !source.text.contains("include") && !source.text.contains("limits") {
        return default;
    }
    let Some(map) = tree::parse(source, file, &tree::Limits::default(), &mut Vec::new()) else {
        return default;
    };
    let limit = map.get("limits").and_then(Node::map).and_then(limit);
    (Include { paths: paths(&map) }, limit.unwrap_or(FILE_LIMIT))
}

fn limit(limits: &Map<'_>) -> Option<u64> {
    Decoder::default().size(limits.get("file")?, "file")
}

fn paths(map: &Map<'_>) -> Option<Vec<(String, Place)>> {
    let node = map.get("include").filter(|node| node.text().is_some() || node.list().is_some())?;
    let texts = Decoder::default().texts(node, "include")?;
    Some(texts.into_iter().map(|(text, at)| (text.to_owned(), at)).collect())
}
