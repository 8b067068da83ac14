//! How an object is checked: layers of options to one check, shared by all that are checked alike.

mod layers;
mod options;

use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use vigia_checks::options::{Entry, Given, Mark, Node, Opt, Reader, Texts, Value};
use vigia_core::model::check::{Check, CheckMethod, PluginCommand};
use vigia_core::model::state::State;
use vigia_core::nagios::macros::{self, Reference};
use vigia_core::nagios::words;

use super::Context;
use super::names::missing;
use super::subject::Subject;
use crate::config::decode::Decoder;
use crate::config::insertion;
use crate::config::merge::Via;
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::{Node as TreeNode, Value as Tree};
use crate::config::written::WrittenObject;
use crate::config::written::checkable::{Options, WrittenCheck};
use crate::config::written::fields::Item;

use self::layers::{canonical, merge};
use self::options::{Arguments, Pairs};
pub use self::options::{COMMAND, PASSIVE, PLUGIN};

const USUAL: Duration = Duration::from_secs(10);
/// Programs take longer to start, and do more.
const OF_PROGRAMS: Duration = Duration::from_secs(60);

/// A check, and what its kind says about freshness.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub check: Arc<Check>,
    /// Equal for equal checks, in another load as well.
    pub print: u64,
    pub freshness: Option<Duration>,
}

/// Makes checks, each once.
#[derive(Debug)]
pub(super) struct Checks<'c, 't> {
    context: &'c Context,
    commands: HashMap<&'t str, &'c WrittenObject<'t>>,
    /// Commands that are not loaded.
    quarantined: HashSet<String>,
    made: HashMap<String, Built>,
    found: HashMap<String, Option<PathBuf>>,
    pub(super) nothing: Option<Arc<Check>>,
}

/// Options being put together, and where each came from.
#[derive(Default)]
struct Marks<'w> {
    places: Vec<(Place, Via<'w>)>,
}

impl<'w> Marks<'w> {
    fn mark(&mut self, at: Place, via: Via<'w>) -> Mark {
        let mark = Mark(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.push((at, via));
        mark
    }

    fn place(&self, mark: Mark) -> (Place, Via<'w>) {
        usize::try_from(mark.0)
            .ok()
            .and_then(|index| self.places.get(index).copied())
            .unwrap_or((Place::nowhere(), Via::Host))
    }
}

impl<'c, 't> Checks<'c, 't> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            commands: HashMap::new(),
            quarantined: HashSet::new(),
            made: HashMap::new(),
            found: HashMap::new(),
            nothing: None,
        }
    }

    pub(super) fn add_command(&mut self, command: &'c WrittenObject<'t>) {
        self.commands.insert(command.name.text, command);
    }

    /// How many hosts and services a configuration may have.
    pub(super) fn most_objects(&self) -> Option<usize> {
        self.context.most_objects
    }

    /// Looks at a check that nothing uses yet. What is missing may still be said by who uses it, and what asks for
    /// values of an object can only be known there.
    pub(super) fn look_at<'w>(
        &mut self,
        check: WrittenCheck<'t>,
        via: Via<'w>,
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) {
        let Options::Node(TreeNode { at, value: Tree::Map(_) }) = check.options else {
            if !check.asks_for_values() {
                self.build(&[(check, via)], None, subject, decoder);
            }
            return;
        };
        if check.asks_for_values() || check.kind == "command" {
            return;
        }
        let mut of_it = Decoder::default();
        self.build(&[(check, via)], None, subject, &mut of_it);
        let is_of_an_option = |problem: &Problem| problem.at != *at;
        of_it.into_problems().into_iter().filter(is_of_an_option).for_each(|problem| decoder.push(problem));
    }

    /// Commands that are written but not loaded.
    pub(super) fn quarantine(&mut self, names: HashSet<String>) {
        self.quarantined = names;
    }

    /// The check of a host for which nobody wrote one.
    pub(super) fn usual_host_check(&mut self, timeout: Option<Duration>) -> Built {
        let timeout = timeout.unwrap_or(USUAL);
        let method = CheckMethod::BuiltIn(vigia_checks::unwritten_host_check());
        let print = FixedState::with_seed(5).hash_one(timeout);
        Built { check: Arc::new(Check { kind: "ping", method, timeout }), print, freshness: None }
    }

    /// The check that the layers say.
    pub(super) fn build<'w>(
        &mut self,
        layers: &[(WrittenCheck<'t>, Via<'w>)],
        timeout: Option<Duration>,
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) -> Option<Built> {
        let (strongest, _) = layers.last()?;
        let kind = strongest.kind;
        let mut marks = Marks::default();
        let before = decoder.errors();
        let options = self.merged(layers, subject, &mut marks, decoder)?;
        if decoder.errors() > before {
            return None;
        }
        let is_command = kind == "command";
        let mut text = format!("{kind} {timeout:?} ");
        canonical(&options, &mut text);
        // A command's macros make it another for every object.
        if !is_command && let Some(built) = self.made.get(&text) {
            return Some(built.clone());
        }
        let mut built = self.decode(kind, &options, timeout, subject, &marks, decoder)?;
        built.print = match &built.check.method {
            CheckMethod::Plugin(command) => {
                FixedState::with_seed(4).hash_one((&text, format!("{command:?}")))
            }
            CheckMethod::BuiltIn(_) | CheckMethod::Passive { .. } | CheckMethod::AssumedUp => {
                FixedState::with_seed(4).hash_one(&text)
            }
        };
        if !is_command {
            self.made.insert(text, built.clone());
        }
        Some(built)
    }

    /// Options of all layers in their long form.
    pub(super) fn options<'w>(
        &self,
        layers: &[(WrittenCheck<'_>, Via<'w>)],
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) -> Option<Value> {
        self.merged(layers, subject, &mut Marks::default(), decoder)
    }

    fn merged<'w>(
        &self,
        layers: &[(WrittenCheck<'_>, Via<'w>)],
        subject: &Subject<'_>,
        marks: &mut Marks<'w>,
        decoder: &mut Decoder,
    ) -> Option<Value> {
        let mut options: Option<Value> = None;
        for (check, via) in layers {
            let value = self.layer(check, *via, subject, marks, decoder);
            options = Some(match options {
                None => value,
                Some(weak) => merge(weak, value, marks, decoder),
            });
        }
        options
    }

    /// One layer's options in their long form, values of the object put in.
    fn layer<'w>(
        &self,
        check: &WrittenCheck<'_>,
        via: Via<'w>,
        subject: &Subject<'_>,
        marks: &mut Marks<'w>,
        decoder: &mut Decoder,
    ) -> Value {
        let value = match check.options {
            Options::None => Value::map(Vec::new(), marks.mark(check.at, via)),
            Options::Text(item) => {
                let text = filled(item.text, item.at, via, subject, decoder);
                Value::text(text, marks.mark(item.at, via))
            }
            Options::Node(node) => value(node, via, subject, marks, decoder),
        };
        match vigia_checks::kind(check.kind) {
            Some(kind) => kind.long_form(value),
            None => long_form(check.kind, value, marks, decoder),
        }
    }

    fn decode(
        &mut self,
        kind: &'static str,
        options: &Value,
        timeout: Option<Duration>,
        subject: &Subject<'_>,
        marks: &Marks<'_>,
        decoder: &mut Decoder,
    ) -> Option<Built> {
        if kind != "command" {
            warn_of_macros(options, subject, marks, decoder);
        }
        let Some(built_in) = vigia_checks::kind(kind) else {
            return self.decode_own(kind, options, timeout, subject, marks, decoder);
        };
        let decoded = built_in.decode(options);
        report(decoded.problems, marks, subject, decoder);
        let method = CheckMethod::BuiltIn(decoded.check?);
        let check = Check { kind, method, timeout: timeout.unwrap_or(USUAL) };
        Some(Built { check: Arc::new(check), print: 0, freshness: None })
    }

    fn decode_own(
        &mut self,
        kind: &'static str,
        options: &Value,
        timeout: Option<Duration>,
        subject: &Subject<'_>,
        marks: &Marks<'_>,
        decoder: &mut Decoder,
    ) -> Option<Built> {
        let mut reader = Reader::written();
        let declared: &'static [Opt] = match kind {
            "plugin" => PLUGIN,
            "command" => COMMAND,
            _ => PASSIVE,
        };
        let given = Given::read(options, &[declared], &mut reader);
        let is_wrong = reader.has_errors();
        report(reader.into_problems(), marks, subject, decoder);
        if is_wrong {
            return None;
        }
        let (method, freshness) = match kind {
            "plugin" => (CheckMethod::Plugin(self.plugin(&given, marks, subject, decoder)?), None),
            "command" => (CheckMethod::Plugin(self.command(&given, marks, subject, decoder)?), None),
            _ => {
                let stale = stale(&given, marks, decoder)?;
                (CheckMethod::Passive { stale }, given.find::<Duration>("freshness"))
            }
        };
        let usual = if kind == "passive" { USUAL } else { OF_PROGRAMS };
        let check = Check { kind, method, timeout: timeout.unwrap_or(usual) };
        Some(Built { check: Arc::new(check), print: 0, freshness })
    }

    fn plugin(
        &mut self,
        given: &Given,
        marks: &Marks<'_>,
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) -> Option<PluginCommand> {
        let mut argv = given.get::<Texts>("argv").0;
        let (at, _) = marks.place(given.mark("argv"));
        let env = given.find::<Pairs>("env").map(|pairs| pairs.0).unwrap_or_default();
        warn_of_shell(&argv, at, subject, decoder);
        let program = argv.first_mut()?;
        self.look_up(program, at, subject, decoder);
        Some(PluginCommand { argv, env, shell: false })
    }

    /// Puts the path in front of a program that is named alone.
    fn look_up(&mut self, program: &mut String, at: Place, subject: &Subject<'_>, decoder: &mut Decoder) {
        if program.contains('/') {
            return;
        }
        let folders = &self.context.plugin_path;
        let found = self.found.entry(program.clone()).or_insert_with_key(|name| {
            folders.iter().map(|folder| folder.join(name)).find(|path| is_program(path))
        });
        match found {
            Some(path) => *program = path.to_string_lossy().into_owned(),
            None => {
                let folders: Vec<String> =
                    folders.iter().map(|folder| folder.display().to_string()).collect();
                let problem =
                    Problem::warning(at, format!("there is no plugin `{program}`")).of(subject.to_string());
                decoder.push(problem.hint(if folders.is_empty() {
                    "`plugin_path` names no folder; write the whole path".to_owned()
                } else {
                    format!("looked for it in {}", folders.join(", "))
                }));
            }
        }
    }

    fn command(
        &mut self,
        given: &Given,
        marks: &Marks<'_>,
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) -> Option<PluginCommand> {
        let name = given.get::<String>("name");
        let (at, via) = marks.place(given.mark("name"));
        let (args, named) = match given.find::<Arguments>("args") {
            None => (Vec::new(), Vec::new()),
            Some(Arguments::List(args)) => (args, Vec::new()),
            Some(Arguments::Named(Pairs(named))) => (Vec::new(), named),
        };
        let Some(command) = self.commands.get(&*name).copied() else {
            if self.quarantined.contains(&*name) {
                return decoder
                    .refuse(via.mark(Problem::error(at, format!("command `{name}` is in quarantine"))));
            }
            let item = Item { text: &name, at };
            return decoder.refuse(via.mark(missing(item, "command", self.commands.keys().copied())));
        };
        let fields = &command.fields;
        let mut env: Vec<(String, String)> = fields
            .pairs("env")
            .iter()
            .map(|(key, text)| (key.text.to_owned(), text.text.to_owned()))
            .collect();
        if let Some(words) = fields.words("run") {
            let place = fields.place("run");
            let mut argv = Vec::with_capacity(words.len());
            for word in &words {
                let value = |name: &str| match name.strip_prefix("args.") {
                    Some(key) => named.iter().find(|(known, _)| known == key).map(|(_, text)| text.clone()),
                    None => subject.value(name),
                };
                match insertion::fill(word, value) {
                    Ok(text) => argv.push(text),
                    Err((name, _)) => decoder.push(no_value(name, at, subject).also(place, "asked for here")),
                }
            }
            self.look_up(argv.first_mut()?, place, subject, decoder);
            return Some(PluginCommand { argv, env, shell: false });
        }
        let line = fields.item("command_line")?;
        let expanded =
            macros::expand_call(line.text, &args, &mut |reference| self.macro_value(reference, subject));
        if let Some(unknown) = expanded.unknown.first() {
            let message = format!("there is no macro `${unknown}$`");
            decoder.push(
                Problem::warning(line.at, message)
                    .of(format!("command {name}"))
                    .hint("it stays as it is; `$$` stands for one `$`"),
            );
        }
        if fields.switch("shell") {
            if expanded.template.as_text().is_none() {
                let problem = Problem::error(line.at, "a shell may not see values that come from outside");
                return decoder
                    .refuse(problem.hint("without `shell: on` they reach the program as arguments"));
            }
            let line = expanded.template.fill(|_| String::new());
            return Some(PluginCommand { argv: vec![line], env, shell: true });
        }
        match words::split(&expanded.template) {
            Err(error) => decoder.refuse(Problem::error(line.at, format!("`command_line`: {error}"))),
            Ok(command) => {
                env.extend(command.env.into_iter().map(|(key, value)| (key, value.fill(|_| String::new()))));
                // What only a running daemon knows is empty in a check's command line.
                let mut argv: Vec<String> =
                    command.words.iter().map(|word| word.fill(|_| String::new())).collect();
                self.look_up(argv.first_mut()?, line.at, subject, decoder);
                Some(PluginCommand { argv, env, shell: false })
            }
        }
    }

    fn macro_value(&self, reference: Reference<'_>, subject: &Subject<'_>) -> Option<String> {
        if reference.subject.is_some() {
            return None;
        }
        if reference.name.starts_with("USER") {
            let user = self.context.user_macros.iter().find(|(name, _)| name == reference.name);
            return user.map(|(_, value)| value.clone());
        }
        subject.macro_value(reference.name)
    }
}

/// What a shell would have acted on reaches a plugin as an argument.
fn warn_of_shell(argv: &[String], at: Place, subject: &Subject<'_>, decoder: &mut Decoder) {
    const SIGNS: [&str; 8] = ["|", "||", "&&", ";", ">", ">>", "<", "2>&1"];
    let Some(sign) = argv.iter().find(|word| SIGNS.contains(&word.as_str())) else { return };
    let problem =
        Problem::warning(at, format!("`{sign}` reaches the plugin as an argument: no shell runs it"));
    decoder.push(
        problem
            .of(subject.to_string())
            .hint("put the line into a script, or into `commands` with `command_line` and `shell: on`"),
    );
}

/// Macros of Nagios are read in `command_line` and in the arguments of a `command`, and nowhere else.
fn warn_of_macros(options: &Value, subject: &Subject<'_>, marks: &Marks<'_>, decoder: &mut Decoder) {
    match &options.node {
        Node::Null => {}
        Node::Text(text) => {
            for name in insertion::macros_in(text) {
                let (at, via) = marks.place(options.mark);
                let problem = Problem::warning(at, format!("`${name}$` stays as it is here"));
                let problem = problem.of(subject.to_string()).hint(insertion::instead_of(name));
                decoder.push(via.mark(problem));
            }
        }
        Node::List(items) => items.iter().for_each(|item| warn_of_macros(item, subject, marks, decoder)),
        Node::Map(entries) => {
            entries.iter().for_each(|entry| warn_of_macros(&entry.value, subject, marks, decoder));
        }
    }
}

fn is_program(path: &Path) -> bool {
    matches!(crate::os::files::kind(path), Ok(Some(crate::os::files::Kind::File)))
}

fn stale(given: &Given, marks: &Marks<'_>, decoder: &mut Decoder) -> Option<State> {
    let word = given.get::<String>("stale");
    match &*word {
        "critical" => Some(State::Critical),
        "warning" => Some(State::Warning),
        "unknown" => Some(State::Unknown),
        "ok" => Some(State::Ok),
        _ => {
            let (at, via) = marks.place(given.mark("stale"));
            let problem = Problem::error(at, format!("`stale` has no `{word}`"));
            decoder.refuse(via.mark(problem).hint("one of: critical warning unknown ok"))
        }
    }
}

/// Short forms of the daemon's own kinds.
fn long_form(kind: &str, value: Value, marks: &Marks<'_>, decoder: &mut Decoder) -> Value {
    let option = match (kind, &value.node) {
        (_, Node::Map(_) | Node::Null) => return value,
        ("plugin", Node::List(_)) => "argv",
        ("plugin", Node::Text(text)) => {
            let words = words::split_text(text).unwrap_or_else(|error| {
                decoder.push(Problem::error(marks.place(value.mark).0, format!("`plugin`: {error}")));
                Vec::new()
            });
            let words = words.into_iter().map(|word| Value::text(word, value.mark)).collect();
            return Value::single("argv", Value::list(words, value.mark));
        }
        ("command", Node::Text(text)) => {
            let (name, args) = macros::call(text);
            let name = Value::text(name.into_owned(), value.mark);
            let args = args.into_iter().map(|arg| Value::text(arg, value.mark)).collect::<Vec<_>>();
            let entry = |key: &str, node: Value| Entry { key: key.to_owned(), mark: value.mark, value: node };
            let mut entries = vec![entry("name", name)];
            if !args.is_empty() {
                entries.push(entry("args", Value::list(args, value.mark)));
            }
            return Value::map(entries, value.mark);
        }
        ("passive", Node::Text(_)) => "freshness",
        (_, Node::Text(_) | Node::List(_)) => return value,
    };
    Value::single(option, value)
}

fn report(
    problems: Vec<vigia_checks::options::OptionProblem>,
    marks: &Marks<'_>,
    subject: &Subject<'_>,
    decoder: &mut Decoder,
) {
    for problem in problems {
        let (at, via) = marks.place(problem.mark);
        let new = if problem.is_warning { Problem::warning } else { Problem::error };
        let is_secret = problem.is_secret;
        let problem = new(at, problem.message).maybe_hint(problem.hint).of(subject.to_string());
        decoder.push(via.mark(if is_secret { problem.conceal() } else { problem }));
    }
}

/// A tree as the crate of checks reads it.
fn value<'w>(
    node: &TreeNode<'_>,
    via: Via<'w>,
    subject: &Subject<'_>,
    marks: &mut Marks<'w>,
    decoder: &mut Decoder,
) -> Value {
    let mark = marks.mark(node.at, via);
    match &node.value {
        Tree::Text(text) => Value::text(filled(&text.text, node.at, via, subject, decoder), mark),
        Tree::List(items) => {
            Value::list(items.iter().map(|item| value(item, via, subject, marks, decoder)).collect(), mark)
        }
        Tree::Map(map) => {
            if !map.refused().is_empty() {
                decoder.count_reported();
            }
            let mut entries = Vec::with_capacity(map.len());
            for entry in map {
                if entry.value.is_nothing() {
                    // `{warn: 100ms,20%}` is two keys: let the reader say that the second is none.
                    let is_known =
                        entry.key.text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                    if is_known {
                        decoder.warn_of_nothing(entry.key.at, &entry.key.text);
                        continue;
                    }
                }
                entries.push(Entry {
                    key: entry.key.text.clone().into_owned(),
                    mark: marks.mark(entry.key.at, via),
                    value: value(&entry.value, via, subject, marks, decoder),
                });
            }
            Value::map(entries, mark)
        }
        Tree::Null(_) => Value::null(mark),
        Tree::Broken => {
            decoder.count_reported();
            Value::null(mark)
        }
    }
}

/// A text with the object's values in it.
pub(super) fn filled(
    text: &str,
    at: Place,
    via: Via<'_>,
    subject: &Subject<'_>,
    decoder: &mut Decoder,
) -> String {
    if !insertion::is_in(text) {
        return text.to_owned();
    }
    match insertion::fill(text, |name| subject.value(name)) {
        Ok(filled) => filled,
        Err((name, offset)) => {
            let at = at.inside(text, offset, name.chars().count() + 3);
            decoder.push(via.mark(no_value(name, at, subject)));
            text.chars().filter(|c| !c.is_whitespace() && *c != '/').collect()
        }
    }
}

fn no_value(name: &str, at: Place, subject: &Subject<'_>) -> Problem {
    let problem = Problem::error(at, format!("there is no value `${{{name}}}` here")).of(subject.to_string());
    let hint = match name.strip_prefix("tags.") {
        Some(key) => did_you_mean(key, subject.tag_names())
            .or_else(|| Some(format!("{} has no tag `{key}`", subject.host))),
        None if name == "host.index" => {
            Some("only hosts of a range, as `web[1-4]`, have an index".to_owned())
        }
        None => did_you_mean(name, insertion::OF_OBJECTS.iter().copied()),
    };
    problem.maybe_hint(hint.or_else(|| Some("`$${` stands for a literal `${`".to_owned())))
}
