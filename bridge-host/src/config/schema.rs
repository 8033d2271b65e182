//! The settings as a JSON Schema, made from the types that read them: for editors, and for programs that write configurations.

use serde_json::Value;

use super::Config;

/// The schema, as it is in `docs/bridge.schema.json`.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = "Settings of gpu-bridge-host".into();
    // Where state is kept depends on who runs the program.
    if let Some(state_dir) = schema["properties"]["state_dir"].as_object_mut() {
        state_dir.remove("default");
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn document(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn complaints(text: &str) -> Vec<String> {
        let settings: toml::Table = text.parse().unwrap();
        let settings = serde_json::to_value(settings).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        validator
            .iter_errors(&settings)
            .map(|error| format!("{}: {error}", error.instance_path))
            .collect()
    }

    /// Proves CONF-1.
    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let published: Value = serde_json::from_str(&document("bridge.schema.json")).unwrap();
        let hint = "try: gpu-bridge-host config schema > docs/bridge.schema.json";
        assert!(published == schema(), "docs/bridge.schema.json is of other settings; {hint}");
    }

    /// Proves CONF-1.
    #[test]
    fn the_documented_settings_are_valid_by_the_schema_and_wrong_ones_are_not() {
        let text = document("bridge.toml");
        assert!(
            text.contains("[leases]") && complaints(&text).is_empty(),
            "{:?}",
            complaints(&text)
        );
        for (wrong, place) in [
            ("[leases]\nttl_max = 60\n", "/leases: Additional properties"),
            ("backend = \"quantum\"\n", "/backend: "),
            ("[executors]\nspares = \"two\"\n", "/executors/spares: "),
            ("listen = [1]\n", "/listen/0: "),
        ] {
            let found = complaints(wrong);
            assert!(found.iter().any(|complaint| complaint.starts_with(place)), "{found:?}");
        }
    }
}
