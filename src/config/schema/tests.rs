//! The schema and the page tell of every declared key.

use super::*;

#[test]
fn every_declared_key_is_in_the_schema_and_on_the_page() {
    let schema = schema();
    let page = reference();
    for (section, keys) in tables::TABLES {
        for key in *keys {
            assert!(page.contains(&format!("`{}`", key.name)), "{section}.{} is not on the page", key.name);
        }
        assert!(schema["definitions"][section].is_object(), "{section} is not in the schema");
    }
    for section in SECTIONS {
        assert!(schema["properties"][section.name].is_object(), "{}", section.name);
    }
}

#[test]
fn a_service_holds_its_keys_and_every_kind_of_check() {
    let service = schema()["definitions"]["service"].to_string();
    for kind in KINDS {
        assert!(service.contains(&format!("check-{}", kind.name)), "{}", kind.name);
    }
    assert!(service.contains("\"check_interval\""));
    assert!(!service.contains("\"address\":"));
}

#[test]
fn every_reference_inside_the_schema_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let schema = schema();
    let mut found = Vec::new();
    walk(&schema, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(schema.pointer(pointer).is_some(), "{reference}");
    }
}
