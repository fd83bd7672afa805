//! Finds the value of each setting, checks it, and takes note of everything on the way.
//!
//! A section asks for its settings one by one; what was never asked for does not exist. So the
//! sections are the only list of settings there is: names, defaults and bounds cannot disagree
//! with another list. Nothing stops at the first fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
};

use toml::Value;
use zeroize::Zeroize;

use crate::config::{
    error::{Fault, Origin, nearest},
    secret::Secret,
};

/// Every variable of ours begins like this.
pub(super) const PREFIX: &str = "IZIN_";

/// Names the settings file; read before anything else and therefore no setting itself.
pub(super) const FILE_VARIABLE: &str = "IZIN_CONFIG";

/// Shown in place of a secret.
const HIDDEN: &str = "\"(set, hidden)\"";

/// How the secrets of the documented example begin, which everybody knows.
const EXAMPLE_BEGINS: &str = "replace-me";

/// A setting as it turned out, in a form that may be shown to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    name: String,
    variable: String,
    value: Option<String>,
    origin: Origin,
}

impl Setting {
    /// Returns `section.key`, or the bare key of the few that stand above the sections.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the environment variable that overrides it.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// Returns its value as TOML, a placeholder for a secret, `None` when it is not set.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Returns where the value came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// The name of a setting, and its variable where that does not follow the rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    path: &'static str,
    variable: Option<&'static str>,
}

impl From<&'static str> for Name {
    /// A setting whose variable follows the rule: `IZIN_SECTION__KEY`.
    fn from(path: &'static str) -> Self {
        Self { path, variable: None }
    }
}

impl Name {
    /// A setting whose variable is part of the contract with the outside.
    pub(super) const fn fixed(path: &'static str, variable: &'static str) -> Self {
        Self { path, variable: Some(variable) }
    }

    fn variable(self) -> String {
        let by_rule = || format!("{PREFIX}{}", self.path.to_uppercase().replace('.', "__"));
        self.variable.map_or_else(by_rule, str::to_owned)
    }
}

/// A value before it is understood.
enum Given {
    Toml(Value),
    Text(String),
}

/// Reads settings from, in order of precedence: command line, environment, file, default.
#[derive(Default)]
pub(super) struct Reader {
    options: BTreeMap<&'static str, (&'static str, String)>,
    variables: BTreeMap<String, String>,
    file: BTreeMap<String, Value>,
    settings: Vec<Setting>,
    faults: Vec<Fault>,
    secrets_in_file: Vec<&'static str>,
}

impl Reader {
    /// Adds what a command-line option says about a setting.
    pub(super) fn option(&mut self, path: &'static str, option: &'static str, value: String) {
        self.options.insert(path, (option, value));
    }

    /// Adds an environment variable. An empty one counts as not set, which is what a container's
    /// description means by leaving it blank.
    pub(super) fn variable(&mut self, name: String, value: String) {
        if !value.is_empty() {
            self.variables.insert(name, value);
        }
    }

    /// Adds the settings file.
    pub(super) fn file(&mut self, table: toml::Table) {
        for (section, value) in table {
            if let Value::Table(keys) = &value
                && !keys.is_empty()
            {
                let named =
                    |(key, value): (&String, &Value)| (format!("{section}.{key}"), value.clone());
                self.file.extend(keys.iter().map(named));
            } else {
                self.file.insert(section, value);
            }
        }
    }

    /// Reports that a rule between settings does not hold.
    pub(super) fn rule(&mut self, setting: &str, rule: impl Into<String>) {
        self.faults.push(Fault::Rule { setting: setting.to_owned(), rule: rule.into() });
    }

    /// Reads a whole number within bounds.
    pub(super) fn whole<T>(
        &mut self,
        name: impl Into<Name>,
        default: T,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        self.whole_or(name.into(), Some(default), &range).unwrap_or(default)
    }

    /// Reads a whole number within bounds that may be left out.
    pub(super) fn whole_or_none<T>(
        &mut self,
        name: impl Into<Name>,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        self.whole_or(name.into(), None, &range)
    }

    fn whole_or<T>(
        &mut self,
        name: Name,
        default: Option<T>,
        range: &RangeInclusive<T>,
    ) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        let must_be = format!("a whole number from {} to {}", range.start(), range.end());
        let parse = |given| whole(given).filter(|number| range.contains(number));
        self.read(name, default, &must_be, T::to_string, parse)
    }

    /// Reads a yes or no.
    pub(super) fn flag(&mut self, name: impl Into<Name>, default: bool) -> bool {
        let parse = |given| match given {
            Given::Toml(value) => value.as_bool(),
            Given::Text(text) => text.parse().ok(),
        };
        let name = name.into();
        self.read(name, Some(default), "true or false", bool::to_string, parse).unwrap_or(default)
    }

    /// Reads one of a few words. Of several words for one thing, the first is the one shown.
    pub(super) fn word<T: Copy + PartialEq>(
        &mut self,
        name: impl Into<Name>,
        default: Option<T>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let must_be = format!("one of {}", all.join(", "));
        let show = |value: &T| {
            let shown = words.iter().find(|(_, known)| known == value);
            quoted(shown.map_or("", |(word, _)| word))
        };
        let parse = |given| {
            let text = text(given)?;
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
        };
        self.read(name.into(), default, &must_be, show, parse)
    }

    /// Reads a text that `parse` turns into a value, shown as `show` writes it.
    pub(super) fn text<T>(
        &mut self,
        name: impl Into<Name>,
        default: Option<T>,
        must_be: &str,
        show: impl Fn(&T) -> String,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let show = |value: &T| quoted(&show(value));
        self.read(name.into(), default, must_be, show, |given| parse(&text(given)?))
    }

    /// Reads a list of texts; in the environment they are separated by commas.
    pub(super) fn list<T: Display>(
        &mut self,
        name: impl Into<Name>,
        must_be: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let show = |items: &Vec<T>| {
            let items: Vec<_> = items.iter().map(|item| quoted(&item.to_string())).collect();
            format!("[{}]", items.join(", "))
        };
        let parse_all = |given| match given {
            Given::Text(text) => text.split(',').map(|item| parse(item.trim())).collect(),
            Given::Toml(value) => {
                value.as_array()?.iter().map(|item| parse(item.as_str()?)).collect()
            }
        };
        self.read(name.into(), Some(Vec::new()), must_be, show, parse_all).unwrap_or_default()
    }

    /// Reads a secret of so many bytes at least, without white space or control characters.
    pub(super) fn secret(
        &mut self,
        name: impl Into<Name>,
        bytes_min: usize,
    ) -> Option<Secret<String>> {
        let must_be = format!("at least {bytes_min} characters, visible ASCII only");
        self.secret_that(name.into(), &must_be, |text| text.len() >= bytes_min)
    }

    /// Reads a secret that somebody chose: also not a few characters over and over.
    pub(super) fn chosen_secret(
        &mut self,
        name: impl Into<Name>,
        bytes_min: usize,
        different_min: usize,
    ) -> Option<Secret<String>> {
        let must_be = format!(
            "at least {bytes_min} characters, visible ASCII only, {different_min} of them \
             different; `openssl rand -base64 32` draws a good one"
        );
        let is_good = |text: &str| {
            let different: BTreeSet<u8> = text.bytes().collect();
            text.len() >= bytes_min && different.len() >= different_min
        };
        self.secret_that(name.into(), &must_be, is_good)
    }

    fn secret_that(
        &mut self,
        name: Name,
        must_be: &str,
        is_good: impl Fn(&str) -> bool,
    ) -> Option<Secret<String>> {
        if self.file.contains_key(name.path) {
            self.secrets_in_file.push(name.path);
        }
        let must_be = format!("{must_be}, and not what stands in the example");
        let parse = |given| {
            let mut text = text(given)?;
            // Several secrets may stand in one setting, with commas between them.
            let is_example = text.split(',').any(|part| part.starts_with(EXAMPLE_BEGINS));
            let is_written_out = text.bytes().all(|byte| byte.is_ascii_graphic());
            if is_good(&text) && is_written_out && !is_example {
                return Some(Secret::new(text));
            }
            text.zeroize();
            None
        };
        self.read(name, None, &must_be, |_| HIDDEN.to_owned(), parse)
    }

    /// Returns whether the setting has a value that was refused already.
    pub(super) fn is_faulty(&self, path: &str) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::Value { setting, .. } | Fault::Rule { setting, .. } => setting == path,
            Fault::Unknown { .. } => false,
        })
    }

    /// Returns which secrets stand in the settings file, whoever overrides them.
    pub(super) fn secrets_in_file(&self) -> &[&'static str] {
        &self.secrets_in_file
    }

    /// Ends the reading: whatever nobody asked for is a fault as well.
    ///
    /// # Errors
    ///
    /// Every fault there is.
    pub(super) fn finish(mut self) -> Result<Vec<Setting>, Vec<Fault>> {
        let sections = self.settings.iter().filter_map(|known| known.name.split_once('.'));
        let sections: Vec<_> = sections.map(|(section, _)| section).collect();
        for (name, value) in &self.file {
            let empty = value.as_table().is_some_and(toml::Table::is_empty);
            if !(empty && sections.contains(&name.as_str())) {
                let nearest = nearest(name, self.settings.iter().map(Setting::name));
                let nearest = nearest.map(str::to_owned);
                self.faults.push(Fault::Unknown { name: name.clone(), nearest });
            }
        }
        for (name, value) in &self.variables {
            if name != FILE_VARIABLE && !is_service_link(name, value) {
                let known = self.settings.iter().map(Setting::variable).chain([FILE_VARIABLE]);
                let nearest = nearest(name, known).map(str::to_owned);
                self.faults.push(Fault::Unknown { name: name.clone(), nearest });
            }
        }
        if self.faults.is_empty() { Ok(self.settings) } else { Err(self.faults) }
    }

    fn read<T>(
        &mut self,
        name: Name,
        default: Option<T>,
        must_be: &str,
        show: impl Fn(&T) -> String,
        parse: impl FnOnce(Given) -> Option<T>,
    ) -> Option<T> {
        let (value, origin) = match self.take(name) {
            None => (default, Origin::Default),
            Some((given, origin)) => {
                let value = parse(given);
                if value.is_none() {
                    self.faults.push(Fault::Value {
                        setting: name.path.to_owned(),
                        origin: origin.clone(),
                        must_be: must_be.to_owned(),
                    });
                }
                (value, origin)
            }
        };
        self.settings.push(Setting {
            name: name.path.to_owned(),
            variable: name.variable(),
            value: value.as_ref().map(show),
            origin,
        });
        value
    }

    /// Takes a setting out of every place, so that what remains is what nobody asked for.
    fn take(&mut self, name: Name) -> Option<(Given, Origin)> {
        let variable = name.variable();
        let from_file = self.file.remove(name.path);
        let from_variable = self.variables.remove(&variable);
        if let Some((option, text)) = self.options.remove(name.path) {
            return Some((Given::Text(text), Origin::Option(option)));
        }
        if let Some(text) = from_variable {
            return Some((Given::Text(text), Origin::Variable(variable)));
        }
        from_file.map(|value| (Given::Toml(value), Origin::File))
    }
}

fn whole<T: TryFrom<u64>>(given: Given) -> Option<T> {
    let number: u64 = match given {
        Given::Toml(value) => u64::try_from(value.as_integer()?).ok()?,
        Given::Text(text) => text.replace('_', "").parse().ok()?,
    };
    T::try_from(number).ok()
}

fn text(given: Given) -> Option<String> {
    match given {
        Given::Text(text) => Some(text),
        Given::Toml(value) => value.as_str().map(str::to_owned),
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Returns whether a container platform set the variable to say where a service called `izin` or
/// `izin-…` listens.
///
/// Source: Kubernetes documentation, "Service", environment variables.
fn is_service_link(name: &str, value: &str) -> bool {
    let port = name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP"));
    port || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(file: &str, variables: &[(&str, &str)]) -> Reader {
        let mut reader = Reader::default();
        reader.file(file.parse().unwrap());
        for (name, value) in variables {
            reader.variable((*name).to_owned(), (*value).to_owned());
        }
        reader
    }

    fn faults(reader: Reader) -> Vec<String> {
        reader.finish().unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_command_line_beats_the_environment_and_that_the_file_and_that_the_default() {
        let file = "[a]\nb = 2";
        let variable = ("IZIN_A__B", "3");
        assert_eq!(reader("", &[]).whole("a.b", 1, 0..=9), 1);
        assert_eq!(reader(file, &[]).whole("a.b", 1, 0..=9), 2);
        assert_eq!(reader(file, &[variable]).whole("a.b", 1, 0..=9), 3);
        let mut all = reader(file, &[variable]);
        all.option("a.b", "--b", "4".to_owned());
        assert_eq!(all.whole("a.b", 1, 0..=9), 4);
        let settings = all.finish().unwrap();
        assert_eq!(settings[0].origin(), &Origin::Option("--b"));
    }

    #[test]
    fn bounds_are_kept_at_both_ends_and_named() {
        for good in ["2", "9", "0_9"] {
            let mut reader = reader("", &[("IZIN_A__B", good)]);
            reader.whole("a.b", 5_u8, 2..=9);
            assert!(reader.finish().is_ok(), "{good}");
        }
        for bad in ["1", "10", "-3", "300", "4.0", "many"] {
            let mut reader = reader("", &[("IZIN_A__B", bad)]);
            reader.whole("a.b", 5_u8, 2..=9);
            assert_eq!(faults(reader), ["a.b (IZIN_A__B) must be a whole number from 2 to 9"]);
        }
    }

    #[test]
    fn a_value_of_another_type_in_the_file_is_a_fault() {
        let mut reader = reader("[a]\nb = '5'\nc = 'true'\nd = 5\ne = 'x'", &[]);
        reader.whole("a.b", 5, 2..=9);
        reader.flag("a.c", false);
        reader.word("a.d", Some(1), &[("five", 1), ("cinq", 1)]);
        reader.list("a.e", "a list", |text| Some(text.to_owned()));
        assert_eq!(
            faults(reader),
            [
                "a.b (settings file) must be a whole number from 2 to 9",
                "a.c (settings file) must be true or false",
                "a.d (settings file) must be one of five, cinq",
                "a.e (settings file) must be a list",
            ]
        );
    }

    #[test]
    fn what_nobody_asked_for_is_a_fault_with_a_hint() {
        let mut reader =
            reader("[a]\nqueue_length = 1\n[zoo]\n[a.deep]", &[("IZIN_A__QUEU_LEN", "1")]);
        reader.whole("a.queue_len", 5, 2..=9);
        assert_eq!(
            faults(reader),
            [
                "a.deep is not a setting",
                "a.queue_length is not a setting; did you mean a.queue_len?",
                "zoo is not a setting",
                "IZIN_A__QUEU_LEN is not a setting; did you mean IZIN_A__QUEUE_LEN?",
            ]
        );
    }

    #[test]
    fn an_empty_section_and_an_empty_variable_say_nothing() {
        let mut reader = reader("[a]", &[("IZIN_A__B", "")]);
        assert_eq!(reader.whole("a.b", 5, 2..=9), 5);
        assert!(reader.finish().is_ok());
    }

    #[test]
    fn a_list_is_an_array_in_the_file_and_commas_in_the_environment() {
        let parse = |text: &str| text.parse::<u8>().ok();
        let mut from_file = reader("[a]\nb = ['1', '2']", &[]);
        assert_eq!(from_file.list("a.b", "numbers", parse), [1, 2]);
        let mut from_environment = reader("", &[("IZIN_A__B", "1, 2")]);
        assert_eq!(from_environment.list("a.b", "numbers", parse), [1, 2]);
        assert_eq!(from_environment.finish().unwrap()[0].value(), Some(r#"["1", "2"]"#));
        let mut bad = reader("[a]\nb = ['1', 'x']", &[]);
        bad.list("a.b", "numbers", parse);
        assert_eq!(faults(bad), ["a.b (settings file) must be numbers"]);
    }

    #[test]
    fn a_secret_is_never_shown_not_even_when_it_is_refused() {
        let mut good = reader("[a]\nb = 'tell-nobody'", &[]);
        assert_eq!(good.secret("a.b", 4).unwrap().expose(), "tell-nobody");
        assert_eq!(good.secrets_in_file(), ["a.b"]);
        assert!(!format!("{:?}", good.finish()).contains("nobody"));
        for refused in ["abc", "tell nobody", "tell-nobödy", "tell\tnobody", "replace-me-nobody"] {
            let mut reader = reader("", &[("IZIN_A__B", refused)]);
            assert!(reader.secret("a.b", 4).is_none());
            let told = faults(reader).concat();
            let must_be =
                "at least 4 characters, visible ASCII only, and not what stands in the example";
            assert_eq!(told, format!("a.b (IZIN_A__B) must be {must_be}"));
        }
    }

    #[test]
    fn a_platform_that_announces_services_does_no_harm() {
        let mut reader = reader(
            "",
            &[
                ("IZIN_SERVICE_HOST", "10.0.0.1"),
                ("IZIN_SERVICE_PORT_HTTP", "80"),
                ("IZIN_PORT", "tcp://10.0.0.1:80"),
                ("IZIN_PORT_80_TCP_ADDR", "10.0.0.1"),
            ],
        );
        reader.whole("a.b", 5, 2..=9);
        assert!(reader.finish().is_ok());
        assert!(!is_service_link("IZIN_PORT", "8080"));
    }
}
