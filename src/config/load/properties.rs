//! Strength against a slow model, and input that nobody would write.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use vigia_core::model::inventory::Inventory;

use super::read_objects;
use crate::config::decode::Decoder;
use crate::config::files::{Author, Document};
use crate::config::place::{FileId, Source};
use crate::config::problem::Problem;
use crate::config::resolve::{self, Context, Kept};
use crate::config::tree;
use crate::config::written::Written;

/// Everything but the files: a text to an inventory.
fn inventory(text: &str) -> (Inventory, Vec<Problem>) {
    let source = Source::new("vigia.yaml", text);
    let mut problems = Vec::new();
    let Some(map) = tree::parse(&source, FileId(0), &tree::Limits::default(), &mut problems) else {
        return (Inventory::default(), problems);
    };
    let documents = [Document { file: FileId(0), author: Author::Person, map }];
    let mut decoder = Decoder::with(problems);
    let written = read_objects(&documents, None, &mut decoder);
    let nothing = Written::default();
    let kept = Kept { objects: &nothing, services: &nothing };
    let resolved = resolve::resolve(&written, &kept, &Context::default(), &mut decoder);
    (resolved.inventory, decoder.into_problems())
}

/// What one layer says of the host and of its service.
#[derive(Clone, Debug, Default)]
struct Says {
    host: Option<u64>,
    service: Option<u64>,
}

fn says() -> impl Strategy<Value = Says> {
    (proptest::option::of(1..90u64), proptest::option::of(1..90u64))
        .prop_map(|(host, service)| Says { host, service })
}

impl Says {
    fn body(&self) -> Map<String, Json> {
        let mut body = Map::new();
        body.extend(self.host.map(|n| ("max_check_attempts".to_owned(), json!(n.to_string()))));
        let service = self.service.map_or(json!({}), |n| json!({ "max_check_attempts": n.to_string() }));
        if self.service.is_some() {
            body.insert("services".to_owned(), json!({ "ssh": service }));
        }
        body
    }
}

/// A forest of templates: each but the first few is used by one that comes before it.
#[derive(Clone, Debug)]
struct Site {
    defaults: Says,
    groups: Vec<Says>,
    templates: Vec<(Says, Option<usize>)>,
    host: Says,
}

fn site() -> impl Strategy<Value = Site> {
    let template = (says(), any::<prop::sample::Index>(), any::<bool>());
    (says(), vec(says(), 0..4), vec(template, 0..7), says()).prop_map(
        |(defaults, groups, templates, host)| {
            let templates = templates
                .into_iter()
                .enumerate()
                .map(|(at, (says, user, is_inner))| (says, (is_inner && at > 0).then(|| user.index(at))))
                .collect();
            Site { defaults, groups, templates, host }
        },
    )
}

impl Site {
    /// Templates that one uses, or that the host does.
    fn used_by(&self, user: Option<usize>) -> Vec<usize> {
        (0..self.templates.len()).filter(|at| self.templates[*at].1 == user).collect()
    }

    fn text(&self) -> String {
        let names = |all: Vec<usize>| all.iter().map(|at| format!("t{at}")).collect::<Vec<_>>();
        let mut templates = Map::new();
        for (at, (says, _)) in self.templates.iter().enumerate() {
            let mut body = says.body();
            body.insert("use".to_owned(), json!(names(self.used_by(Some(at)))));
            templates.insert(format!("t{at}"), body.into());
        }
        let mut groups = Map::new();
        for (at, says) in self.groups.iter().enumerate() {
            let mut body = says.body();
            body.insert("members".to_owned(), json!(["h"]));
            body.insert("priority".to_owned(), json!(at.to_string()));
            groups.insert(format!("g{at}"), body.into());
        }
        let mut host = self.host.body();
        host.insert("use".to_owned(), json!(names(self.used_by(None))));
        let services = host.entry("services").or_insert_with(|| json!({}));
        services.as_object_mut().unwrap().entry("ssh").or_insert_with(|| json!({}));
        json!({
            "defaults": self.defaults.body(),
            "hostgroups": groups,
            "templates": templates,
            "hosts": { "h": host },
        })
        .to_string()
    }

    /// Every layer, the strongest first: as the rules are written, without a thought for speed.
    fn layers(&self) -> Vec<&Says> {
        fn add<'s>(site: &'s Site, user: Option<usize>, layers: &mut Vec<&'s Says>) {
            for at in site.used_by(user) {
                layers.push(&site.templates[at].0);
                add(site, Some(at), layers);
            }
        }
        let mut layers = vec![&self.host];
        add(self, None, &mut layers);
        layers.extend(self.groups.iter().rev());
        layers.push(&self.defaults);
        layers
    }
}

proptest! {
    #[test]
    fn the_strongest_word_wins_and_of_a_service_the_strongest_said_of_it(site in site()) {
        let (inventory, problems) = inventory(&site.text());
        prop_assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
        let layers = site.layers();
        let of_host = layers.iter().find_map(|says| says.host);
        let of_service = layers.iter().find_map(|says| says.service).or(of_host);
        let host = &inventory.hosts[0];
        let service = inventory.service(host.services[0]);
        prop_assert_eq!(u64::from(host.policy.max_check_attempts), of_host.unwrap_or(3));
        prop_assert_eq!(u64::from(service.policy.max_check_attempts), of_service.unwrap_or(3));
    }

    #[test]
    fn a_template_beats_those_it_uses_however_they_are_tangled(
        uses in vec(vec(any::<prop::sample::Index>(), 0..4), 1..8),
        speaks in vec(any::<bool>(), 8),
        wanted in vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let count = uses.len();
        // Only later ones are used: no circles.
        let used = |at: usize| -> Vec<usize> {
            let later = count - at - 1;
            let mut all: Vec<usize> = match later {
                0 => Vec::new(),
                later => uses[at].iter().map(|index| at + 1 + index.index(later)).collect(),
            };
            all.dedup();
            all
        };
        let names = |all: &[usize]| all.iter().map(|at| format!("t{at}")).collect::<Vec<_>>();
        let wanted: Vec<usize> = wanted.iter().map(|index| index.index(count)).collect();
        let template = |at: usize| {
            let mut body = json!({ "use": names(&used(at)) });
            if speaks[at] {
                body["max_check_attempts"] = json!((at + 10).to_string());
            }
            (format!("t{at}"), body)
        };
        let templates: Map<String, Json> = (0..count).map(template).collect();
        let text = json!({ "templates": templates, "hosts": { "h": { "use": names(&wanted) } } }).to_string();
        let (inventory, _) = inventory(&text);
        let mut reach: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in (0..count).rev() {
            let mut all = used(at);
            all.extend(used(at).iter().flat_map(|inner| reach[inner].clone()));
            reach.insert(at, all);
        }
        let is_known = |at: usize| wanted.contains(&at) || wanted.iter().any(|user| reach[user].contains(&at));
        let Some(host) = inventory.hosts.first() else { return Ok(()) };
        match usize::from(host.policy.max_check_attempts).checked_sub(10) {
            None => prop_assert!(!(0..count).any(|at| is_known(at) && speaks[at])),
            Some(winner) => {
                prop_assert!(is_known(winner) && speaks[winner]);
                let is_beaten = |user: usize| is_known(user) && speaks[user] && reach[&user].contains(&winner);
                prop_assert!(!(0..count).any(is_beaten), "t{winner} won over one that uses it");
            }
        }
    }

    #[test]
    fn no_tree_makes_it_panic(text in section_tree().prop_map(|tree| tree.to_string())) {
        let (inventory, problems) = inventory(&text);
        for id in inventory.service_ids() {
            prop_assert!(inventory.service(id).host.index() < inventory.hosts.len());
        }
        prop_assert!(inventory.hosts.len() <= 20_000 && problems.len() < 100_000);
    }

    #[test]
    fn no_text_makes_it_panic(text in "([a-c:,{}\\[\\]&*!|>'\"#~$ \n\t-]|hosts: |services: |\\$\\{host.name\\}|<<: ){0,60}") {
        let (_, problems) = inventory(&text);
        prop_assert!(problems.len() < 10_000);
    }
}

/// Keys and words of the language, so that a random tree comes further than the first line.
const WORDS: &[&str] = &[
    "hosts",
    "templates",
    "hostgroups",
    "servicegroups",
    "contacts",
    "contactgroups",
    "timeperiods",
    "commands",
    "escalations",
    "downtimes",
    "rules",
    "networks",
    "discovery",
    "defaults",
    "services",
    "check",
    "use",
    "members",
    "hostgroups",
    "parents",
    "depends_on",
    "tags",
    "address",
    "alias",
    "check_interval",
    "max_check_attempts",
    "when",
    "ticket",
    "match",
    "states",
    "every",
    "duration",
    "start",
    "end",
    "targets",
    "cidr",
    "email",
    "webhook",
    "url",
    "command_line",
    "run",
    "exclude",
    "priority",
    "contacts",
    "custom_variables",
    "http",
    "tcp",
    "ssh",
    "plugin",
    "command",
    "passive",
    "ping",
    "mysql",
    "expect",
    "port",
    "tls",
    "warn",
    "crit",
    "a",
    "b",
    "a/ssh",
    "web[1-3]",
    "web[9-1]",
    "group:a",
    "!a",
    "tag:a=*",
    "net:a",
    "*",
    "/",
    "",
    "null",
    "~",
    "off",
    "on",
    "5",
    "-1",
    "5m",
    "1h30m",
    "80%",
    "10MiB",
    "mon-fri",
    "08:00-18:00",
    "24:00-00:00",
    "sun 03:00",
    "critical",
    "${host.name}",
    "${tags.a}",
    "${",
    "$ARG1$",
    "!!!",
    "\u{0}",
    "\u{202e}",
    "é",
    "192.0.2.1",
    "192.0.2.0/33",
    "https://a:b@c/",
    "ana@example.test",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![4 => word().prop_map(Json::from), 1 => Just(Json::Null)];
    let key = || (word(), prop_oneof![8 => Just(""), 1 => Just("+"), 1 => Just("-")]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Json::from),
            3 => vec((key(), inner), 0..6).prop_map(|all| {
                let entry = |((key, sign), value): ((String, &str), Json)| (format!("{key}{sign}"), value);
                Json::Object(all.into_iter().map(entry).collect())
            }),
        ]
    })
}

fn section_tree() -> impl Strategy<Value = Json> {
    let sections = prop::sample::select(WORDS.get(..14).unwrap_or_default());
    vec((sections, vec((word(), tree()), 0..5)), 0..6).prop_map(|all| {
        let section = |(name, objects): (&str, Vec<(String, Json)>)| {
            (name.to_owned(), Json::Object(objects.into_iter().collect()))
        };
        Json::Object(all.into_iter().map(section).collect())
    })
}
