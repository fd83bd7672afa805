//! The consent words in force: those shipped, and what the operator changed of them.

use std::fs;

use crate::{app::AppError, config::Config, words::Words};

/// Returns the words in force. They are made once and live as long as the process.
///
/// # Errors
///
/// [`AppError::WordsFile`] or [`AppError::Words`] about the operator's file.
pub(super) fn in_force(config: &Config) -> Result<&'static Words, AppError> {
    let Some(file) = &config.words.file else { return Ok(Words::built_in()) };
    let unreadable = |source| AppError::WordsFile { path: file.clone(), source };
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let words = Words::changed(&text).map_err(AppError::Words)?;
    Ok(Box::leak(Box::new(words)))
}
