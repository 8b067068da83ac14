//! What the API orders. One object as `host` and `service`, several as `objects`.

use std::borrow::Cow;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request};
use axum::{Extension, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::check::{CheckResult, Output, Source, Verdict};
use vigia_core::model::id::{AlarmId, CommentId, ObjectKey};
use vigia_core::model::operation::Operation;
use vigia_core::model::state::{Condition, HostState, State};
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::output;

use crate::web::backend::Done;
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::orders::{self, Answers, FieldError};

/// A JSON body, whose mistakes are told like all others.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Failure::Wrong("send JSON, with `Content-Type: application/json`".to_owned()))
            }
            Err(rejection) => Err(Failure::Wrong(in_our_words(&rejection.body_text()))),
        }
    }
}

/// Without the library's beginning, which speaks of types.
fn in_our_words(said: &str) -> String {
    const BEGINNINGS: [&str; 2] = [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
    ];
    let bare = BEGINNINGS.iter().find_map(|beginning| said.strip_prefix(beginning)).unwrap_or(said);
    format!("the JSON body is not as it must be: {bare}; docs/api.md has the fields")
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        Self::Wrong(error.to_string())
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) service: Option<String>,
}

impl Named {
    pub(super) fn key(&self) -> ObjectKey {
        ObjectKey { host: self.host.as_str().into(), service: self.service.as_deref().map(Into::into) }
    }
}

/// Whom an act is about.
#[derive(Default, Deserialize)]
pub(super) struct Subjects {
    host: Option<String>,
    service: Option<String>,
    #[serde(default)]
    objects: Vec<Named>,
}

impl Subjects {
    pub(super) fn keys(&self) -> Result<Vec<ObjectKey>, Failure> {
        let one =
            self.host.as_ref().map(|host| Named { host: host.clone(), service: self.service.clone() }.key());
        let keys: Vec<ObjectKey> = one.into_iter().chain(self.objects.iter().map(Named::key)).collect();
        if keys.is_empty() {
            return Err(Failure::Wrong(
                "say which: `host`, and `service` for a service, or a list `objects`".to_owned(),
            ));
        }
        Ok(keys)
    }
}

/// A time as a text people write, or as seconds since the epoch.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum When {
    Seconds(i64),
    Text(String),
}

impl When {
    fn text(&self) -> String {
        match self {
            Self::Seconds(seconds) => format!("@{seconds}"),
            Self::Text(text) => text.clone(),
        }
    }
}

pub(super) fn said(when: Option<&When>) -> String {
    when.map(When::text).unwrap_or_default()
}

/// One refused order of one is an error; of several it stands in the list.
pub(super) fn answer(what: &str, word: &str, answers: &Answers, end: &str) -> Result<Json<Value>, Failure> {
    if let (true, [(key, why)]) = (answers.done.is_empty(), answers.refused.as_slice()) {
        let key = key.to_string();
        let named = if why.contains(&key) { String::new() } else { format!(" ({key})") };
        return Err(Failure::Refused(format!("{why}{named}")));
    }
    let refused = answers
        .refused
        .iter()
        .map(|(key, why)| json!({"host": &*key.host, "service": key.service.as_deref(), "error": why}));
    let ids: Vec<u64> = answers.done.iter().filter_map(|(_, done)| done.record).collect();
    Ok(Json(json!({
        "message": format!("{what} {}{}{end}", answers.whom(), answers.numbers(word)),
        "accepted": answers.done.len(),
        "refused": refused.collect::<Vec<Value>>(),
        "ids": ids,
    })))
}

async fn each(
    seen: &Seen,
    subjects: &Subjects,
    what: &str,
    order: impl Fn(ObjectKey) -> Operation,
) -> Result<Json<Value>, Failure> {
    answer(what, "number", &seen.give_each(&subjects.keys()?, order).await?, "")
}

pub(super) fn done(message: impl Into<String>, done: &Done) -> Json<Value> {
    Json(
        json!({ "message": message.into(), "id": done.record, "reference": done.ticket.map(|ticket| ticket.to_string()) }),
    )
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
pub(crate) struct Acknowledge {
    #[serde(flatten)]
    subjects: Subjects,
    comment: String,
    /// `recovery`, `worse` or `change`; without it, `sticky: false` is the last and all else the first.
    until: Option<String>,
    #[serde(default = "yes")]
    sticky: bool,
    #[serde(default = "yes")]
    notify: bool,
    /// The comment outlives the acknowledgement.
    #[serde(default)]
    keep_comment: bool,
    expires: Option<When>,
}

pub(crate) async fn acknowledge(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Acknowledge>,
) -> Result<Json<Value>, Failure> {
    let comment = orders::text("comment", &asked.comment)?;
    let expires = orders::expires(&said(asked.expires.as_ref()), &seen.eyes)?;
    let Acknowledge { sticky, notify, keep_comment: keeps_comment, .. } = asked;
    let usual = if sticky { Until::Recovery } else { Until::Change };
    let until = orders::until(asked.until.as_deref().unwrap_or_default(), usual)?;
    let order = |subject| Operation::Acknowledge {
        subject,
        comment: comment.clone(),
        until,
        notify,
        keeps_comment,
        expires,
    };
    let answers = seen.give_each(&asked.subjects.keys()?, order).await?;
    answer("acknowledged", "comment", &answers, &orders::lasts(until, expires, &seen.eyes))
}

#[derive(Deserialize)]
pub(crate) struct Plain {
    #[serde(flatten)]
    subjects: Subjects,
}

pub(crate) async fn remove_acknowledgement(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Plain>,
) -> Result<Json<Value>, Failure> {
    let order = |subject| Operation::RemoveAcknowledgement { subject };
    each(&seen, &asked.subjects, "acknowledgement removed from", order).await
}

#[derive(Deserialize)]
pub(crate) struct Remark {
    #[serde(flatten)]
    subjects: Subjects,
    comment: String,
}

pub(crate) async fn comment(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Remark>,
) -> Result<Json<Value>, Failure> {
    let text = orders::text("comment", &asked.comment)?;
    let order = |subject| Operation::AddComment { subject, text: text.clone() };
    each(&seen, &asked.subjects, "comment added to", order).await
}

pub(crate) async fn delete_comment(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let answer = seen.give(Operation::DeleteComment { id: CommentId(id) }).await?;
    Ok(done("comment deleted", &answer))
}

#[derive(Deserialize)]
pub(crate) struct Recheck {
    #[serde(flatten)]
    subjects: Subjects,
    #[serde(default = "yes")]
    forced: bool,
}

pub(crate) async fn recheck(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Recheck>,
) -> Result<Json<Value>, Failure> {
    let (at, forced) = (seen.eyes.now, asked.forced);
    each(&seen, &asked.subjects, "checking", |subject| Operation::Recheck { subject, at, forced }).await
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StateSaid {
    Number(i32),
    Word(String),
}

/// Taken from the body as it stands there, where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A passive result.
#[derive(Deserialize)]
struct Submitted<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    #[serde(borrow)]
    service: Option<Text<'a>>,
    state: StateSaid,
    /// As a plugin prints it: first line, `|`, performance data, further lines.
    #[serde(borrow)]
    output: Text<'a>,
    #[serde(borrow)]
    perfdata: Option<Text<'a>>,
    #[serde(borrow)]
    long_output: Option<Text<'a>>,
    at: Option<i64>,
}

impl<'a> Submitted<'a> {
    fn decode(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|error| {
            let (text, place) =
                (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
            // A place within one result is none in the body.
            text.strip_suffix(&place).unwrap_or(&text).to_owned()
        })
    }

    fn read(&self, now: Timestamp) -> Result<CheckResult, String> {
        let service = self.service.as_ref().map(|Text(name)| (&**name).into());
        let key = ObjectKey { host: (&*self.host.0).into(), service };
        let code = match &self.state {
            StateSaid::Number(number) => *number,
            StateSaid::Word(word) => {
                let (number, known) = if key.service.is_some() {
                    (
                        State::from_word(word).map(Condition::number),
                        "OK, WARNING, CRITICAL, UNKNOWN or 0 to 3",
                    )
                } else {
                    (HostState::from_word(word).map(Condition::number), "UP, DOWN, UNREACHABLE or 0 to 2")
                };
                let number = number.map(i32::from).or_else(|| word.trim().parse().ok());
                number.ok_or_else(|| format!("`{word}` is not a state; it is one of {known}"))?
            }
        };
        let mut printed = Cow::Borrowed(&*self.output.0);
        if let Some(Text(perfdata)) = &self.perfdata {
            printed.to_mut().push_str(" | ");
            printed.to_mut().push_str(perfdata);
        }
        if let Some(Text(long)) = &self.long_output {
            printed.to_mut().push('\n');
            printed.to_mut().push_str(long);
        }
        let output: Output = output::parse(printed.as_bytes());
        let at = self.at.map_or(now, Timestamp::from_second);
        Ok(CheckResult {
            key,
            place: None,
            verdict: Verdict::Exit(code),
            output: output.into(),
            started: at,
            finished: at,
            latency: now.since(at),
            source: Source::Passive,
        })
    }
}

pub(crate) async fn result(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Box<RawValue>>,
) -> Result<Json<Value>, Failure> {
    let submitted = Submitted::decode(&asked).map_err(|why| Failure::Wrong(in_our_words(&why)))?;
    let result = submitted.read(seen.eyes.now).map_err(Failure::Wrong)?;
    match seen.web.backend.submit(vec![result]).await?.into_iter().flatten().next() {
        Some(refused) => Err(refused.into()),
        None => Ok(Json(json!({ "message": "result taken" }))),
    }
}

#[derive(Deserialize)]
pub(crate) struct Batch {
    /// Read one by one, so that a mistake in one of them costs only that one; raw, because ten thousand trees of
    /// values would cost more than all that is done with them.
    results: Vec<Box<RawValue>>,
}

/// All in one go to the engine, each on its own there: one that is refused does not hold up the others. They are
/// on the disk within a second, as all results of checks are.
pub(crate) async fn results(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Batch>,
) -> Result<Json<Value>, Failure> {
    let mut refused = Vec::new();
    let (mut results, mut places) = (Vec::with_capacity(asked.results.len()), Vec::new());
    for (index, said) in asked.results.iter().enumerate() {
        match Submitted::decode(said).and_then(|submitted| submitted.read(seen.eyes.now)) {
            Ok(result) => {
                results.push(result);
                places.push(index);
            }
            Err(why) => refused.push((index, why)),
        }
    }
    let answers = seen.web.backend.submit(results).await?;
    let answered = places.into_iter().zip(answers);
    refused.extend(answered.filter_map(|(index, answer)| Some((index, answer?.to_string()))));
    refused.sort_unstable();
    let accepted = asked.results.len() - refused.len();
    let refusal = |(index, why): (usize, String)| {
        let said: Option<Value> =
            asked.results.get(index).and_then(|said| serde_json::from_str(said.get()).ok());
        let said = |field: &str| said.as_ref().and_then(|said| said.get(field));
        json!({"index": index, "host": said("host"), "service": said("service"), "error": why})
    };
    let refused: Vec<Value> = refused.into_iter().map(refusal).collect();
    Ok(Json(
        json!({ "message": format!("{accepted} results taken"), "accepted": accepted, "refused": refused }),
    ))
}

#[derive(Deserialize)]
pub(crate) struct Closing {
    comment: String,
    #[serde(default)]
    false_positive: bool,
    /// Of a false positive; none: for good.
    expires: Option<When>,
}

pub(crate) async fn close_alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Closing>,
) -> Result<Json<Value>, Failure> {
    let comment = orders::text("comment", &asked.comment)?;
    let until = said(asked.expires.as_ref());
    let false_positive = orders::false_positive(asked.false_positive, &until, &seen.eyes)?;
    let answer = seen.give(Operation::CloseAlarm { alarm: AlarmId(id), comment, false_positive }).await?;
    Ok(done(format!("alarm {id} closed"), &answer))
}

#[derive(Deserialize)]
pub(crate) struct Owner {
    owner: Option<String>,
}

pub(crate) async fn own_alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Owner>,
) -> Result<Json<Value>, Failure> {
    let owner = asked.owner.as_deref().and_then(orders::some);
    let answer = seen.give(Operation::OwnAlarm { alarm: AlarmId(id), owner }).await?;
    Ok(done(format!("alarm {id} has another owner"), &answer))
}
