//! The list of assets with its search, and one asset: state, inventory, what people say of it, what changed.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use vigia_core::model::anomaly::AnomalyStatus;
use vigia_core::model::asset::Asset;
use vigia_core::model::id::{HostId, ObjectKey};

use super::anomalies::AnomalyView;
use crate::assets::edit::{FIELDS, service_of};
use crate::assets::{Change, EditError, edit, search, value};
use crate::desk::Role;
use crate::store::Slice;
use crate::store::anomalies::AnomalyFilter;
use crate::store::assets::list::{AssetLine, AssetSort};
use crate::web::api::assets as api;
use crate::web::auth;
use crate::web::backend::{RecordQuery, StatusFilter, TicketFilter, Wanted};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen};
use crate::web::orders::FieldError;
use crate::web::query::{PAGE, Pairs, encode};
use crate::web::view::{Face, Moment, Rows, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "assets.html", config = ".askama.toml")]
struct AssetsPage {
    frame: Frame,
    lead: String,
    asked: String,
    error: Option<String>,
    keys: &'static [(&'static str, &'static str)],
    heads: Vec<Head>,
    rows: Vec<AssetRow>,
    page: usize,
    pages: usize,
    /// The search and the order, for links to other pages of it.
    kept: String,
}

struct Head {
    name: &'static str,
    class: &'static str,
    href: String,
    /// `ascending`, `descending`, or empty.
    sorted: &'static str,
}

struct AssetRow {
    id: u64,
    name: String,
    face: Option<Face>,
    is_stale: bool,
    addresses: Vec<String>,
    card: String,
    os: String,
    services: Vec<(String, String)>,
    more: usize,
    value: u8,
    seen: Option<Moment>,
    open: u64,
}

/// Services that a row names.
const NAMED: usize = 5;

/// Columns that sort: the word, the heading, and its class.
const HEADS: &[(&str, &str, &str)] = &[
    ("name", "Asset", ""),
    ("address", "Address", ""),
    ("os", "OS", "wide less"),
    ("", "Services", "wide"),
    ("", "Value", "num wide less"),
    ("last_seen", "Seen", "num wide"),
    ("", "Anomalies", "num"),
];

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let asked = api::asked(&pairs, "q").unwrap_or_default().to_owned();
    let page = api::asked(&pairs, "page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    let found = match api::filter(&seen, &pairs) {
        Ok(mut filter) => {
            (filter.slice.limit, filter.slice.offset) = (PAGE, (page - 1).saturating_mul(PAGE));
            Ok(api::page(&seen.web.backend.assets(), filter).await?)
        }
        Err(failure) => Err(failure.to_string()),
    };
    let (found, error) = found.map_or_else(|why| (Default::default(), Some(why)), |found| (found, None));
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let sort = api::asked(&pairs, "sort").unwrap_or("name");
    let what = if asked.is_empty() { "asset" } else { "matching asset" };
    let page = AssetsPage {
        frame: seen.live_frame("Assets", "assets", "overview", ""),
        lead: format!("{} {what}{}", words::count(total), if total == 1 { "" } else { "s" }),
        error,
        keys: search::KEYS,
        heads: HEADS.iter().map(|head| head_of(head, sort, &asked)).collect(),
        rows: found.items.iter().map(|line| row(&seen, line)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
        kept: encode([("q", asked.as_str()), ("sort", sort)].into_iter()),
        asked,
    };
    Ok(Page(page).into_response())
}

fn head_of(
    (word, name, class): &(&'static str, &'static str, &'static str),
    sort: &str,
    asked: &str,
) -> Head {
    let (by, is_descending) = sort.strip_prefix('-').map_or((sort, false), |by| (by, true));
    if AssetSort::from_word(word).is_none() {
        return Head { name, class, href: String::new(), sorted: "" };
    }
    let is_here = by == *word;
    let next = if is_here && !is_descending { format!("-{word}") } else { (*word).to_owned() };
    Head {
        name,
        class,
        href: format!("?{}", encode([("q", asked), ("sort", next.as_str())].into_iter())),
        sorted: match (is_here, is_descending) {
            (true, true) => "descending",
            (true, false) => "ascending",
            (false, _) => "",
        },
    }
}

fn host_of(seen: &Seen, asset: &Asset) -> Option<HostId> {
    asset.host.as_deref().and_then(|host| seen.world.inventory.host_id(host))
}

/// How its host stands; none where nobody checks it.
fn face_of(seen: &Seen, asset: &Asset) -> Option<Face> {
    let id = host_of(seen, asset).filter(|id| seen.world.inventory.host(*id).is_monitored)?;
    Rows::new(&seen.world, &seen.eyes).hosts(&[id]).into_iter().next().map(|row| row.face)
}

fn row(seen: &Seen, line: &AssetLine) -> AssetRow {
    let asset = &line.asset;
    let known = asset.services.iter().filter(|one| one.gone.is_none());
    let services: Vec<(String, String)> = known
        .map(|one| {
            let name = if one.name.is_empty() { "?" } else { &*one.name };
            (format!("{name} {}", one.port), format!("{} {}", one.subject(), one.told()))
        })
        .collect();
    let card = asset.addresses.iter().find_map(|one| {
        let mac = one.mac.as_deref()?;
        Some(one.vendor.as_deref().map_or_else(|| mac.to_owned(), |vendor| format!("{mac} {vendor}")))
    });
    AssetRow {
        id: asset.id.0,
        name: asset.name().to_owned(),
        face: face_of(seen, asset),
        is_stale: asset.stale.is_some(),
        addresses: asset.addresses.iter().map(|one| one.address.to_string()).collect(),
        card: card.unwrap_or_default(),
        os: asset.os().unwrap_or_default().to_owned(),
        more: services.len().saturating_sub(NAMED),
        services: services.into_iter().take(NAMED).collect(),
        value: value::of(asset, &seen.world.inventory),
        seen: asset.last_seen.map(|at| seen.eyes.since(at)),
        open: line.open,
    }
}

#[derive(Template)]
#[template(path = "asset.html", config = ".askama.toml")]
struct AssetPage {
    frame: Frame,
    may_edit: bool,
    id: u64,
    name: String,
    face: Option<Face>,
    host: Option<(String, String)>,
    stale: Option<(Moment, u32)>,
    statuses: Vec<StatusLine>,
    facts: Vec<(&'static str, String)>,
    /// Those around its addresses, as searches.
    networks: Vec<(String, String)>,
    services: Vec<ServiceView>,
    fields: Vec<FieldView>,
    notes: String,
    error: Option<FieldError>,
    anomalies: Vec<AnomalyView>,
    first_seen: Option<Moment>,
    last_seen: Option<Moment>,
}

/// One line of General Status: what, how many, when last, the worst.
struct StatusLine {
    name: &'static str,
    href: String,
    count: usize,
    last: Option<Moment>,
    worst: String,
}

struct ServiceView {
    subject: String,
    name: String,
    is_sure: bool,
    software: String,
    note: String,
    origin: String,
    seen: Option<Moment>,
    gone: Option<Moment>,
    is_by_hand: bool,
    tls: String,
}

struct FieldView {
    field: &'static str,
    name: &'static str,
    hint: &'static str,
    value: String,
    /// What stands where nothing is said.
    found: String,
    is_long: bool,
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
) -> Result<Response, Failure> {
    show(&seen, &asked, None, &Pairs::new()).await
}

async fn show(
    seen: &Seen,
    asked: &str,
    error: Option<FieldError>,
    typed: &Pairs,
) -> Result<Response, Failure> {
    let of = seen.web.backend.assets();
    let asset = api::find(&of, asked).await?;
    let filter = AnomalyFilter { asset: Some(asset.id), ..AnomalyFilter::default() };
    let anomalies = api::anomaly_page(&of, filter).await?.items;
    let host = host_of(seen, &asset);
    let statuses = statuses(seen, &asset, &anomalies).await?;
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = AssetPage {
        frame: seen.frame(asset.name().to_owned(), "assets"),
        may_edit: seen.may(Role::Editor),
        id: asset.id.0,
        name: asset.name().to_owned(),
        face: face_of(seen, &asset),
        host: asset
            .host
            .as_deref()
            .filter(|_| host.is_some())
            .map(|host| (href(&ObjectKey::host(host)), host.to_owned())),
        stale: asset.stale.map(|at| (seen.eyes.since(at), asset.missed)),
        statuses,
        facts: facts(seen, &asset),
        networks: networks(seen, &asset),
        services: services(seen, &asset),
        fields: fields(&asset, typed),
        notes: asset.set.notes.as_deref().unwrap_or_default().to_owned(),
        error,
        anomalies: anomalies.iter().map(|line| AnomalyView::of(seen, line)).collect(),
        first_seen: asset.first_seen.map(|at| seen.eyes.moment(at)),
        last_seen: asset.last_seen.map(|at| seen.eyes.moment(at)),
    };
    Ok((status, Page(page)).into_response())
}

async fn statuses(
    seen: &Seen,
    asset: &Asset,
    anomalies: &[crate::store::anomalies::AnomalyLine],
) -> Result<Vec<StatusLine>, Failure> {
    let open: Vec<_> = anomalies.iter().filter(|line| line.anomaly.status == AnomalyStatus::Open).collect();
    let worst = |number: Option<u8>| number.map(|number| format!("severity {number}")).unwrap_or_default();
    let mut lines = vec![StatusLine {
        name: "Anomalies",
        href: format!("/anomalies?asset={}", asset.id),
        count: open.len(),
        last: open.first().map(|line| seen.eyes.since(line.anomaly.last)),
        worst: worst(open.iter().map(|line| line.anomaly.severity).max()),
    }];
    let Some(host) = asset.host.clone().filter(|_| host_of(seen, asset).is_some()) else { return Ok(lines) };
    let query = || RecordQuery {
        status: Wanted::Open,
        host: Some(host.to_string()),
        limit: 100,
        ..RecordQuery::default()
    };
    let filter = TicketFilter {
        status: StatusFilter::NotClosed,
        host: Some(host.to_string()),
        slice: Slice::first(100),
        ..TicketFilter::default()
    };
    let (count, tickets) = seen.web.backend.tickets(filter).await?;
    let at = |word: &str| format!("/{word}?{}", encode([("host", &*host)].into_iter()));
    lines.insert(
        0,
        StatusLine {
            name: "Tickets",
            href: at("tickets"),
            count,
            last: tickets.iter().map(|ticket| ticket.head.updated).max().map(|at| seen.eyes.since(at)),
            worst: tickets
                .iter()
                .map(|ticket| ticket.priority)
                .max()
                .map(|top| format!("priority {top}"))
                .unwrap_or_default(),
        },
    );
    let (count, alarms) = seen.web.backend.alarms(query()).await?;
    lines.insert(
        1,
        StatusLine {
            name: "Unresolved alarms",
            href: at("alarms"),
            count,
            last: alarms.iter().map(|alarm| alarm.last).max().map(|at| seen.eyes.since(at)),
            worst: worst(alarms.iter().map(|alarm| alarm.severity).max()),
        },
    );
    if let Some(id) = host_of(seen, asset).filter(|id| seen.world.inventory.host(*id).is_monitored) {
        let services = &seen.world.inventory.host(id).services;
        let bad = services.iter().filter(|id| seen.world.service(**id).is_problem()).count();
        let is_down = seen.world.host(id).is_problem();
        lines.insert(
            2,
            StatusLine {
                name: "Availability problems",
                href: at("services"),
                count: bad + usize::from(is_down),
                last: seen.world.host(id).last_check.map(|at| seen.eyes.since(at)),
                worst: format!("of the host and {}", services_of(services.len())),
            },
        );
    }
    Ok(lines)
}

fn services_of(count: usize) -> String {
    format!("{count} service{}", if count == 1 { "" } else { "s" })
}

fn facts(seen: &Seen, asset: &Asset) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, text: String| {
        if !text.is_empty() {
            facts.push((name, text));
        }
    };
    let each = |one: &vigia_core::model::asset::AssetAddress| match (&one.mac, &one.vendor) {
        (Some(mac), Some(vendor)) => format!("{} — {mac} ({vendor})", one.address),
        (Some(mac), None) => format!("{} — {mac}", one.address),
        (None, _) => one.address.to_string(),
    };
    add("Addresses", asset.addresses.iter().map(each).collect::<Vec<_>>().join(", "));
    add("Names", asset.names.join(", "));
    let evidence = if asset.set.os.is_some() || asset.os_evidence.is_empty() {
        String::new()
    } else {
        format!(" (by {})", asset.os_evidence)
    };
    add("Operating system", asset.os().map(|os| format!("{os}{evidence}")).unwrap_or_default());
    add("SSH host key", asset.ssh_key.as_deref().unwrap_or_default().to_owned());
    add("Asset value", value::of(asset, &seen.world.inventory).to_string());
    for (field, name, _) in
        FIELDS.iter().filter(|(field, ..)| ["kind", "owner", "place", "description"].contains(field))
    {
        add(name, edit::said(&asset.set, field));
    }
    if let (Some(latitude), Some(longitude)) = (asset.set.latitude, asset.set.longitude) {
        add("Coordinates", format!("{latitude}, {longitude}"));
    }
    facts
}

fn networks(seen: &Seen, asset: &Asset) -> Vec<(String, String)> {
    let all = asset.addresses.iter().flat_map(|one| value::around(&seen.world.inventory, one.address));
    let mut names: Vec<String> = all.map(|network| network.name.to_string()).collect();
    names.dedup();
    let link = |name: String| {
        (format!("/assets?{}", encode([("q", format!("net:{name}").as_str())].into_iter())), name)
    };
    names.into_iter().map(link).collect()
}

fn services(seen: &Seen, asset: &Asset) -> Vec<ServiceView> {
    let view = |one: &vigia_core::model::asset::AssetService| ServiceView {
        subject: one.subject(),
        name: one.name.to_string(),
        is_sure: one.is_sure,
        software: one.software(),
        note: one.note.as_deref().unwrap_or_default().to_owned(),
        origin: one.origins.to_string(),
        seen: one.last_seen.map(|at| seen.eyes.since(at)),
        gone: one.gone.map(|at| seen.eyes.since(at)),
        is_by_hand: one.origins.by_hand,
        tls: one.tls_until.map(|at| seen.eyes.moment(at).text).unwrap_or_default(),
    };
    asset.services.iter().map(view).collect()
}

fn fields(asset: &Asset, typed: &Pairs) -> Vec<FieldView> {
    let found = |field: &str| match field {
        "name" => asset.host.as_deref().unwrap_or(&asset.found_name).to_owned(),
        "os" => asset.found_os.as_deref().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let view = |(field, name, hint): &(&'static str, &'static str, &'static str)| FieldView {
        field,
        name,
        hint,
        value: api::asked(typed, field).map_or_else(|| edit::said(&asset.set, field), str::to_owned),
        found: found(field),
        is_long: *field == "notes",
    };
    FIELDS.iter().map(view).collect()
}

impl AssetPage {
    fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.text.as_str())
    }
}

/// What the form says: every field of it, and a service where one is named.
pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
    Form(typed): Form<Pairs>,
) -> Result<Response, Failure> {
    let of = seen.web.backend.assets();
    let id = api::find(&of, &asked).await?.id;
    let text = |name: &str| typed.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let done = match (text("port"), text("remove")) {
        (Some(port), remove) => match service_of(port.trim()) {
            Some(at) => {
                let name = remove.is_none().then(|| text("service").unwrap_or_default().to_owned());
                of.service(id, at, name, api::who(&seen), seen.eyes.now).await.map(|asset| {
                    format!(
                        "Service {} of {} {}",
                        port.trim(),
                        asset.name(),
                        if remove.is_some() { "taken back" } else { "added" }
                    )
                })
            }
            None => {
                Err(EditError::Invalid { field: "port", text: "a port such as 443 or 53/udp".to_owned() })
            }
        },
        (None, _) => {
            let changes: Vec<Change> = FIELDS
                .iter()
                .filter_map(|(field, ..)| Some(Change { field, text: text(field)?.replace("\r\n", "\n") }))
                .collect();
            of.edit(id, changes, api::who(&seen), seen.eyes.now)
                .await
                .map(|asset| format!("{} saved", asset.name()))
        }
    };
    match done {
        Ok(text) => {
            let mut response = Redirect::to(&format!("/assets/{id}")).into_response();
            auth::say(&mut response, &Said { text, undo: None });
            Ok(response)
        }
        Err(EditError::Invalid { field, text }) => {
            show(&seen, &asked, Some(FieldError { field, text }), &typed).await
        }
        Err(error) => Err(error.into()),
    }
}
