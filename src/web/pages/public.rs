//! `web.public_status`: names and states for everybody, without what checks say and without a way to act.

use askama::Template;
use axum::Extension;
use axum::response::{IntoResponse, Response};
use vigia_core::engine::selection::selects;
use vigia_core::model::id::Checkable;

use crate::web::assets;
use crate::web::auth::Public;
use crate::web::error::Failure;
use crate::web::frame::{Page, Seen};
use crate::web::view::{Row, Rows};
use crate::web::words;

/// Rows of one page; who shows more than this to everybody wants a selector.
const MOST: usize = 2000;

#[derive(Template)]
#[template(path = "public.html", config = ".askama.toml")]
struct PublicPage {
    theme: &'static str,
    rows: Vec<Row>,
    tone: &'static str,
    verdict: String,
    clock: String,
    left_out: usize,
}

impl PublicPage {
    fn icon(&self) -> String {
        assets::address(&format!("icon-{}.svg", self.tone))
    }

    fn asset(&self, name: &str) -> String {
        assets::address(name)
    }
}

/// `GET /status`
pub(crate) async fn page(Extension(seen): Extension<Seen>) -> Result<Response, Failure> {
    let world = &seen.world;
    let inventory = &world.inventory;
    let is_shown = |object: &Checkable| match &seen.web.rules.public {
        Public::Off => false,
        Public::All => true,
        Public::Only(selection) => selects(inventory, selection, *object),
    };
    if matches!(seen.web.rules.public, Public::Off) {
        return Err(Failure::Missing("There is no such page.".to_owned()));
    }
    let all = inventory.host_ids().flat_map(|id| {
        let services = inventory.host(id).services.iter().map(|id| Checkable::Service(*id));
        std::iter::once(Checkable::Host(id)).chain(services)
    });
    let shown: Vec<Checkable> = all.filter(is_shown).collect();
    let has_problem = |object: &Checkable| match object {
        Checkable::Host(id) => world.host(*id).is_problem(),
        Checkable::Service(id) => world.service(*id).is_problem(),
    };
    let problems = shown.iter().filter(|object| has_problem(object)).count();
    let page = PublicPage {
        theme: seen.theme,
        tone: if problems == 0 { "ok" } else { "critical" },
        verdict: match problems {
            0 => "All is well".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{} problems", words::count(many)),
        },
        clock: words::full_stamp(seen.eyes.now, &seen.eyes.zone),
        left_out: shown.len().saturating_sub(MOST),
        rows: nameless(Rows::new(world, &seen.eyes).mixed(shown.into_iter().take(MOST))),
    };
    Ok(Page(page).into_response())
}

/// Who works on what is nobody's business out there; that somebody does may be.
fn nameless(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        row.face.owner = row.face.owner.take().map(|_| String::new());
    }
    rows
}
