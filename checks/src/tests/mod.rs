//! The checks against peers of our own that misbehave in one way each, through the door that plugins use.

#[path = "../../../tests/it/support/damage.rs"]
pub(crate) mod damage;
mod damaged;
mod http;
pub(crate) mod made_certificates;
mod options;
mod peers;
pub(crate) mod script;
mod tcp;
mod tls;

use std::sync::Arc;

use crate::options::Secret;
use crate::{Shared, cli};

/// Runs `vigia check KIND …`; an argument with blanks stands in single quotes.
pub(crate) async fn check(kind: &str, line: &str) -> (u8, String) {
    let secrets = Arc::new(|secret: &Secret| match secret {
        Secret::Literal(text) => Ok(text.clone()),
        Secret::File(_) | Secret::Env(_) | Secret::Credential(_) => Err("not in this test".to_owned()),
    });
    let kind = crate::kind(kind).expect("a kind of the table");
    cli::plugin_main(kind, &words(line), &Shared::new(secrets)).await
}

fn words(line: &str) -> Vec<String> {
    let outside = |part: &str| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    line.split('\'')
        .enumerate()
        .flat_map(|(n, part)| if n % 2 == 0 { outside(part) } else { vec![part.to_owned()] })
        .collect()
}

/// Nothing that a terminal or a page could take for more than text.
pub(super) fn assert_harmless(text: &str) {
    assert!(text.len() < 50_000, "{} bytes", text.len());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
