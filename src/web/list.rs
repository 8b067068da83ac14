//! From a query and a world to the rows that are shown: filtered, sorted and cut on the server, by index,
//! without copying a status. What cannot be answered from an index looks at statuses once, in their order.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use vigia_core::engine::table::CHUNK;
use vigia_core::engine::world::World;
use vigia_core::model::host::Host;
use vigia_core::model::id::{Checkable, HostId, ServiceId};
use vigia_core::model::state::{Condition, State};
use vigia_core::model::status::{HostStatus, ServiceStatus, Status};
use vigia_core::model::time::Timestamp;

use super::query::{Column, Filter, ListQuery, Want, is_glob, name_matches};

/// Indexes of one kind of object, cut, and how many there are without the cut.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut<T> {
    pub(crate) total: usize,
    pub(crate) items: Vec<T>,
}

/// Which objects have a problem, so that pages of problems do not look at all the others.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) hosts: Vec<HostId>,
    pub(crate) services: Vec<ServiceId>,
}

/// Keeps [`Problems`] for the world it was last asked about and brings them up to date chunk by chunk.
#[derive(Debug, Default)]
pub(crate) struct ProblemIndex {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    world: Option<Arc<World>>,
    host_chunks: Vec<Vec<u32>>,
    service_chunks: Vec<Vec<u32>>,
    problems: Arc<Problems>,
}

impl ProblemIndex {
    /// The problems of exactly this world.
    pub(crate) fn of(&self, world: &Arc<World>) -> Arc<Problems> {
        // A panic elsewhere leaves at worst an index of an older world, which the comparison below mends.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.world.clone().unwrap_or_default();
        if Arc::ptr_eq(&before, world) {
            return kept.problems.clone();
        }
        let hosts =
            refresh(&mut kept.host_chunks, world.hosts.len(), world.hosts.changed_chunks(&before.hosts));
        let services = refresh(
            &mut kept.service_chunks,
            world.services.len(),
            world.services.changed_chunks(&before.services),
        );
        if hosts || services || kept.world.is_none() {
            kept.problems = Arc::new(Problems {
                hosts: kept.host_chunks.iter().flatten().copied().map(HostId).collect(),
                services: kept.service_chunks.iter().flatten().copied().map(ServiceId).collect(),
            });
        }
        kept.world = Some(world.clone());
        kept.problems.clone()
    }
}

/// True where the set of problems may be another one than before.
fn refresh<'a, S: Condition>(
    chunks: &mut Vec<Vec<u32>>,
    len: usize,
    changed: impl Iterator<Item = (usize, &'a [Status<S>])>,
) -> bool {
    let count = len.div_ceil(CHUNK);
    let mut has_changed = chunks.len() != count;
    chunks.resize(count, Vec::new());
    for (first, statuses) in changed {
        let places = (first..).zip(statuses).filter(|(_, status)| status.is_problem());
        let found: Vec<u32> = places.filter_map(|(place, _)| u32::try_from(place).ok()).collect();
        if let Some(chunk) = chunks.get_mut(first / CHUNK)
            && *chunk != found
        {
            *chunk = found;
            has_changed = true;
        }
    }
    has_changed
}

pub(crate) fn services(world: &World, problems: &Problems, query: &ListQuery) -> Cut<ServiceId> {
    let filter = &query.filter;
    let matches = |id: &ServiceId| service_matches(world, filter, *id);
    let found: Vec<ServiceId> = match &filter.host {
        Some(host) if !is_glob(host) => {
            let on_host = world.inventory.host_id(host).map(|id| &world.inventory.host(id).services);
            on_host.into_iter().flatten().copied().filter(matches).collect()
        }
        Some(_) | None if filter.asks_problems_only() => {
            problems.services.iter().copied().filter(matches).collect()
        }
        Some(_) | None => all_services(world, filter),
    };
    cut(found, query, |a, b| compare_services(world, query.sort, *a, *b))
}

pub(crate) fn hosts(world: &World, problems: &Problems, query: &ListQuery) -> Cut<HostId> {
    let filter = &query.filter;
    let matches = |id: &HostId| host_matches(world, filter, *id);
    let found: Vec<HostId> = match &filter.host {
        Some(host) if !is_glob(host) => world.inventory.host_id(host).into_iter().filter(matches).collect(),
        Some(_) | None if filter.asks_problems_only() => {
            problems.hosts.iter().copied().filter(matches).collect()
        }
        Some(_) | None => world.inventory.host_ids().filter(matches).collect(),
    };
    cut(found, query, |a, b| compare_hosts(world, query.sort, *a, *b))
}

/// Hosts and services with a problem: who is not handled first, then the worst, then the longest known last.
pub(crate) fn problems(world: &World, problems: &Problems, query: &ListQuery) -> Cut<Checkable> {
    let hosts = problems.hosts.iter().filter(|id| host_matches(world, &query.filter, **id));
    let services = problems.services.iter().filter(|id| service_matches(world, &query.filter, **id));
    let found =
        hosts.map(|id| Checkable::Host(*id)).chain(services.map(|id| Checkable::Service(*id))).collect();
    if query.asked("sort").is_empty() {
        return cut(found, query, |a, b| urgency(world, *a).cmp(&urgency(world, *b)));
    }
    cut(found, query, |a, b| compare_any(world, query.sort, *a, *b))
}

/// Sorts only what is shown: everything before the cut is merely put on its side of it.
fn cut<T: Copy + Ord>(mut found: Vec<T>, query: &ListQuery, compare: impl Fn(&T, &T) -> Ordering) -> Cut<T> {
    let total = found.len();
    let order = |a: &T, b: &T| {
        let order = compare(a, b);
        (if query.is_descending { order.reverse() } else { order }).then(a.cmp(b))
    };
    let end = query.offset.saturating_add(query.limit).min(total);
    let start = query.offset.min(end);
    let is_in_order = query.sort == Column::Name && found.is_sorted_by(|a, b| order(a, b).is_le());
    if !is_in_order {
        if end < total {
            found.select_nth_unstable_by(end, order);
        }
        found.truncate(end);
        if start > 0 && start < end {
            found.select_nth_unstable_by(start, order);
        }
        if let Some(shown) = found.get_mut(start..) {
            shown.sort_unstable_by(order);
        }
    }
    found.truncate(end);
    found.drain(..start);
    Cut { total, items: found }
}

/// Host by host: what is asked of a host is asked once, not again for each of its services.
fn all_services(world: &World, filter: &Filter) -> Vec<ServiceId> {
    let of_host = |host: HostId| {
        let definition = world.inventory.host(host);
        let side = HostSide::of(definition, filter);
        let services = if side.may_match { definition.services.as_slice() } else { &[] };
        services.iter().copied().filter(move |id| service_side_matches(world, filter, *id, &side))
    };
    let mut found: Vec<ServiceId> = world.inventory.host_ids().flat_map(of_host).collect();
    // The order of the inventory, whatever that of a host's own list is.
    if !found.is_sorted() {
        found.sort_unstable();
    }
    found
}

/// What a filter says of a service by its host alone.
struct HostSide {
    may_match: bool,
    holds_text: bool,
}

impl HostSide {
    fn of(host: &Host, filter: &Filter) -> Self {
        let may_match = host.is_monitored && host_part_matches(filter, host);
        let holds_text = filter.text.as_deref().is_none_or(|text| may_match && host_holds(host, text));
        Self { may_match, holds_text }
    }
}

pub(crate) fn service_matches(world: &World, filter: &Filter, id: ServiceId) -> bool {
    let host = world.inventory.host(world.inventory.service(id).host);
    if filter.is_empty() {
        return host.is_monitored;
    }
    service_side_matches(world, filter, id, &HostSide::of(host, filter))
}

fn service_side_matches(world: &World, filter: &Filter, id: ServiceId, host: &HostSide) -> bool {
    if !host.may_match || filter.is_empty() {
        return host.may_match;
    }
    let (service, status) = (world.inventory.service(id), world.service(id));
    state_matches(filter, status, |want| service_state_is(want, status))
        && filter.service.as_deref().is_none_or(|pattern| name_matches(pattern, &service.name))
        && filter
            .servicegroup
            .as_deref()
            .is_none_or(|group| service.servicegroups.iter().any(|g| **g == *group))
        && (host.holds_text
            || filter.text.as_deref().is_none_or(|text| {
                holds(&service.name, text)
                    || is_another(&service.display_name, &service.name) && holds(&service.display_name, text)
                    || holds(&status.output.text, text)
            }))
}

pub(crate) fn host_matches(world: &World, filter: &Filter, id: HostId) -> bool {
    let host = world.inventory.host(id);
    let status = world.host(id);
    host.is_monitored
        && (filter.is_empty()
            || filter.service.is_none()
                && filter.servicegroup.is_none()
                && state_matches(filter, status, |want| host_state_is(want, status))
                && host_part_matches(filter, host)
                && filter
                    .text
                    .as_deref()
                    .is_none_or(|text| host_holds(host, text) || holds(&status.output.text, text)))
}

pub(crate) fn matches(world: &World, filter: &Filter, object: Checkable) -> bool {
    match object {
        Checkable::Host(id) => host_matches(world, filter, id),
        Checkable::Service(id) => service_matches(world, filter, id),
    }
}

fn state_matches<S: Condition>(filter: &Filter, status: &Status<S>, is: impl Fn(Want) -> bool) -> bool {
    (filter.states.is_empty() || filter.states.iter().any(|want| is(*want)))
        && filter.state_type.is_none_or(|wanted| status.standing.state_type == wanted)
        && filter.acknowledged.is_none_or(|wanted| status.acknowledgement.is_some() == wanted)
        && filter.downtime.is_none_or(|wanted| (status.downtime_depth > 0) == wanted)
        && filter.handled.is_none_or(|wanted| status.is_handled() == wanted)
}

fn service_state_is(want: Want, status: &ServiceStatus) -> bool {
    let state = status.state();
    match want {
        Want::Pending => !status.has_been_checked,
        Want::Good => status.has_been_checked && state == State::Ok,
        Want::Warning => status.has_been_checked && state == State::Warning,
        Want::Critical => status.has_been_checked && state == State::Critical,
        Want::Unknown => status.has_been_checked && state == State::Unknown,
        Want::Down | Want::Unreachable => false,
        Want::Problem => status.is_problem(),
        // As in Livestatus, where a pending object has the number of its initial state.
        Want::Number(number) => state.number() == number,
    }
}

fn host_state_is(want: Want, status: &HostStatus) -> bool {
    let is = |number| status.has_been_checked && status.state().number() == number;
    match want {
        Want::Pending => !status.has_been_checked,
        Want::Good => is(0),
        Want::Down => is(1),
        Want::Unreachable => is(2),
        Want::Warning | Want::Critical | Want::Unknown => false,
        Want::Problem => status.is_problem(),
        Want::Number(number) => status.state().number() == number,
    }
}

fn host_part_matches(filter: &Filter, host: &Host) -> bool {
    filter.host.as_deref().is_none_or(|pattern| name_matches(pattern, &host.name))
        && filter.hostgroup.as_deref().is_none_or(|group| host.hostgroups.iter().any(|name| **name == *group))
        && filter.tag.as_deref().is_none_or(|tag| match tag.split_once('=') {
            Some((key, value)) => host.tags.iter().any(|(k, v)| **k == *key && **v == *value),
            None => host.tags.iter().any(|(key, _)| **key == *tag),
        })
}

fn host_holds(host: &Host, text: &str) -> bool {
    holds(&host.name, text)
        || is_another(&host.alias, &host.name) && holds(&host.alias, text)
        || is_another(&host.display_name, &host.name) && holds(&host.display_name, text)
        || is_another(&host.address, &host.name) && holds(&host.address, text)
        || host.tags.iter().any(|(key, value)| holds(key, text) || holds(value, text))
}

/// Names that were not said are those that were, and need no second look.
fn is_another(text: &Arc<str>, name: &Arc<str>) -> bool {
    !Arc::ptr_eq(text, name)
}

/// Whether `text` stands in `hay`, ASCII letters in any case; allocates nothing.
fn holds(hay: &str, text: &str) -> bool {
    let (hay, text) = (hay.as_bytes(), text.as_bytes());
    let Some(first) = text.first() else { return true };
    // Most places differ in their first letter, and this is asked a million times for one page of a large site.
    let begins = |window: &[u8]| window.first().is_some_and(|byte| byte.eq_ignore_ascii_case(first));
    hay.windows(text.len()).any(|window| begins(window) && window.eq_ignore_ascii_case(text))
}

fn compare_services(world: &World, column: Column, a: ServiceId, b: ServiceId) -> Ordering {
    let (one, two) = (world.service(a), world.service(b));
    match column {
        Column::Name => a.cmp(&b),
        Column::Service => world.inventory.service(a).name.cmp(&world.inventory.service(b).name),
        Column::State => service_severity(one).cmp(&service_severity(two)),
        Column::LastCheck | Column::NextCheck | Column::Duration | Column::Attempt | Column::Output => {
            compare_statuses(column, one, two)
        }
    }
}

fn compare_hosts(world: &World, column: Column, a: HostId, b: HostId) -> Ordering {
    let (one, two) = (world.host(a), world.host(b));
    match column {
        Column::Name | Column::Service => a.cmp(&b),
        Column::State => host_severity(one).cmp(&host_severity(two)),
        Column::LastCheck | Column::NextCheck | Column::Duration | Column::Attempt | Column::Output => {
            compare_statuses(column, one, two)
        }
    }
}

fn compare_statuses<S: Condition>(column: Column, one: &Status<S>, two: &Status<S>) -> Ordering {
    match column {
        Column::LastCheck => one.last_check.cmp(&two.last_check),
        Column::NextCheck => one.next_check.cmp(&two.next_check),
        // The longest duration has the earliest change.
        Column::Duration => two.last_state_change.cmp(&one.last_state_change),
        Column::Attempt => one.standing.attempt.cmp(&two.standing.attempt),
        Column::Output => one.output.text.cmp(&two.output.text),
        Column::Name | Column::Service | Column::State => Ordering::Equal,
    }
}

/// Mixed rows are compared by what hosts and services share.
fn compare_any(world: &World, column: Column, a: Checkable, b: Checkable) -> Ordering {
    let name = |object| {
        let key = world.inventory.key(object);
        (key.host, key.service)
    };
    let facts = |object| match object {
        Checkable::Host(id) => Facts::of(host_severity(world.host(id)), world.host(id)),
        Checkable::Service(id) => Facts::of(service_severity(world.service(id)), world.service(id)),
    };
    let (one, two) = (facts(a), facts(b));
    match column {
        Column::Name => name(a).cmp(&name(b)),
        Column::Service => name(a).1.cmp(&name(b).1),
        Column::State => one.severity.cmp(&two.severity),
        Column::LastCheck => one.last_check.cmp(&two.last_check),
        Column::NextCheck => one.next_check.cmp(&two.next_check),
        Column::Duration => two.since.cmp(&one.since),
        Column::Attempt => one.attempt.cmp(&two.attempt),
        Column::Output => one.output.cmp(two.output),
    }
}

struct Facts<'a> {
    severity: u8,
    last_check: Option<Timestamp>,
    next_check: Option<Timestamp>,
    since: Option<Timestamp>,
    attempt: u16,
    output: &'a str,
}

impl<'a> Facts<'a> {
    fn of<S: Condition>(severity: u8, status: &'a Status<S>) -> Self {
        Self {
            severity,
            last_check: status.last_check,
            next_check: status.next_check,
            since: status.last_state_change,
            attempt: status.standing.attempt,
            output: &status.output.text,
        }
    }
}

/// Smallest first.
fn urgency(world: &World, object: Checkable) -> (bool, u8, std::cmp::Reverse<Option<Timestamp>>) {
    let (is_handled, severity, since) = match object {
        Checkable::Host(id) => {
            let status = world.host(id);
            (status.is_handled(), host_severity(status), status.last_state_change)
        }
        Checkable::Service(id) => {
            let status = world.service(id);
            (status.is_handled(), service_severity(status), status.last_state_change)
        }
    };
    (is_handled, u8::MAX - severity, std::cmp::Reverse(since))
}

/// For sorting: pending, good, then worse and worse.
fn service_severity(status: &ServiceStatus) -> u8 {
    if status.has_been_checked { 1 + status.state().severity() } else { 0 }
}

/// On one scale with services: UNREACHABLE beside UNKNOWN, DOWN above CRITICAL.
fn host_severity(status: &HostStatus) -> u8 {
    match (status.has_been_checked, status.state().number()) {
        (false, _) => 0,
        (true, 0) => 1,
        (true, 1) => 5,
        (true, _) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::fixture::site;

    fn filter(text: &str) -> Filter {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        ListQuery::read(&pairs).unwrap().filter
    }

    #[test]
    fn asked_host_by_host_the_same_services_match_as_one_by_one() {
        let world = site();
        let mut found = 0;
        for text in [
            "",
            "q=WEB",
            "q=http",
            "q=ok",
            "host=web*",
            "host=*0?",
            "service=*T*&q=e",
            "state=ok&q=1",
            "tag=os",
        ] {
            let filter = filter(text);
            let matches = |id: &ServiceId| service_matches(&world, &filter, *id);
            let one_by_one: Vec<_> = world.inventory.service_ids().filter(matches).collect();
            assert_eq!(all_services(&world, &filter), one_by_one, "{text}");
            found += one_by_one.len();
        }
        assert!(found > 20, "these filters find something: {found}");
    }

    #[test]
    fn text_is_found_wherever_it_stands_and_in_whatever_case() {
        assert!(
            holds("TCP OK - Port 80", "port")
                && holds("oport", "PORT")
                && holds("x", "")
                && holds("ñu", "ñU")
        );
        assert!(!holds("por", "port") && !holds("", "a") && !holds("p0rt", "port"));
    }
}
