//! One machine over a number of scans: what each of them has to say.

use super::*;
use crate::discovery::finding::{Sign, Tls, Transport};

const CARD: &str = "00:1e:c9:00:00:01";
const OTHER: &str = "00:1e:c9:00:00:02";
const RANDOM: &str = "52:54:00:00:00:01";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute)
}

fn ssh(version: &str) -> Service {
    let ssh = Service::new(22, Transport::Tcp, "ssh");
    Service { is_sure: true, product: Some("OpenSSH".into()), version: Some(version.into()), ..ssh }
}

fn web() -> Service {
    Service { is_sure: true, product: Some("nginx".into()), ..Service::new(80, Transport::Tcp, "http") }
}

fn finding(services: Vec<Service>) -> Finding {
    let sign = Sign::Echo { ttl: None };
    Finding { services, is_complete: true, ..Finding::new(IpAddr::from([192, 0, 2, 1]), sign) }
}

/// One asset and its standing anomalies over a number of scans.
#[derive(Default)]
struct Story {
    asset: Option<Asset>,
    standing: Vec<Anomaly>,
    minute: i64,
    is_watched: bool,
    is_cut_short: bool,
    asked: Option<Asked>,
}

impl Story {
    /// Kinds, with old and new, that one more scan raised, changed or ended.
    fn scan(&mut self, finding: Finding) -> Vec<String> {
        self.minute += 60;
        let asked = self.asked.clone().unwrap_or_else(|| Asked::read("1-1023 udp"));
        let look = Look {
            is_complete: !self.is_cut_short,
            asked: &asked,
            looked_at: &|_| true,
            watched: &|_| self.is_watched,
        };
        let machine = Machine { findings: vec![finding], because: None };
        let observed = observe(self.asset.as_ref(), &self.standing, &machine, &look, at(self.minute));
        self.take(observed)
    }

    fn miss(&mut self) -> Vec<String> {
        self.minute += 60;
        let asset = self.asset.clone().unwrap();
        let observed = missed(&asset, &self.standing, 3, at(self.minute));
        self.take(observed)
    }

    fn take(&mut self, observed: Observed) -> Vec<String> {
        self.asset = Some(observed.asset);
        let mut told = Vec::new();
        for find in observed.finds {
            match find {
                Finds::Raised(one) => {
                    self.standing.retain(|old| (old.kind, &old.subject) != (one.kind, &one.subject));
                    told.push(format!("{} {}: {} -> {}", one.kind.word(), one.subject, one.old, one.new));
                    let id = AnomalyId(1000 + u64::try_from(self.minute).unwrap() + told.len() as u64);
                    self.standing.push(Anomaly {
                        id,
                        asset: Default::default(),
                        kind: one.kind,
                        subject: one.subject,
                        old: one.old,
                        new: one.new,
                        severity: 5,
                        status: AnomalyStatus::Open,
                        first: at(self.minute),
                        last: at(self.minute),
                        decided_by: None,
                        decided: None,
                        ticket: None,
                    });
                }
                Finds::Changed(id, new) => {
                    told.push(format!("now {new}"));
                    self.standing.iter_mut().filter(|one| one.id == id).for_each(|one| one.new = new.clone());
                }
                Finds::Over(id) => {
                    let one = self.standing.iter().find(|one| one.id == id).unwrap();
                    told.push(format!("{} is over", one.kind.word()));
                    self.standing.retain(|one| one.id != id);
                }
            }
        }
        told
    }

    fn keep(&mut self) {
        self.standing.iter_mut().for_each(|one| one.status = AnomalyStatus::Kept);
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_first_complete_scan_is_the_baseline_and_says_nothing() {
    let mut story = Story::default();
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web()])), NOTHING);
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web()])), NOTHING);
    let asset = story.asset.unwrap();
    assert_eq!((asset.name(), asset.services.len()), ("192.0.2.1", 2));
    assert_eq!((asset.first_seen, asset.last_seen), (Some(at(60)), Some(at(120))));
}

#[test]
fn a_version_that_changes_is_told_once_with_old_and_new() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    assert_eq!(story.scan(finding(vec![ssh("9.6")])), ["version_changed 22/tcp: OpenSSH 9.2 -> OpenSSH 9.6"]);
    assert_eq!(story.scan(finding(vec![ssh("9.6")])), NOTHING);
    assert_eq!(story.scan(finding(vec![ssh("9.7")])), ["now OpenSSH 9.7"]);
    assert_eq!(story.scan(finding(vec![ssh("9.2")])), ["version_changed is over"]);
}

#[test]
fn what_was_kept_is_told_again_only_when_yet_another_value_comes() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    story.scan(finding(vec![ssh("9.6")]));
    story.keep();
    assert_eq!(story.scan(finding(vec![ssh("9.6")])), NOTHING);
    assert_eq!(story.scan(finding(vec![ssh("9.7")])), ["version_changed 22/tcp: OpenSSH 9.2 -> OpenSSH 9.7"]);
}

#[test]
fn a_service_that_says_less_than_before_has_not_changed() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    let shy = Service { product: None, version: None, ..ssh("") };
    assert_eq!(story.scan(finding(vec![shy])), NOTHING);
    assert_eq!(story.asset.unwrap().services[0].software(), "OpenSSH 9.2");
}

#[test]
fn another_service_behind_one_port_is_told_as_such() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    let other = Service { port: 22, ..web() };
    assert_eq!(story.scan(finding(vec![other])), ["service_changed 22/tcp: ssh OpenSSH 9.2 -> http nginx"]);
}

#[test]
fn a_service_is_new_only_on_a_port_that_was_asked_before() {
    let mut story = Story { asked: Some(Asked::read("22")), ..Story::default() };
    story.scan(finding(vec![ssh("9.2")]));
    story.asked = None;
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web()])), NOTHING, "nobody had looked at 80");
    let mut more = web();
    more.port = 81;
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web(), more])), ["service_new 81/tcp:  -> http nginx"]);
}

#[test]
fn a_service_is_gone_after_two_scans_in_a_row_and_back_when_it_answers() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2"), web()]));
    assert_eq!(story.scan(finding(vec![ssh("9.2")])), NOTHING, "one scan may miss it");
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web()])), NOTHING);
    assert_eq!(story.scan(finding(vec![ssh("9.2")])), NOTHING);
    assert_eq!(story.scan(finding(vec![ssh("9.2")])), ["service_gone 80/tcp: http nginx -> "]);
    assert_eq!(story.scan(finding(vec![ssh("9.2")])), NOTHING, "told once");
    assert_eq!(story.scan(finding(vec![ssh("9.2"), web()])), ["service_gone is over"]);
}

#[test]
fn a_port_that_was_not_asked_is_not_missed() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2"), web()]));
    story.asked = Some(Asked::read("22"));
    for _ in 0..3 {
        assert_eq!(story.scan(finding(vec![ssh("9.2")])), NOTHING);
    }
    assert_eq!(story.asset.unwrap().services[1].gone, None);
}

#[test]
fn a_scan_that_was_cut_short_concludes_nothing_and_hides_nothing() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2"), web()]));
    story.is_cut_short = true;
    for _ in 0..3 {
        assert_eq!(story.scan(finding(vec![ssh("9.6")])), NOTHING);
    }
    story.is_cut_short = false;
    let mut partial = finding(vec![ssh("9.6")]);
    partial.is_complete = false;
    assert_eq!(story.scan(partial), NOTHING, "nor does one host that was not asked to the end");
    assert_eq!(
        story.scan(finding(vec![ssh("9.6"), web()])),
        ["version_changed 22/tcp: OpenSSH 9.2 -> OpenSSH 9.6"],
        "the next complete scan finds what it had seen"
    );
}

#[test]
fn a_firewall_that_answers_for_all_ports_hides_services_and_ends_none() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    for _ in 0..3 {
        let mut facade = finding(Vec::new());
        facade.notes.extend(mirage::facade(37, 37));
        assert_eq!(story.scan(facade), NOTHING);
    }
}

#[test]
fn a_host_is_news_only_where_somebody_had_looked_before() {
    assert_eq!(Story::default().scan(finding(vec![ssh("9")])), NOTHING);
    let mut watched = Story { is_watched: true, ..Story::default() };
    let told = watched.scan(finding(vec![ssh("9")]));
    assert_eq!(told, ["host_new :  -> 192.0.2.1, 22/tcp ssh OpenSSH 9"]);
    assert_eq!(watched.scan(finding(vec![ssh("9")])), NOTHING);
    let host = Asset { host: Some("web1".into()), ..Asset::default() };
    let mut configured = Story { is_watched: true, asset: Some(host), ..Story::default() };
    assert_eq!(configured.scan(finding(vec![ssh("9")])), NOTHING, "somebody wrote it");
}

#[test]
fn missing_is_not_gone_stale_is_told_once_and_ends_when_it_is_back() {
    let mut story = Story::default();
    story.scan(finding(Vec::new()));
    assert_eq!((story.miss(), story.miss()), (Vec::new(), Vec::new()));
    let told = story.miss();
    assert!(told.len() == 1 && told[0].starts_with("host_gone : seen "), "{told:?}");
    assert!(told[0].ends_with("missed by 3 scans"), "{told:?}");
    assert_eq!(story.miss(), NOTHING);
    assert!(story.asset.as_ref().unwrap().stale.is_some());
    assert_eq!(story.scan(finding(Vec::new())), ["host_gone is over"]);
    let asset = story.asset.unwrap();
    assert_eq!((asset.stale, asset.missed), (None, 0));
}

fn with_card(mac: &str) -> Finding {
    Finding { mac: mac.parse().ok(), ..finding(Vec::new()) }
}

#[test]
fn another_card_is_told_and_one_that_software_made_up_is_not() {
    let mut story = Story::default();
    story.scan(with_card(CARD));
    assert_eq!(story.scan(with_card(OTHER)), ["mac 192.0.2.1: 00:1E:C9:00:00:01 -> 00:1E:C9:00:00:02"]);
    let mut phone = Story::default();
    phone.scan(with_card(RANDOM));
    assert_eq!(phone.scan(with_card("52:54:00:00:00:02")), NOTHING);
}

#[test]
fn two_cards_in_turn_for_one_address_are_a_conflict() {
    let mut story = Story::default();
    story.scan(with_card(CARD));
    story.minute -= 58;
    story.scan(with_card(OTHER));
    story.minute -= 58;
    let told = story.scan(with_card(CARD));
    assert_eq!(
        told,
        [
            "ip_conflict 192.0.2.1: 00:1E:C9:00:00:02 -> 00:1E:C9:00:00:01".to_owned(),
            "mac is over".to_owned()
        ]
    );
}

#[test]
fn another_host_key_another_system_and_another_name_are_told() {
    let look = |key: &str, os: &str, name: &str| Finding {
        ssh_key: Some(key.into()),
        os: Some(crate::discovery::finding::OsGuess { name: os.into(), evidence: "banner".into() }),
        names: vec![name.into()],
        ..finding(Vec::new())
    };
    let mut story = Story::default();
    story.scan(look("SHA256:a", "Linux", "web1.example.test"));
    assert_eq!(story.scan(look("SHA256:a", "Debian GNU/Linux 12", "web1.example.test")), NOTHING);
    assert_eq!(
        story.scan(look("SHA256:b", "FreeBSD 14", "db1.example.test")),
        [
            "hostname : web1.example.test -> db1.example.test",
            "os : Debian GNU/Linux 12 -> FreeBSD 14",
            "key_changed ssh: SHA256:a -> SHA256:b",
        ]
    );
}

#[test]
fn a_certificate_that_was_due_is_renewed_and_another_is_told() {
    let until = |days: i64| Some(Timestamp::from_second(at(0).as_second() + days * 86_400));
    let with = |key: &str, days| {
        let mut service = web();
        service.first.tls = Some(Tls { key: key.into(), until: until(days), ..Tls::default() });
        finding(vec![service])
    };
    let mut story = Story::default();
    story.scan(with("SHA256:a", 20));
    assert_eq!(story.scan(with("SHA256:b", 110)), NOTHING, "it had less than 30 days to live");
    assert_eq!(story.scan(with("SHA256:c", 110)), ["cert_changed 80/tcp: SHA256:b -> SHA256:c"]);
}

#[test]
fn what_a_person_said_survives_every_scan() {
    let mut story = Story::default();
    story.scan(finding(vec![ssh("9.2")]));
    let said = vigia_core::model::asset::AssetWords {
        name: Some("the old mill".into()),
        os: Some("BeOS".into()),
        latitude: Some(40.4),
        ..Default::default()
    };
    story.asset.as_mut().unwrap().set = said.clone();
    for version in ["9.3", "9.4"] {
        let mut look = finding(vec![ssh(version)]);
        look.names = vec!["web1.example.test".into()];
        look.os = Some(crate::discovery::finding::OsGuess { name: "Linux".into(), evidence: String::new() });
        story.scan(look);
    }
    let asset = story.asset.unwrap();
    assert_eq!(asset.set, said);
    assert_eq!((asset.name(), asset.os()), ("the old mill", Some("BeOS")));
}
