//! Notes what happened in the plainest way, and looks at every ticket by itself.
//!
//! Calls nothing of the rules it watches over: a mistake there must not be made here as well.

use std::collections::{BTreeMap, BTreeSet};

use super::business::{PORTFOLIOS, SENDERS, TEMPLATES, YELLOW_PERCENT, is_marketing, portfolio_of};
use super::desk::MARGIN_MS;
use crate::domain::{
    registry::Quality,
    time::{DAY_MS, Timestamp},
};

/// So many messages of a sender to a person may go out at once, and one more in each of these
/// milliseconds. Source: Meta, "Throughput" (pair rate limit).
const PAIR_BURST: i64 = 45;
const PAIR_MS: i64 = 6_000;

/// How long a ticket may matter for a limit: its message goes out within a day, and counts for one.
const KEPT_MS: i64 = 2 * DAY_MS;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: &'static str,
    /// When.
    pub at: Timestamp,
    /// Towards whom.
    pub person: u32,
    /// What the witness knows.
    pub detail: String,
}

/// What a person did about consent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    pub(super) at: i64,
    pub(super) agrees: bool,
    /// About which topic; `None` is everything.
    pub(super) topic: Option<usize>,
    pub(super) ends_at: i64,
    /// By whose number.
    pub(super) named: u32,
}

/// What was seen of a person.
#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) acts: Vec<Act>,
    pub(super) observed_at: Option<i64>,
    pub(super) changed_at: Option<i64>,
    pub(super) confirmed_at: Option<i64>,
    /// When this number was given up.
    pub(super) moved_at: Option<i64>,
    /// When somebody at this number last agreed, by topic: a later word at another number of theirs
    /// does not undo that it was said here.
    pub(super) agreed_here: BTreeMap<usize, i64>,
    pub(super) is_blocked: bool,
    /// The last word on marketing, and whether it was to stop it.
    pub(super) marketing_stopped: (i64, bool),
    /// By sender.
    pub(super) wrote_at: BTreeMap<usize, i64>,
    pub(super) tickets: Vec<usize>,
    /// What they were asked to confirm, and when last.
    pub(super) asked: BTreeMap<usize, i64>,
    /// The look-up that is waited for.
    pub(super) pending: Option<(usize, i64)>,
    /// By number.
    pub(super) answered_at: BTreeMap<u32, i64>,
    pub(super) is_looked_up: bool,
}

/// A right to send, as it was given out.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is seen by itself, whatever the others")]
pub(super) struct Ticket {
    pub(super) person: u32,
    pub(super) sender: usize,
    /// Which template; `None` in a window.
    pub(super) template: Option<usize>,
    pub(super) at: i64,
    pub(super) ends_at: i64,
    /// When its message went out; as long as that is not known, the last moment it may.
    pub(super) sent_at: i64,
    /// Whether it takes room of the limit.
    is_outside: bool,
    /// Whether its message was sent, or still may be.
    pub(super) counts: bool,
    /// Whether nothing may be sent on it any more.
    pub(super) is_dead: bool,
    pub(super) is_open: bool,
    pub(super) is_sent: bool,
}

/// Who watches.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) people: Vec<Person>,
    /// Who turned out to be whom.
    pub(super) merged_into: Vec<Option<u32>>,
    pub(super) is_quiet: bool,
    pub(super) is_twice: bool,
    /// When look-ups were made, and when messages earned one.
    pub(super) lookups: Vec<i64>,
    pub(super) earned: Vec<i64>,
    pub(super) tickets: Vec<Ticket>,
    limits: [Option<u32>; PORTFOLIOS.len()],
    quality: [Quality; SENDERS.len()],
    halted: [bool; SENDERS.len()],
    /// Until when a template must not be sent.
    paused_until: [i64; TEMPLATES.len()],
    caps: Vec<(u32, u32)>,
    /// Tickets of the last days, oldest first, by portfolio.
    recent: [Vec<usize>; PORTFOLIOS.len()],
    /// Tickets that just died and may not have been taken back.
    dying: Vec<usize>,
    pub(super) violations: Vec<Violation>,
}

impl Witness {
    pub(super) fn new(people: u32, caps: &[(u32, u32)]) -> Self {
        Self {
            people: (0..people).map(|_| Person::default()).collect(),
            merged_into: (0..people).map(|_| None).collect(),
            is_quiet: false,
            is_twice: false,
            lookups: Vec::new(),
            earned: Vec::new(),
            tickets: Vec::new(),
            limits: [None; PORTFOLIOS.len()],
            quality: [Quality::Green; SENDERS.len()],
            halted: [false; SENDERS.len()],
            paused_until: [i64::MIN; TEMPLATES.len()],
            caps: caps.to_vec(),
            recent: Default::default(),
            dying: Vec::new(),
            violations: Vec::new(),
        }
    }

    pub(super) fn person(&mut self, person: u32) -> Option<&mut Person> {
        let root = self.root(person);
        self.people.get_mut(usize::try_from(root).ok()?)
    }

    pub(super) fn observed(&mut self, person: u32, at: i64) {
        if let Some(known) = self.person(person) {
            known.observed_at = Some(at);
        }
    }

    pub(super) fn agreed(&mut self, person: u32, topic: usize, at: i64, days: Option<u32>) {
        let ends_at = days.map_or(i64::MAX, |days| at.saturating_add(i64::from(days) * DAY_MS));
        let act = Act { at, agrees: true, topic: Some(topic), ends_at, named: person };
        if let Some(here) = usize::try_from(person).ok().and_then(|it| self.people.get_mut(it)) {
            let known = here.agreed_here.entry(topic).or_insert(at);
            *known = at.max(*known);
        }
        if let Some(person) = self.person(person) {
            person.acts.push(act);
        }
    }

    pub(super) fn withdrew(&mut self, person: u32, topic: Option<usize>, at: i64) {
        let act = Act { at, agrees: false, topic, ends_at: i64::MAX, named: person };
        if let Some(known) = self.person(person) {
            known.acts.push(act);
        }
        self.kill(
            person,
            |ticket| match topic {
                Some(topic) => ticket.template == Some(topic),
                None => true,
            },
            at,
        );
    }

    pub(super) fn changed(&mut self, person: u32, at: i64) {
        if let Some(known) = self.person(person) {
            known.changed_at = Some(at);
        }
        self.kill(person, |_| true, at);
    }

    pub(super) fn confirmed(&mut self, person: u32, at: i64) {
        if let Some(known) = self.person(person) {
            known.confirmed_at = Some(at);
        }
    }

    pub(super) fn blocked(&mut self, person: u32, is_blocked: bool, at: i64) {
        if let Some(known) = self.person(person) {
            known.is_blocked = is_blocked;
        }
        if is_blocked {
            self.kill(person, |_| true, at);
        }
    }

    pub(super) fn stopped_marketing(&mut self, person: u32, is_stopped: bool, at: i64) {
        if let Some(known) = self.person(person) {
            known.marketing_stopped = (at, is_stopped);
        }
        if is_stopped {
            self.kill(person, |ticket| ticket.template.is_some_and(is_marketing), at);
        }
    }

    pub(super) fn wrote(&mut self, person: u32, sender: usize, at: i64) {
        if let Some(known) = self.person(person) {
            known.wrote_at.insert(sender, at);
        }
    }

    pub(super) fn limited(&mut self, portfolio: usize, limit: Option<u32>) {
        if let Some(known) = self.limits.get_mut(portfolio) {
            *known = limit;
        }
    }

    pub(super) fn rated(&mut self, sender: usize, quality: Quality) {
        if let Some(known) = self.quality.get_mut(sender) {
            *known = quality;
        }
    }

    pub(super) fn halted(&mut self, sender: usize, is_halted: bool, at: i64) {
        if let Some(known) = self.halted.get_mut(sender) {
            *known = is_halted;
        }
        if is_halted {
            let is_open = |ticket: &Ticket| ticket.is_open && at < ticket.ends_at;
            for (place, ticket) in self.tickets.iter_mut().enumerate() {
                if ticket.sender == sender && is_open(ticket) {
                    ticket.is_dead = true;
                    self.dying.push(place);
                }
            }
        }
    }

    pub(super) fn paused(&mut self, template: usize, until: i64) {
        if let Some(known) = self.paused_until.get_mut(template) {
            *known = until;
        }
    }

    pub(super) fn capped(&mut self, caps: &[(u32, u32)]) {
        self.caps = caps.to_vec();
    }

    /// What is open of a person and fits must not be used any more.
    pub(super) fn kill(&mut self, person: u32, fits: impl Fn(&Ticket) -> bool, at: i64) {
        let Some(place) = usize::try_from(self.root(person)).ok() else { return };
        let Some(known) = self.people.get(place) else { return };
        for place in &known.tickets {
            if let Some(ticket) = self.tickets.get_mut(*place)
                && ticket.is_open
                && at < ticket.ends_at
                && fits(ticket)
            {
                ticket.is_dead = true;
                self.dying.push(*place);
            }
        }
    }

    /// Returns a ticket that was taken back.
    pub(super) fn voided(&mut self, place: usize) -> Option<&mut Ticket> {
        self.tickets.get_mut(place)
    }

    /// Looks whether every ticket that died was taken back at once.
    pub(super) fn look_for_the_undead(&mut self, at: i64) {
        for place in std::mem::take(&mut self.dying) {
            if let Some(ticket) = self.tickets.get(place).filter(|ticket| ticket.is_open) {
                self.broken("not taken back", at, ticket.person, format!("ticket {place}"));
            }
        }
    }

    /// Returns how many numbers count for a portfolio's limit, and how large that is.
    pub(super) fn used(&self, portfolio: usize, now: i64) -> (u64, Option<u32>) {
        let limit = self.limits.get(portfolio).copied().flatten();
        (self.counted(portfolio, now).len().try_into().unwrap_or(u64::MAX), limit)
    }

    /// Returns how well a sender is received.
    pub(super) fn quality(&self, sender: usize) -> Quality {
        self.quality.get(sender).copied().unwrap_or(Quality::Unknown)
    }

    fn counted(&self, portfolio: usize, now: i64) -> BTreeSet<u32> {
        let recent = self.recent.get(portfolio).into_iter().flatten();
        let tickets = recent.filter_map(|place| self.tickets.get(*place));
        let counts =
            |ticket: &&Ticket| ticket.counts && ticket.is_outside && now - DAY_MS < ticket.sent_at;
        tickets.filter(counts).map(|ticket| ticket.person).collect()
    }

    /// Takes a ticket down that was given out, and looks whether it should have been. Returns its
    /// place.
    pub(super) fn given(
        &mut self,
        (person, sender): (u32, usize),
        template: Option<usize>,
        (at, ends_at): (i64, i64),
    ) -> usize {
        let place = self.tickets.len();
        let wrote_at = self.person(person).and_then(|known| known.wrote_at.get(&sender).copied());
        let window = wrote_at.is_some_and(|wrote| at < wrote + DAY_MS - MARGIN_MS);
        let ticket = Ticket {
            person,
            sender,
            template,
            at,
            ends_at,
            sent_at: ends_at,
            is_outside: template.is_some() && !window,
            counts: true,
            is_dead: false,
            is_open: true,
            is_sent: false,
        };
        let mut broken = Vec::new();
        self.look_at_person(&ticket, window, &mut broken);
        let closes_at = wrote_at.filter(|_| window).map(|wrote| wrote + DAY_MS - MARGIN_MS);
        self.look_at_end(&ticket, closes_at, &mut broken);
        self.look_at_sender(&ticket, &mut broken);
        self.tickets.push(ticket);
        if let Some(known) = self.person(person) {
            known.tickets.push(place);
        }
        if let Some(recent) = self.recent.get_mut(portfolio_of(sender)) {
            let tickets = &self.tickets;
            let is_old =
                |place: &usize| tickets.get(*place).is_none_or(|old| old.at <= at - KEPT_MS);
            let old = recent.iter().take_while(|place| is_old(place)).count();
            recent.drain(..old);
            recent.push(place);
        }
        self.look_at_pace(&ticket, &mut broken);
        for (rule, detail) in broken {
            self.broken(rule, at, person, detail);
        }
        place
    }

    /// Takes a broken rule down.
    pub(super) fn broken(&mut self, rule: &'static str, at: i64, person: u32, detail: String) {
        let at = Timestamp::from_unix_ms(at);
        self.violations.push(Violation { rule, at, person, detail });
    }

    fn look_at_person(&self, ticket: &Ticket, window: bool, broken: &mut Vec<Broken>) {
        let place = |person: u32| usize::try_from(person).unwrap_or(usize::MAX);
        let Some(person) = self.people.get(place(self.root(ticket.person))) else { return };
        let named = self.people.get(place(ticket.person));
        let moved_at = named.and_then(|named| named.moved_at);
        // Who has a number that was given up is known by what is said under it alone.
        let agreed_here = named.map(|named| &named.agreed_here);
        if person.is_blocked {
            broken.push(("blocked", String::new()));
        }
        let Some(topic) = ticket.template else {
            let left = person.acts.iter().filter(|act| act.topic.is_none()).map(|act| act.at).max();
            let back = person.acts.iter().filter(|act| act.agrees).map(|act| act.at).max();
            if left.is_some() && back <= left {
                broken.push(("session after a stop", format!("{left:?}")));
            }
            let by_number = agreed_here.and_then(|here| here.values().max().copied());
            if moved_at.is_some() && by_number <= moved_at {
                broken.push(("number changed", format!("{moved_at:?}")));
            }
            if !window {
                broken.push(("session without a window", String::new()));
            }
            return;
        };
        let about = person.acts.iter().filter(|act| act.topic.is_none_or(|about| about == topic));
        // Of two at once the withdrawal counts.
        let last = about.clone().max_by_key(|act| (act.at, !act.agrees));
        if !last.is_some_and(|act| act.agrees && ticket.at < act.ends_at) {
            broken.push(("no consent", format!("{last:?}")));
        }
        let agreed = about.filter(|act| act.agrees).map(|act| act.at).max();
        let by_number = agreed_here.and_then(|here| here.get(&topic).copied());
        if person.changed_at.is_some() && person.confirmed_at.max(agreed) <= person.changed_at {
            broken.push(("identity changed", format!("{:?}", person.changed_at)));
        }
        if moved_at.is_some() && by_number <= moved_at {
            broken.push(("number changed", format!("{moved_at:?}")));
        }
        if is_marketing(topic) && person.marketing_stopped.1 {
            broken.push(("marketing stopped", String::new()));
        }
        if is_marketing(topic) {
            self.look_at_hours(ticket.person, ticket.at, broken);
        }
    }

    /// Looks whether it may still be used when what it rests on has ended.
    fn look_at_end(&self, ticket: &Ticket, closes_at: Option<i64>, broken: &mut Vec<Broken>) {
        if let Some(closes_at) = closes_at.filter(|closes_at| *closes_at < ticket.ends_at) {
            broken.push(("ticket outlives the window", format!("{closes_at}")));
        }
        let Some(topic) = ticket.template else { return };
        let place = usize::try_from(self.root(ticket.person)).unwrap_or(usize::MAX);
        let acts = self.people.get(place).into_iter().flat_map(|known| &known.acts);
        let about = acts.filter(|act| act.topic.is_none_or(|about| about == topic));
        if let Some(last) = about.max_by_key(|act| (act.at, !act.agrees))
            && last.ends_at < ticket.ends_at
        {
            broken.push(("ticket outlives the consent", format!("{last:?}")));
        }
        if is_marketing(topic) {
            self.look_at_hours(ticket.person, ticket.ends_at - 1, broken);
        }
    }

    fn look_at_sender(&self, ticket: &Ticket, broken: &mut Vec<Broken>) {
        if self.halted.get(ticket.sender).copied().unwrap_or_default() {
            broken.push(("sender halted", String::new()));
        }
        let Some(template) = ticket.template else { return };
        if self.paused_until.get(template).is_some_and(|until| ticket.at < *until) {
            broken.push(("template paused", String::new()));
        }
        if is_marketing(template) && self.quality(ticket.sender) == Quality::Red {
            broken.push(("marketing of red quality", String::new()));
        }
    }

    /// Looks at what was sent lately, this ticket included.
    fn look_at_pace(&self, ticket: &Ticket, broken: &mut Vec<Broken>) {
        let place = usize::try_from(self.root(ticket.person)).unwrap_or(usize::MAX);
        let Some(person) = self.people.get(place) else { return };
        let own = || person.tickets.iter().filter_map(|place| self.tickets.get(*place));
        let counts = || own().filter(|own| own.counts);
        let mut pair = 0;
        let is_pair = |one: &&Ticket| one.sender == ticket.sender && one.person == ticket.person;
        for one in counts().rev().filter(is_pair) {
            pair += 1;
            if pair > PAIR_BURST + (ticket.at - one.at) / PAIR_MS {
                broken.push(("pair pace", format!("{pair} since {}", one.at)));
                break;
            }
        }
        let portfolio = portfolio_of(ticket.sender);
        if ticket.is_outside {
            let (used, limit) = self.used(portfolio, ticket.at);
            let own = counts().filter(|own| {
                own.is_outside
                    && own.person == ticket.person
                    && portfolio_of(own.sender) == portfolio
                    && ticket.at - DAY_MS < own.sent_at
            });
            // One more message to a number that counts already takes nothing.
            if own.count() == 1 && limit.is_some_and(|limit| used > limit.into()) {
                broken.push(("messaging limit", format!("{used} of {limit:?}")));
            }
        }
        if !ticket.template.is_some_and(is_marketing) {
            return;
        }
        for (count, days) in &self.caps {
            let since = ticket.at - i64::from(*days) * DAY_MS;
            // What was taken back and not heard of since did not go out.
            let is_over =
                |own: &Ticket| own.is_dead && !own.is_sent && own.sent_at <= ticket.at - DAY_MS;
            let of_caps = |own: &&Ticket| {
                own.template.is_some_and(is_marketing) && since < own.sent_at && !is_over(own)
            };
            let sent: Vec<i64> = counts().filter(of_caps).map(|own| own.sent_at).collect();
            if sent.len() > usize::try_from(*count).unwrap_or(usize::MAX) {
                broken.push(("marketing cap", format!("{count} in {days} days: {sent:?}")));
            }
        }
        self.look_at_yellow(ticket, portfolio, broken);
    }

    fn look_at_yellow(&self, ticket: &Ticket, portfolio: usize, broken: &mut Vec<Broken>) {
        let limit = self.limits.get(portfolio).copied().flatten();
        let Some(limit) = limit.filter(|_| self.quality(ticket.sender) == Quality::Yellow) else {
            return;
        };
        let recent = self.recent.get(portfolio).into_iter().flatten();
        let of_sender = recent.filter_map(|place| self.tickets.get(*place)).filter(|own| {
            own.sender == ticket.sender
                && own.counts
                && own.template.is_some_and(is_marketing)
                && ticket.at - DAY_MS < own.sent_at
        });
        let sent = u64::try_from(of_sender.count()).unwrap_or(u64::MAX);
        let share = u64::from(limit) * YELLOW_PERCENT / 100;
        if sent > share {
            broken.push(("marketing of yellow quality", format!("{sent} of {share}")));
        }
    }
}

/// A rule and what is known about how it was broken.
pub(super) type Broken = (&'static str, String);
