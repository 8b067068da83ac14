//! Messages of SNMP version 1 and 2c (RFC 1157, RFC 3416), and the values in them.

use std::fmt;

use crate::ber::{self, Ber};
use crate::outcome::quoted_bytes;

const GET: u8 = 0xa0;
const GET_NEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;

/// An object identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Oid(Vec<u32>);

impl Oid {
    /// `1.3.6.1.2.1.1.3.0`, with or without a dot in front.
    pub(super) fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 128;
        let text = text.strip_prefix('.').unwrap_or(text);
        let numbers: Vec<u32> = text
            .split('.')
            .map(|part| part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit())))
            .collect::<Option<_>>()?;
        match numbers.as_slice() {
            [0..=1, 0..=39, ..] | [2, 0..=175, ..] if numbers.len() <= LONGEST => Some(Self(numbers)),
            _ => None,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (first, rest) = match self.0.as_slice() {
            [first, second, rest @ ..] => (first.saturating_mul(40).saturating_add(*second), rest),
            _ => (0, &[][..]),
        };
        let mut bytes = Vec::new();
        for number in std::iter::once(&first).chain(rest) {
            let groups = (0..5_u32).rev().map(|group| (number >> (7 * group)) & 0x7f);
            let groups: Vec<u32> = groups.skip_while(|group| *group == 0).collect();
            let last = groups.len().saturating_sub(1);
            if groups.is_empty() {
                bytes.push(0);
            }
            for (at, group) in groups.iter().enumerate() {
                let goes_on = if at == last { 0 } else { 0x80 };
                bytes.push(u8::try_from(*group).unwrap_or(0) | goes_on);
            }
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut numbers = Vec::new();
        let mut number: u32 = 0;
        for byte in bytes {
            number = number.checked_mul(128)? | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                if numbers.is_empty() {
                    let first = (number / 40).min(2);
                    numbers.extend([first, number - first * 40]);
                } else {
                    numbers.push(number);
                }
                number = 0;
            }
        }
        (!numbers.is_empty() && bytes.last().is_some_and(|byte| byte & 0x80 == 0)).then_some(Self(numbers))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// What an agent tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Text(Vec<u8>),
    Oid(Oid),
    Address([u8; 4]),
    /// Wraps and only grows.
    Counter(u64),
    Gauge(u64),
    /// Hundredths of a second.
    Ticks(u64),
    /// Why there is none.
    Missing(&'static str),
    /// A type that is not looked into.
    Other(u8),
}

impl Value {
    fn read(tag: u8, content: &[u8]) -> Option<Self> {
        Some(match tag {
            ber::INTEGER => Self::Integer(ber::signed(content)?),
            ber::OCTETS => Self::Text(content.to_vec()),
            ber::NULL => Self::Missing("No value"),
            ber::OID => Self::Oid(Oid::read(content)?),
            0x40 => Self::Address(content.try_into().ok()?),
            0x41 | 0x46 => Self::Counter(ber::unsigned(content)?),
            0x42 => Self::Gauge(ber::unsigned(content)?),
            0x43 => Self::Ticks(ber::unsigned(content)?),
            0x80 => Self::Missing("No Such Object available on this agent at this OID"),
            0x81 => Self::Missing("No Such Instance currently exists at this OID"),
            0x82 => Self::Missing("No more variables left in this MIB View"),
            other => Self::Other(other),
        })
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Counter(number) | Self::Gauge(number) | Self::Ticks(number) => Some(*number as f64),
            Self::Text(_) | Self::Oid(_) | Self::Address(_) | Self::Missing(_) | Self::Other(_) => None,
        }
    }

    /// For perfdata: a counter is one, whatever it counts.
    pub(super) fn unit<'a>(&self, units: &'a str) -> &'a str {
        let is_plain = units.chars().all(|c| c.is_ascii_alphabetic() || c == '%');
        match self {
            Self::Counter(_) => "c",
            _ if is_plain => units,
            _ => "",
        }
    }

    /// What texts and patterns are held against.
    pub(super) fn plain(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Self::Ticks(ticks) => ticks.to_string(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Counter(number) | Self::Gauge(number) => write!(f, "{number}"),
            Self::Text(text) if std::str::from_utf8(text).is_ok_and(|text| !text.contains('\0')) => {
                write!(f, "\"{}\"", quoted_bytes(text, 1000))
            }
            Self::Text(bytes) => {
                let shown: Vec<String> = bytes.iter().take(64).map(|byte| format!("{byte:02X}")).collect();
                f.write_str(&shown.join(" "))
            }
            Self::Oid(oid) => write!(f, "{oid}"),
            Self::Address([a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            Self::Ticks(ticks) => {
                let (seconds, rest) = (ticks / 100, ticks % 100);
                let (minutes, hours) = (seconds / 60 % 60, seconds / 3600 % 24);
                write!(f, "Timeticks: ({ticks}) ")?;
                match seconds / 86_400 {
                    0 => {}
                    1 => f.write_str("1 day, ")?,
                    days => write!(f, "{days} days, ")?,
                }
                write!(f, "{hours}:{minutes:02}:{:02}.{rest:02}", seconds % 60)
            }
            Self::Missing(why) => f.write_str(why),
            Self::Other(tag) => write!(f, "a value of type {tag:#04x}"),
        }
    }
}

/// An agent's answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) error: i64,
    /// Which of the values it is about, from 1.
    pub(super) error_index: i64,
    pub(super) values: Vec<(Oid, Value)>,
}

pub(super) fn question(is_v1: bool, community: &str, next: bool, number: i64, oids: &[&Oid]) -> Vec<u8> {
    let bindings: Vec<Vec<u8>> = oids
        .iter()
        .map(|oid| {
            ber::joined(ber::SEQUENCE, &[ber::element(ber::OID, &oid.bytes()), ber::element(ber::NULL, &[])])
        })
        .collect();
    let request = [
        ber::integer(ber::INTEGER, number),
        ber::integer(ber::INTEGER, 0),
        ber::integer(ber::INTEGER, 0),
        ber::joined(ber::SEQUENCE, &bindings),
    ];
    let parts = [
        ber::integer(ber::INTEGER, i64::from(!is_v1)),
        ber::element(ber::OCTETS, community.as_bytes()),
        ber::joined(if next { GET_NEXT } else { GET }, &request),
    ];
    ber::joined(ber::SEQUENCE, &parts)
}

/// The packet as an answer to the question of this number; `None`: it is none.
pub(super) fn answer(packet: &[u8], number: i64) -> Option<Answer> {
    let mut message = Ber(Ber(packet).expect(ber::SEQUENCE)?);
    let _version = message.expect_integer(ber::INTEGER)?;
    let _community = message.expect(ber::OCTETS)?;
    let mut response = Ber(message.expect(RESPONSE)?);
    if response.expect_integer(ber::INTEGER)? != number {
        return None;
    }
    let error = response.expect_integer(ber::INTEGER)?;
    let error_index = response.expect_integer(ber::INTEGER)?;
    let mut bindings = Ber(response.expect(ber::SEQUENCE)?);
    let mut values = Vec::new();
    while !bindings.0.is_empty() {
        let mut binding = Ber(bindings.expect(ber::SEQUENCE)?);
        let oid = Oid::read(binding.expect(ber::OID)?)?;
        let (tag, content) = binding.next()?;
        values.push((oid, Value::read(tag, content)?));
    }
    Some(Answer { error, error_index, values })
}

pub(super) fn error_text(code: i64) -> String {
    match code {
        1 => "tooBig: the answer does not fit into a packet; ask for fewer values".to_owned(),
        2 => "noSuchName: there is no such variable".to_owned(),
        5 => "genErr: the agent failed".to_owned(),
        6 => "noAccess: this community may not read it".to_owned(),
        16 => "authorizationError: this community may not read it".to_owned(),
        other => format!("the agent answers with error {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_survive_the_way_out_and_back() {
        for text in ["1.3.6.1.2.1.1.3.0", "1.3.6.1.4.1.8072.3.2.10", "2.100.3", "0.0", "1.3.4294967295"] {
            let oid = Oid::parse(text).unwrap();
            assert_eq!(Oid::read(&oid.bytes()), Some(oid.clone()), "{text}");
            assert_eq!(oid.to_string(), text);
        }
        for text in ["", "1", "1.40", "3.1", "1.3.x", "1..3", "1.3.4294967296", "sysUpTime.0", "1.3.-1"] {
            assert_eq!(Oid::parse(text), None, "{text}");
        }
        for bytes in [&[][..], &[0x80], &[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert_eq!(Oid::read(bytes), None);
        }
    }

    #[test]
    fn damaged_packets_are_survived() {
        let oid = Oid::parse("1.3.6.1.2.1.1.3.0").unwrap();
        let all = [
            (0x02, vec![7]),
            (0x41, vec![255, 255]),
            (0x43, vec![1, 2, 3]),
            (4, b"text".to_vec()),
            (0x46, vec![1; 8]),
        ]
        .map(|(tag, content)| {
            ber::joined(ber::SEQUENCE, &[ber::element(ber::OID, &oid.bytes()), ber::element(tag, &content)])
        });
        let zero = || ber::integer(ber::INTEGER, 0);
        let response = [ber::integer(ber::INTEGER, 1), zero(), zero(), ber::joined(ber::SEQUENCE, &all)];
        let parts =
            [ber::integer(ber::INTEGER, 1), ber::element(4, b"public"), ber::joined(RESPONSE, &response)];
        let corpus = [ber::joined(ber::SEQUENCE, &parts)];
        assert_eq!(answer(&corpus[0], 1).map(|answer| answer.values.len()), Some(5));
        crate::tests::damage::survives("snmp", &corpus, |bytes| {
            let Some(answer) = answer(bytes, 1) else { return };
            for (oid, value) in answer.values {
                let shown =
                    format!("{oid} {value} {} {:?} {}", value.plain(), value.number(), value.unit("B"));
                assert!(shown.len() < 400_000, "{} bytes", shown.len());
            }
        });
    }

    #[test]
    fn values_read_as_net_snmp_shows_them() {
        let ticks = Value::Ticks(123 + 100 * (2 * 86_400 + 3600));
        assert_eq!(ticks.to_string(), "Timeticks: (17640123) 2 days, 1:00:01.23");
        assert_eq!(Value::Text(b"\x00\x1f".to_vec()).to_string(), "00 1F");
        assert_eq!(
            Value::read(0x46, &[0, 255, 255, 255, 255, 255, 255, 255, 255]),
            Some(Value::Counter(u64::MAX))
        );
    }
}
