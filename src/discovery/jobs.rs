//! Scans of the daemon: jobs of the files and what people ask for, one owner for all of them.
//!
//! Doors hold [`Jobs`], read the [`Board`] and send orders; the owner ([`owner`]) keeps the queue, begins what may begin
//! and ends it ([`run`]) in the store and on the page. Each scan runs on a thread of its own, at low priority, so that no
//! check waits for one. The owner calls the store and nobody else; the doors call the owner; what a scan found reaches
//! the daemon through files alone.

mod due;
mod owner;
mod run;
mod shelve;
mod templates;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use vigia_checks::Resolver;
use vigia_core::engine::world::World;
use vigia_core::model::id::Name;
use vigia_core::model::operation::Order as Operation;
use vigia_core::model::scan::ScanJob;
use vigia_core::model::time::Timestamp;

use super::insert::{Inserted, Properties};
use super::plan::{Depth, Engine, Plan};
use super::report::Report;
use super::scan::Progress;
use super::settle::{Unsettled, settle};
use super::summary::Summary;
use super::targets::{ASK_BEYOND, Targets};
use super::timing::Timing;
use crate::config::files::Request;
use crate::os::clock::Clock;
use crate::store::scans::{self, ScanRow, ScanState};
use crate::store::{Store, StoreError};

pub use owner::Owner;

/// Scans that look at the network at the same time.
pub const AT_ONCE: usize = 2;
/// Scans that wait for their turn.
const MOST_WAITING: usize = 16;
/// Orders of doors that the owner has not taken. Full: the door waits.
const ORDERS: usize = 32;

/// What one scan is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// In the grammar of targets.
    pub targets: String,
    pub plan: Plan,
    /// More addresses than a person types by accident were meant.
    pub is_confirmed: bool,
}

impl Ask {
    /// Reads words as people and files write them.
    ///
    /// # Errors
    /// The field, and why it cannot be that.
    pub fn read(
        targets: &str,
        scan: &str,
        timing: &str,
        engine: &str,
        is_confirmed: bool,
    ) -> Result<Self, (&'static str, String)> {
        let or = |text: &str, usual: &str| if text.is_empty() { usual.to_owned() } else { text.to_owned() };
        let depth = Depth::parse(&or(scan.trim(), "fast")).map_err(|why| ("scan", why))?;
        let timing = or(timing.trim(), "normal");
        let timing = Timing::parse(&timing).ok_or_else(|| {
            let text = format!(
                "`{timing}` is no template: paranoid, sneaky, polite, normal, aggressive, insane, or T0 to T5"
            );
            ("timing", text)
        })?;
        let engine = match engine.trim() {
            "" | "builtin" => Engine::BuiltIn,
            "nmap" => Engine::Nmap,
            other => return Err(("engine", format!("`{other}` is neither `builtin` nor `nmap`"))),
        };
        let plan = Plan { depth, timing, engine, is_nameless: false };
        Ok(Self { targets: targets.trim().to_owned(), plan, is_confirmed })
    }

    /// What a job of the files asks for.
    fn of_job(job: &ScanJob) -> Result<Self, String> {
        let engine = if job.is_nmap { "nmap" } else { "builtin" };
        Self::read(&job.targets, &job.scan, &job.timing, engine, true)
            .map_err(|(field, why)| format!("{field}: {why}"))
    }
}

/// Why something was not done. The text is for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// So many addresses must be confirmed.
    #[error("{count} addresses are to be scanned: confirm that so many are meant")]
    Unconfirmed { count: usize },
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(format!("the store does not answer: {}", crate::telemetry::Chain(&error)))
    }
}

/// What is scanned right now, and when jobs come round.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// In the order in which they were asked for.
    pub live: Vec<Live>,
    /// In order of name.
    pub jobs: Vec<JobState>,
    /// Counts scans that began or ended, so that a page knows when its lists are old.
    pub turn: u64,
}

/// A scan that waits or runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub id: i64,
    pub job: Option<Name>,
    pub by: String,
    pub targets: String,
    pub plan: Plan,
    pub addresses: usize,
    pub asked: Timestamp,
    /// None: it waits.
    pub begun: Option<Timestamp>,
    /// The scan it waits for, where it looks at the same addresses.
    pub waits_for: Option<i64>,
    pub progress: Progress,
    /// Of the stage that it is in.
    pub left: Option<Duration>,
    pub is_stopping: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JobState {
    pub job: ScanJob,
    /// None: by hand alone, or its window never opens.
    pub next: Option<Timestamp>,
    pub last: Option<LastScan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastScan {
    pub id: i64,
    pub state: ScanState,
    pub asked: Timestamp,
}

/// An order of a door.
enum Order {
    Start {
        asked: Box<Asked>,
        answer: oneshot::Sender<Result<i64, NotDone>>,
    },
    Cancel {
        id: i64,
        answer: oneshot::Sender<Result<(), NotDone>>,
    },
    Insert {
        scan: i64,
        hosts: Chosen,
        properties: Properties,
        answer: oneshot::Sender<Result<Inserted, NotDone>>,
    },
}

/// A scan that is ready to be begun.
struct Asked {
    ask: Ask,
    job: Option<ScanJob>,
    by: String,
    targets: Targets,
}

/// Which hosts of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    Named(Vec<String>),
    /// All that are new or changed.
    Offered,
}

/// Who learns from a scan before anything of it is written.
pub type Hand = Arc<dyn Fn(Report) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
/// Gives an order to the engine.
pub type Give =
    Arc<dyn Fn(Operation) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What the owner works with.
pub struct Wiring {
    pub worlds: watch::Receiver<Arc<World>>,
    pub store: Store,
    pub clock: Clock,
    /// Where the files of people are.
    pub request: Request,
    pub state_dir: std::path::PathBuf,
    /// Addresses that one scan may look at.
    pub limit: watch::Receiver<usize>,
    pub hand: Hand,
    pub give: Give,
}

/// The doors' end. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    orders: mpsc::Sender<Order>,
    board: watch::Receiver<Arc<Board>>,
    worlds: watch::Receiver<Arc<World>>,
    limit: watch::Receiver<usize>,
    store: Store,
}

/// Makes the two ends.
pub fn new(wiring: Wiring) -> (Owner, Jobs) {
    let (orders, receiver) = mpsc::channel(ORDERS);
    let (sender, board) = watch::channel(Arc::new(Board::default()));
    let (worlds, limit, store) = (wiring.worlds.clone(), wiring.limit.clone(), wiring.store.clone());
    (Owner::new(wiring, receiver, sender), Jobs { orders, board, worlds, limit, store })
}

impl Jobs {
    pub fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.board.clone()
    }

    /// Asks for a scan, or for one of a job of the files. Its number.
    ///
    /// # Errors
    /// What is wrong with it, that it must be confirmed, or that it runs already.
    pub async fn start(&self, ask: Ask, by: String) -> Result<i64, NotDone> {
        let asked = self.prepare(ask, None, by).await?;
        self.order(|answer| Order::Start { asked: Box::new(asked), answer }).await
    }

    /// # Errors
    /// As [`Self::start`]; and that there is no such job.
    pub async fn start_job(&self, name: &str, by: String) -> Result<i64, NotDone> {
        let world = self.worlds.borrow().clone();
        let Some(job) = world.inventory.scans.iter().find(|job| *job.name == *name) else {
            let known = world.inventory.scans.iter().map(|job| &*job.name);
            let hint = crate::config::problem::did_you_mean(name, known);
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            return Err(NotDone::Missing(format!("there is no discovery job `{name}`{hint}")));
        };
        let ask = Ask::of_job(job).map_err(NotDone::Refused)?;
        let asked = self.prepare(ask, Some(job.clone()), by).await?;
        self.order(|answer| Order::Start { asked: Box::new(asked), answer }).await
    }

    async fn prepare(&self, ask: Ask, job: Option<ScanJob>, by: String) -> Result<Asked, NotDone> {
        let world = self.worlds.borrow().clone();
        let limit = *self.limit.borrow();
        prepare(&world, limit, ask, job, by).await
    }

    /// Comes back when it is being cancelled; what was found stays.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn cancel(&self, id: i64) -> Result<(), NotDone> {
        self.order(|answer| Order::Cancel { id, answer }).await
    }

    /// Writes hosts of a scan to discovery's page.
    ///
    /// # Errors
    /// When there is no such scan, or the page cannot be written: it is then as it was.
    pub async fn insert(
        &self,
        scan: i64,
        hosts: Chosen,
        properties: Properties,
    ) -> Result<Inserted, NotDone> {
        self.order(|answer| Order::Insert { scan, hosts, properties, answer }).await
    }

    async fn order<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, NotDone>>) -> Order,
    ) -> Result<T, NotDone> {
        let (answer, answered) = oneshot::channel();
        let stopping = || NotDone::Unavailable("vigia is stopping".to_owned());
        self.orders.send(make(answer)).await.map_err(|_closed| stopping())?;
        answered.await.map_err(|_closed| stopping())?
    }

    /// The newest first, and how many there are.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn past(&self, limit: usize, offset: usize) -> Result<(u64, Vec<ScanRow>), NotDone> {
        Ok(self.store.read(move |db| scans::list(db, limit, offset)).await?)
    }

    /// One scan, with what it found once it has ended.
    ///
    /// # Errors
    /// When there is none of this number.
    pub async fn one(&self, id: i64) -> Result<(ScanRow, Option<Arc<Summary>>), NotDone> {
        let read = move |db: &_| Ok((scans::one(db, id)?, scans::report(db, id)?));
        let (row, report) = self.store.read(read).await?;
        let row = row.ok_or_else(|| NotDone::Missing(format!("there is no scan {id}")))?;
        let summary = report.and_then(|report| serde_json::from_str(&report).ok()).map(Arc::new);
        Ok((row, summary))
    }
}

/// Settles targets, names resolved, and asks back where they are many.
async fn prepare(
    world: &World,
    limit: usize,
    ask: Ask,
    job: Option<ScanJob>,
    by: String,
) -> Result<Asked, NotDone> {
    let targets = settle(&ask.targets, &world.inventory, limit, &Resolver::new()).await?;
    let count = targets.addresses.len();
    if count > ASK_BEYOND && !ask.is_confirmed {
        return Err(NotDone::Unconfirmed { count });
    }
    Ok(Asked { ask, job, by, targets })
}

/// Whether two scans look at one address. Both are in order.
fn overlap(one: &[IpAddr], other: &[IpAddr]) -> bool {
    let (few, many) = if one.len() < other.len() { (one, other) } else { (other, one) };
    few.iter().any(|address| many.binary_search(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_becomes_a_plan_or_names_its_field() {
        let ask = Ask::read(" 192.0.2.0/24 ", "", "T4", "", false).unwrap();
        assert_eq!((ask.targets.as_str(), ask.plan.depth), ("192.0.2.0/24", Depth::Fast));
        assert_eq!(ask.plan.timing, Timing::Aggressive);
        for (scan, timing, engine, field) in
            [("quick", "", "", "scan"), ("", "T9", "", "timing"), ("", "", "masscan", "engine")]
        {
            assert_eq!(Ask::read("192.0.2.1", scan, timing, engine, false).unwrap_err().0, field);
        }
    }

    #[test]
    fn scans_over_one_address_overlap() {
        let list = |range: std::ops::Range<u8>| -> Vec<IpAddr> {
            range.map(|last| IpAddr::from([192, 0, 2, last])).collect()
        };
        assert!(overlap(&list(1..9), &list(8..200)));
        assert!(overlap(&list(8..200), &list(1..9)));
        assert!(!overlap(&list(1..8), &list(8..200)));
    }
}
