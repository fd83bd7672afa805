//! What WhatsApp told about one contact: of each kind the latest, whatever the order it came in.
//!
//! The serde form is stored where two contacts become one: members are only ever added.

use serde::{Deserialize, Serialize};

use crate::domain::{
    absorbed::Mark,
    entry::{Seq, Subject},
    event::{AnswerKept, EarlyStatus},
    hearing::{
        barred::{Barred, BarredBy},
        hold::HeldBack,
    },
    incident::IncidentKind,
    key::ContactKey,
    named::Named,
    names::SenderId,
    time::{HOUR_MS, Timestamp},
};

/// Whether the person takes marketing from this business, as set inside WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// Whether they stopped it.
    pub is_stopped: bool,
    /// Since when, and the entry that recorded it.
    pub mark: Mark,
}

/// What WhatsApp told about one contact. Most contacts have nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The last word on marketing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<Preference>,
    /// When the person moved to another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Mark>,
    /// Identifiers that were given up while others of the contact were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closed>,
    /// The numbers they are known to have moved to, and when: the latest ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_to: Vec<Closed>,
    /// Where the consents went along to, whenever the person of that time moved to another number:
    /// the latest ones, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Followed>,
    /// The contacts WhatsApp named as one person with this one, and when last, as far as that was
    /// news: the latest ones, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Followed>,
    /// When WhatsApp last said that the identity is another one, without saying which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Mark>,
    /// When somebody last moved to the number: what is older was another person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<Mark>,
    /// Reviews of what the person wrote that nobody has decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Seq>,
    /// Of those, the ones that may be a STOP: when it was written, and the review.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<Mark>,
    /// The review opened because identifiers of this contact and another came together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Seq>,
    /// When such a review was last decided: what had happened by then was decided with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict_decided_at: Option<Timestamp>,
    /// Until when WhatsApp holds marketing to the person back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// When it held it back for a while, the latest times, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_at: Vec<Timestamp>,
    /// When WhatsApp last said that the person is in a group that gets no marketing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Mark>,
    /// Since when WhatsApp takes no message to the person from this business.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barred: Option<Barred>,
    /// The same of single senders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub barred_by: Vec<BarredBy>,
    /// When that was last lifted here: what is older says nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbarred_at: Option<Timestamp>,
    /// When WhatsApp last said that the business may not write to the person's country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_blocked: Option<Mark>,
    /// When messages of senders last failed for reasons that were not the person's.
    #[serde(rename = "spared_by", skip_serializing_if = "Vec::is_empty")]
    pub spared: Vec<Spared>,
    /// Until when senders must let the person rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rests: Vec<Rest>,
    /// What they said yes or no to that they are not known to have been asked: the latest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerKept>,
    /// What became of messages to the person that are on no ticket, as far as they may be on one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<EarlyStatus>,
    /// When WhatsApp last said of senders that their window is closed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<WindowEnd>,
}

/// Another contact that something of this one's goes along to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// The place of that contact, which may have become part of another since.
    pub place: Subject,
    /// When the person moved, or was seen to be the one behind both.
    pub at: Timestamp,
}

/// An identifier was given up: whoever has it next is somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Which.
    pub key: ContactKey,
    /// When, and the entry that recorded it.
    pub mark: Mark,
}

/// A message failed as too many of its sender's did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// Whose message.
    pub sender: SenderId,
    /// How it failed.
    pub kind: IncidentKind,
    /// When, and the entry that recorded it.
    pub mark: Mark,
}

/// A sender must let the person rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Which sender.
    pub sender: SenderId,
    /// Until when.
    pub until: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
    /// When its messages were refused for that, the latest ones, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Timestamp>,
}

/// So many contacts that consents went along to are remembered.
const FOLLOWED_MAX: usize = 16;

/// So many numbers that one was given up for are remembered.
const MOVED_TO_MAX: usize = 16;

/// So many refusals in a row make the pause longer; 4^10 seconds are twelve days.
const REFUSED_MAX: usize = 10;

impl Rest {
    /// Returns whether a refusal at `at` is one of those counted, or older than all that still are.
    pub fn knows(&self, at: Timestamp) -> bool {
        let is_full = self.refused.len() >= REFUSED_MAX;
        let is_older = self.refused.first().is_some_and(|first| at < *first);
        self.refused.contains(&at) || (is_full && is_older)
    }

    /// Returns until when a sender must let a person rest after one more refusal at `at`, if the
    /// first asks for `pause_ms`: each that follows within an hour of the end of the pause before
    /// makes the next one four times as long.
    ///
    /// Source: Meta, Cloud API, "Pair rate limits" (retry after 4^X seconds).
    pub fn grown_until(known: Option<&Self>, at: Timestamp, pause_ms: i64) -> Timestamp {
        let mut refused = known.map(|known| known.refused.clone()).unwrap_or_default();
        insert(&mut refused, at);
        let (mut until, mut pause) = (at, pause_ms);
        for (place, refused_at) in refused.into_iter().enumerate() {
            let is_in_row = place > 0 && refused_at <= until.plus_ms(HOUR_MS);
            pause = if is_in_row { pause.saturating_mul(4) } else { pause_ms };
            let end = refused_at.plus_ms(pause);
            until = if place == 0 { end } else { until.max(end) };
        }
        until
    }
}

fn insert(refused: &mut Vec<Timestamp>, at: Timestamp) {
    if let Err(place) = refused.binary_search(&at) {
        refused.insert(place, at);
        if refused.len() > REFUSED_MAX {
            refused.remove(0);
        }
    }
}

/// A window was closed, whatever was known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEnd {
    /// With which sender.
    pub sender: SenderId,
    /// When.
    pub at: Timestamp,
}

/// A message that people must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who wrote it.
    pub contact: Subject,
    /// Why it is here: a stable word.
    pub why: Box<str>,
    /// The word of the lists it is close to.
    pub word: Option<Box<str>>,
    /// What that word would mean.
    pub scope: Option<Box<str>>,
    /// Under which identifiers it was written.
    pub under: Named,
    /// When it was written.
    pub at: Timestamp,
    /// When what may be a STOP was written first, here or in what came up after it.
    pub stop_at: Option<Timestamp>,
    /// What came up after it while the person had too many open for another one.
    pub more: Option<More>,
}

/// What a review stands for beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    /// How many more messages people should have looked at.
    pub count: u32,
    /// When the last of them was written.
    pub last_at: Timestamp,
}

impl Review {
    /// Folds in that something more came up, and what it would mean if it was a STOP.
    pub(crate) fn fold_more(&mut self, at: Timestamp, scope: Option<&str>) {
        if let Some(scope) = scope {
            self.scope.get_or_insert_with(|| scope.into());
            self.stop_at = Some(self.stop_at.map_or(at, |known| known.min(at)));
        }
        let More { count, last_at } = self.more.unwrap_or(More { count: 0, last_at: at });
        self.more = Some(More { count: count.saturating_add(1), last_at: last_at.max(at) });
    }
}

impl Mark {
    /// Returns whether something at `at` would be later than what is known.
    pub fn is_news(known: Option<Self>, at: Timestamp) -> bool {
        known.is_none_or(|known| known.at < at)
    }

    /// Returns whether what was done at `at`, and recorded by the entry `seq`, came after this. A
    /// whole second stands for any moment within it: what was known by then came first.
    pub fn is_before(self, at: Timestamp, seq: Seq) -> bool {
        self.at < at && (self.seq < seq || !self.at.may_be_after(at))
    }

    /// Folds a moment in: the later one stays.
    pub(crate) fn fold(known: &mut Option<Self>, at: Timestamp, seq: Seq) {
        if Self::is_news(*known, at) {
            *known = Some(Self { at, seq });
        }
    }

    /// Returns the later of two.
    pub(crate) fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        [one, other].into_iter().flatten().max_by_key(|mark| (mark.at, mark.seq))
    }
}

impl Followed {
    /// Folds another contact in: of each the latest time stays, and the latest contacts.
    pub(crate) fn fold(all: &mut Vec<Self>, one: Self) {
        match all.iter_mut().find(|known| known.place == one.place) {
            Some(known) => known.at = known.at.max(one.at),
            None => all.push(one),
        }
        all.sort_unstable_by_key(|known| (known.at, known.place));
        if all.len() > FOLLOWED_MAX {
            all.remove(0);
        }
    }
}

impl Preference {
    /// Returns whether a word at `at` would count: the latest does, of two at the same moment the
    /// stop.
    pub fn is_news(known: Option<Self>, is_stopped: bool, at: Timestamp) -> bool {
        known.is_none_or(|known| (known.mark.at, known.is_stopped) < (at, is_stopped))
    }
}

impl Told {
    /// Nothing.
    pub const NOTHING: Self = Self {
        preference: None,
        moved: None,
        closed: Vec::new(),
        moved_to: Vec::new(),
        followed: Vec::new(),
        together: Vec::new(),
        doubted: None,
        taken: None,
        reviews: Vec::new(),
        stops: Vec::new(),
        conflict: None,
        conflict_decided_at: None,
        held_back: None,
        held_at: Vec::new(),
        experiment: None,
        barred: None,
        barred_by: Vec::new(),
        unbarred_at: None,
        country_blocked: None,
        spared: Vec::new(),
        rests: Vec::new(),
        answers: Vec::new(),
        early: Vec::new(),
        ended: Vec::new(),
    };

    /// Returns since when, and by which entry, the person takes no marketing.
    pub fn marketing_stopped(&self) -> Option<Mark> {
        self.preference.filter(|preference| preference.is_stopped).map(|stopped| stopped.mark)
    }

    /// Returns when an identifier of the contact was given up, if it was.
    pub fn closed(&self, key: ContactKey) -> Option<Mark> {
        self.closed.iter().find(|closed| closed.key == key).map(|closed| closed.mark)
    }

    /// Folds in that the person moved to a number: the latest time stays, and the latest numbers.
    pub(crate) fn fold_moved_to(&mut self, key: ContactKey, mark: Mark) {
        match self.moved_to.iter_mut().find(|moved| moved.key == key) {
            Some(known) if known.mark.at < mark.at => known.mark = mark,
            Some(_) => {}
            None => self.moved_to.push(Closed { key, mark }),
        }
        self.moved_to.sort_unstable_by_key(|moved| (moved.mark.at, moved.key));
        if self.moved_to.len() > MOVED_TO_MAX {
            self.moved_to.remove(0);
        }
    }

    /// Folds in that an identifier was given up: the latest time stays.
    pub(crate) fn fold_closed(&mut self, key: ContactKey, mark: Mark) {
        match self.closed.iter_mut().find(|closed| closed.key == key) {
            Some(known) if known.mark.at < mark.at => known.mark = mark,
            Some(_) => {}
            None => {
                self.closed.push(Closed { key, mark });
                self.closed.sort_unstable_by_key(|closed| closed.key);
            }
        }
    }

    /// Returns when a message of a sender last failed so for a reason that was not the person's.
    pub fn spared(&self, sender: &SenderId, kind: IncidentKind) -> Option<Mark> {
        let is_it = |spared: &&Spared| spared.kind == kind && spared.sender == *sender;
        self.spared.iter().find(is_it).map(|spared| spared.mark)
    }

    /// Folds in that something a review stands for may be a STOP: the first one counts.
    pub(crate) fn fold_stop(&mut self, at: Timestamp, review: Seq) {
        match self.stops.iter_mut().find(|mark| mark.seq == review) {
            Some(mark) => mark.at = mark.at.min(at),
            None => self.stops.push(Mark { at, seq: review }),
        }
    }

    /// Folds that in: the latest stays.
    pub(crate) fn fold_spared(&mut self, sender: &SenderId, kind: IncidentKind, mark: Mark) {
        let is_it = |spared: &&mut Spared| spared.kind == kind && spared.sender == *sender;
        match self.spared.iter_mut().find(is_it) {
            Some(known) if known.mark.at < mark.at => known.mark = mark,
            Some(_) => {}
            None => {
                self.spared.push(Spared { sender: sender.clone(), kind, mark });
                self.spared.sort_unstable_by(|one, other| {
                    (&one.sender, one.kind).cmp(&(&other.sender, other.kind))
                });
            }
        }
    }

    /// Folds a word on marketing in.
    pub(crate) fn fold_preference(&mut self, is_stopped: bool, mark: Mark) {
        if Preference::is_news(self.preference, is_stopped, mark.at) {
            self.preference = Some(Preference { is_stopped, mark });
        }
    }

    /// Returns until when a sender must let the person rest.
    pub fn rest(&self, sender: &SenderId) -> Option<&Rest> {
        self.rests.iter().find(|rest| rest.sender == *sender)
    }

    /// Returns when the window with a sender was last closed.
    pub fn window_ended(&self, sender: &SenderId) -> Option<Timestamp> {
        self.ended.iter().find(|end| end.sender == *sender).map(|end| end.at)
    }

    /// Folds a rest in: the longest stays.
    pub(crate) fn fold_rest(
        &mut self,
        sender: &SenderId,
        (until, refused_at): (Timestamp, Option<Timestamp>),
        seq: Seq,
    ) {
        if let Some(known) = self.rests.iter_mut().find(|rest| rest.sender == *sender) {
            if known.until < until {
                (known.until, known.seq) = (until, seq);
            }
            if let Some(at) = refused_at {
                insert(&mut known.refused, at);
            }
        } else {
            let refused = refused_at.into_iter().collect();
            self.rests.push(Rest { sender: sender.clone(), until, seq, refused });
            self.rests.sort_unstable_by(|one, other| one.sender.cmp(&other.sender));
        }
    }

    /// Folds the end of a window in.
    pub(crate) fn fold_window_end(&mut self, sender: &SenderId, at: Timestamp) {
        if let Some(known) = self.ended.iter_mut().find(|end| end.sender == *sender) {
            known.at = known.at.max(at);
        } else {
            self.ended.push(WindowEnd { sender: sender.clone(), at });
            self.ended.sort_unstable_by(|one, other| one.sender.cmp(&other.sender));
        }
    }

    /// Returns what holds of a contact once another, found by `their_keys`, is part of it. That the
    /// other's number was given up says nothing about the number that stays, and is kept for the
    /// keys that lead there.
    pub fn joined(ours: &Self, theirs: &Self, their_keys: &[ContactKey]) -> Self {
        let mut joined = ours.clone();
        for Closed { key, mark } in &theirs.closed {
            joined.fold_closed(*key, *mark);
        }
        if let Some(mark) = theirs.moved {
            for key in their_keys {
                joined.fold_closed(*key, mark);
            }
        }
        if let Some(Preference { is_stopped, mark }) = theirs.preference {
            joined.fold_preference(is_stopped, mark);
        }
        for Closed { key, mark } in &theirs.moved_to {
            joined.fold_moved_to(*key, *mark);
        }
        for followed in &theirs.followed {
            Followed::fold(&mut joined.followed, *followed);
        }
        for other in &theirs.together {
            Followed::fold(&mut joined.together, *other);
        }
        joined.doubted = Mark::later(ours.doubted, theirs.doubted);
        joined.reviews.extend(&theirs.reviews);
        joined.reviews.sort_unstable();
        joined.stops.extend(&theirs.stops);
        joined.stops.sort_unstable_by_key(|mark| mark.seq);
        joined.conflict = ours.conflict.or(theirs.conflict);
        joined.conflict_decided_at = ours.conflict_decided_at.max(theirs.conflict_decided_at);
        joined.join_holds(theirs);
        joined.experiment = Mark::later(ours.experiment, theirs.experiment);
        joined.join_bars(theirs);
        joined.country_blocked = Mark::later(ours.country_blocked, theirs.country_blocked);
        for Spared { sender, kind, mark } in &theirs.spared {
            joined.fold_spared(sender, *kind, *mark);
        }
        joined.unbarred_at = ours.unbarred_at.max(theirs.unbarred_at);
        for Rest { sender, until, seq, refused } in &theirs.rests {
            joined.fold_rest(sender, (*until, None), *seq);
            for at in refused {
                joined.fold_rest(sender, (*until, Some(*at)), *seq);
            }
        }
        for answer in &theirs.answers {
            joined.fold_kept(answer);
        }
        for status in &theirs.early {
            joined.fold_early(status);
        }
        for WindowEnd { sender, at } in &theirs.ended {
            joined.fold_window_end(sender, *at);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: i64) -> Mark {
        Mark { at: Timestamp::from_unix_ms(at), seq: Seq(0) }
    }

    #[test]
    fn the_latest_word_on_marketing_counts_and_a_stop_beats_a_resume_of_the_same_second() {
        for order in [[(true, 10), (false, 10), (false, 9)], [(false, 10), (false, 9), (true, 10)]]
        {
            let mut told = Told::default();
            for (is_stopped, at) in order {
                told.fold_preference(is_stopped, mark(at));
            }
            assert_eq!(told.marketing_stopped(), Some(mark(10)));
            told.fold_preference(false, mark(11));
            assert_eq!(told.marketing_stopped(), None);
        }
    }

    #[test]
    fn a_stop_on_either_side_of_a_merge_stays_unless_the_other_resumed_later() {
        let stopped = Told {
            preference: Some(Preference { is_stopped: true, mark: mark(10) }),
            moved: Some(mark(3)),
            ..Told::default()
        };
        let resumed = Told {
            preference: Some(Preference { is_stopped: false, mark: mark(20) }),
            ..Told::default()
        };
        assert_eq!(
            Told::joined(&Told::default(), &stopped, &[]).marketing_stopped(),
            Some(mark(10))
        );
        assert_eq!(Told::joined(&stopped, &resumed, &[]).marketing_stopped(), None);
        assert_eq!(Told::joined(&resumed, &stopped, &[]).moved, None);
        assert_eq!(Told::joined(&stopped, &resumed, &[]).moved, Some(mark(3)));
    }

    #[test]
    fn of_the_contacts_that_consents_went_along_to_the_latest_are_kept() {
        let followed = |place, at| {
            let (place, at) = (Subject(place), Timestamp::from_unix_ms(at));
            Followed { place, at }
        };
        let mut told = Told::default();
        for one in [followed(4, 9), followed(3, 7), followed(4, 8)] {
            Followed::fold(&mut told.followed, one);
        }
        assert_eq!(told.followed, [followed(3, 7), followed(4, 9)]);
        for place in 10..30 {
            Followed::fold(&mut told.followed, followed(place, i64::from(place)));
        }
        assert_eq!(told.followed.len(), FOLLOWED_MAX);
        assert_eq!(told.followed.first(), Some(&followed(14, 14)));
    }
}
