//! Real servers, each started by the test that needs it on a free loopback port with its own data folder, and
//! gone with the value that stands for it.

pub mod chrony;
pub mod dns;
pub mod dovecot;
pub mod ftp;
pub mod mariadb;
pub mod nginx;
pub mod nrpe;
pub mod postgres;
pub mod prometheus;
pub mod redis;
pub mod slapd;
pub mod smtp;
pub mod snmpd;
pub mod sshd;

use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long any server may take to answer. Only ever waited out by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port nobody listens on right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("bound").port()
}

/// A running server: its process group, its port and its folder.
pub struct Server {
    child: Child,
    is_ready: Ready,
    pub port: u16,
    pub folder: TempDir,
}

/// Whether the server on a port answers.
type Ready = fn(u16) -> bool;

fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

impl Server {
    /// Starts what `command` describes for a port and a folder, and waits until the port accepts. Another
    /// process may have taken the port meanwhile: hence a second try, on another one.
    pub fn start(name: &str, command: impl Fn(u16, &Path) -> Command) -> Self {
        Self::start_when(name, accepts, command)
    }

    /// The same for a server that is there when `is_ready` says so.
    pub fn start_when(name: &str, is_ready: Ready, command: impl Fn(u16, &Path) -> Command) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("vigia-{name}-")).tempdir().expect("a folder");
        let port = free_port();
        let child = spawn(&mut command(port, folder.path()), &folder.path().join("server.log"));
        let mut server = Self { child, is_ready, port, folder };
        if server.wait_until_listening().is_ok() {
            return server;
        }
        server.stop();
        server.port = free_port();
        server.child = spawn(&mut command(server.port, server.folder.path()), &server.log_path());
        if let Err(error) = server.wait_until_listening() {
            panic!("{name} did not start: {error}\n{}", server.log());
        }
        server
    }

    fn wait_until_listening(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if (self.is_ready)(self.port) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("it does not listen"));
            }
            // A foreign process tells nobody when it is ready.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server and everything it started, as a crash would.
    pub fn stop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        // Already gone is what we want.
        killpg(group, Signal::SIGKILL).unwrap_or_default();
        drop(self.child.wait());
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// What the server printed so far.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(self.log_path()) {
            file.read_to_end(&mut text).expect("the log reads");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let out = File::create(log).expect("a log file");
    let err = out.try_clone().expect("the same file");
    command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Runs a set-up command to its end and shows what it said when it failed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
