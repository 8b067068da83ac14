//! The bodies, by format, after the public description of each program's incoming webhook.

use serde_json::{Map, Value, json};
use vigia_core::model::contact::WebhookFormat;
use vigia_core::model::message::{About, MessageKind, Notice};
use vigia_core::model::state::{AnyState, HostState, State};
use vigia_core::model::time::Timestamp;

use crate::deliver::facts::Facts;
use crate::wording::{Part, Wording};

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Request {
        url: String,
        body: Value,
    },
    /// This program has no word for it.
    Nothing(&'static str),
}

pub(super) fn request(
    url: &str,
    format: WebhookFormat,
    facts: &Facts,
    wording: &Wording,
) -> Result<Body, String> {
    let (kind, labels) = (facts.kind(), facts.labels());
    let said = Said {
        title: wording.render(kind, Part::Subject, &labels)?,
        text: wording.render(kind, Part::Text, &labels)?.trim().to_owned(),
        facts,
    };
    let url = url.to_owned();
    let (url, body) = match format {
        WebhookFormat::Json => (url, said.json(labels)),
        WebhookFormat::Slack | WebhookFormat::Mattermost => (url, said.slack(format)),
        WebhookFormat::Teams => (url, said.teams()),
        WebhookFormat::Telegram => {
            let (url, chat) = take_query(&url, "chat_id");
            let chat = chat.ok_or("the `url` for Telegram names no chat: it ends with `?chat_id=NUMBER`")?;
            (url, said.telegram(&chat))
        }
        WebhookFormat::Ntfy => {
            let (url, topic) = topic(&url)?;
            (url, said.ntfy(&topic))
        }
        WebhookFormat::Pagerduty => {
            let (url, key) = take_query(&url, "routing_key");
            let key = key.ok_or("the `url` for PagerDuty has no key: it ends with `?routing_key=KEY`")?;
            match said.pagerduty(&key) {
                Some(body) => (url, body),
                None => {
                    return Ok(Body::Nothing(
                        "PagerDuty is told of problems, acknowledgements and recoveries",
                    ));
                }
            }
        }
        WebhookFormat::Alertmanager => (url, said.alertmanager()),
    };
    Ok(Body::Request { url, body })
}

/// The value of a parameter, and the URL without it.
fn take_query(url: &str, name: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut value = None;
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((known, text)) if known == name => {
                value = Some(text.replace("%2B", "+").replace("%2D", "-"));
            }
            Some(_) | None => rest.push(pair),
        }
    }
    let rest = rest.join("&");
    (if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") }, value)
}

/// ntfy takes JSON at its root, and the topic inside.
fn topic(url: &str) -> Result<(String, String), String> {
    let trimmed = url.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((root, topic)) if root.contains("://") && !root.ends_with('/') && !topic.is_empty() => {
            Ok((format!("{root}/"), topic.to_owned()))
        }
        Some(_) | None => Err("the `url` for ntfy names no topic: it ends with `/TOPIC`".to_owned()),
    }
}

/// A message in words.
struct Said<'f> {
    title: String,
    text: String,
    facts: &'f Facts,
}

impl Said<'_> {
    fn notice(&self) -> Option<&Notice> {
        self.facts.notice()
    }

    fn is_good(&self) -> bool {
        self.notice().is_some_and(|notice| !notice.state.is_problem())
    }

    fn colour(&self) -> &'static str {
        match self.notice().map(|notice| notice.state) {
            Some(AnyState::Host(HostState::Up) | AnyState::Service(State::Ok)) => "#1b7f3b",
            Some(AnyState::Host(HostState::Down) | AnyState::Service(State::Critical)) => "#b3261e",
            Some(AnyState::Service(State::Warning)) => "#b58900",
            Some(AnyState::Host(HostState::Unreachable) | AnyState::Service(State::Unknown)) => "#6b3fa0",
            None => "#445566",
        }
    }

    /// Ours: every label, and the words.
    fn json(&self, labels: Value) -> Value {
        let mut body = json!({ "id": &*self.facts.message.id.0, "title": self.title, "text": self.text });
        if let (Some(body), Value::Object(labels)) = (body.as_object_mut(), labels) {
            body.extend(labels);
            if let Some(notice) = self.notice() {
                body.insert("problem".to_owned(), json!(notice.problem.map(|id| id.0)));
            }
            body.insert("time".to_owned(), json!(rfc3339(self.facts.message.at)));
        }
        body
    }

    fn slack(&self, format: WebhookFormat) -> Value {
        // Slack reads these three signs as its own; Mattermost reads Markdown and shows entities.
        let safe = |text: &str| match format {
            WebhookFormat::Slack => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            _ => text.to_owned(),
        };
        let mut attachment = json!({
            "color": self.colour(),
            "fallback": cut(&self.title, 200),
            "title": cut(&safe(&self.title), 200),
            "text": cut(&safe(&self.text), 3000),
        });
        let page = self.facts.page();
        if !page.is_empty() {
            attachment["title_link"] = json!(page);
        }
        json!({ "attachments": [attachment] })
    }

    fn teams(&self) -> Value {
        let colour = match self.is_good() {
            true => "Good",
            false if self.notice().is_some() => "Attention",
            false => "Default",
        };
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                { "type": "TextBlock", "text": cut(&plain(&self.title), 200), "weight": "Bolder", "size": "Medium",
                  "color": colour, "wrap": true },
                { "type": "TextBlock", "text": cut(&plain(&self.text).replace('\n', "\n\n"), 6000), "wrap": true },
            ],
        });
        let page = self.facts.page();
        if !page.is_empty() {
            card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open in vigia", "url": page }]);
        }
        let attachment = json!({
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        });
        json!({ "type": "message", "attachments": [attachment] })
    }

    fn telegram(&self, chat: &str) -> Value {
        // Without a mode no sign in it means anything.
        let text = format!("{}\n\n{}", self.title, self.text);
        json!({ "chat_id": chat, "text": cut(&text, 4000), "disable_web_page_preview": true })
    }

    fn ntfy(&self, topic: &str) -> Value {
        let (priority, tag) = match self.notice().map(|notice| notice.state) {
            Some(AnyState::Host(HostState::Up) | AnyState::Service(State::Ok)) => (3, "white_check_mark"),
            Some(AnyState::Host(HostState::Down) | AnyState::Service(State::Critical)) => {
                (5, "rotating_light")
            }
            Some(
                AnyState::Host(HostState::Unreachable) | AnyState::Service(State::Warning | State::Unknown),
            ) => (4, "warning"),
            None => (4, "warning"),
        };
        let mut body = json!({
            "topic": topic,
            "title": cut(&self.title, 200),
            "message": cut(&self.text, 3500),
            "priority": priority,
            "tags": [tag],
        });
        let page = self.facts.page();
        if !page.is_empty() {
            body["click"] = json!(page);
        }
        body
    }

    /// Events API v2. None: there is no event for it.
    fn pagerduty(&self, key: &str) -> Option<Value> {
        let notice = self.notice();
        let action = match notice.map(|notice| notice.kind) {
            Some(MessageKind::Problem | MessageKind::Custom | MessageKind::Handler | MessageKind::Test)
            | None => "trigger",
            Some(MessageKind::Recovery) => "resolve",
            Some(MessageKind::Acknowledgement) => "acknowledge",
            Some(
                MessageKind::FlappingStart
                | MessageKind::FlappingStop
                | MessageKind::FlappingDisabled
                | MessageKind::DowntimeStart
                | MessageKind::DowntimeEnd
                | MessageKind::DowntimeCancelled,
            ) => return None,
        };
        let severity = match notice.map(|notice| (notice.kind, notice.state)) {
            Some((MessageKind::Test | MessageKind::Custom | MessageKind::Handler, _)) | None => "info",
            Some((_, AnyState::Host(HostState::Down) | AnyState::Service(State::Critical))) => "critical",
            Some((_, AnyState::Service(State::Warning))) => "warning",
            Some((_, AnyState::Host(HostState::Unreachable) | AnyState::Service(State::Unknown))) => "error",
            Some((_, AnyState::Host(HostState::Up) | AnyState::Service(State::Ok))) => "info",
        };
        let mut body = json!({
            "routing_key": key,
            "event_action": action,
            "dedup_key": cut(&self.incident(), 255),
            "client": "vigia",
            "payload": {
                "summary": cut(&self.title, 1024),
                "source": notice.map_or("vigia", |notice| &notice.subject.host),
                "severity": severity,
                "timestamp": rfc3339(self.facts.message.at),
                "component": notice.and_then(|notice| notice.subject.service.as_deref()),
                "custom_details": { "text": cut(&self.text, 8000) },
            },
        });
        let page = self.facts.page();
        if !page.is_empty() {
            body["client_url"] = json!(page);
        }
        Some(body)
    }

    /// The same for everything about one problem.
    fn incident(&self) -> String {
        match self.notice() {
            Some(notice) => match notice.problem {
                Some(problem) => format!("vigia:{problem}:{}", notice.subject),
                None => format!("vigia:{}", self.facts.message.id),
            },
            None => format!("vigia:{}", self.facts.message.id),
        }
    }

    /// The body that Alertmanager (version 4) sends to its receivers: what understands those understands us.
    fn alertmanager(&self) -> Value {
        let status = if self.is_good() { "resolved" } else { "firing" };
        let (labels, started) = match &self.facts.message.about {
            About::Object(notice) => (labels(notice), notice.since.unwrap_or(self.facts.message.at)),
            // Goes by mail alone.
            About::Ticket(_) => (json!({ "alertname": "ticket", "job": "vigia" }), self.facts.message.at),
            About::Digest(_) => (json!({ "alertname": "digest", "job": "vigia" }), self.facts.message.at),
        };
        let ended =
            if self.is_good() { rfc3339(self.facts.message.at) } else { "0001-01-01T00:00:00Z".to_owned() };
        let state = self.notice().map_or("", |notice| notice.state.word());
        let annotations = json!({ "summary": self.title, "description": self.text, "state": state });
        let page = self.facts.page();
        let alert = json!({
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": rfc3339(started),
            "endsAt": ended,
            "generatorURL": page,
            "fingerprint": self.incident(),
        });
        json!({
            "version": "4",
            "groupKey": self.incident(),
            "truncatedAlerts": 0,
            "status": status,
            "receiver": &*self.facts.message.contact,
            "groupLabels": { "alertname": labels["alertname"].clone() },
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": self.facts.url.as_deref().unwrap_or_default(),
            "alerts": [alert],
        })
    }
}

fn labels(notice: &Notice) -> Value {
    let mut labels = Map::new();
    let name = notice.subject.service.as_deref().unwrap_or("host");
    labels.insert("alertname".to_owned(), json!(name));
    labels.insert("host".to_owned(), json!(&*notice.subject.host));
    if let Some(service) = &notice.subject.service {
        labels.insert("service".to_owned(), json!(&**service));
    }
    // Labels are what an alert is known by: the state, which changes, is an annotation.
    labels.insert("job".to_owned(), json!("vigia"));
    Value::Object(labels)
}

/// Without the signs that a card takes for Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn rfc3339(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// So many characters at most, and a sign that there were more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
