//! What a scan found changed that should not: an old value, a new one, and what people made of it.
//! (`ossim-alarms-assets.md` 5)

use std::sync::Arc;

use super::id::{AnomalyId, AssetId, TicketId};
use super::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    pub id: AnomalyId,
    pub asset: AssetId,
    pub kind: AnomalyKind,
    /// What of the asset: `22/tcp`, an address; empty: the asset itself.
    pub subject: Arc<str>,
    /// What is right until somebody accepts the new value. Empty: there was none.
    pub old: Arc<str>,
    /// Empty: it is gone.
    pub new: Arc<str>,
    pub severity: u8,
    pub status: AnomalyStatus,
    pub first: Timestamp,
    /// When the new value last changed.
    pub last: Timestamp,
    /// Who decided, or `vigia` where it was over by itself.
    pub decided_by: Option<Arc<str>>,
    pub decided: Option<Timestamp>,
    pub ticket: Option<TicketId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    HostNew,
    HostGone,
    ServiceNew,
    ServiceGone,
    ServiceChanged,
    VersionChanged,
    Os,
    Mac,
    IpConflict,
    KeyChanged,
    CertChanged,
    Hostname,
}

impl AnomalyKind {
    pub const ALL: &'static [Self] = &[
        Self::HostNew,
        Self::HostGone,
        Self::ServiceNew,
        Self::ServiceGone,
        Self::ServiceChanged,
        Self::VersionChanged,
        Self::Os,
        Self::Mac,
        Self::IpConflict,
        Self::KeyChanged,
        Self::CertChanged,
        Self::Hostname,
    ];

    /// As rules, searches and the API write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::HostNew => "host_new",
            Self::HostGone => "host_gone",
            Self::ServiceNew => "service_new",
            Self::ServiceGone => "service_gone",
            Self::ServiceChanged => "service_changed",
            Self::VersionChanged => "version_changed",
            Self::Os => "os",
            Self::Mac => "mac",
            Self::IpConflict => "ip_conflict",
            Self::KeyChanged => "key_changed",
            Self::CertChanged => "cert_changed",
            Self::Hostname => "hostname",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::HostNew => "New host",
            Self::HostGone => "Host not seen",
            Self::ServiceNew => "New service",
            Self::ServiceGone => "Service gone",
            Self::ServiceChanged => "Other service",
            Self::VersionChanged => "Version changed",
            Self::Os => "OS changed",
            Self::Mac => "Network card changed",
            Self::IpConflict => "Address conflict",
            Self::KeyChanged => "SSH host key changed",
            Self::CertChanged => "Certificate changed",
            Self::Hostname => "Name changed",
        }
    }

    /// 0 to 10, before the value of the asset counts.
    pub fn severity(self) -> u8 {
        match self {
            Self::IpConflict => 7,
            Self::Mac | Self::ServiceChanged | Self::KeyChanged => 6,
            Self::Os | Self::ServiceNew => 5,
            Self::ServiceGone | Self::CertChanged | Self::HostNew => 4,
            Self::VersionChanged | Self::HostGone => 3,
            Self::Hostname => 2,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AnomalyStatus {
    /// Nobody has said anything of it.
    #[default]
    Open,
    /// The new value is right from now on.
    Accepted,
    /// The old value stays right; told again when yet another one comes.
    Kept,
    /// It went away by itself: the old value is back.
    Over,
}

impl AnomalyStatus {
    pub const ALL: &'static [Self] = &[Self::Open, Self::Accepted, Self::Kept, Self::Over];

    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Kept => "kept",
            Self::Over => "over",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.word() == word)
    }
}

/// Severity with the value of the asset in it: base + (value − 2), 1 to 10.
pub fn weighed(severity: u8, value: u8) -> u8 {
    (i16::from(severity) + i16::from(value) - 2).clamp(1, 10).try_into().unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_statuses_read_as_they_are_written() {
        for kind in AnomalyKind::ALL {
            assert_eq!(AnomalyKind::from_word(kind.word()), Some(*kind));
        }
        for status in AnomalyStatus::ALL {
            assert_eq!(AnomalyStatus::from_word(status.word()), Some(*status));
        }
    }

    #[test]
    fn a_valuable_asset_weighs_more_and_a_cheap_one_less() {
        assert_eq!([0, 2, 5].map(|value| weighed(3, value)), [1, 3, 6]);
        assert_eq!((weighed(10, 5), weighed(1, 0)), (10, 1));
    }
}
