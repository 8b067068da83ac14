//! One request to another program's door, for messages: nothing is judged here. No redirects are followed, an
//! untrusted server is told nothing, and of the answer only the beginning is read.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;

use super::HTTP;
use super::exchange::exchange;
use super::look::{basic, percent_decoded};
use super::url::Url;
use crate::kind::{Call, Shared, Target};
use crate::net::{Failure, Trouble};
use crate::outcome::quoted_bytes;
use crate::resolve::IpFamily;
use crate::secure::Tls;

/// What is posted, and where.
#[derive(Clone, Debug)]
pub struct Post {
    pub url: String,
    /// Beat ours of the same name.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: String,
    /// One deadline for all of it.
    pub timeout: Duration,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// `HTTP/1.1 403 Forbidden`, harmless.
    pub status_line: String,
    /// As the server wrote it.
    pub retry_after: Option<String>,
    /// The beginning of it, harmless.
    pub body: String,
}

/// Of an answer: enough to say what was wrong.
const ANSWER_MAX: usize = 4096;
const SHOWN: usize = 300;

/// Posts it. The failure says in an administrator's words why there is no answer.
pub async fn post(post: &Post, shared: &Shared) -> Result<Reply, Failure> {
    let target = Target { address: "", timeout: post.timeout, is_host_check: false, verbose: false };
    let call = Call::new(&HTTP, &target, shared);
    match tokio::time::timeout_at(call.deadline, Box::pin(send(post, &call))).await {
        Ok(answered) => answered,
        Err(_elapsed) => Err(Failure::new(Trouble::Unreachable, call.waited_for())),
    }
}

async fn send(post: &Post, call: &Call<'_>) -> Result<Reply, Failure> {
    // The text itself may be a secret.
    let url = Url::parse(&post.url).map_err(|_why| Failure::new(Trouble::Local, "its `url` is no URL"))?;
    let mut connection = call.connect_to(&url.host, url.port(), IpFamily::Any).await?;
    if url.is_secure {
        let tls = Tls::on();
        connection.secure(call, &tls, &url.host, &["http/1.1"]).await?;
        if let Some(distrust) = connection.distrust(&tls) {
            call.close(connection).await;
            return Err(distrust);
        }
    }
    let answer = Box::pin(exchange(call, connection, request(post, &url)?, false, ANSWER_MAX)).await?;
    let retry_after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Ok(Reply {
        status: answer.status.as_u16(),
        retry_after: retry_after.map(str::to_owned),
        body: quoted_bytes(&answer.body, SHOWN),
        status_line: answer.status_line,
    })
}

fn request(post: &Post, url: &Url) -> Result<Request<Full<Bytes>>, Failure> {
    let broken = |what: &str| Failure::new(Trouble::Local, format!("the request cannot be made: {what}"));
    let body = Full::new(Bytes::from(post.body.clone()));
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(&url.path)
        .body(body)
        .map_err(|error| broken(&error.to_string()))?;
    let headers = request.headers_mut();
    let host = HeaderValue::from_str(&url.authority()).map_err(|_odd| broken("its host name is odd"))?;
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static("vigia"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(credentials) = url.userinfo.as_deref().and_then(|userinfo| basic(&percent_decoded(userinfo)))
    {
        headers.insert(AUTHORIZATION, credentials);
    }
    for (name, value) in &post.headers {
        let (name, value) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value));
        match (name, value) {
            (Ok(name), Ok(value)) => drop(headers.insert(name, value)),
            // Its value may be a secret.
            (Err(_), _) | (Ok(_), Err(_)) => return Err(broken("a header of the webhook is none")),
        }
    }
    Ok(request)
}
