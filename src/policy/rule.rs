//! One rule: for whom, about which messages, what, and why.

use serde::{Deserialize, Serialize};

use super::{
    action::{self, Action, Cap, Expiry, StopWithin},
    category::Category,
    country::Country,
    name::PolicyName,
};
use crate::{
    limits::{POLICY_TEXT_BYTES_MAX, URL_BYTES_MAX},
    zones::Hours,
};

/// A rule, of a pack or an operator's own. Countries and categories are sorted and named once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleText", into = "RuleText")]
pub struct Rule {
    id: PolicyName,
    countries: Countries,
    categories: Box<[Category]>,
    action: Action,
    why: Box<str>,
    source: Option<Box<str>>,
}

/// The recipients a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Countries {
    /// Everybody, numbers of no country with them, except these.
    AllBut(Box<[Country]>),
    /// These alone.
    These(Box<[Country]>),
}

/// Why a rule cannot be. The text names the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARule(String);

/// A rule as people write it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    id: PolicyName,
    countries: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<Country>,
    categories: Vec<Category>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<Hours>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent_expiry: Option<Expiry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_within: Option<StopWithin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frequency_cap: Option<Cap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    double_opt_in: Option<bool>,
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

impl Rule {
    /// Returns its name within its pack.
    pub fn id(&self) -> &PolicyName {
        &self.id
    }

    /// Returns the recipients it is about.
    pub fn countries(&self) -> &Countries {
        &self.countries
    }

    /// Returns the categories it is about.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// Returns what it asks for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Returns the reason, for people.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Returns a link to where it is from; every rule of a pack has one.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Returns whether it is about a message of a category to a recipient, whose country may be
    /// unknown.
    pub fn is_about(&self, country: Option<Country>, category: Category) -> bool {
        self.categories.contains(&category) && self.countries.have(country)
    }
}

impl Countries {
    /// Returns whether a recipient is meant, whose country may be unknown.
    pub fn have(&self, country: Option<Country>) -> bool {
        match self {
            Self::AllBut(except) => country.is_none_or(|country| !except.contains(&country)),
            Self::These(these) => country.is_some_and(|country| these.contains(&country)),
        }
    }

    /// Returns the countries it names.
    pub(super) fn named(&self) -> &[Country] {
        match self {
            Self::AllBut(named) | Self::These(named) => named,
        }
    }

    /// Reads `*` or countries, and the exceptions from `*`.
    pub(super) fn parse(codes: &[String], mut exclude: Vec<Country>) -> Result<Self, NotARule> {
        exclude.sort_unstable();
        exclude.dedup();
        match codes {
            [] => Err(NotARule("`countries` is empty; `*` means all".into())),
            [all] if all == "*" => Ok(Self::AllBut(exclude.into())),
            _ if !exclude.is_empty() => {
                Err(NotARule("`exclude` makes sense with `countries = [\"*\"]` alone".into()))
            }
            codes => {
                let read = |code: &String| {
                    Country::parse(code)
                        .map_err(|error| NotARule(format!("`countries` holds {code:?}: {error}")))
                };
                let mut these = codes.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                these.sort_unstable();
                these.dedup();
                Ok(Self::These(these.into()))
            }
        }
    }

    pub(super) fn texts(&self) -> (Vec<String>, Vec<Country>) {
        match self {
            Self::AllBut(except) => (vec!["*".to_owned()], except.to_vec()),
            Self::These(these) => (these.iter().map(ToString::to_string).collect(), Vec::new()),
        }
    }
}

/// Returns the one action a rule's members name.
fn only_action(found: Vec<Action>) -> Result<Action, NotARule> {
    match <[Action; 1]>::try_from(found) {
        Ok([action]) => match action::fault(&action) {
            Some(fault) => Err(NotARule(fault)),
            None => Ok(action),
        },
        Err(found) => {
            let names: Vec<_> = found.iter().map(Action::name).collect();
            let found = if names.is_empty() { "none".into() } else { names.join(" and ") };
            Err(NotARule(format!(
                "a rule has one of `pause`, `quiet_hours`, `consent_expiry`, `stop_within`, \
                 `frequency_cap`, `double_opt_in`; this one has {found}"
            )))
        }
    }
}

fn flag(member: &str, value: Option<bool>, action: Action) -> Result<Option<Action>, NotARule> {
    match value {
        None => Ok(None),
        Some(true) => Ok(Some(action)),
        Some(false) => Err(NotARule(format!("`{member}` is true or left out"))),
    }
}

/// Checks that a text is there, on one line and of a length to read.
fn line(member: &str, text: String, bytes_max: usize) -> Result<Box<str>, NotARule> {
    if text.trim().is_empty() || text.len() > bytes_max || text.contains(['\n', '\r']) {
        return Err(NotARule(format!("`{member}` is one line of 1 to {bytes_max} bytes")));
    }
    Ok(text.into())
}

/// Checks that a text is a link.
pub(super) fn link(member: &str, text: String) -> Result<Box<str>, NotARule> {
    let is_link = (text.starts_with("https://") || text.starts_with("http://"))
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_link {
        return Err(NotARule(format!("`{member}` is a link that begins with https:// or http://")));
    }
    line(member, text, URL_BYTES_MAX)
}

impl TryFrom<RuleText> for Rule {
    type Error = NotARule;

    fn try_from(text: RuleText) -> Result<Self, Self::Error> {
        let RuleText { id, countries, exclude, mut categories, why, source, .. } = text;
        let actions = [
            flag("pause", text.pause, Action::Pause)?,
            text.quiet_hours.map(Action::QuietHours),
            text.consent_expiry.map(Action::ConsentExpiry),
            text.stop_within.map(Action::StopWithin),
            text.frequency_cap.map(Action::FrequencyCap),
            flag("double_opt_in", text.double_opt_in, Action::DoubleOptIn)?,
        ];
        if categories.is_empty() {
            return Err(NotARule("`categories` is empty".into()));
        }
        categories.sort_unstable();
        categories.dedup();
        Ok(Self {
            id,
            countries: Countries::parse(&countries, exclude)?,
            categories: categories.into(),
            action: only_action(actions.into_iter().flatten().collect())?,
            why: line("why", why, POLICY_TEXT_BYTES_MAX)?,
            source: source.map(|source| link("source", source)).transpose()?,
        })
    }
}

impl From<Rule> for RuleText {
    fn from(rule: Rule) -> Self {
        let Rule { id, countries, categories, action, why, source } = rule;
        let (countries, exclude) = countries.texts();
        let mut text = Self {
            id,
            countries,
            exclude,
            categories: categories.into_vec(),
            pause: None,
            quiet_hours: None,
            consent_expiry: None,
            stop_within: None,
            frequency_cap: None,
            double_opt_in: None,
            why: why.into(),
            source: source.map(Into::into),
        };
        match action {
            Action::Pause => text.pause = Some(true),
            Action::QuietHours(hours) => text.quiet_hours = Some(hours),
            Action::ConsentExpiry(expiry) => text.consent_expiry = Some(expiry),
            Action::StopWithin(stop) => text.stop_within = Some(stop),
            Action::FrequencyCap(cap) => text.frequency_cap = Some(cap),
            Action::DoubleOptIn => text.double_opt_in = Some(true),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Rule, String> {
        let mut text = json!({
            "id": "night", "countries": ["US", "CA"], "categories": ["utility", "marketing"],
            "frequency_cap": {"count": 1, "days": 14}, "why": "Because.",
        });
        change(&mut text);
        serde_json::from_value(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_names_its_parts_in_order() {
        let rule = read(|_| ()).unwrap();
        assert_eq!(rule.categories(), [Category::Marketing, Category::Utility]);
        let again: Rule = serde_json::from_value(serde_json::to_value(&rule).unwrap()).unwrap();
        assert_eq!(again, rule);
    }

    #[test]
    fn whom_it_is_about() {
        let country = |code| Country::parse(code).ok();
        let these = read(|_| ()).unwrap();
        assert!(these.is_about(country("US"), Category::Marketing));
        assert!(!these.is_about(country("MX"), Category::Marketing));
        assert!(!these.is_about(country("US"), Category::Session));
        assert!(!these.is_about(None, Category::Marketing));
        let all = read(|text| {
            text["countries"] = json!(["*"]);
            text["exclude"] = json!(["US"]);
        });
        let all = all.unwrap();
        assert!(!all.is_about(country("US"), Category::Marketing));
        assert!(all.is_about(country("MX"), Category::Marketing));
        assert!(all.is_about(None, Category::Marketing));
    }

    #[test]
    fn every_fault_names_its_member() {
        let put = |member: &'static str, value: Value| {
            read(move |text| text[member] = value).unwrap_err()
        };
        for (member, value) in [
            ("countries", json!([])),
            ("countries", json!(["UK"])),
            ("countries", json!(["*", "US"])),
            ("exclude", json!(["US"])),
            ("categories", json!([])),
            ("pause", json!(false)),
            ("double_opt_in", json!(false)),
            ("why", json!(" ")),
            ("why", json!("two\nlines")),
            ("source", json!("ftp://example.org")),
            ("source", json!("https://example.org/a b")),
            ("paws", json!(true)),
            ("frequency_cap", json!({"count": 1, "days": 100_000})),
        ] {
            let error = put(member, value);
            assert!(error.contains(&format!("`{member}")), "{member}: {error}");
        }
        let two = put("pause", json!(true));
        assert!(two.contains("pause and frequency_cap"), "{two}");
        let none = read(|text| drop(text.as_object_mut().unwrap().remove("frequency_cap")));
        assert!(none.unwrap_err().contains("has none"));
    }
}
