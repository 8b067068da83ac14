//! Migrations in order, forward only. A released file is never edited.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior, backup};
use tracing::{info, warn};

use super::error::StoreError;
use crate::os::files;
use crate::telemetry::Chain;

/// The schema's version is how many of these were applied, kept in `PRAGMA user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_notification.sql"),
    include_str!("migrations/0003_absent.sql"),
    include_str!("migrations/0004_outbox.sql"),
    include_str!("migrations/0005_prune.sql"),
    include_str!("migrations/0006_acts.sql"),
    include_str!("migrations/0007_scan.sql"),
    include_str!("migrations/0008_assets.sql"),
    include_str!("migrations/0009_tickets.sql"),
    include_str!("migrations/0010_suppressions.sql"),
    include_str!("migrations/0011_attachments.sql"),
    include_str!("migrations/0012_alarm_notes.sql"),
    include_str!("migrations/0013_ticket_mail.sql"),
    include_str!("migrations/0014_documents.sql"),
];

/// Marks the file as ours (`PRAGMA application_id`): the letters "vgia".
const APPLICATION: i64 = 0x7667_6961;

/// Between the name of the file and the number of the schema that a copy was made before.
const BEFORE: &str = ".before-";

/// Brings the file to the newest schema, after a copy of it was made where it already held something.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrate_by(connection, path, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = number(migrations);
    let found = check_by(connection, path, known)?;
    if found == known {
        return Ok(());
    }
    let copy = if found == 0 { None } else { Some(copy_before(connection, path, known)?) };
    apply(connection, migrations, found).map_err(|source| StoreError::Migrate {
        path: path.to_owned(),
        copy: copy.clone().unwrap_or_else(|| path.to_owned()),
        version: known,
        source,
    })?;
    if let Some(copy) = copy {
        info!(
            event = "store.migrated",
            path = %path.display(),
            "brought to schema {known}; as it was, it is kept in {}",
            copy.display()
        );
        remove_old_copies(path);
    }
    Ok(())
}

fn number(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// The schema of a file that is ours and not of a newer vigia.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    check_by(connection, path, number(MIGRATIONS))
}

fn check_by(connection: &Connection, path: &Path, known: i64) -> Result<i64, StoreError> {
    let found = version(connection).map_err(|source| StoreError::opening(path, source))?;
    check_is_ours(connection, path, found)?;
    if found > known { Err(StoreError::Newer { path: path.to_owned(), found, known }) } else { Ok(found) }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// A database of some other program must not be filled with our tables.
fn check_is_ours(connection: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    let opening = |source| StoreError::opening(path, source);
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(opening)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(opening)?;
    if application == APPLICATION || (tables == 0 && found == 0) {
        return Ok(());
    }
    let detail = "it belongs to another program".to_owned();
    Err(StoreError::Damaged { path: path.to_owned(), detail })
}

/// All steps in one transaction: after a crash in between, the file is as it was.
fn apply(connection: &mut Connection, migrations: &[&str], found: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in migrations.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(migrations.len()).unwrap_or(i64::MAX))?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()
}

/// Copies from before migrations that are kept: one may go back over two upgrades.
const COPIES: usize = 2;

/// `vigia.db.before-2`: the file as the older program left it.
fn copy_before(connection: &Connection, path: &Path, version: i64) -> Result<PathBuf, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{BEFORE}{version}"));
    let copy = PathBuf::from(name);
    let failed = |source| StoreError::Copy { path: path.to_owned(), copy: copy.clone(), source };
    // It holds password hashes, as the file itself does.
    super::make_private(&copy);
    let mut target = Connection::open(&copy).map_err(failed)?;
    backup::Backup::new(connection, &mut target)
        .and_then(|backup| backup.run_to_completion(1024, std::time::Duration::ZERO, None))
        .map_err(failed)?;
    Ok(copy)
}

/// Keeps the newest copies. What cannot be removed is only in the way.
fn remove_old_copies(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned() + BEFORE;
    let entries = files::list(path.parent().unwrap_or(Path::new("."))).unwrap_or_default();
    let version = |path: &Path| path.file_name()?.to_str()?.strip_prefix(&name)?.parse::<i64>().ok();
    let mut copies: Vec<(i64, PathBuf)> =
        entries.into_iter().filter_map(|(path, _)| Some((version(&path)?, path))).collect();
    copies.sort_unstable();
    let old = copies.len().saturating_sub(COPIES);
    for (_, copy) in copies.into_iter().take(old) {
        if let Err(error) = files::remove(&copy) {
            warn!(event = "store.copies", error = %Chain(&error), "an old copy stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    #[test]
    fn a_new_file_gets_the_newest_schema_and_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = open(&path);
        migrate(&mut connection, &path).unwrap();
        migrate(&mut connection, &path).unwrap();
        assert_eq!(version(&connection).unwrap(), i64::try_from(MIGRATIONS.len()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_older_file_is_copied_before_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = open(&path);
        let older = ["CREATE TABLE old (x TEXT) STRICT; INSERT INTO old VALUES ('kept');"];
        migrate_by(&mut connection, &path, &older).unwrap();
        let newer = [older[0], "DROP TABLE old; CREATE TABLE fresh (y TEXT) STRICT;"];
        migrate_by(&mut connection, &path, &newer).unwrap();
        let copy = open(&folder.path().join("vigia.db.before-2"));
        let kept: String = copy.query_row("SELECT x FROM old", [], |row| row.get(0)).unwrap();
        assert_eq!((kept.as_str(), version(&copy).unwrap(), version(&connection).unwrap()), ("kept", 1, 2));
    }

    #[test]
    fn the_copies_of_the_last_two_migrations_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = open(&path);
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE c (x)", "CREATE TABLE d (x)"];
        for known in 1..=steps.len() {
            migrate_by(&mut connection, &path, &steps[..known]).unwrap();
        }
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["vigia.db", "vigia.db.before-3", "vigia.db.before-4"]);
        let rights = std::fs::metadata(folder.path().join("vigia.db.before-4")).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&rights) & 0o777, 0o600);
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = open(&path);
        let older = ["CREATE TABLE old (x TEXT) STRICT"];
        migrate_by(&mut connection, &path, &older).unwrap();
        let broken = [older[0], "CREATE TABLE a (x TEXT) STRICT; CREATE TABLE old (x TEXT) STRICT"];
        let error = migrate_by(&mut connection, &path, &broken).unwrap_err();
        assert!(error.to_string().contains("vigia.db.before-2"), "{error}");
        assert_eq!(version(&connection).unwrap(), 1);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = open(&path);
        migrate(&mut connection, &path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, &path).unwrap_err();
        assert!(error.to_string().contains("newer vigia (schema 99"), "{error}");
        assert_eq!(version(&connection).unwrap(), 99);
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        let mut connection = open(&path);
        connection.execute_batch("CREATE TABLE theirs (x TEXT)").unwrap();
        let error = migrate(&mut connection, &path).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
    }
}
