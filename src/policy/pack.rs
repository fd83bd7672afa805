//! A pack: a versioned file of rules with their sources.

use std::{collections::BTreeSet, fmt};

use serde::Deserialize;

use super::{
    country::Country,
    name::PolicyName,
    rule::{Countries, Rule, link},
};

/// Names that packs cannot have: they stand for an operator's own rules and settings.
pub(super) const OWN: &str = "own";
pub(super) const SETTINGS: &str = "settings";

/// A pack of rules. What a version says never changes; a change is a new version beside it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name.
    pub id: PolicyName,
    /// Counts up from 1.
    pub version: u32,
    /// From when on all of its rules are in force, for people: a pack counts whenever it is on.
    pub valid_from: Date,
    /// What its rules rest on.
    pub kind: Kind,
    /// For people.
    pub title: String,
    /// What to know before relying on it.
    pub about: String,
    /// The rules.
    pub rules: Vec<Rule>,
    /// Where rules were looked for and none was found that could be written down.
    #[serde(default)]
    pub looked_at: Vec<LookedAt>,
}

/// What the rules of a pack rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What WhatsApp does.
    Platform,
    /// A law or a regulation.
    Law,
    /// What is expected without being written in a law.
    Practice,
}

/// A country looked at that has no rule, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookedAt {
    /// Two letters each, or `*`.
    pub countries: Vec<String>,
    /// For people.
    pub why: String,
    /// A link.
    pub source: String,
}

/// A date such as `2025-04-11`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Date(String);

/// Not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a date is written as 2025-04-11")]
pub struct NotADate;

/// Why a file is no pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PackError {
    file: String,
    rule: Option<String>,
    member: Option<String>,
    problem: String,
}

impl Pack {
    /// Reads a pack from the text of a file.
    ///
    /// # Errors
    ///
    /// [`PackError`] names the file, the rule by its id and the member, for anything that is not
    /// as this type describes it, unknown members and rules named twice included.
    pub fn read(file: &str, text: &str) -> Result<Self, PackError> {
        let error = |member: Option<String>, problem: String| PackError {
            file: file.to_owned(),
            rule: member.as_deref().and_then(|member| rule_at(text, member)),
            member,
            problem,
        };
        let toml = toml::Deserializer::parse(text)
            .map_err(|fault| error(None, fault.to_string().trim().to_owned()))?;
        let pack: Self = serde_path_to_error::deserialize(toml).map_err(|fault| {
            let member = fault.path().to_string();
            error(Some(member), fault.into_inner().message().to_owned())
        })?;
        match pack.fault() {
            Some((member, problem)) => Err(error(Some(member), problem)),
            None => Ok(pack),
        }
    }

    /// Says what is wrong although every member is of its type.
    fn fault(&self) -> Option<(String, String)> {
        let fault = |member: &str, problem: &str| Some((member.to_owned(), problem.to_owned()));
        if [OWN, SETTINGS].contains(&self.id.as_str()) {
            return fault("id", "stands for an operator's own rules");
        }
        if self.version == 0 {
            return fault("version", "counts from 1");
        }
        let mut ids = BTreeSet::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if !ids.insert(rule.id()) {
                return fault(&format!("rules[{at}].id"), "is the id of two rules");
            }
            if rule.source().is_none() {
                return fault(&format!("rules[{at}].source"), "is missing");
            }
        }
        for (at, looked_at) in self.looked_at.iter().enumerate() {
            let LookedAt { countries, why: _, source } = looked_at;
            let checked = Countries::parse(countries, Vec::new())
                .and_then(|_| link("source", source.clone()));
            if let Err(error) = checked {
                return Some((format!("looked_at[{at}]"), error.to_string()));
            }
        }
        None
    }

    /// Returns a rule by its name.
    pub fn rule(&self, id: &PolicyName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id() == id)
    }

    /// Returns every country some rule names.
    pub fn countries(&self) -> BTreeSet<Country> {
        self.rules.iter().flat_map(|rule| rule.countries().named()).copied().collect()
    }
}

/// Returns the id of the rule a path leads into, if the text says one.
fn rule_at(text: &str, member: &str) -> Option<String> {
    let at: usize = member.strip_prefix("rules[")?.split(']').next()?.parse().ok()?;
    let table: toml::Table = text.parse().ok()?;
    let id = table.get("rules")?.as_array()?.get(at)?.get("id")?.as_str()?;
    Some(id.to_owned())
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, rule, member, problem } = self;
        f.write_str(file)?;
        if let Some(rule) = rule {
            write!(f, ": rule `{rule}`")?;
        }
        if let Some(member) = member {
            write!(f, ": {member}")?;
        }
        write!(f, ": {problem}")
    }
}

impl Kind {
    /// Returns the name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Law => "law",
            Self::Practice => "practice",
        }
    }
}

impl Date {
    /// Returns the date as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Date {
    type Error = NotADate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_date = text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok();
        if is_date { Ok(Self(text)) } else { Err(NotADate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
id = "test"
version = 1
valid_from = "2026-01-01"
kind = "law"
title = "Test"
about = "For tests."

[[rules]]
id = "first"
countries = ["US"]
categories = ["marketing"]
pause = true
why = "Because."
source = "https://example.org/first"

[[rules]]
id = "night"
countries = ["*"]
categories = ["marketing"]
quiet_hours = { windows = [{ from = "21:00", to = "08:00" }] }
why = "Because."
source = "https://example.org/night"

[[looked_at]]
countries = ["GB"]
why = "Nothing there."
source = "https://example.org/gb"
"#;

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        Pack::read("test.toml", &GOOD.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_pack_is_read() {
        let pack = Pack::read("test.toml", GOOD).unwrap();
        assert_eq!((pack.version, pack.rules.len(), pack.looked_at.len()), (1, 2, 1));
        let night = PolicyName::parse("night").unwrap();
        assert_eq!(pack.rule(&night).unwrap().source(), Some("https://example.org/night"));
    }

    #[test]
    fn errors_name_file_rule_and_member() {
        for (from, to, parts) in [
            ("pause = true", "paws = true", ["rule `first`", "rules[0]", "`paws`"]),
            ("pause = true", "", ["rule `first`", "rules[0]", "has none"]),
            ("21:00", "21:60", ["rule `night`", "rules[1].quiet_hours.windows[0]", "`from`"]),
            ("\"US\"", "\"UK\"", ["rule `first`", "rules[0]", "`countries`"]),
            ("\"night\"\n", "\"first\"\n", ["rule `first`", "rules[1].id", "two rules"]),
            ("source = \"https://example.org/night\"", "", ["rule `night`", "source", "missing"]),
            ("https://example.org/gb", "gb", ["looked_at[0]", "`source`", "link"]),
            ("2026-01-01", "2026-1-1", ["test.toml", "valid_from", "2025-04-11"]),
            ("version = 1", "version = 0", ["test.toml", "version", "from 1"]),
            ("\"test\"", "\"own\"", ["test.toml", ": id", "own rules"]),
            ("title = \"Test\"", "title = 7", ["test.toml", "title", "string"]),
            ("title =", "headline =", ["test.toml", "headline", "unknown field"]),
            ("kind = \"law\"", "kind = law", ["test.toml", "line 5", "law"]),
        ] {
            let error = error(from, to);
            for part in ["test.toml"].iter().chain(&parts) {
                assert!(error.contains(part), "{part:?} is not in {error:?}");
            }
        }
    }
}
