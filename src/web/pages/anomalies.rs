//! Anomalies: what a scan found changed, and what people make of it. And networks, each with its switch.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use vigia_core::model::anomaly::{AnomalyKind, AnomalyStatus};

use crate::assets::Verdict;
use crate::assets::network::{NetworkLine, word};
use crate::desk::Role;
use crate::store::anomalies::AnomalyLine;
use crate::web::api::assets as api;
use crate::web::auth;
use crate::web::backend::Trouble;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen, safe_back};
use crate::web::query::{PAGE, Pairs, encode};
use crate::web::view::Moment;
use crate::web::words;

#[derive(Template)]
#[template(path = "anomalies.html", config = ".askama.toml")]
struct AnomaliesPage {
    frame: Frame,
    may_edit: bool,
    lead: String,
    which: String,
    asked: String,
    kind: String,
    /// One asset's alone: its number.
    asset: String,
    kinds: Vec<(&'static str, &'static str)>,
    rows: Vec<AnomalyView>,
    page: usize,
    pages: usize,
    kept: String,
}

pub(crate) struct AnomalyView {
    pub(crate) id: u64,
    pub(crate) asset: u64,
    pub(crate) asset_name: String,
    pub(crate) address: String,
    pub(crate) title: &'static str,
    pub(crate) subject: String,
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) severity: u8,
    pub(crate) severity_word: &'static str,
    pub(crate) status: &'static str,
    pub(crate) is_open: bool,
    pub(crate) at: Moment,
    pub(crate) decided_by: String,
    pub(crate) ticket: Option<String>,
}

impl AnomalyView {
    pub(crate) fn of(seen: &Seen, line: &AnomalyLine) -> Self {
        let anomaly = &line.anomaly;
        Self {
            id: anomaly.id.0,
            asset: anomaly.asset.0,
            asset_name: line.asset_name.to_string(),
            address: line.address.as_deref().unwrap_or_default().to_owned(),
            title: anomaly.kind.title(),
            subject: anomaly.subject.to_string(),
            old: anomaly.old.to_string(),
            new: anomaly.new.to_string(),
            severity: anomaly.severity,
            severity_word: match anomaly.severity {
                7.. => "high",
                4.. => "medium",
                _ => "low",
            },
            status: anomaly.status.word(),
            is_open: anomaly.status == AnomalyStatus::Open,
            at: seen.eyes.since(anomaly.last),
            decided_by: anomaly.decided_by.as_deref().unwrap_or_default().to_owned(),
            ticket: line.ticket.map(|ticket| ticket.to_string()),
        }
    }
}

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let of = seen.web.backend.assets();
    let mut filter = api::anomaly_filter(&of, &pairs).await?;
    let page = api::asked(&pairs, "page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    (filter.slice.limit, filter.slice.offset) = (PAGE, (page - 1).saturating_mul(PAGE));
    let found = api::anomaly_page(&of, filter).await?;
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let text = |name: &str| api::asked(&pairs, name).unwrap_or_default().to_owned();
    let which = api::asked(&pairs, "status").unwrap_or("open").to_owned();
    let count =
        if total == 1 { "1 anomaly".to_owned() } else { format!("{} anomalies", words::count(total)) };
    let said = if which == "all" { String::new() } else { format!(" {which}") };
    let (asked, kind, asset) = (text("q"), text("kind"), text("asset"));
    let kept = [("status", &*which), ("q", &*asked), ("kind", &*kind), ("asset", &*asset)];
    let page = AnomaliesPage {
        frame: seen.live_frame("Anomalies", "anomalies", "overview", ""),
        may_edit: seen.may(Role::Editor),
        lead: format!(
            "{count}{said}. Accepted: the new value is right from now on. Kept: the old one stays right."
        ),
        kinds: AnomalyKind::ALL.iter().map(|kind| (kind.word(), kind.title())).collect(),
        rows: found.items.iter().map(|line| AnomalyView::of(&seen, line)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
        kept: encode(kept.into_iter()),
        which,
        asked,
        kind,
        asset,
    };
    Ok(Page(page).into_response())
}

/// One verdict on those that are ticked.
pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Form(typed): Form<Pairs>,
) -> Result<Response, Failure> {
    let ids: Vec<u64> =
        typed.iter().filter(|(name, _)| name == "id").filter_map(|(_, id)| id.parse().ok()).collect();
    let back = safe_back(api::asked(&typed, "back").unwrap_or("/anomalies"));
    let needs = |role| if seen.may(role) { Ok(()) } else { Err(Failure::Forbidden { needs: role }) };
    let (text, to) = match api::asked(&typed, "verdict") {
        Some("accept") => {
            needs(Role::Editor)?;
            (api::settle(&seen, &ids, Verdict::Accept).await?, back)
        }
        Some("keep") => {
            needs(Role::Editor)?;
            (api::settle(&seen, &ids, Verdict::Keep).await?, back)
        }
        Some("ticket") => tickets(&seen, &ids, back).await?,
        Some(_) | None => return Err(Failure::Wrong("Say which: accept, keep or ticket.".to_owned())),
    };
    let mut response = Redirect::to(&to).into_response();
    auth::say(&mut response, &Said { text: capital(&text), undo: None });
    Ok(response)
}

/// A ticket for each; of one alone its page is shown next.
async fn tickets(seen: &Seen, ids: &[u64], back: String) -> Result<(String, String), Failure> {
    let mut opened = Vec::new();
    for id in ids {
        opened.push(api::open_ticket(seen, *id, "").await?);
    }
    match opened.as_slice() {
        [] => {
            Err(Failure::Wrong("Nothing is selected. Go back and tick the rows that are meant.".to_owned()))
        }
        [one] => Ok((format!("Ticket {one} opened"), format!("/tickets/{one}"))),
        many => Ok((format!("Tickets {} opened", many.join(", ")), back)),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

#[derive(Template)]
#[template(path = "networks.html", config = ".askama.toml")]
struct NetworksPage {
    frame: Frame,
    may_edit: bool,
    lead: String,
    networks: Vec<NetworkView>,
}

struct NetworkView {
    line: NetworkLine,
    monitor: &'static str,
    search: String,
    scan: String,
    anomalies: String,
    action: String,
    /// Of a bar that is 1000 wide.
    share: u64,
}

pub(crate) async fn networks(Extension(seen): Extension<Seen>) -> Result<Response, Failure> {
    let lines = seen.web.backend.assets().networks().await.map_err(Trouble::from)?;
    let count = lines.len();
    let page = NetworksPage {
        frame: seen.live_frame("Networks", "networks", "overview", ""),
        may_edit: seen.may(Role::Editor),
        lead: format!("{} network{}", words::count(count), if count == 1 { "" } else { "s" }),
        networks: lines.into_iter().map(network_view).collect(),
    };
    Ok(Page(page).into_response())
}

fn network_view(line: NetworkLine) -> NetworkView {
    let net = format!("net:{}", line.name);
    NetworkView {
        monitor: word(line.monitor),
        search: format!("/assets?{}", encode([("q", net.as_str())].into_iter())),
        scan: format!("/discovery?{}", encode([("network", net.as_str())].into_iter())),
        anomalies: format!("/assets?{}", encode([("q", format!("{net} anomaly:open").as_str())].into_iter())),
        action: format!("/networks/{}", crate::web::query::escape(&line.name)),
        share: (line.monitored * 1000).checked_div(line.assets).unwrap_or(0),
        line,
    }
}

pub(crate) async fn switch(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Form(typed): Form<Pairs>,
) -> Result<Response, Failure> {
    let monitor = api::monitor(api::asked(&typed, "monitor").unwrap_or_default())?;
    let text = api::turn(&seen, &name, monitor).await?;
    let mut response = Redirect::to("/networks").into_response();
    auth::say(&mut response, &Said { text, undo: None });
    Ok(response)
}
