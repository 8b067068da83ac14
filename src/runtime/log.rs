//! The log lines of what the engine says has happened. Scripts match the event names.
//!
//! Not every event has a line: what is of interest to a page or the history alone stays out of the log. A message is
//! whole without its fields: `journalctl` and `systemctl status` show no more than it.

use tracing::{debug, info, warn};
use vigia_core::model::event::{Event, StateChange, What};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::message::{About, Message};
use vigia_core::model::state::StateType;
use vigia_core::model::suppression::Suppression;

pub(super) fn event(event: &Event) {
    match &event.what {
        What::StateChanged(change) => state(change),
        What::FlappingStarted { subject, percent } => {
            on(subject, "flapping.started", &format!("changes too often ({percent:.1} %)"));
        }
        What::FlappingStopped { subject, percent } => {
            on(subject, "flapping.stopped", &format!("has settled ({percent:.1} %)"));
        }
        What::FlappingDisabled { subject } => on(subject, "flapping.stopped", "flap detection is off"),
        What::WentStale { subject, .. } => on(subject, "check.stale", "no result came for too long"),
        What::Notified(message) => notified(message),
        What::ActionDue(message) => action_due(message),
        What::NotificationHeld { subject, kind, hold, .. } => {
            let service = subject.service.as_deref().unwrap_or_default();
            debug!(event = "notify.held", host = %subject.host, service, "{}: {hold}", kind.word());
        }
        What::CheckHeld { subject, why } => {
            let service = subject.service.as_deref().unwrap_or_default();
            debug!(event = "check.held", host = %subject.host, service, "{subject} is not checked: {why}");
        }
        What::NotificationsSwitched { on: true, author } => {
            info!(event = "notify.switched", "messages are on again, by {author}");
        }
        What::NotificationsSwitched { on: false, author } => {
            warn!(event = "notify.switched", "messages are off for everything, by {author}");
        }
        What::ResultRefused { refusal } => {
            debug!(event = "result.refused", error = %refusal, "a result was not taken");
        }
        What::Acknowledged { subject, acknowledgement } => {
            on(subject, "problem.acknowledged", &format!("acknowledged by {}", acknowledgement.author));
        }
        What::DowntimeStarted { id, subject } => {
            on(subject, "downtime.started", &format!("downtime {id} is in effect"));
        }
        What::DowntimeEnded { id, subject, .. } => {
            on(subject, "downtime.ended", &format!("downtime {id} is over"));
        }
        What::AlarmOpened(one) => on(&one.subject, "alarm.opened", &format!("alarm {} is open", one.id)),
        What::AlarmClosed(one) => on(&one.subject, "alarm.closed", &format!("alarm {} is closed", one.id)),
        What::SuppressionMade(one) => {
            suppression(one, "made", &format!("called a false positive by {}: {}", one.author, one.matched));
        }
        What::SuppressionEnded { suppression: one, how, .. } => suppression(one, "ended", how.word()),
        What::SuppressionHeld(one) => suppression(one, "held", "a problem that it covers"),
        What::TicketOpened { head, .. } => {
            let (ticket, about) = (head.reference(), about(head.subject.as_ref()));
            info!(event = "ticket.opened", %ticket, "ticket {ticket} is open{about}");
        }
        What::TicketReopened { head, .. } => {
            let (ticket, about) = (head.reference(), about(head.subject.as_ref()));
            info!(event = "ticket.reopened", %ticket, "ticket {ticket} is open again{about}");
        }
        What::Reloaded { hosts, services, added, changed, removed } => info!(
            event = "config.applied",
            count = hosts + services,
            "in effect: {hosts} hosts, {services} services; {added} added, {changed} changed, {removed} removed"
        ),
        What::ContactsSkipped { .. }
        | What::NotificationDelayed { .. }
        | What::AcknowledgementEnded { .. }
        | What::CommentAdded(_)
        | What::CommentDeleted { .. }
        | What::DowntimeScheduled(_)
        | What::AlarmChanged(_)
        | What::AlarmNoted { .. }
        | What::TicketNoted { .. }
        | What::TicketEdited { .. }
        | What::TicketDeleted { .. }
        | What::Rechecked { .. }
        | What::Switched { .. }
        | What::ObjectRemoved { .. }
        | What::ObjectAdded { .. }
        | What::ObjectReturned { .. }
        | What::ObjectForgotten { .. }
        | What::ObjectsRenamed { .. } => {}
    }
}

/// A hard state is news; a soft one is on the way to it.
fn state(change: &StateChange) {
    let host = &*change.subject.host;
    let service = change.subject.service.as_deref().unwrap_or_default();
    let standing = format!("{};{};{}", change.state, change.state_type, change.attempt);
    let (subject, state, text) = (&change.subject, change.state, &change.output.text);
    match change.state_type {
        StateType::Hard => {
            info!(event = "check.state", host, service, standing, "{subject} is {state}: {text}");
        }
        StateType::Soft => {
            debug!(
                event = "check.state",
                host, service, standing, "{subject} is {state}, not confirmed: {text}"
            );
        }
    }
}

fn suppression(one: &Suppression, what: &str, said: &str) {
    on(&one.subject, &format!("suppression.{what}"), &format!("suppression {}: {said}", one.id));
}

fn about(subject: Option<&ObjectKey>) -> String {
    subject.map(|subject| format!(": {subject}")).unwrap_or_default()
}

/// Delivery has lines of its own.
fn notified(message: &Message) {
    let contact = &*message.contact;
    match &message.about {
        About::Object(notice) => {
            let (subject, kind) = (&notice.subject, notice.kind.word());
            let service = subject.service.as_deref().unwrap_or_default();
            info!(event = "notify.decided", contact, host = %subject.host, service, "{kind} of {subject} to {contact}");
        }
        About::Ticket(mail) => {
            info!(event = "notify.decided", contact, "{} {} to {contact}", mail.reference, mail.what);
        }
        About::Digest(digest) => {
            info!(
                event = "notify.decided",
                contact,
                count = digest.messages,
                "a summary of {} messages to {contact}",
                digest.messages
            );
        }
    }
}

/// What becomes of it has a line of its own, as with a message.
fn action_due(message: &Message) {
    let About::Object(notice) = &message.about else { return };
    let (subject, whose) = (&notice.subject, message.addressee());
    let service = subject.service.as_deref().unwrap_or_default();
    let (state, state_type, attempt) = (notice.state, notice.state_type, notice.attempt);
    info!(
        event = "action.decided",
        host = %subject.host,
        service,
        "{whose}: runs for {subject}, which is {state} {state_type} {attempt}"
    );
}

fn on(subject: &ObjectKey, event: &str, message: &str) {
    let service = subject.service.as_deref().unwrap_or_default();
    info!(event, host = %subject.host, service, "{subject}: {message}");
}
