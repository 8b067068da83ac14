//! Searching assets: conditions that all hold, an order, a page. What is known of the running world alone (states,
//! groups, what is monitored) comes in as names of hosts.

use std::net::IpAddr;

use rusqlite::Connection;
use rusqlite::types::Value;
use vigia_core::model::anomaly::AnomalyKind;
use vigia_core::model::asset::{Asset, Transport};
use vigia_core::model::id::TicketId;
use vigia_core::model::time::Timestamp;

use super::sort_key;
use crate::store::query::{Conditions, Page, Slice, Sorted, holding};
use crate::store::rows::{signed, unsigned};

/// Which assets, and in which order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetFilter {
    /// All of them hold.
    pub terms: Vec<Term>,
    pub sorted: AssetSorted,
    pub slice: Slice,
}

/// By name, the first first, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetSorted(pub Sorted<AssetSort>);

impl Default for AssetSorted {
    fn default() -> Self {
        Self(Sorted { by: AssetSort::Name, is_descending: false })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    pub is_negated: bool,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Anywhere in what is known of it.
    Text(String),
    Name(String),
    Os(String),
    Mac(String),
    Owner(String),
    Place(String),
    Kind(String),
    /// In any of these ranges, ends included.
    Within(Vec<(IpAddr, IpAddr)>),
    Port(u16, u16, Option<Transport>),
    Service(String),
    /// Product and version.
    Version(String),
    /// Is one of these hosts of the configuration.
    Hosts(Vec<String>),
    /// Is none of these.
    NoneOf(Vec<String>),
    Stale,
    /// A scan has seen it since then.
    SeenSince(Timestamp),
    /// Has a ticket that is not closed, of its own or of an anomaly.
    OpenTicket,
    Ticket(TicketId),
    /// Has one that is open: any, or of this kind.
    Anomaly(Option<AnomalyKind>),
    /// Values from and to, ends included.
    Value(ValueTest),
}

/// What is no host of the configuration has a person's value, or the usual one; the others are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueTest {
    pub from: u8,
    pub to: u8,
    pub usual: u8,
    pub hosts: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssetSort {
    #[default]
    Name,
    Address,
    Os,
    FirstSeen,
    LastSeen,
}

impl AssetSort {
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "name" => Some(Self::Name),
            "address" => Some(Self::Address),
            "os" => Some(Self::Os),
            "first_seen" => Some(Self::FirstSeen),
            "last_seen" => Some(Self::LastSeen),
            _ => None,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Name => &["coalesce(set_name, host, asset.name) COLLATE NOCASE"],
            Self::Address => &["(SELECT min(sort) FROM asset_address WHERE asset_address.asset = asset.id)"],
            Self::Os => &["coalesce(set_os, os) COLLATE NOCASE"],
            Self::FirstSeen => &["first_seen"],
            Self::LastSeen => &["last_seen"],
        }
    }
}

/// Columns of the asset itself that free text is looked for in.
const TEXTS: &[&str] = &[
    "asset.name",
    "host",
    "names",
    "os",
    "set_name",
    "set_os",
    "kind",
    "description",
    "owner",
    "place",
    "notes",
];

fn likes(columns: &[&str], text: &str) -> (String, Vec<Value>) {
    let clauses: Vec<String> =
        columns.iter().map(|column| format!("coalesce({column}, '') LIKE ? ESCAPE '\\'")).collect();
    (clauses.join(" OR "), columns.iter().map(|_| Value::Text(holding(text))).collect())
}

/// Assets with a row of another table in which one of the columns holds the text.
fn through(table: &str, columns: &[&str], text: &str) -> (String, Vec<Value>) {
    let (clause, values) = likes(columns, text);
    (format!("asset.id IN (SELECT asset FROM {table} WHERE {clause})"), values)
}

impl Test {
    fn sql(&self) -> (String, Vec<Value>) {
        match self {
            Self::Text(text) => {
                let parts = [
                    likes(TEXTS, text),
                    through("asset_address", &["address", "mac", "vendor"], text),
                    through("asset_service", &["name", "product", "version", "note"], text),
                ];
                let clauses: Vec<&str> = parts.iter().map(|(clause, _)| clause.as_str()).collect();
                (clauses.join(" OR "), parts.iter().flat_map(|(_, values)| values.clone()).collect())
            }
            Self::Name(text) => likes(&["asset.name", "host", "names", "set_name"], text),
            Self::Os(text) => likes(&["coalesce(set_os, os)"], text),
            Self::Owner(text) => likes(&["owner"], text),
            Self::Place(text) => likes(&["place"], text),
            Self::Kind(text) => likes(&["kind"], text),
            Self::Mac(text) => through("asset_address", &["mac", "vendor"], text),
            Self::Service(text) => through("asset_service", &["name"], text),
            Self::Version(text) => {
                through("asset_service", &["coalesce(product, '') || ' ' || coalesce(version, '')"], text)
            }
            Self::Within(ranges) => within(ranges),
            Self::Port(from, to, transport) => {
                let of = transport.map_or("", |_| " AND transport = ?");
                let clause = format!(
                    "asset.id IN (SELECT asset FROM asset_service WHERE port BETWEEN ? AND ? AND gone IS NULL{of})"
                );
                let mut values = vec![Value::Integer((*from).into()), Value::Integer((*to).into())];
                values.extend(transport.map(|transport| Value::Text(transport.name().to_owned())));
                (clause, values)
            }
            Self::Hosts(hosts) => (
                "host IS NOT NULL AND host IN (SELECT value FROM json_each(?))".to_owned(),
                vec![Value::Text(serde_json::json!(hosts).to_string())],
            ),
            Self::NoneOf(hosts) => {
                let (clause, values) = Self::Hosts(hosts.clone()).sql();
                (format!("NOT ({clause})"), values)
            }
            Self::Stale => ("stale IS NOT NULL".to_owned(), Vec::new()),
            Self::SeenSince(at) => {
                ("coalesce(last_seen, 0) >= ?".to_owned(), vec![Value::Integer(at.as_micros())])
            }
            Self::OpenTicket => (ticketed("ticket.status <> 'Closed'"), Vec::new()),
            Self::Ticket(id) => {
                let id = Value::Integer(signed(id.0));
                (ticketed("ticket.id = ?"), vec![id.clone(), id])
            }
            Self::Anomaly(None) => {
                ("asset.id IN (SELECT asset FROM anomaly WHERE status = 'open')".to_owned(), Vec::new())
            }
            Self::Anomaly(Some(kind)) => (
                "asset.id IN (SELECT asset FROM anomaly WHERE status = 'open' AND anomaly.kind = ?)"
                    .to_owned(),
                vec![Value::Text(kind.word().to_owned())],
            ),
            Self::Value(test) => {
                let (clause, mut values) = Self::Hosts(test.hosts.clone()).sql();
                let numbers = [test.usual, test.from, test.to];
                values.extend(numbers.map(|number| Value::Integer(number.into())));
                (format!("({clause}) OR (host IS NULL AND coalesce(value, ?) BETWEEN ? AND ?)"), values)
            }
        }
    }
}

fn ticketed(clause: &str) -> String {
    format!(
        "coalesce(host, '') IN (SELECT object.host FROM ticket JOIN object ON object.id = ticket.object WHERE {clause}) \
         OR asset.id IN (SELECT anomaly.asset FROM anomaly JOIN ticket ON ticket.id = anomaly.ticket WHERE {clause})"
    )
}

fn within(ranges: &[(IpAddr, IpAddr)]) -> (String, Vec<Value>) {
    if ranges.is_empty() {
        return ("0".to_owned(), Vec::new());
    }
    let clause = vec!["sort BETWEEN ? AND ?"; ranges.len()].join(" OR ");
    let values = ranges.iter().flat_map(|(from, to)| [*from, *to]);
    (
        format!("asset.id IN (SELECT asset FROM asset_address WHERE {clause})"),
        values.map(|address| Value::Blob(sort_key(address).to_vec())).collect(),
    )
}

fn conditions(terms: &[Term]) -> Conditions {
    let mut conditions = Conditions::default();
    for term in terms {
        let (clause, values) = term.test.sql();
        let not = if term.is_negated { "NOT " } else { "" };
        conditions.bound(&format!("{not}({clause})"), values);
    }
    conditions
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetLine {
    pub asset: Asset,
    /// Of its anomalies.
    pub open: u64,
}

pub fn list(connection: &Connection, filter: &AssetFilter) -> rusqlite::Result<Page<AssetLine>> {
    let conditions = conditions(&filter.terms);
    let total = conditions.count(connection, "asset")?;
    let select = format!(
        "SELECT {}, (SELECT count(*) FROM anomaly WHERE anomaly.asset = asset.id AND anomaly.status = 'open') FROM asset",
        super::COLUMNS
    );
    let order = filter.sorted.0.sql(AssetSort::columns, "asset.id");
    let rows = conditions.rows(connection, &select, &order, filter.slice, |row| {
        Ok((super::read(row)?, row.get(23).map(unsigned)?))
    })?;
    let items = rows
        .into_iter()
        .map(|(asset, open)| Ok(AssetLine { asset: super::whole(connection, asset)?, open }))
        .collect::<rusqlite::Result<_>>()?;
    Ok(Page { total, items })
}

/// How many assets match.
pub fn count(connection: &Connection, terms: &[Term]) -> rusqlite::Result<u64> {
    conditions(terms).count(connection, "asset")
}

/// Every address and whose it is.
pub fn addresses(
    connection: &Connection,
) -> rusqlite::Result<std::collections::HashMap<IpAddr, vigia_core::model::id::AssetId>> {
    let mut all = connection.prepare("SELECT address, asset FROM asset_address")?;
    let rows = all.query_map([], |row| {
        let address: String = row.get(0)?;
        Ok((address, vigia_core::model::id::AssetId(row.get(1).map(unsigned)?)))
    })?;
    rows.filter_map(|row| match row {
        Ok((address, id)) => address.parse().ok().map(|address| Ok((address, id))),
        Err(error) => Some(Err(error)),
    })
    .collect()
}
