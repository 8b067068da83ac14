//! What things are: definitions, statuses, records of what people did, events. Types and their arithmetic
//! only; decisions are in [`crate::engine`].

pub mod acknowledgement;
pub mod alarm;
pub mod anomaly;
pub mod asset;
pub mod check;
pub mod command;
pub mod comment;
pub mod contact;
pub mod day;
pub mod dependency;
pub mod downtime;
pub mod event;
pub mod grammar;
pub mod group;
pub mod host;
pub mod id;
pub mod insertion;
pub mod inventory;
pub mod message;
pub mod notification;
pub mod operation;
pub mod period;
pub mod policy;
pub mod range;
pub mod rule;
pub mod scan;
pub mod secret;
pub mod selector;
pub mod semantics;
pub mod service;
pub mod state;
pub mod status;
pub mod suppression;
pub mod ticket;
pub mod time;
