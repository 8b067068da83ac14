//! `ssh`: the server's identification line (RFC 4253, 4.2). No login and no key exchange: we answer with our own
//! line and end the connection in order, so that the server logs an ordinary client that went away.

use std::time::Duration;

use futures_util::future::BoxFuture;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, Trouble};
use crate::options::{Given, Opt, Reader, Threshold};
use crate::outcome::{Outcome, judge_time, push_seconds, quoted_bytes};

pub(crate) const KIND: Kind = Kind {
    name: "ssh",
    label: "SSH",
    summary: "an SSH server answers with its identification; no login",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &["-H 192.0.2.10", "-H web1 -p 2222 -P 2.0 -r OpenSSH_9"],
    yaml: "SSH: {ssh: {port: 2222, software: OpenSSH_9, warn: 1s}}",
    trace: Some("a connection closed before login, as `Connection closed by … [preauth]`"),
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("22").flags("-p"),
    Opt::new::<String>("software", "text that the server's software and comment have to contain")
        .flags("-r --remote-version"),
    Opt::new::<String>("protocol", "the version of the protocol that has to be spoken, such as 2.0")
        .flags("-P --remote-protocol"),
];

/// What we call ourselves.
const OUR_LINE: &[u8] = concat!("SSH-2.0-vigia_", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes();
/// Lines that a server may say before its identification, and how much of them in all.
const EARLIER_LINES: usize = 50;
/// The standard allows 255 bytes.
const LINE_MAX: usize = 1024;

#[derive(Debug)]
struct Ssh {
    endpoint: Endpoint,
    port: u16,
    software: Option<String>,
    protocol: Option<String>,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
}

fn decode(given: &Given, _reader: &mut Reader) -> Option<Box<dyn Probe>> {
    Some(Box::new(Ssh {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        software: given.find("software"),
        protocol: given.find("protocol"),
        warn: given.find("warn"),
        crit: given.find("crit"),
    }))
}

impl Probe for Ssh {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

/// The parts of `SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10`.
#[derive(Debug, PartialEq, Eq)]
struct Identification {
    protocol: String,
    /// Software and comment, whole.
    software: String,
}

impl Identification {
    fn parse(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"SSH-")?;
        let dash = rest.iter().position(|&byte| byte == b'-')?;
        let (protocol, software) = rest.split_at_checked(dash)?;
        let is_version =
            !protocol.is_empty() && protocol.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        is_version.then(|| Self {
            protocol: quoted_bytes(protocol, 20),
            software: quoted_bytes(software.get(1..).unwrap_or_default(), LINE_MAX),
        })
    }
}

impl Ssh {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let mut connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) => return failure.outcome(call),
        };
        let read = identification(call, &mut connection).await;
        let took = call.elapsed();
        let outcome = match read {
            Ok(identification) => {
                // Whoever went away does not change what was read.
                let _gone = connection.send(OUR_LINE).await.is_err();
                self.judge(call, &identification, took)
            }
            Err(failure) => failure.outcome(call),
        };
        call.close(connection).await;
        outcome
    }

    fn judge(&self, call: &Call<'_>, seen: &Identification, took: Duration) -> Outcome {
        let mut state = judge_time(took, self.warn, self.crit);
        let mut wrong = String::new();
        if state != State::Ok {
            wrong = format!(" after {:.3} seconds", took.as_secs_f64());
        }
        if let Some(expected) = self.software.as_ref().filter(|expected| !seen.software.contains(*expected)) {
            state = State::Critical;
            wrong.push_str(&format!(" version mismatch, expected '{expected}'"));
        }
        if let Some(expected) = self.protocol.as_ref().filter(|expected| **expected != seen.protocol) {
            state = State::Critical;
            wrong.push_str(&format!(" protocol version mismatch, expected '{expected}'"));
        }
        let mut perfdata = String::new();
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, call.target.timeout);
        let text = format!("SSH {} - {} (protocol {}){wrong}", state.word(), seen.software, seen.protocol);
        Outcome::new(state, text).perfdata(perfdata)
    }
}

/// Reads the server's identification, over whatever lines it says before.
async fn identification(call: &Call<'_>, connection: &mut Connection) -> Result<Identification, Failure> {
    // What half an answer looks like says more than that no whole one came.
    let give_up = call.deadline - (call.target.timeout / 20).min(Duration::from_millis(100));
    let mut earlier: Option<Vec<u8>> = None;
    for _ in 0..EARLIER_LINES {
        let Ok(line) = tokio::time::timeout_at(give_up, connection.read_line(LINE_MAX)).await else {
            let half = connection.ahead();
            if half.is_empty() && earlier.is_none() {
                std::future::pending::<()>().await;
            }
            let came = quoted_bytes(earlier.as_deref().unwrap_or(half), 200);
            let text =
                format!("no identification within {} s, only: {came}", call.target.timeout.as_secs_f64());
            return Err(Failure::new(Trouble::Garbage, text));
        };
        let Some(line) = line? else {
            let text = match earlier {
                Some(earlier) => format!("no SSH server: it said {}", quoted_bytes(&earlier, 200)),
                None => "the server ended the connection before it said anything".to_owned(),
            };
            return Err(Failure::new(Trouble::Closed, text));
        };
        call.note(|| format!("server: {}", quoted_bytes(&line, 255)));
        if let Some(identification) = Identification::parse(&line) {
            return Ok(identification);
        }
        if line.starts_with(b"SSH-") {
            let text = format!("the identification cannot be read: {}", quoted_bytes(&line, 200));
            return Err(Failure::new(Trouble::Garbage, text));
        }
        earlier.get_or_insert(line);
    }
    let said = quoted_bytes(earlier.as_deref().unwrap_or_default(), 200);
    Err(Failure::new(
        Trouble::Garbage,
        format!("no SSH server: {EARLIER_LINES} other lines, the first: {said}"),
    ))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::tests::check;
    use crate::trial::{closed_port, look, look_briefly, peer, reset, text};

    const BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n";

    /// What the check says of a server that sends these bytes and then ends.
    async fn said_of(bytes: &'static [u8]) -> (State, String) {
        let port = peer(async move |mut stream| stream.write_all(bytes).await.unwrap()).await;
        let outcome = look(&KIND, &[("port", text(port))]).await;
        (outcome.state, outcome.output.text.into())
    }

    #[tokio::test]
    async fn the_banner_is_shown_whole_and_answered_in_order() {
        let (tell, heard) = tokio::sync::oneshot::channel();
        let port = peer(async move |mut stream| {
            stream.write_all(BANNER).await.unwrap();
            let mut said = Vec::new();
            // The end of the stream is a FIN: a reset would be an error here.
            stream.read_to_end(&mut said).await.unwrap();
            tell.send(said).unwrap();
        })
        .await;
        let outcome = look(&KIND, &[("port", text(port)), ("protocol", text("2.0"))]).await;
        assert_eq!(&*outcome.output.text, "SSH OK - OpenSSH_9.2p1 Debian-2+deb12u10 (protocol 2.0)");
        assert_eq!(outcome.state, State::Ok);
        let perfdata = &*outcome.output.perfdata;
        assert!(perfdata.starts_with("time=0.") && perfdata.ends_with("s;;;0.000000;5.000000"), "{perfdata}");
        assert_eq!(heard.await.unwrap(), OUR_LINE);
        assert!(outcome.detail.iter().any(|step| step.contains("server: SSH-2.0-OpenSSH_9.2p1")));
    }

    #[tokio::test]
    async fn another_version_or_protocol_is_critical() {
        for (option, expected) in [("software", "OpenSSH_9.9"), ("protocol", "1.99")] {
            let port = peer(async |mut stream| stream.write_all(BANNER).await.unwrap()).await;
            let outcome = look(&KIND, &[("port", text(port)), (option, text(expected))]).await;
            assert_eq!(outcome.state, State::Critical);
            assert!(outcome.output.text.ends_with(&format!("mismatch, expected '{expected}'")));
        }
    }

    #[tokio::test]
    async fn lines_before_the_banner_are_passed_over() {
        let (state, line) = said_of(b"Welcome\r\n\r\nSSH-2.0-x\n").await;
        assert_eq!((state, &*line), (State::Ok, "SSH OK - x (protocol 2.0)"));
    }

    #[tokio::test]
    async fn what_is_no_ssh_server_is_named() {
        let cases: &[(&'static [u8], &str)] = &[
            (b"", "SSH CRITICAL - the server ended the connection before it said anything"),
            (b"SSH-2.0-Open", "SSH CRITICAL - the connection ended in the middle of a line: SSH-2.0-Open"),
            (
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
                "SSH CRITICAL - no SSH server: it said HTTP/1.1 400 Bad Request",
            ),
            (
                b"SSH-\xff\xfe-x\r\n",
                "SSH CRITICAL - the identification cannot be read: SSH-\u{fffd}\u{fffd}-x",
            ),
            (b"SSH-2.0\r\n", "SSH CRITICAL - the identification cannot be read: SSH-2.0"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(said_of(bytes).await, (State::Critical, (*expected).to_owned()));
        }
    }

    #[tokio::test]
    async fn the_flags_of_check_ssh_are_understood() {
        for (flags, expected) in
            [("-P 2.0 -r OpenSSH_9.2p1", 0), ("-P 1.99", 2), ("-r dropbear", 2), ("-x", 3)]
        {
            let port = peer(async |mut stream| stream.write_all(BANNER).await.unwrap()).await;
            let (code, said) = check("ssh", &format!("-H 127.0.0.1 -p {port} {flags}")).await;
            assert_eq!(code, expected, "{said}");
        }
    }

    #[tokio::test]
    async fn endless_answers_are_cut_short() {
        for part in [&b"x"[..], b"x\n"] {
            let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
            let outcome = look(&KIND, &[("port", text(port))]).await;
            assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
            assert!(outcome.output.text.len() < 400);
        }
    }

    #[tokio::test]
    async fn silence_half_a_banner_and_a_reset_are_critical() {
        let silent = peer(async |_stream| std::future::pending().await).await;
        let outcome = look_briefly(&KIND, &[("port", text(silent))]).await;
        assert_eq!(&*outcome.output.text, "SSH CRITICAL - connected, but no answer came within 0.3 s");
        let half = peer(async |mut stream| {
            stream.write_all(b"SSH-2.0-Op").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let outcome = look_briefly(&KIND, &[("port", text(half))]).await;
        assert_eq!(&*outcome.output.text, "SSH CRITICAL - no identification within 0.3 s, only: SSH-2.0-Op");
        let port = peer(async |stream| reset(stream)).await;
        let outcome = look(&KIND, &[("port", text(port))]).await;
        assert_eq!(outcome.state, State::Critical);
        assert!(outcome.output.text.contains("reset"), "{}", outcome.output.text);
        let outcome = look(&KIND, &[("port", text(closed_port().await))]).await;
        assert!(outcome.output.text.contains("Connection refused"), "{}", outcome.output.text);
    }
}
