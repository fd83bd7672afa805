//! What is going to happen on a day, made up from chance.

use std::collections::BTreeMap;

use rand::{Rng, rngs::StdRng};

use super::{
    business::{CAPS, CRMS, SENDERS, TEMPLATES, TOPICS},
    commands::Agreeing,
};
use crate::domain::{
    registry::Quality,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS},
};

/// Something that happens.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    OptIn { person: u32, topic: usize, how: Agreeing, ago_ms: i64 },
    OptOut { person: u32, topic: Option<usize>, by_message: bool },
    Inbound { person: u32, sender: usize },
    Identity { person: u32 },
    Confirm { person: u32 },
    Block { person: u32, is_blocked: bool },
    Move { person: u32 },
    Merge { from: u32, into: u32 },
    LookUp { people: Vec<u32> },
    Answer { lookup: usize },
    Preference { person: u32, is_stopped: bool },
    Reserve { person: u32, sender: usize, template: Option<usize> },
    Commit { ticket: usize },
    Release { ticket: usize },
    Delivered { ticket: usize },
    Failed { ticket: usize, how: u8 },
    Business(OfBusiness),
}

/// Something that happens to the business itself.
#[derive(Debug, Clone)]
pub(super) enum OfBusiness {
    Quality { sender: usize, quality: Quality },
    Pause { template: usize, for_ms: i64 },
    Put { template: usize, is_paused: bool },
    Halt { sender: usize, is_halted: bool },
    Limit { portfolio: usize, divisor: u32, by_webhook: bool },
    Policy { caps: Vec<(u32, u32)>, is_quiet: bool, is_twice: bool },
}

/// What is still going to happen, in order.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    planned: BTreeMap<(i64, u64), Happening>,
    count: u64,
}

impl Calendar {
    /// Plans something; of two at once the one planned first happens first.
    pub(super) fn plan(&mut self, at: i64, happening: Happening) {
        self.count += 1;
        self.planned.insert((at, self.count), happening);
    }

    /// Takes what happens next before a moment.
    pub(super) fn take_before(&mut self, end: i64) -> Option<(i64, Happening)> {
        let first = self.planned.first_entry().filter(|first| first.key().0 < end)?;
        let ((at, _), happening) = first.remove_entry();
        Some((at, happening))
    }
}

/// Makes a day up.
pub(super) struct Day<'a> {
    pub(super) random: &'a mut StdRng,
    pub(super) calendar: &'a mut Calendar,
    /// Which, from 0.
    pub(super) index: u32,
    /// When it begins.
    pub(super) start: i64,
    pub(super) people: u32,
}

impl Day<'_> {
    pub(super) fn plan(mut self) {
        self.consents();
        self.identities();
        self.same_people();
        self.lookups();
        self.talk();
        for (crm, sender) in CRMS.iter().enumerate() {
            self.campaign(crm, *sender);
        }
        self.platform();
        self.own();
    }

    /// Plans something that happens to the business.
    fn plan_business(&mut self, at: i64, what: OfBusiness) {
        self.calendar.plan(at, Happening::Business(what));
    }

    /// Plans something at any time of the day.
    fn some_time(&mut self, happening: Happening) -> i64 {
        let at = self.start + self.random.random_range(0..DAY_MS);
        self.calendar.plan(at, happening);
        at
    }

    fn anybody(&mut self) -> u32 {
        self.random.random_range(0..self.people.max(1))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn any_sender(&mut self) -> usize {
        self.random.random_range(0..SENDERS.len())
    }

    /// People agree in waves, and withdraw every day.
    fn consents(&mut self) {
        let share = if self.index.is_multiple_of(7) { 1 } else { 8 };
        for _ in 0..=self.people / share {
            let person = self.anybody();
            let topic = self.random.random_range(0..TOPICS.len());
            let days = if self.chance(10) { self.random.random_range(1..15) } else { 0 };
            let (how, ago_ms) = (Agreeing::Plainly, days * DAY_MS);
            self.some_time(Happening::OptIn { person, topic, how, ago_ms });
        }
        // Some are asked to confirm, and some of those do.
        for _ in 0..=self.people / 10 {
            let (person, topic) = (self.anybody(), self.random.random_range(0..TOPICS.len()));
            let (how, ago_ms) = (Agreeing::Asked, 0);
            let at = self.some_time(Happening::OptIn { person, topic, how, ago_ms });
            let how = match self.random.random_range(0..10) {
                0..6 => Agreeing::Confirming,
                6 => Agreeing::Plainly,
                _ => continue,
            };
            let later = at + self.random.random_range(MINUTE_MS..DAY_MS);
            self.calendar.plan(later, Happening::OptIn { person, topic, how, ago_ms });
        }
        for _ in 0..=self.people / 60 {
            let person = self.anybody();
            let everything = self.chance(60);
            let topic = (!everything).then(|| self.random.random_range(0..TOPICS.len()));
            let by_message = self.chance(50);
            self.some_time(Happening::OptOut { person, topic, by_message });
        }
        for _ in 0..=self.people / 200 {
            let person = self.anybody();
            let at = self.some_time(Happening::Preference { person, is_stopped: true });
            if self.chance(50) {
                let resumed = Happening::Preference { person, is_stopped: false };
                self.calendar.plan(at + 30 * HOUR_MS, resumed);
            }
            let person = self.anybody();
            let at = self.some_time(Happening::Block { person, is_blocked: true });
            let unblocked = Happening::Block { person, is_blocked: false };
            self.calendar.plan(at + 10 * HOUR_MS, unblocked);
        }
    }

    /// Numbers change hands; some of their new owners agree, some turn out to be the old ones.
    fn identities(&mut self) {
        for _ in 0..=self.people / 80 {
            let person = self.anybody();
            let at = self.some_time(Happening::Identity { person });
            let later = at + self.random.random_range(MINUTE_MS..DAY_MS);
            if self.chance(30) {
                self.calendar.plan(later, Happening::Confirm { person });
            } else if self.chance(40) {
                let topic = self.random.random_range(0..TOPICS.len());
                let (how, ago_ms) = (Agreeing::Plainly, 0);
                self.calendar.plan(later, Happening::OptIn { person, topic, how, ago_ms });
            }
        }
    }

    /// Numbers are given up, and some of their next owners agree; contacts turn out to be one.
    fn same_people(&mut self) {
        for _ in 0..=self.people / 100 {
            let person = self.anybody();
            let at = self.some_time(Happening::Move { person });
            if self.chance(50) {
                let topic = self.random.random_range(0..TOPICS.len());
                let later = at + self.random.random_range(MINUTE_MS..2 * DAY_MS);
                let (how, ago_ms) = (Agreeing::Plainly, 0);
                self.calendar.plan(later, Happening::OptIn { person, topic, how, ago_ms });
            }
            let (from, into) = (self.anybody(), self.anybody());
            self.some_time(Happening::Merge { from, into });
        }
    }

    /// Somebody wants to know who is on WhatsApp, mostly one by one.
    fn lookups(&mut self) {
        for _ in 0..=self.people / 8 {
            let count = if self.chance(10) { 5 } else { 1 };
            let people: Vec<u32> = (0..count).map(|_| self.anybody()).collect();
            let again = people.clone();
            let at = self.some_time(Happening::LookUp { people });
            // Two ask at once, or one asks again.
            let after = self.random.random_range(SECOND_MS..30 * MINUTE_MS);
            self.calendar.plan(at + after, Happening::LookUp { people: again });
        }
    }

    /// People write, and are answered; now and then much too fast.
    fn talk(&mut self) {
        for _ in 0..=self.people / 6 {
            let (person, sender) = (self.anybody(), self.any_sender());
            let at = self.some_time(Happening::Inbound { person, sender });
            let is_loop = self.chance(3);
            let (answers, every_ms) = if is_loop { (70, 120) } else { (2, 40 * SECOND_MS) };
            for answer in 1..=answers {
                let answer_at = at + answer * every_ms;
                let template = None;
                self.calendar.plan(answer_at, Happening::Reserve { person, sender, template });
            }
            let late = at + self.random.random_range(20..27) * HOUR_MS;
            self.calendar.plan(late, Happening::Reserve { person, sender, template: None });
        }
        for _ in 0..=self.people / 6 {
            let (person, sender) = (self.anybody(), self.any_sender());
            self.some_time(Happening::Reserve { person, sender, template: Some(2) });
        }
    }

    /// A CRM writes to many people, in the same hours as the others.
    fn campaign(&mut self, crm: usize, sender: usize) {
        let hour = self.random.random_range(8..14);
        let offset = self.random.random_range(0..HOUR_MS);
        let every_ms = self.random.random_range(20..200);
        let template = (crm + usize::try_from(self.index).unwrap_or_default()) % 2;
        let mut at = self.start + hour * HOUR_MS + offset;
        for _ in 0..=self.people / 3 {
            let person = self.anybody();
            let template = Some(template);
            self.calendar.plan(at, Happening::Reserve { person, sender, template });
            at += every_ms;
        }
    }

    /// What WhatsApp does to the account.
    fn platform(&mut self) {
        let morning = self.start + 6 * HOUR_MS;
        let sender = usize::try_from(self.index / 6).unwrap_or_default() % SENDERS.len();
        let quality = match self.index % 6 {
            2 => Some(Quality::Yellow),
            3 => Some(Quality::Red),
            4 => Some(Quality::Green),
            _ => None,
        };
        if let Some(quality) = quality {
            self.plan_business(morning, OfBusiness::Quality { sender, quality });
        }
        if self.index % 5 == 1 {
            let template = self.random.random_range(0..TEMPLATES.len());
            let pause = OfBusiness::Pause { template, for_ms: 3 * HOUR_MS };
            self.plan_business(self.start + 10 * HOUR_MS, pause);
        }
        let (divisor, by_webhook) = match self.index % 7 {
            3 => (3, true),
            5 => (1, false),
            _ => return,
        };
        for portfolio in 0..2 {
            let limit = OfBusiness::Limit { portfolio, divisor, by_webhook };
            self.plan_business(self.start + 11 * HOUR_MS, limit);
        }
    }

    fn policy(&mut self, at: i64, caps: &[(u32, u32)], (is_quiet, is_twice): (bool, bool)) {
        self.plan_business(at, OfBusiness::Policy { caps: caps.to_vec(), is_quiet, is_twice });
    }

    /// What the business does itself.
    fn own(&mut self) {
        let noon = self.start + 12 * HOUR_MS;
        if self.index % 8 == 5 {
            let sender = self.any_sender();
            self.plan_business(noon, OfBusiness::Halt { sender, is_halted: true });
            let again = OfBusiness::Halt { sender, is_halted: false };
            self.plan_business(noon + 4 * HOUR_MS, again);
        }
        if self.index % 5 == 4 {
            let template = self.random.random_range(0..TEMPLATES.len());
            self.plan_business(noon, OfBusiness::Put { template, is_paused: true });
            let again = OfBusiness::Put { template, is_paused: false };
            self.plan_business(noon + 2 * HOUR_MS, again);
        }
        match self.index % 10 {
            1 => self.policy(noon, &CAPS, (false, true)),
            3 => self.policy(noon, &[(2, 7), (3, 30)], (false, true)),
            5 => self.policy(noon, &[(2, 7), (3, 30)], (true, true)),
            7 => self.policy(noon, &CAPS, (false, false)),
            _ => {}
        }
    }
}
