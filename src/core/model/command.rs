//! `commands:` as they are called when something has happened: with the object, the message and the contact of
//! then. A check's own command was put together at load and is not here.

use std::fmt;
use std::time::Duration;

use super::id::Name;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub name: Name,
    pub says: CommandText,
    pub timeout: Duration,
    /// Through `/bin/sh`: then no value from outside may stand in its line.
    pub is_shell: bool,
    pub env: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandText {
    /// A line with Nagios macros.
    Line(String),
    /// A program and its arguments, with `${…}`.
    Words(Vec<String>),
}

/// `$USER1$` and so on. They often hold passwords, so nothing prints them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserMacros(pub Vec<(String, String)>);

impl UserMacros {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for UserMacros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
