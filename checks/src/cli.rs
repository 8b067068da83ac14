//! A kind of check as a plugin: the flags that its declarations and monitoring-plugins give it, `--help`, one line of
//! output, exit code 0 to 3. Wrong usage is 3: a 2 would read as CRITICAL.

use std::fmt::Write as _;
use std::time::Duration;

use crate::kind::{Extra, Kind, Shared, Short, Target};
use crate::options::{Entry, Mark, Node, Opt, OptionProblem, OptionType, Reader, Shape, Value, nested};

/// The kind that a link's name stands for: `check_http` for `http`. A path before it does not matter.
pub fn kind_of_link(program: &str) -> Option<&'static Kind> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = name.strip_prefix("check_")?;
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    crate::kind(other.map_or(name, |(_, kind)| kind))
}

/// What monitoring-plugins call some kinds.
const OTHER_NAMES: &[(&str, &str)] = &[("pop", "pop3"), ("ntp_time", "ntp"), ("pgsql", "postgres")];

/// Runs a check with the arguments after its name; what to print and the exit code.
pub async fn plugin_main(kind: &'static Kind, arguments: &[String], shared: &Shared) -> (u8, String) {
    let command = match parse(kind, arguments) {
        Ok(command) => command,
        Err(Stop::Help) => return (0, help(kind)),
        Err(Stop::Version) => {
            return (0, format!("check_{} (vigia {})", kind.name, env!("CARGO_PKG_VERSION")));
        }
        Err(Stop::Wrong(why)) => return (3, wrong_usage(kind, &[why])),
    };
    let decoded = kind.decode_with(&command.value, Reader::command_line());
    let Some(check) = decoded.check else {
        let wrong: Vec<String> =
            decoded.problems.iter().filter(|p| !p.is_warning).map(|p| command.explain(p)).collect();
        return (3, wrong_usage(kind, &wrong));
    };
    let address = command.address.as_deref().unwrap_or_default();
    if address.is_empty() && wants_address(kind) {
        return (3, wrong_usage(kind, &["-H is missing: whom to connect to".to_owned()]));
    }
    let target = Target { address, timeout: command.timeout, is_host_check: false, verbose: command.verbose };
    let outcome = crate::run(check.as_ref(), &target, shared).await;
    let mut text = outcome.plugin_text();
    for line in &outcome.detail {
        let _infallible = write!(text, "\n{}", line.replace('|', "/"));
    }
    (outcome.exit_code(), text)
}

/// Kinds whose `address` is declared with `-H`; the others find theirs in what they are given.
fn wants_address(kind: &Kind) -> bool {
    kind.options().any(|option| option.name == "address" && option.flags.split(' ').any(|flag| flag == "-H"))
}

fn wrong_usage(kind: &Kind, wrong: &[String]) -> String {
    let mut text =
        format!("{} UNKNOWN - wrong usage: {}", kind.label, wrong.first().map_or("", String::as_str));
    for more in wrong.iter().skip(1) {
        let _infallible = write!(text, "\n{more}");
    }
    let _infallible = write!(text, "\nTry: vigia check {} --help", kind.name);
    text
}

enum Stop {
    Help,
    Version,
    Wrong(String),
}

/// What a flag does.
#[derive(Clone, Copy)]
enum Does {
    Takes(&'static Opt, Option<&'static Opt>),
    Sets(&'static Opt, &'static str),
    Extra(&'static Extra),
    Help,
    Version,
    Timeout,
    Verbose,
}

const COMMON: &[(&str, Does)] = &[
    ("-t --timeout", Does::Timeout),
    ("-v --verbose", Does::Verbose),
    ("-h --help", Does::Help),
    ("-V --version", Does::Version),
];

impl Does {
    /// Whether a value follows, has to be attached, or does not exist.
    fn takes(self) -> Takes {
        match self {
            Self::Takes(..) | Self::Timeout => Takes::Value,
            Self::Extra(extra) if extra.value.is_empty() => Takes::Nothing,
            Self::Extra(extra) if extra.value.starts_with('[') => Takes::Attached,
            Self::Extra(_) => Takes::Value,
            Self::Sets(..) | Self::Help | Self::Version | Self::Verbose => Takes::Nothing,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Attached,
    Value,
}

/// Every flag of a kind. The first that fits counts: what monitoring-plugins mean by a letter goes first.
fn flags(kind: &Kind) -> Vec<(String, Does)> {
    let mut all = Vec::new();
    let mut add =
        |names: &str, does: Does| all.extend(names.split_whitespace().map(|name| (name.to_owned(), does)));
    for extra in kind.extras {
        add(extra.flags, Does::Extra(extra));
    }
    for option in kind.options() {
        add(option.flags, Does::Takes(option, None));
        for (names, text) in option.sets {
            add(names, Does::Sets(option, text));
        }
        for inner in nested(option.shape) {
            add(inner.flags, Does::Takes(option, Some(inner)));
        }
    }
    for (names, does) in COMMON {
        add(names, *does);
    }
    for option in kind.options() {
        add(&long_name(option, None), Does::Takes(option, None));
        for inner in nested(option.shape) {
            add(&long_name(option, Some(inner)), Does::Takes(option, Some(inner)));
        }
    }
    all
}

fn long_name(option: &Opt, inner: Option<&Opt>) -> String {
    let inner = inner.map(|inner| format!("-{}", inner.name)).unwrap_or_default();
    format!("--{}{inner}", option.name).replace('_', "-")
}

/// A command line, read but not decoded.
struct Command {
    value: Value,
    address: Option<String>,
    timeout: Duration,
    verbose: bool,
    /// The flag at each mark, from 1; 0 is the whole line.
    places: Vec<String>,
}

impl Command {
    fn explain(&self, problem: &OptionProblem) -> String {
        let place = usize::try_from(problem.mark.0).ok().and_then(|at| self.places.get(at.checked_sub(1)?));
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{place}{}{hint}", problem.message)
    }
}

fn parse(kind: &'static Kind, arguments: &[String]) -> Result<Command, Stop> {
    let flags = flags(kind);
    let mut command = Command {
        value: Value::map(Vec::new(), Mark(0)),
        address: None,
        timeout: Duration::from_secs(10),
        verbose: false,
        places: Vec::new(),
    };
    let mut waiting = arguments.iter();
    let mut bare: Vec<&String> = Vec::new();
    while let Some(argument) = waiting.next() {
        if argument == "--" {
            bare.extend(waiting.by_ref());
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, attached) =
                long.split_once('=').map_or((long, None), |(name, text)| (name, Some(text)));
            let (name, does) = find(&flags, &format!("--{name}"))?;
            let text = value_of(name, does, attached, &mut waiting)?;
            command.act(kind, name, does, &text)?;
        } else if argument.len() > 1 && argument.starts_with('-') {
            short_flags(kind, &mut command, &flags, argument, &mut waiting)?;
        } else {
            bare.push(argument);
        }
    }
    command.positional(kind, &bare)?;
    Ok(command)
}

/// `-p80`, `-p 80`, and switches written together: `-S4`.
fn short_flags<'a>(
    kind: &'static Kind,
    command: &mut Command,
    flags: &[(String, Does)],
    argument: &str,
    waiting: &mut impl Iterator<Item = &'a String>,
) -> Result<(), Stop> {
    let mut letters = argument.chars();
    letters.next();
    while let Some(letter) = letters.next() {
        let (name, does) = find(flags, &format!("-{letter}"))?;
        let rest = letters.as_str();
        if does.takes() == Takes::Nothing {
            command.act(kind, name, does, "")?;
            continue;
        }
        let attached = (!rest.is_empty()).then_some(rest);
        let text = value_of(name, does, attached, waiting)?;
        return command.act(kind, name, does, &text);
    }
    Ok(())
}

fn find<'f>(flags: &'f [(String, Does)], name: &str) -> Result<(&'f str, Does), Stop> {
    let found = flags.iter().find(|(flag, _)| flag == name);
    found.map(|(flag, does)| (flag.as_str(), *does)).ok_or_else(|| {
        let known: Vec<&str> =
            flags.iter().map(|(flag, _)| flag.as_str()).filter(|flag| flag.len() > 2).collect();
        let near = crate::options::nearest(name, &known)
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        Stop::Wrong(format!("unknown flag {}{near}", crate::one_line(name.to_owned(), 80)))
    })
}

fn value_of<'a>(
    name: &str,
    does: Does,
    attached: Option<&str>,
    waiting: &mut impl Iterator<Item = &'a String>,
) -> Result<String, Stop> {
    match (does.takes(), attached) {
        (Takes::Nothing, Some(_)) => Err(Stop::Wrong(format!("{name} takes no value"))),
        (Takes::Nothing | Takes::Attached, None) => Ok(String::new()),
        (Takes::Attached | Takes::Value, Some(text)) => Ok(text.to_owned()),
        (Takes::Value, None) => match waiting.next() {
            Some(text) => Ok(text.clone()),
            None => Err(Stop::Wrong(format!("{name} wants a value"))),
        },
    }
}

impl Command {
    fn act(&mut self, kind: &'static Kind, name: &str, does: Does, text: &str) -> Result<(), Stop> {
        self.places.push(name.to_owned());
        match does {
            Does::Takes(option, inner) => self.set(option, inner, text),
            Does::Sets(option, text) => self.set(option, None, text),
            Does::Extra(extra) => {
                let set = (extra.apply)(text).map_err(|why| Stop::Wrong(format!("{name}: {why}")))?;
                for (path, text) in set {
                    let (option, inner) = by_path(kind, path);
                    self.set(option, inner, &text);
                }
            }
            Does::Timeout => {
                let mut reader = Reader::command_line();
                let span =
                    Duration::read(&Value::text(text, Mark(0)), &mut reader).filter(|span| !span.is_zero());
                self.timeout =
                    span.ok_or_else(|| Stop::Wrong(format!("{name}: `{text}` is no number of seconds")))?;
            }
            Does::Verbose => self.verbose = true,
            Does::Help => return Err(Stop::Help),
            Does::Version => return Err(Stop::Version),
        }
        Ok(())
    }

    /// The last one counts, as with getopt; lists grow.
    fn set(&mut self, option: &'static Opt, inner: Option<&'static Opt>, text: &str) {
        let mark = Mark(u32::try_from(self.places.len()).unwrap_or(0));
        if option.name == "address" {
            self.address = Some(text.to_owned());
        }
        let value = Value::text(text, mark);
        // `-S` for an option that may also be a map is that map's `mode`.
        let inner = inner.or_else(|| nested(option.shape).iter().find(|inner| inner.name == "mode"));
        let Node::Map(entries) = &mut self.value.node else { return };
        match inner {
            None => put(entries, option, value),
            Some(inner) => match entries.iter_mut().find(|entry| entry.key == option.name) {
                Some(Entry { value: Value { node: Node::Map(inside), .. }, .. }) => put(inside, inner, value),
                Some(_) | None => {
                    let mut inside = Vec::new();
                    put(&mut inside, inner, value);
                    put(entries, option, Value::map(inside, mark));
                }
            },
        }
    }

    fn is_set(&self, option: &Opt) -> bool {
        match &self.value.node {
            Node::Map(entries) => entries.iter().any(|entry| entry.key == option.name),
            Node::Null | Node::Text(_) | Node::List(_) => false,
        }
    }

    /// One argument without a flag is the kind's short form.
    fn positional(&mut self, kind: &'static Kind, bare: &[&String]) -> Result<(), Stop> {
        let (first, more) = match bare {
            [] => return Ok(()),
            [first] => (*first, None),
            [first, second, ..] => (*first, Some(*second)),
        };
        let name = match kind.short {
            Short::Option(name) => name,
            Short::Text(which) => which(first),
            Short::None => return Err(Stop::Wrong(format!("`{first}` stands there without a flag"))),
        };
        if let Some(more) = more {
            return Err(Stop::Wrong(format!("`{more}` stands there without a flag")));
        }
        self.places.push(format!("`{first}`"));
        let (option, inner) = by_path(kind, name);
        // `check_ssh -p 22 HOST`: of monitoring-plugins, what stands alone is the host.
        let is_host = matches!(option.shape, Shape::Number(..)) && first.parse::<u64>().is_err();
        if is_host && self.address.is_none() {
            self.address = Some(first.clone());
            return Ok(());
        }
        if self.is_set(option) {
            return Err(Stop::Wrong(format!(
                "`{first}` stands there without a flag, and `{name}` is given already"
            )));
        }
        self.set(option, inner, first);
        Ok(())
    }
}

fn by_path(kind: &'static Kind, path: &str) -> (&'static Opt, Option<&'static Opt>) {
    let (outer, inner) = path.split_once('.').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
    let option = kind
        .options()
        .find(|option| option.name == outer)
        .expect("extras and short forms name declared options");
    (option, inner.and_then(|inner| nested(option.shape).iter().find(|option| option.name == inner)))
}

fn put(entries: &mut Vec<Entry>, option: &Opt, value: Value) {
    let mark = value.mark;
    match entries.iter_mut().find(|entry| entry.key == option.name) {
        Some(entry) if is_list(option.shape) => match &mut entry.value.node {
            Node::List(items) => items.push(value),
            Node::Null | Node::Text(_) | Node::Map(_) => entry.value = value,
        },
        Some(entry) => entry.value = value,
        None => {
            let value = if is_list(option.shape) { Value::list(vec![value], mark) } else { value };
            entries.push(Entry { key: option.name.to_owned(), mark, value });
        }
    }
}

/// Whether a flag that is given again adds to what was given before.
fn is_list(shape: Shape) -> bool {
    match shape {
        Shape::List(_) | Shape::MapOf(_) => true,
        Shape::OneOf(shapes) => shapes.iter().any(|shape| is_list(*shape)),
        Shape::Text
        | Shape::Number(..)
        | Shape::Duration
        | Shape::Size
        | Shape::Switch
        | Shape::Secret
        | Shape::Pattern
        | Shape::Threshold
        | Shape::Range
        | Shape::Age
        | Shape::Choice(_)
        | Shape::Map(_) => false,
    }
}

/// The page that `--help` prints: examples first, a line a flag.
pub fn help(kind: &Kind) -> String {
    let mut text = format!("vigia check {}: {}\n\n", kind.name, kind.summary);
    for example in kind.examples {
        let _infallible = writeln!(text, "  vigia check {} {example}", kind.name);
    }
    text.push('\n');
    let is_covered = |option: &&Opt| kind.extras.iter().any(|extra| extra.covers.contains(&option.name));
    for option in kind.options().filter(|option| !is_covered(option)) {
        let default = option
            .default
            .filter(|default| *default != "off")
            .map(|text| format!(" [{text}]"))
            .unwrap_or_default();
        let required = if option.required { " (needed)" } else { "" };
        line(&mut text, &names(kind, option), &format!("{}{default}{required}", option.help));
        let inside: Vec<&str> = nested(option.shape).iter().map(|inner| inner.name).collect();
        if !inside.is_empty() {
            let _infallible = writeln!(text, "  --{}-{{{}}}", option.name, inside.join(","));
        }
    }
    for extra in kind.extras {
        line(&mut text, &format!("{} {}", spelled(extra.flags), extra.value), extra.help);
    }
    text.push_str(
        "  -t, --timeout SECONDS           one deadline for everything [10]; -v prints every step\n",
    );
    text.push_str("Bare numbers are seconds (of certificates: days). Exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, wrong usage.\n");
    text
}

/// The flags of an option on one line; its own long name only where no other says it.
fn names(kind: &Kind, option: &Opt) -> String {
    let own = long_name(option, None);
    let flags: Vec<&str> = option.flags.split_whitespace().collect();
    let set: Vec<String> = option.sets.iter().map(|(names, _)| spelled(names)).collect();
    let is_taken = kind.extras.iter().any(|extra| extra.flags.split_whitespace().any(|flag| flag == own));
    let says_it =
        flags.iter().any(|flag| flag.len() > 2) || is_taken || set.iter().any(|names| names.contains("--"));
    let mut names: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    if !says_it || flags.is_empty() && set.is_empty() {
        names.push(own);
    }
    let taking = if names.is_empty() {
        String::new()
    } else {
        format!("{} {}", names.join(", "), metavar(option.shape))
    };
    [vec![taking], set].concat().into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `-p, --port`: the first long name is enough.
fn spelled(flags: &str) -> String {
    let long = flags.split_whitespace().find(|flag| flag.starts_with("--"));
    let short = flags.split_whitespace().find(|flag| !flag.starts_with("--"));
    [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, left: &str, right: &str) {
    let _infallible = writeln!(text, "  {:30}  {right}", left.trim_end());
}

fn metavar(shape: Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Secret | Shape::List(_) => "TEXT",
        Shape::Number(1, 65_535) => "PORT",
        Shape::Number(..) => "N",
        Shape::Duration => "SECONDS",
        Shape::Size => "BYTES",
        Shape::Switch => "on|off",
        Shape::Pattern => "REGEX",
        Shape::Threshold => "SECONDS",
        Shape::Range => "RANGE",
        Shape::Age => "DAYS",
        Shape::Choice(_) => "WORD",
        Shape::MapOf(_) => "\"NAME: TEXT\"",
        Shape::Map(_) => "",
        Shape::OneOf(shapes) => shapes.first().map_or("", |shape| metavar(*shape)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared::new(std::sync::Arc::new(|_| Err("no secrets in this test".to_owned())))
    }

    async fn check(kind: &str, line: &str) -> (u8, String) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        plugin_main(crate::kind(kind).unwrap(), &arguments, &shared()).await
    }

    #[test]
    fn no_flag_of_a_kind_is_declared_twice() {
        for kind in crate::KINDS {
            let mut declared: Vec<&str> = Vec::new();
            for option in kind.options() {
                declared.extend(option.flags.split_whitespace());
                declared.extend(option.sets.iter().flat_map(|(names, _)| names.split_whitespace()));
            }
            declared.extend(kind.extras.iter().flat_map(|extra| extra.flags.split_whitespace()));
            let mut seen = std::collections::HashSet::new();
            for flag in declared {
                assert!(seen.insert(flag), "{} of {}", flag, kind.name);
            }
        }
    }

    #[test]
    fn what_extras_set_is_declared() {
        let samples = ["30,14", "ok", "10:20", "1.2", "80", "2", "a:b", ""];
        for kind in crate::KINDS {
            for extra in kind.extras {
                for (path, _) in samples.iter().filter_map(|text| (extra.apply)(text).ok()).flatten() {
                    by_path(kind, path);
                }
            }
        }
    }

    #[test]
    fn help_begins_with_examples_and_fits_on_a_screen() {
        for kind in crate::KINDS {
            let help = help(kind);
            assert!(
                help.lines().nth(2).unwrap_or_default().contains(&format!("vigia check {}", kind.name)),
                "{help}"
            );
            assert!(help.lines().count() <= 48, "{} lines for {}", help.lines().count(), kind.name);
            assert!(help.lines().all(|line| line.chars().count() <= 150), "{help}");
        }
    }

    #[tokio::test]
    async fn wrong_usage_is_unknown_and_says_what_is_wrong() {
        for (line, part) in [
            ("-p 80", "-H is missing"),
            ("-H 192.0.2.1", "`port` is missing"),
            ("-H 192.0.2.1 -p eighty", "-p: `port` is a whole number from 1 to 65535, not `eighty`"),
            ("-H 192.0.2.1 -p 80 --exepct x", "did you mean --expect?"),
            ("-H 192.0.2.1 -p", "-p wants a value"),
            ("-H 192.0.2.1 -p 80 -w fast", "-w"),
            ("-H 192.0.2.1 -p 80 -t 0", "-t: `0`"),
            ("-H 192.0.2.1 -p 80 81", "without a flag"),
        ] {
            let (code, text) = check("tcp", line).await;
            assert_eq!(code, 3, "{line}: {text}");
            assert!(text.contains(part), "{line}: {text}");
        }
    }
}
