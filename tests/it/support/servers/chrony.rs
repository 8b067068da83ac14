//! A real time server (chronyd) that takes its own clock for good and never sets it.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Server, is_root};

pub struct Chrony {
    server: Server,
}

impl Chrony {
    /// At stratum 3.
    pub fn start() -> Self {
        let server = Server::start_when("chrony", answers, |port, folder| {
            let config = folder.join("chrony.conf");
            let text = format!(
                "port {port}\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\nlocal stratum 3\n\
                 allow 127.0.0.1\npidfile {folder}/pid\ndriftfile {folder}/drift\n",
                folder = folder.display()
            );
            fs::write(&config, text).expect("chrony.conf");
            let mut command = Command::new(program());
            command.args(["-x", "-d", "-f"]).arg(config);
            if is_root() {
                command.args(["-u", "root"]);
            } else {
                command.arg("-U");
            }
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}

/// The machine's own, or the one that `tests/setup/packages.sh` unpacked: installed, it would replace the program that
/// keeps this machine's clock.
fn program() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/chronyd");
    if installed.exists() {
        return installed;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    target.join("servers/usr/sbin/chronyd")
}

/// Whether a question of a version 4 client gets an answer.
fn answers(port: u16) -> bool {
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut packet = [0_u8; 48];
        packet[0] = 0x23;
        socket.send_to(&packet, (Ipv4Addr::LOCALHOST, port))?;
        socket.recv(&mut packet)
    };
    ask().is_ok_and(|count| count == 48)
}
