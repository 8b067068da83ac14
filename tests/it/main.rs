//! The one integration-test binary: every file beside this one is a module of it.
#![allow(
    unreachable_pub,
    reason = "nothing outside a test binary can reach it; `pub` says what a module offers"
)]

mod bad_input;
mod crash;
mod examples;
mod generated_pages;
mod layering;
mod metrics;
mod reload;
mod seed;
mod serve;
mod servers;
mod support;
mod tidy;
