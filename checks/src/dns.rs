//! `dns`: what one name server answers to one question (RFC 1035). The server is asked itself, through a socket of
//! our own: a resolver would answer from elsewhere, or from what it remembers.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Extra, Kind, Phase, Probe, Short};
use crate::net::{self, Endpoint, Failure, Trouble, explain};
use crate::options::{Choice, Given, Opt, OptionType, Reader, Shape, Texts, Threshold, Value};
use crate::outcome::{Outcome, judge_time, push_seconds};

pub(crate) const KIND: Kind = Kind {
    name: "dns",
    label: "DNS",
    summary: "a name server answers a question, and as expected",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("name"),
    examples: &[
        "-H 192.0.2.53 -l www.example.test -a 192.0.2.10",
        "-s 192.0.2.53 -H www.example.test -q AAAA -A",
        "-H 192.0.2.53 -l example.test -T MX -a '10 mail.example.test'",
    ],
    yaml: "DNS: {dns: {name: www.example.test, expect: [192.0.2.10, 192.0.2.11], warn: 200ms}}",
    trace: Some("a query, where the server logs queries"),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<String>("name", "the name to ask for; an address is asked for by its PTR")
        .required_unless("server")
        .flags("-l --query_address"),
    Opt::new::<String>("server", "the name server to ask, instead of the host").flags("-s"),
    Opt::new::<u16>("port", "the server's port").default("53").flags("-p"),
    Opt::new::<QueryType>("type", "the type of record to ask for: A, AAAA, MX, TXT, …; A when left out")
        .flags("-q --querytype --record_type"),
    Opt::new::<Texts>("expect", "all records that have to come, in any order")
        .flags("-a --expected-address --expected_address"),
    Opt::new::<bool>("authoritative", "the server has to answer of its own knowledge")
        .default("off")
        .sets(&[("-A --expect-authority", "on")]),
    Opt::new::<Transport>("transport", "udp changes to tcp when the answer was cut").default("udp"),
];

const EXTRAS: &[Extra] = &[Extra {
    flags: "-T",
    value: "TYPE",
    help: "the type of record to ask for, as check_dig has it",
    covers: &[],
    apply: |text| Ok(vec![("type", text.to_owned())]),
}];

const TYPES: &[&str] = &[
    "A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV",
    "SSHFP", "SVCB", "TLSA", "TXT",
];

/// What we say we can take in one datagram: passes everywhere without fragments.
const DATAGRAM_BYTES: u16 = 1232;
/// A datagram may be lost; the question is asked again after a third of the time.
const TRIES: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Choice for Transport {
    const WORDS: &'static [(&'static str, Self)] = &[("udp", Self::Udp), ("tcp", Self::Tcp)];
}

#[derive(Clone, Copy, Debug)]
struct QueryType(RecordType);

impl OptionType for QueryType {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a type of record")?;
        let upper = text.to_ascii_uppercase();
        let found = RecordType::from_str(&upper).ok().filter(|_| TYPES.contains(&upper.as_str()));
        if found.is_none() {
            reader.unknown(value.mark, "type of record", text, TYPES);
        }
        found.map(Self)
    }
}

#[derive(Debug)]
struct Dns {
    endpoint: Endpoint,
    port: u16,
    /// As written, for the output.
    asked: String,
    name: Name,
    record_type: RecordType,
    /// As [`shown`] writes records, sorted.
    expect: Vec<String>,
    must_be_authoritative: bool,
    transport: Transport,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let mut endpoint = Endpoint::read(given);
    let mut asked = given.find::<String>("name");
    let server = given.find::<String>("server");
    // check_dns has the name in `-H` and the server in `-s`.
    if asked.is_none() && server.is_some() && reader.allows_bare_numbers() {
        asked = endpoint.address.take();
    }
    endpoint.address = server.or(endpoint.address);
    let Some(asked) = asked else {
        reader.wrong_with_hint(given.mark("name"), "`name` is missing", "`name:` the name to ask for");
        return None;
    };
    let record_type = given.find::<QueryType>("type").map(|QueryType(record_type)| record_type);
    let address = asked.parse::<IpAddr>().ok();
    let name = match (address, record_type) {
        (Some(address), None | Some(RecordType::PTR)) => Ok(Name::from(address)),
        (Some(_) | None, _) => Name::from_utf8(&asked),
    };
    let Ok(mut name) = name else {
        reader.wrong(given.mark("name"), format!("`{asked}` is no name that can be asked for"));
        return None;
    };
    name.set_fqdn(true);
    let default_type = if address.is_some() { RecordType::PTR } else { RecordType::A };
    let record_type = record_type.unwrap_or(default_type);
    let mut expect: Vec<String> = given.find::<Texts>("expect").unwrap_or_default().0;
    if reader.allows_bare_numbers() && matches!(record_type, RecordType::A | RecordType::AAAA) {
        expect = expect.iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned()).collect();
    }
    let mut expect: Vec<String> = expect.iter().map(|text| normal(text)).collect();
    expect.sort();
    Some(Box::new(Dns {
        endpoint,
        port: given.get("port"),
        asked,
        name,
        record_type,
        expect,
        must_be_authoritative: given.get("authoritative"),
        transport: given.get("transport"),
        warn: given.find("warn"),
        crit: given.find("crit"),
    }))
}

impl Probe for Dns {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

impl Dns {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        match self.ask(call).await {
            Ok((answer, server)) => self.judge(call, &answer, server, call.elapsed()),
            Err(failure) => failure.outcome(call),
        }
    }

    async fn ask(&self, call: &Call<'_>) -> Result<(Message, IpAddr), Failure> {
        if self.transport == Transport::Tcp {
            return self.ask_by_tcp(call).await;
        }
        let addresses = call.resolve(self.endpoint.address(call), self.port, self.endpoint.family).await?;
        call.enters(Phase::Answer);
        let server =
            *addresses.first().ok_or_else(|| Failure::new(Trouble::Name, "the server has no address"))?;
        let answer = self.ask_by_udp(call, server).await?;
        if !answer.metadata.truncation {
            return Ok((answer, server.ip()));
        }
        call.note(|| "the answer was cut: asking again by TCP".to_owned());
        self.ask_by_tcp(call).await
    }

    fn question(&self, with_edns: bool) -> Message {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(self.name.clone(), self.record_type));
        if with_edns {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM_BYTES);
            question.set_edns(edns);
        }
        question
    }

    async fn ask_by_udp(&self, call: &Call<'_>, server: SocketAddr) -> Result<Message, Failure> {
        let answer = self.ask_at(call, server, true).await?;
        // Old servers know nothing of EDNS and refuse what they do not know.
        let knows_no_edns =
            matches!(answer.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp);
        if knows_no_edns {
            call.note(|| "the server knows no EDNS: asking again without".to_owned());
            return self.ask_at(call, server, false).await;
        }
        Ok(answer)
    }

    async fn ask_at(&self, call: &Call<'_>, server: SocketAddr, with_edns: bool) -> Result<Message, Failure> {
        let place = format!("{} port {}", server.ip(), server.port());
        let failed = |error: std::io::Error| {
            let (trouble, reason) = explain(&error);
            Failure::new(trouble, format!("no name server at {place}: {reason}"))
        };
        let local = if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(local).await.map_err(failed)?;
        socket.connect(server).await.map_err(failed)?;
        let question = self.question(with_edns);
        let bytes = encoded(&question)?;
        let latest = call.deadline.checked_sub(Duration::from_millis(20)).unwrap_or(call.deadline);
        let patience = latest.saturating_duration_since(Instant::now()) / TRIES;
        for number in 1..=TRIES {
            call.note(|| format!("asking {place} for {} {} by UDP", self.name, self.record_type));
            socket.send(&bytes).await.map_err(failed)?;
            let until = if number == TRIES { latest } else { Instant::now() + patience };
            match tokio::time::timeout_at(until, self.answer_to(&question, &socket)).await {
                Ok(answer) => return answer.map_err(failed),
                Err(_silence) => {}
            }
        }
        let seconds = call.target.timeout.as_secs_f64();
        Err(Failure::new(Trouble::Unreachable, format!("no answer from {place} within {seconds} s")))
    }

    /// Waits for the answer to this question, past everything that is none.
    async fn answer_to(&self, question: &Message, socket: &UdpSocket) -> std::io::Result<Message> {
        let mut buffer = vec![0; 65_535];
        loop {
            let count = socket.recv(&mut buffer).await?;
            if let Some(answer) = self.fitting(question, buffer.get(..count).unwrap_or_default()) {
                return Ok(answer);
            }
        }
    }

    fn fitting(&self, question: &Message, bytes: &[u8]) -> Option<Message> {
        let answer = Message::from_vec(bytes).ok()?;
        let asks_the_same = match answer.queries.as_slice() {
            // Some servers leave the question out when they refuse it.
            [] => answer.metadata.response_code != ResponseCode::NoError,
            [asked, ..] => asked.name() == &self.name && asked.query_type() == self.record_type,
        };
        let is_answer = answer.metadata.message_type == MessageType::Response;
        (is_answer && answer.metadata.id == question.metadata.id && asks_the_same).then_some(answer)
    }

    async fn ask_by_tcp(&self, call: &Call<'_>) -> Result<(Message, IpAddr), Failure> {
        let mut connection = call.connect(&self.endpoint, self.port).await?;
        let server = connection.peer.ip();
        let question = self.question(true);
        let bytes = encoded(&question)?;
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        let answered = async {
            connection.send(&[&length[..], &bytes].concat()).await?;
            let length = connection.read_exactly(2).await?;
            let length = length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
            connection.read_exactly(length).await
        };
        let answered = answered.await;
        call.close(connection).await;
        let answer = self.fitting(&question, &answered?);
        let answer =
            answer.ok_or_else(|| Failure::new(Trouble::Garbage, "what came is no answer to the question"));
        answer.map(|answer| (answer, server))
    }

    fn judge(&self, call: &Call<'_>, answer: &Message, server: IpAddr, took: Duration) -> Outcome {
        let (state, text) = self.verdict(answer, server, took);
        let mut perfdata = String::new();
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, call.target.timeout);
        Outcome::new(state, text).perfdata(perfdata)
    }

    fn verdict(&self, answer: &Message, server: IpAddr, took: Duration) -> (State, String) {
        let asked = &self.asked;
        let critical = |text: String| (State::Critical, format!("DNS CRITICAL - {text}"));
        let code = answer.metadata.response_code;
        if code == ResponseCode::NXDomain {
            return critical(format!("Domain '{asked}' was not found by the server ({server}: NXDOMAIN)"));
        }
        if code != ResponseCode::NoError {
            return critical(format!("{server} answers {}: {code}", word(code)));
        }
        let mut records: Vec<String> = answer
            .answers
            .iter()
            .filter(|record| self.record_type == RecordType::ANY || record.record_type() == self.record_type)
            .map(shown)
            .collect();
        records.sort();
        records.dedup();
        if records.is_empty() {
            return critical(format!("'{asked}' has no {} record, says {server}", self.record_type));
        }
        let all = records.join(",");
        if !self.expect.is_empty() && self.expect != records {
            return critical(format!("expected '{}' but got '{all}'", self.expect.join(",")));
        }
        if self.must_be_authoritative && !answer.metadata.authoritative {
            return critical(format!("server {server} is not authoritative for {asked}"));
        }
        let state = judge_time(took, self.warn, self.crit);
        let mut text = format!("DNS {}: {:.3} seconds response time. ", state.word(), took.as_secs_f64());
        let _infallible = write!(text, "{asked} returns {all}");
        (state, text)
    }
}

fn encoded(question: &Message) -> Result<Vec<u8>, Failure> {
    question
        .to_vec()
        .map_err(|error| Failure::new(Trouble::Local, format!("the question cannot be asked: {error}")))
}

/// A record as `expect` has it: lower case names without their last dot, texts as they are.
fn shown(record: &Record) -> String {
    match &record.data {
        RData::TXT(text) => text.to_string(),
        // This one has no text.
        RData::OPT(_) => String::new(),
        other => normal(&other.to_string()),
    }
}

/// The same spelling for what was written and what came.
fn normal(text: &str) -> String {
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        return address.to_string();
    }
    let looks_like_records = text.split_whitespace().all(|word| word.chars().all(is_of_a_name));
    if !looks_like_records {
        return text.to_owned();
    }
    let words = text.split_whitespace().map(|word| match word.strip_suffix('.') {
        Some(name) if !name.is_empty() => name.to_ascii_lowercase(),
        Some(_) | None => word.to_ascii_lowercase(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*')
}

/// The codes as `dig` writes them.
fn word(code: ResponseCode) -> &'static str {
    if code == ResponseCode::ServFail {
        "SERVFAIL"
    } else if code == ResponseCode::Refused {
        "REFUSED"
    } else if code == ResponseCode::FormErr {
        "FORMERR"
    } else if code == ResponseCode::NotImp {
        "NOTIMP"
    } else {
        "an error"
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, TXT};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tests::check;
    use crate::trial::{closed_port, list, look, look_briefly, refusals, text};

    fn record(name: &str, data: RData) -> Record {
        Record::from_rdata(Name::from_ascii(name).unwrap(), 60, data)
    }

    fn a(last: u8) -> RData {
        RData::A(A::new(192, 0, 2, last))
    }

    /// A server that answers every question with what the function makes of it, by UDP and TCP on one port.
    async fn server(answer: impl Fn(&mut Message, bool) + Send + Sync + Clone + 'static) -> u16 {
        let (udp, tcp, port) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = udp.local_addr().unwrap().port();
            // Another test may have this port of TCP.
            if let Ok(tcp) = TcpListener::bind(("127.0.0.1", port)).await {
                break (udp, tcp, port);
            }
        };
        let reply = move |question: &[u8], is_tcp: bool| {
            let mut message = Message::from_vec(question).unwrap();
            message.metadata.message_type = MessageType::Response;
            answer(&mut message, is_tcp);
            message.to_vec().unwrap()
        };
        let by_udp = reply.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((count, from)) = udp.recv_from(&mut buffer).await {
                udp.send_to(&by_udp(&buffer[..count], false), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut question).await.unwrap();
                let answer = reply(&question, true);
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        port
    }

    async fn says(port: u16, options: &[(&str, Value)]) -> (State, String) {
        let mut all = vec![("port", text(port)), ("name", text("www.example.test"))];
        all.extend(options.iter().cloned());
        let outcome = look(&KIND, &all).await;
        (outcome.state, outcome.output.text.into())
    }

    #[tokio::test]
    async fn answers_are_shown_and_expected_in_any_order() {
        let port = server(|message, _| {
            message.add_answer(record(
                "www.example.test.",
                RData::CNAME(CNAME(Name::from_ascii("x.test.").unwrap())),
            ));
            message.add_answer(record("x.test.", a(11)));
            message.add_answer(record("x.test.", a(10)));
        })
        .await;
        let (state, line) = says(port, &[("expect", list(&["192.0.2.11", "192.0.2.10"]))]).await;
        assert_eq!(state, State::Ok, "{line}");
        assert!(
            line.starts_with("DNS OK: 0.")
                && line.ends_with("www.example.test returns 192.0.2.10,192.0.2.11")
        );
        let (state, line) = says(port, &[("expect", text("192.0.2.10"))]).await;
        assert_eq!(state, State::Critical);
        assert_eq!(line, "DNS CRITICAL - expected '192.0.2.10' but got '192.0.2.10,192.0.2.11'");
    }

    #[tokio::test]
    async fn other_types_are_compared_by_meaning() {
        let port = server(|message, _| {
            let data = match message.queries[0].query_type() {
                RecordType::MX => RData::MX(MX::new(10, Name::from_ascii("Mail.Example.test.").unwrap())),
                _ => RData::TXT(TXT::new(vec!["v=spf1 -ALL".to_owned()])),
            };
            message.add_answer(record("www.example.test.", data));
        })
        .await;
        for (kind, expected) in [("mx", "10 mail.example.test"), ("TXT", "v=spf1 -ALL")] {
            let (state, line) = says(port, &[("type", text(kind)), ("expect", text(expected))]).await;
            assert_eq!(state, State::Ok, "{line}");
        }
    }

    #[tokio::test]
    async fn a_cut_answer_is_asked_for_again_by_tcp() {
        let port = server(|message, is_tcp| {
            message.metadata.truncation = !is_tcp;
            message.add_answer(record("www.example.test.", a(if is_tcp { 2 } else { 1 })));
        })
        .await;
        for transport in ["udp", "tcp"] {
            let (state, line) =
                says(port, &[("transport", text(transport)), ("expect", text("192.0.2.2"))]).await;
            assert_eq!(state, State::Ok, "{line}");
        }
    }

    #[tokio::test]
    async fn an_old_server_is_asked_without_edns() {
        let port = server(|message, _| {
            if message.edns.take().is_some() {
                message.metadata.response_code = ResponseCode::FormErr;
            } else {
                message.add_answer(record("www.example.test.", a(1)));
            }
        })
        .await;
        assert_eq!(says(port, &[]).await.0, State::Ok);
    }

    #[tokio::test]
    async fn refusals_and_missing_records_are_said() {
        let cases = [
            (
                ResponseCode::NXDomain,
                "Domain 'www.example.test' was not found by the server (127.0.0.1: NXDOMAIN)",
            ),
            (ResponseCode::ServFail, "127.0.0.1 answers SERVFAIL: Server Failure"),
            (ResponseCode::Refused, "127.0.0.1 answers REFUSED: Query Refused"),
            (ResponseCode::NoError, "'www.example.test' has no A record, says 127.0.0.1"),
        ];
        for (code, expected) in cases {
            let port = server(move |message, _| message.metadata.response_code = code).await;
            let (state, line) = says(port, &[]).await;
            assert_eq!((state, line), (State::Critical, format!("DNS CRITICAL - {expected}")));
        }
        let port = server(|message, _| {
            message.add_answer(record("www.example.test.", a(1)));
        })
        .await;
        let (state, line) = says(port, &[("authoritative", text("on"))]).await;
        assert_eq!(state, State::Critical);
        assert_eq!(line, "DNS CRITICAL - server 127.0.0.1 is not authoritative for www.example.test");
    }

    #[tokio::test]
    async fn forged_and_broken_answers_are_passed_over() {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = udp.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            let (count, from) = udp.recv_from(&mut buffer).await.unwrap();
            let mut good = Message::from_vec(&buffer[..count]).unwrap();
            good.metadata.message_type = MessageType::Response;
            good.add_answer(record("www.example.test.", a(1)));
            let mut forged = good.clone();
            forged.metadata.id = good.metadata.id.wrapping_add(1);
            let mut other = good.clone();
            other.queries = vec![Query::query(Name::from_ascii("other.test.").unwrap(), RecordType::A)];
            let broken = b"\0\x01garbage".to_vec();
            for bytes in [
                broken,
                Vec::new(),
                forged.to_vec().unwrap(),
                other.to_vec().unwrap(),
                good.to_vec().unwrap(),
            ] {
                udp.send_to(&bytes, from).await.unwrap();
            }
        });
        let (state, line) = says(port, &[]).await;
        assert_eq!(state, State::Ok, "{line}");
    }

    #[tokio::test]
    async fn silence_and_a_closed_port_are_critical() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let outcome = look_briefly(&KIND, &[("port", text(port)), ("name", text("x.test"))]).await;
        let expected = format!("DNS CRITICAL - no answer from 127.0.0.1 port {port} within 0.3 s");
        assert_eq!(&*outcome.output.text, expected);
        let (state, line) = says(closed_port().await, &[]).await;
        assert_eq!(state, State::Critical);
        assert!(line.contains("Connection refused"), "{line}");
    }

    #[tokio::test]
    async fn the_flags_of_both_plugins_are_understood() {
        let port = server(|message, _| {
            let name = message.queries[0].name().clone();
            message.add_answer(Record::from_rdata(name, 60, a(1)));
        })
        .await;
        for line in [
            format!("-H 127.0.0.1 -p {port} -l www.example.test -T A -a 192.0.2.1"),
            format!("-s 127.0.0.1 -p {port} -H www.example.test -q A -a 192.0.2.1"),
        ] {
            let (code, said) = check("dns", &line).await;
            assert_eq!(code, 0, "{line}: {said}");
            assert!(said.contains("www.example.test returns 192.0.2.1|time="), "{said}");
        }
        assert_eq!(check("dns", "-H 127.0.0.1").await.0, 3);
    }

    #[test]
    fn an_address_is_asked_for_by_its_ptr() {
        assert!(refusals(&KIND, &[("name", text("a..b"))])[0].contains("no name"));
        assert!(refusals(&KIND, &[("name", text("x")), ("type", text("AAAAA"))])[0].contains("unknown type"));
        assert!(refusals(&KIND, &[])[0].contains("`name` is missing"));
        let name = Name::from("192.0.2.1".parse::<IpAddr>().unwrap());
        assert_eq!(name.to_string(), "1.2.0.192.in-addr.arpa.");
    }
}
