//! Commands and answers of SMTP (RFC 5321, 4.2), and how a session is left. What they are about is not known here.

use vigia_core::model::state::State;

use crate::kind::Call;
use crate::net::{Connection, Failure, LINE_MAX, Trouble};
use crate::outcome::quoted_bytes;
use crate::talk::{self, End};

/// One answer of the server.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// As they came, codes included.
    lines: Vec<String>,
}

impl Reply {
    pub(super) fn is_good(&self) -> bool {
        self.code < 400
    }

    /// The last line, which says most.
    pub(super) fn text(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    pub(super) fn holds(&self, expected: &str) -> bool {
        self.lines.iter().any(|line| line.contains(expected))
    }

    /// Whether EHLO offers this, and the words after it.
    pub(super) fn offer(&self, keyword: &str) -> Option<Vec<String>> {
        self.lines.iter().find_map(|line| {
            let mut words = line.get(4..)?.split([' ', '=']).map(str::to_ascii_uppercase);
            (words.next()? == keyword).then(|| words.collect())
        })
    }
}

pub(super) async fn send(call: &Call<'_>, connection: &mut Connection, command: &str) -> Result<(), Failure> {
    call.note(|| format!("client: {command}"));
    connection.send(format!("{command}\r\n").as_bytes()).await
}

/// Gives a command that has to succeed.
pub(super) async fn ask(call: &Call<'_>, connection: &mut Connection, command: &str) -> Result<Reply, End> {
    send(call, connection, command).await?;
    let answer = reply(call, connection).await?;
    if answer.is_good() {
        return Ok(answer);
    }
    Err(End::Answer(State::Critical, format!("{command}: {}", answer.text())))
}

pub(super) async fn reply(call: &Call<'_>, connection: &mut Connection) -> Result<Reply, Failure> {
    const LINES_MAX: usize = 100;
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        let Some(line) = connection.read_line(LINE_MAX).await? else {
            return Err(Failure::new(Trouble::Closed, "the server ended the connection without an answer"));
        };
        let text = quoted_bytes(&line, 500);
        call.note(|| format!("server: {text}"));
        let code = text.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(code) = code.and_then(|code| code.parse::<u16>().ok()).filter(|code| *code >= 200) else {
            return Err(Failure::new(Trouble::Garbage, format!("no answer of an SMTP server: {text}")));
        };
        let goes_on = text.as_bytes().get(3) == Some(&b'-');
        lines.push(text);
        if !goes_on {
            return Ok(Reply { code, lines });
        }
    }
    Err(Failure::new(Trouble::Garbage, format!("an answer of more than {LINES_MAX} lines")))
}

/// Leaves in order. What was found out stands whatever the server makes of it.
pub(super) async fn quit(call: &Call<'_>, mut connection: Connection) {
    let said = async {
        send(call, &mut connection, "QUIT").await?;
        reply(call, &mut connection).await
    };
    talk::within_reach(call, said).await;
    call.close(connection).await;
}
