//! `ftp`: greeting, where wanted TLS (RFC 4217) and a login, and a QUIT (RFC 959). No file is ever moved: only the
//! control connection is looked at.

use crate::kind::{Kind, Short};
use crate::net::{self, Failure, Trouble};
use crate::options::Opt;
use crate::talk::{self, Greeting, Protocol, Talk};
use crate::tcp;

pub(crate) const KIND: Kind = Kind {
    name: "ftp",
    label: "FTP",
    summary: "an FTP server greets, and where wanted speaks TLS and accepts a login",
    options: &[net::ENDPOINT, OPTIONS, talk::OPTIONS, net::TIME],
    short: Short::Option("port"),
    examples: &[
        "-H files.example.test -w 1 -c 5",
        "-H files.example.test --starttls -D 30,14 -U monitor -P secret",
    ],
    yaml: "FTP: {ftp: {tls: starttls, user: monitor, password: {file: /etc/vigia/secrets/ftp}}}",
    trace: Some("a session without a transfer, ended with QUIT"),
    extras: tcp::EXTRAS,
    decode: talk::decode::<Ftp>,
};

const OPTIONS: &[Opt] =
    &[Opt::new::<String>("expect", "what the greeting has to contain").default("220").flags("-e")];

#[derive(Debug)]
struct Ftp;

/// One answer of the server.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn text(self) -> String {
        self.lines.into_iter().next_back().unwrap_or_default()
    }
}

async fn reply(talk: &mut Talk<'_>) -> Result<Reply, Failure> {
    const LINES_MAX: usize = 200;
    let mut lines: Vec<String> = Vec::new();
    let mut begun: Option<u16> = None;
    while lines.len() < LINES_MAX {
        let line = talk.hear().await?;
        let digits = line.get(..3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let code = digits.and_then(|digits| digits.parse::<u16>().ok()).filter(|code| *code >= 100);
        // Between first and last line anything may stand.
        let ends = line.as_bytes().get(3) != Some(&b'-');
        match (begun, code) {
            (None, None) => {
                return Err(Failure::new(Trouble::Garbage, format!("no answer of an FTP server: {line}")));
            }
            (None, Some(code)) if ends => return Ok(Reply { code, lines: vec![line] }),
            (None, Some(_)) => begun = code,
            (Some(first), Some(code)) if ends && first == code => {
                lines.push(line);
                return Ok(Reply { code, lines });
            }
            (Some(_), _) => {}
        }
        lines.push(line);
    }
    Err(Failure::new(Trouble::Garbage, format!("an answer of more than {LINES_MAX} lines")))
}

impl Protocol for Ftp {
    const PORTS: (u16, u16) = (21, 990);

    async fn greeting(talk: &mut Talk<'_>) -> Result<Greeting, Failure> {
        let mut reply = reply(talk).await?;
        // "Ready in so many minutes": the real greeting follows.
        if reply.code == 120 {
            reply = self::reply(talk).await?;
        }
        Ok(Greeting { is_refusal: reply.code >= 400, lines: reply.lines })
    }

    async fn start_tls(talk: &mut Talk<'_>) -> Result<(), Failure> {
        talk.say("AUTH TLS").await?;
        let reply = reply(talk).await?;
        if reply.code == 234 {
            return Ok(());
        }
        Err(Failure::new(Trouble::Tls, format!("AUTH TLS was refused: {}", reply.text())))
    }

    async fn log_in(talk: &mut Talk<'_>, user: &str, password: &str) -> Result<Result<(), String>, Failure> {
        talk.say(&format!("USER {user}")).await?;
        let mut reply = reply(talk).await?;
        if reply.code == 331 {
            talk.whisper(&format!("PASS {password}"), "PASS ***").await?;
            reply = self::reply(talk).await?;
        }
        // 230: welcome; 202: nothing more was needed; 232: TLS said enough.
        Ok(if matches!(reply.code, 230 | 202 | 232) { Ok(()) } else { Err(reply.text()) })
    }

    async fn leave(talk: &mut Talk<'_>) -> Result<(), Failure> {
        talk.say("QUIT").await?;
        reply(talk).await.map(|_| ())
    }
}
