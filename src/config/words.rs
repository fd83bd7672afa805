//! `[words]`: what an operator changes of the consent words.
//!
//! Says only where that is written. Which words are shipped is not decided here.

use std::path::PathBuf;

use crate::config::reader::Reader;

/// What an operator changes of the consent words.
#[derive(Debug, Clone)]
pub struct Words {
    /// A TOML file with words to add and to remove; the words as shipped, if there is none.
    pub file: Option<PathBuf>,
}

impl Words {
    pub(super) fn read(from: &mut Reader) -> Self {
        let show = |file: &PathBuf| file.display().to_string();
        let parse = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Self { file: from.text("words.file", None, "must be the path of a file", show, parse) }
    }
}
