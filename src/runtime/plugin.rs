//! External plugins: from how a program ended to a verdict and an output that say so.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;
use vigia_core::model::check::{Output, PluginCommand, Verdict};
use vigia_core::nagios::output;

use crate::os::process::{Captured, ENVIRONMENT, End, Leftover, Processes, Program, Ran};

/// What one look at an object gave.
#[derive(Debug)]
pub struct Answer {
    pub verdict: Verdict,
    pub output: Arc<Output>,
    /// Processes of a plugin that the deadline ended and that are not gone yet.
    pub leftover: Option<Leftover>,
    /// Step by step, where somebody watches.
    pub detail: Vec<String>,
}

impl Answer {
    pub fn new(verdict: Verdict, output: Arc<Output>) -> Self {
        Self { verdict, output, leftover: None, detail: Vec::new() }
    }
}

/// Runs a plugin. Back at the deadline, whatever the plugin does.
pub async fn run(command: &PluginCommand, timeout: Duration, processes: &Processes) -> Answer {
    let program = program(command);
    let ran = processes.run(&program, Instant::now() + timeout).await;
    answer(ran, &program, timeout)
}

fn program(command: &PluginCommand) -> Program {
    let argv = if command.shell {
        vec!["/bin/sh".to_owned(), "-c".to_owned(), command.argv.concat()]
    } else {
        command.argv.clone()
    };
    let common = ENVIRONMENT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    // Of two values of one name the later counts.
    let env = common.chain(command.env.iter().cloned()).collect();
    // One byte more than is kept shows the parser that there was more.
    Program { argv, env, output_bytes: output::LIMIT_BYTES + 1, stdin: Vec::new() }
}

fn answer(ran: Ran, program: &Program, timeout: Duration) -> Answer {
    let path = program.argv.first().map_or("", String::as_str);
    let said = said(&ran.stdout, &ran.stderr);
    let (verdict, output) = match ran.end {
        End::Exited(code @ 0..=3) => (Verdict::Exit(code), output::parse(&said)),
        End::Exited(126) => (Verdict::Exit(126), wrong(&not_executable(path), &said)),
        End::Exited(127) => (Verdict::Exit(127), wrong(&missing(path), &said)),
        End::Exited(code) => {
            let reason = format!("return code of {code} is out of bounds; a plugin ends with 0, 1, 2 or 3");
            (Verdict::Exit(code), wrong(&reason, &said))
        }
        End::Signalled(signal) => (Verdict::Exit(3), wrong(&killed(signal), &said)),
        End::TimedOut => {
            let reason = format!("plugin timed out after {:.2} seconds", timeout.as_secs_f64());
            (Verdict::TimedOut, wrong(&reason, &said))
        }
        End::NotStarted(error) => not_started(path, &error),
        End::Lost(error) => {
            (Verdict::Abnormal, wrong(&format!("how the plugin ended is not known: {error}"), &said))
        }
    };
    Answer { leftover: ran.leftover, ..Answer::new(verdict, Arc::new(output)) }
}

/// What it printed; what it complained, where it printed nothing.
fn said(stdout: &Captured, stderr: &Captured) -> Vec<u8> {
    if stdout.bytes.is_empty() && !stderr.bytes.is_empty() {
        return [b"(No output on stdout) stderr: ", stderr.bytes.as_slice()].concat();
    }
    stdout.bytes.clone()
}

/// The reason first, then what the plugin said, if anything.
fn wrong(reason: &str, said: &[u8]) -> Output {
    if said.is_empty() {
        return Output { text: format!("({reason})").into(), ..Output::default() };
    }
    let printed = output::parse(said);
    Output { text: format!("({reason}) {}", printed.text).into(), ..printed }
}

fn not_executable(path: &str) -> String {
    format!("return code of 126: {path} is not executable")
}

fn missing(path: &str) -> String {
    format!("return code of 127: {path} or a program that it runs does not exist")
}

fn killed(signal: i32) -> String {
    let name =
        Signal::try_from(signal).map_or_else(|_| signal.to_string(), |signal| signal.as_str().to_owned());
    format!("plugin was ended by signal {name}")
}

fn not_started(path: &str, error: &std::io::Error) -> (Verdict, Output) {
    let (verdict, reason) = match error.kind() {
        std::io::ErrorKind::NotFound => (Verdict::Exit(127), format!("{path} does not exist")),
        std::io::ErrorKind::PermissionDenied => {
            (Verdict::Exit(126), format!("{path} is not executable for vigia's user"))
        }
        _ => (Verdict::Abnormal, format!("cannot run {path}: {error}")),
    };
    (verdict, Output { text: format!("({reason})").into(), ..Output::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look(script: &str) -> (Verdict, String) {
        let command = PluginCommand {
            argv: vec![script.into()],
            env: vec![("WORD".into(), "hello".into())],
            shell: true,
        };
        let answer = run(&command, Duration::from_secs(20), &Processes::default()).await;
        (answer.verdict, answer.output.text.to_string())
    }

    #[tokio::test]
    async fn a_plugin_is_taken_at_its_word() {
        assert_eq!(look("echo \"$WORD | t=1s\"; exit 1").await, (Verdict::Exit(1), "hello".into()));
        assert_eq!(look("exit 0").await, (Verdict::Exit(0), output::NOTHING.into()));
    }

    #[tokio::test]
    async fn what_cannot_be_a_state_says_why() {
        let (verdict, text) = look("echo half; exit 7").await;
        assert_eq!(verdict, Verdict::Exit(7));
        assert!(text.starts_with("(return code of 7 is out of bounds") && text.ends_with(" half"), "{text}");

        let (verdict, text) = look("/no/such/program").await;
        assert_eq!(verdict, Verdict::Exit(127));
        assert!(text.contains("does not exist"), "{text}");

        assert_eq!(
            look("kill -SEGV $$").await,
            (Verdict::Exit(3), "(plugin was ended by signal SIGSEGV)".into())
        );
    }

    #[tokio::test]
    async fn complaints_are_shown_where_nothing_was_printed() {
        let (_, text) = look("echo oops >&2; exit 2").await;
        assert_eq!(text, "(No output on stdout) stderr: oops");
        assert_eq!(look("echo oops >&2; echo fine").await.1, "fine");
    }

    #[tokio::test]
    async fn a_plugin_that_is_not_there_is_127_and_one_that_is_no_program_126() {
        let run_path = async |path: &str| {
            let command = PluginCommand { argv: vec![path.into()], env: vec![], shell: false };
            run(&command, Duration::from_secs(20), &Processes::default()).await
        };
        let answer = run_path("/no/such/plugin").await;
        assert_eq!(
            (answer.verdict, &*answer.output.text),
            (Verdict::Exit(127), "(/no/such/plugin does not exist)")
        );
        let answer = run_path("/etc/passwd").await;
        assert_eq!(answer.verdict, Verdict::Exit(126));
    }

    #[tokio::test]
    async fn at_the_deadline_what_was_printed_so_far_is_kept() {
        let command = PluginCommand { argv: vec!["echo half; sleep 60".into()], env: vec![], shell: true };
        let answer = run(&command, Duration::from_millis(200), &Processes::default()).await;
        assert_eq!(answer.verdict, Verdict::TimedOut);
        assert_eq!(&*answer.output.text, "(plugin timed out after 0.20 seconds) half");
        answer.leftover.unwrap().gone().await;
    }
}
