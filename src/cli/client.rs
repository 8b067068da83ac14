//! The daemon's API over its control socket: what every command that needs a running vigia goes through.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::{Common, Exit, Failure};

/// The daemon's own answers are far smaller; a stranger behind the socket must not fill our memory.
const MOST: usize = 256 * 1024 * 1024;

/// For everything but what is known to take long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Client {
    socket: PathBuf,
    config: PathBuf,
    state_dir: PathBuf,
    patience: Duration,
}

/// What came back, whatever its status.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    body: bytes::Bytes,
}

const JSON: &str = "application/json";

impl Client {
    pub(super) fn of(common: &Common) -> Self {
        Self {
            socket: common.state_dir.join("control.sock"),
            config: common.config.clone(),
            state_dir: common.state_dir.clone(),
            patience: PATIENCE,
        }
    }

    /// Waits as long as it takes, up to an hour: for a reload of a large configuration.
    #[must_use]
    pub(super) fn patient(self) -> Self {
        Self { patience: Duration::from_secs(3600), ..self }
    }

    /// `target` is a path with its query, encoded by [`Target`].
    pub(super) fn get(&self, target: &Target) -> Result<Value, Failure> {
        self.ask(Method::GET, target, None)
    }

    pub(super) fn post(&self, target: &Target, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, target, Some(body))
    }

    /// A form with files, `multipart/form-data` with this boundary.
    pub(super) fn send_form(&self, target: &Target, boundary: &str, form: Vec<u8>) -> Result<Value, Failure> {
        let kind = format!("multipart/form-data; boundary={boundary}");
        let reply = self.talk(Method::POST, target, &kind, form)?;
        Ok(json_or_text(&reply.body))
    }

    /// What is no JSON.
    pub(super) fn get_bytes(&self, target: &Target) -> Result<bytes::Bytes, Failure> {
        Ok(self.talk(Method::GET, target, JSON, Vec::new())?.body)
    }

    fn ask(&self, method: Method, target: &Target, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        Ok(json_or_text(&self.talk(method, target, JSON, body.into_bytes())?.body))
    }

    fn talk(&self, method: Method, target: &Target, kind: &str, body: Vec<u8>) -> Result<Reply, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reply = runtime.block_on(async {
            tokio::time::timeout(self.patience, self.exchange(method, target, kind, body)).await
        });
        let late = || {
            let waited = self.patience.as_secs();
            Failure::new(Exit::REFUSED, format!("vigia did not answer within {waited} s"))
                .hint("it may be overloaded; its log says more")
        };
        let reply = reply.map_err(|_elapsed| late())??;
        if reply.status.is_success() { Ok(reply) } else { Err(refusal(&reply)) }
    }

    async fn exchange(
        &self,
        method: Method,
        target: &Target,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let broken = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::REFUSED, format!("vigia ended the conversation: {error}"))
                .hint("its log says why; `vigia status` tells whether it still runs")
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(&target.text)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(bytes::Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
            let status = response.status();
            let whole = Limited::new(response.into_body(), MOST).collect().await;
            let bytes = whole.map_err(|error| broken(&error))?.to_bytes();
            Ok(Reply { status, body: bytes })
        };
        // The connection must be driven for the answer to come; its own end says nothing we need.
        tokio::pin!(answer);
        tokio::select! {
            reply = &mut answer => reply,
            _ = connection => answer.await,
        }
    }

    /// Why nobody can be talked to, and what to do.
    fn unreachable(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
                Exit::NO_DAEMON,
                format!(
                    "no vigia is running with the state folder {}{}",
                    self.state_dir.display(),
                    if self.state_dir.is_dir() { "" } else { ", which does not exist" }
                ),
            )
            .hint(self.how_to_start()),
            io::ErrorKind::PermissionDenied => {
                Failure::new(Exit::NO_DAEMON, format!("may not talk to vigia through {socket}"))
                    .hint("run this as root or as the user that vigia runs as, for example with sudo")
            }
            _ => Failure::new(Exit::NO_DAEMON, format!("cannot reach vigia through {socket}: {error}")),
        }
    }

    fn how_to_start(&self) -> String {
        let serve =
            format!("vigia serve -c {} --state-dir {}", self.config.display(), self.state_dir.display());
        format!(
            "start it with `systemctl start vigia`, or in the foreground with `{serve}`; if it keeps its state \
             elsewhere, say where with --state-dir or VIGIA_STATE_DIR"
        )
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

/// The API answers in JSON; what does not is shown as it is.
fn json_or_text(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_not_json| String::from_utf8_lossy(bytes).into())
}

/// What the daemon said against it.
fn refusal(reply: &Reply) -> Failure {
    let body = json_or_text(&reply.body);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(super::table::clean);
    let other = || format!("vigia answered {}", reply.status);
    let failure = Failure::new(Exit::REFUSED, text("error").unwrap_or_else(other));
    match text("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A path of the API and its query, with everything from outside encoded.
#[derive(Clone, Debug)]
pub(super) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// `/api/v1/` and then these names.
    pub(super) fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| encode(name)).collect();
        Self { text: format!("/api/v1/{}", names.join("/")), has_query: false }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&encode(value.as_ref()));
        self
    }

    #[must_use]
    pub(super) fn with_some(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// Percent-encoding of all but letters, digits and `-._~`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_cannot_leave_their_place_in_a_path() {
        let target = Target::of(&["hosts", "../a b", "services", "C:/ä?"]).with("q", "a&b=c");
        assert_eq!(target.text, "/api/v1/hosts/..%2Fa%20b/services/C%3A%2F%C3%A4%3F?q=a%26b%3Dc");
        let target = Target::of(&["alarms"]).with("host", "x").with_some("limit", Some("5"));
        assert_eq!(target.with_some("q", None::<&str>).text, "/api/v1/alarms?host=x&limit=5");
    }

    fn client(folder: &Path) -> Client {
        Client {
            socket: folder.join("control.sock"),
            config: "/etc/vigia/vigia.yaml".into(),
            state_dir: folder.to_owned(),
            patience: Duration::from_secs(20),
        }
    }

    #[test]
    fn without_a_daemon_it_says_how_to_start_one() {
        let folder = tempfile::tempdir().unwrap();
        let failure = client(folder.path()).get(&Target::of(&["status"])).unwrap_err();
        assert_eq!(failure.exit, Exit::NO_DAEMON);
        assert!(!failure.message.contains("does not exist"), "{failure}");
        let nowhere = client(&folder.path().join("typo")).get(&Target::of(&["status"])).unwrap_err();
        assert!(nowhere.message.ends_with("typo, which does not exist"), "{nowhere}");
        let hint = failure.hint.unwrap();
        assert!(hint.contains("vigia serve -c /etc/vigia/vigia.yaml --state-dir"), "{hint}");
        // The socket of a daemon that was killed is still there.
        drop(std::os::unix::net::UnixListener::bind(folder.path().join("control.sock")).unwrap());
        let failure = client(folder.path()).get(&Target::of(&["status"])).unwrap_err();
        assert_eq!(failure.exit, Exit::NO_DAEMON);
    }

    /// Answers one request with `reply`, and gives what was asked.
    fn peer(folder: &Path, reply: &'static str) -> std::thread::JoinHandle<String> {
        use std::io::{Read, Write};
        let listener = std::os::unix::net::UnixListener::bind(folder.join("control.sock")).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 4096];
            while !asked.ends_with(b"}") && !asked.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(reply.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        })
    }

    #[test]
    fn an_answer_comes_back_as_json_and_a_refusal_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let asked = peer(folder.path(), "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"total\":3}");
        let answer = client(folder.path()).get(&Target::of(&["alarms"])).unwrap();
        assert_eq!(answer["total"], 3);
        assert!(asked.join().unwrap().starts_with("GET /api/v1/alarms HTTP/1.1\r\n"));

        let folder = tempfile::tempdir().unwrap();
        let reply =
            "HTTP/1.1 409 Conflict\r\nContent-Length: 34\r\n\r\n{\"error\":\"a\\u001b[2Jb\",\"hint\":\"c\"}";
        let asked = peer(folder.path(), reply);
        let body = serde_json::json!({"host": "web01"});
        let failure = client(folder.path()).post(&Target::of(&["recheck"]), &body).unwrap_err();
        assert_eq!((failure.exit, failure.message.as_str()), (Exit::REFUSED, "a [2Jb"));
        assert_eq!(failure.hint.as_deref(), Some("c"));
        assert!(asked.join().unwrap().ends_with("{\"host\":\"web01\"}"));
    }

    #[test]
    fn a_peer_that_hangs_up_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let asked = peer(folder.path(), "");
        let failure = client(folder.path()).get(&Target::of(&["status"])).unwrap_err();
        assert_eq!(failure.exit, Exit::REFUSED);
        asked.join().unwrap();
    }
}
