//! Whether a load may stand as it is, or must begin again with more of what was last good.
//!
//! What a mistake has made invisible cannot be told object by object: in a section that is misspelt, or behind a name that
//! cannot be read, nobody knows which objects were meant. Such a file goes on whole, as one that cannot be parsed does.

use std::collections::BTreeSet;

use vigia_core::model::grammar::check_name;
use vigia_core::model::range::RangedName;

use super::is_section;
use crate::config::files::{Author, Document, Files};
use crate::config::last_good::LastGood;
use crate::config::place::{FileId, Place, Source};
use crate::config::problem::Problem;
use crate::config::settings;

/// What earlier rounds of one load have found.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Files that others stand in for. Their mistakes are told; nothing they say takes effect.
    replaced: BTreeSet<FileId>,
    pub(super) whole: Whole,
    /// The main file as it is, whatever stands in for it.
    pub(super) main: Option<FileId>,
}

/// Whether everything goes on as it was, since else nothing would.
#[derive(Debug, Default)]
pub(super) enum Whole {
    #[default]
    Unasked,
    Kept(Vec<(FileId, Author)>),
    /// Nothing would be gained by it.
    Useless,
}

/// Why a load begins again.
#[derive(Debug)]
pub(super) enum Again {
    /// What these files were is known; what they are is not.
    Without(Vec<FileId>),
    /// No host would be left.
    Whole,
    /// No host was there before either.
    AsItIs,
}

impl Round {
    pub(super) fn new(main: Option<FileId>) -> Self {
        Self { main, ..Self::default() }
    }

    pub(super) fn is_replaced(&self, file: FileId) -> bool {
        self.replaced.contains(&file)
    }

    pub(super) fn begin_again(&mut self, why: Again, files: &mut Files, last_good: &LastGood) {
        match why {
            Again::Without(mistaken) => {
                files.stand_in_for(&mistaken, last_good);
                self.replaced.extend(mistaken);
            }
            Again::Whole => {
                let kept = last_good.kept().into_iter();
                let add = |(author, source): (Author, Source)| {
                    let path = format!("{}{}", source.path, crate::config::files::AS_IT_WAS);
                    (files.sources.add(Source { path, ..source }), author)
                };
                self.whole = Whole::Kept(kept.map(add).collect());
            }
            Again::AsItIs => self.whole = Whole::Useless,
        }
    }

    /// Files that cannot be parsed, of which it is known what they were.
    pub(super) fn unreadable(
        &self,
        files: &Files,
        unreadable: &[FileId],
        last_good: &LastGood,
    ) -> Vec<FileId> {
        let unreadable = unreadable.iter().copied().filter(|file| !self.is_replaced(*file));
        unreadable.filter(|file| was(files, *file, last_good).is_some()).collect()
    }

    /// Files that can be parsed and hide what they define, of which it is known what they were.
    pub(super) fn hiding(
        &self,
        files: &Files,
        documents: &[Document<'_>],
        last_good: &LastGood,
    ) -> Vec<FileId> {
        let hides = |document: &&Document<'_>| {
            let now = files.sources.of(document.file);
            !self.is_replaced(document.file)
                && hides_objects(document)
                // The same mistake was there when it was kept: there is nothing better.
                && was(files, document.file, last_good)
                    .is_some_and(|was| now.is_some_and(|now| now.text != was))
        };
        documents.iter().filter(hides).map(|document| document.file).collect()
    }
}

fn was(files: &Files, file: FileId, last_good: &LastGood) -> Option<String> {
    let listed = files.listed.iter().find(|listed| listed.file == file)?;
    last_good.file(&listed.path)
}

/// Something at the top of the file, or the name of an object, is not what it should be.
fn hides_objects(document: &Document<'_>) -> bool {
    document.map.iter().any(|section| {
        let key = &*section.key.text;
        if !is_section(key) {
            return key != "include" && !settings::is_section(key);
        }
        let value = &section.value;
        let Some(objects) = value.map() else { return !value.is_nothing() && !value.is_cancelled() };
        key != "defaults" && objects.iter().any(|object| !is_name(key, &object.key.text))
    })
}

fn is_name(section: &str, name: &str) -> bool {
    if section == "hosts" {
        return RangedName::parse(name).and_then(|ranged| ranged.names().map(drop)).is_ok();
    }
    check_name(name).is_ok()
}

/// Said of the main file, or of nothing where a folder has none.
pub(super) fn nobody_left(files: &Files) -> Problem {
    let at = files.listed.first().map_or_else(Place::nowhere, |first| Place::whole(first.file));
    Problem::error(at, "no host is left in the configuration: everything goes on as it was last good").hint(
        "is a folder not mounted, or a file empty? If nothing is to be watched any more: `vigia reload --accept-empty`, \
         or `vigia serve --accept-empty` for a start",
    )
}
