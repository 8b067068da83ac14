//! Certificates: the whole chain, its dates, and the verdict on both.

use std::fmt::Write as _;
use std::time::Duration;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::stack::StackRef;
use openssl::x509::{X509, X509NameRef, X509Ref, X509VerifyResult};
use vigia_core::model::state::State;

use crate::options::Age;

/// What a check needs of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name, or the first name it is for, or the whole subject.
    pub name: String,
    pub issuer: String,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
    pub is_self_signed: bool,
    fingerprint: Vec<u8>,
}

/// One thing that OpenSSL found wrong while it built the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 0 is the server's own certificate.
    pub depth: u32,
    pub code: i32,
    pub text: &'static str,
}

/// What the server sent and what was made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// As sent, the server's own first.
    pub sent: Vec<Certificate>,
    /// As used, from the server's own to the root where one was found.
    pub path: Vec<Certificate>,
    pub faults: Vec<Fault>,
    /// Seconds since 1970, when it was looked at.
    pub now: i64,
}

/// OpenSSL's numbers of verification errors.
mod code {
    pub(super) const CERT_NOT_YET_VALID: i32 = 9;
    pub(super) const CERT_HAS_EXPIRED: i32 = 10;
    pub(super) const SELF_SIGNED_LEAF: i32 = 18;
    pub(super) const NO_LOCAL_ISSUER: i32 = 20;
    pub(super) const NO_FIRST_ISSUER: i32 = 21;
}

impl Certificate {
    fn read(certificate: &X509Ref) -> Self {
        Self {
            name: name_of(certificate),
            issuer: common_name(certificate.issuer_name())
                .unwrap_or_else(|| whole(certificate.issuer_name())),
            not_before: seconds(certificate.not_before()),
            not_after: seconds(certificate.not_after()),
            is_self_signed: certificate.issued(certificate) == X509VerifyResult::OK,
            fingerprint: certificate
                .digest(MessageDigest::sha256())
                .map(|digest| digest.to_vec())
                .unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, from {}, until {}", self.name, self.issuer, date(self.not_after))
    }
}

impl Chain {
    pub fn read(sent: Option<&StackRef<X509>>, path: Option<&StackRef<X509>>, faults: Vec<Fault>) -> Self {
        let read = |stack: Option<&StackRef<X509>>| -> Vec<Certificate> {
            stack.map(|stack| stack.iter().take(32).map(Certificate::read).collect()).unwrap_or_default()
        };
        let now = Asn1Time::days_from_now(0).map(|now| seconds(&now)).unwrap_or_default();
        Self { sent: read(sent), path: read(path), faults, now }
    }

    /// The member of the used path that expires first.
    pub fn first_to_expire(&self) -> Option<&Certificate> {
        let path = if self.path.is_empty() { &self.sent } else { &self.path };
        path.iter().min_by_key(|certificate| certificate.not_after)
    }

    /// Issuers that the server should have sent and did not: clients with another store cannot connect.
    fn missing(&self) -> Option<String> {
        let missed = |fault: &&Fault| matches!(fault.code, code::NO_LOCAL_ISSUER | code::NO_FIRST_ISSUER);
        let last = self.path.last().or(self.sent.last())?;
        if self.faults.iter().any(|fault| missed(&fault)) && !last.is_self_signed {
            return Some(last.issuer.clone());
        }
        let is_sent = |used: &&Certificate| self.sent.iter().any(|sent| sent.fingerprint == used.fingerprint);
        self.path.iter().find(|used| !used.is_self_signed && !is_sent(used)).map(|used| used.name.clone())
    }

    /// Certificates that were sent for nothing and are out of date.
    fn expired_extras(&self) -> impl Iterator<Item = &Certificate> {
        let is_used = |sent: &&Certificate| self.path.iter().any(|used| used.fingerprint == sent.fingerprint);
        self.sent.iter().filter(move |sent| !is_used(sent) && sent.not_after < self.now)
    }
}

/// What is thought of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    /// Everything wrong, the worst first; for a good chain, when it expires.
    pub text: String,
    /// Doubtful, without weight.
    pub notes: Vec<String>,
    /// Until the first expiry in the used path.
    pub seconds_left: i64,
}

/// Judges trust (where asked for), names and age. `name` is what the certificate had to be for.
pub fn judge(chain: &Chain, verify: bool, name: &str, warn: Age, crit: Age) -> Verdict {
    let mut wrong: Vec<(State, String)> = Vec::new();
    let mut notes = Vec::new();
    let Some(first) = chain.first_to_expire() else {
        return Verdict {
            state: State::Critical,
            text: "the server sent no certificate".into(),
            notes,
            seconds_left: 0,
        };
    };
    let left = first.not_after - chain.now;
    let age = age_of(first, left);
    if left <= 0 || is_under(left, crit) {
        wrong.push((State::Critical, age.clone()));
    } else if is_under(left, warn) {
        wrong.push((State::Warning, age.clone()));
    }
    let missing = chain.missing();
    for fault in &chain.faults {
        if let Some(text) = trust_text(chain, fault, name, missing.as_deref()) {
            if verify {
                wrong.push((State::Critical, text));
            } else {
                notes.push(format!("not verified: {text}"));
            }
        }
    }
    if let Some(issuer) = &missing
        && !wrong.iter().any(|(_, text)| text.contains("incomplete"))
        && verify
    {
        wrong.push((State::Warning, format!("the chain is incomplete: the server does not send `{issuer}`")));
    }
    notes.extend(
        chain.expired_extras().map(|extra| {
            format!("sent for nothing and expired: `{}`, {}", extra.name, date(extra.not_after))
        }),
    );
    wrong.sort_by_key(|(state, _)| std::cmp::Reverse(state.severity()));
    let mut texts: Vec<String> = Vec::new();
    for (_, text) in &wrong {
        if !texts.contains(text) {
            texts.push(text.clone());
        }
    }
    let state = wrong.first().map_or(State::Ok, |(state, _)| *state);
    let text = if texts.is_empty() { age } else { texts.join("; ") };
    Verdict { state, text, notes, seconds_left: left }
}

/// A fault in trust, in words; dates are judged apart.
fn trust_text(chain: &Chain, fault: &Fault, name: &str, missing: Option<&str>) -> Option<String> {
    let at =
        usize::try_from(fault.depth).ok().and_then(|depth| chain.path.get(depth).or(chain.sent.get(depth)));
    let whose = at.map_or("?", |certificate| certificate.name.as_str());
    match fault.code {
        code::CERT_HAS_EXPIRED => None,
        code::CERT_NOT_YET_VALID => Some(format!(
            "certificate `{whose}` is not valid before {}",
            at.map(|c| date(c.not_before)).unwrap_or_default()
        )),
        code::NO_LOCAL_ISSUER | code::NO_FIRST_ISSUER => Some(match missing {
            Some(issuer) => format!("the chain is incomplete or its issuer `{issuer}` is not trusted"),
            None => format!("certificate `{whose}` comes from nobody who is trusted"),
        }),
        code::SELF_SIGNED_LEAF => Some(format!("certificate `{whose}` is signed by itself")),
        X509_HOSTNAME_MISMATCH | X509_IP_MISMATCH => {
            Some(format!("certificate `{whose}` is not for `{name}`"))
        }
        _ => Some(format!("certificate `{whose}`: {}", fault.text)),
    }
}

const X509_HOSTNAME_MISMATCH: i32 = 62;
const X509_IP_MISMATCH: i32 = 64;

fn is_under(left: i64, limit: Age) -> bool {
    Duration::from_secs(u64::try_from(left).unwrap_or(0)) < limit.0
}

fn age_of(certificate: &Certificate, left: i64) -> String {
    let (name, on) = (&certificate.name, date(certificate.not_after));
    match left {
        ..0 => format!("certificate `{name}` expired {} ago, on {on}", span(left.saturating_neg())),
        _ => format!("certificate `{name}` expires in {}, on {on}", span(left)),
    }
}

fn span(seconds: i64) -> String {
    match (seconds / 86_400, seconds / 3_600) {
        (0, 0) => format!("{} minutes", seconds / 60),
        (0..=1, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default()
}

pub(crate) fn seconds(at: &Asn1TimeRef) -> i64 {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(at));
    since.map(|gap| i64::from(gap.days) * 86_400 + i64::from(gap.secs)).unwrap_or_default()
}

fn name_of(certificate: &X509Ref) -> String {
    let of_subject = common_name(certificate.subject_name());
    let alternative = || {
        let names = certificate.subject_alt_names()?;
        names.iter().find_map(|name| name.dnsname().map(str::to_owned))
    };
    of_subject.or_else(alternative).unwrap_or_else(|| whole(certificate.subject_name()))
}

fn common_name(name: &X509NameRef) -> Option<String> {
    let entry = name.entries_by_nid(Nid::COMMONNAME).next()?;
    Some(crate::outcome::one_line(entry.data().to_string().ok()?, 200)).filter(|text| !text.is_empty())
}

fn whole(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries().take(10) {
        let key = entry.object().nid().short_name().unwrap_or("?");
        let _infallible = write!(text, "/{key}={}", entry.data().to_string().unwrap_or_default());
    }
    crate::outcome::one_line(text, 200)
}
