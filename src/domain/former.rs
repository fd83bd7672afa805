//! What whoever had a number before says once somebody else has it: nothing for whoever has it now, but
//! what it takes back.

use crate::domain::{
    consent::{Act, Consent, TopicIx},
    contact::Contact,
    hearing::Preference,
    key::ContactKey,
    named::{KeyTag, NameTags},
    time::Timestamp,
};

impl Contact {
    /// Returns since when a user id is that of somebody who had the number before whoever has it: what
    /// is said under it alone from then on is said by somebody else.
    pub fn former_since(&self, key: ContactKey) -> Option<Timestamp> {
        if [self.number_key, self.user_key].contains(&Some(key)) {
            return None;
        }
        let told = self.details().told();
        let pair = self.details().pair.as_ref().filter(|_| self.former_user() == Some(key));
        let replaced = pair.map(|pair| pair.since);
        let first = [told.closed(key), replaced].into_iter().flatten().min_by_key(|mark| mark.at);
        first.or(told.moved).map(|mark| mark.at)
    }

    /// Returns whether somebody had a user id before whoever has the number now, and had the number no
    /// more at a moment.
    pub fn is_former(&self, key: ContactKey, at: Timestamp) -> bool {
        self.former_since(key).is_some_and(|since| since <= at)
    }

    /// Returns whether what was said under nothing but these identifiers at a moment was said by
    /// somebody who had given the number up by then.
    pub fn is_of_former(&self, under: NameTags, at: Timestamp) -> bool {
        let Some(tag) = under.user.filter(|_| under.number.is_none()) else { return false };
        let mut users = self.aliases().users.iter();
        users.any(|key| KeyTag::of(*key) == tag && self.is_former(*key, at))
    }

    /// Returns the topics about which such an agreement, or such a question, is what decides.
    pub(crate) fn topics_of_former(&self) -> impl Iterator<Item = TopicIx> + '_ {
        let is_of_former =
            |act: &&Consent| act.act != Act::TookBack && self.is_of_former(act.under, act.at);
        self.consents.acts().filter(is_of_former).map(|act| act.topic)
    }

    /// Returns the contact of a user id as far as it counts for a number that has had another owner
    /// since a moment.
    #[must_use]
    pub(crate) fn owner_until(&self, since: Timestamp) -> Self {
        let mut left = self.clone();
        left.consents.forget_from(since);
        let details = left.details_mut();
        details.traffic.inbound.retain(|(_, at)| *at < since);
        details.traffic.reached_at.take_if(|at| since <= *at);
        let is_lift = |it: &Preference| !it.is_stopped && since <= it.mark.at;
        if details.told().preference.as_ref().is_some_and(is_lift) {
            details.told_mut().preference = None;
        }
        left
    }
}
