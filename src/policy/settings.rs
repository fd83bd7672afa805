//! The switches of policy that are about no country.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{
    action::{Cap, cap_fault},
    category::Category,
};
use crate::limits::STOP_HOURS_MAX;

/// General settings. Left out, each has the value that is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Most messages to one person, by category; each category once. Left out: one marketing
    /// message in 14 days. Empty: no cap but those of rules.
    pub frequency_caps: Vec<CategoryCap>,
    /// Whether an agreement to the topic `general` covers every topic.
    pub general_topic: bool,
    /// Whether what a person agreed to goes along to the number they move to, when WhatsApp tells
    /// of the move.
    pub consent_follows_number: bool,
    /// How much of the marketing a sender with yellow quality goes on with, in percent of its
    /// limit. With red quality it is none, always.
    pub yellow_marketing_percent: u8,
    /// Hours within which people decide what may be a STOP, where no rule names a deadline.
    pub stop_within_hours: NonZeroU32,
    /// Whether marketing to a person waits while what may be their STOP is undecided beyond its
    /// deadline. Nothing is withdrawn, and other messages go on.
    pub overdue_stop_holds: bool,
}

/// The shortest deadline of the packs: who names no country misses none of them.
const STOP_WITHIN_HOURS: NonZeroU32 = NonZeroU32::MIN.saturating_add(71);

/// A cap of one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryCap {
    /// Which messages are counted.
    pub category: Category,
    /// How many in how long.
    pub cap: Cap,
}

/// Why settings cannot be. Names the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSettings(String);

impl Default for Settings {
    fn default() -> Self {
        const ONE: NonZeroU32 = NonZeroU32::MIN;
        let cap = Cap { count: ONE, days: ONE.saturating_add(13) };
        Self {
            frequency_caps: vec![CategoryCap { category: Category::Marketing, cap }],
            general_topic: false,
            consent_follows_number: false,
            yellow_marketing_percent: 50,
            stop_within_hours: STOP_WITHIN_HOURS,
            // Beyond the deadline a send is more likely one too many than a silence is.
            overdue_stop_holds: true,
        }
    }
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// [`NotSettings`] names the first member out of its bounds.
    pub fn check(&self) -> Result<(), NotSettings> {
        let Self {
            frequency_caps,
            general_topic: _,
            consent_follows_number: _,
            yellow_marketing_percent,
            stop_within_hours,
            overdue_stop_holds: _,
        } = self;
        let mut seen = Vec::new();
        for CategoryCap { category, cap } in frequency_caps {
            if seen.contains(category) {
                let name = category.name();
                return Err(NotSettings(format!("`frequency_caps` has two caps for {name}")));
            }
            seen.push(*category);
            if let Some(fault) = cap_fault("frequency_caps", *cap) {
                return Err(NotSettings(fault));
            }
        }
        if *yellow_marketing_percent > 100 {
            return Err(NotSettings("`yellow_marketing_percent` is at most 100".into()));
        }
        if stop_within_hours.get() > STOP_HOURS_MAX {
            return Err(NotSettings(format!("`stop_within_hours` is at most {STOP_HOURS_MAX}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(text: Value) -> Result<Settings, String> {
        let settings: Settings = serde_json::from_value(text).map_err(|e| e.to_string())?;
        settings.check().map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn nothing_said_is_the_safe_value() {
        let settings = checked(json!({})).unwrap();
        assert_eq!(settings, Settings::default());
        let caps = json!([{"category": "marketing", "cap": {"count": 1, "days": 14}}]);
        assert_eq!(serde_json::to_value(&settings).unwrap()["frequency_caps"], caps);
        assert!(!settings.general_topic && !settings.consent_follows_number);
    }

    #[test]
    fn bounds_and_names_are_kept() {
        let cap = |days: u32| json!({"category": "utility", "cap": {"count": 1, "days": days}});
        for (wrong, member) in [
            (json!({"frequency_caps": [cap(1), cap(2)]}), "frequency_caps"),
            (json!({"frequency_caps": [cap(0)]}), "nonzero"),
            (json!({"frequency_caps": [cap(10_000)]}), "frequency_caps.days"),
            (json!({"yellow_marketing_percent": 101}), "yellow_marketing_percent"),
            (json!({"consent_moves": true}), "consent_moves"),
            (json!({"stop_within_hours": 0}), "nonzero"),
            (json!({"stop_within_hours": 10_000}), "stop_within_hours"),
        ] {
            let error = checked(wrong).unwrap_err();
            assert!(error.contains(member), "{member}: {error}");
        }
        checked(json!({"frequency_caps": []})).unwrap();
    }
}
