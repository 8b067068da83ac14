//! The one integration-test binary: every file beside this one is a module of it.
#![allow(
    unreachable_pub,
    reason = "nothing outside a test binary can reach it; `pub` says what a module offers"
)]

mod generated_pages;
mod layering;
mod serve;
mod servers;
mod support;
mod tidy;
