//! Connections for checks: resolve, connect, read with a bound, close politely, and say in an administrator's words
//! what went wrong. The deadline is not here: one timer around the whole check ends whatever still waits.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use nix::errno::Errno;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_openssl::SslStream;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Phase};
use crate::options::{Given, Opt, Threshold};
use crate::outcome::Outcome;
use crate::resolve::{IpFamily, literal};
use crate::secure::Session;

/// Options of every kind that connects to the host's address.
pub const ENDPOINT: &[Opt] = &[
    Opt::new::<String>("address", "connect to this address or name instead of the host's")
        .flags("-H --hostname"),
    IP,
];

/// For kinds that declare `address` themselves.
pub const IP: Opt = Opt::new::<IpFamily>("ip", "which of the two internets to use")
    .default("any")
    .sets(&[("-4 --use-ipv4", "4"), ("-6 --use-ipv6", "6")]);

/// Thresholds on the time needed.
pub const TIME: &[Opt] = &[
    Opt::new::<Threshold>("warn", "slower than this is WARNING").flags("-w --warning"),
    Opt::new::<Threshold>("crit", "slower than this is CRITICAL").flags("-c --critical"),
];

/// Where to connect to.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// None: the target's.
    pub address: Option<String>,
    pub family: IpFamily,
}

impl Endpoint {
    pub fn read(given: &Given) -> Self {
        Self { address: given.find("address"), family: given.get("ip") }
    }

    pub fn address<'a>(&'a self, call: &Call<'a>) -> &'a str {
        self.address.as_deref().unwrap_or(call.target.address)
    }
}

/// What kind of trouble; some checks let the user choose what a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such name, or it has no fitting address.
    Name,
    Refused,
    /// No way there.
    Unreachable,
    /// The peer broke off.
    Reset,
    /// The peer ended too early.
    Closed,
    /// The peer said something that is no answer.
    Garbage,
    /// TLS could not be agreed on.
    Tls,
    /// Something is missing on this machine or on the way to knowing: files, sockets, name servers.
    Local,
}

/// Why there is no connection or no answer, in words for the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub trouble: Trouble,
    pub text: String,
}

impl Failure {
    pub fn new(trouble: Trouble, text: impl Into<String>) -> Self {
        Self { trouble, text: text.into() }
    }

    /// CRITICAL when the target is to blame, UNKNOWN when we cannot look.
    pub fn state(&self) -> State {
        match self.trouble {
            Trouble::Local => State::Unknown,
            Trouble::Name
            | Trouble::Refused
            | Trouble::Unreachable
            | Trouble::Reset
            | Trouble::Closed
            | Trouble::Garbage
            | Trouble::Tls => State::Critical,
        }
    }

    pub fn outcome(self, call: &Call<'_>) -> Outcome {
        let state = self.state();
        self.outcome_as(state, call)
    }

    pub fn outcome_as(self, state: State, call: &Call<'_>) -> Outcome {
        Outcome::new(state, format!("{} {} - {}", call.kind.label, state.word(), self.text))
    }

    /// What the operating system said while reading or writing.
    pub fn of_io(doing: &str, error: &io::Error) -> Self {
        let (trouble, reason) = explain(error);
        Self::new(trouble, format!("{doing}: {reason}"))
    }
}

/// The system's errors as administrators know them.
pub fn explain(error: &io::Error) -> (Trouble, String) {
    let Some(errno) = error.raw_os_error().map(Errno::from_raw) else {
        let trouble = match error.kind() {
            io::ErrorKind::UnexpectedEof => Trouble::Closed,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Trouble::Reset,
            _ => Trouble::Garbage,
        };
        return (trouble, error.to_string());
    };
    let trouble = match errno {
        Errno::ECONNREFUSED => Trouble::Refused,
        Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED => Trouble::Reset,
        Errno::EMFILE
        | Errno::ENFILE
        | Errno::ENOBUFS
        | Errno::ENOMEM
        | Errno::EADDRNOTAVAIL
        | Errno::EACCES
        | Errno::EPERM => {
            let remedy = match errno {
                Errno::EMFILE | Errno::ENFILE => " (raise LimitNOFILE, or lower concurrency.total)",
                Errno::EADDRNOTAVAIL => " (no free local port or address)",
                _ => "",
            };
            return (Trouble::Local, format!("{}{remedy}, on this machine", errno.desc()));
        }
        _ => Trouble::Unreachable,
    };
    (trouble, errno.desc().to_owned())
}

/// How long the steps took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub resolve: Duration,
    pub connect: Duration,
    pub tls: Duration,
}

/// One connection, plain or TLS, with a bounded read-ahead for protocols of lines.
pub struct Connection {
    pub(crate) stream: Stream,
    ahead: Vec<u8>,
    pub peer: SocketAddr,
    pub times: Times,
    /// What TLS agreed on, once it is spoken.
    pub session: Option<Box<Session>>,
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
    /// A server in memory.
    #[cfg(test)]
    Script(crate::tests::script::Script),
    /// Only while the one becomes the other.
    Changing,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

impl Call<'_> {
    /// Resolves and connects to the endpoint, or to the target's address where it names none.
    pub async fn connect(&self, endpoint: &Endpoint, port: u16) -> Result<Connection, Failure> {
        let name = endpoint.address.as_deref().unwrap_or(self.target.address);
        self.connect_to(name, port, endpoint.family).await
    }

    /// Resolves and connects to a name, trying its addresses side by side, a quarter of a second apart.
    pub async fn connect_to(&self, name: &str, port: u16, family: IpFamily) -> Result<Connection, Failure> {
        #[cfg(test)]
        if let Some(script) = crate::tests::script::Script::take() {
            let nowhere = SocketAddr::from(([127, 0, 0, 1], port));
            return Ok(self.connected(Stream::Script(script), nowhere, Duration::ZERO, Duration::ZERO));
        }
        if let Some(address) = literal(name.trim(), port)
            && family == IpFamily::Any
        {
            self.enters(Phase::Connect);
            let begun = Instant::now();
            let stream = Stream::Plain(connect_one(address).await?);
            return Ok(self.connected(stream, address, Duration::ZERO, begun.elapsed()));
        }
        let begun = Instant::now();
        let addresses = self.resolve(name, port, family).await?;
        let resolve = begun.elapsed();
        self.enters(Phase::Connect);
        let begun = Instant::now();
        let (stream, address) = race(&addresses).await?;
        Ok(self.connected(Stream::Plain(stream), address, resolve, begun.elapsed()))
    }

    /// The addresses of a name, with the port.
    pub async fn resolve(&self, name: &str, port: u16, family: IpFamily) -> Result<Vec<SocketAddr>, Failure> {
        self.enters(Phase::Resolve);
        let found = self.shared.resolver.resolve(name, port, family).await?;
        self.note(|| {
            format!("{name} is {}", found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", "))
        });
        Ok(found)
    }

    /// Ends a connection with FIN: says that nothing more comes, then takes what the peer still sends for a moment,
    /// since bytes left unread would make the kernel answer with a reset, which servers log and some count against
    /// us. Never so slowly that what was found out comes too late.
    pub async fn close(&self, mut connection: Connection) {
        const MOMENT: Duration = Duration::from_millis(100);
        let latest = self.deadline.checked_sub(Duration::from_millis(5)).unwrap_or(self.deadline);
        let until = latest.min(Instant::now() + MOMENT);
        // Whether the peer ended in time or not: the socket is closed by being dropped.
        let _in_time = tokio::time::timeout_at(until, connection.end()).await.is_ok();
    }

    fn connected(
        &self,
        stream: Stream,
        peer: SocketAddr,
        resolve: Duration,
        connect: Duration,
    ) -> Connection {
        self.note(|| format!("connected to {peer}"));
        self.enters(Phase::Answer);
        Connection {
            stream,
            ahead: Vec::new(),
            peer,
            times: Times { resolve, connect, tls: Duration::ZERO },
            session: None,
        }
    }
}

async fn connect_one(address: SocketAddr) -> Result<TcpStream, Failure> {
    TcpStream::connect(address).await.map_err(|error| {
        let (trouble, reason) = explain(&error);
        Failure::new(
            trouble,
            format!("connect to address {} and port {}: {reason}", address.ip(), address.port()),
        )
    })
}

async fn race(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Failure> {
    const HEAD_START: Duration = Duration::from_millis(250);
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut failures: Vec<Failure> = Vec::new();
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            running.push(async move { (connect_one(address).await, address) });
        }
        let ended = if next.is_some() && waiting.len() > 0 {
            // Silence: the next one may try too.
            let Ok(ended) = tokio::time::timeout(HEAD_START, running.next()).await else { continue };
            ended
        } else {
            running.next().await
        };
        match ended {
            Some((Ok(stream), address)) => return Ok((stream, address)),
            Some((Err(failure), _)) => failures.push(failure),
            None if waiting.len() == 0 => return Err(all_failed(failures)),
            None => {}
        }
    }
}

fn all_failed(failures: Vec<Failure>) -> Failure {
    let texts: Vec<&str> = failures.iter().map(|failure| failure.text.as_str()).collect();
    let text = texts.join("; ");
    let trouble = failures.first().map_or(Trouble::Name, |failure| failure.trouble);
    Failure::new(trouble, text)
}

/// What a line may not be longer than, for protocols that do not say.
pub const LINE_MAX: usize = 8192;

impl Connection {
    /// Another buffer for what was read too far; TLS begins on a socket from which nothing was read ahead.
    pub fn has_read_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Reads one line of at most `max_bytes`, without its end. `None`: the peer ended before it sent anything.
    pub async fn read_line(&mut self, max_bytes: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.ahead.iter().skip(searched).position(|&byte| byte == b'\n') {
                let rest = self.ahead.split_off(searched + at + 1);
                let mut line = std::mem::replace(&mut self.ahead, rest);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            searched = self.ahead.len();
            if searched >= max_bytes {
                return Err(Failure::new(
                    Trouble::Garbage,
                    format!("a line of more than {max_bytes} bytes came"),
                ));
            }
            if self.read_more().await? == 0 {
                if self.ahead.is_empty() {
                    return Ok(None);
                }
                let half = crate::outcome::quoted_bytes(&self.ahead, 200);
                return Err(Failure::new(
                    Trouble::Closed,
                    format!("the connection ended in the middle of a line: {half}"),
                ));
            }
        }
    }

    /// Reads exactly so many bytes; the caller has bounded the number.
    pub async fn read_exactly(&mut self, bytes: usize) -> Result<Vec<u8>, Failure> {
        while self.ahead.len() < bytes {
            if self.read_more().await? == 0 {
                let text = format!("the connection ended after {} of {bytes} bytes", self.ahead.len());
                return Err(Failure::new(Trouble::Closed, text));
            }
        }
        let rest = self.ahead.split_off(bytes);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    /// Reads whatever comes next onto the end of the read-ahead; 0: the peer ended.
    pub async fn read_more(&mut self) -> Result<usize, Failure> {
        self.ahead.reserve(2048);
        self.stream
            .read_buf(&mut self.ahead)
            .await
            .map_err(|error| Failure::of_io("reading the answer", &error))
    }

    /// What was read and not yet taken.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Failure::of_io("sending", &error))
    }

    async fn end(&mut self) {
        const ENOUGH: usize = 64 * 1024;
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let socket = match &mut self.stream {
            Stream::Plain(socket) => socket,
            // Beneath TLS: what its records hold (session tickets, a last word) matters to nobody any more.
            Stream::Tls(stream) => stream.get_mut(),
            #[cfg(test)]
            Stream::Script(_) => return,
            Stream::Changing => return,
        };
        let mut chunk = [0_u8; 512];
        let mut total = 0;
        while total < ENOUGH {
            match socket.read(&mut chunk).await {
                Ok(count) if count > 0 => total += count,
                Ok(_) | Err(_) => break,
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(test)]
            Self::Script(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(test)]
            Self::Script(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(test)]
            Self::Script(stream) => Pin::new(stream).poll_flush(cx),
            Self::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(test)]
            Self::Script(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Changing => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let count = this.ahead.len().min(buf.remaining());
        for byte in this.ahead.drain(..count) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
