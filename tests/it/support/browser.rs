//! A real headless Chromium, driven through chromedriver.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder};
use http_body_util::BodyExt;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::servers::Server;

/// How long a page may take to show what is waited for. Only ever waited out by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a window looks like to a page.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    /// A telephone: touched, and its pixels are twice as fine.
    pub is_phone: bool,
}

impl Window {
    pub const DESK: Self = Self { width: 1280, height: 800, is_phone: false };
    pub const PHONE: Self = Self { width: 390, height: 844, is_phone: true };
}

/// How long one script in a page looks, before another does.
const LOOK: Duration = Duration::from_secs(1);

/// One browser window with an empty profile. Fields drop in order: the session ends before its driver.
pub struct Browser {
    pub client: Client,
    driver: Server,
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
            // What pages say in the console, and each request that leaves the window.
            "perfLoggingPrefs": {"enableNetwork": true, "enablePage": false},
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--hide-scrollbars",
                format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", profile.display()),
            ],
        });
        let logs = json!({"browser": "ALL", "performance": "ALL"});
        let capabilities =
            [("goog:chromeOptions".to_owned(), options), ("goog:loggingPrefs".to_owned(), logs)];
        let capabilities = capabilities.into_iter().collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://{}", driver.address()))
            .await
            .expect("a browser session");
        Self { client, driver }
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

    /// Waits, without loading a page, until `script` returns true in it.
    pub async fn wait_until(&self, what: &str, script: &str) {
        let watch = format!(
            "const done = arguments[0]; \
             const holds = () => {{ {script} }}; \
             if (holds()) return done(true); \
             const observer = new MutationObserver(() => {{ if (holds()) {{ observer.disconnect(); done(true); }} }}); \
             observer.observe(document, {{subtree: true, childList: true, characterData: true, attributes: true}});"
        );
        let deadline = Instant::now() + PATIENCE;
        let once = fantoccini::wd::TimeoutConfiguration::new(Some(LOOK), None, None);
        self.client.update_timeouts(once).await.expect("set");
        // A script is lost with the page it began in: another one then looks at the page that came.
        while let Err(error) = self.client.execute_async(&watch, vec![]).await {
            if Instant::now() > deadline {
                let page =
                    self.client.execute("return document.body.innerText", vec![]).await.unwrap_or_default();
                panic!("never saw {what}: {error}\nthe page reads:\n{}", page.as_str().unwrap_or_default());
            }
        }
    }

    /// Leaves a picture of the window at `path`.
    pub async fn picture(&self, path: &Path) {
        let png = self.client.screenshot().await.expect("a picture");
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        std::fs::write(path, png).expect("the picture is kept");
    }

    /// Leaves a picture of the whole page, as far down as it goes.
    pub async fn whole_picture(&self, path: &Path, window: Window) {
        let height = self.script("return Math.min(4000, document.documentElement.scrollHeight)").await;
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).expect("a height");
        self.become_window(Window { height: height.max(window.height), ..window }).await;
        self.picture(path).await;
        self.become_window(window).await;
    }

    /// Asks pages not to move anything, so that nothing is looked at halfway through a change of colour.
    pub async fn be_calm(&self) {
        let calm = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
        self.devtools("Emulation.setEmulatedMedia", calm).await;
    }

    /// Makes the window another one for the pages to come.
    pub async fn become_window(&self, window: Window) {
        let Window { width, height, is_phone } = window;
        let scale = if is_phone { 2 } else { 1 };
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_phone})).await;
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let at = self.client.active_element().await.expect("something has the focus, if only the page");
        at.send_keys(keys).await.expect("the keys are taken");
    }

    pub async fn press_enter(&self) {
        self.press(&char::from(Key::Enter).to_string()).await;
    }

    /// What a script in the page returns.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Clicks the first element that matches.
    pub async fn click(&self, css: &str) {
        let found = self.client.find(fantoccini::Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("{css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Types into the first element that matches, as soon as there is one: its page may still be coming.
    pub async fn fill(&self, css: &str, text: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(fantoccini::Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("{css}: {error}"));
        element.clear().await.unwrap_or_else(|error| panic!("{css}: {error}"));
        element.send_keys(text).await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// One call of the DevTools protocol.
    pub async fn devtools(&self, call: &str, parameters: Value) -> Value {
        self.beyond_standard("goog/cdp/execute", json!({"cmd": call, "params": parameters})).await
    }

    /// What pages wrote to the console since the last look; a broken content policy is told there too.
    pub async fn console(&self) -> Vec<String> {
        let lines = self.beyond_standard("se/log", json!({"type": "browser"})).await;
        let lines = lines.as_array().expect("a list").iter();
        lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect()
    }

    /// Every address that was asked for since the last look.
    pub async fn requests(&self) -> Vec<String> {
        let lines = self.beyond_standard("se/log", json!({"type": "performance"})).await;
        let told = lines.as_array().expect("a list").iter().filter_map(|line| {
            let event: Value = serde_json::from_str(line["message"].as_str()?).expect("JSON");
            let message = &event["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            let url = message["params"]["request"]["url"].as_str().filter(|_| is_request)?;
            Some(url.to_owned())
        });
        told.collect()
    }

    /// What chromedriver knows beyond the standard.
    async fn beyond_standard(&self, path: &str, body: Value) -> Value {
        let session = self.client.session_id().await.expect("asked").expect("a session");
        let address = self.driver.address();
        let url = format!("http://{address}/session/{session}/{path}");
        let request = hyper::Request::post(&url)
            .header("content-type", "application/json")
            .body(body.to_string())
            .expect("a request");
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<String>();
        let answer = client.request(request).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let status = answer.status();
        let answer = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(status, 200, "{path}: {answer}");
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["value"].take()
    }

    pub async fn close(self) {
        self.client.clone().close().await.expect("the session ends");
    }
}
