//! From `-c` and `include` to a list of files.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::include::Include;
use super::{Author, LoadError, Request, include};
use crate::config::place::{FileId, Place, Source};
use crate::os::files::{self as disk, Kind};

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
    let read = main.file().and_then(|path| String::from_utf8(disk::read(path, super::FILE_LIMIT).ok()?).ok());
    let include = read.map(|text| include::of(&Source::new("", text), FileId(0)).0).unwrap_or_default();
    let all = all(request, &main, &include);
    let mut files: Vec<_> = main.file().map(Path::to_path_buf).into_iter().collect();
    files.extend(all.rest.into_iter().map(|(path, _)| path));
    Found { files, folders: all.folders.into_iter().collect() }
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

    fn folder(&self) -> &Path {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")),
            Self::Folder(dir) => dir,
        }
    }
}

pub(super) fn main(config: &Path) -> Result<Main, LoadError> {
    match disk::kind(config) {
        None => Err(LoadError::Missing { path: config.to_path_buf() }),
        Some(Kind::File | Kind::Other) => Ok(Main::File(config.to_path_buf())),
        Some(Kind::Folder) => {
            let file = config.join("vigia.yaml");
            if disk::kind(&file).is_some() {
                return Ok(Main::File(file));
            }
            let mut search = Search::default();
            disk::list(config)?;
            search.below(config, 0);
            if search.files.is_empty() {
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
    /// What `include` names and is not there.
    pub(super) missing: Vec<(Option<Place>, String)>,
    /// What a package manager left, and the loaded file beside it.
    pub(super) left_overs: Vec<(PathBuf, PathBuf)>,
}

pub(super) fn all(request: &Request, main: &Main, include: &Include) -> All {
    let mut search = Search::default();
    let mut missing = Vec::new();
    let folder = main.folder();
    if let Some(path) = main.file() {
        search.seen.extend(disk::canonical(path));
        search.folders.insert(shown(folder).to_path_buf());
        search.look_for_left_overs(shown(folder));
    }
    match (&include.paths, main) {
        (_, Main::Folder(dir)) => search.below(dir, 0),
        (None, Main::File(_)) => search.one(&folder.join("conf.d")),
        (Some(paths), Main::File(_)) => {
            for (text, at) in paths {
                if let Err(message) = search.include(folder, text) {
                    missing.push((Some(*at), message));
                }
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
    All { rest: people.chain(discovered).collect(), folders: search.folders, missing, left_overs }
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
    left: Vec<PathBuf>,
}

impl Search {
    /// What one word of `include` names.
    fn include(&mut self, folder: &Path, text: &str) -> Result<(), String> {
        if text.contains(['*', '?']) {
            let pattern: Vec<_> = Path::new(text).components().collect();
            let before = self.seen.len();
            self.glob(folder.to_path_buf(), &pattern, 0);
            return if self.seen.len() > before { Ok(()) } else { Err(format!("nothing matches `{text}`")) };
        }
        let path = folder.join(text);
        match disk::kind(&path) {
            None => {
                self.folders.insert(path.parent().map(shown).unwrap_or(folder).to_path_buf());
                Err(format!("there is no `{}`", path.display()))
            }
            Some(Kind::File) if !is_loaded(&path) => {
                Err(format!("`{text}` is not loaded: only visible names that end in `.yaml` or `.yml` are"))
            }
            Some(Kind::File | Kind::Folder | Kind::Other) => {
                self.one(&path);
                Ok(())
            }
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
            if disk::kind(&next).is_some() {
                self.glob(next, rest, depth);
            }
            return;
        }
        self.folders.insert(shown(&at).to_path_buf());
        if depth > DEPTH {
            return;
        }
        for (path, kind) in disk::list(shown(&at)).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_hidden = name.starts_with('.');
            if word == "**" && kind == Kind::Folder && !is_hidden {
                self.glob(path, pattern, depth + 1);
            } else if word != "**" && !is_hidden && matches(&word, &name) {
                self.glob(path, rest, depth + 1);
            }
        }
    }

    /// A file, or all below a folder; nothing where there is nothing.
    fn one(&mut self, path: &Path) {
        match disk::kind(path) {
            Some(Kind::Folder) => self.below(path, 0),
            Some(Kind::File | Kind::Other) if is_loaded(path) => {
                if let Some(parent) = path.parent() {
                    self.folders.insert(shown(parent).to_path_buf());
                    self.look_for_left_overs(shown(parent));
                }
                self.file(path);
            }
            Some(Kind::File | Kind::Other) => {}
            None => {
                // It may appear.
                self.folders.insert(path.parent().map(shown).unwrap_or(path).to_path_buf());
            }
        }
    }

    fn file(&mut self, path: &Path) {
        // A link that leads nowhere has no canonical path; reading it says so.
        let real = disk::canonical(path).unwrap_or_else(|| path.to_path_buf());
        if self.seen.insert(real) {
            self.files.push(path.to_path_buf());
        }
    }

    fn below(&mut self, dir: &Path, depth: usize) {
        let is_new = disk::canonical(dir).is_some_and(|real| self.seen.insert(real));
        if !is_new || depth > DEPTH {
            return;
        }
        self.folders.insert(dir.to_path_buf());
        for (path, kind) in disk::list(dir).unwrap_or_default() {
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            match kind {
                Kind::Folder if !is_hidden => self.below(&path, depth + 1),
                Kind::Folder => {}
                Kind::File | Kind::Other if is_loaded(&path) => self.file(&path),
                Kind::File | Kind::Other => self.left.extend(is_left_over(&path).then_some(path)),
            }
        }
    }

    fn look_for_left_overs(&mut self, dir: &Path) {
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
