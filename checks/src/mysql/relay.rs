//! TLS between `mysql_async` and the server. The client speaks plainly to a local socket that only this process may
//! use; here the server's greeting loses its offer of TLS, the client's answer becomes the request for it, and
//! everything after the handshake is carried through. So the connection, the certificates and their verdict are the
//! same as those of every other kind.
//!
//! Packets count from zero in each exchange; the request for TLS is one more than the client knows of, hence the
//! shift by one until the login has ended.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::kind::Call;
use crate::net::{Connection, Failure, Trouble};
use crate::outcome::quoted_bytes;
use crate::secure::Tls;

/// CLIENT_SSL in the capabilities.
const SSL: u8 = 0x08;
const HEADER_BYTES: usize = 4;
/// Packets of a login are small.
const PACKET_MAX: usize = 64 * 1024;
/// Capabilities, packet size, character set, filler: what the request for TLS repeats of the client's answer.
const REQUEST_BYTES: usize = 32;
const OK: u8 = 0x00;
const ERR: u8 = 0xff;

/// A packet of the login.
struct Packet {
    sequence: u8,
    payload: Vec<u8>,
}

impl Packet {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_BYTES];
        match stream.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [a, b, c, sequence] = header;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX);
        if length > PACKET_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a packet of {length} bytes in a login"),
            ));
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        Ok(Some(Self { sequence, payload }))
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap_or_default().to_le_bytes();
        let mut bytes = length.to_vec();
        bytes.truncate(3);
        bytes.push(self.sequence);
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// What a server says first.
pub(super) enum Greeting {
    /// With the offer of TLS taken out.
    Usable(Vec<u8>),
    /// It does not want to talk to us.
    Refusal { code: u16, message: String },
}

/// Reads the greeting and makes sure that TLS is offered.
pub(super) async fn greeting(connection: &mut Connection) -> Result<Greeting, Failure> {
    let packet =
        Packet::read(connection).await.map_err(|error| Failure::of_io("reading the greeting", &error))?;
    let Some(Packet { sequence, mut payload }) = packet else {
        return Err(Failure::new(Trouble::Closed, "the server ended the connection without a greeting"));
    };
    if let Some((&ERR, [low, high, message @ ..])) = payload.split_first() {
        let message = quoted_bytes(message, 500);
        return Ok(Greeting::Refusal { code: u16::from_le_bytes([*low, *high]), message });
    }
    let version = payload.strip_prefix(&[10]).and_then(|rest| rest.iter().position(|byte| *byte == 0));
    let Some(version) = version.filter(|_| sequence == 0) else {
        let text = format!("what answers is no MySQL server: {}", quoted_bytes(&payload, 100));
        return Err(Failure::new(Trouble::Garbage, text));
    };
    // Version of the protocol, version of the server and its zero, connection, half the scramble, filler.
    let place = 1 + version + 1 + 4 + 8 + 1 + 1;
    match payload.get_mut(place) {
        Some(capabilities) if *capabilities & SSL != 0 => *capabilities &= !SSL,
        Some(_) | None => return Err(Failure::new(Trouble::Tls, "the server does not offer TLS")),
    }
    Ok(Greeting::Usable(Packet { sequence, payload }.bytes()))
}

/// The local end: a socket without a file, with a name that nobody guesses.
pub(super) struct Local {
    listener: UnixListener,
    name: String,
}

impl Local {
    pub(super) fn open() -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::new(Trouble::Local, format!("a local socket for TLS: {error}"));
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| failed(io::Error::other(error)))?;
        let mut name = "\0vigia-mysql-".to_owned();
        for byte in random {
            let _infallible = write!(name, "{byte:02x}");
        }
        let listener = UnixListener::bind(&name).map_err(failed)?;
        Ok(Self { listener, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The client's connection. Names of such sockets can be listed: others are turned away.
    async fn accept(self) -> io::Result<UnixStream> {
        let own = nix::unistd::getpid().as_raw();
        loop {
            let (stream, _) = self.listener.accept().await?;
            if stream.peer_cred()?.pid() == Some(own) {
                return Ok(stream);
            }
        }
    }
}

/// Carries the whole conversation; back when the client is done, with the connection still open.
pub(super) async fn carry(
    call: &Call<'_>,
    tls: &Tls,
    name: &str,
    mut server: Connection,
    greeting: Vec<u8>,
    local: Local,
) -> Result<Connection, Failure> {
    let broken = |error: io::Error| Failure::of_io("the login", &error);
    let mut client = local.accept().await.map_err(broken)?;
    client.write_all(&greeting).await.map_err(broken)?;
    let Some(mut answer) = Packet::read(&mut client).await.map_err(broken)? else { return Ok(server) };
    // The second byte of the capabilities holds the offer.
    if let Some(capabilities) = answer.payload.get_mut(1) {
        *capabilities |= SSL;
    }
    let request = answer.payload.get(..REQUEST_BYTES).unwrap_or_default().to_vec();
    server.send(&Packet { sequence: answer.sequence, payload: request }.bytes()).await?;
    server.secure(call, tls, name, &[]).await?;
    if let Some(distrust) = server.distrust(tls) {
        return Err(distrust);
    }
    answer.sequence = answer.sequence.wrapping_add(1);
    server.send(&answer.bytes()).await?;
    log_in(&mut client, &mut server).await.map_err(broken)?;
    // A server that does not end after the client has gone costs a moment, not the answer.
    let latest = call.deadline.checked_sub(Duration::from_millis(20)).unwrap_or(call.deadline);
    let ended = tokio::time::timeout_at(latest, tokio::io::copy_bidirectional(&mut client, &mut server));
    let _in_order = ended.await.is_ok();
    Ok(server)
}

/// Carries the packets of the login, shifting their numbers, until the server has decided.
async fn log_in(client: &mut UnixStream, server: &mut Connection) -> io::Result<()> {
    loop {
        let Some(mut said) = Packet::read(server).await? else { return Ok(()) };
        let first = said.payload.first().copied();
        // Of the packets with more data only "the cached password is good" (3) wants no answer.
        let wants_answer = said.payload.as_slice() != [1, 3];
        said.sequence = said.sequence.wrapping_sub(1);
        client.write_all(&said.bytes()).await?;
        if matches!(first, Some(OK | ERR)) {
            return Ok(());
        }
        if wants_answer {
            let Some(mut answer) = Packet::read(client).await? else { return Ok(()) };
            answer.sequence = answer.sequence.wrapping_add(1);
            server.write_all(&answer.bytes()).await?;
            server.flush().await?;
        }
    }
}
