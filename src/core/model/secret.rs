//! A secret as the configuration names it. Whoever needs it fetches it at that moment; nothing here can.

use std::fmt;

/// Where a secret is to be had; the secret itself is never kept here, unless somebody wrote it down.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Secret {
    Literal(String),
    File(String),
    Env(String),
    Credential(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("***"),
            Self::File(path) => write!(f, "{{file: {path}}}"),
            Self::Env(name) => write!(f, "{{env: {name}}}"),
            Self::Credential(name) => write!(f, "{{credential: {name}}}"),
        }
    }
}
