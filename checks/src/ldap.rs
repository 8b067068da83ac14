//! `ldap`: a bind, a search, and how many entries it found (RFC 4511). Attributes are not asked for.

mod filter;

use futures_util::future::BoxFuture;
use vigia_core::model::state::State;
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::{Range, Thresholds};

use crate::ber::{self, Ber};
use crate::kind::{Call, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, Trouble};
use crate::options::{Choice, Given, Opt, Reader, Secret};
use crate::outcome::{Outcome, quoted_bytes};
use crate::secure::{Tls, TlsMode};
use crate::starttls::{self, Dialogue};
use crate::talk::{self, End, Limits};
use filter::Filter;

pub(crate) const KIND: Kind = Kind {
    name: "ldap",
    label: "LDAP",
    summary: "a directory accepts a bind and finds what is searched for",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("base"),
    examples: &[
        "-H ldap1.example.test -b dc=example,dc=test",
        "-H ldap1.example.test -T -D cn=monitor,dc=example,dc=test -P secret -b dc=example,dc=test -a '(uid=*)' -C 10:",
    ],
    yaml: "LDAP: {ldap: {tls: starttls, base: \"dc=example,dc=test\", filter: \"(uid=*)\", entries: \"10:\"}}",
    trace: Some("a bind, a search and an unbind"),
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to: 389, or 636 with TLS from the first byte").flags("-p"),
    Opt::new::<String>("base", "where the search begins; empty is the server's own entry")
        .default("")
        .flags("-b"),
    Opt::new::<String>("bind", "the name to bind as; nobody when left out").flags("-D"),
    Opt::new::<Secret>("password", "its password").flags("-P --pass"),
    Opt::new::<Filter>("filter", "which entries are searched for")
        .default("(objectClass=*)")
        .flags("-a --attr"),
    Opt::new::<Scope>("scope", "how deep the search goes: auto is sub where entries are counted, else base")
        .default("auto"),
    Opt::new::<Range>("entries", "outside of this range the number of entries is CRITICAL")
        .flags("-C --crit-entries"),
    Opt::new::<Range>("entries_warn", "outside of this range it is WARNING").flags("-W --warn-entries"),
    Opt::new::<Version>("protocol", "the version that is spoken")
        .default("3")
        .sets(&[("-2 --ver2", "2"), ("-3 --ver3", "3")]),
    Opt::new::<Tls>("tls", "whether and when TLS is spoken, and how it is judged")
        .default("off")
        .sets(&[("-T --starttls", "starttls"), ("-S --ssl", "on")]),
];

/// How deep a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Auto,
    Base,
    One,
    Sub,
}

impl Choice for Scope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("base", Self::Base), ("one", Self::One), ("sub", Self::Sub)];
}

#[derive(Clone, Copy, Debug)]
struct Version(i64);

impl Choice for Version {
    const WORDS: &'static [(&'static str, Self)] = &[("2", Self(2)), ("3", Self(3))];
}

#[derive(Debug)]
struct Ldap {
    endpoint: Endpoint,
    port: u16,
    base: String,
    bind: Option<(String, Secret)>,
    filter: Filter,
    scope: i64,
    entries: Thresholds,
    version: i64,
    tls: Tls,
    limits: Limits,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let tls: Tls = given.get("tls");
    let bind = match (given.find::<String>("bind"), given.find::<Secret>("password")) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let mark = given.written("bind").or(given.written("password")).unwrap_or_default();
            reader.wrong(mark, "`bind` and `password` belong together");
            return None;
        }
    };
    if bind.is_some() && tls.mode == TlsMode::Off {
        talk::warn_of_plain_text(given.mark("password"), "`tls: starttls` or `tls: on`", reader);
    }
    let entries = Thresholds { warn: given.find("entries_warn"), crit: given.find("entries") };
    let is_counting = entries != Thresholds::default();
    let scope = match given.get::<Scope>("scope") {
        Scope::Auto if is_counting => 2,
        Scope::Auto | Scope::Base => 0,
        Scope::One => 1,
        Scope::Sub => 2,
    };
    Some(Box::new(Ldap {
        endpoint: Endpoint::read(given),
        port: given.find("port").unwrap_or(if tls.mode == TlsMode::On { 636 } else { 389 }),
        base: given.get("base"),
        bind,
        filter: given.get("filter"),
        scope,
        entries,
        version: given.get::<Version>("protocol").0,
        tls,
        limits: Limits::read(given),
    }))
}

impl Probe for Ldap {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

const BIND: u8 = 0x60;
const BOUND: u8 = 0x61;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;
/// Unbind with its empty content, message 4.
const GOODBYE: &[u8] = &[0x30, 5, 2, 1, 4, 0x42, 0];

impl Ldap {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let mut connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) => return failure.outcome(call),
        };
        let talked = self.talk(call, &mut connection).await;
        let took = call.elapsed();
        let outcome = match talked {
            Ok(found) => self.judge(call, &connection, found, took),
            Err(end) => end.outcome(call),
        };
        talk::within_reach(call, connection.send(GOODBYE)).await;
        call.close(connection).await;
        outcome
    }

    fn judge(
        &self,
        call: &Call<'_>,
        connection: &Connection,
        found: u32,
        took: std::time::Duration,
    ) -> Outcome {
        let seconds = took.as_secs_f64();
        if self.entries == Thresholds::default() {
            let text = format!("{seconds:.3} seconds response time");
            return talk::report(call, connection, &self.tls, State::Ok, text, self.limits, took);
        }
        let state = self.entries.judge(f64::from(found));
        let text = format!("found {found} entries in {seconds:.3} seconds");
        let mut outcome = talk::report(call, connection, &self.tls, state, text, self.limits, took);
        let metric = Metric::new("entries", f64::from(found), "")
            .thresholds(self.entries.warn, self.entries.crit)
            .at_least(0.0);
        outcome.output.perfdata = format!("{} {metric}", outcome.output.perfdata).into();
        outcome
    }

    /// How many entries were found.
    async fn talk(&self, call: &Call<'_>, connection: &mut Connection) -> Result<u32, End> {
        let name = self.endpoint.address(call);
        match self.tls.mode {
            TlsMode::Off => {}
            TlsMode::On => connection.secure(call, &self.tls, name, &[]).await?,
            TlsMode::StartTls => {
                starttls::start(connection, Dialogue::Ldap).await?;
                connection.secure(call, &self.tls, name, &[]).await?;
            }
        }
        self.bind(call, connection).await?;
        self.search(call, connection).await
    }

    async fn bind(&self, call: &Call<'_>, connection: &mut Connection) -> Result<(), End> {
        let (name, password) = match &self.bind {
            Some((name, secret)) => {
                if let Some(distrust) = connection.distrust(&self.tls) {
                    return Err(distrust.into());
                }
                (name.as_str(), call.reveal(secret).map_err(End::Ours)?)
            }
            None => ("", String::new()),
        };
        // A name with an empty password counts as nobody, and is let in.
        if !name.is_empty() && password.is_empty() {
            return Err(Failure::new(Trouble::Local, "the password is empty").into());
        }
        call.note(|| format!("bind as '{name}'"));
        let request = [
            ber::integer(ber::INTEGER, self.version),
            ber::element(ber::OCTETS, name.as_bytes()),
            ber::element(0x80, password.as_bytes()),
        ];
        send(connection, 2, ber::joined(BIND, &request)).await?;
        match message(connection, 2).await? {
            (BOUND, content) => verdict(&content).map_err(|said| {
                End::Answer(State::Critical, format!("Could not bind to the LDAP server: {said}"))
            }),
            (tag, _) => Err(unexpected(tag).into()),
        }
    }

    async fn search(&self, call: &Call<'_>, connection: &mut Connection) -> Result<u32, End> {
        const ENTRIES_MAX: u32 = 1_000_000;
        let request = [
            ber::element(ber::OCTETS, self.base.as_bytes()),
            ber::integer(ber::ENUMERATED, self.scope),
            // Aliases as they are, no limits of ours.
            ber::integer(ber::ENUMERATED, 0),
            ber::integer(ber::INTEGER, 0),
            ber::integer(ber::INTEGER, 0),
            ber::element(0x01, &[0]),
            self.filter.bytes.clone(),
            // No attributes.
            ber::joined(ber::SEQUENCE, &[ber::element(ber::OCTETS, b"1.1")]),
        ];
        call.note(|| format!("search below '{}' for {}", self.base, self.filter.text));
        send(connection, 3, ber::joined(SEARCH, &request)).await?;
        let mut found = 0;
        while found < ENTRIES_MAX {
            match message(connection, 3).await? {
                (ENTRY, _) => found += 1,
                (REFERENCE, _) => {}
                (DONE, content) => {
                    let failed = |said| {
                        let text = format!("Could not search/find objectclasses in {}: {said}", self.base);
                        End::Answer(State::Critical, text)
                    };
                    return verdict(&content).map(|()| found).map_err(failed);
                }
                (tag, _) => return Err(unexpected(tag).into()),
            }
        }
        Err(Failure::new(Trouble::Garbage, format!("more than {ENTRIES_MAX} entries")).into())
    }
}

fn unexpected(tag: u8) -> Failure {
    Failure::new(Trouble::Garbage, format!("not answered as by LDAP (a message of kind {tag:#04x})"))
}

async fn send(connection: &mut Connection, number: i64, request: Vec<u8>) -> Result<(), Failure> {
    let message = ber::joined(ber::SEQUENCE, &[ber::integer(ber::INTEGER, number), request]);
    connection.send(&message).await
}

/// The next message to this request: kind and content.
async fn message(connection: &mut Connection, number: i64) -> Result<(u8, Vec<u8>), Failure> {
    const BYTES_MAX: usize = 1 << 20;
    let none = || Failure::new(Trouble::Garbage, "not answered as by LDAP");
    let head = connection.read_exactly(2).await?;
    let &[ber::SEQUENCE, first] = head.as_slice() else {
        let text = format!("not answered as by LDAP: {}", quoted_bytes(&head, 20));
        return Err(Failure::new(Trouble::Garbage, text));
    };
    let length = match first {
        short @ 0..=0x7f => usize::from(short),
        0x81..=0x84 => {
            let digits = connection.read_exactly(usize::from(first & 0x7f)).await?;
            digits.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
        }
        _ => return Err(none()),
    };
    if length > BYTES_MAX {
        return Err(Failure::new(Trouble::Garbage, format!("an LDAP message of {length} bytes")));
    }
    let bytes = connection.read_exactly(length).await?;
    let mut message = Ber(&bytes);
    let answered = message.expect_integer(ber::INTEGER).ok_or_else(none)?;
    let (tag, content) = message.next().ok_or_else(none)?;
    match answered {
        // Said to nobody in particular: the server is about to end the connection.
        0 => {
            let said = verdict(content).err().unwrap_or_default();
            Err(Failure::new(Trouble::Closed, format!("the server takes its leave: {said}")))
        }
        answered if answered == number => Ok((tag, content.to_vec())),
        _ => Err(Failure::new(Trouble::Garbage, "an answer to another request")),
    }
}

/// The code at the beginning of a result, in words.
fn verdict(content: &[u8]) -> Result<(), String> {
    let mut content = Ber(content);
    let Some(code) = content.expect_integer(ber::ENUMERATED) else {
        return Err("an answer without a code".to_owned());
    };
    if code == 0 {
        return Ok(());
    }
    let name = match code {
        1 => "operations error",
        2 => "protocol error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        8 => "stronger authentication required",
        10 => "referral to another server",
        11 => "administrative limit exceeded",
        13 => "confidentiality required: it wants TLS",
        32 => "no such object",
        34 => "invalid name",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        _ => "error",
    };
    let _matched_name = content.expect(ber::OCTETS);
    let said = quoted_bytes(content.expect(ber::OCTETS).unwrap_or_default(), 300);
    let colon = if said.is_empty() { "" } else { ": " };
    Err(format!("{name} ({code}){colon}{said}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::tests::{assert_harmless, check};
    use crate::trial::{look, look_briefly, peer, refusals, reset, text};

    fn result(number: i64, tag: u8, code: i64) -> Vec<u8> {
        let content =
            [ber::integer(ber::ENUMERATED, code), ber::element(4, b""), ber::element(4, b"why\x1b")];
        ber::joined(ber::SEQUENCE, &[ber::integer(ber::INTEGER, number), ber::joined(tag, &content)])
    }

    fn entry() -> Vec<u8> {
        let content = [ber::element(4, b"cn=a"), ber::joined(ber::SEQUENCE, &[])];
        ber::joined(ber::SEQUENCE, &[ber::integer(ber::INTEGER, 3), ber::joined(ENTRY, &content)])
    }

    async fn server(answers: Vec<Vec<u8>>) -> u16 {
        peer(async move |mut stream| {
            let mut heard = [0; 4096];
            for answer in answers {
                if stream.read(&mut heard).await.unwrap() == 0 {
                    return;
                }
                stream.write_all(&answer).await.unwrap();
            }
            let _end = stream.read(&mut heard).await.is_ok();
        })
        .await
    }

    #[tokio::test]
    async fn entries_are_counted() {
        for (entries, code, begins) in [
            ("-C 2", 0, "LDAP OK - found 2 entries in 0."),
            ("-W 1", 1, "LDAP WARNING - found 2 entries in 0."),
            ("-C 5:", 2, "LDAP CRITICAL - found 2 entries in 0."),
            ("", 0, "LDAP OK - 0."),
        ] {
            let found = [entry(), entry(), result(3, DONE, 0)].concat();
            let port = server(vec![result(2, BOUND, 0), found]).await;
            let (got, said) = check("ldap", &format!("-H 127.0.0.1 -p {port} -b dc=x -3 {entries}")).await;
            assert!(got == code && said.starts_with(begins), "{got} {said}");
        }
    }

    #[tokio::test]
    async fn what_a_server_refuses_is_said() {
        for (answers, expected) in [
            (vec![result(2, BOUND, 49)], "Could not bind to the LDAP server: invalid credentials (49): why"),
            (
                vec![result(2, BOUND, 0), result(3, DONE, 32)],
                "Could not search/find objectclasses in dc=x: no such object (32): why",
            ),
            (vec![result(0, 0x78, 52)], "the server takes its leave: unavailable (52): why"),
            (vec![result(7, BOUND, 0)], "an answer to another request"),
            (vec![b"SSH-2.0-x\r\n".to_vec()], "not answered as by LDAP: SS"),
            (vec![vec![0x30, 0x84, 255, 255, 255, 255]], "an LDAP message of 4294967295 bytes"),
        ] {
            let outcome = look(&KIND, &[("port", text(server(answers).await)), ("base", text("dc=x"))]).await;
            assert_eq!(outcome.output.text.trim_end(), format!("LDAP CRITICAL - {expected}"));
        }
    }

    #[tokio::test]
    async fn hostile_servers_are_given_up() {
        for part in [&b"2"[..], &[0x30, 0], &[0x30, 0x80, 1], b"\xff\xfe\r\n"] {
            let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
            for tls in ["off", "starttls"] {
                let outcome = look_briefly(&KIND, &[("port", text(port)), ("tls", text(tls))]).await;
                assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
                assert_harmless(&outcome.output.text);
            }
        }
        let endless = peer(async |mut stream| {
            stream.write_all(&result(2, BOUND, 0)).await.unwrap();
            while stream.write_all(&entry()).await.is_ok() {}
        })
        .await;
        assert_eq!(look_briefly(&KIND, &[("port", text(endless))]).await.state, State::Critical);
        let port = peer(async |stream| reset(stream)).await;
        assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        assert!(refusals(&KIND, &[("bind", text("cn=a"))])[0].contains("belong together"));
        assert!(refusals(&KIND, &[("filter", text("(&(a=b)"))])[0].contains("filter"));
    }
}
