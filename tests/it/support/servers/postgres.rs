//! A real PostgreSQL with an empty cluster of its own, TLS on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Server, is_root, run};
use crate::support::chain::Chain;

pub struct Postgres {
    server: Server,
    chain: Chain,
}

impl Postgres {
    /// Knows the user `vigia` with the password `vigia-secret`.
    pub fn start() -> Self {
        let chain = Chain::new("localhost");
        let server = Server::start("postgres", |port, folder| {
            let data = folder.join("data");
            if !data.exists() {
                install(folder, &data, &chain);
            }
            let mut command = as_its_user(&programs().join("postgres"));
            command.arg("-D").arg(data).arg("-p").arg(port.to_string());
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "ssl=on"] {
                command.args(["-c", setting]);
            }
            command.arg("-c").arg(format!("ssl_cert_file={}", folder.join("chain.pem").display()));
            command.arg("-c").arg(format!("ssl_key_file={}", folder.join("key.pem").display()));
            command
        });
        Self { server, chain }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn ca(&self) -> &Path {
        self.chain.root_path()
    }
}

/// Debian keeps a folder for each major version; the newest serves.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.filter_map(Result::ok).map(|entry| entry.path()).max().expect("a version");
    newest.join("bin")
}

/// The server refuses to run as root.
fn as_its_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if is_root() {
        let user = owner();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn owner() -> nix::unistd::User {
    nix::unistd::User::from_name("postgres").ok().flatten().expect("the package made its user")
}

fn install(folder: &Path, data: &Path, chain: &Chain) {
    let password = folder.join("password");
    fs::write(&password, "vigia-secret\n").expect("a file");
    let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    fs::copy(chain.full_chain_path(), &certificate).expect("a copy");
    fs::copy(chain.key_path(), &key).expect("a copy");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its rights");
    if is_root() {
        let user = owner();
        for path in [folder, &password, &certificate, &key] {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("it is root's to give");
        }
    }
    let mut command = as_its_user(&programs().join("initdb"));
    command.arg("-D").arg(data).args(["-A", "scram-sha-256", "-U", "vigia", "-N"]);
    run(command.arg(format!("--pwfile={}", password.display())));
}
