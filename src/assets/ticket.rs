//! Tickets of anomalies: by rule and by hand, through the engine like every other ticket. One problem, one ticket: while the
//! ticket of an earlier anomaly of the same kind about the same thing is not closed, it gets a note.

use std::net::IpAddr;
use std::sync::Arc;

use vigia_core::model::anomaly::{Anomaly, AnomalyStatus, weighed};
use vigia_core::model::asset::Asset;
use vigia_core::model::id::{AnomalyId, Checkable, ObjectKey, TicketId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Fields, NewTicket, Operation, Order, TicketNote};
use vigia_core::model::rule::{Rule, RuleSource, TicketAction};
use vigia_core::model::selector::{Net, Target};
use vigia_core::model::ticket::TicketClass;
use vigia_core::model::time::Timestamp;

use super::edit::EditError;
use super::{Assets, value};
use crate::store::{StoreError, anomalies, assets};

/// Who writes what no person wrote.
const AUTHOR: &str = "vigia";
/// Where a ticket's priority starts from, before the value of the asset counts. (`ossim-tickets.md` 8.4)
const PRIORITY: u8 = 5;
/// What rules say where they say no type.
const UNSAID: &str = "Availability";
/// And what that means for an anomaly.
const TYPE: &str = "Anomalies";

impl Assets {
    /// Rules over every anomaly that they have not seen. One whose ticket could not be opened is seen again next time.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn consider_rules(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let fresh = self.store().read(anomalies::unruled).await?;
            let is_all = fresh.len() < anomalies::AT_ONCE;
            for anomaly in fresh {
                let id = anomaly.id;
                if let Err(why) = self.by_rule(&anomaly, now).await? {
                    tracing::warn!(event = "anomaly.no_ticket", error = %why, "a rule wants a ticket, and there is none; the next scan tries again");
                    return Ok(());
                }
                self.store().write_lightly(move |connection| anomalies::set_ruled(connection, id)).await?;
            }
            if is_all {
                return Ok(());
            }
        }
    }

    async fn by_rule(&self, anomaly: &Anomaly, now: Timestamp) -> Result<Result<(), String>, StoreError> {
        let id = anomaly.asset;
        let asset = self.store().read(move |connection| assets::asset(connection, id)).await?;
        let Some(asset) = asset.filter(|_| anomaly.status == AnomalyStatus::Open) else { return Ok(Ok(())) };
        let world = self.world();
        let inventory = &world.inventory;
        // Somebody called the last one a false positive; this one is on the list of anomalies all the same.
        if world.suppression_of_anomaly(asset.name(), anomaly.kind, &anomaly.subject).is_some() {
            return Ok(Ok(()));
        }
        let Some((rule, action)) = chosen(inventory, &asset, anomaly, now) else { return Ok(Ok(())) };
        let ticket = NewTicket {
            r#type: if &*action.r#type == UNSAID { TYPE.into() } else { Arc::clone(&action.r#type) },
            priority: action.priority.unwrap_or_else(|| weighed(PRIORITY, value::of(&asset, inventory))),
            in_charge: action.in_charge.clone().or_else(|| inventory.in_charge.clone()),
            tags: action.tags.clone(),
            ..draft(&asset, anomaly, inventory)
        };
        let ticket = NewTicket { text: format!("{}\nRule: {}", ticket.text, rule.name).into(), ..ticket };
        self.open(anomaly, ticket, AUTHOR.into()).await
    }

    /// A person wants a ticket of it.
    ///
    /// # Errors
    /// When there is no such anomaly, it has one, or the engine says no.
    pub async fn ticket_by_hand(
        &self,
        id: AnomalyId,
        author: &str,
        in_charge: Option<Arc<str>>,
    ) -> Result<TicketId, EditError> {
        let found = self
            .store()
            .read(move |connection| {
                let anomaly = anomalies::anomaly(connection, id)?;
                let asset = anomaly.as_ref().map(|one| assets::asset(connection, one.asset)).transpose()?;
                Ok(anomaly.zip(asset.flatten()))
            })
            .await?;
        let (anomaly, asset) =
            found.ok_or_else(|| EditError::Missing(format!("there is no anomaly {id}")))?;
        let world = self.world();
        let mut ticket = draft(&asset, &anomaly, &world.inventory);
        ticket.priority = weighed(PRIORITY, value::of(&asset, &world.inventory));
        ticket.in_charge = in_charge;
        self.open(&anomaly, ticket, author.into()).await?.map_err(EditError::Refused)?;
        let kept = self.store().read(move |connection| anomalies::anomaly(connection, id)).await?;
        kept.and_then(|one| one.ticket).ok_or_else(|| {
            EditError::Refused(
                "the ticket is opened, but not yet on the disk: do not open it again".to_owned(),
            )
        })
    }

    /// Opens it, or notes it in the one that is open.
    async fn open(
        &self,
        anomaly: &Anomaly,
        ticket: NewTicket,
        author: Arc<str>,
    ) -> Result<Result<(), String>, StoreError> {
        let this = anomaly.clone();
        let open = self.store().read(move |connection| anomalies::open_ticket(connection, &this)).await?;
        let operation = match open {
            Some(id) => {
                let text = format!("Again: {}\n{}", ticket.title, ticket.text);
                Operation::NoteTicket {
                    id,
                    version: None,
                    note: Box::new(TicketNote { text: text.into(), ..TicketNote::default() }),
                }
            }
            None => Operation::OpenTicket { ticket: Box::new(ticket) },
        };
        let opened = match (self.orders)(Order { author, operation }).await {
            Ok(opened) => opened.or(open),
            Err(why) => return Ok(Err(why)),
        };
        // There is one, which the disk does not have yet: better without its number here than twice.
        let Some(opened) = opened else { return Ok(Ok(())) };
        let id = anomaly.id;
        self.store().write(move |connection| anomalies::set_ticket(connection, id, opened)).await?;
        Ok(Ok(()))
    }
}

/// The rule of the highest priority that wants a ticket, unless one says that none is wanted.
fn chosen<'a>(
    inventory: &'a Inventory,
    asset: &Asset,
    anomaly: &Anomaly,
    now: Timestamp,
) -> Option<(&'a Rule, &'a TicketAction)> {
    let matching: Vec<&Rule> =
        inventory.rules.iter().filter(|rule| applies(rule, inventory, asset, anomaly, now)).collect();
    if matching.iter().any(|rule| rule.suppress) {
        return None;
    }
    let wanting = matching.into_iter().filter_map(|rule| Some((rule, rule.ticket.as_ref()?)));
    wanting.max_by_key(|(rule, _)| rule.priority)
}

fn applies(rule: &Rule, inventory: &Inventory, asset: &Asset, anomaly: &Anomaly, now: Timestamp) -> bool {
    let when = &rule.when;
    let periods = vigia_core::engine::period::Periods(&inventory.periods);
    when.sources.contains(&RuleSource::Anomaly)
        && (when.anomaly.is_empty() || when.anomaly.iter().any(|kind| kind == anomaly.kind.word()))
        && anomaly.severity >= when.severity
        && when.text.as_ref().is_none_or(|text| text.is_match(&told(anomaly)))
        && periods.is_inside(when.period, now)
        && is_meant(rule, inventory, asset)
}

/// A host of the configuration by all that it says; what is none by its name and addresses alone.
fn is_meant(rule: &Rule, inventory: &Inventory, asset: &Asset) -> bool {
    let host = asset.host.as_deref().and_then(|host| inventory.host_id(host));
    if let Some(host) = host {
        return vigia_core::engine::selection::selects(inventory, &rule.when.only, Checkable::Host(host));
    }
    let is_in = |holds: &dyn Fn(IpAddr) -> bool| asset.addresses.iter().any(|one| holds(one.address));
    rule.when.only.holds(|target| match target {
        Target::Hosts(glob) => glob.matches(asset.name()),
        Target::Net(Net::Cidr(net)) => is_in(&|address| net.contains(&address)),
        Target::Net(Net::Named(name)) => inventory
            .networks
            .iter()
            .filter(|network| network.name == *name)
            .any(|network| is_in(&|address| network.cidr.iter().any(|net| net.contains(&address)))),
        Target::Group(_) | Target::Tag { .. } | Target::ServiceGroup(_) | Target::Services { .. } => false,
    })
}

/// `22/tcp OpenSSH 9.2 → OpenSSH 9.6`.
fn told(anomaly: &Anomaly) -> String {
    let values = match (&*anomaly.old, &*anomaly.new) {
        ("", new) => new.to_owned(),
        (old, "") => old.to_owned(),
        (old, new) => format!("{old} → {new}"),
    };
    if anomaly.subject.is_empty() { values } else { format!("{} {values}", anomaly.subject) }
}

/// What the class of the ticket has places for (`ossim-tickets.md` 1.5).
fn fields(anomaly: &Anomaly, host: &str) -> Fields {
    let port = anomaly.subject.split_once('/').map_or("", |(port, _)| port);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let all = [
        ("kind", anomaly.kind.word()),
        ("host", host),
        ("port", if is_port { port } else { "" }),
        ("previous", &*anomaly.old),
        ("new", &*anomaly.new),
    ];
    let said = all.into_iter().filter(|(_, text)| !text.is_empty());
    let mut fields: Fields = said.map(|(key, text)| (key.into(), text.into())).collect();
    fields.insert("when".into(), anomaly.last.to_string().into());
    fields
}

fn draft(asset: &Asset, anomaly: &Anomaly, inventory: &Inventory) -> NewTicket {
    let subject = asset.host.as_deref().filter(|host| inventory.host_id(host).is_some()).map(ObjectKey::host);
    let name = asset.name();
    let title: String = format!("{name}: {}, {}", anomaly.kind.title().to_lowercase(), told(anomaly))
        .chars()
        .take(240)
        .collect();
    let addresses: Vec<String> = asset.addresses.iter().map(|one| one.address.to_string()).collect();
    let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let mut text = format!(
        "Anomaly: {} ({})\nHost: {name}\nAddress: {}",
        anomaly.kind.title(),
        anomaly.kind.word(),
        addresses.join(", ")
    );
    if !anomaly.subject.is_empty() {
        text.push_str(&format!("\nSubject: {}", anomaly.subject));
    }
    text.push_str(&format!(
        "\nPrevious: {}\nNew: {}\nSeen: {}",
        dash(&anomaly.old),
        dash(&anomaly.new),
        anomaly.last
    ));
    NewTicket {
        class: TicketClass::Anomaly,
        r#type: TYPE.into(),
        title: title.into(),
        text: text.into(),
        priority: PRIORITY,
        in_charge: None,
        subject,
        alarm: None,
        tags: Vec::new(),
        fields: fields(anomaly, name),
    }
}
