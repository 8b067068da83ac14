//! A command line in words, split as a shell would, but without any of its expansions: quotes and backslashes are
//! all there is. What still needs a shell is said by [`needs_shell`], so that nobody wonders.

use super::macros::{Piece, Template};

/// A command line ready to be run without a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `NAME=value` words in front of the program.
    pub env: Vec<(String, Template)>,
    /// The program and its arguments; never empty.
    pub words: Vec<Template>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the quote {0} is not closed")]
    OpenQuote(char),
    #[error("there is no program in it")]
    Empty,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// Splits a line whose values from the configuration are in. A value from outside never divides a word.
pub fn split(line: &Template) -> Result<CommandLine, SplitError> {
    let mut splitter = Splitter::default();
    for piece in line.pieces() {
        match piece {
            Piece::Text(text) => splitter.text(text),
            Piece::Outside(_) => splitter.word_mut().push(piece),
        }
    }
    splitter.finish()
}

/// Splits a line that has no macros.
pub fn split_text(line: &str) -> Result<Vec<String>, SplitError> {
    let line = split(&Template::text(line))?;
    let env = line.env.into_iter().map(|(name, value)| format!("{name}={}", value.fill(|_| String::new())));
    let words = line.words.into_iter().map(|word| word.fill(|_| String::new()));
    Ok(env.chain(words).collect())
}

struct Splitter {
    words: Vec<Template>,
    word: Option<Template>,
    quote: Quote,
    /// A backslash was read and waits for its character; not reset between pieces.
    is_escaped: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { words: Vec::new(), word: None, quote: Quote::None, is_escaped: false }
    }
}

impl Splitter {
    fn word_mut(&mut self) -> &mut Template {
        self.word.get_or_insert_default()
    }

    fn add(&mut self, c: char) {
        self.word_mut().push_str(c.encode_utf8(&mut [0; 4]));
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.is_escaped {
                self.escaped(c);
                continue;
            }
            match (self.quote, c) {
                (Quote::None, '\\') | (Quote::Double, '\\') => self.is_escaped = true,
                (Quote::None, '\'') => self.open(Quote::Single),
                (Quote::None, '"') => self.open(Quote::Double),
                (Quote::Single, '\'') | (Quote::Double, '"') => self.quote = Quote::None,
                (Quote::None, c) if c.is_whitespace() => self.words.extend(self.word.take()),
                (Quote::None | Quote::Single | Quote::Double, c) => self.add(c),
            }
        }
    }

    fn open(&mut self, quote: Quote) {
        self.quote = quote;
        // A pair of quotes is a word even when nothing stands between them.
        self.word_mut();
    }

    fn escaped(&mut self, c: char) {
        self.is_escaped = false;
        if c == '\n' {
            return;
        }
        // Inside double quotes a backslash is one unless it protects something.
        if self.quote == Quote::Double && !matches!(c, '"' | '\\' | '$' | '`') {
            self.add('\\');
        }
        self.add(c);
    }

    fn finish(mut self) -> Result<CommandLine, SplitError> {
        match self.quote {
            Quote::None => {}
            Quote::Single => return Err(SplitError::OpenQuote('\'')),
            Quote::Double => return Err(SplitError::OpenQuote('"')),
        }
        if self.is_escaped {
            self.add('\\');
        }
        self.words.extend(self.word.take());
        let mut words = self.words.into_iter().peekable();
        let mut env = Vec::new();
        while let Some(pair) = words.peek().and_then(assignment) {
            env.push(pair);
            words.next();
        }
        let words: Vec<Template> = words.collect();
        if words.is_empty() { Err(SplitError::Empty) } else { Ok(CommandLine { env, words }) }
    }
}

/// A word `NAME=value`.
fn assignment(word: &Template) -> Option<(String, Template)> {
    let (first, following) = word.pieces().split_first()?;
    let Piece::Text(first) = first else { return None };
    let (name, start) = first.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return None;
    }
    let mut value = Template::text(start);
    following.iter().for_each(|piece| value.push(piece));
    Some((name.to_owned(), value))
}

/// The first character that only a shell understands and for which Nagios would start one
/// (`nagios-interfaces.md` 2); without a shell it is an ordinary character of its word.
pub fn needs_shell(line: &str) -> Option<char> {
    let mut quote = Quote::None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Quote::None | Quote::Double, '\\') => {
                chars.next();
            }
            (Quote::None, '\'') => quote = Quote::Single,
            (Quote::None, '"') => quote = Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => quote = Quote::None,
            (Quote::None, '|' | '<' | '>' | '&' | ';' | '(' | ')' | '*' | '?') => return Some(c),
            (Quote::None | Quote::Double, '`' | '$') => return Some(c),
            (Quote::None | Quote::Single | Quote::Double, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::macros::expand;
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_would() {
        let cases: &[(&str, &[&str])] = &[
            ("a b  c", &["a", "b", "c"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("a b'c d'e\"f\"", &["a", "bc def"]),
            ("a '' \"\"", &["a", "", ""]),
            (r#"a \"b\ c \\ 'x\y' "x\y" "q\"q" "\$H""#, &["a", "\"b c", "\\", "x\\y", "x\\y", "q\"q", "$H"]),
            ("a | b > c; *", &["a", "|", "b", ">", "c;", "*"]),
            ("a\tb\nc \\\n d", &["a", "b", "c", "d"]),
            ("a end\\", &["a", "end\\"]),
            ("echo é'ü ñ'", &["echo", "éü ñ"]),
        ];
        for (line, expected) in cases {
            assert_eq!(split_text(line).unwrap(), *expected, "{line}");
        }
    }

    #[test]
    fn an_open_quote_and_an_empty_line_are_refused() {
        assert_eq!(split_text("a 'b"), Err(SplitError::OpenQuote('\'')));
        assert_eq!(split_text("a \"b'"), Err(SplitError::OpenQuote('"')));
        assert_eq!(split_text("  "), Err(SplitError::Empty));
        assert_eq!(split_text("A=1 B=2"), Err(SplitError::Empty));
    }

    #[test]
    fn leading_assignments_become_the_environment() {
        let line = split(&Template::text("LC_ALL=C X='a b' 9=no check A=1")).unwrap();
        let env: Vec<_> =
            line.env.iter().map(|(name, value)| (name.as_str(), value.as_text().unwrap())).collect();
        assert_eq!(env, [("LC_ALL", "C"), ("X", "a b")]);
        let words: Vec<_> = line.words.iter().map(|word| word.as_text().unwrap()).collect();
        assert_eq!(words, ["9=no", "check", "A=1"]);
    }

    #[test]
    fn a_value_from_the_configuration_is_split_and_one_from_outside_is_not() {
        let expanded =
            expand("notify $ARG1$ it:$SERVICEOUTPUT$. '$SERVICESTATE:web 1:HTTP$'", &mut |reference| {
                (reference.name == "ARG1").then(|| "-w 1 -c '2 3'".to_owned())
            });
        let line = split(&expanded.template).unwrap();
        let words: Vec<_> = line.words.iter().map(|word| word.fill(|_| "' x; \"".to_owned())).collect();
        assert_eq!(words, ["notify", "-w", "1", "-c", "2 3", "it:' x; \".", "' x; \""]);
    }

    #[test]
    fn what_needs_a_shell_is_said() {
        let cases = [
            ("check -H x", None),
            ("check | grep x", Some('|')),
            ("check '|' \"|\" \\|", None),
            ("check \"$(date)\"", Some('$')),
            ("check '`x`' [a] {b} ~ #", None),
            ("check *.log", Some('*')),
        ];
        for (line, expected) in cases {
            assert_eq!(needs_shell(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[^'\\p{Cc}]{0,8}", 1..6)) {
            let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            let is_assignment = words.iter().all(|word| {
                let name = word.split_once('=').map_or("", |(name, _)| name);
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            match split_text(&line) {
                Ok(seen) => prop_assert_eq!(seen, words),
                Err(_) => prop_assert!(is_assignment),
            }
        }
    }
}
