//! For the tests of this crate: a check decoded as from a file and run once, and peers that do as they are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use vigia_core::model::check::BuiltInCheck;

use crate::options::{Entry, Mark, Value};
use crate::{Kind, Outcome, Shared, Target, run};

/// A text, a list or a map of options, for tests to write them briefly.
pub(crate) fn map(entries: &[(&str, Value)]) -> Value {
    let entry =
        |(key, value): &(&str, Value)| Entry { key: (*key).to_owned(), mark: Mark(1), value: value.clone() };
    Value::map(entries.iter().map(entry).collect(), Mark(1))
}

pub(crate) fn text(text: impl ToString) -> Value {
    Value::text(text.to_string(), Mark(1))
}

pub(crate) fn list(items: &[&str]) -> Value {
    Value::list(items.iter().map(text).collect(), Mark(1))
}

pub(crate) fn decoded(kind: &'static Kind, options: &[(&str, Value)]) -> Arc<dyn BuiltInCheck> {
    let decoded = kind.decode(&map(options));
    decoded.check.unwrap_or_else(|| panic!("{:?}", decoded.problems))
}

/// The messages about options that are refused.
pub(crate) fn refusals(kind: &'static Kind, options: &[(&str, Value)]) -> Vec<String> {
    let decoded = kind.decode(&map(options));
    assert!(decoded.check.is_none());
    decoded.problems.into_iter().map(|problem| problem.message).collect()
}

pub(crate) fn shared() -> Shared {
    Shared::new(Arc::new(|secret| match secret {
        crate::options::Secret::Literal(text) => Ok(text.clone()),
        other => Err(format!("no such secret: {other:?}")),
    }))
}

pub(crate) fn loopback() -> Target<'static> {
    Target { address: "127.0.0.1", timeout: Duration::from_secs(5), is_host_check: false, verbose: true }
}

/// Runs a check against this machine.
pub(crate) async fn look(kind: &'static Kind, options: &[(&str, Value)]) -> Outcome {
    run(&*decoded(kind, options), &loopback(), &shared()).await
}

/// The same for a peer that never answers: the check is given up soon.
pub(crate) async fn look_briefly(kind: &'static Kind, options: &[(&str, Value)]) -> Outcome {
    let target = Target { timeout: Duration::from_millis(300), ..loopback() };
    run(&*decoded(kind, options), &target, &shared()).await
}

/// A server for one connection; its port.
pub(crate) async fn peer<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    port
}

/// A port on which nobody listens.
pub(crate) async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Ends a connection with a reset instead of a good-bye.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}
