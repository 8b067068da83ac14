//! Perfdata: `'label'=value[unit];warn;crit;min;max …` (`nagios-interfaces.md` 1.3), read and written.
//!
//! Reading is liberal and isolates what it cannot read: one bad token never costs its neighbours. A metric
//! borrows from the text; only a label with a doubled quote in it is copied.

use std::borrow::Cow;
use std::fmt;

use super::threshold::{self, Range};

/// Units longer than this are a mistake, not a unit.
const UNIT_BYTES: usize = 24;

/// One number of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric<'a> {
    pub label: Cow<'a, str>,
    /// None: `U`, the plugin could not determine it.
    pub value: Option<f64>,
    /// As written: `s`, `ms`, `%`, `B`, `c`, or anything.
    pub unit: &'a str,
    pub warn: Option<Range>,
    pub crit: Option<Range>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// A token that is no metric, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad<'a> {
    pub token: &'a str,
    pub reason: &'static str,
}

impl<'a> Metric<'a> {
    pub fn new(label: impl Into<Cow<'a, str>>, value: f64, unit: &'a str) -> Self {
        let value = value.is_finite().then_some(value);
        Self { label: label.into(), value, unit, warn: None, crit: None, min: None, max: None }
    }

    #[must_use]
    pub fn thresholds(self, warn: Option<Range>, crit: Option<Range>) -> Self {
        Self { warn, crit, ..self }
    }

    #[must_use]
    pub fn at_least(self, min: f64) -> Self {
        Self { min: Some(min), ..self }
    }
}

/// The metrics of a text in their order, each bad token in its place.
pub fn metrics(text: &str) -> Metrics<'_> {
    Metrics { rest: text }
}

/// See [`metrics`].
#[derive(Clone, Debug)]
pub struct Metrics<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Metrics<'a> {
    type Item = Result<Metric<'a>, Bad<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_start();
        if text.is_empty() {
            self.rest = "";
            return None;
        }
        let label = label_length(text);
        let token = label + until_blank(text.get(label..).unwrap_or(""));
        let (token, rest) = text.split_at_checked(token).unwrap_or((text, ""));
        self.rest = rest;
        Some(metric(token, label).map_err(|reason| Bad { token, reason }))
    }
}

/// Bytes of the quoted label a text begins with, quotes included; zero when it is not quoted or never closed.
fn label_length(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    if !text.starts_with('\'') {
        return 0;
    }
    while let Some((at, byte)) = bytes.next() {
        if byte != b'\'' {
            continue;
        }
        if bytes.next_if(|(_, next)| *next == b'\'').is_none() {
            return at + 1;
        }
    }
    0
}

fn until_blank(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

/// Reads one token whose quoted label takes its first `quoted` bytes.
fn metric(token: &str, quoted: usize) -> Result<Metric<'_>, &'static str> {
    let (label, fields) = if quoted > 0 {
        let (label, rest) = token.split_at_checked(quoted).ok_or("its label ends nowhere")?;
        let fields = rest.strip_prefix('=').ok_or("no `=` after its quoted label")?;
        (unquote(label), fields)
    } else {
        let (label, fields) = token.split_once('=').ok_or("no `=` in it")?;
        if label.starts_with('\'') {
            return Err("its label has no closing quote");
        }
        (Cow::Borrowed(label), fields)
    };
    if label.trim().is_empty() {
        return Err("its label is empty");
    }
    let mut fields = fields.split(';');
    let (value, unit) = value(fields.next().unwrap_or(""))?;
    // A field that cannot be read is left out: the number itself is good.
    let mut field = || fields.next().map(|field| field.strip_suffix(unit).unwrap_or(field));
    let warn = field().and_then(|field| Range::parse(field).ok());
    let crit = field().and_then(|field| Range::parse(field).ok());
    let min = field().and_then(threshold::number);
    let max = field().and_then(threshold::number);
    Ok(Metric { label, value, unit, warn, crit, min, max })
}

fn unquote(label: &str) -> Cow<'_, str> {
    let inner = label.strip_prefix('\'').and_then(|label| label.strip_suffix('\'')).unwrap_or(label);
    if inner.contains("''") { Cow::Owned(inner.replace("''", "'")) } else { Cow::Borrowed(inner) }
}

fn value(text: &str) -> Result<(Option<f64>, &str), &'static str> {
    if text == "U" {
        return Ok((None, ""));
    }
    let (number, unit) = threshold::leading_number(text).ok_or("its value is not a number")?;
    let is_odd = |c: char| c.is_ascii_digit() || matches!(c, '\'' | '"' | '=' | '.' | ',');
    if unit.len() > UNIT_BYTES || unit.contains(is_odd) {
        return Err("its value is not a number with a unit");
    }
    Ok((Some(number), unit))
}

/// As plugins print it. A precision (`{:.3}`) goes for the value and its thresholds; empty fields at the end are
/// left out.
impl fmt::Display for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_label(&self.label, f)?;
        match self.value {
            Some(value) => {
                value.fmt(f)?;
                f.write_str(self.unit)?;
            }
            None => f.write_str("U")?,
        }
        let fields = [self.warn.is_some(), self.crit.is_some(), self.min.is_some(), self.max.is_some()];
        let count = fields.iter().rposition(|is_there| *is_there).map_or(0, |last| last + 1);
        for field in 0..count {
            f.write_str(";")?;
            match field {
                0 => self.warn.map_or(Ok(()), |range| range.fmt(f))?,
                1 => self.crit.map_or(Ok(()), |range| range.fmt(f))?,
                2 => self.min.map_or(Ok(()), |bound| write!(f, "{bound}"))?,
                _ => self.max.map_or(Ok(()), |bound| write!(f, "{bound}"))?,
            }
        }
        Ok(())
    }
}

/// The label, quoted where it must be, and `=`.
fn write_label(label: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let needs_quotes = label.is_empty()
        || label.contains(|c: char| c.is_whitespace() || matches!(c, '=' | '\'' | '"' | ';' | '|' | '$'));
    if !needs_quotes {
        return write!(f, "{label}=");
    }
    f.write_str("'")?;
    for c in label.chars() {
        match c {
            '\'' => f.write_str("''")?,
            // The first `|` of a line ends its text.
            '|' => f.write_str("_")?,
            c if c.is_control() => f.write_str(" ")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("'=")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good(text: &str) -> Vec<Metric<'_>> {
        metrics(text).map(|metric| metric.unwrap_or_else(|bad| panic!("{bad:?}"))).collect()
    }

    fn as_text(text: &str) -> String {
        let shown = metrics(text).map(|metric| match metric {
            Ok(metric) => metric.to_string(),
            Err(bad) => format!("<{}: {}>", bad.token, bad.reason),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_fields_of_a_metric_are_read() {
        let metric = &good("'C:\\ used'=12,5GB;10:20;@90;0;100;;")[0];
        assert_eq!((&*metric.label, metric.value, metric.unit), ("C:\\ used", Some(12.5), "GB"));
        assert_eq!(metric.warn, Range::outside(10.0, 20.0));
        assert_eq!(metric.crit, Range::inside(0.0, 90.0));
        assert_eq!((metric.min, metric.max), (Some(0.0), Some(100.0)));
    }

    #[test]
    fn texts_that_plugins_print_are_read_and_written_back() {
        let cases = [
            ("time=0.009s;;;0.000000;10.000000", "time=0.009s;;;0;10"),
            ("rta=0.050ms;100.000;500.000;0 pl=0%;20;60;0", "rta=0.05ms;100;500;0 pl=0%;20;60;0"),
            ("pl=0%;20%;60%;;", "pl=0%;20;60"),
            ("x=U;1;2", "x=U;1;2"),
            ("'it''s a label'=1c", "'it''s a label'=1c"),
            ("web1::check_tcp::time=1s", "web1::check_tcp::time=1s"),
            ("a=1\ta=2   a=3", "a=1 a=2 a=3"),
            ("temp=21.5°C;-5:40", "temp=21.5°C;-5:40"),
            ("a=-.5;garbage;2", "a=-0.5;;2"),
            ("big=1e21B", "big=1000000000000000000000B"),
            ("", ""),
            ("   ", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(as_text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_token_is_isolated_and_its_neighbours_stay() {
        let cases = [
            ("a=1 garbage b=2", "a=1 <garbage: no `=` in it> b=2"),
            ("=1 b=2", "<=1: its label is empty> b=2"),
            ("a= b=2", "<a=: its value is not a number> b=2"),
            ("a=nan b=2", "<a=nan: its value is not a number> b=2"),
            ("a=1.2.3 b=2", "<a=1.2.3: its value is not a number with a unit> b=2"),
            ("'never closed=1 b=2", "<'never: no `=` in it> closed=1 b=2"),
            ("'never=1 b=2", "<'never=1: its label has no closing quote> b=2"),
            ("'label'1 b=2", "<'label'1: no `=` after its quoted label> b=2"),
            ("' '=1 b=2", "<' '=1: its label is empty> b=2"),
        ];
        for (text, expected) in cases {
            assert_eq!(as_text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_label_that_nobody_could_read_is_quoted() {
        let metric = Metric::new("used % of 'a|b'", 1.0, "");
        assert_eq!(metric.to_string(), "'used % of ''a_b'''=1");
        assert_eq!(Metric::new("x", f64::NAN, "s").to_string(), "x=U");
    }

    #[test]
    fn a_precision_goes_for_value_and_thresholds() {
        let metric = Metric::new("rta", 0.05, "ms")
            .thresholds(Some(Range::up_to(100.0)), Some(Range::up_to(500.0)))
            .at_least(0.0);
        assert_eq!(format!("{metric:.3}"), "rta=0.050ms;100.000;500.000;0");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            label in "[^|\\p{C}]{0,8}[a-z][^|\\p{C}]{0,8}",
            value in proptest::option::of(-1e9f64..1e9),
            warn in proptest::option::of(0f64..1e6),
            max in proptest::option::of(-1e6f64..1e6),
        ) {
            let unit = if value.is_some() { "ms" } else { "" };
            let warn = warn.map(Range::above);
            let metric = Metric { label: label.into(), value, unit, warn, crit: None, min: None, max };
            let text = format!("before=1 {metric} after=2");
            let read = good(&text);
            prop_assert_eq!(read.len(), 3);
            prop_assert_eq!(&read[1], &metric);
        }

        #[test]
        fn any_text_is_read_to_its_end(text in "['=;a1 .]{0,40}") {
            let tokens: usize = metrics(&text).count();
            prop_assert!(tokens <= text.len());
        }
    }
}
