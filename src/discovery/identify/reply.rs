//! What servers answer to our opening.

use super::{Opening, Told, clean, divided, first_line, greeting};

/// What the answer to an opening tells. An answer of another protocol than was spoken is recognised as well.
pub(in crate::discovery) fn reply(opening: Opening, bytes: &[u8], port: u16) -> Option<Told> {
    let told = match opening {
        Opening::Http => http(bytes),
        Opening::Postgres => postgres(bytes),
        Opening::Redis => redis(bytes),
        Opening::Ldap => ldap(bytes),
        Opening::Rdp => rdp(bytes),
        Opening::MsSql => ms_sql(bytes),
        Opening::Memcached => {
            let line = clean(first_line(bytes), 100);
            line.strip_prefix("VERSION ")
                .map(|version| Told::named("memcached").product("memcached").version(version))
        }
        Opening::MongoDb => {
            contains(bytes, b"maxWireVersion").then(|| Told::named("mongodb").product("MongoDB"))
        }
        Opening::Amqp => amqp(bytes),
        Opening::Dns => bytes.get(2..).and_then(dns),
    };
    told.or_else(|| redis(bytes)).or_else(|| greeting(bytes, port)).or_else(|| other_line(bytes))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Text protocols that answer a web request in their own words.
fn other_line(bytes: &[u8]) -> Option<Told> {
    let line = clean(first_line(bytes), 100);
    let by_word = [("RTSP/1.", "rtsp"), ("SIP/2.0", "sip"), ("ERROR", "memcached")];
    let (word, name) = by_word.into_iter().find(|(word, _)| line.starts_with(word))?;
    // memcached says nothing but this word.
    (word != "ERROR" || line == "ERROR").then(|| Told::named(name))
}

pub(in crate::discovery) fn http(bytes: &[u8]) -> Option<Told> {
    let line = clean(first_line(bytes), 200);
    let mut words = line.strip_prefix("HTTP/")?.split(' ');
    let _version = words.next()?;
    let status: u16 = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    let head =
        bytes.split(|byte| *byte == b'\n').skip(1).take(100).take_while(|line| !matches!(*line, b"" | b"\r"));
    let server = head.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(at)?;
        name.eq_ignore_ascii_case(b"server").then(|| clean(value.get(1..).unwrap_or_default(), 120))
    });
    let server = server.into_iter().next().unwrap_or_default();
    let (software, system) = server.split_once(' ').unwrap_or((&server, ""));
    let (product, version) = divided(software);
    let mut note = format!("answered {status}");
    if !system.is_empty() {
        note.push(' ');
        note.push_str(system);
    }
    let told = Told::named("http").product(product).version(version).note(&note);
    Some(Told { http_status: Some(status), is_denied: matches!(status, 401 | 403 | 407), ..told })
}

fn postgres(bytes: &[u8]) -> Option<Told> {
    let is_answer =
        matches!(bytes, b"S" | b"N") || (bytes.first() == Some(&b'E') && contains(bytes, b"FATAL"));
    is_answer.then(|| Told::named("postgresql").product("PostgreSQL"))
}

fn redis(bytes: &[u8]) -> Option<Told> {
    let line = clean(first_line(bytes), 100);
    let told = Told::named("redis").product("Redis");
    match line.split(' ').next()? {
        "+PONG" => Some(told),
        "-NOAUTH" | "-DENIED" => Some(Told { is_denied: true, ..told.note("wants a login") }),
        "-ERR" if line.contains("operation not permitted") || line.contains("unknown command") => Some(told),
        _ => None,
    }
}

/// A bind response; any result code proves an LDAP server.
fn ldap(bytes: &[u8]) -> Option<Told> {
    let [0x30, length, rest @ ..] = bytes else { return None };
    // Lengths over 127 take more bytes: how many says the first.
    let extra = if *length < 0x80 { 0 } else { usize::from(*length & 0x7f) };
    let [2, 1, 1, 0x61, _, 0x0a, 1, code, ..] = rest.get(extra..)? else { return None };
    let told = Told::named("ldap");
    Some(match code {
        0 => told,
        13 => Told { is_denied: true, ..told.note("wants TLS first") },
        code => {
            Told { is_denied: true, ..told.note(&format!("answered result {code} to an anonymous bind")) }
        }
    })
}

fn rdp(bytes: &[u8]) -> Option<Told> {
    matches!(bytes, [3, 0, _, _, _, 0xd0, ..]).then(|| Told::named("ms-wbt-server"))
}

/// The answer to a pre-login holds the version where its first option points.
fn ms_sql(bytes: &[u8]) -> Option<Told> {
    let [4, 1, _, _, _, _, _, _, payload @ ..] = bytes else { return None };
    let told = Told::named("ms-sql-s").product("Microsoft SQL Server");
    let version = || {
        let [0, high, low, _, _, ..] = payload else { return None };
        let at = usize::from(u16::from_be_bytes([*high, *low]));
        let [major, minor, b1, b0] = payload.get(at..)?.first_chunk::<4>()?;
        Some(format!("{major}.{minor}.{}", u16::from_be_bytes([*b1, *b0])))
    };
    Some(told.version(&version().unwrap_or_default()))
}

fn amqp(bytes: &[u8]) -> Option<Told> {
    let is_start = matches!(bytes, [1, 0, 0, _, _, _, _, 0, 10, 0, 10, ..]);
    if !is_start && !bytes.starts_with(b"AMQP") {
        return None;
    }
    let product = if contains(bytes, b"RabbitMQ") { "RabbitMQ" } else { "" };
    Some(Told::named("amqp").product(product))
}

/// An answer to `version.bind`, without the length that TCP puts before it.
pub(in crate::discovery) fn dns(bytes: &[u8]) -> Option<Told> {
    let [0x76, 0x67, flags, _, ..] = bytes else { return None };
    if flags & 0x80 == 0 {
        return None;
    }
    let told = Told::named("domain");
    let version = dns_text(bytes).unwrap_or_default();
    let (product, number) = divided(&version);
    Some(if product.starts_with(|c: char| c.is_ascii_digit()) {
        // BIND says its version alone.
        told.product("BIND").version(&version)
    } else {
        told.product(product).version(number)
    })
}

fn dns_text(bytes: &[u8]) -> Option<String> {
    let answers = u16::from_be_bytes(*bytes.get(6..)?.first_chunk()?);
    if answers == 0 {
        return None;
    }
    let question = "\u{7}version\u{4}bind\0".len() + 4;
    let answer = bytes.get(12 + question..)?;
    // The name is a pointer to the question, or stands there again.
    let name = if answer.first()? & 0xc0 == 0xc0 { 2 } else { question - 4 };
    let [0, 16, _, _, _, _, _, _, _, _, length, text @ ..] = answer.get(name..)? else { return None };
    Some(clean(text.get(..usize::from(*length))?, 60))
}

/// A server's answer to a client's packet.
pub(in crate::discovery) fn ntp(bytes: &[u8]) -> Option<Told> {
    let (first, stratum) = (bytes.first()?, bytes.get(1)?);
    (bytes.len() >= 48 && first & 0x07 == 4).then(|| Told::named("ntp").note(&format!("stratum {stratum}")))
}
