//! What servers say unasked.

use super::{Told, clean, divided, first_line};

/// What a greeting tells; `None` where nobody knows such a greeting. `port` helps only where two protocols greet alike.
pub(in crate::discovery) fn greeting(bytes: &[u8], port: u16) -> Option<Told> {
    if let Some(told) = mysql(bytes) {
        return Some(told);
    }
    let line = clean(first_line(bytes), 300);
    if let Some(rest) = line.strip_prefix("SSH-") {
        return Some(ssh(rest));
    }
    if line.starts_with("HTTP/") {
        return super::http(bytes);
    }
    if let Some(version) = line.strip_prefix("RFB ") {
        return Some(Told::named("vnc").note(&format!("protocol {version}")));
    }
    if let Some(version) = line.strip_prefix("@RSYNCD: ") {
        return Some(Told::named("rsync").note(&format!("protocol {version}")));
    }
    if line.starts_with("* OK") || line.starts_with("* PREAUTH") {
        return Some(mail_access("imap", &line));
    }
    if line == "+OK" || line.starts_with("+OK ") {
        return Some(mail_access("pop3", &line));
    }
    if line.starts_with("-DENIED ") || line.starts_with("-NOAUTH ") {
        return Some(Told { is_denied: true, ..Told::named("redis").product("Redis") });
    }
    if line.starts_with(':') && line.contains(" NOTICE ") || line.starts_with("NOTICE AUTH ") {
        return Some(Told::named("irc"));
    }
    if let Some(version) = line.strip_prefix("Asterisk Call Manager/") {
        return Some(Told::named("asterisk-ami").product("Asterisk Call Manager").version(version));
    }
    if bytes.first() == Some(&0xff) && matches!(bytes.get(1), Some(0xfb..=0xfe)) {
        return Some(Told::named("telnet"));
    }
    let is_news = |line: &str| line.contains("NNTP") || line.contains("InterNetNews");
    match line.get(..4) {
        Some("220 " | "220-") => Some(of_220(bytes, &line, port)),
        Some("421 " | "554 ") => Some(Told { is_denied: true, ..of_220(bytes, &line, port) }),
        Some("200 " | "201 ") if is_news(&line) => Some(Told::named("nntp")),
        Some(_) | None => None,
    }
}

/// `2.0-OpenSSH_9.2p1 Debian-2+deb12u10`
fn ssh(rest: &str) -> Told {
    let software = rest.split_once('-').map_or("", |(_protocol, software)| software);
    let (software, comment) = software.split_once(' ').unwrap_or((software, ""));
    let (product, version) = divided(software);
    Told::named("ssh").product(product).version(version).note(comment)
}

/// FTP and SMTP greet alike: the words decide, and then the port.
fn of_220(bytes: &[u8], line: &str, port: u16) -> Told {
    // Some banners have several lines before they name themselves.
    let text = clean(bytes, 1_000);
    let says = |word: &str| text.to_ascii_lowercase().contains(word);
    let is_mail = says("smtp") || says("postfix") || says("exim") || says("sendmail");
    let is_files = says("ftp");
    let name = match (is_mail, is_files, port) {
        (true, _, _) => "smtp",
        (false, true, _) | (false, false, 21) => "ftp",
        (false, false, 25 | 465 | 587 | 2525) => "smtp",
        (false, false, _) => "",
    };
    let told = Told::named(name);
    for product in ["vsFTPd", "ProFTPD", "Pure-FTPd", "FileZilla Server", "Exim", "Sendmail"] {
        if let Some(at) = text.find(product) {
            let rest = text.get(at + product.len()..).unwrap_or_default();
            let version = rest.split_whitespace().next().unwrap_or_default();
            let version = version.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_version = version.starts_with(|c: char| c.is_ascii_digit());
            return told.product(product).version(if is_version { version } else { "" });
        }
    }
    for product in ["Postfix", "Microsoft FTP Service", "Microsoft ESMTP MAIL Service"] {
        if text.contains(product) {
            let system = line
                .split_once('(')
                .and_then(|(_, rest)| rest.split_once(')'))
                .map_or("", |(inside, _)| inside);
            return told.product(product).note(system);
        }
    }
    told
}

fn mail_access(name: &'static str, line: &str) -> Told {
    let products = ["Dovecot", "Cyrus IMAP", "Courier-IMAP", "Microsoft Exchange", "Zimbra"];
    let found = products.into_iter().find(|product| line.contains(product));
    let system = line
        .split_once("Dovecot (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(inside, _)| inside);
    Told::named(name).product(found.unwrap_or_default()).note(system)
}

/// Protocol 10's greeting, or an error packet in its place.
fn mysql(bytes: &[u8]) -> Option<Told> {
    let (&[low, middle, high, 0], payload) = bytes.split_first_chunk::<4>()? else { return None };
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    if length < 4 || payload.len() < length.min(64) {
        return None;
    }
    match payload.split_first()? {
        (10, rest) => {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let version = clean(rest.get(..end)?, 60);
            if !version.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            // What MariaDB says so that old replicas accept it.
            let real = version.strip_prefix("5.5.5-").unwrap_or(&version);
            match real.split_once("-MariaDB") {
                Some((number, system)) => {
                    let told = Told::named("mysql").product("MariaDB").version(number);
                    Some(told.note(system.trim_start_matches('-')))
                }
                None => Some(Told::named("mysql").product("MySQL").version(real)),
            }
        }
        (0xff, rest) => {
            let (code, text) = rest.split_first_chunk::<2>()?;
            let code = u16::from_le_bytes(*code);
            // Host not allowed, host blocked, too many connections, server shutdown.
            matches!(code, 1130 | 1129 | 1040 | 1053).then(|| {
                let told = Told { is_denied: true, ..Told::named("mysql") };
                let product = if clean(text, 200).contains("MariaDB") { "MariaDB" } else { "" };
                told.product(product).note(&format!("answered error {code}"))
            })
        }
        _ => None,
    }
}
