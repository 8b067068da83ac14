//! What people do to assets and anomalies: each act checked, written and audited in one transaction.

use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use vigia_core::model::anomaly::{AnomalyKind, AnomalyStatus};
use vigia_core::model::asset::{
    Asset, AssetAddress, AssetOrigin, AssetService, AssetWords, ServiceOrigins, Transport,
};
use vigia_core::model::id::{AnomalyId, AssetId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::time::Timestamp;

use super::Assets;
use crate::store::assets::{self, Evidence};
use crate::store::audit::{self, Act};
use crate::store::{StoreError, anomalies};

/// Why an act was not done. Shown to whoever wanted it.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("{0}")]
    Missing(String),
    #[error("{field}: {text}")]
    Invalid { field: &'static str, text: String },
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub name: String,
    pub peer: Option<String>,
}

/// One thing that a person says of an asset; an empty text takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub field: &'static str,
    pub text: String,
}

/// A person's word on an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new value is right from now on.
    Accept,
    /// The old one stays right.
    Keep,
}

/// What may be said of an asset: its word in the API, in CSV and on the command line, and for people.
pub const FIELDS: &[(&str, &str, &str)] = &[
    ("name", "Name", "what people call it"),
    ("os", "Operating system", "what was found, where nothing is said"),
    ("kind", "Kind", "server, printer, phone, router"),
    ("description", "Description", "what it is for"),
    ("owner", "Owner", "who answers for it"),
    ("place", "Place", "room, rack, street"),
    ("latitude", "Latitude", "degrees, such as 40.4168"),
    ("longitude", "Longitude", "degrees, such as -3.7038"),
    ("value", "Asset value", "0 to 5; 2 is usual"),
    ("notes", "Notes", "what the next one should know"),
];

pub fn field(word: &str) -> Option<&'static str> {
    FIELDS.iter().map(|(field, ..)| *field).find(|field| *field == word)
}

/// What is said under this word; empty: nothing.
pub fn said(words: &AssetWords, field: &str) -> String {
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    match field {
        "name" => text(&words.name),
        "os" => text(&words.os),
        "kind" => text(&words.kind),
        "description" => text(&words.description),
        "owner" => text(&words.owner),
        "place" => text(&words.place),
        "latitude" => number(words.latitude),
        "longitude" => number(words.longitude),
        "value" => words.value.map(|value| value.to_string()).unwrap_or_default(),
        "notes" => text(&words.notes),
        _ => String::new(),
    }
}

const LINE_MAX: usize = 250;
const TEXT_MAX: usize = 8_000;

fn invalid<T>(field: &'static str, text: impl Into<String>) -> Result<T, EditError> {
    Err(EditError::Invalid { field, text: text.into() })
}

/// Reads one word of a person into what is known.
///
/// # Errors
/// What is wrong with it; nothing is changed then.
pub fn say(words: &mut AssetWords, change: &Change) -> Result<(), EditError> {
    let Change { field, text } = change;
    let is_long = matches!(*field, "notes" | "description");
    let clean: String = text.chars().filter(|c| !c.is_control() || (is_long && *c == '\n')).collect();
    let clean = clean.trim();
    let most = if is_long { TEXT_MAX } else { LINE_MAX };
    if clean.len() > most {
        return invalid(field, format!("too long: at most {most} bytes"));
    }
    let text: Option<Arc<str>> = (!clean.is_empty()).then(|| clean.into());
    match *field {
        "name" => words.name = text,
        "os" => words.os = text,
        "kind" => words.kind = text,
        "description" => words.description = text,
        "owner" => words.owner = text,
        "place" => words.place = text,
        "latitude" => words.latitude = degrees(field, text.as_deref(), 90.0)?,
        "longitude" => words.longitude = degrees(field, text.as_deref(), 180.0)?,
        "value" => words.value = value(text.as_deref())?,
        "notes" => words.notes = text,
        _ => return invalid(field, "no such field"),
    }
    Ok(())
}

fn degrees(field: &'static str, text: Option<&str>, most: f64) -> Result<Option<f64>, EditError> {
    let Some(text) = text else { return Ok(None) };
    match text.replace(',', ".").parse::<f64>() {
        Ok(degrees) if degrees.abs() <= most => Ok(Some(degrees)),
        Ok(_) | Err(_) => {
            invalid(field, format!("`{text}` is not a number of degrees from -{most} to {most}"))
        }
    }
}

fn value(text: Option<&str>) -> Result<Option<u8>, EditError> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(value @ 0..=5) => Ok(Some(value)),
        Ok(_) | Err(_) => invalid("value", format!("`{text}` is not a number from 0 to 5")),
    }
}

/// What the configuration says of a host stands there and is changed there.
pub(super) fn check_is_ours(
    asset: &Asset,
    changes: &[Change],
    inventory: &Inventory,
) -> Result<(), EditError> {
    let host = asset.host.as_deref().and_then(|host| inventory.host_id(host)).map(|id| inventory.host(id));
    let Some(host) = host else { return Ok(()) };
    let location = host.location.as_deref();
    let elsewhere = |field: &str| match field {
        "value" => Some("asset_value"),
        "latitude" => location.and_then(|location| location.latitude).map(|_| "location"),
        "longitude" => location.and_then(|location| location.longitude).map(|_| "location"),
        "place" => location.and_then(|location| location.place.as_ref()).map(|_| "location"),
        _ => None,
    };
    for change in changes.iter().filter(|change| said(&asset.set, change.field) != change.text) {
        if let Some(key) = elsewhere(change.field) {
            let name = &host.name;
            return invalid(
                change.field,
                format!(
                    "`{name}` is a host of the configuration, and its key `{key}` says this: change it there"
                ),
            );
        }
    }
    Ok(())
}

/// What a transaction came to: refusals of ours travel as values, so that the store's errors stay the store's.
type Outcome<T> = Result<T, EditError>;

impl Assets {
    async fn act<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<Outcome<T>> + Send + 'static,
    ) -> Result<T, EditError> {
        self.store().write(work).await?
    }

    /// Says something of an asset.
    ///
    /// # Errors
    /// When there is none, or a word of it cannot be taken: nothing is changed then.
    pub async fn edit(
        &self,
        id: AssetId,
        changes: Vec<Change>,
        who: Who,
        now: Timestamp,
    ) -> Result<Asset, EditError> {
        let inventory = Arc::clone(&self.world().inventory);
        self.act(move |connection| {
            let Some(mut asset) = assets::asset(connection, id)? else { return Ok(missing(id)) };
            if let Err(error) = check_is_ours(&asset, &changes, &inventory) {
                return Ok(Err(error));
            }
            let before = asset.set.clone();
            for change in &changes {
                if let Err(error) = say(&mut asset.set, change) {
                    return Ok(Err(error));
                }
            }
            let differs = differences(&before, &asset.set);
            if !differs.is_empty() {
                assets::save_words(connection, id, &asset.set)?;
                record(connection, &who, now, "edit-asset", asset.name(), differs.into())?;
            }
            Ok(Ok(asset))
        })
        .await
    }

    /// Makes one that no scan has seen.
    ///
    /// # Errors
    /// When an address is another's, or a word cannot be taken.
    pub async fn add(
        &self,
        addresses: Vec<IpAddr>,
        changes: Vec<Change>,
        who: Who,
        now: Timestamp,
    ) -> Result<Asset, EditError> {
        self.act(move |connection| {
            for address in &addresses {
                if let Some(id) = assets::find(connection, Evidence::Address(*address))?.first() {
                    let owner = assets::asset(connection, *id)?.map(|asset| asset.name().to_owned());
                    let text = format!("{address} is an address of `{}`", owner.unwrap_or_default());
                    return Ok(invalid("addresses", text));
                }
            }
            let mut asset = Asset { origin: AssetOrigin::Hand, ..Asset::default() };
            for change in &changes {
                if let Err(error) = say(&mut asset.set, change) {
                    return Ok(Err(error));
                }
            }
            let Some(name) =
                asset.set.name.clone().or_else(|| addresses.first().map(|one| one.to_string().into()))
            else {
                return Ok(invalid("name", "say a name or an address"));
            };
            asset.found_name = name;
            asset.addresses = addresses.into_iter().map(AssetAddress::new).collect();
            asset.id = assets::save(connection, &asset)?;
            assets::save_words(connection, asset.id, &asset.set)?;
            let differs = differences(&AssetWords::default(), &asset.set);
            record(connection, &who, now, "add-asset", asset.name(), differs.into())?;
            Ok(Ok(asset))
        })
        .await
    }

    /// Forgets an asset with its anomalies. The next scan that sees it begins anew.
    ///
    /// # Errors
    /// When there is none, or the configuration has it as a host.
    pub async fn forget(&self, id: AssetId, who: Who, now: Timestamp) -> Result<String, EditError> {
        let inventory = Arc::clone(&self.world().inventory);
        self.act(move |connection| {
            let Some(asset) = assets::asset(connection, id)? else { return Ok(missing(id)) };
            if let Some(host) = asset.host.as_deref().filter(|host| inventory.host_id(host).is_some()) {
                let text = format!("`{host}` is a host of the configuration: take it out there first");
                return Ok(Err(EditError::Refused(text)));
            }
            assets::forget(connection, id)?;
            record(connection, &who, now, "forget-asset", asset.name(), json!({}))?;
            Ok(Ok(asset.name().to_owned()))
        })
        .await
    }

    /// Says that something listens there, whatever scans see; or takes that back.
    ///
    /// # Errors
    /// When there is no such asset, or nothing was said of that port.
    pub async fn service(
        &self,
        id: AssetId,
        (port, transport): (u16, Transport),
        name: Option<String>,
        who: Who,
        now: Timestamp,
    ) -> Result<Asset, EditError> {
        self.act(move |connection| {
            let Some(mut asset) = assets::asset(connection, id)? else { return Ok(missing(id)) };
            let at = asset.services.iter().position(|one| (one.port, one.transport) == (port, transport));
            let subject = format!("{port}/{}", transport.name());
            match (at.and_then(|at| asset.services.get_mut(at)), &name) {
                (Some(known), Some(name)) => {
                    known.origins.by_hand = true;
                    if !known.is_sure && !name.trim().is_empty() {
                        known.name = name.trim().into();
                    }
                }
                (None, Some(name)) => asset.services.push(AssetService {
                    port,
                    transport,
                    name: name.trim().into(),
                    origins: ServiceOrigins { by_hand: true, ..ServiceOrigins::default() },
                    ..AssetService::default()
                }),
                (Some(known), None) if known.origins.by_hand && known.origins.active => {
                    known.origins.by_hand = false;
                }
                (Some(_), None) => {
                    assets::forget_service(connection, id, port, transport)?;
                    asset.services.retain(|one| (one.port, one.transport) != (port, transport));
                }
                (None, None) => return Ok(invalid("port", format!("no service at {subject} is known"))),
            }
            assets::save(connection, &asset)?;
            let action = if name.is_some() { "add-asset-service" } else { "remove-asset-service" };
            record(connection, &who, now, action, asset.name(), json!({ "service": subject, "name": name }))?;
            Ok(Ok(asset))
        })
        .await
    }

    /// A person's word on an anomaly.
    ///
    /// # Errors
    /// When there is none, or it is settled already.
    pub async fn settle(
        &self,
        id: AnomalyId,
        verdict: Verdict,
        who: Who,
        now: Timestamp,
    ) -> Result<(), EditError> {
        self.act(move |connection| {
            let Some(anomaly) = anomalies::anomaly(connection, id)? else {
                return Ok(Err(EditError::Missing(format!("there is no anomaly {id}"))));
            };
            let status = match verdict {
                Verdict::Accept => AnomalyStatus::Accepted,
                Verdict::Keep => AnomalyStatus::Kept,
            };
            if anomaly.status == status || !anomalies::settle(connection, id, status, &who.name, now)? {
                let text = format!("anomaly {id} is {} already", anomaly.status.word());
                return Ok(Err(EditError::Refused(text)));
            }
            let is_gone = anomaly.kind == AnomalyKind::ServiceGone && verdict == Verdict::Accept;
            if let Some((port, transport)) = service_of(&anomaly.subject).filter(|_| is_gone) {
                assets::forget_service(connection, anomaly.asset, port, transport)?;
            }
            let asset = assets::asset(connection, anomaly.asset)?;
            let name = asset.map(|asset| asset.name().to_owned()).unwrap_or_default();
            let action = match verdict {
                Verdict::Accept => "accept-anomaly",
                Verdict::Keep => "keep-anomaly",
            };
            let detail = json!({
                "anomaly": id.0, "kind": anomaly.kind.word(), "subject": &*anomaly.subject,
                "old": &*anomaly.old, "new": &*anomaly.new,
            });
            record(connection, &who, now, action, &name, detail)?;
            Ok(Ok(()))
        })
        .await
    }
}

fn missing<T>(id: AssetId) -> Outcome<T> {
    Err(EditError::Missing(format!("there is no asset {id}")))
}

/// `22/tcp`.
pub fn service_of(subject: &str) -> Option<(u16, Transport)> {
    let (port, transport) = subject.split_once('/').unwrap_or((subject, "tcp"));
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    Some((port, Transport::from_name(transport)?))
}

/// Old and new of what a person changed.
pub(super) fn differences(
    before: &AssetWords,
    after: &AssetWords,
) -> serde_json::Map<String, serde_json::Value> {
    let each = FIELDS.iter().filter_map(|(field, ..)| {
        let (old, new) = (said(before, field), said(after, field));
        (old != new).then(|| ((*field).to_owned(), json!({ "old": old, "new": new })))
    });
    each.collect()
}

pub(super) fn record(
    connection: &Connection,
    who: &Who,
    at: Timestamp,
    action: &str,
    subject: &str,
    detail: serde_json::Value,
) -> rusqlite::Result<()> {
    let (author, peer) = (who.name.clone(), who.peer.clone());
    let act = Act { at, author, peer, action: action.to_owned(), subject: subject.to_owned(), detail };
    audit::insert(connection, &act)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(field: &'static str, text: &str) -> Change {
        Change { field, text: text.to_owned() }
    }

    #[test]
    fn every_field_is_read_back_as_it_was_said() {
        let mut words = AssetWords::default();
        let said_of = |field: &str| match field {
            "latitude" => "40.4168",
            "longitude" => "-3.7038",
            "value" => "5",
            _ => "words",
        };
        for (field, ..) in FIELDS {
            say(&mut words, &change(field, said_of(field))).unwrap();
            assert_eq!(said(&words, field), said_of(field), "{field}");
        }
        for (field, ..) in FIELDS {
            say(&mut words, &change(field, " ")).unwrap();
        }
        assert_eq!(words, AssetWords::default());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        let mut words = AssetWords::default();
        for (field, text) in [("latitude", "91"), ("longitude", "east"), ("value", "6"), ("latitude", "NaN")]
        {
            let refused = say(&mut words, &change(field, text)).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{field}: `{text}` is not a number")), "{refused}");
        }
        assert_eq!(words, AssetWords::default());
        say(&mut words, &change("name", "a\u{1b}[31mb")).unwrap();
        assert_eq!(words.name.as_deref(), Some("a[31mb"));
    }
}
