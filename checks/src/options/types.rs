//! The types that options of many kinds share. A kind with a type of its own implements [`OptionType`] beside it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
pub use vigia_core::model::secret::Secret;
use vigia_core::nagios::threshold::Range;

use super::units::UnitError;
use super::{Entry, Mark, Node, OptionType, Reader, Shape, Value, units};

impl OptionType for String {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        reader.text(value, "a text").map(str::to_owned)
    }
}

impl OptionType for bool {
    const SHAPE: Shape = Shape::Switch;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "on or off")?;
        match text {
            "on" | "yes" | "true" => Some(true),
            "off" | "no" | "false" => Some(false),
            _ => {
                let message = format!("{} is `on` or `off`, not `{text}`", reader.path());
                reader.wrong(value.mark, message);
                None
            }
        }
    }
}

/// A port.
impl OptionType for u16 {
    const SHAPE: Shape = Shape::Number(1, 65_535);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        number(value, reader, 1, 65_535).and_then(|number| Self::try_from(number).ok())
    }
}

/// A count.
impl OptionType for u32 {
    const SHAPE: Shape = Shape::Number(0, 4_294_967_295);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        number(value, reader, 0, u64::from(Self::MAX)).and_then(|number| Self::try_from(number).ok())
    }
}

fn number(value: &Value, reader: &mut Reader, least: u64, most: u64) -> Option<u64> {
    let text = reader.text(value, "a number")?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>().ok().filter(|number| is_number && (least..=most).contains(number)) {
        Some(number) => Some(number),
        None => {
            let message = format!("{} is a whole number from {least} to {most}, not `{text}`", reader.path());
            reader.wrong(value.mark, message);
            None
        }
    }
}

impl OptionType for Duration {
    const SHAPE: Shape = Shape::Duration;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a duration such as 5s")?;
        match units::duration(text) {
            Ok(span) => Some(span),
            Err(UnitError::Bare(_)) if reader.allows_bare_numbers() => bare_seconds(text, value.mark, reader),
            Err(error) => {
                let hint = match error {
                    UnitError::Bare(_) => {
                        format!("`{text}s` for seconds, `{text}ms` for milliseconds, `{text}m` for minutes")
                    }
                    _ => "durations are written 30s, 5m, 1h30m, 250ms".to_owned(),
                };
                let message = format!("{}: {error}", reader.path());
                reader.wrong_with_hint(value.mark, message, hint);
                None
            }
        }
    }
}

fn bare_seconds(text: &str, mark: Mark, reader: &mut Reader) -> Option<Duration> {
    let span = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if span.is_none() {
        reader.wrong(mark, format!("`{text}` is no number of seconds"));
    }
    span
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl OptionType for Size {
    const SHAPE: Shape = Shape::Size;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a size such as 10kB")?;
        match units::size(text) {
            Ok(bytes) => Some(Self(bytes)),
            Err(UnitError::Bare(_)) if reader.allows_bare_numbers() && text.parse::<u64>().is_ok() => {
                text.parse().ok().map(Self)
            }
            Err(error) => {
                let message = format!("{}: {error}", reader.path());
                reader.wrong_with_hint(value.mark, message, "sizes are written 512B, 10kB, 1MiB");
                None
            }
        }
    }
}

/// An option with a fixed set of words.
pub trait Choice: Copy + Send + Sync + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Choice> OptionType for T {
    const SHAPE: Shape = Shape::Choice(|| T::WORDS.iter().map(|(word, _)| *word).collect());

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let text = reader.text(value, &format!("one of {}", words.join(", ")))?;
        let found = T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            reader.unknown(value.mark, "word", text, &words);
        }
        found
    }
}

/// One text or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl OptionType for Texts {
    const SHAPE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        match &value.node {
            Node::List(items) => items
                .iter()
                .map(|item| reader.text(item, "a text").map(str::to_owned))
                .collect::<Option<_>>()
                .map(Self),
            Node::Text(_) | Node::Null | Node::Map(_) => {
                reader.text(value, "a text or a list of texts").map(|text| Self(vec![text.to_owned()]))
            }
        }
    }
}

/// When a time needed is worth an alert. In seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold(pub Range);

impl Threshold {
    pub fn alerts(self, took: Duration) -> bool {
        self.0.alerts(took.as_secs_f64())
    }
}

/// As perfdata shows it: monitoring-plugins prints a plain limit with six decimals.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Range::up_to(self.0.end()) { write!(f, "{:.6}", self.0.end()) } else { self.0.fmt(f) }
    }
}

impl OptionType for Threshold {
    const SHAPE: Shape = Shape::Threshold;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a duration such as 800ms")?;
        if text.contains(':') || text.starts_with('@') {
            return match Range::parse(text) {
                Ok(range) => Some(Self(range)),
                Err(error) => {
                    let message = format!("{}: {error}", reader.path());
                    reader.wrong(value.mark, message);
                    None
                }
            };
        }
        Duration::read(value, reader).map(|span| Self(Range::up_to(span.as_secs_f64())))
    }
}

/// A range of plain numbers, in Nagios' notation.
impl OptionType for Range {
    const SHAPE: Shape = Shape::Range;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a range such as \"10:20\"")?;
        match Self::parse(text) {
            Ok(range) => Some(range),
            Err(error) => {
                let message = format!("{}: {error}", reader.path());
                reader.wrong(value.mark, message);
                None
            }
        }
    }
}

/// How much life is left before it is worth an alert. A bare number on the command line is days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Duration);

impl OptionType for Age {
    const SHAPE: Shape = Shape::Age;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "an age such as 30d")?;
        let days = text.parse::<u32>().ok().filter(|_| reader.allows_bare_numbers());
        match days {
            Some(days) => Some(Self(Duration::from_secs(u64::from(days) * 86_400))),
            None if text.parse::<u32>().is_ok_and(|days| days > 0) => {
                let message = format!("{}: `{text}` has no unit", reader.path());
                reader.wrong_with_hint(value.mark, message, format!("`{text}d` for days"));
                None
            }
            None => Duration::read(value, reader).map(Self),
        }
    }
}

/// A regular expression, linear in time and bounded in size.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::bytes::Regex);

impl Pattern {
    /// The same with `.` for line ends too.
    #[must_use]
    pub fn spanning_lines(self) -> Self {
        let mut builder = regex::bytes::RegexBuilder::new(self.0.as_str());
        builder.size_limit(SIZE_LIMIT).dot_matches_new_line(true).build().map_or(self, Self)
    }
}

/// Of a compiled expression, in bytes.
const SIZE_LIMIT: usize = 1 << 20;

impl OptionType for Pattern {
    const SHAPE: Shape = Shape::Pattern;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a regular expression")?;
        match regex::bytes::RegexBuilder::new(text).size_limit(SIZE_LIMIT).build() {
            Ok(pattern) => Some(Self(pattern)),
            Err(error) => {
                // The library draws the pattern over several lines; the last one says what is wrong.
                let error = error.to_string();
                let reason =
                    error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let message = format!("{} is no regular expression: {reason}", reader.path());
                let hint = "look-around and back references do not exist here; `(?i)` in front ignores case";
                reader.wrong_with_hint(value.mark, message, hint);
                None
            }
        }
    }
}

/// Headers of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(HeaderName, HeaderValue)>);

impl OptionType for Headers {
    const SHAPE: Shape = Shape::MapOf(&Shape::Text);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let mut headers = Some(Self::default());
        let mut add = |name: &str, text: &str, mark: Mark, reader: &mut Reader| match (
            name.parse::<HeaderName>(),
            HeaderValue::from_str(text),
        ) {
            (Ok(name), Ok(header)) => {
                if let Some(headers) = &mut headers {
                    headers.0.push((name, header));
                }
            }
            (Err(_), _) => {
                reader.wrong(mark, format!("`{name}` is no name of a header"));
                headers = None;
            }
            (_, Err(_)) => {
                reader.wrong(mark, format!("the header `{name}` holds a control character"));
                headers = None;
            }
        };
        match &value.node {
            Node::Map(entries) => {
                for Entry { key, mark, value } in entries {
                    let text = reader.text(value, "a text")?;
                    add(key, text, *mark, reader);
                }
            }
            Node::List(items) => {
                for item in items {
                    let text = reader.text(item, "a header such as \"Accept: text/html\"")?;
                    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
                    add(name.trim(), rest.trim(), item.mark, reader);
                }
            }
            Node::Text(text) => {
                let (name, rest) = text.split_once(':').unwrap_or((text, ""));
                add(name.trim(), rest.trim(), value.mark, reader);
            }
            Node::Null => {}
        }
        headers
    }
}

/// Fetches secrets; the daemon's knows files and systemd's credentials. The error says what to do, without the secret.
pub type SecretSource = Arc<dyn Fn(&Secret) -> Result<String, String> + Send + Sync>;

impl OptionType for Secret {
    const SHAPE: Shape = Shape::Secret;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        const REMEDY: &str = "`{file: /etc/vigia/secrets/…}`, `{env: NAME}` or `{credential: NAME}`";
        match &value.node {
            Node::Text(text) => {
                if !reader.allows_bare_numbers() {
                    let message = format!("{} stands in the file in plain text", reader.path());
                    reader.warn_of_secret(value.mark, message, REMEDY);
                }
                Some(Self::Literal(text.clone()))
            }
            Node::Map(entries) if entries.len() == 1 => {
                let entry = entries.first()?;
                let text = reader.text(&entry.value, "a text")?.to_owned();
                match entry.key.as_str() {
                    "file" => Some(Self::File(text)),
                    "env" => Some(Self::Env(text)),
                    "credential" => Some(Self::Credential(text)),
                    other => {
                        reader.unknown(
                            entry.mark,
                            "source of a secret",
                            other,
                            &["file", "env", "credential"],
                        );
                        None
                    }
                }
            }
            Node::Map(_) | Node::List(_) | Node::Null => {
                let message = format!("{} is a secret, not {}", reader.path(), value.what());
                reader.wrong_with_hint(value.mark, message, REMEDY);
                None
            }
        }
    }
}
