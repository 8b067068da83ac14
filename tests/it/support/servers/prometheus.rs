//! A real Prometheus that scrapes one target, and `promtool`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::net::TcpStream;

use super::Server;
use crate::support::http::{LOOK_EVERY, exchange};

pub struct Prometheus {
    server: Server,
}

impl Prometheus {
    pub fn scraping(target: &str) -> Self {
        Self::with(&format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n- job_name: vigia\n  static_configs: [{{targets: ['{target}']}}]\n"
        ))
    }

    /// With this configuration.
    pub fn with(text: &str) -> Self {
        let server = Server::start("prometheus", |port, folder| {
            let config = folder.join("prometheus.yml");
            fs::write(&config, text).expect("prometheus.yml");
            let mut command = Command::new("/usr/bin/prometheus");
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command
        });
        Self { server }
    }

    /// Asks the query API until the answer is the one waited for.
    pub async fn wait_for(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let address = self.server.address();
        loop {
            let stream = TcpStream::connect(&address).await.expect("it listens");
            let (_, text) = exchange(stream, "GET", path, &address, "").await;
            match serde_json::from_str(&text) {
                Ok(answer) if is_it(&answer) => return answer,
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// What `promtool check metrics` says of a page; empty when it is content.
pub fn complaints_of_promtool(page: &str) -> String {
    let mut child = Command::new("/usr/bin/promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut stdin = child.stdin.take().expect("piped");
    let page = page.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(page.as_bytes()));
    let output = child.wait_with_output().expect("promtool ends");
    feeder.join().expect("no panic").expect("promtool reads");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() { text } else { format!("{} {text}", output.status) }
}
