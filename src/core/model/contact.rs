//! Who is told, how, and of what. (`config.md` 5)

use std::sync::Arc;
use std::time::Duration;

use super::id::Name;
use super::period::PeriodId;
use super::policy::NotificationOptions;
use super::secret::Secret;
use super::selector::Selection;

#[derive(Clone, Debug)]
pub struct Contact {
    pub name: Name,
    pub email: Vec<String>,
    pub webhook: Option<Webhook>,
    /// Names of `commands`: Nagios notification commands.
    pub host_command: Option<Name>,
    pub service_command: Option<Name>,
    pub run: Option<Vec<String>>,
    pub options: NotificationOptions,
    pub notification_period: PeriodId,
    /// IANA name; none: the system's.
    pub timezone: Option<String>,
    /// Only about these objects; none: about everything.
    pub only: Option<Selection>,
    /// Beyond it one summary instead of each; none: no limit.
    pub rate_limit: Option<RateLimit>,
    pub custom_variables: Vec<(Arc<str>, Arc<str>)>,
}

#[derive(Clone, Debug)]
pub struct Webhook {
    /// Often it holds a token.
    pub url: Secret,
    pub format: WebhookFormat,
    pub headers: Vec<(String, Secret)>,
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFormat {
    Json,
    Slack,
    Mattermost,
    Teams,
    Telegram,
    Ntfy,
    Pagerduty,
    Alertmanager,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub messages: u32,
    pub per: Duration,
}

/// Also the *team* a ticket is given to.
#[derive(Clone, Debug)]
pub struct ContactGroup {
    pub name: Name,
    pub alias: Arc<str>,
    /// Contacts, groups inside groups already followed, in byte order.
    pub members: Vec<Name>,
}

/// Whom an object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Nobody was named: every contact.
    Everyone,
    /// `contacts` and `contactgroups` as written; empty: nobody.
    Named { contacts: Vec<Name>, groups: Vec<Name> },
}

#[derive(Clone, Debug)]
pub struct Escalation {
    pub name: Name,
    pub only: Selection,
    pub first_notification: u32,
    /// 0: no end.
    pub last_notification: u32,
    pub notification_interval: Option<Duration>,
    pub period: Option<PeriodId>,
    pub options: NotificationOptions,
    pub audience: Audience,
    /// `contacts+`: beside the usual ones instead of in their place.
    pub adds: bool,
}
