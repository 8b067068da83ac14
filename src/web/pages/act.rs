//! Acts as forms: each on a page of its own (which is where a selection of rows and an interrupted login lead),
//! and what it does when it is sent.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use vigia_core::engine::world::World;
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::id::{AlarmId, CommentId, DowntimeId, ObjectKey, SuppressionId};
use vigia_core::model::operation::Operation;

use super::{ticket_acts, ticket_form};
use crate::desk::Role;
use crate::desk::files::Received;
use crate::web::auth;
use crate::web::backend::Trouble;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen, Undo, safe_back};
use crate::web::orders::{self, Answers, FieldError};
use crate::web::query::Pairs;
use crate::web::tickets;
use crate::web::upload::Sent;
use crate::web::view::{Row, Rows};
use crate::web::words;

/// Rows that one form may act on.
const MOST: usize = 1000;
/// Of those that are shown before it is done.
const SHOWN: usize = 200;

/// Every act there is: its word in the address, its heading, and what its button says.
const ACTS: &[(&str, &str, &str)] = &[
    ("acknowledge", "Acknowledge", "Acknowledge"),
    ("remove-acknowledgement", "Remove acknowledgement", "Remove"),
    ("comment", "Comment", "Add comment"),
    ("delete-comment", "Delete comment", "Delete"),
    ("downtime", "Schedule downtime", "Schedule downtime"),
    ("cancel-downtime", "Cancel downtime", "Cancel the downtime"),
    ("recheck", "Recheck", "Check now"),
    ("ticket", "New ticket", "Open the ticket"),
    ("close-alarm", "Close alarm", "Close the alarm"),
    ("comment-alarm", "Comment an alarm", "Add comment"),
    ("revoke-suppression", "Revoke suppression", "Revoke it"),
    ("reload", "Read the configuration again", "Read it again"),
    ("backup", "Make a backup now", "Make a backup"),
];

/// What ends an acknowledgement, as [`Until::word`] and for people.
const ENDS: &[(&str, &str)] =
    &[("recovery", "recovery"), ("worse", "a worse state, or recovery"), ("change", "any other state")];

#[derive(Template)]
#[template(path = "act.html", config = ".askama.toml")]
struct ActPage {
    frame: Frame,
    act: String,
    button: &'static str,
    asked: Asked,
    /// What was ticked.
    chosen: Vec<String>,
    /// All that it acts on, the first of it, and how many more.
    rows: Vec<Row>,
    more: usize,
    unknown: Vec<String>,
    /// What will happen, in words.
    preview: String,
    error: Option<FieldError>,
    has_host: bool,
}

impl ActPage {
    fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.text.as_str())
    }

    /// What the form calls a field.
    fn label<'a>(&self, field: &'a str) -> &'a str {
        match (self.act.as_str(), field) {
            (_, "start") => "From",
            (_, "end" | "expires") => "Until",
            (_, "until") => "Ends with",
            ("downtime", "comment") => "Why",
            (_, "comment") => "Comment",
            (_, "flexible") => "Flexible",
            (_, "match") => "Objects",
            (_, other) => other,
        }
    }
}

/// What was typed so far.
pub(super) struct Asked(pub(super) Pairs);

impl Asked {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// Those that were ticked.
    pub(super) fn objects(&self) -> Vec<ObjectKey> {
        let objects = self.0.iter().filter(|(name, value)| name == "object" && !value.is_empty());
        objects.take(MOST).map(|(_, value)| ObjectKey::parse(value)).collect()
    }

    /// All that the act is about: those ticked, what a selector finds, and the services of hosts where they are meant.
    fn meant(&self, world: &World, act: &str) -> Result<Vec<ObjectKey>, FieldError> {
        let mut objects = self.objects();
        if act != "downtime" {
            return Ok(objects);
        }
        if self.get("services") == "yes" {
            objects = orders::with_services(world, &objects);
        }
        let selectors = self.get("match").split(',').map(str::trim).filter(|text| !text.is_empty());
        let selectors: Vec<&str> = selectors.collect();
        if !selectors.is_empty() {
            objects.extend(orders::selected(world, selectors, self.get("only"))?);
            objects.sort();
            objects.dedup();
        }
        Ok(objects)
    }

    /// The numbers of records that were ticked.
    fn ids(&self) -> Vec<u64> {
        let ids = self.0.iter().filter(|(name, _)| name == "id");
        ids.filter_map(|(_, value)| value.parse().ok()).take(MOST).collect()
    }

    fn number(&self, name: &'static str) -> Result<u64, Failure> {
        self.get(name).parse().map_err(|_error| Failure::Wrong(format!("`{name}` must be a number")))
    }
}

pub(crate) async fn form(
    Extension(seen): Extension<Seen>,
    Path(act): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let asked = Asked(pairs);
    match act.as_str() {
        "ticket" => ticket_form::show(&seen, &asked, None).await,
        // Back from a login: what was typed is on the page of its ticket.
        _ if ticket_acts::is_of_one(&act) => {
            super::tickets::again(&seen, &act, &asked, "", StatusCode::OK).await
        }
        _ => show(&seen, &act, asked, None),
    }
}

fn show(seen: &Seen, act: &str, asked: Asked, error: Option<FieldError>) -> Result<Response, Failure> {
    let Some((_, title, button)) = ACTS.iter().find(|(word, ..)| *word == act) else {
        return Err(Failure::Missing(format!("There is no act `{act}`.")));
    };
    let (objects, error) = match asked.meant(&seen.world, act) {
        Ok(objects) => (objects, error),
        Err(wrong) => (asked.objects(), error.or(Some(wrong))),
    };
    let (mut rows, mut unknown) = (Vec::new(), Vec::new());
    let maker = Rows::new(&seen.world, &seen.eyes);
    for key in objects.iter().take(SHOWN) {
        match seen.world.inventory.find(key) {
            Some(object) => rows.push(maker.row(object)),
            None => unknown.push(key.to_string()),
        }
    }
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ActPage {
        frame: seen.frame(*title, ""),
        act: act.to_owned(),
        button,
        preview: preview(seen, act, &asked, &objects),
        chosen: asked.objects().iter().map(ToString::to_string).collect(),
        more: objects.len().saturating_sub(SHOWN),
        has_host: asked.objects().iter().any(|key| key.service.is_none()),
        asked,
        rows,
        unknown,
        error,
    };
    Ok((status, Page(page)).into_response())
}

/// What will happen if the form is sent as it stands.
fn preview(seen: &Seen, act: &str, asked: &Asked, objects: &[ObjectKey]) -> String {
    let many = orders::told(objects.len());
    match act {
        "downtime" => {
            let span = orders::downtime_span(
                asked.get("start"),
                asked.get("end"),
                asked.get("flexible"),
                &seen.eyes,
            );
            match span {
                Ok(span) => format!("{many}, {}", span.told(&seen.eyes)),
                Err(_) => many,
            }
        }
        "acknowledge" | "comment" | "recheck" | "remove-acknowledgement" => many,
        _ => String::new(),
    }
}

pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Path(act): Path<String>,
    sent: Sent,
) -> Result<Response, Failure> {
    let asked = Asked(sent.pairs);
    let back = safe_back(asked.get("back"));
    let done = match sent.problem {
        Some(problem) => Err(problem.into()),
        None => perform(&seen, &act, &asked, sent.files).await,
    };
    match done {
        Ok((said, to)) => {
            let mut response = Redirect::to(&to.unwrap_or(back)).into_response();
            auth::say(&mut response, &said);
            Ok(response)
        }
        Err(Not::Field(error)) if act == "ticket" => ticket_form::show(&seen, &asked, Some(error)).await,
        // What was typed stays on the page of its ticket, beside what is wrong or what somebody else changed.
        Err(Not::Field(error)) if ticket_acts::is_of_one(&act) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            super::tickets::again(&seen, &act, &asked, &error.to_string(), status).await
        }
        Err(Not::Done(Failure::Changed(text))) if ticket_acts::is_of_one(&act) => {
            super::tickets::again(&seen, &act, &asked, &text, StatusCode::CONFLICT).await
        }
        Err(Not::Field(error)) => show(&seen, &act, asked, Some(error)),
        Err(Not::Done(failure)) => Err(failure),
    }
}

/// Why an act was not done: something typed wrongly, or all else.
pub(super) enum Not {
    Field(FieldError),
    Done(Failure),
}

impl From<FieldError> for Not {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl From<Failure> for Not {
    fn from(failure: Failure) -> Self {
        Self::Done(failure)
    }
}

impl From<Trouble> for Not {
    fn from(trouble: Trouble) -> Self {
        Self::Done(trouble.into())
    }
}

pub(super) type Outcome = Result<(Said, Option<String>), Not>;

pub(super) fn said(text: impl Into<String>) -> Outcome {
    Ok((Said { text: text.into(), undo: None }, None))
}

fn said_with_undo(text: String, action: &str, fields: Vec<(String, String)>) -> Outcome {
    let undo = (!fields.is_empty()).then(|| Undo { action: action.to_owned(), fields });
    Ok((Said { text, undo }, None))
}

async fn perform(seen: &Seen, act: &str, asked: &Asked, files: Vec<Received>) -> Outcome {
    match act {
        "acknowledge" => acknowledge(seen, asked).await,
        "remove-acknowledgement" => {
            let answers = each(seen, asked, |subject| Operation::RemoveAcknowledgement { subject }).await?;
            said(answered("Acknowledgement removed from", &answers, ""))
        }
        "comment" => {
            let text = orders::text("comment", asked.get("comment"))?;
            let answers =
                each(seen, asked, |subject| Operation::AddComment { subject, text: text.clone() }).await?;
            said(answered("Comment added to", &answers, ""))
        }
        "recheck" => {
            let at = seen.eyes.now;
            let answers =
                each(seen, asked, |subject| Operation::Recheck { subject, at, forced: true }).await?;
            said(answered("Checking", &answers, " now"))
        }
        "downtime" => downtime(seen, asked).await,
        "delete-comment" => {
            let mut ids = asked.ids();
            if ids.is_empty() {
                ids.push(asked.number("id")?);
            }
            for id in &ids {
                seen.give(Operation::DeleteComment { id: CommentId(*id) }).await?;
            }
            said(if ids.len() == 1 {
                "Comment deleted".to_owned()
            } else {
                format!("{} comments deleted", ids.len())
            })
        }
        "cancel-downtime" => {
            let ids = asked.ids();
            for id in &ids {
                seen.give(Operation::CancelDowntime { id: DowntimeId(*id) }).await?;
            }
            said(match ids.len() {
                1 => "Downtime cancelled".to_owned(),
                many => format!("{many} downtimes cancelled"),
            })
        }
        "close-alarm" => {
            let id = asked.number("id")?;
            let comment = orders::text("comment", asked.get("comment"))?;
            let is_false = asked.get("false_positive") == "yes";
            let false_positive = orders::false_positive(is_false, asked.get("expires"), &seen.eyes)?;
            seen.give(Operation::CloseAlarm { alarm: AlarmId(id), comment, false_positive }).await?;
            let what = if is_false { " as a false positive" } else { "" };
            said(format!("Alarm {id} closed{what}"))
        }
        "comment-alarm" | "reopen-alarm" | "own-alarm" | "release-alarm" | "label-alarm"
        | "unlabel-alarm" => alarm(seen, act, AlarmId(asked.number("id")?), asked).await,
        "revoke-suppression" => {
            let id = asked.number("id")?;
            seen.give(Operation::RevokeSuppression { id: SuppressionId(id) }).await?;
            said(format!("Suppression {id} revoked: it is told again"))
        }
        "ticket" => ticket_acts::open(seen, asked, files).await,
        "tickets" => ticket_acts::many(seen, asked).await,
        _ if ticket_acts::is_of_one(act) => ticket_acts::perform(seen, act, asked, files).await,
        "reload" | "backup" => of_the_daemon(seen, act).await,
        other => Err(Failure::Missing(format!("There is no act `{other}`.")).into()),
    }
}

async fn alarm(seen: &Seen, act: &str, alarm: AlarmId, asked: &Asked) -> Outcome {
    let (operation, done) = match act {
        "comment-alarm" => {
            (Operation::CommentAlarm { alarm, text: orders::text("text", asked.get("text"))? }, "commented")
        }
        "reopen-alarm" => (
            Operation::ReopenAlarm { alarm, comment: orders::text("text", asked.get("text"))? },
            "open again",
        ),
        "own-alarm" => {
            let name = tickets::known_name(seen, "owner", asked.get("owner")).await?;
            (
                Operation::OwnAlarm { alarm, owner: Some(name.unwrap_or_else(|| seen.author())) },
                "has its owner",
            )
        }
        "release-alarm" => (Operation::OwnAlarm { alarm, owner: None }, "is nobody's"),
        _ => {
            let (label, set) = (orders::text("label", asked.get("label"))?, act == "label-alarm");
            let done = if set { "has its label" } else { "is without the label" };
            (Operation::LabelAlarm { alarm, label, set }, done)
        }
    };
    seen.give(operation).await?;
    said(format!("Alarm {alarm} {done}"))
}

/// What is asked of vigia itself, by an admin.
async fn of_the_daemon(seen: &Seen, act: &str) -> Outcome {
    if !seen.may(Role::Admin) {
        return Err(Failure::Forbidden { needs: Role::Admin }.into());
    }
    if act == "backup" {
        let made = seen.web.backend.back_up(seen.by()).await?;
        return said(format!("Backup made and read back: {} ({})", made.path, words::bytes(made.bytes)));
    }
    let report = seen.web.backend.reload(seen.by(), false).await?;
    said(format!(
        "Configuration read: {} added, {} changed, {} removed, {} mistakes",
        report.added,
        report.changed,
        report.removed,
        report.problems.iter().filter(|problem| problem.is_error).count()
    ))
}

async fn each(seen: &Seen, asked: &Asked, order: impl Fn(ObjectKey) -> Operation) -> Result<Answers, Not> {
    each_of(seen, &asked.objects(), order).await
}

async fn each_of(
    seen: &Seen,
    objects: &[ObjectKey],
    order: impl Fn(ObjectKey) -> Operation,
) -> Result<Answers, Not> {
    if objects.is_empty() {
        return Err(Failure::Wrong(
            "Nothing is selected. Go back and tick the rows that are meant.".to_owned(),
        )
        .into());
    }
    let answers = seen.give_each(objects, order).await?;
    match (answers.done.is_empty(), answers.refused.first()) {
        (true, Some((_, why))) => Err(Failure::Refused(format!("Nothing was done: {why}.")).into()),
        (_, _) => Ok(answers),
    }
}

fn answered(what: &str, answers: &Answers, end: &str) -> String {
    let mut text = format!("{what} {}{end}", orders::told(answers.done.len()));
    if let Some((key, why)) = answers.refused.first() {
        text.push_str(&format!("; refused for {}, first {key}: {why}", answers.refused.len()));
    }
    text
}

async fn acknowledge(seen: &Seen, asked: &Asked) -> Outcome {
    let comment = orders::text("comment", asked.get("comment"))?;
    let expires = orders::expires(asked.get("expires"), &seen.eyes)?;
    let until = orders::until(asked.get("until"), Until::Recovery)?;
    let keeps_comment = asked.get("keep_comment") == "yes";
    let order = |subject| Operation::Acknowledge {
        subject,
        comment: comment.clone(),
        until,
        notify: true,
        keeps_comment,
        expires,
    };
    let answers = each(seen, asked, order).await?;
    let text = answered("Acknowledged", &answers, &orders::lasts(until, expires, &seen.eyes));
    let fields = asked.0.iter().filter(|(name, _)| name == "object").cloned().collect();
    said_with_undo(text, "/act/remove-acknowledgement", fields)
}

async fn downtime(seen: &Seen, asked: &Asked) -> Outcome {
    let span =
        orders::downtime_span(asked.get("start"), asked.get("end"), asked.get("flexible"), &seen.eyes)?;
    let comment = orders::text("comment", asked.get("comment"))?;
    let objects = asked.meant(&seen.world, "downtime")?;
    let order = |subject| orders::schedule(subject, &span, comment.clone(), None);
    let answers = each_of(seen, &objects, order).await?;
    let zone = &seen.eyes.zone;
    let end = format!(
        " from {} until {}",
        words::short_stamp(span.start, zone, seen.eyes.now),
        words::full_stamp(span.end, zone)
    );
    let fields = answers
        .done
        .iter()
        .filter_map(|(_, done)| done.record)
        .map(|id| ("id".to_owned(), id.to_string()))
        .collect();
    said_with_undo(answered("Downtime for", &answers, &end), "/act/cancel-downtime", fields)
}
