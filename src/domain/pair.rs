//! Since when WhatsApp has named a user id with a number.
//!
//! A user id is given to one account at one number and made anew when the number changes, so that
//! of two ids that were named with one number the later has it, and the other had it before.
//! Source: Meta, Cloud API, "Business-scoped user IDs".

use serde::{Deserialize, Serialize};

use crate::domain::{absorbed::Mark, key::ContactKey, time::Timestamp};

/// The user id of a contact and its number, as WhatsApp names them together. The serde form is
/// stored: members are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Since when, and the entry that recorded it.
    pub since: Mark,
    /// The user id that was named with the number before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
}

/// A user id that was named with a number before another one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Former {
    /// Since when; [`Timestamp::default`] where that is not known.
    pub since: Timestamp,
    /// Finds whoever has it.
    pub key: ContactKey,
}

/// What a sighting of a user id with a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paired {
    /// The first one, or one that came after the known one.
    Newer,
    /// The known one, and earlier than it was known to be there.
    Earlier,
    /// One that was there before the known one.
    Older,
    /// Nothing that was not known.
    NothingNew,
}

impl Pair {
    /// Judges a sighting, which may come late, of a user id with the number of a contact that has
    /// `known`, and `pair` with it. `older_until` is when the last of those gave it up that were there
    /// before the former one.
    pub fn judge(
        known: Option<ContactKey>,
        pair: Option<&Self>,
        (key, at): (ContactKey, Timestamp),
        older_until: Option<Timestamp>,
    ) -> Paired {
        let Some(known) = known else { return Paired::Newer };
        let since = pair.map(|pair| pair.since.at).unwrap_or_default();
        let former = pair.and_then(|pair| pair.former);
        if key == known {
            if pair.is_none() {
                return Paired::Earlier;
            }
            let is_after_former = former.is_none_or(|former| former.since < at);
            return if at < since && is_after_former {
                Paired::Earlier
            } else {
                Paired::NothingNew
            };
        }
        // Of two at one moment the greater counts as the later one.
        if (since, known) < (at, key) {
            Paired::Newer
        } else if former.is_none_or(|former| former.is_told_by(key, at, older_until)) {
            Paired::Older
        } else {
            Paired::NothingNew
        }
    }
}

impl Former {
    /// Returns whether a sighting from before the known id says more: the one that was there last
    /// is kept, with when it was there first.
    fn is_told_by(&self, key: ContactKey, at: Timestamp, older_until: Option<Timestamp>) -> bool {
        if key == self.key {
            at < self.since && older_until.is_none_or(|until| until <= at)
        } else {
            self.since < at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::Seq;

    fn key(bits: u128) -> ContactKey {
        ContactKey::from_bits(bits)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn pair(since: i64, former: Option<(u128, i64)>) -> Pair {
        let former = former.map(|(bits, since)| Former { since: at(since), key: key(bits) });
        Pair { since: Mark { at: at(since), seq: Seq(1) }, former }
    }

    #[test]
    fn of_two_ids_the_later_has_the_number_and_the_known_one_may_have_had_it_longer() {
        let judge = |pair: Pair, bits, ms| {
            Pair::judge(Some(key(7)), Some(&pair), (key(bits), at(ms)), Some(at(10)))
        };
        let alone = pair(50, None);
        assert_eq!(judge(alone, 7, 60), Paired::NothingNew);
        assert_eq!(judge(alone, 7, 40), Paired::Earlier);
        assert_eq!(judge(alone, 8, 60), Paired::Newer);
        assert_eq!(judge(alone, 8, 40), Paired::Older);
        assert_eq!([judge(alone, 8, 50), judge(alone, 6, 50)], [Paired::Newer, Paired::Older]);
        let after = pair(50, Some((6, 30)));
        assert_eq!(
            [judge(after, 7, 40), judge(after, 7, 30)],
            [Paired::Earlier, Paired::NothingNew]
        );
        assert_eq!([judge(after, 6, 20), judge(after, 6, 30)], [Paired::Older, Paired::NothingNew]);
        assert_eq!(judge(after, 6, 9), Paired::NothingNew, "another was there then");
        assert_eq!([judge(after, 5, 40), judge(after, 5, 20)], [Paired::Older, Paired::NothingNew]);
        assert_eq!(
            Pair::judge(Some(key(7)), None, (key(7), at(1)), None),
            Paired::Earlier,
            "first"
        );
        assert_eq!(Pair::judge(None, None, (key(7), at(1)), None), Paired::Newer);
        assert_eq!(
            Pair::judge(Some(key(7)), None, (key(8), at(1)), None),
            Paired::Newer,
            "of before"
        );
    }
}
