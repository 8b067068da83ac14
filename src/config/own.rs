//! The host `vigia`: what the daemon watches of itself, as objects like any other. Rules, messages, pages and downtimes see
//! them; `defaults` and host groups reach them. Made only where `self_monitoring: {host: on}` stands and nobody defined a
//! host of that name. What their states are decides `app::itself`.

use super::place::{FileId, Source, Sources};
use super::tree::{self, Map};

/// The host's name.
pub const HOST: &str = "vigia";

/// Said where a person's host has the name.
pub const TAKEN: &str = "`self_monitoring` makes no host: one named `vigia` is defined in your files; name that one otherwise, \
                         or say `self_monitoring: {host: off}`";

/// As people are shown where it stands.
const PATH: &str = "vigia itself (built in)";

const ALWAYS: &str = "
hosts:
  vigia:
    alias: vigia itself
    address: 127.0.0.1
    check: off
    max_check_attempts: 1
    services:
      lateness: {passive: {freshness: 5m, stale: unknown}, max_check_attempts: 3}
      never-run: {passive: {freshness: 5m, stale: unknown}}
      store: {passive: {freshness: 5m, stale: unknown}}
      messages: {passive: {freshness: 5m, stale: unknown}}
      configuration: {passive: {freshness: 5m, stale: unknown}}
      disk: {passive: {freshness: 5m, stale: unknown}}
";

const BACKUP: &str = "      backup: {passive: {freshness: 5m, stale: unknown}}\n";

const PING: &str = "      ping: {passive: {freshness: 5m, stale: unknown}, max_check_attempts: 3}\n";

/// What is to be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Unasked,
    /// Somebody's own host has the name.
    Taken,
    Wanted {
        backup: bool,
        ping: bool,
    },
}

impl Own {
    /// What the files say, before anything of them is resolved.
    pub fn of<'m, 's: 'm>(maps: impl Iterator<Item = &'m Map<'s>> + Clone) -> Self {
        let section = |name: &'static str| maps.clone().filter_map(move |map| map.get(name)?.map());
        let is_on = |map: &Map<'s>, key: &str| {
            let text = map.get(key).and_then(|node| node.text());
            text.and_then(super::decode::switch) == Some(true)
        };
        if !section("self_monitoring").any(|map| is_on(map, "host")) {
            return Self::Unasked;
        }
        if section("hosts").any(|hosts| hosts.get(HOST).is_some()) {
            return Self::Taken;
        }
        let has = |node: Option<&tree::Node<'s>>| node.is_some_and(|node| !node.is_nothing());
        Self::Wanted {
            backup: section("backup").any(|backup| has(backup.get("dir"))),
            ping: section("self_monitoring")
                .filter_map(|map| map.get("ping")?.map())
                .any(|ping| has(ping.get("url"))),
        }
    }
}

/// Every form of it, among the sources of a load.
#[derive(Clone, Copy, Debug)]
pub struct Forms([FileId; 4]);

impl Forms {
    pub fn add(sources: &mut Sources) -> Self {
        Self([(false, false), (false, true), (true, false), (true, true)].map(|(backup, ping)| {
            let text = [ALWAYS, if backup { BACKUP } else { "" }, if ping { PING } else { "" }].concat();
            sources.add(Source::new(PATH, text))
        }))
    }

    /// The file that is wanted, as the others are parsed.
    pub fn map<'s>(&self, own: Own, sources: &'s Sources) -> Option<Map<'s>> {
        let Own::Wanted { backup, ping } = own else { return None };
        let file = *self.0.get(usize::from(backup) * 2 + usize::from(ping))?;
        tree::parse(sources.of(file)?, file, &tree::Limits::default(), &mut Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(yaml: &str) -> Own {
        let source = Source::new("t.yaml", yaml);
        let map = tree::parse(&source, FileId(0), &tree::Limits::default(), &mut Vec::new()).unwrap();
        Own::of([&map].into_iter())
    }

    #[test]
    fn it_is_made_where_it_is_asked_for_and_the_name_is_free() {
        assert_eq!(own("hosts: {a: 192.0.2.1}"), Own::Unasked);
        assert_eq!(own("self_monitoring: {host: off}"), Own::Unasked);
        assert_eq!(own("self_monitoring: {host: on}\nhosts: {vigia: 192.0.2.1}"), Own::Taken);
        assert_eq!(own("self_monitoring: {host: yes}"), Own::Wanted { backup: false, ping: false });
        let all = "self_monitoring: {host: on, ping: {url: {file: /s}}}\nbackup: {dir: /b}";
        assert_eq!(own(all), Own::Wanted { backup: true, ping: true });
    }

    #[test]
    fn every_form_can_be_parsed() {
        let mut sources = Sources::default();
        let forms = Forms::add(&mut sources);
        for (backup, ping, count) in [(false, false, 6), (true, false, 7), (false, true, 7), (true, true, 8)]
        {
            let map = forms.map(Own::Wanted { backup, ping }, &sources).unwrap();
            let host = map.get("hosts").unwrap().map().unwrap().get(HOST).unwrap().map().unwrap();
            assert_eq!(host.get("services").unwrap().map().unwrap().len(), count);
        }
    }
}
