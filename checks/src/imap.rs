//! `imap`: greeting, where wanted STARTTLS and a login, and a LOGOUT (RFC 9051). No mailbox is ever opened.

use crate::kind::{Kind, Short};
use crate::net::{self, Failure, Trouble};
use crate::options::Opt;
use crate::talk::{self, Greeting, Protocol, Talk};
use crate::tcp;

pub(crate) const KIND: Kind = Kind {
    name: "imap",
    label: "IMAP",
    summary: "an IMAP server greets, and where wanted speaks TLS and accepts a login",
    options: &[net::ENDPOINT, OPTIONS, talk::OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &["-H mail.example.test -w 1 -c 5", "-H mail.example.test -S -D 30,14 -U monitor -P secret"],
    yaml: "IMAP: {imap: {tls: starttls, user: monitor, password: {file: /etc/vigia/secrets/imap}}}",
    trace: Some("a session ended with LOGOUT, in which no mailbox was opened"),
    extras: tcp::EXTRAS,
    decode: talk::decode::<Imap>,
};

const OPTIONS: &[Opt] =
    &[Opt::new::<String>("expect", "what the greeting has to contain").default("* OK").flags("-e")];

#[derive(Debug)]
struct Imap;

/// Lines before the answer to a command.
const LINES_MAX: usize = 100;

/// What a server answers to a command.
enum Answer {
    Yes,
    No(String),
    /// It waits for more of the command.
    Continue,
}

/// Waits for the line that answers the command with this tag.
async fn answer(talk: &mut Talk<'_>, tag: &str) -> Result<Answer, Failure> {
    for _ in 0..LINES_MAX {
        let line = talk.hear().await?;
        let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match first {
            "*" => {}
            "+" => return Ok(Answer::Continue),
            first if first == tag => {
                let word = rest.split(' ').next().unwrap_or_default();
                let is_yes = word.eq_ignore_ascii_case("OK");
                return Ok(if is_yes { Answer::Yes } else { Answer::No(rest.to_owned()) });
            }
            _ => {
                return Err(Failure::new(Trouble::Garbage, format!("no answer of an IMAP server: {line}")));
            }
        }
    }
    Err(Failure::new(Trouble::Garbage, format!("more than {LINES_MAX} lines before an answer")))
}

/// A text as IMAP quotes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Protocol for Imap {
    const PORTS: (u16, u16) = (143, 993);

    async fn greeting(talk: &mut Talk<'_>) -> Result<Greeting, Failure> {
        let line = talk.hear().await?;
        let word = line.strip_prefix("* ").and_then(|rest| rest.split(' ').next());
        let is_refusal = match word.map(str::to_ascii_uppercase).as_deref() {
            Some("OK" | "PREAUTH") => false,
            Some("BYE") => true,
            _ => return Err(Failure::new(Trouble::Garbage, format!("no answer of an IMAP server: {line}"))),
        };
        Ok(Greeting { lines: vec![line], is_refusal })
    }

    async fn start_tls(talk: &mut Talk<'_>) -> Result<(), Failure> {
        talk.say("a1 STARTTLS").await?;
        let said = match answer(talk, "a1").await? {
            Answer::Yes => return Ok(()),
            Answer::No(said) => said,
            Answer::Continue => "+".to_owned(),
        };
        Err(Failure::new(Trouble::Tls, format!("STARTTLS was refused: {said}")))
    }

    async fn log_in(talk: &mut Talk<'_>, user: &str, password: &str) -> Result<Result<(), String>, Failure> {
        let mut answered = if user.is_ascii() && password.is_ascii() {
            let line = format!("a2 LOGIN {} {}", quoted(user), quoted(password));
            talk.whisper(&line, &format!("a2 LOGIN {} ***", quoted(user))).await?;
            answer(talk, "a2").await?
        } else {
            // A quoted text holds ASCII alone; this mechanism takes everything.
            talk.say("a2 AUTHENTICATE PLAIN").await?;
            let mut answered = answer(talk, "a2").await?;
            if matches!(answered, Answer::Continue) {
                let token = openssl::base64::encode_block(format!("\0{user}\0{password}").as_bytes());
                talk.whisper(&token.replace('\n', ""), "***").await?;
                answered = answer(talk, "a2").await?;
            }
            answered
        };
        if matches!(answered, Answer::Continue) {
            // Asked for more than there is: an empty line ends that.
            talk.say("").await?;
            answered = answer(talk, "a2").await?;
        }
        Ok(match answered {
            Answer::Yes => Ok(()),
            Answer::No(said) => Err(said),
            Answer::Continue => Err("the server wants more than a name and a password".to_owned()),
        })
    }

    async fn leave(talk: &mut Talk<'_>) -> Result<(), Failure> {
        talk.say("a3 LOGOUT").await?;
        answer(talk, "a3").await.map(|_| ())
    }
}
