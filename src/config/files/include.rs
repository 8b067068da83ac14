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

impl Include {
    /// Of a main file that cannot be parsed and never could: `conf.d` where nothing in it can be another list of files,
    /// else nothing rather than the wrong files.
    pub(super) fn guess(text: Option<&str>) -> Self {
        let is_clear = text.is_some_and(|text| !text.contains("include"));
        Self { paths: (!is_clear).then(Vec::new) }
    }
}

/// What a main file says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) include: Include,
    /// Bytes that one file may hold.
    pub(super) limit: u64,
}

/// `None`: it cannot be parsed, or its `include` is no list of texts. Either is reported when the file is read in earnest.
///
/// `kept` is the file as it was last good: where neither says any of this, a file of 5 MB is not parsed twice.
pub(super) fn of(source: &Source, file: FileId, kept: Option<&str>) -> Option<Said> {
    if !mentions(&source.text) && !kept.is_some_and(mentions) {
        return Some(Said { include: Include::default(), limit: FILE_LIMIT });
    }
    let map = tree::parse(source, file, &tree::Limits::default(), &mut Vec::new())?;
    let limit = map.get("limits").and_then(Node::map).and_then(limit);
    let include = Include { paths: paths(&map).ok()? };
    Some(Said { include, limit: limit.unwrap_or(FILE_LIMIT) })
}

fn mentions(text: &str) -> bool {
    text.contains("include") || text.contains("limits")
}

fn limit(limits: &Map<'_>) -> Option<u64> {
    Decoder::default().size(limits.get("file")?, "file")
}

fn said<'m, 's>(map: &'m Map<'s>) -> Option<&'m Node<'s>> {
    map.get("include").filter(|node| !node.is_nothing())
}

/// `Err`: what stands there is no list of texts.
fn paths(map: &Map<'_>) -> Result<Option<Vec<(String, Place)>>, ()> {
    let Some(node) = said(map) else { return Ok(None) };
    let texts = Decoder::default().texts(node, "include").ok_or(())?;
    Ok(Some(texts.into_iter().map(|(text, at)| (text.to_owned(), at)).collect()))
}
