//! What failures have in common, and which entries say that a message failed so.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{Event, TrafficKind},
    names::SenderId,
    time::Timestamp,
};

/// How many kinds mark people.
pub(super) const MARKING: usize = 4;

/// What the name of a kind begins with that is a code.
const CODE_PREFIX: &str = "code_";

/// What failures have in common. Stable names: they are stored and part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub enum IncidentKind {
    /// WhatsApp could not deliver.
    Unreachable,
    /// The people are in a group that gets no marketing.
    Experiment,
    /// WhatsApp takes no message to the people from this business.
    Barred,
    /// The business may not write to their country.
    CountryBlocked,
    /// WhatsApp's code, and nothing that would mark the people.
    Code(i64),
}

impl IncidentKind {
    /// Returns the place among the kinds that mark people, if it is one.
    pub(super) const fn marking(self) -> Option<usize> {
        match self {
            Self::Unreachable => Some(0),
            Self::Experiment => Some(1),
            Self::Barred => Some(2),
            Self::CountryBlocked => Some(3),
            Self::Code(_) => None,
        }
    }

    /// Returns WhatsApp's code, where that is what the failures have in common.
    pub const fn code(self) -> Option<i64> {
        match self {
            Self::Code(code) => Some(code),
            Self::Unreachable | Self::Experiment | Self::Barred | Self::CountryBlocked => None,
        }
    }

    /// Returns the stable name.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Unreachable => "unreachable".into(),
            Self::Experiment => "experiment".into(),
            Self::Barred => "barred".into(),
            Self::CountryBlocked => "country_blocked".into(),
            Self::Code(code) => format!("{CODE_PREFIX}{code}").into(),
        }
    }
}

impl From<IncidentKind> for String {
    fn from(kind: IncidentKind) -> Self {
        kind.name().into_owned()
    }
}

/// The name is none of a kind's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of incident has this name")]
pub struct NoKind;

impl TryFrom<Cow<'_, str>> for IncidentKind {
    type Error = NoKind;

    fn try_from(name: Cow<'_, str>) -> Result<Self, NoKind> {
        match name.as_ref() {
            "unreachable" => Ok(Self::Unreachable),
            "experiment" => Ok(Self::Experiment),
            "barred" => Ok(Self::Barred),
            "country_blocked" => Ok(Self::CountryBlocked),
            other => {
                let code = other.strip_prefix(CODE_PREFIX).and_then(|code| code.parse().ok());
                code.map(Self::Code).ok_or(NoKind)
            }
        }
    }
}

/// Returns how, by whose message and when an entry says that a message failed in a way that marks
/// the person until something else happens.
pub(crate) fn failure(event: &Event) -> Option<(IncidentKind, Option<&SenderId>, Timestamp)> {
    let (kind, sender, at) =
        if let Event::TrafficSeen {
            kind: TrafficKind::Undeliverable, sender, happened_at, ..
        } = event
        {
            (IncidentKind::Unreachable, sender, happened_at)
        } else if let Event::ExperimentSeen { sender, happened_at } = event {
            (IncidentKind::Experiment, sender, happened_at)
        } else if let Event::Barred { sender, happened_at, .. } = event {
            (IncidentKind::Barred, sender, happened_at)
        } else if let Event::CountryBlocked { sender, happened_at, .. } = event {
            (IncidentKind::CountryBlocked, sender, happened_at)
        } else {
            return None;
        };
    Some((kind, sender.as_ref(), *at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stored_and_read_back() {
        use IncidentKind as K;
        for (kind, name) in [
            (K::Unreachable, "unreachable"),
            (K::Experiment, "experiment"),
            (K::Barred, "barred"),
            (K::CountryBlocked, "country_blocked"),
            (K::Code(131_000), "code_131000"),
            (K::Code(-1), "code_-1"),
        ] {
            let stored = serde_json::to_string(&kind).unwrap();
            assert_eq!(stored, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<K>(&stored).unwrap(), kind);
        }
        for other in ["", "code_", "code_x", "131000", "Unreachable"] {
            assert_eq!(K::try_from(Cow::Borrowed(other)), Err(NoKind), "{other}");
        }
    }
}
