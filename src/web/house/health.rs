//! What the last load found, as the pages say it.

use vigia_core::model::id::ObjectKey;

use crate::config::problem::{Reported, Severity};
use crate::runtime::{ConfigHealth, reload};
use crate::web::backend::{ConfigProblem, Health, Notice, Quarantined, Urgency};

pub(super) fn translate(health: &ConfigHealth) -> Health {
    Health {
        generation: health.generation,
        loaded: Some(health.loaded_at),
        refused: health.refused.clone(),
        problems: health.findings.problems.iter().map(problem).collect(),
        quarantine: health.findings.quarantine.iter().map(quarantined).collect(),
        notices: health.findings.notices.iter().map(|text| note_of(text)).collect(),
        restart_needed: health.findings.restart_needed.clone(),
        files: Vec::new(),
    }
}

fn problem(problem: &Reported) -> ConfigProblem {
    ConfigProblem {
        is_error: problem.severity == Severity::Error,
        file: problem.path.clone(),
        line: problem.line,
        column: problem.column,
        message: problem.message.clone(),
        hint: problem.hint.clone(),
        rendered: problem.to_string(),
    }
}

fn note_of(text: &str) -> Notice {
    Notice { urgency: Urgency::Note, text: text.to_owned() }
}

fn quarantined(out: &reload::Quarantined) -> Quarantined {
    let is_object = matches!(out.kind, "host" | "service");
    Quarantined {
        object: format!("{} {}", out.kind, out.name),
        key: is_object.then(|| ObjectKey::parse(&out.name)),
        file: out.path.clone(),
        line: out.line,
        message: out.message.clone(),
        is_last_good: out.is_last_good,
    }
}
