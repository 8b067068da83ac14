//! Host groups and service groups, their members already found.

use std::sync::Arc;

use super::id::{HostId, Name, ServiceId};

#[derive(Clone, Debug)]
pub struct HostGroup {
    pub name: Name,
    pub alias: Arc<str>,
    pub notes: Option<Arc<str>>,
    pub members: Vec<HostId>,
}

#[derive(Clone, Debug)]
pub struct ServiceGroup {
    pub name: Name,
    pub alias: Arc<str>,
    pub notes: Option<Arc<str>>,
    pub members: Vec<ServiceId>,
}
