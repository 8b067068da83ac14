//! What the tests stand on: the daemon in a temporary folder, real servers on free ports, hostile peers.

pub mod browser;
pub mod chain;
pub mod daemon;
pub mod damage;
pub mod disk;
pub mod guests;
pub mod hook;
pub mod http;
pub mod lan;
pub mod machine;
pub mod pictures;
pub mod servers;
pub mod site;
pub mod sources;
