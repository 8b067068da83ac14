//! `vigia user`: accounts of the running daemon. Passwords are asked for on the terminal or read from standard
//! input, never taken from the command line, where every user of the machine could read them.

use std::io::{BufRead, IsTerminal, Read, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, flag, items, text};
use super::token::Token;
use super::{Answer, Common, Console, Exit, Failure, Format};

/// Add, change, disable and list users
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia user add ana --role admin
  vigia user add bot --role operator < password-file
  vigia user passwd ana
  vigia user role ana admin
  vigia user disable ana
  vigia user token add bot backup
  vigia user list")]
pub(crate) struct User {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Add a user; its password is asked for
    #[command(before_help = "Examples:
  vigia user add ana --role admin
  vigia user add kiosk --role viewer < password-file")]
    Add {
        name: String,
        /// What the account may do, each also what those before it may
        #[arg(long, value_name = "ROLE", value_parser = ["viewer", "operator", "editor", "admin"])]
        role: String,
        /// The contact of the configuration that this user is
        #[arg(long, value_name = "NAME")]
        contact: Option<String>,
    },
    /// Set a new password; every session of the user ends
    #[command(before_help = "Examples:\n  vigia user passwd ana\n  vigia user passwd bot < password-file")]
    Passwd {
        name: String,
    },
    /// Give a user another role; it counts at once, in open sessions too
    #[command(before_help = "Example:\n  vigia user role ana admin")]
    Role {
        name: String,
        #[arg(value_parser = ["viewer", "operator", "editor", "admin"])]
        role: String,
    },
    /// Keep a user out; every session and token ends
    #[command(before_help = "Example:\n  vigia user disable ana")]
    Disable {
        name: String,
    },
    /// Let a disabled user in again
    #[command(before_help = "Example:\n  vigia user enable ana")]
    Enable {
        name: String,
    },
    /// List users
    #[command(before_help = "Example:\n  vigia user list")]
    List,
    Token(Token),
}

impl User {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            Act::Add { name, role, contact } => {
                // Whoever cannot be reached should not first be told a password.
                client.get(&Target::of(&["users"]))?;
                let password = password_for(name)?;
                let body = json!({"name": name, "role": role, "password": password, "contact": contact});
                done(common, console, &client.post(&Target::of(&["users"]), &body)?)
            }
            Act::Passwd { name } => {
                client.get(&Target::of(&["users"]))?;
                let body = json!({"password": password_for(name)?});
                done(common, console, &client.post(&Target::of(&["users", name, "password"]), &body)?)
            }
            Act::Role { name, role } => {
                let body = json!({"role": role});
                done(common, console, &client.post(&Target::of(&["users", name, "role"]), &body)?)
            }
            Act::Disable { name } => {
                done(common, console, &client.post(&Target::of(&["users", name, "disable"]), &json!({}))?)
            }
            Act::Enable { name } => {
                done(common, console, &client.post(&Target::of(&["users", name, "enable"]), &json!({}))?)
            }
            Act::Token(token) => token.run(common, console),
            Act::List => list(common, console, &client.get(&Target::of(&["users"]))?),
        }
    }
}

fn list(common: &Common, console: &mut Console, answer: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(&["NAME", "ROLE", "CONTACT", ""]);
    for item in items(answer) {
        let standing = if flag(item, "disabled") { "disabled" } else { "" };
        table.row(vec![
            text(item, "name").into(),
            text(item, "role").into(),
            text(item, "contact").into(),
            standing.into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    tell_more(console, answer, items(answer).len())?;
    Ok(Exit::DONE)
}

/// From the terminal, twice and unseen; or the first line of standard input.
fn password_for(name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let password = if stdin.is_terminal() {
        let first = ask(&format!("New password for {}: ", super::table::clean(name)))?;
        if ask("Again: ")? != first {
            return Err(Failure::new(Exit::REFUSED, "the two passwords differ; nothing was changed"));
        }
        first
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line)?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    };
    if password.is_empty() {
        return Err(Failure::new(Exit::USAGE, "the password is empty; nothing was changed")
            .hint("type it when asked, or give it on standard input"));
    }
    Ok(password)
}

/// Asks on the terminal without showing what is typed; it shows again whatever happens in between.
fn ask(question: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let mut shown = std::io::stderr();
    write!(shown, "{question}")?;
    shown.flush()?;
    let before = tcgetattr(&stdin).map_err(std::io::Error::from)?;
    let mut hidden = before.clone();
    // Interrupting is ours to do as well: the signal would end us and leave the terminal mute.
    hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden).map_err(std::io::Error::from)?;
    let typed = typed(&mut stdin.lock());
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(std::io::Error::from)?;
    writeln!(shown)?;
    typed?.ok_or_else(|| Failure::new(Exit::REFUSED, "interrupted; nothing was changed"))
}

/// One line as it is typed; none when it was interrupted.
fn typed(keys: &mut dyn Read) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let mut key = [0];
        if keys.read(&mut key)? == 0 {
            break;
        }
        match key[0] {
            b'\r' | b'\n' => break,
            // Ctrl-C, and Ctrl-D on an empty line.
            3 => return Ok(None),
            4 if line.is_empty() => return Ok(None),
            // Ctrl-U
            21 => line.clear(),
            8 | 127 => take_back(&mut line),
            other => line.push(other),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// Removes the last character, however many bytes it has.
fn take_back(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        let is_first_of_character = byte & 0b1100_0000 != 0b1000_0000;
        if is_first_of_character {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_can_be_corrected_and_interrupted() {
        let typed = |keys: &[u8]| typed(&mut &*keys).unwrap();
        assert_eq!(typed(b"secret\nmore").as_deref(), Some("secret"));
        assert_eq!(typed("aé\u{7f}b\r".as_bytes()).as_deref(), Some("ab"));
        assert_eq!(typed(b"wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(typed(b"half\x03"), None);
        assert_eq!(typed(b"\x04"), None);
    }
}
