//! What a discovery job scans: the grammar of its targets, each mistake at its own place. (`ossim-discovery.md` 2.3)

use std::net::{IpAddr, Ipv4Addr};

use crate::config::decode::Decoder;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::written::fields::Item;
use crate::config::written::{Section, Written};

/// What is wrong with one item, and the way out.
struct Wrong {
    message: String,
    hint: Option<String>,
}

fn wrong<T>(message: String, hint: &str) -> Result<T, Wrong> {
    Err(Wrong { message, hint: Some(hint.to_owned()) })
}

/// Checks every item of every text; items are divided by commas, semicolons or blanks.
pub(super) fn check(targets: &[Item<'_>], written: &Written<'_>, decoder: &mut Decoder) {
    let mut has_positive = false;
    for target in targets {
        for (skip, item) in items(target.text) {
            let (spec, is_excluded) = match item.strip_prefix('!') {
                Some(spec) => (spec.trim_start(), true),
                None => (item, false),
            };
            has_positive = has_positive || !is_excluded;
            if let Err(wrong) = check_one(spec, written) {
                let at = target.at.inside(skip, item.chars().count());
                let problem = Problem::error(at, format!("`{item}`: {}", wrong.message));
                decoder.push(problem.maybe_hint(wrong.hint));
            }
        }
    }
    if let (false, Some(first)) = (has_positive, targets.first()) {
        decoder.push(
            Problem::error(first.at, "`targets` names nothing to scan")
                .hint("`!` leaves something out of what stands beside it"),
        );
    }
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

fn check_one(spec: &str, written: &Written<'_>) -> Result<(), Wrong> {
    if let Some((kind @ ("net" | "group" | "host"), name)) = spec.split_once(':') {
        return check_name(kind, name, written);
    }
    if spec.contains(':') {
        return check_v6(spec);
    }
    if let Some((address, prefix)) = spec.split_once('/') {
        check_octets(address, false)?;
        return match prefix.parse::<u8>() {
            Ok(0..=32) => Ok(()),
            Ok(_) | Err(_) => {
                wrong(format!("a network is 0 to 32 bits long, not `{prefix}`"), "192.0.2.0/24")
            }
        };
    }
    if let Some((from, to)) = spec.split_once('-')
        && let (Ok(from), Ok(to)) = (from.parse::<Ipv4Addr>(), to.parse::<Ipv4Addr>())
    {
        return if from <= to {
            Ok(())
        } else {
            wrong(format!("{from} comes after {to}"), "the lower address comes first")
        };
    }
    let is_numeric =
        spec.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '*' | '[' | ']' | ','));
    if is_numeric { check_octets(spec, true) } else { check_host_name(spec) }
}

fn check_name(kind: &str, name: &str, written: &Written<'_>) -> Result<(), Wrong> {
    let known: Vec<&str> = match kind {
        "net" => written.of(Section::Networks).iter().map(|one| one.name.text).collect(),
        "group" => written.hostgroups.iter().map(|one| one.name.text).collect(),
        _ => written.hosts.iter().map(|one| &*one.name).collect(),
    };
    if known.contains(&name) {
        return Ok(());
    }
    let what = match kind {
        "net" => "network",
        "group" => "hostgroup",
        _ => "host",
    };
    Err(Wrong { message: format!("there is no {what} `{name}`"), hint: did_you_mean(name, known) })
}

/// A sweep of IPv6 must be small: shorter prefixes than /112 would never end.
fn check_v6(spec: &str) -> Result<(), Wrong> {
    const SHORTEST: u8 = 112;
    let (address, prefix) =
        spec.split_once('/').map_or((spec, None), |(address, prefix)| (address, Some(prefix)));
    match (address.parse::<IpAddr>(), prefix.map(str::parse::<u8>)) {
        (Ok(IpAddr::V6(_)), None | Some(Ok(SHORTEST..=128))) => Ok(()),
        (Ok(IpAddr::V6(_)), Some(Ok(0..SHORTEST))) => {
            wrong("too many addresses to scan".to_owned(), "networks of IPv6 are /112 to /128")
        }
        (Ok(_) | Err(_), _) => {
            wrong("not an address of IPv6".to_owned(), "`2001:db8::1`, or `2001:db8::/120`")
        }
    }
}

fn check_octets(spec: &str, may_range: bool) -> Result<(), Wrong> {
    const FORM: &str = "four numbers of 0 to 255: `192.0.2.7`, `192.0.2.64-68`, `192.0.2.*`, `192.0.[2,4].1`";
    let octets: Vec<&str> = spec.split('.').collect();
    if octets.len() != 4 {
        return wrong("not an address".to_owned(), FORM);
    }
    for octet in octets {
        let inner = octet.strip_prefix('[').and_then(|octet| octet.strip_suffix(']'));
        let parts: Vec<&str> = inner.map_or_else(|| vec![octet], |inner| inner.split(',').collect());
        for part in parts {
            check_octet(part.trim(), may_range, FORM)?;
        }
    }
    Ok(())
}

fn check_octet(part: &str, may_range: bool, form: &str) -> Result<(), Wrong> {
    let number = |text: &str| match text.parse::<u16>() {
        Ok(number) if number <= 255 => Ok(number),
        Ok(number) => wrong(format!("{number} is more than 255"), form),
        Err(_) => wrong(format!("`{text}` is not a number of 0 to 255"), form),
    };
    if part == "*" && may_range {
        return Ok(());
    }
    let Some((from, to)) = part.split_once('-').filter(|_| may_range) else { return number(part).map(drop) };
    let (from, to) = (number(from)?, number(to)?);
    if from <= to {
        Ok(())
    } else {
        wrong(format!("{from} comes after {to}"), "the lower number comes first")
    }
}

fn check_host_name(spec: &str) -> Result<(), Wrong> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if spec.len() <= 253 && spec.trim_end_matches('.').split('.').all(is_label) {
        return Ok(());
    }
    wrong(
        "neither an address nor a host name".to_owned(),
        "addresses, ranges, networks, host names, `net:NAME`, `group:NAME` or `host:NAME`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(spec: &str) -> Result<(), String> {
        check_one(spec, &Written::default()).map_err(|wrong| wrong.message)
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
            ("net:office", "there is no network `office`"),
        ] {
            assert_eq!(verdict(spec), Err(why.to_owned()), "{spec}");
        }
    }

    #[test]
    fn items_know_where_they_stand() {
        assert_eq!(items(" 192.0.[1,2].1, !web;x"), [(1, "192.0.[1,2].1"), (16, "!web"), (21, "x")]);
        assert_eq!(items(" , "), []);
    }
}
