//! What the witness knows of people who move, turn out to be one, are asked twice or looked up.

use super::{
    business::{TOPICS, is_marketing},
    desk::{ALLOWANCE, LAPSE_MS, LOOKUP_WINDOW_MS},
    witness::{Act, Broken, Person, Witness},
};
use crate::domain::time::{DAY_MS, HOUR_MS};

/// Hours of the recipient's clock in which marketing may go out where policy says so.
const OPEN_HOURS: std::ops::Range<i64> = 8..21;

/// Whether people with this number are at home in Indonesia; else in the United States.
pub(super) const fn is_indonesian(person: u32) -> bool {
    person.is_multiple_of(2)
}

impl Witness {
    /// Returns who somebody turned out to be.
    pub(super) fn root(&self, person: u32) -> u32 {
        let mut root = person;
        while let Some(Some(into)) = self.merged_into.get(place(root)).copied() {
            root = into;
        }
        root
    }

    pub(super) fn ruled(&mut self, is_quiet: bool, is_twice: bool) {
        (self.is_quiet, self.is_twice) = (is_quiet, is_twice);
    }

    /// Somebody was asked; nothing follows from that until they answer.
    pub(super) fn asked(&mut self, person: u32, topic: usize, at: i64) {
        if let Some(known) = self.person(person) {
            known.asked_at(topic, at);
        }
    }

    /// Returns whether an agreement counts at once where two steps are asked for: it repeats one
    /// that stands, or it is the second step.
    pub(super) fn is_confirmed(
        &self,
        person: u32,
        topic: usize,
        has_proof: bool,
        now: i64,
    ) -> bool {
        let root = self.root(person);
        if !self.is_twice || !is_marketing(topic) || is_indonesian(root) {
            return true;
        }
        let moved_at = self.people.get(place(person)).and_then(|named| named.moved_at);
        self.people.get(place(root)).is_some_and(|known| {
            let suspended_at = known.suspended_at(topic, (person, moved_at));
            let is_granted = known.is_granted(topic, now);
            // Whoever left, or may be somebody else, must have been asked since.
            let since = known.last(topic).filter(|_| !is_granted).map(|act| act.at);
            let asked_at = known.asked.get(&topic).copied();
            let is_answer = has_proof && asked_at > since.max(suspended_at);
            (is_granted && suspended_at.is_none()) || is_answer
        })
    }

    /// A number was given up: whoever has it next agreed to nothing.
    pub(super) fn moved(&mut self, person: u32, at: i64) {
        if let Some(known) = self.people.get_mut(place(person)) {
            known.moved_at = Some(at);
        }
        self.kill(person, |ticket| ticket.person == person, at);
    }

    /// Two turned out to be one: of what they said the stricter counts, topic by topic.
    pub(super) fn merged(&mut self, from: u32, into: u32, at: i64) {
        let (from, into) = (self.root(from), self.root(into));
        if from == into {
            return;
        }
        self.kill(from, |_| true, at);
        self.kill(into, |_| true, at);
        let Some(lost) = self.people.get_mut(place(from)) else { return };
        let lost = std::mem::take(lost);
        let (moved_at, agreed_here) = (lost.moved_at, lost.agreed_here.clone());
        if let Some(kept) = self.people.get_mut(place(into)) {
            kept.absorb(lost, at);
        }
        if let Some(left) = self.people.get_mut(place(from)) {
            (left.moved_at, left.agreed_here) = (moved_at, agreed_here);
        }
        if let Some(known) = self.merged_into.get_mut(place(from)) {
            *known = Some(into);
        }
    }

    /// A provider is asked about somebody.
    pub(super) fn looked_up(&mut self, person: u32, lookup: usize, at: i64) {
        let mut broken: Vec<Broken> = Vec::new();
        if let Some(known) = self.person(person) {
            if !(0..TOPICS.len()).any(|topic| known.is_granted(topic, at)) {
                broken.push(("look-up without an opt-in", String::new()));
            }
            if known.pending.is_some_and(|(_, since)| at - since < LAPSE_MS) {
                broken.push(("two look-ups at once", format!("{:?}", known.pending)));
            }
            let answered = known.answered_at.get(&person);
            if answered.is_some_and(|answered| at - answered < LOOKUP_WINDOW_MS) {
                broken.push(("looked up again too soon", format!("{:?}", known.answered_at)));
            }
            (known.pending, known.is_looked_up) = (Some((lookup, at)), true);
        }
        self.lookups.push(at);
        let within = |moments: &[i64]| {
            moments.iter().rev().take_while(|moment| at - LOOKUP_WINDOW_MS < **moment).count()
        };
        let (used, earned) = (within(&self.lookups), within(&self.earned));
        if used > earned + usize::try_from(ALLOWANCE).unwrap_or_default() {
            broken.push(("look-ups beyond the budget", format!("{used}, earned {earned}")));
        }
        for (rule, detail) in broken {
            self.broken(rule, at, person, detail);
        }
    }

    /// A provider answered, for certain or not.
    pub(super) fn answered(&mut self, person: u32, lookup: usize, is_certain: bool, at: i64) {
        if let Some(known) = self.person(person) {
            if known.pending.is_some_and(|(pending, _)| pending == lookup) {
                known.pending = None;
            }
            if is_certain {
                known.answered_at.insert(person, at);
            }
        }
    }

    /// A message went out: it earns a look-up if the person was looked up.
    pub(super) fn sent(&mut self, place: usize, at: i64) {
        let Some(ticket) = self.tickets.get_mut(place) else { return };
        let (person, was_sent) = (ticket.person, std::mem::replace(&mut ticket.is_sent, true));
        if !was_sent {
            ticket.sent_at = at;
        }
        if !was_sent && self.person(person).is_some_and(|known| known.is_looked_up) {
            self.earned.push(at);
        }
    }

    /// Looks whether somebody sleeps. By the sun alone: where clocks change, both of their times
    /// must be night.
    pub(super) fn look_at_hours(&self, person: u32, at: i64, broken: &mut Vec<Broken>) {
        let is_night = |offset: &i64| {
            let hour = (at + offset * HOUR_MS).rem_euclid(DAY_MS) / HOUR_MS;
            !OPEN_HOURS.contains(&hour)
        };
        let is_quiet = if is_indonesian(self.root(person)) {
            [7, 8, 9].iter().any(is_night)
        } else {
            [[-5, -4], [-8, -7]].iter().any(|clock| clock.iter().all(is_night))
        };
        if self.is_quiet && is_quiet {
            broken.push(("quiet hours", String::new()));
        }
    }
}

impl Person {
    /// Returns the act that counts about a topic; of two at once the withdrawal.
    fn last(&self, topic: usize) -> Option<Act> {
        let about = self.acts.iter().filter(|act| act.topic.is_none_or(|about| about == topic));
        about.max_by_key(|act| (act.at, !act.agrees)).copied()
    }

    fn asked_at(&mut self, topic: usize, at: i64) {
        let known = self.asked.entry(topic).or_insert(at);
        *known = at.max(*known);
    }

    /// Returns since when what was agreed to may have been agreed to by somebody else than whoever has
    /// this number.
    fn suspended_at(&self, topic: usize, (number, moved_at): (u32, Option<i64>)) -> Option<i64> {
        let agreed = |by: &dyn Fn(&&Act) -> bool| {
            let about = |act: &&Act| act.agrees && act.topic.is_none_or(|about| about == topic);
            self.acts.iter().filter(about).filter(by).map(|act| act.at).max()
        };
        let changed_at = self.changed_at.filter(|_| self.is_changed());
        let changed_at = changed_at.filter(|at| agreed(&|_| true) <= Some(*at));
        let by_number = agreed(&|act| act.named == number);
        changed_at.max(moved_at.filter(|at| by_number <= Some(*at)))
    }

    fn is_granted(&self, topic: usize, now: i64) -> bool {
        self.last(topic).is_some_and(|act| act.agrees && now < act.ends_at)
    }

    fn is_changed(&self) -> bool {
        self.changed_at.is_some() && self.confirmed_at < self.changed_at
    }

    /// Takes over what is known of somebody who is the same person.
    fn absorb(&mut self, lost: Self, now: i64) {
        let all = || self.acts.iter().chain(&lost.acts);
        let stop = all().filter(|act| act.topic.is_none()).max_by_key(|act| act.at).copied();
        let topics = 0..TOPICS.len();
        let mut acts: Vec<Act> = topics
            .filter_map(|topic| match (self.last(topic), lost.last(topic)) {
                (Some(ours), Some(theirs)) => {
                    let stricter = stricter(ours, theirs, stop.map(|stop| stop.at), now);
                    Some(Act { topic: Some(topic), ..stricter })
                }
                (one, other) => one.or(other).map(|act| Act { topic: Some(topic), ..act }),
            })
            .collect();
        acts.extend(stop);
        self.acts = acts;
        // Two hashes for one person: nobody knows which is current.
        let seen = [self.observed_at, lost.observed_at];
        let differs = seen.iter().all(Option::is_some).then(|| seen.into_iter().max().flatten());
        let open = [&*self, &lost].map(|side| side.changed_at.filter(|_| side.is_changed()));
        let open = open.into_iter().max().flatten().max(differs.flatten());
        if open.is_some() {
            (self.changed_at, self.confirmed_at) = (open, None);
        }
        self.observed_at = seen.into_iter().max().flatten();
        self.is_blocked |= lost.is_blocked;
        self.marketing_stopped = self.marketing_stopped.max(lost.marketing_stopped);
        for (sender, at) in lost.wrote_at {
            let known = self.wrote_at.entry(sender).or_insert(at);
            *known = at.max(*known);
        }
        self.tickets.extend(lost.tickets);
        self.tickets.sort_unstable();
        for (topic, at) in lost.asked {
            self.asked_at(topic, at);
        }
        self.is_looked_up |= lost.is_looked_up;
        // Which look-up is waited for is the rules' own affair.
        self.pending = None;
        self.answered_at.extend(lost.answered_at);
    }
}

/// Withdrawn before run out before agreed; of two agreements the one that ends first or is older,
/// if it was not given before the person left.
fn stricter(ours: Act, theirs: Act, stop: Option<i64>, now: i64) -> Act {
    let key = |act: Act| match (act.agrees, now < act.ends_at) {
        (false, _) => (0, false, -act.at, 0),
        (true, false) => (1, stop >= Some(act.at), act.ends_at, act.at),
        (true, true) => (2, stop >= Some(act.at), act.ends_at, act.at),
    };
    if key(theirs) < key(ours) { theirs } else { ours }
}

fn place(person: u32) -> usize {
    usize::try_from(person).unwrap_or(usize::MAX)
}
