//! Which keys each kind of object has: the tables of `config.md` 4 and 5. A row is all there is to declare; reading,
//! schema and reference page follow from it.

use crate::config::keys::Type::{
    Decimal, Duration, DurationOr, Handler, Map, MapOf, Name, Names, OffOr, Percent, Run, Selection, Special,
    Switch, Text, TextMap, Texts, Whole, Word, Words,
};
use crate::config::keys::{Key, Scope};

/// What an object may tell of, and a contact may want to hear.
pub const NOTIFICATIONS: &[&str] =
    &["down", "unreachable", "warning", "unknown", "critical", "recovery", "flapping", "downtime"];

const STATES: &[&str] = &["ok", "warning", "critical", "unknown", "up", "down", "unreachable"];

const MASTER_STATES: &[&str] =
    &["ok", "warning", "critical", "unknown", "up", "down", "unreachable", "pending"];

/// Keys of hosts, templates, host groups, `defaults` and services.
pub const CHECKABLE: &[Key] = &[
    Key::new(
        "address",
        Text,
        "",
        "what its checks connect to, an address or a name; the host's name where nothing is said",
    )
    .only(Scope::OF_HOSTS),
    Key::new(
        "aliases",
        Texts,
        "",
        "the same machine under other addresses and names: identity for discovery",
    )
    .only(Scope::HOST),
    Key::new("alias", Text, "", "for people; the name where nothing is said").only(Scope::OF_HOSTS),
    Key::new("display_name", Text, "", "for people; the name where nothing is said")
        .own()
        .only(Scope(1 | 2 | 8)),
    Key::new("use", Names, "", "templates; of two that say something different the first named wins")
        .only(Scope::OF_HOSTS),
    Key::new("hostgroups", Names, "", "host groups it is in").only(Scope::OF_HOSTS),
    Key::new("parents", Names, "", "hosts through which it is reached").only(Scope::OF_HOSTS),
    Key::new("tags", TextMap, "", "for selectors and `${tags.KEY}`").only(Scope::OF_HOSTS),
    Key::new("asset_value", Whole(0, 5), "", "0 to 5; that of the closest network, else 2")
        .only(Scope::OF_HOSTS),
    Key::new(
        "monitor",
        Word(&["on", "off", "inherit"]),
        "inherit",
        "`off`: kept as an asset, not checked; `inherit`: as the closest network says, else on",
    )
    .only(Scope::OF_HOSTS),
    Key::new("was", Names, "", "former names: state, history and tickets come along")
        .own()
        .only(Scope(1 | 8)),
    Key::new("location", Map(LOCATION), "", "where it stands").only(Scope::OF_HOSTS),
    Key::new("identity", Map(IDENTITY), "", "what discovery knows it by").only(Scope::HOST),
    Key::new("poller", Name, "", "which poller checks it").only(Scope::OF_HOSTS),
    Key::new("check_interval", Duration, "1m", "time between checks; `0`: only on demand"),
    Key::new("retry_interval", Duration, "20s", "time between checks while a problem is soft"),
    Key::new("max_check_attempts", Whole(1, 65_535), "3", "bad results in a row that confirm a problem"),
    Key::new("check_period", Name, "always", "the timeperiod in which it is checked"),
    Key::new("notification_period", Name, "always", "the timeperiod in which messages are sent"),
    Key::new(
        "timeout",
        Duration,
        "",
        "one deadline for the whole check; 10s, for `plugin` and `command` 60s",
    ),
    Key::new("active_checks", Switch, "on", "checked on its schedule"),
    Key::new("passive_checks", Switch, "on", "results from outside are taken"),
    Key::new("process_perfdata", Switch, "on", "performance data are kept and handed on"),
    Key::new("flap_detection", Switch, "on", "changing too often is noticed"),
    Key::new("low_flap_threshold", Percent, "20%", "below it flapping ends"),
    Key::new("high_flap_threshold", Percent, "30%", "at it flapping begins"),
    Key::new(
        "contacts",
        Names,
        "",
        "names of contacts or contact groups; where neither this nor `contactgroups` is said, every contact; `[]`: nobody",
    ),
    Key::new("contactgroups", Names, "", "names of contact groups, in addition to `contacts`"),
    Key::new(
        "notification_interval",
        Duration,
        "30m",
        "time between messages while a problem lasts; `0`: once",
    ),
    Key::new("first_notification_delay", Duration, "0", "how long a problem lasts before the first message"),
    Key::new(
        "notification_options",
        Words(NOTIFICATIONS),
        "all",
        "what messages are sent of; `none`: of nothing",
    ),
    Key::new("event_handler", Handler, "", "what runs on a change of state: one of `commands`, or a list")
        .own(),
    Key::new("event_handler_period", Name, "always", "the timeperiod in which the event handler runs").own(),
    Key::new("check_freshness", Switch, "off", "a passive result that stays away is noticed").own(),
    Key::new("freshness_threshold", DurationOr(&["automatic"]), "automatic", "how old a result may be").own(),
    Key::new("volatile", Switch, "off", "every bad result counts as a new problem")
        .own()
        .only(Scope::SERVICE),
    Key::new("servicegroups", Names, "", "service groups it is in").own().only(Scope::SERVICE),
    Key::new(
        "depends_on",
        Special("a list of `HOST`, `HOST/SERVICE`, `/SERVICE` or maps with `on` and what holds"),
        "",
        "while that has a problem, no messages are sent of this",
    )
    .own()
    .only(Scope(1 | 2 | 4 | 8)),
    Key::new("notes", Text, "", "for people").own(),
    Key::new("notes_url", Text, "", "a page about it").own(),
    Key::new("action_url", Text, "", "a page to act on").own(),
    Key::new("icon_image", Text, "", "the name of a picture").own(),
    Key::new("custom_variables", TextMap, "", "read as `$_HOSTKEY$` and `$_SERVICEKEY$`").own(),
    Key::new(
        "initial_state",
        Word(STATES),
        "",
        "the state before the first result; OK or UP where nothing is said",
    )
    .own(),
    Key::new("stalking_options", Words(STATES), "none", "states whose change of text alone is logged").own(),
    Key::new("flap_detection_options", Words(STATES), "all", "states that count for flapping").own(),
];

pub const LOCATION: &[Key] = &[
    Key::new("latitude", Decimal(-90.0, 90.0), "", "degrees north"),
    Key::new("longitude", Decimal(-180.0, 180.0), "", "degrees east"),
    Key::new("place", Text, "", "in words"),
];

pub const IDENTITY: &[Key] = &[
    Key::new("ssh_host_key", Text, "", "fingerprint of its SSH host key"),
    Key::new("tls_key", Text, "", "fingerprint of its TLS key"),
    Key::new("mac", Text, "", "hardware address"),
];

pub const DEPENDENCY: &[Key] = &[
    Key::new("on", Text, "", "`HOST`, `HOST/SERVICE`, or `/SERVICE` of the same host"),
    Key::new(
        "notification_failure",
        Words(MASTER_STATES),
        "critical unknown down unreachable",
        "states of the other in which no messages are sent of this",
    ),
    Key::new(
        "execution_failure",
        Words(MASTER_STATES),
        "none",
        "states of the other in which this is not checked",
    ),
    Key::new("period", Name, "always", "the timeperiod in which it holds"),
    Key::new("inherits_parent", Switch, "off", "what the other depends on holds as well"),
];

/// What a host group has beside the keys of hosts and services.
pub const HOSTGROUP: &[Key] = &[
    Key::new("members", Selection, "", "selectors of hosts, beside the hosts that name the group"),
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
    Key::new("notes", Text, "", "for people"),
    Key::new("priority", Whole(0, 1_000_000), "0", "of two host groups that disagree the higher one wins"),
];

pub const SERVICEGROUP: &[Key] = &[
    Key::new("members", Selection, "", "selectors `HOST/SERVICE`, beside the services that name the group"),
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
    Key::new("notes", Text, "", "for people"),
];

pub const WEBHOOK: &[Key] = &[
    Key::new(
        "url",
        Special("a URL, or a secret that is one"),
        "",
        "where it is sent; `telegram`, `ntfy` and `pagerduty` find chat, topic and key in it",
    ),
    Key::new(
        "format",
        Word(&["json", "slack", "mattermost", "teams", "telegram", "ntfy", "pagerduty", "alertmanager"]),
        "json",
        "what the body looks like",
    ),
    Key::new("headers", Special("a map: name → a text, or a secret"), "", "HTTP headers"),
    Key::new("timeout", Duration, "10s", "one deadline for the whole exchange"),
];

pub const CONTACT: &[Key] = &[
    Key::new("email", Texts, "", "one address or a list"),
    Key::new("webhook", Map(WEBHOOK), "", "an HTTP request"),
    Key::new(
        "command",
        Special("a name of one of `commands`, or `{host: NAME, service: NAME}`"),
        "",
        "Nagios notification commands",
    ),
    Key::new("run", Run, "", "a program and its arguments; values as `${…}` and in `NAGIOS_*`"),
    Key::new(
        "options",
        Words(NOTIFICATIONS),
        "down warning unknown critical recovery flapping",
        "what it wants to hear; `none`: nothing",
    ),
    Key::new("notification_period", Name, "always", "the timeperiod in which it is told"),
    Key::new("timezone", Text, "", "IANA name; the system's where nothing is said"),
    Key::new("match", Selection, "", "only about these objects; everything where nothing is said"),
    Key::new(
        "rate_limit",
        Special("`20 per 10m` or `off`"),
        "20 per 10m",
        "beyond it one summary instead of each message",
    ),
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
    Key::new("custom_variables", TextMap, "", "read as `$_CONTACTKEY$`"),
];

pub const CONTACTGROUP: &[Key] = &[
    Key::new("members", Names, "", "contacts or contact groups"),
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
];

/// What a timeperiod has beside its days.
pub const TIMEPERIOD: &[Key] = &[
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
    Key::new("timezone", Text, "", "IANA name whose wall clock counts; the system's where nothing is said"),
    Key::new("exclude", Names, "", "timeperiods whose times are left out"),
    Key::new("use", Names, "", "timeperiods whose days count where this one has none of its own"),
];

pub const COMMAND: &[Key] = &[
    Key::new("command_line", Text, "", "a command line with Nagios macros"),
    Key::new("run", Run, "", "a program and its arguments with `${…}`"),
    Key::new("timeout", Duration, "30s", "its deadline; a check has its own"),
    Key::new("shell", Switch, "off", "through /bin/sh; refuses values that come from outside"),
    Key::new("env", TextMap, "", "environment variables"),
];

pub const ESCALATION: &[Key] = &[
    Key::new("match", Selection, "", "which objects"),
    Key::new(
        "contacts",
        Names,
        "",
        "contacts or groups: instead of the usual ones, with `contacts+` beside them",
    ),
    Key::new("first_notification", Whole(1, 4_294_967_295), "1", "the first message it holds for"),
    Key::new("last_notification", Whole(0, 4_294_967_295), "0", "the last one; `0`: no end"),
    Key::new(
        "notification_interval",
        Duration,
        "",
        "the object's; the shortest interval of all that match counts",
    ),
    Key::new("period", Name, "always", "the timeperiod in which it holds"),
    Key::new("options", Words(NOTIFICATIONS), "all", "which messages"),
];

pub const DOWNTIME: &[Key] = &[
    Key::new("match", Selection, "", "which objects; a host stands for itself and its services"),
    Key::new("only", Word(&["hosts", "services"]), "", "narrows `match`"),
    Key::new("every", Text, "", "day and time at which it begins again: `sun 03:00`"),
    Key::new("start", Text, "", "when it begins, once: `2026-12-24 22:00`"),
    Key::new("end", Text, "", "when it ends, once"),
    Key::new("duration", Duration, "", "how long it lasts; with `every` compulsory"),
    Key::new("flexible", Switch, "off", "begins with the problem, inside the window"),
    Key::new("window", Duration, "1h", "flexible with `every`: how long it may still begin"),
    Key::new("timezone", Text, "", "IANA name whose wall clock counts; the system's where nothing is said"),
    Key::new("comment", Text, "", "for people"),
    Key::new("author", Text, "configuration", "who planned it"),
];

const RULE_SOURCES: &[&str] = &["availability", "anomaly", "alarm", "event", "vulnerability"];
const TRI: &[&str] = &["on", "off", "any"];

/// What discovery may find changed (`ossim-alarms-assets.md` 5).
pub const ANOMALIES: &[&str] = &[
    "mac",
    "ip_conflict",
    "os",
    "service_new",
    "service_gone",
    "service_changed",
    "version_changed",
    "key_changed",
    "cert_changed",
    "hostname",
    "host_new",
    "host_gone",
];

pub const WHEN: &[Key] = &[
    Key::new("source", Words(RULE_SOURCES), "availability", "what the rule looks at"),
    Key::new("match", Selection, "", "only these objects; everything where nothing is said"),
    Key::new("states", Words(STATES), "down critical", "in these states"),
    Key::new("hard", Switch, "on", "confirmed problems alone"),
    Key::new(
        "lasting",
        Duration,
        "0",
        "how long all of this has held; for `hard`, since the problem became hard",
    ),
    Key::new("period", Name, "always", "the timeperiod in which it acts"),
    Key::new("severity", Whole(0, 10), "0", "at least so severe"),
    Key::new("in_downtime", Word(TRI), "off", "`on`: only then; `any`: does not matter"),
    Key::new("acknowledged", Word(TRI), "off", "`on`: only then; `any`: does not matter"),
    Key::new("flapping", Word(TRI), "off", "`on`: only then; `any`: does not matter"),
    Key::new("anomaly", Words(ANOMALIES), "", "kinds of anomaly; any where nothing is said"),
    Key::new("text", Text, "", "a regular expression over the output"),
];

pub const TICKET: &[Key] = &[
    Key::new("type", Text, "", "the ticket's type; by its class where nothing is said"),
    Key::new("priority", Whole(1, 10), "", "1 to 10; by state and asset value where nothing is said"),
    Key::new("in_charge", Text, "", "a user, a contact or a team"),
    Key::new("tags", Texts, "", "tags of the ticket"),
    Key::new("documents", Texts, "", "documents linked to it"),
    Key::new("close_on_recovery", DurationOr(&["off"]), "off", "closed when recovery has lasted so long"),
    Key::new("reopen_within", Duration, "24h", "a problem that comes back so soon reopens the same ticket"),
    Key::new("note_every", Duration, "24h", "a problem that goes on adds a note so often"),
];

pub const RULE: &[Key] = &[
    Key::new("when", Map(WHEN), "", "the condition"),
    Key::new("ticket", Map(TICKET), "", "opens a ticket"),
    Key::new("notify", Names, "", "tells contacts or groups"),
    Key::new("webhook", Map(WEBHOOK), "", "sends an HTTP request"),
    Key::new("run", Run, "", "runs a program"),
    Key::new("repeat", DurationOr(&["off"]), "off", "`notify`, `webhook` and `run` again after so long"),
    Key::new("label", Text, "", "a label for the alarm"),
    Key::new("suppress", Switch, "off", "no ticket and no message, still shown"),
    Key::new(
        "priority",
        Whole(0, 1_000_000),
        "0",
        "of two rules that would open one ticket the higher one sets its fields",
    ),
];

pub const NETWORK: &[Key] = &[
    Key::new("cidr", Texts, "", "one range or a list; of two networks the longest prefix decides"),
    Key::new("monitor", Word(&["on", "off", "inherit"]), "inherit", "are its hosts checked"),
    Key::new("asset_value", Whole(0, 5), "2", "of its hosts"),
    Key::new("alias", Text, "", "for people; the name where nothing is said"),
];

pub const DISCOVERY_WHEN: &[Key] = &[
    Key::new("port", Whole(1, 65_535), "", "an open port"),
    Key::new("service", Text, "", "a service that was recognised"),
    Key::new("product", Text, "", "a product that was recognised"),
    Key::new("os", Text, "", "an operating system"),
    Key::new("vendor", Text, "", "a vendor of network cards"),
    Key::new("address", Text, "", "an address or a range of them"),
];

pub const DISCOVERY_RULE: &[Key] = &[
    Key::new("when", Map(DISCOVERY_WHEN), "", "what was found"),
    Key::new("use", Names, "", "templates for the host"),
];

pub const DISCOVERY: &[Key] = &[
    Key::new("targets", Texts, "", "addresses, ranges, `net:NAME`; `!` leaves out"),
    Key::new(
        "scan",
        Special("`ping`, `fast`, `normal`, `full`, or a list of ports"),
        "fast",
        "how deep it looks",
    ),
    Key::new(
        "timing",
        Word(&["paranoid", "sneaky", "polite", "normal", "aggressive", "insane"]),
        "normal",
        "how fast it goes",
    ),
    Key::new("engine", Word(&["builtin", "nmap"]), "builtin", "who looks"),
    Key::new("every", Text, "", "a duration, or day and time; by hand where nothing is said"),
    Key::new("window", Name, "always", "the timeperiod in which it runs"),
    Key::new(
        "mode",
        Word(&["report", "propose", "add", "monitor"]),
        "propose",
        "what becomes of what it finds",
    ),
    Key::new("max_new", Whole(0, 1_000_000), "50", "more new hosts than that become a proposal"),
    Key::new("stale_after", Special("`3 scans`"), "3 scans", "scans missed until a host is stale"),
    Key::new("quiet", Duration, "15m", "no messages about a host this young"),
    Key::new("use", Names, "", "templates for new hosts"),
    Key::new("rules", MapOf(DISCOVERY_RULE), "", "templates by what was found"),
];

/// A rule may be switched off by `tickets: off`.
pub const RULE_OR_OFF: crate::config::keys::Type = OffOr(RULE);

/// Every kind of object with its keys, for schema and reference page.
pub const TABLES: &[(&str, &[Key])] = &[
    ("hosts", CHECKABLE),
    ("hostgroups", HOSTGROUP),
    ("servicegroups", SERVICEGROUP),
    ("contacts", CONTACT),
    ("contactgroups", CONTACTGROUP),
    ("timeperiods", TIMEPERIOD),
    ("commands", COMMAND),
    ("escalations", ESCALATION),
    ("downtimes", DOWNTIME),
    ("rules", RULE),
    ("networks", NETWORK),
    ("discovery", DISCOVERY),
];
