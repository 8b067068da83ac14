//! Peers that greet, wait, drip, flood and keep silent.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::*;
use crate::discovery::timing::Timing;

/// Looks at a port where every connection is served like this.
async fn look<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let limits = Limits {
        banner_wait: Duration::from_millis(100),
        conversation: Duration::from_millis(1_500),
        ..Timing::Insane.limits()
    };
    let shared = Shared::new(Arc::new(|_| Err("no secrets here".to_owned())));
    let visit = Visit { address: "127.0.0.1".parse().unwrap(), limits: &limits, shared: &shared };
    let service = visit.look(port).await;
    server.abort();
    service
}

#[tokio::test]
async fn who_greets_is_not_spoken_to() {
    let service = look(async |mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap_or_default();
        assert!(said.is_empty(), "{said:?}");
    })
    .await;
    assert_eq!((service.name.as_str(), service.software().as_str()), ("ssh", "OpenSSH 9.2p1"));
    assert!(service.is_sure);
}

#[tokio::test]
async fn who_waits_is_asked_as_a_web_server() {
    let service = look(async |mut stream| {
        let mut said = [0; 512];
        let length = stream.read(&mut said).await.unwrap_or_default();
        if said[..length].starts_with(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n") {
            stream.write_all(b"HTTP/1.1 403 No\r\nServer: nginx/1.22.1\r\n\r\n").await.unwrap();
        }
    })
    .await;
    assert_eq!((service.name.as_str(), service.first.http_status), ("http", Some(403)));
    assert_eq!(service.software(), "nginx 1.22.1");
}

#[tokio::test]
async fn silence_drips_and_floods_end_in_time_and_stay_nameless() {
    let silent = look(async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!((silent.name.as_str(), silent.is_sure), ("", false));
    let dripping = look(async |mut stream| {
        while stream.write_all(b"x").await.is_ok() {
            sleep_a_little().await;
        }
    })
    .await;
    assert!(!dripping.is_sure);
    let flooding = look(async |mut stream| while stream.write_all(&[b'y'; 4_096]).await.is_ok() {}).await;
    assert!(flooding.note.is_some_and(|note| note.len() < 80));
}

async fn sleep_a_little() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn control_characters_and_markup_come_out_as_harmless_text() {
    let service = look(async |mut stream| {
        stream.write_all(b"\x1b[2J<script>alert(1)</script>\x07\n# hosts: {x: y}\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let note = service.note.unwrap();
    assert!(
        note.starts_with("says [2J<script>") && note.chars().all(|c| c.is_ascii_graphic() || c == ' '),
        "{note}"
    );
}

#[tokio::test]
async fn a_printer_is_left_alone() {
    let limits = Timing::Normal.limits();
    let shared = Shared::new(Arc::new(|_| Err("no secrets here".to_owned())));
    let visit = Visit { address: "192.0.2.1".parse().unwrap(), limits: &limits, shared: &shared };
    let service = visit.look(9100).await;
    assert_eq!((service.name.as_str(), service.is_sure), ("jetdirect", false));
}
