//! What ran last, kept in `STATE/last-good`: the files as they were when they could last be parsed, and the
//! definitions of objects that have a mistake now.
//!
//! Written after a load took effect, read only when the next one has mistakes. Nothing here may stop a load: what
//! cannot be read back is as if it had never been there.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use hashbrown::{HashMap, HashSet};
use serde_json::{Map, Value as Json, json};

use super::decode::Decoder;
use super::files::{Author, hash};
use super::place::{FileId, Source};
use super::resolve::{self, Context, Quarantined};
use super::tree::{self, Map as Tree};
use super::written::{SECTIONS, Written};
use crate::os::files::{self, FileError};

const LARGEST: u64 = 1 << 30;
/// What [`Source::new`] leaves out of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where what ran last is kept. What it says is read once and does not change any more.
#[derive(Debug)]
pub struct LastGood {
    folder: PathBuf,
    index: OnceCell<Index>,
}

#[derive(Debug)]
struct Index {
    entries: Vec<Entry>,
    /// From absolute paths to places in `entries`.
    places: HashMap<PathBuf, usize>,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    author: Author,
    /// Of the file that holds the text.
    name: String,
}

/// What is to be kept of a load.
#[derive(Debug, Default)]
pub struct Memory {
    /// Every file that could be parsed, or else what was kept of it before.
    files: Vec<KeptFile>,
    /// Definitions of mistaken objects.
    definitions: Definitions,
}

#[derive(Clone, Debug)]
struct KeptFile {
    path: String,
    author: Author,
    text: String,
}

/// Definitions in the language of the files.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// By section and name.
    objects: Map<String, Json>,
    /// Hosts that hold services alone.
    services: Map<String, Json>,
}

impl LastGood {
    pub fn at(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("last-good"), index: OnceCell::new() }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let entries = self.entries().unwrap_or_default();
            let places = entries.iter().enumerate().map(|(place, one)| (files::absolute(&one.path), place));
            Index { places: places.collect(), entries }
        })
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        let items: Vec<Json> = serde_json::from_str(&self.read("index.json")?).ok()?;
        let entry = |item: &Json| {
            let text = |key: &str| item.get(key).and_then(Json::as_str).map(str::to_owned);
            let is_discovery = text("author").as_deref() == Some("discovery");
            let author = if is_discovery { Author::Discovery } else { Author::Person };
            Some(Entry { path: text("path")?.into(), author, name: text("file")? })
        };
        Some(items.iter().filter_map(entry).collect())
    }

    fn read(&self, name: &str) -> Option<String> {
        let bytes = files::read(&self.folder.join(name), LARGEST).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// A file as it was when it could last be parsed.
    pub fn file(&self, path: &Path) -> Option<String> {
        let index = self.index();
        let entry = index.entries.get(*index.places.get(&files::absolute(path))?)?;
        self.read(&entry.name)
    }

    /// Which files ran last.
    pub fn paths(&self) -> impl Iterator<Item = (&Path, Author)> {
        self.index().entries.iter().map(|entry| (entry.path.as_path(), entry.author))
    }

    /// The files that ran last, under the paths they had.
    pub fn kept(&self) -> Vec<(Author, Source)> {
        self.files().into_iter().map(|file| (file.author, Source::new(file.path, file.text))).collect()
    }

    /// Whether any host is defined in them.
    pub fn had_hosts(&self) -> bool {
        self.files().into_iter().any(|file| {
            let source = Source::new(file.path, file.text);
            let map = parse(&source);
            map.get("hosts").and_then(tree::Node::map).is_some_and(|hosts| !hosts.is_empty())
        })
    }

    /// Another one after each load that changed anything; nothing where nothing is kept.
    pub fn stamp(&self) -> Option<u64> {
        self.read("index.json").map(|index| hash(index.as_bytes()))
    }

    /// Those of the wanted files that are not on disk, or not as they were when they were kept.
    pub fn changed_since(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let is_changed = |path: &str, name: &str| {
            let Ok(now) = files::read(Path::new(path), LARGEST) else { return true };
            kept_as(path, now.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&now)) != *name
        };
        let entries = self.index().entries.iter();
        entries
            .map(|entry| (entry.path.to_string_lossy(), &entry.name))
            .filter(|(path, name)| is_wanted(path) && is_changed(path, name))
            .map(|(path, _)| path.into_owned())
            .collect()
    }

    fn files(&self) -> Vec<KeptFile> {
        let read = |entry: &Entry| {
            let path = entry.path.to_string_lossy().into_owned();
            self.read(&entry.name).map(|text| KeptFile { path, author: entry.author, text })
        };
        self.index().entries.iter().filter_map(read).collect()
    }

    fn definitions(&self) -> Definitions {
        let of = |name: &str| match self.read(name).as_deref().map(serde_json::from_str) {
            Some(Ok(Json::Object(map))) => map,
            Some(_) | None => Map::new(),
        };
        Definitions { objects: of("objects.json"), services: of("services.json") }
    }

    /// Mistaken objects as they were: from the files that ran last, or from what was kept of them before.
    pub fn of(&self, mistaken: &[Quarantined], context: &Context) -> Definitions {
        let files = self.files();
        let sources: Vec<Source> =
            files.iter().map(|file| Source::new(file.path.clone(), file.text.clone())).collect();
        let mut trees = Vec::new();
        for (file, source) in files.iter().zip(&sources) {
            let limits = tree::Limits::default();
            trees.extend(
                tree::parse(source, FileId(u32::MAX), &limits, &mut Vec::new()).map(|map| (file.author, map)),
            );
        }
        let mut quiet = Decoder::default();
        let mut written = Written::default();
        for (author, map) in &trees {
            written.add(map, *author, &mut quiet);
        }
        // What was good under another limit is good still.
        let context = &Context { most_objects: None, ..context.clone() };
        let wanted: HashSet<&str> = mistaken.iter().map(|one| host_of(&one.name)).collect();
        let (resolved, objects) =
            resolve::explain(&written, context, &mut quiet, &|host| wanted.contains(host));
        let bad: HashSet<(&str, &str)> =
            resolved.quarantine.iter().map(|one| (one.kind, one.name.as_str())).collect();
        let by_name: HashMap<(&str, &str), &resolve::seen::Object> =
            objects.iter().map(|object| ((object.section, object.name.as_str()), object)).collect();
        let before = self.definitions();
        let mut found = Definitions::default();
        for one in mistaken {
            let is_good = !bad.contains(&(one.kind, one.name.as_str()));
            let section = section_of(one.kind);
            let old = by_name.get(&(section, one.name.as_str())).filter(|_| is_good);
            match (one.kind, old) {
                ("host", Some(_)) => found.keep_host(&one.name, &objects, &bad),
                ("service", Some(object)) => found.keep_service(&one.name, object.json()),
                (_, Some(object)) => found.keep(section, &one.name, object.json()),
                (_, None) => found.keep_from(&before, one.kind, section, &one.name),
            }
        }
        found
    }
}

/// The name under which a text is kept.
fn kept_as(path: &str, text: &[u8]) -> String {
    format!("{:016x}-{:016x}.yaml", hash(path.as_bytes()), hash(text))
}

fn host_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(host, _)| host)
}

fn section_of(kind: &str) -> &'static str {
    if kind == "service" {
        return "services";
    }
    SECTIONS.iter().find(|(_, _, word)| *word == kind).map_or("", |(_, key, _)| key)
}

fn map_in<'m>(map: &'m mut Map<String, Json>, key: &str) -> Option<&'m mut Map<String, Json>> {
    map.entry(key).or_insert_with(|| json!({})).as_object_mut()
}

impl Definitions {
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.services.is_empty()
    }

    fn keep(&mut self, section: &str, name: &str, value: Json) {
        if let Some(section) = map_in(&mut self.objects, section) {
            section.insert(name.to_owned(), value);
        }
    }

    fn keep_service(&mut self, name: &str, value: Json) {
        let Some((host, service)) = name.split_once('/') else { return };
        let services = map_in(&mut self.services, "hosts")
            .and_then(|hosts| map_in(hosts, host))
            .and_then(|host| map_in(host, "services"));
        if let Some(services) = services {
            services.insert(service.to_owned(), value);
        }
    }

    /// A host with the services it had.
    fn keep_host(&mut self, name: &str, objects: &[resolve::seen::Object], bad: &HashSet<(&str, &str)>) {
        let mut services = Map::new();
        let mut host = Json::Null;
        for object in objects {
            match (object.section, object.name.split_once('/')) {
                ("hosts", _) if object.name == name => host = object.json(),
                ("services", Some((of, service)))
                    if of == name && !bad.contains(&("service", object.name.as_str())) =>
                {
                    services.insert(service.to_owned(), object.json());
                }
                _ => {}
            }
        }
        if let Json::Object(map) = &mut host {
            map.insert("services".to_owned(), Json::Object(services));
            self.keep("hosts", name, host);
        }
    }

    fn keep_from(&mut self, before: &Self, kind: &str, section: &str, name: &str) {
        if kind == "service" {
            let (host, service) = name.split_once('/').unwrap_or((name, ""));
            for map in [&before.services, &before.objects] {
                let old = map.get("hosts").and_then(|hosts| hosts.get(host)?.get("services")?.get(service));
                if let Some(old) = old {
                    self.keep_service(name, old.clone());
                    return;
                }
            }
        } else if let Some(old) = before.objects.get(section).and_then(|all| all.get(name)) {
            self.keep(section, name, old.clone());
        }
    }

    /// The two texts as sources, for [`parse`].
    pub fn sources(&self) -> [Source; 2] {
        let source =
            |map: &Map<String, Json>| Source::new("last good", Json::Object(map.clone()).to_string());
        [source(&self.objects), source(&self.services)]
    }
}

/// A kept text as it was written.
pub fn parse(source: &Source) -> Tree<'_> {
    tree::parse(source, FileId(u32::MAX), &tree::Limits::default(), &mut Vec::new()).unwrap_or_default()
}

impl Memory {
    pub fn new(definitions: Definitions) -> Self {
        Self { files: Vec::new(), definitions }
    }

    pub fn add(&mut self, path: &str, author: Author, text: &str) {
        self.files.push(KeptFile { path: path.to_owned(), author, text: text.to_owned() });
    }

    /// Keeps it for the next load and the next start. Files that are kept already are not written again.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub fn write(&self, state_dir: &Path) -> Result<(), FileError> {
        let folder = LastGood::at(state_dir).folder;
        files::make_folder(&folder, 0o700)?;
        let mut index = Vec::with_capacity(self.files.len());
        for kept in &self.files {
            let name = kept_as(&kept.path, kept.text.as_bytes());
            let path = folder.join(&name);
            if files::kind(&path)?.is_none() {
                files::write(&path, kept.text.as_bytes(), 0o600)?;
            }
            let author = if kept.author == Author::Discovery { "discovery" } else { "person" };
            index.push(json!({ "path": kept.path, "author": author, "file": name }));
        }
        let wanted: HashSet<String> =
            index.iter().filter_map(|one| one.get("file")?.as_str().map(str::to_owned)).collect();
        let write =
            |name: &str, value: &Json| files::write(&folder.join(name), value.to_string().as_bytes(), 0o600);
        write("objects.json", &Json::Object(self.definitions.objects.clone()))?;
        write("services.json", &Json::Object(self.definitions.services.clone()))?;
        write("index.json", &Json::Array(index))?;
        // Only now are the texts of before needed no more.
        for (path, _) in files::list(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".yaml") && !wanted.contains(&name) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }
}
