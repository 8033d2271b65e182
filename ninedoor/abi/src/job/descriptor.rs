//! The descriptor: what a job is, in itself.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use super::{Param, Sha256, param::base64};
use crate::{
    Errno, JobId, PathName, Refusal,
    json::{Fields, Json, Wrong},
    limits::{
        DESCRIPTOR_BYTES_MAX, JOB_INPUTS_MAX, JOB_LABELS_MAX, JOB_OUTPUTS_MAX, JOB_PARAMS_MAX,
        JOB_TIMEOUT_MS_MAX, KERNEL_CHARS_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX, PAYLOAD_BYTES_MAX,
    },
};

/// One job, as its submitter described it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDescriptor {
    /// Its name.
    pub job: JobId,
    /// The entry to launch, mangled where it is.
    pub kernel: String,
    /// Blocks in the grid.
    pub grid: Extent,
    /// Threads in a block.
    pub block: Extent,
    /// The module's hash.
    pub bytes_hash: Sha256,
    /// The module itself, where it is inline; else it is the one among `inputs` that has the hash.
    pub payload: Option<Vec<u8>>,
    /// Staged artefacts, each `/bundles/<name>`, none twice.
    pub inputs: Vec<PathName>,
    /// What it writes, each `/worker/<job>/<name>`, none twice.
    pub outputs: Vec<PathName>,
    /// How long it may run, from RUNNING.
    pub timeout_ms: u32,
    /// What the kernel is called with.
    pub params: Params,
    /// Dynamic shared memory of one block.
    pub shared_bytes: u32,
    /// What the module's bytes are; sniffed where it is not said.
    pub format: Option<ModuleFormat>,
    /// Higher goes first among the jobs of its lease.
    pub priority: Option<u8>,
    /// How long it may wait; without bound where it is not said.
    pub queue_timeout_ms: Option<u32>,
    /// Whether what the kernel prints is kept, as `/worker/<job>/stdout`.
    pub stdout: bool,
    /// The submitter's own words.
    pub labels: BTreeMap<String, String>,
}

/// A size in x, y, z; each at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Fastest.
    pub x: u32,
    /// Second.
    pub y: u32,
    /// Slowest.
    pub z: u32,
}

/// What a module's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleFormat {
    /// Text.
    Ptx,
    /// One ELF image.
    Cubin,
    /// Several images.
    Fatbin,
}

/// What a kernel is called with.
#[derive(Debug, Clone, PartialEq)]
pub enum Params {
    /// As listed.
    Given(Vec<Param>),
    /// Pointers to the data inputs, then to the outputs, whose sizes are these.
    Implied(Vec<ImpliedOutput>),
}

/// An output of a job without `params`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImpliedOutput {
    /// Where it is read afterwards.
    pub path: PathName,
    /// How many bytes; as many as the largest data input where it is not said (`{"path":…,"bytes":…}`).
    pub bytes: Option<u64>,
}

impl JobDescriptor {
    /// Reads one descriptor.
    ///
    /// # Errors
    /// The first field that is wrong, by name, with the value seen and the value wanted.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > DESCRIPTOR_BYTES_MAX {
            return Err(Refusal::new(
                Errno::EMSGSIZE,
                alloc::format!(
                    "descriptor has {} bytes, wanted at most {DESCRIPTOR_BYTES_MAX}",
                    bytes.len()
                ),
            ));
        }
        let text = core::str::from_utf8(bytes).map_err(|error| {
            Refusal::invalid(alloc::format!("descriptor is not UTF-8: {error}"))
        })?;
        Ok(read(Json::parse(text)?.object()?)?)
    }
}

fn read(mut fields: Fields) -> Result<JobDescriptor, Wrong> {
    let job: JobId = fields.needed("job", Json::parsed)?;
    let kernel = fields.needed("kernel", kernel)?;
    let grid = fields.needed("grid", extent)?;
    let block = fields.needed("block", extent)?;
    let bytes_hash = fields.needed("bytes_hash", Json::parsed)?;
    let inputs = fields.optional("inputs", inputs)?.unwrap_or_default();
    let outputs = fields.optional("outputs", |value| outputs(value, &job))?.unwrap_or_default();
    let timeout_ms = fields.needed("timeout_ms", |n| n.integer(1..=JOB_TIMEOUT_MS_MAX))?;
    let payload = fields.optional("payload_b64", |text| base64(text, PAYLOAD_BYTES_MAX))?;
    let given = fields.optional("params", |value| params(value, &inputs, &outputs))?;
    let shared_bytes = fields.optional("shared_bytes", |n| n.integer(0..=u32::MAX))?;
    let format = fields.optional("format", format)?;
    let priority = fields.optional("priority", |n| n.integer(0..=u8::MAX))?;
    let queue_timeout_ms =
        fields.optional("queue_timeout_ms", |n| n.integer(1..=JOB_TIMEOUT_MS_MAX))?;
    let stdout = fields.optional("stdout", Json::bool)?;
    let labels = fields.optional("labels", labels)?;
    fields.finish()?;
    if stdout == Some(true) && outputs.iter().any(|output| output.path.last() == Some("stdout")) {
        return Err(Wrong::new("is true, and outputs has a file of that name").in_field("stdout"));
    }
    if given.is_some() {
        no_size_given_twice(&outputs)?;
    }
    Ok(JobDescriptor {
        job,
        kernel,
        grid,
        block,
        bytes_hash,
        payload,
        outputs: outputs.iter().map(|output| output.path.clone()).collect(),
        params: given.map_or(Params::Implied(outputs), Params::Given),
        inputs,
        timeout_ms,
        shared_bytes: shared_bytes.unwrap_or(0),
        format,
        priority,
        queue_timeout_ms,
        stdout: stdout.unwrap_or(false),
        labels: labels.unwrap_or_default(),
    })
}

fn kernel(value: Json) -> Result<String, Wrong> {
    let name = value.text()?;
    let plain = |c: char| c.is_ascii_graphic();
    if (1..=KERNEL_CHARS_MAX).contains(&name.len()) && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(Json::Text(name)
            .refuse(format_args!("the entry's name, 1 to {KERNEL_CHARS_MAX} characters")))
    }
}

/// One to three numbers; those left out are 1.
fn extent(value: Json) -> Result<Extent, Wrong> {
    let sizes = value.list(1..=3, |n| n.integer(1..=u32::MAX))?;
    let size = |axis: usize| sizes.get(axis).copied().unwrap_or(1);
    Ok(Extent { x: size(0), y: size(1), z: size(2) })
}

fn inputs(value: Json) -> Result<Vec<PathName>, Wrong> {
    let mut seen = BTreeSet::new();
    value.list(0..=JOB_INPUTS_MAX, |value| {
        let path: PathName = value.parsed()?;
        if path.elements().next() != Some("bundles") || path.depth() != 2 {
            return Err(Json::Text(path.to_string()).refuse("/bundles/<name>"));
        }
        once(&mut seen, path)
    })
}

fn outputs(value: Json, job: &JobId) -> Result<Vec<ImpliedOutput>, Wrong> {
    let mut seen = BTreeSet::new();
    value.list(0..=JOB_OUTPUTS_MAX, |value| {
        let (path, bytes) = match value {
            Json::Object(_) => sized_output(value)?,
            other => (other.parsed()?, None),
        };
        let own: Vec<_> = path.elements().take(2).collect();
        if own != ["worker", job.as_str()] || path.depth() != 3 {
            return Err(Json::Text(path.to_string()).refuse(format_args!("/worker/{job}/<name>")));
        }
        Ok(ImpliedOutput { path: once(&mut seen, path)?, bytes })
    })
}

fn sized_output(value: Json) -> Result<(PathName, Option<u64>), Wrong> {
    let mut fields = value.object()?;
    let path = fields.needed("path", Json::parsed)?;
    let bytes = fields.needed("bytes", |n| n.integer(1..=crate::limits::OUTPUT_BYTES_MAX))?;
    fields.finish()?;
    Ok((path, Some(bytes)))
}

fn once(seen: &mut BTreeSet<PathName>, path: PathName) -> Result<PathName, Wrong> {
    if seen.insert(path.clone()) {
        Ok(path)
    } else {
        Err(Wrong::new(alloc::format!("{:?} is listed twice", path.as_str())))
    }
}

/// With `params`, sizes are given there.
fn no_size_given_twice(outputs: &[ImpliedOutput]) -> Result<(), Wrong> {
    match outputs.iter().position(|output| output.bytes.is_some()) {
        None => Ok(()),
        Some(index) => Err(Wrong::new("bytes is given here, wanted in params only")
            .in_element(index)
            .in_field("outputs")),
    }
}

fn params(
    value: Json,
    inputs: &[PathName],
    outputs: &[ImpliedOutput],
) -> Result<Vec<Param>, Wrong> {
    let listed = |path: &PathName, field: &str| {
        if inputs.contains(path) {
            return Ok(());
        }
        Err(Wrong::new(alloc::format!("{:?} is not among inputs", path.as_str())).in_field(field))
    };
    let written = |path: &PathName, field: &str| {
        if outputs.iter().any(|output| output.path == *path) {
            return Ok(());
        }
        Err(Wrong::new(alloc::format!("{:?} is not among outputs", path.as_str())).in_field(field))
    };
    value.list(0..=JOB_PARAMS_MAX, |value| {
        let param = Param::read(value)?;
        match &param {
            Param::In(path) => listed(path, "in")?,
            Param::Out { path, .. } => written(path, "out")?,
            Param::InOut { path, init } => {
                written(path, "inout")?;
                listed(init, "init")?;
            }
            Param::Scalar(_) | Param::Bytes(_) | Param::Null => {}
        }
        Ok(param)
    })
}

fn format(value: Json) -> Result<ModuleFormat, Wrong> {
    let word = value.text()?;
    match word.as_str() {
        "ptx" => Ok(ModuleFormat::Ptx),
        "cubin" => Ok(ModuleFormat::Cubin),
        "fatbin" => Ok(ModuleFormat::Fatbin),
        _ => Err(Json::Text(word).refuse("ptx, cubin or fatbin")),
    }
}

fn labels(value: Json) -> Result<BTreeMap<String, String>, Wrong> {
    let entries = value.object()?.into_entries();
    if entries.len() > JOB_LABELS_MAX {
        return Err(Wrong::new(alloc::format!(
            "got {} labels, wanted at most {JOB_LABELS_MAX}",
            entries.len()
        )));
    }
    entries.map(|(name, value)| label(name, value)).collect()
}

fn label(name: String, value: Json) -> Result<(String, String), Wrong> {
    let plain = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
    if !plain {
        return Err(Json::Text(name).refuse("label names of 1 to 64 of A-Z a-z 0-9 . _ - /"));
    }
    let text = value.text().map_err(|wrong| wrong.in_field(&name))?;
    if text.len() > LABEL_CHARS_MAX || text.contains(|c: char| c.is_control()) {
        let wanted = alloc::format!(
            "at most {LABEL_CHARS_MAX} characters, none of them a control character"
        );
        return Err(Json::Text(text).refuse(wanted).in_field(&name));
    }
    Ok((name.to_owned(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VADD: &str = r#"{"job":"jid-42","kernel":"vadd","grid":[128,1,1],"block":[256,1,1],
        "bytes_hash":"sha256:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a","inputs":["/bundles/vadd.ptx","/bundles/a.f32","/bundles/b.f32"],
        "outputs":["/worker/jid-42/result"],"timeout_ms":5000,
        "params":[{"in":"/bundles/a.f32"},{"in":"/bundles/b.f32"},{"out":"/worker/jid-42/result","bytes":131072},{"u32":32768}]}"#;

    fn with(field: &str, value: &str) -> String {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(VADD).unwrap();
        object.insert(field.into(), serde_json::from_str(value).unwrap());
        serde_json::to_string(&object).unwrap()
    }

    fn without(field: &str) -> String {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(VADD).unwrap();
        object.remove(field);
        serde_json::to_string(&object).unwrap()
    }

    fn parsed(text: &str) -> JobDescriptor {
        JobDescriptor::parse(text.as_bytes()).unwrap()
    }

    fn refused(text: &str) -> String {
        JobDescriptor::parse(text.as_bytes()).unwrap_err().text
    }

    /// Proves JOBD-1.
    #[test]
    fn descriptor_of_the_design_is_read() {
        let job = parsed(VADD);
        assert_eq!(job.job.as_str(), "jid-42");
        assert_eq!(job.kernel, "vadd");
        assert_eq!(
            (job.grid, job.block),
            (Extent { x: 128, y: 1, z: 1 }, Extent { x: 256, y: 1, z: 1 })
        );
        assert_eq!(job.bytes_hash, Sha256([0x5a; 32]));
        assert_eq!(job.inputs.len(), 3);
        assert_eq!(job.timeout_ms, 5000);
        let Params::Given(params) = &job.params else { panic!("{:?}", job.params) };
        assert_eq!(params.len(), 4);
        assert_eq!(
            (job.shared_bytes, job.stdout, job.priority, job.payload),
            (0, false, None, None)
        );
    }

    /// Proves JOBD-2.
    #[test]
    fn optional_fields_are_read() {
        assert_eq!(parsed(&with("grid", "[7]")).grid, Extent { x: 7, y: 1, z: 1 });
        assert_eq!(parsed(&with("shared_bytes", "1024")).shared_bytes, 1024);
        assert_eq!(parsed(&with("format", r#""cubin""#)).format, Some(ModuleFormat::Cubin));
        assert_eq!(parsed(&with("priority", "9")).priority, Some(9));
        assert_eq!(parsed(&with("queue_timeout_ms", "1")).queue_timeout_ms, Some(1));
        assert!(parsed(&with("stdout", "true")).stdout);
        assert_eq!(parsed(&with("labels", r#"{"app":"demo"}"#)).labels["app"], "demo");
        assert_eq!(parsed(&with("payload_b64", r#""AQID""#)).payload, Some([1, 2, 3].into()));
        let implied = Params::Implied(
            [ImpliedOutput { path: "/worker/jid-42/result".parse().unwrap(), bytes: None }].into(),
        );
        assert_eq!(parsed(&without("params")).params, implied);
    }

    /// Proves JOBD-3.
    #[test]
    fn refusal_names_the_field_the_value_seen_and_the_one_wanted() {
        for (field, value, text) in [
            ("job", r#""a/b""#, r#"job: job id is "a/b", wanted 1 to 64 of A-Z a-z 0-9 . _ -"#),
            ("kernel", r#""""#, r#"kernel: got "", wanted the entry's name, 1 to 1024 characters"#),
            (
                "kernel",
                r#""a b""#,
                r#"kernel: got "a b", wanted the entry's name, 1 to 1024 characters"#,
            ),
            ("grid", "[]", "grid: got a list of 0, wanted a list of 1 to 3"),
            ("grid", "[1,1,1,1]", "grid: got a list of 4, wanted a list of 1 to 3"),
            ("grid", "[1,0]", "grid[1]: got 0, wanted 1 to 4294967295"),
            ("block", r#"["1"]"#, r#"block[0]: got "1", wanted 1 to 4294967295"#),
            (
                "bytes_hash",
                r#""sha256:12""#,
                r#"bytes_hash: hash is "12", wanted sha256: and 64 hex digits"#,
            ),
            (
                "inputs",
                r#"["/worker/a/b"]"#,
                r#"inputs[0]: got "/worker/a/b", wanted /bundles/<name>"#,
            ),
            (
                "inputs",
                r#"["/bundles/a","/bundles/a"]"#,
                r#"inputs[1]: "/bundles/a" is listed twice"#,
            ),
            (
                "outputs",
                r#"["/worker/jid-41/r"]"#,
                r#"outputs[0]: got "/worker/jid-41/r", wanted /worker/jid-42/<name>"#,
            ),
            (
                "outputs",
                r#"[{"path":"/worker/jid-42/result","bytes":4}]"#,
                "outputs[0]: bytes is given here, wanted in params only",
            ),
            ("timeout_ms", "0", "timeout_ms: got 0, wanted 1 to 86400000"),
            ("timeout_ms", "1.5", "timeout_ms: got 1.5, wanted 1 to 86400000"),
            (
                "params",
                r#"[{"in":"/bundles/c"}]"#,
                r#"params[0].in: "/bundles/c" is not among inputs"#,
            ),
            (
                "params",
                r#"[{"out":"/worker/jid-42/x","bytes":4}]"#,
                r#"params[0].out: "/worker/jid-42/x" is not among outputs"#,
            ),
            (
                "params",
                r#"[{"u32":1},{"u32":-1}]"#,
                "params[1].u32: got -1, wanted an integer from 0 to 4294967295",
            ),
            ("format", r#""elf""#, r#"format: got "elf", wanted ptx, cubin or fatbin"#),
            ("priority", "256", "priority: got 256, wanted 0 to 255"),
            ("stdout", "1", "stdout: got 1, wanted true or false"),
            (
                "labels",
                r#"{"a b":"c"}"#,
                r#"labels: got "a b", wanted label names of 1 to 64 of A-Z a-z 0-9 . _ - /"#,
            ),
            ("labels", r#"{"a":1}"#, "labels.a: got 1, wanted a string"),
            ("payload_b64", r#""%""#, "payload_b64: not base64: Invalid symbol 37, offset 0."),
        ] {
            assert_eq!(refused(&with(field, value)), text);
        }
        for field in ["job", "kernel", "grid", "block", "bytes_hash", "timeout_ms"] {
            assert_eq!(refused(&without(field)), alloc::format!("{field}: is missing"));
        }
        assert_eq!(refused("[]"), "got a list of 0, wanted an object");
    }

    /// Proves JOBD-4.
    #[test]
    fn unknown_and_repeated_keys_are_refused_at_any_depth() {
        assert!(
            refused(&with("timeout", "1"))
                .starts_with(r#"unknown key "timeout", wanted job, kernel, "#)
        );
        assert_eq!(
            refused(&with("params", r#"[{"out":"/worker/jid-42/result","bytes":4,"init":1}]"#)),
            r#"params[0]: unknown key "init", wanted out, bytes"#
        );
        let twice = VADD.replace(r#""timeout_ms":5000"#, r#""timeout_ms":5000,"timeout_ms":1"#);
        assert!(refused(&twice).contains(r#"key "timeout_ms" is given twice"#));
        let twice = VADD.replace(r#"{"u32":32768}"#, r#"{"u32":32768,"u32":1}"#);
        assert!(refused(&twice).contains(r#"key "u32" is given twice"#));
    }

    /// Proves JOBD-7.
    #[test]
    fn every_bound_of_a_descriptor_is_refused_when_it_is_passed() {
        let list = |element: &dyn Fn(usize) -> String, count: usize| {
            alloc::format!("[{}]", (0..count).map(element).collect::<Vec<_>>().join(","))
        };
        let input = |i: usize| alloc::format!(r#""/bundles/{i}""#);
        assert_eq!(
            refused(&with("inputs", &list(&input, 65))),
            "inputs: got a list of 65, wanted a list of 0 to 64"
        );
        let output = |i: usize| alloc::format!(r#""/worker/jid-42/{i}""#);
        assert_eq!(
            refused(&with("outputs", &list(&output, 65))),
            "outputs: got a list of 65, wanted a list of 0 to 64"
        );
        let param = |i: usize| alloc::format!(r#"{{"u32":{i}}}"#);
        assert_eq!(
            refused(&with("params", &list(&param, 257))),
            "params: got a list of 257, wanted a list of 0 to 256"
        );
        assert!(JobDescriptor::parse(with("params", &list(&param, 256)).as_bytes()).is_ok());
        let label = |i: usize| alloc::format!(r#""l{i}":"""#);
        let labels = list(&label, 17).replace('[', "{").replace(']', "}");
        assert_eq!(refused(&with("labels", &labels)), "labels: got 17 labels, wanted at most 16");
        let payload = |bytes: usize| alloc::format!(r#""{}""#, "A".repeat(bytes.div_ceil(3) * 4));
        assert!(
            refused(&with("payload_b64", &payload(PAYLOAD_BYTES_MAX + 3)))
                .ends_with("wanted 1 to 262144")
        );
        assert!(
            JobDescriptor::parse(with("payload_b64", &payload(PAYLOAD_BYTES_MAX - 2)).as_bytes())
                .is_ok()
        );
        assert_eq!(
            refused(&" ".repeat(DESCRIPTOR_BYTES_MAX + 1)),
            "descriptor has 1048577 bytes, wanted at most 1048576"
        );
        assert!(
            JobDescriptor::parse(b"\xff").unwrap_err().text.starts_with("descriptor is not UTF-8")
        );
    }

    #[test]
    fn printed_lines_may_not_overwrite_an_output() {
        let text = with("stdout", "true").replace("/worker/jid-42/result", "/worker/jid-42/stdout");
        assert_eq!(refused(&text), "stdout: is true, and outputs has a file of that name");
    }
}
