//! A small office network of the test's own: network namespaces joined by a bridge, each machine with its address, its
//! network card and its servers. Nothing of it is seen outside, and it is gone with the value that stands for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::http::{LOOK_EVERY, PATIENCE};

/// The machine that scans, `192.0.2.1`, and the others.
pub struct Lan {
    machines: Vec<Machine>,
    scanner: Holder,
    pub folder: TempDir,
}

/// One namespace, held open by a program that only waits.
struct Holder(Child);

/// A machine of the network.
struct Machine {
    servers: Vec<Child>,
    holder: Holder,
    folder: TempDir,
}

/// Everything in a process group of its own, so that whatever it starts ends with it.
fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).process_group(0);
    command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

fn end(child: &mut Child) {
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    // Already gone is what we want.
    killpg(group, Signal::SIGKILL).unwrap_or_default();
    drop(child.wait());
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Holder {
    /// `command` starts programs in the network of `from`.
    fn start(mut command: Command, from: &str) -> Self {
        let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net"));
        // On its way it may pass through both.
        let before = ["self", from].map(|of| network(of).expect("a network"));
        let holder = Self(spawn(command.args(["unshare", "--net", "--mount", "sleep", "infinity"])));
        let own = holder.0.id().to_string();
        for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
            if network(&own).is_ok_and(|now| !before.contains(&now)) {
                return holder;
            }
            // A foreign process tells nobody when it is ready.
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("no network namespace: does the suite run as root?");
    }

    /// A command that runs in there.
    fn inside(&self) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["-t", &self.0.id().to_string(), "--net", "--mount", "--"]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn ip(&self, words: &str) {
        run(self.inside().arg("ip").args(words.split(' ')));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(end);
    }
}

impl Lan {
    /// A network with the scanning machine alone.
    pub fn start() -> Self {
        let scanner = Holder::start(Command::new("/usr/bin/env"), "self");
        scanner.ip("link set lo up");
        scanner.ip("link add br0 type bridge");
        scanner.ip("addr add 192.0.2.1/24 dev br0");
        scanner.ip("link set br0 up");
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("resolv.conf");
        fs::write(&settings, "nameserver 192.0.2.53\noptions timeout:1 attempts:1\n").expect("written");
        run(scanner.inside().args(["mount", "--bind"]).arg(settings).arg("/etc/resolv.conf"));
        fs::create_dir(folder.path().join("etc")).expect("a folder");
        fs::write(folder.path().join("etc/vigia.yaml"), "").expect("written");
        Self { machines: Vec::new(), scanner, folder }
    }

    /// Adds a machine; its number, for what follows.
    pub fn machine(&mut self, address: &str, mac: &str) -> usize {
        let holder = Holder::start(self.scanner.inside(), &self.scanner.0.id().to_string());
        let (number, pid) = (self.machines.len(), holder.0.id());
        self.scanner.ip(&format!("link add v{number} type veth peer name eth0 netns {pid}"));
        self.scanner.ip(&format!("link set v{number} master br0 up"));
        holder.ip("link set lo up");
        holder.ip(&format!("link set eth0 address {mac}"));
        holder.ip(&format!("addr add {address}/24 dev eth0"));
        holder.ip("link set eth0 up");
        let folder = tempfile::tempdir().expect("a folder");
        self.machines.push(Machine { servers: Vec::new(), holder, folder });
        number
    }

    /// One more address on the same card.
    pub fn address(&self, machine: usize, address: &str) {
        self.machines[machine].holder.ip(&format!("addr add {address}/24 dev eth0"));
    }

    /// The machine answers no ping from now on.
    pub fn ignore_pings(&self, machine: usize) {
        let mut command = self.machines[machine].holder.inside();
        run(command.args(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"]));
    }

    /// Starts a server on a machine and waits until the port accepts.
    pub fn serve(&mut self, machine: usize, port: u16, server: impl FnOnce(&Path) -> Command) {
        let machine = &mut self.machines[machine];
        let server = server(machine.folder.path());
        let mut command = machine.holder.inside();
        command.arg(server.get_program()).args(server.get_args());
        let log = fs::File::create(machine.folder.path().join(format!("{port}.log"))).expect("a log");
        command.stdout(log.try_clone().expect("the same file")).stderr(log);
        machine.servers.push(spawn(&mut command));
        let listening = format!(":{port:04X} ");
        for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
            let mut look = machine.holder.inside();
            let look = look.args(["cat", "/proc/net/tcp", "/proc/net/udp"]).output().expect("cat runs");
            if String::from_utf8_lossy(&look.stdout).contains(&listening) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let log = fs::read_to_string(machine.folder.path().join(format!("{port}.log")));
        panic!("nothing listens on port {port}: {}", log.unwrap_or_default());
    }

    /// Ends everything that a machine serves; the machine stays.
    pub fn silence(&mut self, machine: usize) {
        let servers = &mut self.machines[machine].servers;
        servers.iter_mut().for_each(end);
        servers.clear();
    }

    /// `vigia` on the scanning machine, with the configuration and the state of this network.
    pub fn vigia(&self, arguments: &[&str]) -> Command {
        let mut command = self.scanner.inside();
        command
            .arg(env!("CARGO_BIN_EXE_vigia"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("VIGIA_CONFIG", self.folder.path().join("etc"))
            .env("VIGIA_STATE_DIR", self.folder.path().join("state"));
        command
    }

    /// Runs it to its end: what it printed, however it ended.
    pub fn run(&self, arguments: &[&str]) -> (Output, String) {
        let output = self.vigia(arguments).output().expect("vigia runs");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output, text)
    }

    /// The same, and it must succeed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let (output, text) = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    /// The JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let (output, text) = self.run(&all);
        assert!(output.status.success(), "{arguments:?}: {text}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A daemon on the scanning machine, spoken to by its control socket.
    pub fn daemon(&self) -> Daemon {
        let mut command = self.vigia(&["serve", "--listen", "127.0.0.1:0"]);
        let log = fs::File::create(self.folder.path().join("daemon.log")).expect("a log");
        let child = spawn(command.stdout(Stdio::null()).stderr(log));
        Daemon(child)
    }

    /// On the scanning machine this file is run in place of another, or nothing at all.
    pub fn instead_of(&self, program: &str, script: Option<&str>) {
        let stand_in = match script {
            None => Path::new("/dev/null").to_path_buf(),
            Some(script) => {
                let path = self.folder.path().join("stand-in");
                fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
                fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it may run");
                path
            }
        };
        run(self.scanner.inside().args(["mount", "--bind"]).arg(stand_in).arg(program));
    }

    /// A folder of the state becomes a disk of its own that is full.
    pub fn fill(&self, folder: &str) {
        let path = self.folder.path().join(folder);
        fs::create_dir_all(&path).expect("a folder");
        let mut mount = self.scanner.inside();
        run(mount.args(["mount", "-t", "tmpfs", "-o", "size=8k", "none"]).arg(&path));
        let fill = format!("dd if=/dev/zero of={}/ballast bs=4k count=4 2>/dev/null; true", path.display());
        run(self.scanner.inside().args(["sh", "-c", &fill]));
    }

    pub fn read(&self, path: &str) -> String {
        let path = self.folder.path().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.folder.path().join(path), text).expect("written");
    }
}

/// Ended with the value.
pub struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// A server in a few lines of Python: `body` runs for each connection `c`.
pub fn python(port: u16, body: &str) -> Command {
    let script = format!(
        "import socket, threading, time\n\
         s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         s.bind(('0.0.0.0', {port})); s.listen(200)\n\
         def serve(c):\n  try:\n    {body}\n  except OSError: pass\n  finally: c.close()\n\
         while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()\n"
    );
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", &script]);
    command
}

/// How long something on this network may take.
pub const WAIT: Duration = PATIENCE;
