//! Every setting has a default, every mistake in one is found, and secrets stay secret.

use insta::assert_snapshot;

use super::*;
use crate::config::files::Author;
use crate::config::keys::{Key, Type};
use crate::config::place::{Source, Sources};
use crate::config::problem::{report, text};
use crate::config::tree;

/// Settings from files of these contents, and the problems.
fn read(files: &[&str]) -> (Option<Settings>, String) {
    let mut sources = Sources::default();
    for (number, content) in files.iter().enumerate() {
        sources.add(Source::new(format!("{number}.yaml"), *content));
    }
    let mut problems = Vec::new();
    let documents: Vec<_> = sources
        .iter()
        .filter_map(|(file, source)| {
            let map = tree::parse(source, file, &tree::Limits::default(), &mut problems)?;
            Some(Document { file, author: Author::Person, map })
        })
        .collect();
    let mut decoder = Decoder::with(problems);
    let settings = decode(&documents, Path::new("/etc/vigia"), Path::new("/state"), &mut decoder);
    (settings, text(&report(decoder.into_problems(), &sources)))
}

fn good(yaml: &str) -> Settings {
    let (settings, problems) = read(&[yaml]);
    settings.unwrap_or_else(|| panic!("{problems}"))
}

#[test]
fn nothing_written_gives_settings_that_work() {
    let (settings, problems) = read(&[""]);
    let settings = settings.unwrap();
    assert_eq!(problems, "");
    assert_eq!(settings.web.listen, ["127.0.0.1:8642".parse().unwrap()]);
    assert_eq!(settings.store.path, Path::new("/state/vigia.db"));
    assert_eq!(settings.store.retention.perfdata_1h, Duration::from_secs(2 * 365 * 86_400));
    assert_eq!((settings.smtp.port, settings.smtp.tls), (25, SmtpTls::Off));
    assert_eq!(settings.message_templates, Path::new("/etc/vigia/templates"));
    assert_eq!(
        settings.user_macros,
        [("USER1".to_owned(), MacroValue::Text("/usr/lib/nagios/plugins".to_owned()))]
    );
}

#[test]
fn every_declared_setting_takes_effect() {
    fn leaves(path: &str, keys: &'static [Key], found: &mut Vec<String>) {
        for key in keys {
            let path = format!("{path}{}", key.name);
            match key.holds {
                Type::Map(inner) => leaves(&format!("{path}."), inner, found),
                _ if key.default.is_empty() => {}
                _ => found.push(path),
            }
        }
    }
    let mut declared = Vec::new();
    leaves("", SECTIONS, &mut declared);
    let mut effective: Vec<_> = good("").effective.into_iter().map(|one| one.key).collect();
    declared.sort();
    effective.sort();
    assert_eq!(declared, effective);
}

#[test]
fn an_example_of_every_section_is_read() {
    let settings = good(
        "web:
  listen: ['127.0.0.1:0', '[::1]:8642']
  url: https://vigia.example.test
  tls: {cert: cert.pem, key: /k.pem}
  auth:
    anonymous: none
    password: {min: 12}
    proxy: {from: [192.0.2.1, 2001:db8::/32], role: operator}
    oidc: {issuer: https://id.example.test, client_id: v, client_secret: {env: OIDC}}
  public_status: group:shop
metrics: {path: /m, listen: '127.0.0.1:9100'}
store: {path: var/v.db, retention: {states: 1y, perfdata: {raw: 1w}}}
smtp: {host: mail.example.test, user: v, password: {credential: smtp}, sendmail: /usr/sbin/sendmail -t}
concurrency: {kinds: {plugin: 3, tcp: 100}}
plugin_path: /opt/plugins
user_macros: {USER3: {file: /s}, USER4: x}
tickets: {reminder: off, trackers: {j: {url: https://j.example.test, format: jira, token: {file: /t}, match: [a, '!b']}}}
nagios: {command_file: rw/nagios.cmd, livestatus: off, perfdata: {host: h, every: 1m}}
pollers: {listen: '0.0.0.0:8643', nodes: {mad: {token: {file: /t}}}}
log: {level: debug, format: json}
backup: {dir: /backup, keep: 3}
self_monitoring: {host: on, disk: {warning: 20%}, ping: {url: {file: /s}, every: 5m}}
limits: {objects: 10, file: 1MiB}
",
    );
    assert_eq!(settings.web.listen.len(), 2);
    assert_eq!(settings.web.tls.map(|tls| tls.cert), Some(PathBuf::from("/etc/vigia/cert.pem")));
    assert_eq!(settings.web.proxy.map(|proxy| (proxy.from.len(), proxy.role)), Some((2, "operator")));
    assert_eq!((settings.smtp.port, settings.smtp.tls), (25, SmtpTls::StartTls));
    assert_eq!(settings.smtp.sendmail, ["/usr/sbin/sendmail", "-t"]);
    assert_eq!(settings.store.path, Path::new("/etc/vigia/var/v.db"));
    assert_eq!(settings.tickets.reminder, None);
    assert_eq!(settings.nagios.command_file, Some("/etc/vigia/rw/nagios.cmd".into()));
    assert_eq!(settings.plugin_path, [PathBuf::from("/opt/plugins")]);
    assert_eq!(settings.limits.file, 1 << 20);
    assert_eq!(settings.self_monitoring.disk, Bounds { warning: 20.0, critical: 5.0 });
    assert_eq!(settings.self_monitoring.ping.map(|ping| ping.every), Some(Duration::from_secs(300)));
}

#[test]
fn every_mistake_is_reported_and_leaves_the_settings_as_they_were() {
    let (settings, problems) = read(&["web: {listen: 8642, lisen: x, auth: {anonymous: nobody}}
smtp: {tls: ssl, timeout: 30}
limits: {file: 256, objects: 0}
log: debug
user_macros: {$USER1$: x}
concurrency: {kinds: {pluginn: 3}}
tickets: {trackers: {x: {format: jira}}}
"]);
    assert!(settings.is_none());
    assert_snapshot!(problems, @r"
    0.yaml:1:15: `listen` wants `ADDRESS:PORT`, not `8642`
        1 | web: {listen: 8642, lisen: x, auth: {anonymous: nobody}}
          |               ^^^^
       hint: did you mean `127.0.0.1:8642`?
    0.yaml:1:21: there is no key `lisen` here
        1 | web: {listen: 8642, lisen: x, auth: {anonymous: nobody}}
          |                     ^^^^^
       hint: did you mean `listen`?
    0.yaml:1:49: `anonymous` has no `nobody`
        1 | web: {listen: 8642, lisen: x, auth: {anonymous: nobody}}
          |                                                 ^^^^^^
       hint: one of: loopback none all
    0.yaml:2:13: `tls` has no `ssl`
        2 | smtp: {tls: ssl, timeout: 30}
          |             ^^^
       hint: one of: off starttls tls
    0.yaml:2:27: `timeout` wants a duration, and `30` has no unit
        2 | smtp: {tls: ssl, timeout: 30}
          |                           ^^
       hint: did you mean `30s`?
    0.yaml:3:16: `file` wants a size, and `256` has no unit
        3 | limits: {file: 256, objects: 0}
          |                ^^^
       hint: did you mean `256B` or `256MiB`?
    0.yaml:3:30: `objects` must be at least 1
        3 | limits: {file: 256, objects: 0}
          |                              ^
    0.yaml:4:6: `log` wants a map, not `debug`
        4 | log: debug
          |      ^^^^^
    0.yaml:5:15: `$USER1$` is no user macro
        5 | user_macros: {$USER1$: x}
          |               ^^^^^^^
       hint: they are `USER1` to `USER256`, without dollars
    0.yaml:6:23: there is no kind of check `pluginn`
        6 | concurrency: {kinds: {pluginn: 3}}
          |                       ^^^^^^^
    0.yaml:7:25: `tickets.trackers.x` wants `url`
        7 | tickets: {trackers: {x: {format: jira}}}
          |                         ^
    ");
}

#[test]
fn a_section_stands_once_in_all_files() {
    let (settings, problems) = read(&["log: {level: info}\n", "log: {level: debug}\n"]);
    assert!(settings.is_none());
    assert_snapshot!(problems, @r"
    1.yaml:1:1: `log` stands in another file already
        1 | log: {level: debug}
          | ^^^
       0.yaml:1:1: the first one
       hint: a section of settings may stand in any file, but once in all
    ");
}

#[test]
fn a_section_that_was_commented_out_is_a_warning() {
    let (settings, problems) = read(&["web:\n#  listen: off\n"]);
    assert!(settings.is_some());
    assert_snapshot!(problems, @r"
    0.yaml:1:1: warning: nothing stands after `web:`, so it counts as not written
        1 | web:
          | ^^^
       hint: `null` cancels an inherited value; or take the key away
    ");
}

#[test]
fn a_secret_in_the_file_is_a_warning_and_is_never_shown() {
    let (settings, problems) = read(&["smtp: {password: hunter2}\nuser_macros: {USER2: {literal: x}}\n"]);
    assert!(settings.is_none());
    assert_snapshot!(problems, @r"
    0.yaml:1:18: warning: `password` is a secret, and stands here for all to read
        1 | smtp: {password: *******}
          |                  ^^^^^^^
       hint: write it into a file and say `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`
    0.yaml:2:23: `literal` is no place of a secret; it is one of `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`
        2 | user_macros: {USER2: {literal: x}}
          |                       ^^^^^^^
    ");
    let settings = good("smtp: {password: hunter2}\npollers: {nodes: {a: {token: hunter2}}}\n");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn what_needs_a_restart_is_named() {
    let running = good("");
    let new =
        good("web: {listen: off, url: https://x.example.test}\nstore: {path: /x.db}\nlog: {level: debug}\n");
    assert_eq!(new.needing_restart(&running), ["web.listen", "web.url", "store.path"]);
    assert!(running.needing_restart(&good("web: {listen: '127.0.0.1:8642'}")).is_empty());
}

#[test]
fn an_address_to_listen_at_is_asked_for_with_its_port() {
    for (text, hint) in [
        ("8642", "did you mean `127.0.0.1:8642`?"),
        (":80", "`0.0.0.0:80` is every IPv4 address, `[::]:80` every address"),
        ("192.0.2.1", "did you mean `192.0.2.1:8642`?"),
        ("::1", "did you mean `[::1]:8642`?"),
        ("web:http", "an IP address and a port: `127.0.0.1:8642`, `[::1]:8642`"),
    ] {
        assert_eq!(listen_address(text), Err(hint.to_owned()));
    }
    assert_eq!(listen_address("localhost:1"), Ok("127.0.0.1:1".parse().unwrap()));
}
