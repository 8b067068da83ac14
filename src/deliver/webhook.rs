//! Messages as HTTP requests: the body that each program wants, and what its answer means.

mod bodies;

use std::time::Duration;

use vigia_checks::http::{Post, Reply, post};
use vigia_core::model::contact::{Webhook, WebhookFormat};
use vigia_core::model::secret::Secret;
use vigia_core::model::time::Timestamp;

use super::facts::Facts;
use super::outcome::Outcome;
use super::settings::{Settings, Tools};
use bodies::Body;

/// Whether a second request about the same message makes no second alert.
pub(super) fn is_idempotent(format: WebhookFormat) -> bool {
    match format {
        WebhookFormat::Pagerduty | WebhookFormat::Alertmanager => true,
        WebhookFormat::Json
        | WebhookFormat::Slack
        | WebhookFormat::Mattermost
        | WebhookFormat::Teams
        | WebhookFormat::Telegram
        | WebhookFormat::Ntfy => false,
    }
}

pub(super) async fn send(
    webhook: &Webhook,
    facts: &Facts,
    settings: &Settings,
    tools: &Tools,
    now: Timestamp,
) -> Outcome {
    let (url, headers) = match revealed(webhook, tools) {
        Ok(revealed) => revealed,
        Err(why) => return Outcome::Down { why, wait: None },
    };
    let request = match bodies::request(&url, webhook.format, facts, &settings.wording) {
        Ok(Body::Request { url, body }) => {
            Post { url, headers, body: body.to_string(), timeout: webhook.timeout }
        }
        Ok(Body::Nothing(why)) => return Outcome::Sent(why.to_owned()),
        Err(why) => return Outcome::Void(why),
    };
    match post(&request, &tools.shared).await {
        Ok(reply) => judge(reply, now),
        Err(failure) => Outcome::Down { why: failure.text, wait: None },
    }
}

/// Address and headers, with their secrets fetched.
fn revealed(webhook: &Webhook, tools: &Tools) -> Result<(String, Vec<(String, String)>), String> {
    let reveal = |what: &str, secret: &Secret| {
        (tools.secrets)(secret).map_err(|why| format!("`{what}` of the webhook cannot be had: {why}"))
    };
    let url = reveal("url", &webhook.url)?.trim().to_owned();
    let headers = webhook.headers.iter().map(|(name, value)| Ok((name.clone(), reveal(name, value)?)));
    Ok((url, headers.collect::<Result<_, String>>()?))
}

fn judge(reply: Reply, now: Timestamp) -> Outcome {
    let said = if reply.body.is_empty() { String::new() } else { format!(": {}", reply.body) };
    let why = format!("{}{said}", reply.status_line);
    match reply.status {
        200..=299 => Outcome::Sent(reply.status_line),
        300..=399 => {
            Outcome::Never(format!("{why}; redirects are not followed, `url` wants the place itself"))
        }
        // Too slow, too early, too many, or broken: another try may work.
        408 | 425 | 429 | 500..=599 => {
            let wait = reply.retry_after.as_deref().and_then(|after| retry_after(after, now));
            Outcome::Down { why, wait }
        }
        _ => Outcome::Never(why),
    }
}

/// Seconds, or a date as in `Wed, 25 Nov 2026 07:30:00 GMT`.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from(date.timestamp()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
        let reply = Reply {
            status,
            status_line: format!("HTTP/1.1 {status}"),
            retry_after: retry_after.map(str::to_owned),
            body: String::new(),
        };
        judge(reply, Timestamp::from_second(1_795_591_800))
    }

    #[test]
    fn answers_mean_what_http_says_they_mean() {
        let wait = |seconds| Some(Duration::from_secs(seconds));
        assert!(matches!(answered(204, None), Outcome::Sent(_)));
        for status in [301, 307, 400, 401, 404, 410] {
            assert!(matches!(answered(status, None), Outcome::Never(_)), "{status}");
        }
        for status in [408, 429, 500, 503] {
            assert!(matches!(answered(status, None), Outcome::Down { wait: None, .. }), "{status}");
        }
        assert!(matches!(answered(429, Some("90")), Outcome::Down { wait: w, .. } if w == wait(90)));
        let date = answered(503, Some("Wed, 25 Nov 2026 07:31:00 GMT"));
        assert!(matches!(date, Outcome::Down { wait: w, .. } if w == wait(60)), "{date:?}");
    }
}
