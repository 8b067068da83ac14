//! What the declarations say of themselves: JSON Schema for editors, and the reference page.

use std::fmt::Write as _;

use super::{Opt, Shape};
use crate::kind::{Kind, Short};

/// The JSON Schema of what may stand under a kind's key, as JSON text.
pub fn schema(kind: &Kind) -> String {
    let options: Vec<&Opt> = kind.options().collect();
    let long = format!("{{\"description\":{},{}}}", quoted(kind.summary), object(&options));
    match kind.short {
        Short::None => long,
        Short::Option(_) | Short::Text(_) => {
            format!(r#"{{"anyOf":[{{"type":["string","number","null"]}},{long}]}}"#)
        }
    }
}

/// The JSON Schema of a map with these options, as JSON text; for kinds that are run elsewhere.
pub fn options_schema(options: &[Opt]) -> String {
    format!("{{{}}}", object(&options.iter().collect::<Vec<_>>()))
}

/// Their table in the reference page, in Markdown.
pub fn options_table(options: &[Opt]) -> String {
    let mut out = TABLE_HEAD.to_owned();
    for option in options {
        row(&mut out, option, "");
    }
    out
}

const TABLE_HEAD: &str = "| option | default | holds | meaning |\n|---|---|---|---|\n";

/// The members of an object's schema, without the braces.
fn object(options: &[&Opt]) -> String {
    let mut out = r#""type":"object","additionalProperties":false,"properties":{"#.to_owned();
    for (n, option) in options.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let default = option.default.map(|text| format!(",\"default\":{}", quoted(text))).unwrap_or_default();
        let (name, help) = (quoted(option.name), quoted(option.help));
        let _infallible =
            write!(out, "{comma}{name}:{{\"description\":{help}{default},{}}}", members(option.shape));
    }
    out.push('}');
    let required: Vec<String> =
        options.iter().filter(|option| option.required).map(|option| quoted(option.name)).collect();
    if !required.is_empty() {
        let _infallible = write!(out, ",\"required\":[{}]", required.join(","));
    }
    out
}

/// The members of a shape's schema. Scalars are also numbers and switches, since YAML reads them so.
fn members(shape: Shape) -> String {
    match shape {
        Shape::Text | Shape::Pattern => r#""type":["string","number","boolean"]"#.to_owned(),
        Shape::Number(least, most) => format!(r#""type":"integer","minimum":{least},"maximum":{most}"#),
        Shape::Duration | Shape::Age => {
            r#""type":["string","integer"],"pattern":"^(0|([0-9]+(\\.[0-9]+)?(w|d|h|m|s|ms|us))+)$""#
                .to_owned()
        }
        Shape::Size => {
            r#""type":["string","integer"],"pattern":"^(0|[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB))$""#
                .to_owned()
        }
        Shape::Switch => r#""enum":[true,false,"on","off","yes","no"]"#.to_owned(),
        Shape::Secret => {
            let sources: Vec<String> = ["file", "env", "credential"]
                .iter()
                .map(|source| format!(r#"{{"type":"object","required":["{source}"],"additionalProperties":false,"properties":{{"{source}":{{"type":"string"}}}}}}"#))
                .collect();
            format!(r#""anyOf":[{},{{"type":"string"}}]"#, sources.join(","))
        }
        Shape::Threshold | Shape::Range => r#""type":["string","number"]"#.to_owned(),
        Shape::Choice(words) => {
            let words: Vec<String> = words().into_iter().map(choice).collect();
            format!("\"enum\":[{}]", words.join(","))
        }
        Shape::List(item) => format!("\"type\":\"array\",\"items\":{{{}}}", members(*item)),
        Shape::MapOf(item) => format!("\"type\":\"object\",\"additionalProperties\":{{{}}}", members(*item)),
        Shape::Map(options) => object(&options.iter().collect::<Vec<_>>()),
        Shape::OneOf(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(|shape| format!("{{{}}}", members(*shape))).collect();
            format!("\"anyOf\":[{}]", shapes.join(","))
        }
    }
}

/// Words that YAML readers of editors take for switches or numbers are allowed as those too.
fn choice(word: &str) -> String {
    match word {
        "on" => "true,\"on\"".to_owned(),
        "off" => "false,\"off\"".to_owned(),
        _ if word.parse::<f64>().is_ok() => format!("{word},{}", quoted(word)),
        _ => quoted(word),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// One line for people: what may be written.
pub(crate) fn describe(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Number(1, 65_535) => "port".to_owned(),
        Shape::Number(..) => "number".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Size => "size".to_owned(),
        Shape::Switch => "on, off".to_owned(),
        Shape::Secret => "secret".to_owned(),
        Shape::Pattern => "regular expression".to_owned(),
        Shape::Threshold => "duration, or range of seconds".to_owned(),
        Shape::Range => "range".to_owned(),
        Shape::Age => "duration left".to_owned(),
        Shape::Choice(words) => words().join(", "),
        Shape::List(item) => format!("list of {}", describe(*item)),
        Shape::MapOf(item) => format!("map of {}", describe(*item)),
        Shape::Map(options) => {
            format!("map of {}", options.iter().map(|option| option.name).collect::<Vec<_>>().join(", "))
        }
        Shape::OneOf(shapes) => shapes.iter().map(|shape| describe(*shape)).collect::<Vec<_>>().join("; or "),
    }
}

/// The reference page of all kinds, in Markdown.
pub fn reference(kinds: &[&Kind]) -> String {
    let mut out = String::from(INTRODUCTION);
    for kind in kinds {
        section(&mut out, kind);
    }
    out
}

const INTRODUCTION: &str = "\
# Kinds of check

Made from the declarations of the checks. Every kind is a key of a service and a plugin too: `vigia check KIND --help`
shows its flags, and a link named `check_KIND` to the program runs it. Durations need a unit here; on the command line a
bare number means what it means to monitoring-plugins. The deadline of a check is the `timeout` of its service.
";

fn section(out: &mut String, kind: &Kind) {
    let _infallible = write!(
        out,
        "\n## {}\n\n{}.\n\n```yaml\n{}\n```\n",
        kind.name,
        capitalised(kind.summary),
        indented(kind.yaml)
    );
    if let Some(trace) = kind.trace {
        let _infallible = write!(out, "\nIn the target's log: {trace}.\n");
    }
    out.push('\n');
    out.push_str(TABLE_HEAD);
    for option in kind.options() {
        row(out, option, "");
    }
    out.push_str("\n```\n");
    for example in kind.examples {
        let _infallible = writeln!(out, "vigia check {} {example}", kind.name);
    }
    out.push_str("```\n");
}

fn indented(yaml: &str) -> String {
    format!("hosts:\n  web1:\n    services:\n      {}", yaml.replace('\n', "\n      "))
}

fn row(out: &mut String, option: &Opt, parent: &str) {
    let name = format!("{parent}{}", option.name);
    let shown = if option.required { format!("**`{name}`**") } else { format!("`{name}`") };
    let default = option.default.map(|text| format!("`{text}`")).unwrap_or_default();
    let holds = describe(option.shape).replace('|', "\\|");
    let _infallible = writeln!(out, "| {shown} | {default} | {holds} | {} |", option.help);
    for nested in super::nested(option.shape) {
        row(out, nested, &format!("{name}."));
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
