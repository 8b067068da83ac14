//! Which files make up the configuration, and reading them, several at a time.
//!
//! What a file means is not known here, but for `include`, which says where the others are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::last_good::LastGood;
use super::place::{FileId, Place, Source, Sources};
use super::problem::Problem;
use super::tree::{self, Map};
use crate::os::files as disk;

mod find;
mod include;
mod stand_in;

pub use find::{Found, find, is_left_over, is_loaded};

/// What is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `-c`: a file, or a folder.
    pub config: PathBuf,
    /// Where `discovered/*.yaml` lies; `None` for configurations that are looked at without a daemon's state.
    pub state_dir: Option<PathBuf>,
    /// That no host is left is meant; else it is taken for an accident, and everything goes on as it was.
    pub accept_empty: bool,
}

impl Request {
    /// One that takes an empty configuration for an accident.
    pub fn new(config: &Path, state_dir: Option<&Path>) -> Self {
        let (config, state_dir) = (config.to_path_buf(), state_dir.map(Path::to_path_buf));
        Self { config, state_dir, accept_empty: false }
    }

    /// What ran last on this state.
    pub fn last_good(&self) -> Option<LastGood> {
        self.state_dir.as_deref().map(LastGood::at)
    }
}

/// Without these there is no configuration at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Read(#[from] disk::FileError),
    #[error("there is no configuration at {}", path.display())]
    Missing { path: PathBuf },
    #[error("no *.yaml files below {}", dir.display())]
    Empty { dir: PathBuf },
}

/// Whether there is a main file, or a folder with files in it, at all.
///
/// # Errors
/// When there is none.
pub fn look_for_main(config: &Path) -> Result<(), LoadError> {
    find::main(config).map(drop)
}

/// How strong a file's word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    Person,
    /// Below `STATE/discovered`: gives way to whatever a person wrote.
    Discovery,
}

/// One file of the configuration.
#[derive(Clone, Debug)]
pub struct Listed {
    pub file: FileId,
    pub path: PathBuf,
    pub author: Author,
    /// Of its content; equal means unchanged. `None`: it could not be read.
    pub hash: Option<u64>,
}

/// Every file, read and not yet parsed.
#[derive(Debug, Default)]
pub struct Files {
    pub sources: Sources,
    /// The main file, or what stands in for it; none where a folder has none.
    pub main: Option<FileId>,
    /// The main file as it was last good, where its `include` is taken from there: it stays what is remembered.
    pub main_as_it_was: Option<FileId>,
    /// The main file first, the others in byte order of their paths, discovered ones last.
    pub listed: Vec<Listed>,
    pub problems: Vec<Problem>,
    /// Files that are not there to be read though nobody took them out, as they were last good.
    pub stand_ins: Vec<(FileId, Author)>,
}

/// One file that could be parsed.
#[derive(Debug)]
pub struct Document<'s> {
    pub file: FileId,
    pub author: Author,
    pub map: Map<'s>,
}

/// What came of parsing all files.
#[derive(Debug, Default)]
pub struct Parsed<'s> {
    pub documents: Vec<Document<'s>>,
    /// Files of which nothing is known: what they defined before goes on.
    pub unreadable: Vec<FileId>,
    pub problems: Vec<Problem>,
}

/// Refused beyond this, unless `limits: {file: …}` of the main file says otherwise.
pub const FILE_LIMIT: u64 = 256 << 20;

impl Files {
    /// Finds and reads everything. Files that cannot be read become problems; without the main file, as it is or as it
    /// was last good, there is nothing to load.
    pub fn read(request: &Request) -> Result<Self, LoadError> {
        let last_good = request.last_good();
        let main = find::main(&request.config)?;
        let mut files = Self::default();
        let mut said = include::Said { include: include::Include::default(), limit: FILE_LIMIT };
        if let Some(path) = main.file() {
            said = files.take_main(path, last_good.as_ref())?;
        }
        let found = find::all(request, &main, &said.include);
        for (path, author) in &found.rest {
            let bytes = disk::read(path, said.limit);
            files.take(path, *author, bytes);
        }
        files.warn_of_left_overs(&found.left_overs);
        files.stand_in_for_unseen(request, &main, &found, last_good.as_ref());
        Ok(files)
    }

    /// Reads the main file, and what it says of the others: as it is, or as it was last good.
    fn take_main(&mut self, path: &Path, last_good: Option<&LastGood>) -> Result<include::Said, LoadError> {
        let kept = last_good.and_then(|last_good| last_good.file(path));
        let bytes = match disk::read(path, FILE_LIMIT) {
            Err(error) if kept.is_none() => return Err(error.into()),
            read => read,
        };
        let file = self.take(path, Author::Person, bytes);
        self.main = Some(file);
        let is_text = self.listed.last().is_some_and(|main| main.hash.is_some());
        let source = self.sources.of(file).filter(|_| is_text);
        if let Some(said) = source.and_then(|source| include::of(source, file, kept.as_deref())) {
            return Ok(said);
        }
        let include = include::Include::guess(source.map(|source| source.text.as_str()));
        if let Some(text) = kept {
            let file = self.sources.add(Source::new(as_it_was(path), text.clone()));
            self.main_as_it_was = Some(file);
            let said = self.sources.of(file).and_then(|source| include::of(source, file, Some(&text)));
            return Ok(said.unwrap_or(include::Said { include, limit: FILE_LIMIT }));
        }
        if include.paths.is_some() {
            let message = "what `include` names is not looked at until this file can be parsed";
            self.problems.push(Problem::warning(Place::whole(file), message));
        }
        Ok(include::Said { include, limit: FILE_LIMIT })
    }

    /// Puts a file into the list, as one with a problem where it is no text.
    fn take(&mut self, path: &Path, author: Author, bytes: Result<Vec<u8>, disk::FileError>) -> FileId {
        let shown = path.to_string_lossy().into_owned();
        let hash = bytes.as_ref().ok().map(|bytes| hash(bytes));
        let text = bytes.map_err(|error| unreadable(&error)).and_then(text);
        let (source, problem) = match text {
            Ok(text) => (Source::new(shown, text), None),
            Err(wrong) => (Source::new(shown, String::new()), Some(wrong)),
        };
        let file = self.sources.add(source);
        let hash = if problem.is_some() { None } else { hash };
        if let Some(wrong) = problem {
            let at = Place { line: wrong.line, column: wrong.column, ..Place::whole(file) };
            self.problems.push(Problem::error(at, wrong.message).hint(wrong.hint));
        }
        self.listed.push(Listed { file, path: path.to_path_buf(), author, hash });
        file
    }

    fn warn_of_left_overs(&mut self, left_overs: &[(PathBuf, PathBuf)]) {
        for (left_over, beside) in left_overs {
            let Some(listed) = self.listed.iter().find(|listed| listed.path == *beside) else { continue };
            let name = left_over.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("`{name}` lies beside it, left by the package manager; it is not loaded");
            self.problems.push(
                Problem::warning(Place::whole(listed.file), message)
                    .hint("take over what is new in it, then remove it"),
            );
        }
    }

    /// Parses every file that could be read, several at a time.
    pub fn parse(&self) -> Parsed<'_> {
        let limits = tree::Limits::default();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(listed) = self.listed.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut problems = Vec::new();
                let source = self.sources.of(listed.file).filter(|_| listed.hash.is_some());
                let map = source.and_then(|source| tree::parse(source, listed.file, &limits, &mut problems));
                done.push((listed, map, problems));
            }
            done
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(self.listed.len());
        let mut done = thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().expect("a parser reports what is wrong and never panics"));
            }
            done
        });
        done.sort_by_key(|(listed, ..)| listed.file);
        let mut parsed = Parsed { problems: self.problems.clone(), ..Parsed::default() };
        for (listed, map, problems) in done {
            parsed.problems.extend(problems);
            match map {
                Some(map) => {
                    parsed.documents.push(Document { file: listed.file, author: listed.author, map });
                }
                None => parsed.unreadable.push(listed.file),
            }
        }
        parsed
    }
}

/// The name of a file that stands in for itself.
fn as_it_was(path: &Path) -> String {
    format!("{}{AS_IT_WAS}", path.display())
}

/// What is put behind a path whose text is that of last good.
pub const AS_IT_WAS: &str = " (as it was last good)";

/// What is wrong with a file before it is parsed.
struct Wrong {
    line: u32,
    column: u32,
    message: String,
    hint: String,
}

fn unreadable(error: &disk::FileError) -> Wrong {
    let hint = match error.source.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "the daemon's user must be able to read it: `chgrp vigia`, `chmod g+r`"
        }
        std::io::ErrorKind::NotFound => "a link that leads nowhere, or a file that went away while we looked",
        std::io::ErrorKind::FileTooLarge => "split it, or raise `limits: {file: …}`",
        _ => "until it can be read again, what it defined goes on as it was",
    };
    Wrong { line: 0, column: 0, message: format!("cannot be read: {}", error.source), hint: hint.to_owned() }
}

fn text(bytes: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let last = good.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let is_utf16 = matches!(error.as_bytes(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        Wrong {
            line: count(good.iter().filter(|byte| **byte == b'\n').count()),
            column: count(String::from_utf8_lossy(last).chars().count()),
            message: "this is not UTF-8 text".to_owned(),
            hint: if is_utf16 {
                "it looks like UTF-16: `iconv -f UTF-16 -t UTF-8` turns it into UTF-8".to_owned()
            } else {
                "save it as UTF-8; `iconv -f ISO-8859-1 -t UTF-8` turns old Western text into it".to_owned()
            },
        }
    })
}

/// The same for the same bytes, in this process and in the next.
pub fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests;
