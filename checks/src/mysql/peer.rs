//! A small MySQL server of ours for the tests: Debian has MariaDB alone, which knows no `caching_sha2_password`.
//! It speaks the protocol as documented, as far as a check needs it.

use openssl::ssl::{Ssl, SslAcceptor};
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use crate::trial::peer;

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
const SSL: u32 = 0x800;
/// Long password, database, protocol 4.1, transactions, 4.1 passwords, plugins and their long data.
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000 | 0x20_0000;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const END_OF_ROWS: &[u8] = &[0xfe, 0, 0, 2, 0];

/// How the peer lets a client in.
#[derive(Clone)]
pub(super) enum Login {
    /// The hash of the password is in the server's cache.
    Fast(&'static str),
    /// It is not: the client has to send the password itself, encrypted or through TLS.
    Full(&'static str),
    /// Another way of logging in is asked for.
    Switch(&'static str),
    Denied(u16, &'static str),
}

/// A row of the answer to a query that begins with a text.
pub(super) type Answers =
    &'static [(&'static str, &'static [&'static str], &'static [&'static [&'static str]])];

pub(super) struct Server {
    pub(super) login: Login,
    pub(super) answers: Answers,
    pub(super) tls: Option<SslAcceptor>,
}

/// What the peer saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saw {
    pub(super) queries: Vec<String>,
    pub(super) said_goodbye: bool,
    pub(super) spoke_tls: bool,
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

struct Wire {
    stream: Box<dyn Both>,
    sequence: u8,
}

impl Wire {
    async fn send(&mut self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        let header = [length[0], length[1], length[2], self.sequence];
        self.sequence = self.sequence.wrapping_add(1);
        // A client that has seen enough may be gone.
        let _gone = self.stream.write_all(&[&header, payload].concat()).await.is_err();
        let _gone = self.stream.flush().await.is_err();
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await.ok()?;
        assert!(
            header[3] == self.sequence || header[3] == 0,
            "packet {} instead of {}",
            header[3],
            self.sequence
        );
        self.sequence = header[3].wrapping_add(1);
        let mut payload = vec![0; usize::from(header[0]) + 256 * usize::from(header[1])];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(payload)
    }

    async fn error(&mut self, code: u16, message: &str) {
        let [low, high] = code.to_le_bytes();
        self.send(&[&[0xff, low, high], &b"#28000"[..], message.as_bytes()].concat()).await;
    }
}

impl Server {
    pub(super) fn new(login: Login) -> Self {
        Self { login, answers: STATUS, tls: None }
    }

    /// Serves one client; its port, and what was seen once the client has gone.
    pub(super) async fn start(self) -> (u16, oneshot::Receiver<Saw>) {
        let (tell, saw) = oneshot::channel();
        let port = peer(async move |stream| {
            let mut seen = Saw::default();
            self.serve(Wire { stream: Box::new(stream), sequence: 0 }, &mut seen).await;
            tell.send(seen).unwrap();
        })
        .await;
        (port, saw)
    }

    async fn serve(self, mut wire: Wire, saw: &mut Saw) {
        wire.send(&self.greeting()).await;
        let Some(mut answer) = wire.read().await else { return };
        if let Some(acceptor) = &self.tls
            && answer.len() == 32
        {
            let ssl = Ssl::new(acceptor.context()).unwrap();
            let mut stream = tokio_openssl::SslStream::new(ssl, wire.stream).unwrap();
            if Pin::new(&mut stream).accept().await.is_err() {
                return;
            }
            wire = Wire { stream: Box::new(stream), sequence: wire.sequence };
            saw.spoke_tls = true;
            let Some(again) = wire.read().await else { return };
            answer = again;
        }
        let is_flagged = u32::from_le_bytes(answer[..4].try_into().unwrap()) & SSL != 0;
        assert_eq!(is_flagged, saw.spoke_tls);
        if self.let_in(&mut wire, &answer, saw.spoke_tls).await {
            wire.send(OK).await;
            self.answer(&mut wire, saw).await;
        }
    }

    fn greeting(&self) -> Vec<u8> {
        let capabilities = (CAPABILITIES | if self.tls.is_some() { SSL } else { 0 }).to_le_bytes();
        let mut greeting = b"\x0a8.4.0\0\x07\0\0\0".to_vec();
        greeting.extend(&NONCE[..8]);
        greeting.push(0);
        greeting.extend(&capabilities[..2]);
        greeting.extend([45, 2, 0]);
        greeting.extend(&capabilities[2..]);
        greeting.push(21);
        greeting.extend([0; 10]);
        greeting.extend(&NONCE[8..]);
        greeting.extend(b"\0caching_sha2_password\0");
        greeting
    }

    async fn let_in(&self, wire: &mut Wire, answer: &[u8], is_tls: bool) -> bool {
        match &self.login {
            Login::Fast(password) => {
                if !has_scramble(answer, password) {
                    wire.error(1045, "Access denied for user 'nagios'@'localhost' (using password: YES)")
                        .await;
                    return false;
                }
                wire.send(&[1, 3]).await;
                true
            }
            Login::Full(password) => {
                wire.send(&[1, 4]).await;
                let expected = [password.as_bytes(), b"\0"].concat();
                let said = if is_tls { wire.read().await } else { decrypted(wire).await };
                if said != Some(expected) {
                    wire.error(1045, "Access denied for user 'nagios'@'localhost' (using password: YES)")
                        .await;
                    return false;
                }
                true
            }
            Login::Switch(plugin) => {
                // MariaDB's ed25519 signs 32 bytes without an end; the others have 20 and a zero.
                let nonce =
                    if *plugin == "client_ed25519" { &[b'n'; 32][..] } else { b"abcdefghijklmnopqrst\0" };
                wire.send(&[&[0xfe], plugin.as_bytes(), &[0], nonce].concat()).await;
                wire.read().await.is_some()
            }
            Login::Denied(code, message) => {
                wire.error(*code, message).await;
                false
            }
        }
    }

    async fn answer(&self, wire: &mut Wire, saw: &mut Saw) {
        while let Some(command) = wire.read().await {
            match command.split_first() {
                Some((1, _)) => {
                    saw.said_goodbye = true;
                    return;
                }
                Some((3, query)) => {
                    let query = String::from_utf8(query.to_vec()).unwrap();
                    let found = self.answers.iter().find(|(start, _, _)| query.starts_with(start));
                    saw.queries.push(query);
                    match found {
                        Some((_, columns, rows)) => send_rows(wire, columns, rows).await,
                        None => wire.error(1064, "You have an error in your SQL syntax").await,
                    }
                }
                _ => wire.error(1047, "Unknown command").await,
            }
        }
    }
}

/// Whether the client's answer holds the scramble of `caching_sha2_password`.
fn has_scramble(answer: &[u8], password: &str) -> bool {
    use openssl::sha::sha256;
    let once = sha256(password.as_bytes());
    let mask = sha256(&[&sha256(&once), &NONCE[..]].concat());
    let scramble: Vec<u8> = once.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    answer.windows(scramble.len()).any(|part| part == scramble)
}

/// The password as the client encrypts it: it asks for our key, and hides the text under the nonce.
async fn decrypted(wire: &mut Wire) -> Option<Vec<u8>> {
    use openssl::rsa::{Padding, Rsa};
    if wire.read().await? != [2] {
        return None;
    }
    let key = Rsa::generate(2048).unwrap();
    wire.send(&[&[1], key.public_key_to_pem().unwrap().as_slice()].concat()).await;
    let secret = wire.read().await?;
    let mut hidden = vec![0; 256];
    let length = key.private_decrypt(&secret, &mut hidden, Padding::PKCS1_OAEP).ok()?;
    Some(hidden[..length].iter().zip(NONCE.iter().cycle()).map(|(a, b)| a ^ b).collect())
}

fn text(text: &str) -> Vec<u8> {
    if text == "NULL" {
        return vec![0xfb];
    }
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

async fn send_rows(wire: &mut Wire, columns: &[&str], rows: &[&[&str]]) {
    wire.send(&[u8::try_from(columns.len()).unwrap()]).await;
    for column in columns {
        let mut definition = text("def");
        for part in ["", "", "", column, ""] {
            definition.extend(text(part));
        }
        definition.extend([0x0c, 45, 0, 0, 1, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
        wire.send(&definition).await;
    }
    wire.send(END_OF_ROWS).await;
    for row in rows {
        wire.send(&row.iter().flat_map(|value| text(value)).collect::<Vec<u8>>()).await;
    }
    wire.send(END_OF_ROWS).await;
}

const STATUS: Answers = &[
    (
        "SHOW GLOBAL STATUS",
        &["Variable_name", "Value"],
        &[
            &["Connections", "9"],
            &["Open_tables", "12"],
            &["Opened_tables", "20"],
            &["Questions", "300"],
            &["Slow_queries", "1"],
            &["Threads_connected", "2"],
            &["Uptime", "1200"],
        ],
    ),
    ("SELECT 42", &["42"], &[&["42"]]),
    ("SELECT text", &["text"], &[&["many"]]),
    ("SELECT nothing", &["x"], &[]),
    ("SELECT NULL", &["x"], &[&["NULL"]]),
    (
        "SHOW SLAVE STATUS",
        &["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"],
        &[&["Yes", "Yes", "45"]],
    ),
];
