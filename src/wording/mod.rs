//! What messages say: templates built in, or an administrator's, looked over before they are used. Outside of here
//! nobody knows the template language. What stands for a label is not known here.

mod labels;
pub mod ticket;

use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

pub use labels::labels;

/// What a message tells of, and so which template words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Host,
    Service,
    /// Many at once.
    Digest,
}

impl Kind {
    pub const ALL: &'static [Self] = &[Self::Host, Self::Service, Self::Digest];

    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Service => "service",
            Self::Digest => "digest",
        }
    }
}

/// A part of a message, which is a file of its own: `service.subject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// One line; also the title of a webhook's message.
    Subject,
    Text,
    Html,
}

impl Part {
    pub const ALL: &'static [Self] = &[Self::Subject, Self::Text, Self::Html];

    pub fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// The names of all templates, as the files are called.
pub fn names() -> impl Iterator<Item = String> {
    Kind::ALL.iter().flat_map(|kind| Part::ALL.iter().map(|part| name(*kind, *part)))
}

fn name(kind: Kind, part: Part) -> String {
    format!("{}.{}", kind.word(), part.word())
}

fn built_in(kind: Kind, part: Part) -> &'static str {
    match (kind, part) {
        (Kind::Host, Part::Subject) => include_str!("templates/host.subject"),
        (Kind::Host, Part::Text) => include_str!("templates/host.text"),
        (Kind::Host, Part::Html) => include_str!("templates/host.html"),
        (Kind::Service, Part::Subject) => include_str!("templates/service.subject"),
        (Kind::Service, Part::Text) => include_str!("templates/service.text"),
        (Kind::Service, Part::Html) => include_str!("templates/service.html"),
        (Kind::Digest, Part::Subject) => include_str!("templates/digest.subject"),
        (Kind::Digest, Part::Text) => include_str!("templates/digest.text"),
        (Kind::Digest, Part::Html) => include_str!("templates/digest.html"),
    }
}

/// Steps a template may take; the built-in ones need some hundreds.
const FUEL: u64 = 100_000;

/// Bytes that may come out of one.
const LONGEST: usize = 256 * 1024;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    pub message: String,
    /// A label that is not there, as written.
    pub label: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// All templates of a configuration. Cheap to clone.
#[derive(Clone)]
pub struct Wording(Arc<Environment<'static>>);

impl fmt::Debug for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wording").finish_non_exhaustive()
    }
}

impl Default for Wording {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Wording {
    /// With these in place of the built-in ones; a name that is none and a template with a mistake are passed over,
    /// [`mistakes`] says why.
    pub fn new(own: &[(String, String)]) -> Self {
        let mut environment = environment();
        for kind in Kind::ALL {
            for part in Part::ALL {
                let name = name(*kind, *part);
                let usable = |text: &&String| mistakes(&name, text).is_empty();
                let found = own.iter().find(|(known, _)| *known == name).map(|(_, text)| text).filter(usable);
                let text = found.map_or_else(|| built_in(*kind, *part).to_owned(), String::clone);
                environment
                    .add_template_owned(name, text)
                    .expect("a template without mistakes was parsed before");
            }
        }
        Self(Arc::new(environment))
    }

    /// Puts values in. An error where the template asks for what these values do not have.
    pub fn render(&self, kind: Kind, part: Part, values: &serde_json::Value) -> Result<String, String> {
        let text = fill(&self.0, &name(kind, part), values).map_err(|error| shown(&error))?;
        Ok(if part == Part::Subject { one_line(&text) } else { text })
    }
}

/// A subject must stay one: what is in it may come from outside.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_control() || c.is_whitespace()).collect();
    let line: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    line.join(" ").chars().take(200).collect()
}

/// Everything that is wrong with a template of this name. A name that is none has no mistakes.
pub fn mistakes(name: &str, text: &str) -> Vec<Mistake> {
    let Some(kind) = Kind::ALL.iter().find(|kind| name.split('.').next() == Some(kind.word())) else {
        return Vec::new();
    };
    let mut environment = environment();
    if let Err(error) = environment.add_template_owned(name.to_owned(), text.to_owned()) {
        return vec![mistake(&error)];
    }
    let values = labels(*kind);
    let unknown = unknown_labels(&environment, name, &values);
    if !unknown.is_empty() {
        return unknown.into_iter().map(|label| unknown_label(text, label)).collect();
    }
    // What hides in loops and filters shows when it is tried.
    fill(&environment, name, &values).err().map(|error| mistake(&error)).into_iter().collect()
}

fn unknown_labels(environment: &Environment<'_>, name: &str, values: &serde_json::Value) -> Vec<String> {
    let Ok(template) = environment.get_template(name) else { return Vec::new() };
    let is_global = |label: &str| environment.globals().any(|(known, _)| known == label);
    let mut unknown: Vec<String> = template
        .undeclared_variables(true)
        .into_iter()
        .filter(|label| {
            let known = label.split('.').try_fold(values, |inside, key| inside.get(key));
            known.is_none() && !is_global(label)
        })
        .collect();
    unknown.sort();
    unknown
}

fn unknown_label(text: &str, label: String) -> Mistake {
    let line = text.lines().position(|line| line.contains(&label)).map_or(1, |at| at + 1);
    Mistake { line, message: format!("there is no label `{label}`"), label: Some(label) }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual signs and two switches"));
    environment
}

fn fill(environment: &Environment<'_>, name: &str, values: &serde_json::Value) -> Result<String, Error> {
    let template = environment.get_template(name)?;
    let mut out = Bounded(Vec::new());
    template.render_captured_to(Value::from(Serde(values)), &mut out)?;
    let too_odd = |_error| Error::new(ErrorKind::WriteFailure, "what came out is not text");
    String::from_utf8(out.0).map_err(too_odd)
}

fn mistake(error: &Error) -> Mistake {
    Mistake { line: error.line().unwrap_or(1), message: shown(error), label: None }
}

fn shown(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => format!("it takes more than {FUEL} steps"),
        (ErrorKind::WriteFailure, _) => format!("more than {} KiB come out of it", LONGEST / 1024),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

/// Takes no more than a message may hold.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_templates_have_no_mistakes_and_say_something() {
        for kind in Kind::ALL {
            for part in Part::ALL {
                let text = built_in(*kind, *part);
                assert_eq!(mistakes(&name(*kind, *part), text), [], "{kind:?} {part:?}");
                let said = Wording::default().render(*kind, *part, &labels(*kind)).unwrap();
                assert!(said.len() > 10, "{said}");
            }
        }
    }

    #[test]
    fn a_label_that_does_not_exist_is_found_with_its_line() {
        let wrong = mistakes("service.text", "{{ output }}\n{{ service.nam }}\n");
        assert_eq!(wrong.len(), 1);
        assert_eq!((wrong[0].line, wrong[0].label.as_deref()), (2, Some("service.nam")));
        // A host's message knows of no service.
        assert_eq!(mistakes("host.text", "{{ service.name }}")[0].label.as_deref(), Some("service.name"));
        let in_a_loop = mistakes("digest.text", "a\n{% for e in entries %}\n{{ e.nam }}\n{% endfor %}");
        assert_eq!(in_a_loop.len(), 1, "{in_a_loop:?}");
        assert_eq!(in_a_loop[0].line, 3);
    }

    #[test]
    fn what_cannot_be_parsed_or_never_ends_is_a_mistake() {
        assert_eq!(mistakes("host.text", "a\n{% if x %}").len(), 1);
        let endless = mistakes(
            "host.text",
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
        );
        assert!(endless[0].message.contains("steps"), "{endless:?}");
        let long = mistakes(
            "host.text",
            "{% for i in range(9000) %}0123456789012345678901234567890123456789{% endfor %}",
        );
        assert!(long[0].message.contains("256 KiB"), "{long:?}");
    }

    #[test]
    fn a_template_with_a_mistake_leaves_the_built_in_one_in_place() {
        let own = |text: &str| [("host.subject".to_owned(), text.to_owned())];
        let subject =
            |wording: &Wording| wording.render(Kind::Host, Part::Subject, &labels(Kind::Host)).unwrap();
        assert_eq!(subject(&Wording::new(&own("{{ host.name }}!"))), "web1!");
        assert_eq!(subject(&Wording::new(&own("{{ host.nam }}!"))), subject(&Wording::default()));
    }

    #[test]
    fn values_are_escaped_in_html_and_a_subject_stays_one_line() {
        let mut values = labels(Kind::Host);
        values["output"] = "<script>\r\nBcc: all@example.test".into();
        let own = [
            ("host.subject".to_owned(), "{{ output }}".to_owned()),
            ("host.html".to_owned(), "{{ output }}".to_owned()),
        ];
        let wording = Wording::new(&own);
        assert!(!wording.render(Kind::Host, Part::Html, &values).unwrap().contains("<script>"));
        assert_eq!(
            wording.render(Kind::Host, Part::Subject, &values).unwrap(),
            "<script> Bcc: all@example.test"
        );
    }
}
