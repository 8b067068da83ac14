//! Ports asked by whole connections, as anybody may: sockets are made and connected without waiting, and what is under
//! way is watched by one epoll.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::{Begun, Heard, Knock};

/// Connections under way to one host.
pub(super) struct Connects {
    address: IpAddr,
    watch: AsyncFd<OwnedFd>,
    /// By place: the port that was asked, and what asks.
    sockets: Vec<Option<(u16, Socket)>>,
    events: Vec<epoll::Event>,
    at_once: AtOnce,
}

/// Taken from the kernel at once.
const EVENTS: usize = 256;

impl Connects {
    pub(super) fn to(address: IpAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            watch: super::watched(epoll::create(epoll::CreateFlags::CLOEXEC)?)?,
            sockets: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            at_once: AtOnce::default(),
        })
    }

    pub(super) fn begin(&mut self, port: u16, place: usize) -> Begun {
        let socket = match self.at_once.connect(SocketAddr::new(self.address, port)) {
            Connected::Over(knock) => return Begun::Over(knock),
            Connected::Short => return Begun::Short,
            Connected::UnderWay(socket) => socket,
        };
        let data = epoll::EventData::new_u64(place as u64);
        if epoll::add(self.watch.get_ref(), &socket, data, epoll::EventFlags::OUT).is_err() {
            return Begun::Short;
        }
        if self.sockets.len() <= place {
            self.sockets.resize_with(place + 1, || None);
        }
        if let Some(free) = self.sockets.get_mut(place) {
            *free = Some((port, socket));
        }
        Begun::UnderWay
    }

    pub(super) fn forget(&mut self, place: usize) {
        self.sockets.get_mut(place).map(Option::take);
    }

    /// Waits until there may be answers.
    pub(super) async fn ready(&self) {
        if let Ok(mut guard) = self.watch.readable().await {
            guard.clear_ready();
        }
    }

    pub(super) fn answers(&mut self, heard: &mut Vec<Heard>) {
        let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            let mut events = std::mem::take(&mut self.events);
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            let taken = epoll::wait(self.watch.get_ref(), room, Some(&at_once));
            for event in &events {
                let (data, flags) = (event.data.u64(), event.flags);
                heard.extend(self.answer(data, flags));
            }
            self.events = events;
            if !taken.is_ok_and(|taken| taken >= EVENTS) {
                return;
            }
        }
    }

    fn answer(&mut self, place: u64, flags: epoll::EventFlags) -> Option<Heard> {
        let place = usize::try_from(place).ok()?;
        let (port, socket) = self.sockets.get_mut(place).and_then(Option::take)?;
        let is_wrong = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        let error = if is_wrong { socket.take_error().ok().flatten() } else { None };
        let knock = match error {
            Some(error) => verdict(&error).unwrap_or(Knock::Silent),
            None => opened(&socket, SocketAddr::new(self.address, port)),
        };
        Some(Heard { place, port, knock })
    }
}

/// Near hosts refuse before the call that asks them has returned: there, to ask the kernel again is cheaper than to be
/// told, and the socket that was refused serves for the next port. Elsewhere it is one call too many.
#[derive(Debug, Default)]
struct AtOnce {
    looks: u32,
    hits: u32,
    spare: Option<Socket>,
}

/// How a connection began.
enum Connected {
    UnderWay(Socket),
    Over(Knock),
    Short,
}

impl AtOnce {
    fn is_worth_it(&self) -> bool {
        self.looks < 32 || self.hits * 2 > self.looks
    }

    fn connect(&mut self, at: SocketAddr) -> Connected {
        let socket = match self.spare.take().map_or_else(|| socket(at), Ok) {
            Ok(socket) => socket,
            Err(error) => return failed(&error),
        };
        let address = SockAddr::from(at);
        match socket.connect(&address) {
            Ok(()) => return Connected::Over(opened(&socket, at)),
            Err(error) if is_begun(&error) => {}
            Err(error) => return failed(&error),
        }
        if !self.is_worth_it() {
            return Connected::UnderWay(socket);
        }
        self.looks += 1;
        // What a second call says ends the first: after a refusal the socket is as new.
        match socket.connect(&address) {
            Ok(()) => Connected::Over(opened(&socket, at)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.hits += 1;
                self.spare = Some(socket);
                Connected::Over(Knock::Closed)
            }
            Err(error) if is_under_way(&error) => Connected::UnderWay(socket),
            Err(error) => failed(&error),
        }
    }
}

fn socket(at: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new_raw(Domain::for_address(at), kind, Some(Protocol::TCP))
}

fn failed(error: &io::Error) -> Connected {
    verdict(error).map_or(Connected::Short, Connected::Over)
}

fn is_begun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EINPROGRESS)
}

/// Of a second call: the first has not ended.
fn is_under_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EALREADY | nix::libc::EINPROGRESS))
}

/// On loopback a probe may be given the very port that it asks for, and then finds itself.
fn opened(socket: &Socket, at: SocketAddr) -> Knock {
    let is_itself = socket.local_addr().is_ok_and(|own| own.as_socket() == Some(at));
    if is_itself { Knock::Closed } else { Knock::Open }
}

/// None: this machine lacks something for it.
fn verdict(error: &io::Error) -> Option<Knock> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Some(Knock::Closed),
        _ if super::is_shortage(error) => None,
        _ => Some(Knock::Silent),
    }
}
