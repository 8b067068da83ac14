//! A way to name several objects: `web*`, `group:linux`, `tag:env=prod`, `!db9`. (`config.md` 9)

use std::fmt;

use super::grammar::{Malformed, check_name};
use super::id::Name;
use super::range::{Piece, RangedName, Span};

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
    /// As written.
    pub text: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// `?`
    One,
    /// `*`
    Any,
    OneOf(Vec<Span>),
}

impl Glob {
    /// # Errors
    /// When its brackets hold no range.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        for piece in RangedName::parse(text)?.pieces {
            match piece {
                Piece::OneOf(spans) => parts.push(Part::OneOf(spans)),
                Piece::Text(text) => push_wildcards(&mut parts, &text),
            }
        }
        Ok(Self { text: text.into(), parts: parts.into() })
    }

    /// The one name it stands for, if it has no wildcards.
    pub fn literal(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub fn matches(&self, name: &str) -> bool {
        match &*self.parts {
            [] => name.is_empty(),
            [Part::Any] => true,
            [Part::Text(text)] => **text == *name,
            [Part::Text(head), Part::Any] => name.starts_with(&**head),
            [Part::Any, Part::Text(tail)] => name.ends_with(&**tail),
            parts => walk(parts, name),
        }
    }
}

/// All places a match may have come to, part by part: no pattern takes more than its length times the name's.
fn walk(parts: &[Part], name: &str) -> bool {
    let mut places = vec![0];
    for part in parts {
        let mut next: Vec<usize> = places.iter().flat_map(|&at| step(part, name, at)).collect();
        next.sort_unstable();
        next.dedup();
        if matches!(part, Part::Any) {
            let first = next.first().copied().unwrap_or(name.len());
            next = (first..=name.len()).filter(|&at| name.is_char_boundary(at)).collect();
        }
        places = next;
    }
    places.contains(&name.len())
}

/// Where a match of `part` that begins at `at` may end.
fn step(part: &Part, name: &str, at: usize) -> Vec<usize> {
    let Some(rest) = name.get(at..) else { return Vec::new() };
    match part {
        Part::Text(text) if rest.starts_with(&**text) => vec![at + text.len()],
        Part::Text(_) => Vec::new(),
        Part::One => rest.chars().next().map(|c| at + c.len_utf8()).into_iter().collect(),
        Part::Any => vec![at],
        Part::OneOf(spans) => spans.iter().flat_map(|span| span.prefixes(rest)).map(|len| at + len).collect(),
    }
}

fn push_wildcards(parts: &mut Vec<Part>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['*', '?']) {
        let (head, tail) = rest.split_at(at);
        if !head.is_empty() {
            parts.push(Part::Text(head.into()));
        }
        let is_any = tail.starts_with('*');
        match (is_any, parts.last()) {
            (true, Some(Part::Any)) => {}
            (true, _) => parts.push(Part::Any),
            (false, _) => parts.push(Part::One),
        }
        rest = tail.get(1..).unwrap_or("");
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
}

impl Selector {
    /// Reads one selector: `web*`, `group:linux`, `tag:env=prod`, `net:192.0.2.0/24`, `web*/HTTP`, `!db9`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (negated, body) = match text.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, text),
        };
        Ok(Self { negated, target: Target::parse(body)? })
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::new("a selector may not be empty").hint("`*` selects everything"));
        }
        if text.trim() != text {
            return Err(Malformed::new("a selector may not begin or end with a blank"));
        }
        match text.split_once(':') {
            Some(("group", name)) => named(name).map(Self::Group),
            Some(("servicegroup", name)) => named(name).map(Self::ServiceGroup),
            Some(("net", net)) => Net::parse(net).map(Self::Net),
            Some(("tag", tag)) => tag_target(tag),
            Some(_) | None => object_target(text),
        }
    }
}

/// What to say of a selector that found nothing because its beginning is no prefix: `hostgroup:linux`, `grp:x`. A name may
/// hold a `:`, so this is a hint and no error.
pub fn hint_of_prefix(text: &str) -> Option<String> {
    const PREFIXES: [&str; 4] = ["group", "servicegroup", "tag", "net"];
    let (prefix, name) = text.trim_start_matches('!').split_once(':')?;
    let is_word = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_word || PREFIXES.contains(&prefix) {
        return None;
    }
    let meant = match prefix {
        "hostgroup" | "hostgroups" | "groups" | "grp" | "hg" => format!("; did you mean `group:{name}`?"),
        "servicegroups" | "sg" => format!("; did you mean `servicegroup:{name}`?"),
        "tags" => format!("; did you mean `tag:{name}`?"),
        _ => String::new(),
    };
    Some(format!(
        "`{prefix}:` is no prefix of a selector; those are `group:` `servicegroup:` `tag:` `net:`{meant}"
    ))
}

fn named(name: &str) -> Result<Name, Malformed> {
    check_name(name).map(|()| name.into())
}

fn tag_target(tag: &str) -> Result<Target, Malformed> {
    let (key, value) = match tag.split_once('=') {
        Some((key, value)) => (key, Some(Glob::parse(value)?)),
        None => (tag, None),
    };
    if key.is_empty() {
        return Err(Malformed::new("`tag:` wants a key").hint("write `tag:env` or `tag:env=prod`"));
    }
    Ok(Target::Tag { key: key.into(), value })
}

fn object_target(text: &str) -> Result<Target, Malformed> {
    match text.split_once('/') {
        None => Ok(Target::Hosts(Glob::parse(text)?)),
        Some((host, service)) if !host.is_empty() && !service.is_empty() => {
            Ok(Target::Services { host: Glob::parse(host)?, service: Glob::parse(service)? })
        }
        Some(_) => Err(Malformed::new(format!("`{text}` names no service"))
            .hint("services are `HOST/SERVICE`, on any host `*/SERVICE`")),
    }
}

impl Net {
    fn parse(text: &str) -> Result<Self, Malformed> {
        if let Ok(net) = text.parse::<ipnet::IpNet>() {
            return Ok(Self::Cidr(net.trunc()));
        }
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Ok(Self::Cidr(address.into()));
        }
        if text.contains('/') {
            return Err(
                Malformed::new(format!("`{text}` is not a network")).hint("write it as `192.0.2.0/24`")
            );
        }
        named(text).map(Self::Named)
    }
}

impl Selection {
    pub fn everything() -> Self {
        Self { items: Vec::new(), every: false }
    }

    /// Any of the texts, less those with `!`; with `every`, all of them.
    ///
    /// # Errors
    /// The first that is not a selector.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>, every: bool) -> Result<Self, Malformed> {
        let items = texts.into_iter().map(Selector::parse).collect::<Result<_, _>>()?;
        Ok(Self { items, every })
    }

    /// Puts the answers for its items together: `is_hit` says whether an item's target holds, `!` aside.
    pub fn holds(&self, mut is_hit: impl FnMut(&Target) -> bool) -> bool {
        if self.every {
            return self.items.iter().all(|item| is_hit(&item.target) != item.negated);
        }
        let mut has_positive = false;
        let mut is_in = false;
        for item in &self.items {
            if item.negated {
                if is_hit(&item.target) {
                    return false;
                }
            } else {
                has_positive = true;
                is_in = is_in || is_hit(&item.target);
            }
        }
        is_in || !has_positive
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("!")?;
        }
        match &self.target {
            Target::Group(name) => write!(f, "group:{name}"),
            Target::ServiceGroup(name) => write!(f, "servicegroup:{name}"),
            Target::Tag { key, value: None } => write!(f, "tag:{key}"),
            Target::Tag { key, value: Some(value) } => write!(f, "tag:{key}={}", value.text),
            Target::Net(Net::Named(name)) => write!(f, "net:{name}"),
            Target::Net(Net::Cidr(net)) => write!(f, "net:{net}"),
            Target::Hosts(host) => f.write_str(&host.text),
            Target::Services { host, service } => write!(f, "{}/{}", host.text, service.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn globs_match_text_wildcards_and_ranges() {
        for (pattern, name) in [
            ("web1", "web1"),
            ("*", ""),
            ("web*", "web12"),
            ("*db", "mydb"),
            ("a*b*c", "axbxbxc"),
            ("w?b", "wéb"),
            ("web[1-12]", "web7"),
            ("web[1-12]", "web12"),
            ("web[01-12]", "web07"),
            ("web[1-3]*", "web1-x"),
            ("web[1-12]a", "web1a"),
            ("[1-2][1-2]", "12"),
            ("*[8-10]", "a10"),
            ("r[a-c]?", "rbz"),
        ] {
            assert!(hits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("web1", "web12"),
            ("web*", "we"),
            ("Web*", "web"),
            ("w?b", "wb"),
            ("web[1-12]", "web13"),
            ("web[1-12]", "web07"),
            ("web[01-12]", "web7"),
            ("web[1-3]", "web"),
            ("a*b*c", "axcxb"),
            ("", "a"),
        ] {
            assert!(!hits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_stays_cheap() {
        assert!(!hits(&"*a".repeat(60), &"a".repeat(59)));
    }

    #[test]
    fn selectors_read_back_as_written() {
        for text in [
            "web*",
            "!db9",
            "group:linux",
            "tag:env",
            "tag:env=pr*",
            "net:office",
            "net:192.0.2.0/24",
            "*/MYSQL",
            "web*/Disk /var",
            "servicegroup:databases",
            "!web[1-4]/*",
        ] {
            assert_eq!(Selector::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Selector::parse("net:192.0.2.7/24").unwrap().to_string(), "net:192.0.2.0/24");
        for bad in ["", "!", "group:", "web/", "/HTTP", "web[4-1]", "tag:=x", "net:192.0.2.0/33", " web"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_is_any_of_its_positives_less_every_negative() {
        let selection = |texts: &[&str], every| Selection::parse(texts.iter().copied(), every).unwrap();
        let has = |selection: &Selection, name: &str| {
            selection.holds(|target| matches!(target, Target::Hosts(glob) if glob.matches(name)))
        };
        let any = selection(&["web*", "db1", "!web9"], false);
        assert!(has(&any, "web1") && has(&any, "db1") && !has(&any, "web9") && !has(&any, "x"));
        let all_but = selection(&["!db9"], false);
        assert!(has(&all_but, "x") && !has(&all_but, "db9"));
        let every = selection(&["web*", "!*9"], true);
        assert!(has(&every, "web1") && !has(&every, "web9") && !has(&every, "db1"));
        assert!(has(&Selection::everything(), "x"));
    }
}
