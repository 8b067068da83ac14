//! Certificate chains made for a test: good, out of date, incomplete, for another name.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) certificate: X509,
    key: PKey<Private>,
}

/// From how many days ago until in how many days.
#[derive(Clone, Copy)]
pub(crate) struct Life(pub(crate) i64, pub(crate) i64);

pub(crate) const GOOD: Life = Life(100, 100);
pub(crate) const OVER: Life = Life(100, -3);

pub(crate) fn root() -> Made {
    make("vigia test root", None, GOOD, true)
}

pub(crate) fn authority(issuer: &Made, life: Life) -> Made {
    make("vigia test intermediate", Some(issuer), life, true)
}

pub(crate) fn leaf(name: &str, issuer: &Made, life: Life) -> Made {
    make(name, Some(issuer), life, false)
}

fn at(days: i64) -> Asn1Time {
    let now = Asn1Time::from_unix(0).unwrap().diff(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    let seconds = i64::from(now.days) * 86_400 + i64::from(now.secs);
    Asn1Time::from_unix(seconds + days * 86_400 + 3600).unwrap()
}

fn make(name: &str, issuer: Option<&Made>, life: Life, is_authority: bool) -> Made {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&at(-life.0)).unwrap();
    builder.set_not_after(&at(life.1)).unwrap();
    if is_authority {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().build().unwrap()).unwrap();
    } else {
        let names =
            SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    Made { certificate: builder.build(), key }
}

/// A server with a certificate and what it sends beside.
pub(crate) fn acceptor(leaf: &Made, beside: &[&Made]) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    builder.set_certificate(&leaf.certificate).unwrap();
    builder.set_private_key(&leaf.key).unwrap();
    for made in beside {
        builder.add_extra_chain_cert(made.certificate.clone()).unwrap();
    }
    builder.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(openssl::ssl::AlpnError::NOACK)
    });
    builder.build()
}

/// A file with certificates to trust.
pub(crate) fn trusted(made: &[&Made]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for made in made {
        std::io::Write::write_all(&mut file, &made.certificate.to_pem().unwrap()).unwrap();
    }
    file
}
