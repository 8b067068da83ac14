//! Plugin output: first line, long output, perfdata (`nagios-interfaces.md` 1.2). One parser for what plugins
//! print and what others submit. What the perfdata mean is in [`super::perfdata`].

use std::borrow::Cow;

use crate::model::check::Output;

/// How much of an output is kept unless the settings say otherwise, in bytes.
pub const LIMIT_BYTES: usize = 64 * 1024;

/// Shown when a plugin printed nothing, or an empty first line.
pub const NOTHING: &str = "(No output returned from plugin)";

/// Reads an output, keeping [`LIMIT_BYTES`].
pub fn parse(raw: &[u8]) -> Output {
    parse_limited(raw, LIMIT_BYTES)
}

/// Reads an output of which at most `limit_bytes` are kept. Whoever collects the bytes may stop one byte after
/// the limit: the cut is seen here, and said in the last line of the long output.
pub fn parse_limited(raw: &[u8], limit_bytes: usize) -> Output {
    let kept = raw.get(..limit_bytes).unwrap_or(raw);
    let is_cut = kept.len() < raw.len();
    let text = clean(kept);
    let (first, rest) = divide(&text);
    let mut parts = Parts::default();
    let shown = parts.first_line(first);
    if let Some(rest) = rest {
        parts.following_lines(rest);
    }
    if is_cut {
        parts.say_cut(limit_bytes);
    }
    Output {
        text: shown.into(),
        long: parts.long.into_boxed_str(),
        perfdata: parts.perfdata.into_boxed_str(),
    }
}

/// Long output as Nagios stores it and its consumers expect it: one line, a newline as `\n`, a backslash as `\\`.
pub fn stored(long: &str) -> Cow<'_, str> {
    if !long.contains(['\\', '\n']) {
        return Cow::Borrowed(long);
    }
    Cow::Owned(long.replace('\\', "\\\\").replace('\n', "\\n"))
}

/// The way back from [`stored`]. A backslash before anything else stays as it is.
pub fn unstored(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut long = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.peek().copied() } else { None };
        match escaped {
            Some('n') => long.push('\n'),
            Some('\\') => long.push('\\'),
            Some(_) | None => {
                long.push(c);
                continue;
            }
        }
        chars.next();
    }
    Cow::Owned(long)
}

/// One line of text from outside made fit to show: UTF-8, no control characters, a tab or newline as a blank.
pub fn line(raw: &[u8]) -> String {
    clean(raw).replace(['\n', '\t'], " ").trim().to_owned()
}

/// UTF-8, every control character but newline and tab left out. (Nagios ends the text at a NUL; leaving it out
/// loses less.)
fn clean(raw: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    let is_kept = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_kept) {
        return text;
    }
    Cow::Owned(text.chars().filter(|&c| is_kept(c)).collect())
}

/// The first line, and the others unless there are none. One newline at the very end does not count.
fn divide(text: &str) -> (&str, Option<&str>) {
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.split_once('\n') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

#[derive(Default)]
struct Parts {
    long: String,
    has_long: bool,
    perfdata: String,
}

impl Parts {
    fn first_line(&mut self, line: &str) -> String {
        if line.is_empty() {
            return NOTHING.to_owned();
        }
        let (text, perfdata) = line.split_once('|').unwrap_or((line, ""));
        self.add_perfdata(perfdata);
        // The log and the external commands separate their fields by semicolons.
        text.trim().replace(';', ":")
    }

    /// Long output up to a line with `|`; what follows that is perfdata to the end.
    fn following_lines(&mut self, rest: &str) {
        let mut lines = rest.split('\n');
        for line in lines.by_ref() {
            let Some((text, perfdata)) = line.split_once('|') else {
                self.add_long(line);
                continue;
            };
            if !text.is_empty() {
                self.add_long(text);
            }
            self.add_perfdata(perfdata);
            break;
        }
        for line in lines {
            self.add_perfdata(line);
        }
    }

    fn add_long(&mut self, line: &str) {
        if self.has_long {
            self.long.push('\n');
        }
        self.has_long = true;
        self.long.push_str(line);
    }

    fn add_perfdata(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !self.perfdata.is_empty() {
            self.perfdata.push(' ');
        }
        self.perfdata.push_str(text);
    }

    /// Says that the output went on, and drops the last metric, whose number may have lost its end.
    fn say_cut(&mut self, limit_bytes: usize) {
        self.add_long(&format!("(output cut after {limit_bytes} bytes)"));
        let whole = self.perfdata.rfind(' ').unwrap_or(0);
        self.perfdata.truncate(whole);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/nagios-output-vectors.yaml");

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        raw: String,
        expect: Expected,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Expected {
        output: String,
        long: String,
        perf: String,
    }

    #[test]
    fn every_vector_of_plugin_output_is_read_as_nagios_reads_it() {
        let vectors: Vectors = serde_saphyr::from_str(VECTORS).unwrap();
        assert_eq!(vectors.cases.len(), 27);
        for case in vectors.cases {
            let output = parse(case.raw.as_bytes());
            let seen = Expected {
                output: output.text.to_string(),
                long: stored(&output.long).into_owned(),
                perf: output.perfdata.to_string(),
            };
            assert_eq!(seen, case.expect, "raw: {:?}", case.raw);
        }
    }

    #[test]
    fn control_characters_and_broken_utf8_do_not_get_through() {
        let output = parse(b"OK \x1b[31mred\x00 \xff\xfe\r\nlong\x07 line\r\n|a=1\x08");
        assert_eq!(&*output.text, "OK [31mred \u{fffd}\u{fffd}");
        assert_eq!(&*output.long, "long line");
        assert_eq!(&*output.perfdata, "a=1");
    }

    #[test]
    fn a_cut_output_says_so_and_keeps_no_half_number() {
        let output = parse_limited(b"OK|a=1 b=23456", 10);
        assert_eq!((&*output.text, &*output.perfdata), ("OK", "a=1"));
        assert_eq!(&*output.long, "(output cut after 10 bytes)");
        let whole = parse_limited(b"OK|a=1 b=2", 10);
        assert_eq!((&*whole.long, &*whole.perfdata), ("", "a=1 b=2"));
    }

    #[test]
    fn a_cut_inside_a_character_is_repaired() {
        let output = parse_limited("éé".as_bytes(), 3);
        assert_eq!(&*output.text, "é\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_clean_text(
            raw in proptest::collection::vec(any::<u8>(), 0..400),
            limit in 0usize..400,
        ) {
            let output = parse_limited(&raw, limit);
            prop_assert!(!output.text.contains(['\n', ';']));
            for text in [&output.text, &output.long, &output.perfdata] {
                prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            }
            // A replaced byte takes three; the note about the cut has its own line.
            let size = output.text.len() + output.long.len() + output.perfdata.len();
            prop_assert!(size <= limit * 3 + 80);
        }

        #[test]
        fn stored_long_output_comes_back(long in "[a-z\\\\\n n]{0,40}") {
            let text = stored(&long);
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(unstored(&text), long.as_str());
        }
    }
}
