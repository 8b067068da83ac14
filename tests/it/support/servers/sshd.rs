//! A real OpenSSH server that nobody can log in to.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Server, run};

pub struct Sshd {
    server: Server,
    host_key: tempfile::TempDir,
}

impl Sshd {
    pub fn start() -> Self {
        let host_key = tempfile::tempdir().expect("a folder");
        let key = host_key.path().join("key");
        make_key(&key);
        let server = Server::start("sshd", |port, folder| command("127.0.0.1", port, folder, &key));
        Self { server, host_key }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Comes back on the same port, as a machine does after a reboot.
    pub fn start_again(&mut self) {
        let key = self.host_key.path().join("key");
        let log = self.server.log_path();
        self.server.child =
            super::spawn(&mut command("127.0.0.1", self.server.port, self.server.folder.path(), &key), &log);
        self.server.wait_until_listening().expect("sshd comes back");
    }
}

/// A host key of its own.
pub fn make_key(key: &Path) {
    // As root sshd insists on its privilege separation folder.
    if super::is_root() {
        fs::create_dir_all("/run/sshd").expect("sshd's folder");
    }
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key));
}

/// The server on an address and a port.
pub fn command(address: &str, port: u16, folder: &Path, key: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f", "/dev/null", "-o", "UsePAM=no"]);
    command.arg("-o").arg(format!("ListenAddress={address}"));
    command.arg("-o").arg(format!("Port={port}"));
    command.arg("-o").arg(format!("HostKey={}", key.display()));
    command.arg("-o").arg(format!("PidFile={}", folder.join("pid").display()));
    command
}
