//! The plain words that some protocols say before TLS begins. Nothing may be left in the buffer afterwards:
//! [`Connection::secure`] refuses it.

use crate::net::{Connection, Failure, LINE_MAX, Trouble};
use crate::options::Choice;
use crate::outcome::quoted_bytes;

/// A protocol that can change to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue {
    Smtp,
    Imap,
    Pop3,
    Ftp,
    Ldap,
    Postgres,
    Mysql,
}

impl Choice for Dialogue {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("smtp", Self::Smtp),
        ("imap", Self::Imap),
        ("pop3", Self::Pop3),
        ("ftp", Self::Ftp),
        ("ldap", Self::Ldap),
        ("postgres", Self::Postgres),
        ("mysql", Self::Mysql),
    ];
}

/// Brings a fresh connection to the point where TLS begins.
pub async fn start(connection: &mut Connection, dialogue: Dialogue) -> Result<(), Failure> {
    match dialogue {
        Dialogue::Smtp => smtp(connection).await,
        Dialogue::Imap => imap(connection).await,
        Dialogue::Pop3 => pop3(connection).await,
        Dialogue::Ftp => ftp(connection).await,
        Dialogue::Ldap => ldap(connection).await,
        Dialogue::Postgres => postgres(connection).await,
        Dialogue::Mysql => mysql(connection).await,
    }
}

/// What is said at the end, so that the server's log does not speak of a lost connection.
pub fn goodbye(dialogue: Dialogue) -> Option<&'static [u8]> {
    match dialogue {
        Dialogue::Smtp | Dialogue::Pop3 | Dialogue::Ftp => Some(b"QUIT\r\n"),
        Dialogue::Imap => Some(b"a2 LOGOUT\r\n"),
        Dialogue::Ldap => Some(&[0x30, 5, 2, 1, 2, 0x42, 0]),
        Dialogue::Postgres | Dialogue::Mysql => None,
    }
}

fn unexpected(what: &str, said: &[u8]) -> Failure {
    Failure::new(Trouble::Garbage, format!("{what}: {}", quoted_bytes(said, 200)))
}

async fn line(connection: &mut Connection) -> Result<Vec<u8>, Failure> {
    let line = connection.read_line(LINE_MAX).await?;
    line.ok_or_else(|| Failure::new(Trouble::Closed, "the server ended the connection before TLS began"))
}

/// A reply of SMTP or FTP, whose last line has a blank after its code; all lines, and whether the code is the wanted one.
async fn reply(connection: &mut Connection, code: &str, what: &str) -> Result<Vec<Vec<u8>>, Failure> {
    const LINES_MAX: usize = 100;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    while lines.len() < LINES_MAX {
        let line = line(connection).await?;
        let starts_with_code = line.starts_with(code.as_bytes());
        let is_numbered = line.get(..3).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
        let goes_on = !is_numbered || line.get(3) == Some(&b'-');
        if is_numbered && !starts_with_code {
            return Err(unexpected(what, &line));
        }
        if !is_numbered && lines.is_empty() {
            return Err(unexpected(what, &line));
        }
        lines.push(line);
        if !goes_on {
            return Ok(lines);
        }
    }
    Err(Failure::new(Trouble::Garbage, format!("{what}: the reply has no end")))
}

async fn smtp(connection: &mut Connection) -> Result<(), Failure> {
    reply(connection, "220", "not greeted as by SMTP").await?;
    connection.send(b"EHLO vigia.invalid\r\n").await?;
    let offers = reply(connection, "250", "EHLO was refused").await?;
    let offers_tls =
        offers.iter().any(|line| line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS")));
    if !offers_tls {
        return Err(Failure::new(Trouble::Tls, "the server does not offer STARTTLS"));
    }
    connection.send(b"STARTTLS\r\n").await?;
    reply(connection, "220", "STARTTLS was refused").await.map(|_| ())
}

async fn ftp(connection: &mut Connection) -> Result<(), Failure> {
    reply(connection, "220", "not greeted as by FTP").await?;
    connection.send(b"AUTH TLS\r\n").await?;
    reply(connection, "234", "AUTH TLS was refused").await.map(|_| ())
}

async fn pop3(connection: &mut Connection) -> Result<(), Failure> {
    let greeting = line(connection).await?;
    if !greeting.starts_with(b"+OK") {
        return Err(unexpected("not greeted as by POP3", &greeting));
    }
    connection.send(b"STLS\r\n").await?;
    let answer = line(connection).await?;
    if answer.starts_with(b"+OK") { Ok(()) } else { Err(unexpected("STLS was refused", &answer)) }
}

async fn imap(connection: &mut Connection) -> Result<(), Failure> {
    const LINES_MAX: usize = 100;
    let greeting = line(connection).await?;
    if !greeting.starts_with(b"* OK") {
        return Err(unexpected("not greeted as by IMAP", &greeting));
    }
    connection.send(b"a1 STARTTLS\r\n").await?;
    for _ in 0..LINES_MAX {
        let answer = line(connection).await?;
        if let Some(verdict) = answer.strip_prefix(b"a1 ") {
            return if verdict.starts_with(b"OK") {
                Ok(())
            } else {
                Err(unexpected("STARTTLS was refused", &answer))
            };
        }
    }
    Err(Failure::new(Trouble::Garbage, "STARTTLS: the reply has no end"))
}

/// An extended request for StartTLS (RFC 4511, 4.14.1) and the code of its answer.
async fn ldap(connection: &mut Connection) -> Result<(), Failure> {
    const OBJECT: &[u8] = b"1.3.6.1.4.1.1466.20037";
    let mut request = vec![0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16];
    request.extend_from_slice(OBJECT);
    connection.send(&request).await?;
    let head = connection.read_exactly(2).await?;
    let (Some(0x30), Some(first)) = (head.first(), head.get(1)) else {
        return Err(unexpected("not answered as by LDAP", &head));
    };
    let length = if *first < 0x80 {
        usize::from(*first)
    } else {
        let bytes = connection.read_exactly(usize::from(first & 0x7f).min(4)).await?;
        bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte))
    };
    if length > 4096 {
        return Err(Failure::new(Trouble::Garbage, format!("an LDAP answer of {length} bytes")));
    }
    let answer = connection.read_exactly(length).await?;
    // Message number, then the extended response (0x78), which begins with the code; lengths may take several bytes.
    let code = answer.windows(3).find_map(|part| match part {
        [0x0a, 1, code] => Some(*code),
        _ => None,
    });
    match (answer.get(3), code) {
        (Some(0x78), Some(0)) => Ok(()),
        (Some(0x78), Some(code)) => {
            Err(Failure::new(Trouble::Tls, format!("StartTLS was refused with code {code}")))
        }
        _ => Err(Failure::new(Trouble::Garbage, "not answered as by LDAP")),
    }
}

async fn postgres(connection: &mut Connection) -> Result<(), Failure> {
    connection.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
    let answer = connection.read_exactly(1).await?;
    match answer.first() {
        Some(b'S') => Ok(()),
        Some(b'N') => Err(Failure::new(Trouble::Tls, "the server does not offer TLS")),
        Some(_) | None => Err(unexpected("not answered as by PostgreSQL", &answer)),
    }
}

/// The greeting, and the request for TLS (protocol 10, packet SSLRequest).
async fn mysql(connection: &mut Connection) -> Result<(), Failure> {
    const PROTOCOL_41: u32 = 0x0200;
    const SSL: u32 = 0x0800;
    const SECURE_CONNECTION: u32 = 0x8000;
    let head = connection.read_exactly(4).await?;
    let length = head.iter().take(3).rev().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    if !(2..=1024).contains(&length) {
        return Err(unexpected("not greeted as by MySQL", &head));
    }
    let greeting = connection.read_exactly(length).await?;
    if greeting.first() == Some(&0xff) {
        return Err(unexpected("refused", greeting.get(3..).unwrap_or_default()));
    }
    let version = greeting.iter().position(|&byte| byte == 0).filter(|_| greeting.first() == Some(&10));
    let capabilities = version.and_then(|end| greeting.get(end + 14..end + 16));
    let Some(&[low, high]) = capabilities else {
        return Err(unexpected("not greeted as by MySQL", &greeting));
    };
    if u32::from(u16::from_le_bytes([low, high])) & SSL == 0 {
        return Err(Failure::new(Trouble::Tls, "the server does not offer TLS"));
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend_from_slice(&(PROTOCOL_41 | SSL | SECURE_CONNECTION).to_le_bytes());
    request.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    request.push(45);
    request.extend_from_slice(&[0; 23]);
    connection.send(&request).await
}
