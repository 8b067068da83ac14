//! Who is told: contacts with their channels, the audience of an object, escalations.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::model::contact::{Audience, Contact, Escalation, RateLimit, Webhook, WebhookFormat};
use vigia_core::model::id::Name;
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::NotificationOptions;
use vigia_core::model::secret::Secret;
use vigia_core::model::selector::Selection;
use vigia_core::nagios::macros;

use super::super::names::{Known, Names};
use super::{Written, period_named, timezone, wanted_match};
use crate::config::decode::Decoder;
use crate::config::insertion::{self, Piece};
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::Node;
use crate::config::written::fields::{Fields, Item};
use crate::config::written::read::CANCELLED;

pub(in super::super) fn contact(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> Option<Contact> {
    let before = decoder.errors();
    let fields = &object.fields;
    let email = fields.list("email");
    for address in &email {
        check_address(*address, decoder);
    }
    let (host_command, service_command) = notification_commands(fields, commands, decoder);
    let run = fields.words("run");
    check_run(run.as_deref(), fields.place("run"), decoder);
    let webhook = fields.fields("webhook").and_then(|fields| webhook(fields, decoder));
    let rate_limit = rate_limit(fields, decoder);
    // Whether it exists; the period is read in it when all periods are known.
    let _zone = timezone(fields, decoder);
    let period = period_named(fields.item("notification_period"), periods, decoder);
    if email.is_empty()
        && webhook.is_none()
        && run.is_none()
        && host_command.is_none()
        && service_command.is_none()
    {
        let message = format!("contact `{}` has no way to be told anything", object.name.text);
        decoder.push(
            Problem::warning(object.name.at, message).hint("`email`, `webhook`, `command` or `run` says how"),
        );
    }
    (decoder.errors() == before).then(|| Contact {
        name: object.name.text.into(),
        email: email.iter().map(|item| item.text.to_owned()).collect(),
        webhook,
        host_command,
        service_command,
        run,
        options: notification_options(&fields.list("options")),
        notification_period: period.unwrap_or(PeriodId::ALWAYS),
        timezone: fields.text("timezone").map(str::to_owned),
        only: fields.selected("match").map(|selected| selected.selection()),
        rate_limit,
        custom_variables: texts(fields.pairs("custom_variables")),
    })
}

fn check_address(address: Item<'_>, decoder: &mut Decoder) {
    let is_address =
        address.text.split_once('@').is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
    if !is_address
        || address.text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ','))
    {
        decoder.push(
            Problem::error(address.at, format!("`{}` is not a mail address", address.text))
                .hint("write it alone, as in `ana@example.test`"),
        );
    }
}

fn notification_commands(
    fields: &Fields<'_>,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> (Option<Name>, Option<Name>) {
    let Some(node) = fields.node("command") else { return (None, None) };
    let mut named = |node: &Node<'_>, key: &str| -> Option<Name> {
        let text = decoder.text(node, key)?;
        let name = macros::call(text).0.into_owned();
        match commands.find(Item { text: &name, at: node.at }, "command", decoder)? {
            Known::Good(()) => Some(text.into()),
            Known::Quarantined => {
                decoder.refuse(Problem::error(node.at, format!("command `{name}` is in quarantine")))
            }
        }
    };
    let Some(map) = node.map() else {
        let both = named(node, "command");
        return (both.clone(), both);
    };
    let host = map.get("host").and_then(|node| named(node, "host"));
    let service = map.get("service").and_then(|node| named(node, "service"));
    for entry in map.iter().filter(|entry| !matches!(&*entry.key.text, "host" | "service")) {
        let message = format!("there is no key `{}` here", entry.key.text);
        decoder.push(Problem::error(entry.key.at, message).hint("the keys here are: host service"));
    }
    (host, service)
}

/// Every `${…}` of a list that runs later must be a name that is known then.
pub(in super::super) fn check_run(words: Option<&[String]>, at: Place, decoder: &mut Decoder) {
    for word in words.unwrap_or_default() {
        for piece in insertion::pieces(word) {
            if let Piece::Name(name, _) = piece
                && !insertion::is_known_at_run(name)
            {
                let known = insertion::OF_OBJECTS.iter().chain(insertion::AT_RUN).copied();
                decoder.push(Problem::error(at, format!("there is no value `${{{name}}}`")).maybe_hint(
                    did_you_mean(name, known).or_else(|| Some("`$${` stands for a literal `${`".to_owned())),
                ));
            }
        }
    }
}

pub(in super::super) fn webhook(fields: &Fields<'_>, decoder: &mut Decoder) -> Option<Webhook> {
    let Some(node) = fields.node("url") else {
        return decoder.refuse(Problem::error(fields.at, "`webhook` wants `url`"));
    };
    let url = text_or_secret(node, "url", decoder)?;
    if let Secret::Literal(text) = &url
        && !is_url(text)
    {
        let problem = Problem::error(node.at, format!("`{text}` is not a URL"));
        return decoder.refuse(problem.hint("it begins with `https://` or `http://` and a host name"));
    }
    let format = match fields.text("format") {
        Some("slack") => WebhookFormat::Slack,
        Some("mattermost") => WebhookFormat::Mattermost,
        Some("teams") => WebhookFormat::Teams,
        Some("telegram") => WebhookFormat::Telegram,
        Some("ntfy") => WebhookFormat::Ntfy,
        Some("pagerduty") => WebhookFormat::Pagerduty,
        Some("alertmanager") => WebhookFormat::Alertmanager,
        Some(_) | None => WebhookFormat::Json,
    };
    Some(Webhook {
        url,
        format,
        headers: headers(fields.node("headers"), decoder)?,
        timeout: fields.duration("timeout").unwrap_or(Duration::from_secs(10)),
    })
}

fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
}

fn headers(node: Option<&Node<'_>>, decoder: &mut Decoder) -> Option<Vec<(String, Secret)>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let Some(map) = node.map() else {
        return decoder.refuse(Problem::error(node.at, "`headers` wants names with their texts"));
    };
    let written = map.iter().filter(|entry| !entry.value.is_nothing() && !entry.value.is_cancelled());
    let mut headers = Vec::new();
    for entry in written {
        let (name, value) = (&*entry.key.text, text_or_secret(&entry.value, &entry.key.text, decoder)?);
        let is_sendable = match &value {
            Secret::Literal(text) => http::HeaderValue::from_str(text).is_ok(),
            Secret::File(_) | Secret::Env(_) | Secret::Credential(_) => true,
        };
        if http::HeaderName::try_from(name).is_err() || !is_sendable {
            return decoder
                .refuse(Problem::error(entry.key.at, format!("`{name}` is no HTTP header")).conceal());
        }
        headers.push((name.to_owned(), value));
    }
    Some(headers)
}

/// What may stand here for all to read, and need not.
fn text_or_secret(node: &Node<'_>, key: &str, decoder: &mut Decoder) -> Option<Secret> {
    match node.text() {
        Some(_) => decoder.text(node, key).map(|text| Secret::Literal(text.to_owned())),
        None => decoder.secret(node, key),
    }
}

/// `20 per 10m`, `off`.
fn rate_limit(fields: &Fields<'_>, decoder: &mut Decoder) -> Option<RateLimit> {
    const USUAL: RateLimit = RateLimit { messages: 20, per: Duration::from_secs(600) };
    let Some(node) = fields.node("rate_limit") else { return Some(USUAL) };
    let text = decoder.text(node, "rate_limit")?;
    if crate::config::decode::switch(text) == Some(false) {
        return None;
    }
    let parsed = text.split_once(" per ").and_then(|(messages, per)| {
        let messages = messages.trim().parse().ok().filter(|messages| *messages > 0)?;
        let per = vigia_checks::options::duration(per.trim()).ok().filter(|per| !per.is_zero())?;
        Some(RateLimit { messages, per })
    });
    parsed.or_else(|| {
        let problem = Problem::error(node.at, format!("`rate_limit` cannot be `{text}`"));
        decoder.refuse(problem.hint("write `20 per 10m`, or `off`"))
    })
}

pub(in super::super) fn notification_options(words: &[Item<'_>]) -> NotificationOptions {
    let has = |word: &str| words.iter().any(|item| item.text == word);
    NotificationOptions {
        down: has("down"),
        unreachable: has("unreachable"),
        warning: has("warning"),
        unknown: has("unknown"),
        critical: has("critical"),
        recovery: has("recovery"),
        flapping: has("flapping"),
        downtime: has("downtime"),
    }
}

pub(in super::super) fn texts(pairs: &[(Item<'_>, Item<'_>)]) -> Vec<(Arc<str>, Arc<str>)> {
    let kept = pairs.iter().filter(|(_, text)| text.text != CANCELLED);
    kept.map(|(key, text)| (key.text.into(), text.text.into())).collect()
}

/// Contacts and groups by name, as written.
pub(in super::super) fn audience(
    items: &[Item<'_>],
    people: &People<'_>,
    decoder: &mut Decoder,
) -> (Vec<Name>, Vec<Name>) {
    let (mut contacts, mut groups) = (Vec::new(), Vec::new());
    for item in items {
        match people.find(*item, decoder) {
            Some(Person::Contact(name)) => contacts.push(name),
            Some(Person::Group(name)) => groups.push(name),
            None => {}
        }
    }
    (contacts, groups)
}

/// Contacts and contact groups: one namespace.
#[derive(Debug, Default)]
pub(in super::super) struct People<'t> {
    pub contacts: Names<'t, Name>,
    pub groups: Names<'t, Name>,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Person {
    Contact(Name),
    Group(Name),
}

impl People<'_> {
    pub(in super::super) fn find(&self, item: Item<'_>, decoder: &mut Decoder) -> Option<Person> {
        let known = match (self.contacts.get(item.text), self.groups.get(item.text)) {
            (Some(Known::Good(name)), _) => return Some(Person::Contact(Name::clone(name))),
            (_, Some(Known::Good(name))) => return Some(Person::Group(Name::clone(name))),
            (known, None) | (None, known) => known.is_some(),
            (Some(Known::Quarantined), Some(Known::Quarantined)) => true,
        };
        if known {
            let message = format!("`{}` is in quarantine, so it is not told of this", item.text);
            decoder.push(Problem::warning(item.at, message));
            return None;
        }
        let hint = did_you_mean(item.text, self.contacts.names().chain(self.groups.names()));
        decoder.refuse(
            Problem::error(item.at, format!("there is no contact or contact group `{}`", item.text))
                .maybe_hint(hint),
        )
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.contacts.get(name).is_some() || self.groups.get(name).is_some()
    }

    /// The name that was probably meant.
    pub(super) fn near(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.contacts.names().chain(self.groups.names()))
    }

    /// Contact groups alone.
    pub(in super::super) fn group(&self, item: Item<'_>, decoder: &mut Decoder) -> Option<Name> {
        match self.groups.find(item, "contactgroup", decoder)? {
            Known::Good(name) => Some(Name::clone(name)),
            Known::Quarantined => {
                decoder.push(Problem::warning(
                    item.at,
                    format!("contactgroup `{}` is in quarantine", item.text),
                ));
                None
            }
        }
    }
}

pub(in super::super) fn escalation(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    people: &People<'_>,
    decoder: &mut Decoder,
) -> Option<Escalation> {
    let before = decoder.errors();
    let fields = &object.fields;
    let only = wanted_match(object, decoder);
    let added = fields.added("contacts");
    let items = match added {
        Some(entry) => entry.value.as_list().unwrap_or_default().to_vec(),
        None => fields.list("contacts"),
    };
    if added.is_none() && fields.entry("contacts").is_none() {
        let problem = format!("escalation `{}` names no `contacts`", object.name.text);
        decoder.push(
            Problem::error(object.name.at, problem)
                .hint("`contacts` stand instead of the usual ones, `contacts+` beside them"),
        );
    }
    let (contacts, groups) = audience(&items, people, decoder);
    let narrow = |number: Option<u64>| u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX);
    let (first, last) =
        (narrow(fields.whole("first_notification")), narrow(fields.whole("last_notification")));
    if last != 0 && last < first {
        let problem = format!("`last_notification` {last} comes before `first_notification` {first}");
        decoder.push(Problem::error(fields.place("last_notification"), problem).hint("`0`: no end"));
    }
    let period = period_named(fields.item("period"), periods, decoder);
    (decoder.errors() == before).then(|| Escalation {
        name: object.name.text.into(),
        only: only.unwrap_or_else(Selection::everything),
        first_notification: first,
        last_notification: last,
        notification_interval: fields.duration("notification_interval"),
        period: period.filter(|id| *id != PeriodId::ALWAYS),
        options: notification_options(&fields.list("options")),
        audience: Audience::Named { contacts, groups },
        adds: added.is_some(),
    })
}
