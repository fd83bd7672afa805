//! What a rule asks for.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::basis::Basis;
use crate::{
    limits::{
        CAP_COUNT_MAX, CAP_DAYS_MAX, EXPIRES_AFTER_DAYS_MAX, STOP_BUSINESS_DAYS_MAX, STOP_HOURS_MAX,
    },
    zones::Hours,
};

/// What a rule asks for: one thing each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send nothing.
    Pause,
    /// Send nothing in these hours of the recipient's clock.
    QuietHours(Hours),
    /// Take a consent for expired after so long.
    ConsentExpiry(Expiry),
    /// Let an opt-out take effect everywhere within so long.
    StopWithin(StopWithin),
    /// Send one person so many at most.
    FrequencyCap(Cap),
    /// Count an opt-in only once it was confirmed in a second step.
    DoubleOptIn,
}

impl Action {
    /// Returns the stable name: the member of a rule that says so.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::QuietHours(_) => "quiet_hours",
            Self::ConsentExpiry(_) => "consent_expiry",
            Self::StopWithin(_) => "stop_within",
            Self::FrequencyCap(_) => "frequency_cap",
            Self::DoubleOptIn => "double_opt_in",
        }
    }
}

/// For how long a consent lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// Days from the day it was given.
    pub days: NonZeroU32,
    /// Which consents are meant.
    #[serde(default, skip_serializing_if = "Basis::is_any")]
    pub basis: Basis,
}

/// A deadline for honouring an opt-out, as the source names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StopWithin {
    /// Hours by the clock.
    Hours(NonZeroU32),
    /// Business days of the recipient's country.
    BusinessDays(NonZeroU32),
}

impl StopWithin {
    /// Returns the deadline in hours. A business day counts 24 hours, weekends and holidays with
    /// it: never later than what the source allows, and the same in every calendar.
    pub fn hours(self) -> u32 {
        match self {
            Self::Hours(hours) => hours.get(),
            Self::BusinessDays(days) => days.get().saturating_mul(24),
        }
    }
}

/// So many messages to one person in so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Most messages.
    pub count: NonZeroU32,
    /// In a moving span of so many days of 24 hours.
    pub days: NonZeroU32,
}

/// Says which member of an action is out of its bounds, with the bounds.
pub(super) fn fault(action: &Action) -> Option<String> {
    let within = |member: &str, amount: NonZeroU32, max: u32| {
        (amount.get() > max).then(|| format!("`{member}` is at most {max}"))
    };
    match action {
        Action::Pause | Action::QuietHours(_) | Action::DoubleOptIn => None,
        Action::ConsentExpiry(Expiry { days, basis: _ }) => {
            within("consent_expiry.days", *days, EXPIRES_AFTER_DAYS_MAX)
        }
        Action::StopWithin(StopWithin::Hours(hours)) => {
            within("stop_within.hours", *hours, STOP_HOURS_MAX)
        }
        Action::StopWithin(StopWithin::BusinessDays(days)) => {
            within("stop_within.business_days", *days, STOP_BUSINESS_DAYS_MAX)
        }
        Action::FrequencyCap(cap) => cap_fault("frequency_cap", *cap),
    }
}

/// Says which member of a cap is out of its bounds, with the bounds.
pub(super) fn cap_fault(path: &str, cap: Cap) -> Option<String> {
    let Cap { count, days } = cap;
    if count.get() > CAP_COUNT_MAX {
        return Some(format!("`{path}.count` is at most {CAP_COUNT_MAX}"));
    }
    (days.get() > CAP_DAYS_MAX).then(|| format!("`{path}.days` is at most {CAP_DAYS_MAX}"))
}

fn counted(amount: NonZeroU32, unit: &str) -> String {
    if amount.get() == 1 { format!("1 {unit}") } else { format!("{amount} {unit}s") }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("send nothing"),
            Self::QuietHours(hours) => {
                f.write_str("quiet ")?;
                for (at, window) in hours.windows().iter().enumerate() {
                    write!(f, "{}{window}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            Self::ConsentExpiry(Expiry { days, basis }) => {
                write!(f, "{} lasts {}", basis.text(), counted(*days, "day"))
            }
            Self::StopWithin(StopWithin::Hours(hours)) => {
                write!(f, "an opt-out is honoured within {}", counted(*hours, "hour"))
            }
            Self::StopWithin(StopWithin::BusinessDays(days)) => {
                write!(f, "an opt-out is honoured within {}", counted(*days, "business day"))
            }
            Self::FrequencyCap(Cap { count, days }) => {
                write!(f, "at most {count} in {}", counted(*days, "day"))
            }
            Self::DoubleOptIn => f.write_str("an opt-in is confirmed in a second step"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_day_is_no_longer_than_a_day() {
        let ten = NonZeroU32::new(10).unwrap();
        assert_eq!(StopWithin::BusinessDays(ten).hours(), 240);
        assert_eq!(StopWithin::Hours(ten).hours(), 10);
        assert_eq!(StopWithin::BusinessDays(NonZeroU32::MAX).hours(), u32::MAX);
    }

    #[test]
    fn bounds_are_named() {
        let many = NonZeroU32::MAX;
        for action in [
            Action::ConsentExpiry(Expiry { days: many, basis: Basis::Any }),
            Action::StopWithin(StopWithin::Hours(many)),
            Action::StopWithin(StopWithin::BusinessDays(many)),
            Action::FrequencyCap(Cap { count: many, days: NonZeroU32::MIN }),
            Action::FrequencyCap(Cap { count: NonZeroU32::MIN, days: many }),
        ] {
            assert!(fault(&action).unwrap().contains(action.name()), "{action}");
        }
        let least = Action::FrequencyCap(Cap { count: NonZeroU32::MIN, days: NonZeroU32::MIN });
        assert_eq!(fault(&least), None);
    }
}
