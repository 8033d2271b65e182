//! What the fake needs of a PTX text: the entries, their parameters, their shared memory. Read strictly from the `.param` list.

/// One kernel of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Offset and bytes, in order.
    pub(crate) parameters: Vec<(usize, usize)>,
    pub(crate) shared_bytes: usize,
}

impl Entry {
    /// What a launch must bring.
    pub(crate) fn parameter_bytes(&self) -> usize {
        self.parameters.last().map_or(0, |(offset, bytes)| offset + bytes)
    }
}

/// The entries of a text.
///
/// # Errors
/// As a compiler's log has it.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    if !code.trim_start().starts_with(".version") {
        return Err(
            "ptxas application ptx input, line 1; fatal   : Missing .version directive".to_owned()
        );
    }
    if code.contains("bad_instruction") {
        return Err("ptxas application ptx input, line 7; error   : Not a name of any known instruction: 'bad_instruction'".to_owned());
    }
    code.split(".entry").skip(1).map(entry).collect()
}

fn entry(text: &str) -> Result<Entry, String> {
    let lost = || "ptxas application ptx input; error   : Parsing error near '.entry'".to_owned();
    let (name, rest) = text.split_once(['(', '{']).ok_or_else(lost)?;
    let has_list = text.as_bytes().get(name.len()) == Some(&b'(');
    let (list, body) = if has_list { rest.split_once(')').ok_or_else(lost)? } else { ("", rest) };
    let mut parameters = Vec::new();
    let mut end = 0_usize;
    for declared in list.split(',').filter(|text| !text.trim().is_empty()) {
        let (align, bytes) = extent(declared).ok_or_else(lost)?;
        let offset = end.next_multiple_of(align);
        parameters.push((offset, bytes));
        end = offset + bytes;
    }
    let shared = body.split(';').filter(|text| text.contains(".shared") && text.contains('['));
    let shared_bytes = shared.filter_map(extent).map(|(_, bytes)| bytes).sum();
    Ok(Entry { name: name.trim().to_owned(), parameters, shared_bytes })
}

/// Alignment and size of a declaration: `.param .align 8 .b8 name[32]`.
fn extent(declared: &str) -> Option<(usize, usize)> {
    let words: Vec<&str> = declared.split_whitespace().collect();
    let element = words.iter().find_map(|word| match *word {
        ".b8" | ".u8" | ".s8" => Some(1),
        ".b16" | ".u16" | ".s16" | ".f16" => Some(2),
        ".b32" | ".u32" | ".s32" | ".f32" => Some(4),
        ".b64" | ".u64" | ".s64" | ".f64" => Some(8),
        _ => None,
    })?;
    let count = declared
        .split_once('[')
        .map_or(Some(1), |(_, rest)| rest.split_once(']')?.0.trim().parse().ok());
    // Behind `.ptr` an alignment is that of what is pointed at.
    let own = words.iter().take_while(|word| **word != ".ptr").position(|word| *word == ".align");
    let align = own.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(element);
    Some((align, element * count?))
}
