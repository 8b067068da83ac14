//! The form of a new ticket: of a class with its own fields, filled in from an alarm or an object. (T-9, T-50, T-52)

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use vigia_core::model::id::AlarmId;
use vigia_core::model::ticket::{PriorityWord, TicketClass};

use super::act::Asked;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen, safe_back};
use crate::web::orders::FieldError;
use crate::web::query::escape;
use crate::web::tickets;
use crate::web::view::{Row, Rows};

#[derive(Template)]
#[template(path = "new_ticket.html", config = ".askama.toml")]
struct NewTicketPage {
    frame: Frame,
    classes: Vec<ClassTab>,
    class: TicketClass,
    title: String,
    text: String,
    priority: String,
    r#type: String,
    in_charge: String,
    tags: String,
    alarm: String,
    fields: Vec<FieldView>,
    types: Vec<String>,
    names: Vec<String>,
    object: Option<Row>,
    back: String,
    /// What one file may hold, in words.
    limit: String,
    error: Option<FieldError>,
}

impl NewTicketPage {
    /// Number, word, and whether it is the one chosen.
    fn priorities(&self) -> Vec<(u8, &'static str, bool)> {
        (1..=10).map(|at: u8| (at, PriorityWord::of(at).word(), at.to_string() == self.priority)).collect()
    }
}

struct ClassTab {
    name: &'static str,
    href: String,
    is_current: bool,
}

pub(super) struct FieldView {
    /// What the form calls it.
    pub(super) form: String,
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl FieldView {
    pub(super) fn of(key: &str, name: &'static str, value: &str) -> Self {
        Self { form: format!("field-{key}"), name, value: value.to_owned() }
    }
}

pub(super) async fn show(seen: &Seen, asked: &Asked, error: Option<FieldError>) -> Result<Response, Failure> {
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let alarm = match asked.get("alarm").parse().ok() {
        Some(id) => seen.web.backend.alarm(AlarmId(id)).await.ok(),
        None => None,
    };
    let object = asked.objects().first().and_then(|key| seen.world.inventory.find(key));
    let object = object.map(|object| Rows::new(&seen.world, &seen.eyes).row(object));
    let otherwise = match (&alarm, &object) {
        (Some(_), _) => TicketClass::Alarm,
        (None, Some(_)) => TicketClass::Availability,
        (None, None) => TicketClass::Custom,
    };
    let class = TicketClass::from_word(asked.get("class").trim()).unwrap_or(otherwise);
    let typed = |name: &str, otherwise: String| {
        let is_said = asked.0.iter().any(|(found, _)| found == name);
        if is_said { asked.get(name).to_owned() } else { otherwise }
    };
    let seen_as = object.as_ref().map(|row| format!("{} is {}", row.key, row.face.word));
    let output = object.as_ref().map(|row| row.output.to_string());
    let page = NewTicketPage {
        frame: seen.frame("New ticket", "tickets"),
        classes: TicketClass::ALL.iter().map(|one| tab(asked, *one, class)).collect(),
        class,
        title: typed("title", seen_as.unwrap_or_default()),
        text: typed("text", output.unwrap_or_default()),
        priority: typed("priority", alarm.as_ref().map_or(5, |alarm| alarm.severity.max(1)).to_string()),
        r#type: typed("type", String::new()),
        in_charge: typed("in_charge", String::new()),
        tags: typed("tags", String::new()),
        alarm: asked.get("alarm").to_owned(),
        fields: class
            .fields()
            .iter()
            .map(|(key, name)| FieldView::of(key, name, asked.get(&format!("field-{key}"))))
            .collect(),
        types: seen.web.backend.ticket_types().await?.into_iter().map(|one| one.name).collect(),
        names: tickets::names(seen).await.iter().map(ToString::to_string).collect(),
        object,
        back: safe_back(asked.get("back")),
        limit: crate::desk::files::size(seen.web.backend.files().limits().one),
        error,
    };
    Ok((status, Page(page)).into_response())
}

/// The same form for another class, about the same object and alarm.
fn tab(asked: &Asked, class: TicketClass, current: TicketClass) -> ClassTab {
    let kept = asked.0.iter().filter(|(name, _)| matches!(name.as_str(), "object" | "alarm" | "back"));
    let mut href = format!("/act/ticket?class={}", class.word());
    for (name, value) in kept {
        href.push_str(&format!("&{name}={}", escape(value)));
    }
    ClassTab { name: class.word(), href, is_current: class == current }
}
