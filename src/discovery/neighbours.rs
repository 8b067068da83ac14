//! Who the kernel knows on the local links: addresses with their network cards, over netlink. Needs no rights.
//!
//! Whatever we send to an address of a local network makes the kernel ask for its card first, so a machine that drops
//! everything else still shows up here.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::mac::Mac;

/// What the kernel thinks of one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) mac: Mac,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It answered within the last half minute.
    Reachable,
    /// The kernel is about to ask it again.
    Asking,
    /// It answered once.
    Old,
}

const GET_NEIGHBOURS: u16 = 30;
const NEW_NEIGHBOUR: u16 = 28;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// Request, root, match: all of them.
const DUMP: u16 = 0x301;
const HEADER: usize = 16;
/// Family, padding, interface, state, flags, type.
const BODY: usize = 12;
const DESTINATION: u16 = 1;
const LINK_ADDRESS: u16 = 2;

/// Every neighbour whose card is known.
///
/// # Errors
/// When the kernel does not say.
pub(super) fn all() -> io::Result<HashMap<IpAddr, Neighbour>> {
    let link = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    let mut request = Vec::with_capacity(HEADER + BODY);
    request.extend(28u32.to_ne_bytes());
    request.extend(GET_NEIGHBOURS.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8 + BODY]);
    send(link.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut found = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    // The kernel answers at once; a table that large does not exist.
    for _ in 0..4_096 {
        let length = recv(link.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if read(buffer.get(..length).unwrap_or_default(), &mut found) {
            return Ok(found);
        }
    }
    Ok(found)
}

/// Reads the messages of one piece; whether the end of the list was among them.
fn read(mut bytes: &[u8], found: &mut HashMap<IpAddr, Neighbour>) -> bool {
    while let Some((length, kind)) = number(bytes, 0).zip(short(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(HEADER..length) else { return true };
        match kind {
            DONE | ERROR => return true,
            NEW_NEIGHBOUR => found.extend(neighbour(message)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_ne_bytes(*two))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

fn neighbour(message: &[u8]) -> Option<(IpAddr, Neighbour)> {
    let standing = match short(message, 8)? {
        // Reachable, permanent.
        0x02 | 0x80 => Standing::Reachable,
        // Delay, probe.
        0x08 | 0x10 => Standing::Asking,
        0x04 => Standing::Old,
        // Incomplete, failed, or no card at all.
        _ => return None,
    };
    let (mut address, mut mac) = (None, None);
    let mut rest = message.get(BODY..)?;
    while let Some((length, kind)) = short(rest, 0).zip(short(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        match kind {
            DESTINATION => address = read_address(value),
            LINK_ADDRESS => mac = <[u8; 6]>::try_from(value).ok().map(Mac),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((address?, Neighbour { mac: mac?, standing }))
}

fn read_address(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(|four| IpAddr::V4(Ipv4Addr::from(four)));
    four.or_else(|_| <[u8; 16]>::try_from(value).map(|six| IpAddr::V6(Ipv6Addr::from(six)))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: u16, address: &[u8], mac: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, 1, 0, 0, 0];
        body.extend(state.to_ne_bytes());
        body.extend([0, 1]);
        for (kind, value) in [(DESTINATION, address), (LINK_ADDRESS, mac)] {
            body.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut whole = u32::try_from(body.len() + HEADER).unwrap().to_ne_bytes().to_vec();
        whole.extend(NEW_NEIGHBOUR.to_ne_bytes());
        whole.extend([0; 10]);
        whole.extend(body);
        whole
    }

    #[test]
    fn neighbours_are_read_with_what_the_kernel_thinks_of_them() {
        let mut bytes = message(0x02, &[192, 0, 2, 1], &[0, 0x1e, 0xc9, 1, 2, 3]);
        bytes.extend(message(0x04, &[192, 0, 2, 2], &[0, 0x1e, 0xc9, 1, 2, 4]));
        bytes.extend(message(0x20, &[192, 0, 2, 3], &[]));
        let mut found = HashMap::new();
        assert!(!read(&bytes, &mut found));
        let standing = |last: u8| found.get(&IpAddr::from([192, 0, 2, last])).map(|one| one.standing);
        assert_eq!([1, 2, 3].map(standing), [Some(Standing::Reachable), Some(Standing::Old), None]);
    }

    #[test]
    fn cut_messages_end_the_list() {
        let whole = message(0x02, &[192, 0, 2, 1], &[0, 0x1e, 0xc9, 1, 2, 3]);
        for length in 0..whole.len() {
            read(&whole[..length], &mut HashMap::new());
        }
    }

    #[test]
    fn the_kernel_answers() {
        all().unwrap();
    }
}
