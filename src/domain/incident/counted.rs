//! Counting what came of each sender's messages, hour by hour.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    domain::{
        absorbed::Mark,
        contact::SenderIx,
        entry::{Seq, Subject},
        event::OutcomeSeen,
        incident::kind::{IncidentKind, MARKING},
        key::MessageKey,
        time::{MINUTE_MS, Timestamp},
    },
    policy::Country,
};

/// Over how many minutes failures are counted.
pub const WINDOW_MINUTES: i64 = 60;

/// So many failures of one kind at least are an incident: fewer are a few people.
pub const FAILED_MIN: u32 = 20;

/// And so many of a hundred outcomes; exactly as many are none yet.
pub const SHARE_PERCENT: u32 = 30;

/// So many people at most are absolved when an incident is found.
pub const ABSOLVED_MAX: usize = 1_000;

/// An incident that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// When it was found.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
    /// Failures of its kind within the hour before.
    pub failed: u32,
    /// All outcomes within that hour.
    pub outcomes: u32,
}

/// A failure that marked a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blamed {
    kind: IncidentKind,
    at: Timestamp,
    subject: Subject,
    seq: Seq,
    before: Option<Before>,
}

/// A mark that a person had before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Since when, and the entry that recorded it.
    pub mark: Mark,
    /// WhatsApp's code, where the mark has one; 0 otherwise.
    pub code: i64,
}

/// How often something came out, within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// People whose messages failed in one way.
    pub people: u32,
    /// Messages that failed in that way.
    pub failed: u32,
    /// All outcomes.
    pub outcomes: u32,
}

/// Something that failed, to be added to what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedNow {
    /// How.
    pub kind: IncidentKind,
    /// When.
    pub at: Timestamp,
    /// Whose message; nothing for somebody nobody knows.
    pub subject: Option<Subject>,
    /// Whether a message failed that is not counted yet.
    pub is_new: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Minute {
    /// Which, since 1970.
    place: i64,
    reached: u32,
    /// People, each once within the hour.
    people: [u32; MARKING],
    /// Messages that are counted by their id.
    failed: [u32; MARKING],
    /// Messages that failed in a way that marks nobody.
    others: u32,
    /// The same by WhatsApp's code.
    codes: Arc<BTreeMap<i64, Count>>,
    /// Whom messages failed for that no mark counts, by how, in order. Who is in several minutes
    /// is counted in the last of them.
    people_seen: Arc<Vec<(IncidentKind, Subject)>>,
    /// Half the key of each message that was counted here by its id, in order.
    seen: Arc<Vec<u64>>,
}

/// So much that failed with one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    people: u32,
    failed: u32,
}

/// What came of the messages of one sender within the last hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// In the order of time, none twice.
    minutes: VecDeque<Minute>,
    blamed: VecDeque<Blamed>,
    open: BTreeMap<IncidentKind, Incident>,
    /// Countries in which messages arrived, and when the latest did.
    arrived: BTreeMap<Country, Timestamp>,
}

/// The same of all senders. A fold of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Incidents {
    by_sender: BTreeMap<SenderIx, Arc<Outcomes>>,
    /// When the latest message of each was, to it or by it.
    heard_at: BTreeMap<SenderIx, Timestamp>,
}

impl Tally {
    /// Returns whether so many failures are more than chance.
    pub fn is_unusual(self) -> bool {
        let (failed, outcomes) = (u64::from(self.failed), u64::from(self.outcomes));
        self.people >= FAILED_MIN && failed * 100 > outcomes * u64::from(SHARE_PERCENT)
    }
}

impl Outcomes {
    /// Returns the incident of a kind that goes on.
    pub fn open(&self, kind: IncidentKind) -> Option<Incident> {
        self.open.get(&kind).copied()
    }

    /// Returns when a message last arrived in a country.
    pub fn arrived(&self, country: Country) -> Option<Timestamp> {
        self.arrived.get(&country).copied()
    }

    /// Returns what would be counted with a message that failed: a person counts once, and so does a
    /// message. `None` where that is too long ago to be counted.
    pub fn tally_with(&self, more: FailedNow) -> Option<Tally> {
        let FailedNow { kind, at, subject, is_new } = more;
        let last = self.last(at);
        let is_counted = subject.is_some_and(|subject| {
            self.is_blamed(kind, at, subject) || self.is_seen(kind, last, subject)
        });
        let person = (kind, u32::from(!is_counted));
        let message = (kind, u32::from(is_new));
        let is_recent = minute_of(at) > last - WINDOW_MINUTES;
        is_recent.then(|| self.tally(kind, last, Some((person, message))))
    }

    /// Returns whether a message would count now: it is not counted, and not too old.
    pub fn is_new(&self, message: MessageKey, at: Timestamp) -> bool {
        let half = half(message);
        let is_recent = minute_of(at) > self.last(at) - WINDOW_MINUTES;
        is_recent && self.minutes.iter().all(|minute| minute.seen.binary_search(&half).is_err())
    }

    fn last(&self, at: Timestamp) -> i64 {
        let minute = minute_of(at);
        self.minutes.back().map_or(minute, |last| last.place.max(minute))
    }

    fn is_blamed(&self, kind: IncidentKind, at: Timestamp, subject: Subject) -> bool {
        let is_near = |one: &Blamed| (minute_of(one.at) - minute_of(at)).abs() < WINDOW_MINUTES;
        let is_it = |one: &Blamed| one.kind == kind && one.subject == subject && is_near(one);
        self.blamed.iter().any(is_it)
    }

    fn is_seen(&self, kind: IncidentKind, last: i64, subject: Subject) -> bool {
        self.since(last).any(|minute| minute.people_seen.binary_search(&(kind, subject)).is_ok())
    }

    /// Returns what is counted within the hour that ends with this minute.
    fn since(&self, last: i64) -> impl Iterator<Item = &Minute> {
        self.minutes.iter().filter(move |minute| minute.place > last - WINDOW_MINUTES)
    }

    /// Returns the incidents of whose failures the hour up to `at` shows none any more.
    pub fn over_at(&self, at: Timestamp) -> impl Iterator<Item = IncidentKind> {
        let last = self.last(at);
        let open = self.open.keys().copied();
        open.filter(move |kind| self.tally(*kind, last, None).failed == 0)
    }

    /// Returns what is counted at `now`.
    pub fn tally_at(&self, kind: IncidentKind, now: Timestamp) -> Tally {
        self.tally(kind, minute_of(now), None)
    }

    /// Adds up the hour. A person whose messages were not named has had one at least.
    fn tally(&self, kind: IncidentKind, last: i64, more: Option<(One, One)>) -> Tally {
        let mut tally = Tally { people: 0, failed: 0, outcomes: 0 };
        let (mut people, mut messages) = ([0_u32; MARKING], [0_u32; MARKING]);
        if let Some((person, message)) = more {
            add(&mut people, person);
            add(&mut messages, message);
            if kind.marking().is_none() {
                tally = Tally { people: person.1, failed: message.1, outcomes: message.1 };
            }
        }
        for counted in self.since(last) {
            let rest = counted.reached.saturating_add(counted.others);
            tally.outcomes = tally.outcomes.saturating_add(rest);
            for (sums, counts) in [(&mut people, &counted.people), (&mut messages, &counted.failed)]
            {
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum = sum.saturating_add(*count);
                }
            }
            if let Some(count) = kind.code().and_then(|code| counted.codes.get(&code)) {
                tally.people = tally.people.saturating_add(count.people);
                tally.failed = tally.failed.saturating_add(count.failed);
            }
        }
        for (place, (people, messages)) in people.into_iter().zip(messages).enumerate() {
            let failed = people.max(messages);
            tally.outcomes = tally.outcomes.saturating_add(failed);
            if kind.marking() == Some(place) {
                (tally.people, tally.failed) = (people, failed);
            }
        }
        tally
    }

    /// Returns whom failures of a kind marked within the hour before `at`, and by which entries.
    pub fn blamed(&self, kind: IncidentKind, at: Timestamp) -> Vec<(Subject, Seq)> {
        let since = minute_of(at) - WINDOW_MINUTES;
        let blamed = self.blamed.iter().filter(|one| one.kind == kind && minute_of(one.at) > since);
        blamed.map(|one| (one.subject, one.seq)).collect()
    }

    /// Returns the mark that was there before the one a failure made.
    pub fn before(&self, kind: IncidentKind, (subject, seq): (Subject, Seq)) -> Option<Before> {
        let is_it = |one: &&Blamed| one.kind == kind && one.subject == subject && one.seq == seq;
        self.blamed.iter().find(is_it)?.before
    }

    fn minute(&mut self, at: Timestamp) -> Option<&mut Minute> {
        let minute = minute_of(at);
        let last = self.minutes.back().map_or(minute, |last| last.place.max(minute));
        let first = last - WINDOW_MINUTES;
        while self.minutes.front().is_some_and(|oldest| oldest.place <= first) {
            self.minutes.pop_front();
        }
        self.blamed.retain(|one| minute_of(one.at) > first);
        if minute <= first {
            return None;
        }
        let place = match self.minutes.binary_search_by_key(&minute, |one| one.place) {
            Ok(place) => place,
            Err(place) => {
                self.minutes.insert(place, Minute::at(minute));
                place
            }
        };
        self.minutes.get_mut(place)
    }

    fn fold_person(&mut self, kind: IncidentKind, at: Timestamp) {
        if let Some(minute) = self.minute(at) {
            minute.fold_person(kind);
        }
    }

    /// Counts somebody whom no mark counts: once within the hour, in the last minute it happened.
    fn fold_seen(&mut self, kind: IncidentKind, at: Timestamp, subject: Subject) {
        let (one, place) = ((kind, subject), minute_of(at));
        let is_in = |minute: &&mut Minute| minute.people_seen.binary_search(&one).is_ok();
        match self.minutes.iter_mut().rev().find(is_in) {
            Some(known) if known.place >= place => return,
            Some(known) => known.take_person(kind),
            None => {}
        }
        let Some(minute) = self.minute(at) else { return };
        minute.fold_person(kind);
        if let Err(place) = minute.people_seen.binary_search(&one) {
            Arc::make_mut(&mut minute.people_seen).insert(place, one);
        }
    }
}

/// So many of one kind.
type One = (IncidentKind, u32);

fn add(counts: &mut [u32; MARKING], (kind, more): One) {
    if let Some(count) = kind.marking().and_then(|place| counts.get_mut(place)) {
        *count = count.saturating_add(more);
    }
}

impl Minute {
    fn at(place: i64) -> Self {
        let (people, failed) = ([0; MARKING], [0; MARKING]);
        Self {
            place,
            reached: 0,
            people,
            failed,
            others: 0,
            codes: Arc::default(),
            people_seen: Arc::default(),
            seen: Arc::default(),
        }
    }

    fn of_code(&mut self, code: i64) -> &mut Count {
        Arc::make_mut(&mut self.codes).entry(code).or_default()
    }

    fn fold_failed(&mut self, kind: IncidentKind) {
        add(&mut self.failed, (kind, 1));
        if let Some(code) = kind.code() {
            self.others = self.others.saturating_add(1);
            let count = self.of_code(code);
            count.failed = count.failed.saturating_add(1);
        }
    }

    fn fold_person(&mut self, kind: IncidentKind) {
        add(&mut self.people, (kind, 1));
        if let Some(code) = kind.code() {
            let count = self.of_code(code);
            count.people = count.people.saturating_add(1);
        }
    }

    /// Takes somebody out who is counted in a later minute.
    fn take_person(&mut self, kind: IncidentKind) {
        let people = match (kind.marking(), kind.code()) {
            (Some(place), _) => self.people.get_mut(place),
            (None, Some(code)) => Some(&mut self.of_code(code).people),
            (None, None) => None,
        };
        if let Some(people) = people {
            *people = people.saturating_sub(1);
        }
    }

    fn fold_seen(&mut self, message: MessageKey) {
        let half = half(message);
        if let Err(place) = self.seen.binary_search(&half) {
            Arc::make_mut(&mut self.seen).insert(place, half);
        }
    }
}

/// Keys are keyed hashes: half of one tells messages of an hour apart.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "half a hash is a hash"
)]
const fn half(message: MessageKey) -> u64 {
    message.bits() as u64
}

fn minute_of(at: Timestamp) -> i64 {
    at.unix_ms().div_euclid(MINUTE_MS)
}

impl Incidents {
    /// Returns what came of a sender's messages.
    pub fn of(&self, sender: SenderIx) -> Option<&Outcomes> {
        self.by_sender.get(&sender).map(Arc::as_ref)
    }

    /// Returns when the latest message was that came to a sender or arrived from it.
    pub fn heard_at(&self, sender: SenderIx) -> Option<Timestamp> {
        self.heard_at.get(&sender).copied()
    }

    pub(crate) fn fold_heard(&mut self, sender: SenderIx, at: Timestamp) {
        self.heard_at.insert(sender, at);
    }

    /// Returns the incidents that go on at `now`: over is what the last hour shows no more.
    pub fn open_at(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (SenderIx, IncidentKind, Incident)> {
        self.by_sender.iter().flat_map(move |(sender, outcomes)| {
            let goes_on = move |kind: &IncidentKind| outcomes.tally_at(*kind, now).is_unusual();
            let open = outcomes.open.iter().filter(move |(kind, _)| goes_on(kind));
            open.map(|(kind, incident)| (*sender, *kind, *incident))
        })
    }

    fn of_mut(&mut self, sender: SenderIx) -> &mut Outcomes {
        Arc::make_mut(self.by_sender.entry(sender).or_default())
    }

    /// Folds in that a message arrived; which, if that is known.
    pub(crate) fn fold_reached(
        &mut self,
        sender: SenderIx,
        at: Timestamp,
        message: Option<MessageKey>,
    ) {
        if let Some(minute) = self.of_mut(sender).minute(at) {
            minute.reached = minute.reached.saturating_add(1);
            if let Some(message) = message {
                minute.fold_seen(message);
            }
        }
    }

    /// Folds in that a message arrived in a country: the latest stays.
    pub(crate) fn fold_arrived(&mut self, sender: SenderIx, country: Country, at: Timestamp) {
        let known = self.of_mut(sender).arrived.entry(country).or_insert(at);
        *known = at.max(*known);
    }

    /// Folds in what became of a message of which nothing else is recorded.
    pub(crate) fn fold_outcome(&mut self, sender: SenderIx, seen: &OutcomeSeen) {
        let outcomes = self.of_mut(sender);
        let Some(minute) = outcomes.minute(seen.happened_at) else { return };
        minute.fold_seen(seen.message);
        match (seen.failed, seen.kind) {
            (false, _) => minute.reached = minute.reached.saturating_add(1),
            // As before failures were counted by code.
            (true, None) => minute.others = minute.others.saturating_add(1),
            (true, Some(kind)) => {
                minute.fold_failed(kind);
                if seen.stranger {
                    minute.fold_person(kind);
                } else if let Some(subject) = seen.to {
                    outcomes.fold_seen(kind, seen.happened_at, subject);
                }
            }
        }
    }

    /// Folds in a failure that marked a person.
    pub(crate) fn fold_blamed(
        &mut self,
        sender: SenderIx,
        kind: IncidentKind,
        (subject, at, seq): (Subject, Timestamp, Seq),
        before: Option<Before>,
    ) {
        let outcomes = self.of_mut(sender);
        if !outcomes.is_blamed(kind, at, subject) {
            outcomes.fold_person(kind, at);
        }
        if outcomes.blamed.len() == ABSOLVED_MAX {
            outcomes.blamed.pop_front();
        }
        outcomes.blamed.push_back(Blamed { kind, at, subject, seq, before });
    }

    /// Folds in a failure that the incident explains.
    pub(crate) fn fold_spared(&mut self, sender: SenderIx, kind: IncidentKind, at: Timestamp) {
        self.of_mut(sender).fold_person(kind, at);
    }

    /// Folds in that an incident was found: nobody is to blame any more.
    pub(crate) fn fold_opened(&mut self, sender: SenderIx, kind: IncidentKind, incident: Incident) {
        let outcomes = self.of_mut(sender);
        outcomes.blamed.retain(|one| one.kind != kind);
        outcomes.open.insert(kind, incident);
    }

    /// Folds in that it is over.
    pub(crate) fn fold_closed(&mut self, sender: SenderIx, kind: IncidentKind) {
        self.of_mut(sender).open.remove(&kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: SenderIx = SenderIx(0);
    const KIND: IncidentKind = IncidentKind::Unreachable;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix_ms(minute * MINUTE_MS)
    }

    fn counted(reached: u32, failed: u32) -> Incidents {
        let mut incidents = Incidents::default();
        for _ in 0..reached {
            incidents.fold_reached(SENDER, at(100), None);
        }
        for place in 0..failed {
            incidents.fold_blamed(SENDER, KIND, (Subject(place), at(100), Seq(place.into())), None);
        }
        incidents
    }

    fn is_unusual(incidents: &Incidents, minute: i64) -> Option<bool> {
        let at = at(minute);
        let more = FailedNow { kind: KIND, at, subject: Some(Subject(999)), is_new: true };
        let tally = incidents.of(SENDER)?.tally_with(more)?;
        Some(tally.is_unusual())
    }

    #[test]
    fn an_incident_takes_twenty_failures_and_more_than_three_of_ten() {
        assert_eq!(is_unusual(&counted(0, 18), 100), Some(false), "19 of 19");
        assert_eq!(is_unusual(&counted(0, 19), 100), Some(true), "20 of 20");
        assert_eq!(is_unusual(&counted(70, 29), 100), Some(false), "30 of 100");
        assert_eq!(is_unusual(&counted(69, 29), 100), Some(true), "30 of 99");
    }

    #[test]
    fn what_is_an_hour_old_counts_no_more_and_what_comes_an_hour_late_is_not_counted() {
        let mut incidents = counted(0, 19);
        assert_eq!(is_unusual(&incidents, 159), Some(true));
        assert_eq!(is_unusual(&incidents, 160), Some(false));
        incidents.fold_reached(SENDER, at(160), None);
        assert_eq!(is_unusual(&incidents, 100), None);
        let outcomes = incidents.of(SENDER).unwrap();
        assert_eq!(outcomes.minutes.len(), 1);
        assert!(outcomes.blamed(KIND, at(160)).is_empty());
    }

    #[test]
    fn a_message_counts_once_within_its_hour_and_one_that_is_older_not_at_all() {
        let message = MessageKey::from_bits;
        let mut incidents = Incidents::default();
        for id in [3, 1, 2] {
            incidents.fold_reached(SENDER, at(100), Some(message(id)));
        }
        let is_new = |incidents: &Incidents, id, minute| {
            incidents.of(SENDER).unwrap().is_new(message(id), at(minute))
        };
        assert!(!is_new(&incidents, 1, 100) && !is_new(&incidents, 2, 159));
        assert!(is_new(&incidents, 4, 100) && !is_new(&incidents, 4, 40));
        incidents.fold_reached(SENDER, at(161), None);
        assert!(!is_new(&incidents, 1, 100), "an hour is over");
        let tally = incidents.of(SENDER).unwrap().tally_at(KIND, at(159));
        assert_eq!(tally, Tally { people: 0, failed: 0, outcomes: 1 }, "the one since");
    }

    #[test]
    fn an_incident_absolves_those_it_explains_and_shows_until_its_hour_is_over() {
        let mut incidents = counted(0, 20);
        assert_eq!(incidents.of(SENDER).unwrap().blamed(KIND, at(100)).len(), 20);
        let found = Incident { at: at(100), seq: Seq(30), failed: 20, outcomes: 20 };
        incidents.fold_opened(SENDER, KIND, found);
        assert!(incidents.of(SENDER).unwrap().blamed(KIND, at(100)).is_empty());
        assert_eq!(incidents.open_at(at(159)).count(), 1);
        assert_eq!(incidents.open_at(at(160)).count(), 0);
        incidents.fold_closed(SENDER, KIND);
        assert_eq!(incidents.open_at(at(100)).count(), 0);
    }
}
