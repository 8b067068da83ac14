//! The history of scans, as the owner writes it. A store that does not answer costs a line of the history, no scan.

use tracing::{info, warn};
use vigia_core::model::id::Name;
use vigia_core::model::scan::ScanJob;
use vigia_core::model::time::Timestamp;

use super::{Current, Owner};
use crate::discovery::jobs::{Asked, LastScan, NotDone};
use crate::discovery::summary::Summary;
use crate::store::scans::{self, Counts, Ending, ScanRow, ScanState};
use crate::telemetry::Chain;

impl Owner {
    /// What the process before this one left behind, and when each job ran last.
    pub(super) async fn recall(&mut self) {
        let now = self.now();
        let recalled = self.wiring.store.write(move |db| {
            scans::interrupt(db, now)?;
            scans::last_of_jobs(db)
        });
        match recalled.await {
            Ok(rows) => {
                let last = |row: ScanRow| {
                    let last = LastScan { id: row.id, state: row.state, asked: row.asked };
                    row.job.map(|job| (Name::from(job), last))
                };
                self.last = rows.into_iter().filter_map(last).collect();
            }
            Err(error) => {
                warn!(event = "scan.history", error = %Chain(&error), "when jobs ran last is not known: they begin anew");
            }
        }
    }

    /// What did not even begin is in the history too.
    pub(super) async fn record_failure(&mut self, job: &ScanJob, why: &NotDone) {
        let (now, said) = (self.now(), why.to_string());
        let row = ScanRow { state: ScanState::Failed, ..row_of_job(job, now) };
        let ending = Ending {
            state: ScanState::Failed,
            at: now,
            counts: Counts::default(),
            said: Some(said),
            report: None,
        };
        let written = self.wiring.store.write(move |db| {
            let id = scans::ask(db, &row)?;
            scans::end(db, id, &ending)?;
            Ok(id)
        });
        if let Ok(id) = written.await {
            self.note(&job.name, id, ScanState::Failed, now);
            self.turn += 1;
        }
    }

    /// Into the history.
    pub(super) async fn close(
        &mut self,
        one: &Current,
        state: ScanState,
        said: String,
        summary: Option<Summary>,
    ) {
        let (id, now) = (one.live.id, self.now());
        let counts = summary.as_ref().map(counts).unwrap_or_default();
        info!(
            event = "scan.ended",
            state = state.word(),
            count = counts.found,
            job = one.live.job.as_deref(),
            "scan {id}: {said}"
        );
        let report = summary.and_then(|summary| serde_json::to_string(&summary).ok());
        let ending = Ending { state, at: now, counts, said: Some(said), report };
        if let Err(error) = self.wiring.store.write(move |db| scans::end(db, id, &ending)).await {
            warn!(event = "scan.history", error = %Chain(&error), "the end of scan {id} is not in the history");
        }
        if let Some(job) = &one.live.job {
            self.note(job, id, state, one.live.asked);
        }
        self.turn += 1;
    }
}

fn counts(summary: &Summary) -> Counts {
    let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    Counts {
        looked_at: count(summary.looked_at),
        found: count(summary.answered),
        new: count(summary.count("new")),
        changed: count(summary.count("changed")),
    }
}

pub(super) fn row_of(asked: &Asked, now: Timestamp) -> ScanRow {
    let plan = &asked.ask.plan;
    ScanRow {
        id: 0,
        job: asked.job.as_ref().map(|job| job.name.to_string()),
        author: asked.by.clone(),
        targets: asked.ask.targets.clone(),
        scan: plan.depth.to_string(),
        timing: plan.timing.name().to_owned(),
        engine: plan.engine.name().to_owned(),
        state: ScanState::Waiting,
        asked: now,
        begun: None,
        ended: None,
        counts: Counts::default(),
        said: None,
    }
}

pub(super) fn row_of_job(job: &ScanJob, now: Timestamp) -> ScanRow {
    ScanRow {
        id: 0,
        job: Some(job.name.to_string()),
        author: format!("job {}", job.name),
        targets: job.targets.to_string(),
        scan: job.scan.to_string(),
        timing: job.timing.to_string(),
        engine: if job.is_nmap { "nmap" } else { "builtin" }.to_owned(),
        state: ScanState::Waiting,
        asked: now,
        begun: None,
        ended: None,
        counts: Counts::default(),
        said: None,
    }
}
