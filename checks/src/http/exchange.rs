//! One request and its answer on one connection, with the time of each phase. No pool, no redirects, no opinion.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{CONTENT_ENCODING, LOCATION};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;

use crate::kind::{Call, Phase};
use crate::net::{Connection, Failure, Trouble, explain};
use crate::outcome::quoted_bytes;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `HTTP/1.1 403 Forbidden`, harmless.
    pub(super) status_line: String,
    pub(super) headers: HeaderMap,
    /// As sent, up to the limit.
    pub(super) body: Vec<u8>,
    /// The server had more to say.
    pub(super) is_cut: bool,
    /// Head and body, in bytes as HTTP/1.1 would write them.
    pub(super) size: u64,
    pub(super) first_byte: Duration,
    pub(super) transfer: Duration,
    /// The answer began and then broke off.
    pub(super) broken: Option<Failure>,
}

/// A head may be this large; real ones are under 8 KiB.
const HEAD_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 256;

/// Sends a request and reads the answer; of the body at most `max_bytes`.
pub(super) async fn exchange(
    call: &Call<'_>,
    connection: Connection,
    request: Request<Full<Bytes>>,
    is_http2: bool,
    max_bytes: usize,
) -> Result<Answer, Failure> {
    let io = TokioIo::new(connection);
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX));
        let (mut sender, driver) = builder.handshake(io).await.map_err(|error| explain_http(&error))?;
        return beside(async { read(call, sender.send_request(request), max_bytes).await }, driver).await;
    }
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX).title_case_headers(true);
    let (mut sender, driver) = builder.handshake(io).await.map_err(|error| explain_http(&error))?;
    beside(async { read(call, sender.send_request(request), max_bytes).await }, driver).await
}

/// Polls the connection's own work beside the exchange, in this task: nothing is spawned that could outlive the check.
async fn beside<T>(exchange: impl Future<Output = T>, driver: impl Future) -> T {
    match select(pin!(exchange), pin!(driver)).await {
        Either::Left((answer, _driver)) => answer,
        Either::Right((_ended, exchange)) => exchange.await,
    }
}

async fn read(
    call: &Call<'_>,
    answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    max_bytes: usize,
) -> Result<Answer, Failure> {
    let begun = Instant::now();
    let (head, mut incoming) = answer.await.map_err(|error| explain_http(&error))?.into_parts();
    let first_byte = begun.elapsed();
    call.enters(Phase::Rest);
    let status_line = status_line(&head);
    let mut body = Vec::new();
    let mut is_cut = false;
    let mut broken = None;
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                let room = max_bytes - body.len();
                body.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
                if data.len() > room {
                    is_cut = true;
                    break;
                }
            }
            Err(error) => {
                broken = Some(explain_http(&error));
                break;
            }
        }
    }
    let lines: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let size = u64::try_from(status_line.len() + 2 + lines + 2 + body.len()).unwrap_or(u64::MAX);
    Ok(Answer {
        status: head.status,
        status_line,
        headers: head.headers,
        body,
        is_cut,
        size,
        first_byte,
        transfer: begun.elapsed() - first_byte,
        broken,
    })
}

fn status_line(head: &http::response::Parts) -> String {
    let version = match head.version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    };
    let said = head.extensions.get::<ReasonPhrase>().map(|reason| quoted_bytes(reason.as_bytes(), 100));
    let reason = said.as_deref().or(head.status.canonical_reason()).unwrap_or_default();
    format!("{version} {} {reason}", head.status.as_str()).trim_end().to_owned()
}

impl Answer {
    pub(super) fn location(&self) -> Option<String> {
        self.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    pub(super) fn encoding(&self) -> &str {
        self.headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

const ENDED_EARLY: &str = "it ended the connection before the answer was complete";

/// What went wrong, in an administrator's words.
fn explain_http(error: &hyper::Error) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::UnexpectedEof {
                return Failure::new(Trouble::Closed, ENDED_EARLY);
            }
            let (trouble, reason) = explain(io);
            return Failure::new(trouble, format!("reading the answer: {reason}"));
        }
        cause = inner.source();
    }
    if error.is_parse_too_large() {
        Failure::new(
            Trouble::Garbage,
            format!("the header of the answer is larger than {} KiB", HEAD_MAX / 1024),
        )
    } else if error.is_parse() {
        Failure::new(Trouble::Garbage, format!("Invalid HTTP response received: {error}"))
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Failure::new(Trouble::Closed, format!("No data received from host: {ENDED_EARLY}"))
    } else {
        let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Failure::new(Trouble::Garbage, format!("{error}{why}"))
    }
}
