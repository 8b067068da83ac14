//! What changes of a document: each change is a version, and the search follows it.

use std::sync::Arc;

use rusqlite::{Connection, params};
use vigia_core::model::time::Timestamp;

use super::super::attachments;
use super::super::rows::{micros, signed, unsigned};
use super::{Document, Link, LinkKind};

/// What a person says in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub title: Arc<str>,
    pub text: Arc<str>,
    pub keywords: Arc<str>,
    pub links: Vec<Link>,
    pub review: Option<Timestamp>,
}

/// Its number.
pub fn create(db: &Connection, draft: &Draft, author: &str, at: Timestamp) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "INSERT INTO document (title, text, keywords, author, created, editor, updated, review) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?5, ?6)",
    )?
    .execute(params![
        &*draft.title,
        &*draft.text,
        &*draft.keywords,
        author,
        at.as_micros(),
        micros(draft.review)
    ])?;
    let id = unsigned(db.last_insert_rowid());
    keep_version(db, id)?;
    set_links(db, id, &draft.links)?;
    Ok(id)
}

/// A new version where it says something else; links and the review are no part of what it says.
pub fn edit(
    db: &Connection,
    before: &Document,
    draft: &Draft,
    author: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let says_else =
        before.title != draft.title || before.text != draft.text || before.keywords != draft.keywords;
    if says_else {
        db.prepare_cached(
            "UPDATE document SET title = ?2, text = ?3, keywords = ?4, editor = ?5, updated = ?6, \
             version = version + 1 WHERE id = ?1",
        )?
        .execute(params![
            signed(before.id),
            &*draft.title,
            &*draft.text,
            &*draft.keywords,
            author,
            at.as_micros()
        ])?;
        keep_version(db, before.id)?;
    }
    db.prepare_cached("UPDATE document SET review = ?2 WHERE id = ?1")?
        .execute((signed(before.id), micros(draft.review)))?;
    set_links(db, before.id, &draft.links)
}

fn keep_version(db: &Connection, id: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO document_version SELECT id, version, title, text, keywords, editor, updated FROM document \
         WHERE id = ?1",
    )?
    .execute([signed(id)])?;
    db.prepare_cached("DELETE FROM document_text WHERE rowid = ?1")?.execute([signed(id)])?;
    db.prepare_cached(
        "INSERT INTO document_text (rowid, title, keywords, text) SELECT id, title, keywords, text FROM document \
         WHERE id = ?1",
    )?
    .execute([signed(id)])?;
    Ok(())
}

fn set_links(db: &Connection, id: u64, links: &[Link]) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM document_link WHERE document = ?1")?.execute([signed(id)])?;
    for one in links {
        link(db, id, one)?;
    }
    Ok(())
}

pub fn link(db: &Connection, id: u64, link: &Link) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO document_link VALUES (?1, ?2, ?3)")?.execute((
        signed(id),
        link.kind.word(),
        &*link.name,
    ))?;
    Ok(())
}

pub fn unlink(db: &Connection, id: u64, link: &Link) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM document_link WHERE document = ?1 AND kind = ?2 AND name = ?3")?
        .execute((signed(id), link.kind.word(), &*link.name))?;
    Ok(())
}

/// A tombstone: the number is never used again, and what it said goes.
pub fn delete(db: &Connection, id: u64, at: Timestamp) -> rusqlite::Result<()> {
    for table in ["document_version", "document_link"] {
        db.execute(&format!("DELETE FROM {table} WHERE document = ?1"), [signed(id)])?;
    }
    db.execute("DELETE FROM document_text WHERE rowid = ?1", [signed(id)])?;
    attachments::remove_all_of_document(db, id)?;
    db.execute(
        "UPDATE document SET deleted = ?2, title = '', text = '', keywords = '', review = NULL WHERE id = ?1",
        (signed(id), at.as_micros()),
    )?;
    Ok(())
}

/// What was about the host under its old name is about it under the new one, its services too.
pub(in crate::store) fn rename_host(db: &Connection, from: &str, to: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE OR REPLACE document_link SET name = ?3 WHERE kind = ?1 AND name = ?2")?
        .execute((LinkKind::Host.word(), from, to))?;
    db.prepare_cached(
        "UPDATE OR REPLACE document_link SET name = ?3 || substr(name, length(?2) + 1) \
         WHERE kind = ?1 AND substr(name, 1, length(?2) + 1) = ?2 || '/'",
    )?
    .execute((LinkKind::Service.word(), from, to))?;
    Ok(())
}
