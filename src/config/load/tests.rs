//! Configurations as text, and what becomes of them.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::*;

/// Files of one configuration below a folder of its own.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        crate::os::files::make_folder(path.parent().unwrap(), 0o755).unwrap();
        crate::os::files::write(&path, text.as_bytes(), 0o644).unwrap();
    }

    pub(super) fn request(&self) -> Request {
        Request::new(&self.path("vigia.yaml"), Some(&self.path("state")))
    }

    pub(super) fn load(&self) -> Loaded {
        load(&self.request()).unwrap()
    }

    /// Problems as people see them, without the folder.
    pub(super) fn problems(&self) -> String {
        let text = problem::text(&self.load().problems);
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

pub(super) fn one(text: &str) -> Folder {
    Folder::new(&[("vigia.yaml", text)])
}

/// The inventory in a few words.
pub(super) fn summary(loaded: &Loaded) -> String {
    let mut text = String::new();
    let inventory = &loaded.inventory;
    for host in &inventory.hosts {
        let policy = &host.policy;
        writeln!(
            text,
            "{} {} {} {:?}/{:?}/{}",
            host.name,
            host.address,
            host.check.kind,
            policy.check_interval,
            policy.retry_interval,
            policy.max_check_attempts
        )
        .unwrap();
        for id in &host.services {
            let service = inventory.service(*id);
            let policy = &service.policy;
            writeln!(
                text,
                "  {} {} {:?}/{:?}/{}",
                service.name,
                service.check.kind,
                policy.check_interval,
                policy.retry_interval,
                policy.max_check_attempts
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_first_file_of_a_newcomer_is_complete() {
    let folder = one(r#"
hosts:
  gw: 192.0.2.1                                  # a scalar is the address
  web1: {address: web1.example.test, services: [ssh, https]}
  db1:  {address: 192.0.2.30, services: [ssh, "tcp:5432"]}
contacts:
  ana: ana@example.test
"#);
    assert_eq!(folder.problems(), "");
    assert_snapshot!(summary(&folder.load()), @r#"
    db1 192.0.2.30 ping 60s/20s/3
      ssh ssh 60s/20s/3
      tcp:5432 tcp 60s/20s/3
    gw 192.0.2.1 ping 60s/20s/3
    web1 web1.example.test ping 60s/20s/3
      https https 60s/20s/3
      ssh ssh 60s/20s/3
    "#);
}

#[test]
fn the_tour_of_hosts_and_services_loads() {
    let folder = one(r#"
contacts: {ops: ops@example.test}
hostgroups: {linux: {alias: Linux servers}}
commands:
  check_foo: {command_line: "$USER1$/check_foo -H $HOSTADDRESS$ -w $ARG1$ -c $ARG2$"}
defaults:
  check_interval: 1m
  retry_interval: 20s
  max_check_attempts: 3
  timeout: 10s
  contacts: [ops]
templates:
  linux-server:
    hostgroups+: [linux]
    services:
      ssh: {}
      disk: {plugin: [check_disk, -w, 15%, -c, 8%, -p, /], check_interval: 15m}
  web-server:
    use: [linux-server]
    services:
      HTTP: {http: {path: /health, expect: [200], warn: 800ms, crit: 3s}}
      certificate: {tls: {port: 443, warn: 30d, crit: 7d}}
hosts:
  core-sw: {address: 192.0.2.2, check: {tcp: 22}}
  web[1-4]:
    address: "${host.name}.example.test"
    alias: Shop front end
    use: [web-server]
    parents: [core-sw]
    tags: {env: prod, site: mad}
    asset_value: 4
    services:
      shop: https://shop.example.test/health
      ssh: off
  db1:
    address: 192.0.2.30
    aliases: [192.0.2.31, db-vip.example.test]
    was: mysql-old
    services:
      SQL: {tcp: 5432, depends_on: [web1/HTTP]}
      backup-age: {passive: {freshness: 26h}}
      legacy: {command: "check_foo!20%!10%"}
"#);
    assert_snapshot!(folder.problems(), @"");
    assert_snapshot!(summary(&folder.load()), @r#"
    core-sw 192.0.2.2 tcp 60s/20s/3
    db1 192.0.2.30 ping 60s/20s/3
      SQL tcp 60s/20s/3
      backup-age passive 60s/20s/3
      legacy command 60s/20s/3
    web1 web1.example.test ping 60s/20s/3
      HTTP http 60s/20s/3
      certificate tls 60s/20s/3
      disk plugin 900s/20s/3
      shop http 60s/20s/3
    web2 web2.example.test ping 60s/20s/3
      HTTP http 60s/20s/3
      certificate tls 60s/20s/3
      disk plugin 900s/20s/3
      shop http 60s/20s/3
    web3 web3.example.test ping 60s/20s/3
      HTTP http 60s/20s/3
      certificate tls 60s/20s/3
      disk plugin 900s/20s/3
      shop http 60s/20s/3
    web4 web4.example.test ping 60s/20s/3
      HTTP http 60s/20s/3
      certificate tls 60s/20s/3
      disk plugin 900s/20s/3
      shop http 60s/20s/3
    "#);
}

#[test]
fn strength_grows_from_defaults_over_groups_and_templates_to_the_service() {
    let folder = one(r#"
defaults: {check_interval: 1m, retry_interval: 10s, max_check_attempts: 2}
hostgroups: {linux: {check_interval: 2m, retry_interval: 11s, services: {load: {tcp: 1, check_interval: 22m}}}}
templates:
  base: {check_interval: 3m, retry_interval: 12s}
  web: {use: [base], check_interval: 4m, services: {HTTP: {tcp: 80, max_check_attempts: 9}}}
  other: {check_interval: 5m, hostgroups: [linux]}
hosts:
  a: {hostgroups: [linux], services: {one: {tcp: 1}}}
  b: {use: [web, other], services: {one: {tcp: 1, check_interval: 7m}}}
  c: {use: [web], check_interval: 6m, check: {tcp: 2, check_interval: 8m}}
"#);
    assert_snapshot!(folder.problems(), @"");
    assert_snapshot!(summary(&folder.load()), @r#"
    a a ping 120s/11s/2
      load tcp 1320s/11s/2
      one tcp 120s/11s/2
    b b ping 240s/12s/2
      HTTP tcp 240s/12s/9
      load tcp 1320s/12s/2
      one tcp 420s/12s/2
    c c tcp 480s/12s/2
      HTTP tcp 360s/12s/9
    "#);
}

#[test]
fn lists_are_changed_and_values_cancelled() {
    let folder = one(r#"
contacts: {ana: ana@example.test, bob: bob@example.test, eve: eve@example.test}
defaults: {contacts: [ana], check_interval: 5m}
templates: {t: {contacts+: [bob], services: {ssh: {contacts+: [eve]}, web: {tcp: 80}}}}
hosts:
  a: {use: [t], contacts-: [ana], check_interval: null, services: {web: {contacts: null, check_interval: 9m}}}
"#);
    let loaded = folder.load();
    assert_eq!(folder.problems(), "");
    let audience = |policy: &vigia_core::model::policy::Policy| {
        format!("{:?} {:?}", policy.audience, policy.check_interval)
    };
    let inventory = &loaded.inventory;
    let mut text = audience(&inventory.hosts[0].policy);
    for service in &inventory.services {
        write!(text, "\n{} {}", service.name, audience(&service.policy)).unwrap();
    }
    assert_snapshot!(text, @r#"
    Named { contacts: ["bob"], groups: [] } 60s
    ssh Named { contacts: ["bob", "eve"], groups: [] } 60s
    web Everyone 540s
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a report is as long as its mistakes are many")]
fn every_mistake_is_told_in_one_run() {
    let folder = one(r#"
defaults: {chek_interval: 1m}
templates:
  a: {use: [b]}
  b: {use: [a]}
hosts:
  web1: {use: [nothing], max_check_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}}
  web2: {check_interval: 60, contacts: [ana], parents: [web3], services: {x: {tcp: 80, contacts-: [bob]}}}
  web3: {parents: [web2], address: "${host.nam}"}
  web[3-4]: {}
hostgroup: {}
contacts: {ann: ann@example.test}
timeperiods: {night: {mon: "22:00-00:00"}}
"#);
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:2:12: there is no key `chek_interval` here
        2 | defaults: {chek_interval: 1m}
          |            ^^^^^^^^^^^^^ of defaults
       hint: did you mean `check_interval`?
    vigia.yaml:4:13: templates use each other in a circle: a → b → a
        4 |   a: {use: [b]}
          |             ^
       vigia.yaml:5:13: then `a`
    vigia.yaml:7:16: there is no template `nothing`
        7 |   web1: {use: [nothing], max_check_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}…
          |                ^^^^^^^ of web1
    vigia.yaml:7:46: `max_check_attempts` must be at least 1
        7 |   web1: {use: [nothing], max_check_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}…
          |                                              ^ of web1
    vigia.yaml:7:74: unknown option `pth`
        7 | … [nothing], max_check_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}}
          |                                                              ^^^ of web1/HTTP
       hint: did you mean `path`?
    vigia.yaml:7:83: a service has one kind of check, this one `http` and `tcp`
        7 | …], max_check_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}}
          |                                                              ^^^ of web1/HTTP
       vigia.yaml:7:67: the first one
       hint: make two services of it
    vigia.yaml:7:93: service `SSH` says no kind of check
        7 | …ck_attempts: 0, services: {HTTP: {http: {pth: /}, tcp: 80}, SSH: {}}}
          |                                                              ^^^ of web1/SSH
       hint: write `SSH: {ssh: {}}`
    vigia.yaml:8:26: `check_interval` wants a duration, and `60` has no unit
        8 |   web2: {check_interval: 60, contacts: [ana], parents: [web3], services: {x: {tcp: 80, contacts-: [b…
          |                          ^^ of web2
       hint: did you mean `60m`, as Nagios counts it, or `60s`?
    vigia.yaml:8:41: there is no contact or contact group `ana`
        8 |   web2: {check_interval: 60, contacts: [ana], parents: [web3], services: {x: {tcp: 80, contacts-: [b…
          |                                         ^^^ of web2
       hint: did you mean `ann`?
    vigia.yaml:8:57: hosts are parents of each other in a circle: web2 → web3 → web2
        8 |   web2: {check_interval: 60, contacts: [ana], parents: [web3], services: {x: {tcp: 80, contacts-: [b…
          |                                                         ^^^^
       vigia.yaml:9:20: then `web2`
    vigia.yaml:8:100: `bob` is not inherited, so it cannot be removed
        8 | …[ana], parents: [web3], services: {x: {tcp: 80, contacts-: [bob]}}}
          |                                                              ^^^ of web2
       hint: inherited: ana
    vigia.yaml:9:37: there is no value `${host.nam}` here
        9 |   web3: {parents: [web2], address: "${host.nam}"}
          |                                     ^^^^^^^^^^^ of web3
       hint: did you mean `host.name`?
    vigia.yaml:10:3: host `web3` is defined twice
       10 |   web[3-4]: {}
          |   ^^^^^^^^ of web3
       vigia.yaml:9:3: the first one
    vigia.yaml:11:1: there is no section `hostgroup`
       11 | hostgroup: {}
          | ^^^^^^^^^
       hint: did you mean `hostgroups`?
    vigia.yaml:13:28: `22:00-00:00` holds nothing: 00:00 begins a day
       13 | timeperiods: {night: {mon: "22:00-00:00"}}
          |                            ^^^^^^^^^^^^^ of timeperiod night
       hint: write `22:00-24:00`
    "#);
    let quarantine = folder.load().quarantine;
    let names: Vec<String> = quarantine.iter().map(|one| format!("{} {}", one.kind, one.name)).collect();
    assert_snapshot!(names.join("\n"), @r#"
    timeperiod night
    host web1
    host web2
    host web3
    "#);
}

#[test]
fn groups_that_disagree_need_a_priority() {
    let text = r#"
hostgroups:
  a: {members: ["*"], check_interval: 1m}
  b: {members: ["*"], check_interval: 2m}
hosts: {h: 192.0.2.1}
"#;
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:4:39: host groups `a` and `b` disagree about `check_interval`
        4 |   b: {members: ["*"], check_interval: 2m}
          |                                       ^^
       vigia.yaml:3:39: what `a` says
       hint: give one of them a higher `priority`
    "#);
    assert_eq!(one(&text.replace("b: {", "b: {priority: 1, ")).problems(), "");
}

#[test]
fn equal_values_have_equal_fingerprints() {
    let prints = |text: &str| {
        let loaded = one(text).load();
        assert_eq!(problem::text(&loaded.problems), "");
        let hosts = loaded.inventory.hosts.iter().map(|host| host.fingerprint);
        hosts.chain(loaded.inventory.services.iter().map(|service| service.fingerprint)).collect::<Vec<_>>()
    };
    let short = prints(r#"hosts: {a: {services: ["tcp:80"]}}"#);
    let long = prints(
        r#"hosts: {a: {address: a, check_interval: 60s, services: {"tcp:80": {tcp: {port: 80}, notes: null}}}}"#,
    );
    assert_eq!(short, long);
    let other = prints(r#"hosts: {a: {services: {"tcp:80": {tcp: {port: 81}}}}}"#);
    assert_eq!(short[0], other[0]);
    assert_ne!(short[1], other[1]);
}

#[test]
fn other_kinds_of_the_tour_load() {
    let folder = one(r#"
hosts: {db1: {services: {MYSQL: {tcp: 3306}}}, web1: {address: 192.0.2.7}}
hostgroups:
  linux: {alias: Linux servers}
  shop:  {members: ["web*", db1], contacts+: [chat], priority: 10}
servicegroups:
  databases: {members: ["*/MYSQL"]}
contacts:
  ana:  {email: ana@example.test, timezone: Europe/Madrid, notification_period: waking, options: [down, critical, recovery]}
  chat: {webhook: {url: https://chat.example.test/hook, format: slack}}
contactgroups:
  ops: {members: [ana, chat]}
timeperiods:
  waking: {mon-sun: 07:00-23:00, timezone: Europe/Madrid}
  office:
    timezone: Europe/Madrid
    mon-thu: [08:00-14:00, 15:00-18:00]
    fri: 08:00-15:00
    exclude: [holidays]
  holidays: {"2026-12-25": 00:00-24:00, "january 6": 00:00-24:00, "last monday may": 00:00-24:00}
escalations:
  shop-night: {match: group:shop, first_notification: 3, last_notification: 0, notification_interval: 30m, contacts+: [chat]}
downtimes:
  patching: {match: group:shop, every: sun 03:00, duration: 2h, timezone: Europe/Madrid, comment: monthly patching}
rules:
  tickets:
    when: {states: [down, critical], hard: true, lasting: 5m}
    ticket: {type: Availability, in_charge: ops, close_on_recovery: 15m, reopen_within: 24h}
  dba-hook:
    when: {match: "*/MYSQL", states: [critical]}
    run: [/usr/local/bin/page-dba, "${host.name}", "${service.output}"]
networks:
  office: {cidr: 192.0.2.0/24, monitor: on, asset_value: 3}
discovery:
  office-lan:
    targets: [net:office, "192.0.2.64-68", "!192.0.2.200"]
    scan: fast
    timing: normal
    every: 6h
    mode: propose
    engine: builtin
"#);
    assert_eq!(folder.problems(), "");
    let loaded = folder.load();
    let inventory = &loaded.inventory;
    assert_eq!(inventory.host(inventory.host_id("web1").unwrap()).asset_value, 3);
    assert_eq!(inventory.servicegroups[0].members.len(), 1);
    assert_eq!(inventory.hostgroups.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(inventory.rules.len(), 2);
    assert_eq!(inventory.contactgroups[0].members.len(), 2);
}

#[test]
fn show_says_where_every_value_was_said() {
    let folder =
        one("templates:\n  t: {check_interval: 2m}\nhosts:\n  a: {use: [t], services: {w: {tcp: 80}}}\n");
    let objects = crate::config::explain::explain(&folder.request(), Some("a")).unwrap();
    let text = crate::config::effective::yaml(&objects, true);
    let text = text.replace(&format!("{}/", folder.0.path().display()), "");
    let said: Vec<&str> = text.lines().filter(|line| line.contains("vigia.yaml")).collect();
    assert_snapshot!(said.join("\n"), @r#"
    use: [t]                        # vigia.yaml:4:12
    check_interval: 2m              # vigia.yaml:2:23, template t
        tcp: {port: 80}                 # vigia.yaml:4:32
        check_interval: 2m              # vigia.yaml:2:23, template t
    "#);
}

#[test]
fn what_nobody_uses_yet_is_looked_at_as_far_as_it_can_be() {
    let folder = one("
templates:
  whole: {contacts: [nobody], services: {web: {http: {pth: /}}, port: {tcp: x}}}
  half: {services: {later: {tcp: {expect: hello}}, tagged: {tcp: '${tags.port}'}, line: {command: no_such}}}
hostgroups:
  empty: {services: {web: {http: {expct: [200]}}}}
");
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:3:22: there is no contact or contact group `nobody`
        3 |   whole: {contacts: [nobody], services: {web: {http: {pth: /}}, port: {tcp: x}}}
          |                      ^^^^^^ of template whole
    vigia.yaml:3:55: unknown option `pth`
        3 |   whole: {contacts: [nobody], services: {web: {http: {pth: /}}, port: {tcp: x}}}
          |                                                       ^^^ of template whole/web, through template whole
       hint: did you mean `path`?
    vigia.yaml:3:77: `port` is a whole number from 1 to 65535, not `x`
        3 |   whole: {contacts: [nobody], services: {web: {http: {pth: /}}, port: {tcp: x}}}
          |                                                                             ^ of template whole/port, through template whole
    vigia.yaml:4:99: there is no command `no_such`
        4 | …ct: hello}}, tagged: {tcp: '${tags.port}'}, line: {command: no_such}}}
          |                                                              ^^^^^^^ of template half, through template half
    vigia.yaml:6:35: unknown option `expct`
        6 |   empty: {services: {web: {http: {expct: [200]}}}}
          |                                   ^^^^^ of hostgroup empty/web, through hostgroup empty
       hint: did you mean `expect`?
    "#);
}

#[test]
fn targets_of_discovery_and_people_in_charge_are_checked_where_they_stand() {
    let folder = one("
contacts: {ana: ana@example.test}
networks: {office: {cidr: 192.0.2.0/24}}
discovery:
  lan: {targets: ['net:ofice, 192.0.2.68-64', '!192.0.2.1']}
  none: {targets: ['!192.0.2.1']}
rules:
  changed: {when: {source: anomaly, anomaly: [service_changed, cert_changed, host_gone]}, ticket: {in_charge: anna}}
");
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:5:20: `net:ofice`: there is no network `ofice`
        5 |   lan: {targets: ['net:ofice, 192.0.2.68-64', '!192.0.2.1']}
          |                    ^^^^^^^^^ of discovery job lan
       hint: did you mean `office`?
    vigia.yaml:5:31: `192.0.2.68-64`: 68 comes after 64
        5 |   lan: {targets: ['net:ofice, 192.0.2.68-64', '!192.0.2.1']}
          |                               ^^^^^^^^^^^^^ of discovery job lan
       hint: the lower number comes first
    vigia.yaml:6:20: `targets` names nothing to scan
        6 |   none: {targets: ['!192.0.2.1']}
          |                    ^^^^^^^^^^^^ of discovery job none
       hint: `!` leaves something out of what stands beside it
    vigia.yaml:8:111: warning: `anna` is no contact and no contact group
        8 | …ice_changed, cert_changed, host_gone]}, ticket: {in_charge: anna}}
          |                                                              ^^^^ of rule changed
       hint: did you mean `ana`?
    "#);
}

#[test]
fn a_change_of_a_service_group_is_a_change_of_its_members() {
    let text = "
hosts: {a: {address: 192.0.2.1, services: [ssh, {tcp: {tcp: 1}}]}}
servicegroups: {g: {members: ['a/ssh']}}
"
    .replace("[ssh, {tcp: {tcp: 1}}]", "{ssh: {}, tcp: {tcp: 1}}");
    let prints = |text: &str| {
        one(text).load().inventory.services.iter().map(|one| one.fingerprint).collect::<Vec<_>>()
    };
    let (before, after) = (prints(&text), prints(&text.replace("a/ssh", "a/tcp")));
    assert!(before[0] != after[0] && before[1] != after[1]);
    assert_eq!(before, prints(&text));
}

#[test]
fn texts_that_look_like_two_are_another_check_than_two() {
    let folder = one("
hosts:
  a:
    address: 192.0.2.1
    services:
      one: {plugin: [/bin/echo, 'a\",\"b']}
      two: {plugin: [/bin/echo, a, b]}
");
    let inventory = folder.load().inventory;
    assert_ne!(format!("{:?}", inventory.services[0].check), format!("{:?}", inventory.services[1].check));
}

#[test]
fn a_caret_stands_below_what_it_means_within_quotes_too() {
    for path in ["/x/${tags.none}", "\"/x/${tags.none}\"", "'/x/${tags.none}'"] {
        let text = format!(
            "hosts:\n  web1:\n    address: 127.0.0.1\n    services:\n      page:\n        http:\n          path: {path}\n"
        );
        let said = one(&text).problems();
        let lines: Vec<&str> = said.lines().collect();
        let caret = lines.iter().position(|line| line.contains('^')).unwrap_or_else(|| panic!("{said}"));
        let at = lines[caret].find('^').unwrap();
        let above = lines[caret - 1].get(at..).unwrap_or_default();
        assert!(above.starts_with("${tags.none}"), "{said}");
    }
}

#[test]
fn a_secret_that_cannot_be_had_says_where_it_is_named() {
    let said = one("user_macros:\n  USER9: {file: /no/such/secret}\n").problems();
    assert!(said.contains("vigia.yaml:2:10: warning: the secret of `USER9` cannot be read"), "{said}");
}
