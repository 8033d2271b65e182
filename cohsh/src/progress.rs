//! Progress: a moving line on a terminal, nothing elsewhere (where the report's own lines tell it).

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the line moves.
const TICK_MS: u64 = 100;

/// What is being done at the moment.
#[derive(Debug, Default)]
pub struct Progress {
    animated: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress that is drawn if `animated`.
    #[must_use]
    pub const fn new(animated: bool) -> Self {
        Self { animated, bar: None }
    }

    /// Something of known size begins.
    pub fn begin_bytes(&mut self, label: &str, total_bytes: u64) {
        self.begin(
            ProgressBar::new(total_bytes),
            label,
            "{msg} {wide_bar:.cyan/black} {bytes}/{total_bytes} {binary_bytes_per_sec}",
        );
    }

    /// Something begins of which nobody knows how long it takes.
    pub fn begin_wait(&mut self, label: &str) {
        self.begin(ProgressBar::new_spinner(), label, "{spinner:.cyan} {msg} {elapsed}");
        if let Some(bar) = &self.bar {
            bar.enable_steady_tick(Duration::from_millis(TICK_MS));
        }
    }

    /// So many bytes are done.
    pub fn advance_to(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// It ended; the line goes away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn begin(&mut self, bar: ProgressBar, label: &str, template: &str) {
        self.end();
        if self.animated {
            let style = ProgressStyle::with_template(template).expect("our templates are valid");
            self.bar = Some(bar.with_style(style).with_message(label.to_owned()));
        }
    }
}

/// A command that fails in between leaves no line behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_line_can_be_drawn() {
        let mut progress = Progress::new(true);
        progress.begin_bytes("stage", 10);
        progress.advance_to(5);
        progress.begin_wait("RUNNING");
        progress.end();
        assert!(progress.bar.is_none());
    }

    #[test]
    fn nothing_is_drawn_where_nothing_moves() {
        let mut progress = Progress::new(false);
        progress.begin_wait("RUNNING");
        assert!(progress.bar.is_none());
    }
}
