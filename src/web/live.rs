//! Server-sent events: rows that changed, totals, and whether the list itself would be another one now.
//!
//! One task compares each published world with the one before, chunk by chunk; each viewer then looks only at
//! what changed and is on its page. Ids let a browser that lost the line come back: when it missed something
//! it gets all rows of its page again.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use vigia_core::engine::world::{Totals, World};
use vigia_core::model::id::{Checkable, HostId, ObjectKey, ServiceId};
use vigia_core::model::state::Condition;
use vigia_core::model::status::Status;

use crate::discovery::jobs::Live as LiveScan;

use super::backend::Board;
use super::error::Failure;
use super::frame::{self, Seen};
use super::list;
use super::query::{ListQuery, MOST, Pairs};
use super::view::{Eyes, Row, Rows};
use super::{Web, api, auth, pages};

/// A viewer slower than this many publications gets its page afresh.
const BACKLOG: usize = 16;
/// Below the time-outs of proxies; the page takes three silent beats for a lost connection.
const BEAT: Duration = Duration::from_secs(10);

pub(crate) struct Live {
    changes: broadcast::Sender<Arc<Changes>>,
    latest: Mutex<Arc<Changes>>,
    worlds: watch::Receiver<Arc<World>>,
    stop: CancellationToken,
    /// Tells ids of this process from those of the one before.
    run: u32,
}

/// From one published world to the next.
struct Changes {
    number: u64,
    before: Arc<World>,
    after: Arc<World>,
    hosts: Vec<HostId>,
    services: Vec<ServiceId>,
    /// Those of them that show another state; few, where a thousand viewers would look at all of them.
    restated: Vec<Checkable>,
    /// Another inventory: ids of before mean nothing any more.
    is_reloaded: bool,
}

impl Live {
    pub(crate) fn start(worlds: watch::Receiver<Arc<World>>, stop: CancellationToken) -> Self {
        let world = worlds.borrow().clone();
        let nothing = Changes {
            number: 0,
            before: world.clone(),
            after: world,
            hosts: Vec::new(),
            services: Vec::new(),
            restated: Vec::new(),
            is_reloaded: false,
        };
        let (changes, _) = broadcast::channel(BACKLOG);
        Self { changes, latest: Mutex::new(Arc::new(nothing)), worlds, stop, run: fastrand::u32(1..) }
    }

    /// Compares worlds until the daemon stops. Run by `app`, once.
    pub(crate) async fn follow(&self) {
        let mut worlds = self.worlds.clone();
        worlds.mark_changed();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                changed = worlds.changed() => if changed.is_err() { return },
            }
            let world = worlds.borrow_and_update().clone();
            let before = self.latest();
            if Arc::ptr_eq(&before.after, &world) {
                continue;
            }
            let changes = Arc::new(compare(&before, world));
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = changes.clone();
            // Nobody listening is fine.
            drop(self.changes.send(changes));
        }
    }

    fn latest(&self) -> Arc<Changes> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.run)
    }

    /// What a page made from this world has already seen; `0` where that is not certain.
    pub(crate) fn event_id(&self, world: &Arc<World>) -> String {
        let latest = self.latest();
        if Arc::ptr_eq(&latest.after, world) { self.id(latest.number) } else { "0".to_owned() }
    }
}

fn compare(before: &Changes, after: Arc<World>) -> Changes {
    let before_world = before.after.clone();
    let is_reloaded = !Arc::ptr_eq(&before_world.inventory, &after.inventory);
    let (mut hosts, mut services) = (Vec::new(), Vec::new());
    if !is_reloaded {
        for (first, chunk) in after.hosts.changed_chunks(&before_world.hosts) {
            let changed =
                chunk.iter().zip(first..).filter(|(new, at)| is_other(before_world.hosts.get(*at), new));
            hosts.extend(changed.filter_map(|(_, at)| u32::try_from(at).ok().map(HostId)));
        }
        for (first, chunk) in after.services.changed_chunks(&before_world.services) {
            let changed =
                chunk.iter().zip(first..).filter(|(new, at)| is_other(before_world.services.get(*at), new));
            services.extend(changed.filter_map(|(_, at)| u32::try_from(at).ok().map(ServiceId)));
        }
    }
    let number = before.number + 1;
    let mut changes =
        Changes { number, before: before_world, after, hosts, services, restated: Vec::new(), is_reloaded };
    changes.restated = changes.objects().filter(|object| changes.has_other_state(*object)).collect();
    changes
}

/// Whether a row would show something else.
fn is_other<S: Condition>(old: &Status<S>, new: &Status<S>) -> bool {
    old.last_check != new.last_check || shows_other_state(old, new) || !Arc::ptr_eq(&old.output, &new.output)
}

fn shows_other_state<S: Condition>(old: &Status<S>, new: &Status<S>) -> bool {
    old.standing != new.standing
        || old.has_been_checked != new.has_been_checked
        || old.is_flapping != new.is_flapping
        || old.downtime_depth != new.downtime_depth
        || old.acknowledgement.is_some() != new.acknowledgement.is_some()
}

impl Changes {
    fn objects(&self) -> impl Iterator<Item = Checkable> + '_ {
        let hosts = self.hosts.iter().map(|id| Checkable::Host(*id));
        hosts.chain(self.services.iter().map(|id| Checkable::Service(*id)))
    }

    fn has_other_state(&self, object: Checkable) -> bool {
        match object {
            Checkable::Host(id) => shows_other_state(self.before.host(id), self.after.host(id)),
            Checkable::Service(id) => shows_other_state(self.before.service(id), self.after.service(id)),
        }
    }
}

/// What a viewer has before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// A program: items as in the API, for every change of state that the filter lets through.
    Api,
    Services,
    Hosts,
    Problems,
    Overview,
    /// One host or service, with the services beside it.
    Object,
    /// What surrounds a page that itself stands still: somebody may be typing in it.
    Frame,
    /// As a frame, with scans under way.
    Discovery,
}

struct Viewer {
    web: Web,
    view: View,
    query: ListQuery,
    subject: Option<ObjectKey>,
    eyes: Eyes,
    /// What is on the page, by index in the inventory of `generation`.
    shown: HashSet<Checkable>,
    changes: broadcast::Receiver<Arc<Changes>>,
    beat: Interval,
    waiting: std::collections::VecDeque<Event>,
    has_ended: bool,
    /// Who watches, and a word when that may have changed.
    watcher: frame::Viewer,
    accounts: watch::Receiver<()>,
    /// Scans under way, and the last turn of them that was told.
    scans: watch::Receiver<Arc<Board>>,
    turn: u64,
}

#[derive(Template)]
#[template(path = "rows.html", config = ".askama.toml")]
struct RowsFragment {
    rows: Vec<Row>,
    shows_service: bool,
}

/// `GET /api/v1/events`
pub(crate) async fn events(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let value = |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let view = match value("view") {
        None | Some("") => View::Api,
        Some("services") => View::Services,
        Some("hosts") => View::Hosts,
        Some("problems") => View::Problems,
        Some("overview") => View::Overview,
        Some("host" | "service") => View::Object,
        Some("frame") => View::Frame,
        Some("discovery") => View::Discovery,
        Some(other) => return Err(Failure::Wrong(format!("`{other}` is not a view"))),
    };
    let mut query = ListQuery::read(&pairs_for(view, &pairs))?;
    let subject = match (view, value("host")) {
        (View::Object, Some(host)) => {
            Some(ObjectKey { host: host.into(), service: value("service").map(Into::into) })
        }
        (_, _) => None,
    };
    if view == View::Problems && query.filter.handled.is_none() && value("handled") != Some("all") {
        query.filter.handled = Some(false);
    }
    if view == View::Api {
        query.limit = MOST;
    }
    let accounts = seen.web.accounts.subscribe();
    let scans = seen.web.backend.scans();
    // Of what the page shows: what happened until now is told.
    let turn = value("turn").and_then(|turn| turn.parse().ok()).unwrap_or(0);
    // Subscribed before the look at the world: nothing falls between.
    let changes = seen.web.live.changes.subscribe();
    let latest = seen.web.live.latest();
    let since = headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(value("since"));
    let has_missed = since.is_some_and(|since| since != seen.web.live.id(latest.number));
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut viewer = Viewer {
        view,
        query,
        subject,
        eyes: seen.eyes.clone(),
        shown: HashSet::new(),
        changes,
        beat,
        waiting: std::collections::VecDeque::new(),
        has_ended: false,
        watcher: seen.viewer,
        accounts,
        scans,
        turn,
        web: seen.web,
    };
    viewer.look(&latest.after);
    viewer.waiting.push_back(Event::default().retry(Duration::from_secs(2)).comment("vigia"));
    if has_missed {
        viewer.afresh(&latest);
    }
    viewer.beat_now(&latest);
    if view == View::Discovery {
        viewer.tell_scans();
    }
    let events = stream::unfold(viewer, |mut viewer| async {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    Ok(Sse::new(events).into_response())
}

/// `handled=all` is a word of the problems page alone.
fn pairs_for(view: View, pairs: &Pairs) -> Pairs {
    let is_kept = |name: &str, value: &str| {
        (view == View::Api || view != View::Object || !matches!(name, "host" | "service"))
            && !(name == "handled" && value == "all")
            && !(view == View::Discovery && name == "turn")
    };
    pairs.iter().filter(|(name, value)| is_kept(name, value)).cloned().collect()
}

impl Viewer {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            tokio::select! {
                () = self.web.live.stop.cancelled() => return None,
                _ = self.accounts.changed() => self.has_ended = !auth::is_still(&self.web, &self.watcher).await,
                Ok(()) = self.scans.changed(), if self.view == View::Discovery => self.tell_scans(),
                _ = self.beat.tick() => {
                    // Logins run out, too.
                    if !auth::is_still(&self.web, &self.watcher).await {
                        return None;
                    }
                    let latest = self.web.live.latest();
                    self.beat_now(&latest);
                }
                changes = self.changes.recv() => match changes {
                    Ok(changes) => self.tell(&changes),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        let latest = self.web.live.latest();
                        self.look(&latest.after);
                        self.afresh(&latest);
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }

    /// How far scans are; and that lists are old, when one began or ended.
    fn tell_scans(&mut self) {
        let board = self.scans.borrow_and_update().clone();
        let latest = self.web.live.latest();
        let scan = |live: &LiveScan| {
            json!({
                "id": live.id, "percent": live.progress.percent(), "stage": pages::discovery::stage(live),
            })
        };
        let scans: Vec<Value> = board.live.iter().map(scan).collect();
        self.push(&latest, "scans", &Value::from(scans).to_string());
        if std::mem::replace(&mut self.turn, board.turn) != board.turn {
            self.push(&latest, "refresh", "1");
        }
    }

    /// Finds out what is on the page.
    fn look(&mut self, world: &Arc<World>) {
        let problems = self.web.problems.of(world);
        self.shown = match self.view {
            View::Api | View::Frame | View::Discovery => HashSet::new(),
            View::Services => list::services(world, &problems, &self.query)
                .items
                .into_iter()
                .map(Checkable::Service)
                .collect(),
            View::Hosts => {
                list::hosts(world, &problems, &self.query).items.into_iter().map(Checkable::Host).collect()
            }
            View::Problems | View::Overview => {
                list::problems(world, &problems, &self.query).items.into_iter().collect()
            }
            View::Object => {
                let object = self.subject.as_ref().and_then(|key| world.inventory.find(key));
                let host = object.map(|object| world.inventory.host(world.inventory.host_of(object)));
                let services = host.into_iter().flat_map(|host| host.services.iter());
                services.map(|id| Checkable::Service(*id)).chain(object).collect()
            }
        };
    }

    fn push(&mut self, changes: &Changes, name: &str, data: &str) {
        let id = self.web.live.id(changes.number);
        // `data` of more than one line becomes several `data:` lines, which the browser joins again; a lone
        // carriage return would panic.
        self.waiting.push_back(Event::default().event(name).id(id).data(data.replace('\r', "")));
    }

    fn beat_now(&mut self, latest: &Changes) {
        let now = self.web.backend.now().as_second();
        self.push(latest, "beat", &now.to_string());
    }

    /// Everything that the page shows, once more.
    fn afresh(&mut self, latest: &Changes) {
        let mut shown: Vec<Checkable> = self.shown.iter().copied().collect();
        shown.sort_unstable();
        self.rows(latest, shown);
        self.totals(latest);
        if matches!(self.view, View::Frame | View::Discovery) {
            return;
        }
        let name = if self.view == View::Api { "refresh" } else { "moved" };
        self.push(latest, name, "1");
    }

    fn tell(&mut self, changes: &Changes) {
        if changes.is_reloaded {
            self.look(&changes.after);
            if !matches!(self.view, View::Frame) {
                self.push(changes, "refresh", "1");
            }
            self.totals(changes);
            return;
        }
        if self.view == View::Api {
            self.items(changes);
        } else {
            let shown: Vec<Checkable> =
                changes.objects().filter(|object| self.shown.contains(object)).collect();
            let moved = self.moved(changes, &shown);
            self.rows(changes, shown);
            if moved > 0 {
                self.look(&changes.after);
                self.push(changes, "moved", &moved.to_string());
            }
        }
        if changes.before.totals != changes.after.totals {
            self.totals(changes);
        }
    }

    /// How many objects come into or leave the view, or stand elsewhere in it.
    fn moved(&self, changes: &Changes, shown: &[Checkable]) -> usize {
        let is_kind = |object: &&Checkable| match (self.view, object) {
            (View::Hosts, Checkable::Service(_)) | (View::Services, Checkable::Host(_)) => false,
            (_, _) => true,
        };
        match self.view {
            View::Overview => changes.restated.len(),
            View::Frame | View::Discovery => 0,
            View::Object => {
                let subject = self.subject.as_ref().and_then(|key| changes.after.inventory.find(key));
                shown.iter().filter(|object| Some(**object) == subject).count()
            }
            View::Services | View::Hosts | View::Problems | View::Api => {
                let restated = changes.restated.iter().filter(is_kind);
                let goes_or_comes = |object: &&Checkable| {
                    self.is_in(&changes.before, **object) != self.is_in(&changes.after, **object)
                };
                restated.filter(goes_or_comes).count()
            }
        }
    }

    fn is_in(&self, world: &World, object: Checkable) -> bool {
        let is_problem = match object {
            Checkable::Host(id) => world.host(id).is_problem(),
            Checkable::Service(id) => world.service(id).is_problem(),
        };
        (self.view != View::Problems || is_problem) && list::matches(world, &self.query.filter, object)
    }

    fn rows(&mut self, changes: &Changes, objects: Vec<Checkable>) {
        if objects.is_empty() || self.view == View::Api {
            return;
        }
        let eyes = Eyes { now: self.web.backend.now(), ..self.eyes.clone() };
        let rows = Rows::new(&changes.after, &eyes).mixed(objects.into_iter());
        let fragment = RowsFragment { rows, shows_service: self.view != View::Hosts };
        if let Ok(html) = fragment.render() {
            self.push(changes, "rows", &html);
        }
    }

    fn items(&mut self, changes: &Changes) {
        let restated = changes.restated.iter().copied();
        let objects: Vec<Checkable> = restated.filter(|object| self.is_in(&changes.after, *object)).collect();
        for object in objects {
            let item = api::objects::item(&changes.after, object);
            self.push(changes, "status", &item.to_string());
        }
    }

    fn totals(&mut self, changes: &Changes) {
        let totals = totals(&changes.after.totals);
        self.push(changes, "totals", &totals.to_string());
    }
}

/// The boxes, by the names under which the page finds them.
fn totals(totals: &Totals) -> Value {
    let boxes = super::view::Boxes::of(totals);
    let mut counts = serde_json::Map::new();
    for (kind, list) in [("hosts", &boxes.hosts), ("services", &boxes.services)] {
        for count in list {
            counts.insert(format!("{kind}-{}", count.word.to_ascii_lowercase()), json!(count.number));
        }
    }
    counts.insert("hosts-problems".to_owned(), json!(boxes.host_problems));
    counts.insert("hosts-total".to_owned(), json!(boxes.host_total));
    counts.insert("services-problems".to_owned(), json!(boxes.service_problems));
    counts.insert("services-total".to_owned(), json!(boxes.service_total));
    let icon = super::assets::address(&format!("icon-{}.svg", boxes.worst));
    json!({ "counts": counts, "unhandled": boxes.unhandled, "worst": boxes.worst, "icon": icon })
}
