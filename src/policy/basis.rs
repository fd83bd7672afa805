//! What an agreement rests on, and which of them a rule is about.

use serde::{Deserialize, Serialize};

/// What an agreement rests on. Stable names: they are stored, and part of the API.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsentBasis {
    /// The person said so.
    #[default]
    Express,
    /// It follows from a purchase, a contract or the like: an existing relationship.
    ImpliedPurchase,
    /// It follows from an inquiry or an application.
    ImpliedInquiry,
    /// It follows from something else, or nobody says from what.
    Implied,
}

/// Which agreements a rule is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All.
    #[default]
    Any,
    /// Those that follow from something else the person did.
    Implied,
    /// Of those, the ones that follow from a purchase; where nobody says from what, these too.
    ImpliedPurchase,
    /// Of those, the ones that follow from an inquiry; where nobody says from what, these too.
    ImpliedInquiry,
}

impl ConsentBasis {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Express, Self::ImpliedPurchase, Self::ImpliedInquiry, Self::Implied];

    /// Returns whether the person said so themself.
    pub const fn is_express(self) -> bool {
        matches!(self, Self::Express)
    }

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Express => "express",
            Self::ImpliedPurchase => "implied_purchase",
            Self::ImpliedInquiry => "implied_inquiry",
            Self::Implied => "implied",
        }
    }

    /// Whether it need not be written down: what is not said is express.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(crate) const fn is_unsaid(&self) -> bool {
        self.is_express()
    }
}

impl Basis {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(super) const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Returns whether a rule of this kind is about such an agreement. What nobody says from what
    /// it follows may follow from anything, so every rule about implied ones is about it.
    pub const fn covers(self, basis: ConsentBasis) -> bool {
        match basis {
            ConsentBasis::Express => matches!(self, Self::Any),
            ConsentBasis::Implied => true,
            ConsentBasis::ImpliedPurchase => !matches!(self, Self::ImpliedInquiry),
            ConsentBasis::ImpliedInquiry => !matches!(self, Self::ImpliedPurchase),
        }
    }

    /// Returns what it is about, for people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Any => "a consent",
            Self::Implied => "an implied consent",
            Self::ImpliedPurchase => "a consent implied by a purchase",
            Self::ImpliedInquiry => "a consent implied by an inquiry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_stored_ones() {
        for basis in ConsentBasis::ALL {
            assert_eq!(serde_json::to_value(basis).unwrap(), basis.name());
        }
    }

    #[test]
    fn what_nobody_says_from_what_it_follows_falls_under_every_rule() {
        let all = [Basis::Any, Basis::Implied, Basis::ImpliedPurchase, Basis::ImpliedInquiry];
        let covered = |basis: ConsentBasis| all.map(|rule| rule.covers(basis));
        assert_eq!(covered(ConsentBasis::Express), [true, false, false, false]);
        assert_eq!(covered(ConsentBasis::ImpliedPurchase), [true, true, true, false]);
        assert_eq!(covered(ConsentBasis::ImpliedInquiry), [true, true, false, true]);
        assert_eq!(covered(ConsentBasis::Implied), [true; 4]);
    }
}
