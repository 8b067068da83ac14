//! What is wrong with a file as YAML, in the words of somebody who edits a configuration.

use serde_saphyr::granit_parser::{ErrorKind, Marker, ScanError, Span};

use crate::config::place::{FileId, Place, Source};
use crate::config::problem::{Problem, plain};

/// A file that is no text is refused before the parser sees it.
pub(super) fn check_characters(source: &Source, file: FileId) -> Option<Problem> {
    let unwanted = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f;
    let offset = source.text.bytes().position(unwanted)?;
    let before = source.text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let at = Place { file, line: narrow(line), column: narrow(column), len: 1 };
    let byte = source.text.as_bytes().get(offset).copied().unwrap_or(0);
    let message = match byte {
        0 => "a NUL byte: this is not a text file".to_owned(),
        _ => format!("a control character (byte 0x{byte:02x}) that has no place in a configuration"),
    };
    Some(Problem::error(at, message).hint("delete it, or write it as an escape inside double quotes"))
}

pub(super) fn place(span: &Span, source: &Source, file: FileId) -> Place {
    let (start, end) = (span.start, span.end);
    let len = if start.line() == end.line() {
        end.index().saturating_sub(start.index())
    } else {
        let rest = start.byte_offset().and_then(|at| source.text.get(at..)).unwrap_or_default();
        rest.lines().next().unwrap_or_default().trim_end().chars().count()
    };
    Place { file, line: narrow(start.line()), column: narrow(start.col() + 1), len: narrow(len) }
}

fn at_marker(marker: Marker, file: FileId) -> Place {
    Place { file, line: narrow(marker.line()), column: narrow(marker.col() + 1), len: 1 }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `*web` where no `&web` is.
pub(super) fn unknown_alias(name: &str, at: Place, span: &Span, source: &Source) -> Problem {
    let message = format!("`*{name}` stands for an anchor, and there is no `&{name}` above");
    let line =
        span.byte_range().and_then(|range| quoted_line(source, line_range(source, range.start, range.end)));
    Problem::error(at, message)
        .maybe_hint(line.map(|line| format!("text that begins with `*` needs quotes; write\n{line}")))
}

pub(super) fn wants_quotes(first: char, at: Place, span: &Span, source: &Source) -> Problem {
    let line =
        span.byte_range().and_then(|range| quoted_line(source, line_range(source, range.start, range.end)));
    needs_quotes(first, at, line)
}

fn needs_quotes(first: char, at: Place, line: Option<String>) -> Problem {
    let name = if first == '`' { "a backtick".to_owned() } else { format!("`{first}`") };
    Problem::error(at, format!("text that begins with {name} needs quotes"))
        .maybe_hint(line.map(|line| format!("write\n{line}")))
}

/// A tag, from its `!` to the end of the text behind it. Before a list or a map it can be no text.
pub(super) fn tag(at: Place, span: &Span, is_before_text: bool, source: &Source) -> (Place, Problem) {
    let start = span.tag_start().and_then(|marker| marker.byte_offset());
    let start = start.or_else(|| span.start.byte_offset()).unwrap_or(0);
    let tag = span.tag_span().and_then(|tag| tag.byte_range()).map_or(start..start, |range| range);
    let written = source.text.get(tag.clone()).unwrap_or_default();
    if !is_before_text || written.starts_with("!!") || written.starts_with("!<") {
        let message = format!("tags such as `{written}` are not used: a value is read as what its key wants");
        let at = Place { len: narrow(written.chars().count()), ..at };
        return (at, Problem::error(at, message).hint("leave the tag away"));
    }
    let end = span.end.byte_offset().unwrap_or(tag.end).max(tag.end);
    let range = line_range(source, start, end);
    let text = source.text.get(range.clone()).unwrap_or_default();
    let at = Place { len: narrow(text.chars().count()), ..at };
    let hint = quoted_line(source, range).map(|line| format!("write\n{line}"));
    (at, Problem::error(at, "text that begins with `!` needs quotes").maybe_hint(hint))
}

/// The part of `start..end` that is on the first line of it, without blanks at its end.
fn line_range(source: &Source, start: usize, end: usize) -> std::ops::Range<usize> {
    let text = source.text.get(start..end).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().trim_end();
    start..start + first.len()
}

/// The line with that part of it in quotes.
fn quoted_line(source: &Source, part: std::ops::Range<usize>) -> Option<String> {
    let before = source.text.get(..part.start)?;
    let after = source.text.get(part.end..)?;
    let text = source.text.get(part)?;
    if text.is_empty() {
        return None;
    }
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.lines().next().unwrap_or_default();
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("{}\"{}\"{}", plain(before), plain(&escaped), plain(after)))
}

/// A syntax error of the parser. Nothing of the file can be trusted after it.
pub(super) fn explain(error: &ScanError, source: &Source, file: FileId) -> Problem {
    let marker = *error.marker();
    let at = at_marker(marker, file);
    if let Some(problem) = tab(error.kind(), at, source) {
        return problem;
    }
    let here = marker.byte_offset().unwrap_or(source.text.len());
    if let Some(problem) = unquoted(error.kind(), at, here, source) {
        return problem;
    }
    let (message, hint) = words(error.kind());
    let message = message.map_or_else(|| format!("this is not YAML: {}", error.kind()), str::to_owned);
    Problem::error(at, message).maybe_hint(hint.map(str::to_owned))
}

fn tab(kind: &ErrorKind, at: Place, source: &Source) -> Option<Problem> {
    let is_about_tabs = matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
    );
    // Other errors have a tab as their cause on the line itself or on the one before it.
    let lines = [at.line, at.line.saturating_sub(1)];
    let found = lines.into_iter().find_map(|line| Some((line, indenting_tab(source.line(line)?)?)));
    let at = match found {
        Some((line, column)) => Place { line, column: narrow(column + 1), len: 1, ..at },
        None if is_about_tabs => at,
        None => return None,
    };
    let problem = Problem::error(at, "a tab where YAML wants blanks")
        .hint("indent with blanks; `expand -t 2 FILE` turns tabs into blanks");
    Some(problem)
}

fn indenting_tab(line: &str) -> Option<usize> {
    let blank = line.len() - line.trim_start().len();
    line.get(..blank)?.find('\t')
}

/// Text that YAML cannot take without quotes: it begins with `@`, a backtick or `%`, or has brackets inside.
fn unquoted(kind: &ErrorKind, at: Place, here: usize, source: &Source) -> Option<Problem> {
    let first = source.text.get(here..)?.chars().next();
    match (kind, first) {
        (
            ErrorKind::UnexpectedCharacter { .. } | ErrorKind::DirectiveDisallowed,
            Some(first @ ('@' | '`' | '%')),
        ) => {
            let range = token(source, here);
            let len = narrow(source.text.get(range.clone())?.chars().count());
            let line = quoted_line(source, range);
            Some(needs_quotes(first, Place { len, ..at }, line))
        }
        (
            ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::ExpectedFlowMappingSeparator,
            Some('[' | '{' | ']' | '}'),
        ) => {
            let range = bracketed(source, here)?;
            let line = quoted_line(source, range)?;
            let message = "a `,` is missing, or text with brackets in it needs quotes";
            Some(Problem::error(at, message).hint(format!("write\n{line}")))
        }
        (ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement, Some(':')) => {
            let line = after_first_colon(source, here)?;
            let message = "a second `: ` on this line; text that holds one needs quotes";
            Some(Problem::error(at, message).hint(line))
        }
        _ => None,
    }
}

/// A plain text from `here` to the end of the line, of the comment's beginning, or of the list around it.
fn token(source: &Source, here: usize) -> std::ops::Range<usize> {
    let rest = source.text.get(here..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let before = source.text.get(..here).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    let line = line.split(" #").next().unwrap_or_default();
    let is_inside = before.contains(['[', '{']);
    let text = if is_inside { line.split([',', ']', '}']).next().unwrap_or_default() } else { line };
    here..here + text.trim_end().len()
}

/// `web[1-4]` around the bracket at `here`, inside `[…]` or `{…}`.
fn bracketed(source: &Source, here: usize) -> Option<std::ops::Range<usize>> {
    let before = source.text.get(..here)?;
    let word = before.rsplit(['[', '{', ',', ' ', '\n']).next()?;
    if word.is_empty() {
        return None;
    }
    let rest = source.text.get(here..)?.lines().next()?;
    let inner = rest.find([']', '}'])? + 1;
    let tail = rest.get(inner..)?.split([',', ']', '}', ' ']).next()?;
    Some(here - word.len()..here + inner + tail.len())
}

/// The line with the value behind its first `: ` in quotes.
fn after_first_colon(source: &Source, here: usize) -> Option<String> {
    let before = source.text.get(..here)?;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = source.text.get(start..)?.lines().next()?;
    let value = line.find(": ")? + 2;
    if start + value > here || line.get(value..)?.starts_with(['"', '\'', '{', '[']) {
        return None;
    }
    let text = line.get(value..)?.split(" #").next()?.trim_end();
    let line = quoted_line(source, start + value..start + value + text.len())?;
    Some(format!("write\n{line}"))
}

/// Our words for what the parser says, where ours are better.
fn words(kind: &ErrorKind) -> (Option<&'static str>, Option<&'static str>) {
    let indentation =
        Some("is a `:` missing, or does the line begin further left or right than its neighbours?");
    match kind {
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::UnclosedFlowCollection { open: '[' } => {
            (Some("a `[` is never closed"), Some("add the `]`"))
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. } => (Some("a `{` is never closed"), Some("add the `}`")),
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            (Some("a closing bracket that closes nothing"), None)
        }
        ErrorKind::UnclosedQuotedScalar => (Some("a quote is never closed"), None),
        ErrorKind::ExpectedFlowSequenceSeparator => (Some("a `,` or `]` is missing before this"), None),
        ErrorKind::ExpectedFlowMappingSeparator => (Some("a `,` or `}` is missing before this"), None),
        ErrorKind::InvalidColonPlacement => (
            Some("a `:` inside `[…]`"),
            Some("is the `[` above never closed? text with a `:` in it may need quotes"),
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidSimpleKey => {
            (Some("this line is no `key: value`"), indentation)
        }
        ErrorKind::ExpectedBlockSequenceEntry => (Some("this line is no `- item`"), indentation),
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::MappingValueNotAllowed
        | ErrorKind::BlockSequenceEntryNotAllowed => {
            (Some("this line does not fit the indentation of those above"), indentation)
        }
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => (
            Some("an escape that YAML does not know"),
            Some("inside double quotes a backslash is written `\\\\`; inside single quotes it is itself"),
        ),
        ErrorKind::CommentNotSeparated => {
            (Some("a `#` begins a comment only after a blank"), Some("text with a `#` in it may need quotes"))
        }
        ErrorKind::FlowMappingValueAdjacentCollection => {
            (Some("a blank is missing after the `:`"), Some("`key: value`; without the blank it is one text"))
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => (
            Some("the single quotes end before this"),
            Some(
                "a `'` inside single quotes is written twice, as in `'it''s'`; or put the text into double quotes",
            ),
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            Some("the double quotes end before this"),
            Some("a `\"` inside double quotes is written `\\\"`; or put the text into single quotes"),
        ),
        ErrorKind::RecursionLimitExceeded => (Some("too many lists and maps inside each other"), None),
        _ => (None, None),
    }
}
