//! YAML to inventory: files, tree with places, definitions as written, merged, resolved, and every problem.

pub mod decode;
pub mod effective;
pub mod files;
pub mod keys;
pub mod later;
pub mod place;
pub mod problem;
pub mod secret;
pub mod settings;
pub mod tree;
