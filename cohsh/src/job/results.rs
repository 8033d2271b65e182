//! What a job wrote: checked against its hash, its first values shown, saved and drawn if asked.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use ninedoor_abi::JobDescriptor;
use ninedoor_abi::record::OutputRecord;
use sha2::{Digest, Sha256};

use super::picture::Picture;
use super::report;
use super::stage::hex;
use super::values::{ValueType, first_values};
use crate::error::{CommandError, ErrorKind};
use crate::hive::Hive;
use crate::limits::VALUES_BYTES_MAX;
use crate::screen::Screen;

/// What is known of an output before the job runs: its labels.
#[derive(Debug)]
struct Wish {
    kind: Option<ValueType>,
    picture: Option<Picture>,
}

/// How the outputs of a job are to be shown and saved.
#[derive(Debug)]
pub struct Wishes<'a> {
    outputs: Vec<(String, Wish)>,
    directory: Option<&'a Path>,
}

impl<'a> Wishes<'a> {
    /// Reads the labels `type.<output>` and `picture.<output>`; saves under `directory` if there is one.
    ///
    /// # Errors
    /// A label that is not understood: better now than when the job has run.
    pub fn of(job: &JobDescriptor, directory: Option<&'a Path>) -> Result<Self, CommandError> {
        let mut outputs = Vec::new();
        for path in &job.outputs {
            let name = path.last().unwrap_or_default().to_owned();
            let wish = Wish::of(job, &name)?;
            outputs.push((name, wish));
        }
        Ok(Self { outputs, directory })
    }

    /// Fetches the outputs that the record names, shows and saves them.
    ///
    /// # Errors
    /// When one cannot be read, is not what the record says, or cannot be saved.
    pub async fn fulfil(
        &self,
        hive: &Hive,
        screen: &mut Screen,
        outputs: &[OutputRecord],
    ) -> Result<(), CommandError> {
        for output in outputs {
            let name = output.path.last().unwrap_or_default();
            let known = self.outputs.iter().find(|(known, _)| known == name);
            let kind = known.and_then(|(_, wish)| wish.kind);
            let content = match self.directory {
                None => hive.head(output.path.as_str(), VALUES_BYTES_MAX).await?,
                Some(_) => whole(hive, output).await?,
            };
            report::output(
                screen,
                name,
                output.bytes,
                &first_values(&content, output.bytes, kind),
            )?;
            if let Some(directory) = self.directory {
                save(screen, directory, name, &content)?;
                if let Some(picture) = known.and_then(|(_, wish)| wish.picture) {
                    draw(screen, directory, name, &content, picture)?;
                }
            }
        }
        Ok(())
    }
}

impl Wish {
    fn of(job: &JobDescriptor, name: &str) -> Result<Self, CommandError> {
        let label = |key: &str| job.labels.get(&format!("{key}.{name}"));
        let kind = match label("type") {
            None => ValueType::of_file(name),
            Some(word) => Some(ValueType::named(word).ok_or_else(|| unknown_type(name, word))?),
        };
        let picture = label("picture")
            .map(|label| Picture::parse(label))
            .transpose()
            .map_err(|error| CommandError::payload(format!("labels.picture.{name}: {error}")))?;
        Ok(Self { kind: kind.or_else(|| picture.map(|picture| picture.value_type())), picture })
    }
}

fn unknown_type(name: &str, word: &str) -> CommandError {
    let wanted: Vec<&str> = ValueType::ALL.iter().map(|kind| kind.as_str()).collect();
    let wanted = wanted.join(", ");
    CommandError::payload(format!("labels.type.{name}: got {word:?}, wanted one of {wanted}"))
}

async fn whole(hive: &Hive, output: &OutputRecord) -> Result<Vec<u8>, CommandError> {
    let content = hive.read(output.path.as_str()).await?;
    let hash = hex(&Sha256::digest(&content));
    if hash == output.sha256.hex() {
        return Ok(content);
    }
    let text = format!("{} has hash {hash}, its record says {}", output.path, output.sha256.hex());
    Err(CommandError::new(ErrorKind::Cut, text).hint("read it again: cat PATH --out FILE"))
}

fn save(
    screen: &mut Screen,
    directory: &Path,
    name: &str,
    content: &[u8],
) -> Result<(), CommandError> {
    let file = directory.join(name);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&file, content))
        .map_err(|error| CommandError::local("write", &file, &error))?;
    report::saved(screen, &file)
}

fn draw(
    screen: &mut Screen,
    directory: &Path,
    name: &str,
    content: &[u8],
    picture: Picture,
) -> Result<(), CommandError> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let path = directory.join(format!("{stem}.png"));
    let file = File::create(&path).map_err(|error| CommandError::local("write", &path, &error))?;
    picture
        .write_png(content, BufWriter::new(file))
        .map_err(|error| CommandError::payload(format!("labels.picture.{name}: {error}")))?;
    report::saved(screen, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(labels: &str) -> Result<Wish, String> {
        let text = format!(
            r#"{{"job":"j","kernel":"k","grid":[1],"block":[1],"bytes_hash":"sha256:{}","timeout_ms":1,
            "inputs":[],"outputs":["/worker/j/r.f32"],"labels":{labels}}}"#,
            "00".repeat(32)
        );
        let job = JobDescriptor::parse(text.as_bytes()).unwrap();
        Wish::of(&job, "r.f32").map_err(|error| error.text)
    }

    /// Proves SH-9, SH-10.
    #[test]
    fn a_label_wins_over_the_name_and_a_picture_has_a_type_too() {
        assert_eq!(wish("{}").unwrap().kind, Some(ValueType::F32));
        assert_eq!(wish(r#"{"type.r.f32":"u8"}"#).unwrap().kind, Some(ValueType::U8));
        let drawn = wish(r#"{"picture.r.f32":"f32 2x2"}"#).unwrap();
        assert_eq!((drawn.kind, drawn.picture.is_some()), (Some(ValueType::F32), true));
    }

    /// Proves SH-9, SH-10.
    #[test]
    fn a_label_that_is_not_understood_is_named() {
        let error = wish(r#"{"type.r.f32":"float"}"#).unwrap_err();
        assert!(
            error.starts_with("labels.type.r.f32: got \"float\", wanted one of i8, u8"),
            "{error}"
        );
        let error = wish(r#"{"picture.r.f32":"big"}"#).unwrap_err();
        assert!(error.starts_with("labels.picture.r.f32: picture is \"big\""), "{error}");
    }
}
