//! The command line as a whole: every command has its help, and the exit codes are those we promise.

use clap::CommandFactory;

use super::{Cli, Console, Exit, run};

/// Runs `vigia ARGS` and gives exit code, standard output and standard error.
pub(super) fn vigia(args: &[&str]) -> (Exit, String, String) {
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut console = Console::of(Box::new(out.clone()), Box::new(err.clone()));
    let args = std::iter::once("vigia").chain(args.iter().copied()).map(Into::into).collect();
    let exit = run(args, &mut console);
    (exit, out.text(), err.text())
}

#[derive(Clone, Default)]
struct Buffer(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_declarations_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_begins_with_examples() {
    fn look(command: &clap::Command, path: &str) {
        let begins = command.get_before_help().map(ToString::to_string).unwrap_or_default();
        assert!(begins.starts_with("Example"), "`{path}` has no examples");
        assert!(command.get_about().is_some(), "`{path}` does not say what it is for");
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            look(inner, &format!("{path} {}", inner.get_name()));
        }
    }
    look(&Cli::command(), "vigia");
}

#[test]
fn help_is_an_answer_and_a_mistake_is_wrong_usage() {
    let (exit, out, err) = vigia(&["--help"]);
    assert_eq!((exit, err.as_str()), (Exit::DONE, ""));
    assert!(out.starts_with("Examples:"), "{out}");

    let (exit, out, err) = vigia(&["no-such-command"]);
    assert_eq!((exit, out.as_str()), (Exit::USAGE, ""));
    assert!(err.contains("no-such-command"), "{err}");
}

#[test]
fn completions_and_man_pages_come_from_the_same_declarations() {
    let (exit, out, _) = vigia(&["completions", "bash"]);
    assert_eq!(exit, Exit::DONE);
    assert!(out.contains("--state-dir"));

    let (exit, out, _) = vigia(&["man"]);
    assert_eq!(exit, Exit::DONE);
    assert!(out.contains("The configuration: a file"), "{out}");
}

#[test]
fn a_check_answers_as_a_plugin_also_through_a_link() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port().to_string();
    let (exit, out, _) = vigia(&["check", "tcp", "-H", "127.0.0.1", "-p", &number]);
    assert_eq!(exit, Exit::plugin(0), "{out}");
    assert!(out.starts_with("TCP OK - "), "{out}");

    let (out, err) = (Buffer::default(), Buffer::default());
    let mut console = Console::of(Box::new(out.clone()), Box::new(err));
    let args = ["/usr/lib/nagios/plugins/check_tcp", "-H", "127.0.0.1", "-p", &number];
    assert_eq!(run(args.map(Into::into).to_vec(), &mut console), Exit::plugin(0));
    assert!(out.text().starts_with("TCP OK - "), "{}", out.text());
}

#[test]
fn a_link_to_a_check_that_there_is_not_is_unknown() {
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut console = Console::of(Box::new(out.clone()), Box::new(err));
    let args = ["/usr/lib/nagios/plugins/check_disk", "-w", "10%", "-c", "5%"];
    assert_eq!(run(args.map(Into::into).to_vec(), &mut console), Exit::plugin(3));
    assert!(out.text().starts_with("DISK UNKNOWN - vigia has no check `disk`"), "{}", out.text());
}

#[test]
fn wrong_usage_of_a_check_is_unknown_and_never_critical() {
    for args in [&["check", "no-such-kind"][..], &["check", "tcp", "--no-such-flag"], &["check", "tcp"]] {
        assert_eq!(vigia(args).0, Exit::plugin(3), "{args:?}");
    }
    let (exit, out, _) = vigia(&["check", "--help"]);
    assert_eq!(exit, Exit::DONE);
    assert!(out.contains("  tcp "), "{out}");
}
