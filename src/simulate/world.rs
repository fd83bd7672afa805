//! Lets happen what is planned, and tells the witness.

use rand::{Rng, rngs::StdRng};

use crate::domain::{
    command::{Command, RegistryCommand},
    decide::Events,
    eligibility::Question,
    event::{Event, Evidence},
    hearing::{HeardFact, SenderFact, TemplateFact},
    pace::UsageKey,
    refusal::Refusal,
    registry::Quality,
    time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp},
};

use super::{
    business::{
        Asked, CAPS, PORTFOLIOS, SENDERS, TEMPLATES, TOPICS, portfolio_id, portfolio_of,
        put_policy, put_portfolio, put_sender, put_template, put_topic, sender_id, template_ref,
    },
    commands::{
        self, Agreeing, FAILURES_LEN, MadeUpError, TTL_MS, Text, contact, is_identity, number,
    },
    desk::Desk,
    plan::{Plan, Sabotage},
    schedule::{Calendar, Happening, OfBusiness},
    tally::Tally,
    witness::Witness,
};

/// Everything there is.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) random: StdRng,
    pub(super) desk: Desk,
    pub(super) witness: Witness,
    pub(super) calendar: Calendar,
    pub(super) tally: Tally,
    /// Lines about the person that is traced.
    pub(super) traced: Vec<String>,
    pub(super) refusals: u64,
    pub(super) now: i64,
    /// Whom each look-up was about.
    pub(super) lookups: Vec<u32>,
    /// The last number that nobody had.
    pub(super) numbers: u32,
    /// People the least limit is for.
    limit: u32,
    /// Messages from people so far.
    texts: u64,
    /// Whose identity changed how often.
    identities: Vec<u32>,
}

impl World {
    /// A business that is set up at a moment.
    pub(super) fn new(plan: Plan, random: StdRng, now: i64) -> Result<Self, MadeUpError> {
        let people = usize::try_from(plan.contacts).unwrap_or(usize::MAX);
        let mut world = Self {
            plan,
            random,
            desk: Desk::new(plan.is_sabotaged(Sabotage::LooseBudget)),
            witness: Witness::new(plan.contacts, &CAPS),
            calendar: Calendar::default(),
            tally: Tally::default(),
            traced: Vec::new(),
            refusals: 0,
            now,
            lookups: Vec::new(),
            numbers: plan.contacts,
            limit: (plan.contacts / 10).max(6),
            texts: 0,
            identities: vec![0; people],
        };
        for topic in 0..TOPICS.len() {
            world.put(put_topic(topic)?);
        }
        for portfolio in 0..PORTFOLIOS.len() {
            world.limit(portfolio, 1, false)?;
        }
        for sender in 0..SENDERS.len() {
            world.put(put_sender(sender, sender_number(sender)?, Quality::Green, false)?);
        }
        for template in 0..TEMPLATES.len() {
            world.put(put_template(template, "APPROVED")?);
        }
        if plan.is_sabotaged(Sabotage::LooseCaps) {
            let asked = Asked { caps: &[(50, 14)], is_quiet: false, is_twice: false };
            world.put(put_policy(asked)?);
        }
        Ok(world)
    }

    /// Lets something happen at a moment, or right after what happened last.
    pub(super) fn happen(&mut self, at: i64, happening: Happening) -> Result<(), MadeUpError> {
        self.now = at.max(self.now.saturating_add(1));
        let at = self.now;
        match happening {
            Happening::OptIn { person, topic, how, ago_ms } => {
                self.opt_in(person, topic, how, at - ago_ms)?;
            }
            Happening::Move { person } => self.moved(person)?,
            Happening::Merge { from, into } => self.merged(from, into),
            Happening::LookUp { people } => self.look_up(&people),
            Happening::Answer { lookup } => self.answered(lookup),
            Happening::OptOut { person, topic, by_message } => {
                self.opt_out(person, topic, by_message)?;
            }
            Happening::Inbound { person, sender } => {
                let command = self.wrote(person, sender, Text::Plain)?;
                self.submit_and_settle(&command);
                self.witness.wrote(person, sender, at);
            }
            Happening::Identity { person } => self.identity(person),
            Happening::Confirm { person } => {
                let hash = self.hash(person);
                let evidence = Evidence::new();
                let command = Command::ConfirmIdentity { contact: contact(person), hash, evidence };
                if self.submit(&command).is_ok_and(|events| !events.is_empty()) {
                    self.witness.confirmed(person, at);
                }
            }
            Happening::Block { person, is_blocked } => self.block(person, is_blocked),
            Happening::Preference { person, is_stopped } => {
                let moment = Timestamp::from_unix_ms(at);
                let events = self.submit(&commands::preference(person, is_stopped, moment)?);
                self.witness.stopped_marketing(person, is_stopped, at);
                self.settle(events);
            }
            Happening::Reserve { person, sender, template } => {
                self.reserve(person, sender, template)?;
            }
            Happening::Commit { ticket } => self.commit(ticket),
            Happening::Release { ticket } => {
                let id = commands::ticket_id(ticket);
                let events = self.submit(&Command::ReleaseSend { ticket: id });
                let is_new = events.as_ref().is_ok_and(|events| !events.is_empty());
                if let Some(known) = self.witness.tickets.get_mut(ticket).filter(|_| is_new) {
                    (known.counts, known.is_open) = (false, false);
                }
            }
            Happening::Delivered { ticket } => self.delivery(ticket, None)?,
            Happening::Failed { ticket, how } => self.delivery(ticket, Some(how))?,
            Happening::Business(what) => self.business(what)?,
        }
        Ok(())
    }

    /// What happens to the business itself.
    fn business(&mut self, what: OfBusiness) -> Result<(), MadeUpError> {
        let at = self.now;
        match what {
            OfBusiness::Quality { sender, quality } => {
                self.witness.rated(sender, quality);
                if !self.plan.is_sabotaged(Sabotage::LostQuality) {
                    let fact = HeardFact::SenderNumber(SenderFact::Quality(quality));
                    self.hear(Some(sender), fact)?;
                }
            }
            OfBusiness::Pause { template, for_ms } => {
                let fact = HeardFact::Template(TemplateFact::Status {
                    template: template_ref(template)?,
                    status: "PAUSED".into(),
                    pause_ms: Some(for_ms),
                    category: None,
                });
                self.hear(None, fact)?;
                self.witness.paused(template, at + for_ms);
            }
            OfBusiness::Put { template, is_paused } => {
                let status = if is_paused { "PAUSED" } else { "APPROVED" };
                self.put(put_template(template, status)?);
                self.witness.paused(template, if is_paused { i64::MAX } else { i64::MIN });
            }
            OfBusiness::Halt { sender, is_halted } => {
                let is_lost = self.plan.is_sabotaged(Sabotage::LostQuality);
                let quality = if is_lost { Quality::Green } else { self.witness.quality(sender) };
                let put = put_sender(sender, sender_number(sender)?, quality, is_halted)?;
                let events = self.submit(&Command::Registry(Box::new(put)));
                self.witness.halted(sender, is_halted, at);
                self.settle(events);
            }
            OfBusiness::Limit { portfolio, divisor, by_webhook } => {
                self.limit(portfolio, divisor, by_webhook)?;
            }
            OfBusiness::Policy { caps, is_quiet, is_twice } => {
                self.witness.capped(&caps);
                self.witness.ruled(is_quiet, is_twice);
                let is_quiet = is_quiet && !self.plan.is_sabotaged(Sabotage::LooseHours);
                let is_twice = is_twice && !self.plan.is_sabotaged(Sabotage::LooseSteps);
                if !self.plan.is_sabotaged(Sabotage::LooseCaps) {
                    self.put(put_policy(Asked { caps: &caps, is_quiet, is_twice })?);
                }
            }
        }
        Ok(())
    }

    /// Compares what the rules count at the end of a day with what was seen.
    pub(super) fn end_day(&mut self, end: i64) -> Result<(), MadeUpError> {
        self.now = end.max(self.now);
        let now = Timestamp::from_unix_ms(self.now);
        for portfolio in 0..PORTFOLIOS.len() {
            let (seen, limit) = self.witness.used(portfolio, self.now);
            let key = UsageKey::Portfolio(portfolio_id(portfolio)?);
            let counted = self.desk.state().counted(&key).within(now);
            if counted != seen {
                let detail = format!("{counted} are counted and {seen} were seen");
                self.witness.broken("limit is counted wrong", self.now, 0, detail);
            }
            self.tally.used.push((seen, limit));
        }
        self.tally.quality = (0..SENDERS.len()).map(|it| self.witness.quality(it)).collect();
        if !self.desk.replays_alike() {
            let detail = "a replay comes to another state".to_owned();
            self.witness.broken("replay", self.now, 0, detail);
        }
        Ok(())
    }

    pub(super) fn submit(&mut self, command: &Command) -> Result<Events, Refusal> {
        let now = Timestamp::from_unix_ms(self.now);
        let outcome = self.desk.submit(command, now);
        if let (Some(person), Ok(events)) = (self.plan.trace, &outcome) {
            let traced = self.desk.state().contacts().find(commands::key(person));
            for (_, event) in events.iter().filter(|(subject, _)| Some(*subject) == traced) {
                self.traced.push(format!("{} {event:?}", now.to_rfc3339()));
            }
        }
        outcome
    }

    /// Takes down which tickets were taken back, and looks for any that should have been.
    pub(super) fn settle(&mut self, events: Result<Events, Refusal>) {
        for (_, event) in events.unwrap_or_default() {
            if let Event::TicketVoided { ticket, .. } = event
                && let Some(known) = self.witness.voided(commands::place_of(ticket))
            {
                // Its message may have gone out before anybody knew; whatever the witness thinks of
                // the reason, nothing more may be sent on it.
                (known.is_open, known.is_dead) = (false, true);
                self.tally.voided += 1;
            }
        }
        self.witness.look_for_the_undead(self.now);
    }

    fn submit_and_settle(&mut self, command: &Command) {
        let events = self.submit(command);
        self.settle(events);
    }

    fn put(&mut self, command: RegistryCommand) {
        self.submit_and_settle(&Command::Registry(Box::new(command)));
    }

    pub(super) fn hear(
        &mut self,
        sender: Option<usize>,
        fact: HeardFact,
    ) -> Result<(), MadeUpError> {
        let sender = sender.map(sender_id).transpose()?;
        let command = commands::heard(Timestamp::from_unix_ms(self.now), sender, fact);
        self.submit_and_settle(&command);
        Ok(())
    }

    fn wrote(&mut self, person: u32, sender: usize, text: Text) -> Result<Command, MadeUpError> {
        self.texts += 1;
        let at = Timestamp::from_unix_ms(self.now);
        commands::wrote((person, sender), text, (self.texts, at))
    }

    fn limit(
        &mut self,
        portfolio: usize,
        divisor: u32,
        by_webhook: bool,
    ) -> Result<(), MadeUpError> {
        let limit = (self.limit / divisor.max(1)).max(1);
        self.witness.limited(portfolio, Some(limit));
        let is_loose = self.plan.is_sabotaged(Sabotage::LooseLimits);
        let told = if is_loose { limit.saturating_mul(100) } else { limit };
        if by_webhook {
            let sender = (0..SENDERS.len()).find(|sender| portfolio_of(*sender) == portfolio);
            self.hear(sender, HeardFact::Limit { limit: Some(told) })
        } else {
            self.put(put_portfolio(portfolio, Some(told))?);
            Ok(())
        }
    }

    fn opt_in(
        &mut self,
        person: u32,
        topic: usize,
        how: Agreeing,
        at: i64,
    ) -> Result<(), MadeUpError> {
        let days = TOPICS.get(topic).and_then(|(_, _, days)| *days);
        let is_lost = how == Agreeing::Asked && self.plan.is_sabotaged(Sabotage::LooseSteps);
        let told = if is_lost { Agreeing::Plainly } else { how };
        let at_ms = Timestamp::from_unix_ms(at);
        let events = self.submit(&commands::opt_in(person, topic, told, at_ms)?);
        if events.is_ok() {
            self.tally.opt_ins += 1;
            let has_proof = how == Agreeing::Confirming;
            if how != Agreeing::Asked
                && self.witness.is_confirmed(person, topic, has_proof, self.now)
            {
                self.witness.agreed(person, topic, at, days);
            } else {
                self.witness.asked(person, topic, at);
            }
        }
        self.settle(events);
        Ok(())
    }

    fn block(&mut self, person: u32, is_blocked: bool) {
        let contact = contact(person);
        let events = self.submit(&if is_blocked {
            Command::Block { contact, reason: None }
        } else {
            Command::Unblock { contact }
        });
        if events.is_ok() {
            self.witness.blocked(person, is_blocked, self.now);
        }
        self.settle(events);
    }

    fn opt_out(
        &mut self,
        person: u32,
        topic: Option<usize>,
        by_message: bool,
    ) -> Result<(), MadeUpError> {
        self.tally.opt_outs += 1;
        let is_lost = self.plan.is_sabotaged(Sabotage::LostStops);
        let events = match by_message {
            _ if is_lost => Ok(Events::new()),
            true => {
                let command = self.wrote(person, 0, Text::Stop(topic))?;
                self.witness.wrote(person, 0, self.now);
                self.submit(&command)
            }
            false => self.submit(&commands::opt_out(person, topic)?),
        };
        self.witness.withdrew(person, topic, self.now);
        self.settle(events);
        Ok(())
    }

    fn hash(&self, person: u32) -> Box<str> {
        let person = self.witness.root(person);
        let place = usize::try_from(person).unwrap_or(usize::MAX);
        let changes = self.identities.get(place).copied().unwrap_or_default();
        format!("hash-{person}-{changes}").into()
    }

    /// A hash is seen that nobody had before; of somebody without any, the first one just before.
    fn identity(&mut self, person: u32) {
        let person = self.witness.root(person);
        let place = usize::try_from(person).unwrap_or(usize::MAX);
        let is_first = self.identities.get(place) == Some(&0);
        for is_change in if is_first { &[false, true][..] } else { &[true] } {
            let is_lost = *is_change && self.plan.is_sabotaged(Sabotage::LostIdentities);
            if let Some(changes) = self.identities.get_mut(place) {
                *changes += 1;
            }
            let hash = self.hash(person);
            let contact = contact(person);
            let command = Command::ReportIdentity { contact, hash, observed_at: None };
            let events = if is_lost { Ok(Events::new()) } else { self.submit(&command) };
            if events.is_err() {
                // Nobody is known by this number yet.
                self.identities.get_mut(place).into_iter().for_each(|changes| *changes -= 1);
                return;
            }
            self.witness.observed(person, self.now);
            if *is_change {
                self.witness.changed(person, self.now);
            }
            self.settle(events);
            self.now += 1;
        }
    }

    /// A CRM asks, and reserves what it may.
    fn reserve(
        &mut self,
        person: u32,
        sender: usize,
        template: Option<usize>,
    ) -> Result<(), MadeUpError> {
        let place = self.witness.tickets.len();
        let reserve = commands::reserve(place, (person, sender), template)?;
        let question = Question {
            kind: reserve.kind,
            template: reserve.template.clone(),
            language: reserve.language.clone(),
            topic: None,
            sender: Some(reserve.sender.clone()),
        };
        let said = self.ask(&question, person, self.now);
        let soon = self.ask(&question, person, self.now + TTL_MS);
        let outcome = self.submit(&Command::ReserveSend(Box::new(reserve)));
        let is_same = match &outcome {
            // What ends before it would be the message's turn is refused as well.
            Err(Refusal::SendRefused(_)) => said == Some(false) || soon == Some(false),
            Err(Refusal::TicketsOpen { .. } | Refusal::SenderBusy { .. }) | Ok(_) => {
                said == Some(true)
            }
            Err(_) => said.is_none(),
        };
        if !is_same {
            let detail = format!("the answer was {said:?}, and then {:?}", outcome.is_ok());
            self.witness.broken("question and send differ", self.now, person, detail);
        }
        match outcome {
            Ok(events) => {
                self.tally.tickets += 1;
                let times = (self.now, ends_at(&events).unwrap_or(i64::MAX));
                self.witness.given((person, sender), template, times);
                self.plan_fate(place, person);
            }
            Err(refusal) => self.refuse(&refusal),
        }
        Ok(())
    }

    /// Asks a question about a person; `None` if it makes no sense.
    fn ask(&mut self, question: &Question, person: u32, at: i64) -> Option<bool> {
        self.desk.decided += 1;
        let (state, now) = (self.desk.state(), Timestamp::from_unix_ms(at));
        let resolved = question.resolve(state, now).ok()?;
        let found = state.contacts().find(commands::key(person));
        let contact = found.and_then(|subject| state.contacts().get(subject));
        let key = Some(commands::key(person));
        Some(resolved.judge((contact, key), Desk::session(), now).is_eligible())
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.refusals += 1;
        if let Refusal::SendRefused(refused) = refusal {
            let hits = refused.verdict.hits.iter();
            hits.for_each(|hit| self.tally.refuse(hit.reason.code()));
        } else if let Refusal::TicketsOpen { .. } = refusal {
            self.tally.refuse("tickets_open");
        } else if let Refusal::SenderBusy { .. } = refusal {
            self.tally.refuse("sender_busy");
        } else {
            self.tally.refuse("other");
        }
    }

    /// Most tickets are used at once, some late, some never; some are given back. Of some the
    /// person withdraws or becomes another meanwhile.
    fn plan_fate(&mut self, ticket: usize, person: u32) {
        let meanwhile = self.now + self.random.random_range(1..30 * SECOND_MS);
        match self.random.random_range(0..100) {
            0..2 => {
                let by_message = self.random.random_range(0..2) == 0;
                let stop = Happening::OptOut { person, topic: None, by_message };
                self.calendar.plan(meanwhile, stop);
            }
            2 => self.calendar.plan(meanwhile, Happening::Identity { person }),
            _ => {}
        }
        let soon = self.random.random_range(SECOND_MS..20 * SECOND_MS);
        let late = self.random.random_range(10 * MINUTE_MS..10 * HOUR_MS);
        let (after, happening) = match self.random.random_range(0..100) {
            0..80 => (soon, Happening::Commit { ticket }),
            80..88 => (soon, Happening::Release { ticket }),
            88..93 => return,
            _ => (late, Happening::Commit { ticket }),
        };
        self.calendar.plan(self.now + after, happening);
    }

    fn commit(&mut self, ticket: usize) {
        let events = self.submit(&commands::commit(ticket));
        let Some(known) = self.witness.tickets.get_mut(ticket) else { return };
        let is_dead = known.is_dead;
        let person = known.person;
        let soon = self.random.random_range(SECOND_MS..MINUTE_MS);
        let fate = self.random.random_range(0..100);
        match events {
            Ok(events) => {
                (known.counts, known.is_open) = (true, false);
                self.witness.sent(ticket, self.now);
                let is_taken = |event: &Event| matches!(event, Event::TicketCommitted { .. });
                let is_taken = events.iter().any(|(_, event)| is_taken(event));
                self.tally.committed += u64::from(is_taken);
                if is_dead && is_taken {
                    let detail = "its ticket was taken back".to_owned();
                    self.witness.broken("sent on a dead ticket", self.now, person, detail);
                }
                let happening = match fate {
                    0..90 => Happening::Delivered { ticket },
                    90..98 => {
                        let any = self.random.random_range(0..FAILURES_LEN);
                        Happening::Failed { ticket, how: any }
                    }
                    _ => return,
                };
                self.calendar.plan(self.now + soon, happening);
            }
            // Some CRM sent it before it asked.
            Err(_) if fate < 10 => {
                self.calendar.plan(self.now + soon, Happening::Delivered { ticket });
            }
            Err(_) => {}
        }
    }

    /// WhatsApp says what became of a message.
    fn delivery(&mut self, place: usize, failed: Option<u8>) -> Result<(), MadeUpError> {
        let Some(ticket) = self.witness.tickets.get(place).copied() else { return Ok(()) };
        let at = Timestamp::from_unix_ms(self.now);
        let events = self.submit(&commands::delivery(place, &ticket, failed, at)?);
        if let Some(known) = self.witness.tickets.get_mut(place).filter(|_| events.is_ok()) {
            (known.counts, known.is_open) = (failed.is_none(), false);
        }
        if failed.is_none() && events.is_ok() {
            self.witness.sent(place, self.now);
        }
        if failed.is_some_and(is_identity) {
            self.witness.changed(ticket.person, self.now);
        }
        self.settle(events);
        Ok(())
    }
}

/// Returns until when the ticket that was given is good.
fn ends_at(events: &Events) -> Option<i64> {
    events.iter().find_map(|(_, event)| {
        let Event::TicketReserved(event) = event else { return None };
        Some(event.expires_at.unix_ms())
    })
}

fn sender_number(sender: usize) -> Result<crate::domain::phone::PhoneNumber, MadeUpError> {
    number(u32::try_from(sender).unwrap_or_default().saturating_add(90_000_000))
}
