//! `vigia recheck`: look again, now.

use serde_json::json;

use super::acts::{Objects, done};
use super::client::{Client, Target};
use super::{Answer, Common, Console};

/// Check hosts or services again, now
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia recheck web01/HTTP
  vigia recheck web01 web02 web01/SSH
  vigia recheck --if-allowed db01/MYSQL")]
pub(crate) struct Recheck {
    #[command(flatten)]
    objects: Objects,
    /// Not outside its check period, and not where active checks are off
    #[arg(long)]
    if_allowed: bool,
}

impl Recheck {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let body = self.objects.body(json!({"forced": !self.if_allowed}));
        let answer = Client::of(common).post(&Target::of(&["recheck"]), &body)?;
        done(common, console, &answer)
    }
}
