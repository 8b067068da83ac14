//! Comments of hosts and services.

use rusqlite::{Connection, Row, params};
use vigia_core::model::comment::Comment;
use vigia_core::model::id::{CommentId, ObjectKey};

use super::rows::{self, signed, time, unsigned};

const COLUMNS: &str = "SELECT comment.id, host, service, author, text, at, kind \
     FROM comment JOIN object ON object.id = comment.object";

pub(super) fn insert(connection: &Connection, comment: &Comment) -> rusqlite::Result<()> {
    let object = rows::object_id(connection, &comment.subject)?;
    connection.prepare_cached("INSERT OR REPLACE INTO comment VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
        params![
            signed(comment.id.0),
            object,
            &*comment.author,
            &*comment.text,
            comment.at.as_micros(),
            rows::comment_kind_number(comment.kind),
        ],
    )?;
    Ok(())
}

/// Its number is never given again, because the counter is kept.
pub(super) fn delete(connection: &Connection, id: CommentId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM comment WHERE id = ?1")?.execute([signed(id.0)])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: CommentId(row.get(0).map(unsigned)?),
        subject: rows::key(row.get(1)?, row.get_ref(2)?.as_str()?),
        author: row.get(3)?,
        text: row.get(4)?,
        at: row.get(5).map(time)?,
        kind: row.get(6).map(rows::comment_kind)?,
    })
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Comment>> {
    connection.prepare(&format!("{COLUMNS} ORDER BY comment.id"))?.query_map([], read)?.collect()
}

/// Of one object, oldest first. (The published world has the same; this is for what has no world.)
pub fn of(connection: &Connection, subject: &ObjectKey) -> rusqlite::Result<Vec<Comment>> {
    let Some(object) = rows::find_object(connection, subject)? else { return Ok(Vec::new()) };
    connection
        .prepare_cached(&format!("{COLUMNS} WHERE comment.object = ?1 ORDER BY comment.id LIMIT 10000"))?
        .query_map([object], read)?
        .collect()
}
