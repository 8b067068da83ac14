//! Style, script and icons: embedded, addressed by their hash, kept by browsers for ever.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/web/static"]
struct Files;

/// Name → address with the hash of the content in it. Computed once: the files do not change while we run.
static ADDRESSES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let address = |name: &str| {
        let hash = Files::get(name)?.metadata.sha256_hash();
        let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Some(format!("/static/{hash}/{name}"))
    };
    Files::iter().filter_map(|name| Some((name.to_string(), address(&name)?))).collect()
});

/// Where a browser finds the file; the name itself for one that does not exist, which a test would show.
pub(crate) fn address(name: &str) -> String {
    ADDRESSES.get(name).cloned().unwrap_or_else(|| format!("/static/-/{name}"))
}

/// `GET /static/HASH/NAME`. The name decides; under another hash (of a page from before an update) it is served,
/// and not kept.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(file) = Files::get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let is_own = ADDRESSES.get(&name).is_some_and(|own| *own == format!("/static/{hash}/{name}"));
    let keep = if is_own { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)];
    (headers, Body::from(file.data.into_owned())).into_response()
}
