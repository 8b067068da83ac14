//! An option of a check, declared once: from its row come the decoding of what was written, the JSON Schema, the
//! command-line flag, the line in `--help` and the row of the reference page.

mod reader;
mod schema;
mod types;
mod units;
mod value;

use std::any::Any;
use std::fmt;

pub use reader::{Reader, nearest};

pub use schema::{options_schema, options_table, reference, schema};
pub use types::{Age, Choice, Headers, Pattern, Secret, SecretSource, Size, Texts, Threshold};
pub use units::{UnitError, duration, size};
pub use value::{Entry, Mark, Node, OptionProblem, Value};

/// A type that an option may have: its shape for schema, help and reference page, and how it is read.
pub trait OptionType: Any + Clone + Send + Sync {
    const SHAPE: Shape;

    /// `None` when the value was refused; the reason is then in the reader.
    fn read(value: &Value, reader: &mut Reader) -> Option<Self>;
}

/// What may be written, for those who describe it rather than read it.
#[derive(Clone, Copy)]
pub enum Shape {
    Text,
    /// A whole number between two bounds.
    Number(u64, u64),
    Duration,
    Size,
    Switch,
    Secret,
    Pattern,
    /// A duration, or a range of seconds.
    Threshold,
    /// A range of plain numbers in Nagios' notation.
    Range,
    /// A duration until something expires.
    Age,
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    List(&'static Self),
    MapOf(&'static Self),
    Map(&'static [Opt]),
    OneOf(&'static [Self]),
}

/// One declared option.
#[derive(Clone, Copy)]
pub struct Opt {
    pub name: &'static str,
    /// One line, lower case, without a full stop.
    pub help: &'static str,
    pub shape: Shape,
    /// As it would be written; `None`: without it nothing is looked at.
    pub default: Option<&'static str>,
    pub required: bool,
    /// On the command line it is not missed where this option is given: the kind finds its value elsewhere.
    pub(crate) unless: Option<&'static str>,
    /// Flags of the command line that take the value, beside `--name`; the short ones are those of monitoring-plugins.
    pub flags: &'static str,
    /// Flags that stand for a value: `-4` for `4`.
    pub sets: &'static [(&'static str, &'static str)],
    read: fn(&Value, &mut Reader) -> Option<Box<dyn Any + Send + Sync>>,
}

impl Opt {
    pub const fn new<T: OptionType>(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            shape: T::SHAPE,
            default: None,
            required: false,
            unless: None,
            flags: "",
            sets: &[],
            read: read_boxed::<T>,
        }
    }

    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Required, but on the command line not beside this other option; then the kind's decoding sees to it.
    #[must_use]
    pub const fn required_unless(mut self, other: &'static str) -> Self {
        self.required = true;
        self.unless = Some(other);
        self
    }

    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// `"-p --port"`: at most one short and any number of long ones.
    #[must_use]
    pub const fn flags(mut self, flags: &'static str) -> Self {
        self.flags = flags;
        self
    }

    #[must_use]
    pub const fn sets(mut self, sets: &'static [(&'static str, &'static str)]) -> Self {
        self.sets = sets;
        self
    }
}

impl fmt::Debug for Opt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opt").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The options inside a shape, when one form of it is a map of options.
pub(crate) fn nested(shape: Shape) -> &'static [Opt] {
    match shape {
        Shape::Map(options) => options,
        Shape::OneOf(shapes) => {
            shapes.iter().map(|shape| nested(*shape)).find(|options| !options.is_empty()).unwrap_or(&[])
        }
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
        | Shape::List(_)
        | Shape::MapOf(_) => &[],
    }
}

fn read_boxed<T: OptionType>(value: &Value, reader: &mut Reader) -> Option<Box<dyn Any + Send + Sync>> {
    T::read(value, reader).map(|value| Box::new(value) as Box<dyn Any + Send + Sync>)
}

/// The options of one check after reading: what was written, and the defaults of the rest.
#[derive(Default)]
pub struct Given {
    mark: Mark,
    values: Vec<Read>,
}

struct Read {
    name: &'static str,
    value: Box<dyn Any + Send + Sync>,
    /// `None`: the default.
    written: Option<Mark>,
}

impl Given {
    /// Reads a map against declarations. Every mistake goes to the reader; what is left out gets its default.
    pub fn read(value: &Value, declared: &[&'static [Opt]], reader: &mut Reader) -> Self {
        let mut given = Self { mark: value.mark, values: Vec::new() };
        let entries: &[Entry] = match &value.node {
            Node::Null => &[],
            Node::Map(entries) => entries,
            Node::Text(_) | Node::List(_) => {
                reader.wrong(value.mark, format!("options belong here as a map, not {}", value.what()));
                &[]
            }
        };
        for entry in entries {
            given.read_entry(entry, declared, reader);
        }
        for option in declared.iter().copied().flatten() {
            given.fill(option, reader);
        }
        given
    }

    fn read_entry(&mut self, entry: &Entry, declared: &[&'static [Opt]], reader: &mut Reader) {
        let Some(option) = declared.iter().copied().flatten().find(|option| option.name == entry.key) else {
            let known: Vec<&str> = declared.iter().copied().flatten().map(|option| option.name).collect();
            reader.unknown(entry.mark, "option", &entry.key, &known);
            return;
        };
        if self.values.iter().any(|read| read.name == option.name) {
            reader.wrong(entry.mark, format!("`{}` is given twice", option.name));
            return;
        }
        // Nothing after the key counts as not written (people comment out what stood there).
        if entry.value.node == Node::Null {
            return;
        }
        if let Some(value) = reader.under(option.name, |reader| (option.read)(&entry.value, reader)) {
            self.values.push(Read { name: option.name, value, written: Some(entry.value.mark) });
        }
    }

    fn fill(&mut self, option: &'static Opt, reader: &mut Reader) {
        if self.values.iter().any(|read| read.name == option.name) {
            return;
        }
        if let Some(default) = option.default {
            let text = Value::text(default, self.mark);
            if let Some(value) = (option.read)(&text, &mut Reader::written()) {
                self.values.push(Read { name: option.name, value, written: None });
            }
        } else if option.required && !reader.has_refused(option.name) && !self.is_excused(option, reader) {
            reader.problem(OptionProblem {
                mark: self.mark,
                is_warning: false,
                is_secret: false,
                message: format!("`{}` is missing", option.name),
                hint: Some(format!("`{}:` {}", option.name, option.help)),
            });
        }
    }

    fn is_excused(&self, option: &Opt, reader: &Reader) -> bool {
        let has = |other| self.values.iter().any(|read| read.name == other);
        reader.allows_bare_numbers() && option.unless.is_some_and(has)
    }

    /// The value of an option that is required or has a default.
    pub fn get<T: OptionType>(&self, name: &str) -> T {
        self.find(name).expect("the option is declared as required or with a default")
    }

    /// The value of an option that may be absent.
    pub fn find<T: OptionType>(&self, name: &str) -> Option<T> {
        let read = self.values.iter().find(|read| read.name == name)?;
        Some(read.value.downcast_ref::<T>().expect("the option is asked for in its declared type").clone())
    }

    /// Where it stands, when somebody wrote it.
    pub fn written(&self, name: &str) -> Option<Mark> {
        self.values.iter().find(|read| read.name == name)?.written
    }

    /// Where the option stands, or the whole map for a default.
    pub fn mark(&self, name: &str) -> Mark {
        self.written(name).unwrap_or(self.mark)
    }
}
