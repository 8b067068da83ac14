//! TLS on a connection: its options, the handshake, and what both sides agreed on. Trust is judged afterwards
//! (`cert`), so that an expired or untrusted server still shows its whole chain.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{Error as SslError, SslConnector, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use tokio::time::Instant;
use tokio_openssl::SslStream;
use vigia_core::model::state::State;

use crate::cert::{Chain, Fault, Verdict, judge};
use crate::kind::{Call, Phase};
use crate::net::{Connection, Failure, Stream, Trouble};
use crate::options::{Age, Choice, Given, Node, Opt, OptionType, Reader, Shape, Value};

/// Whether and when TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Off,
    /// From the first byte.
    On,
    /// After the protocol's own words.
    StartTls,
}

impl Choice for TlsMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("on", Self::On), ("starttls", Self::StartTls)];
}

/// The oldest version that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinVersion(SslVersion);

impl Choice for MinVersion {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("1.0", Self(SslVersion::TLS1)),
        ("1.1", Self(SslVersion::TLS1_1)),
        ("1.2", Self(SslVersion::TLS1_2)),
        ("1.3", Self(SslVersion::TLS1_3)),
    ];
}

/// The option `tls` of every kind that can speak it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub mode: TlsMode,
    /// Whether distrust is an alert; age always is.
    pub verify: bool,
    /// The name asked for and checked; `None`: the one connected to.
    pub name: Option<String>,
    pub files: TlsFiles,
    pub min: Option<MinVersion>,
    pub warn: Age,
    pub crit: Age,
}

/// Paths; what makes one set of TLS settings different from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
}

/// For kinds that list their own: `tls: off`.
pub const TLS: Opt = Opt::new::<Tls>("tls", "whether TLS is spoken, and how it is judged")
    .default("off")
    .sets(&[("-S --ssl --tls", "on")]);

pub(crate) const INSIDE: &[Opt] = &[
    Opt::new::<TlsMode>("mode", "from the first byte, or after the protocol's own words").default("on"),
    Opt::new::<bool>("verify", "whether an untrusted chain or a wrong name is CRITICAL").default("on"),
    Opt::new::<String>("name", "the name asked for (SNI) and checked, instead of the one connected to"),
    Opt::new::<String>("ca", "file with the certificates to trust, instead of the system's"),
    Opt::new::<String>("cert", "file with our certificate and its chain, for servers that ask")
        .flags("-J --client-cert"),
    Opt::new::<String>("key", "file with our certificate's key").flags("-K --private-key"),
    Opt::new::<MinVersion>("min", "the oldest version that is spoken"),
    Opt::new::<Age>("warn", "a certificate of the used path with less life left is WARNING").default("30d"),
    Opt::new::<Age>("crit", "with less than this it is CRITICAL").default("14d"),
];

impl OptionType for Tls {
    const SHAPE: Shape = Shape::OneOf(&[<TlsMode as OptionType>::SHAPE, Shape::Map(INSIDE)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let value = match &value.node {
            Node::Text(_) => Value::single("mode", value.clone()),
            Node::Null | Node::List(_) | Node::Map(_) => value.clone(),
        };
        let given = Given::read(&value, &[INSIDE], reader);
        let tls = Self {
            mode: given.find("mode")?,
            verify: given.find("verify")?,
            name: given.find("name"),
            files: TlsFiles { ca: given.find("ca"), cert: given.find("cert"), key: given.find("key") },
            min: given.find("min"),
            warn: given.find("warn")?,
            crit: given.find("crit")?,
        };
        if tls.files.key.is_some() && tls.files.cert.is_none() {
            reader.wrong_with_hint(
                given.mark("key"),
                "`key` without `cert`",
                "both files are needed, or neither",
            );
        }
        warn_of_order(&given, reader);
        Some(tls)
    }
}

/// Says when `warn` cannot come before `crit`.
pub(crate) fn warn_of_order(given: &Given, reader: &mut Reader) {
    let (warn, crit): (Age, Age) = (given.get("warn"), given.get("crit"));
    if given.written("warn").is_some() && warn <= crit {
        reader.warn(
            given.mark("warn"),
            "`warn` comes no earlier than `crit`: it is CRITICAL at once",
            "a longer `warn`, or a shorter `crit`",
        );
    }
}

impl Tls {
    /// As if nothing but `tls: on` were written.
    pub fn on() -> Self {
        let (warn, crit) = (Age(Duration::from_secs(30 * 86_400)), Age(Duration::from_secs(14 * 86_400)));
        Self {
            mode: TlsMode::On,
            verify: true,
            name: None,
            files: TlsFiles::default(),
            min: None,
            warn,
            crit,
        }
    }
}

/// What one handshake agreed on.
#[derive(Clone, Debug)]
pub struct Session {
    /// `TLSv1.3`.
    pub protocol: &'static str,
    pub cipher: &'static str,
    /// The protocol chosen by ALPN: `h2`, `http/1.1`.
    pub alpn: Option<Vec<u8>>,
    pub chain: Chain,
    /// The name that was asked for.
    pub name: String,
}

impl Session {
    pub fn judge(&self, tls: &Tls) -> Verdict {
        judge(&self.chain, tls.verify, &self.name, tls.warn, tls.crit)
    }
}

/// TLS contexts by their files: loading the system's trusted certificates takes many times as long as a check.
#[derive(Default)]
pub struct Connectors {
    made: Mutex<HashMap<TlsFiles, (Instant, SslConnector)>>,
    building: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Connectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connectors").finish_non_exhaustive()
    }
}

impl Connectors {
    /// Files may be renewed in place; they are read again after this long.
    const LIFE: Duration = Duration::from_secs(300);

    pub(crate) async fn get(&self, files: &TlsFiles) -> Result<SslConnector, Failure> {
        if let Some(connector) = self.made(files) {
            return Ok(connector);
        }
        // Many checks begin at once after a start: one of them loads, on a thread of its own, and the others wait.
        let _building = self.building.lock().await;
        if let Some(connector) = self.made(files) {
            return Ok(connector);
        }
        let to_read = files.clone();
        let built = tokio::task::spawn_blocking(move || build(&to_read)).await;
        let lost = |error| Failure::new(Trouble::Local, format!("cannot begin TLS: {error}"));
        let connector = built.map_err(lost)??;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(files.clone(), (Instant::now(), connector.clone()));
        Ok(connector)
    }

    fn made(&self, files: &TlsFiles) -> Option<SslConnector> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, connector) = made.get(files)?;
        (at.elapsed() < Self::LIFE).then(|| connector.clone())
    }
}

fn build(files: &TlsFiles) -> Result<SslConnector, Failure> {
    let local = |what: &str, path: &str, error: ErrorStack| {
        Failure::new(Trouble::Local, format!("cannot use {what} `{path}`: {}", reason(&error)))
    };
    let begun = SslConnector::builder(SslMethod::tls());
    let mut builder =
        begun.map_err(|error| Failure::new(Trouble::Local, format!("no TLS here: {}", reason(&error))))?;
    if let Some(ca) = &files.ca {
        builder.set_ca_file(ca).map_err(|error| local("the trusted certificates in", ca, error))?;
    }
    if let Some(cert) = &files.cert {
        builder.set_certificate_chain_file(cert).map_err(|error| local("the certificate in", cert, error))?;
        let key = files.key.as_ref().unwrap_or(cert);
        builder
            .set_private_key_file(key, SslFiletype::PEM)
            .map_err(|error| local("the key in", key, error))?;
    }
    Ok(builder.build())
}

fn reason(error: &ErrorStack) -> String {
    error
        .errors()
        .iter()
        .find_map(openssl::error::Error::reason)
        .unwrap_or("OpenSSL does not say why")
        .to_owned()
}

impl Connection {
    /// Speaks TLS from here on. `name` is what the connection was made to; `protocols` are offered by ALPN.
    pub async fn secure(
        &mut self,
        call: &Call<'_>,
        tls: &Tls,
        name: &str,
        protocols: &[&str],
    ) -> Result<(), Failure> {
        if self.has_read_ahead() {
            let text = "the server went on talking before TLS began (refused: what it said would count as protected)";
            return Err(Failure::new(Trouble::Garbage, text));
        }
        let Stream::Plain(socket) = std::mem::replace(&mut self.stream, Stream::Changing) else {
            return Err(Failure::new(Trouble::Tls, "TLS is spoken already"));
        };
        call.enters(Phase::Handshake);
        let begun = Instant::now();
        let name = tls.name.as_deref().unwrap_or(name).trim_start_matches('[').trim_end_matches(']');
        let faults: Arc<Mutex<Vec<Fault>>> = Arc::default();
        let connector = call.shared.connectors.get(&tls.files).await?;
        let ssl = prepare(&connector, tls, name, protocols, &faults)?;
        let stream = SslStream::new(ssl, socket);
        let mut stream = stream.map_err(|error| Failure::new(Trouble::Local, reason(&error)))?;
        Pin::new(&mut stream).connect().await.map_err(|error| refused(&error))?;
        let ssl = stream.ssl();
        let faults = std::mem::take(&mut *faults.lock().unwrap_or_else(PoisonError::into_inner));
        let session = Session {
            protocol: ssl.version_str(),
            cipher: ssl.current_cipher().map_or("?", |cipher| cipher.name()),
            alpn: ssl.selected_alpn_protocol().map(<[u8]>::to_vec),
            chain: Chain::read(ssl.peer_cert_chain(), ssl.verified_chain(), faults),
            name: name.to_owned(),
        };
        self.times.tls = begun.elapsed();
        call.note(|| describe(&session));
        call.enters(Phase::Answer);
        self.session = Some(Box::new(session));
        self.stream = Stream::Tls(Box::new(stream));
        Ok(())
    }

    /// What is thought of the certificates; `None` without TLS.
    pub fn verdict(&self, tls: &Tls) -> Option<Verdict> {
        self.session.as_ref().map(|session| session.judge(tls))
    }

    /// Why no secret may be sent here: the other side is not who it should be. A certificate that will expire soon
    /// is no reason.
    pub fn distrust(&self, tls: &Tls) -> Option<Failure> {
        let session =
            self.session.as_ref().filter(|session| tls.verify && !session.chain.faults.is_empty())?;
        Some(Failure::new(Trouble::Tls, session.judge(tls).text))
    }
}

fn prepare(
    connector: &SslConnector,
    tls: &Tls,
    name: &str,
    protocols: &[&str],
    faults: &Arc<Mutex<Vec<Fault>>>,
) -> Result<openssl::ssl::Ssl, Failure> {
    let broken =
        |error: ErrorStack| Failure::new(Trouble::Local, format!("cannot begin TLS: {}", reason(&error)));
    let has_zone = name.contains('%');
    let configured = connector.configure().map_err(broken)?;
    let mut ssl = configured
        .use_server_name_indication(!has_zone && !name.is_empty())
        .verify_hostname(!has_zone && !name.is_empty())
        .into_ssl(name)
        .map_err(broken)?;
    let found = Arc::clone(faults);
    // Everything is accepted here and judged later: the last word of OpenSSL alone would hide all but one fault.
    ssl.set_verify_callback(SslVerifyMode::PEER, move |is_good, context| {
        if !is_good {
            let fault = Fault {
                depth: context.error_depth(),
                code: context.error().as_raw(),
                text: context.error().error_string(),
            };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.len() < 64 && !found.contains(&fault) {
                found.push(fault);
            }
        }
        true
    });
    if let Some(MinVersion(version)) = tls.min {
        ssl.set_min_proto_version(Some(version)).map_err(broken)?;
    }
    if !protocols.is_empty() {
        let wire: Vec<u8> = protocols
            .iter()
            .filter_map(|protocol| u8::try_from(protocol.len()).ok().map(|length| (length, protocol)))
            .flat_map(|(length, protocol)| std::iter::once(length).chain(protocol.bytes()))
            .collect();
        ssl.set_alpn_protos(&wire).map_err(broken)?;
    }
    Ok(ssl)
}

/// Why the handshake failed, without OpenSSL's numbers.
pub(crate) fn refused(error: &SslError) -> Failure {
    if let Some(io) = error.io_error() {
        let (trouble, reason) = crate::net::explain(io);
        return Failure::new(trouble, format!("TLS handshake: {reason}"));
    }
    let reason = error.ssl_error().map(reason).unwrap_or_default();
    let text = match reason.as_str() {
        "" | "unexpected eof while reading" => "the server ended the connection".to_owned(),
        "wrong version number" | "packet length too long" | "record layer failure" | "http request" => {
            format!("what answers does not speak TLS here ({reason})")
        }
        "unsupported protocol" | "tlsv1 alert protocol version" => {
            format!("no version of TLS that both sides accept ({reason})")
        }
        _ => reason,
    };
    Failure::new(Trouble::Tls, format!("TLS handshake: {text}"))
}

fn describe(session: &Session) -> String {
    let alpn = session
        .alpn
        .as_deref()
        .map(|alpn| format!(", {}", String::from_utf8_lossy(alpn)))
        .unwrap_or_default();
    let sent: Vec<&str> = session.chain.sent.iter().map(|certificate| certificate.name.as_str()).collect();
    format!("{} {}{alpn}; certificates: {}", session.protocol, session.cipher, sent.join(" < "))
}

/// Adds what is thought of the certificates to a result: the worse state wins, and says why.
pub fn weigh(state: State, text: &mut String, verdict: Option<&Verdict>) -> State {
    match verdict {
        Some(verdict) if verdict.state != State::Ok => {
            text.push_str("; ");
            text.push_str(&verdict.text);
            if verdict.state.severity() > state.severity() { verdict.state } else { state }
        }
        Some(_) | None => state,
    }
}
