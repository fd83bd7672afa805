//! WhatsApp's signal that a number may belong to someone else now.

use crate::domain::{entry::Seq, time::Timestamp};

/// What is known of the identity behind a contact.
///
/// A hash is opaque text as WhatsApp sends it. `changed_at` stays set after a confirmation, which
/// only counts when it came later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    hash: Box<str>,
    observed_at: Timestamp,
    change: Option<Change>,
    confirmed_at: Option<Timestamp>,
}

/// A change of identity that suspends what was agreed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When WhatsApp observed it.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// What a report about an identity means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The first hash ever seen for this contact.
    First,
    /// The same hash, later than it was last seen: older reports about others are older still.
    SeenAgain,
    /// Nothing that was not known, or an older report than what is known.
    NothingNew,
    /// Another hash than the one known.
    Changed,
}

impl Identity {
    /// Judges a report of `hash` at `observed_at` against what is known.
    pub fn judge(known: Option<&Self>, hash: &str, observed_at: Timestamp) -> Report {
        match known {
            None => Report::First,
            Some(known) if observed_at <= known.observed_at => Report::NothingNew,
            Some(known) if *known.hash == *hash => Report::SeenAgain,
            Some(_) => Report::Changed,
        }
    }

    /// What is known after two contacts became one.
    pub(crate) const fn joined(
        hash: Box<str>,
        observed_at: Timestamp,
        change: Option<Change>,
        confirmed_at: Option<Timestamp>,
    ) -> Self {
        Self { hash, observed_at, change, confirmed_at }
    }

    /// Returns when a change was last vouched for.
    pub const fn confirmed_at(&self) -> Option<Timestamp> {
        self.confirmed_at
    }

    /// Returns the last change, whether or not it was vouched for since.
    pub const fn last_change(&self) -> Option<Change> {
        self.change
    }

    /// Returns the latest hash: the one to send with a message.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Returns when the latest hash was last observed.
    pub const fn observed_at(&self) -> Timestamp {
        self.observed_at
    }

    /// Returns the change that still awaits re-registration, if no confirmation came since.
    pub fn open_change(&self) -> Option<Change> {
        self.change.filter(|change| self.confirmed_at.is_none_or(|at| at < change.at))
    }

    /// The first hash.
    pub(crate) const fn first(hash: Box<str>, observed_at: Timestamp) -> Self {
        Self { hash, observed_at, change: None, confirmed_at: None }
    }

    /// Folds another sighting in: of the known hash a later one counts, and another hash than the
    /// known one is what came first.
    pub(crate) fn fold_sighting(known: &mut Option<Self>, hash: &str, observed_at: Timestamp) {
        match known {
            Some(known) if *known.hash == *hash => {
                known.observed_at = known.observed_at.max(observed_at);
            }
            _ => *known = Some(Self::first(hash.into(), observed_at)),
        }
    }

    /// Folds a change in. A confirmation vouched for the hash before it and not for this one,
    /// whichever of the two is later.
    pub(crate) fn fold_change(&mut self, hash: Box<str>, observed_at: Timestamp, seq: Seq) {
        let change = Some(Change { at: observed_at, seq });
        *self = Self { hash, observed_at, change, confirmed_at: None };
    }

    /// Folds a confirmation in.
    pub(crate) const fn fold_confirmation(&mut self, at: Timestamp) {
        self.confirmed_at = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_late_report_about_an_older_identity_is_nothing_new() {
        let mut known = Identity::first("A".into(), at(10));
        known.fold_change("B".into(), at(20), Seq(2));
        assert_eq!(Identity::judge(Some(&known), "A", at(15)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "A", at(20)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "A", at(21)), Report::Changed);
        assert_eq!(Identity::judge(Some(&known), "B", at(20)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "B", at(99)), Report::SeenAgain);
    }

    #[test]
    fn a_later_sighting_of_the_known_hash_makes_reports_between_late() {
        let mut known = Some(Identity::first("A".into(), at(10)));
        Identity::fold_sighting(&mut known, "A", at(99));
        Identity::fold_sighting(&mut known, "A", at(40));
        assert_eq!(known.as_ref().map(Identity::observed_at), Some(at(99)));
        assert_eq!(Identity::judge(known.as_ref(), "B", at(50)), Report::NothingNew);
        assert_eq!(Identity::judge(known.as_ref(), "B", at(100)), Report::Changed);
    }

    #[test]
    fn a_confirmation_of_one_hash_does_not_vouch_for_one_that_is_reported_late() {
        let mut known = Identity::first("A".into(), at(10));
        known.fold_change("B".into(), at(20), Seq(2));
        known.fold_confirmation(at(100));
        known.fold_change("C".into(), at(50), Seq(4));
        assert_eq!(known.open_change(), Some(Change { at: at(50), seq: Seq(4) }));
    }

    #[test]
    fn a_confirmation_closes_the_change_and_the_next_change_opens_it_again() {
        let mut known = Identity::first("A".into(), at(10));
        known.fold_change("B".into(), at(20), Seq(2));
        assert!(known.open_change().is_some());
        known.fold_confirmation(at(30));
        assert_eq!(known.open_change(), None);
        known.fold_change("C".into(), at(40), Seq(4));
        assert_eq!(known.open_change(), Some(Change { at: at(40), seq: Seq(4) }));
    }
}
