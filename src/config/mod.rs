//! YAML to inventory: files, tree with places, definitions as written, merged, resolved, and every problem.

pub mod decode;
pub mod effective;
pub mod explain;
pub mod files;
pub use vigia_core::model::insertion;
pub mod keys;
pub mod last_good;
pub mod later;
pub mod load;
pub mod merge;
pub mod own;
pub mod place;
pub mod problem;
pub mod resolve;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod switches;
pub mod target;
pub mod templates;
pub mod tree;
pub mod veil;
pub mod written;

pub use files::{LoadError, Request};
pub use last_good::LastGood;
pub use load::{Loaded, Quarantined, load};
