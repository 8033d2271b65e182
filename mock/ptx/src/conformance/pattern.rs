//! Patterns of statements, and a kernel to try them in.

/// All statements that a pattern stands for.
///
/// `{a,b}` is one of these, `{a,b}?` one of these or nothing. Braces with blanks behind commas, or with one
/// thing inside and no question mark behind, are PTX's own.
#[must_use]
pub fn expand(pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((choices, behind)) = after.split_once('}') else { break };
        append(&mut found, &[before]);
        let is_choice = behind.starts_with('?') || choices.contains(',');
        if !is_choice || choices.contains(", ") {
            append(&mut found, &[&format!("{{{choices}}}")]);
            rest = behind;
            continue;
        }
        let mut choices: Vec<&str> = choices.split(',').collect();
        rest = behind;
        if let Some(behind) = behind.strip_prefix('?') {
            choices.insert(0, "");
            rest = behind;
        }
        append(&mut found, &choices);
    }
    append(&mut found, &[rest]);
    found
}

/// Every string so far with every choice behind it.
fn append(found: &mut Vec<String>, choices: &[&str]) {
    let longer =
        found.iter().flat_map(|start| choices.iter().map(move |choice| format!("{start}{choice}")));
    *found = longer.collect();
}

/// A text with one kernel, `forms`, in which a statement of the table can stand.
#[must_use]
pub fn kernel_around(statement: &str) -> String {
    format!(
        ".version 8.7
.target sm_90
.address_size 64
.extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);
.extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);
.extern .func (.param .b64 r) malloc (.param .b64 a);
.extern .func free (.param .b64 a);
.global .align 32 .b8 global[256];
.const .align 32 .b8 constant[256];
.shared .align 32 .b8 shared[256];
.func (.param .b32 r) twice (.param .b32 a)
{{
	.reg .b32 %r<2>;
	ld.param.b32 %r0, [a];
	add.s32 %r1, %r0, %r0;
	st.param.b32 [r], %r1;
	ret;
}}
.visible .entry forms(.param .align 32 .b8 parameter[256])
{{
	.local .align 32 .b8 local[256];
	.reg .pred %p<8>;
	.reg .b8 %b<8>;
	.reg .b16 %h<16>;
	.reg .b32 %r<32>;
	.reg .f32 %f<16>;
	.reg .b64 %d<16>;
	.reg .f64 %fd<16>;
	.reg .b128 %q<4>;
	.reg .v4 .b32 %v;
	.param .b32 word;
	.param .b32 result;
	.param .b64 first;
	.param .b64 second;
	.param .b64 pointer;
targets: .branchtargets forward, forward;
prototype: .callprototype (.param .b32 _) _ (.param .b32 _);
	{statement};
forward:
	ret;
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_all_their_choices() {
        assert_eq!(
            expand("add{.sat}?.{s32,u32} %r0"),
            ["add.s32 %r0", "add.u32 %r0", "add.sat.s32 %r0", "add.sat.u32 %r0"]
        );
        assert_eq!(expand("mov.b64 {%r0, %r1}, %d0"), ["mov.b64 {%r0, %r1}, %d0"]);
    }
}
