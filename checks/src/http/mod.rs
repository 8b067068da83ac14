//! `http` and `https`: what a web server answers, on HTTP/1.1 and 2.
//!
//! Here the declaration; `look` does the requests and judges, `exchange` is one request on one connection.

mod body;
mod exchange;
mod look;
mod send;
mod url;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use crate::kind::{Extra, Kind, Probe, Settings, Short};
use crate::net::{self, Endpoint};
use crate::options::{
    Choice, Given, Headers, Node, Opt, OptionType, Pattern, Reader, Secret, Shape, Size, Texts, Threshold,
    Value,
};
use crate::secure::{TLS, Tls, TlsMode};
use crate::tcp::certificate_days;
use exchange::Answer;
pub use send::{Post, Reply, post};
use url::Url;

pub(crate) const HTTP: Kind = Kind {
    name: "http",
    label: "HTTP",
    summary: "a web server answers a request with the right status and content, in time",
    options: &[OPTIONS, net::TIME, &[TLS_OFF]],
    short: Short::Text(path_or_url),
    examples: &[
        "-H www.example.test -w 0.8 -c 3",
        "-H www.example.test -I 192.0.2.10 -p 8080 -u /health -e 200,403",
        "https://www.example.test/shop -f follow -s 'Add to cart' -C 30,14",
    ],
    yaml: "HTTP:\n  http: {path: /health, expect: [200], warn: 800ms, crit: 3s}\nshop: https://shop.example.test/health",
    trace: Some("a request with the user agent `vigia`"),
    extras: EXTRAS,
    decode,
};

pub(crate) const HTTPS: Kind = Kind {
    name: "https",
    summary: "the same with TLS, certificates judged",
    options: &[OPTIONS, net::TIME, &[TLS_ON]],
    examples: &[
        "-H www.example.test -w 0.8 -c 3",
        "-H www.example.test -I 192.0.2.10 -C 30,14",
        "-H intranet -p 8443 --tls-ca /etc/ssl/our-ca.pem -r 'version [0-9]+'",
    ],
    yaml: "HTTPS:\n  https: {path: /login, redirects: follow, contains: Password, tls: {warn: 30d, crit: 7d}}",
    ..HTTP
};

/// `-S` takes a version here.
const TLS_OFF: Opt = TLS.sets(&[]);
const TLS_ON: Opt = TLS_OFF.default("on");

const OPTIONS: &[Opt] = &[
    Opt::new::<String>("address", "connect to this address or name instead of the host's")
        .flags("-I --IP-address"),
    net::IP,
    Opt::new::<u16>("port", "the port, when it is not the usual one").flags("-p"),
    Opt::new::<Url>(
        "url",
        "what to ask for; its host is the one asked for (`host`), its scheme decides on TLS",
    ),
    Opt::new::<String>("path", "what to ask for").default("/"),
    Opt::new::<String>("host", "the name of the site (`Host`, SNI) when it is not the address")
        .flags("-H --hostname --vhost"),
    Opt::new::<String>("method", "GET, HEAD, POST, …").default("GET").flags("-j"),
    Opt::new::<Headers>("headers", "further headers of the request").flags("-k --header"),
    Opt::new::<String>("body", "what to send; the method is then POST unless another is named")
        .flags("-P --post"),
    Opt::new::<String>("content_type", "of what is sent")
        .default("application/x-www-form-urlencoded")
        .flags("-T"),
    Opt::new::<String>("user_agent", "how we name ourselves").default("vigia").flags("-A --useragent"),
    Opt::new::<String>("user", "for basic authentication"),
    Opt::new::<Secret>("password", "for basic authentication"),
    Opt::new::<StatusList>(
        "expect",
        "statuses that are OK (200, 4xx, or part of the status line); all others are CRITICAL",
    )
    .flags("-e"),
    Opt::new::<Redirects>("redirects", "what a redirect means").default("ok"),
    Opt::new::<u32>("max_redirects", "redirects to follow before it is a loop")
        .default("10")
        .flags("--max-redirs"),
    Opt::new::<Texts>("contains", "texts that the body must hold").flags("-s --string"),
    Opt::new::<Texts>("header_contains", "texts that the head of the answer must hold")
        .flags("-d --header-string"),
    Opt::new::<Pattern>("regex", "what the body must match").flags("-r --ereg"),
    Opt::new::<Pattern>("not_regex", "what the body must not match"),
    Opt::new::<bool>("linespan", "`.` in the regular expressions takes line ends too")
        .default("off")
        .sets(&[("-l --linespan", "on")]),
    Opt::new::<bool>("invert_regex", "`regex` must not match, as `not_regex`")
        .default("off")
        .sets(&[("--invert-regex", "on")]),
    Opt::new::<Size>("min_size", "a smaller answer (head and body) is WARNING"),
    Opt::new::<Size>("max_size", "a larger answer is WARNING; not given: so much is read of it")
        .default("1MiB"),
    Opt::new::<Duration>("max_age", "a document that was changed longer ago is CRITICAL")
        .flags("-M --max-age"),
    Opt::new::<HttpVersion>("version", "auto takes 2 where the server offers it")
        .default("auto")
        .flags("--http-version"),
    Opt::new::<Url>("proxy", "ask through this proxy (http://…)"),
    Opt::new::<bool>("no_body", "only the head is awaited").default("off").sets(&[("-N --no-body", "on")]),
    Opt::new::<bool>("certificate_only", "only the certificate is judged, nothing is asked for")
        .default("off"),
];

const EXTRAS: &[Extra] = &[
    Extra {
        flags: "-u --url --uri",
        value: "PATH|URL",
        help: "what to ask for",
        covers: &["url", "path"],
        apply: |text| Ok(vec![(path_or_url(text), text.to_owned())]),
    },
    Extra {
        flags: "-S --ssl",
        value: "[VERSION]",
        help: "with TLS, of at least this version",
        covers: &[],
        apply: ssl,
    },
    Extra {
        flags: "-C --certificate",
        value: "WARN[,CRIT]",
        help: "only the certificate: days it must still live",
        covers: &["certificate_only"],
        apply: |text| {
            let mut set = certificate_days(text)?;
            set.push(("certificate_only", "on".to_owned()));
            Ok(set)
        },
    },
    Extra {
        flags: "--continue-after-certificate",
        value: "",
        help: "after -C: the page too",
        covers: &[],
        apply: |_| Ok(vec![("certificate_only", "off".to_owned())]),
    },
    Extra {
        flags: "-a --authorization",
        value: "USER:PASSWORD",
        help: "basic authentication",
        covers: &["user", "password"],
        apply: |text| {
            let (user, password) = text.split_once(':').ok_or("USER:PASSWORD is wanted")?;
            Ok(vec![("user", user.to_owned()), ("password", password.to_owned())])
        },
    },
    Extra {
        flags: "-f --onredirect",
        value: "ok|follow|…",
        help: "what a redirect means",
        covers: &["redirects"],
        apply: on_redirect,
    },
    Extra {
        flags: "-R --eregi",
        value: "REGEX",
        help: "as -r, ignoring case",
        covers: &[],
        apply: |text| Ok(vec![("regex", format!("(?i){text}"))]),
    },
    Extra {
        flags: "-m --pagesize",
        value: "MIN[:MAX]",
        help: "bytes; outside is WARNING",
        covers: &["min_size", "max_size"],
        apply: page_size,
    },
    Extra {
        flags: "-L --link",
        value: "",
        help: "accepted; the output is text",
        covers: &[],
        apply: |_| Ok(Vec::new()),
    },
    Extra { flags: "--sni", value: "", help: "always on for names", covers: &[], apply: |_| Ok(Vec::new()) },
    Extra {
        flags: "-D --verify-cert",
        value: "",
        help: "on already; off by --tls-verify off",
        covers: &[],
        apply: |_| Ok(vec![("tls.verify", "on".to_owned())]),
    },
    Extra {
        flags: "-E --extended-perfdata",
        value: "",
        help: "always on",
        covers: &[],
        apply: |_| Ok(Vec::new()),
    },
];

fn path_or_url(text: &str) -> &'static str {
    if text.contains("://") && !text.starts_with('/') { "url" } else { "path" }
}

/// `-S`, `-S 1.2`, `-S1.2+`: monitoring-plugins take the version attached.
fn ssl(text: &str) -> Result<Settings, String> {
    let mut set = vec![("tls.mode", "on".to_owned())];
    let version = text.trim_end_matches('+');
    match version {
        "" => {}
        "1" => set.push(("tls.min", "1.0".to_owned())),
        "1.0" | "1.1" | "1.2" | "1.3" => set.push(("tls.min", version.to_owned())),
        _ => return Err(format!("`{text}` is no version of TLS; 1.2 or 1.3 are usual")),
    }
    Ok(set)
}

fn on_redirect(text: &str) -> Result<Settings, String> {
    let word = match text {
        // One machine is checked either way: what stays on the host stays on its address.
        "follow" | "sticky" | "stickyport" | "curl" => "follow",
        "ok" | "warning" | "critical" => text,
        "warn" => "warning",
        "crit" => "critical",
        _ => return Err(format!("`{text}` is none of ok, follow, warning, critical")),
    };
    Ok(vec![("redirects", word.to_owned())])
}

fn page_size(text: &str) -> Result<Settings, String> {
    let (min, max) = text.split_once(':').unwrap_or((text, ""));
    let mut set = vec![("min_size", min.to_owned())];
    if !max.is_empty() {
        set.push(("max_size", max.to_owned()));
    }
    Ok(set)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redirects {
    Ok,
    Follow,
    Warning,
    Critical,
}

impl Choice for Redirects {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ok", Self::Ok),
        ("follow", Self::Follow),
        ("warning", Self::Warning),
        ("critical", Self::Critical),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HttpVersion {
    Auto,
    V10,
    V11,
    V2,
}

impl Choice for HttpVersion {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("1.0", Self::V10), ("1.1", Self::V11), ("2", Self::V2)];
}

/// Statuses that are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StatusList(Vec<Expected>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Code(u16),
    /// `4xx`.
    Class(u16),
    /// A part of the status line.
    Line(String),
}

impl StatusList {
    fn holds(&self, answer: &Answer) -> bool {
        let status = answer.status.as_u16();
        self.0.iter().any(|expected| match expected {
            Expected::Code(code) => *code == status,
            Expected::Class(class) => *class == status / 100,
            Expected::Line(text) => answer.status_line.contains(text.as_str()),
        })
    }
}

impl OptionType for StatusList {
    const SHAPE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let texts: Vec<String> = match &value.node {
            Node::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Node::List(_) | Node::Null | Node::Map(_) => {
                let texts = Texts::read(value, reader)?.0;
                texts.iter().flat_map(|text| text.split(',')).map(|part| part.trim().to_owned()).collect()
            }
        };
        let mut expected = Vec::new();
        for text in texts {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let class = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
            match (class, text.parse::<u16>()) {
                (Some(class @ 1..=5), _) => expected.push(Expected::Class(class)),
                (None, Ok(code @ 100..=599)) if is_number => expected.push(Expected::Code(code)),
                (None, _) if !is_number && !text.is_empty() => expected.push(Expected::Line(text)),
                _ => {
                    reader.wrong_with_hint(value.mark, format!("`{text}` is no HTTP status"), "`[200, 4xx]`");
                    return None;
                }
            }
        }
        Some(Self(expected))
    }
}

#[derive(Debug)]
struct Http {
    endpoint: Endpoint,
    /// Its host may be empty: the target's address.
    url: Url,
    /// `Host` as written, when it is not the URL's.
    host_header: Option<HeaderValue>,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
    user: Option<(String, Option<Secret>)>,
    expect: Option<StatusList>,
    redirects: Redirects,
    max_redirects: u32,
    content: Content,
    version: HttpVersion,
    proxy: Option<Url>,
    no_body: bool,
    certificate_only: bool,
    tls: Tls,
    warn: Option<Threshold>,
    crit: Option<Threshold>,
}

/// What is wanted of the answer beside its status.
#[derive(Debug)]
struct Content {
    contains: Vec<String>,
    header_contains: Vec<String>,
    regex: Option<Pattern>,
    not_regex: Option<Pattern>,
    min_size: Option<u64>,
    /// Of the body; not read beyond.
    max_size: usize,
    /// Whether somebody asked for `max_size`: more is then a WARNING.
    limits_size: bool,
    max_age: Option<Duration>,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let mut tls: Tls = given.get("tls");
    let (url, host_header) = target_url(given, &tls, reader)?;
    tls.mode = if url.is_secure { TlsMode::On } else { TlsMode::Off };
    let text: Option<String> = given.find("body");
    let method = match (&text, given.written("method")) {
        (Some(_), None) => Method::POST,
        _ => method(given, reader)?,
    };
    let mut headers = given.find::<Headers>("headers").unwrap_or_default().0;
    add_header(&mut headers, http::header::USER_AGENT, "user_agent", given, reader);
    if text.is_some() {
        add_header(&mut headers, http::header::CONTENT_TYPE, "content_type", given, reader);
    }
    let proxy: Option<Url> = given.find("proxy");
    if proxy.as_ref().is_some_and(|proxy| proxy.is_secure) {
        reader.wrong_with_hint(given.mark("proxy"), "proxies are spoken to without TLS", "`http://…`");
    }
    let user = given.find::<String>("user").map(|user| (user, given.find::<Secret>("password")));
    if user.is_none() && given.written("password").is_some() {
        reader.wrong_with_hint(given.mark("password"), "`password` without `user`", "name the user too");
    }
    Some(Box::new(Http {
        endpoint: Endpoint::read(given),
        url,
        host_header,
        method,
        headers,
        body: text.map(Bytes::from),
        user,
        expect: given.find("expect"),
        redirects: given.get("redirects"),
        max_redirects: given.get::<u32>("max_redirects").min(100),
        content: content(given),
        version: given.get("version"),
        proxy,
        no_body: given.get("no_body"),
        certificate_only: given.get("certificate_only"),
        tls,
        warn: given.find("warn"),
        crit: given.find("crit"),
    }))
}

fn content(given: &Given) -> Content {
    let inverts: bool = given.get("invert_regex");
    let spans: bool = given.get("linespan");
    let pattern = |name| {
        given.find::<Pattern>(name).map(|pattern| if spans { pattern.spanning_lines() } else { pattern })
    };
    let regex = pattern("regex");
    let (regex, inverted) = if inverts { (None, regex) } else { (regex, None) };
    Content {
        contains: given.find::<Texts>("contains").unwrap_or_default().0,
        header_contains: given.find::<Texts>("header_contains").unwrap_or_default().0,
        regex,
        not_regex: pattern("not_regex").or(inverted),
        min_size: given.find::<Size>("min_size").map(|size| size.0),
        // A bound of ours on top: a check is no download.
        max_size: usize::try_from(given.get::<Size>("max_size").0.min(256 << 20)).unwrap_or(1 << 20),
        limits_size: given.written("max_size").is_some(),
        max_age: given.find("max_age"),
    }
}

fn method(given: &Given, reader: &mut Reader) -> Option<Method> {
    let text: String = given.get("method");
    let method = Method::from_bytes(text.as_bytes())
        .ok()
        .filter(|_| !text.bytes().any(|byte| byte.is_ascii_lowercase()));
    if method.is_none() || method == Some(Method::CONNECT) {
        reader.wrong_with_hint(
            given.mark("method"),
            format!("`{text}` is no method for this"),
            "GET, HEAD, POST, in capitals",
        );
        return None;
    }
    method
}

/// Puts an option into a header, unless the user wrote that header.
fn add_header(
    headers: &mut Vec<(HeaderName, HeaderValue)>,
    name: HeaderName,
    option: &str,
    given: &Given,
    reader: &mut Reader,
) {
    match HeaderValue::from_str(&given.get::<String>(option)) {
        Ok(_) if headers.iter().any(|(written, _)| *written == name) => {}
        Ok(value) => headers.push((name, value)),
        Err(_control) => reader.wrong(given.mark(option), format!("`{option}` holds a control character")),
    }
}

/// The URL to begin with, and `Host` where it says something else than the URL.
fn target_url(given: &Given, tls: &Tls, reader: &mut Reader) -> Option<(Url, Option<HeaderValue>)> {
    let host: Option<String> = given.find("host");
    let port: Option<u16> = given.find("port");
    if tls.mode == TlsMode::StartTls {
        reader.wrong_with_hint(given.mark("tls"), "HTTP has no STARTTLS", "`tls: on`");
    }
    let mut url = match given.find::<Url>("url") {
        Some(url) => {
            if given.written("path").is_some() {
                reader.wrong_with_hint(
                    given.mark("path"),
                    "`path` beside `url`",
                    "put the path into the URL",
                );
            }
            url
        }
        None => Url {
            is_secure: tls.mode != TlsMode::Off,
            host: String::new(),
            port: None,
            path: url::clean_path(&given.get::<String>("path")),
            userinfo: None,
        },
    };
    let mut header = None;
    if let Some(host) = &host {
        match url::host_and_port(host) {
            // The port in `-H web1:8080` is that of the `Host` header; where to connect is `port`'s business.
            Ok((name, in_host)) => {
                let written = if in_host.is_some() { host.clone() } else { url::bracketed(&name) };
                header = HeaderValue::from_str(&written).ok().filter(|_| in_host.is_some());
                url.host = name;
                url.port = port.or(in_host).or(url.port);
            }
            Err(why) => {
                reader.wrong(given.mark("host"), why);
                return None;
            }
        }
    }
    url.port = port.or(url.port);
    Some((url, header))
}
