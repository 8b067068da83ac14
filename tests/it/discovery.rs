//! Net discovery on a network of its own: real servers, silent and hostile ones. The acceptance list of
//! `ossim-discovery.md` 8, as far as it needs no web page.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tokio::net::UnixStream;

use crate::support::chain::Chain;
use crate::support::http::{LOOK_EVERY, exchange};
use crate::support::lan::{Lan, WAIT, python};
use crate::support::servers::{mariadb, nginx, sshd};

const CARD: &str = "00:1e:c9:00:00:";

pub fn card(last: u8) -> String {
    format!("{CARD}{last:02x}")
}

/// A name server that knows everybody of the network.
fn dns(records: &[(&str, &str)]) -> Command {
    let mut command = Command::new("/usr/sbin/dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--pid-file=",
    ]);
    command.args(["--log-facility=-", "--local=/example.test/", "--user=root", "--port=53"]);
    for (name, address) in records {
        command.arg(format!("--host-record={name},{address}"));
    }
    command
}

/// A web server, a database with two addresses, a name server, a machine that answers no ping.
struct Office {
    lan: Lan,
    web: usize,
    _chain: Chain,
}

fn office() -> Office {
    let mut lan = Lan::start();
    let names = lan.machine("192.0.2.53", &card(0x53));
    let records = [
        ("ns.example.test", "192.0.2.53"),
        ("web1.example.test", "192.0.2.10"),
        ("db1.example.test", "192.0.2.30"),
        ("quiet.example.test", "192.0.2.66"),
    ];
    lan.serve(names, 53, |_| dns(&records));
    let web = lan.machine("192.0.2.10", &card(0x10));
    let chain = Chain::new("web1.example.test");
    lan.serve(web, 80, |folder| nginx::command("0.0.0.0", 80, 443, folder, &chain));
    lan.serve(web, 22, |folder| {
        let key = folder.join("host_key");
        sshd::make_key(&key);
        sshd::command("0.0.0.0", 22, folder, &key)
    });
    lan.serve(web, 8080, |_| {
        python(8080, "c.recv(500); c.sendall(b'HTTP/1.0 200 OK\\r\\nServer: toy/1.0\\r\\n\\r\\nhello')")
    });
    lan.serve(web, 10_000, |_| python(10_000, "c.recv(500); time.sleep(60)"));
    let database = lan.machine("192.0.2.30", &card(0x30));
    lan.address(database, "192.0.2.31");
    lan.serve(database, 3306, |folder| mariadb::command("0.0.0.0", 3306, folder));
    let quiet = lan.machine("192.0.2.66", &card(0x66));
    lan.ignore_pings(quiet);
    Office { lan, web, _chain: chain }
}

pub async fn ask(lan: &Lan, path: &str) -> Option<Value> {
    let stream = UnixStream::connect(lan.folder.path().join("state/control.sock")).await.ok()?;
    let (status, text) = exchange(stream, "GET", path, "localhost", "").await;
    (status == 200).then(|| serde_json::from_str(&text).expect("JSON"))
}

pub async fn wait_for(lan: &Lan, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + WAIT;
    loop {
        let answer = ask(lan, path).await;
        if let Some(answer) = answer.as_ref().filter(|answer| is_it(answer)) {
            return answer.clone();
        }
        assert!(Instant::now() < deadline, "{path}: {answer:#?}\n{}", lan.read("daemon.log"));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().expect("items")
}

/// Checked, and OK or UP.
pub fn is_fine(item: &Value) -> bool {
    item["has_been_checked"] == 1 && item["state"] == 0
}

/// `web1/HTTP`, sorted.
fn names(answer: &Value) -> Vec<String> {
    let name = |item: &Value| {
        format!(
            "{}/{}",
            item["host_name"].as_str().unwrap_or_default(),
            item["description"].as_str().unwrap_or_default()
        )
    };
    let mut names: Vec<String> = items(answer).iter().map(name).collect();
    names.sort();
    names
}

const SERVICES: &[&str] = &[
    "db1/MYSQL",
    "ns/DNS",
    "web1/GENERIC_TCP_10000",
    "web1/HTTP",
    "web1/HTTPS",
    "web1/HTTP_8080",
    "web1/SSH",
];

const RANGE: &[&str] =
    &["discover", "192.0.2.1-192.0.2.70", "!192.0.2.1", "-T4", "--scan", "22,53,80,443,3306,8080,10000"];

fn with<'a>(words: &[&'a str]) -> Vec<&'a str> {
    RANGE.iter().copied().chain(words.iter().copied()).collect()
}

#[tokio::test]
async fn one_command_makes_a_network_watched_and_green() {
    let office = office();
    let lan = &office.lan;
    lan.write("etc/vigia.yaml", "defaults: {check_interval: 2s, retry_interval: 1s}\n");
    let _daemon = lan.daemon();
    wait_for(lan, "/api/v1/services", |answer| answer["total"] == 0).await;

    let said = lan.done(&with(&["--write"]));
    assert!(said.contains("69 addresses looked at, 5 answer"), "{said}");
    let is_green =
        |answer: &Value| items(answer).len() == SERVICES.len() && items(answer).iter().all(is_fine);
    let services = wait_for(lan, "/api/v1/services", is_green).await;
    assert_eq!(names(&services), SERVICES);
    let hosts = wait_for(lan, "/api/v1/hosts", |answer| {
        items(answer).len() == 4 && items(answer).iter().all(is_fine)
    })
    .await;
    let of: Vec<&str> = items(&hosts).iter().filter_map(|host| host["host_name"].as_str()).collect();
    assert_eq!(of, ["db1", "ns", "quiet", "web1"], "two addresses of one machine are one host");

    let page = lan.read("state/discovered/manual.yaml");
    assert!(page.contains("      HTTP: {http: {expect: [200, 403]}}"), "{page}");
    assert!(page.contains("      MYSQL: {mysql: {on_denied: ok}}"), "{page}");
    assert!(page.contains("    aliases: [192.0.2.31"), "{page}");
    assert!(
        page.contains("mac: \"00:1E:C9:00:00:10\"") && page.contains("ssh_host_key: \"SHA256:"),
        "{page}"
    );

    // The same again changes nothing.
    let said = lan.done(&with(&["--write"]));
    assert!(said.contains("0 new, 0 changed"), "{said}");
    assert_eq!(lan.read("state/discovered/manual.yaml"), page);

    // What a person took over survives any number of scans.
    lan.done(&["discover", "adopt", "web1"]);
    let mine = lan.read("etc/conf.d/web1.yaml").replace("SSH: {ssh: {}}", "SSH: {ssh: {warn: 5s}}");
    assert!(mine.contains("warn: 5s"), "{mine}");
    lan.write("etc/conf.d/web1.yaml", &mine);
    for _ in 0..10 {
        let said = lan.done(&["discover", "192.0.2.10", "-T5", "--scan", "22,80", "--write"]);
        assert!(said.contains("by hand") && said.contains("0 new"), "{said}");
    }
    assert_eq!(lan.read("etc/conf.d/web1.yaml"), mine);
    assert!(!lan.read("state/discovered/manual.yaml").contains("web1:"));
    let services = wait_for(lan, "/api/v1/services", is_green).await;
    assert_eq!(names(&services), SERVICES);
}

#[tokio::test]
async fn hosts_that_answer_no_ping_are_found_by_a_refused_or_an_open_port() {
    let mut lan = Lan::start();
    let refusing = lan.machine("192.0.2.66", &card(0x66));
    let accepting = lan.machine("192.0.2.67", &card(0x67));
    lan.ignore_pings(refusing);
    lan.ignore_pings(accepting);
    lan.serve(accepting, 22, |_| python(22, "c.sendall(b'SSH-2.0-toy_1\\r\\n'); c.recv(500)"));
    let found = lan.json(&["discover", "192.0.2.64-68", "--scan", "ping", "-T4"]);
    assert_eq!(found["looked_at"], 5, "both ends of a range are in it");
    let signs: Vec<&str> =
        found["hosts"].as_array().unwrap().iter().filter_map(|host| host["sign"].as_str()).collect();
    assert_eq!(signs, ["refuses on TCP port 22", "accepts on TCP port 22"], "{found:#}");
    let found = lan.json(&["discover", "192.0.2.64/29", "!192.0.2.67", "--scan", "ping", "-T5"]);
    assert_eq!((found["looked_at"].as_u64(), found["answered"].as_u64()), (Some(7), Some(1)));
}

#[tokio::test]
async fn silent_and_hostile_ports_cost_their_time_and_nothing_else() {
    let mut lan = Lan::start();
    let hostile = lan.machine("192.0.2.67", &card(0x67));
    for (port, body) in [
        (21, "[c.sendall(b'220 ' + b'y' * 60000) for _ in range(10000)]"),
        (23, "[(c.sendall(b'x'), time.sleep(0.2)) for _ in range(1000)]"),
        (8080, "c.sendall(b'\\x1b[2J<script>\\r\\nhosts: {x: y}\\xff\\xfe # \\xe2\\x80\\xa8')"),
        (9100, "open('/tmp/none', 'rb') if c.recv(1) else None"),
        (3306, "time.sleep(60)"),
    ] {
        lan.serve(hostile, port, |_| python(port, body));
    }
    let said = lan.done(&["discover", "192.0.2.67", "-T4", "--write"]);
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    let page = lan.read("state/discovered/manual.yaml");
    assert!(page.contains("GENERIC_TCP_9100: {tcp: 9100}"), "{page}");
    assert!(!page.contains('\x1b') && page.is_ascii(), "{page}");
    lan.done(&["validate"]);
}

#[tokio::test]
async fn a_scan_that_is_interrupted_shows_what_it_has() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    let mut command = lan.vigia(&["discover", "192.0.2.10", "-T1", "-o", "json"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().expect("vigia starts");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    // It has taken over the signal once its process says so; a signal before that would end it.
    let status = format!("/proc/{pid}/status");
    let deadline = Instant::now() + WAIT;
    let catches = |status: &str| {
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|set| set & 2 != 0)
    };
    while !std::fs::read_to_string(&status).is_ok_and(|status| catches(&status)) {
        assert!(Instant::now() < deadline, "it never takes SIGINT");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["complete"], false, "{found:#}");
}

#[tokio::test]
async fn what_cannot_be_scanned_is_refused_with_its_place_and_nothing_is_sent() {
    let lan = Lan::start();
    for (targets, why) in [
        ("10.0.0.0/8", "16777216 addresses, and a scan looks at 65536 at most"),
        ("2001:db8::/64", "too many addresses to scan"),
        ("192.0.2.1, 192.0.2.300", "targets:12: `192.0.2.300`: 300 is more than 255"),
        ("192.0.2.9-3", "9 comes after 3"),
        ("net:office", "there is no network `office`"),
        ("!192.0.2.1", "names nothing to scan"),
        ("192.0.2.1 !192.0.2.0/24", "nothing is left to scan"),
    ] {
        let (output, said) = lan.run(&["discover", targets]);
        assert_eq!(output.status.code(), Some(2), "{targets}: {said}");
        assert!(said.contains(why), "{targets}: {said}");
    }
    let (output, said) = lan.run(&["discover", "192.0.2.0/23"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("512 addresses were not confirmed") && said.contains("--yes"), "{said}");
}

#[tokio::test]
async fn monitoring_stays_as_a_person_left_it_and_ignored_hosts_stay_away() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    let quiet = lan.machine("192.0.2.66", &card(0x66));
    lan.ignore_pings(quiet);
    let scan = ["discover", "192.0.2.10", "192.0.2.66", "-T4", "--scan", "ping", "--write"];
    lan.done(&[&scan[..], &["--monitor", "off"]].concat());
    let page = lan.read("state/discovered/manual.yaml");
    assert_eq!(page.matches("    monitor: off\n").count(), 2, "{page}");
    assert!(page.contains("    check: {tcp: {port: 22, on_refused: ok}}\n"), "{page}");
    lan.done(&scan);
    assert_eq!(lan.read("state/discovered/manual.yaml"), page, "no switch leaves it as it is");
    lan.done(&["discover", "ignore", "192.0.2.66"]);
    let said = lan.done(&scan);
    assert!(said.contains("ignored") && said.contains("0 new"), "{said}");
    let page = lan.read("state/discovered/manual.yaml");
    assert!(page.contains("192.0.2.10:") && !page.contains("192.0.2.66"), "{page}");
    assert!(lan.done(&["discover", "export"]).starts_with("hosts:\n  192.0.2.10:\n"));
}

#[tokio::test]
async fn a_hand_written_host_is_recognised_and_never_written_again() {
    let mut office = office();
    office.lan.write(
        "etc/vigia.yaml",
        "hosts:\n  shop: {address: web1.example.test}\n  database: {address: 192.0.2.31}\n  broken: {check_interval: x}\n",
    );
    let lan = &office.lan;
    let said = lan.done(&with(&["--write"]));
    assert!(said.contains("2 new, 0 changed"), "{said}");
    let page = lan.read("state/discovered/manual.yaml");
    assert!(!page.contains("192.0.2.10") && !page.contains("192.0.2.30"), "{page}");
    office.lan.silence(office.web);
    let said = office.lan.done(&with(&["--write"]));
    assert!(said.contains("0 new, 0 changed"), "{said}");
}

#[tokio::test]
async fn nmap_looks_where_it_is_asked_to_and_its_files_are_read_whole_or_broken() {
    let mut lan = Lan::start();
    let web = lan.machine("192.0.2.10", &card(0x10));
    let answer = "c.recv(500); c.sendall(b'HTTP/1.0 403 No\\r\\nServer: toy/1.0\\r\\n\\r\\nno')";
    lan.serve(web, 80, |_| python(80, answer));
    let found = lan.json(&["discover", "192.0.2.10", "--engine", "nmap", "-T4", "--scan", "80"]);
    assert_eq!(
        (found["engine"].as_str(), found["complete"].as_bool()),
        (Some("nmap"), Some(true)),
        "{found:#}"
    );
    assert_eq!(found["hosts"][0]["checks"][0]["check"], "{http: {expect: [200, 403]}}", "{found:#}");
    assert!(
        std::fs::read_dir(lan.folder.path().join("state/discovery")).unwrap().next().is_none(),
        "nothing is left"
    );

    let xml = r#"<?xml version="1.0"?><nmaprun scanner="masscan"><host endtime="1"><address addr="192.0.2.10" addrtype="ipv4"/>
<ports><port protocol="tcp" portid="80"><state state="open"/></port></ports></host>"#;
    lan.write("whole.xml", &format!("{xml}<runstats><finished time=\"1\"/></runstats></nmaprun>"));
    lan.write("cut.xml", &format!("{xml}<host endtime=\"1\"><address addr=\"192."));
    lan.write("none.xml", "this is no result");
    let path = |name: &str| lan.folder.path().join(name).display().to_string();
    let whole = lan.json(&["discover", "--import", &path("whole.xml")]);
    assert_eq!((whole["complete"].as_bool(), whole["answered"].as_u64()), (Some(true), Some(1)), "{whole:#}");
    assert_eq!(whole["hosts"][0]["checks"][0]["check"], "{http: {expect: [200, 403]}}", "{whole:#}");
    let cut = lan.json(&["discover", "--import", &path("cut.xml")]);
    assert_eq!((cut["complete"].as_bool(), cut["answered"].as_u64()), (Some(false), Some(1)), "{cut:#}");
    for none in ["none.xml", "missing.xml"] {
        let (output, said) = lan.run(&["discover", "--import", &path(none)]);
        assert_eq!(output.status.code(), Some(1), "{said}");
    }
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_named_and_the_result_is_shown_first() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    lan.write("state", "a file where the folder should be");
    let (output, said) = lan.run(&["discover", "192.0.2.10", "-T4", "--scan", "ping", "--write"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("new  192.0.2.10") && said.contains("cannot create"), "{said}");
}

#[tokio::test]
async fn a_service_that_changed_or_came_is_told_and_its_check_stays() {
    let mut lan = Lan::start();
    let web = lan.machine("192.0.2.10", &card(0x10));
    let ssh = |version: &str| python(22, &format!("c.sendall(b'SSH-2.0-toy_{version}\\r\\n'); c.recv(500)"));
    lan.serve(web, 22, |_| ssh("1.0"));
    let scan = ["discover", "192.0.2.10", "-T4", "--scan", "22,2222", "--write"];
    lan.done(&scan);
    lan.silence(web);
    lan.serve(web, 22, |_| ssh("2.0"));
    lan.serve(web, 2222, |_| python(2222, "c.sendall(b'SSH-2.0-other_3\\r\\n'); c.recv(500)"));
    let said = lan.done(&scan);
    assert!(said.contains("SSH: 22/tcp ssh toy 1.0 → 22/tcp ssh toy 2.0"), "{said}");
    assert!(said.contains("new service SSH_2222") && said.contains("0 new, 1 changed"), "{said}");
    lan.silence(web);
    let said = lan.done(&scan);
    assert!(said.contains("SSH_2222 does not answer"), "{said}");
    let page = lan.read("state/discovered/manual.yaml");
    assert!(
        page.contains("      SSH: {ssh: {}}") && page.contains("      SSH_2222: {ssh: {port: 2222}}"),
        "{page}"
    );
}

#[tokio::test]
async fn a_mistake_in_a_hand_written_host_keeps_nothing_that_was_discovered_from_running() {
    let mut lan = Lan::start();
    lan.machine("192.0.2.10", &card(0x10));
    lan.write("etc/vigia.yaml", "hosts:\n  \"bad;name\": 192.0.2.9\n  good: 192.0.2.1\n");
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/hosts", |answer| answer["total"] == 1).await;
    lan.done(&["discover", "192.0.2.10", "-T4", "--scan", "ping", "--write"]);
    let hosts = wait_for(&lan, "/api/v1/hosts", |answer| answer["total"] == 2).await;
    let names: Vec<&str> = items(&hosts).iter().filter_map(|host| host["host_name"].as_str()).collect();
    assert_eq!(names, ["192.0.2.10", "good"]);
}
