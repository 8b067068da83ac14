//! What has a mistake goes on as it was, or is left out: object by object.

use insta::assert_snapshot;

use super::tests::{Folder, one, summary};
use super::*;

/// Kind, name and fate of what is not as the files say.
fn quarantine(loaded: &Loaded) -> Vec<String> {
    let fate = |one: &Quarantined| if one.is_last_good { "as it was" } else { "gone" };
    loaded.quarantine.iter().map(|one| format!("{} {} {}", one.kind, one.name, fate(one))).collect()
}

#[test]
fn people_and_rules_go_on_as_they_were() {
    let good = r#"
contacts: {ana: {email: ana@example.test, options: [down]}}
timeperiods: {office: {mon-fri: 08:00-18:00}}
rules: {dba: {when: {states: [critical], lasting: 3m, period: office}, label: database, priority: 2}}
"#;
    let folder = one(good);
    let first = folder.load();
    assert_eq!(problem::text(&first.problems), "");
    first.remember(&folder.path("state")).unwrap();
    let bad =
        good.replace("[down]", "[dwn]").replace("lasting: 3m", "lasting: 3").replace("08:00-18:00", "8-18");
    folder.write("vigia.yaml", &bad);
    let second = folder.load();
    let expected = ["timeperiod office as it was", "contact ana as it was", "rule dba as it was"];
    assert_eq!(quarantine(&second), expected);
    let shown = |loaded: &Loaded| {
        let inventory = &loaded.inventory;
        format!("{:?} {:?} {:?}", inventory.contacts, inventory.periods, inventory.rules)
    };
    assert_eq!(shown(&second), shown(&first));
    let new = one(&bad).load();
    assert_eq!(quarantine(&new), ["timeperiod office gone", "contact ana gone", "rule dba gone"]);
}

#[test]
fn a_mistaken_group_is_left_out_or_stays_with_the_hosts_that_were_good() {
    let good = "
hostgroups: {web: {members: [a], check_interval: 2m, services: {ssh: {}}}}
hosts: {a: 192.0.2.1, b: 192.0.2.2}
";
    let bad = good.replace("2m", "2");
    let new = one(&bad).load();
    assert_eq!(quarantine(&new), ["hostgroup web gone"]);
    assert_eq!((new.inventory.hosts.len(), new.inventory.services.len()), (2, 0));
    assert!(new.inventory.hostgroups.is_empty() && new.inventory.hosts[0].hostgroups.is_empty());

    let folder = one(good);
    folder.load().remember(&folder.path("state")).unwrap();
    folder.write("vigia.yaml", &bad);
    let second = folder.load();
    assert_eq!(quarantine(&second), ["host a as it was", "hostgroup web as it was"]);
    assert_eq!(second.quarantine[0].message, "`defaults` or a host group that speaks of it has a mistake");
    assert_eq!(second.inventory.hostgroups[0].members.len(), 1);
    assert_eq!(second.inventory.services.len(), 1);
}

#[test]
fn a_service_group_that_nobody_wrote_is_a_mistake_of_the_service() {
    let folder = one("
servicegroups: {databases: {}}
hosts: {a: {address: 192.0.2.1, services: {ssh: {servicegroups: [datbases]}, tcp: {tcp: 1}}}}
");
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:3:66: there is no servicegroup `datbases`
        3 | hosts: {a: {address: 192.0.2.1, services: {ssh: {servicegroups: [datbases]}, tcp: {tcp: 1}}}}
          |                                                                  ^^^^^^^^ of a/ssh
       hint: did you mean `databases`?
    "#);
    assert_eq!(quarantine(&folder.load()), ["service a/ssh gone"]);
}

#[test]
fn more_objects_than_the_limit_go_on_as_they_were_or_are_not_loaded() {
    let text = "hosts: {'web[1-3]': {address: 192.0.2.1, services: [ssh]}}";
    let folder = one(text);
    folder.load().remember(&folder.path("state")).unwrap();
    folder.write("vigia.yaml", &format!("limits: {{objects: 3}}\n{text}\n"));
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:2:9: there are more than 3 objects: `web3` and what follows are too many
        2 | hosts: {'web[1-3]': {address: 192.0.2.1, services: [ssh]}}
          |         ^^^^^^^^^^
       hint: raise `limits: {objects: …}` of the main file if so many are meant
    "#);
    assert_eq!(quarantine(&folder.load()), ["host web3 as it was"]);
    assert_eq!(folder.load().inventory.hosts.len(), 3);
    let new =
        one("limits: {objects: 3}\nhosts: {'web[1-3]': {address: 192.0.2.1, services: [ssh]}}\n").load();
    assert_eq!(new.inventory.hosts.len(), 2);
}

#[test]
fn a_mistaken_object_goes_on_as_it_was() {
    let good = r#"
contacts: {ana: ana@example.test}
templates: {t: {check_interval: 2m}}
hosts:
  a: {use: [t], address: 192.0.2.1, services: {one: {tcp: 1}, two: {tcp: {port: 2, expect: hello}}}}
  b: {use: [t], services: {three: {tcp: 3}}}
"#;
    let folder = Folder::new(&[("vigia.yaml", good), ("conf.d/c.yaml", "hosts: {c: {services: [ssh]}}")]);
    let state = folder.path("state");
    let first = folder.load();
    assert_eq!(problem::text(&first.problems), "");
    first.remember(&state).unwrap();
    folder.write(
        "vigia.yaml",
        &good.replace("tcp: 1", "tcp: x").replace("b: {use", "b: {check_interval: 1, use"),
    );
    folder.write("conf.d/c.yaml", "hosts: {c: [");
    for _ in 0..2 {
        let second = folder.load();
        assert_eq!(quarantine(&second), ["service a/one as it was", "host b as it was"]);
        assert_eq!(summary(&second), summary(&first));
        let ids = |loaded: &Loaded| {
            loaded.inventory.services.iter().map(|one| one.check.timeout).collect::<Vec<_>>()
        };
        assert_eq!(ids(&second), ids(&first));
        second.remember(&state).unwrap();
    }
    folder.write("conf.d/c.yaml", "hosts: {}");
    folder.write("vigia.yaml", good);
    assert_eq!(folder.load().inventory.hosts.len(), 2);
}
