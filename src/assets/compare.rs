//! One service, and one operating system, as it was and as it is: which differences are worth a word.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::model::anomaly::AnomalyKind;
use vigia_core::model::asset::AssetService;
use vigia_core::model::time::Timestamp;

use crate::discovery::finding::Service;

/// A certificate that had no longer to live was due to be renewed.
const RENEWED: Duration = Duration::from_secs(30 * 86_400);

/// What differs, as old and new.
pub(super) fn differences(
    known: &AssetService,
    seen: &Service,
    now: Timestamp,
) -> Vec<(AnomalyKind, String, String)> {
    let mut all = Vec::new();
    let mut fresh = known.clone();
    take(&mut fresh, seen);
    let was_sure = known.is_sure && !known.name.is_empty();
    if was_sure && seen.is_sure && *known.name != *seen.name {
        all.push((AnomalyKind::ServiceChanged, known.told(), fresh.told()));
    } else {
        let (old, new) = (known.software(), fresh.software());
        if !old.is_empty() && old != new {
            all.push((AnomalyKind::VersionChanged, old, new));
        }
    }
    let key = seen.first.tls.as_ref().map(|tls| tls.key.as_str()).filter(|key| !key.is_empty());
    if let (Some(old), Some(new)) = (&known.tls_key, key)
        && **old != *new
        && known.tls_until.is_none_or(|until| until.since(now) > RENEWED)
    {
        all.push((AnomalyKind::CertChanged, old.to_string(), new.to_owned()));
    }
    all
}

/// Takes over what is said now; what is not said this time stays as it was known. Of another service nothing stays.
pub(super) fn take(known: &mut AssetService, seen: &Service) {
    let text = |text: &Option<String>| text.as_deref().map(Arc::<str>::from);
    let is_other = known.is_sure && seen.is_sure && *known.name != *seen.name;
    let product = text(&seen.product);
    let is_other_product = product.is_some() && known.product.is_some() && product != known.product;
    if seen.is_sure || !known.is_sure {
        known.name = seen.name.as_str().into();
        known.is_sure = seen.is_sure;
    }
    if is_other || is_other_product {
        (known.product, known.version) = (None, None);
    }
    known.product = product.or_else(|| known.product.take());
    known.version = text(&seen.version).or_else(|| known.version.take());
    known.note = text(&seen.note);
    if let Some(tls) = seen.first.tls.as_ref().filter(|tls| !tls.key.is_empty()) {
        known.tls_key = Some(tls.key.as_str().into());
        known.tls_until = tls.until;
    }
}

/// Families by the words that name their members: a new release, or a better guess of the same, is no other system.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "linux",
        &[
            "linux",
            "debian",
            "ubuntu",
            "raspbian",
            "centos",
            "red hat",
            "fedora",
            "suse",
            "alma",
            "rocky",
            "arch",
            "alpine",
            "gentoo",
            "openwrt",
            "android",
            "raspberry",
        ],
    ),
    ("windows", &["windows", "microsoft"]),
    ("bsd", &["freebsd", "openbsd", "netbsd", "dragonfly", "pfsense", "opnsense"]),
    ("apple", &["mac os", "macos", "ios ", "darwin", "apple"]),
    ("solaris", &["solaris", "sunos", "illumos"]),
];

/// The family, or the first word where no family is known.
pub(super) fn os_family(name: &str) -> String {
    let small = name.to_ascii_lowercase();
    let family = FAMILIES.iter().find(|(_, words)| words.iter().any(|word| small.contains(word)));
    match family {
        Some((family, _)) => (*family).to_owned(),
        None => small.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_release_is_the_same_family_and_another_system_is_not() {
        for (one, other) in [
            ("Linux 2.6", "Linux 3.2"),
            ("Debian GNU/Linux 12", "Linux"),
            ("Ubuntu", "Linux 6.1"),
            ("Windows Server 2019", "Microsoft Windows 10"),
            ("Printer X", "printer Y"),
        ] {
            assert_eq!(os_family(one), os_family(other));
        }
        assert_ne!(os_family("Linux 6.1"), os_family("FreeBSD 14"));
    }
}
