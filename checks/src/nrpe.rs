//! `nrpe`: a command that an NRPE daemon runs on its machine; state and output are the command's. Packets of versions
//! 4, 3 and 2, plain, through TLS, or through TLS without certificates as daemons without a key speak it.

use std::pin::Pin;

use futures_util::future::BoxFuture;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
use tokio_openssl::SslStream;
use vigia_core::model::state::State;
use vigia_core::nagios::output;

use crate::kind::{Call, Extra, Kind, Phase, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, Stream, Trouble};
use crate::options::{Choice, Given, Node, Opt, OptionType, Reader, Shape, Texts, Value};
use crate::outcome::{Outcome, one_line, quoted_bytes};
use crate::secure::{self, Tls, TlsMode};
use crate::talk::End;
use crate::tcp::StateWord;

pub(crate) const KIND: Kind = Kind {
    name: "nrpe",
    label: "NRPE",
    summary: "a command that an NRPE daemon runs on its machine; state and output are the command's",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::Option("command"),
    examples: &["-H web1.example.test -c check_load", "-H old.example.test -c check_disk --tls legacy"],
    yaml: "LOAD: {nrpe: check_load}\nDISK: {nrpe: {command: check_disk, tls: legacy}}",
    trace: Some("the daemon runs the command, and logs it with `debug=1`"),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("5666").flags("-p"),
    Opt::new::<String>("command", "which of its commands the daemon runs").required().flags("-c"),
    Opt::new::<Texts>("args", "arguments for it, where the daemon takes any (`dont_blame_nrpe`)").flags("-a"),
    Opt::new::<Version>("version", "the version of the packets; auto tries 4, 3 and 2, and 3 tries 3 and 2")
        .default("auto")
        .sets(&[("-2 --v2-packets-only", "2"), ("-3 --v3-packets-only", "3")]),
    Opt::new::<StateWord>("on_trouble", "the state when the daemon cannot be reached or does not answer")
        .default("critical")
        .sets(&[("-u --unknown-timeout", "unknown")]),
    Opt::new::<Protection>(
        "tls",
        "whether TLS is spoken, and how it is judged; legacy is TLS without certificates",
    )
    .default("on")
    .sets(&[("-n --no-ssl", "off")]),
];

const EXTRAS: &[Extra] = &[
    Extra {
        flags: "-C --client-cert",
        value: "FILE",
        help: "our certificate",
        covers: &[],
        apply: |text| Ok(vec![("tls.cert", text.to_owned())]),
    },
    Extra {
        flags: "-K --key-file",
        value: "FILE",
        help: "its key",
        covers: &[],
        apply: |text| Ok(vec![("tls.key", text.to_owned())]),
    },
    Extra {
        flags: "-A --ca-cert-file",
        value: "FILE",
        help: "certificates to trust",
        covers: &[],
        apply: |text| Ok(vec![("tls.ca", text.to_owned())]),
    },
    Extra {
        flags: "-d --use-adh",
        value: "0|1|2",
        help: "0 is `tls: on`; the others are `tls: legacy`",
        covers: &[],
        apply: |text| match text {
            "0" => Ok(vec![("tls.mode", "on".to_owned())]),
            "1" | "2" => Ok(vec![("tls.mode", "legacy".to_owned())]),
            _ => Err(format!("0, 1 or 2, not `{text}`")),
        },
    },
];

/// Which packets are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Auto,
    Only(Packets),
}

/// A version of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packets {
    V2 = 2,
    V3 = 3,
    V4 = 4,
}

impl Choice for Version {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("2", Self::Only(Packets::V2)),
        ("3", Self::Only(Packets::V3)),
        ("4", Self::Only(Packets::V4)),
    ];
}

/// How the connection is protected.
#[derive(Clone, Debug)]
enum Protection {
    Tls(Tls),
    /// Encrypted, but nobody knows by whom.
    Anonymous,
}

#[derive(Clone, Copy)]
struct Word;

impl Choice for Word {
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self), ("on", Self), ("legacy", Self)];
}

impl OptionType for Protection {
    const SHAPE: Shape = Shape::OneOf(&[<Word as OptionType>::SHAPE, Shape::Map(secure::INSIDE)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let is_legacy = |value: &Value| matches!(&value.node, Node::Text(text) if text == "legacy");
        let mode = match &value.node {
            Node::Map(entries) => entries.iter().find(|entry| entry.key == "mode").map(|entry| &entry.value),
            Node::Text(_) | Node::Null | Node::List(_) => Some(value),
        };
        if mode.is_some_and(is_legacy) {
            let message = "TLS without certificates hides what is said, but not from whoever stands between";
            reader.warn(
                value.mark,
                message,
                "give the daemon a certificate (`ssl_cert_file`), and use `tls: on`",
            );
            return Some(Self::Anonymous);
        }
        let tls = Tls::read(value, reader)?;
        if tls.mode == TlsMode::StartTls {
            reader.wrong(value.mark, "NRPE knows no STARTTLS: `tls: on`, `off` or `legacy`");
        }
        Some(Self::Tls(tls))
    }
}

#[derive(Debug)]
struct Nrpe {
    endpoint: Endpoint,
    port: u16,
    /// Command and arguments, as they are sent.
    query: String,
    version: Version,
    on_trouble: State,
    protection: Protection,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    const LONGEST_V2: usize = BUFFER_V2 - 1;
    const LONGEST: usize = 32_768;
    let mut query = given.get::<String>("command");
    for argument in given.find::<Texts>("args").unwrap_or_default().0 {
        query.push('!');
        query.push_str(&argument);
    }
    let version = given.get::<Version>("version");
    let longest = if version == Version::Only(Packets::V2) { LONGEST_V2 } else { LONGEST };
    if query.is_empty() || query.contains('\0') || query.len() > longest {
        let message = format!("command and arguments are 1 to {longest} bytes, none of them zero");
        reader.wrong(given.mark("command"), message);
    }
    Some(Box::new(Nrpe {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        query,
        version,
        on_trouble: given.get::<StateWord>("on_trouble").0,
        protection: given.get("tls"),
    }))
}

impl Probe for Nrpe {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.look(call).await {
                Ok(outcome) => outcome,
                Err(End::Failure(failure)) if failure.trouble != Trouble::Local => {
                    failure.outcome_as(self.on_trouble, call)
                }
                Err(end) => end.outcome(call),
            }
        })
    }
}

impl Nrpe {
    async fn look(&self, call: &Call<'_>) -> Result<Outcome, End> {
        let versions: &[Packets] = match &self.version {
            Version::Auto => &[Packets::V4, Packets::V3, Packets::V2],
            // As check_nrpe does: NRPE 4.1 answers no packet of version 3.
            Version::Only(Packets::V3) => &[Packets::V3, Packets::V2],
            Version::Only(version) => std::slice::from_ref(version),
        };
        let mut silence = None;
        for version in versions.iter().copied() {
            if version == Packets::V2 && self.query.len() >= BUFFER_V2 {
                break;
            }
            let mut connection = call.connect(&self.endpoint, self.port).await?;
            self.secure(call, &mut connection).await?;
            call.note(|| format!("client: {} in a packet of version {}", self.query, version as u8));
            match exchange(&mut connection, version, &self.query).await {
                Ok(answer) => {
                    let outcome = self.judge(&connection, &answer);
                    call.close(connection).await;
                    return Ok(outcome);
                }
                // A daemon that does not know this version ends the connection without a word.
                Err(failure) if matches!(failure.trouble, Trouble::Closed | Trouble::Reset) => {
                    call.note(|| failure.text.clone());
                    silence = Some(failure);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        let trouble = silence.map_or(Trouble::Closed, |failure| failure.trouble);
        let text = "the daemon ended the connection without an answer: perhaps it takes no arguments \
                    (`dont_blame_nrpe`), or its log says more";
        Err(Failure::new(trouble, text).into())
    }

    async fn secure(&self, call: &Call<'_>, connection: &mut Connection) -> Result<(), Failure> {
        let remedy = |failure: Failure, more: &str| match failure.trouble {
            Trouble::Tls | Trouble::Closed | Trouble::Reset => {
                Failure::new(failure.trouble, format!("{}; {more}", failure.text))
            }
            _ => failure,
        };
        match &self.protection {
            Protection::Tls(tls) if tls.mode == TlsMode::Off => Ok(()),
            Protection::Tls(tls) => {
                let secured = connection.secure(call, tls, self.endpoint.address(call), &[]).await;
                secured.map_err(|failure| {
                    remedy(
                        failure,
                        "a daemon without a certificate wants `tls: legacy`, and each its `allowed_hosts`",
                    )
                })
            }
            Protection::Anonymous => anonymous(call, connection)
                .await
                .map_err(|failure| remedy(failure, "see its `allowed_hosts`")),
        }
    }

    fn judge(&self, connection: &Connection, answer: &Answer) -> Outcome {
        let parsed = output::parse(&answer.text);
        let mut text = parsed.text.to_string();
        if answer.text.is_empty() {
            "No output returned from daemon.".clone_into(&mut text);
        }
        let verdict = match &self.protection {
            Protection::Tls(tls) => connection.verdict(tls),
            Protection::Anonymous => None,
        };
        let state = secure::weigh(answer.state, &mut text, verdict.as_ref());
        let mut lines: Vec<String> = parsed.long.lines().map(str::to_owned).collect();
        lines.extend(verdict.map(|verdict| verdict.notes).unwrap_or_default());
        Outcome::new(state, text).perfdata(one_line(parsed.perfdata.to_string(), 8192)).long(&lines)
    }
}

/// TLS with an anonymous key exchange, which exists up to TLS 1.2 and only where nothing forbids it.
async fn anonymous(call: &Call<'_>, connection: &mut Connection) -> Result<(), Failure> {
    let Stream::Plain(socket) = std::mem::replace(&mut connection.stream, Stream::Changing) else {
        return Err(Failure::new(Trouble::Tls, "TLS is spoken already"));
    };
    call.enters(Phase::Handshake);
    let prepare = || -> Result<Ssl, openssl::error::ErrorStack> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
        builder.set_cipher_list("ADH:@SECLEVEL=0")?;
        Ssl::new(&builder.build())
    };
    let stream = prepare().and_then(|ssl| SslStream::new(ssl, socket));
    let ours =
        |error| Failure::new(Trouble::Local, format!("TLS without certificates is not to be had: {error}"));
    let mut stream = stream.map_err(ours)?;
    Pin::new(&mut stream).connect().await.map_err(|error| secure::refused(&error))?;
    connection.stream = Stream::Tls(Box::new(stream));
    call.enters(Phase::Answer);
    Ok(())
}

/// Of the text in a packet of version 2.
const BUFFER_V2: usize = 1024;
/// Version, kind, checksum, result; then the text and two bytes that the compiler of the first daemon added.
const PACKET_V2: usize = 10 + BUFFER_V2 + 2;
/// Version, kind, checksum, result, two empty bytes, length.
const HEADER: usize = 16;
const QUERY: u16 = 1;
const RESPONSE: u16 = 2;

/// What the daemon says that the command said.
#[derive(Debug, PartialEq)]
struct Answer {
    state: State,
    text: Vec<u8>,
}

impl Packets {
    /// Bytes that version 3 sends and sums up after the text.
    fn tail(self) -> usize {
        match self {
            Self::V2 | Self::V4 => 0,
            Self::V3 => 3,
        }
    }

    /// A packet with this text.
    fn packet(self, kind: u16, result: u16, text: &[u8]) -> Vec<u8> {
        let mut bytes = (self as u16).to_be_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&result.to_be_bytes());
        if self != Self::V2 {
            // As large as a packet of version 2 at least.
            let length = (text.len() + 1).max(PACKET_V2 - HEADER - self.tail());
            bytes.extend_from_slice(&[0; 2]);
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(0).to_be_bytes());
        }
        bytes.extend_from_slice(text);
        bytes.resize((bytes.len() + 1 + self.tail()).max(PACKET_V2), 0);
        put_sum(&mut bytes);
        bytes
    }
}

/// The checksum is that of the packet with nothing in its place.
fn put_sum(packet: &mut [u8]) {
    let sum = crc32(packet);
    if let Some(place) = packet.get_mut(4..8) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

/// Gives a packet the sum that belongs to it, whatever else is wrong with it.
#[cfg(test)]
pub(crate) fn with_its_sum(packet: &mut [u8]) {
    let tail = match number(packet, 0) {
        3 => Packets::V3.tail(),
        4 => Packets::V4.tail(),
        _ => 0,
    };
    let mut whole = packet.to_vec();
    whole.resize(whole.len() + tail, 0);
    whole.iter_mut().skip(4).take(4).for_each(|byte| *byte = 0);
    put_sum(&mut whole);
    packet.iter_mut().zip(whole).skip(4).take(4).for_each(|(place, byte)| *place = byte);
}

async fn exchange(connection: &mut Connection, version: Packets, query: &str) -> Result<Answer, Failure> {
    const LENGTH_MAX: usize = 65_536;
    let none = |what: &str| Failure::new(Trouble::Garbage, format!("no answer of an NRPE daemon: {what}"));
    connection.send(&version.packet(QUERY, 0, query.as_bytes())).await?;
    let mut packet = connection.read_exactly(4).await?;
    let (answered, kind) = (number(&packet, 0), number(&packet, 2));
    let answered = match answered {
        2 => Packets::V2,
        3 => Packets::V3,
        4 => Packets::V4,
        0x1503 => return Err(none("it speaks TLS, so `tls:` is not off there")),
        _ => return Err(none(&quoted_bytes(&packet, 20))),
    };
    if kind != RESPONSE {
        return Err(none(&format!("a packet of kind {kind}")));
    }
    let text_from = match answered {
        Packets::V2 => {
            packet.extend(connection.read_exactly(PACKET_V2 - 4).await?);
            10
        }
        Packets::V3 | Packets::V4 => {
            packet.extend(connection.read_exactly(HEADER - 4).await?);
            let length = packet.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > LENGTH_MAX {
                return Err(none(&format!("a packet of {length} bytes")));
            }
            packet.extend(connection.read_exactly(length).await?);
            // Zeros that come after it, and belong to the sum.
            packet.resize(packet.len() + answered.tail(), 0);
            HEADER
        }
    };
    let sum = packet.get(4..8).map(<[u8]>::to_vec).unwrap_or_default();
    if let Some(place) = packet.get_mut(4..8) {
        place.fill(0);
    }
    if crc32(&packet).to_be_bytes() != *sum {
        return Err(none("its checksum is wrong"));
    }
    let state = match number(&packet, 8) {
        0 => State::Ok,
        1 => State::Warning,
        2 => State::Critical,
        _ => State::Unknown,
    };
    let text = packet.get(text_from..).unwrap_or_default();
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    Ok(Answer { state, text })
}

/// Two bytes of the header.
fn number(packet: &[u8], at: usize) -> u16 {
    let bytes = packet.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tests::{assert_harmless, check};
    use crate::trial::{look, look_briefly, peer, refusals, text};

    /// Answers one question if it is of a version that is known; what was asked.
    async fn serve(
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        newest: u16,
        result: u16,
        said: &[u8],
    ) {
        let mut bytes = vec![0; PACKET_V2];
        if stream.read_exact(&mut bytes).await.is_err() {
            return;
        }
        let version = match number(&bytes, 0) {
            2 => Packets::V2,
            3 => Packets::V3,
            _ => Packets::V4,
        };
        if version as u16 > newest {
            return;
        }
        let sum = bytes[4..8].to_vec();
        bytes[4..8].fill(0);
        assert_eq!(crc32(&bytes).to_be_bytes(), *sum);
        stream.write_all(&version.packet(RESPONSE, result, said)).await.unwrap();
        let _end = stream.read(&mut bytes).await.is_ok();
    }

    async fn daemon(newest: u16, result: u16, said: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                serve(&mut stream, newest, result, said).await;
            }
        });
        port
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[tokio::test]
    async fn state_and_output_are_those_of_the_command() {
        for newest in [4, 3, 2] {
            for (result, code) in [(0, 0), (1, 1), (2, 2), (3, 3), (126, 3)] {
                let port = daemon(newest, result, b"load is | high|load=7;5;10\nmore\x1b").await;
                let (got, said) =
                    check("nrpe", &format!("-H 127.0.0.1 -p {port} -c check_load -a 1 -n")).await;
                assert_eq!(got, code, "{said}");
                assert!(said.starts_with("load is"), "{said}");
                assert_harmless(&said);
            }
        }
        let port = daemon(4, 0, b"").await;
        let (code, said) = check("nrpe", &format!("-H 127.0.0.1 -p {port} -c x -n -2")).await;
        assert_eq!((code, said.as_str()), (0, "No output returned from daemon."));
    }

    #[tokio::test]
    async fn legacy_is_tls_without_certificates() {
        for tls in ["legacy", "on"] {
            let port = peer(async |stream| {
                let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
                builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
                builder.set_cipher_list("ADH:@SECLEVEL=0").unwrap();
                builder.set_tmp_dh(&openssl::dh::Dh::get_2048_256().unwrap()).unwrap();
                let ssl = Ssl::new(&builder.build()).unwrap();
                let mut stream = SslStream::new(ssl, stream).unwrap();
                if Pin::new(&mut stream).accept().await.is_ok() {
                    serve(&mut stream, 4, 0, b"fine").await;
                }
            })
            .await;
            let options = [("port", text(port)), ("command", text("x")), ("tls", text(tls))];
            let outcome = look(&KIND, &options).await;
            let said = &*outcome.output.text;
            assert!(if tls == "on" { said.contains("`tls: legacy`") } else { said == "fine" }, "{said}");
        }
    }

    #[tokio::test]
    async fn hostile_daemons_are_given_up() {
        let mut broken = Packets::V4.packet(RESPONSE, 0, b"fine");
        broken[20] ^= 1;
        let huge = [&[0, 4, 0, 2][..], &[0; 8], &[255; 4]].concat();
        for part in
            [broken, huge, b"SSH-2.0-x\r\n".to_vec(), Packets::V2.packet(QUERY, 0, b"x"), vec![0, 2, 0, 2]]
        {
            let port = peer(async move |mut stream| {
                let _gone = stream.write_all(&part).await.is_ok();
                std::future::pending::<()>().await;
            })
            .await;
            let options = [("port", text(port)), ("command", text("x")), ("tls", text("off"))];
            let outcome = look_briefly(&KIND, &options).await;
            assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
            assert_harmless(&outcome.output.text);
        }
        let port = daemon(1, 0, b"").await;
        let (code, said) = check("nrpe", &format!("-H 127.0.0.1 -p {port} -c x -n -u")).await;
        assert!(code == 3 && said.contains("without an answer"), "{said}");
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        assert!(refusals(&KIND, &[("command", text("a\0b"))])[0].contains("none of them zero"));
        assert!(
            refusals(&KIND, &[("command", text("a")), ("tls", text("starttls"))])[0].contains("no STARTTLS")
        );
        let options = [("command", text("a".repeat(1024))), ("version", text("2"))];
        assert!(refusals(&KIND, &options)[0].contains("1023 bytes"));
    }
}
