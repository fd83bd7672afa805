//! What a message is for, as far as rules tell messages apart.

use serde::{Deserialize, Serialize};

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A template with offers, news, anything mixed or unclear.
    Marketing,
    /// A template about something the person did or has.
    Utility,
    /// A template with a one-time code.
    Authentication,
    /// Any message within the window after the person wrote.
    Session,
}

impl Category {
    /// Every category, in order.
    pub const ALL: [Self; 4] =
        [Self::Marketing, Self::Utility, Self::Authentication, Self::Session];

    /// Returns the stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
            Self::Session => "session",
        }
    }

    /// Returns the place in [`Self::ALL`].
    pub(super) fn place(self) -> usize {
        match self {
            Self::Marketing => 0,
            Self::Utility => 1,
            Self::Authentication => 2,
            Self::Session => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_are_those_of_the_list() {
        for (place, category) in Category::ALL.into_iter().enumerate() {
            assert_eq!(category.place(), place);
            assert_eq!(serde_json::to_value(category).unwrap(), category.name());
        }
    }
}
