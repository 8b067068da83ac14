//! `tls`: the certificates of a server, at once or after a protocol's own words.

use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use vigia_core::model::state::Condition as _;

use crate::cert::{Chain, Verdict};
use crate::kind::{Call, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure};
use crate::options::{Age, Given, Opt, Reader, Texts};
use crate::outcome::{Outcome, push_seconds};
use crate::secure::{self, MinVersion, Session, Tls, TlsFiles, TlsMode};
use crate::starttls::{Dialogue, goodbye, start};

pub(crate) const KIND: Kind = Kind {
    name: "tls",
    label: "TLS",
    summary: "a server's certificates are trusted, complete, for the right name, and will live long enough",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::Option("port"),
    examples: &[
        "-H www.example.test -w 30 -c 14",
        "-H mail.example.test -p 25 --starttls smtp",
        "-H 192.0.2.10 -n www.example.test --ca our-ca.pem",
    ],
    yaml: "certificate: {tls: {port: 443, warn: 30d, crit: 7d}}\nmail-certificate: {tls: {port: 25, starttls: smtp}}",
    trace: Some(
        "a handshake without a request; with `starttls: mysql` a failed connection, which MySQL counts",
    ),
    extras: &[],
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("443").flags("-p"),
    Opt::new::<String>("name", "the name asked for (SNI) and checked, instead of the address as written")
        .flags("-n"),
    Opt::new::<Dialogue>("starttls", "the protocol in which TLS is started; without it TLS begins at once"),
    Opt::new::<Age>("warn", "a certificate of the used path with less life left is WARNING")
        .default("30d")
        .flags("-w --warning"),
    Opt::new::<Age>("crit", "with less than this it is CRITICAL").default("14d").flags("-c --critical"),
    Opt::new::<MinVersion>("min", "the oldest version that is accepted").default("1.2"),
    Opt::new::<Texts>("alpn", "protocols to offer (h2, http/1.1); one of them has to be chosen"),
    Opt::new::<bool>("verify", "whether an untrusted chain or a wrong name is CRITICAL").default("on"),
    Opt::new::<String>("ca", "file with the certificates to trust, instead of the system's"),
    Opt::new::<String>("cert", "file with our certificate and its chain, for servers that ask")
        .flags("-J --client-cert"),
    Opt::new::<String>("key", "file with our certificate's key").flags("-K --private-key"),
];

#[derive(Debug)]
struct TlsCheck {
    endpoint: Endpoint,
    port: u16,
    dialogue: Option<Dialogue>,
    alpn: Vec<String>,
    tls: Tls,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let alpn = given.find::<Texts>("alpn").unwrap_or_default().0;
    if alpn.iter().any(|protocol| protocol.is_empty() || protocol.len() > 255) {
        reader.wrong(given.mark("alpn"), "the name of a protocol has 1 to 255 bytes");
    }
    let files = TlsFiles { ca: given.find("ca"), cert: given.find("cert"), key: given.find("key") };
    if files.key.is_some() && files.cert.is_none() {
        reader.wrong_with_hint(
            given.mark("key"),
            "`key` without `cert`",
            "both files are needed, or neither",
        );
    }
    secure::warn_of_order(given, reader);
    let tls = Tls {
        mode: TlsMode::On,
        verify: given.get("verify"),
        name: given.find("name"),
        files,
        min: given.find("min"),
        warn: given.get("warn"),
        crit: given.get("crit"),
    };
    Some(Box::new(TlsCheck {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        dialogue: given.find("starttls"),
        alpn,
        tls,
    }))
}

impl Probe for TlsCheck {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.open(call).await {
                Ok(mut connection) => {
                    let outcome = self.judge(call, &connection);
                    if let Some(words) = self.dialogue.and_then(goodbye) {
                        // Politeness alone: the verdict stands whether they are heard or not.
                        let _heard = connection.send(words).await.is_ok();
                    }
                    call.close(connection).await;
                    outcome
                }
                Err(failure) => failure.outcome(call),
            }
        })
    }
}

impl TlsCheck {
    async fn open(&self, call: &Call<'_>) -> Result<Connection, Failure> {
        let mut connection = call.connect(&self.endpoint, self.port).await?;
        if let Some(dialogue) = self.dialogue {
            start(&mut connection, dialogue).await?;
        }
        let protocols: Vec<&str> = self.alpn.iter().map(String::as_str).collect();
        connection.secure(call, &self.tls, self.endpoint.address(call), &protocols).await?;
        Ok(connection)
    }

    fn judge(&self, call: &Call<'_>, connection: &Connection) -> Outcome {
        let Some(session) = &connection.session else {
            return Outcome::unknown("TLS UNKNOWN - there was no handshake");
        };
        let mut verdict = session.judge(&self.tls);
        self.judge_alpn(session, &mut verdict);
        let mut perfdata = String::new();
        let days = |age: Age| age.0.as_secs() / 86_400;
        let left = verdict.seconds_left.div_euclid(86_400);
        let _infallible =
            write!(perfdata, "days_left={left};{}:;{}:;;", days(self.tls.warn), days(self.tls.crit));
        push_seconds(&mut perfdata, "time", call.elapsed(), None, None, call.target.timeout);
        let state = verdict.state;
        let text =
            format!("TLS {} - {} ({}, {})", state.word(), verdict.text, session.protocol, session.cipher);
        let mut lines = verdict.notes;
        lines.extend(describe(&session.chain));
        Outcome::new(state, text).perfdata(perfdata).long(&lines)
    }

    fn judge_alpn(&self, session: &Session, verdict: &mut Verdict) {
        if self.alpn.is_empty() {
            return;
        }
        match &session.alpn {
            Some(chosen) => verdict.notes.push(format!("protocol: {}", String::from_utf8_lossy(chosen))),
            None => {
                verdict.state = vigia_core::model::state::State::Critical;
                verdict.text = format!("the server chose none of {}; {}", self.alpn.join(", "), verdict.text);
            }
        }
    }
}

/// The used path, one line a certificate.
fn describe(chain: &Chain) -> Vec<String> {
    let path = if chain.path.is_empty() { &chain.sent } else { &chain.path };
    path.iter().enumerate().map(|(depth, certificate)| format!("{depth}: {certificate}")).collect()
}
