//! Commands against the real API on a real control socket, with the fixture of the pages behind it.

use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::id::ObjectKey;
use vigia_core::model::operation::Operation;

use super::Exit;
use super::tests::vigia;
use crate::web::auth::Rules;
use crate::web::fixture::{self, Fixture};
use crate::web::{Web, serve};

/// A daemon's door in a folder of its own, on a thread of its own.
struct Door {
    folder: tempfile::TempDir,
    backend: Arc<Fixture>,
    stop: CancellationToken,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let backend = Fixture::new(fixture::site());
    let stop = CancellationToken::new();
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("control.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let web = Web::new(backend.clone(), Rules::default(), stop.clone());
    let ending = stop.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = UnixListener::from_std(listener).unwrap();
            serve::local(listener, web.router(), |_| Some("ana".to_owned()), ending).await;
        });
    });
    Door { folder, backend, stop }
}

impl Door {
    fn vigia(&self, args: &[&str]) -> (Exit, String, String) {
        run(self.folder.path(), args)
    }

    /// What was printed by a command that must work.
    fn says(&self, args: &[&str]) -> String {
        let (exit, out, err) = self.vigia(args);
        assert_eq!((exit, err.as_str()), (Exit::DONE, ""), "{args:?}: {out}");
        out
    }
}

fn run(folder: &Path, args: &[&str]) -> (Exit, String, String) {
    let folder = folder.to_str().unwrap();
    let args: Vec<&str> = ["--state-dir", folder].into_iter().chain(args.iter().copied()).collect();
    vigia(&args)
}

#[test]
fn without_a_daemon_every_command_that_needs_one_says_how_to_start_it() {
    let folder = tempfile::tempdir().unwrap();
    let commands: &[&[&str]] = &[
        &["status"],
        &["recheck", "web01"],
        &["ack", "web01", "-m", "x"],
        &["comment", "list"],
        &["downtime", "list"],
        &["alarm", "list"],
        &["ticket", "list"],
        &["user", "list"],
        &["user", "add", "ana", "--role", "admin"],
    ];
    for command in commands {
        let (exit, out, err) = run(folder.path(), command);
        assert_eq!((exit, out.as_str()), (Exit::NO_DAEMON, ""), "{command:?}");
        assert!(err.contains("vigia serve -c"), "{command:?}: {err}");
    }
}

#[test]
fn status_is_one_screen_with_totals_and_problems() {
    let door = door();
    let out = door.says(&["status"]);
    assert!(
        out.starts_with(&format!("vigia {}, up 1d 1h, process 4242", env!("CARGO_PKG_VERSION"))),
        "{out}"
    );
    assert!(out.contains("Hosts     ● ") && out.contains("Services  ● "), "{out}");
    let line = out.lines().find(|line| line.contains("MYSQL")).unwrap_or_default();
    assert!(line.starts_with("■ CRITICAL") && line.contains("Access denied"), "{out}");
    let json: serde_json::Value = serde_json::from_str(&door.says(&["status", "-o", "json"])).unwrap();
    let total = json["problems"]["total"].as_u64().unwrap();
    assert_eq!(json["problems"]["items"].as_array().unwrap().len() as u64, total);
}

#[test]
fn a_selector_names_hosts_services_and_groups() {
    let door = door();
    let out = door.says(&["status", "192.0.2.194/*"]);
    assert!(out.contains("MYSQL") && !out.contains("web01"), "{out}");
    let out = door.says(&["status", "web0*"]);
    assert!(out.contains("web01"), "{out}");
    let (exit, _, err) = door.vigia(&["status", "no-such-*"]);
    assert_eq!(exit, Exit::REFUSED);
    assert!(err.contains("nothing matches"), "{err}");
    assert_eq!(door.vigia(&["status", "!web*"]).0, Exit::USAGE);
}

#[test]
fn why_says_how_the_telling_stands_who_would_hear_now_and_what_was_decided() {
    let door = door();
    let out = door.says(&["why", "192.0.2.194/MYSQL"]);
    assert!(out.starts_with("192.0.2.194/MYSQL is CRITICAL HARD.\n"), "{out}");
    assert!(out.contains("Told of the problem: ana, ben; message 2 at "), "{out}");
    assert!(out.contains("The next message is held: acknowledged.\n"), "{out}");
    assert!(out.contains("A message that it is CRITICAL would now reach: ana.\n"), "{out}");
    assert!(out.contains("Not ben: the contact's `options` leave this out.\n"), "{out}");
    assert!(out.contains("CRITICAL HARD 4: Access denied for user 'nagios'"), "{out}");
    assert!(out.contains("notified") && out.contains("contacts skipped"), "{out}");
    let out = door.says(&["why", "192.0.2.194/MYSQL", "--contact", "ben", "--at", "03:00"]);
    assert!(out.contains("would now reach: nobody.\nNot ben: "), "{out}");
    assert!(!out.contains("PROBLEM by email") && out.contains("contacts skipped"), "{out}");
    let json: serde_json::Value =
        serde_json::from_str(&door.says(&["why", "192.0.2.194/MYSQL", "-o", "json"])).unwrap();
    assert_eq!(json["standing"]["held"]["hold"], "acknowledged");
    for (wrong, says) in [
        (&["why", "nowhere"][..], "there is no host or service `nowhere`"),
        (&["why", "web01", "--contact", "nobody"], "there is no contact `nobody`"),
        (&["why", "web01", "--at", "some day"], "`some day` is no time"),
    ] {
        let (exit, _, err) = door.vigia(wrong);
        assert_eq!(exit, Exit::REFUSED, "{wrong:?}: {err}");
        assert!(err.contains(says), "{wrong:?}: {err}");
    }
}

#[test]
fn acts_reach_the_engine_as_orders_with_what_was_said() {
    let door = door();
    door.says(&["ack", "192.0.2.194/MYSQL", "-m", "grant is on its way", "--normal"]);
    door.says(&["comment", "add", "192.0.2.194", "seen"]);
    door.says(&["comment", "delete", "7"]);
    door.says(&["downtime", "add", "192.0.2.194/MYSQL", "-m", "move", "--for", "2h", "--flexible", "30m"]);
    door.says(&["downtime", "cancel", "12"]);
    door.says(&["recheck", "192.0.2.194/MYSQL", "web01"]);
    door.says(&["alarm", "own", "1", "ana"]);
    door.says(&["alarm", "close", "1", "-m", "false positive"]);
    door.says(&["ticket", "new", "Replace the battery", "-m", "it beeps", "--priority", "5"]);
    door.says(&["ticket", "note", "AVA01", "waiting", "--status", "Waiting"]);
    door.says(&["ticket", "close", "AVA01", "done"]);
    door.says(&["ticket", "reopen", "AVA01", "again"]);
    let operations = door.backend.operations();
    let mysql = ObjectKey::service("192.0.2.194", "MYSQL");
    assert!(
        matches!(&operations[0], Operation::Acknowledge { subject, comment, until: Until::Change, notify: true, .. }
            if *subject == mysql && &**comment == "grant is on its way"),
        "{:?}",
        operations[0]
    );
    assert!(matches!(&operations[1], Operation::AddComment { subject, .. } if subject.service.is_none()));
    assert!(matches!(&operations[3], Operation::ScheduleDowntime { subject, .. } if *subject == mysql));
    assert_eq!(operations.len(), 13, "{operations:#?}");
}

#[test]
fn a_refusal_is_told_with_the_object_and_the_exit_code() {
    let door = door();
    let (exit, _, err) = door.vigia(&["ack", "nobody", "-m", "x"]);
    assert_eq!(exit, Exit::REFUSED);
    assert!(err.contains("nobody"), "{err}");
    let (exit, _, err) = door.vigia(&["ack", "nobody", "192.0.2.194/MYSQL", "-m", "x"]);
    assert_eq!(exit, Exit::REFUSED);
    assert!(err.contains("nobody") && !err.contains("MYSQL"), "{err}");
}

#[test]
fn lists_and_records_are_shown_as_text_and_as_json() {
    let door = door();
    for list in [
        &["alarm", "list", "--all"][..],
        &["ticket", "list", "--all"],
        &["comment", "list"],
        &["downtime", "list"],
        &["user", "list"],
    ] {
        let text = door.says(list);
        let json = [list, &["-o", "json"]].concat();
        let json: serde_json::Value = serde_json::from_str(&door.says(&json)).unwrap();
        let items = json["items"].as_array().unwrap();
        assert!(!items.is_empty(), "{list:?}");
        assert_eq!(text.lines().count(), items.len() + 1, "{list:?}: {text}");
        assert!(!text.contains("null"), "{text}");
    }
    let ticket = door.says(&["ticket", "show", "AVA01"]);
    assert!(ticket.starts_with("AVA01  ") && ticket.contains("status"), "{ticket}");
}
