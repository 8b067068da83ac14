//! Addresses of Nagios' own pages, as bookmarks, scripts and old mails have them: each leads to the page of ours
//! that shows the same. What has no page here yet is not redirected: it says so.

use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};

use super::auth::decode_pairs;
use super::error::Failure;
use super::query::{encode, escape};

/// Everything that no route takes: an old address, or nothing of ours.
pub(super) async fn fallback(uri: Uri) -> Response {
    let program = uri.path().rsplit('/').next().and_then(|name| name.strip_suffix(".cgi"));
    let place = program.and_then(|program| lead(program, &Asked(decode_pairs(uri.query().unwrap_or("")))));
    match place {
        Some(place) => Redirect::permanent(&place).into_response(),
        None => Failure::Missing("There is no such page.".to_owned()).into_response(),
    }
}

struct Asked(Vec<(String, String)>);

impl Asked {
    /// What was asked for by this name; `all` is the same as nothing.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty() && *value != "all")
    }

    fn bits(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }
}

fn lead(program: &str, asked: &Asked) -> Option<String> {
    match program {
        "status" => Some(status(asked)),
        "extinfo" => information(asked),
        "history" | "showlog" | "notifications" | "trends" | "avail" => {
            Some(object(asked).unwrap_or_else(|| "/".to_owned()))
        }
        "tac" | "summary" => Some("/".to_owned()),
        "outages" => Some("/hosts?state=down%2Cunreachable".to_owned()),
        _ => None,
    }
}

/// Bits of `hoststatustypes`, and the word of ours.
const HOSTS: &[(u32, &str)] = &[(1, "pending"), (2, "up"), (4, "down"), (8, "unreachable")];
/// Bits of `servicestatustypes`.
const SERVICES: &[(u32, &str)] =
    &[(1, "pending"), (2, "ok"), (4, "warning"), (8, "unknown"), (16, "critical")];
/// All problems as Nagios 1 counted its bits; OSSIM's menu still does, and so left out every WARNING.
const NAGIOS_1_PROBLEMS: u32 = 248;

fn status(asked: &Asked) -> String {
    let shows_hosts = asked.get("style").is_some_and(|style| style != "detail")
        || (asked.get("host").is_none() && asked.0.iter().any(|(key, _)| key == "hostgroup"));
    let (page, bits, words) = if shows_hosts {
        ("/hosts", asked.bits("hoststatustypes"), HOSTS)
    } else {
        ("/services", asked.bits("servicestatustypes"), SERVICES)
    };
    let bits = match bits {
        Some(NAGIOS_1_PROBLEMS) => Some(4 | 8 | 16),
        bits => bits,
    };
    let states: Vec<&str> = words
        .iter()
        .filter(|(bit, _)| bits.is_some_and(|bits| bits & bit != 0))
        .map(|(_, word)| *word)
        .collect();
    // Every bit is the same as none.
    let states = if states.len() == words.len() { String::new() } else { states.join(",") };
    let kept = ["host", "hostgroup", "servicegroup"].map(|name| (name, asked.get(name).unwrap_or_default()));
    let pairs = kept.into_iter().chain([("state", states.as_str())]).filter(|(_, value)| !value.is_empty());
    let query = encode(pairs);
    if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
}

fn information(asked: &Asked) -> Option<String> {
    match asked.get("type").unwrap_or("0") {
        "0" | "4" => Some("/process".to_owned()),
        "1" | "2" => object(asked),
        "5" | "8" => {
            let (name, group) = if asked.get("type") == Some("5") {
                ("hostgroup", asked.get("hostgroup")?)
            } else {
                ("servicegroup", asked.get("servicegroup")?)
            };
            Some(format!("/services?{name}={}", escape(group)))
        }
        "6" => Some("/downtimes".to_owned()),
        "7" => Some("/services?sort=next_check".to_owned()),
        _ => None,
    }
}

fn object(asked: &Asked) -> Option<String> {
    let host = escape(asked.get("host")?);
    Some(match asked.get("service") {
        Some(service) => format!("/hosts/{host}/services/{}", escape(service)),
        None => format!("/hosts/{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(address: &str) -> Option<String> {
        let (program, query) = address.split_once('?').unwrap_or((address, ""));
        lead(program, &Asked(decode_pairs(query)))
    }

    #[test]
    fn bookmarks_of_nagios_lead_to_the_page_that_shows_the_same() {
        for (old, new) in [
            ("status?host=all", "/services"),
            ("status?host=all&servicestatustypes=28", "/services?state=warning%2Cunknown%2Ccritical"),
            ("status?host=all&servicestatustypes=248", "/services?state=warning%2Cunknown%2Ccritical"),
            ("status?host=all&servicestatustypes=31", "/services"),
            ("status?host=web 1", "/services?host=web+1"),
            ("status?hostgroup=all&style=hostdetail", "/hosts"),
            ("status?hostgroup=all&style=hostdetail&hoststatustypes=12", "/hosts?state=down%2Cunreachable"),
            ("status?hostgroup=linux&style=detail", "/hosts?hostgroup=linux"),
            ("extinfo?type=0", "/process"),
            ("extinfo?type=1&host=web1", "/hosts/web1"),
            ("extinfo?type=2&host=web1&service=Disk /var", "/hosts/web1/services/Disk%20%2Fvar"),
            ("history?host=all", "/"),
            ("tac", "/"),
        ] {
            let spaced = leads(&old.replace(' ', "%20"));
            assert_eq!(spaced.map(|place| place.replace("%20", "+")), Some(new.replace("%20", "+")), "{old}");
        }
        assert_eq!(leads("cmd?cmd_typ=17"), None, "an old order is not carried out");
        assert_eq!(leads("extinfo?type=1"), None);
    }
}
