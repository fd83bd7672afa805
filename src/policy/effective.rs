//! The policy in force: the rules that count, laid out for one question.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    action::{Action, Cap},
    basis::ConsentBasis,
    category::Category,
    country::{Country, PAIRS},
    name::PolicyName,
    overrides::{OverrideError, Overrides},
    pack::{OWN, Pack, SETTINGS},
    rule::Rule,
    settings::{NotSettings, Settings},
};
use crate::zones::Hours;

/// The form in which a policy is stored. A change that older ones cannot be read in is a new one.
const FORMAT: u32 = 1;

/// Every rule that counts, and what they ask for together. Two of the same rules and settings are
/// equal, whatever the order they came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PolicyText", into = "PolicyText")]
pub struct Policy {
    /// Sorted by reference.
    rules: Box<[Ruled]>,
    settings: Settings,
    /// What the rules ask for, for each set of rules that meet somewhere.
    cells: Box<[Rules]>,
    /// The cell of each category for each pair of letters, and last for numbers of no country.
    places: Box<[[u16; Category::ALL.len()]]>,
}

/// A rule and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ruled {
    from: RuleRef,
    rule: Rule,
}

/// Names one rule for good: a version of a pack never changes. An operator's own rules are of
/// the pack `own`, settings of the pack `settings`, and both of version 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRef {
    /// The pack.
    pub pack: PolicyName,
    /// Its version.
    pub version: u32,
    /// The rule in it.
    pub rule: PolicyName,
}

impl RuleRef {
    fn of_settings(rule: &'static str) -> Self {
        Self { pack: PolicyName::known(SETTINGS), version: 0, rule: PolicyName::known(rule) }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.pack, self.version, self.rule)
    }
}

/// What all rules about one kind of recipient and message ask for together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Nothing may be sent, by this rule.
    pub pause: Option<RuleRef>,
    /// Nothing may be sent in any of these hours.
    pub quiet_hours: Vec<QuietRule>,
    /// Days after which a consent has expired, by what it rests on, in the order of
    /// [`ConsentBasis::ALL`]. One that is implied never lasts longer than an express one.
    pub(super) expiry_days: [Option<Limit>; ConsentBasis::ALL.len()],
    /// Hours within which an opt-out takes effect everywhere.
    pub stop_within_hours: Option<Limit>,
    /// Every one of these holds.
    pub frequency_caps: Vec<CapRule>,
    /// An opt-in counts only once it was confirmed, by this rule.
    pub double_opt_in: Option<RuleRef>,
}

/// Quiet hours, and the rule that sets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietRule {
    /// The hours.
    pub hours: Hours,
    /// The rule.
    pub rule: RuleRef,
}

/// A cap, and the rule that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapRule {
    /// The cap.
    pub cap: Cap,
    /// The rule.
    pub rule: RuleRef,
}

/// The smallest of several amounts, and the rule that sets it; of equal ones, the first by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// In the unit the member names.
    pub amount: u32,
    /// The rule.
    pub rule: RuleRef,
}

/// A policy as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyText {
    format: u32,
    rules: Vec<Ruled>,
    settings: Settings,
}

/// Why a stored policy cannot be read.
#[derive(Debug, thiserror::Error)]
enum NotAPolicy {
    #[error("the policy is of format {0}; this program knows {FORMAT}")]
    Format(u32),
    #[error("the policy has more kinds of recipients than rules can tell apart")]
    TooManyCells,
    #[error(transparent)]
    Settings(#[from] NotSettings),
}

impl AsRef<Hours> for QuietRule {
    fn as_ref(&self) -> &Hours {
        &self.hours
    }
}

/// No pack counts, and the settings are those that are safe.
impl Default for Policy {
    fn default() -> Self {
        let settings = Settings::default();
        Self::compiled(Vec::new(), settings.clone()).unwrap_or_else(|_never| Self {
            rules: Box::default(),
            settings,
            cells: Box::default(),
            places: Box::default(),
        })
    }
}

impl Policy {
    /// Makes the policy of these packs and an operator's overrides.
    ///
    /// # Errors
    ///
    /// [`OverrideError`] if the overrides name what there is not, or are out of their bounds.
    pub fn effective(packs: &[Pack], overrides: &Overrides) -> Result<Self, OverrideError> {
        let of_packs = overrides.choose(packs)?.into_iter().map(|(pack, rule)| Ruled {
            from: RuleRef { pack: pack.id.clone(), version: pack.version, rule: rule.id().clone() },
            rule: rule.clone(),
        });
        let own = overrides.rules.iter().map(|rule| Ruled {
            from: RuleRef { pack: PolicyName::known(OWN), version: 0, rule: rule.id().clone() },
            rule: rule.clone(),
        });
        let rules = of_packs.chain(own).collect();
        Self::compiled(rules, overrides.settings.clone()).or(Err(OverrideError::TooMany("rules")))
    }

    /// Returns what is asked for a message of a category to a recipient, whose country may be
    /// unknown. Takes two steps into a table.
    pub fn rules(&self, country: Option<Country>, category: Category) -> &Rules {
        let place = country.map_or(PAIRS, Country::place);
        let cell = self.places.get(place).and_then(|cells| cells.get(category.place()));
        let rules = cell.and_then(|cell| self.cells.get(usize::from(*cell)));
        rules.unwrap_or(const { &Rules::NONE })
    }

    /// Returns the settings that are about no country.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the hours within which what may be somebody's STOP is decided: the shortest that a
    /// rule about any message to that country names, else that of the settings.
    pub fn stop_within_hours(&self, country: Option<Country>) -> Limit {
        let of_rules = Category::ALL.into_iter();
        let of_rules =
            of_rules.filter_map(|one| self.rules(country, one).stop_within_hours.clone());
        of_rules.min().unwrap_or_else(|| Limit {
            amount: self.settings.stop_within_hours.get(),
            rule: RuleRef::of_settings("stop-within-hours"),
        })
    }

    /// Returns a rule that counts, for its reason and its source.
    pub fn rule(&self, from: &RuleRef) -> Option<&Rule> {
        let at = self.rules.binary_search_by(|ruled| ruled.from.cmp(from)).ok()?;
        Some(&self.rules.get(at)?.rule)
    }

    /// Returns every rule that counts, in order of pack and name.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleRef, &Rule)> {
        self.rules.iter().map(|ruled| (&ruled.from, &ruled.rule))
    }

    fn compiled(mut rules: Vec<Ruled>, mut settings: Settings) -> Result<Self, NotAPolicy> {
        rules.sort_by(|one, other| one.from.cmp(&other.from));
        settings.frequency_caps.sort_unstable();
        let named: BTreeSet<Country> =
            rules.iter().flat_map(|ruled| ruled.rule.countries().named()).copied().collect();
        let mut cells =
            Cells { rules: &rules, settings: &settings, found: BTreeMap::new(), made: Vec::new() };
        let nowhere = cells.row(|rule, category| rule.is_about(None, category))?;
        // A country that no rule names has the same rules as no country: those about all.
        let mut places = vec![nowhere; PAIRS + 1].into_boxed_slice();
        for country in named {
            let row = cells.row(|rule, category| rule.is_about(Some(country), category))?;
            if let Some(place) = places.get_mut(country.place()) {
                *place = row;
            }
        }
        let cells = cells.made.into();
        Ok(Self { rules: rules.into(), settings, cells, places })
    }
}

/// What each set of rules asks for, made once.
struct Cells<'r> {
    rules: &'r [Ruled],
    settings: &'r Settings,
    found: BTreeMap<(Category, Vec<usize>), u16>,
    made: Vec<Rules>,
}

impl Cells<'_> {
    fn row(
        &mut self,
        is_about: impl Fn(&Rule, Category) -> bool,
    ) -> Result<[u16; Category::ALL.len()], NotAPolicy> {
        let mut row = [0; Category::ALL.len()];
        for (cell, category) in row.iter_mut().zip(Category::ALL) {
            let about =
                |(at, ruled): (usize, &Ruled)| is_about(&ruled.rule, category).then_some(at);
            let key = (category, self.rules.iter().enumerate().filter_map(about).collect());
            if let Some(found) = self.found.get(&key) {
                *cell = *found;
                continue;
            }
            *cell = u16::try_from(self.made.len()).or(Err(NotAPolicy::TooManyCells))?;
            let met = key.1.iter().filter_map(|at| self.rules.get(*at));
            self.made.push(Rules::of(met, self.settings, category));
            self.found.insert(key, *cell);
        }
        Ok(row)
    }
}

impl Rules {
    const NONE: Self = Self {
        pause: None,
        quiet_hours: Vec::new(),
        expiry_days: [const { None }; ConsentBasis::ALL.len()],
        stop_within_hours: None,
        frequency_caps: Vec::new(),
        double_opt_in: None,
    };

    /// Returns after how many days a consent that rests on this has expired.
    pub fn consent_expiry_days(&self, basis: ConsentBasis) -> Option<&Limit> {
        let limits = self.expiry_days.iter().zip(ConsentBasis::ALL);
        limits.filter(|(_, of)| *of == basis).find_map(|(limit, _)| limit.as_ref())
    }

    /// Returns whether others ask for the same, by whatever names.
    pub fn asks_the_same(&self, others: &Self) -> bool {
        let Self {
            pause,
            quiet_hours,
            expiry_days,
            stop_within_hours,
            frequency_caps,
            double_opt_in,
        } = self;
        let amount = |limit: &Option<Limit>| limit.as_ref().map(|limit| limit.amount);
        let hours = |rules: &[QuietRule]| {
            rules.iter().map(|quiet| quiet.hours.clone()).collect::<BTreeSet<_>>()
        };
        let caps = |rules: &[CapRule]| rules.iter().map(|cap| cap.cap).collect::<BTreeSet<_>>();
        pause.is_some() == others.pause.is_some()
            && hours(quiet_hours) == hours(&others.quiet_hours)
            && expiry_days.iter().map(amount).eq(others.expiry_days.iter().map(amount))
            && amount(stop_within_hours) == amount(&others.stop_within_hours)
            && caps(frequency_caps) == caps(&others.frequency_caps)
            && double_opt_in.is_some() == others.double_opt_in.is_some()
    }

    /// Puts together what rules ask for, the stricter of each; `rules` in order of reference.
    fn of<'r>(
        rules: impl Iterator<Item = &'r Ruled>,
        settings: &Settings,
        category: Category,
    ) -> Self {
        let mut all = Self::NONE;
        for Ruled { from, rule } in rules {
            let limit = |amount: u32| Some(Limit { amount, rule: from.clone() });
            match rule.action() {
                Action::Pause => all.pause = all.pause.take().or_else(|| Some(from.clone())),
                Action::QuietHours(hours) => {
                    all.quiet_hours.push(QuietRule { hours: hours.clone(), rule: from.clone() });
                }
                Action::ConsentExpiry(expiry) => {
                    let days = limit(expiry.days.get());
                    for (known, basis) in all.expiry_days.iter_mut().zip(ConsentBasis::ALL) {
                        if expiry.basis.covers(basis) {
                            *known = smaller(known.take(), days.clone());
                        }
                    }
                }
                Action::StopWithin(stop) => {
                    all.stop_within_hours = smaller(all.stop_within_hours, limit(stop.hours()));
                }
                Action::FrequencyCap(cap) => {
                    all.frequency_caps.push(CapRule { cap: *cap, rule: from.clone() });
                }
                Action::DoubleOptIn => {
                    all.double_opt_in = all.double_opt_in.take().or_else(|| Some(from.clone()));
                }
            }
        }
        let of_settings = settings.frequency_caps.iter().filter(|cap| cap.category == category);
        all.frequency_caps.extend(
            of_settings
                .map(|cap| CapRule { cap: cap.cap, rule: RuleRef::of_settings("frequency-caps") }),
        );
        all
    }
}

/// Returns the smaller limit of those there are.
fn smaller(one: Option<Limit>, other: Option<Limit>) -> Option<Limit> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl TryFrom<PolicyText> for Policy {
    type Error = NotAPolicy;

    fn try_from(text: PolicyText) -> Result<Self, Self::Error> {
        let PolicyText { format, rules, settings } = text;
        if format != FORMAT {
            return Err(NotAPolicy::Format(format));
        }
        settings.check()?;
        Self::compiled(rules, settings)
    }
}

impl From<Policy> for PolicyText {
    fn from(policy: Policy) -> Self {
        let Policy { rules, settings, cells: _, places: _ } = policy;
        Self { format: FORMAT, rules: rules.into_vec(), settings }
    }
}
