//! Documents of the knowledge base: what they say and said, what they are about, and finding them by either.

mod change;
pub mod past;

use std::fmt;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};
use vigia_core::model::time::Timestamp;

use super::attachments::{self, Attachment, Place};
use super::query::{Conditions, Page, Slice};
use super::rows::{maybe_time, signed, time, unsigned};

pub(super) use change::rename_host;
pub use change::{Draft, create, delete, edit, link, unlink};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub id: u64,
    pub title: Arc<str>,
    /// Markdown.
    pub text: Arc<str>,
    /// As they were typed, between commas.
    pub keywords: Arc<str>,
    pub author: Arc<str>,
    pub created: Timestamp,
    pub editor: Arc<str>,
    pub updated: Timestamp,
    /// Grows with each change of what it says: who edits says which they saw.
    pub version: u32,
    /// When somebody is to see whether it still holds.
    pub review: Option<Timestamp>,
    pub links: Vec<Link>,
    /// Oldest first.
    pub files: Vec<Attachment>,
}

impl Document {
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.review.is_some_and(|review| review <= now)
    }
}

/// Something that a document is about. By name: it holds for what comes under that name later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub kind: LinkKind,
    pub name: Arc<str>,
}

/// In the order of how much a document with such a link has to say: of one thing alone first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    Ticket,
    /// `HTTP` on whatever host, or `web01/HTTP`.
    Service,
    Host,
    Rule,
    Check,
    Group,
    Network,
    Type,
}

impl LinkKind {
    pub const ALL: &'static [Self] = &[
        Self::Ticket,
        Self::Service,
        Self::Host,
        Self::Rule,
        Self::Check,
        Self::Group,
        Self::Network,
        Self::Type,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Service => "service",
            Self::Host => "host",
            Self::Rule => "rule",
            Self::Check => "check",
            Self::Group => "group",
            Self::Network => "network",
            Self::Type => "type",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word().eq_ignore_ascii_case(word))
    }
}

impl Link {
    pub fn new(kind: LinkKind, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }

    /// `host:web01`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let name = name.trim();
        (!name.is_empty()).then(|| Some(Self::new(LinkKind::from_word(kind.trim())?, name)))?
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.name)
    }
}

/// Which documents. Those that fit the text best go first; without a text, those that changed last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Every word of it, or its beginning, in title, keywords or text.
    pub text: Option<String>,
    pub link: Option<Link>,
    /// Its review was due by then.
    pub overdue: Option<Timestamp>,
    pub slice: Slice,
}

const COLUMNS: &str = "document.id, document.title, document.text, document.keywords, author, created, editor, updated, \
     version, review";

fn read(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        id: row.get(0).map(unsigned)?,
        title: row.get(1)?,
        text: row.get(2)?,
        keywords: row.get(3)?,
        author: row.get(4)?,
        created: row.get(5).map(time)?,
        editor: row.get(6)?,
        updated: row.get(7).map(time)?,
        version: row.get(8)?,
        review: row.get(9).map(maybe_time)?,
        links: Vec::new(),
        files: Vec::new(),
    })
}

/// None when there never was one or it was deleted.
pub fn one(db: &Connection, id: u64) -> rusqlite::Result<Option<Document>> {
    let found = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM document WHERE id = ?1 AND deleted IS NULL"))?
        .query_row([signed(id)], read)
        .optional()?;
    found.map(|document| with_rest(db, document)).transpose()
}

fn with_rest(db: &Connection, document: Document) -> rusqlite::Result<Document> {
    let links = links(db, document.id)?;
    let files = attachments::at(db, Place::Document(document.id))?;
    Ok(Document { links, files, ..document })
}

fn links(db: &Connection, id: u64) -> rusqlite::Result<Vec<Link>> {
    let mut links: Vec<Link> = db
        .prepare_cached("SELECT kind, name FROM document_link WHERE document = ?1")?
        .query_map([signed(id)], |row| {
            let kind = LinkKind::from_word(row.get_ref(0)?.as_str()?);
            Ok(kind.map(|kind| (kind, row.get::<_, Arc<str>>(1))))
        })?
        .filter_map(|found| match found {
            // Of a newer vigia.
            Ok(None) => None,
            Ok(Some((kind, Ok(name)))) => Some(Ok(Link { kind, name })),
            Ok(Some((_, Err(error)))) | Err(error) => Some(Err(error)),
        })
        .collect::<rusqlite::Result<_>>()?;
    links.sort();
    Ok(links)
}

pub fn list(db: &Connection, filter: &DocumentFilter) -> rusqlite::Result<Page<Document>> {
    let mut conditions = Conditions::default();
    conditions.plain("deleted IS NULL");
    let words = filter.text.as_deref().map(words).filter(|words| !words.is_empty());
    let (from, order) = match &words {
        Some(words) => {
            conditions.with("document_text MATCH ?", words.clone());
            // A word in the title says more than one in the text.
            let order = "bm25(document_text, 10.0, 5.0, 1.0), updated DESC";
            ("document JOIN document_text ON document_text.rowid = document.id", order)
        }
        None => ("document", "updated DESC, document.id DESC"),
    };
    if let Some(link) = &filter.link {
        let values = [link.kind.word().to_owned(), link.name.to_string()];
        conditions.bound(
            "document.id IN (SELECT document FROM document_link WHERE kind = ? AND name = ?)",
            values.map(Value::Text),
        );
    }
    if let Some(now) = filter.overdue {
        conditions.with("review <= ?", now.as_micros());
    }
    let total = conditions.count(db, from)?;
    let select = format!("SELECT {COLUMNS} FROM {from}");
    let found = conditions.rows(db, &select, order, filter.slice, read)?;
    let items = found.into_iter().map(|document| with_rest(db, document)).collect::<rusqlite::Result<_>>()?;
    Ok(Page { total, items })
}

/// Every word or its beginning; none of it is the index's own language.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(32).map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" ")
}

/// Documents about any of these, those that are about the least else first; each with the link that it was found by.
pub fn about(db: &Connection, links: &[Link], limit: usize) -> rusqlite::Result<Vec<(Document, Link)>> {
    let mut found: Vec<(u64, Link)> = Vec::new();
    let mut links = links.to_vec();
    links.sort();
    let mut statement = db.prepare_cached(
        "SELECT document FROM document_link WHERE kind = ?1 AND name = ?2 ORDER BY document DESC",
    )?;
    for link in links {
        let ids = statement.query_map((link.kind.word(), &*link.name), |row| row.get(0).map(unsigned))?;
        for id in ids {
            let id = id?;
            if found.len() < limit && !found.iter().any(|(other, _)| *other == id) {
                found.push((id, link.clone()));
            }
        }
    }
    let mut documents = Vec::with_capacity(found.len());
    for (id, link) in found {
        documents.extend(one(db, id)?.map(|document| (document, link)));
    }
    Ok(documents)
}

/// What a document said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub version: u32,
    pub title: Arc<str>,
    pub text: Arc<str>,
    pub keywords: Arc<str>,
    pub author: Arc<str>,
    pub at: Timestamp,
}

/// Newest first.
pub fn versions(db: &Connection, id: u64) -> rusqlite::Result<Vec<Version>> {
    db.prepare_cached(
        "SELECT version, title, text, keywords, author, at FROM document_version WHERE document = ?1 \
         ORDER BY version DESC LIMIT 1000",
    )?
    .query_map([signed(id)], |row| {
        Ok(Version {
            version: row.get(0)?,
            title: row.get(1)?,
            text: row.get(2)?,
            keywords: row.get(3)?,
            author: row.get(4)?,
            at: row.get(5).map(time)?,
        })
    })?
    .collect()
}

/// How many are overdue.
pub fn how_many_overdue(db: &Connection, now: Timestamp) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM document WHERE review <= ?1 AND deleted IS NULL")?
        .query_row([now.as_micros()], |row| row.get(0).map(unsigned))
}
