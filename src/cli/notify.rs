//! `vigia notify`: who is told, and whether they can be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Target};
use super::table::{Style, Table, items, text};
use super::{Answer, Common, Console, Exit, Failure, Format};

/// Test how a contact is told
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia notify test ana
  vigia notify test ana --channel webhook")]
pub(crate) struct Notify {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Send a test message by the way that every message takes, and wait for what becomes of it
    #[command(before_help = "Examples:\n  vigia notify test ana\n  vigia notify test ana --channel email")]
    Test(Test),
}

#[derive(Debug, clap::Args)]
struct Test {
    contact: String,
    /// One kind of channel alone
    #[arg(long, value_name = "KIND", value_parser = ["email", "webhook", "command", "run"])]
    channel: Option<String>,
    /// Come back at once
    #[arg(long)]
    no_wait: bool,
}

/// A mail server may take half a minute, and a second try comes soon after.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the outbox.
const PAUSE: Duration = Duration::from_millis(100);

impl Notify {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        match &self.act {
            Act::Test(test) => test.run(&Client::of(common), common, console),
        }
    }
}

impl Test {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let body = json!({"contact": self.contact, "channel": self.channel});
        let answer = client.post(&Target::of(&["notifications", "test"]), &body)?;
        let target = Target::of(&["notifications"]).with("id", text(&answer, "id"));
        let deadline = Instant::now() + PATIENCE;
        let message = loop {
            let listed = client.get(&target)?;
            let message = items(&listed).first().cloned().unwrap_or_default();
            if self.no_wait || is_settled(&message) || Instant::now() > deadline {
                break message;
            }
            std::thread::sleep(PAUSE);
        };
        print(common, console, &message)?;
        if self.no_wait || ways(&message).iter().all(|way| text(way, "status") == "sent") {
            return Ok(Exit::DONE);
        }
        let told = ways(&message).iter().filter(|way| text(way, "status") == "sent").count();
        let all = ways(&message).len();
        Err(Failure::new(Exit::REFUSED, format!("{told} of {all} channels took the test"))
            .hint("what waits is tried again; `vigia status` and the page Notifications show how it stands"))
    }
}

fn ways(message: &Value) -> Vec<Value> {
    message.get("channels").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Each channel took it, refused it, or failed at least once.
fn is_settled(message: &Value) -> bool {
    let ways = ways(message);
    let is_over = |way: &Value| {
        let status = text(way, "status");
        !(status == "sending" || status == "waiting" && text(way, "reason").is_empty())
    };
    !ways.is_empty() && ways.iter().all(is_over)
}

fn print(common: &Common, console: &mut Console, message: &Value) -> std::io::Result<()> {
    match common.output {
        Format::Json => writeln!(console.out, "{message:#}"),
        Format::Text => {
            let mut table = Table::new(&["CHANNEL", "TO", "STATUS", "ANSWER"]);
            for way in ways(message) {
                let cell = |key: &str| super::table::clean(text(&way, key)).into();
                table.row(vec![cell("channel"), cell("target"), cell("status"), cell("reason")]);
            }
            let style = Style::of(console);
            table.print(&mut console.out, style)
        }
    }
}
