//! What an event of the engine changes in the tables: a line of the log, and the record it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use vigia_core::model::acknowledgement::Acknowledgement;
use vigia_core::model::alarm::Alarm;
use vigia_core::model::check::{Output, Unchecked};
use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::downtime::Downtime;
use vigia_core::model::event::{AcknowledgementEnd, DowntimeEnd, Event, StateChange, What};
use vigia_core::model::id::{AlarmId, CommentId, DowntimeId, ObjectKey};
use vigia_core::model::message::{About, Addressee, Channel, Message};
use vigia_core::model::operation::{Switch, TicketEdit, TicketNote};
use vigia_core::model::suppression::{Suppression, SuppressionEnd};
use vigia_core::model::ticket::TicketHead;
use vigia_core::model::time::Timestamp;

use super::alarms::AlarmNote;
use super::log::{LogKind, NewLine};
use super::{
    absent, alarms, audit, comments, downtimes, notifications, outbox, rename, suppressions, ticket_mail,
    tickets,
};

pub(super) fn write(db: &Connection, event: &Event) -> rusqlite::Result<()> {
    let at = event.at;
    match &event.what {
        What::StateChanged(change) => state_changed(db, at, change),
        // They are counted, or a sender gone wild would fill the disk.
        What::ResultRefused { .. } => Ok(()),
        What::FlappingStarted { subject, percent } => {
            flapping(db, at, LogKind::FlappingStarted, subject, Some(*percent))
        }
        What::FlappingStopped { subject, percent } => {
            flapping(db, at, LogKind::FlappingStopped, subject, Some(*percent))
        }
        What::FlappingDisabled { subject } => flapping(db, at, LogKind::FlappingDisabled, subject, None),
        What::Notified(message) => notified(db, at, message),
        What::ActionDue(message) => action_due(db, at, message),
        What::NotificationHeld { subject, kind, number, hold, skipped } => {
            let about = notifications::About { at, subject, kind: *kind, number: *number };
            notifications::log_held(db, about, hold, skipped)
        }
        What::ContactsSkipped { subject, kind, number, skipped } => {
            let about = notifications::About { at, subject, kind: *kind, number: *number };
            notifications::log_skipped(db, about, skipped)
        }
        What::NotificationDelayed { subject, until, author: by } => {
            notifications::log_delayed(db, at, subject, *until, by)
        }
        What::NotificationsSwitched { on, author } => notifications::log_switched(db, at, *on, author),
        What::CheckHeld { subject, why } => check_held(db, at, subject, why),
        What::WentStale { subject, last_check } => went_stale(db, at, subject, *last_check),
        What::Acknowledged { subject, acknowledgement: ack } => acknowledged(db, at, subject, ack),
        What::AcknowledgementEnded { subject, why } => {
            let text = acknowledgement_end(*why);
            NewLine { text, ..NewLine::about(at, LogKind::AcknowledgementEnded, subject) }.write(db)
        }
        What::CommentAdded(comment) => comment_added(db, at, comment),
        What::CommentDeleted { id, subject } => comment_deleted(db, at, *id, subject),
        What::DowntimeScheduled(downtime) => downtime_scheduled(db, at, downtime),
        What::DowntimeStarted { id, subject } => {
            downtimes::start(db, *id, at)?;
            NewLine { record: Some(id.0), ..NewLine::about(at, LogKind::DowntimeStarted, subject) }.write(db)
        }
        What::DowntimeEnded { id, subject, how } => downtime_ended(db, at, *id, subject, *how),
        What::AlarmOpened(alarm) => alarm_logged(db, at, LogKind::AlarmOpened, alarm),
        What::AlarmChanged(alarm) => alarms::save(db, alarm),
        What::AlarmClosed(alarm) => alarm_logged(db, at, LogKind::AlarmClosed, alarm),
        What::AlarmNoted { alarm, subject: _, author, what, text } => {
            alarm_noted(db, at, *alarm, author, [what, text])
        }
        What::SuppressionMade(made) => suppression_logged(db, at, LogKind::SuppressionMade, made),
        What::SuppressionHeld(one) => suppression_logged(db, at, LogKind::SuppressionHeld, one),
        What::SuppressionEnded { suppression, how, author } => {
            suppression_ended(db, at, suppression, *how, author.as_deref())
        }
        What::TicketOpened { head, draft } => {
            tickets::insert(db, head, draft)?;
            log_ticket(db, at, LogKind::TicketOpened, head, &draft.submitter, &draft.title)
        }
        What::TicketReopened { head, note, author } => {
            tickets::count_reopening(db, head.id)?;
            ticket_noted(db, at, LogKind::TicketReopened, head, note, author)
        }
        What::TicketNoted { head, note, author } => {
            ticket_noted(db, at, LogKind::TicketNoted, head, note, author)
        }
        What::TicketEdited { head, edit, author } => ticket_edited(db, at, head, edit, author),
        What::TicketDeleted { head, author } => ticket_deleted(db, at, head, author),
        What::Rechecked { subject, author } => {
            NewLine { author: Some(author), ..NewLine::about(at, LogKind::Rechecked, subject) }.write(db)
        }
        What::Switched { subject, switch, author } => switched(db, at, subject, *switch, author),
        What::ObjectRemoved { subject } => removed(db, at, subject),
        What::ObjectReturned { subject } => returned(db, at, subject),
        What::ObjectForgotten { subject } => forgotten(db, at, subject),
        What::ObjectAdded { subject } => NewLine::about(at, LogKind::Added, subject).write(db),
        What::ObjectsRenamed { names } => renamed(db, at, names),
        What::Reloaded { hosts, services, added, changed, removed } => {
            reloaded(db, at, [*hosts, *services, *added, *changed, *removed])
        }
    }
}

fn removed(db: &Connection, at: Timestamp, subject: &ObjectKey) -> rusqlite::Result<()> {
    absent::leave(db, subject, at)?;
    NewLine::about(at, LogKind::Removed, subject).write(db)
}

fn returned(db: &Connection, at: Timestamp, subject: &ObjectKey) -> rusqlite::Result<()> {
    absent::come_back(db, subject)?;
    NewLine::about(at, LogKind::Returned, subject).write(db)
}

fn forgotten(db: &Connection, at: Timestamp, subject: &ObjectKey) -> rusqlite::Result<()> {
    absent::forget(db, subject)?;
    NewLine::about(at, LogKind::Forgotten, subject).write(db)
}

fn renamed(db: &Connection, at: Timestamp, names: &BTreeMap<ObjectKey, ObjectKey>) -> rusqlite::Result<()> {
    rename::rename(db, names)?;
    for (from, to) in names {
        NewLine { text: &from.to_string(), ..NewLine::about(at, LogKind::Renamed, to) }.write(db)?;
    }
    Ok(())
}

/// Into the outbox, and a line that says to whom, of what and how: `PROBLEM by email, webhook`.
fn notified(db: &Connection, at: Timestamp, message: &Message) -> rusqlite::Result<()> {
    outbox::insert(db, message)?;
    let mut ways: Vec<&str> = message.channels.iter().map(Channel::word).collect();
    ways.dedup();
    let ways = if ways.is_empty() { "no channel".to_owned() } else { ways.join(", ") };
    let (subject, what) = match &message.about {
        About::Object(notice) => (Some(&notice.subject), notice.kind.word()),
        About::Digest(_) => (None, "DIGEST"),
        About::Ticket(_) => (None, "TICKET"),
    };
    let (text, line) = (format!("{what} by {ways}"), NewLine::new(at, LogKind::Notified));
    NewLine { subject, author: Some(&message.contact), text: &text, ..line }.write(db)
}

/// Into the outbox like a message, and a line that says what runs and of what: `CRITICAL HARD 3 by command`.
fn action_due(db: &Connection, at: Timestamp, message: &Message) -> rusqlite::Result<()> {
    outbox::insert(db, message)?;
    let About::Object(notice) = &message.about else { return Ok(()) };
    let kind = match message.addressee() {
        Addressee::Handler | Addressee::HandlerOfAll => LogKind::HandlerRun,
        Addressee::Rule(_) | Addressee::Contact(_) => LogKind::RuleActed,
    };
    let ways: Vec<&str> = message.channels.iter().map(Channel::word).collect();
    let (state, state_type, attempt) = (notice.state, notice.state_type, notice.attempt);
    let text = format!("{state} {state_type} {attempt} by {}", ways.join(", "));
    let who = message.addressee().to_string();
    NewLine { author: Some(&who), text: &text, ..NewLine::about(at, kind, &notice.subject) }.write(db)
}

fn went_stale(
    db: &Connection,
    at: Timestamp,
    subject: &ObjectKey,
    last_check: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let never = "no result has ever come in".to_owned();
    let text = last_check.map_or(never, |last| format!("no result since {last}"));
    NewLine { text: &text, ..NewLine::about(at, LogKind::Stale, subject) }.write(db)
}

fn switched(
    db: &Connection,
    at: Timestamp,
    subject: &ObjectKey,
    switch: Switch,
    author: &str,
) -> rusqlite::Result<()> {
    let (name, value) = audit::switch_words(switch);
    let text = format!("{name}: {value}");
    NewLine { author: Some(author), text: &text, ..NewLine::about(at, LogKind::Switched, subject) }.write(db)
}

fn state_changed(db: &Connection, at: Timestamp, change: &StateChange) -> rusqlite::Result<()> {
    let Output { text, long, perfdata: _ } = &*change.output;
    NewLine {
        change: Some(change),
        text,
        long_text: long,
        ..NewLine::about(at, LogKind::State, &change.subject)
    }
    .write(db)
}

fn flapping(
    db: &Connection,
    at: Timestamp,
    kind: LogKind,
    subject: &ObjectKey,
    percent: Option<f32>,
) -> rusqlite::Result<()> {
    let text = percent.map(|percent| format!("{percent:.1}% state change")).unwrap_or_default();
    NewLine { text: &text, ..NewLine::about(at, kind, subject) }.write(db)
}

fn acknowledgement_end(why: AcknowledgementEnd) -> &'static str {
    match why {
        AcknowledgementEnd::Recovered => "recovered",
        AcknowledgementEnd::StateChanged => "the state changed",
        AcknowledgementEnd::Worse => "it is worse",
        AcknowledgementEnd::Expired => "expired",
        AcknowledgementEnd::Removed => "removed",
    }
}

/// The log shows only what a person wrote: the others tell what the log has a line of its own for.
fn comment_added(db: &Connection, at: Timestamp, comment: &Comment) -> rusqlite::Result<()> {
    comments::insert(db, comment)?;
    match comment.kind {
        CommentKind::User => NewLine {
            author: Some(&comment.author),
            record: Some(comment.id.0),
            text: &comment.text,
            ..NewLine::about(at, LogKind::CommentAdded, &comment.subject)
        }
        .write(db),
        CommentKind::Downtime | CommentKind::Flapping | CommentKind::Acknowledgement => Ok(()),
    }
}

fn downtime_scheduled(db: &Connection, at: Timestamp, downtime: &Downtime) -> rusqlite::Result<()> {
    downtimes::insert(db, downtime)?;
    let line = NewLine::about(at, LogKind::DowntimeScheduled, &downtime.subject);
    let record = Some(downtime.id.0);
    NewLine { author: Some(&downtime.author), record, text: &downtime.comment, ..line }.write(db)
}

fn downtime_ended(
    db: &Connection,
    at: Timestamp,
    id: DowntimeId,
    subject: &ObjectKey,
    how: DowntimeEnd,
) -> rusqlite::Result<()> {
    downtimes::end(db, id, at, how)?;
    let text = downtimes::end_word(how);
    NewLine { record: Some(id.0), text, ..NewLine::about(at, LogKind::DowntimeEnded, subject) }.write(db)
}

fn alarm_logged(db: &Connection, at: Timestamp, kind: LogKind, alarm: &Alarm) -> rusqlite::Result<()> {
    alarms::save(db, alarm)?;
    let line = NewLine::about(at, kind, &alarm.subject);
    NewLine { record: Some(alarm.id.0), text: &alarm.output, ..line }.write(db)
}

fn acknowledged(
    db: &Connection,
    at: Timestamp,
    subject: &ObjectKey,
    ack: &Acknowledgement,
) -> rusqlite::Result<()> {
    let line = NewLine::about(at, LogKind::Acknowledged, subject);
    NewLine { author: Some(&ack.author), text: &ack.comment, ..line }.write(db)
}

fn comment_deleted(
    db: &Connection,
    at: Timestamp,
    id: CommentId,
    subject: &ObjectKey,
) -> rusqlite::Result<()> {
    comments::delete(db, id)?;
    NewLine { record: Some(id.0), ..NewLine::about(at, LogKind::CommentDeleted, subject) }.write(db)
}

fn alarm_noted(
    db: &Connection,
    at: Timestamp,
    alarm: AlarmId,
    author: &Arc<str>,
    [what, text]: [&Arc<str>; 2],
) -> rusqlite::Result<()> {
    let (what, text) = (what.to_string(), text.to_string());
    alarms::add_note(db, alarm, &AlarmNote { at, author: Arc::clone(author), what, text })
}

fn suppression_logged(
    db: &Connection,
    at: Timestamp,
    kind: LogKind,
    one: &Suppression,
) -> rusqlite::Result<()> {
    suppressions::save(db, one)?;
    let text = format!("{}: {}", one.matched, one.reason);
    let line = NewLine::about(at, kind, &one.subject);
    NewLine { author: Some(&one.author), record: Some(one.id.0), text: &text, ..line }.write(db)
}

fn suppression_ended(
    db: &Connection,
    at: Timestamp,
    one: &Suppression,
    how: SuppressionEnd,
    author: Option<&str>,
) -> rusqlite::Result<()> {
    suppressions::end(db, one.id, at, how, author)?;
    let line = NewLine::about(at, LogKind::SuppressionEnded, &one.subject);
    NewLine { author, record: Some(one.id.0), text: how.word(), ..line }.write(db)
}

/// `3 hosts, 9 services: 1 added, 0 changed, 0 removed`.
fn reloaded(
    db: &Connection,
    at: Timestamp,
    [hosts, services, added, changed, removed]: [usize; 5],
) -> rusqlite::Result<()> {
    let changes = format!("{added} added, {changed} changed, {removed} removed");
    let text = format!("{hosts} hosts, {services} services: {changes}");
    NewLine { text: &text, ..NewLine::new(at, LogKind::Reloaded) }.write(db)
}

fn check_held(db: &Connection, at: Timestamp, subject: &ObjectKey, why: &Unchecked) -> rusqlite::Result<()> {
    let text = why.to_string();
    NewLine { text: &text, ..NewLine::about(at, LogKind::CheckHeld, subject) }.write(db)
}

fn ticket_noted(
    db: &Connection,
    at: Timestamp,
    kind: LogKind,
    head: &TicketHead,
    note: &TicketNote,
    author: &str,
) -> rusqlite::Result<()> {
    tickets::add_note(db, head.id, note, author, at)?;
    tickets::save_head(db, head)?;
    log_ticket(db, at, kind, head, author, &note.text)
}

fn ticket_edited(
    db: &Connection,
    at: Timestamp,
    head: &TicketHead,
    edit: &TicketEdit,
    author: &str,
) -> rusqlite::Result<()> {
    let changed = tickets::edit(db, head, edit, author, at)?;
    if changed.split(", ").any(|field| field == "in charge") {
        ticket_mail::ask(db, head.id, "transferred", at, author)?;
    }
    log_ticket(db, at, LogKind::TicketEdited, head, author, &changed)
}

fn ticket_deleted(db: &Connection, at: Timestamp, head: &TicketHead, author: &str) -> rusqlite::Result<()> {
    tickets::delete(db, head.id, at)?;
    log_ticket(db, at, LogKind::TicketDeleted, head, author, &head.reference().to_string())
}

/// In a word, for those who hear of it by mail.
fn told_as(kind: LogKind, head: &TicketHead) -> Option<&'static str> {
    match kind {
        LogKind::TicketOpened => Some("opened"),
        LogKind::TicketReopened => Some("reopened"),
        LogKind::TicketNoted if head.is_open() || head.closed != Some(head.updated) => Some("noted"),
        LogKind::TicketNoted => Some("closed"),
        // An edit is told where it gives the ticket to somebody; nothing else is a ticket's.
        _ => None,
    }
}

fn log_ticket(
    db: &Connection,
    at: Timestamp,
    kind: LogKind,
    head: &TicketHead,
    author: &str,
    text: &str,
) -> rusqlite::Result<()> {
    if let Some(what) = told_as(kind, head) {
        ticket_mail::ask(db, head.id, what, at, author)?;
    }
    let record = Some(head.id.0);
    let line = NewLine::new(at, kind);
    NewLine { subject: head.subject.as_ref(), author: Some(author), record, text, ..line }.write(db)
}
