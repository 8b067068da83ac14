//! A real name server (dnsmasq) that is the authority for `example.test`.

use std::process::Command;

use super::{Server, is_root};

pub struct Dns {
    server: Server,
}

impl Dns {
    /// Knows `www.example.test` (192.0.2.10), `db.example.test` (192.0.2.30), and `localhost.example.test`
    /// (127.0.0.1).
    pub fn start() -> Self {
        let server = Server::start("dns", |port, folder| {
            let mut command = Command::new("/usr/sbin/dnsmasq");
            command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]);
            command.args(["--log-facility=-", "--bind-interfaces", "--listen-address=127.0.0.1"]);
            command.arg(format!("--port={port}"));
            command.arg(format!("--pid-file={}", folder.join("pid").display()));
            command.args([
                "--local=/example.test/",
                "--host-record=www.example.test,192.0.2.10",
                "--host-record=db.example.test,192.0.2.30",
                "--host-record=localhost.example.test,127.0.0.1",
                "--mx-host=example.test,www.example.test,10",
                "--txt-record=example.test,v=spf1 -all",
            ]);
            if is_root() {
                command.arg("--user=root");
            }
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}
