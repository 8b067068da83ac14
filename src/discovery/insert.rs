//! What a person ticked, or a job writes by itself → discovery's pages. Pure, but for the pages it is given.
//!
//! An empty field changes nothing, monitoring is never switched off because a tick is missing, and hosts that a person
//! wrote are left alone. (`ossim-discovery.md` 6)

use std::collections::BTreeMap;
use std::path::PathBuf;

use vigia_core::model::asset::Network;
use vigia_core::model::grammar;
use vigia_core::model::inventory::Inventory;

use super::page::Page;
use super::suggestion::quoted;
use super::summary::HostRow;

/// What becomes of the switch `monitor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Monitoring {
    On,
    Off,
    /// Known hosts: as it is. New ones: as their network says.
    #[default]
    Leave,
}

impl Monitoring {
    /// # Errors
    /// What can be said instead.
    pub fn from_word(word: &str) -> Result<Self, String> {
        match word {
            "on" | "yes" => Ok(Self::On),
            "off" | "no" => Ok(Self::Off),
            "" | "leave" => Ok(Self::Leave),
            other => Err(format!("`{other}` is none of `on`, `off`, `leave`")),
        }
    }
}

/// Properties for all hosts that were ticked. An empty one changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    pub new: Monitoring,
    pub known: Monitoring,
    pub group: Option<String>,
    pub asset_value: Option<u8>,
    pub description: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// One property that cannot be written: its field, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {text}")]
pub struct WrongProperty {
    pub field: &'static str,
    pub text: String,
}

impl Properties {
    /// Reads what was typed.
    ///
    /// # Errors
    /// The first field that cannot be what it says.
    pub fn read(said: &dyn Fn(&str) -> String) -> Result<Self, WrongProperty> {
        let wrong = |field: &'static str, text: &str| WrongProperty { field, text: text.to_owned() };
        let some = |field: &str| Some(said(field).trim().to_owned()).filter(|text| !text.is_empty());
        let group = some("group");
        if let Some(group) = &group {
            grammar::check_name(group).map_err(|error| wrong("group", &error.to_string()))?;
        }
        let asset_value = some("asset_value")
            .map(|text| {
                let value = text.parse::<u8>().ok().filter(|value| *value <= 5);
                value.ok_or_else(|| wrong("asset_value", "a number from 0 to 5"))
            })
            .transpose()?;
        let description = some("description");
        if description.as_ref().is_some_and(|text| text.len() > 2_000) {
            return Err(wrong("description", "at most 2000 characters"));
        }
        let degrees = |field: &'static str, most: f64, text: &str| {
            some(field)
                .map(|said| {
                    let value = said.replace(',', ".").parse::<f64>().ok();
                    value.filter(|value| value.abs() <= most).ok_or_else(|| wrong(field, text))
                })
                .transpose()
        };
        let latitude = degrees("latitude", 90.0, "degrees from -90 to 90, such as 40.4168")?;
        let longitude = degrees("longitude", 180.0, "degrees from -180 to 180, such as -3.7038")?;
        if latitude.is_some() != longitude.is_some() {
            let missing = if latitude.is_some() { "longitude" } else { "latitude" };
            return Err(wrong(missing, "a place has both"));
        }
        let switch = |field: &'static str| {
            Monitoring::from_word(said(field).trim()).map_err(|text| wrong(field, &text))
        };
        Ok(Self {
            new: switch("monitor_new")?,
            known: switch("monitor_known")?,
            group,
            asset_value,
            description,
            latitude,
            longitude,
        })
    }

    /// Sets what is said; `network`: the switch of the closest one.
    fn set(&self, block: &mut super::page::Block, monitoring: Monitoring, network: Option<bool>) {
        match monitoring {
            // Where the network has nothing against it, its switch goes on to decide.
            Monitoring::On if network != Some(false) => block.clear("monitor"),
            Monitoring::On => block.set("monitor", "on"),
            Monitoring::Off => block.set("monitor", "off"),
            Monitoring::Leave => {}
        }
        if let Some(group) = &self.group {
            block.set("hostgroups", with_item(block.key("hostgroups"), group));
        }
        if let Some(value) = self.asset_value {
            block.set("asset_value", value.to_string());
        }
        if let Some(text) = &self.description {
            block.set("notes", quoted(text));
        }
        if let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) {
            block.set("location", format!("{{latitude: {latitude}, longitude: {longitude}}}"));
        }
    }
}

/// A list as we write it, with one item more.
fn with_item(known: Option<&str>, item: &str) -> String {
    let inside = known.and_then(|text| text.strip_prefix('[')?.strip_suffix(']')).unwrap_or_default();
    let item = quoted(item);
    if inside.is_empty() {
        return format!("[{item}]");
    }
    let has_it = inside.split(", ").any(|one| one == item);
    if has_it { format!("[{inside}]") } else { format!("[{inside}, {item}]") }
}

/// What became of each host that was ticked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    pub new: Vec<String>,
    pub updated: Vec<String>,
    /// With the reason.
    pub left: Vec<(String, String)>,
}

impl Inserted {
    pub fn written(&self) -> usize {
        self.new.len() + self.updated.len()
    }

    /// In a sentence.
    pub fn told(&self) -> String {
        let count = |many: usize, what: &str| match many {
            0 => None,
            1 => Some(format!("1 host {what}")),
            many => Some(format!("{many} hosts {what}")),
        };
        let left = count(self.left.len(), "left as it is").map(|text| match self.left.first() {
            Some((name, why)) => format!("{text} ({name}: {why})"),
            None => text,
        });
        let parts = [count(self.new.len(), "written"), count(self.updated.len(), "updated"), left];
        let told: Vec<String> = parts.into_iter().flatten().collect();
        if told.is_empty() { "nothing to write".to_owned() } else { told.join(", ") }
    }
}

/// Discovery's pages by their paths, and which of them new hosts go to.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pub all: BTreeMap<PathBuf, Page>,
    pub own: PathBuf,
    /// Those that are to be written.
    pub touched: std::collections::BTreeSet<PathBuf>,
}

/// Puts hosts into the pages.
pub fn insert(
    pages: &mut Pages,
    rows: &[&HostRow],
    properties: &Properties,
    inventory: &Inventory,
) -> Inserted {
    let mut inserted = Inserted::default();
    for row in rows {
        let name = row.host_name.clone();
        match insert_one(pages, row, properties, inventory) {
            Ok(true) => inserted.new.push(name),
            Ok(false) => inserted.updated.push(name),
            Err(why) => inserted.left.push((name, why.to_owned())),
        }
    }
    if inserted.written() > 0
        && let Some(group) = &properties.group
        && !inventory.hostgroups.iter().any(|known| *known.name == **group)
        && !pages.all.values().any(|page| page.groups.contains(group))
    {
        pages.all.entry(pages.own.clone()).or_default().groups.insert(group.clone());
        pages.touched.insert(pages.own.clone());
    }
    inserted
}

/// Whether it is new.
fn insert_one(
    pages: &mut Pages,
    row: &HostRow,
    properties: &Properties,
    inventory: &Inventory,
) -> Result<bool, &'static str> {
    let network = Network::monitoring(&row.address, &inventory.networks);
    let block = row.block().ok_or("what was kept of it cannot be read; scan it again")?;
    let at = pages.all.iter().find(|(_, page)| page.hosts.contains_key(&row.host_name));
    if let Some(path) = at.map(|(path, _)| path.clone()) {
        let known = pages.all.get_mut(&path).and_then(|page| page.hosts.get_mut(&row.host_name));
        let known = known.ok_or("it is not on the page any more")?;
        if known.is_foreign() {
            return Err("its block on the page was reshaped by hand");
        }
        known.update(&block);
        properties.set(known, properties.known, network);
        pages.touched.insert(path);
        return Ok(false);
    }
    if row.verdict == "by hand" {
        return Err("a person wrote it; its file says all of it");
    }
    if inventory.host_id(&row.host_name).is_some() {
        return Err(
            "a host of this name was written by hand; scan again, and it is recognised or gets another name",
        );
    }
    let mut block = block;
    properties.set(&mut block, properties.new, network);
    pages.all.entry(pages.own.clone()).or_default().hosts.insert(row.host_name.clone(), block);
    pages.touched.insert(pages.own.clone());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, verdict: &str, yaml: &str) -> HostRow {
        HostRow {
            verdict: verdict.into(),
            host_name: name.into(),
            address: "192.0.2.7".into(),
            yaml: format!("  {name}:\n    address: 192.0.2.7\n{yaml}"),
            ..HostRow::default()
        }
    }

    fn said(pairs: &[(&str, &str)]) -> Result<Properties, WrongProperty> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Properties::read(&move |field| {
            pairs.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone()).unwrap_or_default()
        })
    }

    fn pages() -> Pages {
        Pages { own: "discovered/lan.yaml".into(), ..Pages::default() }
    }

    fn text(pages: &Pages) -> String {
        pages.all.values().map(|page| page.yaml("lan")).collect()
    }

    fn network(monitor: Option<bool>) -> Inventory {
        let network = Network {
            name: "lab".into(),
            alias: "lab".into(),
            cidr: vec!["192.0.2.0/24".parse().unwrap()],
            monitor,
            is_switched: false,
            asset_value: 2,
        };
        let mut inventory = Inventory::default();
        inventory.networks = vec![network];
        inventory
    }

    #[test]
    fn all_properties_of_the_form_are_written_latitude_and_longitude_among_them() {
        let properties = said(&[
            ("monitor_new", "on"),
            ("group", "office"),
            ("asset_value", "4"),
            ("description", "rack 3: \"left\""),
            ("latitude", "40,4168"),
            ("longitude", "-3.7038"),
        ]);
        let mut pages = pages();
        let web = row("web1", "new", "    services:\n      SSH: {ssh: {}}   # 22/tcp ssh\n");
        let inserted = insert(&mut pages, &[&web], &properties.unwrap(), &Inventory::default());
        assert_eq!(inserted.told(), "1 host written");
        let text = text(&pages);
        for line in [
            "hostgroups:\n  office: {}\n",
            "    hostgroups: [office]\n",
            "    asset_value: 4\n",
            "    notes: \"rack 3: \\\"left\\\"\"\n",
            "    location: {latitude: 40.4168, longitude: -3.7038}\n",
            "      SSH: {ssh: {}}",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert!(!text.contains("monitor:"), "its network goes on to decide: {text}");
        assert_eq!(Page::read(&text).unwrap(), pages.all[&pages.own], "the page reads back");
    }

    #[test]
    fn a_field_that_cannot_be_meant_is_named() {
        for (field, value) in [
            ("asset_value", "6"),
            ("latitude", "91"),
            ("longitude", "east"),
            ("group", "a/b"),
            ("monitor_new", "perhaps"),
        ] {
            assert_eq!(said(&[(field, value)]).unwrap_err().field, field);
        }
        assert_eq!(said(&[("latitude", "40")]).unwrap_err().field, "longitude");
        assert_eq!(said(&[]).unwrap(), Properties::default());
    }

    #[test]
    fn saving_again_leaves_monitoring_and_empty_fields_as_they_are() {
        let first = said(&[("monitor_new", "off"), ("asset_value", "5")]).unwrap();
        let mut pages = pages();
        let seen = [row("web1", "new", "")];
        insert(&mut pages, &seen.each_ref(), &first, &Inventory::default());
        let before = text(&pages);
        assert!(before.contains("    monitor: off\n    asset_value: 5\n"), "{before}");
        let again = insert(&mut pages, &seen.each_ref(), &Properties::default(), &Inventory::default());
        assert_eq!((again.told().as_str(), text(&pages)), ("1 host updated", before));
        let on = Properties { known: Monitoring::On, ..Properties::default() };
        insert(&mut pages, &seen.each_ref(), &on, &Inventory::default());
        assert!(!text(&pages).contains("monitor"), "{}", text(&pages));
    }

    #[test]
    fn monitoring_that_the_network_forbids_is_said_of_the_host() {
        let on = Properties { new: Monitoring::On, ..Properties::default() };
        for (switch, is_said) in [(Some(false), true), (Some(true), false), (None, false)] {
            let mut pages = pages();
            insert(&mut pages, &[&row("web1", "new", "")], &on, &network(switch));
            assert_eq!(text(&pages).contains("    monitor: on\n"), is_said, "{switch:?}");
        }
    }

    #[test]
    fn what_a_person_wrote_or_reshaped_is_left_alone_with_the_reason() {
        let mut pages = pages();
        let reshaped = "hosts:\n  odd:\n    address: 192.0.2.9\n    services: {ssh: {}}\n    # mine\n";
        pages.all.insert(pages.own.clone(), Page::read(reshaped).unwrap());
        let rows = [row("mine", "by hand", ""), row("odd", "changed", "")];
        let inserted = insert(&mut pages, &rows.each_ref(), &Properties::default(), &Inventory::default());
        let left: Vec<&str> = inserted.left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((left, inserted.written()), (vec!["mine", "odd"], 0));
        assert!(pages.touched.is_empty());
    }
}
