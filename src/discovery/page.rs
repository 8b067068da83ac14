//! The page of YAML that discovery writes: hosts in order of name, evidence as comments, one line a service.
//! (`config.md` 8)
//!
//! A page is read back as blocks of lines, so that what a scan did not see again stays exactly as it stands. A block that
//! somebody reshaped by hand is not understood and therefore never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::propose::{Proposal, Proposed};
use super::suggestion::{list, quoted};

/// One host of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Comments above its keys, without their sign.
    pub evidence: Vec<String>,
    /// Keys in their order, each with what stands behind it.
    keys: Vec<(String, String)>,
    /// By name: the check, and the evidence behind it.
    pub services: BTreeMap<String, (String, String)>,
    /// As it stands, when it is not in the shape that we write.
    foreign: Option<String>,
}

/// All hosts of a page, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub hosts: BTreeMap<String, Block>,
    /// Host groups that were made for them.
    pub groups: BTreeSet<String>,
}

const SERVICE_COLUMN: usize = 48;

impl Block {
    pub fn of(proposal: &Proposal) -> Self {
        let mut block = Self { evidence: proposal.evidence.clone(), ..Self::default() };
        block.set("address", quoted(&proposal.address));
        let aliases = (!proposal.aliases.is_empty()).then(|| list(&proposal.aliases));
        for (key, value) in
            [("aliases", aliases), ("tags", map(&proposal.tags)), ("identity", map(&proposal.identity))]
        {
            if let Some(value) = value {
                block.set(key, value);
            }
        }
        if let Some(check) = &proposal.check {
            block.set("check", check.yaml());
        }
        block.services = proposal.services.iter().map(line_of).collect();
        block
    }

    /// Brings a block up to date with what is known of the machine today. New services are added, those that are there
    /// keep their checks and get today's evidence, what a person may have set (`monitor`, `use`, …) stays, and nothing
    /// goes.
    pub fn update(&mut self, today: &Self) {
        if self.foreign.is_some() {
            return;
        }
        self.evidence.clone_from(&today.evidence);
        for key in ["address", "aliases", "tags", "identity"] {
            // What was not seen this time is still true.
            if let Some(value) = today.key(key) {
                self.set(key, value);
            }
        }
        for (name, line) in &today.services {
            match self.services.get_mut(name) {
                Some(known) => known.1.clone_from(&line.1),
                None => drop(self.services.insert(name.clone(), line.clone())),
            }
        }
    }

    /// Somebody has changed its shape: it is left as it is.
    pub fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    pub fn key(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        match self.keys.iter_mut().find(|(name, _)| name == key) {
            Some((_, known)) => *known = value,
            None => self.keys.push((key.to_owned(), value)),
        }
    }

    /// Takes a key away; what is inherited counts again.
    pub fn clear(&mut self, key: &str) {
        self.keys.retain(|(name, _)| name != key);
    }

    /// The host as it stands in a file, `name:` first, indented by two.
    pub fn yaml(&self, name: &str) -> String {
        let mut text = format!("  {}:\n", quoted(name));
        if let Some(foreign) = &self.foreign {
            text.push_str(foreign);
            return text;
        }
        for line in &self.evidence {
            put(&mut text, format_args!("    # {}\n", comment(line)));
        }
        for (key, value) in &self.keys {
            put(&mut text, format_args!("    {key}: {value}\n"));
        }
        if !self.services.is_empty() {
            text.push_str("    services:\n");
        }
        for (service, (check, evidence)) in &self.services {
            let line = format!("      {}: {check}", quoted(service));
            let evidence = comment(evidence);
            match evidence.is_empty() {
                true => put(&mut text, format_args!("{line}\n")),
                false => put(&mut text, format_args!("{line:<SERVICE_COLUMN$} # {evidence}\n")),
            }
        }
        text
    }

    fn read(lines: &[&str]) -> Self {
        let parsed = Self::parse(lines);
        parsed.unwrap_or_else(|| {
            let foreign = lines.iter().map(|line| format!("{line}\n")).collect();
            Self { foreign: Some(foreign), ..Self::default() }
        })
    }

    /// `None`: these are not lines that we wrote.
    fn parse(lines: &[&str]) -> Option<Self> {
        let mut block = Self::default();
        let mut is_in_services = false;
        for line in lines {
            if let Some(evidence) = line.strip_prefix("    # ") {
                // Ours stand above all keys.
                if !block.keys.is_empty() || is_in_services {
                    return None;
                }
                block.evidence.push(evidence.to_owned());
            } else if *line == "    services:" && !is_in_services {
                is_in_services = true;
            } else if let Some(service) = line.strip_prefix("      ").filter(|_| is_in_services) {
                let (name, check, evidence) = service_of(service)?;
                block.services.insert(name, (check, evidence));
            } else {
                let key = line
                    .strip_prefix("    ")
                    .filter(|rest| !is_in_services && !rest.starts_with([' ', '#']))?;
                let (key, value) = key.split_once(": ")?;
                block.keys.push((key.to_owned(), value.to_owned()));
            }
        }
        Some(block)
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a text takes what is written to it");
}

fn line_of(service: &Proposed) -> (String, (String, String)) {
    let mut evidence = service.evidence.clone();
    if let Some(trouble) = &service.trouble {
        evidence.push_str("; at first ");
        evidence.push_str(trouble);
    }
    (service.name.clone(), (service.check().yaml(), comment(&evidence)))
}

/// `SSH: {ssh: {}}      # 22/tcp ssh` in its three parts.
fn service_of(line: &str) -> Option<(String, String, String)> {
    let (name, rest) = line.split_once(": ")?;
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !is_plain {
        return None;
    }
    let (check, evidence) = rest.split_once(" # ").unwrap_or((rest, ""));
    let check = check.trim_end();
    let is_whole = check.starts_with('{') && check.ends_with('}') && !check.contains('#');
    is_whole.then(|| (name.to_owned(), check.to_owned(), evidence.to_owned()))
}

fn map(pairs: &[(&'static str, String)]) -> Option<String> {
    let inside: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    (!inside.is_empty()).then(|| format!("{{{}}}", inside.join(", ")))
}

/// Text of strangers in a comment: printable ASCII on one line, whatever came.
fn comment(text: &str) -> String {
    super::identify::clean(text.as_bytes(), 300)
}

impl Page {
    /// Reads a page that was written before.
    ///
    /// # Errors
    /// The number of the line that is none of ours.
    pub fn read(text: &str) -> Result<Self, usize> {
        let mut page = Self::default();
        let mut open: Option<(String, Vec<&str>)> = None;
        let (mut is_in_hosts, mut is_in_groups) = (false, false);
        for (at, line) in text.lines().enumerate() {
            let is_ignored = line.trim().is_empty() || line.starts_with('#');
            let indent = line.len() - line.trim_start().len();
            match (is_in_hosts, indent) {
                _ if is_ignored => {}
                (false, 0) if line == "hostgroups:" => is_in_groups = true,
                (false, 2) if is_in_groups => {
                    let group = line.strip_suffix(" {}").and_then(host_of).ok_or(at + 1)?;
                    page.groups.insert(group);
                }
                (false, 0) if line == "hosts:" => is_in_hosts = true,
                (false, 0) if line == "hosts: {}" => {}
                (true, 2) => {
                    page.close(open.take());
                    open = Some((host_of(line).ok_or(at + 1)?, Vec::new()));
                }
                (true, 4..) => open.as_mut().ok_or(at + 1)?.1.push(line),
                _ => return Err(at + 1),
            }
        }
        page.close(open);
        Ok(page)
    }

    fn close(&mut self, open: Option<(String, Vec<&str>)>) {
        if let Some((name, lines)) = open {
            self.hosts.insert(name, Block::read(&lines));
        }
    }

    /// The whole file. `name`: the page's own.
    pub fn yaml(&self, name: &str) -> String {
        let mut text = format!(
            "# Written by vigia net discovery, job {}. Edits are lost; `vigia discover adopt HOST` makes a host yours.\n",
            comment(name)
        );
        if !self.groups.is_empty() {
            text.push_str("hostgroups:\n");
            text.extend(self.groups.iter().map(|group| format!("  {}: {{}}\n", quoted(group))));
        }
        if self.hosts.is_empty() {
            text.push_str("hosts: {}\n");
            return text;
        }
        text.push_str("hosts:\n");
        text.extend(self.hosts.iter().map(|(name, block)| block.yaml(name)));
        text
    }
}

/// `  web1:` or `  "2001:db8::1":`.
fn host_of(line: &str) -> Option<String> {
    let name = line.trim().strip_suffix(':')?;
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inside) if !inside.contains(['"', '\\']) => Some(inside.to_owned()),
        Some(_) => None,
        None if name.contains([' ', '"', '\'', '{', '#']) => None,
        None => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::suggestion::Suggestion;

    fn service(name: &str, check: Suggestion, evidence: &str) -> Proposed {
        Proposed { name: name.into(), checks: vec![check], evidence: evidence.into(), trouble: None }
    }

    fn proposal() -> Proposal {
        Proposal {
            name: "ord1298".into(),
            address: "192.0.2.135".into(),
            aliases: vec!["192.0.2.136".into()],
            tags: vec![
                ("mac", "00:1E:C9:78:C4:FC".into()),
                ("vendor", "Dell".into()),
                ("os", "Linux 2.6.X".into()),
            ],
            identity: vec![("ssh_host_key", "SHA256:abc".into())],
            check: Some(Suggestion::tcp(22)),
            services: vec![
                service("GENERIC_TCP_10000", Suggestion::tcp(10_000), ""),
                service("SSH", Suggestion::new("ssh"), "22/tcp ssh OpenSSH 4.3"),
            ],
            evidence: vec!["answers ping\n# x: {y".into()],
        }
    }

    fn page() -> Page {
        Page { groups: BTreeSet::new(), hosts: [("ord1298".to_owned(), Block::of(&proposal()))].into() }
    }

    const TEXT: &str = "\
# Written by vigia net discovery, job office-lan. Edits are lost; `vigia discover adopt HOST` makes a host yours.
hosts:
  ord1298:
    # answers ping # x: {y
    address: 192.0.2.135
    aliases: [192.0.2.136]
    tags: {mac: \"00:1E:C9:78:C4:FC\", vendor: Dell, os: \"Linux 2.6.X\"}
    identity: {ssh_host_key: \"SHA256:abc\"}
    check: {tcp: 22}
    services:
      GENERIC_TCP_10000: {tcp: 10000}
      SSH: {ssh: {}}                             # 22/tcp ssh OpenSSH 4.3
";

    #[test]
    fn a_page_is_written_as_the_manual_shows_it_and_read_back_the_same() {
        assert_eq!(page().yaml("office-lan"), TEXT);
        let read = Page::read(TEXT).unwrap();
        assert_eq!(read.yaml("office-lan"), TEXT);
        assert!(!read.hosts["ord1298"].is_foreign());
        assert_eq!(Page::read(&Page::default().yaml("x")), Ok(Page::default()));
    }

    #[test]
    fn an_update_adds_and_refreshes_and_takes_nothing_away() {
        let mut page = Page::read(&TEXT.replace("    check:", "    monitor: off\n    check:")).unwrap();
        let block = page.hosts.get_mut("ord1298").unwrap();
        let mut seen = proposal();
        seen.aliases.clear();
        seen.services = vec![
            service("HTTP", Suggestion::new("http"), "80/tcp http"),
            service("SSH", Suggestion::new("ssh").text("software", "x"), "22/tcp ssh OpenSSH 9.2"),
        ];
        block.update(&Block::of(&seen));
        let yaml = page.yaml("x");
        for line in [
            "    aliases: [192.0.2.136]\n",
            "    monitor: off\n",
            "      GENERIC_TCP_10000: {tcp: 10000}\n",
            "      HTTP: {http: {}}                           # 80/tcp http\n",
            "      SSH: {ssh: {}}                             # 22/tcp ssh OpenSSH 9.2\n",
        ] {
            assert!(yaml.contains(line), "{line}\n{yaml}");
        }
    }

    #[test]
    fn a_block_that_somebody_reshaped_is_left_as_it_is() {
        for (ours, theirs) in [
            ("    services:\n", "    services:\n      # mine\n"),
            ("      SSH: {ssh: {}} ", "      SSH:\n        ssh: {}\n      X: {tcp: 1} "),
            ("    check: {tcp: 22}\n", "    check:\n      tcp: 22\n"),
        ] {
            let text = TEXT.replace(ours, theirs);
            assert_ne!(text, TEXT);
            let mut page = Page::read(&text).unwrap();
            let block = page.hosts.get_mut("ord1298").unwrap();
            assert!(block.is_foreign(), "{theirs}");
            block.update(&Block::of(&proposal()));
            assert_eq!(page.yaml("office-lan"), text);
        }
        assert_eq!(Page::read("hosts:\n  a:\n    address: x\ncontacts: {}\n"), Err(4));
        assert_eq!(Page::read("hosts:\n  a: 192.0.2.1\n"), Err(2));
    }
}
