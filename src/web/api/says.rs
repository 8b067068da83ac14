//! How the telling of an object stands, in sentences for people: the page and `vigia why` say the same.

use jiff::tz::TimeZone;
use serde_json::Value;
use vigia_core::model::time::Timestamp;

use crate::web::words;

/// Of `standing` and `now` as the API gives them.
pub(super) fn sentences(standing: &Value, now: &Value, zone: &TimeZone) -> Vec<String> {
    let mut lines = told(standing, zone);
    lines.extend(would(now));
    lines
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn told(standing: &Value, zone: &TimeZone) -> Vec<String> {
    let stamp = |name: &str| words::stamp(Timestamp::from_second(number(standing, name)), zone);
    let mut lines = Vec::new();
    if standing.get("all_off").and_then(Value::as_bool) == Some(true) {
        lines.push("Messages are switched off for everything.".to_owned());
    }
    let names: Vec<&str> = items(standing, "told").iter().map(|told| text(told, "contact")).collect();
    if !names.is_empty() {
        let (of, last) = (number(standing, "number"), stamp("last_notification"));
        lines.push(format!("Told of the problem: {}; message {of} at {last}.", names.join(", ")));
    }
    match standing.get("held").filter(|held| held.is_object()) {
        Some(held) => lines.push(format!("The next message is held: {}.", text(held, "text"))),
        None if number(standing, "next_notification") > 0 => {
            lines.push(format!("Told again at {}.", stamp("next_notification")));
        }
        None => {}
    }
    lines
}

/// Who would hear of a problem now, and who would not.
fn would(now: &Value) -> Vec<String> {
    let names: Vec<&str> = items(now, "to").iter().filter_map(Value::as_str).collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let state = text(now, "state");
    let mut lines = vec![format!("A message that it is {state} would now reach: {names}.")];
    for one in items(now, "skipped") {
        lines.push(format!("Not {}: {}.", text(one, "contact"), text(one, "text")));
    }
    lines
}
