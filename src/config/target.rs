//! The grammar of what net discovery scans: one text of items → addresses, ranges, names. (`ossim-discovery.md` 2.3)
//!
//! Which networks, groups and hosts there are is not known here.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use vigia_core::model::grammar::Malformed;

/// One item of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'t> {
    /// Characters of the text before it.
    pub skip: usize,
    /// As written.
    pub text: &'t str,
    /// `!`: left out of what the others name.
    pub is_excluded: bool,
    pub spec: Result<Spec, Malformed>,
}

/// What an item names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// Both ends are in it.
    V4(Ipv4Addr, Ipv4Addr),
    /// Ranges of each of the four numbers.
    Octets([Vec<(u8, u8)>; 4]),
    V6(Ipv6Net),
    /// A name that the resolver knows.
    HostName(String),
    Network(String),
    Group(String),
    Host(String),
}

/// Sweeps of IPv6 must be small: shorter prefixes would never end.
pub const SHORTEST_V6: u8 = 112;

/// Every item of a text; they are divided by commas, semicolons or blanks.
pub fn read(text: &str) -> Vec<Item<'_>> {
    items(text)
        .into_iter()
        .map(|(skip, text)| {
            let spec = text.strip_prefix('!');
            Item { skip, text, is_excluded: spec.is_some(), spec: parse(spec.unwrap_or(text).trim_start()) }
        })
        .collect()
}

/// Items with the characters before each; inside `[…]` a comma divides numbers, not items.
fn items(text: &str) -> Vec<(usize, &str)> {
    let mut all = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let mut is_in_brackets = false;
    for (count, (at, c)) in text.char_indices().enumerate() {
        match c {
            '[' => is_in_brackets = true,
            ']' => is_in_brackets = false,
            _ => {}
        }
        if !is_in_brackets && (matches!(c, ',' | ';') || c.is_whitespace()) {
            if let Some((skip, from)) = start.take() {
                all.extend(text.get(from..at).map(|item| (skip, item)));
            }
        } else {
            start.get_or_insert((count, at));
        }
    }
    if let Some((skip, from)) = start {
        all.extend(text.get(from..).map(|item| (skip, item)));
    }
    all
}

fn wrong<T>(message: impl Into<String>, hint: &str) -> Result<T, Malformed> {
    Err(Malformed::new(message).hint(hint))
}

/// What one item names, its `!` taken off.
///
/// # Errors
/// Says why nothing can be scanned by that.
pub fn parse(spec: &str) -> Result<Spec, Malformed> {
    if let Some((kind, name)) = spec.split_once(':') {
        match kind {
            "net" => return Ok(Spec::Network(name.to_owned())),
            "group" => return Ok(Spec::Group(name.to_owned())),
            "host" => return Ok(Spec::Host(name.to_owned())),
            _ => return v6(spec),
        }
    }
    if let Some((address, prefix)) = spec.split_once('/') {
        return network(address, prefix);
    }
    if let Some((from, to)) = spec.split_once('-')
        && let (Ok(from), Ok(to)) = (from.parse::<Ipv4Addr>(), to.parse::<Ipv4Addr>())
    {
        return if from <= to {
            Ok(Spec::V4(from, to))
        } else {
            wrong(format!("{from} comes after {to}"), "the lower address comes first")
        };
    }
    let is_numeric =
        spec.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '*' | '[' | ']' | ','));
    if is_numeric { octets(spec, true).map(Spec::Octets) } else { host_name(spec) }
}

/// Bits behind the prefix are masked: `192.0.2.7/24` is `192.0.2.0/24`.
fn network(address: &str, prefix: &str) -> Result<Spec, Malformed> {
    let [a, b, c, d] = octets(address, false)?.map(|octet| octet.first().map_or(0, |(from, _)| *from));
    match prefix.parse::<u8>().ok().and_then(|prefix| Ipv4Net::new(Ipv4Addr::new(a, b, c, d), prefix).ok()) {
        Some(net) => Ok(Spec::V4(net.network(), net.broadcast())),
        None => wrong(format!("a network is 0 to 32 bits long, not `{prefix}`"), "192.0.2.0/24"),
    }
}

fn v6(spec: &str) -> Result<Spec, Malformed> {
    let (address, prefix) =
        spec.split_once('/').map_or((spec, None), |(address, prefix)| (address, Some(prefix)));
    let prefix = prefix.map_or(Some(128), |prefix| prefix.parse::<u8>().ok());
    let Some((IpAddr::V6(address), Some(prefix))) = address.parse::<IpAddr>().ok().map(|ip| (ip, prefix))
    else {
        return wrong("not an address of IPv6", "`2001:db8::1`, or `2001:db8::/120`");
    };
    match Ipv6Net::new(address, prefix) {
        Ok(net) if prefix >= SHORTEST_V6 => Ok(Spec::V6(net.trunc())),
        Ok(_) => wrong("too many addresses to scan", "networks of IPv6 are /112 to /128"),
        Err(_) => wrong("not an address of IPv6", "`2001:db8::1`, or `2001:db8::/120`"),
    }
}

fn octets(spec: &str, may_range: bool) -> Result<[Vec<(u8, u8)>; 4], Malformed> {
    const FORM: &str = "four numbers of 0 to 255: `192.0.2.7`, `192.0.2.64-68`, `192.0.2.*`, `192.0.[2,4].1`";
    let mut all = Vec::with_capacity(4);
    let parts: Vec<&str> = spec.split('.').collect();
    if parts.len() != 4 {
        return wrong("not an address", FORM);
    }
    for octet in parts {
        let inner = octet.strip_prefix('[').and_then(|octet| octet.strip_suffix(']'));
        let parts: Vec<&str> = inner.map_or_else(|| vec![octet], |inner| inner.split(',').collect());
        let ranges: Result<Vec<_>, _> =
            parts.into_iter().map(|part| self::octet(part.trim(), may_range, FORM)).collect();
        all.push(ranges?);
    }
    all.try_into().map_or_else(|_| wrong("not an address", FORM), Ok)
}

fn octet(part: &str, may_range: bool, form: &str) -> Result<(u8, u8), Malformed> {
    let number = |text: &str| match text.parse::<u64>() {
        Ok(number) => u8::try_from(number).or_else(|_| wrong(format!("{number} is more than 255"), form)),
        Err(_) => wrong(format!("`{text}` is not a number of 0 to 255"), form),
    };
    if part == "*" && may_range {
        return Ok((0, 255));
    }
    let Some((from, to)) = part.split_once('-').filter(|_| may_range) else {
        let number = number(part)?;
        return Ok((number, number));
    };
    let (from, to) = (number(from)?, number(to)?);
    if from <= to {
        Ok((from, to))
    } else {
        wrong(format!("{from} comes after {to}"), "the lower number comes first")
    }
}

fn host_name(spec: &str) -> Result<Spec, Malformed> {
    if is_host_name(spec) {
        return Ok(Spec::HostName(spec.to_owned()));
    }
    wrong(
        "neither an address nor a host name",
        "addresses, ranges, networks, host names, `net:NAME`, `group:NAME` or `host:NAME`",
    )
}

/// Labels of letters, digits, `-` and `_`, divided by dots.
pub fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let bare = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && bare.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(spec: &str) -> Result<(), String> {
        parse(spec).map(drop).map_err(|wrong| wrong.message)
    }

    #[test]
    fn addresses_ranges_networks_and_names_are_targets() {
        for spec in [
            "192.0.2.7",
            "192.0.2.64-68",
            "192.0.2.*",
            "192.0.[2,4-6].1",
            "10.0.0.250-10.0.1.5",
            "192.0.2.7/24",
            "2001:db8::1",
            "2001:db8::/120",
            "web1.example.test",
            "my-host",
        ] {
            assert_eq!(verdict(spec), Ok(()), "{spec}");
        }
    }

    #[test]
    fn what_cannot_be_scanned_says_why() {
        for (spec, why) in [
            ("192.0.2.68-64", "68 comes after 64"),
            ("10.0.1.5-10.0.0.250", "10.0.1.5 comes after 10.0.0.250"),
            ("300.1.1.1", "300 is more than 255"),
            ("192.0.2", "not an address"),
            ("192.0.2.0/33", "a network is 0 to 32 bits long, not `33`"),
            ("fe80::/64", "too many addresses to scan"),
            ("2001:db8::x", "not an address of IPv6"),
            ("-web", "neither an address nor a host name"),
        ] {
            assert_eq!(verdict(spec), Err(why.to_owned()), "{spec}");
        }
    }

    #[test]
    fn items_know_where_they_stand() {
        assert_eq!(items(" 192.0.[1,2].1, !web;x"), [(1, "192.0.[1,2].1"), (16, "!web"), (21, "x")]);
        assert_eq!(items(" , "), []);
    }

    #[test]
    fn ends_are_included_and_host_bits_are_masked() {
        let v4 = |from: [u8; 4], to: [u8; 4]| Ok(Spec::V4(from.into(), to.into()));
        assert_eq!(parse("192.0.2.7/24"), v4([192, 0, 2, 0], [192, 0, 2, 255]));
        assert_eq!(parse("10.0.0.250-10.0.1.5"), v4([10, 0, 0, 250], [10, 0, 1, 5]));
        let Ok(Spec::Octets(octets)) = parse("192.0.[2,4-6].64-68") else { panic!("no octets") };
        assert_eq!(octets, [vec![(192, 192)], vec![(0, 0)], vec![(2, 2), (4, 6)], vec![(64, 68)]]);
        assert_eq!(parse("2001:db8::7/120"), Ok(Spec::V6("2001:db8::/120".parse().unwrap())));
        assert_eq!(parse("group:web"), Ok(Spec::Group("web".to_owned())));
        let all = read("192.0.2.0/29 !192.0.2.3");
        assert_eq!(all.iter().map(|item| item.is_excluded).collect::<Vec<_>>(), [false, true]);
    }
}
