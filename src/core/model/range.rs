//! Ranges in names: `web[1-4]`, `web[01-12]`, `rack[a-c]-[1,3,5-7]`. (`config.md` 9)

use super::grammar::Malformed;

/// More names than this are a slip of the finger.
pub const NAMES_MAX: usize = 10_000;

/// A name with ranges in brackets, in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangedName {
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(Box<str>),
    /// One of these stands here.
    OneOf(Vec<Span>),
}

/// Both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// `width`: digits it is filled to with zeros; 0: as many as it needs.
    Numbers {
        from: u32,
        to: u32,
        width: u8,
    },
    Letters {
        from: char,
        to: char,
    },
}

impl Span {
    fn len(self) -> usize {
        match self {
            Self::Numbers { from, to, .. } => (to - from) as usize + 1,
            Self::Letters { from, to } => (to as usize) - (from as usize) + 1,
        }
    }

    fn texts(self) -> Box<dyn Iterator<Item = String>> {
        match self {
            Self::Numbers { from, to, width } => {
                Box::new((from..=to).map(move |n| format!("{n:0width$}", width = usize::from(width))))
            }
            Self::Letters { from, to } => Box::new((from..=to).map(String::from)),
        }
    }

    /// Lengths of the texts of this span that `text` begins with.
    pub(super) fn prefixes(self, text: &str) -> Vec<usize> {
        match self {
            Self::Letters { from, to } => text
                .chars()
                .next()
                .filter(|c| (from..=to).contains(c))
                .map(char::len_utf8)
                .into_iter()
                .collect(),
            Self::Numbers { from, to, width } => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).take(10).count();
                (1..=digits).filter(|&len| is_number_of(text, len, from, to, width)).collect()
            }
        }
    }
}

/// Are the first `len` bytes of `text`, all digits, a number of the span, written as the span writes it?
fn is_number_of(text: &str, len: usize, from: u32, to: u32, width: u8) -> bool {
    let Some(written) = text.get(..len) else { return false };
    let Ok(number) = written.parse::<u32>() else { return false };
    (from..=to).contains(&number) && format!("{number:0width$}", width = usize::from(width)) == written
}

impl RangedName {
    /// # Errors
    /// Says what is wrong with the brackets.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[') {
            let Some((inside, behind)) = after.split_once(']') else {
                return Err(Malformed::new("`[` without `]`"));
            };
            push_text(&mut pieces, before)?;
            pieces.push(Piece::OneOf(spans(inside)?));
            rest = behind;
        }
        push_text(&mut pieces, rest)?;
        Ok(Self { pieces })
    }

    /// How many names it stands for; saturates.
    pub fn count(&self) -> usize {
        self.pieces.iter().fold(1, |count: usize, piece| match piece {
            Piece::Text(_) => count,
            Piece::OneOf(spans) => count.saturating_mul(spans.iter().map(|span| span.len()).sum()),
        })
    }

    /// All names in order, each with the text its last range put in (`${host.index}`).
    ///
    /// # Errors
    /// When there are more than [`NAMES_MAX`].
    pub fn names(&self) -> Result<Vec<(String, String)>, Malformed> {
        if self.count() > NAMES_MAX {
            return Err(Malformed::new(format!("this range stands for more than {NAMES_MAX} names")));
        }
        let mut names = vec![(String::new(), String::new())];
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => names.iter_mut().for_each(|(name, _)| name.push_str(text)),
                Piece::OneOf(spans) => {
                    names = names
                        .iter()
                        .flat_map(|(name, _)| {
                            spans
                                .iter()
                                .flat_map(|span| span.texts())
                                .map(move |text| (format!("{name}{text}"), text))
                        })
                        .collect();
                }
            }
        }
        Ok(names)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) -> Result<(), Malformed> {
    if text.contains(']') {
        return Err(Malformed::new("`]` without `[`"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(())
}

fn spans(inside: &str) -> Result<Vec<Span>, Malformed> {
    inside.split(',').map(|item| span(item.trim())).collect()
}

fn span(item: &str) -> Result<Span, Malformed> {
    let (from, to) = item.split_once('-').unwrap_or((item, item));
    let reversed =
        || Malformed::new(format!("the range `{item}` runs backwards")).hint(format!("write `{to}-{from}`"));
    if let (Some(first), Some(last)) = (number(from), number(to)) {
        let width = if from.starts_with('0') && from.len() > 1 { from.len() } else { 0 };
        if first > last {
            return Err(reversed());
        }
        let width = u8::try_from(width).map_err(|_long| Malformed::new(format!("`{item}` is too long")))?;
        return Ok(Span::Numbers { from: first, to: last, width });
    }
    match (letter(from), letter(to)) {
        (Some(first), Some(last)) if first.is_ascii_lowercase() == last.is_ascii_lowercase() => {
            if first > last { Err(reversed()) } else { Ok(Span::Letters { from: first, to: last }) }
        }
        _ => Err(Malformed::new(format!("`{item}` is not a range"))
            .hint("ranges are numbers or letters: `[1-4]`, `[01-12]`, `[a-c]`, `[1,3,5-7]`")),
    }
}

fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn letter(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|c| c.is_ascii_alphabetic() && chars.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let all = RangedName::parse(text).and_then(|ranged| ranged.names()).unwrap();
        all.into_iter().map(|(name, index)| format!("{name}:{index}")).collect()
    }

    #[test]
    fn ranges_make_every_combination_and_keep_their_width() {
        assert_eq!(names("web"), ["web:"]);
        assert_eq!(names("web[1-3]"), ["web1:1", "web2:2", "web3:3"]);
        assert_eq!(names("web[08-11]"), ["web08:08", "web09:09", "web10:10", "web11:11"]);
        assert_eq!(
            names("r[a-b]-[1,5-6]x"),
            ["ra-1x:1", "ra-5x:5", "ra-6x:6", "rb-1x:1", "rb-5x:5", "rb-6x:6"]
        );
    }

    #[test]
    fn what_is_no_range_is_said() {
        for bad in
            ["web[4-1]", "web[", "web]", "web[]", "web[a-3]", "web[aa-b]", "web[a-C]", "web[1-]", "web[c-a]"]
        {
            assert!(RangedName::parse(bad).is_err(), "{bad}");
        }
        assert!(RangedName::parse("web[1-10000]").unwrap().names().is_ok());
        assert!(RangedName::parse("web[1-10001]").unwrap().names().is_err());
        assert!(RangedName::parse("[1-999999999][1-999999999][1-999999999]").unwrap().names().is_err());
    }
}
