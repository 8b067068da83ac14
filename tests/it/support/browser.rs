//! A real headless Chromium, driven through chromedriver.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use serde_json::json;

use super::servers::Server;

/// How long a page may take to show what is waited for. Only ever waited out by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One browser window with an empty profile. Fields drop in order: the session ends before its driver.
pub struct Browser {
    pub client: Client,
    _driver: Server,
}

impl Browser {
    pub async fn open(width: u32, height: u32) -> Self {
        let driver = Server::start("chromedriver", |port, _| {
            let mut command = Command::new("/usr/bin/chromedriver");
            command.arg(format!("--port={port}"));
            command
        });
        let profile = driver.folder.path().join("profile");
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--hide-scrollbars",
                format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", profile.display()),
            ],
        });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://{}", driver.address()))
            .await
            .expect("a browser session");
        Self { client, _driver: driver }
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The text of every element that matches, in the order of the page.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())";
        let found = self.client.execute(script, vec![json!(css)]).await.expect("the script runs");
        serde_json::from_value(found).expect("a list of texts")
    }

    /// Waits, without loading the page again, until `script` returns true in it.
    pub async fn wait_until(&self, what: &str, script: &str) {
        let watch = format!(
            "const done = arguments[0]; \
             const holds = () => {{ {script} }}; \
             if (holds()) return done(true); \
             const observer = new MutationObserver(() => {{ if (holds()) {{ observer.disconnect(); done(true); }} }}); \
             observer.observe(document, {{subtree: true, childList: true, characterData: true, attributes: true}});"
        );
        let client = self.client.clone();
        client
            .update_timeouts(fantoccini::wd::TimeoutConfiguration::new(Some(PATIENCE), None, None))
            .await
            .expect("set");
        if let Err(error) = client.execute_async(&watch, vec![]).await {
            let page = client.execute("return document.body.innerText", vec![]).await.unwrap_or_default();
            panic!("never saw {what}: {error}\nthe page reads:\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// Leaves a picture of the window at `path`.
    pub async fn picture(&self, path: &Path) {
        let png = self.client.screenshot().await.expect("a picture");
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        std::fs::write(path, png).expect("the picture is kept");
    }

    pub async fn close(self) {
        self.client.clone().close().await.expect("the session ends");
    }
}
