//! Who asks and what surrounds every page: rail, bar with the totals, banners, what was just done.

use std::sync::Arc;

use axum::http::Uri;
use axum::response::{Html, IntoResponse, Response};
use vigia_core::engine::world::World;

use super::Web;
use super::assets;
use super::backend::{By, Urgency};
use super::error::Failure;
use super::view::{Boxes, Eyes};
use super::words;
use crate::desk::Role;

/// Who looks, as found out by [`auth`](super::auth).
#[derive(Clone, Debug, Default)]
pub(crate) struct Viewer {
    /// None: looks without login.
    pub(crate) name: Option<Arc<str>>,
    /// None: may not even look.
    pub(crate) role: Option<Role>,
    /// Of the session, to end it with.
    pub(crate) token: Option<String>,
    pub(crate) is_named_by_proxy: bool,
}

/// Everything a page needs to know of the request it answers.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) web: Web,
    pub(crate) viewer: Viewer,
    /// Path and query as asked.
    pub(crate) path: String,
    /// `light`, `dark` or empty for what the system says.
    pub(crate) theme: &'static str,
    pub(crate) said: Option<Said>,
    /// The browser speaks HTTPS, to us or to a proxy on this machine.
    pub(crate) is_secure: bool,
    /// Address or user name of the peer, for the audit.
    pub(crate) from: String,
    pub(crate) eyes: Eyes,
    pub(crate) world: Arc<World>,
}

/// What an act just did, told on the next page; with the form that undoes it where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) undo: Option<Undo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

pub(crate) struct Banner {
    pub(crate) tone: &'static str,
    pub(crate) text: String,
    pub(crate) href: &'static str,
    pub(crate) link: &'static str,
}

pub(crate) struct RailGroup {
    pub(crate) name: &'static str,
    pub(crate) entries: &'static [RailEntry],
}

pub(crate) struct RailEntry {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) href: &'static str,
}

const fn entry(key: &'static str, name: &'static str, href: &'static str) -> RailEntry {
    RailEntry { key, name, href }
}

const RAIL: &[RailGroup] = &[
    RailGroup {
        name: "Now",
        entries: &[entry("overview", "Overview", "/"), entry("problems", "Problems", "/problems")],
    },
    RailGroup {
        name: "Incidents",
        entries: &[
            entry("alarms", "Alarms", "/alarms"),
            entry("tickets", "Tickets", "/tickets"),
            entry("documents", "Knowledge", "/documents"),
            entry("notifications", "Notifications", "/notifications"),
        ],
    },
    RailGroup {
        name: "Planned",
        entries: &[entry("downtimes", "Downtime", "/downtimes"), entry("comments", "Comments", "/comments")],
    },
    RailGroup {
        name: "Availability",
        entries: &[entry("services", "Services", "/services"), entry("hosts", "Hosts", "/hosts")],
    },
    RailGroup {
        name: "Assets",
        entries: &[
            entry("assets", "Assets", "/assets"),
            entry("networks", "Networks", "/networks"),
            entry("discovery", "Discovery", "/discovery"),
            entry("anomalies", "Anomalies", "/anomalies"),
        ],
    },
    RailGroup {
        name: "System",
        entries: &[entry("config", "Configuration", "/config"), entry("process", "Process", "/process")],
    },
];

pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) section: &'static str,
    pub(crate) theme: &'static str,
    pub(crate) boxes: Boxes,
    pub(crate) banners: Vec<Banner>,
    pub(crate) said: Option<Said>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) role: &'static str,
    pub(crate) has_session: bool,
    pub(crate) may_look: bool,
    pub(crate) may_act: bool,
    /// Path and query of this page, to come back to.
    pub(crate) path: String,
    /// Address of the event stream for this page; empty for who may not look.
    pub(crate) events: String,
    pub(crate) searched: String,
    pub(crate) now: i64,
    pub(crate) clock: String,
    pub(crate) clock_short: String,
    pub(crate) version: &'static str,
}

impl Frame {
    pub(crate) fn rail(&self) -> &'static [RailGroup] {
        RAIL
    }

    pub(crate) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub(crate) fn icon(&self) -> String {
        assets::address(&format!("icon-{}.svg", self.boxes.worst))
    }

    pub(crate) fn initial(&self) -> String {
        self.user.iter().flat_map(|name| name.chars()).take(1).collect()
    }

    pub(crate) fn next_theme(&self) -> &'static str {
        match self.theme {
            "light" => "dark",
            "dark" => "auto",
            _ => "light",
        }
    }

    pub(crate) fn theme_word(&self) -> &'static str {
        if self.theme.is_empty() { "as the system" } else { self.theme }
    }

    pub(crate) fn next_theme_word(&self) -> &'static str {
        if self.theme == "dark" { "as the system" } else { self.next_theme() }
    }
}

impl Frame {
    /// A count as people read it.
    pub(crate) fn told(&self, number: &u32) -> String {
        words::count(*number as usize)
    }
}

impl Seen {
    /// Whether who asks has this role or a greater one; none asks for nothing.
    pub(crate) fn may(&self, needs: impl Into<Option<Role>>) -> bool {
        self.viewer.role >= needs.into()
    }

    /// Who an order is from.
    pub(crate) fn author(&self) -> Arc<str> {
        self.viewer.name.clone().unwrap_or_else(|| "anonymous".into())
    }

    pub(crate) fn by(&self) -> By {
        let role = self.viewer.role.unwrap_or(Role::Viewer);
        By { name: self.author(), role, from: self.from.clone() }
    }

    /// A frame whose totals are kept up to date; what it surrounds stands still.
    pub(crate) fn frame(&self, title: impl Into<String>, section: &'static str) -> Frame {
        let may_look = self.may(Role::Viewer);
        let events = if may_look { self.events("frame") } else { String::new() };
        Frame {
            title: title.into(),
            section,
            theme: self.theme,
            boxes: Boxes::of(&if may_look { self.world.totals } else { Default::default() }),
            banners: if may_look { banners(self) } else { Vec::new() },
            said: self.said.clone(),
            user: self.viewer.name.clone(),
            role: self.viewer.role.map_or("", Role::word),
            has_session: self.viewer.token.is_some(),
            may_look,
            may_act: self.may(Role::Operator),
            path: self.path.clone(),
            events,
            searched: String::new(),
            now: self.eyes.now.as_second(),
            clock: words::full_stamp(self.eyes.now, &self.eyes.zone),
            clock_short: words::stamp(self.eyes.now, &self.eyes.zone)
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn events(&self, view: &str) -> String {
        format!("/api/v1/events?view={view}&since={}", self.web.live.event_id(&self.world))
    }

    /// A frame whose rows are kept up to date from the event stream.
    pub(crate) fn live_frame(
        &self,
        title: impl Into<String>,
        section: &'static str,
        view: &str,
        query: &str,
    ) -> Frame {
        let mut events = self.events(view);
        if !query.is_empty() {
            events.push('&');
            events.push_str(query);
        }
        Frame { events, ..self.frame(title, section) }
    }
}

/// Only what the administrator must know.
fn banners(seen: &Seen) -> Vec<Banner> {
    let health = seen.web.backend.health();
    let alerts = seen.web.backend.alerts();
    let mut banners = Vec::new();
    let mut add = |tone, text, href, link| banners.push(Banner { tone, text, href, link });
    if let Some(trouble) = alerts.store {
        add(
            "critical",
            format!("The store cannot write: {trouble}. What happens now may be lost."),
            "/process",
            "Process",
        );
    }
    if let Some(first) = alerts.dead_channels.first() {
        let more = alerts.dead_channels.len() - 1;
        let text = if more == 0 {
            format!("Messages wait: a channel does not work. {first}")
        } else {
            format!("Messages wait: {} channels do not work. {first}", more + 1)
        };
        add("critical", text, "/notifications?status=waiting", "Notifications");
    }
    if let Some(refused) = &health.refused {
        add(
            "critical",
            format!("The configuration was refused; the last good one goes on. {refused}"),
            "/config",
            "See what to fix",
        );
    }
    let out = health.quarantine.len();
    if out == 0
        && health.refused.is_none()
        && let Some(first) = health.problems.iter().find(|problem| problem.is_error)
    {
        let text = format!(
            "The configuration has a mistake; what it is about goes on as it was. {}:{}: {}",
            first.file, first.line, first.message
        );
        add("critical", text, "/config", "See what to fix");
    }
    if out > 0 && health.refused.is_none() {
        let text = match health.quarantine.first() {
            Some(one) if out == 1 => format!("{} has a mistake: {}", one.object, one.message),
            Some(_) | None => format!("{out} objects have a mistake in the configuration."),
        };
        add("warning", text, "/config", "See what to fix");
    }
    if !alerts.overloaded.is_empty() {
        let (kinds, late) = (alerts.overloaded.join(", "), words::span(alerts.behind));
        add("warning", format!("Checks start late, by {late}: {kinds}."), "/process", "Why");
    }
    for notice in health.notices.iter().filter(|notice| notice.urgency == Urgency::Banner) {
        add("warning", notice.text.clone(), "/process", "Process");
    }
    banners
}

/// A template as a page.
pub(crate) struct Page<T>(pub T);

impl<T: askama::Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => Failure::Broken(error.to_string()).into_response(),
        }
    }
}

/// A place of ours to go back to, or the overview: never another site, never a scheme.
pub(crate) fn safe_back(back: &str) -> String {
    let is_ours = back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains(['\\', '\r', '\n', '\0'])
        && back.parse::<Uri>().is_ok_and(|uri| uri.host().is_none());
    if is_ours { back.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_never_leaves_the_house() {
        for bad in [
            "//evil.test/",
            "https://evil.test/",
            "/\\evil.test",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "",
        ] {
            assert_eq!(safe_back(bad), "/", "{bad:?}");
        }
        assert_eq!(safe_back("/services?state=critical"), "/services?state=critical");
    }
}
