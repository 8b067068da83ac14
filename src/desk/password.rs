//! Passwords: what makes one good enough, and Argon2id on blocking threads, two at a time.

use std::fmt;
use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use super::DeskError;

/// Each hashing takes about 19 MiB: a flood of log-ins must not take all memory and every core.
const AT_ONCE: usize = 2;

/// Longer ones are refused before they are hashed.
const MAX_BYTES: usize = 1024;

/// A password on its way in. Cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Fit for the account `name`? Length is what counts; rules about signs make people write them down.
    pub(super) fn check(&self, name: &str, min_length: usize) -> Result<(), DeskError> {
        let invalid = |why: String| Err(DeskError::Invalid(why));
        let length = self.0.chars().count();
        if length < min_length {
            return invalid(format!("the password has {length} characters and needs at least {min_length}"));
        }
        if self.0.len() > MAX_BYTES {
            return invalid(format!("the password is longer than {MAX_BYTES} bytes"));
        }
        let mut signs = self.0.chars();
        let first = signs.next();
        if self.0.eq_ignore_ascii_case(name) || signs.all(|sign| Some(sign) == first) {
            return invalid("the password is too easy to guess: take several words".to_owned());
        }
        Ok(())
    }

    pub(super) fn may_be_one(&self) -> bool {
        self.0.len() <= MAX_BYTES
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

pub(super) struct Hasher {
    permits: Arc<Semaphore>,
    /// Hash of nothing anybody knows: an unknown name must take as long as a wrong password.
    decoy: Arc<OnceLock<String>>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), decoy: Arc::default() }
    }
}

impl Hasher {
    /// A PHC string with a salt of its own.
    pub(super) async fn hash(&self, password: Password) -> Result<String, DeskError> {
        self.on_blocking_thread(move |_| hash(&password)).await
    }

    /// Without a hash (no such user, no password) it takes as long and is never right.
    pub(super) async fn verify(&self, phc: Option<String>, password: Password) -> Result<bool, DeskError> {
        self.on_blocking_thread(move |decoy| {
            let known = phc.is_some();
            let phc = match phc {
                Some(phc) => phc,
                None => decoy_hash(decoy)?,
            };
            let parsed = PasswordHash::new(&phc).map_err(|error| DeskError::Hash(error.to_string()))?;
            let is_right = Argon2::default().verify_password(password.0.as_bytes(), &parsed).is_ok();
            Ok(known && is_right)
        })
        .await
    }

    async fn on_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OnceLock<String>) -> Result<T, DeskError> + Send + 'static,
    ) -> Result<T, DeskError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let decoy = Arc::clone(&self.decoy);
        let hashing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&decoy)
        });
        hashing.await.unwrap_or_else(|error| Err(DeskError::Hash(error.to_string())))
    }
}

fn hash(password: &Password) -> Result<String, DeskError> {
    let hash = Argon2::default().hash_password(password.0.as_bytes());
    Ok(hash.map_err(|error| DeskError::Hash(error.to_string()))?.to_string())
}

fn decoy_hash(decoy: &OnceLock<String>) -> Result<String, DeskError> {
    if let Some(hash) = decoy.get() {
        return Ok(hash.clone());
    }
    let made = hash(&Password::new(super::Token::new().reveal()))?;
    Ok(decoy.get_or_init(|| made).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_in_characters_and_the_name_is_no_password() {
        let fits = |text: &str| Password::new(text).check("administrator", 10).is_ok();
        assert!(fits("tres tigres"));
        assert!(fits("äöüäöüäöüß"));
        assert!(!fits("123456789"));
        assert!(!fits("Administrator"));
        assert!(!fits("aaaaaaaaaaaa"));
        assert!(!fits(&"long ".repeat(1000)));
        let refusal = Password::new("short").check("ana", 10).unwrap_err().to_string();
        assert!(refusal.contains('5') && refusal.contains("10"), "{refusal}");
    }

    #[tokio::test]
    async fn only_the_right_password_verifies_and_an_unknown_user_never() {
        let hasher = Hasher::default();
        let phc = hasher.hash(Password::new("correct horse")).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert!(hasher.verify(Some(phc.clone()), Password::new("correct horse")).await.unwrap());
        assert!(!hasher.verify(Some(phc), Password::new("battery staple")).await.unwrap());
        assert!(!hasher.verify(None, Password::new("correct horse")).await.unwrap());
    }

    #[test]
    fn a_password_is_not_printed() {
        assert!(!format!("{:?}", Password::new("hidden")).contains("hidden"));
    }
}
