//! The object that a text is filled for: what `${…}` and the macros of the configuration stand for.

use std::fmt;
use std::sync::Arc;

/// A host, or a service on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub host: &'a str,
    pub address: &'a str,
    pub alias: &'a str,
    pub index: Option<&'a str>,
    pub tags: &'a [(Arc<str>, Arc<str>)],
    pub service: Option<&'a str>,
    pub host_variables: &'a [(Arc<str>, Arc<str>)],
    pub service_variables: &'a [(Arc<str>, Arc<str>)],
}

impl Subject<'_> {
    /// What stands for `${name}`.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let text = match name {
            "host.name" => self.host,
            "host.address" => self.address,
            "host.alias" => self.alias,
            "host.index" => self.index?,
            "service.name" => self.service?,
            _ => {
                let key = name.strip_prefix("tags.")?;
                return self.tags.iter().find(|(known, _)| **known == *key).map(|(_, text)| text.to_string());
            }
        };
        Some(text.to_owned())
    }

    pub(super) fn tag_names(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|(key, _)| &**key)
    }

    /// What stands for `$NAME$`, where the configuration knows it.
    pub(super) fn macro_value(&self, name: &str) -> Option<String> {
        let text = match name {
            "HOSTNAME" => self.host,
            "HOSTDISPLAYNAME" | "HOSTALIAS" => self.alias,
            "HOSTADDRESS" => self.address,
            "SERVICEDESC" | "SERVICEDISPLAYNAME" => self.service?,
            _ => return self.variable(name),
        };
        Some(text.to_owned())
    }

    /// `_HOSTKEY`, `_SERVICEKEY`; Nagios writes the key in capitals.
    fn variable(&self, name: &str) -> Option<String> {
        let (key, variables) = match name.strip_prefix("_HOST") {
            Some(key) => (key, self.host_variables),
            None => (name.strip_prefix("_SERVICE")?, self.service_variables),
        };
        let is_it = |known: &str| known.trim_start_matches('_').eq_ignore_ascii_case(key);
        variables.iter().find(|(known, _)| is_it(known)).map(|(_, text)| text.to_string())
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service {
            Some(service) => write!(f, "{}/{service}", self.host),
            None => f.write_str(self.host),
        }
    }
}
