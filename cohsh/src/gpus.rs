//! The GPUs of a hive, as `/gpu` shows them.

use ninedoor_abi::GpuId;
use serde_json::{Map, Value};

use crate::error::{CommandError, ErrorKind};
use crate::hive::Hive;

/// One GPU and the facts in its `info`.
#[derive(Debug, Clone)]
pub struct Gpu {
    /// Its directory's name.
    pub id: GpuId,
    /// What `info` says.
    pub info: Map<String, Value>,
}

impl Gpu {
    /// A fact of `info`; null when it says nothing of that.
    #[must_use]
    pub fn fact(&self, key: &str) -> Value {
        self.info.get(key).cloned().unwrap_or_default()
    }

    /// A fact as text; empty when there is none.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        match self.fact(key) {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// `ok`, or how it is instead and why.
    #[must_use]
    pub fn health(&self) -> String {
        let health = self.fact("health");
        let word = |key: &str| health.get(key).and_then(Value::as_str).map(str::to_owned);
        match (word("state"), word("detail")) {
            (Some(state), Some(detail)) => format!("{state}: {detail}"),
            (state, _) => state.unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    /// Whether it takes new work, and why not; empty where its server does not say.
    #[must_use]
    pub fn state(&self) -> String {
        match (self.text("state"), self.text("state_reason")) {
            (state, reason) if reason.is_empty() => state,
            (state, reason) => format!("{state}: {reason}"),
        }
    }

    /// Whether it can be given work, as far as it says.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        ["", "ready"].contains(&self.text("state").as_str())
            && !self.health().starts_with("unusable")
    }
}

/// Every GPU that one may see.
///
/// # Errors
/// When `/gpu` cannot be read.
pub async fn all(hive: &Hive) -> Result<Vec<Gpu>, CommandError> {
    let mut gpus = Vec::new();
    for entry in hive.list("/gpu").await?.into_iter().filter(|entry| entry.is_directory) {
        gpus.push(read(hive, &entry.name).await?);
    }
    Ok(gpus)
}

/// The GPU of that id or UUID; the first usable one where none is named.
///
/// # Errors
/// When there is no such GPU, or none at all.
pub async fn choose(hive: &Hive, wanted: Option<&str>) -> Result<Gpu, CommandError> {
    let gpus = all(hive).await?;
    let ids: Vec<String> = gpus.iter().map(|gpu| gpu.id.to_string()).collect();
    let is_wanted = |gpu: &Gpu| match wanted {
        Some(name) => gpu.id.as_str() == name || gpu.text("uuid") == name,
        None => gpu.is_usable(),
    };
    gpus.into_iter().find(is_wanted).ok_or_else(|| none_such(wanted, &ids))
}

fn none_such(wanted: Option<&str>, ids: &[String]) -> CommandError {
    let seen = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    let text = match wanted {
        Some(name) => format!("no GPU {name:?}; there is {seen}"),
        None => format!("no GPU that can be given work; there is {seen}"),
    };
    CommandError::new(ErrorKind::Policy, text)
        .hint("`gpu ls` shows what is there, `doctor` why not")
}

async fn read(hive: &Hive, name: &str) -> Result<Gpu, CommandError> {
    let path = format!("/gpu/{name}/info");
    let text = hive.text(&path).await?;
    let unexpected = |wanted| CommandError::unexpected(&path, wanted, text.trim_end());
    let info = serde_json::from_str(&text).map_err(|_| unexpected("one JSON object"))?;
    let id = name.parse().map_err(|_| CommandError::unexpected("/gpu", "GPU ids", name))?;
    Ok(Gpu { id, info })
}

/// The latest sample of a GPU's counters: the first line of its `stats`. Empty when there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn sample(hive: &Hive, gpu: &GpuId) -> Result<Map<String, Value>, CommandError> {
    let text = hive.text(&format!("/gpu/{gpu}/stats")).await?;
    let first = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
    Ok(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(info: &str) -> Gpu {
        Gpu { id: "GPU-0".parse().unwrap(), info: serde_json::from_str(info).unwrap() }
    }

    #[test]
    fn health_is_told_with_its_reason() {
        assert_eq!(gpu(r#"{"health":{"state":"ok"}}"#).health(), "ok");
        let lost = gpu(r#"{"health":{"state":"unusable","detail":"Xid 79"}}"#);
        assert_eq!(lost.health(), "unusable: Xid 79");
        assert!(!lost.is_usable());
        assert!(gpu("{}").is_usable(), "what is not said is not held against it");
    }

    /// Proves MET-10.
    #[test]
    fn a_gpu_that_takes_no_work_is_told_with_its_reason_and_not_chosen() {
        let drained = gpu(r#"{"state":"drained","state_reason":"nothing is granted"}"#);
        assert_eq!(drained.state(), "drained: nothing is granted");
        assert!(!drained.is_usable());
        let ready = gpu(r#"{"state":"ready","health":{"state":"ok"}}"#);
        assert_eq!((ready.state(), ready.is_usable()), ("ready".to_owned(), true));
    }
}
