//! Accounts, sessions and tokens as rows. What they mean is `desk`'s business.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::time::Timestamp;

use super::rows::{maybe_time, micros, time};

/// SHA-256 of a session's or token's secret: the secret itself is nowhere on the disk.
pub type SecretHash = [u8; 32];

#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    pub name: String,
    pub role: String,
    /// A PHC string; none: cannot log in with a password.
    pub password: Option<String>,
    pub contact: Option<String>,
    pub sight: Option<String>,
    pub created: Timestamp,
    pub changed: Timestamp,
    pub disabled: Option<Timestamp>,
    /// Wrong passwords in a row.
    pub failed: u32,
    pub locked_until: Option<Timestamp>,
    pub last_login: Option<Timestamp>,
}

/// A row of `session`, with what its user's row says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub hash: SecretHash,
    pub user: String,
    pub role: String,
    pub contact: Option<String>,
    pub sight: Option<String>,
    pub is_disabled: bool,
    pub created: Timestamp,
    pub seen: Timestamp,
    pub peer: Option<String>,
    pub agent: Option<String>,
}

/// A row of `token`, with what its user's row says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub hash: SecretHash,
    pub user: String,
    pub role: String,
    pub contact: Option<String>,
    pub sight: Option<String>,
    pub is_disabled: bool,
    pub label: String,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub used: Option<Timestamp>,
}

const USER: &str = "SELECT name, role, password, contact, sight, created, changed, disabled, failed, \
     locked_until, last_login FROM user";

fn read_user(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        name: row.get(0)?,
        role: row.get(1)?,
        password: row.get(2)?,
        contact: row.get(3)?,
        sight: row.get(4)?,
        created: row.get(5).map(time)?,
        changed: row.get(6).map(time)?,
        disabled: row.get(7).map(maybe_time)?,
        failed: row.get(8)?,
        locked_until: row.get(9).map(maybe_time)?,
        last_login: row.get(10).map(maybe_time)?,
    })
}

pub fn user(connection: &Connection, name: &str) -> rusqlite::Result<Option<UserRow>> {
    connection.prepare_cached(&format!("{USER} WHERE name = ?1"))?.query_row([name], read_user).optional()
}

pub fn users(connection: &Connection) -> rusqlite::Result<Vec<UserRow>> {
    connection
        .prepare_cached(&format!("{USER} ORDER BY name LIMIT 10000"))?
        .query_map([], read_user)?
        .collect()
}

/// False: somebody of that name (in any case of letters) exists.
pub fn insert(connection: &Connection, user: &UserRow) -> rusqlite::Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO user (name, role, password, contact, sight, created, changed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        )?
        .execute(params![
            user.name,
            user.role,
            user.password,
            user.contact,
            user.sight,
            user.created.as_micros(),
        ])?;
    Ok(inserted == 1)
}

/// A new password lifts a lock and ends every session. False: there is no such user.
pub fn set_password(
    connection: &Connection,
    name: &str,
    phc: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE user SET password = ?2, changed = ?3, failed = 0, locked_until = NULL WHERE name = ?1",
        )?
        .execute((name, phc, now.as_micros()))?;
    end_sessions_of(connection, name)?;
    Ok(changed == 1)
}

/// Disabling ends every session and token. False: there is no such user.
pub fn set_disabled(
    connection: &Connection,
    name: &str,
    since: Option<Timestamp>,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE user SET disabled = ?2, changed = ?3 WHERE name = ?1")?
        .execute((name, micros(since), now.as_micros()))?;
    if since.is_some() {
        end_sessions_of(connection, name)?;
        connection.prepare_cached("DELETE FROM token WHERE user = ?1")?.execute([name])?;
    }
    Ok(changed == 1)
}

pub fn set_role(connection: &Connection, name: &str, role: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE user SET role = ?2, changed = ?3 WHERE name = ?1")?
        .execute((name, role, now.as_micros()))?;
    Ok(changed == 1)
}

/// Counts a wrong password; from the `tries`-th in a row on, the account is locked until `until`.
pub fn count_failure(
    connection: &Connection,
    name: &str,
    tries: u32,
    until: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE user SET failed = iif(failed + 1 >= ?2, 0, failed + 1), \
             locked_until = iif(failed + 1 >= ?2, ?3, locked_until) WHERE name = ?1",
        )?
        .execute((name, tries, until.as_micros()))?;
    Ok(())
}

pub fn note_login(connection: &Connection, name: &str, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE user SET failed = 0, locked_until = NULL, last_login = ?2 WHERE name = ?1")?
        .execute((name, now.as_micros()))?;
    Ok(())
}

pub fn insert_session(connection: &Connection, session: &SessionRow) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        session.hash,
        session.user,
        session.created.as_micros(),
        session.seen.as_micros(),
        session.peer,
        session.agent,
    ])?;
    Ok(())
}

pub fn session(connection: &Connection, hash: &SecretHash) -> rusqlite::Result<Option<SessionRow>> {
    connection
        .prepare_cached(
            "SELECT hash, user.name, role, contact, sight, disabled IS NOT NULL, session.created, seen, peer, \
             agent FROM session JOIN user ON user.name = session.user WHERE hash = ?1",
        )?
        .query_row([hash], |row| {
            Ok(SessionRow {
                hash: row.get(0)?,
                user: row.get(1)?,
                role: row.get(2)?,
                contact: row.get(3)?,
                sight: row.get(4)?,
                is_disabled: row.get(5)?,
                created: row.get(6).map(time)?,
                seen: row.get(7).map(time)?,
                peer: row.get(8)?,
                agent: row.get(9)?,
            })
        })
        .optional()
}

pub fn touch_session(connection: &Connection, hash: &SecretHash, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE session SET seen = ?2 WHERE hash = ?1")?
        .execute((hash, now.as_micros()))?;
    Ok(())
}

pub fn end_session(connection: &Connection, hash: &SecretHash) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM session WHERE hash = ?1")?.execute([hash])?;
    Ok(())
}

pub fn end_sessions_of(connection: &Connection, user: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM session WHERE user = ?1")?.execute([user])?;
    Ok(())
}

/// Those that ran out while nobody asked for them.
pub fn end_sessions_before(
    connection: &Connection,
    seen: Timestamp,
    created: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM session WHERE seen < ?1 OR created < ?2")?
        .execute((seen.as_micros(), created.as_micros()))?;
    Ok(())
}

pub fn insert_token(connection: &Connection, token: &TokenRow) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, NULL)")?.execute(params![
        token.hash,
        token.user,
        token.label,
        token.created.as_micros(),
        micros(token.expires),
    ])?;
    Ok(())
}

const TOKEN: &str = "SELECT hash, user.name, role, contact, sight, disabled IS NOT NULL, label, token.created, \
     expires, used FROM token JOIN user ON user.name = token.user";

fn read_token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        hash: row.get(0)?,
        user: row.get(1)?,
        role: row.get(2)?,
        contact: row.get(3)?,
        sight: row.get(4)?,
        is_disabled: row.get(5)?,
        label: row.get(6)?,
        created: row.get(7).map(time)?,
        expires: row.get(8).map(maybe_time)?,
        used: row.get(9).map(maybe_time)?,
    })
}

pub fn token(connection: &Connection, hash: &SecretHash) -> rusqlite::Result<Option<TokenRow>> {
    connection.prepare_cached(&format!("{TOKEN} WHERE hash = ?1"))?.query_row([hash], read_token).optional()
}

/// In the order in which they were made.
pub fn tokens_of(connection: &Connection, user: &str) -> rusqlite::Result<Vec<TokenRow>> {
    connection
        .prepare_cached(&format!("{TOKEN} WHERE token.user = ?1 ORDER BY token.created, label"))?
        .query_map([user], read_token)?
        .collect()
}

pub fn touch_token(connection: &Connection, hash: &SecretHash, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE token SET used = ?2 WHERE hash = ?1")?
        .execute((hash, now.as_micros()))?;
    Ok(())
}

/// How many of that label were revoked.
pub fn revoke_token(connection: &Connection, user: &str, label: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached("DELETE FROM token WHERE user = ?1 AND label = ?2")?.execute((user, label))
}
