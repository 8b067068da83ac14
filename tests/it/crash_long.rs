//! `kill -9` at random moments under load, again and again: nothing that a person was told is saved is ever missing, nothing
//! is sent twice, and the store opens every time. A few lives in the ordinary run, three hundred in `make test-long`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::daemon::TestDaemon;
use crate::support::guests::Guests;
use crate::support::hook::Hook;

/// Lives of one run.
fn lives() -> u64 {
    std::env::var("VIGIA_TEST_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(6)
}

fn site(port: u16, hook: &str, generation: u64) -> String {
    format!(
        "# {generation}
defaults: {{check_interval: 200ms, retry_interval: 100ms, max_check_attempts: 1, contacts: [ops], flap_detection: off}}
contacts: {{ops: {{webhook: {{url: \"{hook}\"}}, rate_limit: off}}}}
rules: {{tickets: {{when: {{states: [critical], hard: true, lasting: 0}}, ticket: {{type: Availability}}}}}}
hosts:
  web1:
    address: 127.0.0.1
    check: {{passive: {{}}}}
    services: {{one: {{tcp: {port}}}, a: {{passive: {{}}}}, b: {{passive: {{}}}}, c: {{passive: {{}}}}}}
"
    )
}

/// What the daemon has said is done, by whom it was asked.
#[derive(Default)]
struct Told {
    comments: BTreeSet<String>,
    tickets: BTreeSet<String>,
}

/// Orders one after the other until the daemon is gone, and keeps what it confirmed.
async fn work(socket: std::path::PathBuf, life: u64, told: Arc<Mutex<Told>>) {
    for turn in 0.. {
        let service = ["a", "b", "c"][usize::try_from(turn % 3).unwrap_or(0)];
        let name = format!("life {life} turn {turn}");
        let subject = |more: (&str, Value)| {
            let mut body = json!({"host": "web1", "service": service});
            body[more.0] = more.1;
            body
        };
        let mut result = subject(("state", json!(turn % 2 * 2)));
        result["output"] = json!(name);
        let steps = [
            ("/api/v1/result", result),
            ("/api/v1/comment", subject(("comment", json!(name)))),
            ("/api/v1/tickets", json!({"title": name, "text": "by hand"})),
            ("/api/v1/reload", json!({})),
        ];
        for (path, body) in steps {
            // Reloads cost more than all else together.
            if path == "/api/v1/reload" && turn % 7 != 0 {
                continue;
            }
            let Some((status, answer)) = ask(&socket, path, &body.to_string()).await else { return };
            if status != 200 {
                continue;
            }
            let mut told = told.lock().expect("no panic");
            match path {
                "/api/v1/comment" => drop(told.comments.insert(name.clone())),
                "/api/v1/tickets" => {
                    let answer: Value = serde_json::from_str(&answer).expect("JSON");
                    assert!(answer["reference"].is_string(), "{answer}");
                    told.tickets.insert(name.clone());
                }
                _ => {}
            }
        }
    }
}

/// None: the daemon went in the middle of it.
async fn ask(socket: &std::path::Path, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // A body that was cut off promises nothing.
    serde_json::from_str::<Value>(body).ok()?;
    Some((status, body.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_nothing_that_was_promised_is_missing_and_nothing_is_sent_twice() {
    let guests = Guests::default();
    let port = guests.invite('a');
    let hook = Hook::start().await;
    let url = hook.url("/ops");
    let told = Arc::new(Mutex::new(Told::default()));
    let mut daemon = TestDaemon::start(&[("vigia.yaml", &site(port, &url, 0))]).await;
    for life in 0..lives() {
        let socket = daemon.state().join("control.sock");
        let working = tokio::spawn(work(socket, life, told.clone()));
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..400))).await;
        daemon.write("vigia.yaml", &site(port, &url, life + 1));
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..200))).await;
        daemon = daemon.crash_and_restart().await;
        working.await.expect("it ended with the daemon");
        look(&daemon, &told, Some(life)).await;
    }
    look(&daemon, &told, None).await;
    let (comments, tickets) = {
        let told = told.lock().expect("no panic");
        (told.comments.len(), told.tickets.len())
    };
    assert!(comments > 0 && tickets > 0, "there was something to lose");
    twice(&hook);
    println!("{} lives, {comments} comments, {tickets} tickets, {} messages", lives(), hook.hits().len());
    assert!(daemon.stop().await.success());
}

/// What this life was told is there; at the end, what all of them were told.
async fn look(daemon: &TestDaemon, told: &Mutex<Told>, only: Option<u64>) {
    let is_looked_for = |name: &&String| only.is_none_or(|life| name.starts_with(&format!("life {life} ")));
    let comments = names(daemon, "/api/v1/comments", "comment").await;
    let tickets = names(daemon, "/api/v1/tickets?status=all", "title").await;
    let told = told.lock().expect("no panic");
    for name in told.comments.iter().filter(is_looked_for) {
        assert!(comments.contains(name), "comment `{name}` is missing after {only:?}");
    }
    for name in told.tickets.iter().filter(is_looked_for) {
        assert!(tickets.contains(name), "ticket `{name}` is missing after {only:?}");
    }
}

/// One field of every item of a list, however many pages it has.
async fn names(daemon: &TestDaemon, path: &str, field: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let and = if path.contains('?') { '&' } else { '?' };
    for page in 0.. {
        let answer = daemon.get(&format!("{path}{and}limit=10000&offset={}", page * 10_000)).await;
        let items = answer["items"].as_array().expect("a list");
        found.extend(items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)));
        if items.len() < 10_000 {
            break;
        }
    }
    found
}

/// The receiver knows each message by its id.
fn twice(hook: &Hook) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for hit in hook.hits() {
        let id = hit.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("a message without an id: {}", hit.body))
            .to_owned();
        *seen.entry(id).or_default() += 1;
    }
    let double: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(double.is_empty(), "sent twice: {double:?}");
}
