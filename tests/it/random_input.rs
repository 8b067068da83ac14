//! Damaged inputs in numbers: what the project keeps as examples (test vectors, blocks of the documentation) is cut, joined and
//! altered by chance, and handed to the readers of texts from outside. None may panic, and what they say stays within bounds.
//!
//! Coverage-guided fuzzing wants a nightly compiler, which the project does not build with; this is the bounded form of it.
//! Readers that are private to their part have the like beside them (`identify`, `nmap_xml`, `archive`, those of the checks).

use fastrand::Rng;
use serde_json::{Value, json};
use vigia::config::place::{FileId, Source};
use vigia::config::tree;
use vigia_core::model::downtime::Recurrence;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::period::{DaySpec, TimeRange};
use vigia_core::model::range::RangedName;
use vigia_core::model::selector::Selector;
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::threshold::Range;
use vigia_core::nagios::{command, macros, output, perfdata, words};

use crate::support::daemon::TestDaemon;
use crate::support::damage::{damaged, number, seed, survives};
use crate::support::sources::{files, read, root};

/// Texts in quotes of the test vectors, and every line of the documentation's examples.
fn corpus() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for name in ["nagios-output-vectors.yaml", "nagios-timeperiod-vectors.yaml", "nagios-state-vectors.yaml"]
    {
        let file = std::fs::read_to_string(root().join("tests/vectors").join(name)).expect("a vector file");
        texts.extend(file.split('"').skip(1).step_by(2).map(|text| text.as_bytes().to_vec()));
    }
    for page in files(&["docs"], "md") {
        let page = read(&page);
        let blocks = page.split("```").skip(1).step_by(2);
        texts.extend(blocks.map(|block| block.trim_start_matches("yaml").as_bytes().to_vec()));
        texts.extend(page.split('`').skip(1).step_by(2).map(|text| text.as_bytes().to_vec()));
    }
    let more = [
        "[1700000000] ACKNOWLEDGE_SVC_PROBLEM;web1;HTTP;2;1;0;ana;on it",
        "[1700000000] SCHEDULE_HOST_DOWNTIME;web1;1700000000;1700003600;1;0;0;ana;works",
        "[1700000000] PROCESS_SERVICE_CHECK_RESULT;web1;HTTP;2;down | a=1",
        "$HOSTADDRESS$ $ARG1$ $_SERVICEX$ $$ $HOSTNAME:web1$",
        "check_http!-H $HOSTADDRESS$!'a b'!$USER1$",
        "'a b'=1.5s;@1:2;~:3;0;100 c=U",
        "web*, group:linux, !tag:env=prod, net:192.0.2.0/24",
        "web[01-20]",
        "@~:10",
        "2026-11-25 - 2027-01-03",
        "day -1 january - 3",
        "monday 2 - thursday -1 may / 3",
    ];
    texts.extend(more.iter().map(|text| text.as_bytes().to_vec()));
    texts.retain(|text| !text.is_empty() && text.len() < 20_000);
    texts
}

type Reader = (&'static str, fn(&[u8]));

const READERS: &[Reader] = &[
    ("YAML", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let source = Source::new("x.yaml", text.as_ref());
        let mut problems = Vec::new();
        let map = tree::parse(&source, FileId(0), &tree::Limits::default(), &mut problems);
        assert!(map.is_some() || !problems.is_empty(), "refused without a word");
    }),
    ("plugin output", |bytes| {
        let found = output::parse(bytes);
        assert!(!found.text.contains(['\n', '\0']), "one line without control characters");
        assert!(perfdata::metrics(&found.perfdata).take(10_000).count() < 10_000);
    }),
    ("macros", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (name, arguments) = macros::call(&text);
        drop(macros::expand_call(&name, &arguments, &mut |_| Some("value".to_owned())));
        drop(macros::expand(&text, &mut |_| None));
    }),
    ("words", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        drop(words::split_text(&text));
        words::needs_shell(&text);
    }),
    ("time periods", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        drop(DaySpec::parse(&text));
        drop(TimeRange::parse_list(&text));
        drop(Recurrence::parse(&text));
    }),
    ("names, selectors, thresholds", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        drop(RangedName::parse(&text));
        drop(Selector::parse(&text));
        drop(Range::parse(&text));
    }),
    ("external commands", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        drop(command::parse(&text, &Inventory::default(), Timestamp::from_second(1_700_000_000)));
    }),
];

#[test]
fn no_reader_of_texts_panics_on_damaged_ones() {
    let corpus = corpus();
    for (name, reader) in READERS {
        survives(name, &corpus, reader);
    }
}

#[tokio::test]
async fn no_body_that_is_sent_to_the_api_is_a_mistake_of_ours() {
    let site = "hosts: {web1: {address: 127.0.0.1, check: {passive: {}}, services: {one: {passive: {}}}}}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", site)]).await;
    let seed = seed();
    let mut random = Rng::with_seed(seed);
    let bodies = [
        json!({"host": "web1", "service": "one", "state": 2, "output": "down | a=1", "at": 1_700_000_000}),
        json!({"host": "web1", "comment": "on it", "expires": "2h", "sticky": true}),
        json!({"host": "web1", "comment": "works", "for": "2h", "start": "tomorrow"}),
        json!({"results": [{"host": "web1", "service": "one", "state": "OK", "output": "x"}]}),
        json!({"title": "t", "text": "x", "priority": 3, "host": "web1"}),
        json!({"objects": [{"host": "web1"}, {"host": "web1", "service": "one"}], "comment": "x"}),
        json!({"name": "ana", "role": "admin", "password": "long enough for anybody"}),
    ];
    let corpus: Vec<Vec<u8>> = bodies.iter().map(|body| body.to_string().into_bytes()).collect();
    let paths = [
        "result",
        "results",
        "acknowledge",
        "comment",
        "downtime",
        "recheck",
        "tickets",
        "reload",
        "login",
        "remove-acknowledgement",
        "notifications/test",
        "tickets/AVA01/note",
        "alarms/1/own",
    ];
    for turn in 0..number("VIGIA_TEST_BODIES", 600) {
        let body = damaged(&corpus, &mut random);
        let path = format!("/api/v1/{}", random.choice(paths).unwrap_or("result"));
        let status = post(&daemon, &path, &body).await;
        let shown = String::from_utf8_lossy(&body);
        assert!((200..500).contains(&status), "{path}, seed {seed}, body {turn}: {status} for {shown:?}");
    }
    let (_, metrics) = daemon.text("/metrics").await;
    assert!(metrics.contains("vigia_web_panics_total 0\n"), "seed {seed}: {}", daemon.log());
    let answer: Value = daemon.get("/api/v1/status").await;
    assert_eq!(answer["hosts"]["total"], 1);
    assert!(daemon.stop().await.success());
}

async fn post(daemon: &TestDaemon, path: &str, body: &[u8]) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = daemon.state().join("control.sock");
    let mut stream = tokio::net::UnixStream::connect(socket).await.expect("the control socket");
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}
