//! The package and the unit under a real systemd, the way an administrator meets them: install, look, reload, break, crash,
//! hang, stop, upgrade, remove, purge.

use std::time::Instant;

use crate::support::machine::Machine;

const PLUGINS: &str = "concurrency: {total: 3000, per_host: 3000, kinds: {plugin: 1000}}
hosts:
  plugins:
    address: 127.0.0.1
    check: off
    check_interval: 1s
    timeout: 50s
    services: {SERVICES}
";

/// A drop-in, so that the test need not wait a minute for the watchdog.
const QUICK: &str = "[Service]\nWatchdogSec=3s\n";

#[test]
fn a_machine_installs_runs_upgrades_and_removes_the_package() {
    let Some(machine) = Machine::boot() else { return };
    installed(&machine);
    reloaded(&machine);
    crashed(&machine);
    hung(&machine);
    stopped_with_plugins_in_flight(&machine);
    mistaken(&machine);
    examples(&machine);
    privileged(&machine);
    kept_open(&machine);
    upgraded(&machine);
    removed(&machine);
}

fn installed(machine: &Machine) {
    machine.ok(&["dpkg", "-i", "/root/vigia.deb"]);
    // The installation ends when the daemon says that it is ready.
    assert_eq!(machine.property("ActiveState"), "active", "{}", machine.journal());
    assert_eq!(machine.property("UnitFileState"), "enabled");
    let status = machine.ok(&["systemctl", "status", "--no-pager", "vigia"]);
    assert!(status.contains("Status: \""), "{status}");
    machine.wait_until("the page is OK", &["vigia", "status", "localhost/status-page"], |said| {
        said.text.contains("HTTP OK")
    });
    let security = machine.ok(&["systemd-analyze", "security", "--no-pager", "vigia"]);
    let exposure = security
        .split("exposure level for vigia.service: ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f32>().ok());
    assert!(exposure.is_some_and(|exposure| exposure <= 2.0), "{security}");
    // A plugin that the kernel ends for want of memory ends nothing else (`faults` has one that is).
    assert_eq!(machine.property("OOMPolicy"), "continue");
    assert_ne!(machine.property("MemoryMax"), "infinity");
    let rights =
        machine.ok(&["stat", "-c", "%U:%G %a", "/etc/vigia", "/etc/vigia/vigia.yaml", "/var/lib/vigia"]);
    assert_eq!(rights, "root:vigia 750\nroot:vigia 640\nvigia:vigia 750\n");
    let plugin = machine.run(&["/usr/lib/vigia/plugins/check_tcp", "-H", "127.0.0.1", "-p", "8642"]);
    assert!(plugin.code == 0 && plugin.text.starts_with("TCP OK - "), "{}", plugin.text);
    assert!(
        !machine.journal().contains("different"),
        "systemd has nothing to complain of: {}",
        machine.journal()
    );
}

fn reloaded(machine: &Machine) {
    let file = "/etc/vigia/conf.d/web1.yaml";
    machine.write(file, "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: \"tcp:8642\"}}}\n");
    machine.ok(&["systemctl", "reload", "vigia"]);
    machine.wait_until("the new service is OK", &["vigia", "status", "web1/page"], |said| {
        said.text.contains("TCP OK")
    });

    machine.write(file, "hosts: {web1: {address: 127.0.0.1, chekc: off}}\n");
    let refused = machine.run(&["systemctl", "reload", "vigia"]);
    assert_ne!(refused.code, 0, "a mistake makes the reload fail: {}", refused.text);
    assert_eq!(machine.property("ActiveState"), "active", "and the daemon goes on");
    let journal = machine.journal();
    assert!(
        journal.contains("web1.yaml:1:") && journal.contains("chekc"),
        "the journal says where: {journal}"
    );
    assert!(machine.ok(&["vigia", "status", "web1/page"]).contains("TCP OK"), "with what ran before");

    machine.write(file, "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: \"tcp:1\"}}}\n");
    machine.ok(&["systemctl", "reload", "vigia"]);
}

fn crashed(machine: &Machine) {
    machine.ok(&["vigia", "recheck", "web1/page"]);
    machine.wait_until("a problem", &["vigia", "status", "web1/page"], |said| said.text.contains("CRITICAL"));
    machine.ok(&["vigia", "ack", "web1/page", "-m", "a cable was cut"]);
    let before = machine.property("MainPID");
    machine.ok(&["systemctl", "kill", "--kill-whom=main", "-s", "KILL", "vigia"]);
    is_started_again(machine, &before);
    is_acknowledged(machine);
}

fn hung(machine: &Machine) {
    machine.write("/etc/systemd/system/vigia.service.d/quick.conf", QUICK);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "vigia"]);
    let before = machine.property("MainPID");
    machine.ok(&["systemctl", "kill", "--kill-whom=main", "-s", "STOP", "vigia"]);
    is_started_again(machine, &before);
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
    is_acknowledged(machine);
}

/// What a person did is there.
fn is_acknowledged(machine: &Machine) {
    let status = machine.ok(&["vigia", "status", "web1/page"]);
    assert!(status.contains("  ack  "), "{status}");
}

fn is_started_again(machine: &Machine, before: &str) {
    let show = ["systemctl", "show", "-p", "MainPID", "-p", "ActiveState", "vigia"];
    machine.wait_until("systemd starts it again", &show, |said| {
        let another = format!("MainPID={before}\n");
        said.text.contains("ActiveState=active\n") && !said.text.contains(&another)
    });
}

#[expect(clippy::print_stdout, reason = "a figure, for whoever runs it with --nocapture")]
fn stopped_with_plugins_in_flight(machine: &Machine) {
    let service = |n: u16| format!("s{n}: {{plugin: [/bin/sleep, \"{}\"]}}", 4000 + n);
    let services = (0..1000).map(service).collect::<Vec<_>>().join(", ");
    machine.write("/etc/vigia/conf.d/plugins.yaml", &PLUGINS.replace("SERVICES", &services));
    machine.ok(&["systemctl", "reload", "vigia"]);
    machine.wait_until("a thousand plugins run", &["pgrep", "-c", "-x", "sleep"], |said| {
        said.text.trim().parse::<u32>().is_ok_and(|count| count >= 1000)
    });
    let begun = Instant::now();
    machine.ok(&["systemctl", "stop", "vigia"]);
    println!("stopped with a thousand plugins in flight in {:.1?}", begun.elapsed());
    // Not ended by systemd, whose patience is `TimeoutStopSec`; and nothing was lost.
    assert_eq!(machine.property("Result"), "success", "{}", machine.journal());
    assert!(machine.journal().contains("everything is saved"), "{}", machine.journal());
    assert_eq!(machine.run(&["pgrep", "-c", "-x", "sleep"]).text.trim(), "0", "nothing is left behind");
    std::fs::remove_file(machine.path("/etc/vigia/conf.d/plugins.yaml")).expect("it was there");
}

/// A start that cannot go well is not tried again and again, and says what is wrong.
fn mistaken(machine: &Machine) {
    std::fs::rename(machine.path("/etc/vigia/vigia.yaml"), machine.path("/etc/vigia/away")).expect("moved");
    std::fs::rename(machine.path("/etc/vigia/conf.d"), machine.path("/etc/vigia/conf.away")).expect("moved");
    let failed = machine.run(&["systemctl", "start", "vigia"]);
    assert_ne!(failed.code, 0, "{}", failed.text);
    assert_eq!(machine.property("ExecMainStatus"), "78");
    assert_eq!(machine.property("ActiveState"), "failed", "it is not tried again");
    assert!(machine.journal().contains("/etc/vigia/vigia.yaml"), "{}", machine.journal());
    std::fs::rename(machine.path("/etc/vigia/away"), machine.path("/etc/vigia/vigia.yaml")).expect("moved");
    std::fs::rename(machine.path("/etc/vigia/conf.away"), machine.path("/etc/vigia/conf.d")).expect("moved");
    machine.ok(&["systemctl", "start", "vigia"]);
}

const EXAMPLES: &str = "/usr/share/doc/vigia/examples";
const DROP_INS: &str = "/etc/systemd/system/vigia.service.d";

/// What the package brings for others.
fn examples(machine: &Machine) {
    for file in ["prometheus/vigia.rules.yml", "prometheus/grafana.json", "vigia.schema.json"] {
        assert!(machine.path("/usr/share/vigia").join(file).exists(), "{file}");
    }
    machine.write("/etc/vigia/secrets/smtp", "hush\n");
    machine.ok(&["chmod", "600", "/etc/vigia/secrets/smtp"]);
    machine.ok(&["cp", &format!("{EXAMPLES}/credentials.conf"), DROP_INS]);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "vigia"]);
    // The daemon's own environment names the folder; a secret that cannot be had is a warning with its place.
    machine.write("/etc/vigia/conf.d/macros.yaml", "user_macros: {USER9: {credential: smtp}}\n");
    machine.ok(&["systemctl", "reload", "vigia"]);
    let journal = machine.journal();
    assert!(!journal.contains("USER9"), "the secret is there: {journal}");
    machine.write("/etc/vigia/conf.d/macros.yaml", "user_macros: {USER9: {credential: other}}\n");
    machine.run(&["systemctl", "reload", "vigia"]);
    machine.wait_until(
        "one that is not there is said",
        &["journalctl", "-u", "vigia", "--no-pager"],
        |said| said.text.contains("USER9"),
    );
    machine.ok(&["rm", "/etc/vigia/conf.d/macros.yaml"]);
}

/// A program with rights of its own has none inside the walls of the unit, and has them with the example.
fn privileged(machine: &Machine) {
    machine.ok(&["install", "-m", "4755", "/usr/bin/id", "/usr/local/bin/check_id"]);
    let service = "{plugin: /usr/local/bin/check_id, check_interval: 1s, max_check_attempts: 1}";
    machine.write(
        "/etc/vigia/conf.d/own.yaml",
        &format!("hosts: {{own: {{address: 127.0.0.1, check: off, services: {{id: {service}}}}}}}\n"),
    );
    let status = ["vigia", "status", "own/id"];
    machine.wait_until("it runs as the daemon", &status, |said| said.text.contains("(vigia)"));
    assert!(!machine.ok(&status).contains("euid=0"), "{}", machine.ok(&status));
    machine.ok(&["cp", &format!("{EXAMPLES}/privileged-plugins.conf"), DROP_INS]);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "vigia"]);
    machine.wait_until("it has its rights", &status, |said| said.text.contains("euid=0"));
    machine.ok(&["rm", &format!("{DROP_INS}/privileged-plugins.conf"), "/etc/vigia/conf.d/own.yaml"]);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "vigia"]);
}

/// With the socket unit nobody is refused while the daemon is away.
fn kept_open(machine: &Machine) {
    machine.ok(&["systemctl", "stop", "vigia"]);
    machine.ok(&["cp", &format!("{EXAMPLES}/vigia.socket"), "/etc/systemd/system/"]);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "enable", "--now", "vigia.socket"]);
    // Nobody has started the daemon: whoever comes waits for it.
    let page = machine.run(&[
        "/usr/lib/nagios/plugins/check_http",
        "-H",
        "127.0.0.1",
        "-p",
        "8642",
        "-u",
        "/healthz",
        "-t",
        "40",
    ]);
    assert!(page.code == 0 && page.text.contains("HTTP OK"), "{}", page.text);
    // The page answers a moment before systemd is told that all is ready.
    machine
        .wait_until("it was started", &["systemctl", "is-active", "vigia"], |said| said.text == "active\n");
    machine.ok(&["systemctl", "restart", "vigia"]);
    let listening = machine.journal();
    assert!(!listening.contains("is none of `web.listen`"), "{listening}");
    machine.ok(&["systemctl", "disable", "--now", "vigia.socket"]);
    machine.ok(&["rm", "/etc/systemd/system/vigia.socket"]);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "vigia"]);
}

fn upgraded(machine: &Machine) {
    let before = machine.property("MainPID");
    machine.ok(&["dpkg", "-i", "/root/vigia.deb"]);
    assert_eq!(machine.property("ActiveState"), "active", "{}", machine.journal());
    assert_ne!(machine.property("MainPID"), before, "the new program runs");
    is_acknowledged(machine);
}

fn removed(machine: &Machine) {
    machine.ok(&["dpkg", "-r", "vigia"]);
    assert_eq!(machine.run(&["systemctl", "is-active", "vigia"]).text.trim(), "inactive");
    assert!(machine.path("/var/lib/vigia/vigia.db").exists(), "a removal keeps the state");
    assert!(machine.path("/etc/vigia/conf.d/web1.yaml").exists(), "and the configuration");
    machine.ok(&["dpkg", "-P", "vigia"]);
    assert!(!machine.path("/var/lib/vigia").exists(), "a purge does not");
    assert!(machine.path("/etc/vigia/conf.d/web1.yaml").exists(), "but what a person wrote is theirs");
}
