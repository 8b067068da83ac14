//! What the configuration says of how messages leave. The app hands it over, again with every reload.

use std::time::Duration;

use vigia_checks::options::{Secret, SecretSource};

use crate::wording::Wording;

#[derive(Clone, Debug)]
pub struct Settings {
    pub mail: Mail,
    pub wording: Wording,
    /// How people reach the pages; without it messages hold no links.
    pub url: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// An address.
    pub from: String,
    /// For one mail, from the connection to the last answer.
    pub timeout: Duration,
    /// A program and its arguments instead of a server; empty: none.
    pub sendmail: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Off,
    /// Refused where the server does not offer it.
    StartTls,
    /// From the first byte.
    Tls,
}

/// What `smtp.from` is where nobody says: `vigia@` and the machine's full name.
pub fn usual_from() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let is_name = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    };
    format!("vigia@{}", name.filter(is_name).unwrap_or_else(|| "localhost".to_owned()))
}

/// What is needed to send beside the settings.
#[derive(Clone)]
pub struct Tools {
    pub shared: vigia_checks::Shared,
    pub secrets: SecretSource,
    pub processes: crate::os::process::Processes,
}
