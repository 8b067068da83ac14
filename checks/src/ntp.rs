//! `ntp`: how far this machine's clock and a time server's lie apart, and whether the server is synchronised itself
//! (RFC 5905, as a client). The clock is only compared, never set.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Kind, Phase, Probe, Short};
use crate::net::{self, Endpoint, Failure, Trouble, explain};
use crate::options::{Given, Opt, Reader, Threshold};
use crate::outcome::{Outcome, judge_time, quoted_bytes};

pub(crate) const KIND: Kind = Kind {
    name: "ntp",
    label: "NTP",
    summary: "this machine's clock and a time server's agree, and the server is synchronised",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::None,
    examples: &["-H ntp1.example.test -w 0.5 -c 2", "-H ntp1.example.test -w 0.1 -c 1 --stratum 4"],
    yaml: "NTP: {ntp: {warn: 500ms, crit: 2s, stratum: 4}}",
    trace: None,
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to ask").default("123").flags("-p"),
    Opt::new::<Threshold>("warn", "clocks further apart, either way, are WARNING")
        .default("500ms")
        .flags("-w --warning"),
    Opt::new::<Threshold>("crit", "clocks further apart are CRITICAL").default("2s").flags("-c --critical"),
    Opt::new::<u32>("stratum", "a server further from its source of time is CRITICAL").default("15"),
];

/// Of a packet without extensions.
const PACKET_BYTES: usize = 48;
/// Where the time of sending stands: ours in the question, the server's in the answer.
const SENT_AT: usize = 40;

#[derive(Debug)]
struct Ntp {
    endpoint: Endpoint,
    port: u16,
    warn: Threshold,
    crit: Threshold,
    stratum: u32,
}

fn decode(given: &Given, _reader: &mut Reader) -> Option<Box<dyn Probe>> {
    Some(Box::new(Ntp {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        warn: given.get("warn"),
        crit: given.get("crit"),
        stratum: given.get("stratum"),
    }))
}

impl Probe for Ntp {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.ask(call).await {
                Ok(answer) => self.judge(&answer),
                Err(failure) => failure.outcome(call),
            }
        })
    }
}

/// One answer of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    /// How much the server's clock is ahead of ours, in seconds.
    offset: f64,
    /// What the way took, in seconds; the offset may be wrong by half of it.
    delay: f64,
    /// 1 has a clock of its own; 16 has none.
    stratum: u8,
    /// 3: the server says itself that its clock is not to be relied on.
    leap: u8,
}

impl Ntp {
    /// The best of a few answers: the faster the way, the less it can falsify.
    async fn ask(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        const SAMPLES: usize = 4;
        const FAST: f64 = 0.010;
        let name = self.endpoint.address(call);
        let found = call.resolve(name, self.port, self.endpoint.family).await?;
        let none = || Failure::new(Trouble::Name, format!("`{name}` has no address"));
        let address = found.into_iter().next().ok_or_else(none)?;
        call.enters(Phase::Answer);
        let failed = |error: std::io::Error| {
            let (trouble, reason) = explain(&error);
            Failure::new(trouble, format!("address {} and port {}: {reason}", address.ip(), address.port()))
        };
        let socket = open(address).await.map_err(failed)?;
        let latest = call.deadline.checked_sub(Duration::from_millis(20)).unwrap_or(call.deadline);
        let mut best: Option<Answer> = None;
        for _ in 0..SAMPLES {
            let until = if best.is_some() { latest.min(Instant::now() + patience(call)) } else { latest };
            let sample = timeout_at(until, sample(&socket, patience(call))).await;
            let Ok(answered) = sample else { break };
            let answer = answered.map_err(failed)??;
            call.note(|| format!("offset {:+.6} s, way {:.6} s", answer.offset, answer.delay));
            best = Some(best.filter(|best| best.delay <= answer.delay).unwrap_or(answer));
            if answer.delay < FAST {
                break;
            }
        }
        best.ok_or_else(|| {
            let seconds = call.target.timeout.as_secs_f64();
            let text = format!("no answer from {} port {} within {seconds} s", address.ip(), address.port());
            Failure::new(Trouble::Unreachable, text)
        })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        let Answer { offset, stratum, .. } = *answer;
        let apart = Duration::try_from_secs_f64(offset.abs()).unwrap_or(Duration::MAX);
        let timely = judge_time(apart, Some(self.warn), Some(self.crit));
        let is_lost = answer.leap == 3 || u32::from(stratum) > self.stratum || stratum > 15;
        let state = if is_lost { State::Critical } else { timely };
        let mut text = format!("NTP {}: Offset {offset:.6} secs, stratum {stratum}", state.word());
        if answer.leap == 3 || stratum > 15 {
            text.push_str("; the server is not synchronised");
        } else if is_lost {
            text.push_str(&format!("; at most {} is wanted", self.stratum));
        }
        let perfdata = format!(
            "offset={offset:.6}s;{};{}; delay={:.6}s;;;0 stratum={stratum};;{};0;16",
            self.warn, self.crit, answer.delay, self.stratum
        );
        Outcome::new(state, text).perfdata(perfdata)
    }
}

/// How long one packet is waited for before another is sent: a lost one is no dead server.
fn patience(call: &Call<'_>) -> Duration {
    (call.target.timeout / 4).min(Duration::from_secs(1))
}

async fn open(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// Asks until an answer to one of the questions comes.
async fn sample(socket: &UdpSocket, patience: Duration) -> std::io::Result<Result<Answer, Failure>> {
    loop {
        // Not our time but a number that nobody guesses: an answer has to repeat it.
        let mut cookie = [0; 8];
        getrandom::fill(&mut cookie).map_err(std::io::Error::other)?;
        let mut question = [0; PACKET_BYTES];
        question[0] = 0x23;
        question[SENT_AT..].copy_from_slice(&cookie);
        let (sent_at, sent) = (now(), Instant::now());
        socket.send(&question).await?;
        let until = sent + patience;
        let mut bytes = [0; 1024];
        while let Ok(received) = timeout_at(until, socket.recv(&mut bytes)).await {
            let came_at = sent_at.wrapping_add(fixed(sent.elapsed()));
            let packet = bytes.get(..received?).unwrap_or_default();
            if let Some(answer) = read(packet, cookie, sent_at, came_at) {
                return Ok(answer);
            }
        }
    }
}

/// The packet as an answer to this question; `None`: it is none.
fn read(packet: &[u8], cookie: [u8; 8], sent_at: u64, came_at: u64) -> Option<Result<Answer, Failure>> {
    let at = |place: usize| packet.get(place..place + 8)?.try_into().ok().map(u64::from_be_bytes);
    let &[first, stratum, ..] = packet else { return None };
    let is_server = first & 7 == 4;
    let (asked, heard_at, answered_at) = (at(24)?, at(32)?, at(SENT_AT)?);
    if !is_server || asked != u64::from_be_bytes(cookie) {
        return None;
    }
    if stratum == 0 {
        let reason = quoted_bytes(packet.get(12..16).unwrap_or_default(), 4);
        let text = format!("the server refuses to answer: {reason}");
        return Some(Err(Failure::new(Trouble::Garbage, text)));
    }
    let there = seconds(heard_at.wrapping_sub(sent_at));
    let back = seconds(answered_at.wrapping_sub(came_at));
    let (whole, inside) = (came_at.wrapping_sub(sent_at), answered_at.wrapping_sub(heard_at));
    Some(Ok(Answer {
        offset: f64::midpoint(there, back),
        delay: (seconds(whole) - seconds(inside)).max(0.0),
        stratum,
        leap: first >> 6,
    }))
}

/// This machine's time as NTP counts: 32 bits of seconds since 1900, which wrap, and 32 bits of parts.
fn now() -> u64 {
    const FROM_1900_TO_1970: u64 = 2_208_988_800;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    fixed(since).wrapping_add(FROM_1900_TO_1970 << 32)
}

fn fixed(span: Duration) -> u64 {
    (span.as_secs() << 32).wrapping_add((u64::from(span.subsec_nanos()) << 32) / 1_000_000_000)
}

/// A difference of two times, in seconds.
fn seconds(difference: u64) -> f64 {
    difference.cast_signed() as f64 / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::check;
    use crate::trial::{look, look_briefly, text};

    /// A server whose clock differs from ours by so many seconds.
    async fn server(ahead: i64, first: u8, stratum: u8, garbage: &'static [u8]) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut question = [0; 100];
            while let Ok((_, from)) = socket.recv_from(&mut question).await {
                let time = now().wrapping_add((ahead << 32).cast_unsigned()).to_be_bytes();
                let mut answer = [0; PACKET_BYTES];
                (answer[0], answer[1]) = (first, stratum);
                answer[12..16].copy_from_slice(b"RATE");
                answer[32..40].copy_from_slice(&time);
                answer[40..48].copy_from_slice(&time);
                // Guessed by somebody who did not see the question.
                socket.send_to(&answer, from).await.unwrap();
                answer[24..32].copy_from_slice(&question[40..48]);
                socket.send_to(garbage, from).await.unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        port
    }

    #[test]
    fn damaged_packets_are_survived() {
        let mut packet = [0_u8; PACKET_BYTES];
        (packet[0], packet[1]) = (0x24, 2);
        packet[24..32].copy_from_slice(&[7; 8]);
        let refusal = [&[0xe4, 0][..], &packet[2..]].concat();
        crate::tests::damage::survives("ntp", &[packet.to_vec(), refusal], |bytes| {
            for cookie in [[7; 8], [0; 8]] {
                if let Some(Ok(answer)) = read(bytes, cookie, now(), now()) {
                    assert!(answer.offset.is_finite() && answer.delay >= 0.0);
                }
            }
        });
    }

    #[tokio::test]
    async fn clocks_are_compared_both_ways() {
        for (ahead, code, begins) in [
            (0, 0, "NTP OK: Offset "),
            (1, 1, "NTP WARNING: Offset "),
            (-1, 1, "NTP WARNING: Offset -"),
            (-90, 2, "NTP CRITICAL: Offset -"),
        ] {
            let port = server(ahead, 0x24, 2, b"\xff").await;
            let (got, said) = check("ntp", &format!("-H 127.0.0.1 -p {port}")).await;
            assert!(got == code && said.starts_with(begins), "{said}");
            assert!(
                said.contains("s;0.500000;2.000000; delay=0.") && said.contains(" stratum=2;;15;0;16"),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_without_the_time_is_critical() {
        for (first, stratum, expected) in [
            (0xe4, 2, "the server is not synchronised"),
            (0x24, 16, "the server is not synchronised"),
            (0x24, 5, "at most 4 is wanted"),
            (0xe4, 0, "NTP CRITICAL - the server refuses to answer: RATE"),
        ] {
            let port = server(0, first, stratum, b"").await;
            let outcome = look(&KIND, &[("port", text(port)), ("stratum", text(4))]).await;
            assert_eq!(outcome.state, State::Critical);
            assert!(outcome.output.text.contains(expected), "{}", outcome.output.text);
        }
    }

    #[tokio::test]
    async fn silence_and_answers_to_nobody_are_no_time() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let silent = (silent.local_addr().unwrap().port(), silent);
        let asking_back = server(0, 0x23, 2, b"x").await;
        for port in [silent.0, asking_back] {
            let outcome = look_briefly(&KIND, &[("port", text(port))]).await;
            assert!(
                outcome.output.text.starts_with("NTP CRITICAL - no answer from 127.0.0.1 port "),
                "{}",
                outcome.output.text
            );
        }
    }
}
