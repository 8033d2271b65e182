//! Settings that change while the bridge runs: which of them can, and putting those into force.
//!
//! ```text
//!   old and new settings ─▶ keys that differ ─┬─▶ of a table that can change: applied, at once and together
//!                                             └─▶ any other: named and left as it was
//! ```

use ninedoor::AuditLine;
use serde_json::Value;

use crate::{bridge::BridgeHive, config::Config};

/// The tables that can change: how GPUs are shared, and what may be kept.
const CHANGEABLE: [&str; 3] = ["leases", "artefacts", "outputs"];

/// What became of new settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub applied: Vec<String>,
    /// Keys that keep their old value until the next start.
    pub left: Vec<String>,
}

/// Puts into force what can be; `running` is what was, and then what is.
pub(crate) fn reload(hive: &BridgeHive, running: &mut Config, wanted: &Config) -> Reloaded {
    let changed = changed(&value(running), &value(wanted));
    let can_change =
        |key: &String| CHANGEABLE.iter().any(|table| key.split('.').next() == Some(table));
    let (applied, left): (Vec<_>, Vec<_>) = changed.into_iter().partition(can_change);
    running.leases = wanted.leases;
    running.artefacts = wanted.artefacts;
    running.outputs = wanted.outputs;
    let words = |keys: &[String]| if keys.is_empty() { "-".to_owned() } else { keys.join(",") };
    let detail = format!("applied={} left={}", words(&applied), words(&left));
    hive.with(|server, publisher, now| {
        let dispatcher = &mut publisher.dispatcher;
        dispatcher.set_policy(running.policy(), now);
        dispatcher.artefacts.set_quota(running.artefacts.quota());
        dispatcher.outputs.set_quota(running.outputs.quota());
        server.audit(AuditLine::by("bridge").done("RELOAD", detail), now);
    });
    Reloaded { applied, left }
}

/// Notes that new settings were wrong, and that the old ones stay.
pub(crate) fn refuse(hive: &BridgeHive, why: &str) {
    let line = AuditLine::by("bridge").failed("RELOAD", "EINVAL", why.to_owned(), String::new());
    hive.with(|server, _, now| server.audit(line, now));
}

fn value(config: &Config) -> Value {
    serde_json::to_value(config).expect("settings are text, numbers and truth values")
}

/// The paths of the keys whose values differ, in order.
fn changed(old: &Value, new: &Value) -> Vec<String> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Vec::new() };
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut paths = Vec::new();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) => {
                paths.extend(changed(old, new).into_iter().map(|below| format!("{key}.{below}")));
            }
            (old, new) if old != new => paths.push(key.clone()),
            _ => {}
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_settings_are_named_by_their_paths() {
        let old = Config::default();
        let mut new = old.clone();
        assert!(changed(&value(&old), &value(&new)).is_empty());
        new.leases.ttl_s_max = 5;
        new.name = "other".to_owned();
        new.metrics = Some("127.0.0.1:1".parse().unwrap());
        assert_eq!(changed(&value(&old), &value(&new)), ["leases.ttl_s_max", "metrics", "name"]);
    }
}
