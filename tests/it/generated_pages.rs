//! Pages of `docs/` that are made from declarations are as the declarations say. `make docs` writes them anew.

use std::fs;

use vigia::config::schema;

use crate::support::sources::root;

#[test]
fn generated_pages_are_fresh() {
    let pages =
        [("docs/configuration.md", schema::reference()), ("docs/checks.md", schema::checks_reference())];
    let is_writing = std::env::var_os("VIGIA_WRITE_DOCS").is_some();
    for (name, page) in pages {
        let path = root().join(name);
        if is_writing {
            fs::write(&path, &page).expect("docs/ can be written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == page, "{name} is not what the declarations say; `make docs` writes it anew");
    }
}
