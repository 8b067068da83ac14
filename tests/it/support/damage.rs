//! Damage by chance: examples that are cut, joined and altered, for readers of what comes from outside. Three test binaries
//! take it in by its path, so that what counts as damage is said once.
//!
//! `VIGIA_TEST_INPUTS` says how many inputs each reader gets; a failure prints the seed, `VIGIA_TEST_SEED` takes it again.

#![allow(unreachable_pub, reason = "what a module of tests offers; nothing outside can reach it anyway")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fastrand::Rng;

pub fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

pub fn seed() -> u64 {
    number("VIGIA_TEST_SEED", fastrand::u64(..))
}

/// One of them, or two joined, with some damage.
pub fn damaged(corpus: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    const SPECIAL: &[u8] = b"$|;'\"\\!{}[]:,-#&*%@~=\n\t\r \0\xff\xc3\x80";
    let one = |random: &mut Rng| random.choice(corpus).cloned().unwrap_or_default();
    let mut bytes = one(random);
    for _ in 0..random.usize(0..6) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..9) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, *random.choice(SPECIAL).unwrap_or(&0)),
            2 => bytes.insert(at, random.u8(..)),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 if at < bytes.len() => bytes[at] = random.u8(..),
            5 => {
                let other = one(random);
                let from = random.usize(0..=other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
            6 => {
                let piece = bytes[at..].to_vec();
                let times = random.usize(1..20);
                bytes.extend(piece.iter().copied().cycle().take(piece.len().min(50) * times));
            }
            // What lengths and counts are made of.
            7 => bytes.iter_mut().skip(at).take(random.usize(1..5)).for_each(|byte| {
                *byte = *random.choice([0, 1, 0x7f, 0x80, 0xff].iter()).unwrap_or(&0);
            }),
            _ => {}
        }
    }
    bytes.truncate(40_000);
    bytes
}

/// Hands damaged examples to a reader, which may not panic, and prints how many these were.
#[allow(clippy::print_stdout, reason = "the figures, for whoever runs it with --nocapture")]
pub fn survives(name: &str, corpus: &[Vec<u8>], reader: impl Fn(&[u8])) {
    let (inputs, seed) = (number("VIGIA_TEST_INPUTS", 20_000), seed());
    let (mut random, started) = (Rng::with_seed(seed), Instant::now());
    for turn in 0..inputs {
        let bytes = damaged(corpus, &mut random);
        let survived = catch_unwind(AssertUnwindSafe(|| reader(&bytes))).is_ok();
        assert!(survived, "{name}, seed {seed}, input {turn}: {:?}", String::from_utf8_lossy(&bytes));
    }
    println!("{name}: {inputs} inputs in {:.0?}, seed {seed}", started.elapsed());
}
