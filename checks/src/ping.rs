//! `ping`: does it answer, how fast, and how much is lost on the way. The packets themselves are in
//! [`crate::icmp`].

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use vigia_core::model::check::BuiltInCheck;
use vigia_core::model::state::{Condition as _, State};
use vigia_core::nagios::threshold;

use crate::icmp::{Answer, Echoes, NoIcmp, TOKEN_BYTES};
use crate::kind::{BuiltIn, Call, Kind, Phase, Probe, Short};
use crate::liveness::{self, Sign};
use crate::net::{self, Endpoint, Failure};
use crate::options::{Given, Node, Opt, OptionType, Reader, Shape, Size, Value, duration};
use crate::outcome::Outcome;

/// The largest payload of an IPv4 packet.
const SIZE_MAX: u64 = 65_507;

pub(crate) const KIND: Kind = Kind {
    name: "ping",
    label: "PING",
    summary: "answers to ICMP echo requests, their time and their loss",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::None,
    examples: &["-H 192.0.2.7", "-H web1.example.test -w 100,20% -c 500,60% -p 5"],
    yaml: "PING: {ping: {count: 10, warn: [50ms, 10%], crit: [200ms, 40%]}}",
    trace: None,
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<Count>(
        "count",
        "requests to send; 5 when left out, as the check of a host 3, and UP at the first answer",
    )
    .flags("-p --packets"),
    Opt::new::<Duration>("interval", "between two requests").default("200ms").flags("-i --interval"),
    Opt::new::<Size>("size", "payload of a request").default("56B").flags("-b --bytes"),
    Opt::new::<Limits>(
        "warn",
        "average time and loss from which it is WARNING: `100ms,20%`, or a list of both",
    )
    .default("100ms,20%")
    .flags("-w --warning"),
    Opt::new::<Limits>("crit", "average time and loss from which it is CRITICAL")
        .default("500ms,60%")
        .flags("-c --critical"),
];

/// How many requests.
#[derive(Clone, Copy, Debug)]
struct Count(u32);

impl OptionType for Count {
    const SHAPE: Shape = Shape::Number(1, 1000);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a number")?;
        let count = text.parse::<u32>().ok().filter(|count| (1..=1000).contains(count));
        if count.is_none() {
            reader.wrong(
                value.mark,
                format!("{} is a whole number from 1 to 1000, not `{text}`", reader.path()),
            );
        }
        count.map(Self)
    }
}

/// From which average time, and from which loss in percent, an alert is due.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Limits {
    time: Option<Duration>,
    loss: Option<f64>,
}

impl OptionType for Limits {
    const SHAPE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let mut limits = Self::default();
        let items = match &value.node {
            Node::List(items) => items.as_slice(),
            Node::Text(_) | Node::Null | Node::Map(_) => std::slice::from_ref(value),
        };
        for item in items {
            for part in reader.text(item, "a time and a percentage such as `100ms,20%`")?.split(',') {
                limits.add(part.trim(), item, reader)?;
            }
        }
        Some(limits)
    }
}

impl Limits {
    fn add(&mut self, text: &str, at: &Value, reader: &mut Reader) -> Option<()> {
        if let Some(percent) = text.strip_suffix('%') {
            let loss = threshold::number(percent).filter(|loss| (0.0..=100.0).contains(loss));
            if loss.is_none() {
                reader
                    .wrong(at.mark, format!("{}: `{text}` is no percentage from 0% to 100%", reader.path()));
            }
            self.loss = loss;
            return loss.map(|_| ());
        }
        // check_ping takes bare numbers for milliseconds.
        let bare = threshold::number(text).filter(|_| reader.allows_bare_numbers());
        let millis = bare.and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
        self.time = millis.or_else(|| duration(text).ok());
        if self.time.is_none() {
            let message = format!("{}: `{text}` is no time", reader.path());
            reader.wrong_with_hint(at.mark, message, "a time and a loss are written `100ms,20%`");
        }
        self.time.map(|_| ())
    }

    fn is_reached(&self, seen: &Seen) -> bool {
        let too_slow = |limit: Duration| seen.average().is_none_or(|average| average >= limit);
        self.time.is_some_and(too_slow) || self.loss.is_some_and(|limit| seen.loss() >= limit)
    }
}

#[derive(Debug)]
struct Ping {
    endpoint: Endpoint,
    count: Option<Count>,
    interval: Duration,
    size: usize,
    warn: Limits,
    crit: Limits,
    /// Nobody wrote this check: without ICMP it looks for another sign of life.
    falls_back: bool,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    read(given, reader).map(|ping| Box::new(ping) as Box<dyn Probe>)
}

fn read(given: &Given, reader: &mut Reader) -> Option<Ping> {
    let Size(size) = given.get("size");
    if size < TOKEN_BYTES as u64 || size > SIZE_MAX {
        reader.wrong(given.mark("size"), format!("`size` is from {TOKEN_BYTES}B to {SIZE_MAX}B"));
        return None;
    }
    Some(Ping {
        endpoint: Endpoint::read(given),
        count: given.find("count"),
        interval: given.get("interval"),
        size: usize::try_from(size).ok()?,
        warn: given.get("warn"),
        crit: given.get("crit"),
        falls_back: false,
    })
}

/// The check of a host for which nobody wrote one: a ping which, where this process may send no ICMP, looks for a
/// TCP port that answers, and says so.
pub fn unwritten() -> Arc<dyn BuiltInCheck> {
    let ping = Ping {
        endpoint: Endpoint::default(),
        count: None,
        interval: Duration::from_millis(200),
        size: 56,
        warn: Limits { time: Some(Duration::from_millis(100)), loss: Some(20.0) },
        crit: Limits { time: Some(Duration::from_millis(500)), loss: Some(60.0) },
        falls_back: true,
    };
    Arc::new(BuiltIn { kind: &KIND, probe: Box::new(ping) })
}

impl Probe for Ping {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        self.look(call).boxed()
    }
}

/// What came of the requests.
#[derive(Debug, Default)]
struct Seen {
    sent: u32,
    took: Vec<Duration>,
    unreachable: Option<(&'static str, Option<IpAddr>)>,
}

impl Seen {
    fn average(&self) -> Option<Duration> {
        let count = u32::try_from(self.took.len()).ok().filter(|count| *count > 0)?;
        Some(self.took.iter().sum::<Duration>() / count)
    }

    /// In percent.
    fn loss(&self) -> f64 {
        let answered = u32::try_from(self.took.len()).unwrap_or(self.sent);
        f64::from(self.sent.saturating_sub(answered)) * 100.0 / f64::from(self.sent.max(1))
    }
}

impl Ping {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let name = self.endpoint.address(call);
        let targets = match call.resolve(name, 0, self.endpoint.family).await {
            Ok(targets) => targets,
            Err(failure) => return failure.outcome(call),
        };
        call.enters(Phase::Answer);
        let mut outcome = None;
        for target in targets {
            match self.look_at(target, call).await {
                // No way to this address; a name may have another one.
                Err(failure) => outcome = outcome.or(Some(failure)),
                Ok(seen) => return seen,
            }
        }
        outcome.unwrap_or_else(|| Outcome::unknown(format!("PING UNKNOWN - `{name}` has no address")))
    }

    /// `Err`: nothing could be sent to it at all.
    async fn look_at(&self, target: SocketAddr, call: &Call<'_>) -> Result<Outcome, Outcome> {
        let echoes = match call.shared.icmp.towards(target.ip()) {
            Ok(echoes) => echoes,
            Err(no_icmp) if no_icmp.is_forbidden() && self.falls_back => {
                return Ok(self.other_sign(target.ip(), &no_icmp, call).await);
            }
            Err(no_icmp) => return Err(Outcome::unknown(format!("PING UNKNOWN - {no_icmp}"))),
        };
        call.note(|| format!("pinging {} through a {}", target.ip(), echoes.way()));
        let seen = self.ping(&echoes, target, call).await.map_err(|error| {
            let failure = Failure::of_io(&format!("sending to {}", target.ip()), &error);
            failure.outcome(call)
        })?;
        Ok(self.judge(&seen, target.ip(), call))
    }

    async fn ping(&self, echoes: &Echoes, target: SocketAddr, call: &Call<'_>) -> std::io::Result<Seen> {
        let is_host_check = call.target.is_host_check;
        let Count(count) = self.count.unwrap_or(Count(if is_host_check { 3 } else { 5 }));
        let mut seen = Seen::default();
        let mut pending = FuturesUnordered::new();
        let mut wake = Instant::now();
        loop {
            if seen.sent < count && Instant::now() >= wake {
                let echo = echoes.send(target, self.size).await?;
                seen.sent += 1;
                let number = seen.sent;
                pending.push(async move { (number, echo.answer().await) });
                wake = if seen.sent < count { wake + self.interval } else { self.patience(call) };
            }
            tokio::select! {
                Some((number, answer)) = pending.next() => {
                    call.note(|| describe(number, &answer, target.ip()));
                    match answer {
                        Answer::Reply { took, .. } => seen.took.push(took),
                        Answer::Unreachable { what, from } => seen.unreachable = Some((what, from)),
                    }
                    let is_enough = is_host_check && !seen.took.is_empty();
                    if is_enough || (seen.sent == count && pending.is_empty()) {
                        return Ok(seen);
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    if seen.sent == count {
                        return Ok(seen);
                    }
                }
            }
        }
    }

    /// Until when the last answers are waited for: long enough to tell slow from lost, early enough to report it.
    fn patience(&self, call: &Call<'_>) -> Instant {
        let slow = self.crit.time.unwrap_or_default() * 2;
        let latest = call.deadline.checked_sub(Duration::from_millis(100)).unwrap_or(call.deadline);
        (Instant::now() + slow.max(Duration::from_secs(1))).min(latest)
    }

    fn judge(&self, seen: &Seen, target: IpAddr, call: &Call<'_>) -> Outcome {
        let state = match seen.average() {
            None => State::Critical,
            Some(_) if call.target.is_host_check => State::Ok,
            Some(_) if self.crit.is_reached(seen) => State::Critical,
            Some(_) if self.warn.is_reached(seen) => State::Warning,
            Some(_) => State::Ok,
        };
        let text = match (seen.average(), seen.unreachable) {
            (None, Some((what, from))) => {
                let from = from
                    .filter(|from| *from != target)
                    .map_or(String::new(), |from| format!(", says {from}"));
                format!("{} - {what} ({target}{from})", state.word())
            }
            (None, None) => format!("PING {} - Packet loss = 100%", state.word()),
            (Some(average), _) => format!(
                "PING {} - Packet loss = {:.0}%, RTA = {:.2} ms",
                state.word(),
                seen.loss(),
                average.as_secs_f64() * 1e3
            ),
        };
        Outcome::new(state, text).perfdata(self.perfdata(seen))
    }

    fn perfdata(&self, seen: &Seen) -> String {
        let time = |limit: Option<Duration>| {
            limit.map_or(String::new(), |limit| format!("{:.3}", limit.as_secs_f64() * 1e3))
        };
        let loss = |limit: Option<f64>| limit.map_or(String::new(), |limit| limit.to_string());
        let rta = seen.average().map_or("U".to_owned(), |rta| format!("{:.3}ms", rta.as_secs_f64() * 1e3));
        let mut perfdata = format!("rta={rta};{};{};0", time(self.warn.time), time(self.crit.time));
        let _infallible =
            write!(perfdata, " pl={:.0}%;{};{};0", seen.loss(), loss(self.warn.loss), loss(self.crit.loss));
        perfdata
    }

    async fn other_sign(&self, target: IpAddr, no_icmp: &NoIcmp, call: &Call<'_>) -> Outcome {
        let begun = Instant::now();
        let limit = self.patience(call).saturating_duration_since(begun).max(call.target.timeout / 2);
        let found = tokio::time::timeout(limit, liveness::sign_of_life(target, liveness::PORTS)).await;
        let millis = begun.elapsed().as_secs_f64() * 1e3;
        match found {
            Ok(Ok(Sign::Accepted(port))) => {
                Outcome::ok(format!("PING OK - TCP port {port} answers after {millis:.2} ms; {no_icmp}"))
            }
            Ok(Ok(Sign::Refused(port))) => {
                Outcome::ok(format!("PING OK - TCP port {port} refuses after {millis:.2} ms; {no_icmp}"))
            }
            Ok(Err(error)) => {
                Outcome::critical(format!("PING CRITICAL - no sign of life: {error}; {no_icmp}"))
            }
            Err(_silence) => Outcome::critical(format!(
                "PING CRITICAL - no answer on the TCP ports {:?}; {no_icmp}",
                liveness::PORTS
            )),
        }
    }
}

fn describe(number: u32, answer: &Answer, target: IpAddr) -> String {
    match answer {
        Answer::Reply { took, ttl } => {
            let ttl = ttl.map_or(String::new(), |ttl| format!(" ttl={ttl}"));
            format!("reply {number} from {target}:{ttl} time={:.3} ms", took.as_secs_f64() * 1e3)
        }
        Answer::Unreachable { what, from } => {
            let from = from.map_or(String::new(), |from| format!(" from {from}"));
            format!("request {number}: {what}{from}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::check;
    use crate::trial::{decoded, list, look, loopback, refusals, shared, text};
    use crate::{Target, run};

    fn ping(seen: &Seen, is_host_check: bool) -> Outcome {
        let ping = read(
            &Given::read(&Value::null(crate::options::Mark(1)), KIND.options, &mut Reader::written()),
            &mut Reader::written(),
        );
        let target = Target { is_host_check, ..loopback() };
        let shared = shared();
        let call = Call::new(&KIND, &target, &shared);
        ping.unwrap().judge(seen, "192.0.2.7".parse().unwrap(), &call)
    }

    fn seen(sent: u32, millis: &[u64]) -> Seen {
        Seen {
            sent,
            took: millis.iter().map(|millis| Duration::from_millis(*millis)).collect(),
            unreachable: None,
        }
    }

    #[tokio::test]
    async fn times_and_losses_become_states_and_the_known_text() {
        let cases = [
            (seen(5, &[1, 1, 1, 1, 1]), "PING OK - Packet loss = 0%, RTA = 1.00 ms"),
            (seen(5, &[1, 1, 1, 1]), "PING WARNING - Packet loss = 20%, RTA = 1.00 ms"),
            (seen(5, &[1, 1]), "PING CRITICAL - Packet loss = 60%, RTA = 1.00 ms"),
            (seen(2, &[100, 300]), "PING WARNING - Packet loss = 0%, RTA = 200.00 ms"),
            (seen(2, &[500, 500]), "PING CRITICAL - Packet loss = 0%, RTA = 500.00 ms"),
            (seen(5, &[]), "PING CRITICAL - Packet loss = 100%"),
        ];
        for (seen, expected) in cases {
            assert_eq!(&*ping(&seen, false).output.text, expected);
        }
        let outcome = ping(&seen(1, &[1]), false);
        assert_eq!(&*outcome.output.perfdata, "rta=1.000ms;100.000;500.000;0 pl=0%;20;60;0");
        assert_eq!(&*ping(&seen(1, &[]), false).output.perfdata, "rta=U;100.000;500.000;0 pl=100%;20;60;0");
        assert_eq!(ping(&seen(1, &[900]), true).state, State::Ok);
    }

    #[tokio::test]
    async fn an_unreachable_host_says_who_says_so() {
        let unreachable =
            |from: &str| Seen { unreachable: Some(("Host Unreachable", from.parse().ok())), ..seen(3, &[]) };
        let text = |seen| ping(&seen, true).output.text.to_string();
        assert_eq!(text(unreachable("192.0.2.1")), "CRITICAL - Host Unreachable (192.0.2.7, says 192.0.2.1)");
        assert_eq!(text(unreachable("192.0.2.7")), "CRITICAL - Host Unreachable (192.0.2.7)");
    }

    /// Where the kernel lets the tests send ICMP, it is sent; where not, the remedy has to be there.
    #[tokio::test]
    async fn loopback_answers_or_the_remedy_is_named() {
        let outcome = look(&KIND, &[("count", text(2)), ("interval", text("5ms"))]).await;
        let line = &*outcome.output.text;
        match outcome.state {
            State::Ok => assert!(line.starts_with("PING OK - Packet loss = 0%, RTA = "), "{line}"),
            State::Unknown => {
                assert!(line.contains("ping_group_range") && line.contains("CAP_NET_RAW"), "{line}");
            }
            State::Warning | State::Critical => panic!("{line}"),
        }
    }

    #[tokio::test]
    async fn hundreds_of_pings_share_one_socket() {
        let (check, shared) = (decoded(&KIND, &[("count", text(3)), ("interval", text("1ms"))]), shared());
        let target = loopback();
        let outcomes = futures_util::future::join_all((0..300).map(|_| run(&*check, &target, &shared))).await;
        let first = &outcomes[0];
        assert!(outcomes.iter().all(|outcome| outcome.state == first.state));
        assert_ne!(first.state, State::Critical);
    }

    #[tokio::test]
    async fn the_check_of_a_host_ends_at_the_first_answer() {
        let (check, shared) = (unwritten(), shared());
        let target = Target { is_host_check: true, ..loopback() };
        let outcome = run(&*check, &target, &shared).await;
        assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    }

    #[tokio::test]
    async fn the_flags_of_check_ping_are_understood() {
        let (code, said) = check("ping", "-H 127.0.0.1 -w 100.0,20% -c 500.0,60% -p 1 -4").await;
        let is_allowed = !said.contains("may not send ICMP");
        assert_eq!(code, if is_allowed { 0 } else { 3 }, "{said}");
        if is_allowed {
            assert!(said.ends_with("ms;100.000;500.000;0 pl=0%;20;60;0"), "{said}");
        }
        assert_eq!(check("ping", "-H 127.0.0.1 -w fast").await.0, 3);
    }

    #[test]
    fn limits_are_read_in_both_forms() {
        let limits = |value: Value, mut reader: Reader| Limits::read(&value, &mut reader);
        let expected = Some(Limits { time: Some(Duration::from_millis(100)), loss: Some(20.0) });
        assert_eq!(limits(text("100ms,20%"), Reader::written()), expected);
        assert_eq!(limits(text("20% , 100ms"), Reader::written()), expected);
        assert_eq!(limits(list(&["100ms", "20%"]), Reader::written()), expected);
        assert_eq!(limits(list(&["100.0,20%"]), Reader::command_line()), expected);
        assert_eq!(limits(text("100,20%"), Reader::written()), None);
    }

    #[test]
    fn nonsense_in_the_options_is_refused() {
        assert!(refusals(&KIND, &[("count", text(0))])[0].contains("from 1 to 1000"));
        assert!(refusals(&KIND, &[("warn", text("120%"))])[0].contains("no percentage"));
        assert!(refusals(&KIND, &[("crit", text("fast"))])[0].contains("no time"));
        assert!(refusals(&KIND, &[("size", text("3B"))])[0].contains("from 16B"));
    }
}
