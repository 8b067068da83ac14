//! `redis`: a login where one is needed, a PING, and fields of INFO against ranges. Nothing is read or written of the
//! data.

use std::collections::HashMap;
use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use vigia_core::model::state::State;
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::{Range, Thresholds, number};

use crate::kind::{Call, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, LINE_MAX, Trouble};
use crate::options::{Given, Node, Opt, OptionType, Reader, Secret, Shape, Value};
use crate::outcome::{Outcome, quoted_bytes};
use crate::secure::{Tls, TlsMode};
use crate::talk::{self, End, Limits};
use crate::tcp::StateWord;

pub(crate) const KIND: Kind = Kind {
    name: "redis",
    label: "REDIS",
    summary: "a Redis or Valkey server answers, and where wanted its numbers stay within ranges",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &[
        "-H cache1.example.test -w 0.1 -c 1",
        "-H cache1.example.test --user monitor --password secret -S",
    ],
    yaml: "REDIS: {redis: {password: {file: /etc/vigia/secrets/redis}, info: {connected_clients: \"500\", used_memory: {warn: \"1000000000\", crit: \"2000000000\"}}}}",
    trace: None,
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("6379").flags("-p"),
    Opt::new::<String>("user", "name to log in with, where the server knows names").flags("-U"),
    Opt::new::<Secret>("password", "its password, or the server's only one").flags("-P"),
    Opt::new::<Fields>(
        "info",
        "fields of INFO that have to stay within a range: CRITICAL outside, or {warn, crit}",
    ),
    Opt::new::<StateWord>("on_denied", "the state when the login is refused or missing").default("critical"),
    Opt::new::<Tls>("tls", "whether TLS is spoken, and how it is judged")
        .default("off")
        .sets(&[("-S --ssl --tls", "on")]),
];

/// Fields and their ranges, as written.
#[derive(Clone, Debug, Default)]
struct Fields(Vec<(String, Thresholds)>);

const RANGES: &[Opt] = &[
    Opt::new::<Range>("warn", "outside of this range it is WARNING"),
    Opt::new::<Range>("crit", "outside of this range it is CRITICAL"),
];

impl OptionType for Fields {
    const SHAPE: Shape = Shape::MapOf(&Shape::OneOf(&[Shape::Range, Shape::Map(RANGES)]));

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Node::Map(entries) = &value.node else {
            let message = format!("{} is a map of fields and ranges, not {}", reader.path(), value.what());
            reader.wrong(value.mark, message);
            return None;
        };
        let mut fields = Self::default();
        for entry in entries {
            let thresholds = match &entry.value.node {
                Node::Text(_) => Thresholds { warn: None, crit: Some(Range::read(&entry.value, reader)?) },
                Node::Null | Node::List(_) | Node::Map(_) => {
                    let given = Given::read(&entry.value, &[RANGES], reader);
                    Thresholds { warn: given.find("warn"), crit: given.find("crit") }
                }
            };
            fields.0.push((entry.key.clone(), thresholds));
        }
        Some(fields)
    }
}

#[derive(Debug)]
struct Redis {
    endpoint: Endpoint,
    port: u16,
    user: Option<String>,
    password: Option<Secret>,
    fields: Vec<(String, Thresholds)>,
    on_denied: State,
    tls: Tls,
    limits: Limits,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let tls: Tls = given.get("tls");
    if tls.mode == TlsMode::StartTls {
        reader.wrong(given.mark("tls"), "Redis knows no STARTTLS: `tls: on` speaks it from the first byte");
    }
    let (user, password) = (given.find::<String>("user"), given.find::<Secret>("password"));
    if user.is_some() && password.is_none() {
        reader.wrong(given.mark("user"), "`user` without `password`");
    }
    if password.is_some() && tls.mode == TlsMode::Off {
        talk::warn_of_plain_text(given.mark("password"), "`tls: on`", reader);
    }
    Some(Box::new(Redis {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        user,
        password,
        fields: given.find::<Fields>("info").unwrap_or_default().0,
        on_denied: given.get::<StateWord>("on_denied").0,
        tls,
        limits: Limits::read(given),
    }))
}

impl Probe for Redis {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

/// What the server says of itself.
type Info = HashMap<String, String>;

impl Redis {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let mut connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) => return failure.outcome(call),
        };
        let talked = self.talk(call, &mut connection).await;
        let took = call.elapsed();
        let outcome = match talked {
            Ok(info) => {
                let (state, text, perfdata) = self.judge(&info);
                let text = format!("{text}{:.3} second response time", took.as_secs_f64());
                let mut outcome = talk::report(call, &connection, &self.tls, state, text, self.limits, took);
                outcome.output.perfdata = format!("{}{perfdata}", outcome.output.perfdata).into();
                outcome
            }
            Err(end) => end.outcome(call),
        };
        talk::within_reach(call, ask(&mut connection, &["QUIT"])).await;
        call.close(connection).await;
        outcome
    }

    async fn talk(&self, call: &Call<'_>, connection: &mut Connection) -> Result<Info, End> {
        if self.tls.mode == TlsMode::On {
            connection.secure(call, &self.tls, self.endpoint.address(call), &[]).await?;
        }
        if let Some(password) = &self.password {
            if let Some(distrust) = connection.distrust(&self.tls) {
                return Err(distrust.into());
            }
            let password = call.reveal(password).map_err(End::Ours)?;
            let words = match &self.user {
                Some(user) => vec!["AUTH", user, &password],
                None => vec!["AUTH", &password],
            };
            call.note(|| "client: AUTH ***".to_owned());
            if let Reply::Error(said) = ask(connection, &words).await? {
                return Err(End::Answer(self.on_denied, format!("login: {said}")));
            }
        }
        call.note(|| "client: PING".to_owned());
        match ask(connection, &["PING"]).await? {
            Reply::Text(said) if said.eq_ignore_ascii_case("PONG") => {}
            Reply::Text(said) => {
                return Err(End::Answer(
                    State::Critical,
                    format!("PING: {}", quoted_bytes(said.as_bytes(), 200)),
                ));
            }
            Reply::Error(said) if said.starts_with("NOAUTH") || said.starts_with("NOPERM") => {
                return Err(End::Answer(self.on_denied, said));
            }
            Reply::Error(said) => return Err(End::Answer(State::Critical, format!("PING: {said}"))),
        }
        call.note(|| "client: INFO".to_owned());
        match ask(connection, &["INFO"]).await? {
            Reply::Text(text) => Ok(text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
                .collect()),
            // Whoever may only ping knows that it answers.
            Reply::Error(_) if self.fields.is_empty() => Ok(Info::new()),
            Reply::Error(said) => Err(End::Answer(State::Unknown, format!("INFO: {said}"))),
        }
    }

    /// State, text with a comma at its end, and perfdata with a blank before each.
    fn judge(&self, info: &Info) -> (State, String, String) {
        let (mut state, mut text, mut perfdata) = (State::Ok, String::new(), String::new());
        for (name, thresholds) in &self.fields {
            let said = info.get(name).map(String::as_str);
            let Some(value) = said.and_then(number) else {
                state = talk::worse(state, State::Unknown);
                let said = said.map_or("missing".to_owned(), |said| quoted_bytes(said.as_bytes(), 60));
                let _infallible = write!(text, "{name} is no number ({said}), ");
                continue;
            };
            let judged = thresholds.judge(value);
            state = talk::worse(state, judged);
            if judged != State::Ok {
                let _infallible = write!(text, "{name} is {value}, ");
            }
            let metric = Metric::new(name.as_str(), value, "").thresholds(thresholds.warn, thresholds.crit);
            let _infallible = write!(perfdata, " {metric}");
        }
        let shown = |key: &str| info.get(key).map(|value| quoted_bytes(value.as_bytes(), 60));
        if let Some(version) = shown("redis_version") {
            let _infallible = write!(text, "version {version}, ");
        }
        if let Some(role) = shown("role") {
            let _infallible = write!(text, "{role}, ");
        }
        (state, text, perfdata)
    }
}

enum Reply {
    Text(String),
    Error(String),
}

/// Gives a command and takes its answer.
async fn ask(connection: &mut Connection, words: &[&str]) -> Result<Reply, Failure> {
    const BULK_MAX: usize = 1 << 20;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        let _infallible = write!(command, "${}\r\n{word}\r\n", word.len());
    }
    connection.send(command.as_bytes()).await?;
    let ended = || Failure::new(Trouble::Closed, "the server ended the connection without an answer");
    let line = connection.read_line(LINE_MAX).await?.ok_or_else(ended)?;
    let none = || {
        Failure::new(Trouble::Garbage, format!("no answer of a Redis server: {}", quoted_bytes(&line, 200)))
    };
    let (first, rest) = line.split_first().ok_or_else(none)?;
    match first {
        b'+' => Ok(Reply::Text(quoted_bytes(rest, 500))),
        b'-' => Ok(Reply::Error(quoted_bytes(rest, 500))),
        b'$' => {
            let bytes = std::str::from_utf8(rest).ok().and_then(|digits| digits.parse::<usize>().ok());
            let bytes = bytes.filter(|bytes| *bytes <= BULK_MAX).ok_or_else(none)?;
            let mut text = connection.read_exactly(bytes + 2).await?;
            text.truncate(bytes);
            Ok(Reply::Text(String::from_utf8_lossy(&text).into_owned()))
        }
        _ => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::tests::{assert_harmless, check};
    use crate::trial::{look, look_briefly, map, peer, refusals, reset, text};

    const INFO: &str = "$63\r\n# Server\r\nredis_version:7.0.15\r\nrole:master\r\nused:2000  \r\nx:y\r\n\r\n";

    async fn server(answers: &'static [&'static str]) -> u16 {
        peer(async move |mut stream| {
            let mut heard = [0; 4096];
            for answer in answers {
                if stream.read(&mut heard).await.unwrap() == 0 {
                    return;
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            let _end = stream.read(&mut heard).await.is_ok();
        })
        .await
    }

    #[tokio::test]
    async fn fields_are_held_against_their_ranges() {
        for (range, state) in [("1999", State::Critical), ("2000", State::Ok)] {
            let port = server(&["+OK\r\n", "+PONG\r\n", INFO, "+OK\r\n"]).await;
            let info = map(&[("used", map(&[("crit", text(range)), ("warn", text("2000"))]))]);
            let outcome =
                look(&KIND, &[("port", text(port)), ("password", text("secret")), ("info", info)]).await;
            assert_eq!(outcome.state, state, "{}", outcome.output.text);
            assert!(outcome.output.text.contains("version 7.0.15, master, 0."), "{}", outcome.output.text);
            assert!(
                outcome.output.perfdata.contains(&format!(" used=2000;2000;{range}")),
                "{}",
                outcome.output.perfdata
            );
        }
        let port = server(&["+PONG\r\n", INFO, "+OK\r\n"]).await;
        let outcome = look(&KIND, &[("port", text(port)), ("info", map(&[("x", text("5"))]))]).await;
        assert_eq!(outcome.state, State::Unknown);
        assert!(
            outcome.output.text.starts_with("REDIS UNKNOWN - x is no number (y), "),
            "{}",
            outcome.output.text
        );
    }

    #[tokio::test]
    async fn what_a_server_refuses_is_said() {
        let cases: [(&'static [&'static str], &str, u8, &str); 5] = [
            (&["-NOAUTH log in\r\n"], "", 2, "REDIS CRITICAL - NOAUTH log in"),
            (&["-NOAUTH log in\r\n"], "--on-denied ok", 0, "REDIS OK - NOAUTH log in"),
            (&["-WRONGPASS no\r\n"], "-P secret", 2, "REDIS CRITICAL - login: WRONGPASS no"),
            (&["-LOADING wait\r\n"], "", 2, "REDIS CRITICAL - PING: LOADING wait"),
            (&["+PONG\r\n", "-NOPERM info\r\n"], "", 0, "REDIS OK - 0."),
        ];
        for (answers, more, code, begins) in cases {
            let (got, said) =
                check("redis", &format!("-H 127.0.0.1 -p {} {more}", server(answers).await)).await;
            assert!(got == code && said.starts_with(begins), "{got} {said}");
        }
    }

    #[tokio::test]
    async fn hostile_servers_are_given_up() {
        for part in ["2", "$-1\r\n", "$99999999999\r\n", "*3\r\n", "$9\r\n12", "\u{1b}[2J\r\n"] {
            let port =
                peer(async move |mut stream| while stream.write_all(part.as_bytes()).await.is_ok() {}).await;
            let outcome = look_briefly(&KIND, &[("port", text(port))]).await;
            assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
            assert_harmless(&outcome.output.text);
        }
        let port = peer(async |stream| reset(stream)).await;
        assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        assert!(refusals(&KIND, &[("user", text("bob"))])[0].contains("without `password`"));
        assert!(refusals(&KIND, &[("tls", text("starttls"))])[0].contains("no STARTTLS"));
        assert!(refusals(&KIND, &[("info", map(&[("used", text("a"))]))])[0].contains("not a number"));
    }
}
