//! Where the values of an object were written, as it runs: read from what is kept of the last load, not from
//! files that may have changed since. Costs a whole reading of the configuration, so only for whoever asks.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use vigia_core::model::id::ObjectKey;

use crate::config::effective::{EffectiveObject, EffectiveValue};
use crate::config::explain;
use crate::config::files::Request;
use crate::config::last_good::LastGood;
use crate::telemetry::Chain;
use crate::web::backend::{Defined, Origin};
use crate::web::house::Definitions;

/// Hosts remembered: those that somebody looks at right now.
const REMEMBERED: usize = 32;

struct Reader {
    request: Request,
    /// The newest last. Held while reading: who asks at the same time waits, and then need not read.
    remembered: Mutex<VecDeque<Remembered>>,
}

/// A host with its services.
struct Remembered {
    /// Of the files it was read from.
    stamp: u64,
    host: Box<str>,
    objects: Vec<EffectiveObject>,
}

/// Blocks: for a thread that may wait.
pub(super) fn definitions(request: Request) -> Definitions {
    let reader = Reader { request, remembered: Mutex::default() };
    std::sync::Arc::new(move |key| reader.of(key))
}

impl Reader {
    fn of(&self, key: &ObjectKey) -> Result<Defined, String> {
        let last_good = self.request.state_dir.as_deref().map(LastGood::at);
        let stamp = last_good.as_ref().and_then(LastGood::stamp);
        let (Some(last_good), Some(stamp)) = (last_good, stamp) else {
            let objects = explain::explain(&self.request, Some(&key.host));
            let objects = objects.map_err(|error| Chain(&error).to_string())?;
            return Ok(Defined { is_of_disk: true, ..defined(&objects, key) });
        };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|one| one.stamp == stamp);
        let known = remembered.iter().position(|one| *one.host == *key.host);
        if known.is_none() {
            let objects = explain::explain_last(&last_good, Some(&key.host)).unwrap_or_default();
            if remembered.len() == REMEMBERED {
                remembered.pop_front();
            }
            remembered.push_back(Remembered { stamp, host: (*key.host).into(), objects });
        }
        let found = known.map_or_else(|| remembered.back(), |at| remembered.get(at));
        let found = found.map(|one| defined(&one.objects, key)).unwrap_or_default();
        drop(remembered);
        let is_used = |path: &str| {
            let is_in = |place: &str| place.strip_prefix(path).is_some_and(|rest| rest.starts_with(':'));
            found.origins.iter().any(|origin| is_in(&origin.place))
        };
        Ok(Defined { changed: last_good.changed_since(is_used), ..found })
    }
}

fn defined(objects: &[EffectiveObject], key: &ObjectKey) -> Defined {
    let name = key.to_string();
    let values = objects.iter().filter(|object| object.name == name).flat_map(|object| &object.values);
    Defined { origins: values.map(origin).collect(), ..Defined::default() }
}

fn origin(value: &EffectiveValue) -> Origin {
    let (place, via) = match &value.origin {
        Some(said) => (said.at.clone(), said.through.clone().unwrap_or_default()),
        None => (Origin::BUILT_IN.to_owned(), String::new()),
    };
    Origin { key: value.key.clone(), value: value.value.clone(), place, via }
}
