//! One look at a web server: requests, redirects with their trace, and the judgement with the texts of check_http.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONNECTION, DATE, HOST, LAST_MODIFIED, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method, Request, Version};
use http_body_util::Full;
use vigia_core::model::state::{Condition as _, State};

use super::body::{Decoded, decode};
use super::exchange::{Answer, exchange};
use super::url::Url;
use super::{Content, Http, HttpVersion, Redirects};
use crate::cert::Verdict;
use crate::kind::{Call, Probe};
use crate::net::{Connection, Failure, Times, Trouble};
use crate::outcome::{Outcome, judge_time, push_seconds, quoted_bytes};
use crate::secure::{Tls, weigh};

impl Probe for Http {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.look(call).await {
                Ok(outcome) => outcome,
                Err(stop) => *stop,
            }
        })
    }
}

/// What is gathered on the way from the first request to the last answer.
#[derive(Default)]
struct Walk {
    trace: Vec<String>,
    times: Times,
    first_byte: Duration,
    transfer: Duration,
    verdict: Option<Verdict>,
}

/// An early end of the check with its outcome.
type Stop = Box<Outcome>;

impl Http {
    async fn look(&self, call: &Call<'_>) -> Result<Outcome, Stop> {
        let mut url = self.url.clone();
        if url.host.is_empty() {
            url.host =
                self.endpoint.address(call).trim().trim_start_matches('[').trim_end_matches(']').to_owned();
        }
        let start = url.clone();
        let credentials = self.credentials(call)?;
        let mut walk = Walk::default();
        let mut method = self.method.clone();
        loop {
            let is_start = walk.trace.is_empty();
            // Name and password belong to the site they were given for, and to no other that it points at.
            let credentials = credentials.as_ref().filter(|_| url.has_same_host(&start));
            let connection = self
                .connect(call, &url, &start, &mut walk)
                .await
                .map_err(|failure| fail(failure, call, &walk))?;
            if self.certificate_only {
                return Ok(certificate_only(call, &connection, &walk));
            }
            let is_confidential =
                credentials.is_some() || self.headers.iter().any(|(name, _)| name == AUTHORIZATION);
            if let Some(distrust) = connection.distrust(&self.tls).filter(|_| is_confidential) {
                let stop = fail(distrust, call, &walk);
                call.close(connection).await;
                return Err(stop);
            }
            let is_http2 = self.is_http2(&connection).map_err(|failure| fail(failure, call, &walk))?;
            let request = self
                .request(&url, &method, credentials, is_http2, is_start)
                .map_err(|failure| fail(failure, call, &walk))?;
            let max_bytes = if self.no_body { 0 } else { self.content.max_size };
            let answer = Box::pin(exchange(call, connection, request, is_http2, max_bytes)).await;
            let answer = answer.map_err(|failure| fail(failure, call, &walk))?;
            walk.first_byte += answer.first_byte;
            walk.transfer += answer.transfer;
            call.note(|| format!("{} from {url}, {} bytes", answer.status_line, answer.size));
            let next = answer.location().filter(|_| self.follows(&answer));
            let Some(location) = next else {
                return Ok(self.judge(call, &url, &answer, walk));
            };
            url = self.hop(call, &url, &location, &answer, &mut walk)?;
            // As browsers do: what was sent is not sent again unless the server insists (307, 308).
            if !matches!(answer.status.as_u16(), 307 | 308) && method != Method::HEAD {
                method = Method::GET;
            }
        }
    }

    fn follows(&self, answer: &Answer) -> bool {
        let is_expected = self.expect.as_ref().is_some_and(|expect| expect.holds(answer));
        self.redirects == Redirects::Follow
            && !is_expected
            && matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308)
    }

    fn hop(
        &self,
        call: &Call<'_>,
        url: &Url,
        location: &str,
        answer: &Answer,
        walk: &mut Walk,
    ) -> Result<Url, Stop> {
        let refuse = |why: String, walk: &Walk| {
            Err(Box::new(
                Outcome::critical(format!("HTTP CRITICAL: {} - {why}", answer.status_line)).long(&walk.trace),
            ))
        };
        let next = match url.join(location) {
            Ok(next) => next,
            Err(why) => return refuse(format!("the redirect leads nowhere: {why}"), walk),
        };
        walk.trace.push(format!("{} {url} -> {next}", answer.status.as_str()));
        call.note(|| format!("redirected to {next}"));
        if walk.trace.len() > usize::try_from(self.max_redirects).unwrap_or(usize::MAX) {
            return refuse(
                format!("maximum redirection depth {} exceeded - {next}", self.max_redirects),
                walk,
            );
        }
        if next == *url {
            return refuse(format!("redirection creates an infinite loop - {next}"), walk);
        }
        Ok(next)
    }

    fn credentials(&self, call: &Call<'_>) -> Result<Option<HeaderValue>, Stop> {
        match (&self.user, &self.url.userinfo) {
            (Some((user, secret)), _) => {
                let password =
                    secret.as_ref().map(|secret| call.reveal(secret)).transpose()?.unwrap_or_default();
                Ok(basic(&format!("{user}:{password}")))
            }
            (None, Some(userinfo)) => Ok(basic(&percent_decoded(userinfo))),
            (None, None) => Ok(None),
        }
    }

    /// Connects to the checked host, or to wherever a redirect led, perhaps through a proxy; TLS included.
    async fn connect(
        &self,
        call: &Call<'_>,
        url: &Url,
        start: &Url,
        walk: &mut Walk,
    ) -> Result<Connection, Failure> {
        let family = self.endpoint.family;
        let mut connection = match &self.proxy {
            Some(proxy) => {
                let mut connection = call.connect_to(&proxy.host, proxy.port(), family).await?;
                if url.is_secure {
                    tunnel(&mut connection, url, proxy).await?;
                }
                connection
            }
            // Redirects within the site stay on the machine that is being checked.
            None if url.has_same_host(start) => {
                let address = self.endpoint.address(call);
                let address = if address.is_empty() { url.host.as_str() } else { address };
                call.connect_to(address, url.port(), family).await?
            }
            None => call.connect_to(&url.host, url.port(), family).await?,
        };
        if url.is_secure {
            let protocols: &[&str] = match self.version {
                HttpVersion::Auto => &["h2", "http/1.1"],
                HttpVersion::V10 | HttpVersion::V11 => &["http/1.1"],
                HttpVersion::V2 => &["h2"],
            };
            let tls =
                if url.has_same_host(start) { &self.tls } else { &Tls { name: None, ..self.tls.clone() } };
            connection.secure(call, tls, &url.host, protocols).await?;
            walk.verdict = worse(walk.verdict.take(), connection.verdict(tls));
        }
        walk.times.resolve += connection.times.resolve;
        walk.times.connect += connection.times.connect;
        walk.times.tls += connection.times.tls;
        Ok(connection)
    }

    fn is_http2(&self, connection: &Connection) -> Result<bool, Failure> {
        let chosen = connection.session.as_ref().map(|session| session.alpn.as_deref() == Some(b"h2"));
        match (self.version, chosen) {
            (HttpVersion::Auto, chosen) => Ok(chosen == Some(true)),
            (HttpVersion::V10 | HttpVersion::V11, _) => Ok(false),
            (HttpVersion::V2, Some(false)) => {
                Err(Failure::new(Trouble::Tls, "the server does not offer HTTP/2"))
            }
            // Without TLS both sides have to know beforehand.
            (HttpVersion::V2, Some(true) | None) => Ok(true),
        }
    }

    fn request(
        &self,
        url: &Url,
        method: &Method,
        credentials: Option<&HeaderValue>,
        is_http2: bool,
        is_start: bool,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let is_absolute = is_http2 || (self.proxy.is_some() && !url.is_secure);
        let target = if is_absolute { url.to_string() } else { url.path.clone() };
        let sends_body = self.body.as_ref().filter(|_| method == self.method);
        let body = sends_body.cloned().map_or_else(Full::default, Full::new);
        let broken = |error: &dyn std::fmt::Display| {
            Failure::new(Trouble::Local, format!("the request cannot be made: {error}"))
        };
        let mut request =
            Request::builder().method(method).uri(target).body(body).map_err(|error| broken(&error))?;
        if self.version == HttpVersion::V10 {
            *request.version_mut() = Version::HTTP_10;
        }
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if !is_http2 {
            let own = self.host_header.as_ref().filter(|_| is_start).cloned();
            let host = own
                .map_or_else(|| HeaderValue::from_str(&url.authority()), Ok)
                .map_err(|error| broken(&error))?;
            headers.entry(HOST).or_insert(host);
            headers.entry(CONNECTION).or_insert(const { HeaderValue::from_static("close") });
        }
        if let Some(credentials) = credentials {
            headers.insert(AUTHORIZATION, credentials.clone());
        }
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !url.is_secure)
            && let Some(value) =
                proxy.userinfo.as_deref().and_then(|userinfo| basic(&percent_decoded(userinfo)))
        {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn judge(&self, call: &Call<'_>, url: &Url, answer: &Answer, walk: Walk) -> Outcome {
        let took = call.elapsed();
        let mut complaints: Vec<String> = Vec::new();
        let is_expected = self.expect.as_ref().is_none_or(|expect| expect.holds(answer));
        let mut state = if is_expected { self.judge_status(answer) } else { State::Critical };
        let mut raise = |to: State| {
            if to.severity() > state.severity() {
                state = to;
            }
        };
        if let Some(broken) = &answer.broken {
            raise(broken.state());
            complaints.push(broken.text.clone());
        }
        raise(self.content.judge(url, answer, &mut complaints));
        raise(judge_time(took, self.warn, self.crit));
        let (colon, mut text) = if is_expected {
            (":", answer.status_line.clone())
        } else {
            let (port, line) = (url.port(), &answer.status_line);
            (" -", format!("Invalid HTTP response received from host on port {port}: {line}"))
        };
        if !complaints.is_empty() {
            let _infallible = write!(text, " - {}", complaints.join(", "));
        }
        let seconds = took.as_secs_f64();
        let _infallible = write!(text, " - {} bytes in {seconds:.3} second response time", answer.size);
        let state = weigh(state, &mut text, walk.verdict.as_ref());
        let perfdata = self.perfdata(call, answer, &walk, took);
        let mut lines = walk.trace;
        lines.extend(walk.verdict.map(|verdict| verdict.notes).unwrap_or_default());
        Outcome::new(state, format!("HTTP {}{colon} {text}", state.word())).perfdata(perfdata).long(&lines)
    }

    fn judge_status(&self, answer: &Answer) -> State {
        if self.expect.is_some() {
            return State::Ok;
        }
        match answer.status.as_u16() {
            200..=299 => State::Ok,
            300..=399 => match self.redirects {
                Redirects::Ok | Redirects::Follow => State::Ok,
                Redirects::Warning => State::Warning,
                Redirects::Critical => State::Critical,
            },
            400..=499 => State::Warning,
            _ => State::Critical,
        }
    }

    fn perfdata(&self, call: &Call<'_>, answer: &Answer, walk: &Walk, took: Duration) -> String {
        let max = call.target.timeout;
        let mut perfdata = String::with_capacity(256);
        push_seconds(&mut perfdata, "time", took, self.warn, self.crit, max);
        let min = self.content.min_size.map(|size| size.to_string()).unwrap_or_default();
        let _infallible = write!(perfdata, " size={}B;{min};;0", answer.size);
        let mut phase = |label, span| push_seconds(&mut perfdata, label, span, None, None, max);
        if !walk.times.resolve.is_zero() {
            phase("time_resolve", walk.times.resolve);
        }
        phase("time_connect", walk.times.connect);
        if walk.verdict.is_some() {
            phase("time_ssl", walk.times.tls);
        }
        phase("time_firstbyte", walk.first_byte);
        phase("time_transfer", walk.transfer);
        perfdata
    }
}

impl Content {
    /// Whether head and body are what was wanted; complaints as check_http words them.
    fn judge(&self, url: &Url, answer: &Answer, complaints: &mut Vec<String>) -> State {
        let mut state = State::Ok;
        let mut complain = |to: State, text: String| {
            complaints.push(text);
            if to.severity() > state.severity() {
                state = to;
            }
        };
        for text in self.header_contains.iter().filter(|text| !head_holds(answer, text)) {
            let shown = quoted_bytes(text.as_bytes(), 60);
            complain(State::Critical, format!("header '{shown}' not found on '{url}'"));
        }
        let needs_body = !self.contains.is_empty() || self.regex.is_some() || self.not_regex.is_some();
        if needs_body {
            self.judge_body(url, answer, &mut complain);
        }
        if self.min_size.is_some_and(|min| answer.size < min) {
            complain(State::Warning, format!("page size {} too small", answer.size));
        }
        let is_larger = answer.is_cut || usize::try_from(answer.size).is_ok_and(|size| size > self.max_size);
        if self.limits_size && is_larger {
            complain(State::Warning, format!("page size {} too large", answer.size));
        }
        if let Some(max) = self.max_age {
            match age(answer) {
                Some(age) if age > max => {
                    complain(State::Critical, format!("Document modified {} seconds ago", age.as_secs()));
                }
                Some(_) => {}
                None => complain(State::Critical, "Document modification date unknown".to_owned()),
            }
        }
        state
    }

    fn judge_body(&self, url: &Url, answer: &Answer, complain: &mut impl FnMut(State, String)) {
        let unpacked: Decoded;
        let (body, is_cut) = if answer.encoding().is_empty() {
            (answer.body.as_slice(), answer.is_cut)
        } else {
            unpacked = decode(answer.encoding(), answer.body.clone(), self.max_size.saturating_mul(4));
            // What was cut in the middle cannot be unpacked to its end: that is no fault of the server.
            if let Some(problem) = unpacked.problem.as_ref().filter(|_| !answer.is_cut) {
                complain(State::Critical, problem.clone());
            }
            (unpacked.bytes.as_slice(), answer.is_cut || unpacked.is_cut)
        };
        let cut = if is_cut { format!(" in the first {} bytes", body.len()) } else { String::new() };
        for text in &self.contains {
            if !holds(body, text.as_bytes()) {
                let shown = quoted_bytes(text.as_bytes(), 60);
                complain(State::Critical, format!("string '{shown}' not found{cut} on '{url}'"));
            }
        }
        if self.regex.as_ref().is_some_and(|pattern| !pattern.0.is_match(body)) {
            complain(State::Critical, format!("pattern not found{cut}"));
        }
        if self.not_regex.as_ref().is_some_and(|pattern| pattern.0.is_match(body)) {
            complain(State::Critical, "pattern found".to_owned());
        }
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|part| part == text)
}

fn head_holds(answer: &Answer, text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let line = |name: &http::HeaderName, value: &HeaderValue| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.contains(text) || format!("{name}: {value}").to_ascii_lowercase().contains(&lower)
    };
    answer.status_line.contains(text) || answer.headers.iter().any(|(name, value)| line(name, value))
}

/// How old the document is by the server's own clock.
fn age(answer: &Answer) -> Option<Duration> {
    let read = |name| {
        let text = answer.headers.get(name)?.to_str().ok()?;
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
    };
    let (date, modified) = (read(DATE)?, read(LAST_MODIFIED)?);
    Some(Duration::from_secs(u64::try_from(date.as_second() - modified.as_second()).unwrap_or(0)))
}

fn certificate_only(call: &Call<'_>, connection: &Connection, walk: &Walk) -> Outcome {
    let Some(verdict) = &walk.verdict else {
        return Outcome::unknown("HTTP UNKNOWN - there is no certificate without TLS");
    };
    let protocol = connection.session.as_ref().map_or("", |session| session.protocol);
    let mut perfdata = String::new();
    push_seconds(&mut perfdata, "time", call.elapsed(), None, None, call.target.timeout);
    Outcome::new(verdict.state, format!("SSL {} - {} ({protocol})", verdict.state.word(), verdict.text))
        .perfdata(perfdata)
        .long(&verdict.notes)
}

fn fail(failure: Failure, call: &Call<'_>, walk: &Walk) -> Stop {
    Box::new(failure.outcome(call).long(&walk.trace))
}

fn worse(a: Option<Verdict>, b: Option<Verdict>) -> Option<Verdict> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.state.severity() >= a.state.severity() { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Asks a proxy for a connection to the site.
async fn tunnel(connection: &mut Connection, url: &Url, proxy: &Url) -> Result<(), Failure> {
    const LINES_MAX: usize = 100;
    let place = format!("{}:{}", super::url::bracketed(&url.host), url.port());
    let credentials = proxy.userinfo.as_deref().and_then(|userinfo| basic(&percent_decoded(userinfo)));
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(credentials) = credentials.as_ref().and_then(|value| value.to_str().ok()) {
        let _infallible = write!(request, "Proxy-Authorization: {credentials}\r\n");
    }
    request.push_str("\r\n");
    connection.send(request.as_bytes()).await?;
    let ended = || Failure::new(Trouble::Closed, "the proxy ended the connection");
    let status = connection.read_line(crate::net::LINE_MAX).await?.ok_or_else(ended)?;
    for _ in 0..LINES_MAX {
        if connection.read_line(crate::net::LINE_MAX).await?.ok_or_else(ended)?.is_empty() {
            let said = String::from_utf8_lossy(&status);
            let is_open = said.starts_with("HTTP/1.")
                && said.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
            let refusal = || {
                Failure::new(Trouble::Garbage, format!("the proxy refused: {}", quoted_bytes(&status, 200)))
            };
            return if is_open { Ok(()) } else { Err(refusal()) };
        }
    }
    Err(Failure::new(Trouble::Garbage, "the proxy's answer has no end"))
}

pub(super) fn basic(user_and_password: &str) -> Option<HeaderValue> {
    let encoded = openssl::base64::encode_block(user_and_password.as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |byte: Option<&u8>| {
            byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
        };
        match (first, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
