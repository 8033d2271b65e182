//! `--list`: the namespace descriptors of every GPU, as one JSON document that is the same on every run.

use serde::Serialize;

use crate::{inventory::Inventory, publisher::InfoText};

#[derive(Serialize)]
struct Listing<'a> {
    schema: &'static str,
    backend: &'static str,
    gpus: Vec<Directory<'a>>,
}

#[derive(Serialize)]
struct Directory<'a> {
    path: String,
    info: InfoText<'a>,
    files: Vec<FileEntry>,
}

#[derive(Serialize)]
struct FileEntry {
    path: String,
    mode: &'static str,
}

/// The files of one GPU and how they are used: read, written, appended to.
const FILES: [(&str, &str); 5] =
    [("info", "r"), ("ctl", "rw"), ("lease", "rw"), ("job", "a"), ("stats", "r")];

/// The document, with a newline at its end.
#[must_use]
pub fn listing(inventory: &Inventory) -> String {
    let directory = |(id, info)| {
        let path = format!("/gpu/{id}");
        let files =
            FILES.map(|(name, mode)| FileEntry { path: format!("{path}/{name}"), mode }).into();
        Directory { path, info: InfoText::of(id, info), files }
    };
    let listing = Listing {
        schema: "gpu-namespace/v1",
        backend: inventory.backend.kind.as_str(),
        gpus: inventory.gpus.iter().map(|(id, info)| directory((id, info))).collect(),
    };
    serde_json::to_string_pretty(&listing).expect("strings and numbers are always JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendChoice;

    /// Proves BR-7.
    #[test]
    fn the_mock_machine_is_listed_the_same_on_every_run() {
        let list = || {
            listing(
                &Inventory::take(BackendChoice::Mock, mock::soft::SoftConfig::default()).unwrap(),
            )
        };
        let text = list();
        assert_eq!(text, list());
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["schema"], "gpu-namespace/v1");
        assert_eq!(document["gpus"][1]["path"], "/gpu/GPU-1");
        assert_eq!(document["gpus"][0]["info"]["name"], "Mock 4090");
        assert_eq!(document["gpus"][0]["files"][3]["path"], "/gpu/GPU-0/job");
        assert_eq!(document["gpus"][0]["files"][3]["mode"], "a");
    }
}
