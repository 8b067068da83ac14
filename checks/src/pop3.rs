//! `pop3`: greeting, where wanted STLS (RFC 2595) and a login, and a QUIT (RFC 1939). No message is listed or read.

use crate::kind::{Kind, Short};
use crate::net::{self, Failure, Trouble};
use crate::options::Opt;
use crate::talk::{self, Greeting, Protocol, Talk};
use crate::tcp;

pub(crate) const KIND: Kind = Kind {
    name: "pop3",
    label: "POP",
    summary: "a POP3 server greets, and where wanted speaks TLS and accepts a login",
    options: &[net::ENDPOINT, OPTIONS, talk::OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &["-H mail.example.test -w 1 -c 5", "-H mail.example.test -S -D 30,14 -U monitor -P secret"],
    yaml: "POP3S: {pop3: {tls: on, warn: 1s, crit: 5s}}",
    trace: Some("a session ended with QUIT; with a login it holds the mailbox for that moment"),
    extras: tcp::EXTRAS,
    decode: talk::decode::<Pop3>,
};

const OPTIONS: &[Opt] =
    &[Opt::new::<String>("expect", "what the greeting has to contain").default("+OK").flags("-e")];

#[derive(Debug)]
struct Pop3;

/// One answer: the line, and whether it is a yes.
async fn reply(talk: &mut Talk<'_>) -> Result<(String, bool), Failure> {
    let line = talk.hear().await?;
    let word = line.split(' ').next().unwrap_or_default();
    match word {
        "+OK" => Ok((line, true)),
        "-ERR" => Ok((line, false)),
        _ => Err(Failure::new(Trouble::Garbage, format!("no answer of a POP3 server: {line}"))),
    }
}

async fn ask(talk: &mut Talk<'_>, line: &str, shown: &str) -> Result<Result<(), String>, Failure> {
    talk.whisper(line, shown).await?;
    let (line, is_yes) = reply(talk).await?;
    Ok(if is_yes { Ok(()) } else { Err(line) })
}

impl Protocol for Pop3 {
    const PORTS: (u16, u16) = (110, 995);

    async fn greeting(talk: &mut Talk<'_>) -> Result<Greeting, Failure> {
        let (line, is_yes) = reply(talk).await?;
        Ok(Greeting { lines: vec![line], is_refusal: !is_yes })
    }

    async fn start_tls(talk: &mut Talk<'_>) -> Result<(), Failure> {
        let answer = ask(talk, "STLS", "STLS").await?;
        answer.map_err(|said| Failure::new(Trouble::Tls, format!("STLS was refused: {said}")))
    }

    async fn log_in(talk: &mut Talk<'_>, user: &str, password: &str) -> Result<Result<(), String>, Failure> {
        let line = format!("USER {user}");
        match ask(talk, &line, &line).await? {
            Ok(()) => ask(talk, &format!("PASS {password}"), "PASS ***").await,
            refused => Ok(refused),
        }
    }

    async fn leave(talk: &mut Talk<'_>) -> Result<(), Failure> {
        ask(talk, "QUIT", "QUIT").await.map(|_| ())
    }
}
