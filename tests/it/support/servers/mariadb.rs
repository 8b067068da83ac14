//! A real MariaDB with an empty data folder of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Server, is_root, run};

pub struct Mariadb {
    server: Server,
}

impl Mariadb {
    /// Knows the user `vigia` with the password `vigia-secret`, who may look at everything.
    pub fn start() -> Self {
        Self { server: Server::start("mariadb", |port, folder| command("127.0.0.1", port, folder)) }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}

/// The server on an address and a port, its data below `folder`.
pub fn command(address: &str, port: u16, folder: &Path) -> Command {
    let data = folder.join("data");
    if !data.exists() {
        install(folder);
    }
    let mut command = Command::new("/usr/sbin/mariadbd");
    command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    command.arg(format!("--port={port}")).arg(format!("--bind-address={address}"));
    command.arg(format!("--socket={}", folder.join("socket").display()));
    command.arg(format!("--pid-file={}", folder.join("pid").display()));
    command.arg(format!("--init-file={}", folder.join("init.sql").display()));
    command.args(["--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]);
    command.args(["--performance-schema=off", "--skip-name-resolve", NO_AIO]);
    if is_root() {
        command.arg("--user=root");
    }
    command
}

/// The system has few places for native asynchronous I/O, and servers side by side run out of them.
const NO_AIO: &str = "--innodb-use-native-aio=0";

fn install(folder: &Path) {
    fs::write(
        folder.join("init.sql"),
        "CREATE USER IF NOT EXISTS 'vigia'@'%' IDENTIFIED BY 'vigia-secret';\n\
         GRANT ALL ON *.* TO 'vigia'@'%';\n\
         CREATE DATABASE IF NOT EXISTS shop;\n\
         CREATE TABLE IF NOT EXISTS shop.orders (id INT PRIMARY KEY);\n",
    )
    .expect("the init file");
    let mut command = Command::new("/usr/bin/mariadb-install-db");
    command.arg("--no-defaults").arg(format!("--datadir={}", folder.join("data").display()));
    command.args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        NO_AIO,
    ]);
    if is_root() {
        command.arg("--user=root");
    }
    run(&mut command);
}
