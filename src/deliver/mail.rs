//! Messages as mail: text and HTML, one thread for one problem, one mail for one address, by a server or a program.

use std::time::{Duration, SystemTime};

use lettre::Message as Letter;
use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as SmtpMail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use sha2::{Digest as _, Sha256};
use vigia_core::model::message::{About, Message, MessageId, MessageKind};
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
        Err(why) => return Outcome::Void(why),
    };
    let mail = &settings.mail;
    if !mail.sendmail.is_empty() {
        return program::sendmail(&mail.sendmail, letter.formatted(), mail.timeout, &tools.processes).await;
    }
    // The library bounds each step; somebody who is slow at every one of them must not hold us either.
    let handed = tokio::time::timeout(mail.timeout, Box::pin(hand_over(&letter, mail, tools))).await;
    let Ok((outcome, connection)) = handed else {
        let seconds = mail.timeout.as_secs_f64();
        return Outcome::Down { why: format!("{} took no mail within {seconds} s", place(mail)), wait: None };
    };
    if let Some(mut connection) = connection {
        // The mail is where it is, whatever comes of this.
        drop(tokio::time::timeout(GOODBYE, connection.abort()).await);
    }
    outcome
}

/// For the end of a conversation.
const GOODBYE: Duration = Duration::from_secs(1);

fn place(mail: &Mail) -> String {
    format!("{}:{}", mail.host, mail.port)
}

/// One mail to one server. What it says before it hears of the recipient is about us; after that, about this mail.
async fn hand_over(letter: &Letter, mail: &Mail, tools: &Tools) -> (Outcome, Option<AsyncSmtpConnection>) {
    let mut connection = match open(mail, tools).await {
        Ok(connection) => connection,
        Err(why) => return (down(mail, &why), None),
    };
    let envelope = letter.envelope();
    let addresses = envelope.to().iter().chain(envelope.from());
    let is_odd = addresses.into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    let parameters = if is_odd { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    if is_odd && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        let why = format!("{} takes no addresses with such letters", place(mail));
        return (Outcome::Never(why), Some(connection));
    }
    if let Err(error) = connection.command(SmtpMail::new(envelope.from().cloned(), parameters)).await {
        return (down(mail, &Chain(&error).to_string()), Some(connection));
    }
    let outcome = match tell(&mut connection, letter).await {
        Ok(response) => Outcome::Sent(response.first_line().unwrap_or_default().to_owned()),
        Err(error) => judge(&error, mail),
    };
    (outcome, Some(connection))
}

async fn tell(connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<Response, SmtpError> {
    for to in letter.envelope().to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    connection.message(&letter.formatted()).await
}

/// A connection on which mail may be sent: secured as the configuration says, and logged in.
async fn open(mail: &Mail, tools: &Tools) -> Result<AsyncSmtpConnection, String> {
    let parameters = || {
        TlsParameters::new(mail.host.clone()).map_err(|error| format!("cannot speak TLS: {}", Chain(&error)))
    };
    let told = |error: SmtpError| Chain(&error).to_string();
    let hello = ClientId::default();
    let wrapper = if mail.security == Security::Tls { Some(parameters()?) } else { None };
    let server = (mail.host.as_str(), mail.port);
    let opened = AsyncSmtpConnection::connect_tokio1(server, Some(mail.timeout), &hello, wrapper, None).await;
    let mut connection = opened.map_err(told)?;
    if mail.security == Security::StartTls {
        // Never weaker than said.
        if !connection.can_starttls() {
            return Err("the server offers no STARTTLS, and `smtp.tls` wants it".to_owned());
        }
        connection.starttls(parameters()?, &hello).await.map_err(told)?;
    }
    if let Some(user) = &mail.user {
        let password = mail.password.as_ref().map(|secret| (tools.secrets)(secret)).transpose();
        let password = password.map_err(|why| format!("the password of `smtp` cannot be had: {why}"))?;
        let credentials = Credentials::new(user.clone(), password.unwrap_or_default());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&mechanisms, &credentials).await.map_err(told)?;
    }
    Ok(connection)
}

fn down(mail: &Mail, why: &str) -> Outcome {
    Outcome::Down { why: format!("{}: {why}", place(mail)), wait: None }
}

/// What a server said of a recipient or a mail.
fn judge(error: &SmtpError, mail: &Mail) -> Outcome {
    let why = format!("{}: {}", place(mail), Chain(error));
    let code = error.status().map(u16::from);
    match code {
        // It is about to close, or wants a login that it did not ask for before.
        Some(421 | 530) => Outcome::Down { why, wait: None },
        Some(_) if error.is_permanent() => Outcome::Never(why),
        Some(_) => Outcome::Later(why),
        None => Outcome::Down { why, wait: None },
    }
}

fn letter(to: &str, facts: &Facts, settings: &Settings) -> Result<Letter, String> {
    let from = mailbox(&settings.mail.from, "`smtp.from`")?;
    let to_mailbox = mailbox(to, "the contact's `email`")?;
    let (subject, text, html) = match &facts.message.about {
        About::Ticket(mail) => (mail.subject.to_string(), mail.text.to_string(), mail.html.to_string()),
        About::Object(_) | About::Digest(_) => {
            let (kind, labels) = (facts.kind(), facts.labels());
            let word = |part| settings.wording.render(kind, part, &labels);
            (word(Part::Subject)?, word(Part::Text)?, word(Part::Html)?)
        }
    };
    let domain = from.email.domain().to_owned();
    let own = message_id(&facts.message.id, to, &domain);
    let mut builder = Letter::builder()
        .from(from)
        .to(to_mailbox)
        .subject(subject)
        .date(system_time(facts.message.at))
        .message_id(Some(own.clone()))
        // Nothing that answers by itself shall answer us, and we read no mail at all.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
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
    let first = match &message.about {
        About::Object(notice) => {
            MessageId::new(&notice.subject, Some(notice.problem?), MessageKind::Problem, 1, &message.contact)
        }
        About::Ticket(mail) => MessageId::of_ticket(mail.reference.id, 0, &message.contact),
        About::Digest(_) => return None,
    };
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
        if let About::Object(notice) = &mut facts.message.about {
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
