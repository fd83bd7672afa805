//! Where an event stands in the ledger, and whom it is about.

/// Position of an entry in the ledger, counted from 0. Dense: no gaps.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// Whom an entry is about: the service itself, or the n-th contact ever added.
///
/// The number is also the contact's place in memory and the slot of its key in the vault, so that
/// an entry finds its contact without naming it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Subject(pub u32);

impl Subject {
    /// The service itself: topics, templates, keys.
    pub const SYSTEM: Self = Self(0);

    /// Returns whether the entry is about a contact.
    pub const fn is_contact(self) -> bool {
        self.0 != 0
    }
}

impl Seq {
    /// Returns the position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
