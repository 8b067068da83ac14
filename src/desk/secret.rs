//! Tokens of sessions and programs: 256 bits by chance; the disk holds their SHA-256 alone.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::store::users::SecretHash;

/// What a browser or program shows to be known again. Cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Panics
    /// When the kernel has no randomness to give: nothing safe can be done then.
    pub fn new() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("Linux gives random bytes once it has started");
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What somebody showed. Anything that cannot be a token of ours is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_token.then(|| Self(text.to_ascii_lowercase()))
    }

    /// For the cookie, and for the one who asked for it. Goes nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Takes the same time whatever differs.
pub(super) fn is_same(a: &SecretHash, b: &SecretHash) -> bool {
    let differing = a.iter().zip(b).fold(0, |seen, (a, b)| seen | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_256_bits_by_chance_and_not_printed() {
        let (one, other) = (Token::new(), Token::new());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 64);
        assert_eq!(Token::parse(one.reveal()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let long = "0".repeat(65);
        for text in ["", "0", &"g".repeat(64), &long, "' OR 1=1 --"] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hashes_are_compared_whole() {
        let a = Token::new().hash();
        let mut b = a;
        assert!(is_same(&a, &b));
        b[31] ^= 1;
        assert!(!is_same(&a, &b));
    }
}
