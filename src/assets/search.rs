//! One line of search: `net:office os:linux port:443 state:down -owner:ana value>=4 seen<7d "free text"`. Terms that all hold;
//! `-` before one turns it round. What only the running world knows becomes names of hosts here.

use std::net::IpAddr;
use std::time::Duration;

use vigia_core::engine::world::World;
use vigia_core::model::anomaly::AnomalyKind;
use vigia_core::model::asset::Transport;
use vigia_core::model::id::{HostId, TicketId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::state::{HostState, State};
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use super::value;
use crate::config::problem::did_you_mean;
use crate::discovery::mac::Mac;
use crate::store::assets::list::{Term, Test, ValueTest};

/// Words before the colon, with what stands behind it.
pub const KEYS: &[(&str, &str)] = &[
    ("name", "part of a name"),
    ("net", "an address, a network such as 192.0.2.0/24, or the name of one of `networks`"),
    ("os", "part of the operating system"),
    ("port", "443, 8000-8100, 53/udp"),
    ("service", "part of a service's name"),
    ("version", "part of product and version"),
    (
        "state",
        "up, down, unreachable, pending, problem, ok, warning, critical, unknown, stale, monitored, unmonitored",
    ),
    ("group", "a host group"),
    ("ticket", "open, or a reference such as ANO02"),
    ("anomaly", "open, or a kind such as version_changed"),
    ("value", "0 to 5, also value>=4"),
    ("seen", "seen<7d: a scan saw it in this time"),
    ("mac", "part of a network card's address or vendor"),
    ("owner", "part of the owner"),
    ("place", "part of the place"),
    ("kind", "part of the kind"),
];

/// What of a search cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}`: {why}")]
pub struct Misread {
    pub word: String,
    pub why: String,
}

fn misread<T>(word: &str, why: impl Into<String>) -> Result<T, Misread> {
    Err(Misread { word: word.to_owned(), why: why.into() })
}

/// Reads a line of search.
///
/// # Errors
/// The first term that cannot be understood.
pub fn read(text: &str, world: &World, now: Timestamp) -> Result<Vec<Term>, Misread> {
    words(text).into_iter().map(|word| term(&word, world, now)).collect()
}

/// Words between blanks; quotes keep blanks together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    let mut has_begun = false;
    for c in text.chars() {
        match c {
            '"' => (is_quoted, has_begun) = (!is_quoted, true),
            c if c.is_whitespace() && !is_quoted => {
                if has_begun {
                    words.push(std::mem::take(&mut word));
                }
                has_begun = false;
            }
            c => {
                word.push(c);
                has_begun = true;
            }
        }
    }
    if has_begun {
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    words
}

fn term(word: &str, world: &World, now: Timestamp) -> Result<Term, Misread> {
    let (is_negated, bare) = match word.strip_prefix('-') {
        Some(bare) if !bare.is_empty() => (true, bare),
        Some(_) | None => (false, word),
    };
    Ok(Term { is_negated, test: test(bare, world, now)? })
}

fn test(word: &str, world: &World, now: Timestamp) -> Result<Test, Misread> {
    let Some((key, sign, rest)) = parts(word) else { return Ok(Test::Text(word.to_owned())) };
    let is_key = KEYS.iter().any(|(known, _)| *known == key);
    if !is_key {
        let is_word = key.len() > 1 && key.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_text = !is_word || word.parse::<IpAddr>().is_ok() || word.parse::<Mac>().is_ok();
        if is_text || sign != ":" || rest.starts_with('/') {
            return Ok(Test::Text(word.to_owned()));
        }
        let known: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        let hint = did_you_mean(key, known.iter().copied())
            .unwrap_or_else(|| format!("one of {}", known.join(", ")));
        return misread(word, format!("`{key}:` is nothing to search by; {hint}"));
    }
    if rest.is_empty() {
        let what = KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, what)| *what);
        return misread(word, format!("say what: {what}"));
    }
    match (key, sign) {
        ("value", _) => value_test(word, sign, rest, &world.inventory),
        ("seen", "<" | ":") => match span(rest) {
            Some(span) => Ok(Test::SeenSince(now.before(span))),
            None => misread(word, "say how long, such as seen<7d, seen<12h"),
        },
        (_, ":") => keyed(word, key, rest, world),
        _ => misread(word, format!("write `{key}:{rest}`")),
    }
}

/// Key, sign and the rest: `value>=4`, `os:linux`.
fn parts(word: &str) -> Option<(&str, &str, &str)> {
    let at = word.find([':', '<', '>', '='])?;
    let (key, rest) = word.split_at_checked(at)?;
    let sign = [">=", "<=", ":", "<", ">", "="].into_iter().find(|sign| rest.starts_with(sign))?;
    Some((key, sign, rest.strip_prefix(sign)?))
}

fn keyed(word: &str, key: &str, rest: &str, world: &World) -> Result<Test, Misread> {
    let text = rest.to_owned();
    match key {
        "name" => Ok(Test::Name(text)),
        "os" => Ok(Test::Os(text)),
        "service" => Ok(Test::Service(text)),
        "version" => Ok(Test::Version(text)),
        "mac" => Ok(Test::Mac(text)),
        "owner" => Ok(Test::Owner(text)),
        "place" => Ok(Test::Place(text)),
        "kind" => Ok(Test::Kind(text)),
        "net" => ranges(rest, &world.inventory).map(Test::Within).map_or_else(|why| misread(word, why), Ok),
        "port" => port(word, rest),
        "group" => Ok(Test::Hosts(hosts(world, |id| {
            world.inventory.host(id).hostgroups.iter().any(|group| **group == *rest)
        }))),
        "state" => state(word, rest, world),
        "ticket" if rest == "open" => Ok(Test::OpenTicket),
        "ticket" => match Reference::parse(rest)
            .map(|reference| reference.id)
            .or_else(|| rest.parse().ok().map(TicketId))
        {
            Some(id) => Ok(Test::Ticket(id)),
            None => misread(word, "`open`, or a reference such as ANO02"),
        },
        "anomaly" if rest == "open" => Ok(Test::Anomaly(None)),
        "anomaly" => match AnomalyKind::from_word(rest) {
            Some(kind) => Ok(Test::Anomaly(Some(kind))),
            None => {
                let known: Vec<&str> = AnomalyKind::ALL.iter().map(|kind| kind.word()).collect();
                misread(word, format!("`open`, or one of {}", known.join(", ")))
            }
        },
        _ => misread(word, "nothing to search by"),
    }
}

/// Ranges of an address, of a network as written, or of a named one.
///
/// # Errors
/// Why it is none of them.
pub fn ranges(text: &str, inventory: &Inventory) -> Result<Vec<(IpAddr, IpAddr)>, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(vec![(address, address)]);
    }
    if let Ok(net) = text.parse::<ipnet::IpNet>() {
        return Ok(vec![(net.network(), net.broadcast())]);
    }
    let named = inventory.networks.iter().find(|network| *network.name == *text);
    match named {
        Some(network) => Ok(network.cidr.iter().map(|net| (net.network(), net.broadcast())).collect()),
        None => {
            let known = inventory.networks.iter().map(|network| &*network.name);
            let hint =
                did_you_mean(text, known).unwrap_or_else(|| "`vigia network list` shows them".to_owned());
            Err(format!("no address, no range such as 192.0.2.0/24, and no network of that name; {hint}"))
        }
    }
}

fn port(word: &str, rest: &str) -> Result<Test, Misread> {
    let (ports, transport) = match rest.split_once('/') {
        Some((ports, transport)) => match Transport::from_name(transport) {
            Some(transport) => (ports, Some(transport)),
            None => return misread(word, "behind the `/` stands tcp or udp"),
        },
        None => (rest, None),
    };
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from <= to && from > 0 => Ok(Test::Port(from, to, transport)),
        _ => misread(word, "a port is a number from 1 to 65535, or a range of them"),
    }
}

fn hosts(world: &World, is_hit: impl Fn(HostId) -> bool) -> Vec<String> {
    let all = world.inventory.host_ids().filter(|id| is_hit(*id));
    all.map(|id| world.inventory.host(id).name.to_string()).collect()
}

/// Names of the hosts that are checked.
pub fn monitored(world: &World) -> Vec<String> {
    hosts(world, |id| world.inventory.host(id).is_monitored)
}

fn state(word: &str, rest: &str, world: &World) -> Result<Test, Misread> {
    let of_host = |wanted: HostState| {
        hosts(world, |id| {
            let status = world.host(id);
            world.inventory.host(id).is_monitored && status.has_been_checked && status.state() == wanted
        })
    };
    let of_service = |wanted: State| {
        hosts(world, |id| {
            let host = world.inventory.host(id);
            host.is_monitored
                && host.services.iter().any(|id| {
                    let status = world.service(*id);
                    status.has_been_checked && status.state() == wanted
                })
        })
    };
    Ok(match rest {
        "up" => Test::Hosts(of_host(HostState::Up)),
        "down" => Test::Hosts(of_host(HostState::Down)),
        "unreachable" => Test::Hosts(of_host(HostState::Unreachable)),
        "ok" => Test::Hosts(of_service(State::Ok)),
        "warning" => Test::Hosts(of_service(State::Warning)),
        "critical" => Test::Hosts(of_service(State::Critical)),
        "unknown" => Test::Hosts(of_service(State::Unknown)),
        "pending" => Test::Hosts(hosts(world, |id| {
            world.inventory.host(id).is_monitored && !world.host(id).has_been_checked
        })),
        "problem" => Test::Hosts(hosts(world, |id| {
            let host = world.inventory.host(id);
            let is_bad = world.host(id).is_problem();
            host.is_monitored && (is_bad || host.services.iter().any(|id| world.service(*id).is_problem()))
        })),
        "monitored" => Test::Hosts(monitored(world)),
        "unmonitored" => Test::NoneOf(monitored(world)),
        "stale" => Test::Stale,
        _ => {
            let known = KEYS.iter().find(|(key, _)| *key == "state").map_or("", |(_, what)| *what);
            return misread(word, format!("one of {known}"));
        }
    })
}

fn value_test(word: &str, sign: &str, rest: &str, inventory: &Inventory) -> Result<Test, Misread> {
    let number = rest.parse::<u8>().ok().filter(|value| *value <= 5);
    let Some(number) = number else { return misread(word, "a number from 0 to 5") };
    let (from, to) = match sign {
        ">=" => (number, 5),
        "<=" => (0, number),
        ">" => (number + 1, 5),
        "<" if number == 0 => return misread(word, "nothing is below 0"),
        "<" => (0, number - 1),
        _ => (number, number),
    };
    let is_hit = |host: &&vigia_core::model::host::Host| (from..=to).contains(&host.asset_value);
    let hosts = inventory.hosts.iter().filter(is_hit).map(|host| host.name.to_string()).collect();
    Ok(Test::Value(ValueTest { from, to, usual: value::USUAL, hosts }))
}

/// `7d`, `12h`, `30m`.
fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(text: &str) -> Result<Vec<Term>, String> {
        let now = Timestamp::from_second(1_800_000_000);
        read(text, &World::default(), now).map_err(|misread| misread.to_string())
    }

    #[test]
    fn terms_are_read_with_their_signs_and_quotes() {
        let plain = |test| Term { is_negated: false, test };
        assert_eq!(
            tests(r#"os:linux -port:8000-8100/tcp "old mill" ticket:ANO02 place:"rack 7" 00:1e:c9:00:00:01"#)
                .unwrap(),
            [
                plain(Test::Os("linux".into())),
                Term { is_negated: true, test: Test::Port(8000, 8100, Some(Transport::Tcp)) },
                plain(Test::Text("old mill".into())),
                plain(Test::Ticket(TicketId(2))),
                plain(Test::Place("rack 7".into())),
                plain(Test::Text("00:1e:c9:00:00:01".into())),
            ]
        );
        assert!(matches!(tests("value>=4").unwrap()[0].test, Test::Value(ValueTest { from: 4, to: 5, .. })));
        assert!(matches!(tests("seen<7d").unwrap()[0].test, Test::SeenSince(_)));
        assert_eq!(tests("fe80::1 http://x").unwrap().len(), 2);
        assert_eq!(tests("  ").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_would_be() {
        for (text, said) in [
            ("sate:down", "`sate:` is nothing to search by; did you mean `state`?"),
            ("port:0", "a port is a number"),
            ("state:sleepy", "one of up, down"),
            ("net:offce", "no network of that name"),
            ("value>9", "a number from 0 to 5"),
            ("os:", "say what: part of the operating system"),
            ("anomaly:x", "one of host_new"),
            ("os>x", "write `os:x`"),
        ] {
            let refused = tests(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
