//! Everything together: files to inventory, with all that is wrong on the way.

use std::path::{Path, PathBuf};

use vigia_core::model::inventory::Inventory;

use super::decode::Decoder;
use super::files::{AS_IT_WAS, Author, Document, Files, Listed, LoadError, Request};
use super::last_good::{self, Definitions, LastGood, Memory};
use super::later;
use super::own;
use super::place::{FileId, Sources};
use super::problem::{self, Problem, Reported, did_you_mean};
use super::resolve::{self, Context, Kept};
use super::secret;
use super::settings::{self, MacroValue, Settings};
use super::switches::{self, Switches};
use super::templates;
use super::written::{SECTIONS, Written};
use crate::os::files::FileError;

mod rounds;

use rounds::{Again, Round, Whole};

/// What a configuration comes to.
#[derive(Debug)]
pub struct Loaded {
    pub inventory: Inventory,
    /// The main file, as it is or as it was last good, is part of it. Else it is not for running: what the main file
    /// names is not known.
    pub has_main: bool,
    /// None: they have a mistake, and whatever ran before stays.
    pub settings: Option<Settings>,
    /// Sorted by place.
    pub problems: Vec<Reported>,
    pub quarantine: Vec<Quarantined>,
    /// The host `vigia` is ours: its services want states.
    pub watches_itself: bool,
    /// What is written and not acted on by this version, one line each.
    pub notices: Vec<&'static str>,
    pub files: Vec<Listed>,
    /// For the next load, once this one took effect.
    pub memory: Memory,
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

    /// Keeps what is good of it for the next load and the next start.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub fn remember(&self, state_dir: &Path) -> Result<(), FileError> {
        self.memory.write(state_dir)
    }

    /// All that was written is in effect.
    pub fn is_clean(&self) -> bool {
        self.errors() == 0
    }
}

/// Loads a configuration: all that is good, and all that is wrong. Mistaken objects, and all objects of a file that
/// cannot be parsed or hides what it defines, go on as they were when [`Loaded::remember`] last kept them in the state
/// folder; so does everything where no host would be left, unless the request says that this is meant.
///
/// # Errors
/// When there is no main file to begin with.
pub fn load(request: &Request) -> Result<Loaded, LoadError> {
    let previous = request.last_good();
    let mut files = Files::read(request)?;
    let switches = switches::read(request.state_dir.as_deref())?;
    let forms = own::Forms::add(&mut files.sources);
    let mut round = Round::new(files.main);
    loop {
        match attempt(request, &files, (&switches, forms), &round, previous.as_ref()) {
            Ok(loaded) => return Ok(*loaded),
            Err((why, last_good)) => round.begin_again(why, &mut files, last_good),
        }
    }
}

/// One round: with each, fewer files are taken as they are, so that there is a last one.
fn attempt<'g>(
    request: &Request,
    files: &Files,
    (switches, forms): (&Switches, own::Forms),
    round: &Round,
    previous: Option<&'g LastGood>,
) -> Result<Box<Loaded>, (Again, &'g LastGood)> {
    let parsed = files.parse();
    if let Some(previous) = previous {
        let unreadable = round.unreadable(files, &parsed.unreadable, previous);
        if !unreadable.is_empty() {
            return Err((Again::Without(unreadable), previous));
        }
    }
    let mut decoder = Decoder::with(parsed.problems);
    let (replaced, mut documents): (Vec<_>, Vec<_>) =
        parsed.documents.into_iter().partition(|document| round.is_replaced(document.file));
    documents.extend(files.parse_stand_ins());
    // What stands in for them is good; what is wrong with them is still to be told.
    drop(read_objects(&replaced, round.main, &mut decoder));
    let has_main = files.main.is_none_or(|main| documents.iter().any(|document| document.file == main));
    // A main file of which nothing is known says nothing of the settings either.
    let mut settings = read_settings(request, &documents, &mut decoder).filter(|_| has_main);
    if let Whole::Kept(kept) = &round.whole {
        drop(read_objects(&documents, files.main, &mut decoder));
        decoder.push(rounds::nobody_left(files));
        documents = files.parse_quietly(kept);
    }
    let own = own::Own::of(documents.iter().map(|document| &document.map));
    let own_map = forms.map(own, &files.sources);
    let mut written = read_objects(&documents, files.main, &mut decoder);
    if let Some(map) = &own_map {
        written.add(map, Author::Person, &mut decoder);
    }
    if let Some(previous) = previous.filter(|_| decoder.errors() > 0 && matches!(round.whole, Whole::Unasked))
    {
        let hiding = round.hiding(files, &documents, previous);
        if !hiding.is_empty() {
            return Err((Again::Without(hiding), previous));
        }
    }
    let context = context(settings.as_ref(), switches, &mut decoder);
    let so_far = decoder.into_problems();
    let (resolved, problems, definitions) = with_last_good(&written, &context, &so_far, previous);
    let is_ours = |name: &str| own_map.is_some() && name == own::HOST;
    let is_empty =
        resolved.inventory.hosts.iter().all(|host| is_ours(&host.name)) && has_main && !request.accept_empty;
    if let Some(previous) = previous.filter(|_| is_empty) {
        match round.whole {
            Whole::Unasked if previous.had_hosts() => return Err((Again::Whole, previous)),
            Whole::Kept(_) => return Err((Again::AsItIs, previous)),
            Whole::Unasked | Whole::Useless => {}
        }
    }
    let mut problems = problem::report(problems, &files.sources);
    let quarantine = shown(resolved.quarantine, &files.sources, &problems);
    if let Some(settings) = &mut settings {
        let templates = templates::read(&settings.message_templates);
        settings.templates = templates.good;
        problems.extend(templates.problems);
    }
    Ok(Box::new(Loaded {
        inventory: resolved.inventory,
        has_main,
        settings,
        problems,
        quarantine,
        watches_itself: own_map.is_some(),
        notices: notices(own, &documents),
        files: files.listed.clone(),
        memory: memory(definitions, files, &documents),
    }))
}

fn notices(own: own::Own, documents: &[Document<'_>]) -> Vec<&'static str> {
    let taken = (own == own::Own::Taken).then_some(own::TAKEN);
    taken.into_iter().chain(later::not_yet(documents)).collect()
}

/// What is to be kept of it for the time when it is not good.
fn memory(definitions: Definitions, files: &Files, documents: &[Document<'_>]) -> Memory {
    let mut memory = Memory::new(definitions);
    for document in documents {
        let instead = files.main_as_it_was.filter(|_| files.main == Some(document.file));
        if let Some(source) = files.sources.of(instead.unwrap_or(document.file)) {
            memory.add(source.path.trim_end_matches(AS_IT_WAS), document.author, &source.text);
        }
    }
    memory
}

/// Resolves; where there are mistakes, once more with what the mistaken objects were.
fn with_last_good(
    written: &Written<'_>,
    context: &Context,
    so_far: &[Problem],
    previous: Option<&LastGood>,
) -> (resolve::Resolved, Vec<Problem>, Definitions) {
    let nothing = Written::default();
    let mut decoder = Decoder::with(so_far.to_vec());
    let kept = Kept { objects: &nothing, services: &nothing };
    let resolved = resolve::resolve(written, &kept, context, &mut decoder);
    let Some(previous) = previous.filter(|_| !resolved.quarantine.is_empty()) else {
        return (resolved, decoder.into_problems(), Definitions::default());
    };
    let mut mistaken = resolved.quarantine.clone();
    mistaken.extend(resolved.doubtful.clone());
    let definitions = previous.of(&mistaken, context);
    if definitions.is_empty() {
        return (resolved, decoder.into_problems(), definitions);
    }
    let sources = definitions.sources();
    let trees = sources.each_ref().map(last_good::parse);
    let mut quiet = Decoder::default();
    let [objects, services] = trees.each_ref().map(|tree| {
        let mut written = Written::default();
        written.add(tree, Author::Person, &mut quiet);
        written
    });
    let mut decoder = Decoder::with(so_far.to_vec());
    let kept = Kept { objects: &objects, services: &services };
    let resolved = resolve::resolve(written, &kept, context, &mut decoder);
    (resolved, decoder.into_problems(), definitions)
}

fn read_settings(request: &Request, documents: &[Document<'_>], decoder: &mut Decoder) -> Option<Settings> {
    let base = if request.config.is_dir() { Some(request.config.as_path()) } else { request.config.parent() };
    let state = request.state_dir.clone().unwrap_or_else(|| PathBuf::from("/var/lib/vigia"));
    settings::decode(documents, base.unwrap_or(Path::new(".")), &state, decoder)
}

/// Every object of every file, and what stands at the top of a file and is none.
fn read_objects<'t>(
    documents: &'t [Document<'t>],
    main: Option<FileId>,
    decoder: &mut Decoder,
) -> Written<'t> {
    let mut written = Written::default();
    for document in documents {
        written.add(&document.map, document.author, decoder);
    }
    for document in documents {
        let is_main = main == Some(document.file);
        for entry in &document.map {
            let key = &*entry.key.text;
            if key == "include" && is_main {
                if !entry.value.is_nothing() {
                    // Only for what is wrong with it: the list was needed long before.
                    decoder.reading_no_object();
                    decoder.texts(&entry.value, "include");
                }
            } else if key == "include" {
                let problem = Problem::error(entry.key.at, "`include` stands in the main file alone");
                decoder.push(problem.hint("the main file names all others"));
            } else if !settings::is_section(key) && !is_section(key) {
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
fn context(settings: Option<&Settings>, switches: &Switches, decoder: &mut Decoder) -> Context {
    let switches = switches.clone();
    let Some(settings) = settings else { return Context { switches, ..Context::default() } };
    let mut user_macros = Vec::with_capacity(settings.user_macros.len());
    for (name, value) in &settings.user_macros {
        let text = match value {
            MacroValue::Text(text) => text.clone(),
            MacroValue::Secret(secret, at) => match secret::reveal(secret) {
                Ok(text) => text,
                Err(why) => {
                    let message = format!("the secret of `{name}` cannot be read: {why}");
                    decoder.push(Problem::warning(*at, message));
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
        event_handlers: settings.event_handlers.clone(),
        most_objects: Some(settings.limits.objects),
        switches,
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

#[cfg(test)]
mod absence;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod slips;
#[cfg(test)]
mod tests;
