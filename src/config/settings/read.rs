//! From the sections as written to [`Settings`].

use vigia_core::nagios::words;

use super::section::{Reading, Section};
use super::*;
use crate::config::keys::Type;
use crate::config::tree::{Map, Value};

/// Where the distributions keep plugins, Debian's first.
const PLUGIN_FOLDERS: &[&str] = &[
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/libexec/nagios",
    "/usr/local/libexec/nagios",
    "/usr/local/nagios/libexec",
];

/// Reads the settings of all files. `None`: there are mistakes, all reported, and the settings stay as they were.
///
/// `base` is the folder of the main file, to which paths are relative; `state` the state folder.
pub fn decode(
    documents: &[Document<'_>],
    base: &Path,
    state: &Path,
    decoder: &mut Decoder,
) -> Option<Settings> {
    let before = decoder.errors();
    let mut sections = Vec::with_capacity(SECTIONS.len());
    for section in SECTIONS {
        sections.push((section.name, the_one(section.name, documents, decoder)));
    }
    decoder.reading_no_object();
    let mut reading = Reading { decoder, effective: Vec::new() };
    let settings = all(&sections, base, state, &mut reading);
    let effective = reading.effective;
    (decoder.errors() == before).then_some(Settings { effective, ..settings })
}

/// A section stands once in all files; a second one is an error that shows both.
fn the_one<'t, 's>(name: &str, documents: &'t [Document<'s>], decoder: &mut Decoder) -> Option<&'t Node<'s>> {
    let mut entries = documents.iter().filter_map(|document| document.map.entry(name));
    let first = entries.next()?;
    for second in entries {
        let message = format!("`{name}` stands in another file already");
        decoder.push(
            Problem::error(second.key.at, message)
                .also(first.key.at, "the first one")
                .hint("a section of settings may stand in any file, but once in all"),
        );
    }
    if first.value.is_nothing() {
        decoder.warn_of_nothing(first.key.at, name);
    }
    Some(&first.value)
}

fn all(
    sections: &[(&str, Option<&Node<'_>>)],
    base: &Path,
    state: &Path,
    reading: &mut Reading<'_>,
) -> Settings {
    let node = |name: &str| sections.iter().find(|(known, _)| *known == name).and_then(|(_, node)| *node);
    let plugin_path = plugin_path(node("plugin_path"), base, reading);
    Settings {
        web: web(&open("web", node("web"), reading), base, reading),
        metrics: metrics(&open("metrics", node("metrics"), reading), reading),
        store: store(&open("store", node("store"), reading), base, state, reading),
        smtp: smtp(&open("smtp", node("smtp"), reading), reading),
        message_templates: {
            let messages = open("messages", node("messages"), reading);
            base.join(messages.get("templates", reading, text))
        },
        templates: Vec::new(),
        event_handlers: event_handlers(&open("event_handlers", node("event_handlers"), reading), reading),
        concurrency: concurrency(&open("concurrency", node("concurrency"), reading), reading),
        user_macros: user_macros(node("user_macros"), &plugin_path, reading),
        plugin_path,
        tickets: tickets(&open("tickets", node("tickets"), reading), reading),
        nagios: nagios(&open("nagios", node("nagios"), reading), base, reading),
        pollers: pollers(&open("pollers", node("pollers"), reading), reading),
        log: log(&open("log", node("log"), reading), reading),
        backup: backup(&open("backup", node("backup"), reading), base, reading),
        self_monitoring: self_monitoring(&open("self_monitoring", node("self_monitoring"), reading), reading),
        limits: limits(&open("limits", node("limits"), reading), reading),
        effective: Vec::new(),
    }
}

fn open<'t, 's>(name: &str, node: Option<&'t Node<'s>>, reading: &mut Reading<'_>) -> Section<'t, 's> {
    let keys = match SECTIONS.iter().find(|section| section.name == name).map(|section| section.holds) {
        Some(Type::Map(keys)) => keys,
        Some(_) | None => &[],
    };
    Section::open(name, keys, node, reading)
}

fn web(web: &Section<'_, '_>, base: &Path, reading: &mut Reading<'_>) -> Web {
    let auth = web.section("auth", reading);
    let password = auth.section("password", reading);
    let session = auth.section("session", reading);
    Web {
        listen: web.get("listen", reading, listen),
        url: web.find("url", reading, url),
        tls: web.section_or_off("tls", reading).and_then(|tls| {
            let (cert, key) = (tls.demand("cert", reading, text), tls.demand("key", reading, text));
            Some(WebTls { cert: base.join(cert?), key: base.join(key?) })
        }),
        anonymous: auth.get("anonymous", reading, |decoder, node, key| {
            Some(match decoder.choice(node, key, &["loopback", "none", "all"])? {
                "none" => Anonymous::Nobody,
                "all" => Anonymous::Everybody,
                _ => Anonymous::Loopback,
            })
        }),
        password: PasswordPolicy {
            min: password.get("min", reading, whole(1, 1024)),
            tries: password.get("tries", reading, whole(1, 1_000)),
            lock: password.get("lock", reading, Decoder::duration),
        },
        proxy: auth.section_or_off("proxy", reading).and_then(|proxy| {
            Some(Proxy {
                from: proxy.demand("from", reading, networks)?,
                header: proxy.get("header", reading, text),
                role: proxy.get("role", reading, |decoder, node, key| decoder.choice(node, key, keys::ROLES)),
            })
        }),
        oidc: auth.section_or_off("oidc", reading).and_then(|oidc| {
            let client_secret = oidc.demand("client_secret", reading, Decoder::secret);
            let role_claim = oidc.find("role_claim", reading, text);
            let (issuer, client_id) =
                (oidc.demand("issuer", reading, url), oidc.demand("client_id", reading, text));
            Some(Oidc { issuer: issuer?, client_id: client_id?, client_secret: client_secret?, role_claim })
        }),
        session: Session {
            idle: session.get("idle", reading, Decoder::duration),
            absolute: session.get("absolute", reading, Decoder::duration),
        },
        public_status: web.get("public_status", reading, public_status),
    }
}

fn metrics(metrics: &Section<'_, '_>, reading: &mut Reading<'_>) -> Metrics {
    Metrics {
        path: metrics.get("path", reading, |decoder, node, key| {
            let path = text(decoder, node, key)?;
            if path.starts_with('/') {
                Some(path)
            } else {
                decoder.wants(node, key, "a path such as `/metrics`")
            }
        }),
        listen: metrics.find("listen", reading, address_or_off).flatten(),
    }
}

fn store(store: &Section<'_, '_>, base: &Path, state: &Path, reading: &mut Reading<'_>) -> Store {
    let retention = store.section("retention", reading);
    let perfdata = retention.section("perfdata", reading);
    let mut keep = |section: &Section<'_, '_>, key| section.get(key, reading, Decoder::retention);
    let retention = Retention {
        states: keep(&retention, "states"),
        events: keep(&retention, "events"),
        decisions: keep(&retention, "decisions"),
        alarms: keep(&retention, "alarms"),
        audit: keep(&retention, "audit"),
        scans: keep(&retention, "scans"),
        perfdata_raw: keep(&perfdata, "raw"),
        perfdata_5m: keep(&perfdata, "5m"),
        perfdata_1h: keep(&perfdata, "1h"),
    };
    let path = store.get("path", reading, text);
    let path = match path.strip_prefix("STATE/") {
        Some(inside) => state.join(inside),
        None => base.join(path),
    };
    Store { path, retention }
}

fn smtp(smtp: &Section<'_, '_>, reading: &mut Reading<'_>) -> Smtp {
    let host = smtp.get("host", reading, text);
    let tls = smtp.find("tls", reading, |decoder, node, key| {
        if node.text().and_then(crate::config::decode::switch) == Some(false) {
            return Some(SmtpTls::Off);
        }
        Some(match decoder.choice(node, key, &["off", "starttls", "tls"])? {
            "tls" => SmtpTls::Tls,
            _ => SmtpTls::StartTls,
        })
    });
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let tls_or_usual = tls.unwrap_or(if is_here { SmtpTls::Off } else { SmtpTls::StartTls });
    let usual = match tls {
        None | Some(SmtpTls::Off) => 25,
        Some(SmtpTls::StartTls) => 587,
        Some(SmtpTls::Tls) => 465,
    };
    Smtp {
        host,
        port: smtp.find("port", reading, whole(1, 65_535)).unwrap_or(usual),
        tls: tls_or_usual,
        user: smtp.find("user", reading, text),
        password: smtp.find("password", reading, Decoder::secret),
        from: smtp.find("from", reading, text),
        timeout: smtp.get("timeout", reading, Decoder::duration),
        sendmail: smtp.find("sendmail", reading, command_words).unwrap_or_default(),
    }
}

fn event_handlers(handlers: &Section<'_, '_>, reading: &mut Reading<'_>) -> EventHandlers {
    let mut read = |key| {
        handlers.find(key, reading, |decoder, node, key| {
            let handler = match &node.value {
                Value::Text(text) => Handler::Command((&*text.text).into()),
                Value::List(_) => Handler::Run(command_words(decoder, node, key)?),
                Value::Null(_) | Value::Map(_) | Value::Broken => {
                    return decoder.wants(node, key, "a command's name or a list of arguments");
                }
            };
            Some((handler, node.at))
        })
    };
    EventHandlers { host: read("host"), service: read("service") }
}

fn concurrency(concurrency: &Section<'_, '_>, reading: &mut Reading<'_>) -> Concurrency {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut kinds = concurrency.find("kinds", reading, numbers).unwrap_or_default();
    for kind in ["plugin", "command"] {
        if !kinds.iter().any(|(known, _)| known == kind) {
            kinds.push((kind.to_owned(), 4 * cores));
        }
    }
    Concurrency {
        total: concurrency.get("total", reading, whole(1, 1_000_000)),
        per_host: concurrency.get("per_host", reading, whole(1, 1_000_000)),
        kinds,
    }
}

fn plugin_path(node: Option<&Node<'_>>, base: &Path, reading: &mut Reading<'_>) -> Vec<PathBuf> {
    let said = node.filter(|node| node.list().is_some() || node.text().is_some());
    let folders = said.and_then(|node| reading.decoder.texts(node, "plugin_path"));
    match folders {
        Some(folders) => folders.into_iter().map(|(folder, _)| base.join(folder)).collect(),
        None => PLUGIN_FOLDERS.iter().map(PathBuf::from).collect(),
    }
}

fn user_macros(
    node: Option<&Node<'_>>,
    plugin_path: &[PathBuf],
    reading: &mut Reading<'_>,
) -> Vec<(String, MacroValue)> {
    let mut macros = Vec::new();
    let written = node.map_or(&[][..], |node| entries(node, "user_macros", reading));
    for entry in written {
        let name = &*entry.key.text;
        let number = name.strip_prefix("USER").and_then(|number| number.parse::<u16>().ok());
        if number.is_none_or(|number| !(1..=256).contains(&number)) {
            let problem = Problem::error(entry.key.at, format!("`{name}` is no user macro"));
            reading.decoder.push(problem.hint("they are `USER1` to `USER256`, without dollars"));
            continue;
        }
        let value = match &entry.value.value {
            Value::Map(_) => {
                let secret = reading.decoder.secret(&entry.value, name);
                secret.map(|secret| MacroValue::Secret(secret, entry.value.at))
            }
            Value::Text(_) | Value::List(_) | Value::Null(_) | Value::Broken => {
                text(reading.decoder, &entry.value, name).map(MacroValue::Text)
            }
        };
        macros.extend(value.map(|value| (name.to_owned(), value)));
    }
    if let (Some(first), false) = (plugin_path.first(), macros.iter().any(|(name, _)| name == "USER1")) {
        macros.push(("USER1".to_owned(), MacroValue::Text(first.to_string_lossy().into_owned())));
    }
    macros
}

fn tickets(tickets: &Section<'_, '_>, reading: &mut Reading<'_>) -> Tickets {
    let mut trackers = Vec::new();
    for (name, tracker) in named(tickets, "trackers", keys::TRACKER, reading) {
        let url = tracker.demand("url", reading, url);
        let format = tracker.get("format", reading, |decoder, node, key| {
            decoder.choice(node, key, &["jira", "gitlab", "github", "rt", "json"])
        });
        let token = tracker.find("token", reading, Decoder::secret);
        let matching = matching(&tracker, reading);
        trackers.extend(url.map(|url| Tracker { name, url, format, token, matching }));
    }
    Tickets {
        mail: tickets.get("mail", reading, Decoder::switch),
        reminder: tickets.get("reminder", reading, |decoder, node, key| {
            if node.text().and_then(crate::config::decode::switch) == Some(false) {
                return Some(None);
            }
            decoder.duration(node, key).map(Some)
        }),
        in_charge: tickets.find("in_charge", reading, text),
        attachment_max: tickets.get("attachment_max", reading, Decoder::size),
        attachments_max: tickets.get("attachments_max", reading, Decoder::size),
        trackers,
    }
}

fn nagios(nagios: &Section<'_, '_>, base: &Path, reading: &mut Reading<'_>) -> Nagios {
    let mut path = |key| nagios.get(key, reading, text_or_off).map(|path| base.join(path));
    let (command_file, status_file) = (path("command_file"), path("status_file"));
    let (objects_file, log_file) = (path("objects_file"), path("log_file"));
    let check_result_path = path("check_result_path");
    Nagios {
        command_file,
        status_file,
        objects_file,
        log_file,
        check_result_path,
        livestatus: nagios.get("livestatus", reading, text_or_off),
        perfdata: nagios.section_or_off("perfdata", reading).map(|perfdata| NagiosPerfdata {
            host: perfdata.find("host", reading, text).map(|path| base.join(path)),
            service: perfdata.find("service", reading, text).map(|path| base.join(path)),
            every: perfdata.get("every", reading, Decoder::duration),
        }),
    }
}

fn pollers(pollers: &Section<'_, '_>, reading: &mut Reading<'_>) -> Pollers {
    let mut nodes = Vec::new();
    for (name, node) in named(pollers, "nodes", keys::NODE, reading) {
        let token = node.demand("token", reading, Decoder::secret);
        let matching = matching(&node, reading);
        nodes.extend(token.map(|token| PollerNode { name, token, matching }));
    }
    Pollers { listen: pollers.get("listen", reading, address_or_off), nodes }
}

fn log(log: &Section<'_, '_>, reading: &mut Reading<'_>) -> Log {
    Log {
        level: log.get("level", reading, |decoder, node, key| {
            decoder.choice(node, key, &["error", "warn", "info", "debug", "trace"])
        }),
        format: log.get("format", reading, |decoder, node, key| {
            Some(match decoder.choice(node, key, &["auto", "text", "json"])? {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => LogFormat::Auto,
            })
        }),
    }
}

fn backup(backup: &Section<'_, '_>, base: &Path, reading: &mut Reading<'_>) -> Backup {
    Backup {
        dir: backup.find("dir", reading, text).map(|dir| base.join(dir)),
        every: backup.get("every", reading, Decoder::duration),
        keep: backup.get("keep", reading, whole(1, 10_000)),
        max_age: backup.get("max_age", reading, Decoder::duration),
    }
}

fn self_monitoring(own: &Section<'_, '_>, reading: &mut Reading<'_>) -> SelfMonitoring {
    let mut spans =
        |key| bounds(own, key, reading, Decoder::duration, |warning, critical| warning <= critical);
    let (lateness, never_run, messages) = (spans("lateness"), spans("never_run"), spans("messages"));
    SelfMonitoring {
        host: own.get("host", reading, Decoder::switch),
        lateness,
        never_run,
        messages,
        disk: bounds(own, "disk", reading, Decoder::percent, |warning, critical| warning >= critical),
        ping: own.section_or_off("ping", reading).and_then(|ping| {
            let url = ping.demand("url", reading, Decoder::secret);
            let every = ping.get("every", reading, Decoder::duration);
            let timeout = ping.get("timeout", reading, Decoder::duration);
            Some(Ping { url: url?, every, timeout })
        }),
    }
}

/// Two limits of which the first must come first.
fn bounds<T: Copy>(
    section: &Section<'_, '_>,
    key: &str,
    reading: &mut Reading<'_>,
    read: impl Fn(&mut Decoder, &Node<'_>, &str) -> Option<T>,
    is_in_order: impl Fn(T, T) -> bool,
) -> Bounds<T> {
    let inner = section.section(key, reading);
    let (warning, critical) = (inner.get("warning", reading, &read), inner.get("critical", reading, &read));
    let said = inner.node("critical").or(inner.node("warning"));
    if let Some(node) = said.filter(|_| !is_in_order(warning, critical)) {
        let message = format!("`critical` of `{}` would come before `warning`", section.path(key));
        reading.decoder.push(Problem::error(node.at, message).hint("say both, the milder as `warning`"));
    }
    Bounds { warning, critical }
}

fn limits(limits: &Section<'_, '_>, reading: &mut Reading<'_>) -> Limits {
    Limits {
        objects: limits.get("objects", reading, whole(1, 50_000_000)),
        file: limits.get("file", reading, Decoder::size),
        discovery: limits.get("discovery", reading, whole(1, 16_777_216)),
    }
}

/// The maps of a map that is keyed by names of the writer's choice.
fn named<'t, 's>(
    section: &Section<'t, 's>,
    key: &str,
    keys: &'static [crate::config::keys::Key],
    reading: &mut Reading<'_>,
) -> Vec<(String, Section<'t, 's>)> {
    let Some(node) = section.node(key) else { return Vec::new() };
    let path = section.path(key);
    entries(node, key, reading)
        .iter()
        .map(|entry| {
            let name = format!("{path}.{}", entry.key.text);
            (entry.key.text.to_string(), Section::open(&name, keys, Some(&entry.value), reading))
        })
        .collect()
}

fn entries<'t, 's>(
    node: &'t Node<'s>,
    key: &str,
    reading: &mut Reading<'_>,
) -> &'t [crate::config::tree::Entry<'s>] {
    match &node.value {
        Value::Map(map) => {
            if !map.refused().is_empty() {
                reading.decoder.count_reported();
            }
            map.iter().as_slice()
        }
        Value::Null(_) => &[],
        Value::Text(_) | Value::List(_) | Value::Broken => {
            reading.decoder.wants(node, key, "a map").unwrap_or(&[])
        }
    }
}

fn matching(section: &Section<'_, '_>, reading: &mut Reading<'_>) -> Selection {
    section.find("match", reading, selection).unwrap_or_else(Selection::everything)
}

fn text(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<String> {
    decoder.text(node, key).map(str::to_owned)
}

fn text_or_off(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Option<String>> {
    let text = decoder.text(node, key)?;
    Some((crate::config::decode::switch(text) != Some(false)).then(|| text.to_owned()))
}

/// A whole number that fits its type.
fn whole<T: TryFrom<i64>>(least: i64, most: i64) -> impl Fn(&mut Decoder, &Node<'_>, &str) -> Option<T> {
    move |decoder, node, key| T::try_from(decoder.integer(node, key, least, most)?).ok()
}

fn numbers(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Vec<(String, usize)>> {
    let Some(map) = node.map() else { return decoder.wants(node, key, "a map of numbers") };
    let map: &Map<'_> = map;
    let known: Vec<&str> = vigia_checks::KINDS.iter().map(|kind| kind.name).collect();
    let mut numbers = Vec::with_capacity(map.len());
    for entry in map {
        let name = &*entry.key.text;
        if !known.contains(&name) && !["plugin", "command", "passive"].contains(&name) {
            let problem = Problem::error(entry.key.at, format!("there is no kind of check `{name}`"));
            let hint = crate::config::problem::did_you_mean(name, known.iter().copied());
            decoder.push(problem.maybe_hint(hint));
        }
        let number = whole(1, 1_000_000)(decoder, &entry.value, name)?;
        numbers.push((name.to_owned(), number));
    }
    Some(numbers)
}

fn url(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<String> {
    let text = decoder.text(node, key)?;
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if is_url {
        Some(text.to_owned())
    } else {
        decoder.wants(node, key, "a URL such as `https://vigia.example.test`")
    }
}

fn networks(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for item in decoder.items(node, key)? {
        let text = decoder.text(item, key)?;
        let network = text.parse().ok().or_else(|| text.parse().ok().map(|ip: IpAddr| IpNet::from(ip)));
        match network {
            Some(network) => networks.push(network),
            None => return decoder.wants(item, key, "addresses or networks such as `192.0.2.0/24`"),
        }
    }
    Some(networks)
}

fn listen(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Vec<SocketAddr>> {
    if node.text().and_then(crate::config::decode::switch) == Some(false) {
        return Some(Vec::new());
    }
    let items = decoder.items(node, key)?;
    items.iter().map(|item| address(decoder, item, key)).collect()
}

fn address_or_off(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Option<SocketAddr>> {
    if node.text().and_then(crate::config::decode::switch) == Some(false) {
        return Some(None);
    }
    address(decoder, node, key).map(Some)
}

fn address(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<SocketAddr> {
    let text = decoder.text(node, key)?;
    match listen_address(text) {
        Ok(address) => Some(address),
        Err(hint) => {
            let message = format!("`{key}` wants `ADDRESS:PORT`, not `{text}`");
            decoder.refuse(Problem::error(node.at, message).hint(hint))
        }
    }
}

/// Reads `ADDRESS:PORT`, also for the command line; the error is a hint.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = |text: &str| text.parse::<u16>().ok();
    match text.rsplit_once(':') {
        Some(("localhost", number)) if port(number).is_some() => {
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port(number).unwrap_or(0))))
        }
        Some(("" | "*" | "0", number)) if port(number).is_some() => {
            Err(format!("`0.0.0.0:{number}` is every IPv4 address, `[::]:{number}` every address"))
        }
        _ if port(text).is_some() => Err(format!("did you mean `127.0.0.1:{text}`?")),
        _ if text.parse::<IpAddr>().is_ok() => Err(if text.contains(':') {
            format!("did you mean `[{text}]:8642`?")
        } else {
            format!("did you mean `{text}:8642`?")
        }),
        _ => Err("an IP address and a port: `127.0.0.1:8642`, `[::1]:8642`".to_owned()),
    }
}

fn public_status(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<PublicStatus> {
    match node.text().and_then(crate::config::decode::switch) {
        Some(true) => Some(PublicStatus::On),
        Some(false) => Some(PublicStatus::Off),
        None => selection(decoder, node, key).map(PublicStatus::Only),
    }
}

/// One selector, a list (any), or `all: […]` (every).
fn selection(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Selection> {
    let every = node.map().and_then(|map| map.get("all"));
    let texts = decoder.texts(every.unwrap_or(node), key)?;
    for (text, at) in &texts {
        if let Err(wrong) = vigia_core::model::selector::Selector::parse(text) {
            return decoder.refuse(Problem::error(*at, wrong.message).maybe_hint(wrong.hint));
        }
    }
    Selection::parse(texts.into_iter().map(|(text, _)| text), every.is_some()).ok()
}

/// A list of words, or a text that is split as a shell would.
fn command_words(decoder: &mut Decoder, node: &Node<'_>, key: &str) -> Option<Vec<String>> {
    if let Some(text) = node.text() {
        return match words::split_text(text) {
            Ok(words) => Some(words),
            Err(_) => decoder.wants(node, key, "a command line whose quotes are closed"),
        };
    }
    let texts = decoder.texts(node, key)?;
    Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())
}
