//! `smtp`: greeting, EHLO, where wanted TLS, a login and further commands, and a QUIT (RFC 5321). Nothing is ever
//! sent as mail.

#[cfg(test)]
mod tests;
mod wire;

use futures_util::future::BoxFuture;
use vigia_core::model::state::State;

use crate::kind::{Call, Extra, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, Trouble};
use crate::options::{Choice, Given, Node, Opt, OptionType, Reader, Secret, Shape, Value};
use crate::outcome::Outcome;
use crate::secure::{Tls, TlsMode};
use crate::talk::{self, End, Limits, Login};
use crate::tcp::certificate_days;

use self::wire::{Reply, ask, quit, reply, send};

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

/// This machine's name, as EHLO wants it.
fn own_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let is_usable =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if is_usable { name } else { "vigia.invalid".to_owned() }
}
