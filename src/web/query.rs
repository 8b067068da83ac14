//! What a list shows: filters, order and cut, read from the query string and written back into links.
//!
//! The same words serve pages, the API and the event stream, so that every view can be sent to a colleague.

use std::fmt::Write as _;

use vigia_core::model::state::StateType;

/// The decoded pairs of a query string, in order.
pub(crate) type Pairs = Vec<(String, String)>;

/// Rows on a page.
pub(crate) const PAGE: usize = 100;
/// The most that the API gives at once.
pub(crate) const MOST: usize = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Empty: any.
    pub(crate) states: Vec<Want>,
    pub(crate) state_type: Option<StateType>,
    pub(crate) acknowledged: Option<bool>,
    pub(crate) downtime: Option<bool>,
    pub(crate) handled: Option<bool>,
    /// A name, or a glob where it holds `*` or `?`.
    pub(crate) host: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) hostgroup: Option<String>,
    pub(crate) servicegroup: Option<String>,
    /// `key` or `key=value`.
    pub(crate) tag: Option<String>,
    /// In names, addresses and what the check says; any case.
    pub(crate) text: Option<String>,
}

/// One word of the `state` filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// OK and UP.
    Good,
    Warning,
    Critical,
    Unknown,
    Down,
    Unreachable,
    Pending,
    /// Anything but good and pending.
    Problem,
    /// A bare number, which means another state for hosts than for services.
    Number(u8),
}

impl Want {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "ok" | "up" => Self::Good,
            "warning" => Self::Warning,
            "critical" => Self::Critical,
            "unknown" => Self::Unknown,
            "down" => Self::Down,
            "unreachable" => Self::Unreachable,
            "pending" => Self::Pending,
            "problem" | "problems" => Self::Problem,
            number => Self::Number(number.parse().ok().filter(|number| *number < 4)?),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    /// Host, then service: the order in which the inventory lies.
    #[default]
    Name,
    Service,
    State,
    LastCheck,
    NextCheck,
    Duration,
    Attempt,
    Output,
}

impl Column {
    /// The word in URLs, and the field of the API that means the same.
    const WORDS: &'static [(&'static str, Self)] = &[
        ("host", Self::Name),
        ("host_name", Self::Name),
        ("name", Self::Name),
        ("service", Self::Service),
        ("description", Self::Service),
        ("state", Self::State),
        ("last_check", Self::LastCheck),
        ("next_check", Self::NextCheck),
        ("duration", Self::Duration),
        ("last_state_change", Self::Duration),
        ("attempt", Self::Attempt),
        ("current_attempt", Self::Attempt),
        ("output", Self::Output),
        ("plugin_output", Self::Output),
    ];

    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, column)| *column)
    }
}

/// A whole list request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListQuery {
    pub(crate) filter: Filter,
    pub(crate) sort: Column,
    pub(crate) is_descending: bool,
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    /// As asked, without what says where in the list we are; links are built from it.
    pub(crate) kept: Pairs,
    pub(crate) sort_word: String,
}

/// A parameter that cannot be understood. Shown to whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {what}: {expected}")]
pub(crate) struct QueryError {
    pub(crate) value: String,
    pub(crate) what: &'static str,
    pub(crate) expected: &'static str,
}

fn wrong(value: &str, what: &'static str, expected: &'static str) -> QueryError {
    QueryError { value: value.to_owned(), what, expected }
}

fn yes(value: &str) -> Result<bool, QueryError> {
    match value {
        "yes" | "1" | "true" | "on" => Ok(true),
        "no" | "0" | "false" | "off" => Ok(false),
        _ => Err(wrong(value, "switch", "yes or no")),
    }
}

impl ListQuery {
    /// Reads the pairs; names that belong to others (`view`, `since`) are passed over.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self, QueryError> {
        let mut query = Self { limit: PAGE, ..Self::default() };
        let mut page = None;
        for (name, value) in pairs {
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                "sort" => {
                    let word = value.strip_prefix('-').unwrap_or(value);
                    query.sort = Column::parse(word).ok_or_else(|| wrong(value, "column", SORTS))?;
                    query.is_descending = value.starts_with('-');
                    query.sort_word = word.to_owned();
                    query.kept.push((name.clone(), value.clone()));
                }
                "limit" => query.limit = number(value, "limit")?.clamp(1, MOST),
                "offset" => query.offset = number(value, "offset")?,
                "page" => page = Some(number(value, "page")?.max(1)),
                _ => {
                    if query.filter.take(name, value)? {
                        query.kept.push((name.clone(), value.clone()));
                    }
                }
            }
        }
        if let Some(page) = page {
            query.offset = (page - 1).saturating_mul(query.limit);
        }
        Ok(query)
    }

    /// For programs: a filter that is misspelt would give them everything.
    pub(crate) fn read_strictly(pairs: &[(String, String)]) -> Result<Self, QueryError> {
        let is_known = |name: &str| FILTERS.split(' ').any(|known| known == name);
        match pairs.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(wrong(name, "filter", FILTERS)),
            None => Self::read(pairs),
        }
    }

    pub(crate) fn page(&self) -> usize {
        self.offset / self.limit + 1
    }

    /// The query string with one parameter set (or, with an empty value, taken away) and from the first page on.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let others = self.kept.iter().filter(|(kept, _)| kept != name);
        let pairs = others.map(|(name, value)| (name.as_str(), value.as_str()));
        encode(pairs.chain((!value.is_empty()).then_some((name, value))))
    }

    /// The query string for sorting by this column: the other way round where it is sorted by it already.
    pub(crate) fn sorted_by(&self, word: &str) -> String {
        let is_current = self.is_sorted_by(word);
        let value = if is_current && !self.is_descending { format!("-{word}") } else { word.to_owned() };
        self.with("sort", &value)
    }

    pub(crate) fn is_sorted_by(&self, word: &str) -> bool {
        if self.sort_word.is_empty() { word == "host" } else { self.sort_word == word }
    }

    pub(crate) fn at_page(&self, page: usize) -> String {
        let page = page.to_string();
        let pairs = self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        encode(pairs.chain((page != "1").then_some(("page", page.as_str()))))
    }

    /// Value of a filter as asked, for the form.
    pub(crate) fn asked(&self, name: &str) -> &str {
        self.kept.iter().rev().find(|(kept, _)| kept == name).map_or("", |(_, value)| value)
    }

    /// With a parameter that links keep although it is no filter here.
    #[must_use]
    pub(crate) fn keep(mut self, name: &str, value: &str) -> Self {
        self.kept.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The filters in force, each with the query string that takes it away.
    pub(crate) fn chips(&self) -> Vec<Chip> {
        let filters = self.kept.iter().filter(|(name, _)| name != "sort");
        let chip = |(name, value): &(String, String)| Chip {
            name: if name == "q" { "text".to_owned() } else { name.replace('_', " ") },
            value: value.clone(),
            without: self.with(name, ""),
        };
        filters.map(chip).collect()
    }

    /// For the event stream: the same view again.
    pub(crate) fn again(&self) -> String {
        self.at_page(self.page())
    }
}

pub(crate) struct Chip {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) without: String,
}

const FILTERS: &str = "state state_type acknowledged downtime handled host service hostgroup servicegroup tag q sort limit offset page";

const SORTS: &str = "host, service, state, last_check, next_check, duration, attempt or output";

fn number(value: &str, what: &'static str) -> Result<usize, QueryError> {
    value.parse().map_err(|_error| wrong(value, what, "a whole number"))
}

impl Filter {
    /// Takes one parameter; false where the name is no filter.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, QueryError> {
        let text = || Some(value.to_owned());
        match name {
            "state" => {
                let read = |word| Want::parse(word).ok_or_else(|| wrong(word, "state", STATES));
                self.states = value.split(',').map(read).collect::<Result<_, _>>()?;
            }
            "state_type" => {
                self.state_type = Some(match value.to_ascii_lowercase().as_str() {
                    "soft" | "0" => StateType::Soft,
                    "hard" | "1" => StateType::Hard,
                    _ => return Err(wrong(value, "state type", "soft or hard")),
                });
            }
            "acknowledged" => self.acknowledged = Some(yes(value)?),
            "downtime" => self.downtime = Some(yes(value)?),
            "handled" => self.handled = Some(yes(value)?),
            "host" => self.host = text(),
            "service" => self.service = text(),
            "hostgroup" => self.hostgroup = text(),
            "servicegroup" => self.servicegroup = text(),
            "tag" => self.tag = text(),
            "q" => self.text = text(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Lets nothing but problems through, whatever else it asks: the index of problems answers it.
    pub(crate) fn asks_problems_only(&self) -> bool {
        let is_problem = |want: &Want| match want {
            Want::Good | Want::Pending | Want::Number(0) => false,
            Want::Warning
            | Want::Critical
            | Want::Unknown
            | Want::Down
            | Want::Unreachable
            | Want::Problem => true,
            Want::Number(_) => true,
        };
        !self.states.is_empty() && self.states.iter().all(is_problem)
    }
}

const STATES: &str =
    "ok, warning, critical, unknown, up, down, unreachable, pending, problem or a number from 0 to 3";

/// `a=b&c=d`, percent-encoded.
pub(crate) fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape_into(&mut text, name);
        text.push('=');
        escape_into(&mut text, value);
    }
    text
}

/// Percent-encodes everything but letters, digits and `-._~`: fit for a path segment and for a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_into(&mut escaped, text);
    escaped
}

fn escape_into(to: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            write!(to, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
}

/// Whether `name` is, or as a glob matches, `pattern`: `*` any text, `?` one character.
pub(crate) fn name_matches(pattern: &str, name: &str) -> bool {
    if !is_glob(pattern) {
        return pattern == name;
    }
    // The usual two-pointer walk: on a mismatch the last star takes one character more. It is asked of each object
    // of a large site, so it walks over the texts as they are.
    let (mut wanted, mut rest) = (pattern.chars(), name.chars());
    let mut star = None;
    loop {
        let here = rest.clone();
        let Some(c) = rest.next() else { return wanted.all(|c| c == '*') };
        let mut after = wanted.clone();
        match after.next() {
            Some('*') => {
                star = Some((after.clone(), here.clone()));
                (wanted, rest) = (after, here);
            }
            Some(one) if one == '?' || one == c => wanted = after,
            Some(_) | None => {
                let Some((after_star, from)) = &mut star else { return false };
                from.next();
                (wanted, rest) = (after_star.clone(), from.clone());
            }
        }
    }
}

pub(crate) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ListQuery, QueryError> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        ListQuery::read(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn filters_are_read_and_written_back() {
        let query = read("state=critical,warning&state_type=hard&sort=-duration&page=3&host=web*").unwrap();
        assert_eq!(query.filter.states, [Want::Critical, Want::Warning]);
        assert_eq!((query.sort, query.is_descending, query.offset), (Column::Duration, true, 200));
        assert_eq!(
            query.at_page(2),
            "state=critical%2Cwarning&state_type=hard&sort=-duration&host=web%2A&page=2"
        );
        assert_eq!(query.with("host", ""), "state=critical%2Cwarning&state_type=hard&sort=-duration");
        assert_eq!(query.chips().len(), 3);
    }

    #[test]
    fn a_second_click_on_a_column_turns_the_order() {
        assert_eq!(read("").unwrap().sorted_by("state"), "sort=state");
        assert_eq!(read("sort=state").unwrap().sorted_by("state"), "sort=-state");
        assert_eq!(read("sort=-state").unwrap().sorted_by("state"), "sort=state");
    }

    #[test]
    fn a_word_that_is_no_filter_value_says_what_would_be() {
        let error = read("state=bad").unwrap_err().to_string();
        assert!(error.contains("`bad`") && error.contains("critical"), "{error}");
        assert!(read("limit=-1").is_err() && read("page=x").is_err() && read("sort=colour").is_err());
        assert_eq!(read("page=99999999999999999").unwrap().offset, 9_999_999_999_999_999_800);
    }

    #[test]
    fn names_match_by_glob() {
        assert!(
            name_matches("web*", "web01") && name_matches("*-?", "db-1") && name_matches("a*b*c", "aXbYbc")
        );
        assert!(name_matches("*é?", "café!") && name_matches("*", "") && name_matches("a**", "a"));
        assert!(!name_matches("a*", "") && !name_matches("*ab", "aab!") && name_matches("*ab", "aaab"));
        assert!(!name_matches("web", "web01") && !name_matches("web?", "web") && !name_matches("*x", "y"));
    }
}
