//! `udp`: a packet is answered as expected. Silence says nothing over UDP, hence both texts are needed.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use futures_util::future::BoxFuture;
use tokio::net::UdpSocket;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Kind, Phase, Probe, Short};
use crate::net::{self, Endpoint, Failure, Trouble, explain};
use crate::options::{Given, Opt, Reader, Texts, Threshold};
use crate::outcome::{Outcome, judge_time, push_seconds, quoted_bytes};
use crate::tcp::{StateWord, unescaped};

pub(crate) const KIND: Kind = Kind {
    name: "udp",
    label: "UDP",
    summary: "a packet to a UDP port is answered as expected",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::None,
    examples: &[
        "-H 192.0.2.10 -p 7 -s ping -e ping",
        "-H 192.0.2.10 -p 9999 -E -s 'status\\n' -e OK -w 0.1 -c 1",
    ],
    yaml: "game:\n  udp: {port: 27015, send: status, expect: players, crit: 1s}",
    trace: None,
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to send to").required().flags("-p"),
    Opt::new::<String>("send", "what to send").required().flags("-s"),
    Opt::new::<Texts>("expect", "what the answer has to contain: one of these").required().flags("-e"),
    Opt::new::<bool>("escapes", "read \\n, \\r, \\t and \\\\ in `send`")
        .default("off")
        .sets(&[("-E --escape", "on")]),
    Opt::new::<StateWord>("on_mismatch", "the state when the answer is another").default("warning"),
];

#[derive(Debug)]
struct Udp {
    endpoint: Endpoint,
    port: u16,
    send: Vec<u8>,
    expect: Vec<String>,
    on_mismatch: State,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
}

fn decode(given: &Given, _reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let send: String = given.get("send");
    Some(Box::new(Udp {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        send: if given.get("escapes") { unescaped(&send) } else { send.into_bytes() },
        expect: given.get::<Texts>("expect").0,
        on_mismatch: given.get::<StateWord>("on_mismatch").0,
        warn: given.find("warn"),
        crit: given.find("crit"),
    }))
}

impl Probe for Udp {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.ask(call).await {
                Ok(answer) => self.judge(call, &answer),
                Err(failure) => failure.outcome(call),
            }
        })
    }
}

impl Udp {
    /// Of several addresses the first is asked: over UDP nothing tells a dead one from a slow one.
    async fn ask(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let name = self.endpoint.address(call);
        let found = call.resolve(name, self.port, self.endpoint.family).await?;
        let none = || Failure::new(Trouble::Name, format!("`{name}` has no address"));
        let address = found.into_iter().next().ok_or_else(none)?;
        call.enters(Phase::Answer);
        exchange(address, &self.send).await.map_err(|error| {
            let (trouble, reason) = explain(&error);
            Failure::new(trouble, format!("address {} and port {}: {reason}", address.ip(), address.port()))
        })
    }

    fn judge(&self, call: &Call<'_>, answer: &[u8]) -> Outcome {
        let took = call.elapsed();
        let holds =
            |text: &String| text.is_empty() || answer.windows(text.len()).any(|part| part == text.as_bytes());
        let mut text = String::with_capacity(64);
        let state = if self.expect.iter().any(holds) {
            let _infallible =
                write!(text, "{:.3} second response time on port {}", took.as_secs_f64(), self.port);
            judge_time(took, self.warn, self.crit)
        } else {
            let _infallible = write!(text, "Unexpected response from host/socket on port {}", self.port);
            self.on_mismatch
        };
        let _infallible = write!(text, " [{}]", quoted_bytes(answer, 300));
        let mut perfdata = String::new();
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, call.target.timeout);
        Outcome::new(state, format!("UDP {} - {text}", state.word())).perfdata(perfdata)
    }
}

async fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // A connected socket hears of closed ports and of nobody but the peer.
    socket.connect(address).await?;
    socket.send(bytes).await?;
    let mut answer = vec![0; 65_536];
    let count = socket.recv(&mut answer).await?;
    answer.truncate(count);
    Ok(answer)
}
