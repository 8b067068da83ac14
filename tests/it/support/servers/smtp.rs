//! A real SMTP server (aiosmtpd) that keeps what it is given, and misbehaves where the recipient asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::Server;
use crate::support::chain::Chain;
use crate::support::http::{LOOK_EVERY, PATIENCE};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/servers/smtp_peer.py");

pub struct Smtp {
    server: Server,
}

impl Smtp {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that wants STARTTLS, and this name and password.
    pub fn start_guarded(chain: &Chain, user: &str, password: &str) -> Self {
        let text = |path: &Path| path.to_str().expect("our paths are UTF-8").to_owned();
        Self::start_with(&[
            text(chain.full_chain_path()),
            text(chain.key_path()),
            user.into(),
            password.into(),
        ])
    }

    fn start_with(arguments: &[String]) -> Self {
        let server = Server::start("smtp", |port, folder| {
            let mut command = Command::new("/usr/bin/python3");
            command.arg(PEER).arg(port.to_string()).arg(folder).args(arguments);
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The mails in the order in which they came, when there are so many.
    pub async fn mails(&self, count: usize) -> Vec<Mail> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mails = self.mails_now();
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < deadline, "{} of {count} mails came", mails.len());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub fn mails_now(&self) -> Vec<Mail> {
        let folder = self.server.folder.path().join("mails");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
        paths.sort();
        paths.into_iter().map(|path| Mail(std::fs::read_to_string(path).expect("text"))).collect()
    }
}

/// A mail as it came, with what the server knows of it in front.
#[derive(Debug)]
pub struct Mail(pub String);

impl Mail {
    /// The value of a header that stands on one line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
