//! From `-c` and `include` to a list of files.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::include::Include;
use super::{Author, LoadError, Request, include};
use crate::config::place::{FileId, Place, Source};
use crate::os::files::{self as disk, FileError, Kind};

/// What is loaded where `include` says nothing.
pub(super) const CONF_D: &str = "conf.d";

/// Folders inside each other; links may make circles, which are seen, and very deep trees, which are not.
const DEPTH: usize = 32;

/// What belongs to a configuration: the files it has, and the folders in which new ones may appear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub folders: Vec<PathBuf>,
}

/// Looks without reading more than the main file: for whoever watches the files.
pub fn find(request: &Request) -> Found {
    let Ok(main) = main(&request.config) else {
        // It may appear; the folder it would be in tells.
        let parent = request.config.parent().unwrap_or(Path::new(".")).to_path_buf();
        return Found { files: vec![request.config.clone()], folders: vec![request.config.clone(), parent] };
    };
    let include = main.file().map(|path| included(path, request)).unwrap_or_default();
    let all = all(request, &main, &include);
    let mut files: Vec<_> = main.file().map(Path::to_path_buf).into_iter().collect();
    files.extend(all.rest.into_iter().map(|(path, _)| path));
    Found { files, folders: all.folders.into_iter().collect() }
}

/// What the main file includes: as it is, or as it was last good.
fn included(path: &Path, request: &Request) -> Include {
    let kept = request.last_good().and_then(|last_good| last_good.file(path));
    let text = disk::read(path, super::FILE_LIMIT).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let of = |text: &str| include::of(&Source::new("", text), FileId(0), kept.as_deref());
    let said = text.as_deref().and_then(of).or_else(|| kept.as_deref().and_then(of));
    said.map_or_else(|| Include::guess(text.as_deref()), |said| said.include)
}

/// Where the configuration begins.
#[derive(Debug)]
pub(super) enum Main {
    File(PathBuf),
    /// A folder without a `vigia.yaml`: every file below it.
    Folder(PathBuf),
}

impl Main {
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Folder(_) => None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")),
            Self::Folder(dir) => dir,
        }
    }
}

pub(super) fn main(config: &Path) -> Result<Main, LoadError> {
    match disk::kind(config)? {
        None => Err(LoadError::Missing { path: config.to_path_buf() }),
        Some(Kind::File | Kind::Other) => Ok(Main::File(config.to_path_buf())),
        Some(Kind::Folder) => {
            let file = config.join("vigia.yaml");
            if disk::kind(&file)?.is_some() {
                return Ok(Main::File(file));
            }
            let mut search = Search::default();
            disk::list(config)?;
            search.below(config, 0);
            if search.files.is_empty() && search.unseen.is_empty() {
                return Err(LoadError::Empty { dir: config.to_path_buf() });
            }
            Ok(Main::Folder(config.to_path_buf()))
        }
    }
}

/// Everything but the main file.
#[derive(Debug, Default)]
pub(super) struct All {
    pub(super) rest: Vec<(PathBuf, Author)>,
    pub(super) folders: BTreeSet<PathBuf>,
    /// What became of each word of `include`, or of `conf.d` where there is none.
    pub(super) named: Vec<Named>,
    /// What could not be looked into: nobody knows what is there.
    pub(super) unseen: Vec<FileError>,
    /// Canonical paths of all that was found.
    pub(super) seen: BTreeSet<PathBuf>,
    /// What a package manager left, and the loaded file beside it.
    pub(super) left_overs: Vec<(PathBuf, PathBuf)>,
}

/// One word of `include`.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) text: String,
    /// `None`: nobody wrote it, it is `conf.d`.
    pub(super) at: Option<Place>,
    pub(super) came_to: CameTo,
}

/// What a word of `include` led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CameTo {
    Files,
    /// A folder without a single file.
    Empty,
    /// Nothing that loads, and why.
    Nothing(String),
    /// Something that cannot be looked into, and no file.
    Unseen,
}

pub(super) fn all(request: &Request, main: &Main, include: &Include) -> All {
    let mut search = Search::default();
    let mut named = Vec::new();
    let folder = main.folder();
    if let Some(path) = main.file() {
        search.seen.extend(disk::canonical(path));
        search.folders.insert(shown(folder).to_path_buf());
        search.look_for_left_overs(shown(folder));
    }
    match (&include.paths, main) {
        (_, Main::Folder(dir)) => search.below(dir, 0),
        (None, Main::File(_)) => {
            let text = CONF_D.to_owned();
            named.push(Named { came_to: search.include(folder, &text), text, at: None });
        }
        (Some(paths), Main::File(_)) => {
            for (text, at) in paths {
                let came_to = search.include(folder, text);
                named.push(Named { text: text.clone(), at: Some(*at), came_to });
            }
        }
    }
    let mut people = std::mem::take(&mut search.files);
    people.sort();
    if let Some(state) = &request.state_dir {
        search.one(&state.join("discovered"));
    }
    search.files.sort();
    let left_overs = search.left_overs(main.file().into_iter().chain(people.iter().map(PathBuf::as_path)));
    let people = people.into_iter().map(|path| (path, Author::Person));
    let discovered = search.files.into_iter().map(|path| (path, Author::Discovery));
    All {
        rest: people.chain(discovered).collect(),
        folders: search.folders,
        named,
        unseen: search.unseen,
        seen: search.seen,
        left_overs,
    }
}

/// Whether a word of `include` names this path, or something above it; told by the words alone.
pub(super) fn covers(folder: &Path, text: &str, path: &Path) -> bool {
    let pattern = disk::absolute(&folder.join(text));
    let path = disk::absolute(path);
    let pattern: Vec<_> = pattern.components().collect();
    let path: Vec<_> = path.components().collect();
    is_below(&pattern, &path)
}

fn is_below(pattern: &[Component<'_>], path: &[Component<'_>]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    let word = first.as_os_str().to_string_lossy();
    let Some((next, further)) = path.split_first() else { return word == "**" && is_below(rest, path) };
    if word == "**" {
        return is_below(rest, path) || is_below(pattern, further);
    }
    let is_same = first == next || matches(&word, &next.as_os_str().to_string_lossy());
    is_same && is_below(rest, further)
}

/// The folder of a bare file name.
fn shown(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// By their canonical paths, so that nothing loads twice and circles of links end.
    seen: BTreeSet<PathBuf>,
    unseen: Vec<FileError>,
    /// Files and folders that a word of `include` led to, those that were seen before too.
    met: usize,
    /// The files among them.
    met_files: usize,
    left: Vec<PathBuf>,
}

impl Search {
    /// What one word of `include` names.
    fn include(&mut self, folder: &Path, text: &str) -> CameTo {
        let (met, met_files, unseen) = (self.met, self.met_files, self.unseen.len());
        let path = folder.join(text);
        let is_glob = text.contains(['*', '?']);
        if is_glob {
            let pattern: Vec<_> = Path::new(text).components().collect();
            self.glob(folder.to_path_buf(), &pattern, 0);
        } else {
            self.one(&path);
        }
        if self.met_files > met_files {
            CameTo::Files
        } else if self.unseen.len() > unseen {
            CameTo::Unseen
        } else if is_glob && self.met == met {
            CameTo::Nothing(format!("nothing matches `{text}`"))
        } else if self.met == met {
            CameTo::Nothing(format!("there is no `{}`", path.display()))
        } else if is_glob || matches!(disk::kind(&path), Ok(Some(Kind::Folder))) {
            CameTo::Empty
        } else {
            CameTo::Nothing(format!(
                "`{text}` is not loaded: only visible names that end in `.yaml` or `.yml` are"
            ))
        }
    }

    fn glob(&mut self, at: PathBuf, pattern: &[Component<'_>], depth: usize) {
        let Some((first, rest)) = pattern.split_first() else { return self.one(&at) };
        let word = first.as_os_str().to_string_lossy();
        if word == "**" {
            self.glob(at.clone(), rest, depth);
        } else if !word.contains(['*', '?']) {
            let next = at.join(first);
            self.folders.insert(shown(&at).to_path_buf());
            if self.kind(&next).is_some() {
                self.glob(next, rest, depth);
            }
            return;
        }
        self.folders.insert(shown(&at).to_path_buf());
        if depth > DEPTH {
            return;
        }
        for (path, kind) in self.list(shown(&at)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_hidden = name.starts_with('.');
            if word != "**" && !is_hidden && matches(&word, &name) {
                self.glob(path, rest, depth + 1);
            } else if word == "**" && !is_hidden {
                match kind {
                    Ok(Kind::Folder) => self.glob(path, pattern, depth + 1),
                    Ok(Kind::File | Kind::Other) => {}
                    Err(error) => self.unseen.push(error),
                }
            }
        }
    }

    /// A file, or all below a folder; nothing where there is nothing.
    fn one(&mut self, path: &Path) {
        let Some(kind) = self.kind(path) else {
            // It may appear.
            self.folders.insert(path.parent().map(shown).unwrap_or(path).to_path_buf());
            return;
        };
        self.met += 1;
        match kind {
            Kind::Folder => self.below(path, 0),
            Kind::File | Kind::Other if is_loaded(path) => {
                if let Some(parent) = path.parent() {
                    self.folders.insert(shown(parent).to_path_buf());
                    self.look_for_left_overs(shown(parent));
                }
                self.file(path);
            }
            Kind::File | Kind::Other => {}
        }
    }

    /// What stands at a path. What cannot be told is noted.
    fn kind(&mut self, path: &Path) -> Option<Kind> {
        disk::kind(path).unwrap_or_else(|error| {
            self.unseen.push(error);
            None
        })
    }

    /// What a folder holds. A folder that cannot be read is noted: it is not an empty one.
    fn list(&mut self, dir: &Path) -> Vec<disk::Entry> {
        disk::list(dir).unwrap_or_else(|error| {
            // Removed while we looked: there is nothing in it any more.
            self.unseen.extend((!error.is_absence()).then_some(error));
            Vec::new()
        })
    }

    fn file(&mut self, path: &Path) {
        self.met_files += 1;
        // A link that leads nowhere has no canonical path; reading it says so.
        let real = disk::canonical(path).unwrap_or_else(|_| path.to_path_buf());
        if self.seen.insert(real) {
            self.files.push(path.to_path_buf());
        }
    }

    fn below(&mut self, dir: &Path, depth: usize) {
        let real = match disk::canonical(dir) {
            Ok(real) => real,
            Err(error) => {
                self.unseen.extend((!error.is_absence()).then_some(error));
                return;
            }
        };
        if !self.seen.insert(real) {
            // What it holds was met the first time.
            self.met_files += 1;
            return;
        }
        if depth > DEPTH {
            return;
        }
        self.folders.insert(dir.to_path_buf());
        for (path, kind) in self.list(dir) {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            match kind {
                Ok(Kind::Folder) => self.below(&path, depth + 1),
                Ok(Kind::File | Kind::Other) if is_loaded(&path) => self.file(&path),
                Ok(Kind::File | Kind::Other) => self.left.extend(is_left_over(&path).then_some(path)),
                // Reading it will say why it cannot be had.
                Err(_) if is_loaded(&path) => self.file(&path),
                Err(error) => self.unseen.push(error),
            }
        }
    }

    fn look_for_left_overs(&mut self, dir: &Path) {
        // Whatever is loaded from here is named one by one; without rights to list, the warning alone is missing.
        let listed = disk::list(dir).unwrap_or_default();
        self.left.extend(listed.into_iter().map(|(path, _)| path).filter(|path| is_left_over(path)));
    }

    /// Each left-over with the loaded file it is an old or new version of.
    fn left_overs<'a>(&self, loaded: impl Iterator<Item = &'a Path>) -> Vec<(PathBuf, PathBuf)> {
        let loaded: BTreeSet<&Path> = loaded.collect();
        let left: BTreeSet<&PathBuf> = self.left.iter().collect();
        left.into_iter()
            .filter_map(|path| {
                let beside = path.with_extension("");
                loaded.contains(beside.as_path()).then(|| (path.clone(), beside))
            })
            .collect()
    }
}

/// Whether a name is that of a configuration file: visible, and ending in `.yaml` or `.yml`.
pub fn is_loaded(path: &Path) -> bool {
    let name = path.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default();
    !name.starts_with(b".") && (name.ends_with(b".yaml") || name.ends_with(b".yml"))
}

/// `vigia.yaml.rpmnew`: what package managers put beside a file that somebody changed.
pub fn is_left_over(path: &Path) -> bool {
    const ENDINGS: &[&str] = &[
        "rpmnew",
        "rpmsave",
        "rpmorig",
        "dpkg-old",
        "dpkg-new",
        "dpkg-dist",
        "dpkg-bak",
        "ucf-old",
        "ucf-new",
        "ucf-dist",
        "pacnew",
        "pacsave",
        "apk-new",
    ];
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

/// `*` any text, `?` one character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => (p, n) = (p + 1, n + 1),
            Some(_) | None => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}
