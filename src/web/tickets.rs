//! Which tickets, and what is said of them, in the words of addresses and forms: one way for pages and the API.

use std::sync::Arc;

use vigia_core::model::operation::Fields;
use vigia_core::model::ticket::{PriorityWord, TicketClass, TicketStatus};

use super::backend::{StatusFilter, TicketFilter, TicketSort};
use super::error::Failure;
use super::frame::Seen;
use super::orders::{FieldError, wrong};
use super::query::{PAGE, Pairs, escape};
use crate::store::{Slice, Sorted};

/// In charge of nothing or of what the viewer's teams have.
const ME: &str = "me";
const NOBODY: &str = "nobody";

/// What a list of tickets is cut down by, and what people call it.
const FILTERS: &[(&str, &str)] = &[
    ("class", "class"),
    ("type", "type"),
    ("priority", "priority"),
    ("in_charge", "in charge"),
    ("submitter", "submitter"),
    ("with", "anybody"),
    ("tag", "tag"),
    ("host", "host"),
    ("service", "service"),
    ("q", "text"),
];

/// What was asked of the list, understood.
pub(crate) struct Asked {
    pub(crate) filter: TicketFilter,
    pub(crate) page: usize,
    /// As it was asked, without what is empty or unknown.
    pairs: Pairs,
}

/// A filter in force, and the address without it.
pub(crate) struct Chip {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) without: String,
}

impl Asked {
    pub(crate) fn parse(asked: &Pairs, seen: &Seen) -> Result<Self, Failure> {
        let known = |name: &str| {
            matches!(name, "status" | "sort" | "page") || FILTERS.iter().any(|(word, _)| *word == name)
        };
        if let Some((name, _)) =
            asked.iter().find(|(name, _)| !known(name) && name != "limit" && name != "offset")
        {
            // One that is misspelt would give everything.
            return Err(Failure::Wrong(format!("`{name}` is not a filter of tickets")));
        }
        let mut pairs: Pairs = Vec::new();
        for (name, value) in asked.iter().filter(|(name, value)| known(name) && !value.trim().is_empty()) {
            pairs.retain(|(other, _)| other != name);
            pairs.push((name.clone(), value.trim().to_owned()));
        }
        let mut asked = Self { filter: TicketFilter::default(), page: 1, pairs };
        asked.page = asked.get("page").parse().unwrap_or(1).max(1);
        asked.filter = asked.understood(seen)?;
        Ok(asked)
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// `open` where nothing was said.
    pub(crate) fn status(&self) -> &str {
        Some(self.get("status")).filter(|status| !status.is_empty()).unwrap_or("open")
    }

    fn understood(&self, seen: &Seen) -> Result<TicketFilter, Failure> {
        let text = |name| Some(self.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
        let status = match self.status() {
            "open" => StatusFilter::NotClosed,
            "all" => StatusFilter::All,
            word => StatusFilter::Exactly(status(word.trim_start_matches('='))?.unwrap_or_default()),
        };
        let in_charge = match self.get("in_charge") {
            "" | NOBODY => Vec::new(),
            ME => names_of(seen),
            name => vec![name.to_owned()],
        };
        let sort = Some(self.get("sort")).filter(|sort| !sort.is_empty()).unwrap_or("-updated");
        let unknown = || Failure::Wrong(format!("`{sort}` is not a field that this list can be sorted by"));
        Ok(TicketFilter {
            status,
            class: class(self.get("class"))?,
            r#type: text("type"),
            priority: priority_word(self.get("priority"))?,
            in_charge,
            unassigned: self.get("in_charge") == NOBODY,
            submitter: text("submitter"),
            with: text("with"),
            tag: text("tag"),
            text: text("q"),
            host: text("host"),
            service: text("service"),
            sorted: Sorted::parse(sort, TicketSort::from_word).ok_or_else(unknown)?,
            slice: Slice { limit: PAGE, offset: (self.page - 1).saturating_mul(PAGE) },
        })
    }

    /// The address of the same list with these values instead; an empty one takes its filter away.
    pub(crate) fn but(&self, values: &[(&str, &str)]) -> String {
        let is_said = |name: &str| name == "page" || values.iter().any(|(other, _)| *other == name);
        let kept = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = kept.filter(|(name, _)| !is_said(name)).chain(values.iter().copied());
        let pairs: Vec<String> = all
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        pairs.join("&")
    }

    pub(crate) fn at_page(&self, page: usize) -> String {
        self.but(&[("page", &page.to_string())])
    }

    pub(crate) fn chips(&self) -> Vec<Chip> {
        let chip = |(word, name): &(&'static str, &'static str)| {
            let value = self.get(word).to_owned();
            (!value.is_empty()).then(|| Chip { name, value, without: self.but(&[(word, "")]) })
        };
        FILTERS.iter().filter_map(chip).collect()
    }
}

/// How the list is asked for one status: `open` alone means whatever is not closed.
pub(crate) fn exactly(status: TicketStatus) -> String {
    match status {
        TicketStatus::Open => "=open".to_owned(),
        TicketStatus::Assigned
        | TicketStatus::Studying
        | TicketStatus::Waiting
        | TicketStatus::Testing
        | TicketStatus::Closed => status.word().to_lowercase(),
    }
}

/// Whoever looks, and the teams that they are in.
fn names_of(seen: &Seen) -> Vec<String> {
    let me = seen.author();
    let groups = seen.world.inventory.contactgroups.iter();
    let mine = groups.filter(|group| group.members.contains(&me)).map(|group| group.name.to_string());
    std::iter::once(me.to_string()).chain(mine).collect()
}

pub(crate) fn class(said: &str) -> Result<Option<TicketClass>, FieldError> {
    match said.trim() {
        "" => Ok(None),
        word => match TicketClass::from_word(word) {
            Some(class) => Ok(Some(class)),
            None => {
                wrong("class", format!("one of {}", words(TicketClass::ALL.iter().map(|one| one.word()))))
            }
        },
    }
}

fn priority_word(said: &str) -> Result<Option<PriorityWord>, FieldError> {
    match said {
        "" => Ok(None),
        word => match PriorityWord::from_word(word) {
            Some(word) => Ok(Some(word)),
            None => wrong("priority", "one of High (7 to 10), Medium (4 to 6), Low (1 to 3)"),
        },
    }
}

pub(crate) fn status(said: &str) -> Result<Option<TicketStatus>, FieldError> {
    match said.trim() {
        "" => Ok(None),
        said => match TicketStatus::ALL.iter().find(|status| status.word().eq_ignore_ascii_case(said)) {
            Some(status) => Ok(Some(*status)),
            None => {
                wrong("status", format!("one of {}", words(TicketStatus::ALL.iter().map(|one| one.word()))))
            }
        },
    }
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Tags as they are typed: between commas or blanks, each once.
pub(crate) fn tags(said: &str) -> Vec<Arc<str>> {
    let mut tags: Vec<Arc<str>> = said.split([',', ' ', '\n']).filter_map(super::orders::some).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// Fields of the class, by their keys. A key of another class is a mistake and not lost silently.
pub(crate) fn fields<'a>(
    class: TicketClass,
    said: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Fields, FieldError> {
    let mut fields = Fields::new();
    for (key, text) in said {
        let known = class.fields();
        let Some((key, _)) = known.iter().find(|(name, _)| *name == key) else {
            let known = words(known.iter().map(|(name, _)| *name));
            let known = if known.is_empty() { "none".to_owned() } else { known };
            return wrong("fields", format!("`{key}` is no field of {}, which has {known}", class.word()));
        };
        if let Some(text) = super::orders::some(text) {
            fields.insert((*key).into(), text);
        }
    }
    Ok(fields)
}

/// The type as it is written where it is known; a new one is made by who may.
pub(crate) async fn known_type(seen: &Seen, said: &str) -> Result<Option<Arc<str>>, FieldError> {
    let said = said.trim();
    if said.is_empty() {
        return Ok(None);
    }
    let types = seen.web.backend.ticket_types().await.unwrap_or_default();
    match types.iter().find(|one| one.name.eq_ignore_ascii_case(said)) {
        Some(one) => Ok(Some(one.name.as_str().into())),
        None => wrong("type", format!("one of {}", words(types.iter().map(|one| one.name.as_str())))),
    }
}

/// Somebody who can be in charge or hear of a ticket: a user, a contact or a team. A name with a slip would be
/// nobody, and nobody would work on it.
pub(crate) async fn known_name(
    seen: &Seen,
    field: &'static str,
    said: &str,
) -> Result<Option<Arc<str>>, FieldError> {
    let said = said.trim();
    if said.is_empty() {
        return Ok(None);
    }
    match names(seen).await.into_iter().find(|name| name.eq_ignore_ascii_case(said)) {
        Some(name) => Ok(Some(name)),
        None => wrong(field, format!("there is no user, contact or contact group `{said}`")),
    }
}

/// Everybody who can be in charge.
pub(crate) async fn names(seen: &Seen) -> Vec<Arc<str>> {
    let users = seen.web.backend.users().await.unwrap_or_default();
    let inventory = &seen.world.inventory;
    let users = users.into_iter().filter(|user| !user.is_disabled).map(|user| user.name);
    let contacts = inventory.contacts.iter().map(|contact| contact.name.clone());
    let groups = inventory.contactgroups.iter().map(|group| group.name.clone());
    let mut names: Vec<Arc<str>> = users.chain(contacts).chain(groups).collect();
    names.sort();
    names.dedup();
    names
}

/// Name and description of a type.
pub(crate) fn type_said(name: &str, description: &str) -> Result<(String, String), FieldError> {
    let name = super::orders::text("name", name)?;
    if name.len() > 64 || name.contains('\n') {
        return wrong("name", "one line of at most 64 bytes");
    }
    Ok((name.to_string(), super::orders::maybe_text("description", description)?.to_string()))
}
