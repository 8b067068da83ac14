//! Scans of net discovery: the record of each, from the moment somebody asked for it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::time::Timestamp;

use super::rows::{maybe_time, time, unsigned};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanState {
    /// For its turn.
    Waiting,
    Running,
    Finished,
    /// Somebody cancelled it; what was found until then is kept.
    Stopped,
    Failed,
    /// vigia ended before it did.
    Interrupted,
}

impl ScanState {
    const ALL: [Self; 6] =
        [Self::Waiting, Self::Running, Self::Finished, Self::Stopped, Self::Failed, Self::Interrupted];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    fn from_word(word: &str) -> Self {
        // A word of a later version: whatever it was, it is over.
        Self::ALL.into_iter().find(|state| state.word() == word).unwrap_or(Self::Finished)
    }

    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// A row of `scan` without its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRow {
    pub id: i64,
    /// None: by hand.
    pub job: Option<String>,
    pub author: String,
    pub targets: String,
    pub scan: String,
    pub timing: String,
    pub engine: String,
    pub state: ScanState,
    pub asked: Timestamp,
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub counts: Counts,
    pub said: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub looked_at: u32,
    pub found: u32,
    pub new: u32,
    pub changed: u32,
}

/// How a scan ended.
#[derive(Clone, Debug)]
pub struct Ending {
    pub state: ScanState,
    pub at: Timestamp,
    pub counts: Counts,
    pub said: Option<String>,
    pub report: Option<String>,
}

const ROW: &str = "SELECT id, job, author, targets, scan, timing, engine, state, asked, begun, ended, \
     looked_at, found, new, changed, said FROM scan";

fn read(row: &Row<'_>) -> rusqlite::Result<ScanRow> {
    Ok(ScanRow {
        id: row.get(0)?,
        job: row.get(1)?,
        author: row.get(2)?,
        targets: row.get(3)?,
        scan: row.get(4)?,
        timing: row.get(5)?,
        engine: row.get(6)?,
        state: ScanState::from_word(row.get_ref(7)?.as_str()?),
        asked: row.get(8).map(time)?,
        begun: row.get(9).map(maybe_time)?,
        ended: row.get(10).map(maybe_time)?,
        counts: Counts {
            looked_at: row.get(11)?,
            found: row.get(12)?,
            new: row.get(13)?,
            changed: row.get(14)?,
        },
        said: row.get(15)?,
    })
}

/// Somebody asked for a scan. Its number; that of the row is not looked at.
pub fn ask(connection: &Connection, row: &ScanRow) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO scan (job, author, targets, scan, timing, engine, state, asked) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            row.job,
            row.author,
            row.targets,
            row.scan,
            row.timing,
            row.engine,
            row.state.word(),
            row.asked.as_micros(),
        ])?;
    Ok(connection.last_insert_rowid())
}

pub fn begin(connection: &Connection, id: i64, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE scan SET state = 'running', begun = ?2 WHERE id = ?1")?
        .execute((id, now.as_micros()))?;
    Ok(())
}

pub fn end(connection: &Connection, id: i64, ending: &Ending) -> rusqlite::Result<()> {
    let Counts { looked_at, found, new, changed } = ending.counts;
    connection
        .prepare_cached(
            "UPDATE scan SET state = ?2, ended = ?3, looked_at = ?4, found = ?5, new = ?6, changed = ?7, \
             said = ?8, report = ?9 WHERE id = ?1",
        )?
        .execute(params![
            id,
            ending.state.word(),
            ending.at.as_micros(),
            looked_at,
            found,
            new,
            changed,
            ending.said,
            ending.report,
        ])?;
    Ok(())
}

/// What was going on when the process before this one ended. How many there were.
pub fn interrupt(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE scan SET state = 'interrupted', ended = ?1, said = 'vigia ended before the scan did' \
             WHERE ended IS NULL",
        )?
        .execute([now.as_micros()])
}

/// The newest first, and how many there are.
pub fn list(connection: &Connection, limit: usize, offset: usize) -> rusqlite::Result<(u64, Vec<ScanRow>)> {
    let count = |row: &Row<'_>| row.get(0).map(unsigned);
    let total = connection.prepare_cached("SELECT count(*) FROM scan")?.query_row([], count)?;
    let (limit, offset) = (i64::try_from(limit).unwrap_or(0), i64::try_from(offset).unwrap_or(0));
    let rows = connection
        .prepare_cached(&format!("{ROW} ORDER BY id DESC LIMIT ?1 OFFSET ?2"))?
        .query_map((limit, offset), read)?
        .collect::<rusqlite::Result<Vec<ScanRow>>>()?;
    Ok((total, rows))
}

pub fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<ScanRow>> {
    connection.prepare_cached(&format!("{ROW} WHERE id = ?1"))?.query_row([id], read).optional()
}

/// What it found, as it was kept.
pub fn report(connection: &Connection, id: i64) -> rusqlite::Result<Option<String>> {
    let found = connection
        .prepare_cached("SELECT report FROM scan WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// The newest scan of each job.
pub fn last_of_jobs(connection: &Connection) -> rusqlite::Result<Vec<ScanRow>> {
    connection
        .prepare_cached(&format!(
            "{ROW} WHERE id IN (SELECT max(id) FROM scan WHERE job IS NOT NULL GROUP BY job)"
        ))?
        .query_map([], read)?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::store::schema::migrate(&mut connection, std::path::Path::new("memory")).unwrap();
        connection
    }

    fn asked(job: Option<&str>) -> ScanRow {
        ScanRow {
            id: 0,
            job: job.map(str::to_owned),
            author: "ana".into(),
            targets: "192.0.2.0/24".into(),
            scan: "fast".into(),
            timing: "normal".into(),
            engine: "builtin".into(),
            state: ScanState::Waiting,
            asked: Timestamp::from_second(100),
            begun: None,
            ended: None,
            counts: Counts::default(),
            said: None,
        }
    }

    #[test]
    fn a_scan_is_known_from_the_moment_it_was_asked_for() {
        let db = connection();
        let id = ask(&db, &asked(None)).unwrap();
        assert_eq!(one(&db, id).unwrap(), Some(ScanRow { id, ..asked(None) }));
        begin(&db, id, Timestamp::from_second(101)).unwrap();
        let ending = Ending {
            state: ScanState::Finished,
            at: Timestamp::from_second(160),
            counts: Counts { looked_at: 256, found: 7, new: 3, changed: 1 },
            said: Some("wrote 3 hosts".into()),
            report: Some("{}".into()),
        };
        end(&db, id, &ending).unwrap();
        let row = one(&db, id).unwrap().unwrap();
        assert_eq!((row.state, row.counts), (ScanState::Finished, ending.counts));
        assert_eq!((row.begun, row.ended), (Some(Timestamp::from_second(101)), Some(ending.at)));
        assert_eq!(report(&db, id).unwrap().as_deref(), Some("{}"));
        assert_eq!(interrupt(&db, Timestamp::from_second(200)).unwrap(), 0, "what is over stays as it ended");
    }

    #[test]
    fn what_a_process_left_behind_was_interrupted() {
        let db = connection();
        let ids = [ask(&db, &asked(Some("lan"))).unwrap(), ask(&db, &asked(None)).unwrap()];
        begin(&db, ids[0], Timestamp::from_second(101)).unwrap();
        assert_eq!(interrupt(&db, Timestamp::from_second(500)).unwrap(), 2);
        for id in ids {
            assert_eq!(one(&db, id).unwrap().unwrap().state, ScanState::Interrupted);
        }
        assert_eq!(list(&db, 1, 0).unwrap().0, 2);
        assert_eq!(list(&db, 1, 0).unwrap().1[0].id, ids[1], "the newest first");
    }

    #[test]
    fn each_job_has_its_newest_scan() {
        let db = connection();
        for job in ["lan", "dmz", "lan"] {
            ask(&db, &asked(Some(job))).unwrap();
        }
        ask(&db, &asked(None)).unwrap();
        let mut last: Vec<_> =
            last_of_jobs(&db).unwrap().into_iter().map(|row| (row.job.unwrap(), row.id)).collect();
        last.sort();
        assert_eq!(last, [("dmz".to_owned(), 2), ("lan".to_owned(), 3)]);
    }
}
