//! What goes on as it was last good because it cannot be seen, though nobody took it away: files below a folder that
//! cannot be read, and files that a mistake in `include` no longer names.
//!
//! Files that are there and cannot be parsed are known only after parsing: [`Files::stand_in_for`].

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::find::{All, CONF_D, CameTo, Main, Named, covers};
use super::{Author, Document, Files, Request, as_it_was};
use crate::config::last_good::LastGood;
use crate::config::place::{FileId, Place, Source};
use crate::config::problem::Problem;
use crate::config::tree;
use crate::os::files::{self as disk, FileError};

impl Files {
    /// In place of listed files that cannot be parsed: what they were when they could.
    pub fn stand_in_for(&mut self, unreadable: &[FileId], last_good: &LastGood) {
        for file in unreadable {
            let Some(listed) = self.listed.iter().find(|listed| listed.file == *file) else { continue };
            let (path, author) = (listed.path.clone(), listed.author);
            let instead = self.stand_in(&path, author, last_good);
            if self.main == Some(*file) {
                self.main = instead.or(self.main);
            }
        }
    }

    pub fn parse_stand_ins(&self) -> Vec<Document<'_>> {
        self.parse_quietly(&self.stand_ins)
    }

    /// They were good once: nothing is said of them.
    pub fn parse_quietly(&self, files: &[(FileId, Author)]) -> Vec<Document<'_>> {
        let parse = |(file, author): &(FileId, Author)| {
            let source = self.sources.of(*file)?;
            let map = tree::parse(source, *file, &tree::Limits::default(), &mut Vec::new())?;
            Some(Document { file: *file, author: *author, map })
        };
        files.iter().filter_map(parse).collect()
    }

    fn stand_in(&mut self, path: &Path, author: Author, last_good: &LastGood) -> Option<FileId> {
        let text = last_good.file(path)?;
        let file = self.sources.add(Source::new(as_it_was(path), text));
        self.stand_ins.push((file, author));
        Some(file)
    }

    /// In place of what should be found and is not. What is not seen is said here too.
    pub(super) fn stand_in_for_unseen(
        &mut self,
        request: &Request,
        main: &Main,
        found: &All,
        last_good: Option<&LastGood>,
    ) {
        let missing = last_good.map(|last_good| self.missing(found, last_good)).unwrap_or_default();
        let mut wanted: BTreeSet<&(PathBuf, Author)> = BTreeSet::new();
        for error in &found.unseen {
            let place = disk::absolute(&error.path);
            let below: Vec<_> =
                missing.iter().filter(|(path, _)| disk::absolute(path).starts_with(&place)).collect();
            self.say_unseen(error, below.len(), request);
            wanted.extend(below);
        }
        let is_known = main.file().is_some_and(|path| last_good.is_some_and(|it| it.file(path).is_some()));
        let misnamed: Vec<_> = missing.iter().filter(|_| is_known).collect();
        wanted.extend(self.misnamed(main.folder(), &found.named, &misnamed));
        if let Some(last_good) = last_good {
            for (path, author) in wanted {
                self.stand_in(path, *author, last_good);
            }
        }
    }

    /// Files of last good that were found under no name.
    fn missing(&self, found: &All, last_good: &LastGood) -> Vec<(PathBuf, Author)> {
        let listed: BTreeSet<PathBuf> =
            self.listed.iter().map(|listed| disk::absolute(&listed.path)).collect();
        let is_found = |path: &Path| {
            listed.contains(&disk::absolute(path))
                || disk::canonical(path).is_ok_and(|real| found.seen.contains(&real))
        };
        let missing = last_good.paths().filter(|(path, _)| !is_found(path));
        missing.map(|(path, author)| (path.to_path_buf(), author)).collect()
    }

    fn say_unseen(&mut self, error: &FileError, kept: usize, request: &Request) {
        let file = self.sources.add(Source::new(error.path.display().to_string(), ""));
        let message = format!("cannot be looked into: {}", error.source);
        let remedy = match error.source.kind() {
            ErrorKind::PermissionDenied => {
                "the daemon's user must be able to enter and list it: `chgrp vigia`, `chmod g+rx`"
            }
            _ if error.source.raw_os_error() == Some(nix::libc::EMFILE) => {
                "this process has too many files open: raise `LimitNOFILE=`"
            }
            _ => "is it mounted, and does its disk answer?",
        };
        let goes_on =
            if kept == 0 { String::new() } else { format!("; until then {} as last good", go_on(kept)) };
        let is_mine = request.state_dir.as_ref().is_some_and(|state| error.path.starts_with(state));
        let is_foreign = is_mine && error.source.kind() == ErrorKind::PermissionDenied;
        // Somebody else than the daemon looks: what discovery found is not theirs to see.
        let problem = if is_foreign { Problem::warning } else { Problem::error };
        self.problems.push(problem(Place::whole(file), message).hint(format!("{remedy}{goes_on}")));
    }

    /// The files that a mistaken `include` no longer reaches. A list without a mistake is a person's decision.
    fn misnamed<'m>(
        &mut self,
        folder: &Path,
        named: &[Named],
        missing: &[&'m (PathBuf, Author)],
    ) -> Vec<&'m (PathBuf, Author)> {
        let people = || missing.iter().copied().filter(|(_, author)| *author == Author::Person);
        let below = |one: &Named| people().filter(|(path, _)| covers(folder, &one.text, path)).count();
        let mut mistakes = Vec::new();
        let mut healthy = Vec::new();
        for one in named {
            match mistake(one, below(one)) {
                Some(message) => mistakes.push((one.at, message, below(one))),
                None if one.came_to == CameTo::Unseen => {}
                None => healthy.push(one),
            }
        }
        if mistakes.is_empty() {
            return Vec::new();
        }
        let is_reached = |path: &Path| healthy.iter().any(|one| covers(folder, &one.text, path));
        let lost: Vec<_> = people().filter(|(path, _)| !is_reached(path)).collect();
        for (at, message, own) in mistakes {
            let Some(place) = at.or_else(|| self.listed.first().map(|main| Place::whole(main.file))) else {
                continue;
            };
            let remove = match at {
                Some(_) if own > 0 => "to remove what it held, take it out of `include`",
                Some(_) => "a right list alone removes what it does not name",
                None => "to remove what it held, make the folder again, or say `include: []`",
            };
            let hint = (!lost.is_empty()).then(|| format!("{} as last good; {remove}", go_on(lost.len())));
            self.problems.push(Problem::error(place, message).maybe_hint(hint));
        }
        lost
    }
}

/// `3 files of it go on`.
fn go_on(count: usize) -> String {
    if count == 1 { "1 file goes on".to_owned() } else { format!("{count} files go on") }
}

/// What is wrong with a word of `include`; `below` files of last good are what it names.
fn mistake(one: &Named, below: usize) -> Option<String> {
    match (&one.came_to, one.at) {
        (CameTo::Nothing(why), Some(_)) => Some(why.clone()),
        // A folder that empties is an unmounted one; `conf.d` empties when its last file is removed.
        (CameTo::Empty, Some(_)) if below > 0 => {
            Some(format!("`{}` holds no file any more: is it mounted?", one.text))
        }
        (CameTo::Nothing(_), None) if below > 0 => Some(format!("`{CONF_D}` is gone, and what it held")),
        (CameTo::Nothing(_) | CameTo::Empty, _) | (CameTo::Files | CameTo::Unseen, _) => None,
    }
}
