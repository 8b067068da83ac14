//! A wall clock that is set while the daemon runs: checks neither stop nor come all at once, and nobody is alarmed.

use std::path::PathBuf;
use std::time::Instant;

use nix::sys::signal::{Signal, raise};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use vigia::app::{self, Options};
use vigia::os::clock::{Clock, Source};

use crate::support::guests::Guests;
use crate::support::http::{LOOK_EVERY, PATIENCE, exchange};

const HOUR: i64 = 3600 * 1_000_000;

/// Asks on the control socket; none while there is none yet.
async fn get(socket: &PathBuf, path: &str) -> Option<String> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (status, text) = exchange(stream, "GET", path, "localhost", "").await;
    (status == 200).then_some(text)
}

/// Asks until the answer has this text in it.
async fn wait_for(socket: &PathBuf, path: &str, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(socket, path).await.unwrap_or_default();
        if answer.contains(text) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} never said `{text}`: {answer}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_and_back_stops_no_check_and_alarms_nobody() {
    let guests = Guests::default();
    let folder = tempfile::tempdir().expect("a folder");
    let site = format!(
        "defaults: {{check_interval: 200ms}}\nhosts:\n  web1:\n    address: 127.0.0.1\n    check: {{passive: {{}}}}\n    \
         services:\n      one: {{tcp: {}}}\n      two: {{tcp: {}, check_interval: 2h}}\n",
        guests.invite('1'),
        guests.invite('2')
    );
    std::fs::write(folder.path().join("vigia.yaml"), site).expect("a file");
    let source = Source::default();
    let options = Options {
        config: folder.path().join("vigia.yaml"),
        state_dir: folder.path().join("state"),
        listen: vec!["127.0.0.1:0".parse().expect("an address")],
        strict: true,
        accept_empty: false,
        clock: Clock::following(source.clone()),
    };
    let socket = options.state_dir.join("control.sock");
    let daemon = std::thread::spawn(move || {
        let runtime = Runtime::new().expect("a runtime");
        let ended = runtime.block_on(app::serve(&options, &mut std::io::sink()));
        runtime.shutdown_background();
        ended
    });
    wait_for(&socket, "/api/v1/status", "\"pending\":1").await;
    guests.wait_for("12", 1).await;

    for (jumps, by) in [(1, 5 * HOUR), (2, -9 * HOUR)] {
        let before = guests.seen().matches('2').count();
        source.shift(by);
        wait_for(&socket, "/metrics", &format!("vigia_clock_jumps_total {jumps}\n")).await;
        // The quick one goes on as if nothing had been; the slow one is not late by hours, nor put off by them.
        guests.wait_for("1", 20).await;
        let extra = guests.seen().matches('2').count() - before;
        assert!(extra <= 1, "{extra} checks at once");
        let two = get(&socket, "/api/v1/hosts/web1/services/two").await.expect("it is there");
        let two: Value = serde_json::from_str(&two).expect("JSON");
        let status = get(&socket, "/api/v1/status").await.expect("it answers");
        assert!(status.contains("\"problems\":0"), "{status}");
        let now = Clock::following(source.clone()).now().as_second();
        let next = two["next_check"].as_i64().expect("it is planned");
        assert!((now - 60..=now + 7260).contains(&next), "the next in {} s", next - now);
    }
    let alarms = get(&socket, "/api/v1/alarms?status=all").await.expect("a list");
    assert!(alarms.contains("\"total\":0"), "{alarms}");
    raise(Signal::SIGTERM).expect("to ourselves");
    let ended = daemon.join().expect("no panic").expect("it ran");
    assert_eq!(ended, app::Ended::Asked);
}
