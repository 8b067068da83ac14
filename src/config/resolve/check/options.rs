//! Options of the kinds that are no built-in checks: `plugin`, `command`, `passive`.

use std::time::Duration;

use vigia_checks::options::{Entry, Node, Opt, OptionType, Reader, Shape, Texts, Value};

/// Options of `plugin`.
pub const PLUGIN: &[Opt] = &[
    Opt::new::<Texts>(
        "argv",
        "the program and its arguments; the first word is a path or found in `plugin_path`",
    )
    .required(),
    Opt::new::<Pairs>("env", "environment variables"),
];

/// Options of `command`.
pub const COMMAND: &[Opt] = &[
    Opt::new::<String>("name", "one of `commands`").required(),
    Opt::new::<Arguments>("args", "its arguments, `$ARG1$` and so on, or `${args.NAME}`"),
];

/// Options of `passive`.
pub const PASSIVE: &[Opt] = &[
    Opt::new::<Duration>("freshness", "a result that stays away so long is noticed"),
    Opt::new::<String>("stale", "the state when nothing came for so long: critical, warning, unknown or ok")
        .default("critical"),
];

/// A map of texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl OptionType for Pairs {
    const SHAPE: Shape = Shape::MapOf(&Shape::Text);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Node::Map(entries) = &value.node else {
            reader.wrong(value.mark, format!("{} wants a map of texts, not {}", reader.path(), value.what()));
            return None;
        };
        let pair = |entry: &Entry| Some((entry.key.clone(), reader.text(&entry.value, "a text")?.to_owned()));
        entries.iter().map(pair).collect::<Option<_>>().map(Self)
    }
}

/// Arguments of a command: by place, or by name.
#[derive(Clone, Debug)]
pub(super) enum Arguments {
    List(Vec<String>),
    Named(Pairs),
}

impl OptionType for Arguments {
    const SHAPE: Shape = Shape::OneOf(&[Shape::List(&Shape::Text), Shape::MapOf(&Shape::Text)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        match &value.node {
            Node::Map(_) => Pairs::read(value, reader).map(Self::Named),
            Node::Null | Node::Text(_) | Node::List(_) => {
                Texts::read(value, reader).map(|texts| Self::List(texts.0))
            }
        }
    }
}
