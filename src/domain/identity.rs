//! WhatsApp's signal that a number may belong to someone else now.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::domain::{absorbed::Mark, entry::Seq, named::NameTags, time::Timestamp};

/// Stands for an identity hash where only sameness within one moment matters: 32 bits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityTag(NonZeroU32);

impl IdentityTag {
    /// Returns what stands for a hash.
    ///
    /// Source: Fowler, Noll, Vo, FNV-1a with 32 bits.
    pub fn of(hash: &str) -> Self {
        let mix = |mixed: u32, byte: u8| (mixed ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let mixed = hash.bytes().fold(0x811c_9dc5, mix);
        Self(NonZeroU32::new(mixed).unwrap_or(NonZeroU32::MIN))
    }
}

/// What is known of the identity behind a contact.
///
/// A hash is opaque text as WhatsApp sends it. `changed_at` stays set after a confirmation, which
/// only counts when it came later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    hash: Box<str>,
    observed_at: Timestamp,
    change: Option<Change>,
    confirmed: Option<Mark>,
    /// When the hash was first seen since another one was.
    first_at: Timestamp,
    /// When another hash was last seen before it.
    before_at: Option<Timestamp>,
}

/// A change of identity that suspends what was agreed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When WhatsApp observed it.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
    /// Who was there from then on; nothing where nobody knows.
    pub tag: Option<IdentityTag>,
    /// By which identifiers whoever is there since is named, where only those will do.
    pub names: NameTags,
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
    /// Another hash than the known one, at the very moment that was last seen: one of the two is
    /// not the person's any more.
    Tied,
}

/// What a sighting of a hash that may come late would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// The first hash ever seen for this contact.
    First,
    /// The known hash, later or earlier than it was seen so far.
    Again,
    /// Another hash than the known one, and later.
    Changed,
    /// Another hash than the known one, and earlier: the known one is the changed one.
    Before,
    /// Nothing that was not known.
    NothingNew,
}

impl Change {
    /// A change that whoever agrees after it answers, by whatever they are named.
    pub const fn of(at: Timestamp, seq: Seq, tag: Option<IdentityTag>) -> Self {
        Self { at, seq, tag, names: NameTags::NONE }
    }

    /// Returns when it was observed, and the entry that recorded it.
    pub const fn mark(self) -> Mark {
        Mark { at: self.at, seq: self.seq }
    }
}

impl Identity {
    /// Judges a report of `hash` at `observed_at` against what is known.
    pub fn judge(known: Option<&Self>, hash: &str, observed_at: Timestamp) -> Report {
        match known {
            None => Report::First,
            Some(known)
                if observed_at <= known.observed_at
                    && observed_at.may_be_after(known.observed_at) =>
            {
                match Self::judge_sighting(Some(known), hash, observed_at) {
                    Sighting::Changed => Report::Changed,
                    Sighting::Before => Report::Tied,
                    Sighting::First | Sighting::Again | Sighting::NothingNew => Report::NothingNew,
                }
            }
            Some(known) if observed_at < known.observed_at => Report::NothingNew,
            Some(known) if *known.hash == *hash => Report::SeenAgain,
            Some(_) => Report::Changed,
        }
    }

    /// Returns whether the hash was seen within the second that `at` stands for, so that nobody knows
    /// whether it came before what is dated so or after it.
    pub fn may_come_before(&self, at: Timestamp) -> bool {
        [self.observed_at, self.first_at].iter().any(|seen| at < *seen && at.may_be_after(*seen))
    }

    /// Judges a sighting that may come late: what it would change.
    pub fn judge_sighting(known: Option<&Self>, hash: &str, at: Timestamp) -> Sighting {
        let Some(known) = known else { return Sighting::First };
        let is_after_others = known.before_at.is_none_or(|before| before < at);
        if *known.hash == *hash {
            let is_earlier = at < known.first_at && is_after_others;
            return if at > known.observed_at || is_earlier {
                Sighting::Again
            } else {
                Sighting::NothingNew
            };
        }
        // Of two hashes seen at the same moment the greater counts as the later one.
        if (at, hash) > (known.observed_at, &*known.hash) {
            Sighting::Changed
        } else if known.change.is_none() || is_after_others {
            Sighting::Before
        } else {
            Sighting::NothingNew
        }
    }

    /// Folds another sighting of the known hash in. Since when a change counts of which nobody knows
    /// whom it led to, no sighting tells.
    pub(crate) fn fold_again(&mut self, at: Timestamp) {
        self.observed_at = self.observed_at.max(at);
        if at < self.first_at && self.before_at.is_none_or(|before| before < at) {
            if let Some(change) = &mut self.change
                && change.at == self.first_at
                && change.tag.is_some()
            {
                change.at = at;
            }
            self.first_at = at;
        }
    }

    /// Folds a late sighting of another hash in, which was there before the known one.
    pub(crate) fn fold_before(&mut self, at: Timestamp, seq: Seq) {
        self.before_at = self.before_at.max(Some(at));
        let is_between = self.first_at <= at;
        if is_between {
            self.first_at = self.observed_at;
        }
        let is_blind = self.change.is_some_and(|change| change.tag.is_none());
        let is_earlier = self.change.is_none_or(|change| change.at < self.first_at);
        if self.change.is_none() || (is_between && (is_earlier || !is_blind)) {
            let tag = Some(IdentityTag::of(&self.hash)).filter(|_| !is_blind);
            self.change = Some(Change::of(self.first_at, seq, tag));
        }
    }

    /// What is known after two contacts became one. `since` says when the hash was first seen since
    /// another one was, and when that was last seen.
    pub(crate) fn joined(
        (hash, observed_at): (Box<str>, Timestamp),
        change: Option<Change>,
        confirmed: Option<Mark>,
        since: (Timestamp, Option<Timestamp>),
    ) -> Self {
        let (first_at, before_at) = since;
        Self { hash, observed_at, change, confirmed, first_at, before_at }
    }

    /// Returns since when the later of two hashes was there without the other between, and when
    /// another was last seen before it, once both are one person's.
    pub(crate) fn since_joined(
        latest: &Self,
        other: Option<&Self>,
    ) -> (Timestamp, Option<Timestamp>) {
        let other_before = other.map(|other| {
            let seen_at = Some(other.observed_at).filter(|_| other.hash != latest.hash);
            other.before_at.max(seen_at)
        });
        let before_at = latest.before_at.max(other_before.flatten());
        let same = other.filter(|other| other.hash == latest.hash);
        let firsts = [Some(latest), same].into_iter().flatten().map(|one| one.first_at);
        let is_after = |first: &Timestamp| before_at.is_none_or(|before| before < *first);
        (firsts.filter(is_after).min().unwrap_or(latest.observed_at), before_at)
    }

    /// Returns when a change was last vouched for.
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        self.confirmed.map(|mark| mark.at)
    }

    /// Returns whether somebody vouched for the person after a change: not before it was known,
    /// where it may have happened after that in the same second.
    pub fn is_confirmed_since(&self, change: Mark) -> bool {
        self.confirmed.is_some_and(|mark| {
            mark.at == change.at && change.seq < mark.seq || change.is_before(mark.at, mark.seq)
        })
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
        self.change.filter(|change| !self.is_confirmed_since(change.mark()))
    }

    /// The first hash.
    pub(crate) const fn first(hash: Box<str>, observed_at: Timestamp) -> Self {
        let (first_at, before_at) = (observed_at, None);
        Self { hash, observed_at, change: None, confirmed: None, first_at, before_at }
    }

    /// Folds another sighting in: of the known hash a later one counts, and another hash than the
    /// known one is what came first.
    pub(crate) fn fold_sighting(known: &mut Option<Self>, hash: &str, observed_at: Timestamp) {
        match known {
            Some(known) if *known.hash == *hash => known.fold_again(observed_at),
            _ => *known = Some(Self::first(hash.into(), observed_at)),
        }
    }

    /// Folds a change in. A confirmation vouched for the hash before it and not for this one,
    /// whichever of the two is later.
    pub(crate) fn fold_change(&mut self, hash: Box<str>, observed_at: Timestamp, seq: Seq) {
        let tag = Some(IdentityTag::of(&hash));
        let change = Some(Change::of(observed_at, seq, tag));
        let (first_at, before_at) = (observed_at, self.before_at.max(Some(self.observed_at)));
        *self = Self { hash, observed_at, change, confirmed: None, first_at, before_at };
    }

    /// Folds a confirmation in.
    pub(crate) const fn fold_confirmation(&mut self, at: Timestamp, seq: Seq) {
        self.confirmed = Some(Mark { at, seq });
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
        assert_eq!(Identity::judge(Some(&known), "A", at(21)), Report::Changed);
        assert_eq!(Identity::judge(Some(&known), "B", at(20)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "B", at(99)), Report::SeenAgain);
    }

    #[test]
    fn of_two_hashes_at_one_moment_either_shows_a_change_whichever_is_told_first() {
        let mut known = Identity::first("A".into(), at(20));
        assert_eq!(Identity::judge(Some(&known), "B", at(20)), Report::Changed);
        known.fold_change("B".into(), at(20), Seq(2));
        assert!(known.open_change().is_some());
        assert_eq!(Identity::judge(Some(&known), "B", at(20)), Report::NothingNew, "a repeat");
        let mut known = Identity::first("B".into(), at(20));
        assert_eq!(Identity::judge(Some(&known), "A", at(20)), Report::Tied);
        known.fold_before(at(20), Seq(2));
        assert!(known.open_change().is_some());
        assert_eq!(Identity::judge(Some(&known), "A", at(20)), Report::NothingNew, "a repeat");
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
        known.fold_confirmation(at(100), Seq(3));
        known.fold_change("C".into(), at(50), Seq(4));
        let tag = Some(IdentityTag::of("C"));
        assert_eq!(known.open_change(), Some(Change::of(at(50), Seq(4), tag)));
    }

    #[test]
    fn a_confirmation_closes_the_change_and_the_next_change_opens_it_again() {
        let mut known = Identity::first("A".into(), at(10));
        known.fold_change("B".into(), at(20), Seq(2));
        assert!(known.open_change().is_some());
        known.fold_confirmation(at(30), Seq(3));
        assert_eq!(known.open_change(), None);
        known.fold_change("C".into(), at(40), Seq(4));
        let tag = Some(IdentityTag::of("C"));
        assert_eq!(known.open_change(), Some(Change::of(at(40), Seq(4), tag)));
    }

    #[test]
    fn a_hash_of_a_whole_second_may_have_come_after_another_one_of_that_second() {
        let mut known = Identity::first("B".into(), at(1_100));
        assert_eq!(Identity::judge(Some(&known), "A", at(1_000)), Report::Tied);
        assert_eq!(Identity::judge(Some(&known), "B", at(1_000)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "A", at(1_001)), Report::NothingNew);
        assert_eq!(Identity::judge(Some(&known), "A", at(0)), Report::NothingNew);
        known.fold_before(at(1_000), Seq(2));
        assert_eq!(Identity::judge(Some(&known), "A", at(1_000)), Report::NothingNew, "a repeat");
    }

    #[test]
    fn whoever_vouched_did_not_know_what_is_heard_later_and_may_have_happened_later() {
        let mut known = Identity::first("A".into(), at(10));
        known.fold_confirmation(at(1_300), Seq(5));
        let change = |ms, seq| Mark { at: at(ms), seq: Seq(seq) };
        assert!(known.is_confirmed_since(change(1_000, 4)));
        assert!(known.is_confirmed_since(change(1_300, 4)));
        assert!(known.is_confirmed_since(change(999, 6)));
        assert!(!known.is_confirmed_since(change(1_000, 6)));
        assert!(!known.is_confirmed_since(change(1_300, 6)));
        assert!(!known.is_confirmed_since(change(1_301, 4)));
    }

    /// Sees a hash as the rules would record it.
    fn see(known: &mut Option<Identity>, hash: &str, ms: i64) -> Sighting {
        let sighting = Identity::judge_sighting(known.as_ref(), hash, at(ms));
        match (sighting, known.as_mut()) {
            (Sighting::Again, Some(known)) => known.fold_again(at(ms)),
            (Sighting::Changed, Some(known)) => known.fold_change(hash.into(), at(ms), Seq(0)),
            (Sighting::Before, Some(known)) => known.fold_before(at(ms), Seq(0)),
            (Sighting::First, _) => *known = Some(Identity::first(hash.into(), at(ms))),
            (Sighting::NothingNew, _) | (_, None) => {}
        }
        sighting
    }

    proptest::proptest! {
        #[test]
        fn sightings_of_one_owner_after_the_other_end_the_same_in_any_order_and_twice(
            turns in proptest::collection::vec(proptest::collection::vec(0_i64..10, 1..4), 1..4),
            order in proptest::collection::vec(proptest::prelude::any::<u32>(), 12),
        ) {
            let mut seen: Vec<(String, i64)> = Vec::new();
            for (turn, moments) in (0_i64..).zip(&turns) {
                seen.extend(moments.iter().map(|ms| (format!("hash {turn}"), turn * 10 + ms)));
            }
            seen.sort_by_key(|(_, ms)| *ms);
            let run = |seen: &[(String, i64)]| {
                let mut known = None;
                for (hash, ms) in seen {
                    see(&mut known, hash, *ms);
                }
                known
            };
            let in_order = run(&seen);
            let mut places: Vec<usize> = (0..seen.len()).collect();
            places.sort_by_key(|place| order.get(*place).copied().unwrap_or(0));
            let mixed: Vec<_> = places.iter().filter_map(|p| seen.get(*p).cloned()).collect();
            let mut known = run(&mixed);
            proptest::prop_assert_eq!(&known, &in_order);
            for (hash, ms) in &seen {
                let sighting = see(&mut known, hash, *ms);
                proptest::prop_assert_eq!(sighting, Sighting::NothingNew);
            }
        }
    }
}
