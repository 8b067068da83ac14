//! Objects with new names (`was`): whatever refers to the old ones comes along, all names of one reload at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::World;
use crate::model::id::ObjectKey;

/// From old names to new ones.
pub(super) type Names = BTreeMap<ObjectKey, ObjectKey>;

/// The name of today. A host brings also those of its services that have no new name of their own.
pub(super) fn renamed(names: &Names, key: &ObjectKey) -> Option<ObjectKey> {
    if let Some(new) = names.get(key) {
        return Some(new.clone());
    }
    let service = key.service.clone()?;
    let host = names.get(&ObjectKey { host: key.host.clone(), service: None })?;
    Some(ObjectKey { host: host.host.clone(), service: Some(service) })
}

/// Every record of the world under the names of today.
pub(super) fn rename_records(world: &mut World, names: &Names) {
    if names.is_empty() {
        return;
    }
    let records = &mut world.records;
    for comment in Arc::make_mut(&mut records.comments).values_mut() {
        if let Some(new) = renamed(names, &comment.subject) {
            Arc::make_mut(comment).subject = new;
        }
    }
    for downtime in Arc::make_mut(&mut records.downtimes).values_mut() {
        if let Some(new) = renamed(names, &downtime.subject) {
            Arc::make_mut(downtime).subject = new;
        }
    }
    for alarm in Arc::make_mut(&mut records.alarms).values_mut() {
        if let Some(new) = renamed(names, &alarm.subject) {
            Arc::make_mut(alarm).subject = new;
        }
        if let Some(new) = alarm.root.as_ref().and_then(|root| renamed(names, root)) {
            Arc::make_mut(alarm).root = Some(new);
        }
    }
    for suppression in Arc::make_mut(&mut records.suppressions).values_mut() {
        if let Some(new) = renamed(names, &suppression.subject) {
            Arc::make_mut(suppression).subject = new;
        }
    }
    for head in Arc::make_mut(&mut records.tickets).values_mut() {
        if let Some(new) = head.subject.as_ref().and_then(|subject| renamed(names, subject)) {
            Arc::make_mut(head).subject = Some(new);
        }
    }
}
