//! HTTPS: a certificate and its key from two files, taken anew when they change. A pair that does not work is refused with
//! its reason, and the one before goes on.
//!
//! TLS itself is native-tls's, as everywhere in the house; OpenSSL is asked directly only for what native-tls does not say
//! of a file: older forms of a key, whether it belongs to the certificate, and until when that is good.

use std::path::PathBuf;
use std::time::Duration;

use native_tls::{Identity, Protocol};
use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_native_tls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use vigia_core::model::time::Timestamp;

use crate::os::files::{self, FileError};
use crate::telemetry::Chain;

/// A chain and a key are some kilobytes.
const LARGEST: u64 = 1 << 20;

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Days before the end at which every page says so; whoever renews by itself has long done it.
const SOON: u64 = 7;

/// What is spoken inside, the best first.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Why a pair of files is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} holds no certificate in PEM form", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key in PEM form, or one with a passphrase, which nobody could type in", path.display())]
    NoKey { path: PathBuf },
    #[error("the key in {} does not belong to the certificate in {}", key.display(), cert.display())]
    Strangers { cert: PathBuf, key: PathBuf },
    #[error("{} and its key are refused: {why}", path.display())]
    Refused { path: PathBuf, why: String },
}

/// What is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Until when the certificate in use is good.
    pub expires: Option<Timestamp>,
    /// Why the files as they are now are not in use.
    pub refused: Option<String>,
}

impl Health {
    /// What a person should do about it, in one sentence.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        if let Some(why) = &self.refused {
            let instead = if self.expires.is_some() {
                "the certificate before goes on"
            } else {
                "nobody gets in by HTTPS until they can be"
            };
            return Some(format!("`web.tls` cannot be used, {instead}: {why}"));
        }
        let left = self.expires?;
        if left <= now {
            return Some("the certificate of the page has expired: browsers refuse it".to_owned());
        }
        let days = left.since(now).as_secs() / 86_400;
        (days < SOON).then(|| format!("the certificate of the page expires in {days} days"))
    }
}

/// The certificate in use, for who accepts connections; none: no pair could be used yet.
#[derive(Clone)]
pub struct Secure(watch::Receiver<Option<TlsAcceptor>>);

impl Secure {
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.borrow().clone()
    }
}

/// Keeps the certificate as the files are. [`run`](Self::run) is all of it.
pub struct Keeper {
    paths: watch::Receiver<Option<Paths>>,
    /// What was tried last.
    tried: Vec<u8>,
    /// What was found last, and may be half of a change.
    seen: Vec<u8>,
    acceptor: watch::Sender<Option<TlsAcceptor>>,
    health: watch::Sender<Health>,
}

/// Reads the pair. One that cannot be used keeps people out of the page until it is put right, and not vigia from its
/// work. Blocks.
pub fn open(
    paths: watch::Receiver<Option<Paths>>,
    first: &Paths,
    health: watch::Sender<Health>,
) -> (Secure, Keeper) {
    let (acceptor, secure) = watch::channel(None);
    let keeper = Keeper { paths, seen: Vec::new(), tried: Vec::new(), acceptor, health };
    // Looked at twice: only then what was found has stayed as it is.
    (Secure(secure), keeper.look(first).look(first))
}

impl Keeper {
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // Off needs a restart: until then it goes on with what it has.
            let Some(paths) = self.paths.borrow().clone() else { continue };
            self = match tokio::task::spawn_blocking(move || self.look(&paths)).await {
                Ok(keeper) => keeper,
                // The runtime goes down.
                Err(_ended) => return,
            };
        }
    }

    /// Certificate and key are two files: what changes is looked at once it has stayed as it is from one look to the next.
    fn look(mut self, paths: &Paths) -> Self {
        let found = match content(paths) {
            Ok(found) => found,
            Err(error) => {
                self.refuse(&error.into());
                return self;
            }
        };
        let is_settled = found == self.seen;
        self.seen.clone_from(&found);
        let is_refused = self.health.borrow().refused.is_some();
        if !is_settled || (found == self.tried && !is_refused) {
            return self;
        }
        self.tried = found;
        match load(paths) {
            Ok(loaded) => {
                self.acceptor.send_replace(Some(loaded.acceptor));
                self.health.send_replace(Health { expires: loaded.expires, refused: None });
                info!(event = "tls.loaded", path = %paths.cert.display(), "new connections get this certificate");
            }
            Err(error) => self.refuse(&error),
        }
        self
    }

    fn refuse(&self, why: &TlsError) {
        let why = Chain(why).to_string();
        let is_new = self.health.send_if_modified(|health| {
            let is_new = health.refused.as_ref() != Some(&why);
            health.refused = Some(why.clone());
            is_new
        });
        if is_new {
            error!(
                event = "tls.refused",
                error = why,
                "certificate and key cannot be used; what was before goes on"
            );
        }
    }
}

fn content(paths: &Paths) -> Result<Vec<u8>, FileError> {
    let mut all = paths.cert.as_os_str().as_encoded_bytes().to_vec();
    all.extend(files::read(&paths.cert, LARGEST)?);
    all.extend(files::read(&paths.key, LARGEST)?);
    Ok(all)
}

struct Loaded {
    acceptor: TlsAcceptor,
    expires: Option<Timestamp>,
}

fn load(paths: &Paths) -> Result<Loaded, TlsError> {
    let Paths { cert, key } = paths;
    let chain = files::read(cert, LARGEST)?;
    let pem = files::read(key, LARGEST)?;
    let no_certificate = || TlsError::NoCertificate { path: cert.clone() };
    let certificates = X509::stack_from_pem(&chain).map_err(|_no_pem| no_certificate())?;
    let first = certificates.first().ok_or_else(no_certificate)?;
    let private = private_key(&pem).ok_or_else(|| TlsError::NoKey { path: key.clone() })?;
    let is_pair = first.public_key().is_ok_and(|public| public.public_eq(&private));
    if !is_pair {
        return Err(TlsError::Strangers { cert: cert.clone(), key: key.clone() });
    }
    let refused = |why: String| TlsError::Refused { path: cert.clone(), why };
    let pkcs8 = private.private_key_to_pem_pkcs8().map_err(|error| refused(error.to_string()))?;
    let identity = Identity::from_pkcs8(&chain, &pkcs8).map_err(|error| refused(error.to_string()))?;
    let acceptor = native_tls::TlsAcceptor::builder(identity)
        .min_protocol_version(Some(Protocol::Tlsv12))
        .accept_alpn(&PROTOCOLS)
        .build()
        .map_err(|error| refused(error.to_string()))?;
    Ok(Loaded { acceptor: acceptor.into(), expires: expires(first) })
}

/// In whatever form; OpenSSL must not ask on the terminal for a passphrase.
fn private_key(pem: &[u8]) -> Option<PKey<Private>> {
    PKey::private_key_from_pem_callback(pem, |_| Ok(0)).ok()
}

fn expires(certificate: &X509) -> Option<Timestamp> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let since = epoch.diff(certificate.not_after()).ok()?;
    Some(Timestamp::from_second(i64::from(since.days) * 86_400 + i64::from(since.secs)))
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Integer;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use std::path::Path;

    use openssl::x509::X509NameBuilder;

    use super::*;

    fn key() -> PKey<Private> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    fn certificate(key: &PKey<Private>, days: u32) -> X509 {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(days).unwrap()).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build()
    }

    fn paths(folder: &Path, cert: &[u8], key: &[u8]) -> Paths {
        let paths = Paths { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&paths.cert, cert).unwrap();
        std::fs::write(&paths.key, key).unwrap();
        paths
    }

    #[test]
    fn keys_of_every_form_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let key = key();
        let cert = certificate(&key, 30).to_pem().unwrap();
        let old = key.ec_key().unwrap().private_key_to_pem().unwrap();
        assert!(old.starts_with(b"-----BEGIN EC PRIVATE KEY"));
        for form in [key.private_key_to_pem_pkcs8().unwrap(), old] {
            let loaded = load(&paths(folder.path(), &cert, &form)).unwrap();
            let days = loaded.expires.unwrap().as_second() / 86_400;
            let today = Asn1Time::from_unix(0).unwrap().diff(&Asn1Time::days_from_now(0).unwrap()).unwrap();
            assert_eq!(days, i64::from(today.days) + 30);
        }
    }

    #[test]
    fn what_cannot_be_used_says_which_file_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (key(), key());
        let cert = certificate(&one, 30).to_pem().unwrap();
        let good = one.private_key_to_pem_pkcs8().unwrap();
        let locked =
            one.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret").unwrap();
        let said = |cert: &[u8], key: &[u8]| match load(&paths(folder.path(), cert, key)) {
            Ok(_) => panic!("it was taken"),
            Err(error) => error.to_string(),
        };
        assert!(said(b"", &good).contains("cert.pem holds no certificate"));
        assert!(said(&good, &good).contains("cert.pem holds no certificate"));
        assert!(said(&cert, &cert).contains("key.pem holds no private key"));
        assert!(said(&cert, &locked).contains("passphrase"));
        assert!(said(&cert, &other.private_key_to_pem_pkcs8().unwrap()).contains("does not belong"));
        let missing = Paths { cert: folder.path().join("nothing"), key: folder.path().join("key.pem") };
        assert!(load(&missing).is_err_and(|error| error.to_string().contains("nothing")));
    }

    #[test]
    fn a_pair_that_cannot_be_used_lets_nobody_in_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let paths_now = paths(folder.path(), b"", b"");
        let (_sender, asked) = watch::channel(Some(paths_now.clone()));
        let (health, told) = watch::channel(Health::default());
        let (secure, keeper) = open(asked, &paths_now, health);
        assert!(secure.acceptor().is_none());
        let said = told.borrow().trouble(Timestamp::from_second(0)).unwrap();
        assert!(said.contains("nobody gets in by HTTPS") && said.contains("cert.pem"), "{said}");
        let key = key();
        let cert = certificate(&key, 3).to_pem().unwrap();
        paths(folder.path(), &cert, &key.private_key_to_pem_pkcs8().unwrap());
        drop(keeper.look(&paths_now).look(&paths_now));
        assert!(secure.acceptor().is_some());
        let health = told.borrow().clone();
        let end = health.expires.unwrap();
        assert_eq!(health.trouble(end.before(Duration::from_secs(30 * 86_400))), None);
        assert!(health.trouble(end.before(Duration::from_secs(90_000))).unwrap().contains("in 1 days"));
        assert!(health.trouble(end).unwrap().contains("has expired"));
    }

    #[test]
    fn a_change_is_taken_when_it_is_whole_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let pair = |days| {
            let key = key();
            (certificate(&key, days).to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
        };
        let (cert, private) = pair(30);
        let paths_now = paths(folder.path(), &cert, &private);
        let (_sender, asked) = watch::channel(Some(paths_now.clone()));
        let (health, told) = watch::channel(Health::default());
        let (mut secure, mut keeper) = open(asked, &paths_now, health);
        assert!(secure.0.borrow_and_update().is_some());
        let first = told.borrow().expires;
        keeper = keeper.look(&paths_now).look(&paths_now);
        assert!(!secure.0.has_changed().unwrap(), "nothing changed");

        let (cert, private) = pair(60);
        std::fs::write(&paths_now.cert, &cert).unwrap();
        keeper = keeper.look(&paths_now);
        std::fs::write(&paths_now.key, &private).unwrap();
        keeper = keeper.look(&paths_now);
        assert_eq!(told.borrow().refused, None, "half a change is nobody's mistake");
        keeper = keeper.look(&paths_now);
        assert!(secure.0.has_changed().unwrap() && told.borrow().expires > first);

        std::fs::write(&paths_now.key, "no key").unwrap();
        let expires = told.borrow().expires;
        keeper = keeper.look(&paths_now).look(&paths_now);
        assert!(secure.acceptor().is_some(), "the one before goes on");
        let health_now = told.borrow().clone();
        assert!(
            health_now.refused.is_some_and(|why| why.contains("key.pem")) && health_now.expires == expires
        );
        std::fs::remove_file(&paths_now.key).unwrap();
        keeper = keeper.look(&paths_now);
        std::fs::write(&paths_now.key, &private).unwrap();
        drop(keeper.look(&paths_now).look(&paths_now));
        assert_eq!(told.borrow().refused, None, "put back, it is well again");
    }
}
