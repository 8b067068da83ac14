//! `smtp`: greeting, EHLO, where wanted TLS, a login and further commands, and a QUIT (RFC 5321). Nothing is ever
//! sent as mail.

use futures_util::future::BoxFuture;
use vigia_core::model::state::State;

use crate::kind::{Call, Extra, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, LINE_MAX, Trouble};
use crate::options::{Choice, Given, Node, Opt, OptionType, Reader, Secret, Shape, Value};
use crate::outcome::{Outcome, quoted_bytes};
use crate::secure::{Tls, TlsMode};
use crate::talk::{self, End, Limits, Login};
use crate::tcp::certificate_days;

pub(crate) const KIND: Kind = Kind {
    name: "smtp",
    label: "SMTP",
    summary: "a mail server greets, and where wanted speaks TLS, accepts a login and answers commands",
    options: &[net::ENDPOINT, OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &[
        "-H mail.example.test",
        "-H mail.example.test -S -D 30,14 -w 1 -c 5",
        "-H mail.example.test -f monitor@example.test -C 'RCPT TO:<postmaster@example.test>' -R 250",
    ],
    yaml: "SMTP: {smtp: {tls: starttls, from: monitor@example.test, warn: 1s, crit: 5s}}",
    trace: Some("a session that ends with QUIT and without a mail"),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to: 25, or 465 with TLS from the first byte").flags("-p"),
    Opt::new::<String>("expect", "what the greeting has to contain").default("220").flags("-e"),
    Opt::new::<Word>("helo", "the name we introduce ourselves by, instead of this machine's")
        .flags("-F --fqdn"),
    Opt::new::<Word>("from", "sender whom the server has to accept").flags("-f"),
    Opt::new::<Commands>(
        "commands",
        "further commands, each with a text that its answer has to contain: {send, expect}, or `=> TEXT` after it",
    ),
    Opt::new::<String>("user", "name to log in with").flags("-U --authuser"),
    Opt::new::<Secret>("password", "its password").flags("-P --authpass"),
    Opt::new::<Mechanism>("auth", "how to log in").default("auto"),
    Opt::new::<Tls>("tls", "whether and when TLS is spoken, and how it is judged")
        .default("off")
        .sets(&[("-S --starttls", "starttls"), ("-s --ssl", "on")]),
];

const EXTRAS: &[Extra] = &[
    Extra {
        flags: "-C --command",
        value: "TEXT",
        help: "a further command; may be repeated",
        covers: &["commands"],
        apply: |text| Ok(vec![("commands", text.to_owned())]),
    },
    Extra {
        flags: "-R --response",
        value: "TEXT",
        help: "what the answer to the nth command has to contain",
        covers: &[],
        apply: |text| Ok(vec![("commands", format!("{ANSWER}{text}"))]),
    },
    Extra {
        flags: "-A --authtype",
        value: "PLAIN|LOGIN",
        help: "how to log in",
        covers: &[],
        apply: |text| Ok(vec![("auth", text.to_ascii_lowercase())]),
    },
    Extra {
        flags: "-D --certificate",
        value: "WARN[,CRIT]",
        help: "days a certificate must still live; means STARTTLS",
        covers: &[],
        apply: |text| {
            let mut set = certificate_days(text)?;
            set.insert(0, ("tls.mode", "starttls".to_owned()));
            Ok(set)
        },
    },
];

/// In front of a text of `commands` that is an expectation.
const ANSWER: &str = "=> ";

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    /// What the server offers, PLAIN first.
    Auto,
    Plain,
    Login,
}

impl Choice for Mechanism {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("plain", Self::Plain), ("login", Self::Login)];
}

/// A text that goes into a command: one line, no blanks.
#[derive(Clone, Debug)]
struct Word(String);

impl OptionType for Word {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a text")?;
        let is_word = !text.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_word {
            reader.wrong(value.mark, format!("{} is one word, without blanks", reader.path()));
        }
        is_word.then(|| Self(text.trim_start_matches('<').trim_end_matches('>').to_owned()))
    }
}

#[derive(Clone, Debug)]
struct Command {
    send: String,
    expect: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Commands(Vec<Command>);

const COMMAND: &[Opt] = &[
    Opt::new::<String>("send", "the command, without its line end").required(),
    Opt::new::<String>("expect", "what its answer has to contain"),
];

impl OptionType for Commands {
    const SHAPE: Shape = Shape::List(&Shape::OneOf(&[Shape::Text, Shape::Map(COMMAND)]));

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Node::List(items) = &value.node else {
            reader.wrong(value.mark, format!("{} is a list, not {}", reader.path(), value.what()));
            return None;
        };
        let mut commands = Self::default();
        for item in items {
            let (send, expect) = match &item.node {
                Node::Text(text) => match text.strip_prefix(ANSWER) {
                    Some(expect) => {
                        commands.add_answer(expect, item, reader)?;
                        continue;
                    }
                    None => (text.clone(), None),
                },
                Node::Null | Node::List(_) | Node::Map(_) => {
                    let given = Given::read(item, &[COMMAND], reader);
                    (given.find("send")?, given.find("expect"))
                }
            };
            if send.contains(['\r', '\n', '\0']) {
                reader.wrong(item.mark, format!("{}: a command is one line", reader.path()));
                return None;
            }
            commands.0.push(Command { send, expect });
        }
        Some(commands)
    }
}

impl Commands {
    /// The nth answer belongs to the nth command, whatever the order of the flags.
    fn add_answer(&mut self, expect: &str, at: &Value, reader: &mut Reader) -> Option<()> {
        let waiting = self.0.iter_mut().find(|command| command.expect.is_none());
        if waiting.is_none() {
            reader.wrong(at.mark, format!("{}: an answer without a command", reader.path()));
        }
        waiting?.expect = Some(expect.to_owned());
        Some(())
    }
}

#[derive(Debug)]
struct Smtp {
    endpoint: Endpoint,
    port: u16,
    expect: String,
    helo: Option<String>,
    from: Option<String>,
    commands: Vec<Command>,
    login: Option<Login>,
    mechanism: Mechanism,
    tls: Tls,
    limits: Limits,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let tls: Tls = given.get("tls");
    let default_port = if tls.mode == TlsMode::On { 465 } else { 25 };
    Some(Box::new(Smtp {
        endpoint: Endpoint::read(given),
        port: given.find("port").unwrap_or(default_port),
        expect: given.get("expect"),
        helo: given.find::<Word>("helo").map(|Word(helo)| helo),
        from: given.find::<Word>("from").map(|Word(from)| from),
        commands: given.find::<Commands>("commands").unwrap_or_default().0,
        login: Login::read(given, &tls, reader),
        mechanism: given.get("auth"),
        tls,
        limits: Limits::read(given),
    }))
}

impl Probe for Smtp {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

/// One answer of the server.
#[derive(Debug)]
struct Reply {
    code: u16,
    /// As they came, codes included.
    lines: Vec<String>,
}

impl Reply {
    fn is_good(&self) -> bool {
        self.code < 400
    }

    /// The last line, which says most.
    fn text(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    fn holds(&self, expected: &str) -> bool {
        self.lines.iter().any(|line| line.contains(expected))
    }

    /// Whether EHLO offers this, and the words after it.
    fn offer(&self, keyword: &str) -> Option<Vec<String>> {
        self.lines.iter().find_map(|line| {
            let mut words = line.get(4..)?.split([' ', '=']).map(str::to_ascii_uppercase);
            (words.next()? == keyword).then(|| words.collect())
        })
    }
}

impl Smtp {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let mut connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) => return failure.outcome(call),
        };
        let talked = self.talk(call, &mut connection).await;
        let took = call.elapsed();
        let outcome = match talked {
            Ok(()) => {
                let text = format!("{:.3} sec. response time", took.as_secs_f64());
                talk::report(call, &connection, &self.tls, State::Ok, text, self.limits, took)
            }
            Err(end) => end.outcome(call),
        };
        quit(call, connection).await;
        outcome
    }

    async fn talk(&self, call: &Call<'_>, connection: &mut Connection) -> Result<(), End> {
        let name = self.endpoint.address(call);
        if self.tls.mode == TlsMode::On {
            connection.secure(call, &self.tls, name, &[]).await?;
        }
        let greeting = reply(call, connection).await?;
        if !greeting.is_good() {
            return Err(End::Answer(State::Critical, format!("the greeting refuses: {}", greeting.text())));
        }
        if !greeting.holds(&self.expect) {
            let text = format!("the greeting does not contain '{}': {}", self.expect, greeting.text());
            return Err(End::Answer(State::Warning, text));
        }
        let mut offers = self.introduce(call, connection).await?;
        if self.tls.mode == TlsMode::StartTls {
            if offers.offer("STARTTLS").is_none() {
                return Err(Failure::new(Trouble::Tls, "the server does not offer STARTTLS").into());
            }
            ask(call, connection, "STARTTLS").await?;
            connection.secure(call, &self.tls, name, &[]).await?;
            offers = self.introduce(call, connection).await?;
        }
        if let Some(login) = &self.login {
            let password = login.reveal(call, connection, &self.tls)?;
            self.log_in(call, connection, &offers, &login.user, &password).await?;
        }
        if let Some(from) = &self.from {
            ask(call, connection, &format!("MAIL FROM:<{from}>")).await?;
        }
        for command in &self.commands {
            command.give(call, connection).await?;
        }
        Ok(())
    }

    /// EHLO, or HELO for a server that knows no other.
    async fn introduce(&self, call: &Call<'_>, connection: &mut Connection) -> Result<Reply, End> {
        let name = self.helo.clone().unwrap_or_else(own_name);
        send(call, connection, &format!("EHLO {name}")).await?;
        let answer = reply(call, connection).await?;
        match answer.code {
            code if code < 400 => Ok(answer),
            500 | 502 | 504 => ask(call, connection, &format!("HELO {name}")).await,
            _ => Err(End::Answer(State::Critical, format!("EHLO {name}: {}", answer.text()))),
        }
    }

    async fn log_in(
        &self,
        call: &Call<'_>,
        connection: &mut Connection,
        offers: &Reply,
        user: &str,
        password: &str,
    ) -> Result<(), End> {
        let offered = offers.offer("AUTH").unwrap_or_default();
        let has = |mechanism: &str| offered.iter().any(|word| word == mechanism);
        let is_plain = match self.mechanism {
            Mechanism::Plain => true,
            Mechanism::Login => false,
            Mechanism::Auto if has("PLAIN") => true,
            Mechanism::Auto if has("LOGIN") => false,
            Mechanism::Auto => {
                let mut text = "the server offers neither AUTH PLAIN nor LOGIN".to_owned();
                if !connection.is_tls() {
                    text.push_str("; most do so only after STARTTLS (`tls: starttls`)");
                }
                return Err(End::Answer(State::Critical, text));
            }
        };
        let encode = |text: &str| openssl::base64::encode_block(text.as_bytes()).replace('\n', "");
        let answer = if is_plain {
            call.note(|| "client: AUTH PLAIN ***".to_owned());
            let token = encode(&format!("\0{user}\0{password}"));
            connection.send(format!("AUTH PLAIN {token}\r\n").as_bytes()).await?;
            reply(call, connection).await?
        } else {
            ask(call, connection, "AUTH LOGIN").await?;
            ask(call, connection, &encode(user)).await?;
            call.note(|| "client: ***".to_owned());
            connection.send(format!("{}\r\n", encode(password)).as_bytes()).await?;
            reply(call, connection).await?
        };
        if answer.code == 235 {
            return Ok(());
        }
        Err(End::Answer(State::Critical, format!("login of '{user}': {}", answer.text())))
    }
}

impl Command {
    async fn give(&self, call: &Call<'_>, connection: &mut Connection) -> Result<(), End> {
        send(call, connection, &self.send).await?;
        let answer = reply(call, connection).await?;
        let is_expected = self.expect.as_ref().map_or(answer.is_good(), |expect| answer.holds(expect));
        if is_expected {
            return Ok(());
        }
        let text = format!("Invalid response '{}' to command '{}'", answer.text(), self.send);
        Err(End::Answer(State::Warning, text))
    }
}

async fn send(call: &Call<'_>, connection: &mut Connection, command: &str) -> Result<(), Failure> {
    call.note(|| format!("client: {command}"));
    connection.send(format!("{command}\r\n").as_bytes()).await
}

/// Gives a command that has to succeed.
async fn ask(call: &Call<'_>, connection: &mut Connection, command: &str) -> Result<Reply, End> {
    send(call, connection, command).await?;
    let answer = reply(call, connection).await?;
    if answer.is_good() {
        return Ok(answer);
    }
    Err(End::Answer(State::Critical, format!("{command}: {}", answer.text())))
}

async fn reply(call: &Call<'_>, connection: &mut Connection) -> Result<Reply, Failure> {
    const LINES_MAX: usize = 100;
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        let Some(line) = connection.read_line(LINE_MAX).await? else {
            return Err(Failure::new(Trouble::Closed, "the server ended the connection without an answer"));
        };
        let text = quoted_bytes(&line, 500);
        call.note(|| format!("server: {text}"));
        let code = text.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(code) = code.and_then(|code| code.parse::<u16>().ok()).filter(|code| *code >= 200) else {
            return Err(Failure::new(Trouble::Garbage, format!("no answer of an SMTP server: {text}")));
        };
        let goes_on = text.as_bytes().get(3) == Some(&b'-');
        lines.push(text);
        if !goes_on {
            return Ok(Reply { code, lines });
        }
    }
    Err(Failure::new(Trouble::Garbage, format!("an answer of more than {LINES_MAX} lines")))
}

/// Leaves in order. What was found out stands whatever the server makes of it.
async fn quit(call: &Call<'_>, mut connection: Connection) {
    let said = async {
        send(call, &mut connection, "QUIT").await?;
        reply(call, &mut connection).await
    };
    talk::within_reach(call, said).await;
    call.close(connection).await;
}

/// This machine's name, as EHLO wants it.
fn own_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let is_usable =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if is_usable { name } else { "vigia.invalid".to_owned() }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpStream;

    use vigia_core::model::state::Condition as _;

    use super::*;
    use crate::tests::check;
    use crate::tests::made_certificates::{GOOD, acceptor, leaf, root, trusted};
    use crate::trial::{closed_port, decoded, list, look, look_briefly, map, peer, refusals, reset, text};

    /// A server of canned answers: the first is its greeting. Returns what it heard.
    async fn converse(stream: TcpStream, answers: &[&str]) -> String {
        let mut stream = BufReader::new(stream);
        let mut heard = String::new();
        for answer in answers {
            stream.write_all(answer.as_bytes()).await.unwrap();
            if stream.read_line(&mut heard).await.unwrap() == 0 {
                break;
            }
        }
        heard
    }

    async fn server(answers: &'static [&'static str]) -> (u16, tokio::sync::oneshot::Receiver<String>) {
        let (tell, heard) = tokio::sync::oneshot::channel();
        let port = peer(async move |stream| tell.send(converse(stream, answers).await).unwrap()).await;
        (port, heard)
    }

    const EHLO: &str = "250-mail.example.test\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 100\r\n";

    #[tokio::test]
    async fn a_server_that_greets_is_ok_and_left_with_quit() {
        let (port, heard) =
            server(&["220 mail.example.test ESMTP\r\n", EHLO, "250 ok\r\n", "221 bye\r\n"]).await;
        let options =
            [("port", text(port)), ("helo", text("me.example.test")), ("from", text("<a@example.test>"))];
        let outcome = look(&KIND, &options).await;
        let line = &*outcome.output.text;
        assert!(line.starts_with("SMTP OK - 0.") && line.ends_with(" sec. response time"), "{line}");
        assert!(outcome.output.perfdata.starts_with("time=0."));
        assert_eq!(heard.await.unwrap(), "EHLO me.example.test\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n");
    }

    #[tokio::test]
    async fn an_old_server_is_greeted_with_helo() {
        let (port, heard) = server(&["220 old\r\n", "502 what?\r\n", "250 hello\r\n", "221 bye\r\n"]).await;
        let outcome = look(&KIND, &[("port", text(port)), ("helo", text("me"))]).await;
        assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
        assert_eq!(heard.await.unwrap(), "EHLO me\r\nHELO me\r\nQUIT\r\n");
    }

    #[tokio::test]
    async fn commands_are_given_and_their_answers_compared() {
        let answers = &["220 x\r\n", EHLO, "252 maybe\r\n", "214 help\r\n", "221 bye\r\n"];
        let commands = |expect: &str| {
            let first = map(&[("send", text("VRFY postmaster")), ("expect", text("252"))]);
            Value::list(vec![first, text("HELP"), text(format!("=> {expect}"))], crate::options::Mark(1))
        };
        let (port, heard) = server(answers).await;
        let outcome =
            look(&KIND, &[("port", text(port)), ("helo", text("me")), ("commands", commands("214"))]).await;
        assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
        assert_eq!(heard.await.unwrap(), "EHLO me\r\nVRFY postmaster\r\nHELP\r\nQUIT\r\n");
        let (port, _heard) = server(answers).await;
        let outcome = look(&KIND, &[("port", text(port)), ("commands", commands("299"))]).await;
        assert_eq!(&*outcome.output.text, "SMTP WARNING - Invalid response '214 help' to command 'HELP'");
    }

    #[tokio::test]
    async fn a_login_is_tried_in_the_way_that_is_offered() {
        let login = |port: u16, auth: &str| {
            let (user, password) = (text("bob"), text("secret"));
            vec![
                ("port", text(port)),
                ("helo", text("me")),
                ("user", user),
                ("password", password),
                ("auth", text(auth)),
            ]
        };
        let (port, heard) = server(&["220 x\r\n", EHLO, "235 welcome\r\n", "221 bye\r\n"]).await;
        let outcome = look(&KIND, &login(port, "auto")).await;
        assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
        assert_eq!(heard.await.unwrap(), "EHLO me\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\nQUIT\r\n");
        let refused = [
            "220 x\r\n",
            EHLO,
            "334 VXNlcm5hbWU6\r\n",
            "334 UGFzc3dvcmQ6\r\n",
            "535 5.7.8 no\r\n",
            "221 bye\r\n",
        ];
        let (port, heard) = server(Box::leak(Box::new(refused))).await;
        let outcome = look(&KIND, &login(port, "login")).await;
        assert_eq!(&*outcome.output.text, "SMTP CRITICAL - login of 'bob': 535 5.7.8 no");
        assert_eq!(heard.await.unwrap(), "EHLO me\r\nAUTH LOGIN\r\nYm9i\r\nc2VjcmV0\r\nQUIT\r\n");
        assert!(!outcome.detail.iter().any(|step| step.contains("c2VjcmV0") || step.contains("secret")));
    }

    #[tokio::test]
    async fn what_a_server_refuses_is_said() {
        let cases: &[(&'static [&'static str], State, &str)] = &[
            (&["554 go away\r\n", "221 bye\r\n"], State::Critical, "the greeting refuses: 554 go away"),
            (&["220 x\r\n", "550 no\r\n", "221 bye\r\n"], State::Critical, "EHLO me: 550 no"),
            (&["SSH-2.0-OpenSSH\r\n"], State::Critical, "no answer of an SMTP server: SSH-2.0-OpenSSH"),
            (&[""], State::Critical, "the server ended the connection without an answer"),
        ];
        for (answers, state, expected) in cases {
            let (port, _heard) = match answers {
                [""] => (peer(async |stream| drop(stream)).await, server(&[]).await.1),
                answers => server(answers).await,
            };
            let outcome = look(&KIND, &[("port", text(port)), ("helo", text("me"))]).await;
            assert_eq!(outcome.state, *state);
            assert_eq!(&*outcome.output.text, format!("SMTP {} - {expected}", state.word()));
        }
        let (port, _heard) = server(&["220 x\r\n", EHLO, "221 bye\r\n"]).await;
        let outcome = look(&KIND, &[("port", text(port)), ("tls", text("starttls"))]).await;
        assert_eq!(&*outcome.output.text, "SMTP CRITICAL - the server does not offer STARTTLS");
        let (port, _heard) = server(&["220 x\r\n", EHLO, "221 bye\r\n"]).await;
        let outcome = look(&KIND, &[("port", text(port)), ("expect", text("mail7"))]).await;
        assert_eq!(&*outcome.output.text, "SMTP WARNING - the greeting does not contain 'mail7': 220 x");
    }

    #[tokio::test]
    async fn hostile_servers_are_given_up() {
        for part in [&b"2"[..], b"220-x\r\n", b"\xff\xfe\r\n"] {
            let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
            let outcome = look(&KIND, &[("port", text(port))]).await;
            assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
        }
        let port = peer(async |stream| reset(stream)).await;
        assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
        let port = peer(async |_stream| std::future::pending().await).await;
        let outcome = look_briefly(&KIND, &[("port", text(port))]).await;
        assert!(outcome.output.text.contains("no answer came within 0.3 s"), "{}", outcome.output.text);
        let outcome = look(&KIND, &[("port", text(closed_port().await))]).await;
        assert!(outcome.output.text.contains("Connection refused"), "{}", outcome.output.text);
    }

    #[tokio::test]
    async fn starttls_leads_to_tls_and_a_second_ehlo() {
        let root = root();
        let file = trusted(&[&root]);
        for (name, login, state) in
            [("mx.example.test", "235 ok\r\n", State::Ok), ("other.test", "", State::Critical)]
        {
            let acceptor = acceptor(&leaf(name, &root, GOOD), &[]);
            let (tell, heard) = tokio::sync::oneshot::channel();
            let port = peer(async move |stream| {
                let mut stream = BufReader::new(stream);
                let mut said = String::new();
                for answer in ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer != "220 go\r\n" {
                        stream.read_line(&mut said).await.unwrap();
                    }
                }
                let ssl = openssl::ssl::Ssl::new(acceptor.context()).unwrap();
                let mut tls = tokio_openssl::SslStream::new(ssl, stream.into_inner()).unwrap();
                std::pin::Pin::new(&mut tls).accept().await.unwrap();
                let mut tls = BufReader::new(tls);
                for answer in
                    ["250-x\r\n250 AUTH PLAIN\r\n", login, "221 bye\r\n"].iter().filter(|a| !a.is_empty())
                {
                    tls.read_line(&mut said).await.unwrap();
                    tls.write_all(answer.as_bytes()).await.unwrap();
                }
                tls.read_line(&mut said).await.unwrap();
                tell.send(said).unwrap();
            })
            .await;
            let tls = map(&[
                ("mode", text("starttls")),
                ("ca", text(file.path().display())),
                ("name", text("mx.example.test")),
            ]);
            let options = [
                ("port", text(port)),
                ("helo", text("me")),
                ("user", text("bob")),
                ("password", text("secret")),
                ("tls", tls),
            ];
            let outcome = look(&KIND, &options).await;
            assert_eq!(outcome.state, state, "{}", outcome.output.text);
            let said = heard.await.unwrap();
            let expected = match state {
                State::Ok => "EHLO me\r\nSTARTTLS\r\nEHLO me\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\nQUIT\r\n",
                // Whoever shows the wrong certificate gets no password.
                State::Warning | State::Critical | State::Unknown => {
                    "EHLO me\r\nSTARTTLS\r\nEHLO me\r\nQUIT\r\n"
                }
            };
            assert_eq!(said, expected);
        }
    }

    #[tokio::test]
    async fn the_flags_of_check_smtp_are_understood() {
        let (port, heard) = server(&["220 x\r\n", EHLO, "250 ok\r\n", "250 ok\r\n", "221 bye\r\n"]).await;
        let line =
            format!("-H 127.0.0.1 -p {port} -F me -f a@b.test -C 'RCPT TO:<c@d.test>' -R 250 -w 4 -c 5 -t 5");
        let (code, said) = check("smtp", &line).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.starts_with("SMTP OK - 0.") && said.contains(" sec. response time|time="), "{said}");
        assert_eq!(heard.await.unwrap(), "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nQUIT\r\n");
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        assert!(refusals(&KIND, &[("user", text("bob"))])[0].contains("belong together"));
        assert!(refusals(&KIND, &[("helo", text("a\r\nb"))])[0].contains("one word"));
        assert!(refusals(&KIND, &[("commands", list(&["=> 250"]))])[0].contains("without a command"));
        assert!(refusals(&KIND, &[("commands", list(&["A\r\nB"]))])[0].contains("one line"));
        decoded(&KIND, &[("commands", list(&["A", "B", "=> 1", "=> 2"]))]);
    }
}
