//! Tickets behind the seam: what only the store knows of them.

use serde_json::json;
use vigia_core::model::id::TicketId;
use vigia_core::model::operation::{Operation, Order};
use vigia_core::model::suppression::FALSE_POSITIVE;

use super::{House, count, who};
use crate::deliver;
use crate::deliver::{Letter, Template};
use crate::store::suppressions::{self, SuppressionFilter};
use crate::store::tickets::types::{self, TypeRefusal};
use crate::store::tickets::{self, Ticket, TicketFilter, TicketWithNotes};
use crate::store::{anomalies, audit, ticket_mail};
use crate::web::backend::{By, Cut, KeptSuppression, Trouble, TypeChange};

impl House {
    pub(super) async fn tickets_of(&self, filter: TicketFilter) -> Result<Cut<Ticket>, Trouble> {
        let page = self.store.read(move |connection| tickets::list(connection, &filter)).await?;
        Ok((count(page.total), page.items))
    }

    pub(super) async fn one_ticket(&self, id: TicketId) -> Result<TicketWithNotes, Trouble> {
        let found = self.store.read(move |connection| tickets::ticket(connection, id)).await?;
        found.ok_or_else(|| missing(id))
    }

    pub(super) async fn suppressions_of(
        &self,
        filter: SuppressionFilter,
    ) -> Result<Cut<KeptSuppression>, Trouble> {
        let page = self.store.read(move |connection| suppressions::list(connection, &filter)).await?;
        Ok((count(page.total), page.items))
    }

    /// A ticket that is closed as a false positive: of which anomaly it is, only the store knows.
    pub(super) async fn with_anomaly(&self, mut order: Order) -> Result<Order, Trouble> {
        if let Operation::NoteTicket { id, note, .. } = &mut order.operation
            && note.resolution.as_deref().is_some_and(|word| word.eq_ignore_ascii_case(FALSE_POSITIVE))
        {
            let id = *id;
            note.false_positive.anomaly =
                self.store.read(move |connection| anomalies::meant_by(connection, id)).await?;
        }
        Ok(order)
    }

    pub(super) async fn change_type(&self, change: TypeChange, by: By) -> Result<u64, Trouble> {
        let (action, subject, detail) = match &change {
            TypeChange::Add { name, description } => {
                ("add-ticket-type", name.clone(), json!({"description": description}))
            }
            TypeChange::Change { name, to, description } => {
                ("change-ticket-type", name.clone(), json!({"name": to, "description": description}))
            }
            TypeChange::Delete { name } => ("delete-ticket-type", name.clone(), json!({})),
        };
        let act = who(by).act(self.handle.now(), action, &subject, detail);
        let changed = self.store.write(move |connection| {
            let changed = match &change {
                TypeChange::Add { name, description } => {
                    types::add(connection, name, description)?.map(|()| 0)
                }
                TypeChange::Change { name, to, description } => {
                    types::change(connection, name, to, description)?.map(|()| 0)
                }
                TypeChange::Delete { name } => types::delete(connection, name)?,
            };
            if changed.is_ok() {
                audit::insert(connection, &act)?;
            }
            Ok(changed)
        });
        changed.await?.map_err(|refusal| match &refusal {
            TypeRefusal::Unknown(_) => Trouble::Missing(refusal.to_string()),
            TypeRefusal::Exists(_) | TypeRefusal::System(_) => Trouble::Refused(refusal.to_string()),
        })
    }

    pub(super) async fn template_of_tickets(&self) -> Result<Option<Template>, Trouble> {
        let kept = self.store.read(ticket_mail::template).await?;
        Ok(kept.map(|(subject, body)| Template { subject, body }))
    }

    pub(super) async fn change_template(&self, template: Option<Template>, by: By) -> Result<(), Trouble> {
        let action = if template.is_some() { "change-ticket-template" } else { "reset-ticket-template" };
        let detail = json!({"subject": template.as_ref().map(|template| &template.subject)});
        let act = who(by).act(self.handle.now(), action, "", detail);
        let written = self.store.write(move |connection| {
            let template =
                template.as_ref().map(|template| (template.subject.as_str(), template.body.as_str()));
            ticket_mail::set_template(connection, template)?;
            audit::insert(connection, &act)
        });
        Ok(written.await?)
    }

    pub(super) async fn previewed(&self, id: TicketId, template: Template) -> Result<Letter, Trouble> {
        let (whole, now) = (self.one_ticket(id).await?, self.handle.now());
        Ok(deliver::preview_ticket(&self.handle.world(), &template, &whole, None, now))
    }

    pub(super) async fn subscribe_to(
        &self,
        id: TicketId,
        name: String,
        is_to: bool,
        by: By,
    ) -> Result<(), Trouble> {
        let action = if is_to { "subscribe" } else { "unsubscribe" };
        let now = self.handle.now();
        let done = self.store.write(move |connection| {
            let Some(head) = tickets::head(connection, id)? else { return Ok(None) };
            match is_to {
                true => tickets::subscribe(connection, id, &name)?,
                false => tickets::unsubscribe(connection, id, &name)?,
            }
            let act = who(by).act(now, action, &head.reference().to_string(), json!({"name": name}));
            audit::insert(connection, &act)?;
            Ok(Some(()))
        });
        done.await?.ok_or_else(|| missing(id))
    }
}

fn missing(id: TicketId) -> Trouble {
    Trouble::Missing(format!("there is no ticket {id}"))
}
