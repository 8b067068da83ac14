//! Configurations as text, and what becomes of them.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::*;

/// Files of one configuration below a folder of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        crate::os::files::make_folder(path.parent().unwrap(), 0o755).unwrap();
        crate::os::files::write(&path, text.as_bytes(), 0o644).unwrap();
    }

    fn request(&self) -> Request {
        Request { config: self.0.path().join("vigia.yaml"), state_dir: Some(self.0.path().join("state")) }
    }

    fn load(&self) -> Loaded {
        load(&self.request(), None).unwrap()
    }

    /// Problems as people see them, without the folder.
    fn problems(&self) -> String {
        let text = problem::text(&self.load().problems);
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn one(text: &str) -> Folder {
    Folder::new(&[("vigia.yaml", text)])
}

/// The inventory in a few words.
fn summary(loaded: &Loaded) -> String {
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
    assert_snapshot!(summary(&folder.load()), @"");
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
    assert_snapshot!(summary(&folder.load()), @"");
}
