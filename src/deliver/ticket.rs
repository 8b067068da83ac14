//! What happened to a ticket, as mail to whoever wants to hear of it: subscribers and who is in charge. The store says with
//! the event that there is something to tell; here it becomes messages, in the transaction that takes the request away,
//! so that a crash between the two tells nothing twice and forgets nothing. (`ossim-tickets.md` 6)

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use vigia_core::engine::world::World;
use vigia_core::model::contact::Contact;
use vigia_core::model::id::{Checkable, Name};
use vigia_core::model::message::{About, Channel, Message, MessageId, TicketMail};
use vigia_core::model::ticket::PriorityWord;
use vigia_core::model::time::Timestamp;

use super::settings::Settings;
use crate::store::ticket_mail::{self, Pending};
use crate::store::tickets::{self, Note, TicketWithNotes};
use crate::store::{Store, StoreError, users};
use crate::wording::ticket::{Letter, Template, Values, letter};

/// Requests that are read at once.
const AT_ONCE: u32 = 50;

/// Notes of a history that a mail holds.
const NOTES: usize = 50;

/// Makes messages of everything that is to be told. How many requests that were.
pub(super) async fn make_messages(
    store: &Store,
    world: &Arc<World>,
    settings: &Settings,
) -> Result<usize, StoreError> {
    let (world, url, from) = (Arc::clone(world), settings.url.clone(), settings.mail.from.clone());
    let asked = store.read(move |db| {
        let template = ticket_mail::template(db)?;
        let template = template.map_or_else(Template::default, |(subject, body)| Template { subject, body });
        let mut asked: Vec<(Pending, Vec<Message>)> = Vec::new();
        for pending in ticket_mail::pending(db, AT_ONCE)? {
            let Some(whole) = tickets::ticket(db, pending.ticket)? else {
                asked.push((pending, Vec::new()));
                continue;
            };
            let mut people: BTreeSet<Name> = BTreeSet::new();
            for name in whole.subscribers.iter().chain(&whole.ticket.in_charge) {
                let contact = users::user(db, name)?.and_then(|user| user.contact);
                people.extend(contacts(&world, name, contact.as_deref()));
            }
            let about =
                About::Ticket(Arc::new(mail(&world, &template, &whole, &pending, &people, url.as_deref())));
            let messages = people.iter().filter_map(|name| world.inventory.contact(name));
            let messages = messages.filter_map(|contact| message(contact, &pending, about.clone(), &from));
            let messages = messages.collect();
            asked.push((pending, messages));
        }
        Ok(asked)
    });
    let asked = asked.await?;
    let count = asked.len();
    if count > 0 {
        store
            .write(move |db| {
                for (pending, messages) in &asked {
                    for message in messages {
                        crate::store::outbox::insert(db, message)?;
                    }
                    ticket_mail::done(db, pending.id)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(count)
}

/// Who a name of a ticket is: a contact, the members of a team, or the contact of a user.
fn contacts(world: &World, name: &str, of_user: Option<&str>) -> Vec<Name> {
    let inventory = &world.inventory;
    let found = inventory.contact(name).or_else(|| inventory.contact(of_user?));
    match (found, inventory.contactgroup(name)) {
        (Some(contact), _) => vec![contact.name.clone()],
        (None, Some(group)) => group.members.clone(),
        (None, None) => Vec::new(),
    }
}

/// By mail alone, and never to ourselves. None: the contact has no address.
fn message(contact: &Contact, pending: &Pending, about: About, from: &str) -> Option<Message> {
    let addresses = contact.email.iter().filter(|address| !address.eq_ignore_ascii_case(from));
    let channels: Vec<Channel> = addresses.map(|address| Channel::Email(address.as_str().into())).collect();
    let sequence = if pending.note.is_none() { 0 } else { pending.id };
    (!channels.is_empty()).then(|| Message {
        id: MessageId::of_ticket(pending.ticket, sequence, &contact.name),
        at: pending.at,
        contact: contact.name.clone(),
        channels,
        about,
    })
}

fn mail(
    world: &World,
    template: &Template,
    whole: &TicketWithNotes,
    pending: &Pending,
    people: &BTreeSet<Name>,
    url: Option<&str>,
) -> TicketMail {
    let cause = whole.notes.iter().find(|note| Some(note.id) == pending.note);
    let told = Told { what: &pending.what, author: &pending.author, cause, at: pending.at };
    let letter = letter(template, &values(world, whole, &told, people, url));
    TicketMail {
        reference: whole.ticket.head.reference(),
        what: pending.what.as_str().into(),
        subject: letter.subject.into(),
        text: letter.text.into(),
        html: letter.html.into(),
    }
}

/// What a template makes of a ticket as it is now, as if its last note had just been written.
pub fn preview(
    world: &World,
    template: &Template,
    whole: &TicketWithNotes,
    url: Option<&str>,
    now: Timestamp,
) -> Letter {
    let cause = whole.notes.last();
    let author = cause.map_or(&whole.ticket.submitter, |note| &note.author);
    let told = Told { what: if cause.is_some() { "noted" } else { "opened" }, author, cause, at: now };
    let people = whole.subscribers.iter().cloned().collect();
    letter(template, &values(world, whole, &told, &people, url))
}

struct Told<'a> {
    what: &'a str,
    author: &'a str,
    /// The note that is told of; none: the ticket was opened.
    cause: Option<&'a Note>,
    at: Timestamp,
}

fn values(
    world: &World,
    whole: &TicketWithNotes,
    told: &Told<'_>,
    people: &BTreeSet<Name>,
    url: Option<&str>,
) -> Values {
    let ticket = &whole.ticket;
    let head = &ticket.head;
    let reference = head.reference().to_string();
    let in_charge = ticket.in_charge.as_deref().unwrap_or("nobody");
    let address = |name: &str| {
        world.inventory.contact(name).and_then(|contact| contact.email.first().cloned()).unwrap_or_default()
    };
    let fields = head
        .class
        .fields()
        .iter()
        .filter_map(|(key, name)| ticket.fields.get(*key).map(|text| format!("{name}: {text}")));
    let earlier = whole.notes.iter().filter(|note| told.cause.is_none_or(|cause| note.id < cause.id));
    let since_end = head.closed.unwrap_or(told.at);
    let mut values: Values = [
        ("ID", head.id.to_string()),
        ("TITLE", ticket.title.to_string()),
        ("EXTRA_INFO", fields.collect::<Vec<_>>().join("\n")),
        ("IN_CHARGE_NAME", in_charge.to_owned()),
        ("IN_CHARGE_LOGIN", in_charge.to_owned()),
        ("IN_CHARGE_EMAIL", address(in_charge)),
        ("PRIORITY_NUM", ticket.priority.to_string()),
        ("PRIORITY_STR", PriorityWord::of(ticket.priority).word().to_owned()),
        ("TAGS", ticket.tags.join(", ")),
        ("CREATION_DATE", time(head.opened)),
        ("STATUS", head.status.word().to_owned()),
        ("CLASS", head.class.word().to_owned()),
        ("TYPE", ticket.r#type.to_string()),
        ("LIFE_TIME", span(since_end.since(head.opened))),
        ("TICKET_DESCRIPTION", told.cause.map_or(&ticket.text, |note| &note.note.text).to_string()),
        (
            "TICKET_ACTION",
            told.cause.and_then(|note| note.note.action.as_deref()).unwrap_or_default().to_owned(),
        ),
        ("TICKET_AUTHOR_NAME", told.author.to_owned()),
        ("TICKET_AUTHOR_EMAIL", address(told.author)),
        ("TICKET_EMAIL_CC", people.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")),
        ("TICKET_HISTORY", history(whole.notes.iter(), false)),
        ("TICKET_INVERSE_HISTORY", history(earlier, true)),
        ("WHAT", told.what.to_owned()),
        (
            "URL",
            url.map(|base| format!("{}/tickets/{reference}", base.trim_end_matches('/'))).unwrap_or_default(),
        ),
        ("INCIDENT_NO", reference),
    ]
    .into();
    values.extend(standing(world, whole, told.at));
    values
}

/// How what it is about stands now.
fn standing(world: &World, whole: &TicketWithNotes, now: Timestamp) -> Vec<(&'static str, String)> {
    let Some(subject) = &whole.ticket.head.subject else { return Vec::new() };
    let mut values = vec![
        ("HOST", subject.host.to_string()),
        ("SERVICE", subject.service.as_deref().unwrap_or_default().to_owned()),
    ];
    let found = world.inventory.find(subject).map(|object| match object {
        Checkable::Host(id) => {
            let status = world.host(id);
            (status.state().to_string(), Arc::clone(&status.output), status.last_state_change)
        }
        Checkable::Service(id) => {
            let status = world.service(id);
            (status.state().to_string(), Arc::clone(&status.output), status.last_state_change)
        }
    });
    if let Some((state, output, since)) = found {
        values.extend([("STATE", state), ("OUTPUT", output.text.to_string())]);
        values.extend(since.map(|since| ("DURATION", span(now.since(since)))));
    }
    values
}

fn history<'a>(notes: impl DoubleEndedIterator<Item = &'a Note>, is_newest_first: bool) -> String {
    let line = |note: &Note| {
        let changes = note
            .changes
            .iter()
            .map(|change| format!("{}: {} → {}", change.field, change.before, change.after));
        let changes = changes.collect::<Vec<_>>().join(", ");
        let parts = [changes.as_str(), &note.note.text].into_iter().filter(|part| !part.is_empty());
        format!("{} {}: {}", time(note.at), note.author, parts.collect::<Vec<_>>().join(". "))
    };
    let mut lines: Vec<String> = notes.rev().take(NOTES).map(line).collect();
    if !is_newest_first {
        lines.reverse();
    }
    lines.join("\n")
}

fn time(at: Timestamp) -> String {
    at.to_jiff().to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// `20:06`, `4 Days 23:19`, as OSSIM writes a life time (T-45).
fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}"),
        1 => format!("1 Day {hours:02}:{minutes:02}"),
        _ => format!("{days} Days {hours:02}:{minutes:02}"),
    }
}
