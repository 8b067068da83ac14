//! Which ports of one host are open, at the pace of a template.
//!
//! A full scan is 65,535 questions that bring nothing, so none of them is worth a task or a timer: they go out without
//! waiting, what answers is read from one descriptor, and the oldest tell when to look at the clock. How a port is asked
//! is the business of [`syn`], which needs a right, and of [`connect`], which needs none.

mod connect;
mod syn;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::connect::Connects;
use self::syn::Syns;
use super::pace::{Pace, SLACK};
use super::timing::{Limits, RoundTrip};

/// What a knock at one port brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knock {
    Open,
    /// Refused: somebody is there, nobody listens.
    Closed,
    /// Nothing came back in time, or somebody on the way says that there is no way.
    Silent,
}

/// How a knock began.
enum Begun {
    UnderWay,
    Over(Knock),
    /// This machine lacks something for it.
    Short,
}

/// An answer, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    place: usize,
    port: u16,
    knock: Knock,
}

/// How ports are asked.
enum Means {
    Connect(Connects),
    Syn(Syns),
}

impl Means {
    fn begin(&mut self, port: u16, place: usize) -> Begun {
        match self {
            Self::Connect(connects) => connects.begin(port, place),
            Self::Syn(syns) => syns.begin(port, place),
        }
    }

    fn forget(&mut self, place: usize) {
        match self {
            Self::Connect(connects) => connects.forget(place),
            Self::Syn(_) => {}
        }
    }

    async fn ready(&self) {
        match self {
            Self::Connect(connects) => connects.ready().await,
            Self::Syn(syns) => syns.ready().await,
        }
    }

    fn answers(&mut self, heard: &mut Vec<Heard>) {
        match self {
            Self::Connect(connects) => connects.answers(heard),
            Self::Syn(syns) => syns.answers(heard),
        }
    }
}

#[expect(unsafe_code, reason = "tokio asks for a promise that an owned descriptor keeps by itself")]
fn watched<T: AsRawFd + AsFd>(owned: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what owns a descriptor keeps it open for as long as it lives, and it is always the same.
    Ok(unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) }?)
}

/// What passes: ports, descriptors, memory.
fn is_shortage(error: &io::Error) -> bool {
    use nix::libc::{EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    let lacks = [EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM];
    error.raw_os_error().is_some_and(|code| lacks.contains(&code))
}

/// The ports of one host.
pub(super) struct Host<'a> {
    pub(super) address: IpAddr,
    pub(super) limits: &'a Limits,
    pub(super) pace: &'a Arc<Pace>,
    pub(super) stop: &'a CancellationToken,
    /// Told how many ports more have been asked.
    pub(super) told: &'a (dyn Fn(usize) + Sync),
}

/// What a scan of a host's ports brought.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// In order.
    pub(super) open: Vec<u16>,
    pub(super) closed: usize,
    pub(super) silent: usize,
    /// Every port was asked.
    pub(super) is_complete: bool,
}

impl Host<'_> {
    /// Asks every port, and silent ones again as often as that has any use.
    pub(super) async fn ask(&self, ports: Vec<u16>) -> Asked {
        let mut trip = RoundTrip::default();
        let deadline = self.limits.host_timeout.map(|most| Instant::now() + most);
        let mut asked = Asked { is_complete: true, ..Asked::default() };
        let mut to_ask = ports;
        let mut may_be_half = to_ask.len() >= WORTH_A_RAW_SOCKET;
        for round in 0..=self.limits.retries {
            let is_first = round == 0;
            let Ok(means) = self.means(may_be_half) else {
                asked.is_complete = false;
                break;
            };
            let mut knocks = Knocks::new(self, means, &mut trip);
            let is_complete = knocks.all(&to_ask, deadline, is_first).await;
            let Tally { open, closed, silent } = std::mem::take(&mut knocks.tally);
            let answers = open.len() + closed;
            // Whoever is deaf to one way of asking may hear the other.
            may_be_half &= answers > 0;
            asked.open.extend(open);
            asked.closed += closed;
            asked.silent = silent.len();
            asked.is_complete = is_complete;
            // A retry that brought nothing shows that silence is meant.
            let is_pointless = !is_first && answers == 0;
            if !is_complete || silent.is_empty() || is_pointless {
                break;
            }
            to_ask = silent;
        }
        asked.open.sort_unstable();
        asked
    }

    fn means(&self, may_be_half: bool) -> io::Result<Means> {
        if may_be_half && let Ok(syns) = Syns::to(self.address) {
            return Ok(Means::Syn(syns));
        }
        Connects::to(self.address).map(Means::Connect)
    }
}

/// For fewer ports connections cost no more.
const WORTH_A_RAW_SOCKET: usize = 16;

/// A knock under way.
struct Probe<'a> {
    port: u16,
    begun: Instant,
    until: Instant,
    _permit: SemaphorePermit<'a>,
}

#[derive(Debug, Default)]
struct Tally {
    open: Vec<u16>,
    closed: usize,
    silent: Vec<u16>,
}

/// One round over ports of one host.
struct Knocks<'a> {
    host: &'a Host<'a>,
    trip: &'a mut RoundTrip,
    means: Means,
    /// By place.
    under_way: Vec<Option<Probe<'a>>>,
    free: Vec<usize>,
    /// In the order in which they began; may hold some that have ended meanwhile.
    oldest: VecDeque<(usize, Instant)>,
    /// No probe begins before this.
    hold: Option<Instant>,
    tally: Tally,
    /// Ports that are done and not told of yet.
    done: usize,
    heard: Vec<Heard>,
}

/// Knocks begun before others have their turn.
const BURST: usize = 64;
/// What this machine lacks for the moment (ports, descriptors, memory) is waited for.
const SHORTAGE: Duration = Duration::from_millis(20);
const SHORTAGES: u32 = 40;

/// What keeps the next probe from beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing: others have their turn.
    No,
    /// Those under way.
    Answers,
    /// Those of other hosts.
    Permit,
    Until(Instant),
}

impl<'a> Knocks<'a> {
    fn new(host: &'a Host<'a>, means: Means, trip: &'a mut RoundTrip) -> Self {
        Self {
            host,
            trip,
            means,
            under_way: Vec::new(),
            free: Vec::new(),
            oldest: VecDeque::new(),
            hold: None,
            tally: Tally::default(),
            done: 0,
            heard: Vec::new(),
        }
    }

    /// Asks each of these ports once. Whether all of them were.
    async fn all(&mut self, ports: &[u16], deadline: Option<Instant>, is_counted: bool) -> bool {
        let mut rest = ports.iter().copied();
        let mut next = rest.next();
        let mut shortages = 0;
        loop {
            let wait = self.begin_some(&mut next, &mut rest, &mut shortages);
            if is_counted && self.done > 0 {
                (self.host.told)(self.done);
            }
            self.done = 0;
            if next.is_none() && self.is_idle() {
                return true;
            }
            if !self.wait(wait, deadline).await {
                return false;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.free.len() == self.under_way.len()
    }

    fn begin_some(
        &mut self,
        next: &mut Option<u16>,
        rest: &mut impl Iterator<Item = u16>,
        shortages: &mut u32,
    ) -> Wait {
        for _ in 0..BURST {
            let Some(port) = *next else { return Wait::Answers };
            if self.under_way.len() - self.free.len() >= self.host.limits.probes_per_host {
                return Wait::Answers;
            }
            // A place in the rate that was taken before counts once its time has come.
            match self.hold {
                Some(at) if at > Instant::now() + SLACK => return Wait::Until(at),
                Some(_) => self.hold = None,
                None => self.hold = self.host.pace.slot(),
            }
            if let Some(at) = self.hold {
                return Wait::Until(at);
            }
            let Ok(permit) = self.host.pace.under_way.try_acquire() else {
                return if self.is_idle() { Wait::Permit } else { Wait::Answers };
            };
            if self.begin(port, permit) {
                *shortages = 0;
            } else if *shortages < SHORTAGES {
                *shortages += 1;
                return Wait::Until(Instant::now() + SHORTAGE);
            } else {
                self.over(port, Knock::Silent);
            }
            *next = rest.next();
        }
        Wait::No
    }

    /// False: this machine lacks something for it.
    fn begin(&mut self, port: u16, permit: SemaphorePermit<'a>) -> bool {
        let begun = Instant::now();
        let place = self.free.pop().unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() - 1
        });
        let has_begun = self.means.begin(port, place);
        if let Begun::UnderWay = has_begun {
            let until = begun + self.trip.wait(self.host.limits);
            self.oldest.push_back((place, until));
            if let Some(free) = self.under_way.get_mut(place) {
                *free = Some(Probe { port, begun, until, _permit: permit });
            }
            return true;
        }
        self.free.push(place);
        let Begun::Over(knock) = has_begun else { return false };
        if knock != Knock::Silent {
            self.trip.seen(begun.elapsed());
        }
        self.over(port, knock);
        true
    }

    fn over(&mut self, port: u16, knock: Knock) {
        self.done += 1;
        match knock {
            Knock::Open => self.tally.open.push(port),
            Knock::Closed => self.tally.closed += 1,
            Knock::Silent => self.tally.silent.push(port),
        }
        let pause = self.host.limits.pause;
        if !pause.is_zero() {
            self.hold = Some(Instant::now() + pause);
        }
    }

    /// Waits for whatever comes first, and takes it. False: stopped, or the host's time is over.
    async fn wait(&mut self, wait: Wait, deadline: Option<Instant>) -> bool {
        let wake = match wait {
            Wait::Until(at) => Some(at),
            Wait::No | Wait::Answers | Wait::Permit => None,
        };
        if wait == Wait::No {
            tokio::task::yield_now().await;
        } else {
            let first = self.oldest.front().map(|(_, until)| *until);
            let alarm = [wake, first, deadline].into_iter().flatten().min();
            let is_under_way = !self.is_idle();
            tokio::select! {
                () = self.host.stop.cancelled() => return false,
                () = self.means.ready(), if is_under_way => {}
                () = until(alarm) => {}
                // Let go of at once: it is taken by whoever asks first.
                _permit = self.host.pace.under_way.acquire(), if wait == Wait::Permit => {}
            }
        }
        self.take_answers();
        let now = Instant::now();
        self.give_up(now);
        !self.host.stop.is_cancelled() && deadline.is_none_or(|deadline| now < deadline)
    }

    fn take_answers(&mut self) {
        if self.is_idle() {
            return;
        }
        let mut heard = std::mem::take(&mut self.heard);
        self.means.answers(&mut heard);
        for answer in heard.drain(..) {
            self.take_answer(answer);
        }
        self.heard = heard;
    }

    fn take_answer(&mut self, Heard { place, port, knock }: Heard) {
        // What comes too late belongs to nobody, or to one who asked for another port.
        let slot =
            self.under_way.get_mut(place).filter(|slot| slot.as_ref().is_some_and(|one| one.port == port));
        let Some(probe) = slot.and_then(Option::take) else { return };
        self.free.push(place);
        if knock != Knock::Silent {
            self.trip.seen(probe.begun.elapsed());
        }
        self.over(port, knock);
    }

    /// Those that have been silent for long enough.
    fn give_up(&mut self, now: Instant) {
        while let Some((place, until)) = self.oldest.front().copied() {
            let slot = self.under_way.get_mut(place);
            let is_still =
                slot.as_ref().is_some_and(|slot| slot.as_ref().is_some_and(|one| one.until == until));
            if is_still && until > now {
                return;
            }
            self.oldest.pop_front();
            if let Some(probe) = slot.filter(|_| is_still).and_then(Option::take) {
                self.means.forget(place);
                self.free.push(place);
                self.over(probe.port, Knock::Silent);
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
