//! What becomes of what a scan found: by the mode of its job, or by a person's ticks. And the quiet about hosts that a
//! job has just brought.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use vigia_core::engine::world::World;
use vigia_core::model::asset::Network;
use vigia_core::model::downtime::DowntimeKind;
use vigia_core::model::id::{Name, ObjectKey};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Operation, Order as EngineOrder};
use vigia_core::model::scan::{ScanJob, ScanMode};
use vigia_core::model::time::Timestamp;

use super::{Current, Owner};
use crate::discovery::insert::{Inserted, Monitoring, Properties};
use crate::discovery::jobs::{Chosen, NotDone, shelve};
use crate::discovery::summary::{HostRow, Summary};
use crate::store::scans;

/// A host that was written is live within moments; if not, nobody waits for it for ever.
const LIVE_WITHIN: Duration = Duration::from_secs(600);

/// A host that a job wrote, about which nobody is to be woken yet.
pub(super) struct Young {
    host: Name,
    job: Name,
    until: Timestamp,
    /// When it is not waited for any longer.
    give_up: Timestamp,
}

impl Owner {
    /// What a job does with what it found, by its mode; in a sentence.
    pub(super) async fn act_on(&mut self, one: &Current, summary: &Summary) -> String {
        let (new, changed) = (summary.count("new"), summary.count("changed"));
        let waits = |what: &str| match told(new, changed) {
            Some(hosts) => format!("{hosts} {what}"),
            None => "nothing is new or changed".to_owned(),
        };
        let Some(job) = &one.job else { return waits("found") };
        let (rows, properties): (Vec<&HostRow>, Properties) = match job.mode {
            ScanMode::Report => return waits("found; the job reports alone"),
            ScanMode::Propose => return waits("wait for somebody to tick them"),
            ScanMode::Add => {
                (summary.hosts.iter().filter(|host| host.verdict == "new").collect(), Properties::default())
            }
            ScanMode::Monitor => (
                summary.hosts.iter().filter(|host| host.is_offered()).collect(),
                Properties { new: Monitoring::On, ..Properties::default() },
            ),
        };
        if !summary.complete {
            return waits("found; nothing was written, since not all was looked at");
        }
        if new > usize::try_from(job.max_new).unwrap_or(usize::MAX) {
            return waits(&format!(
                "found, more than the {} of `max_new`: they wait for somebody to tick them",
                job.max_new
            ));
        }
        let rows = rows.into_iter().cloned().collect();
        let inventory = self.wiring.worlds.borrow().inventory.clone();
        let written = match job.mode {
            ScanMode::Add => self.add_off(&job.name, rows, &inventory).await,
            ScanMode::Report | ScanMode::Propose | ScanMode::Monitor => {
                self.shelve(&job.name, rows, properties).await
            }
        };
        match written {
            Ok(inserted) => {
                self.watch_young(job, &inserted);
                inserted.told()
            }
            Err(why) => why.to_string(),
        }
    }

    /// New hosts are not monitored, unless their network says on.
    async fn add_off(
        &self,
        page: &str,
        rows: Vec<HostRow>,
        inventory: &Inventory,
    ) -> Result<Inserted, NotDone> {
        let is_on = |row: &HostRow| Network::monitoring(&row.address, &inventory.networks) == Some(true);
        let (on, off): (Vec<HostRow>, Vec<HostRow>) = rows.into_iter().partition(is_on);
        let mut all = self.shelve(page, on, Properties::default()).await?;
        let off =
            self.shelve(page, off, Properties { new: Monitoring::Off, ..Properties::default() }).await?;
        all.new.extend(off.new);
        all.updated.extend(off.updated);
        all.left.extend(off.left);
        Ok(all)
    }

    async fn shelve(
        &self,
        page: &str,
        rows: Vec<HostRow>,
        properties: Properties,
    ) -> Result<Inserted, NotDone> {
        if rows.is_empty() {
            return Ok(Inserted::default());
        }
        let (state_dir, page) = (self.wiring.state_dir.clone(), page.to_owned());
        let (inventory, now) = (self.wiring.worlds.borrow().inventory.clone(), self.now());
        let work = move || {
            let rows: Vec<&HostRow> = rows.iter().collect();
            shelve::write(&state_dir, &page, &rows, &properties, &inventory, now)
        };
        let written = tokio::task::spawn_blocking(work).await;
        written.unwrap_or_else(|_panic| {
            Err(NotDone::Unavailable(
                "nothing was written, by a mistake in vigia; its log says more".to_owned(),
            ))
        })
    }

    pub(super) async fn insert(
        &mut self,
        scan: i64,
        hosts: &Chosen,
        properties: Properties,
    ) -> Result<Inserted, NotDone> {
        let read = move |db: &_| Ok((scans::one(db, scan)?, scans::report(db, scan)?));
        let (row, report) = self.wiring.store.read(read).await?;
        let row = row.ok_or_else(|| NotDone::Missing(format!("there is no scan {scan}")))?;
        let summary: Summary = report
            .and_then(|report| serde_json::from_str(&report).ok())
            .ok_or_else(|| NotDone::Refused(format!("scan {scan} has no result ({})", row.state.word())))?;
        let rows: Vec<HostRow> = match hosts {
            Chosen::Offered => summary.hosts.into_iter().filter(HostRow::is_offered).collect(),
            Chosen::Named(names) => {
                if let Some(missing) =
                    names.iter().find(|name| !summary.hosts.iter().any(|row| row.host_name == **name))
                {
                    return Err(NotDone::Missing(format!("scan {scan} found no host `{missing}`")));
                }
                summary.hosts.into_iter().filter(|row| names.contains(&row.host_name)).collect()
            }
        };
        let page = row.job.clone().unwrap_or_else(|| "manual".to_owned());
        let inserted = self.shelve(&page, rows, properties).await?;
        let world = self.wiring.worlds.borrow().clone();
        let job = row.job.and_then(|name| world.inventory.scans.iter().find(|job| *job.name == *name));
        if let Some(job) = job {
            self.watch_young(job, &inserted);
        }
        Ok(inserted)
    }

    /// Nobody is woken for a host that a job has just brought: it gets a downtime as soon as it is live.
    fn watch_young(&mut self, job: &ScanJob, inserted: &Inserted) {
        if job.quiet.is_zero() {
            return;
        }
        let now = self.now();
        let (until, give_up) = (now.after(job.quiet), now.after(LIVE_WITHIN));
        self.young.extend(inserted.new.iter().map(|host| Young {
            host: host.as_str().into(),
            job: job.name.clone(),
            until,
            give_up,
        }));
    }

    pub(super) fn look_at_world(&mut self, world: &Arc<World>) {
        self.meet_jobs();
        let now = self.now();
        self.young.retain(|young| young.give_up > now && young.until > now);
        let live: Vec<Young> = {
            let inventory = &world.inventory;
            let is_live = |young: &mut Young| {
                inventory.host_id(&young.host).is_some_and(|id| inventory.host(id).is_monitored)
            };
            self.young.extract_if(.., is_live).collect()
        };
        for young in live {
            let order = EngineOrder {
                author: "discovery".into(),
                operation: Operation::ScheduleDowntime {
                    subject: ObjectKey { host: young.host.clone(), service: None },
                    start: now,
                    end: young.until,
                    kind: DowntimeKind::Fixed,
                    comment: format!("new, found by job {}: no messages at first", young.job).into(),
                    triggered_by: None,
                },
            };
            let (give, host) = ((self.wiring.give)(order), young.host);
            // The answer comes after a commit, which is no matter of this task.
            tokio::spawn(async move {
                if let Err(why) = give.await {
                    warn!(event = "scan.loud", host = %host, error = why, "messages about a new host are not held back");
                }
            });
        }
    }
}

/// `2 new and 1 changed hosts`; none where there is none of either.
fn told(new: usize, changed: usize) -> Option<String> {
    let plural = |many: usize| if many == 1 { "" } else { "s" };
    match (new, changed) {
        (0, 0) => None,
        (new, 0) => Some(format!("{new} new host{}", plural(new))),
        (0, changed) => Some(format!("{changed} changed host{}", plural(changed))),
        (new, changed) => Some(format!("{new} new and {changed} changed hosts")),
    }
}
