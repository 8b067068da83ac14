//! A real Redis that wants the password `vigia-secret`.

use std::process::Command;

use super::Server;

pub struct Redis {
    server: Server,
}

impl Redis {
    pub fn start() -> Self {
        let server = Server::start("redis", |port, folder| {
            let mut command = Command::new("/usr/bin/redis-server");
            command.args(["--bind", "127.0.0.1", "--save", "", "--requirepass", "vigia-secret"]);
            command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder);
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}
