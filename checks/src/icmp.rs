//! ICMP echoes: one socket per family for all targets of the process, and a task that hands each answer to whoever
//! waits for it. What is asked of whom, and what it means, is in [`crate::ping`].
//!
//! The unprivileged kind of socket is used where the kernel's `ping_group_range` allows it, the raw kind otherwise.
//! Answers are recognised by a secret and a number in the payload: the identifier belongs to the kernel, and a raw
//! socket sees the pings of every other program.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Payload bytes that the recognition takes.
pub(crate) const TOKEN_BYTES: usize = 16;
/// Type, code, checksum, identifier, sequence.
const HEADER_BYTES: usize = 8;
/// Messages read before other tasks get their turn.
const BATCH: usize = 256;
/// Room for answers of thousands of targets that come in one moment.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn request(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    fn reply(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }
}

/// How one echo ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `ttl`: hops left, where the kernel tells.
    Reply { took: Duration, ttl: Option<u8> },
    /// Somebody on the way said that the target cannot be reached.
    Unreachable { what: &'static str, from: Option<IpAddr> },
}

/// Why there is no ICMP.
#[derive(Debug)]
pub(crate) enum NoIcmp {
    /// The kernel refuses this process both kinds of socket.
    Forbidden,
    Io(io::Error),
}

impl NoIcmp {
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden)
    }
}

impl fmt::Display for NoIcmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden => write!(
                f,
                "this process may not send ICMP (group {} is not in net.ipv4.ping_group_range and CAP_NET_RAW is \
                 missing); remedy: sysctl -w net.ipv4.ping_group_range='0 2147483647', or AmbientCapabilities=CAP_NET_RAW in the unit",
                nix::unistd::getegid()
            ),
            Self::Io(error) => write!(f, "cannot open an ICMP socket: {error}"),
        }
    }
}

/// The sockets of both families, opened when first needed. What failed is tried again: rights may be granted later.
#[derive(Debug, Default)]
pub(crate) struct Icmp {
    v4: Mutex<Option<Arc<Echoes>>>,
    v6: Mutex<Option<Arc<Echoes>>>,
}

impl Icmp {
    /// The socket for targets like this one.
    pub(crate) fn towards(&self, target: IpAddr) -> Result<Arc<Echoes>, NoIcmp> {
        let (slot, family) = match target {
            IpAddr::V4(_) => (&self.v4, Family::V4),
            IpAddr::V6(_) => (&self.v6, Family::V6),
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(echoes) = slot.as_ref()
            && !echoes.reader.is_finished()
        {
            return Ok(Arc::clone(echoes));
        }
        let echoes = Arc::new(Echoes::open(family)?);
        *slot = Some(Arc::clone(&echoes));
        Ok(echoes)
    }
}

/// One socket and everyone who waits for an answer on it.
#[derive(Debug)]
pub(crate) struct Echoes {
    line: Arc<Line>,
    reader: JoinHandle<()>,
}

impl Drop for Echoes {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[derive(Debug)]
struct Line {
    /// An ICMP socket; the type is that of any socket of datagrams.
    socket: UdpSocket,
    family: Family,
    is_raw: bool,
    /// Of our requests on a raw socket; on the other kind the kernel sets its own.
    identifier: u16,
    /// Known to nobody else: who has not seen our request cannot answer it.
    secret: u64,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    target: IpAddr,
    sequence: u16,
    sent: Instant,
    /// The kernel stamps what arrives by the wall clock.
    sent_wall: Duration,
    tell: oneshot::Sender<Answer>,
}

/// An echo on its way. Dropped: nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Pending {
    line: Arc<Line>,
    number: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Pending {
    /// Waits for the answer, for ever when there is none.
    pub(crate) async fn answer(mut self) -> Answer {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_gone) => std::future::pending().await,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.line.waiting().remove(&self.number);
    }
}

impl Echoes {
    fn open(family: Family) -> Result<Self, NoIcmp> {
        let (socket, is_raw) = open_socket(family)?;
        let line = Line::new(socket, family, is_raw).map_err(NoIcmp::Io)?;
        let line = Arc::new(line);
        let reader = tokio::spawn(read(Arc::clone(&line)));
        Ok(Self { line, reader })
    }

    /// `raw` or `unprivileged`, for whoever watches.
    pub(crate) fn way(&self) -> &'static str {
        if self.line.is_raw { "raw socket" } else { "unprivileged socket" }
    }

    /// Sends one request with `data_bytes` of payload.
    pub(crate) async fn send(&self, target: SocketAddr, data_bytes: usize) -> io::Result<Pending> {
        let line = &self.line;
        let number = line.next.fetch_add(1, Ordering::Relaxed);
        let sequence = u16::try_from(number & 0xffff).unwrap_or_default();
        let packet = line.request(number, sequence, data_bytes);
        let (tell, answer) = oneshot::channel();
        let waiter =
            Waiter { target: target.ip(), sequence, sent: Instant::now(), sent_wall: wall_clock(), tell };
        line.waiting().insert(number, waiter);
        let pending = Pending { line: Arc::clone(line), number, answer };
        line.send(&packet, &SockAddr::from(target), number).await?;
        Ok(pending)
    }
}

impl Line {
    fn new(socket: Socket, family: Family, is_raw: bool) -> io::Result<Self> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let [a, b, secret @ ..] = random;
        Ok(Self {
            socket: UdpSocket::from_std(std::net::UdpSocket::from(OwnedFd::from(socket)))?,
            family,
            is_raw,
            identifier: u16::from_be_bytes([a, b]),
            secret: u64::from_be_bytes(secret),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, number: u64, sequence: u16, data_bytes: usize) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEADER_BYTES + data_bytes.max(TOKEN_BYTES));
        packet.extend([self.family.request(), 0, 0, 0]);
        packet.extend(self.identifier.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend(self.secret.to_be_bytes());
        packet.extend(number.to_be_bytes());
        let filler = (b' '..=b'~').cycle().take(data_bytes.saturating_sub(TOKEN_BYTES));
        packet.extend(filler);
        // Only on raw IPv4 sockets is the checksum ours to make.
        if self.is_raw && self.family == Family::V4 {
            let sum = checksum(&packet).to_be_bytes();
            if let Some(place) = packet.get_mut(2..4) {
                place.copy_from_slice(&sum);
            }
        }
        packet
    }

    async fn send(&self, packet: &[u8], target: &SockAddr, number: u64) -> io::Result<()> {
        let mut tries = 0;
        loop {
            let sent = self.socket.async_io(Interest::WRITABLE, || {
                if let Some(waiter) = self.waiting().get_mut(&number) {
                    waiter.sent = Instant::now();
                    waiter.sent_wall = wall_clock();
                }
                SockRef::from(&self.socket).send_to(packet, target)
            });
            let Err(error) = sent.await else { return Ok(()) };
            tries += 1;
            // An error about another target's packet is reported once, to whoever comes next; a full queue of the
            // network card passes. What is still wrong the third time is about this packet.
            if tries == 3 {
                return Err(error);
            }
            if error.raw_os_error() == Some(libc::ENOBUFS) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// The number of an echo of ours, from its payload.
    fn number(&self, payload: &[u8]) -> Option<u64> {
        let (secret, rest) = payload.split_first_chunk()?;
        let number = rest.first_chunk()?;
        (u64::from_be_bytes(*secret) == self.secret).then_some(u64::from_be_bytes(*number))
    }

    fn take_reply(&self, message: &[u8], stamp: Option<Duration>) {
        let mut ttl = None;
        let mut icmp = message;
        if self.is_raw && self.family == Family::V4 {
            let Some(&first) = message.first() else { return };
            ttl = message.get(8).copied();
            let Some(rest) = message.get(usize::from(first & 0x0f) * 4..) else { return };
            icmp = rest;
        }
        let Some((header, payload)) = icmp.split_first_chunk::<HEADER_BYTES>() else { return };
        if header.first() != Some(&self.family.reply()) {
            return;
        }
        let Some(number) = self.number(payload) else { return };
        let Some(waiter) = self.waiting().remove(&number) else { return };
        let elapsed = waiter.sent.elapsed();
        // The kernel's stamp is exact however late we read. A stepped clock shows as a time that cannot be.
        let took = stamp
            .and_then(|stamp| stamp.checked_sub(waiter.sent_wall))
            .filter(|took| *took <= elapsed)
            .unwrap_or(elapsed);
        let _nobody_waits = waiter.tell.send(Answer::Reply { took, ttl });
    }

    /// Takes an ICMP error about one of our requests, whose beginning is in `message`.
    fn take_error(&self, message: &[u8], about: Option<IpAddr>, answer: Answer) {
        let Some((header, payload)) = message.split_first_chunk::<HEADER_BYTES>() else { return };
        let mut waiting = self.waiting();
        let number = self.number(payload).or_else(|| {
            // Old routers quote eight bytes: then the sequence and the target must do.
            let &[_, _, _, _, _, _, high, low] = header;
            let sequence = u16::from_be_bytes([high, low]);
            let is_it = |waiter: &Waiter| waiter.sequence == sequence && Some(waiter.target) == about;
            waiting.iter().find(|(_, waiter)| is_it(waiter)).map(|(number, _)| *number)
        });
        let Some(waiter) = number.and_then(|number| waiting.remove(&number)) else { return };
        drop(waiting);
        let _nobody_waits = waiter.tell.send(answer);
    }
}

fn open_socket(family: Family) -> Result<(Socket, bool), NoIcmp> {
    let (domain, protocol) = match family {
        Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let (socket, is_raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, false),
        Err(_first) => match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(socket) => (socket, true),
            Err(error) if is_refused(&error) => return Err(NoIcmp::Forbidden),
            Err(error) => return Err(NoIcmp::Io(error)),
        },
    };
    prepare(&socket, family).map_err(NoIcmp::Io)?;
    Ok((socket, is_raw))
}

fn prepare(socket: &Socket, family: Family) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Less than asked for is no reason not to start.
    let _smaller = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    setsockopt(&socket.as_fd(), sockopt::ReceiveTimestampns, &true)?;
    match family {
        Family::V4 => setsockopt(&socket.as_fd(), sockopt::Ipv4RecvErr, &true)?,
        Family::V6 => {
            setsockopt(&socket.as_fd(), sockopt::Ipv6RecvErr, &true)?;
            setsockopt(&socket.as_fd(), sockopt::Ipv6RecvHopLimit, &true)?;
        }
    }
    Ok(())
}

/// Hands out what arrives until the socket is gone.
async fn read(line: Arc<Line>) {
    let mut buffers = Buffers { message: vec![0; 64 * 1024], control: vec![0; 1024] };
    while line.socket.ready(Interest::READABLE.add(Interest::ERROR)).await.is_ok() {
        // One interest at a time: that of two in one is never seen as ready.
        let queues = [(Interest::ERROR, MsgFlags::MSG_ERRQUEUE), (Interest::READABLE, MsgFlags::empty())];
        for (interest, queue) in queues {
            let _drained = line.socket.try_io(interest, || {
                let is_empty = buffers.drain(&line, queue);
                if is_empty { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
        }
        tokio::task::yield_now().await;
    }
}

struct Buffers {
    message: Vec<u8>,
    control: Vec<u8>,
}

impl Buffers {
    /// Reads a batch; true when nothing is left.
    fn drain(&mut self, line: &Line, queue: MsgFlags) -> bool {
        for _ in 0..BATCH {
            let mut parts = [IoSliceMut::new(&mut self.message)];
            let flags = queue | MsgFlags::MSG_DONTWAIT;
            let descriptor = line.socket.as_raw_fd();
            match recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut self.control), flags) {
                Ok(received) => {
                    let facts = Facts::of(&received);
                    let message = self.message.get(..facts.bytes).unwrap_or_default();
                    if queue.contains(MsgFlags::MSG_ERRQUEUE) {
                        if let Some(answer) = facts.error {
                            line.take_error(message, facts.address, answer);
                        }
                    } else {
                        line.take_reply(message, facts.stamp);
                    }
                }
                Err(Errno::EAGAIN) => return true,
                // A pending error of the socket: its details are in the other queue.
                Err(_reported) => {}
            }
        }
        false
    }
}

/// What came with a message.
struct Facts {
    bytes: usize,
    /// Who sent it; of an error: whom our packet was for.
    address: Option<IpAddr>,
    stamp: Option<Duration>,
    error: Option<Answer>,
}

impl Facts {
    fn of(received: &RecvMsg<'_, '_, SockaddrStorage>) -> Self {
        let mut facts = Self {
            bytes: received.bytes,
            address: received.address.as_ref().and_then(ip),
            stamp: None,
            error: None,
        };
        let Ok(controls) = received.cmsgs() else { return facts };
        for control in controls {
            if let ControlMessageOwned::ScmTimestampns(at) = control {
                let seconds = u64::try_from(at.tv_sec()).unwrap_or_default();
                let nanos = u32::try_from(at.tv_nsec()).unwrap_or_default();
                facts.stamp = Some(Duration::new(seconds, nanos));
            } else if let ControlMessageOwned::Ipv4RecvErr(error, from) = control {
                let from = from.map(|from| IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes()));
                facts.error = Some(Answer::Unreachable { what: what_v4(&error), from });
            } else if let ControlMessageOwned::Ipv6RecvErr(error, from) = control {
                let from = from.map(|from| IpAddr::from(from.sin6_addr.s6_addr));
                facts.error = Some(Answer::Unreachable { what: what_v6(&error), from });
            }
        }
        facts
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// The words of check_ping for the errors of RFC 792.
fn what_v4(error: &libc::sock_extended_err) -> &'static str {
    match (error.ee_type, error.ee_code) {
        (3, 0 | 6) => "Network Unreachable",
        (3, 2) => "Bogus ICMP: Protocol Unreachable",
        (3, 3) => "Bogus ICMP: Port Unreachable",
        (3, 4) => "Packet too big and may not be fragmented",
        (3, 9 | 10 | 13) => "Host not accessible: communication administratively prohibited",
        (11, _) => "Time to live exceeded in transit",
        (12, _) => "Parameter problem",
        _ => "Host Unreachable",
    }
}

/// The same for RFC 4443.
fn what_v6(error: &libc::sock_extended_err) -> &'static str {
    match (error.ee_type, error.ee_code) {
        (1, 0) => "Network Unreachable",
        (1, 1 | 5) => "Host not accessible: communication administratively prohibited",
        (1, 4) => "Bogus ICMP: Port Unreachable",
        (2, _) => "Packet too big",
        (3, _) => "Time to live exceeded in transit",
        (4, _) => "Parameter problem",
        _ => "Host Unreachable",
    }
}

/// The sum of RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let sum = packet.chunks(2).fold(0u32, |sum, pair| {
        let high = pair.first().copied().unwrap_or_default();
        let low = pair.get(1).copied().unwrap_or_default();
        sum + u32::from(u16::from_be_bytes([high, low]))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded & 0xffff).unwrap_or_default()
}

fn wall_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line whose socket is no ICMP socket, so that its reading can be tested without any right.
    fn line(family: Family, is_raw: bool) -> Line {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        Line::new(socket, family, is_raw).unwrap()
    }

    fn wait_for(line: &Line, number: u64) -> oneshot::Receiver<Answer> {
        let (tell, answer) = oneshot::channel();
        let sequence = u16::try_from(number).unwrap();
        let target = "192.0.2.7".parse().unwrap();
        let waiter = Waiter { target, sequence, sent: Instant::now(), sent_wall: wall_clock(), tell };
        line.waiting().insert(number, waiter);
        answer
    }

    fn reply_to(request: &[u8], family: Family) -> Vec<u8> {
        let mut reply = request.to_vec();
        reply[0] = family.reply();
        reply
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0xff, 0xff, 0xff]), 0x00ff);
    }

    #[tokio::test]
    async fn only_an_answer_with_our_secret_is_taken() {
        let line = line(Family::V6, true);
        let mut answer = wait_for(&line, 5);
        let request = line.request(5, 5, 56);
        assert_eq!(request.len(), 64);
        let mut forged = reply_to(&request, Family::V6);
        forged[HEADER_BYTES] ^= 1;
        for message in [&[][..], &[129; 7], &[129; 12], &request, &forged] {
            line.take_reply(message, None);
            assert!(answer.try_recv().is_err());
        }
        line.take_reply(&reply_to(&request, Family::V6), None);
        assert!(matches!(answer.await, Ok(Answer::Reply { .. })));
        assert!(line.waiting().is_empty());
    }

    #[tokio::test]
    async fn damaged_packets_are_survived() {
        for (family, header) in [(Family::V4, 24), (Family::V6, 0)] {
            let line = line(family, true);
            let mut message = vec![0; header];
            message.first_mut().into_iter().for_each(|first| *first = 0x46);
            message.extend(reply_to(&line.request(9, 9, 16), family));
            let corpus = [message, line.request(9, 9, 16)];
            crate::tests::damage::survives("icmp", &corpus, |bytes| {
                let mut answer = wait_for(&line, 9);
                line.take_reply(bytes, None);
                let unreachable = Answer::Unreachable { what: "Host Unreachable", from: None };
                line.take_error(bytes, Some("192.0.2.7".parse().unwrap()), unreachable);
                assert!(
                    answer.try_recv().is_ok() || line.waiting().remove(&9).is_some(),
                    "answered, or waits"
                );
            });
        }
    }

    #[tokio::test]
    async fn a_raw_answer_is_read_behind_its_ip_header() {
        let line = line(Family::V4, true);
        let answer = wait_for(&line, 9);
        let mut message = vec![0; 24];
        message[0] = 0x46;
        message[8] = 63;
        message.extend(reply_to(&line.request(9, 9, 16), Family::V4));
        line.take_reply(&message[..20], None);
        line.take_reply(&message, None);
        assert!(matches!(answer.await, Ok(Answer::Reply { ttl: Some(63), .. })));
    }

    #[tokio::test]
    async fn a_stamp_from_a_stepped_clock_is_not_believed() {
        for stamp in [Duration::ZERO, wall_clock() + Duration::from_secs(3600)] {
            let line = line(Family::V6, true);
            let answer = wait_for(&line, 1);
            line.take_reply(&reply_to(&line.request(1, 1, 16), Family::V6), Some(stamp));
            let Ok(Answer::Reply { took, .. }) = answer.await else { panic!("no reply") };
            assert!(took < Duration::from_secs(3600));
        }
    }

    #[tokio::test]
    async fn an_error_finds_its_request_even_when_little_of_it_is_quoted() {
        let line = line(Family::V4, true);
        let target: IpAddr = "192.0.2.7".parse().unwrap();
        let unreachable = || Answer::Unreachable { what: "Host Unreachable", from: None };
        let mut short = wait_for(&line, 3);
        let request = line.request(3, 3, 16);
        line.take_error(&request[..8], Some("192.0.2.8".parse().unwrap()), unreachable());
        assert!(short.try_recv().is_err());
        line.take_error(&request[..8], Some(target), unreachable());
        assert_eq!(short.await.unwrap(), unreachable());
        let whole = wait_for(&line, 4);
        line.take_error(&line.request(4, 4, 16), None, unreachable());
        assert_eq!(whole.await.unwrap(), unreachable());
    }
}
