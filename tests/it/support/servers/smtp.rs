//! A real SMTP server (aiosmtpd) that keeps what it is given.

use std::process::Command;

use super::Server;

pub struct Smtp {
    server: Server,
}

impl Smtp {
    pub fn start() -> Self {
        let server = Server::start("smtp", |port, folder| {
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-m", "aiosmtpd", "--nosetuid", "--listen"]).arg(format!("127.0.0.1:{port}"));
            command.args(["--class", "aiosmtpd.handlers.Mailbox"]).arg(folder.join("mail"));
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}
