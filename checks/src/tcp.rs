//! `tcp`: a port answers, and says what it should.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Extra, Kind, Probe, Settings, Short};
use crate::net::{self, Connection, Endpoint, Failure, Trouble};
use crate::options::{Choice, Given, Opt, Reader, Texts, Threshold};
use crate::outcome::{Outcome, judge_time, push_seconds, quoted_bytes};
use crate::secure::{self, TLS, Tls, TlsMode};
use crate::talk;

pub(crate) const KIND: Kind = Kind {
    name: "tcp",
    label: "TCP",
    summary: "a TCP port accepts connections and, where wanted, answers as expected",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &[
        "-H 192.0.2.10 -p 5432",
        "-H mail.example.test -p 25 -e 220 -q QUIT -w 0.5 -c 2",
        "-H web1 -p 443 -S -D 30,14",
    ],
    yaml: "smtp-port:\n  tcp: {port: 25, expect: \"220\", quit: QUIT, warn: 500ms, crit: 2s}\ndatabase: tcp:5432",
    trace: Some(
        "a connection that was opened and closed; MySQL counts such against the watching host and SSH logs them, so watch those with `mysql` and `ssh`",
    ),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").required().flags("-p"),
    Opt::new::<String>("send", "what to send once connected").flags("-s"),
    Opt::new::<Texts>("expect", "what the answer has to contain: one of these").flags("-e"),
    Opt::new::<bool>("all", "every text of `expect` has to be there, not one")
        .default("off")
        .sets(&[("-A", "on")]),
    Opt::new::<String>("quit", "a last line to send before closing; the line's end is added").flags("-q"),
    Opt::new::<bool>("escapes", "read \\n, \\r, \\t and \\\\ in `send` and `quit`")
        .default("off")
        .sets(&[("-E --escape", "on")]),
    Opt::new::<bool>("hide_answer", "keep the answer out of the output")
        .default("off")
        .sets(&[("-j --jail", "on")]),
    Opt::new::<u32>("max_bytes", "how much of the answer is read, at most 65536")
        .default("4096")
        .flags("-m --maxbytes"),
    Opt::new::<StateWord>("on_refused", "the state when the connection is refused").default("critical"),
    Opt::new::<StateWord>("on_mismatch", "the state when the answer is another").default("warning"),
    TLS,
];

/// The flags that all kinds have in which monitoring-plugins' check_tcp speaks.
pub(crate) const EXTRAS: &[Extra] = &[
    Extra {
        flags: "-r --refuse",
        value: "ok|warn|crit",
        help: "the state when the connection is refused",
        covers: &["on_refused"],
        apply: |text| Ok(vec![("on_refused", state_word(text)?.to_owned())]),
    },
    Extra {
        flags: "-M --mismatch",
        value: "ok|warn|crit",
        help: "the state when the answer is another",
        covers: &["on_mismatch"],
        apply: |text| Ok(vec![("on_mismatch", state_word(text)?.to_owned())]),
    },
    Extra {
        flags: "-D --certificate",
        value: "WARN[,CRIT]",
        help: "days a certificate must still live; means TLS",
        covers: &[],
        apply: certificate_days,
    },
    Extra {
        flags: "--sni",
        value: "NAME",
        help: "the name asked for and checked in TLS",
        covers: &[],
        apply: |text| Ok(vec![("tls.name", text.to_owned())]),
    },
];

/// Ports whose protocol has a kind of its own, which asks more and leaves less behind.
const KNOWN_PORTS: &[(u16, &str)] = &[
    (21, "ftp"),
    (22, "ssh"),
    (25, "smtp"),
    (53, "dns"),
    (80, "http"),
    (110, "pop3"),
    (143, "imap"),
    (389, "ldap"),
    (443, "https"),
    (3306, "mysql"),
    (5432, "postgres"),
    (5666, "nrpe"),
    (6379, "redis"),
];

/// A state that the user chooses for some trouble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateWord(pub(crate) State);

impl Choice for StateWord {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ok", Self(State::Ok)),
        ("warning", Self(State::Warning)),
        ("critical", Self(State::Critical)),
        ("unknown", Self(State::Unknown)),
    ];
}

/// The words of monitoring-plugins.
fn state_word(text: &str) -> Result<&'static str, String> {
    match text {
        "ok" => Ok("ok"),
        "warn" | "warning" => Ok("warning"),
        "crit" | "critical" => Ok("critical"),
        _ => Err(format!("a state is ok, warn or crit, not `{text}`")),
    }
}

/// `30,14` as monitoring-plugins mean it: fewer days than the first warn, than the second alarm. TLS is on with them, from
/// the first byte unless `--starttls` stands beside, before or after.
pub(crate) fn certificate_days(text: &str) -> Result<Settings, String> {
    let (warn, crit) = text.split_once(',').unwrap_or((text, "0"));
    for days in [warn, crit] {
        days.parse::<u32>().map_err(|_no_number| format!("days are a whole number, not `{days}`"))?;
    }
    Ok(vec![("tls.warn", warn.to_owned()), ("tls.crit", crit.to_owned())])
}

#[derive(Debug)]
struct Tcp {
    endpoint: Endpoint,
    port: u16,
    send: Option<Vec<u8>>,
    expect: Vec<String>,
    expects_all: bool,
    quit: Option<Vec<u8>>,
    hides_answer: bool,
    max_bytes: usize,
    on_refused: State,
    on_mismatch: State,
    tls: Tls,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let unescape = |text: String| if given.get("escapes") { unescaped(&text) } else { text.into_bytes() };
    let tls: Tls = given.get("tls");
    if tls.mode == TlsMode::StartTls {
        reader.wrong_with_hint(
            given.mark("tls"),
            "`tcp` speaks no protocol in which TLS could be started",
            "use the kind `tls` with `starttls:`",
        );
    }
    Some(Box::new(Tcp {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        send: given.find::<String>("send").map(unescape),
        expect: given.find::<Texts>("expect").unwrap_or_default().0,
        expects_all: given.get("all"),
        quit: given.find::<String>("quit").map(|text| [unescape(text).as_slice(), b"\r\n"].concat()),
        hides_answer: given.get("hide_answer"),
        max_bytes: usize::try_from(given.get::<u32>("max_bytes")).unwrap_or(0).clamp(1, 65_536),
        on_refused: given.get::<StateWord>("on_refused").0,
        on_mismatch: given.get::<StateWord>("on_mismatch").0,
        tls,
        warn: given.find("warn"),
        crit: given.find("crit"),
    }))
}

pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (letter, false) => out.push(letter),
        }
    }
    out.into_bytes()
}

impl Probe for Tcp {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

impl Tcp {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        if let Some((_, kind)) = KNOWN_PORTS.iter().find(|(port, _)| *port == self.port) {
            call.note(|| {
                format!("port {} has a check of its own, `{kind}`, which speaks its protocol", self.port)
            });
        }
        let mut connection = match self.open(call).await {
            Ok(connection) => connection,
            Err(failure) if failure.trouble == Trouble::Refused => {
                return failure.outcome_as(self.on_refused, call);
            }
            Err(failure) => return failure.outcome(call),
        };
        let answer = match self.talk(call, &mut connection).await {
            Ok(answer) => answer,
            Err(failure) => return failure.outcome(call),
        };
        let outcome = self.judge(call, call.elapsed(), &connection, answer);
        call.close(connection).await;
        outcome
    }

    async fn open(&self, call: &Call<'_>) -> Result<Connection, Failure> {
        let mut connection = call.connect(&self.endpoint, self.port).await?;
        if self.tls.mode == TlsMode::On {
            connection.secure(call, &self.tls, self.endpoint.address(call), &[]).await?;
        }
        Ok(connection)
    }

    /// Sends, reads until the answer is as expected or cannot become so, and says good-bye.
    async fn talk(&self, call: &Call<'_>, connection: &mut Connection) -> Result<Option<bool>, Failure> {
        if let Some(send) = &self.send {
            connection.send(send).await?;
        }
        let mut matches = None;
        if !self.expect.is_empty() {
            matches = Some(self.await_answer(call, connection).await?);
        }
        if let Some(quit) = &self.quit {
            // What was found out stands, whether the peer still listens or not.
            talk::within_reach(call, connection.send(quit)).await;
        }
        Ok(matches)
    }

    async fn await_answer(&self, call: &Call<'_>, connection: &mut Connection) -> Result<bool, Failure> {
        // What came until shortly before the deadline is judged: "another answer" says more than "no answer".
        let give_up = call.deadline - (call.target.timeout / 20).min(Duration::from_millis(100));
        while !self.is_expected(connection.ahead()) && connection.ahead().len() < self.max_bytes {
            match tokio::time::timeout_at(give_up, connection.read_more()).await {
                Ok(Ok(0)) => break,
                Ok(more) => more.map(|_| ())?,
                Err(_late) if connection.ahead().is_empty() => std::future::pending().await,
                Err(_late) => break,
            }
        }
        Ok(self.is_expected(connection.ahead()))
    }

    fn is_expected(&self, answer: &[u8]) -> bool {
        let answer = answer.get(..self.max_bytes).unwrap_or(answer);
        let holds =
            |text: &String| text.is_empty() || answer.windows(text.len()).any(|part| part == text.as_bytes());
        if self.expects_all { self.expect.iter().all(holds) } else { self.expect.iter().any(holds) }
    }

    fn judge(
        &self,
        call: &Call<'_>,
        took: Duration,
        connection: &Connection,
        answer: Option<bool>,
    ) -> Outcome {
        let verdict = connection.verdict(&self.tls);
        let timely = judge_time(took, self.warn, self.crit);
        let mut text = String::with_capacity(64);
        let state = if answer == Some(false) {
            let _infallible = write!(text, "Unexpected response from host/socket on port {}", self.port);
            self.on_mismatch
        } else {
            let _infallible =
                write!(text, "{:.3} second response time on port {}", took.as_secs_f64(), self.port);
            timely
        };
        if answer.is_some() && !self.hides_answer {
            let _infallible = write!(text, " [{}]", quoted_bytes(connection.ahead(), 300));
        }
        let state = secure::weigh(state, &mut text, verdict.as_ref());
        let mut perfdata = String::with_capacity(48);
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, call.target.timeout);
        let outcome = Outcome::new(state, format!("TCP {} - {text}", state.word())).perfdata(perfdata);
        match verdict {
            Some(verdict) if !verdict.notes.is_empty() => outcome.long(&verdict.notes),
            Some(_) | None => outcome,
        }
    }
}
