//! What kinds with a dialogue have in common: what may end it early, the login, the result with its time and its
//! certificates; and the whole of a check for protocols of lines that greet, may change to TLS, take a login and a
//! good-bye ([`Protocol`]).

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use futures_util::future::BoxFuture;
use vigia_core::model::state::{Condition as _, State};

use crate::kind::{Call, Probe};
use crate::net::{Connection, Endpoint, Failure, LINE_MAX, Trouble};
use crate::options::{Given, Mark, Opt, Reader, Secret, Threshold};
use crate::outcome::{Outcome, judge_time, push_seconds, quoted_bytes};
use crate::secure::{self, Tls, TlsMode};
use crate::tcp::StateWord;

/// What ended a dialogue early.
#[derive(Debug)]
pub(crate) enum End {
    Failure(Failure),
    /// An answer that is not as wanted.
    Answer(State, String),
    /// Something of ours is missing.
    Ours(Box<Outcome>),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl End {
    pub(crate) fn outcome(self, call: &Call<'_>) -> Outcome {
        match self {
            Self::Failure(failure) => failure.outcome(call),
            Self::Answer(state, text) => {
                Outcome::new(state, format!("{} {} - {text}", call.kind.label, state.word()))
            }
            Self::Ours(outcome) => *outcome,
        }
    }
}

/// Whom to log in as. The password is fetched when it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Login {
    /// From `user` and `password`, which belong together; says when the password would travel in the open.
    pub(crate) fn read(given: &Given, tls: &Tls, reader: &mut Reader) -> Option<Self> {
        let login = match (given.find::<String>("user"), given.find::<Secret>("password")) {
            (Some(user), Some(password)) => Self { user, password },
            (None, None) => return None,
            (Some(_), None) | (None, Some(_)) => {
                let mark = given.written("user").or(given.written("password")).unwrap_or_default();
                reader.wrong(mark, "`user` and `password` belong together");
                return None;
            }
        };
        if breaks_lines(&login.user) {
            reader.wrong(given.mark("user"), "`user` holds a control character");
        }
        if tls.mode == TlsMode::Off {
            warn_of_plain_text(given.mark("password"), "`tls: starttls` or `tls: on`", reader);
        }
        Some(login)
    }

    /// The password, if this server may have it and it can stand in one line.
    pub(crate) fn reveal(&self, call: &Call<'_>, connection: &Connection, tls: &Tls) -> Result<String, End> {
        if let Some(distrust) = connection.distrust(tls) {
            return Err(distrust.into());
        }
        let password = call.reveal(&self.password).map_err(End::Ours)?;
        if breaks_lines(&password) {
            return Err(Failure::new(Trouble::Local, "the password holds a control character").into());
        }
        Ok(password)
    }
}

pub(crate) fn warn_of_plain_text(mark: Mark, remedy: &str, reader: &mut Reader) {
    reader.warn(mark, "the password is sent in plain text", remedy);
}

/// Whether a text would end the line it stands in, and begin another command.
pub(crate) fn breaks_lines(text: &str) -> bool {
    text.contains(char::is_control)
}

/// Thresholds on the time needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) warn: Option<Threshold>,
    pub(crate) crit: Option<Threshold>,
}

impl Limits {
    pub(crate) fn read(given: &Given) -> Self {
        Self { warn: given.find("warn"), crit: given.find("crit") }
    }

    pub(crate) fn judge(self, took: Duration) -> State {
        judge_time(took, self.warn, self.crit)
    }

    /// `time=0.004123s;…`.
    pub(crate) fn perfdata(self, call: &Call<'_>, took: Duration) -> String {
        let mut perfdata = String::with_capacity(64);
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, call.target.timeout);
        perfdata
    }
}

pub(crate) fn worse(a: State, b: State) -> State {
    if b.severity() > a.severity() { b } else { a }
}

/// The result of a look that came to its end: its state, or that of the time or the certificates if worse.
pub(crate) fn report(
    call: &Call<'_>,
    connection: &Connection,
    tls: &Tls,
    state: State,
    mut text: String,
    limits: Limits,
    took: Duration,
) -> Outcome {
    let verdict = connection.verdict(tls);
    let state = secure::weigh(worse(state, limits.judge(took)), &mut text, verdict.as_ref());
    let outcome = Outcome::new(state, format!("{} {} - {text}", call.kind.label, state.word()))
        .perfdata(limits.perfdata(call, took));
    match verdict {
        Some(verdict) if !verdict.notes.is_empty() => outcome.long(&verdict.notes),
        Some(_) | None => outcome,
    }
}

/// A last word on which nothing depends any more: shortly before the deadline it is left unsaid.
pub(crate) async fn within_reach(call: &Call<'_>, last_word: impl Future) {
    let latest = call.deadline.checked_sub(Duration::from_millis(20)).unwrap_or(call.deadline);
    let _was_said = tokio::time::timeout_at(latest, last_word).await.is_ok();
}

/// A connection on which lines go to and fro.
pub(crate) struct Talk<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) connection: Connection,
}

impl Talk<'_> {
    pub(crate) async fn say(&mut self, line: &str) -> Result<(), Failure> {
        self.whisper(line, line).await
    }

    /// Says a line of which those who watch see another.
    pub(crate) async fn whisper(&mut self, line: &str, shown: &str) -> Result<(), Failure> {
        self.call.note(|| format!("client: {shown}"));
        self.connection.send(format!("{line}\r\n").as_bytes()).await
    }

    pub(crate) async fn hear(&mut self) -> Result<String, Failure> {
        let Some(line) = self.connection.read_line(LINE_MAX).await? else {
            return Err(Failure::new(Trouble::Closed, "the server ended the connection without an answer"));
        };
        let text = quoted_bytes(&line, 500);
        self.call.note(|| format!("server: {text}"));
        Ok(text)
    }
}

/// What a server says first.
pub(crate) struct Greeting {
    /// All its lines.
    pub(crate) lines: Vec<String>,
    /// It does not want to talk to us.
    pub(crate) is_refusal: bool,
}

impl Greeting {
    fn holds(&self, expected: &str) -> bool {
        self.lines.iter().any(|line| line.contains(expected))
    }

    /// The last line, which says most.
    fn text(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

/// A protocol of lines: how it greets, changes to TLS, takes a login and a good-bye.
pub(crate) trait Protocol: fmt::Debug + Send + Sync + 'static {
    /// The usual port, and the one with TLS from the first byte.
    const PORTS: (u16, u16);

    fn greeting(talk: &mut Talk<'_>) -> impl Future<Output = Result<Greeting, Failure>> + Send;

    /// Brings the connection to where TLS begins.
    fn start_tls(talk: &mut Talk<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The error is the server's refusal, in its own words.
    fn log_in(
        talk: &mut Talk<'_>,
        user: &str,
        password: &str,
    ) -> impl Future<Output = Result<Result<(), String>, Failure>> + Send;

    fn leave(talk: &mut Talk<'_>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The options of all such protocols; `expect` has another default in each.
pub(crate) const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to, instead of the protocol's own").flags("-p"),
    Opt::new::<String>("user", "name to log in with").flags("-U"),
    Opt::new::<Secret>("password", "its password").flags("-P"),
    Opt::new::<StateWord>("on_refused", "the state when the connection is refused").default("critical"),
    Opt::new::<StateWord>("on_mismatch", "the state when the greeting is another").default("warning"),
    Opt::new::<Tls>("tls", "whether and when TLS is spoken, and how it is judged")
        .default("off")
        .sets(&[("-S --ssl", "on"), ("--starttls", "starttls")]),
];

/// A check of one such server.
#[derive(Debug)]
struct Dialogue<P> {
    endpoint: Endpoint,
    port: u16,
    expect: String,
    login: Option<Login>,
    on_refused: State,
    on_mismatch: State,
    tls: Tls,
    limits: Limits,
    protocol: PhantomData<P>,
}

pub(crate) fn decode<P: Protocol>(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let tls: Tls = given.get("tls");
    let (plain, secure) = P::PORTS;
    Some(Box::new(Dialogue::<P> {
        endpoint: Endpoint::read(given),
        port: given.find("port").unwrap_or(if tls.mode == TlsMode::On { secure } else { plain }),
        expect: given.get("expect"),
        login: Login::read(given, &tls, reader),
        on_refused: given.get::<StateWord>("on_refused").0,
        on_mismatch: given.get::<StateWord>("on_mismatch").0,
        tls,
        limits: Limits::read(given),
        protocol: PhantomData,
    }))
}

impl<P: Protocol> Probe for Dialogue<P> {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

impl<P: Protocol> Dialogue<P> {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) if failure.trouble == Trouble::Refused => {
                return failure.outcome_as(self.on_refused, call);
            }
            Err(failure) => return failure.outcome(call),
        };
        let mut talk = Talk { call, connection };
        let talked = self.talk(&mut talk).await;
        let took = call.elapsed();
        let outcome = match talked {
            Ok(greeting) => {
                let place = format!("{} port {}", self.endpoint.address(call), self.port);
                let seconds = took.as_secs_f64();
                let text = format!("{seconds:.3} second response time on {place} [{}]", greeting.text());
                report(call, &talk.connection, &self.tls, State::Ok, text, self.limits, took)
            }
            Err(end) => end.outcome(call),
        };
        within_reach(call, P::leave(&mut talk)).await;
        call.close(talk.connection).await;
        outcome
    }

    async fn talk(&self, talk: &mut Talk<'_>) -> Result<Greeting, End> {
        let name = self.endpoint.address(talk.call);
        if self.tls.mode == TlsMode::On {
            talk.connection.secure(talk.call, &self.tls, name, &[]).await?;
        }
        let greeting = P::greeting(talk).await?;
        if !greeting.holds(&self.expect) {
            let said = greeting.text();
            return Err(if greeting.is_refusal {
                End::Answer(State::Critical, format!("the greeting refuses: {said}"))
            } else {
                let text = format!("Unexpected response from host/socket on port {}: {said}", self.port);
                End::Answer(self.on_mismatch, text)
            });
        }
        if self.tls.mode == TlsMode::StartTls {
            P::start_tls(talk).await?;
            talk.connection.secure(talk.call, &self.tls, name, &[]).await?;
        }
        if let Some(login) = &self.login {
            let password = login.reveal(talk.call, &talk.connection, &self.tls)?;
            if let Err(refusal) = P::log_in(talk, &login.user, &password).await? {
                let text = format!("login of '{}': {refusal}", login.user);
                return Err(End::Answer(State::Critical, text));
            }
        }
        Ok(greeting)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;
    use crate::tests::made_certificates::{GOOD, acceptor, leaf, root, trusted};
    use crate::tests::{assert_harmless, check};
    use crate::trial::{closed_port, look, look_briefly, map, peer, refusals, reset, text};
    use crate::{Kind, ftp, imap, pop3};

    const KINDS: [&Kind; 3] = [&ftp::KIND, &pop3::KIND, &imap::KIND];

    /// A server of canned answers: the first is its greeting. What it heard is sent back.
    async fn server(answers: &'static [&'static str]) -> (u16, tokio::sync::oneshot::Receiver<String>) {
        let (tell, heard) = tokio::sync::oneshot::channel();
        let port = peer(async move |stream| {
            let mut stream = BufReader::new(stream);
            let mut said = String::new();
            for answer in answers {
                stream.write_all(answer.as_bytes()).await.unwrap();
                if stream.read_line(&mut said).await.unwrap() == 0 {
                    break;
                }
            }
            tell.send(said).unwrap();
        })
        .await;
        (port, heard)
    }

    #[tokio::test]
    async fn a_session_is_held_as_each_protocol_wants_it() {
        let cases: [(&str, &'static [&'static str], &str, &str); 3] = [
            (
                "ftp",
                &["220-hello\r\nfree text\r\n220 ready\r\n", "331 password\r\n", "230 in\r\n", "221 bye\r\n"],
                "USER bob\r\nPASS s3 \"cret\r\nQUIT\r\n",
                "FTP OK - 0.",
            ),
            (
                "pop3",
                &["+OK ready\r\n", "+OK\r\n", "+OK in\r\n", "+OK bye\r\n"],
                "USER bob\r\nPASS s3 \"cret\r\nQUIT\r\n",
                "POP OK - 0.",
            ),
            (
                "imap",
                &["* OK ready\r\n", "* CAPABILITY x\r\na2 OK in\r\n", "* BYE\r\na3 OK bye\r\n"],
                "a2 LOGIN \"bob\" \"s3 \\\"cret\"\r\na3 LOGOUT\r\n",
                "IMAP OK - 0.",
            ),
        ];
        for (kind, answers, expected, begins) in cases {
            let (port, heard) = server(answers).await;
            let line = format!("-H 127.0.0.1 -p {port} -U bob -P 's3 \"cret' -w 4 -c 5 -v");
            let (code, said) = check(kind, &line).await;
            assert_eq!(code, 0, "{said}");
            assert!(said.starts_with(begins) && said.contains(" ready]|time=0."), "{said}");
            assert!(!said.contains("s3 "), "{said}");
            assert_eq!(heard.await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn what_a_server_refuses_is_said() {
        let login = "-U bob -P secret";
        let cases: [(&str, &'static [&'static str], &str, u8, &str); 9] = [
            ("ftp", &["421 too many\r\n"], "", 2, "FTP CRITICAL - the greeting refuses: 421 too many"),
            ("ftp", &["220 x\r\n", "530 no\r\n"], login, 2, "FTP CRITICAL - login of 'bob': 530 no"),
            ("ftp", &["SSH-2.0-x\r\n"], "", 2, "FTP CRITICAL - no answer of an FTP server: SSH-2.0-x"),
            (
                "ftp",
                &["220 x\r\n", "500 what\r\n"],
                "--starttls",
                2,
                "FTP CRITICAL - AUTH TLS was refused: 500 what",
            ),
            (
                "ftp",
                &["220 x\r\n"],
                "-e Pure -M ok",
                0,
                "FTP OK - Unexpected response from host/socket on port ",
            ),
            ("pop3", &["-ERR busy\r\n"], "", 2, "POP CRITICAL - the greeting refuses: -ERR busy"),
            (
                "pop3",
                &["+OK\r\n", "+OK\r\n", "-ERR no\r\n"],
                login,
                2,
                "POP CRITICAL - login of 'bob': -ERR no",
            ),
            ("imap", &["* BYE busy\r\n"], "", 2, "IMAP CRITICAL - the greeting refuses: * BYE busy"),
            (
                "imap",
                &["* OK\r\n", "a2 NO [X] no\r\n"],
                login,
                2,
                "IMAP CRITICAL - login of 'bob': NO [X] no",
            ),
        ];
        for (kind, answers, more, code, begins) in cases {
            let (port, _heard) = server(answers).await;
            let (got, said) = check(kind, &format!("-H 127.0.0.1 -p {port} {more}")).await;
            assert!(got == code && said.starts_with(begins), "{got} {said}");
        }
        let (port, heard) = server(&["* OK\r\n", "+ \r\n", "a2 OK\r\n", "a3 OK\r\n"]).await;
        let (code, said) = check("imap", &format!("-H 127.0.0.1 -p {port} -U bob -P sécret")).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(heard.await.unwrap(), "a2 AUTHENTICATE PLAIN\r\nAGJvYgBzw6ljcmV0\r\na3 LOGOUT\r\n");
    }

    #[tokio::test]
    async fn hostile_servers_are_given_up() {
        for kind in KINDS {
            for part in [&b"2"[..], b"220-x\r\n", b"* \r\n", b"\xff\xfe\r\n", b"+OK \x1b[2J\r\n"] {
                let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
                let outcome = look_briefly(kind, &[("port", text(port)), ("tls", text("starttls"))]).await;
                assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
                assert_harmless(&outcome.output.text);
            }
            let port = peer(async |stream| reset(stream)).await;
            assert_eq!(look(kind, &[("port", text(port))]).await.state, State::Critical);
            let port = peer(async |stream| drop(stream)).await;
            assert_eq!(look(kind, &[("port", text(port))]).await.state, State::Critical);
            let port = peer(async |_stream| std::future::pending().await).await;
            let outcome = look_briefly(kind, &[("port", text(port))]).await;
            assert!(outcome.output.text.contains("no answer came within 0.3 s"), "{}", outcome.output.text);
            let port = closed_port().await;
            let outcome = look(kind, &[("port", text(port)), ("on_refused", text("ok"))]).await;
            assert!(outcome.output.text.contains("Connection refused"), "{}", outcome.output.text);
            assert_eq!(outcome.state, State::Ok);
        }
    }

    #[tokio::test]
    async fn whoever_shows_the_wrong_certificate_gets_no_password() {
        let root = root();
        let file = trusted(&[&root]);
        for (name, expected) in
            [("mx.example.test", "USER bob\r\nPASS secret\r\nQUIT\r\n"), ("other.test", "QUIT\r\n")]
        {
            let acceptor = acceptor(&leaf(name, &root, GOOD), &[]);
            let (tell, heard) = tokio::sync::oneshot::channel();
            let port = peer(async move |stream| {
                let ssl = openssl::ssl::Ssl::new(acceptor.context()).unwrap();
                let mut stream = tokio_openssl::SslStream::new(ssl, stream).unwrap();
                std::pin::Pin::new(&mut stream).accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let mut said = String::new();
                while stream.write_all(b"+OK\r\n").await.is_ok() && !said.ends_with("QUIT\r\n") {
                    stream.read_line(&mut said).await.unwrap();
                }
                tell.send(said).unwrap();
            })
            .await;
            let tls = map(&[("ca", text(file.path().display())), ("name", text("mx.example.test"))]);
            let (user, password) = (text("bob"), text("secret"));
            let options = [("port", text(port)), ("user", user), ("password", password), ("tls", tls)];
            let outcome = look(&pop3::KIND, &options).await;
            assert_eq!(outcome.state == State::Ok, expected.len() > 10, "{}", outcome.output.text);
            assert_eq!(heard.await.unwrap(), expected);
        }
    }

    #[test]
    fn a_login_is_whole_and_cannot_hold_commands() {
        assert!(refusals(&pop3::KIND, &[("user", text("bob"))])[0].contains("belong together"));
        let options = [("user", text("bob\r\nDELE 1")), ("password", text("x"))];
        assert!(refusals(&pop3::KIND, &options).iter().any(|text| text.contains("control character")));
    }
}
