//! Ports asked half: a SYN goes out by a raw socket, the answer tells, and no connection comes of it. Whoever may not
//! have a raw socket connects instead.
//!
//! The kernel knows nothing of our SYN, so it refuses what is answered to it, and the far end forgets as quickly as we
//! do. A port that nobody listens at is held meanwhile, so that no connection of this machine is mixed up with ours.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::{Begun, Heard, Knock};

/// SYNs to one host, and what it says to them.
pub(super) struct Syns {
    socket: AsyncFd<Socket>,
    /// Holds our port.
    _own: Socket,
    own_port: u16,
    /// The part of the checksum that every segment to this host has.
    pseudo: u32,
    is_v4: bool,
    /// The number of a segment is this plus its place, so that an answer names what it answers.
    base: u32,
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// Words of four bytes: a header, and the one option that some want to see.
const WORDS: u8 = 6;
const SEGMENT: usize = 24;
const TCP: u8 = 6;
/// Answers come in bursts; the kernel gives what it allows.
const RECEIVE: usize = 1 << 20;
/// Of an answer the headers are enough.
const HEADERS: usize = 128;

impl Syns {
    /// # Errors
    /// This process may have no raw socket, or there is no way to the host.
    pub(super) fn to(address: IpAddr) -> io::Result<Self> {
        let to = SocketAddr::new(address, 0);
        let kind = Type::from(nix::libc::SOCK_RAW).nonblocking().cloexec();
        let socket = Socket::new_raw(Domain::for_address(to), kind, Some(Protocol::TCP))?;
        // From here on it hears of this host alone, and knows by which address we reach it.
        socket.connect(&to.into())?;
        let from = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?.ip();
        let own = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        own.bind(&SocketAddr::new(from, 0).into())?;
        let own_port = own.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?.port();
        socket.attach_filter(&only_for(own_port, address.is_ipv4()))?;
        let _is_enough = socket.set_recv_buffer_size(RECEIVE);
        Ok(Self {
            socket: super::watched(socket)?,
            _own: own,
            own_port,
            pseudo: pseudo_header(from, address),
            is_v4: address.is_ipv4(),
            base: fastrand::u32(..),
        })
    }

    pub(super) fn begin(&self, port: u16, place: usize) -> Begun {
        let segment = segment(self.own_port, port, self.number(place), self.pseudo);
        match self.socket.get_ref().send(&segment) {
            Ok(_) => Begun::UnderWay,
            Err(error) if super::is_shortage(&error) => Begun::Short,
            // Whom a router calls unreachable may answer at the next port: the kernel tells such news once.
            Err(_) => Begun::Over(Knock::Silent),
        }
    }

    fn number(&self, place: usize) -> u32 {
        self.base.wrapping_add(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Waits until there may be answers.
    pub(super) async fn ready(&self) {
        if let Ok(mut guard) = self.socket.readable().await {
            guard.clear_ready();
        }
    }

    pub(super) fn answers(&self, heard: &mut Vec<Heard>) {
        let mut packet = [0; HEADERS];
        loop {
            match self.socket.get_ref().read(&mut packet) {
                Ok(length) => heard.extend(packet.get(..length).and_then(|packet| self.answer(packet))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // News of a router, about a port that it does not name.
                Err(_) => {}
            }
        }
    }

    fn answer(&self, packet: &[u8]) -> Option<Heard> {
        let tcp = if self.is_v4 { after_ipv4(packet)? } else { packet };
        let word = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
        let (port, flags) = (word(0)?, *tcp.get(13)?);
        let answered = u32::from(word(8)?) << 16 | u32::from(word(10)?);
        let knock = match flags & (SYN | RST | ACK) {
            flags if flags == SYN | ACK => Knock::Open,
            flags if flags & RST != 0 => Knock::Closed,
            _ => return None,
        };
        let place = answered.wrapping_sub(1).wrapping_sub(self.base);
        Some(Heard { place: usize::try_from(place).ok()?, port, knock })
    }
}

/// What follows the header of an IPv4 packet.
fn after_ipv4(packet: &[u8]) -> Option<&[u8]> {
    packet.get(usize::from(packet.first()? & 0x0f) * 4..)
}

/// Lets through what goes to `port`, so that nothing else this host sends us is copied.
fn only_for(port: u16, is_v4: bool) -> Vec<SockFilter> {
    use nix::libc::{
        BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MSH, BPF_RET,
    };
    let step = |code: u32, jump_if_not: u8, value: u32| {
        SockFilter::new(u16::try_from(code).unwrap_or_default(), 0, jump_if_not, value)
    };
    let mut steps = if is_v4 {
        vec![step(BPF_LDX | BPF_B | BPF_MSH, 0, 0), step(BPF_LD | BPF_H | BPF_IND, 0, 2)]
    } else {
        vec![step(BPF_LD | BPF_H | BPF_ABS, 0, 2)]
    };
    steps.push(step(BPF_JMP | BPF_JEQ | BPF_K, 1, port.into()));
    steps.push(step(BPF_RET | BPF_K, 0, u32::MAX));
    steps.push(step(BPF_RET | BPF_K, 0, 0));
    steps
}

fn segment(from: u16, to: u16, number: u32, pseudo: u32) -> [u8; SEGMENT] {
    let ([f0, f1], [t0, t1], [n0, n1, n2, n3]) = (from.to_be_bytes(), to.to_be_bytes(), number.to_be_bytes());
    #[rustfmt::skip]
    let mut segment = [
        f0, f1, t0, t1,
        n0, n1, n2, n3,
        0, 0, 0, 0,
        WORDS << 4, SYN, 0xff, 0xff,
        0, 0, 0, 0,
        // Largest segment: 1,460 bytes.
        2, 4, 0x05, 0xb4,
    ];
    [segment[16], segment[17]] = checksum(pseudo, &segment);
    segment
}

/// What TCP adds to its checksum so that a segment that went astray is noticed.
fn pseudo_header(from: IpAddr, to: IpAddr) -> u32 {
    let sum = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => added(&from.octets()) + added(&to.octets()),
        (IpAddr::V6(from), IpAddr::V6(to)) => added(&from.octets()) + added(&to.octets()),
        // The kernel has one family a socket.
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    };
    sum + u32::from(TCP) + u32::from(WORDS) * 4
}

/// RFC 1071.
fn checksum(pseudo: u32, segment: &[u8]) -> [u8; 2] {
    let mut sum = pseudo + added(segment);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

fn added(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_sums_up_to_nothing() {
        let [from, to] = ["192.0.2.1", "198.51.100.7"].map(|one| one.parse::<IpAddr>().unwrap());
        let pseudo = pseudo_header(from, to);
        let segment = segment(40_000, 443, 0xdead_beef, pseudo);
        assert_eq!(checksum(pseudo, &segment), [0, 0]);
        assert_eq!((&segment[..4], segment[13]), (&[0x9c, 0x40, 0x01, 0xbb][..], SYN));
    }

    #[test]
    fn a_packet_that_is_cut_off_is_no_answer() {
        let packet = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, TCP];
        assert_eq!(after_ipv4(&packet), None);
        assert_eq!(after_ipv4(&[]), None);
    }
}
