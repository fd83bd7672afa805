//! One person as reachable by this business: the compact facts a decision needs.
//!
//! Personal data stays out: identifiers are keyed hashes, and what was said is in the ledger.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::domain::{
    absorbed::Mark,
    consent::{Consents, TopicIx},
    entry::{Seq, Subject},
    hearing::Told,
    home::Home,
    identity::{Change, Identity},
    ids::{ContactId, LookupId, TicketId},
    key::ContactKey,
    named::{KeyTag, Named},
    pace::Sent,
    pair::Pair,
    time::Timestamp,
};

/// Place of a sender in the registry, in the order senders were first put. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SenderIx(pub u16);

/// What memory holds of one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The contact's id.
    pub id: ContactId,
    /// Finds it by number: the keyed hash of the canonical spelling.
    pub number_key: Option<ContactKey>,
    /// Finds it by business-scoped user id.
    pub user_key: Option<ContactKey>,
    /// Where the person is at home, by the number.
    pub home: Home,
    /// What it agreed to.
    pub consents: Consents,
    aliases: Option<Box<Aliases>>,
    details: Option<Box<Details>>,
}

/// Other names of a contact, which most do not have: spellings of its number, and user ids of
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aliases {
    /// Finds it by the number WhatsApp answered a look-up with, where that is another one.
    pub wa_key: Option<ContactKey>,
    /// Weak spellings: numbers that may be the same person's, and may be another contact's.
    pub weak: SmallVec<[ContactKey; 2]>,
    /// User ids that were named with its number before the one it has.
    pub users: SmallVec<[ContactKey; 1]>,
}

/// What most contacts do not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// What is known of the identity behind the contact.
    pub identity: Option<Identity>,
    /// Since when WhatsApp has named its user id with its number, where that is known.
    pub pair: Option<Pair>,
    /// Since when, and by which entry, an operator blocked the contact.
    pub blocked: Option<(Timestamp, Seq)>,
    /// What traffic showed.
    pub traffic: Traffic,
    /// The last look-up.
    pub lookup: Option<Lookup>,
    /// Tickets reserved and not yet closed; one that ran out stays until the next is reserved.
    pub tickets: BTreeSet<TicketId>,
    /// Templates sent lately, in order.
    pub sent: Vec<Sent>,
    /// For each sender, when its messages so far would all have gone out at the pace of a pair.
    pub paced: SmallVec<[(SenderIx, Timestamp); 1]>,
    /// The contact this one became part of, and the entry that recorded it. Nothing is asked of
    /// or added to a contact that has one: its identifiers lead to the other.
    pub merged_into: Option<(Subject, Seq)>,
    told: Option<Box<Told>>,
}

/// What traffic with a contact showed. Times are the events' own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// The last message from the person to each sender.
    pub inbound: SmallVec<[(SenderIx, Timestamp); 1]>,
    /// The last sign that the number is on WhatsApp: a message from it, or one delivered to it.
    pub reached_at: Option<Timestamp>,
    /// The last sign that it is not, and the entry that recorded it.
    pub failed: Option<(Timestamp, Seq)>,
}

/// What the last look-up of a contact said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The look-up under way, if one is.
    pub pending: Option<PendingLookup>,
    /// The last answer about the contact's own number, and when it came.
    pub answer: Option<(LookupState, Timestamp)>,
    /// The last answers about other numbers of the contact, which came by merges.
    pub others: Vec<OtherAnswer>,
    /// Whether a message was sent since the look-up that gave the answer was requested.
    pub was_contacted: bool,
}

/// What the last look-up of another number of a contact said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OtherAnswer {
    /// What stands for the number.
    pub number: KeyTag,
    /// What a provider said.
    pub state: LookupState,
    /// When.
    pub at: Timestamp,
}

/// A look-up under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingLookup {
    /// Which.
    pub id: LookupId,
    /// When it was requested.
    pub at: Timestamp,
    /// Whether a message was sent since.
    pub was_contacted: bool,
}

/// What a provider says about a number. Stable names: they are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupState {
    /// The number is on WhatsApp.
    Registered,
    /// The number is not on WhatsApp.
    NotRegistered,
    /// The provider is still looking.
    InProgress,
    /// Nobody knows: a time-out, a limit, a fault. Never counted as "not on WhatsApp".
    Unknown,
}

static NO_DETAILS: Details = Details {
    identity: None,
    pair: None,
    blocked: None,
    traffic: Traffic { inbound: SmallVec::new_const(), reached_at: None, failed: None },
    lookup: None,
    tickets: BTreeSet::new(),
    sent: Vec::new(),
    paced: SmallVec::new_const(),
    merged_into: None,
    told: None,
};

static NO_TOLD: Told = Told::NOTHING;

static NO_ALIASES: Aliases =
    Aliases { wa_key: None, weak: SmallVec::new_const(), users: SmallVec::new_const() };

impl Contact {
    /// A contact nothing is known of yet.
    pub(crate) fn new(
        id: ContactId,
        number_key: Option<ContactKey>,
        user_key: Option<ContactKey>,
    ) -> Self {
        let consents = Consents::default();
        let home = Home::default();
        Self { id, number_key, user_key, home, consents, aliases: None, details: None }
    }

    /// Returns its other names.
    pub fn aliases(&self) -> &Aliases {
        self.aliases.as_deref().unwrap_or(&NO_ALIASES)
    }

    /// Adds weak spellings of its number.
    pub(crate) fn add_weak(&mut self, keys: &[ContactKey]) {
        let is_new = |known: &Self, key: &ContactKey| !known.aliases().weak.contains(key);
        for key in keys {
            if is_new(self, key) {
                self.aliases.get_or_insert_default().weak.push(*key);
            }
        }
    }

    /// Returns its other names to be changed.
    pub(crate) fn aliases_mut(&mut self) -> &mut Aliases {
        self.aliases.get_or_insert_default()
    }

    /// Makes it known by the number WhatsApp answered with.
    pub(crate) fn set_wa_key(&mut self, key: ContactKey) {
        self.aliases.get_or_insert_default().wa_key = Some(key);
    }

    /// Leaves nothing of a contact that became part of another but its names.
    pub(crate) fn hand_over(&mut self, into: Subject, seq: Seq) {
        self.consents = Consents::default();
        self.details =
            Some(Box::new(Details { merged_into: Some((into, seq)), ..Details::default() }));
    }

    /// Returns what most contacts do not have, empty if this one has none of it.
    pub fn details(&self) -> &Details {
        self.details.as_deref().unwrap_or(&NO_DETAILS)
    }

    /// Returns the same to be changed.
    pub(crate) fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Returns the identifiers that are the contact's own, and did not come by a merge.
    pub const fn own(&self) -> Named {
        Named { number_key: self.number_key, user_key: self.user_key }
    }

    /// Returns an identifier as the contact itself has it: the number WhatsApp answered with is the
    /// number.
    pub fn as_own(&self, key: ContactKey) -> ContactKey {
        let is_number = self.aliases().wa_key == Some(key);
        self.number_key.filter(|_| is_number).unwrap_or(key)
    }

    /// Returns what stands for the identifier asked about where it is not the contact's own: it came
    /// by a merge, and is another account of WhatsApp.
    pub fn other(&self, key: Option<ContactKey>) -> Option<KeyTag> {
        let Named { number_key, user_key } = self.own();
        let key = Some(self.as_own(key?));
        key.filter(|_| key != number_key && key != user_key).map(KeyTag::of)
    }

    /// Returns when, and by which entry, the identifier asked about was given up, if it was, and
    /// under what whoever has it since must have agreed. Without one it is the contact's number
    /// that is asked about, or else its user id.
    pub fn given_up(&self, key: Option<ContactKey>) -> Option<(Mark, KeyTag)> {
        let told = self.details().told();
        let key = key.or(self.own().first())?;
        let pair = self.details().pair.as_ref().filter(|_| self.former_user() == Some(key));
        let replaced = pair.map(|pair| pair.since);
        let marks = [told.moved, told.closed(key), replaced].into_iter().flatten();
        let mark = marks.max_by_key(|mark| (mark.at, mark.seq))?;
        Some((mark, KeyTag::of(self.as_own(key))))
    }

    /// Returns since when what was agreed to about a topic is suspended for whoever is asked about by
    /// this identifier, since somebody else may have that now.
    pub fn suspended_at(&self, topic: TopicIx, key: Option<ContactKey>) -> Option<Timestamp> {
        let topic = Some(topic);
        let is_over = |change: Change| self.consents.has_registered_since(topic, change);
        let changed = self.identity_changed_unless(is_over);
        let given_up = self
            .given_up(key)
            .filter(|(mark, tag)| !self.consents.has_agreed_under(*tag, topic, *mark));
        changed.map(|change| change.at).max(given_up.map(|(mark, _)| mark.at))
    }

    /// Returns since when, and by which entry, agreements are suspended by a change of identity.
    pub fn identity_changed(&self) -> Option<Change> {
        self.identity_changed_by(Timestamp::NEVER)
    }

    /// Returns the same as far as it had happened by a moment.
    pub fn identity_changed_by(&self, moment: Timestamp) -> Option<Change> {
        latest(self.identity_changes_by(moment))
    }

    /// Returns the same of those changes that are not `is_over`. One that is dated by a whole second
    /// may be over later than one that is dated later.
    pub fn identity_changed_unless(&self, is_over: impl Fn(Change) -> bool) -> Option<Change> {
        latest(self.identity_changes_by(Timestamp::NEVER).filter(|change| !is_over(*change)))
    }

    /// Returns the changes that nobody has vouched for since, as far as they had happened by a
    /// moment.
    pub fn identity_changes_by(&self, moment: Timestamp) -> impl Iterator<Item = Change> + '_ {
        let identity = self.details().identity.as_ref();
        let told = self.details().told();
        let taken = told.taken.filter(|mark| self.has_before(*mark));
        let doubted = [told.doubted, taken].into_iter().flatten();
        let doubted = doubted.map(|mark| Change::of(mark.at, mark.seq, None));
        // Only who is named as the number is now is the one who has it now.
        let names = self.own().tags();
        let taken_over = self.taken_over();
        let taken_over =
            taken_over.map(|mark| Change { names, ..Change::of(mark.at, mark.seq, None) });
        let doubted = doubted.chain(taken_over).filter(move |change| {
            identity.is_none_or(|known| !known.is_confirmed_since(change.mark()))
        });
        let changed = identity.and_then(Identity::open_change);
        changed.into_iter().chain(doubted).filter(move |change| change.at <= moment)
    }

    /// Returns whether the person agreed, withdrew or wrote at the moment something happened or
    /// before it, or was asked something then that waits for an answer, or that was answered later
    /// by no more than a yes.
    pub fn has_before(&self, mark: Mark) -> bool {
        let (mut acts, mut questions) = (self.consents.acts(), self.consents.questions());
        let mut windows = self.details().traffic.inbound.iter();
        acts.any(|act| !mark.is_before(act.there_since, act.seq))
            || questions.any(|(_, asked_at, is_open)| is_open && mark.at.may_be_after(asked_at))
            || self.consents.full_stop().is_some_and(|stop| !mark.is_before(stop.at, stop.seq))
            || windows.any(|(_, wrote_at)| mark.at.may_be_after(*wrote_at))
    }

    /// Returns the identity hash to send along, unless WhatsApp said since that it is another one.
    pub fn identity_hash(&self) -> Option<&str> {
        let told = self.details().told();
        let doubted = [told.doubted, told.taken, self.taken_over()];
        let doubted = doubted.into_iter().flatten().max_by_key(|mark| mark.at);
        let identity = self.details().identity.as_ref();
        let is_good = |known: &&Identity| doubted.is_none_or(|mark| mark.at <= known.observed_at());
        identity.filter(is_good).map(Identity::hash)
    }
}

fn latest(changes: impl Iterator<Item = Change>) -> Option<Change> {
    changes.max_by_key(|change| (change.at, change.tag.is_none(), change.seq))
}

impl Details {
    /// Returns what WhatsApp told, empty if it told nothing.
    pub fn told(&self) -> &Told {
        self.told.as_deref().unwrap_or(&NO_TOLD)
    }

    /// Returns when the messages of a sender so far would all have gone out.
    pub fn paced(&self, sender: SenderIx) -> Option<Timestamp> {
        self.paced.iter().find(|(known, _)| *known == sender).map(|(_, until)| *until)
    }

    /// Folds in when they would; the latest stays.
    pub(crate) fn fold_paced(&mut self, sender: SenderIx, until: Timestamp) {
        match self.paced.iter_mut().find(|(known, _)| *known == sender) {
            Some((_, known)) => *known = until.max(*known),
            None => self.paced.push((sender, until)),
        }
    }

    /// Returns the same to be changed.
    pub(crate) fn told_mut(&mut self) -> &mut Told {
        self.told.get_or_insert_default()
    }
}

impl Lookup {
    /// Returns whether a number was found on WhatsApp and nobody wrote to the person since.
    pub fn is_uncontacted(&self) -> bool {
        self.found_at().is_some() && !self.was_contacted
    }

    /// Returns when a number was last found on WhatsApp, if its last answer says that it is.
    pub fn found_at(&self) -> Option<Timestamp> {
        let others = self.others.iter().map(|other| (other.state, other.at));
        let found = self.answer.into_iter().chain(others);
        found.filter(|(state, _)| *state == LookupState::Registered).map(|(_, at)| at).max()
    }

    /// Returns whether there is any answer: there is as soon as a provider was asked once.
    pub fn has_answer(&self) -> bool {
        self.answer.is_some() || !self.others.is_empty()
    }

    /// Returns the last answer about a number, which is the contact's own where none is named, and
    /// when it came.
    pub fn answer_about(&self, number: Option<KeyTag>) -> Option<(LookupState, Timestamp)> {
        let Some(number) = number else { return self.answer };
        let known = self.others.iter().find(|known| known.number == number);
        known.map(|known| (known.state, known.at))
    }

    /// Folds an answer in.
    pub(crate) fn fold_answer(&mut self, number: Option<KeyTag>, answer: (LookupState, Timestamp)) {
        let Some(number) = number else {
            self.answer = Some(answer);
            return;
        };
        let (state, at) = answer;
        self.others.retain(|known| known.number != number);
        self.others.push(OtherAnswer { number, state, at });
        self.others.sort_unstable_by_key(|known| known.number);
    }
}

impl Traffic {
    /// Returns when the person last wrote to `sender`.
    pub fn last_inbound(&self, sender: SenderIx) -> Option<Timestamp> {
        self.inbound.iter().find(|(known, _)| *known == sender).map(|(_, at)| *at)
    }

    /// Returns since when, and by which entry, the number is suspected to be unreachable: a
    /// failure that no later sign of life has answered.
    pub fn unreachable(&self) -> Option<(Timestamp, Seq)> {
        self.failed.filter(|(at, _)| self.reached_at.is_none_or(|reached| reached < *at))
    }

    /// Folds a sign of life in.
    pub(crate) fn fold_reached(&mut self, at: Timestamp) {
        self.reached_at = self.reached_at.max(Some(at));
    }

    /// Folds a message from the person in.
    pub(crate) fn fold_inbound(&mut self, sender: SenderIx, at: Timestamp) {
        self.fold_reached(at);
        if let Some((_, last)) = self.inbound.iter_mut().find(|(known, _)| *known == sender) {
            *last = at.max(*last);
        } else {
            self.inbound.push((sender, at));
            self.inbound.sort_unstable_by_key(|(sender, _)| *sender);
        }
    }

    /// Folds a sign that the number is not on WhatsApp in.
    pub(crate) fn fold_failed(&mut self, at: Timestamp, seq: Seq) {
        if self.failed.is_none_or(|(known, _)| known < at) {
            self.failed = Some((at, seq));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_later_sign_of_life_lifts_the_suspicion_and_an_earlier_one_does_not() {
        let mut traffic = Traffic::default();
        traffic.fold_failed(at(10), Seq(1));
        traffic.fold_reached(at(9));
        assert_eq!(traffic.unreachable(), Some((at(10), Seq(1))));
        traffic.fold_reached(at(11));
        assert_eq!(traffic.unreachable(), None);
    }

    #[test]
    fn messages_that_arrive_out_of_order_keep_the_latest_moment() {
        let mut traffic = Traffic::default();
        traffic.fold_inbound(SenderIx(0), at(20));
        traffic.fold_inbound(SenderIx(0), at(10));
        traffic.fold_inbound(SenderIx(1), at(5));
        assert_eq!(traffic.last_inbound(SenderIx(0)), Some(at(20)));
        assert_eq!(traffic.last_inbound(SenderIx(1)), Some(at(5)));
    }

    #[test]
    fn a_contact_stays_small_because_a_million_of_them_are_held() {
        assert!(size_of::<Contact>() <= 176, "{}", size_of::<Contact>());
    }
}
