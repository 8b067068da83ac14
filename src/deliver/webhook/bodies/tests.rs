//! Each body against what its program documents.

use insta::assert_snapshot;

use super::*;
use crate::deliver::facts::tests::{digest, problem, recovery};

fn sent(facts: &Facts, url: &str, format: WebhookFormat) -> (String, String) {
    match request(url, format, facts, &Wording::default()).unwrap() {
        Body::Request { url, body } => (url, format!("{body:#}")),
        Body::Nothing(why) => (String::new(), why.to_owned()),
    }
}

#[test]
fn slack_gets_an_attachment_with_its_three_signs_escaped() {
    let (_, body) = sent(&problem(1), "https://chat.example.test/x", WebhookFormat::Slack);
    assert!(body.contains("503 &lt;b&gt;'; rm -rf /") && body.contains("\"color\": \"#b3261e\""), "{body}");
    let (_, body) = sent(&problem(1), "https://chat.example.test/x", WebhookFormat::Mattermost);
    assert!(body.contains("503 <b>'; rm -rf /"), "{body}");
}

#[test]
fn teams_gets_an_adaptive_card() {
    let (_, body) = sent(&recovery(), "https://teams.example.test/x", WebhookFormat::Teams);
    let card: Value = serde_json::from_str(&body).unwrap();
    let content = &card["attachments"][0]["content"];
    assert_eq!(card["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(content["type"], "AdaptiveCard");
    assert_eq!(content["body"][0]["color"], "Good");
    assert_eq!(content["actions"][0]["url"], "https://vigia.example.test/hosts/web1/services/HTTP");
}

#[test]
fn telegram_gets_its_chat_out_of_the_address() {
    let (url, body) = sent(
        &problem(1),
        "https://api.telegram.example.test/bot1:x/sendMessage?chat_id=-100123",
        WebhookFormat::Telegram,
    );
    assert_eq!(url, "https://api.telegram.example.test/bot1:x/sendMessage");
    assert!(body.contains("\"chat_id\": \"-100123\"") && !body.contains("parse_mode"), "{body}");
    let without = ("https://api.telegram.example.test/bot1:x/sendMessage", WebhookFormat::Telegram);
    assert!(request(without.0, without.1, &problem(1), &Wording::default()).unwrap_err().contains("chat_id"));
}

#[test]
fn ntfy_gets_its_topic_out_of_the_address() {
    let (url, body) = sent(&problem(1), "https://ntfy.example.test/alerts", WebhookFormat::Ntfy);
    assert_eq!(url, "https://ntfy.example.test/");
    assert!(body.contains("\"topic\": \"alerts\"") && body.contains("\"priority\": 5"), "{body}");
    let without = ("https://ntfy.example.test/", WebhookFormat::Ntfy);
    assert!(request(without.0, without.1, &problem(1), &Wording::default()).is_err());
}

#[test]
fn pagerduty_opens_and_closes_one_incident_for_one_problem() {
    let url = "https://events.example.test/v2/enqueue?routing_key=K";
    let body = |facts: &Facts| -> Value {
        serde_json::from_str(&sent(facts, url, WebhookFormat::Pagerduty).1).unwrap()
    };
    let (first, second, end) = (body(&problem(1)), body(&problem(2)), body(&recovery()));
    assert_eq!((&first["event_action"], &end["event_action"]), (&json!("trigger"), &json!("resolve")));
    assert_eq!(first["routing_key"], "K");
    assert_eq!(first["dedup_key"], second["dedup_key"]);
    assert_eq!(first["dedup_key"], end["dedup_key"]);
    assert_eq!(first["payload"]["severity"], "critical");
    let mut flapping = problem(1);
    if let About::Object(notice) = &mut flapping.message.about {
        std::sync::Arc::make_mut(notice).kind = MessageKind::FlappingStart;
    }
    let nothing = request(url, WebhookFormat::Pagerduty, &flapping, &Wording::default());
    assert!(matches!(nothing, Ok(Body::Nothing(_))));
}

#[test]
fn alertmanager_receivers_get_version_4() {
    let url = "https://hooks.example.test/am";
    let (_, firing) = sent(&problem(1), url, WebhookFormat::Alertmanager);
    let (_, resolved) = sent(&recovery(), url, WebhookFormat::Alertmanager);
    let (firing, resolved): (Value, Value) =
        (serde_json::from_str(&firing).unwrap(), serde_json::from_str(&resolved).unwrap());
    assert_eq!((&firing["version"], &firing["status"]), (&json!("4"), &json!("firing")));
    assert_eq!(resolved["alerts"][0]["status"], "resolved");
    assert_eq!(resolved["alerts"][0]["endsAt"], "2026-11-25T07:30:00Z");
    assert_eq!(firing["groupKey"], resolved["groupKey"]);
    assert_eq!(firing["alerts"][0]["labels"], resolved["alerts"][0]["labels"]);
}

#[test]
fn our_own_body_says_everything() {
    let (_, body) = sent(&problem(1), "https://hooks.example.test/", WebhookFormat::Json);
    let body: Value = serde_json::from_str(&body).unwrap();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_snapshot!(keys.join(" "), @"id title text kind contact recipients number is_escalated host state last_state state_type attempt output long_output perfdata author comment at since duration last_check url service problem time");
}

#[test]
fn every_format_can_tell_a_summary() {
    for (url, format) in [
        ("https://a.example.test/", WebhookFormat::Json),
        ("https://a.example.test/", WebhookFormat::Slack),
        ("https://a.example.test/", WebhookFormat::Mattermost),
        ("https://a.example.test/", WebhookFormat::Teams),
        ("https://a.example.test/?chat_id=1", WebhookFormat::Telegram),
        ("https://a.example.test/t", WebhookFormat::Ntfy),
        ("https://a.example.test/?routing_key=1", WebhookFormat::Pagerduty),
        ("https://a.example.test/", WebhookFormat::Alertmanager),
    ] {
        let (_, body) = sent(&digest(), url, format);
        assert!(body.contains("12 messages"), "{format:?}: {body}");
    }
}
