//! Messages as mail: text and HTML, one thread for one problem, one mail for one address, by a server or a program.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Letter, Tokio1Executor};
use sha2::{Digest as _, Sha256};
use vigia_core::model::message::{Message, MessageId, MessageKind};
use vigia_core::model::time::Timestamp;

use super::facts::Facts;
use super::outcome::Outcome;
use super::program;
use super::settings::{Mail, Security, Settings, Tools};
use crate::telemetry::Chain;
use crate::wording::Part;

/// Sends it to this address.
pub(super) async fn send(to: &str, facts: &Facts, settings: &Settings, tools: &Tools) -> Outcome {
    let letter = match letter(to, facts, settings) {
        Ok(letter) => letter,
        Err(why) => return Outcome::Never(why),
    };
    let mail = &settings.mail;
    if !mail.sendmail.is_empty() {
        return program::sendmail(&mail.sendmail, letter.formatted(), mail.timeout, &tools.processes).await;
    }
    let transport = match transport(mail, tools) {
        Ok(transport) => transport,
        Err(why) => return Outcome::Down { why, wait: None },
    };
    // The library bounds each step; somebody who is slow at every one of them must not hold us either.
    match tokio::time::timeout(mail.timeout, Box::pin(transport.send(letter))).await {
        Ok(Ok(response)) => Outcome::Sent(response.first_line().unwrap_or_default().to_owned()),
        Ok(Err(error)) => judge(&error, mail),
        Err(_elapsed) => {
            let seconds = mail.timeout.as_secs_f64();
            Outcome::Down { why: format!("{} took no mail within {seconds} s", place(mail)), wait: None }
        }
    }
}

fn place(mail: &Mail) -> String {
    format!("{}:{}", mail.host, mail.port)
}

/// Codes with which a server refuses us, and not this mail alone: it is too busy, or will not let us in.
const REFUSES_US: &[u16] = &[421, 432, 454, 530, 534, 535, 538];

fn judge(error: &lettre::transport::smtp::Error, mail: &Mail) -> Outcome {
    let why = format!("{}: {}", place(mail), Chain(error));
    let code = error.status().map(u16::from);
    if code.is_some_and(|code| REFUSES_US.contains(&code)) {
        return Outcome::Down { why, wait: None };
    }
    if error.is_permanent() {
        return Outcome::Never(why);
    }
    if error.is_transient() {
        return Outcome::Later(why);
    }
    Outcome::Down { why, wait: None }
}

fn transport(mail: &Mail, tools: &Tools) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || {
        TlsParameters::new(mail.host.clone()).map_err(|error| format!("cannot speak TLS: {}", Chain(&error)))
    };
    let tls = match mail.security {
        Security::Off => Tls::None,
        // Never weaker than said: a server that offers no STARTTLS gets no mail.
        Security::StartTls => Tls::Required(parameters()?),
        Security::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(mail.host.clone())
        .port(mail.port)
        .tls(tls)
        .timeout(Some(mail.timeout));
    if let Some(user) = &mail.user {
        let password = mail.password.as_ref().map(|secret| (tools.secrets)(secret)).transpose();
        let password = password.map_err(|why| format!("the password of `smtp` cannot be had: {why}"))?;
        builder = builder.credentials(Credentials::new(user.clone(), password.unwrap_or_default()));
    }
    Ok(builder.build())
}

fn letter(to: &str, facts: &Facts, settings: &Settings) -> Result<Letter, String> {
    let from = mailbox(&settings.mail.from, "`smtp.from`")?;
    let to_mailbox = mailbox(to, "the contact's `email`")?;
    let (kind, labels) = (facts.kind(), facts.labels());
    let word = |part| settings.wording.render(kind, part, &labels);
    let (subject, text, html) = (word(Part::Subject)?, word(Part::Text)?, word(Part::Html)?);
    let domain = from.email.domain().to_owned();
    let own = message_id(&facts.message.id, to, &domain);
    let mut builder = Letter::builder()
        .from(from)
        .to(to_mailbox)
        .subject(subject)
        .date(system_time(facts.message.at))
        .message_id(Some(own.clone()))
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if let Some(first) = thread(&facts.message, to, &domain).filter(|first| *first != own) {
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    builder
        .multipart(MultiPart::alternative_plain_html(text, html))
        .map_err(|error| format!("the mail cannot be put together: {error}"))
}

fn mailbox(text: &str, what: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error: AddressError| format!("{what} `{text}` is not a mail address: {error}"))
}

/// The same for the same message to the same address: a server that sees it twice can tell.
fn message_id(id: &MessageId, to: &str, domain: &str) -> String {
    let digest = Sha256::digest(format!("{id}\n{to}").as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("<vigia.{hex}@{domain}>")
}

/// What everything about one problem is an answer to: the first message of it, whether it was ever sent to this
/// address or not.
fn thread(message: &Message, to: &str, domain: &str) -> Option<String> {
    let vigia_core::model::message::About::Object(notice) = &message.about else { return None };
    let problem = notice.problem?;
    let first = MessageId::new(&notice.subject, Some(problem), MessageKind::Problem, 1, &message.contact);
    Some(message_id(&first, to, domain))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::{digest, problem, recovery};
    use super::super::tests::settings;
    use super::*;

    fn shown(facts: &Facts) -> String {
        let letter = letter("ana@example.test", facts, &settings()).unwrap();
        String::from_utf8(letter.formatted()).unwrap()
    }

    fn line<'m>(mail: &'m str, name: &str) -> Option<&'m str> {
        mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[test]
    fn one_problem_is_one_thread() {
        let (first, second, end) = (shown(&problem(1)), shown(&problem(2)), shown(&recovery()));
        let root = line(&first, "Message-ID").unwrap();
        assert!(line(&first, "In-Reply-To").is_none());
        for mail in [&second, &end] {
            assert_eq!(line(mail, "In-Reply-To"), Some(root));
            assert_eq!(line(mail, "References"), Some(root));
            assert_ne!(line(mail, "Message-ID"), Some(root));
        }
        assert_eq!(line(&second, "Message-ID"), line(&shown(&problem(2)), "Message-ID"));
        assert!(line(&shown(&digest()), "In-Reply-To").is_none());
    }

    #[test]
    fn what_a_plugin_says_makes_no_header() {
        let mut facts = problem(1);
        if let vigia_core::model::message::About::Object(notice) = &mut facts.message.about {
            let notice = std::sync::Arc::make_mut(notice);
            notice.comment = Some("x\r\nBcc: everybody@example.test\r\n\r\nbody".into());
            notice.kind = MessageKind::Custom;
        }
        let mail = shown(&facts);
        let (head, _body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Subject: HTTP on web1: x Bcc: everybody@example.test body"), "{head}");
    }
}
