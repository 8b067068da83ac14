//! One open port: connect, listen, speak first where nothing comes, with TLS where it must be. What the bytes mean is in
//! [`super::identify`].
//!
//! Whoever listens there may drip, flood, or never answer: every conversation has one deadline and one bound of bytes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use vigia_checks::{Shared, peek};

use super::finding::{Service, Tls, Transport};
use super::identify::{self, Opening, Told, by_port, clean, greeting, is_printer, is_tls_port, reply};
use super::key;
use super::timing::Limits;

/// How much is read of an answer.
const ANSWER_MAX: usize = 8 * 1024;
/// How long more is waited for once something came.
const LULL: Duration = Duration::from_millis(200);
/// Servers of these protocols speak first, or say at once that we should.
const HURRIED: Duration = Duration::from_millis(30);

/// Whom we talk to, and how long.
pub(super) struct Visit<'a> {
    pub(super) address: IpAddr,
    pub(super) limits: &'a Limits,
    pub(super) shared: &'a Shared,
}

/// What one connection brought.
enum Heard {
    Told(Told),
    /// Bytes that nobody knows.
    Unknown(Vec<u8>),
    Nothing,
    /// The other side wants TLS.
    WantsTls,
}

impl Visit<'_> {
    /// Talks to an open TCP port.
    pub(super) async fn look(&self, port: u16) -> Service {
        let mut service = Service::new(port, Transport::Tcp, by_port(port, Transport::Tcp));
        if is_printer(port) {
            return service;
        }
        let deadline = Instant::now() + self.limits.conversation;
        if is_tls_port(port) && self.over_tls(port, &mut service, deadline).await {
            return service;
        }
        match self.plainly(port, deadline).await {
            Heard::Told(told) => service.take(told),
            Heard::Unknown(bytes) => {
                service.take_unknown(&bytes);
                if !is_tls_port(port) && looks_like_alert(&bytes) {
                    self.over_tls(port, &mut service, deadline).await;
                }
            }
            Heard::Nothing | Heard::WantsTls => {
                if !is_tls_port(port) && !service.speaks_its_own_tls() {
                    self.over_tls(port, &mut service, deadline).await;
                }
            }
        }
        service
    }

    async fn connect(&self, port: u16, deadline: Instant) -> Option<TcpStream> {
        let wait = (Instant::now() + self.limits.longest_wait).min(deadline);
        timeout_at(wait, TcpStream::connect(SocketAddr::new(self.address, port))).await.ok()?.ok()
    }

    async fn plainly(&self, port: u16, deadline: Instant) -> Heard {
        let Some(mut stream) = self.connect(port, deadline).await else { return Heard::Nothing };
        let opening = Opening::of_port(port);
        let is_known = opening != Opening::Http || by_port(port, Transport::Tcp) == "http";
        let patience = if is_known { HURRIED } else { self.limits.banner_wait };
        let heard = read(&mut stream, patience, deadline, false).await;
        let heard = if heard.is_empty() {
            self.open(&mut stream, opening, port, deadline).await
        } else {
            match greeting(&heard, port) {
                Some(told) => Heard::Told(told),
                None => Heard::Unknown(heard),
            }
        };
        // Told before it is dropped: the other side's log shows an end and not a reset.
        drop(timeout(LULL, stream.shutdown()).await);
        heard
    }

    /// Speaks first.
    async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        opening: Opening,
        port: u16,
        deadline: Instant,
    ) -> Heard {
        let request = match opening {
            Opening::Http => self.request().into_bytes(),
            _ => opening.bytes().to_vec(),
        };
        if !matches!(timeout_at(deadline, stream.write_all(&request)).await, Ok(Ok(()))) {
            return Heard::Nothing;
        }
        let patience = self.limits.banner_wait * 2;
        let heard = read(stream, patience, deadline, opening == Opening::Http).await;
        if heard.is_empty() {
            return Heard::Nothing;
        }
        if says_https(&heard) {
            return Heard::WantsTls;
        }
        match reply(opening, &heard, port) {
            Some(told) => Heard::Told(told),
            None => Heard::Unknown(heard),
        }
    }

    fn request(&self) -> String {
        let host = match self.address {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: vigia\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
    }

    /// Whether TLS is spoken there; what stands behind it goes into `service`.
    async fn over_tls(&self, port: u16, service: &mut Service, deadline: Instant) -> bool {
        let Some(stream) = self.connect(port, deadline).await else { return false };
        let Ok(Ok((mut stream, peek))) = timeout_at(deadline, peek::tls(self.shared, stream, None)).await
        else {
            return false;
        };
        service.is_tls = true;
        service.first.tls = Some(Tls {
            names: peek.names,
            is_trusted: peek.is_trusted,
            is_expired: peek.is_expired,
            key: key::shown(&peek.key_sha256),
            until: peek.not_after.map(vigia_core::model::time::Timestamp::from_second),
        });
        let opening = match Opening::of_port(port) {
            Opening::Dns => Opening::Http,
            opening => opening,
        };
        // Mail and file servers greet; on other ports a web server waits for us.
        let greets = matches!(port, 465 | 563 | 853 | 989..=995 | 6697);
        let patience = if greets { self.limits.banner_wait } else { HURRIED };
        let heard = read(&mut stream, patience, deadline, false).await;
        let told = if heard.is_empty() {
            match self.open(&mut stream, opening, port, deadline).await {
                Heard::Told(told) => Some(told),
                Heard::Unknown(_) | Heard::Nothing | Heard::WantsTls => None,
            }
        } else {
            greeting(&heard, port)
        };
        match told {
            Some(told) => service.take(told),
            None => service.note = Some("speaks TLS".to_owned()),
        }
        drop(timeout(LULL, stream.shutdown()).await);
        true
    }

    /// Asks the name and the time server over UDP; only what answers is there.
    pub(super) async fn datagrams(&self) -> Vec<Service> {
        let mut time = [0; 48];
        time[0] = 0x23;
        let question = Opening::Dns.bytes().get(2..).unwrap_or_default();
        let (dns, ntp) = tokio::join!(
            self.datagram(53, question, identify::dns),
            self.datagram(123, &time, identify::ntp)
        );
        [dns, ntp].into_iter().flatten().collect()
    }

    async fn datagram(&self, port: u16, question: &[u8], read: fn(&[u8]) -> Option<Told>) -> Option<Service> {
        let any: IpAddr = match self.address {
            IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await.ok()?;
        socket.connect((self.address, port)).await.ok()?;
        socket.send(question).await.ok()?;
        let mut buffer = [0; 2_048];
        let length = timeout(self.limits.first_wait, socket.recv(&mut buffer)).await.ok()?.ok()?;
        let told = read(buffer.get(..length)?)?;
        let mut service = Service::new(port, Transport::Udp, told.name);
        service.take(told);
        Some(service)
    }
}

impl Service {
    pub(super) fn take(&mut self, told: Told) {
        if !told.name.is_empty() {
            told.name.clone_into(&mut self.name);
        }
        self.is_sure = !told.name.is_empty();
        self.product = told.product;
        self.version = told.version;
        self.note = told.note;
        self.first.http_status = told.http_status;
        self.first.is_denied = told.is_denied;
    }

    fn take_unknown(&mut self, bytes: &[u8]) {
        let said = clean(bytes, 60);
        self.note = (!said.is_empty()).then(|| format!("says {said}"));
    }

    /// Protocols that were spoken to in their own words and that have their own way into TLS.
    fn speaks_its_own_tls(&self) -> bool {
        matches!(self.name.as_str(), "ssh" | "telnet" | "smtp" | "ftp" | "postgresql" | "mysql" | "domain")
    }
}

/// A TLS alert: what was sent was no TLS.
fn looks_like_alert(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15, 0x03, ..])
}

/// What web servers say on their TLS port to those who do not speak it.
fn says_https(bytes: &[u8]) -> bool {
    let text = clean(bytes, ANSWER_MAX);
    looks_like_alert(bytes)
        || (text.starts_with("HTTP/1.")
            && text.contains(" 400 ")
            && text.to_ascii_lowercase().contains("https"))
}

/// Reads what comes: the first of it within `patience`, the rest while it flows. A head of HTTP is waited for whole.
async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    patience: Duration,
    deadline: Instant,
    is_http: bool,
) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut piece = [0; 2_048];
    while heard.len() < ANSWER_MAX {
        let until = Instant::now() + if heard.is_empty() || is_http { patience } else { LULL };
        match timeout_at(until.min(deadline), stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => break,
            Ok(Ok(length)) => heard.extend(piece.get(..length).unwrap_or_default()),
        }
        let has_head = heard.windows(4).any(|four| four == b"\r\n\r\n");
        let has_line = heard.last() == Some(&b'\n');
        if (is_http && has_head) || (!is_http && has_line) {
            break;
        }
    }
    heard.truncate(ANSWER_MAX);
    heard
}

#[cfg(test)]
mod tests;
