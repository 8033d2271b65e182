//! What a fuzzer calls: any bytes, all of the front end, no panic.

/// Everything the crate does with a text.
pub fn text(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let signatures = crate::signatures(text);
    if let Ok((module, refused)) = crate::compile_each(text) {
        let known = signatures.map_or(0, |signatures| signatures.len());
        assert!(
            known >= module.kernels.len() || !refused.is_empty() || known == 0,
            "a kernel without a signature"
        );
    }
}
