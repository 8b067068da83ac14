//! Every setting of the daemon, declared once: reading, JSON Schema and reference page follow from here.

use crate::config::keys::{Key, Type};

pub(super) const ROLES: &[&str] = &["viewer", "operator", "editor", "admin"];

/// The sections, as top-level keys of any file; each may stand once in all files.
pub const SECTIONS: &[Key] = &[
    Key::new("web", Type::Map(WEB), "", "The page, the API and the way in"),
    Key::new("metrics", Type::Map(METRICS), "", "For Prometheus"),
    Key::new("store", Type::Map(STORE), "", "Where state and history are kept, and for how long"),
    Key::new("smtp", Type::Map(SMTP), "", "How mail leaves"),
    Key::new("messages", Type::Map(MESSAGES), "", "What messages say"),
    Key::new(
        "event_handlers",
        Type::Map(EVENT_HANDLERS),
        "",
        "What runs on a change of state of whatever host or service",
    ),
    Key::new("concurrency", Type::Map(CONCURRENCY), "", "How many checks run beside each other"),
    Key::new(
        "plugin_path",
        Type::Texts,
        "",
        "Folders in which the first word of `plugin:` is looked for, in this order; without it, those of the distributions",
    ),
    Key::new(
        "user_macros",
        Type::Special("a map: `USER1` and so on → a text, or a secret"),
        "",
        "What `$USERn$` stands for in command lines; `USER1` is the first folder of `plugin_path` unless said otherwise",
    ),
    Key::new("tickets", Type::Map(TICKETS), "", "Tickets"),
    Key::new("nagios", Type::Map(NAGIOS), "", "For what still reads or writes the files of Nagios"),
    Key::new("pollers", Type::Map(POLLERS), "", "Checks that run on other machines (OSSIM's sensors)"),
    Key::new("log", Type::Map(LOG), "", "The daemon's own log"),
    Key::new("backup", Type::Map(BACKUP), "", "Backups of the state and the configuration"),
    Key::new("self_monitoring", Type::Map(SELF_MONITORING), "", "vigia watches itself"),
    Key::new("limits", Type::Map(LIMITS), "", "What a load or a scan may hold"),
];

pub(super) const WEB: &[Key] = &[
    Key::new(
        "listen",
        Type::Special("one or a list of `ADDRESS:PORT`, or `off`"),
        "127.0.0.1:8642",
        "Where the page is served; `--listen` replaces it. Port 0 takes a free one; the log and `vigia status` say which",
    ).restart(),
    Key::new("url", Type::Text, "", "How people reach it: for links in messages, and as a host name that is let in").restart(),
    Key::new(
        "tls",
        Type::OffOr(WEB_TLS),
        "off",
        "The page over HTTPS (TLS 1.2 and newer, HTTP/2): a certificate and its key, read again when they change",
    )
    .restart(),
    Key::new("auth", Type::Map(AUTH), "", "Who gets in"),
    Key::new(
        "public_status",
        Type::Special("`off`, `on`, or a selector"),
        "off",
        "`/status`: a page of names and states without output, for everybody",
    )
    .restart(),
];

pub(super) const WEB_TLS: &[Key] = &[
    Key::new(
        "cert",
        Type::Text,
        "",
        "PEM file with the certificate and what leads to its root, relative to the main file; compulsory",
    ),
    Key::new("key", Type::Text, "", "PEM file with its key, without a passphrase; compulsory"),
];

pub(super) const AUTH: &[Key] = &[
    Key::new(
        "anonymous",
        Type::Word(&["loopback", "none", "all"]),
        "loopback",
        "Who may look without login; `loopback`: whoever comes from this machine, unless a header or the name in `Host` says that it was forwarded",
    )
    .restart(),
    Key::new("password", Type::Map(PASSWORD), "", "What passwords must be"),
    Key::new("proxy", Type::OffOr(PROXY), "off", "A proxy that has asked for the password already").restart(),
    Key::new("oidc", Type::OffOr(OIDC), "off", "Single sign-on (in builds with the feature `oidc`)"),
    Key::new("session", Type::Map(SESSION), "", "How long a login lasts"),
];

pub(super) const PASSWORD: &[Key] = &[
    Key::new("min", Type::Whole(1, 1024), "10", "The fewest characters"),
    Key::new("tries", Type::Whole(1, 1_000), "5", "Wrong tries before an account is locked"),
    Key::new("lock", Type::Duration, "5m", "For how long it is locked"),
];

pub(super) const PROXY: &[Key] = &[
    Key::new(
        "from",
        Type::Texts,
        "",
        "Addresses or networks of the proxy; the header counts from these alone; compulsory",
    ),
    Key::new("header", Type::Text, "X-Remote-User", "The header with the user's name"),
    Key::new("role", Type::Word(ROLES), "viewer", "The role of a user that vigia does not know"),
];

pub(super) const OIDC: &[Key] = &[
    Key::new("issuer", Type::Text, "", "URL of the issuer; compulsory"),
    Key::new("client_id", Type::Text, "", "compulsory"),
    Key::new("client_secret", Type::Secret, "", "compulsory"),
    Key::new("role_claim", Type::Text, "", "The claim that holds the role"),
];

pub(super) const SESSION: &[Key] = &[
    Key::new("idle", Type::Duration, "12h", "A login that is not used ends after so long"),
    Key::new("absolute", Type::Duration, "7d", "A login ends after so long"),
];

pub(super) const METRICS: &[Key] = &[
    Key::new(
        "path",
        Type::Text,
        "/metrics",
        "On the web listener; whoever may look may scrape, others send a token",
    )
    .restart(),
    Key::new("listen", Type::Text, "", "`ADDRESS:PORT` of a listener for metrics alone, without login")
        .restart(),
];

pub(super) const STORE: &[Key] = &[
    Key::new(
        "path",
        Type::Text,
        "STATE/vigia.db",
        "The database, on a local file system; `STATE` is the state folder",
    )
    .restart(),
    Key::new("retention", Type::Map(RETENTION), "", "How long history is kept; tickets and documents stay"),
];

pub(super) const RETENTION: &[Key] = &[
    Key::new("states", Type::Retention, "400d", "Changes of state"),
    Key::new("events", Type::Retention, "400d", "The event log"),
    Key::new("decisions", Type::Retention, "90d", "Why a message was sent or held"),
    Key::new("alarms", Type::Retention, "400d", "Closed alarms"),
    Key::new("audit", Type::Retention, "400d", "What people did"),
    Key::new("scans", Type::Retention, "90d", "Runs of net discovery"),
    Key::new("perfdata", Type::Map(PERFDATA_RETENTION), "", "Performance data, by how coarse it is"),
];

pub(super) const PERFDATA_RETENTION: &[Key] = &[
    Key::new("raw", Type::Retention, "14d", "As measured"),
    Key::new("5m", Type::Retention, "90d", "Means of five minutes"),
    Key::new("1h", Type::Retention, "2y", "Means of an hour"),
];

pub(super) const SMTP: &[Key] = &[
    Key::new("host", Type::Text, "localhost", "The mail server"),
    Key::new(
        "port",
        Type::Whole(1, 65_535),
        "",
        "25; 587 with `tls: starttls`, 465 with `tls: tls`, where it is not said",
    ),
    Key::new(
        "tls",
        Type::Word(&["off", "starttls", "tls"]),
        "",
        "off on loopback, else starttls; never weaker than said",
    ),
    Key::new("user", Type::Text, "", "Logs in as"),
    Key::new("password", Type::Secret, "", "With this password"),
    Key::new("from", Type::Text, "", "The sender; `vigia@` and the full host name where it is not said"),
    Key::new("timeout", Type::Duration, "30s", "One deadline for a message"),
    Key::new("sendmail", Type::Run, "", "A program and its arguments, instead of `host`"),
];

pub(super) const MESSAGES: &[Key] = &[Key::new(
    "templates",
    Type::Text,
    "templates",
    "Folder of `KIND.subject`, `KIND.text`, `KIND.html` for `host service digest`, relative to the main file; what \
     is missing there is built in",
)];

pub(super) const EVENT_HANDLERS: &[Key] = &[
    Key::new(
        "host",
        Type::Handler,
        "",
        "For every host, before its own `event_handler`: one of `commands`, or a list",
    ),
    Key::new("service", Type::Handler, "", "The same for every service"),
];

pub(super) const CONCURRENCY: &[Key] = &[
    Key::new("total", Type::Whole(1, 1_000_000), "10000", "Checks in flight"),
    Key::new("per_host", Type::Whole(1, 1_000_000), "16", "Checks in flight at one host"),
    Key::new(
        "kinds",
        Type::Special("a map: kind of check → number"),
        "",
        "Checks in flight by kind; `plugin` and `command` 4 for each core where they are not said, others as `total`",
    ),
];

pub(super) const TICKETS: &[Key] = &[
    Key::new("mail", Type::Switch, "on", "Whether tickets send mail"),
    Key::new("reminder", Type::DurationOr(&["off"]), "15d", "Who has an open ticket is reminded this often"),
    Key::new("in_charge", Type::Text, "", "For rules that name nobody"),
    Key::new("attachment_max", Type::Size, "10MiB", "One attachment"),
    Key::new("attachments_max", Type::Size, "50MiB", "All attachments of a ticket"),
    Key::new("trackers", Type::MapOf(TRACKER), "", "Other ticket systems that are told of ours"),
];

pub(super) const TRACKER: &[Key] = &[
    Key::new("url", Type::Text, "", "Where it takes tickets; compulsory"),
    Key::new(
        "format",
        Type::Word(&["jira", "gitlab", "github", "rt", "json"]),
        "json",
        "What it understands",
    ),
    Key::new("token", Type::Secret, "", "Lets us in"),
    Key::new(
        "match",
        Type::Selection,
        "",
        "Only tickets about these objects; everything where it is not said",
    ),
];

pub(super) const NAGIOS: &[Key] = &[
    Key::new("command_file", Type::Text, "off", "Path of the FIFO for external commands").restart(),
    Key::new("status_file", Type::Text, "off", "Path of a `status.dat`").restart(),
    Key::new("objects_file", Type::Text, "off", "Path of an `objects.cache`").restart(),
    Key::new("log_file", Type::Text, "off", "Path of a `nagios.log`").restart(),
    Key::new("livestatus", Type::Text, "off", "Path of a socket, or `ADDRESS:PORT`").restart(),
    Key::new("check_result_path", Type::Text, "off", "Folder of check result files").restart(),
    Key::new("perfdata", Type::OffOr(NAGIOS_PERFDATA), "off", "Files of performance data for graphers")
        .restart(),
];

pub(super) const NAGIOS_PERFDATA: &[Key] = &[
    Key::new("host", Type::Text, "", "Path of the file for hosts"),
    Key::new("service", Type::Text, "", "Path of the file for services"),
    Key::new("every", Type::Duration, "15s", "How often they are written"),
];

pub(super) const POLLERS: &[Key] = &[
    Key::new("listen", Type::Text, "off", "`ADDRESS:PORT` at which pollers report").restart(),
    Key::new("nodes", Type::MapOf(NODE), "", "The pollers, by name"),
];

pub(super) const NODE: &[Key] = &[
    Key::new("token", Type::Secret, "", "Lets it in; compulsory"),
    Key::new("match", Type::Selection, "", "The hosts it checks, beside those that name it in `poller`"),
];

pub(super) const LOG: &[Key] = &[
    Key::new(
        "level",
        Type::Word(&["error", "warn", "info", "debug", "trace"]),
        "info",
        "The least that is logged",
    ),
    Key::new(
        "format",
        Type::Word(&["auto", "text", "json"]),
        "auto",
        "`auto`: fields of the journal under systemd, else text",
    ),
];

pub(super) const BACKUP: &[Key] = &[
    Key::new(
        "dir",
        Type::Text,
        "",
        "Folder for backups, relative to the main file; without it they are made by hand alone (`vigia backup PATH`)",
    ),
    Key::new("every", Type::Duration, "1d", "How often one is made; one made by hand in that folder counts"),
    Key::new("keep", Type::Whole(1, 10_000), "7", "How many are kept"),
    Key::new("max_age", Type::Duration, "48h", "When the newest is older, that is a problem of vigia's own"),
];

pub(super) const SELF_MONITORING: &[Key] = &[
    Key::new(
        "host",
        Type::Switch,
        "off",
        "Whether there is a host `vigia` with the services `lateness never-run store messages configuration disk`, and \
         `backup` and `ping` where those are asked for; a host of that name in your files wins",
    ),
    Key::new(
        "lateness",
        Type::Map(LATENESS),
        "",
        "Service `lateness`: how late the check is that should have begun first",
    ),
    Key::new(
        "never_run",
        Type::Map(NEVER_RUN),
        "",
        "Service `never-run`: for how long a check waits for its first result",
    ),
    Key::new(
        "messages",
        Type::Map(MESSAGE_AGE),
        "",
        "Service `messages`: age of the oldest message that waits",
    ),
    Key::new("disk", Type::Map(DISK), "", "Service `disk`: what is free where the state is kept"),
    Key::new(
        "ping",
        Type::OffOr(PING),
        "off",
        "A dead man's switch: who is no longer called knows that this vigia is dead, or nobody is told of anything",
    ),
];

pub(super) const LATENESS: &[Key] =
    &[Key::new("warning", Type::Duration, "30s", ""), Key::new("critical", Type::Duration, "5m", "")];

pub(super) const NEVER_RUN: &[Key] =
    &[Key::new("warning", Type::Duration, "1h", ""), Key::new("critical", Type::Duration, "1d", "")];

pub(super) const MESSAGE_AGE: &[Key] =
    &[Key::new("warning", Type::Duration, "10m", ""), Key::new("critical", Type::Duration, "1h", "")];

pub(super) const DISK: &[Key] =
    &[Key::new("warning", Type::Percent, "10%", ""), Key::new("critical", Type::Percent, "5%", "")];

pub(super) const PING: &[Key] = &[
    Key::new(
        "url",
        Type::Secret,
        "",
        "Where a POST goes; whoever knows it can say that all is well; compulsory",
    ),
    Key::new("every", Type::Duration, "1m", "How often, as long as checks are handed out"),
    Key::new("timeout", Type::Duration, "10s", "One deadline for it"),
];

pub(super) const LIMITS: &[Key] = &[
    Key::new(
        "objects",
        Type::Whole(1, 50_000_000),
        "2000000",
        "Hosts and services that a configuration may define",
    ),
    Key::new("file", Type::Size, "256MiB", "One file"),
    Key::new("discovery", Type::Whole(1, 16_777_216), "65536", "Addresses that one scan may look at"),
];
