//! The file in which an operator says what to change of the lists.

use serde::Deserialize;

use super::lists::{Addition, WordError, Words};

/// What the file may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[serde(default)]
    add: Vec<Addition>,
    #[serde(default)]
    remove: Vec<String>,
}

impl Words {
    /// Returns the lists as shipped with the changes that a TOML text asks for.
    ///
    /// # Errors
    ///
    /// [`WordError`], if it is no such text, or as [`Self::customised`].
    pub fn changed(text: &str) -> Result<Self, WordError> {
        let changes = toml::from_str(text);
        let Changes { add, remove } =
            changes.map_err(|error| WordError::NotChanges(error.message().to_owned()))?;
        Self::customised(&add, &remove)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_of_changes_is_refused() {
        for text in ["add = 1", "[[add]]\nword = 'x'", "[[adds]]", "remove = ['stopp it']", "x"] {
            assert!(Words::changed(text).is_err(), "{text}");
        }
        assert!(Words::changed("").is_ok());
    }
}
