//! Alarms behind the seam: the store has them all, open and closed.

use std::sync::Arc;

use vigia_core::model::alarm::Alarm;
use vigia_core::model::state::AnyState;

use super::{House, count};
use crate::store::alarms::{self, AlarmFilter, AlarmSort};
use crate::store::{Slice, Sorted};
use crate::web::backend::{Cut, RecordQuery, Trouble, Wanted};

impl House {
    pub(super) async fn alarms_of(&self, wanted: RecordQuery) -> Result<Cut<Arc<Alarm>>, Trouble> {
        let filter = AlarmFilter {
            open: match wanted.status {
                Wanted::Open => Some(true),
                Wanted::Closed => Some(false),
                Wanted::All => None,
            },
            host: wanted.host,
            service: wanted.service,
            text: wanted.text,
            state: wanted.state.as_deref().and_then(AnyState::from_word),
            sorted: sorted(wanted.sort.as_deref(), AlarmSort::from_word)?,
            owner: wanted.owner,
            unowned: wanted.unowned,
            label: wanted.label,
            root: wanted.root,
            severity: wanted.severity,
            slice: Slice { limit: wanted.limit, offset: wanted.offset },
        };
        let page = self.store.read(move |connection| alarms::list(connection, &filter)).await?;
        Ok((count(page.total), page.items.into_iter().map(Arc::new).collect()))
    }
}

fn sorted<T: Copy + Default>(
    word: Option<&str>,
    field: impl Fn(&str) -> Option<T>,
) -> Result<Sorted<T>, Trouble> {
    let Some(word) = word else { return Ok(Sorted::default()) };
    let wrong = || Trouble::Wrong(format!("`{word}` is not a field that this list can be sorted by"));
    Sorted::parse(word, field).ok_or_else(wrong)
}
