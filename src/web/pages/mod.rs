//! The pages, one file each family. A page reads the snapshot of its request and renders a template.

pub(super) mod act;
pub(super) mod alarms;
pub(super) mod anomalies;
pub(super) mod assets;
pub(super) mod discovery;
pub(super) mod document_form;
pub(super) mod documents;
pub(super) mod files;
pub(super) mod lists;
pub(super) mod login;
pub(super) mod messages;
pub(super) mod object;
pub(super) mod overview;
pub(super) mod public;
pub(super) mod remarks;
pub(crate) mod suppressions;
pub(super) mod system;
pub(super) mod ticket_acts;
mod ticket_form;
pub(crate) mod ticket_template;
pub(super) mod ticket_types;
pub(super) mod tickets;

use super::backend::HistoryRow;
use super::view::{Eyes, Face, Moment, href};

/// A line of recent events.
pub(crate) struct LogLine {
    pub(crate) at: Moment,
    pub(crate) clock: String,
    pub(crate) day: String,
    pub(crate) face: Option<Face>,
    pub(crate) subject: String,
    pub(crate) href: String,
    pub(crate) what: String,
    pub(crate) text: String,
}

impl LogLine {
    pub(crate) fn of(row: &HistoryRow, eyes: &Eyes) -> Self {
        let at = eyes.moment(row.at);
        let (day, clock) = at.text.split_once(' ').unwrap_or_default();
        let mut what = match &row.state {
            Some((state, state_type, attempt)) => format!("{state} {state_type} {attempt}"),
            None => row.what.clone(),
        };
        if let Some(author) = row.author.as_deref().filter(|author| !author.is_empty()) {
            what.push_str(" by ");
            what.push_str(author);
        }
        Self {
            clock: clock.to_owned(),
            day: day.to_owned(),
            face: row.state.map(|(state, state_type, _)| Face {
                is_soft: state.is_problem() && state_type == vigia_core::model::state::StateType::Soft,
                ..Face::of_state(state)
            }),
            subject: row.subject.as_ref().map(ToString::to_string).unwrap_or_default(),
            href: row.subject.as_ref().map(href).unwrap_or_default(),
            what,
            text: row.text.clone(),
            at,
        }
    }
}
