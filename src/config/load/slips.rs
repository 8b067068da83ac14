//! Slips that people make who come from other programs, and what they are told.

use insta::assert_snapshot;

use super::tests::one;

#[test]
fn keys_as_far_left_as_an_empty_host_are_its_own_and_it_goes_on_as_it_was() {
    let good = "hosts:\n  mail1:\n    address: 192.0.2.1\n    services: [ssh]\n  b: 192.0.2.2\n";
    let folder = one(good);
    folder.load().memory.write(&folder.request().state_dir.unwrap()).unwrap();
    folder.write("vigia.yaml", "hosts:\n  mail1:\n  address: 192.0.2.1\n  services: [ssh]\n  b: 192.0.2.2\n");
    assert_snapshot!(folder.problems(), @r#"
    vigia.yaml:3:3: `address` stands as far left as the host `mail1` above it
        3 |   address: 192.0.2.1
          |   ^^^^^^^ of mail1
       vigia.yaml:2:3: a host with nothing in it
       hint: indent what belongs to it, as in
               mail1:
                 address: 192.0.2.1
             or write `mail1: {}` if there is a host of the name `address`
    "#);
    let loaded = folder.load();
    let names: Vec<&str> = loaded.inventory.hosts.iter().map(|host| &*host.name).collect();
    assert_eq!((names, loaded.inventory.services.len()), (vec!["b", "mail1"], 1));
}

#[test]
fn a_host_with_the_name_of_a_key_is_suspicious() {
    assert_snapshot!(one("hosts:\n  mail1: {alias: Mail}\n  address: 192.0.2.1\n").problems(), @r#"
    vigia.yaml:3:3: warning: a host of the name `address`, which is a key of hosts
        3 |   address: 192.0.2.1
          |   ^^^^^^^
       hint: if it belongs to `mail1`, indent it further than that
    "#);
    assert_snapshot!(one("hosts: {services: {address: 192.0.2.1}}").problems(), @r#"
    vigia.yaml:1:9: warning: a host of the name `services`, which is a key of hosts
        1 | hosts: {services: {address: 192.0.2.1}}
          |         ^^^^^^^^
       hint: if it belongs to a host, the host's name is missing above it
    "#);
}

#[test]
fn a_map_in_a_list_of_services_hides_no_other_mistake() {
    let text = "hosts: {a: {address: 192.0.2.1, services: [shh, {http: {path: /x}}, \"tcp:99999\", ssh]}}";
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:1:44: service `shh` says no kind of check
        1 | hosts: {a: {address: 192.0.2.1, services: [shh, {http: {path: /x}}, "tcp:99999", ssh]}}
          |                                            ^^^ of a/shh
       hint: did you mean `ssh`?
    vigia.yaml:1:49: an item of this list is the name of a service, not a map
        1 | hosts: {a: {address: 192.0.2.1, services: [shh, {http: {path: /x}}, "tcp:99999", ssh]}}
          |                                                 ^ of a
       hint: services with options stand in a map, without the dash:
             services:
               http: {…}
             and `- http` alone is one without options
    vigia.yaml:1:74: `port` is a whole number from 1 to 65535, not `99999`
        1 | hosts: {a: {address: 192.0.2.1, services: [shh, {http: {path: /x}}, "tcp:99999", ssh]}}
          |                                                                          ^^^^^ of a/tcp:99999
    "#);
}

#[test]
fn a_kind_that_does_not_exist_is_one_mistake() {
    assert_snapshot!(one("hosts: {a: {address: 192.0.2.1, services: {x: {htp: {}}}}}").problems(), @r#"
    vigia.yaml:1:48: there is no kind of check `htp`
        1 | hosts: {a: {address: 192.0.2.1, services: {x: {htp: {}}}}}
          |                                                ^^^ of a/x
       hint: did you mean `http`?
    "#);
}

#[test]
fn macros_and_signs_of_a_shell_do_nothing_outside_a_command_line() {
    let text = r#"
hosts:
  a:
    address: 192.0.2.1
    services:
      one: {plugin: [/bin/true, -H, $HOSTADDRESS$, -a, $ARG1$]}
      two: {http: {path: /$HOSTNAME$}}
      three: {plugin: "/bin/cat x | /bin/grep $"}
"#;
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:6:37: warning: `$HOSTADDRESS$` stays as it is here
        6 |       one: {plugin: [/bin/true, -H, $HOSTADDRESS$, -a, $ARG1$]}
          |                                     ^^^^^^^^^^^^^ of a/one
       hint: write `${host.address}`
    vigia.yaml:6:56: warning: `$ARG1$` stays as it is here
        6 |       one: {plugin: [/bin/true, -H, $HOSTADDRESS$, -a, $ARG1$]}
          |                                                        ^^^^^^ of a/one
       hint: outside `command_line` there are only `${host.name}` `${host.address}` `${host.alias}` `${host.index}` `${service.name}` `${tags.KEY}`
    vigia.yaml:7:26: warning: `$HOSTNAME$` stays as it is here
        7 |       two: {http: {path: /$HOSTNAME$}}
          |                          ^^^^^^^^^^^ of a/two
       hint: write `${host.name}`
    vigia.yaml:8:23: warning: `|` reaches the plugin as an argument: no shell runs it
        8 |       three: {plugin: "/bin/cat x | /bin/grep $"}
          |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^ of a/three
       hint: put the line into a script, or into `commands` with `command_line` and `shell: on`
    "#);
}

#[test]
fn what_only_looks_like_an_address_is_none() {
    let text = "hosts:\n  a: 192.0.2.400\n  b: \"192.0.2.4:80\"\n  c: $HOSTADDRESS$\n  d: web1.example.test\n  e: \"2001:db8::1\"\n  \
                f: fe80::1%eth0\n";
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:2:6: `192.0.2.400` is not an address
        2 |   a: 192.0.2.400
          |      ^^^^^^^^^^^ of a
       hint: an IPv4 address is four numbers from 0 to 255
    vigia.yaml:3:6: `192.0.2.4:80` is not an address
        3 |   b: "192.0.2.4:80"
          |      ^^^^^^^^^^^^^^ of b
       hint: write `192.0.2.4` here; the port belongs to the check, as in `tcp:80`
    vigia.yaml:4:6: `$HOSTADDRESS$` is not an address
        4 |   c: $HOSTADDRESS$
          |      ^^^^^^^^^^^^^ of c
       hint: write an IP address or a host name; macros of Nagios are not read here
    "#);
}

#[test]
fn a_warning_that_never_comes_is_told() {
    let text = "hosts: {a: {address: 192.0.2.1, services: {x: {http: {warn: 3s, crit: 1s}}, y: {tcp: {port: 1, warn: 1s, crit: 3s}}}}}";
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:1:61: warning: `warn` comes no earlier than `crit`: it is CRITICAL at once
        1 | hosts: {a: {address: 192.0.2.1, services: {x: {http: {warn: 3s, crit: 1s}}, y: {tcp: {port: 1, warn:…
          |                                                             ^^ of a/x
       hint: a shorter `warn`, or a longer `crit`
    "#);
}

#[test]
fn selectors_with_a_prefix_that_there_is_not_are_told_which_there_are() {
    let text =
        "hostgroups:\n  g: {members: [\"hostgroup:y\", \"grp:y\", \"office:y\"]}\nhosts: {a: 192.0.2.1}\n";
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:2:17: warning: `hostgroup:y` selects no host
        2 |   g: {members: ["hostgroup:y", "grp:y", "office:y"]}
          |                 ^^^^^^^^^^^^^ of hostgroup g
       hint: `hostgroup:` is no prefix of a selector; those are `group:` `servicegroup:` `tag:` `net:`; did you mean `group:y`?
    vigia.yaml:2:32: warning: `grp:y` selects no host
        2 |   g: {members: ["hostgroup:y", "grp:y", "office:y"]}
          |                                ^^^^^^^ of hostgroup g
       hint: `grp:` is no prefix of a selector; those are `group:` `servicegroup:` `tag:` `net:`; did you mean `group:y`?
    vigia.yaml:2:41: warning: `office:y` selects no host
        2 |   g: {members: ["hostgroup:y", "grp:y", "office:y"]}
          |                                         ^^^^^^^^^^ of hostgroup g
       hint: `office:` is no prefix of a selector; those are `group:` `servicegroup:` `tag:` `net:`
    "#);
}

#[test]
fn hints_name_what_exists_and_guess_nothing_far() {
    let text = "
networks: {lan: 192.0.2.0/33}
hosts:
  p: {address: 192.0.2.1, service: [ssh]}
  a: {address: 192.0.2.1, services: {p: {tcp: 1, depends_on: [p/x]}, ssh: {depends_on: [/y]}}}
";
    assert_snapshot!(one(text).problems(), @r#"
    vigia.yaml:2:17: `lan` wants a map, not `192.0.2.0/33`
        2 | networks: {lan: 192.0.2.0/33}
          |                 ^^^^^^^^^^^^ of network lan
       hint: write `lan: {cidr: 192.0.2.0/33}`
    vigia.yaml:4:27: there is no key `service` here
        4 |   p: {address: 192.0.2.1, service: [ssh]}
          |                           ^^^^^^^ of p
       hint: did you mean `services`?
    vigia.yaml:5:63: there is no service `x` on `p`
        5 |   a: {address: 192.0.2.1, services: {p: {tcp: 1, depends_on: [p/x]}, ssh: {depends_on: [/y]}}}
          |                                                               ^^^ of a/p
    vigia.yaml:5:89: there is no service `y` on `a`
        5 |   a: {address: 192.0.2.1, services: {p: {tcp: 1, depends_on: [p/x]}, ssh: {depends_on: [/y]}}}
          |                                                                                         ^^ of a/ssh
    "#);
}

#[test]
fn missing_blanks_and_quotes_have_words_of_ours() {
    assert_snapshot!(one("hosts: {a: {address:192.0.2.1, services:[ssh]}}").problems(), @r#"
    vigia.yaml:1:40: a blank is missing after the `:`
        1 | hosts: {a: {address:192.0.2.1, services:[ssh]}}
          |                                        ^
       hint: `key: value`; without the blank it is one text
    "#);
    assert_snapshot!(one("hosts: {a: {address: 192.0.2.1, action_url: 'it's'}}").problems(), @r#"
    vigia.yaml:1:49: the single quotes end before this
        1 | hosts: {a: {address: 192.0.2.1, action_url: 'it's'}}
          |                                                 ^
       hint: a `'` inside single quotes is written twice, as in `'it''s'`; or put the text into double quotes
    "#);
}
