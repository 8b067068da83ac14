//! Where a message goes by the configuration of now: a webhook or a program of its contact, rule or handler.

use vigia_core::model::contact::Webhook;
use vigia_core::model::id::{Checkable, Name, ObjectKey};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::message::Addressee;
use vigia_core::model::policy::{Handler, Own};
use vigia_core::model::rule::Rule;

pub(super) fn webhook<'i>(inventory: &'i Inventory, whose: &Addressee) -> Option<&'i Webhook> {
    match whose {
        Addressee::Contact(name) => inventory.contact(name)?.webhook.as_ref(),
        Addressee::Rule(name) => rule(inventory, name)?.webhook.as_ref(),
        Addressee::Handler | Addressee::HandlerOfAll => None,
    }
}

pub(super) fn run<'i>(
    inventory: &'i Inventory,
    whose: &Addressee,
    subject: Option<&ObjectKey>,
) -> Option<&'i Vec<String>> {
    match whose {
        Addressee::Contact(name) => inventory.contact(name)?.run.as_ref(),
        Addressee::Rule(name) => rule(inventory, name)?.run.as_ref(),
        Addressee::Handler => words(own(inventory, subject?)?.event_handler.as_ref()?),
        Addressee::HandlerOfAll => {
            let handlers = &inventory.handlers;
            let of_all = if subject?.service.is_some() { &handlers.service } else { &handlers.host };
            words(of_all.as_ref()?)
        }
    }
}

fn words(handler: &Handler) -> Option<&Vec<String>> {
    match handler {
        Handler::Run(words) => Some(words),
        Handler::Command(_) => None,
    }
}

fn own<'i>(inventory: &'i Inventory, subject: &ObjectKey) -> Option<&'i Own> {
    match inventory.find(subject)? {
        Checkable::Host(id) => inventory.host(id).own.as_deref(),
        Checkable::Service(id) => inventory.service(id).own.as_deref(),
    }
}

fn rule<'i>(inventory: &'i Inventory, name: &Name) -> Option<&'i Rule> {
    inventory.rules.iter().find(|rule| rule.name == *name)
}
