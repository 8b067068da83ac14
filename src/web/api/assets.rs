//! Assets, networks and anomalies.

use std::net::IpAddr;

use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vigia_core::model::anomaly::{Anomaly, AnomalyKind, AnomalyStatus};
use vigia_core::model::asset::{Asset, AssetService};
use vigia_core::model::id::{AnomalyId, AssetId};
use vigia_core::model::state::Condition as _;

use super::acts::Body;
use super::{list, seconds};
use crate::assets::edit::{FIELDS, field, said, service_of};
use crate::assets::network::{NetworkLine, word};
use crate::assets::{Assets, Change, EditError, Verdict, Who, csv, report, search, value};
use crate::store::anomalies::{self, AnomalyFilter, AnomalyLine, AnomalySort};
use crate::store::assets::list::{AssetFilter, AssetLine, AssetSort, AssetSorted};
use crate::store::assets::{self, Evidence};
use crate::store::{Page, Slice, Sorted};
use crate::web::backend::Trouble;
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::query::{MOST, PAGE, Pairs};

/// A parameter's last value, where it says something.
pub(crate) fn asked<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = pairs.iter().rev().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn slice(pairs: &Pairs) -> Slice {
    let number = |name: &str| asked(pairs, name).and_then(|text| text.parse::<usize>().ok());
    Slice { limit: number("limit").unwrap_or(PAGE).clamp(1, MOST), offset: number("offset").unwrap_or(0) }
}

pub(crate) fn who(seen: &Seen) -> Who {
    let by = seen.by();
    Who { name: by.name.to_string(), peer: Some(by.from) }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        Trouble::from(error).into()
    }
}

/// What a query asks for; the page takes the same.
pub(crate) fn filter(seen: &Seen, pairs: &Pairs) -> Result<AssetFilter, Failure> {
    let text = asked(pairs, "q").unwrap_or_default();
    let terms =
        search::read(text, &seen.world, seen.eyes.now).map_err(|why| Failure::Wrong(why.to_string()))?;
    let sorted = match asked(pairs, "sort") {
        None => AssetSorted::default(),
        Some(word) => AssetSorted(Sorted::parse(word, AssetSort::from_word).ok_or_else(|| {
            Failure::Wrong(format!(
                "`{word}` is not an order: name, address, os, first_seen, last_seen, with `-` for the other way round"
            ))
        })?),
    };
    Ok(AssetFilter { terms, sorted, slice: slice(pairs) })
}

pub(crate) async fn page(of: &Assets, filter: AssetFilter) -> Result<Page<AssetLine>, Failure> {
    let read = move |connection: &_| assets::list::list(connection, &filter);
    Ok(of.store().read(read).await.map_err(Trouble::from)?)
}

pub(crate) async fn all(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let of = seen.web.backend.assets();
    let filter = filter(&seen, &pairs)?;
    match asked(&pairs, "format") {
        None | Some("json") => {
            let page = page(&of, filter).await?;
            let items = page.items.iter().map(|line| asset_item(&seen, line)).collect();
            Ok(Json(list(usize::try_from(page.total).unwrap_or(usize::MAX), items)).into_response())
        }
        Some("csv") => written(&of, filter).await,
        Some(other) => Err(Failure::Wrong(format!("`{other}` is no format: json or csv"))),
    }
}

/// All that match, whatever the limit of a page.
async fn written(of: &Assets, mut filter: AssetFilter) -> Result<Response, Failure> {
    let mut text = csv::heading();
    filter.slice = Slice::first(crate::store::MOST);
    loop {
        let page = page(of, filter.clone()).await?;
        text.extend(page.items.iter().map(|line| csv::written(&line.asset)));
        filter.slice.offset += page.items.len();
        if page.items.is_empty() || filter.slice.offset as u64 >= page.total {
            break;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"assets.csv\""),
    ];
    Ok((headers, text).into_response())
}

/// By number, or by the name of the host or of the asset.
pub(crate) async fn find(of: &Assets, asked: &str) -> Result<Asset, Failure> {
    let text = asked.to_owned();
    let found = of.store().read(move |connection| {
        let by = |evidence| assets::find(connection, evidence).map(|found| found.first().copied());
        // A host may be called by a number.
        let mut id = by(Evidence::Host(&text))?;
        if let (None, Ok(number)) = (id, text.parse()) {
            id = assets::asset(connection, AssetId(number))?.map(|asset| asset.id);
        }
        if let (None, Ok(address)) = (id, text.parse()) {
            id = by(Evidence::Address(address))?;
        }
        let id = id.map_or_else(|| by(Evidence::Name(&text)), |id| Ok(Some(id)))?;
        id.map_or(Ok(None), |id| assets::asset(connection, id))
    });
    let found = found.await.map_err(Trouble::from)?;
    found.ok_or_else(|| Failure::Missing(format!("there is no asset `{asked}`")))
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
) -> Result<Json<Value>, Failure> {
    let of = seen.web.backend.assets();
    let asset = find(&of, &asked).await?;
    answer(&seen, &of, asset).await
}

async fn answer(seen: &Seen, of: &Assets, asset: Asset) -> Result<Json<Value>, Failure> {
    let filter = AnomalyFilter { asset: Some(asset.id), ..AnomalyFilter::default() };
    let found = anomaly_page(of, filter).await?;
    let open = found.items.iter().filter(|line| line.anomaly.status == AnomalyStatus::Open).count() as u64;
    let mut item = asset_item(seen, &AssetLine { asset, open });
    if let Some(fields) = item.as_object_mut() {
        fields.insert("anomalies".to_owned(), found.items.iter().map(anomaly_item).collect());
    }
    Ok(Json(item))
}

fn asset_item(seen: &Seen, line: &AssetLine) -> Value {
    let asset = &line.asset;
    let host = asset.host.as_deref().and_then(|host| seen.world.inventory.host_id(host));
    let is_monitored = host.is_some_and(|host| seen.world.inventory.host(host).is_monitored);
    let state = host.filter(|_| is_monitored).map(|host| {
        let status = seen.world.host(host);
        if status.has_been_checked { status.state().word() } else { "PENDING" }
    });
    let words: Map<String, Value> =
        FIELDS.iter().map(|(field, ..)| ((*field).to_owned(), said(&asset.set, field).into())).collect();
    json!({
        "id": asset.id.0,
        "name": asset.name(),
        "host": asset.host.as_deref(),
        "monitored": is_monitored,
        "state": state,
        "origin": asset.origin.word(),
        "addresses": asset.addresses.iter().map(|one| json!({
            "address": one.address, "mac": one.mac.as_deref(), "vendor": one.vendor.as_deref(),
            "last_seen": seconds(one.last_seen),
        })).collect::<Vec<_>>(),
        "names": asset.names.iter().map(|name| &**name).collect::<Vec<_>>(),
        "os": asset.os(),
        "os_found": asset.found_os.as_deref(),
        "os_evidence": &*asset.os_evidence,
        "ssh_key": asset.ssh_key.as_deref(),
        "value": value::of(asset, &seen.world.inventory),
        "services": asset.services.iter().map(service_item).collect::<Vec<_>>(),
        "first_seen": seconds(asset.first_seen),
        "last_seen": seconds(asset.last_seen),
        "missed": asset.missed,
        "stale": seconds(asset.stale),
        "open_anomalies": line.open,
        "said": words,
    })
}

fn service_item(service: &AssetService) -> Value {
    json!({
        "port": service.port,
        "transport": service.transport.name(),
        "name": &*service.name,
        "sure": service.is_sure,
        "product": service.product.as_deref(),
        "version": service.version.as_deref(),
        "note": service.note.as_deref(),
        "tls_key": service.tls_key.as_deref(),
        "tls_until": seconds(service.tls_until),
        "origin": service.origins.to_string(),
        "address": service.address,
        "first_seen": seconds(service.first_seen),
        "last_seen": seconds(service.last_seen),
        "gone": seconds(service.gone),
    })
}

/// Fields as JSON: texts and numbers; an empty text takes back what was said.
fn changes(fields: &Map<String, Value>) -> Result<Vec<Change>, Failure> {
    let change = |(name, value): (&String, &Value)| {
        let Some(field) = field(name) else {
            let known: Vec<&str> = FIELDS.iter().map(|(field, ..)| *field).collect();
            return Err(Failure::Wrong(format!("`{name}` is not a field; fields are {}", known.join(", "))));
        };
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(Failure::Wrong(format!("`{name}` is a text or a number")));
            }
        };
        Ok(Change { field, text })
    };
    fields.iter().map(change).collect()
}

pub(crate) async fn add(
    Extension(seen): Extension<Seen>,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Json<Value>, Failure> {
    let addresses: Vec<IpAddr> = match fields.remove("addresses") {
        None => Vec::new(),
        Some(value) => serde_json::from_value(value)
            .map_err(|_error| Failure::Wrong("`addresses` is a list of addresses".to_owned()))?,
    };
    let of = seen.web.backend.assets();
    let asset = of.add(addresses, changes(&fields)?, who(&seen), seen.eyes.now).await?;
    answer(&seen, &of, asset).await
}

pub(crate) async fn edit(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Json<Value>, Failure> {
    let of = seen.web.backend.assets();
    let id = find(&of, &asked).await?.id;
    let asset = of.edit(id, changes(&fields)?, who(&seen), seen.eyes.now).await?;
    answer(&seen, &of, asset).await
}

pub(crate) async fn forget(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
) -> Result<Json<Value>, Failure> {
    let of = seen.web.backend.assets();
    let id = find(&of, &asked).await?.id;
    let name = of.forget(id, who(&seen), seen.eyes.now).await?;
    Ok(Json(json!({ "message": format!("forgotten: {name}") })))
}

#[derive(Deserialize)]
pub(crate) struct ServiceSaid {
    /// `443`, `53/udp`.
    port: Value,
    #[serde(default)]
    name: String,
    #[serde(default)]
    remove: bool,
}

pub(crate) async fn service(
    Extension(seen): Extension<Seen>,
    Path(asked): Path<String>,
    Body(said): Body<ServiceSaid>,
) -> Result<Json<Value>, Failure> {
    let port = said.port.as_str().map_or_else(|| said.port.to_string(), str::to_owned);
    let at = service_of(&port).ok_or_else(|| Failure::Wrong(format!("`{port}` is no port: 443, 53/udp")))?;
    let of = seen.web.backend.assets();
    let id = find(&of, &asked).await?.id;
    let name = (!said.remove).then_some(said.name);
    let asset = of.service(id, at, name, who(&seen), seen.eyes.now).await?;
    answer(&seen, &of, asset).await
}

#[derive(Deserialize)]
pub(crate) struct Import {
    csv: String,
    #[serde(default)]
    dry_run: bool,
}

pub(crate) async fn import(
    Extension(seen): Extension<Seen>,
    Body(said): Body<Import>,
) -> Result<Json<Value>, Failure> {
    let rows = csv::read(&said.csv).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().take(100).map(ToString::to_string).collect();
        Failure::Wrong(format!("nothing was imported:\n{}", lines.join("\n")))
    })?;
    let of = seen.web.backend.assets();
    let done = of.import(rows, said.dry_run, who(&seen), seen.eyes.now).await?;
    let did = if said.dry_run { "would be" } else { "were" };
    let message = format!(
        "{} assets {did} added, {} changed, {} are as the file says",
        done.added, done.changed, done.same
    );
    Ok(Json(json!({
        "message": message, "added": done.added, "changed": done.changed, "same": done.same, "dry_run": said.dry_run,
    })))
}

pub(crate) async fn observe(
    Extension(seen): Extension<Seen>,
    Body(said): Body<Value>,
) -> Result<Json<Value>, Failure> {
    let looked = report::from_json(&said).map_err(Failure::Wrong)?;
    let of = seen.web.backend.assets();
    let learnt = of.observe(looked, seen.eyes.now).await.map_err(Trouble::from)?;
    Ok(Json(json!({
        "hosts": learnt.hosts, "new": learnt.new, "stale": learnt.stale, "anomalies": learnt.anomalies,
    })))
}

pub(crate) async fn networks(Extension(seen): Extension<Seen>) -> Result<Json<Value>, Failure> {
    let lines = seen.web.backend.assets().networks().await.map_err(Trouble::from)?;
    Ok(Json(list(lines.len(), lines.iter().map(network_item).collect())))
}

fn network_item(line: &NetworkLine) -> Value {
    json!({
        "name": &*line.name,
        "alias": &*line.alias,
        "cidr": line.cidr,
        "asset_value": line.asset_value,
        "monitor": word(line.monitor),
        "effective": if line.is_on { "on" } else { "off" },
        "said_by": if line.is_of_file { "file" } else if line.monitor.is_some() { "switch" } else { "nobody" },
        "assets": line.assets,
        "monitored": line.monitored,
        "open_anomalies": line.anomalies,
        "down": line.down,
    })
}

#[derive(Deserialize)]
pub(crate) struct Switched {
    monitor: String,
}

pub(crate) fn monitor(text: &str) -> Result<Option<bool>, Failure> {
    match text {
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        "inherit" => Ok(None),
        other => Err(Failure::Wrong(format!("`monitor` is on, off or inherit, not `{other}`"))),
    }
}

/// Turns the switch, and has the configuration read again: that is what acts on it.
pub(crate) async fn turn(seen: &Seen, name: &str, monitor: Option<bool>) -> Result<String, Failure> {
    let of = seen.web.backend.assets();
    of.switch(name, monitor, who(seen), seen.eyes.now).await?;
    let told = seen.web.backend.reload(seen.by(), false).await;
    let lines = of.networks().await.map_err(Trouble::from)?;
    let line = lines.iter().find(|line| *line.name == *name);
    let count =
        line.map(|line| format!(": {} of {} monitored", line.monitored, line.assets)).unwrap_or_default();
    match told {
        Ok(_) => Ok(format!("Monitoring of network {name} is {}{count}", word(monitor))),
        Err(trouble) => Err(Failure::Refused(format!(
            "the switch of `{name}` is kept, and in effect with the next reload that works: {trouble}"
        ))),
    }
}

pub(crate) async fn switch(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Body(said): Body<Switched>,
) -> Result<Json<Value>, Failure> {
    let message = turn(&seen, &name, monitor(&said.monitor)?).await?;
    Ok(Json(json!({ "message": message })))
}

/// What a query asks for; the page takes the same.
pub(crate) async fn anomaly_filter(of: &Assets, pairs: &Pairs) -> Result<AnomalyFilter, Failure> {
    let statuses = match asked(pairs, "status") {
        None | Some("open") => vec![AnomalyStatus::Open],
        Some("all") => Vec::new(),
        Some("settled") => vec![AnomalyStatus::Accepted, AnomalyStatus::Kept, AnomalyStatus::Over],
        Some(word) => vec![AnomalyStatus::from_word(word).ok_or_else(|| {
            Failure::Wrong("`status` is one of: open accepted kept over settled all".to_owned())
        })?],
    };
    let kind = asked(pairs, "kind").map(|word| {
        AnomalyKind::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = AnomalyKind::ALL.iter().map(|kind| kind.word()).collect();
            Failure::Wrong(format!("`kind` is one of: {}", words.join(" ")))
        })
    });
    let sorted = match asked(pairs, "sort") {
        None => Sorted::default(),
        Some(word) => Sorted::parse(word, AnomalySort::from_word)
            .ok_or_else(|| Failure::Wrong("`sort` is one of: last first severity kind asset".to_owned()))?,
    };
    let asset = match asked(pairs, "asset") {
        None => None,
        Some(asset) => Some(find(of, asset).await?.id),
    };
    let text = asked(pairs, "q").map(str::to_owned);
    Ok(AnomalyFilter { statuses, kind: kind.transpose()?, asset, text, sorted, slice: slice(pairs) })
}

pub(crate) async fn anomaly_page(of: &Assets, filter: AnomalyFilter) -> Result<Page<AnomalyLine>, Failure> {
    let read = move |connection: &_| anomalies::list(connection, &filter);
    Ok(of.store().read(read).await.map_err(Trouble::from)?)
}

pub(crate) async fn anomalies(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let of = seen.web.backend.assets();
    let page = anomaly_page(&of, anomaly_filter(&of, &pairs).await?).await?;
    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
    Ok(Json(list(total, page.items.iter().map(anomaly_item).collect())))
}

fn anomaly_item(line: &AnomalyLine) -> Value {
    let Anomaly {
        id,
        asset,
        kind,
        subject,
        old,
        new,
        severity,
        status,
        first,
        last,
        decided_by,
        decided,
        ..
    } = &line.anomaly;
    json!({
        "id": id.0,
        "asset": asset.0,
        "asset_name": &*line.asset_name,
        "host": line.host.as_deref(),
        "address": line.address.as_deref(),
        "kind": kind.word(),
        "title": kind.title(),
        "subject": &**subject,
        "old": &**old,
        "new": &**new,
        "severity": severity,
        "status": status.word(),
        "first": first.as_second(),
        "last": last.as_second(),
        "decided_by": decided_by.as_deref(),
        "decided": seconds(*decided),
        "ticket": line.ticket.map(|ticket| ticket.to_string()),
    })
}

#[derive(Deserialize, Default)]
pub(crate) struct Settled {
    ids: Vec<u64>,
}

/// Several at once: each is done or refused by itself.
pub(crate) async fn settle(seen: &Seen, ids: &[u64], verdict: Verdict) -> Result<String, Failure> {
    let of = seen.web.backend.assets();
    if ids.is_empty() {
        return Err(Failure::Wrong(
            "Nothing is selected. Go back and tick the rows that are meant.".to_owned(),
        ));
    }
    let (mut done, mut refused) = (0usize, None);
    for id in ids {
        match of.settle(AnomalyId(*id), verdict, who(seen), seen.eyes.now).await {
            Ok(()) => done += 1,
            Err(error) if ids.len() == 1 => return Err(error.into()),
            Err(error) => refused = refused.or(Some(error.to_string())),
        }
    }
    let what = match verdict {
        Verdict::Accept => "accepted: the new value is right from now on",
        Verdict::Keep => "kept: the old value stays right",
    };
    let count = if done == 1 { "1 anomaly".to_owned() } else { format!("{done} anomalies") };
    let but = refused.map(|why| format!("; not all: {why}")).unwrap_or_default();
    Ok(format!("{count} {what}{but}"))
}

pub(crate) async fn accept(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "message": settle(&seen, &[id], Verdict::Accept).await? })))
}

pub(crate) async fn keep(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "message": settle(&seen, &[id], Verdict::Keep).await? })))
}

pub(crate) async fn accept_many(
    Extension(seen): Extension<Seen>,
    Body(said): Body<Settled>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "message": settle(&seen, &said.ids, Verdict::Accept).await? })))
}

pub(crate) async fn keep_many(
    Extension(seen): Extension<Seen>,
    Body(said): Body<Settled>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "message": settle(&seen, &said.ids, Verdict::Keep).await? })))
}

/// Opens a ticket, and says what it is called.
pub(crate) async fn open_ticket(seen: &Seen, id: u64, in_charge: &str) -> Result<String, Failure> {
    let of = seen.web.backend.assets();
    let in_charge = crate::web::orders::some(in_charge);
    let ticket = of.ticket_by_hand(AnomalyId(id), &seen.author(), in_charge).await?;
    let reference = vigia_core::model::ticket::Reference {
        class: vigia_core::model::ticket::TicketClass::Anomaly,
        id: ticket,
    };
    Ok(reference.to_string())
}

#[derive(Deserialize, Default)]
pub(crate) struct Ticketed {
    #[serde(default)]
    in_charge: String,
}

pub(crate) async fn ticket(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(said): Body<Ticketed>,
) -> Result<Json<Value>, Failure> {
    let reference = open_ticket(&seen, id, &said.in_charge).await?;
    Ok(Json(json!({ "message": format!("ticket {reference} opened"), "ticket": reference })))
}
