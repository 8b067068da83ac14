//! `snmp`: values of an agent against ranges, a text or a pattern; versions 1 and 2c, read only. Version 3 and rates
//! are not in it: the one is a protocol of its own, the other needs a memory of the last value.

mod packet;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use vigia_core::model::state::{Condition as _, State};
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::{Range, Thresholds};

use crate::kind::{Call, Extra, Kind, Phase, Probe, Short};
use crate::net::{self, Endpoint, Failure, Trouble, explain};
use crate::options::{
    Choice, Given, Node, Opt, OptionType, Pattern, Reader, Secret, Shape, Value as Written,
};
use crate::outcome::Outcome;
use crate::talk::{self, End};
use packet::{Answer, Oid, Value};

pub(crate) const KIND: Kind = Kind {
    name: "snmp",
    label: "SNMP",
    summary: "values of an SNMP agent are within ranges, hold a text or match a pattern",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::Option("oid"),
    examples: &[
        "-H switch1.example.test -C secret -o 1.3.6.1.2.1.1.3.0",
        "-H switch1 -C secret -o 1.3.6.1.2.1.2.2.1.8.1,1.3.6.1.2.1.2.2.1.8.2 -c 1:1,1:1 -l port1,port2",
        "-H switch1 -C secret -o 1.3.6.1.2.1.1.1.0 -r 'IOS.*15'",
    ],
    yaml: "UPLINK: {snmp: {oid: {uplink: 1.3.6.1.2.1.2.2.1.8.1}, community: {file: /etc/vigia/secrets/snmp}, crit: \"1:1\"}}",
    trace: None,
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to ask").default("161").flags("-p"),
    Opt::new::<Oids>("oid", "what to ask for, in numbers: one, several with commas, or a map from names")
        .required()
        .flags("-o"),
    Opt::new::<Version>("version", "the version that is spoken; 3 is not in this program")
        .default("2c")
        .flags("-P --protocol"),
    Opt::new::<Secret>("community", "the word that lets us read").default("public").flags("-C"),
    Opt::new::<bool>("next", "ask for what follows the named one").default("off").sets(&[("-n", "on")]),
    Opt::new::<Ranges>("warn", "outside of this range it is WARNING; of several values with commas")
        .flags("-w --warning"),
    Opt::new::<Ranges>("crit", "outside of this range it is CRITICAL; of several values with commas")
        .flags("-c --critical"),
    Opt::new::<String>("string", "what the values have to be").flags("-s"),
    Opt::new::<Pattern>("regex", "what they have to match").flags("-r --ereg"),
    Opt::new::<bool>("invert", "`string` and `regex` must not fit")
        .default("off")
        .sets(&[("--invert-search", "on")]),
    Opt::new::<String>("label", "names of the values, with commas").flags("-l"),
    Opt::new::<String>("units", "what the values are counted in, with commas").flags("-u"),
    Opt::new::<u32>("retries", "how often a question without an answer is asked again")
        .default("5")
        .flags("-e"),
    Opt::new::<bool>(
        "rate",
        "the change per second; refused, since a check does not remember the last value",
    )
    .default("off"),
];

const EXTRAS: &[Extra] = &[Extra {
    flags: "-R --eregi",
    value: "TEXT",
    help: "what they have to match, whatever the case",
    covers: &[],
    apply: |text| Ok(vec![("regex", format!("(?i){text}"))]),
}];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2c,
    V3,
}

impl Choice for Version {
    const WORDS: &'static [(&'static str, Self)] = &[("1", Self::V1), ("2c", Self::V2c), ("3", Self::V3)];
}

/// Names, where there are some, and what they stand for.
#[derive(Clone, Debug)]
struct Oids(Vec<(Option<String>, Oid)>);

impl OptionType for Oids {
    const SHAPE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::MapOf(&Shape::Text)]);

    fn read(value: &Written, reader: &mut Reader) -> Option<Self> {
        const MOST: usize = 60;
        let written: Vec<(Option<String>, String, &Written)> = match &value.node {
            Node::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let text = reader.text(&entry.value, "a number such as 1.3.6.1.2.1.1.3.0")?;
                    Some((Some(entry.key.clone()), text.to_owned(), &entry.value))
                })
                .collect::<Option<_>>()?,
            Node::List(items) => {
                let mut all = Vec::new();
                for item in items {
                    let text = reader.text(item, "a number such as 1.3.6.1.2.1.1.3.0")?;
                    all.extend(several(text).map(|text| (None, text, item)));
                }
                all
            }
            Node::Text(_) | Node::Null => {
                let text = reader.text(value, "a number such as 1.3.6.1.2.1.1.3.0")?;
                several(text).map(|text| (None, text, value)).collect()
            }
        };
        if written.is_empty() || written.len() > MOST {
            reader.wrong(value.mark, format!("{} is one to {MOST} values", reader.path()));
            return None;
        }
        let mut oids = Self(Vec::new());
        for (name, text, place) in written {
            let Some(oid) = Oid::parse(&text) else {
                let message = format!("`{text}` is no object identifier in numbers");
                let hint = "names of MIBs are not known here; `snmptranslate -On NAME` shows the numbers";
                reader.wrong_with_hint(place.mark, message, hint);
                return None;
            };
            oids.0.push((name, oid));
        }
        Some(oids)
    }
}

fn several(text: &str) -> impl Iterator<Item = String> {
    text.split([',', ' ']).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// One range for each value; an empty one is none.
#[derive(Clone, Debug, Default)]
struct Ranges(Vec<Option<Range>>);

impl OptionType for Ranges {
    const SHAPE: Shape = Shape::Range;

    fn read(value: &Written, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a range such as \"10:20\"")?;
        let mut ranges = Self::default();
        for part in text.split(',') {
            let part = Written::text(part.trim(), value.mark);
            let is_none = matches!(&part.node, Node::Text(text) if text.is_empty() || text == ":");
            ranges.0.push(if is_none { None } else { Some(Range::read(&part, reader)?) });
        }
        Some(ranges)
    }
}

#[derive(Debug)]
struct Snmp {
    endpoint: Endpoint,
    port: u16,
    wanted: Vec<Wanted>,
    is_v1: bool,
    community: Secret,
    next: bool,
    text: Option<String>,
    regex: Option<Pattern>,
    invert: bool,
    retries: u32,
}

/// One value that is asked for.
#[derive(Debug)]
struct Wanted {
    oid: Oid,
    label: Option<String>,
    units: String,
    thresholds: Thresholds,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let version = given.get::<Version>("version");
    if version == Version::V3 {
        let hint = "2c with a community of its own, or `plugin: [check_snmp, …]`";
        reader.wrong_with_hint(given.mark("version"), "SNMP version 3 is not spoken by this program", hint);
    }
    if given.get::<bool>("rate") {
        let hint = "compare the counter's rate where its performance data are kept";
        reader.wrong_with_hint(
            given.mark("rate"),
            "a check does not remember the last value: no `rate`",
            hint,
        );
    }
    let words = |name: &str| -> Vec<String> {
        let text = given.find::<String>(name).unwrap_or_default();
        text.split(',').map(|word| word.trim().to_owned()).collect()
    };
    let (labels, units) = (words("label"), words("units"));
    let (warn, crit) = (
        given.find::<Ranges>("warn").unwrap_or_default().0,
        given.find::<Ranges>("crit").unwrap_or_default().0,
    );
    let wanted = given.get::<Oids>("oid").0.into_iter().enumerate().map(|(at, (name, oid))| Wanted {
        oid,
        label: name.or_else(|| labels.get(at).filter(|label| !label.is_empty()).cloned()),
        units: units.get(at).cloned().unwrap_or_default(),
        thresholds: Thresholds {
            warn: warn.get(at).copied().flatten(),
            crit: crit.get(at).copied().flatten(),
        },
    });
    let wanted: Vec<Wanted> = wanted.collect();
    for (name, ranges) in [("warn", &warn), ("crit", &crit)] {
        if ranges.len() > wanted.len() {
            reader.wrong(given.mark(name), format!("`{name}` has more ranges than there are values"));
        }
    }
    Some(Box::new(Snmp {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        wanted,
        is_v1: version == Version::V1,
        community: given.get("community"),
        next: given.get("next"),
        text: given.find("string"),
        regex: given.find("regex"),
        invert: given.get("invert"),
        retries: given.get("retries"),
    }))
}

impl Probe for Snmp {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.ask(call).await {
                Ok(values) => self.judge(&values),
                Err(end) => end.outcome(call),
            }
        })
    }
}

impl Snmp {
    async fn ask(&self, call: &Call<'_>) -> Result<Vec<(Oid, Value)>, End> {
        let community = call.reveal(&self.community).map_err(End::Ours)?;
        let name = self.endpoint.address(call);
        let found = call.resolve(name, self.port, self.endpoint.family).await?;
        let none = || Failure::new(Trouble::Name, format!("`{name}` has no address"));
        let address = found.into_iter().next().ok_or_else(none)?;
        call.enters(Phase::Answer);
        let mut number = [0; 4];
        getrandom::fill(&mut number)
            .map_err(|error| Failure::new(Trouble::Local, format!("no random number: {error}")))?;
        // Positive, as some agents want it.
        let number = i64::from(u32::from_be_bytes(number) >> 1);
        let oids: Vec<&Oid> = self.wanted.iter().map(|wanted| &wanted.oid).collect();
        let question = packet::question(self.is_v1, &community, self.next, number, &oids);
        let asked = exchange(call, address, &question, number, self.retries);
        let answered = asked.await.map_err(|error| {
            let (trouble, reason) = explain(&error);
            Failure::new(trouble, format!("address {} and port {}: {reason}", address.ip(), address.port()))
        })?;
        let Some(answer) = answered else {
            let text = format!(
                "no answer from {} port {}: there is no agent, or it does not know this community",
                address.ip(),
                address.port()
            );
            return Err(Failure::new(Trouble::Unreachable, text).into());
        };
        self.check(answer)
    }

    /// An answer that has all values.
    fn check(&self, answer: Answer) -> Result<Vec<(Oid, Value)>, End> {
        if answer.error != 0 {
            let place = usize::try_from(answer.error_index).ok().and_then(|at| at.checked_sub(1));
            let oid = place.and_then(|at| self.wanted.get(at)).map(|wanted| format!(": {}", wanted.oid));
            let why = packet::error_text(answer.error);
            return Err(End::Answer(State::Unknown, format!("{why}{}", oid.unwrap_or_default())));
        }
        if answer.values.len() < self.wanted.len() {
            return Err(Failure::new(Trouble::Garbage, "the answer lacks values").into());
        }
        for ((oid, value), wanted) in answer.values.iter().zip(&self.wanted) {
            if let Value::Missing(why) = value {
                return Err(End::Answer(State::Unknown, format!("{why}: {oid}")));
            }
            if !self.next && *oid != wanted.oid {
                return Err(Failure::new(Trouble::Garbage, format!("{oid} was not asked for")).into());
            }
        }
        Ok(answer.values)
    }

    fn judge(&self, values: &[(Oid, Value)]) -> Outcome {
        let (mut state, mut text, mut perfdata) = (State::Ok, String::new(), String::new());
        for ((oid, value), wanted) in values.iter().zip(&self.wanted) {
            let judged = self.judge_one(value, wanted);
            state = talk::worse(state, judged);
            // A star on both sides marks which of several it is.
            let star = if judged == State::Ok { "" } else { "*" };
            if let Some(label) = &wanted.label {
                let _infallible = write!(text, "{label} ");
            }
            let _infallible = write!(text, "{star}{value}{star} ");
            if !wanted.units.is_empty() {
                let _infallible = write!(text, "{} ", wanted.units);
            }
            if let Some(number) = value.number() {
                let label = wanted.label.clone().unwrap_or_else(|| oid.to_string());
                let unit = value.unit(&wanted.units);
                let metric = Metric::new(label, number, unit);
                let metric = metric.thresholds(wanted.thresholds.warn, wanted.thresholds.crit);
                let _infallible = write!(perfdata, "{}{metric}", if perfdata.is_empty() { "" } else { " " });
            }
        }
        Outcome::new(state, format!("SNMP {} - {}", state.word(), text.trim_end())).perfdata(perfdata)
    }

    fn judge_one(&self, value: &Value, wanted: &Wanted) -> State {
        let mut state = State::Ok;
        let said = value.plain();
        let fits = |is_found: bool| if is_found == self.invert { State::Critical } else { State::Ok };
        if let Some(text) = &self.text {
            state = talk::worse(state, fits(said == *text));
        }
        if let Some(regex) = &self.regex {
            state = talk::worse(state, fits(regex.0.is_match(said.as_bytes())));
        }
        if wanted.thresholds != Thresholds::default() {
            // A device may tell numbers as texts.
            let number = value.number().or_else(|| vigia_core::nagios::threshold::number(said.trim()));
            let judged = number.map_or(State::Unknown, |number| wanted.thresholds.judge(number));
            state = talk::worse(state, judged);
        }
        state
    }
}

/// Asks until an answer to this question comes. `None`: none came in time.
async fn exchange(
    call: &Call<'_>,
    address: SocketAddr,
    question: &[u8],
    number: i64,
    retries: u32,
) -> std::io::Result<Option<Answer>> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let tries = retries.saturating_add(1).min(100);
    let usable = call.target.timeout.saturating_sub(call.elapsed()).saturating_sub(Duration::from_millis(20));
    let patience = usable / tries;
    let mut bytes = vec![0; 65_536];
    for _ in 0..tries {
        call.note(|| "asked".to_owned());
        socket.send(question).await?;
        let heard = timeout(patience, async {
            loop {
                let count = socket.recv(&mut bytes).await?;
                if let Some(answer) = bytes.get(..count).and_then(|bytes| packet::answer(bytes, number)) {
                    return Ok(answer);
                }
                call.note(|| format!("{count} bytes that are no answer"));
            }
        });
        if let Ok(answer) = heard.await {
            return answer.map(Some);
        }
    }
    Ok(None)
}
