//! Fingerprints of keys, in the spelling of `ssh-keygen -l`.

use sha2::{Digest, Sha256};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `SHA256:…` of a key as it goes over the wire.
pub(super) fn fingerprint(key: &[u8]) -> String {
    shown(&Sha256::digest(key))
}

/// `SHA256:…` of a digest that was made already: base64 without padding.
pub(super) fn shown(digest: &[u8]) -> String {
    let mut text = "SHA256:".to_owned();
    for part in digest.chunks(3) {
        let bits =
            part.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for at in 0..=part.len() {
            let letter = usize::try_from(bits >> (18 - 6 * at) & 0x3f).unwrap_or_default();
            text.extend(LETTERS.get(letter).map(|letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_base64_without_padding() {
        assert_eq!(shown(b"foobar"), "SHA256:Zm9vYmFy");
        assert_eq!(shown(b"fooba"), "SHA256:Zm9vYmE");
        assert_eq!(shown(b"foob"), "SHA256:Zm9vYg");
        assert_eq!(fingerprint(b""), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
