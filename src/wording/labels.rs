//! The labels that templates may ask for, each with an example. Whoever fills a template gives exactly these.

use serde_json::{Value, json};

use super::Kind;

/// Example values of a message, with every label there is.
pub fn labels(kind: Kind) -> Value {
    match kind {
        Kind::Digest => digest(),
        Kind::Host => {
            let mut values = common();
            values["state"] = json!("DOWN");
            values["last_state"] = json!("UP");
            values["output"] = json!("PING CRITICAL - no answer to 5 packets");
            values
        }
        Kind::Service => {
            let mut values = common();
            values["service"] = json!({
                "name": "HTTP",
                "display_name": "HTTP",
                "notes": "",
                "notes_url": "",
                "groups": ["shop"],
                "variables": {},
            });
            values
        }
    }
}

fn common() -> Value {
    json!({
        // PROBLEM, RECOVERY, ACKNOWLEDGEMENT, FLAPPINGSTART, … as in Nagios; TEST.
        "kind": "PROBLEM",
        "contact": "ana",
        "recipients": ["ana", "ben"],
        "number": 1,
        "is_escalated": false,
        "host": {
            "name": "web1",
            "alias": "Web server 1",
            "address": "192.0.2.10",
            "state": "UP",
            "output": "PING OK - 5 of 5 packets, 0.3 ms",
            "notes": "",
            "notes_url": "",
            "groups": ["linux"],
            "tags": {},
            "variables": {},
        },
        "state": "CRITICAL",
        "last_state": "OK",
        "state_type": "HARD",
        "attempt": 3,
        "output": "HTTP CRITICAL: HTTP/1.1 503 Service Unavailable",
        "long_output": "",
        "perfdata": "time=0.012s",
        // Of whoever acknowledged, scheduled or wrote; empty where nobody did.
        "author": "",
        "comment": "",
        // Times in the contact's timezone.
        "at": "Wed 2026-11-25 07:30:00 CET",
        "since": "Wed 2026-11-25 07:28:00 CET",
        "duration": "2m",
        "last_check": "Wed 2026-11-25 07:30:00 CET",
        // The object's page; empty without `web.url`.
        "url": "https://vigia.example.test/host/web1",
    })
}

fn digest() -> Value {
    json!({
        "contact": "ana",
        // All that it stands for; more than `entries` where those are too many.
        "messages": 14,
        "hosts": 3,
        "services": 12,
        "at": "Wed 2026-11-25 07:30:00 CET",
        "url": "https://vigia.example.test/",
        "entries": [{
            "at": "Wed 2026-11-25 07:30:00 CET",
            "kind": "PROBLEM",
            "name": "web1/HTTP",
            "host": "web1",
            "service": "HTTP",
            "state": "CRITICAL",
            "output": "HTTP CRITICAL: HTTP/1.1 503 Service Unavailable",
        }],
    })
}
