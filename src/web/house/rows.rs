//! What the store's rows are to pages.

use std::sync::Arc;

use crate::store::log::{LogKind, LogLine};
use crate::store::tickets;
use crate::web::backend::{HistoryRow, Note, TicketRow};

/// Who was told and who was not, and what that depends on.
pub(super) const ABOUT_MESSAGES: &[LogKind] = &[
    LogKind::State,
    LogKind::FlappingStarted,
    LogKind::FlappingStopped,
    LogKind::FlappingDisabled,
    LogKind::CheckHeld,
    LogKind::Notified,
    LogKind::NotificationHeld,
    LogKind::ContactsSkipped,
    LogKind::HandlerRun,
    LogKind::RuleActed,
    LogKind::NotificationDelayed,
    LogKind::Acknowledged,
    LogKind::AcknowledgementEnded,
    LogKind::DowntimeStarted,
    LogKind::DowntimeEnded,
    LogKind::Switched,
];

pub(super) fn history_row(line: LogLine) -> HistoryRow {
    let is_data = matches!(line.kind(), Some(LogKind::NotificationHeld | LogKind::ContactsSkipped));
    HistoryRow {
        data: is_data.then(|| serde_json::from_str(&line.long_text).ok()).flatten(),
        at: line.at,
        state: line.change.as_ref().map(|change| (change.state, change.state_type, change.attempt)),
        what: line.kind.replace(['_', '-', '.'], " "),
        subject: line.subject,
        author: line.author,
        text: line.text,
    }
}

pub(super) fn ticket_row(ticket: tickets::Ticket) -> TicketRow {
    TicketRow {
        head: ticket.head,
        title: ticket.title.to_string(),
        r#type: ticket.r#type.to_string(),
        priority: ticket.priority,
        in_charge: ticket.in_charge.map(|person| person.to_string()),
        submitter: ticket.submitter.to_string(),
        tags: ticket.tags.iter().map(ToString::to_string).collect(),
        resolution: ticket.resolution.map(|resolution| resolution.to_string()),
        alarm: ticket.alarm,
    }
}

pub(super) fn note(note: tickets::Note) -> Note {
    let text = |text: Option<Arc<str>>| text.map(|text| text.to_string());
    Note {
        at: note.at,
        author: note.author.to_string(),
        text: note.note.text.to_string(),
        action: text(note.note.action),
        status: note.note.status,
        priority: note.note.priority,
        in_charge: text(note.note.in_charge),
        resolution: text(note.note.resolution),
    }
}
