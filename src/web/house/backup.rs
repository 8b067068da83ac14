//! A backup for somebody who wants one now.

use std::time::Duration;

use serde_json::json;

use super::House;
use crate::backup::schedule::NotMade;
use crate::runtime::NotDone;
use crate::web::backend::{Backup, By, Trouble};

/// Whoever asks waits so long for it: less than any request may take.
const PATIENCE: Duration = Duration::from_secs(50);

fn unplanned() -> Trouble {
    let text = "nobody said where backups go: `backup: {dir: …}` in vigia.yaml, or `vigia backup PATH`";
    Trouble::Refused(text.to_owned())
}

impl House {
    pub(super) async fn made_backup(&self, by: By) -> Result<Backup, Trouble> {
        let planned = self.facts.borrow().backup.clone();
        let dir = planned.ok_or_else(unplanned)?.dir;
        self.record(by, "backup", &dir, json!({})).await;
        let Ok(made) = tokio::time::timeout(PATIENCE, self.backups.ask()).await else {
            let text = "the backup is not ready yet; `/process` shows it when it is";
            return Err(Trouble::Unavailable(text.to_owned()));
        };
        let kept = made.map_err(|not| match not {
            NotMade::Unplanned => unplanned(),
            NotMade::Failed(why) => Trouble::Unavailable(format!("no backup could be made: {why}")),
            NotMade::Stopping => NotDone::Stopping.into(),
        })?;
        Ok(Backup { path: kept.path.display().to_string(), taken: kept.taken, bytes: kept.bytes })
    }
}
