//! What was called a false positive.

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde_json::{Value, json};
use vigia_core::model::id::SuppressionId;
use vigia_core::model::operation::Operation;
use vigia_core::model::suppression::Matched;

use super::acts::{Body, done};
use super::{list as listed, seconds};
use crate::web::backend::KeptSuppression;
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::pages::suppressions::wanted;
use crate::web::query::{MOST, Pairs};

/// `limit` and `offset` where pages have numbers.
pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (mut filter, ..) = wanted(&pairs);
    filter.slice.limit = number("limit").unwrap_or(filter.slice.limit).clamp(1, MOST);
    filter.slice.offset = number("offset").unwrap_or(filter.slice.offset);
    let (total, found) = seen.web.backend.suppressions(filter).await?;
    Ok(Json(listed(total, found.iter().map(item).collect())))
}

fn item(kept: &KeptSuppression) -> Value {
    let one = &kept.suppression;
    let (anomaly, about) = match &one.matched {
        Matched::Problem { .. } => (None, ""),
        Matched::Anomaly { kind, about } => (Some(kind.word()), &**about),
    };
    json!({
        "id": one.id.0,
        "host_name": &*one.subject.host,
        "description": one.subject.service.as_deref(),
        "matches": one.matched.to_string(),
        "anomaly": anomaly,
        "about": about,
        "reason": &*one.reason,
        "author": &*one.author,
        "since": one.since.as_second(),
        "expires": seconds(one.expires),
        "ticket": one.ticket.map(|reference| reference.to_string()),
        "alarm": one.alarm.map(|alarm| alarm.0),
        "rule": one.rule.as_deref(),
        "held": one.held,
        "last": seconds(one.last),
        "ended": seconds(kept.end.as_ref().map(|end| end.at)),
        "how": kept.end.as_ref().map(|end| end.how.word()),
        "ended_by": kept.end.as_ref().and_then(|end| end.by.as_deref()),
    })
}

pub(crate) async fn revoke(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(_): Body<Value>,
) -> Result<Json<Value>, Failure> {
    let answer = seen.give(Operation::RevokeSuppression { id: SuppressionId(id) }).await?;
    Ok(done(format!("suppression {id} revoked"), &answer))
}
