//! Everything together: files to inventory, with all that is wrong on the way.

use std::path::{Path, PathBuf};

use vigia_core::model::inventory::Inventory;

use super::decode::Decoder;
use super::files::{Document, Files, Listed, LoadError, Parsed, Request};
use super::later;
use super::place::Sources;
use super::problem::{self, Problem, Reported, did_you_mean};
use super::resolve::{self, Context};
use super::secret;
use super::settings::{self, MacroValue, Settings};
use super::written::{SECTIONS, Written};

/// What a configuration comes to.
#[derive(Debug)]
pub struct Loaded {
    pub inventory: Inventory,
    /// None: they have a mistake, and whatever ran before stays.
    pub settings: Option<Settings>,
    /// Sorted by place.
    pub problems: Vec<Reported>,
    pub quarantine: Vec<Quarantined>,
    /// What is written and not acted on by this version, one line each.
    pub notices: Vec<&'static str>,
    pub files: Vec<Listed>,
}

/// An object that is not what the files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `host`, `service`, `contact`, …
    pub kind: &'static str,
    /// `web1`, `web1/HTTP`, `ana`.
    pub name: String,
    pub path: String,
    pub line: u32,
    /// Goes on as it was; else it is not loaded.
    pub is_last_good: bool,
    /// What is wrong with it.
    pub message: String,
}

impl Loaded {
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == problem::Severity::Error).count()
    }

    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }

    /// All that was written is in effect.
    pub fn is_clean(&self) -> bool {
        self.errors() == 0
    }
}

/// Loads a configuration: all that is good, and all that is wrong.
///
/// # Errors
/// When there is no main file to begin with.
pub fn load(request: &Request) -> Result<Loaded, LoadError> {
    let files = Files::read(request)?;
    let parsed = files.parse();
    let mut decoder = Decoder::with(parsed.problems);
    let settings = read_settings(request, &parsed.documents, &mut decoder);
    let written = read_objects(&parsed.documents, &mut decoder);
    let context = context(settings.as_ref(), &mut decoder);
    let resolved = resolve::resolve(&written, &Written::default(), &context, &mut decoder);
    let notices = later::not_yet(&parsed.documents);
    let problems = problem::report(decoder.into_problems(), &files.sources);
    let quarantine = shown(resolved.quarantine, &files.sources, &problems);
    Ok(Loaded {
        inventory: resolved.inventory,
        settings,
        problems,
        quarantine,
        notices,
        files: files.listed.clone(),
    })
}

fn read_settings(request: &Request, documents: &[Document<'_>], decoder: &mut Decoder) -> Option<Settings> {
    let base = if request.config.is_dir() { Some(request.config.as_path()) } else { request.config.parent() };
    let state = request.state_dir.clone().unwrap_or_else(|| PathBuf::from("/var/lib/vigia"));
    settings::decode(documents, base.unwrap_or(Path::new(".")), &state, decoder)
}

/// Every object of every file, and what stands at the top of a file and is none.
fn read_objects<'t>(documents: &'t [Document<'t>], decoder: &mut Decoder) -> Written<'t> {
    let mut written = Written::default();
    for document in documents {
        written.add(&document.map, document.author, decoder);
    }
    for (index, document) in documents.iter().enumerate() {
        for entry in &document.map {
            let key = &*entry.key.text;
            if key == "include" && index > 0 {
                let problem = Problem::error(entry.key.at, "`include` stands in the main file alone");
                decoder.push(problem.hint("the main file names all others"));
            } else if key != "include" && !settings::is_section(key) && !is_section(key) {
                let sections = SECTIONS.iter().map(|(_, key, _)| *key);
                let known = sections.chain(settings::SECTIONS.iter().map(|section| section.name));
                let problem = Problem::error(entry.key.at, format!("there is no section `{key}`"));
                decoder.push(problem.maybe_hint(did_you_mean(key, known.chain(["include"]))));
            }
        }
    }
    written.warn_of_case(decoder);
    written
}

fn is_section(key: &str) -> bool {
    SECTIONS.iter().any(|(_, known, _)| *known == key)
}

/// What objects need to know of the settings.
fn context(settings: Option<&Settings>, decoder: &mut Decoder) -> Context {
    let Some(settings) = settings else { return Context::default() };
    let mut user_macros = Vec::with_capacity(settings.user_macros.len());
    for (name, value) in &settings.user_macros {
        let text = match value {
            MacroValue::Text(text) => text.clone(),
            MacroValue::Secret(secret) => match secret::reveal(secret) {
                Ok(text) => text,
                Err(why) => {
                    let message = format!("the secret of `{name}` cannot be read: {why}");
                    decoder.push(Problem::warning(super::place::Place::nowhere(), message));
                    String::new()
                }
            },
        };
        user_macros.push((name.clone(), text));
    }
    Context {
        plugin_path: settings.plugin_path.clone(),
        user_macros,
        in_charge: settings.tickets.in_charge.as_deref().map(Into::into),
    }
}

/// With the first mistake of each object as the reason.
fn shown(
    quarantine: Vec<resolve::Quarantined>,
    sources: &Sources,
    problems: &[Reported],
) -> Vec<Quarantined> {
    let errors = || problems.iter().filter(|problem| problem.severity == problem::Severity::Error);
    let first = quarantine.len() < 1_000;
    let show = |one: resolve::Quarantined| {
        let path = sources.of(one.at.file).map_or_else(String::new, |source| source.path.clone());
        let label = match one.kind {
            "host" | "service" => one.name.clone(),
            kind => format!("{kind} {}", one.name),
        };
        // Looking through all problems for each of very many objects would take too long.
        let own = errors().find(|problem| first && problem.object.as_deref() == Some(&*label));
        Quarantined {
            kind: one.kind,
            path,
            line: one.at.line,
            is_last_good: one.is_last_good,
            message: own.map_or(one.why, |problem| problem.message.clone()),
            name: one.name,
        }
    };
    quarantine.into_iter().map(show).collect()
}

impl Parsed<'_> {
    /// Could every file be read?
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty()
    }
}

#[cfg(test)]
mod tests;
