//! The keys of a map, declared once: from these rows come reading, the JSON Schema, the reference page, and what
//! `vigia show` calls a default. Options of checks are declared in the crate of checks instead.

/// One key that may stand in a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub holds: Type,
    /// As it would be written; empty: nothing.
    pub default: &'static str,
    /// For people, with what the specification leaves to us.
    pub meaning: &'static str,
    /// Said of a host it does not hold for its services.
    pub is_own: bool,
    /// Where in the chain of hosts and services it may stand.
    pub scope: Scope,
    /// Of a setting: takes effect with the next start only.
    pub needs_restart: bool,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    Switch,
    /// A whole number, both ends included.
    Whole(u64, u64),
    Decimal(f64, f64),
    Percent,
    Duration,
    /// A duration or one of these words.
    DurationOr(&'static [&'static str]),
    /// `y` is allowed as well.
    Retention,
    Size,
    Text,
    /// One of these; `yes`, `true`, `no`, `false` stand for `on` and `off` where those are among them.
    Word(&'static [&'static str]),
    /// A list of these, or `none`.
    Words(&'static [&'static str]),
    /// One name.
    Name,
    /// A list of texts, or one.
    Texts,
    /// A list of names, or one.
    Names,
    /// A map of texts.
    TextMap,
    /// `{file: …}`, `{env: …}`, `{credential: …}`; a text is a warning.
    Secret,
    /// A list of arguments, or a text that is split as a shell would.
    Run,
    /// A text (a name, maybe with `!` arguments) or a list of arguments.
    Handler,
    /// Selectors: one, a list (any), or `all:` with a list (every).
    Selection,
    /// A map with these keys.
    Map(&'static [Key]),
    /// A map with these keys, by names of the writer's choice.
    MapOf(&'static [Key]),
    /// `off`, or a map with these keys.
    OffOr(&'static [Key]),
    /// Whatever its owner reads; in words, for the reference page.
    Special(&'static str),
}

impl Type {
    /// May `key+` and `key-` be said of it?
    pub fn is_list(self) -> bool {
        matches!(self, Self::Words(_) | Self::Texts | Self::Names)
            || matches!(self, Self::Special(what) if what.starts_with("a list"))
    }
}

/// Where a key of hosts and services may stand, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope(pub u8);

impl Scope {
    pub const HOST: Self = Self(1);
    pub const TEMPLATE: Self = Self(2);
    /// `defaults` and host groups.
    pub const SHARED: Self = Self(4);
    pub const SERVICE: Self = Self(8);
    /// Inside a host's `check`.
    pub const CHECK: Self = Self(16);
    pub const ALL: Self = Self(31);
    /// Hosts and the templates they use.
    pub const OF_HOSTS: Self = Self(3);
    /// Services, and through the chain all that may speak of them.
    pub const OF_SERVICES: Self = Self(8 | 4 | 2);

    pub fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

impl Key {
    pub const fn new(name: &'static str, holds: Type, default: &'static str, meaning: &'static str) -> Self {
        Self { name, holds, default, meaning, is_own: false, scope: Scope::ALL, needs_restart: false }
    }

    /// Marked *own* in `config.md` 4.
    #[must_use]
    pub const fn own(mut self) -> Self {
        self.is_own = true;
        self
    }

    /// Addresses, and paths that stay open: a reload names them and leaves them as they are.
    #[must_use]
    pub const fn restart(mut self) -> Self {
        self.needs_restart = true;
        self
    }

    #[must_use]
    pub const fn only(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

/// The place of a name in its table, for tables that are asked by place.
///
/// # Panics
/// While compiling, when the table has no such key.
pub const fn place_of(table: &[Key], name: &str) -> usize {
    let mut at = 0;
    while at < table.len() {
        if is_same(table[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("the table has no such key")
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
