//! What a secret is when it is needed: read at that moment, from where the configuration says it is.

use std::path::Path;
use std::sync::Arc;

use vigia_checks::options::{Secret, SecretSource};

use crate::os::files;
use crate::telemetry::Chain;

/// No password is longer.
const LIMIT: u64 = 64 * 1024;

/// For the checks, which do not know where secrets are kept.
pub fn source() -> SecretSource {
    Arc::new(reveal)
}

/// The secret itself, or why it cannot be had. The trailing newline of a file is not part of it.
pub fn reveal(secret: &Secret) -> Result<String, String> {
    match secret {
        Secret::Literal(text) => Ok(text.clone()),
        Secret::File(path) => read(Path::new(path)),
        Secret::Env(name) => {
            std::env::var(name).map_err(|_unset| format!("the environment variable {name} is not set"))
        }
        Secret::Credential(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                format!("credential {name}: systemd gave us none (LoadCredential={name}:PATH)")
            })?;
            // A credential's name is one part of a path, or it would be a way out of its folder.
            let is_name = !name.is_empty() && !name.contains('/') && name != "..";
            if !is_name {
                return Err(format!("credential {name}: not a name of a credential"));
            }
            read(&Path::new(&folder).join(name))
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = files::read(path, LIMIT).map_err(|error| Chain(&error).to_string())?;
    let text = String::from_utf8(bytes).map_err(|_invalid| format!("{} is not text", path.display()))?;
    Ok(text
        .strip_suffix('\n')
        .map(|text| text.strip_suffix('\r').unwrap_or(text))
        .unwrap_or(&text)
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_file_comes_without_its_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        files::write(&path, b"s3cret \n", 0o600).unwrap();
        assert_eq!(reveal(&Secret::File(path.display().to_string())).as_deref(), Ok("s3cret "));
    }

    #[test]
    fn a_secret_that_cannot_be_had_says_where_it_should_be() {
        let missing = reveal(&Secret::File("/no/such/secret".into())).unwrap_err();
        assert!(missing.contains("/no/such/secret"), "{missing}");
        let outside = reveal(&Secret::Credential("../shadow".into())).unwrap_err();
        assert!(outside.contains("credential"), "{outside}");
        assert!(reveal(&Secret::Env("VIGIA_NO_SUCH_VARIABLE".into())).is_err());
    }
}
