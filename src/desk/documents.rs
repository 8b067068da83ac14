//! The knowledge base: documents written, changed over each other's shoulder and told so, linked to what they are about,
//! and offered where that goes wrong.

use std::sync::Arc;

use serde_json::json;
use vigia_core::model::id::{ObjectKey, TicketId};
use vigia_core::model::time::Timestamp;

use super::sessions::Who;
use crate::store::documents::past::{self, Remedy};
use crate::store::documents::{self, Document, DocumentFilter, Draft, Link, Version};
use crate::store::{Page, Store, StoreError, audit};

/// Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    store: Store,
}

/// Why a document was not changed, for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum DocumentTrouble {
    #[error("there is no document {0}")]
    Missing(u64),
    #[error("document {id} has no version {version}")]
    NoVersion { id: u64, version: u32 },
    #[error("document {id} was changed since it was looked at, by {by}")]
    Changed { id: u64, by: Arc<str> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known of something that goes wrong: documents, each with why it is offered, and how it ended before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    pub documents: Vec<(Document, Link)>,
    pub remedies: Vec<Remedy>,
}

/// Documents that are offered at once.
const OFFERED: usize = 8;
/// Earlier ends of the same thing that are told.
const REMEDIES: usize = 2;

type Outcome<T> = Result<T, DocumentTrouble>;

impl Documents {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn list(&self, filter: DocumentFilter) -> Outcome<Page<Document>> {
        Ok(self.store.read(move |db| documents::list(db, &filter)).await?)
    }

    pub async fn one(&self, id: u64) -> Outcome<Document> {
        self.store.read(move |db| documents::one(db, id)).await?.ok_or(DocumentTrouble::Missing(id))
    }

    pub async fn versions(&self, id: u64) -> Outcome<Vec<Version>> {
        Ok(self.store.read(move |db| documents::versions(db, id)).await?)
    }

    pub async fn how_many_overdue(&self, now: Timestamp) -> Outcome<u64> {
        Ok(self.store.read(move |db| documents::how_many_overdue(db, now)).await?)
    }

    /// What is known of these, and of how `subject` ended before; but not of the ticket that asks.
    pub async fn knowledge(
        &self,
        links: Vec<Link>,
        subject: Option<ObjectKey>,
        but: Option<TicketId>,
    ) -> Outcome<Knowledge> {
        let known = self.store.read(move |db| {
            let documents = documents::about(db, &links, OFFERED)?;
            let remedies = match &subject {
                Some(subject) => past::remedies(db, subject, but, REMEDIES)?,
                None => Vec::new(),
            };
            Ok(Knowledge { documents, remedies })
        });
        Ok(known.await?)
    }

    /// Its number.
    pub async fn create(&self, by: &Who, draft: Draft) -> Outcome<u64> {
        let (now, by) = (self.store.clock().now(), by.clone());
        let created = self.store.write(move |db| {
            let id = documents::create(db, &draft, &by.name, now)?;
            let detail = json!({"title": *draft.title, "links": said(&draft.links)});
            audit::insert(db, &by.act(now, "write-document", &id.to_string(), detail))?;
            Ok(id)
        });
        Ok(created.await?)
    }

    /// With the version that was looked at: what somebody else wrote meanwhile is not overwritten.
    pub async fn edit(&self, by: &Who, id: u64, version: Option<u32>, draft: Draft) -> Outcome<()> {
        self.change(by, id, version, "edit-document", move |_| Ok(draft.clone())).await
    }

    /// What it said once is what it says again; that is a version of its own.
    pub async fn restore(&self, by: &Who, id: u64, version: Option<u32>, old: u32) -> Outcome<()> {
        let versions = self.versions(id).await?;
        let missing = DocumentTrouble::NoVersion { id, version: old };
        let old = versions.into_iter().find(|one| one.version == old).ok_or(missing)?;
        let restored = move |before: &Document| {
            Ok(Draft {
                title: old.title.clone(),
                text: old.text.clone(),
                keywords: old.keywords.clone(),
                links: before.links.clone(),
                review: before.review,
            })
        };
        self.change(by, id, version, "restore-document", restored).await
    }

    async fn change(
        &self,
        by: &Who,
        id: u64,
        version: Option<u32>,
        action: &'static str,
        change: impl Fn(&Document) -> rusqlite::Result<Draft> + Send + 'static,
    ) -> Outcome<()> {
        let (now, by) = (self.store.clock().now(), by.clone());
        let changed = self.store.write(move |db| {
            let Some(before) = documents::one(db, id)? else { return Ok(Err(DocumentTrouble::Missing(id))) };
            if version.is_some_and(|version| version != before.version) {
                return Ok(Err(DocumentTrouble::Changed { id, by: before.editor }));
            }
            let draft = change(&before)?;
            documents::edit(db, &before, &draft, &by.name, now)?;
            let mut detail = json!({});
            let values = [
                ("title", before.title.to_string(), draft.title.to_string()),
                ("keywords", before.keywords.to_string(), draft.keywords.to_string()),
                ("links", said(&before.links), said(&draft.links)),
            ];
            for (name, was, is) in values.into_iter().filter(|(_, was, is)| was != is) {
                detail[name] = json!({"before": was, "after": is});
            }
            audit::insert(db, &by.act(now, action, &id.to_string(), detail))?;
            Ok(Ok(()))
        });
        changed.await?
    }

    /// Links are no part of what a document says: they need no version.
    pub async fn link(&self, by: &Who, id: u64, link: Link, is_to: bool) -> Outcome<()> {
        let (now, by) = (self.store.clock().now(), by.clone());
        let linked = self.store.write(move |db| {
            if documents::one(db, id)?.is_none() {
                return Ok(None);
            }
            let action = if is_to { "link-document" } else { "unlink-document" };
            match is_to {
                true => documents::link(db, id, &link)?,
                false => documents::unlink(db, id, &link)?,
            }
            let detail = json!({"link": link.to_string()});
            audit::insert(db, &by.act(now, action, &id.to_string(), detail))?;
            Ok(Some(()))
        });
        linked.await?.ok_or(DocumentTrouble::Missing(id))
    }

    pub async fn delete(&self, by: &Who, id: u64) -> Outcome<Document> {
        let (now, by) = (self.store.clock().now(), by.clone());
        let deleted = self.store.write(move |db| {
            let Some(before) = documents::one(db, id)? else { return Ok(None) };
            documents::delete(db, id, now)?;
            let detail = json!({"title": *before.title});
            audit::insert(db, &by.act(now, "delete-document", &id.to_string(), detail))?;
            Ok(Some(before))
        });
        deleted.await?.ok_or(DocumentTrouble::Missing(id))
    }
}

fn said(links: &[Link]) -> String {
    links.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
