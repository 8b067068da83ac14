//! The real program in a folder of its own, on a free port, with helpers to read and order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::http::{LOOK_EVERY, PATIENCE, exchange};

/// A running daemon; killed when dropped.
pub struct TestDaemon {
    folder: Arc<TempDir>,
    child: Child,
    log: Log,
    address: SocketAddr,
}

impl TestDaemon {
    /// Starts `vigia serve` on configuration files given as path and text, and waits until it listens.
    pub async fn start(files: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(folder.path().join("etc")).expect("a folder");
        for (path, text) in files {
            write(&folder.path().join("etc").join(path), text);
        }
        Self::start_in(folder, &[]).await
    }

    /// Starts a daemon on the folder of another, with more arguments.
    pub async fn start_in(folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[]).await
    }

    /// The same with more in its environment.
    pub async fn start_with(folder: Arc<TempDir>, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = vigia(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).envs(env.iter().copied());
        Self::run(folder, command).await
    }

    /// Starts a daemon through a program that runs it with other rights or limits (`setpriv`, `prlimit`).
    pub async fn start_under(folder: Arc<TempDir>, program: &[&str]) -> Self {
        let (name, arguments) = program.split_first().expect("a program");
        let mut command = Command::new(name);
        command.args(arguments).arg(env!("CARGO_BIN_EXE_vigia")).args(["serve", "--listen", "127.0.0.1:0"]);
        surround(&mut command, folder.path());
        Self::run(folder, command).await
    }

    async fn run(folder: Arc<TempDir>, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("vigia starts");
        let log = Log::of(child.stderr.take().expect("piped"));
        let line = log.line("web.listening").await;
        let address = field(&line, "address").and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in `{line}`"));
        Self { folder, child, log, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn pid(&self) -> Pid {
        let pid = self.child.id().expect("it runs");
        Pid::from_raw(i32::try_from(pid).expect("a process number"))
    }

    pub fn folder(&self) -> Arc<TempDir> {
        self.folder.clone()
    }

    /// The folder of the configuration.
    pub fn etc(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes a configuration file, as somebody editing it would.
    pub fn write(&self, path: &str, text: &str) {
        write(&self.etc().join(path), text);
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.etc().join(path)).expect("it is there");
    }

    /// A page or an answer over TCP, from loopback without a login: status and text.
    pub async fn text(&self, path: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        exchange(stream, "GET", path, &self.address.to_string(), "").await
    }

    /// The JSON answer of the API over TCP.
    pub async fn get(&self, path: &str) -> Value {
        let (status, text) = self.text(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Posts to the API on the control socket, where everybody is an admin: status and answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let stream =
            UnixStream::connect(self.state().join("control.sock")).await.expect("the control socket");
        let (status, text) = exchange(stream, "POST", path, "localhost", &body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
    }

    /// Asks the API until the answer is the one waited for.
    pub async fn wait_for(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if is_it(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} never became what was waited for; last: {answer:#}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks until a list has so many items.
    pub async fn wait_for_total(&self, path: &str, total: u64) -> Value {
        self.wait_for(path, |answer| answer.get("total").and_then(Value::as_u64) == Some(total)).await
    }

    /// Runs `vigia` with the configuration and the state folder of this daemon.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        vigia(self.folder.path(), arguments).output().await.expect("vigia runs")
    }

    /// Waits for a line of the log with this word in it.
    pub async fn logged(&self, word: &str) -> String {
        self.log.line(word).await
    }

    /// All that was logged so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().expect("no panic").join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().await.expect("it ends")
    }

    /// Ends it in the middle of whatever it does.
    pub async fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().await.expect("it runs");
        self.folder.clone()
    }

    /// Ends it in the middle of whatever it does, and starts another on what it left.
    pub async fn crash_and_restart(self) -> Self {
        let folder = self.kill().await;
        Self::start_in(folder, &[]).await
    }
}

/// `vigia` on the configuration and the state below `folder`, its environment made from nothing.
pub fn vigia(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigia"));
    command.args(arguments);
    surround(&mut command, folder);
    command
}

fn surround(command: &mut Command, folder: &Path) {
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("VIGIA_CONFIG", folder.join("etc"))
        .env("VIGIA_STATE_DIR", folder.join("state"));
}

/// What the daemon has logged so far.
#[derive(Clone)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    news: watch::Receiver<usize>,
}

impl Log {
    fn of(stderr: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (tell, news) = watch::channel(0);
        let kept = lines.clone();
        tokio::spawn(async move {
            let mut read = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = read.next_line().await {
                kept.lock().expect("no panic").push(line);
                tell.send_modify(|count| *count += 1);
            }
        });
        Self { lines, news }
    }

    /// The first line with `word` in it, when it has come.
    async fn line(&self, word: &str) -> String {
        let mut news = self.news.clone();
        loop {
            let found = self.lines.lock().expect("no panic").iter().find(|line| line.contains(word)).cloned();
            if let Some(line) = found {
                return line;
            }
            let ended = news.changed().await.is_err();
            assert!(
                !ended,
                "vigia ended without `{word}`:\n{}",
                self.lines.lock().expect("no panic").join("\n")
            );
        }
    }
}

/// The value of `name=value` in a line of the log.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    rest.split_whitespace().next().map(|value| value.trim_matches('"'))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}
