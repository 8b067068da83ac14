//! The targets of a discovery job, each mistake at its own place.

use crate::config::decode::Decoder;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::target::{self, Spec};
use crate::config::written::fields::Item;
use crate::config::written::{Section, Written};

/// Checks every item of every text, and that the networks, groups and hosts they name are there.
pub(super) fn check(targets: &[Item<'_>], written: &Written<'_>, decoder: &mut Decoder) {
    let mut has_positive = false;
    for target in targets {
        for item in target::read(target.text) {
            has_positive = has_positive || !item.is_excluded;
            let wrong = match &item.spec {
                Ok(spec) => unknown(spec, written),
                Err(wrong) => Some((wrong.message.clone(), wrong.hint.clone())),
            };
            if let Some((message, hint)) = wrong {
                let at = target.at.inside(target.text, item.skip, item.text.chars().count());
                decoder.push(Problem::error(at, format!("`{}`: {message}", item.text)).maybe_hint(hint));
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

fn unknown(spec: &Spec, written: &Written<'_>) -> Option<(String, Option<String>)> {
    let (what, name, known): (_, _, Vec<&str>) = match spec {
        Spec::Network(name) => {
            ("network", name, written.of(Section::Networks).iter().map(|one| one.name.text).collect())
        }
        Spec::Group(name) => {
            ("hostgroup", name, written.hostgroups.iter().map(|one| one.name.text).collect())
        }
        Spec::Host(name) => ("host", name, written.hosts.iter().map(|one| &*one.name).collect()),
        Spec::V4(..) | Spec::Octets(_) | Spec::V6(_) | Spec::HostName(_) => return None,
    };
    (!known.contains(&name.as_str()))
        .then(|| (format!("there is no {what} `{name}`"), did_you_mean(name, known)))
}
