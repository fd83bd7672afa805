//! What can be wrong with the settings, said so that it can be put right.
//!
//! Never shows a value: what was put into the wrong place may have been a secret.

use std::{
    fmt::{Display, Formatter},
    io,
    path::PathBuf,
};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("failed to read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("failed to parse the settings file {}, line {line}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// Settings are wrong: all of them, in one go.
    #[error("{}", Lines(.0))]
    Faults(Vec<Fault>),
}

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A setting has a value that it cannot have.
    #[error("{setting} ({origin}) must be {must_be}")]
    Value {
        /// The setting, as `section.key`.
        setting: String,
        /// Where the value came from.
        origin: Origin,
        /// What it may be.
        must_be: String,
    },
    /// Two settings do not go together, or one is missing.
    #[error("{setting} {rule}")]
    Rule {
        /// The setting to change, as `section.key`.
        setting: String,
        /// The rule that does not hold.
        rule: String,
    },
    /// The file or the environment names a setting that does not exist.
    #[error("{name} is not a setting{}", Hint(.nearest.as_deref()))]
    Unknown {
        /// What was written.
        name: String,
        /// The setting that is written most like it, if any comes near.
        nearest: Option<String>,
    },
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The settings file.
    File,
    /// This environment variable.
    Variable(String),
    /// This command-line option.
    Option(&'static str),
}

impl Display for Origin {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Default => "default",
            Self::File => "settings file",
            Self::Variable(name) => name,
            Self::Option(name) => name,
        })
    }
}

struct Lines<'a>(&'a [Fault]);

impl Display for Lines<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [only] => write!(out, "{only}"),
            faults => {
                write!(out, "{} settings are wrong:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(out, "\n- {fault}"))
            }
        }
    }
}

struct Hint<'a>(Option<&'a str>);

impl Display for Hint<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |nearest| write!(out, "; did you mean {nearest}?"))
    }
}

/// Returns the candidate that takes the fewest edits to get to, if that is few for its length.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let (edits, best) = candidates.map(|known| (edits(name, known), known)).min()?;
    (edits <= best.chars().count() / 3).then_some(best)
}

/// Returns how many letters must be put in, taken out or replaced to get from one to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in (1..).zip(from.chars()) {
        let mut next = Vec::with_capacity(row.len());
        let mut left = line;
        next.push(line);
        for (pair, other) in row.windows(2).zip(&to) {
            if let [diagonal, above] = pair {
                let replaced = diagonal + usize::from(letter != *other);
                left = replaced.min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("IZIN_LISTN", "IZIN_LISTEN"), 1);
    }

    #[test]
    fn a_hint_is_only_given_when_something_comes_near() {
        let known = ["http.listen", "ledger.queue_len"];
        assert_eq!(nearest("http.lisen", known.into_iter()), Some("http.listen"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }

    #[test]
    fn one_fault_is_a_sentence_and_several_are_a_list() {
        let fault = |name: &str| Fault::Unknown { name: name.to_owned(), nearest: None };
        let error = ConfigError::Faults(vec![fault("a")]);
        assert_eq!(error.to_string(), "a is not a setting");
        let error = ConfigError::Faults(vec![fault("a"), fault("b")]);
        let text = "2 settings are wrong:\n- a is not a setting\n- b is not a setting";
        assert_eq!(error.to_string(), text);
    }
}
