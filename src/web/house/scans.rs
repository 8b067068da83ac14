//! Scans behind the seam: asked for, cancelled, written, each with its line in the audit.

use serde_json::{Value, json};

use super::{House, who};
use crate::discovery::insert::{Inserted, Properties};
use crate::discovery::jobs::{Chosen, NotDone};
use crate::discovery::settle::Unsettled;
use crate::web::backend::{By, ScanOrder, Trouble};

impl From<NotDone> for Trouble {
    fn from(error: NotDone) -> Self {
        let text = error.to_string();
        match error {
            NotDone::Unsettled(Unsettled::Wrong(_) | Unsettled::TooMany(_)) => Self::Wrong(text),
            NotDone::Unconfirmed { .. } => Self::Unconfirmed(text),
            NotDone::Refused(_) | NotDone::Unsettled(Unsettled::Unresolved(_)) => Self::Refused(text),
            NotDone::Missing(_) => Self::Missing(text),
            NotDone::Unavailable(_) => Self::Unavailable(text),
        }
    }
}

impl House {
    pub(super) async fn start(&self, order: ScanOrder, by: By) -> Result<i64, Trouble> {
        let (id, subject, detail) = match order {
            ScanOrder::Job(name) => {
                let id = self.scans.start_job(&name, by.name.to_string()).await?;
                (id, name.clone(), json!({ "scan": id, "job": name }))
            }
            ScanOrder::Ask(ask) => {
                let (targets, plan) = (ask.targets.clone(), ask.plan.clone());
                let id = self.scans.start(ask, by.name.to_string()).await?;
                let detail = json!({
                    "scan": id,
                    "depth": plan.depth.to_string(),
                    "timing": plan.timing.name(),
                    "engine": plan.engine.name(),
                });
                (id, targets, detail)
            }
        };
        self.record(by, "scan", &subject, detail).await;
        Ok(id)
    }

    pub(super) async fn cancel(&self, id: i64, by: By) -> Result<(), Trouble> {
        self.scans.cancel(id).await?;
        self.record(by, "cancel-scan", &id.to_string(), json!({})).await;
        Ok(())
    }

    pub(super) async fn insert(
        &self,
        scan: i64,
        hosts: Chosen,
        properties: Properties,
        by: By,
    ) -> Result<Inserted, Trouble> {
        let inserted = self.scans.insert(scan, hosts, properties).await?;
        let left: Vec<&str> = inserted.left.iter().map(|(name, _)| name.as_str()).collect();
        let detail = json!({ "new": inserted.new, "updated": inserted.updated, "left": left });
        self.record(by, "insert-hosts", &format!("scan {scan}"), detail).await;
        Ok(inserted)
    }

    pub(super) async fn record(&self, by: By, action: &str, subject: &str, detail: Value) {
        let act = who(by).act(self.handle.now(), action, subject, detail);
        if let Err(error) = self.desk.record(act).await {
            tracing::warn!(event = "desk.audit", error = %crate::telemetry::Chain(&error), "{action} {subject} is not in the audit");
        }
    }
}
