//! A way to name several objects: `web*`, `group:linux`, `tag:env=prod`, `!db9`. (`config.md` 9)

use super::id::Name;

/// A list of selectors as written: any of the positive ones, less every `!` one; or every one of `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub items: Vec<Selector>,
    /// `all: […]`: in every item.
    pub every: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub negated: bool,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Group(Name),
    Tag {
        key: Name,
        value: Option<Glob>,
    },
    Net(Net),
    ServiceGroup(Name),
    /// `web*`: hosts, and where objects are meant all their services.
    Hosts(Glob),
    /// `web*/HTTP`: services alone.
    Services {
        host: Glob,
        service: Glob,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Net {
    Named(Name),
    Cidr(ipnet::IpNet),
}

/// A name with `*` (any text), `?` (one character), `[1-12]` (a range, not a set of characters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pub text: Box<str>,
}

impl Selection {
    pub fn everything() -> Self {
        Self { items: Vec::new(), every: false }
    }
}
