//! Lines of a CSV file into assets: known ones get what the file says, the others are made. All of it or nothing.

use rusqlite::Connection;
use serde_json::json;
use vigia_core::model::asset::{Asset, AssetAddress, AssetOrigin};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::time::Timestamp;

use super::Assets;
use super::csv::Row;
use super::edit::{EditError, Who, check_is_ours, record, say};
use crate::store::assets::{self, Evidence};

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub added: usize,
    pub changed: usize,
    /// Known, and as the file says.
    pub same: usize,
}

/// What one line came to.
enum Came {
    Added,
    Changed,
    Same,
}

impl Assets {
    /// Takes over lines, or in a dry run only says what would become of them.
    ///
    /// # Errors
    /// When a line cannot be taken: nothing is changed then.
    pub async fn import(
        &self,
        rows: Vec<Row>,
        is_dry: bool,
        who: Who,
        now: Timestamp,
    ) -> Result<Imported, EditError> {
        let inventory = std::sync::Arc::clone(&self.world().inventory);
        let work = move |connection: &Connection| {
            // A dry run, and one with a mistake, leave nothing behind.
            connection.execute_batch("SAVEPOINT import")?;
            let done = each(connection, &rows, &inventory)?;
            if is_dry || done.is_err() {
                connection.execute_batch("ROLLBACK TO import")?;
            }
            connection.execute_batch("RELEASE import")?;
            if let (Ok(done), false) = (&done, is_dry) {
                let detail = json!({ "added": done.added, "changed": done.changed, "same": done.same });
                record(connection, &who, now, "import-assets", "", detail)?;
            }
            Ok(done)
        };
        self.store().write(work).await?
    }
}

fn each(
    connection: &Connection,
    rows: &[Row],
    inventory: &Inventory,
) -> rusqlite::Result<Result<Imported, EditError>> {
    let mut done = Imported::default();
    for row in rows {
        match one(connection, row, inventory)? {
            Ok(Came::Added) => done.added += 1,
            Ok(Came::Changed) => done.changed += 1,
            Ok(Came::Same) => done.same += 1,
            Err(why) => {
                let text = format!("nothing was imported: line {}: {why}", row.line);
                return Ok(Err(EditError::Refused(text)));
            }
        }
    }
    Ok(Ok(done))
}

fn one(
    connection: &Connection,
    row: &Row,
    inventory: &Inventory,
) -> rusqlite::Result<Result<Came, EditError>> {
    let known = known(connection, row)?;
    let is_new = known.is_none();
    let mut asset = known.unwrap_or(Asset { origin: AssetOrigin::Hand, ..Asset::default() });
    // What is found or configured under this name and this system needs no second word for it.
    let news: Vec<_> = row
        .changes
        .iter()
        .filter(|change| match change.field {
            "name" => asset.name() != change.text,
            "os" => asset.os() != Some(&change.text),
            _ => true,
        })
        .cloned()
        .collect();
    let before = asset.clone();
    let ours: Vec<_> = news.iter().filter(|change| !is_said_so(&asset, change, inventory)).cloned().collect();
    if let Err(error) = check_is_ours(&asset, &ours, inventory) {
        return Ok(Err(error));
    }
    for change in &ours {
        if let Err(error) = say(&mut asset.set, change) {
            return Ok(Err(error));
        }
    }
    for address in &row.addresses {
        if asset.addresses.iter().any(|one| one.address == *address) {
            continue;
        }
        if !assets::find(connection, Evidence::Address(*address))?.is_empty() {
            let text = format!("{address} is another asset's address");
            return Ok(Err(EditError::Refused(text)));
        }
        asset.addresses.push(AssetAddress::new(*address));
    }
    if asset == before && !is_new {
        return Ok(Ok(Came::Same));
    }
    if is_new {
        let address = row.addresses.first().map(|address| address.to_string().into());
        asset.found_name = asset.set.name.clone().or(address).unwrap_or_default();
    }
    let id = assets::save(connection, &asset)?;
    assets::save_words(connection, id, &asset.set)?;
    Ok(Ok(if is_new { Came::Added } else { Came::Changed }))
}

/// The value of a configured host that the file repeats.
fn is_said_so(asset: &Asset, change: &super::Change, inventory: &Inventory) -> bool {
    change.field == "value" && super::value::of(asset, inventory).to_string() == change.text
}

/// By address, else by the name of a host or of an asset.
fn known(connection: &Connection, row: &Row) -> rusqlite::Result<Option<Asset>> {
    for address in &row.addresses {
        if let Some(id) = assets::find(connection, Evidence::Address(*address))?.first() {
            return assets::asset(connection, *id);
        }
    }
    let Some(name) = row.changes.iter().find(|change| change.field == "name") else { return Ok(None) };
    for evidence in [Evidence::Host(&name.text), Evidence::Name(&name.text)] {
        if let Some(id) = assets::find(connection, evidence)?.first() {
            return assets::asset(connection, *id);
        }
    }
    Ok(None)
}
