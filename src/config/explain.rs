//! Effective values of a configuration on disk, for `vigia show` and `vigia diff`.

use super::decode::Decoder;
use super::effective::EffectiveObject;
use super::files::{Files, LoadError, Request};
use super::resolve;
use super::written::Written;

/// Effective values of one host and its services, or of everything.
///
/// # Errors
/// When there is no main file. Objects with a mistake are left out.
pub fn explain(request: &Request, host: Option<&str>) -> Result<Vec<EffectiveObject>, LoadError> {
    let files = Files::read(request)?;
    let parsed = files.parse();
    let mut decoder = Decoder::default();
    let mut written = Written::default();
    for document in &parsed.documents {
        written.add(&document.map, document.author, &mut decoder);
    }
    Ok(resolve::explain::explain(&written, host, &files.sources))
}
