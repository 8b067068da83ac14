//! From service to check: by its name first, then by its port. (`ossim-discovery.md` 7.3)

use crate::discovery::finding::{Service, Transport};
use crate::discovery::suggestion::{Opt, Suggestion};

/// What the person who asks wants beside the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Also what is noise as a rule: port mappers, NetBIOS, ephemeral ports.
    pub noise: bool,
}

/// A service's name and its checks, the best first.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) checks: Vec<Suggestion>,
}

/// Ports from here on are handed out to whoever asks.
const EPHEMERAL: u16 = 32_768;

/// `None`: not worth a check.
pub(super) fn row(service: &Service, names: &[String], wish: &Wish) -> Option<Row> {
    let port = service.port;
    if service.transport == Transport::Udp {
        return udp(service, names);
    }
    let is_noise = matches!(service.name.as_str(), "msrpc" | "rpcbind" | "netbios-ssn")
        || (port >= EPHEMERAL && (service.name.is_empty() || !service.is_sure))
        // Asked over UDP, where it answers; the same server.
        || (service.name == "snmp" && !service.is_sure);
    if is_noise && !wish.noise {
        return None;
    }
    let tcp = || vec![Suggestion::tcp(port)];
    let known =
        |base: &str, usual: u16, checks: Vec<Suggestion>| Row { name: named(base, usual, port), checks };
    Some(match service.name.as_str() {
        "ftp" => with_tls(service, "ftp", ("FTP", 21), ("FTPS", 990)),
        "ssh" => known("SSH", 22, vec![on_port("ssh", 22, port)]),
        "telnet" => known("TELNET", 23, tcp()),
        "smtp" => with_tls(service, "smtp", ("SMTP", 25), ("SMTPS", 465)),
        "domain" => known("DNS", 53, dns(names, port).chain(tcp()).collect()),
        "http" if service.is_tls => known("HTTPS", 443, vec![web("https", 443, service, names)]),
        "http" => known("HTTP", 80, vec![web("http", 80, service, names)]),
        "pop3" => with_tls(service, "pop3", ("POP3", 110), ("POP3S", 995)),
        "imap" => with_tls(service, "imap", ("IMAP", 143), ("IMAPS", 993)),
        "ldap" => {
            let mut row = with_tls(service, "ldap", ("LDAP", 389), ("LDAPS", 636));
            row.checks.extend(tcp());
            row
        }
        "microsoft-ds" => known("SMB", 445, tcp()),
        "ms-sql-s" => known("MSSQL", 1433, tcp()),
        "mysql" if vigia_checks::kind("mysql").is_some() => {
            known("MYSQL", 3306, vec![on_port("mysql", 3306, port).text("on_denied", "ok")])
        }
        "mysql" => known("MYSQL", 3306, tcp()),
        "postgresql" => known("PGSQL", 5432, vec![on_port("postgres", 5432, port)]),
        "ms-wbt-server" => known("TERMINAL_SERVER", 3389, tcp()),
        "redis" => known("REDIS", 6379, vec![on_port("redis", 6379, port).text("on_denied", "ok")]),
        "mongodb" => known("MONGODB", 27017, tcp()),
        "memcached" => known("MEMCACHED", 11211, tcp()),
        "amqp" => known("AMQP", 5672, tcp()),
        "irc" => known("IRCD", 6667, tcp()),
        "vnc" => known("VNC", 5900, vec![Suggestion::tcp(port).text("expect", "RFB 003.")]),
        "rsync" => known("RSYNC", 873, vec![Suggestion::tcp(port).text("expect", "@RSYNCD:")]),
        _ => Row { name: format!("GENERIC_TCP_{port}"), checks: tcp() },
    })
}

fn udp(service: &Service, names: &[String]) -> Option<Row> {
    match service.name.as_str() {
        "domain" => {
            Some(Row { name: named("DNS", 53, service.port), checks: dns(names, service.port).collect() })
        }
        "ntp" => Some(Row {
            name: named("NTP", 123, service.port),
            checks: vec![on_port("ntp", 123, service.port)],
        }),
        // SNMP needs a community or a user, which nobody has told us.
        _ => None,
    }
}

/// The name stays the same whatever else the host offers.
fn named(base: &str, usual: u16, port: u16) -> String {
    if port == usual { base.to_owned() } else { format!("{base}_{port}") }
}

fn on_port(kind: &'static str, usual: u16, port: u16) -> Suggestion {
    let check = Suggestion::new(kind);
    if port == usual { check } else { check.text("port", port) }
}

/// A name server is asked for its own name, and for what each of them should know.
fn dns(names: &[String], port: u16) -> impl Iterator<Item = Suggestion> + use<> {
    let own = names.first().cloned();
    let ask = move |name: String| {
        let check = Suggestion::new("dns").text("name", name);
        if port == 53 { check } else { check.text("port", port) }
    };
    own.into_iter().chain(["localhost".to_owned()]).map(ask)
}

fn verify_off() -> Opt {
    Opt::Map(vec![("verify", Opt::Text("off".to_owned()))])
}

fn with_tls(service: &Service, kind: &'static str, plain: (&str, u16), secure: (&str, u16)) -> Row {
    if !service.is_tls {
        let check = on_port(kind, plain.1, service.port);
        return Row { name: named(plain.0, plain.1, service.port), checks: vec![check] };
    }
    // These checks take their usual port with TLS only for the protocol's own.
    let check = Suggestion::new(kind).text("port", service.port).with("tls", verify_off());
    Row { name: named(secure.0, secure.1, service.port), checks: vec![check] }
}

/// What was answered when it was found is what is expected from then on.
fn web(kind: &'static str, usual: u16, service: &Service, names: &[String]) -> Suggestion {
    let mut check = on_port(kind, usual, service.port);
    if let Some(status @ 400..=499) = service.first.http_status {
        check = check.with("expect", Opt::List(vec!["200".to_owned(), status.to_string()]));
    }
    let Some(tls) = &service.first.tls else { return check };
    // A name that is ours and that the certificate is for lets the whole chain be judged.
    let ours = names.iter().find(|name| tls.names.iter().any(|one| covers(one, name)));
    match ours.filter(|_| tls.is_trusted) {
        Some(name) => check.text("host", name),
        None => check.with("tls", verify_off()),
    }
}

/// Whether a name of a certificate is for a host name; a star stands for one label.
fn covers(certificate: &str, name: &str) -> bool {
    match certificate.strip_prefix("*.") {
        Some(domain) => name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => certificate.eq_ignore_ascii_case(name),
    }
}
