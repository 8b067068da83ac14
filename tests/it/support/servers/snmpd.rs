//! A real SNMP agent (snmpd) that tells the community `vigia-secret` where it stands.

use std::fs;
use std::process::Command;

use super::Server;

pub struct Snmpd {
    server: Server,
}

impl Snmpd {
    pub fn start() -> Self {
        let server = Server::start("snmpd", |port, folder| {
            let config = folder.join("snmpd.conf");
            fs::write(&config, "rocommunity vigia-secret 127.0.0.1\nsysLocation rack 7\nsysServices 72\n")
                .expect("snmpd.conf");
            let mut command = Command::new("/usr/sbin/snmpd");
            command.args(["-f", "-Lo", "-C", "-c"]).arg(config);
            // Questions come over UDP; that TCP accepts says that it is ready.
            command.arg(format!("udp:127.0.0.1:{port},tcp:127.0.0.1:{port}"));
            command.env("SNMP_PERSISTENT_DIR", folder);
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}
