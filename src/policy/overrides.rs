//! What an operator changes about the packs: which count, which rules do not, and what is added.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    name::PolicyName,
    pack::Pack,
    rule::Rule,
    settings::{NotSettings, Settings},
};
use crate::limits::{POLICY_OVERRIDES_MAX, POLICY_TEXT_BYTES_MAX};

/// An operator's choices. Nothing said means: no pack, and the settings that are safe. A pack that is
/// switched on counts in its newest version, with every rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// By pack; one that is not named does not count.
    pub packs: BTreeMap<PolicyName, PackChoice>,
    /// Rules that do not count, although their pack does.
    pub off: Vec<Off>,
    /// Rules of the operator's own. They count beside all others, never instead.
    pub rules: Vec<Rule>,
    /// Settings that are about no country.
    pub settings: Settings,
}

/// Whether a pack counts, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackChoice {
    /// Whether it counts.
    pub on: bool,
    /// The version; left out, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A rule that does not count, and who will have to answer for it why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// The pack.
    pub pack: PolicyName,
    /// The rule in it.
    pub rule: PolicyName,
    /// For people; required.
    pub reason: String,
}

/// Why overrides cannot be applied. A name that is nothing's would otherwise leave in force what
/// somebody meant to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No pack of that name.
    #[error("`packs` or `off` names the pack `{0}`, which there is not")]
    UnknownPack(PolicyName),
    /// The pack has no such version.
    #[error("`packs` names version {1} of the pack `{0}`, which there is not")]
    UnknownVersion(PolicyName, u32),
    /// The pack, in the version that counts, has no such rule.
    #[error("`off` names the rule `{1}`, which the pack `{0}` does not have")]
    UnknownRule(PolicyName, PolicyName),
    /// A rule is switched off twice.
    #[error("`off` names the rule `{1}` of the pack `{0}` twice")]
    OffTwice(PolicyName, PolicyName),
    /// A rule is switched off without a reason.
    #[error(
        "`off` gives no reason for the rule `{0}`, or one of more than {POLICY_TEXT_BYTES_MAX} bytes"
    )]
    NoReason(PolicyName),
    /// Two own rules of one name.
    #[error("`rules` has two rules of the name `{0}`")]
    RuleTwice(PolicyName),
    /// More than anybody keeps an eye on.
    #[error("`{0}` takes {POLICY_OVERRIDES_MAX} at most")]
    TooMany(&'static str),
    /// A setting is out of its bounds.
    #[error("`settings`: {0}")]
    Settings(#[from] NotSettings),
}

impl Overrides {
    /// Returns the rules that count, each with its pack, of the packs there are.
    pub(super) fn choose<'p>(
        &self,
        packs: &'p [Pack],
    ) -> Result<Vec<(&'p Pack, &'p Rule)>, OverrideError> {
        self.check()?;
        let chosen = self.chosen_packs(packs)?;
        let mut off = BTreeSet::new();
        for Off { pack, rule, reason } in &self.off {
            let of = chosen.get(pack).ok_or_else(|| OverrideError::UnknownPack(pack.clone()))?;
            if of.pack.rule(rule).is_none() {
                return Err(OverrideError::UnknownRule(pack.clone(), rule.clone()));
            }
            if reason.trim().is_empty() || reason.len() > POLICY_TEXT_BYTES_MAX {
                return Err(OverrideError::NoReason(rule.clone()));
            }
            if !off.insert((pack, rule)) {
                return Err(OverrideError::OffTwice(pack.clone(), rule.clone()));
            }
        }
        let on = chosen.values().filter(|chosen| chosen.on).map(|chosen| chosen.pack);
        let rules = on.flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule)));
        Ok(rules.filter(|(pack, rule)| !off.contains(&(&pack.id, rule.id()))).collect())
    }

    fn check(&self) -> Result<(), OverrideError> {
        let Self { packs: _, off, rules, settings } = self;
        for (name, len) in [("off", off.len()), ("rules", rules.len())] {
            if len > POLICY_OVERRIDES_MAX {
                return Err(OverrideError::TooMany(name));
            }
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = rules.iter().find(|rule| !ids.insert(rule.id())) {
            return Err(OverrideError::RuleTwice(twice.id().clone()));
        }
        Ok(settings.check()?)
    }

    /// Returns every pack in the version that is pinned or else the newest.
    fn chosen_packs<'p>(
        &self,
        packs: &'p [Pack],
    ) -> Result<BTreeMap<&'p PolicyName, Chosen<'p>>, OverrideError> {
        let mut chosen: BTreeMap<&PolicyName, Chosen<'p>> = BTreeMap::new();
        for pack in packs {
            let choice = self.packs.get(&pack.id);
            let on = choice.is_some_and(|choice| choice.on);
            let pinned = choice.and_then(|choice| choice.version);
            if pinned.is_some_and(|version| version != pack.version) {
                continue;
            }
            let newest = chosen.entry(&pack.id).or_insert(Chosen { pack, on });
            if newest.pack.version < pack.version {
                newest.pack = pack;
            }
        }
        for (id, choice) in &self.packs {
            if !packs.iter().any(|pack| pack.id == *id) {
                return Err(OverrideError::UnknownPack(id.clone()));
            }
            if let (None, Some(version)) = (chosen.get(id), choice.version) {
                return Err(OverrideError::UnknownVersion(id.clone(), version));
            }
        }
        Ok(chosen)
    }
}

struct Chosen<'p> {
    pack: &'p Pack,
    on: bool,
}
