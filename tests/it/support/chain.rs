//! A certificate chain made for one test: root, intermediate, leaf.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use tempfile::TempDir;

pub struct Chain {
    _folder: TempDir,
    root: PathBuf,
    full: PathBuf,
    key: PathBuf,
}

impl Chain {
    /// A chain for `name` whose certificates are good for a year.
    pub fn new(name: &str) -> Self {
        let root_key = key();
        let root = certificate("vigia test root", &root_key, None, Role::Authority);
        let middle_key = key();
        let middle =
            certificate("vigia test intermediate", &middle_key, Some((&root, &root_key)), Role::Authority);
        let leaf_key = key();
        let leaf = certificate(name, &leaf_key, Some((&middle, &middle_key)), Role::Server);

        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, parts: &[Vec<u8>]| {
            let path = folder.path().join(file);
            fs::write(&path, parts.concat()).expect("a pem file");
            path
        };
        let pem = |certificate: &X509| certificate.to_pem().expect("pem");
        let root = write("root.pem", &[pem(&root)]);
        let full = write("chain.pem", &[pem(&leaf), pem(&middle)]);
        let key = write("key.pem", &[leaf_key.private_key_to_pem_pkcs8().expect("pem")]);
        Self { _folder: folder, root, full, key }
    }

    pub fn root_path(&self) -> &Path {
        &self.root
    }

    pub fn full_chain_path(&self) -> &Path {
        &self.full
    }

    pub fn key_path(&self) -> &Path {
        &self.key
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Authority,
    Server,
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a known curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<(&X509, &PKey<Private>)>, role: Role) -> X509 {
    build(name, key, issuer, role).expect("a certificate")
}

fn build(
    name: &str,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
    role: Role,
) -> Result<X509, openssl::error::ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(64, MsbOption::MAYBE_ZERO, false)?;

    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |(certificate, _)| certificate.subject_name()))?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(365)?)?;
    match role {
        Role::Authority => {
            builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        }
        Role::Server => {
            let context = builder.x509v3_context(issuer.map(|(certificate, _)| &**certificate), None);
            let names = SubjectAlternativeName::new().dns(name).ip("127.0.0.1").build(&context)?;
            builder.append_extension(names)?;
        }
    }
    builder.sign(issuer.map_or(key, |(_, issuer_key)| issuer_key), MessageDigest::sha256())?;
    Ok(builder.build())
}
