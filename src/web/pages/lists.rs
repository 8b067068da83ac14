//! Service Detail, Host Detail and Problems: one list component over three sets of rows.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use vigia_core::model::id::Name;

use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::list;
use crate::web::query::{Chip, Filter, ListQuery, Pairs, escape};
use crate::web::view::{Row, Rows};
use crate::web::words;

pub(crate) const TYPES: &[(&str, &str)] = &[("", "any"), ("soft", "soft"), ("hard", "hard")];
pub(crate) const YES_NO: &[(&str, &str)] = &[("", "any"), ("yes", "yes"), ("no", "no")];
const SERVICE_STATES: &[(&str, &str)] = &[
    ("", "any"),
    ("problem", "all problems"),
    ("ok", "OK"),
    ("warning", "WARNING"),
    ("unknown", "UNKNOWN"),
    ("critical", "CRITICAL"),
    ("pending", "PENDING"),
];
const HOST_STATES: &[(&str, &str)] = &[
    ("", "any"),
    ("problem", "all problems"),
    ("up", "UP"),
    ("down", "DOWN"),
    ("unreachable", "UNREACHABLE"),
    ("pending", "PENDING"),
];
const PROBLEM_STATES: &[(&str, &str)] = &[
    ("", "any"),
    ("down,critical", "DOWN, CRITICAL"),
    ("unreachable,unknown", "UNREACHABLE, UNKNOWN"),
    ("warning", "WARNING"),
];

#[derive(Template)]
#[template(path = "list.html", config = ".askama.toml")]
struct ListPage {
    frame: Frame,
    lead: String,
    action: &'static str,
    tabs: Vec<Tab>,
    query: ListQuery,
    chips: Vec<Chip>,
    states: &'static [(&'static str, &'static str)],
    groups: Vec<Name>,
    rows: Vec<Row>,
    shows_service: bool,
    pages: usize,
    displayed: String,
    empty: String,
    empty_mark: &'static str,
}

struct Tab {
    name: &'static str,
    number: usize,
    href: String,
    is_current: bool,
}

pub(crate) async fn services(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let query = ListQuery::read(&pairs)?;
    let problems = seen.web.problems.of(&seen.world);
    let found = list::services(&seen.world, &problems, &query);
    let rows = Rows::new(&seen.world, &seen.eyes).services(&found.items);
    let title = match query.filter.host.as_deref() {
        Some(host) => format!("Services of {host}"),
        None => "Service Detail".to_owned(),
    };
    let base = ListPage {
        states: SERVICE_STATES,
        shows_service: true,
        ..base(&seen, title, "services", "/services", query)
    };
    Ok(finish(base, rows, found.total, "Service"))
}

pub(crate) async fn hosts(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let query = ListQuery::read(&pairs)?;
    let problems = seen.web.problems.of(&seen.world);
    let found = list::hosts(&seen.world, &problems, &query);
    let rows = Rows::new(&seen.world, &seen.eyes).hosts(&found.items);
    let base = base(&seen, "Host Detail".to_owned(), "hosts", "/hosts", query);
    Ok(finish(base, rows, found.total, "Host"))
}

/// How problems are sorted unless somebody asks for a column.
const BY_URGENCY: &str = "urgency";

pub(crate) async fn problems(
    Extension(seen): Extension<Seen>,
    Query(mut pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    // Not handled is what a person comes for; `handled=all` is the one word that lifts it.
    let wants_all = pairs.iter().any(|(name, value)| name == "handled" && value == "all");
    pairs.retain(|(name, value)| name != "handled" || value != "all");
    let asked = ListQuery::read(&pairs)?;
    let mut query = asked.clone();
    if !wants_all && query.filter.handled.is_none() {
        query.filter.handled = Some(false);
    }
    let problems = seen.web.problems.of(&seen.world);
    let found = list::problems(&seen.world, &problems, &query);
    let count = |handled| {
        let filter = Filter { handled, ..asked.filter.clone() };
        list::problems(&seen.world, &problems, &ListQuery { filter, limit: 1, offset: 0, ..asked.clone() })
            .total
    };
    let tabs = vec![
        tab(
            "Not handled",
            count(Some(false)),
            format!("/problems?{}", asked.with("handled", "")),
            query.filter.handled == Some(false),
        ),
        tab(
            "Handled",
            count(Some(true)),
            format!("/problems?{}", asked.with("handled", "yes")),
            query.filter.handled == Some(true),
        ),
        tab(
            "All",
            count(None),
            format!("/problems?{}", asked.with("handled", "all")),
            query.filter.handled.is_none(),
        ),
    ];
    let rows = Rows::new(&seen.world, &seen.eyes).mixed(found.items.into_iter());
    let mut query = if wants_all { asked.keep("handled", "all") } else { asked };
    if query.sort_word.is_empty() {
        // No column says it, and none is marked.
        BY_URGENCY.clone_into(&mut query.sort_word);
    }
    let mut page = ListPage {
        states: PROBLEM_STATES,
        shows_service: true,
        tabs,
        ..base(&seen, "Problems".to_owned(), "problems", "/problems", query)
    };
    page.chips.retain(|chip| chip.name != "handled");
    Ok(finish(page, rows, found.total, "Problem"))
}

fn tab(name: &'static str, number: usize, href: String, is_current: bool) -> Tab {
    Tab { name, number, href, is_current }
}

fn base(seen: &Seen, title: String, view: &'static str, action: &'static str, query: ListQuery) -> ListPage {
    let frame =
        Frame { searched: query.asked("q").to_owned(), ..seen.live_frame(title, view, view, &query.again()) };
    ListPage {
        frame,
        lead: String::new(),
        action,
        tabs: Vec::new(),
        chips: query.chips(),
        query,
        states: HOST_STATES,
        groups: seen.world.inventory.hostgroups.iter().take(500).map(|group| group.name.clone()).collect(),
        rows: Vec::new(),
        shows_service: false,
        pages: 1,
        displayed: String::new(),
        empty: empty(seen),
        empty_mark: "ok",
    }
}

fn finish(mut page: ListPage, rows: Vec<Row>, total: usize, word: &'static str) -> Response {
    page.pages = total.div_ceil(page.query.limit).max(1);
    page.displayed = format!(
        "{} Matching {word} Entries Displayed",
        if rows.len() == total {
            words::count(total)
        } else {
            format!("{} of {}", words::count(rows.len()), words::count(total))
        }
    );
    page.lead = match (word, total) {
        ("Problem", 1) => "1 problem".to_owned(),
        ("Problem", _) if page.query.is_sorted_by(BY_URGENCY) => {
            format!("{} problems, the most urgent first", words::count(total))
        }
        (_, 1) => format!("1 {}", word.to_lowercase()),
        (_, _) => format!("{} {}s", words::count(total), word.to_lowercase()),
    };
    if word != "Problem" || !page.chips.is_empty() {
        if page.chips.is_empty() {
            page.empty = "Nothing is watched yet. The first host goes into a file in the configuration folder; vigia picks it up by itself.".to_owned();
        } else {
            page.empty = "Nothing matches these filters. Remove one above to see more.".to_owned();
        }
        page.empty_mark = "pending";
    }
    page.rows = rows;
    Page(page).into_response()
}

/// Said where a list of problems is empty: kindly, and with the proof that somebody is looking.
fn empty(seen: &Seen) -> String {
    let totals = &seen.world.totals;
    let services = totals.services.iter().sum::<u32>() + totals.services_pending;
    let hosts = totals.hosts.iter().sum::<u32>() + totals.hosts_pending;
    let watched = format!(
        "{} services on {} hosts watched",
        words::count(services as usize),
        words::count(hosts as usize)
    );
    let handled = totals.services.iter().skip(1).sum::<u32>() + totals.hosts.iter().skip(1).sum::<u32>();
    match handled {
        0 => format!("No problems. {watched}."),
        _ => format!("No problems that nobody handles. {watched}, {handled} problems handled."),
    }
}

/// A host's own name goes to its page, anything else to the list of services.
pub(crate) async fn search(Extension(seen): Extension<Seen>, Query(pairs): Query<Pairs>) -> Redirect {
    let asked = pairs.iter().find(|(name, _)| name == "q").map_or("", |(_, value)| value.trim());
    let inventory = &seen.world.inventory;
    if inventory.host_id(asked).is_some() {
        return Redirect::to(&format!("/hosts/{}", escape(asked)));
    }
    let key = vigia_core::model::id::ObjectKey::parse(asked);
    if key.service.is_some() && inventory.find(&key).is_some() {
        return Redirect::to(&crate::web::view::href(&key));
    }
    if let Some(reference) = vigia_core::model::ticket::Reference::parse(asked) {
        return Redirect::to(&format!("/tickets/{reference}"));
    }
    let list = if inventory.services.is_empty() { "hosts" } else { "services" };
    Redirect::to(&format!("/{list}?q={}", escape(asked)))
}
