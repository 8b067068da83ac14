//! Where the pictures that the tests take are left, to be looked at.

use std::path::{Path, PathBuf};

/// `target/pictures/NAME`, wherever `target` is.
pub fn picture(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("pictures").join(name)
}
