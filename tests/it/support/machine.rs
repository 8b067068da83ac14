//! A small Debian with a real systemd, booted in a container of its own without a network, and gone with its value. It has
//! vigia's package beside it. `tests/setup/test.sh` makes both.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long anything may take that is waited for. Only ever waited out by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Machine {
    root: TempDir,
    container: Child,
    /// The machine's own first process.
    leader: i32,
}

/// What a command inside said, and its exit code.
pub struct Said {
    pub code: i32,
    pub text: String,
}

impl Machine {
    /// A booted machine, or a line on standard error that says why there is none.
    pub fn boot() -> Option<Self> {
        let missing = |what: &str| {
            // For whoever reads the run; a test that passes prints nothing else.
            std::io::stderr()
                .write_all(format!("skipped: {what}\n").as_bytes())
                .expect("standard error takes it");
            None
        };
        if !nix::unistd::geteuid().is_root() {
            return missing("only root may boot a machine");
        }
        let image = target().join("machine/debian.tar");
        if !image.exists() {
            return missing("there is no image of a Debian; tests/setup/machine.sh makes it");
        }
        let Some(package) = package() else {
            return missing("there is no package of vigia; tests/setup/deb.sh makes it");
        };
        let root = tempfile::tempdir().expect("a folder");
        super::servers::run(Command::new("tar").arg("-C").arg(root.path()).arg("-xf").arg(&image));
        fs::copy(&package, root.path().join("root/vigia.deb")).expect("the package is copied");
        let console = fs::File::create(root.path().join("root/console")).expect("a file");
        let container = Command::new("systemd-nspawn")
            .args([
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--boot",
                "--console=pipe",
                "--private-network",
            ])
            .arg("--hostname=lookout")
            .arg("-D")
            .arg(root.path())
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("the same file"))
            .stderr(console)
            .spawn()
            .expect("systemd-nspawn starts");
        let mut machine = Self { root, container, leader: 0 };
        machine.leader = wait_for("the container's first process", || machine.find_leader());
        machine.wait_until("the machine is up", &["systemctl", "is-system-running", "--wait"], |said| {
            said.text.starts_with("running")
        });
        Some(machine)
    }

    /// Of the container's children the one that has become the machine's init.
    fn find_leader(&self) -> Option<i32> {
        let container = self.container.id();
        let children = fs::read_to_string(format!("/proc/{container}/task/{container}/children")).ok()?;
        let name = |child: &&str| fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        children.split_whitespace().find(|child| name(child) == "systemd\n")?.parse().ok()
    }

    /// Runs a command inside; it may fail.
    pub fn run(&self, words: &[&str]) -> Said {
        let output = Command::new("nsenter")
            .args(["-t", &self.leader.to_string(), "-m", "-u", "-i", "-n", "-p", "-C", "--"])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("nsenter runs");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Said { code: output.status.code().unwrap_or(-1), text }
    }

    /// Runs a command inside that has to succeed; what it printed.
    pub fn ok(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words:?}: {}\n{}", said.text, self.journal());
        said.text
    }

    /// Asks again until the answer is right. systemd tells nobody outside when it did something.
    pub fn wait_until(&self, what: &str, words: &[&str], is_right: impl Fn(&Said) -> bool) -> String {
        let mut last = String::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let said = self.run(words);
            if is_right(&said) {
                return said.text;
            }
            last = said.text;
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}: {words:?} still says {last}\n{}", self.journal());
    }

    /// A property of vigia's unit.
    pub fn property(&self, name: &str) -> String {
        self.ok(&["systemctl", "show", "--value", "-p", name, "vigia"]).trim().to_owned()
    }

    pub fn journal(&self) -> String {
        self.run(&["journalctl", "--no-pager", "-u", "vigia"]).text
    }

    /// Writes a file of the machine, as an administrator does.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its init takes this as the order to power off at once; what remains goes with the namespace.
        if self.leader > 0 {
            kill(Pid::from_raw(self.leader), Signal::SIGKILL).unwrap_or_default();
        } else {
            self.container.kill().unwrap_or_default();
        }
        drop(self.container.wait());
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not appear");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder")
}

fn package() -> Option<PathBuf> {
    let found = fs::read_dir(target().join("package")).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    found.filter(|path| path.extension().is_some_and(|ending| ending == "deb")).max()
}
