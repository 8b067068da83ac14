//! A watched site whose every state the test decides: all its results come from the test itself.

use serde_json::{Value, json};

use super::daemon::TestDaemon;

/// `-c` for a site that goes hard with the second bad result and opens a ticket at once.
pub const HEAD: &str = "defaults: {check_interval: 1h, max_check_attempts: 2}
rules: {tickets: {when: {states: [down, critical], hard: true, lasting: 0}, ticket: {type: Availability}}}
";

/// The name and the password of the operator in these tests.
pub const OPERATOR: (&str, &str) = ("ana", "correct horse battery");

/// Hands in a result as an outside program would; `service` may be empty for the host.
pub async fn report(daemon: &TestDaemon, host: &str, service: &str, state: u8, output: &str) {
    let mut body = json!({"host": host, "state": state, "output": output});
    if !service.is_empty() {
        body["service"] = json!(service);
    }
    acts(daemon, "/api/v1/result", body).await;
}

/// The same until it is confirmed.
pub async fn report_hard(daemon: &TestDaemon, host: &str, service: &str, state: u8, output: &str) {
    for _ in 0..2 {
        report(daemon, host, service, state, output).await;
    }
}

/// Posts to the control socket and insists on success.
pub async fn acts(daemon: &TestDaemon, path: &str, body: Value) -> Value {
    let (status, answer) = daemon.post(path, &body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Somebody who may act.
pub async fn add_operator(daemon: &TestDaemon) {
    let (name, password) = OPERATOR;
    acts(daemon, "/api/v1/users", json!({"name": name, "role": "operator", "password": password})).await;
}
