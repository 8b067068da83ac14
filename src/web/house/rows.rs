//! What the store's rows are to pages.

use crate::store::log::{LogKind, LogLine};
use crate::web::backend::HistoryRow;

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
    LogKind::SuppressionMade,
    LogKind::SuppressionHeld,
    LogKind::SuppressionEnded,
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
