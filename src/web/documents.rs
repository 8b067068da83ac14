//! Documents in the words of addresses and forms, one way for pages and the API, and what a document may be about.

use vigia_core::engine::world::World;
use vigia_core::model::asset::Network;
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use super::backend::{Ticket, Trouble};
use super::frame::Seen;
use super::orders::{FieldError, clean, maybe_text, title, wrong};
use super::words;
use crate::desk::DocumentTrouble;
use crate::store::documents::{Draft, Link, LinkKind};

/// A document is longer than a note.
const TEXT_LIMIT: usize = 256 * 1024;
const MOST_LINKS: usize = 200;

impl From<DocumentTrouble> for Trouble {
    fn from(error: DocumentTrouble) -> Self {
        match error {
            DocumentTrouble::Missing(_) | DocumentTrouble::NoVersion { .. } => {
                Self::Missing(error.to_string())
            }
            DocumentTrouble::Changed { .. } => Self::Changed(error.to_string()),
            DocumentTrouble::Store(error) => error.into(),
        }
    }
}

/// What a form or a program says of a document.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    pub(crate) keywords: &'a str,
    pub(crate) links: Vec<&'a str>,
    /// A day or a time; empty: never.
    pub(crate) review: &'a str,
}

pub(crate) fn draft(seen: &Seen, said: Said<'_>) -> Result<Draft, FieldError> {
    if said.text.len() > TEXT_LIMIT {
        return wrong("text", "too long: at most 256 KiB");
    }
    if said.text.trim().is_empty() {
        return wrong("text", "say something here");
    }
    let keywords = maybe_text("keywords", said.keywords)?;
    if keywords.len() > 1024 || keywords.contains('\n') {
        return wrong("keywords", "one line of at most 1024 bytes");
    }
    let mut links = Vec::new();
    for text in said.links.into_iter().map(str::trim).filter(|text| !text.is_empty()) {
        links.push(link(text)?);
    }
    links.sort();
    links.dedup();
    if links.len() > MOST_LINKS {
        return wrong("links", format!("at most {MOST_LINKS}"));
    }
    Ok(Draft {
        title: title(said.title)?,
        text: clean(said.text).into(),
        keywords,
        links,
        review: review(seen, said.review)?,
    })
}

/// `host:web01`; a ticket as it is always written.
pub(crate) fn link(text: &str) -> Result<Link, FieldError> {
    let kinds = LinkKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    let Some(link) = Link::parse(&clean(text)) else {
        return wrong(
            "links",
            format!("`{text}` is none: write `host:web01`; before the colon one of {kinds}"),
        );
    };
    if link.name.len() > 512 {
        return wrong("links", "a name is at most 512 bytes");
    }
    if link.kind != LinkKind::Ticket {
        return Ok(link);
    }
    match Reference::parse(&link.name) {
        Some(reference) => Ok(Link::new(LinkKind::Ticket, reference.to_string())),
        None => wrong("links", format!("`{}` is no ticket: write it as `ticket:AVA01`", link.name)),
    }
}

fn review(seen: &Seen, said: &str) -> Result<Option<Timestamp>, FieldError> {
    let said = said.trim();
    if said.is_empty() {
        return Ok(None);
    }
    // A day alone, as a field for dates sends it.
    let whole = if said.len() == 10 && said.as_bytes().get(4) == Some(&b'-') {
        format!("{said} 09:00")
    } else {
        said.to_owned()
    };
    match words::parse_instant(&whole, &seen.eyes.zone, seen.eyes.now) {
        Some(at) => Ok(Some(at)),
        None => wrong("review", "a day such as `2026-12-24`, or `30d`"),
    }
}

/// All that a document may be about so that it says something of this object.
pub(crate) fn of_object(world: &World, key: &ObjectKey) -> Vec<Link> {
    let mut links = vec![Link::new(LinkKind::Host, key.host.clone())];
    if let Some(service) = &key.service {
        links.push(Link::new(LinkKind::Service, service.clone()));
        links.push(Link::new(LinkKind::Service, key.to_string()));
    }
    let inventory = &world.inventory;
    let Some(object) = inventory.find(key) else { return links };
    let host = inventory.host(inventory.host_of(object));
    let mut groups = host.hostgroups.clone();
    let kind = match object {
        Checkable::Host(_) => host.check.kind,
        Checkable::Service(id) => {
            groups.extend(inventory.service(id).servicegroups.iter().cloned());
            inventory.service(id).check.kind
        }
    };
    links.push(Link::new(LinkKind::Check, kind));
    links.extend(groups.into_iter().map(|group| Link::new(LinkKind::Group, group)));
    links.extend(networks(&host.address, &inventory.networks));
    links
}

/// Those that an address lies in, wide ones too.
fn networks(address: &str, networks: &[Network]) -> Vec<Link> {
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return Vec::new() };
    let around = networks.iter().filter(|network| network.cidr.iter().any(|net| net.contains(&address)));
    around.map(|network| Link::new(LinkKind::Network, network.name.clone())).collect()
}

/// The same of a ticket: itself, its type, its rule, and what it is about.
pub(crate) fn of_ticket(world: &World, ticket: &Ticket) -> Vec<Link> {
    let head = &ticket.head;
    let mut links = vec![
        Link::new(LinkKind::Ticket, head.reference().to_string()),
        Link::new(LinkKind::Type, ticket.r#type.clone()),
    ];
    links.extend(head.rule.iter().map(|rule| Link::new(LinkKind::Rule, rule.clone())));
    links.extend(head.subject.iter().flat_map(|key| of_object(world, key)));
    links
}
