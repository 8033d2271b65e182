//! From a file and the environment to a [`Config`].

use std::{
    fmt, fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Table, Value};

use super::Config;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigRefused {
    /// The file cannot be read.
    #[error("config {path}: {error}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is no TOML, or has keys that there are not.
    #[error("config {path}: {text}", path = .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where and what, in the parser's words.
        text: String,
    },
    /// A variable of the environment is wrong.
    #[error("{variable}={value:?}: {text}")]
    Variable {
        /// Which.
        variable: String,
        /// What it says.
        value: String,
        /// What is wrong.
        text: String,
    },
    /// A value is out of its bounds.
    #[error("{place}{key}: got {seen}, wanted {wanted}")]
    Value {
        /// The file and line that set it, where one did.
        place: String,
        /// The path of its key.
        key: String,
        /// What it says.
        seen: String,
        /// What it may say.
        wanted: String,
    },
}

impl ConfigRefused {
    pub(super) fn value(key: &str, seen: impl fmt::Debug, wanted: impl fmt::Display) -> Self {
        Self::Value {
            place: String::new(),
            key: key.to_owned(),
            seen: format!("{seen:?}"),
            wanted: wanted.to_string(),
        }
    }

    /// The same, with the line of the file that set the key.
    fn located(self, path: &Path, text: &str) -> Self {
        match self {
            Self::Value { key, seen, wanted, .. } => {
                let place = line_of(text, &key).map_or_else(String::new, |line| {
                    format!("config {} line {line}: ", path.display())
                });
                Self::Value { place, key, seen, wanted }
            }
            other => other,
        }
    }
}

/// Refuses a number that is not in its range, by the path of its key.
pub(super) fn within<T>(key: &str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigRefused>
where
    T: PartialOrd + fmt::Display + fmt::Debug,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigRefused::value(key, value, format_args!("{} to {}", range.start(), range.end())))
}

/// Reads the file, if one is given, then lays the variables over it: `COHESIX_STATE_DIR` is `state_dir`, and
/// `COHESIX_LEASES__TTL_S_MAX` is `leases.ttl_s_max`. Variables of other programs of this family are none of ours.
///
/// # Errors
/// What is wrong, and where.
pub fn read(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigRefused> {
    let (mut config, text) = match file {
        None => (Table::new(), String::new()),
        Some(path) => read_file(path)?,
    };
    let mut overruled = Vec::new();
    for (variable, value) in environment {
        if let Some(key) = key_of(&variable) {
            overruled.push(key.join("."));
            lay_over(&mut config, &variable, &key, &value)?;
        }
    }
    let config = Config::deserialize(config).map_err(|error| ConfigRefused::Malformed {
        path: file.map_or_else(|| PathBuf::from("environment"), Path::to_owned),
        text: error.to_string().trim_end().to_owned(),
    })?;
    config.check().map_err(|refused| match (&refused, file) {
        (ConfigRefused::Value { key, .. }, Some(path)) if !overruled.contains(key) => {
            refused.located(path, &text)
        }
        _ => refused,
    })?;
    Ok(config)
}

/// The line of a file, from 1, that sets a key: `ttl_s_max = 0` below `[leases]`.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (table, entry) = key.rsplit_once('.').unwrap_or(("", key));
    let mut here = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some((heading, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            here = heading.trim().to_owned();
        } else if let Some((name, _)) = line.split_once('=') {
            let name = name.trim();
            if here == table && name == entry || here.is_empty() && name == key {
                return Some(index + 1);
            }
        }
    }
    None
}

/// The file as a table. It is read as a [`Config`] too, because only then an error knows its line.
fn read_file(path: &Path) -> Result<(Table, String), ConfigRefused> {
    let text = fs::read_to_string(path)
        .map_err(|error| ConfigRefused::Unreadable { path: path.to_owned(), error })?;
    let malformed = |error: toml::de::Error| ConfigRefused::Malformed {
        path: path.to_owned(),
        text: error.to_string().trim_end().to_owned(),
    };
    toml::from_str::<Config>(&text).map_err(malformed)?;
    Ok((toml::from_str(&text).map_err(malformed)?, text))
}

/// The keys that variables may set at the top; what else begins with `COHESIX_` belongs to somebody else.
const TOP: [&str; 7] =
    ["name", "backend", "mock_gpus", "listen", "insecure_plaintext", "state_dir", "metrics"];
const TABLES: [&str; 8] =
    ["tls", "sessions", "leases", "artefacts", "outputs", "audit", "executors", "soft"];

fn key_of(variable: &str) -> Option<Vec<String>> {
    let key: Vec<String> =
        variable.strip_prefix("COHESIX_")?.split("__").map(str::to_ascii_lowercase).collect();
    match key.as_slice() {
        [top] if TOP.contains(&top.as_str()) => Some(key),
        [table, _] if TABLES.contains(&table.as_str()) => Some(key),
        _ => None,
    }
}

fn lay_over(
    config: &mut Table,
    variable: &str,
    key: &[String],
    text: &str,
) -> Result<(), ConfigRefused> {
    let value = value_of(key, text);
    match key {
        [table, entry] => {
            let table = config.entry(table.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Some(table) = table.as_table_mut() {
                table.insert(entry.clone(), value);
            }
        }
        [top] => drop(config.insert(top.clone(), value)),
        _ => {}
    }
    Config::deserialize(config.clone()).map(drop).map_err(|error| ConfigRefused::Variable {
        variable: variable.to_owned(),
        value: text.to_owned(),
        text: error.message().to_owned(),
    })
}

/// A number or a truth value where it reads as one; a list for `listen`, separated by blanks; else text.
fn value_of(key: &[String], text: &str) -> Value {
    if key == ["listen"] {
        return Value::Array(
            text.split_whitespace().map(|uri| Value::String(uri.to_owned())).collect(),
        );
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    text.parse::<bool>().map_or_else(|_| Value::String(text.to_owned()), Value::Boolean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendChoice;

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigRefused> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bridge.toml");
        fs::write(&path, text).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read(Some(&path), variables)
    }

    fn refused(text: &str, variables: &[(&str, &str)]) -> String {
        of(text, variables).unwrap_err().to_string()
    }

    /// Proves BR-8.
    #[test]
    fn an_empty_file_is_a_working_configuration() {
        assert_eq!(of("", &[]).unwrap(), Config::default());
    }

    /// Proves BR-25.
    #[test]
    fn the_documented_file_holds_every_default() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bridge.toml"));
        assert_eq!(read(Some(path), []).unwrap(), Config::default());
        let text = fs::read_to_string(path).unwrap();
        for settings in [
            format!("{:?}", Config::default().sessions),
            format!("{:?}", Config::default().leases),
            format!("{:?}", Config::default().artefacts),
            format!("{:?}", Config::default().outputs),
            format!("{:?}", Config::default().audit),
            format!("{:?}", Config::default().executors),
            format!("{:?}", Config::default().soft),
        ] {
            let keys = settings.split([' ', '{', ',']).filter_map(|word| word.strip_suffix(':'));
            for key in keys {
                assert!(
                    text.contains(&format!("{key} = ")),
                    "docs/bridge.toml does not tell of {key}"
                );
            }
        }
    }

    /// Proves BR-8.
    #[test]
    fn variables_count_more_than_the_file() {
        let text =
            "backend = \"mock\"\nlisten = [\"tcp://127.0.0.1:1\"]\n[leases]\nttl_s_max = 60\n";
        let variables = [
            ("COHESIX_BACKEND", "soft"),
            ("COHESIX_LEASES__TTL_S_MAX", "90"),
            ("COHESIX_TICKET", "not ours"),
        ];
        let config = of(text, &variables).unwrap();
        assert_eq!((config.backend, config.leases.ttl_s_max), (BackendChoice::Soft, 90));
        assert_eq!(config.listen[0].to_string(), "tcp://127.0.0.1:1");
        let config = of("", &[("COHESIX_LISTEN", "tcp://127.0.0.1:7 unix:///run/b.sock")]).unwrap();
        assert_eq!(config.listen.len(), 2);
    }

    /// Proves BR-9.
    #[test]
    fn what_is_wrong_is_named_by_its_key_or_line() {
        let unknown = refused("backend = \"soft\"\n[leases]\nttl_max = 60\n", &[]);
        assert!(
            unknown.contains("line 3") && unknown.contains("unknown field `ttl_max`"),
            "{unknown}"
        );
        let bound = refused("name = \"b\"\n[leases] # shares\nttl_s_max = 0\n", &[]);
        assert!(bound.starts_with("config /"), "{bound}");
        assert!(
            bound.ends_with("bridge.toml line 3: leases.ttl_s_max: got 0, wanted 1 to 31536000"),
            "{bound}"
        );
        let overruled = refused("[leases]\nttl_s_max = 5\n", &[("COHESIX_LEASES__TTL_S_MAX", "0")]);
        assert_eq!(overruled, "leases.ttl_s_max: got 0, wanted 1 to 31536000");
        let variable = refused("", &[("COHESIX_LEASES__TTL_S_MAX", "soon")]);
        assert_eq!(
            variable,
            r#"COHESIX_LEASES__TTL_S_MAX="soon": invalid type: string "soon", expected u32"#
        );
        let uri = refused("listen = [\"http://x\"]\n", &[]);
        assert!(uri.contains("starts with none of tcp://"), "{uri}");
    }

    #[test]
    fn a_file_that_is_not_there_is_said_so() {
        let refused = read(Some(Path::new("/nowhere/bridge.toml")), []).unwrap_err().to_string();
        assert!(refused.starts_with("config /nowhere/bridge.toml: No such file"), "{refused}");
    }
}
