//! What a TLS server shows to anybody who connects: its certificate, and the key behind it. Nothing is judged, and old
//! versions of the protocol are spoken too: net discovery wants to know what is there.

use std::net::IpAddr;
use std::pin::Pin;

use openssl::asn1::Asn1Time;
use openssl::hash::{MessageDigest, hash};
use openssl::ssl::SslVerifyMode;
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

use crate::kind::Shared;
use crate::secure::{TlsFiles, refused};

/// What one handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// `TLSv1.3`.
    pub protocol: &'static str,
    /// Names and addresses the certificate is for, the common name last.
    pub names: Vec<String>,
    /// The chain leads to an authority that this system trusts; which names it is for is another question.
    pub is_trusted: bool,
    pub is_self_signed: bool,
    pub is_expired: bool,
    /// Seconds since 1970 until when it is good.
    pub not_after: Option<i64>,
    /// SHA-256 of the public key as in the certificate (SPKI): survives a renewal that keeps the key.
    pub key_sha256: Vec<u8>,
}

/// Most names that are kept of one certificate.
const NAMES: usize = 100;

/// Speaks TLS on a connection, for the name `name` where there is one. The error is for people.
pub async fn tls<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stream: S,
    name: Option<&str>,
) -> Result<(impl AsyncRead + AsyncWrite + Unpin + use<S>, Peek), String> {
    let connector = shared.connectors.get(&TlsFiles::default()).await.map_err(|failure| failure.text)?;
    let here = |error: openssl::error::ErrorStack| format!("cannot begin TLS: {error}");
    let configured = connector.configure().map_err(here)?;
    let mut ssl = configured
        .use_server_name_indication(name.is_some())
        .verify_hostname(false)
        .into_ssl(name.unwrap_or_default())
        .map_err(here)?;
    ssl.set_verify(SslVerifyMode::NONE);
    let mut stream = SslStream::new(ssl, stream).map_err(here)?;
    Pin::new(&mut stream).connect().await.map_err(|error| refused(&error).text)?;
    let ssl = stream.ssl();
    let certificate = ssl.peer_certificate().ok_or("the server showed no certificate")?;
    let mut peek = read(&certificate);
    peek.protocol = ssl.version_str();
    peek.is_trusted = ssl.verify_result() == X509VerifyResult::OK;
    Ok((stream, peek))
}

fn read(certificate: &X509) -> Peek {
    let mut names: Vec<String> = Vec::new();
    for name in certificate.subject_alt_names().iter().flatten().take(NAMES) {
        names.extend(name.dnsname().map(str::to_owned));
        names.extend(name.ipaddress().and_then(address).map(|address| address.to_string()));
    }
    let common = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
    let common = common.and_then(|entry| entry.data().to_string().ok());
    names.extend(common.map(|name| crate::outcome::one_line(name, 200)));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let key = certificate.public_key().and_then(|key| key.public_key_to_der());
    let key_sha256 = key.and_then(|der| hash(MessageDigest::sha256(), &der));
    let is_past = |at: &openssl::asn1::Asn1TimeRef| {
        Asn1Time::days_from_now(0).is_ok_and(|now| at.compare(&now).is_ok_and(std::cmp::Ordering::is_lt))
    };
    Peek {
        protocol: "",
        names,
        is_trusted: false,
        is_self_signed: certificate.issued(certificate) == X509VerifyResult::OK,
        is_expired: is_past(certificate.not_after()),
        not_after: Some(crate::cert::seconds(certificate.not_after())),
        key_sha256: key_sha256.map(|digest| digest.to_vec()).unwrap_or_default(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let sixteen: Result<[u8; 16], _> = bytes.try_into();
    four.map(IpAddr::from).or_else(|_| sixteen.map(IpAddr::from)).ok()
}
