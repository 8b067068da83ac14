//! What the services of host `vigia` say: facts in, a state and a sentence out. Pure.

use std::time::Duration;

use vigia_core::engine::world::World;
use vigia_core::model::check::CheckMethod;
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::state::State;
use vigia_core::model::time::Timestamp;

use crate::config::settings::Bounds;
use crate::runtime::reload::ConfigHealth;
use crate::store::StoreHealth;

/// What is said of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) service: &'static str,
    pub(super) state: State,
    /// As a plugin prints it, performance data included.
    pub(super) text: String,
}

pub(super) fn said(service: &'static str, state: State, text: impl Into<String>) -> Said {
    Said { service, state, text: text.into() }
}

fn judged<T: PartialOrd>(value: T, bounds: &Bounds<T>) -> State {
    if value > bounds.critical {
        State::Critical
    } else if value > bounds.warning {
        State::Warning
    } else {
        State::Ok
    }
}

/// What a walk over all objects finds; one a look, on a thread that may take its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Checks that should have begun.
    pub(super) late: usize,
    /// The one that is late the most, and by how much.
    pub(super) latest: Option<(ObjectKey, Duration)>,
    /// Objects that are looked at and have no result yet.
    pub(super) pending: Vec<ObjectKey>,
}

/// Later than this is late: everything below is the ordinary business of a busy moment.
const LATE: Duration = Duration::from_secs(5);

pub(super) fn survey(world: &World, now: Timestamp) -> Survey {
    let inventory = &world.inventory;
    let mut survey = Survey::default();
    let mut look = |object: Checkable, next: Option<Timestamp>, is_pending: bool| {
        let late = next.map_or(Duration::ZERO, |next| now.since(next));
        if late > LATE {
            survey.late += 1;
            if survey.latest.as_ref().is_none_or(|(_, most)| late > *most) {
                survey.latest = Some((inventory.key(object), late));
            }
        }
        if is_pending {
            survey.pending.push(inventory.key(object));
        }
    };
    let is_looked_at = |method: &CheckMethod| !matches!(method, CheckMethod::Passive { .. });
    for id in inventory.host_ids() {
        let (host, status) = (inventory.host(id), world.host(id));
        let is_active = status.switches.active_checks.unwrap_or(host.policy.active_checks);
        let is_watched = host.is_monitored && is_looked_at(&host.check.method) && is_active;
        look(Checkable::Host(id), status.next_check, is_watched && !status.has_been_checked);
    }
    for id in inventory.service_ids() {
        let (service, status) = (inventory.service(id), world.service(id));
        let is_active = status.switches.active_checks.unwrap_or(service.policy.active_checks);
        let is_watched =
            inventory.host(service.host).is_monitored && is_looked_at(&service.check.method) && is_active;
        look(Checkable::Service(id), status.next_check, is_watched && !status.has_been_checked);
    }
    survey
}

pub(super) fn lateness(survey: &Survey, bounds: &Bounds<Duration>) -> Said {
    let late = survey.latest.as_ref().map_or(Duration::ZERO, |(_, late)| *late);
    let perfdata = format!(
        "late={} latest={:.1}s;{};{}",
        survey.late,
        late.as_secs_f64(),
        bounds.warning.as_secs(),
        bounds.critical.as_secs()
    );
    let text = match &survey.latest {
        None => "every check begins in time".to_owned(),
        Some((key, late)) => {
            format!("{} checks are late, {key} by {}", survey.late, span(*late))
        }
    };
    said("lateness", judged(late, bounds), format!("{text} | {perfdata}"))
}

/// `oldest`: which has waited longest for its first result, and since when we know.
pub(super) fn never_run(
    pending: usize,
    oldest: Option<(&ObjectKey, Duration)>,
    bounds: &Bounds<Duration>,
) -> Said {
    let waited = oldest.map_or(Duration::ZERO, |(_, waited)| waited);
    let text = match oldest {
        None => "every check has a result".to_owned(),
        Some((key, waited)) => {
            format!("{pending} checks have no result yet, {key} for {} at least", span(waited))
        }
    };
    said("never-run", judged(waited, bounds), format!("{text} | pending={pending}"))
}

pub(super) fn store(health: &StoreHealth, lost_before: u64, now: Timestamp) -> Said {
    if let Some(trouble) = health.trouble() {
        let waiting = health.waiting;
        return said("store", State::Critical, format!("{trouble}; {waiting} events wait"));
    }
    let lost = health.lost.saturating_sub(lost_before);
    if lost > 0 {
        return said("store", State::Critical, format!("{lost} events could not be kept"));
    }
    let age = health.last_commit.map_or_else(
        || "nothing to write yet".to_owned(),
        |at| format!("written {} ago", span(now.since(at))),
    );
    said("store", State::Ok, format!("{age} | events={}c", health.events))
}

pub(super) fn messages(
    waiting: u64,
    age: Option<Duration>,
    dead: &[String],
    bounds: &Bounds<Duration>,
) -> Said {
    let age = age.unwrap_or_default();
    let perfdata = format!(
        "waiting={waiting} oldest={}s;{};{}",
        age.as_secs(),
        bounds.warning.as_secs(),
        bounds.critical.as_secs()
    );
    if let Some(first) = dead.first() {
        let more = if dead.len() > 1 { format!(" (and {} more)", dead.len() - 1) } else { String::new() };
        return said(
            "messages",
            State::Critical,
            format!("a channel does not work: {first}{more} | {perfdata}"),
        );
    }
    let text = if waiting == 0 {
        "no message waits".to_owned()
    } else {
        format!("{waiting} messages wait, the oldest for {}", span(age))
    };
    said("messages", judged(age, bounds), format!("{text} | {perfdata}"))
}

pub(super) fn configuration(health: &ConfigHealth, files: Option<&str>, now: Timestamp) -> Said {
    let age = span(now.since(health.loaded_at));
    let findings = &health.findings;
    let (errors, out) = (findings.errors(), findings.quarantine.len());
    let perfdata = format!("errors={errors} quarantined={out} generation={}c", health.generation);
    let since = health
        .clean_at
        .map_or_else(String::new, |at| format!(", last without one {} ago", span(now.since(at))));
    let (state, text) = if let Some(why) = &health.refused {
        let first = why.lines().next().unwrap_or_default();
        (State::Critical, format!("the last change was refused as a whole: {first}"))
    } else if errors + out > 0 {
        let text = format!(
            "{errors} mistakes, {out} objects are not what the files say{since}; see `vigia validate`"
        );
        (State::Warning, text)
    } else if let Some(files) = files {
        (State::Warning, files.to_owned())
    } else if !findings.restart_needed.is_empty() {
        (State::Ok, format!("read {age} ago; a restart is needed for {}", findings.restart_needed.join(", ")))
    } else {
        (State::Ok, format!("read {age} ago, all of it is in effect"))
    };
    said("configuration", state, format!("{text} | {perfdata}"))
}

/// What is free of a file system, in per cent of what may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) bytes: f64,
    pub(super) free: f64,
    /// Of the files it can hold; some say nothing of it.
    pub(super) free_files: Option<f64>,
}

pub(super) fn disk(rooms: &[(String, Result<Room, String>)], bounds: &Bounds<f64>) -> Said {
    let mut worst = State::Ok;
    let mut texts = Vec::new();
    let mut perfdata = String::new();
    for (path, room) in rooms {
        let room = match room {
            Ok(room) => room,
            Err(why) => return said("disk", State::Unknown, format!("{path}: {why}")),
        };
        let least = room.free_files.map_or(room.free, |files| files.min(room.free));
        let state = if least < bounds.critical {
            State::Critical
        } else if least < bounds.warning {
            State::Warning
        } else {
            State::Ok
        };
        if state.severity() > worst.severity() {
            worst = state;
        }
        let files = room.free_files.filter(|files| *files < room.free);
        let what = files.map_or_else(
            || format!("{:.1} % free ({:.1} GB)", room.free, room.bytes / 1e9),
            |files| format!("{files:.1} % of its files are free"),
        );
        texts.push(format!("{path}: {what}"));
        perfdata.push_str(&format!(" '{path}'={:.1}%;{}:;{}:", room.free, bounds.warning, bounds.critical));
    }
    said("disk", worst, format!("{} |{perfdata}", texts.join(", ")))
}

pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: Bounds<Duration> =
        Bounds { warning: Duration::from_secs(30), critical: Duration::from_secs(300) };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn lateness_names_the_check_that_is_late_the_most() {
        assert_eq!(lateness(&Survey::default(), &SPANS).state, State::Ok);
        let late = |by| Survey {
            late: 3,
            latest: Some((ObjectKey::parse("web1/HTTP"), seconds(by))),
            pending: Vec::new(),
        };
        assert_eq!(lateness(&late(31), &SPANS).state, State::Warning);
        let said = lateness(&late(301), &SPANS);
        assert_eq!(said.state, State::Critical);
        assert_eq!(said.text, "3 checks are late, web1/HTTP by 5 min | late=3 latest=301.0s;30;300");
    }

    #[test]
    fn a_check_that_never_ran_is_said_with_its_age() {
        let key = ObjectKey::parse("web1/HTTP");
        assert_eq!(never_run(0, None, &SPANS).state, State::Ok);
        let said = never_run(2, Some((&key, seconds(7200))), &SPANS);
        assert_eq!(said.state, State::Critical);
        assert!(said.text.starts_with("2 checks have no result yet, web1/HTTP for 2 h"), "{}", said.text);
    }

    #[test]
    fn a_dead_channel_is_worse_than_a_message_that_waits() {
        assert_eq!(messages(0, None, &[], &SPANS).state, State::Ok);
        assert_eq!(messages(4, Some(seconds(31)), &[], &SPANS).state, State::Warning);
        let said = messages(4, Some(seconds(1)), &["email: refused".to_owned()], &SPANS);
        assert!(said.state == State::Critical && said.text.contains("email: refused"), "{said:?}");
    }

    #[test]
    fn a_store_that_lost_something_says_so_once() {
        let health = StoreHealth { lost: 3, ..StoreHealth::default() };
        let now = Timestamp::from_second(1_700_000_000);
        assert_eq!(store(&health, 3, now).state, State::Ok);
        assert_eq!(store(&health, 0, now).text, "3 events could not be kept");
    }

    #[test]
    fn a_full_disk_counts_by_what_is_scarcer() {
        let bounds = Bounds { warning: 10.0, critical: 5.0 };
        let room = |free, free_files| Room { bytes: 1e9, free, free_files };
        let of = |room| disk(&[("/state".to_owned(), Ok(room))], &bounds);
        assert_eq!(of(room(50.0, Some(80.0))).state, State::Ok);
        assert_eq!(of(room(9.0, None)).state, State::Warning);
        let said = of(room(50.0, Some(1.0)));
        assert!(said.state == State::Critical && said.text.contains("1.0 % of its files"), "{said:?}");
        let failed = disk(&[("/state".to_owned(), Err("gone".to_owned()))], &bounds);
        assert_eq!((failed.state, failed.text.as_str()), (State::Unknown, "/state: gone"));
    }
}
