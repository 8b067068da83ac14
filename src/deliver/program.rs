//! Programs that tell somebody: Nagios notification commands, plain `run` lists, and `sendmail`. What comes from
//! outside reaches them as arguments and environment, never as a shell's text.

use std::time::Duration;

use tokio::time::Instant;
use vigia_core::model::command::{Command, CommandText};
use vigia_core::model::insertion;
use vigia_core::nagios::macros::{self, Template};
use vigia_core::nagios::{output, words};

use super::facts::{Facts, is_of_configuration};
use super::outcome::Outcome;
use crate::os::process::{ENVIRONMENT, End, Processes, Program, Ran};

/// For a contact's `run`; a command says its own.
const RUN_TIMEOUT: Duration = Duration::from_secs(30);

/// Of what it prints: enough to say why it failed.
const SHOWN: usize = 2048;

/// `EX_TEMPFAIL` of `sysexits.h`: the one exit code that asks for another try.
const TRY_AGAIN: i32 = 75;

/// Runs a notification command, called as `NAME!ARG!ARG`.
pub(super) async fn command(call: &str, facts: &Facts, processes: &Processes) -> Outcome {
    let (name, args) = macros::call(call);
    let Some(command) = facts.world.inventory.command(&name) else {
        return Outcome::Never(format!("there is no command `{name}` any more"));
    };
    match prepare(command, &args, facts) {
        Ok(program) => judge(run(&program, command.timeout, processes).await, &program, command.timeout),
        Err(why) => Outcome::Never(format!("command `{name}`: {why}")),
    }
}

/// Runs a contact's list.
pub(super) async fn list(words: &[String], facts: &Facts, processes: &Processes) -> Outcome {
    let argv = words.iter().map(|word| filled(word, &[], facts)).collect();
    let program = program(argv, Vec::new(), facts);
    judge(run(&program, RUN_TIMEOUT, processes).await, &program, RUN_TIMEOUT)
}

fn prepare(command: &Command, args: &[String], facts: &Facts) -> Result<Program, String> {
    let line = match &command.says {
        CommandText::Words(words) => {
            let argv = words.iter().map(|word| filled(word, args, facts)).collect();
            return Ok(program(argv, command.env.clone(), facts));
        }
        CommandText::Line(line) => line,
    };
    let expanded = macros::expand_call(line, args, &mut |reference| {
        is_of_configuration(reference).then(|| facts.macro_value(reference).unwrap_or_default())
    });
    if command.is_shell {
        let Some(line) = expanded.template.as_text() else {
            let names: Vec<&str> = expanded.template.outside().map(|reference| reference.name).collect();
            let name = names.first().copied().unwrap_or_default();
            return Err(format!(
                "a shell may not see values that come from outside (${name}$); it finds them in its environment \
                 as \"$NAGIOS_{name}\""
            ));
        };
        let argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()];
        return Ok(program(argv, command.env.clone(), facts));
    }
    let split = words::split(&expanded.template).map_err(|error| error.to_string())?;
    let fill = |template: &Template| {
        template.fill(|reference| facts.macro_value(reference).unwrap_or_default().replace('\0', ""))
    };
    let argv = split.words.iter().map(fill).collect();
    let env = split.env.iter().map(|(name, value)| (name.clone(), fill(value)));
    Ok(program(argv, command.env.iter().cloned().chain(env).collect(), facts))
}

/// `args.1` is the first argument of the call.
fn filled(word: &str, args: &[String], facts: &Facts) -> String {
    let value = |name: &str| match name.strip_prefix("args.") {
        Some(number) => {
            let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            Some(at.and_then(|at| args.get(at)).cloned().unwrap_or_default())
        }
        None => facts.insertion(name),
    };
    insertion::fill(word, value).unwrap_or_else(|_unknown| word.to_owned())
}

fn program(argv: Vec<String>, own: Vec<(String, String)>, facts: &Facts) -> Program {
    let common = ENVIRONMENT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    // Of two values of one name the later counts.
    let env = common.chain(facts.environment()).chain(own).collect();
    Program { argv, env, output_bytes: SHOWN, ..Program::default() }
}

/// How a program ended: well, or with which exit code, if any, and why.
fn ended(ran: Ran, program: &Program, timeout: Duration) -> Result<(), (Option<i32>, String)> {
    let path = program.argv.first().map_or("", String::as_str);
    let printed = if ran.stderr.bytes.is_empty() { &ran.stdout.bytes } else { &ran.stderr.bytes };
    let said = output::line(printed);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let seconds = timeout.as_secs_f64();
    Err(match ran.end {
        End::Exited(0) => return Ok(()),
        End::Exited(code) => (Some(code), format!("{path} ended with exit code {code}{said}")),
        End::Signalled(signal) => (None, format!("{path} was ended by signal {signal}{said}")),
        End::TimedOut => (None, format!("{path} did not end within {seconds} s{said}")),
        End::NotStarted(error) => (None, format!("cannot run {path}: {error}")),
        End::Lost(error) => (None, format!("how {path} ended is not known: {error}")),
    })
}

async fn run(program: &Program, timeout: Duration, processes: &Processes) -> Ran {
    processes.run(program, Instant::now() + timeout).await
}

/// Once a program has run nobody knows what it did: only one that asks for it is run again.
fn judge(ran: Ran, program: &Program, timeout: Duration) -> Outcome {
    match ended(ran, program, timeout) {
        Ok(()) => Outcome::Sent(String::new()),
        Err((Some(TRY_AGAIN), why)) => Outcome::Later(why),
        Err((_, why)) => Outcome::Never(why),
    }
}

/// Exit codes of `sysexits.h` with which a mailer says that another try makes no difference.
const HOPELESS: &[i32] = &[64, 65, 67, 68];

/// Hands a mail to a program such as `/usr/sbin/sendmail -t`.
pub(super) async fn sendmail(
    argv: &[String],
    mail: Vec<u8>,
    timeout: Duration,
    processes: &Processes,
) -> Outcome {
    let env = ENVIRONMENT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let program = Program { argv: argv.to_vec(), env, output_bytes: SHOWN, stdin: mail };
    match ended(run(&program, timeout, processes).await, &program, timeout) {
        Ok(()) => Outcome::Sent(String::new()),
        Err((Some(code), why)) if HOPELESS.contains(&code) => Outcome::Never(why),
        Err((_, why)) => Outcome::Down { why, wait: None },
    }
}
