//! Scans of the daemon: by its jobs and by order, beside its checks and its pages, over a switch and a crash.

use serde_json::{Value, json};

use crate::discovery::{ask, card, is_fine, items, wait_for};
use crate::support::daemon::TestDaemon;
use crate::support::lan::{Lan, python};

/// A network with a job that watches what it finds, its switch at `monitor`.
fn site(monitor: &str, mode: &str) -> String {
    format!(
        "defaults: {{check_interval: 1s, retry_interval: 1s}}
networks: {{office: {{cidr: 192.0.2.0/24, monitor: {monitor}}}}}
templates: {{shell: {{tags: {{role: shell}}}}}}
discovery:
  office-lan:
    targets: [192.0.2.10-11]
    scan: [22, 80]
    timing: insane
    mode: {mode}
    rules: {{ssh: {{when: {{service: ssh}}, use: [shell]}}}}
"
    )
}

fn ssh(lan: &mut Lan, address: &str, last: u8) {
    let machine = lan.machine(address, &card(last));
    lan.serve(machine, 22, |_| python(22, "c.sendall(b'SSH-2.0-toy_1.0\\r\\n'); c.recv(500)"));
}

fn hosts(answer: &Value) -> Vec<&str> {
    items(answer).iter().filter_map(|host| host["host_name"].as_str()).collect()
}

#[tokio::test]
async fn the_switch_of_a_network_holds_for_hosts_that_are_there_and_for_those_found_later() {
    let mut lan = Lan::start();
    ssh(&mut lan, "192.0.2.10", 0x10);
    lan.write("etc/vigia.yaml", &site("on", "add"));
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/discovery", |board| board["jobs"][0]["name"] == "office-lan").await;
    let said = lan.done(&["discover", "start", "--job", "office-lan", "--follow"]);
    assert!(said.contains("new  192.0.2.10") && said.contains("finished: 1 host written"), "{said}");
    let page = lan.read("state/discovered/office-lan.yaml");
    assert!(page.contains("    use: [shell]\n") && !page.contains("monitor"), "{page}");
    let all_fine = |answer: &Value| !items(answer).is_empty() && items(answer).iter().all(is_fine);
    wait_for(&lan, "/api/v1/services", all_fine).await;

    // Off: nobody looks any more, and nothing is forgotten.
    lan.write("etc/vigia.yaml", &site("off", "add"));
    wait_for(&lan, "/api/v1/hosts", |answer| answer["total"] == 0).await;
    let history = ask(&lan, "/api/v1/history?limit=50").await.expect("it answers");
    assert!(history.to_string().contains("192.0.2.10"), "{history:#}");

    // On again: they are back, and who comes later is watched at once.
    lan.write("etc/vigia.yaml", &site("on", "add"));
    wait_for(&lan, "/api/v1/services", all_fine).await;
    ssh(&mut lan, "192.0.2.11", 0x11);
    lan.done(&["discover", "start", "--job", "office-lan", "-f"]);
    let both = |answer: &Value| items(answer).len() == 2 && items(answer).iter().all(is_fine);
    let services = wait_for(&lan, "/api/v1/services", both).await;
    assert_eq!(hosts(&services), ["192.0.2.10", "192.0.2.11"]);
    // Whom a job has brought nobody is woken for.
    let downtimes = wait_for(&lan, "/api/v1/downtimes", |answer| items(answer).len() == 2).await;
    assert!(downtimes.to_string().contains("new, found by job office-lan"), "{downtimes:#}");

    // A network that says no: found, kept, not watched.
    lan.write("etc/vigia.yaml", &site("inherit", "add"));
    ssh(&mut lan, "192.0.2.12", 0x12);
    lan.write("etc/vigia.yaml", &site("inherit", "add").replace("192.0.2.10-11", "192.0.2.10-12"));
    wait_for(&lan, "/api/v1/discovery", |board| board["jobs"][0]["targets"] == "192.0.2.10-12").await;
    lan.done(&["discover", "start", "--job", "office-lan", "-f"]);
    assert!(
        lan.read("state/discovered/office-lan.yaml").contains("monitor: off"),
        "mode add, and no switch says on"
    );
}

#[tokio::test]
async fn all_ports_of_a_host_are_scanned_beside_checks_and_pages() {
    let mut lan = Lan::start();
    ssh(&mut lan, "192.0.2.10", 0x10);
    lan.write(
        "etc/vigia.yaml",
        "defaults: {check_interval: 1s}\nhosts: {shell: {address: 192.0.2.10, services: [ssh]}}\n",
    );
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/services", |answer| items(answer).iter().all(is_fine) && answer["total"] == 1)
        .await;
    lan.done(&["discover", "start", "192.0.2.10", "--scan", "1-65535", "-T3"]);
    let mut checks = std::collections::BTreeSet::new();
    let mut seen = 0;
    loop {
        // Every request in between is answered, or this panics.
        let services = ask(&lan, "/api/v1/services").await.expect("the door is open");
        checks.insert(items(&services)[0]["last_check"].as_i64());
        assert!(items(&services).iter().all(is_fine), "{services:#}");
        let scan = ask(&lan, "/api/v1/discovery/scans/1").await.expect("the door is open");
        if scan["state"] == "finished" {
            assert_eq!(scan["report"]["hosts"][0]["verdict"], "by hand", "{scan:#}");
            break;
        }
        assert_eq!(scan["state"], "running", "{scan:#}");
        seen += 1;
        tokio::time::sleep(crate::support::http::LOOK_EVERY).await;
    }
    assert!(seen > 10 && checks.len() > 2, "{seen} looks, {checks:?}");
}

#[tokio::test]
async fn what_was_under_way_when_vigia_was_killed_is_said_to_be_interrupted() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let ask = json!({"targets": "127.0.0.1", "scan": "1,2,3", "timing": "paranoid"});
    let (status, answer) = daemon.post("/api/v1/discovery/scans", &ask).await;
    assert_eq!((status, answer["id"].as_i64()), (200, Some(1)), "{answer}");
    let is_running = |board: &Value| board["scans"][0]["state"] == "running";
    daemon.wait_for("/api/v1/discovery", is_running).await;
    let (status, answer) = daemon.post("/api/v1/discovery/scans", &ask).await;
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["error"].as_str().is_some_and(|error| error.contains("under way already: scan 1")),
        "{answer}"
    );
    let daemon = daemon.crash_and_restart().await;
    let over = |scan: &Value| scan["state"] == "interrupted";
    let scan = daemon.wait_for("/api/v1/discovery/scans/1", over).await;
    assert_eq!(scan["said"], "vigia ended before the scan did");
    let board = daemon.get("/api/v1/discovery").await;
    assert_eq!(board["scans"], json!([]));
    let output = daemon.cli(&["discover", "jobs"]).await;
    assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted"), "{output:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_page_that_cannot_be_written_leaves_the_result_and_says_why() {
    let daemon = TestDaemon::start(&[(
        "vigia.yaml",
        "discovery: {own: {targets: [127.0.0.1], scan: [1], timing: insane, mode: monitor}}\n",
    )])
    .await;
    let discovered = daemon.state().join("discovered");
    std::fs::remove_dir_all(&discovered).unwrap_or_default();
    std::fs::write(&discovered, "a file where the folder should be").expect("written");
    let (_, answer) = daemon.post("/api/v1/discovery/scans", &json!({"job": "own"})).await;
    let path = format!("/api/v1/discovery/scans/{}", answer["id"]);
    let scan = daemon.wait_for(&path, |scan| scan["state"] == "finished").await;
    let said = scan["said"].as_str().expect("a sentence");
    assert!(said.starts_with("nothing was written: ") && said.contains("discovered"), "{said}");
    assert_eq!(scan["report"]["hosts"][0]["verdict"], "new", "what was found is kept");
    std::fs::remove_file(&discovered).expect("removed");
    let insert = format!("{path}/insert");
    let (status, answer) = daemon.post(&insert, &json!({"monitor_new": "off"})).await;
    assert_eq!((status, answer["message"].as_str()), (200, Some("1 host written")), "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn nmap_that_is_missing_is_killed_or_prints_nonsense_is_said_so() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    let scan = ["discover", "192.0.2.10", "--engine", "nmap", "--scan", "22"];
    // The words of the scan name the file for its result: the argument behind -oX.
    let cut = "while [ \"$1\" != -oX ]; do shift; done\necho '<nmaprun><host><address addr=\"192.' > \"$2\"";
    for (stand_in, why) in [
        (None, "nmap is not installed"),
        (Some("kill -9 $$"), "nmap brought nothing"),
        (Some("echo out of memory >&2; exit 1"), "out of memory"),
        (Some(cut), "nmap brought nothing"),
    ] {
        lan.instead_of("/usr/bin/nmap", stand_in);
        let (output, said) = lan.run(&scan);
        assert_eq!(output.status.code(), Some(1), "{stand_in:?}: {said}");
        assert!(said.contains(why), "{stand_in:?}: {said}");
    }
    // A job says the same in its history, and the daemon goes on.
    lan.instead_of("/usr/bin/nmap", None);
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/discovery", |board| board["scans"] == json!([])).await;
    let (output, said) = lan.run(&["discover", "start", "192.0.2.10", "--engine", "nmap", "--follow"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nmap is not installed"), "{said}");
    assert!(lan.done(&["discover", "jobs"]).contains("failed"));
}

#[tokio::test]
async fn a_full_disk_leaves_the_page_as_it_was() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    lan.fill("state/discovered");
    let (output, said) = lan.run(&["discover", "192.0.2.10", "-T4", "--scan", "ping", "--write"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("new  192.0.2.10") && said.contains("No space left on device"), "{said}");
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/discovery", |board| board["scans"] == json!([])).await;
    lan.done(&["discover", "start", "192.0.2.10", "--scan", "ping", "-f"]);
    let (output, said) = lan.run(&["discover", "insert", "1"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was written") && said.contains("No space left on device"), "{said}");
}

#[tokio::test]
async fn a_name_that_a_person_gave_to_another_machine_is_not_taken_from_it() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    lan.write("etc/vigia.yaml", "hosts: {\"192.0.2.10\": {address: 192.0.2.99, check: off}}\n");
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/hosts", |answer| answer["total"] == 1).await;
    lan.done(&["discover", "start", "192.0.2.10", "--scan", "ping", "-T4", "-f"]);
    let said = lan.done(&["discover", "insert", "1"]);
    assert!(
        said.contains("1 host left as it is (192.0.2.10: a host of this name was written by hand"),
        "{said}"
    );
    let host = ask(&lan, "/api/v1/hosts/192.0.2.10").await.expect("it is there");
    assert_eq!(host["address"], "192.0.2.99");
}
