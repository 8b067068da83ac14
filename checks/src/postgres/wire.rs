//! Messages of PostgreSQL's protocol 3.0, bounded, and the greeting of a server that we do not log in to.

use crate::net::{Connection, Failure, Trouble};
use crate::outcome::quoted_bytes;

/// More than any message that a check needs.
const MESSAGE_MAX: usize = 1 << 20;

/// What a server says.
#[derive(Debug)]
pub(super) enum Said {
    /// What it wants for a login; 0: nothing more.
    Authentication {
        method: u32,
        data: Vec<u8>,
    },
    Error(Complaint),
    /// The first value of a row; `None` is NULL.
    Row(Option<Vec<u8>>),
    /// It waits for the next command.
    Ready,
    /// It wants to copy.
    Copy,
    /// Parameters, notices, ends of commands.
    Other(u8),
}

/// An error in the server's words.
#[derive(Debug)]
pub(super) struct Complaint {
    /// SQLSTATE.
    code: String,
    /// `FATAL:  database "x" does not exist`.
    pub(super) text: String,
}

impl Complaint {
    pub(super) fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }

    /// Whether it is about who we are; 28 is the class of that.
    pub(super) fn is_denial(&self) -> bool {
        self.code.starts_with("28")
    }

    /// Fields: a letter, a text, a zero.
    fn read(content: &[u8]) -> Self {
        let field = |letter: u8| {
            let found = content.split(|byte| *byte == 0).find(|field| field.first() == Some(&letter));
            quoted_bytes(found.and_then(|field| field.get(1..)).unwrap_or_default(), 500)
        };
        Self { code: field(b'C'), text: format!("{}:  {}", field(b'S'), field(b'M')) }
    }
}

pub(super) async fn send(connection: &mut Connection, kind: u8, content: &[u8]) -> Result<(), Failure> {
    let mut message = vec![kind];
    message.extend_from_slice(&length(content.len() + 4));
    message.extend_from_slice(content);
    connection.send(&message).await
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// Asks for TLS and takes no offer: the one question that a server answers to anybody and does not log.
pub(super) async fn greeting(connection: &mut Connection) -> Result<(), Failure> {
    connection.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
    let answer = connection.read_exactly(1).await?;
    match answer.first() {
        Some(b'S' | b'N') => Ok(()),
        Some(_) | None => Err(none(&answer)),
    }
}

fn none(said: &[u8]) -> Failure {
    Failure::new(Trouble::Garbage, format!("not answered as by PostgreSQL: {}", quoted_bytes(said, 100)))
}

/// Says who we are and which database we want.
pub(super) async fn start(connection: &mut Connection, user: &str, database: &str) -> Result<(), Failure> {
    const VERSION_3: [u8; 4] = [0, 3, 0, 0];
    let mut content = VERSION_3.to_vec();
    for text in ["user", user, "database", database, "application_name", "vigia", "client_encoding", "UTF8"] {
        content.extend_from_slice(text.as_bytes());
        content.push(0);
    }
    content.push(0);
    let mut message = length(content.len() + 4).to_vec();
    message.extend_from_slice(&content);
    connection.send(&message).await
}

pub(super) async fn hear(connection: &mut Connection) -> Result<Said, Failure> {
    let head = connection.read_exactly(5).await?;
    let &[kind, a, b, c, d] = head.as_slice() else { return Err(none(&head)) };
    let bytes = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if !b"RENSKZTDCIGHWtnsv12A".contains(&kind) || bytes < 4 {
        return Err(none(&head));
    }
    if bytes > MESSAGE_MAX {
        return Err(Failure::new(Trouble::Garbage, format!("a message of {bytes} bytes")));
    }
    let content = connection.read_exactly(bytes - 4).await?;
    match kind {
        b'R' => {
            let (method, data) = content.split_first_chunk::<4>().ok_or_else(|| none(&content))?;
            Ok(Said::Authentication { method: u32::from_be_bytes(*method), data: data.to_vec() })
        }
        b'E' => Ok(Said::Error(Complaint::read(&content))),
        b'D' => first_value(&content).map(Said::Row).ok_or_else(|| none(&content)),
        b'Z' => Ok(Said::Ready),
        b'G' | b'H' | b'W' => Ok(Said::Copy),
        other => Ok(Said::Other(other)),
    }
}

/// `None`: the row is broken; `Some(None)`: no column, or NULL.
fn first_value(row: &[u8]) -> Option<Option<Vec<u8>>> {
    let (columns, rest) = row.split_first_chunk::<2>()?;
    if u16::from_be_bytes(*columns) == 0 {
        return Some(None);
    }
    let (length, rest) = rest.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*length) {
        u32::MAX => Some(None),
        length => rest.get(..usize::try_from(length).ok()?).map(|value| Some(value.to_vec())),
    }
}
