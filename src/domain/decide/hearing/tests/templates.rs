//! Given two accounts with a template of the same name, when WhatsApp says something about it, then
//! it holds for whoever sends by that account.

use super::{Desk, TEMPLATE, at, business::sale};
use crate::domain::{
    command::{Command, RegistryCommand},
    contact::Contact,
    decide::tests::{RULES, sender_id, topic_id},
    eligibility::{Question, Verdict},
    event::Event,
    hearing::{Delivery, Failure, FailureEffect, HeardFact, Step, TemplateFact},
    key::ContactKey,
    names::{AccountId, SenderId},
    reason::Reason,
    registry::{Category, Quality, Sender, Template},
    ticket::TicketState,
    time::Timestamp,
};

pub(super) const ONE: &str = "a1";
pub(super) const OTHER: &str = "a2";

/// A sender of the second account.
pub(super) fn other_sender() -> SenderId {
    SenderId::parse("700100200300502").unwrap()
}

/// A sender whose account nobody knows.
pub(super) fn homeless() -> SenderId {
    SenderId::parse("700100200300503").unwrap()
}

impl Desk {
    /// Somebody who agreed, and senders of two accounts and of none.
    pub(super) fn of_two_accounts() -> Self {
        let mut desk = Self::willing();
        let put = desk.state.registry().sender(&sender_id()).unwrap().1.value.clone();
        for (id, account) in
            [(sender_id(), Some(ONE)), (other_sender(), Some(OTHER)), (homeless(), None)]
        {
            let account = account.map(|account| AccountId::parse(account).unwrap());
            desk.put(RegistryCommand::PutSender { id, sender: Sender { account, ..put.clone() } });
        }
        desk.now += 100;
        desk
    }

    pub(super) fn template_told(
        &mut self,
        ms: i64,
        account: &str,
        fact: TemplateFact,
    ) -> Vec<Event> {
        self.told(ms, (account, None), HeardFact::Template(fact))
    }

    pub(super) fn status_told(&mut self, ms: i64, account: &str, status: &str) -> Vec<Event> {
        let (template, status, category) = (sale(), status.into(), None);
        let fact = TemplateFact::Status { template, status, pause_ms: None, category };
        self.template_told(ms, account, fact)
    }

    /// A message through a sender failed since the template is paused.
    pub(super) fn failed_through(
        &mut self,
        sender: SenderId,
        account: Option<&str>,
        pause_ms: Option<i64>,
    ) {
        let mut send = self.send(1, TEMPLATE);
        send.sender = sender.clone();
        let ticket = Some(send.ticket);
        self.run(Command::ReserveSend(Box::new(send))).unwrap();
        let effect = FailureEffect::TemplatePaused;
        let failure = Some(Failure { code: 132_015, effect, pause_ms, country: None });
        let failed = super::delivery(self, 1, 700, Step::Failed);
        let fact = HeardFact::Delivery(Delivery { ticket, failure, ..failed });
        let account = account.map(|account| AccountId::parse(account).unwrap());
        let heard = super::Heard { at: at(self.now), account, sender: Some(sender), fact };
        self.run(Command::Hear(Box::new(heard))).unwrap();
    }

    pub(super) fn put_as(&mut self, change: impl FnOnce(&mut Template)) {
        let mut template = self.state.registry().template(&sale()).unwrap().value.clone();
        change(&mut template);
        self.put(RegistryCommand::PutTemplate { id: sale(), template });
    }

    fn verdict(&self, sender: Option<SenderId>) -> Verdict {
        let contacts = self.state.contacts();
        let contact = contacts.find(ContactKey::from_bits(1)).and_then(|at| contacts.get(at));
        self.verdict_on(contact.unwrap(), sender)
    }

    fn verdict_on(&self, contact: &Contact, sender: Option<SenderId>) -> Verdict {
        let question = Question {
            kind: TEMPLATE,
            template: Some(sale().name),
            language: None,
            topic: None,
            sender,
        };
        let now = Timestamp::from_unix_ms(self.now + 1);
        let contact = Some(contact);
        question.resolve(&self.state, now).unwrap().judge((contact, None), RULES.session, now)
    }

    /// What stands against a message by the first account, by the second, by a sender of neither,
    /// and by nobody in particular.
    pub(super) fn against(&self) -> [Vec<Reason>; 4] {
        let senders = [Some(sender_id()), Some(other_sender()), Some(homeless()), None];
        senders.map(|sender| self.verdict(sender).hits.iter().map(|hit| hit.reason).collect())
    }
}

/// One reason against a message by each account, or none; who names no account gets any.
pub(super) fn each(one: Option<Reason>, other: Option<Reason>) -> [Vec<Reason>; 4] {
    let any = one.or(other);
    [one, other, any, any].map(|reason| reason.into_iter().collect())
}

pub(super) const PAUSED: Option<Reason> = Some(Reason::TemplatePaused);

#[test]
fn a_template_is_paused_in_the_account_it_is_paused_in_whatever_is_heard_of_another() {
    for late in [false, true] {
        let mut desk = Desk::of_two_accounts();
        let now = desk.now;
        desk.now += 10;
        if late {
            desk.status_told(now + 1, OTHER, "APPROVED");
        }
        assert_eq!(desk.status_told(now, ONE, "PAUSED").len(), 1);
        assert_eq!(desk.against(), each(PAUSED, None));
        if !late {
            desk.status_told(now + 1, OTHER, "APPROVED");
        }
        assert_eq!(desk.against(), each(PAUSED, None));
        assert!(desk.status_told(now, ONE, "PAUSED").is_empty(), "a repeat");
        desk.status_told(now + 2, OTHER, "DISABLED");
        desk.status_told(now + 3, ONE, "APPROVED");
        assert_eq!(desk.against(), each(None, Some(Reason::TemplateDisabled)));
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_pause_concluded_from_a_failure_stops_the_account_of_its_sender_alone() {
    // The account is that of the webhook, or that of the sender where the webhook names none.
    for account in [Some(ONE), None] {
        let mut desk = Desk::of_two_accounts();
        let start = desk.now;
        desk.failed_through(sender_id(), account, Some(1_000));
        assert_eq!(desk.against(), each(PAUSED, None), "{account:?}");
        // The other account's own word ends nothing of it.
        desk.status_told(desk.now, OTHER, "APPROVED");
        assert_eq!(desk.against(), each(PAUSED, None), "{account:?}");
        desk.now = start + 2_000;
        assert_eq!(desk.against(), each(None, None));
    }
    let mut desk = Desk::of_two_accounts();
    desk.failed_through(homeless(), None, None);
    assert_eq!(desk.against(), each(PAUSED, PAUSED), "it may be of either");
}

#[test]
fn putting_a_template_replaces_what_was_reported_of_every_account() {
    let mut desk = Desk::of_two_accounts();
    desk.status_told(desk.now, ONE, "PAUSED");
    desk.status_told(desk.now, OTHER, "DISABLED");
    let before = desk.now;
    desk.put_as(|template| template.status = "APPROVED".into());
    assert_eq!(desk.against(), each(None, None));
    assert!(desk.status_told(before, ONE, "PAUSED").is_empty(), "older than what was put");
    let reports = desk.entries.len();
    desk.put_as(|template| template.status = "APPROVED".into());
    assert_eq!(desk.entries.len(), reports, "nothing new");
    // What one account says already is not so in the other yet.
    desk.status_told(desk.now, ONE, "REJECTED");
    assert_eq!(desk.against(), each(Some(Reason::TemplateNotApproved), None));
    desk.put_as(|template| template.status = "REJECTED".into());
    let rejected = Some(Reason::TemplateNotApproved);
    assert_eq!(desk.against(), each(rejected, rejected));
}

#[test]
fn what_was_put_as_pending_is_approved_by_the_accounts_that_say_so() {
    let mut desk = Desk::of_two_accounts();
    desk.put_as(|template| template.status = "PENDING".into());
    desk.now += 10;
    desk.status_told(desk.now, ONE, "APPROVED");
    assert_eq!(desk.against(), each(None, Some(Reason::TemplateNotApproved)));
    desk.status_told(desk.now, OTHER, "APPROVED");
    assert_eq!(desk.against(), each(None, None));
}

#[test]
fn who_names_no_account_gets_what_an_account_that_said_nothing_gets() {
    let filed = |desk: &mut Desk, account, category| {
        let now = desk.now;
        desk.template_told(now, account, TemplateFact::Category { template: sale(), category });
    };
    // It is put as marketing, and one account files it as something else.
    let mut desk = Desk::of_two_accounts();
    filed(&mut desk, ONE, Category::Utility);
    desk.prefers(1, desk.now, true);
    assert_eq!(desk.against(), each(None, Some(Reason::MarketingStopped)));
    // Only one account files it as what goes to numbers alone.
    let mut desk = Desk::of_two_accounts();
    filed(&mut desk, ONE, Category::Authentication);
    filed(&mut desk, OTHER, Category::Utility);
    let contacts = desk.state.contacts();
    let mut somebody =
        contacts.get(contacts.find(ContactKey::from_bits(1)).unwrap()).unwrap().clone();
    somebody.number_key = None;
    let needs = |sender| {
        let verdict = desk.verdict_on(&somebody, sender);
        verdict.hits.iter().any(|hit| hit.reason == Reason::InvalidNumber)
    };
    assert!(needs(Some(sender_id())) && !needs(Some(other_sender())));
    assert!(needs(Some(homeless())) && needs(None));
}

#[test]
fn a_report_stored_without_an_account_counts_for_all_until_a_later_word_of_theirs() {
    let mut desk = Desk::of_two_accounts();
    desk.stored(&format!(
        r#"{{"type":"template_reported","template":{{"name":"sale","language":"id"}},
            "change":{{"what":"status","status":"PAUSED"}},"happened_at":{}}}"#,
        desk.now
    ));
    assert_eq!(desk.against(), each(PAUSED, PAUSED));
    desk.status_told(desk.now - 1, OTHER, "APPROVED");
    assert_eq!(desk.against(), each(PAUSED, PAUSED), "an older word");
    desk.now += 10;
    desk.status_told(desk.now, OTHER, "APPROVED");
    assert_eq!(desk.against(), each(PAUSED, None));
    desk.put_as(|template| template.status = "APPROVED".into());
    assert_eq!(desk.against(), each(None, None));
}

#[test]
fn a_report_of_an_account_names_it_in_the_ledger() {
    let mut desk = Desk::of_two_accounts();
    let events = desk.status_told(desk.now, OTHER, "PAUSED");
    let stored = serde_json::to_value(&events[0]).unwrap();
    assert_eq!(stored["account"], OTHER);
}

#[test]
fn the_pause_that_ends_last_counts_for_who_names_no_account() {
    let mut desk = Desk::of_two_accounts();
    let now = desk.now;
    for (account, pause_ms) in [(ONE, 500), (OTHER, 300)] {
        let (template, status) = (sale(), "PAUSED".into());
        let pause_ms = Some(pause_ms);
        let fact = TemplateFact::Status { template, status, pause_ms, category: None };
        desk.template_told(now, account, fact);
    }
    let end = |desk: &Desk, sender| desk.verdict(sender).hits[0].retry_at;
    assert_eq!(end(&desk, None), Some(at(now + 500)));
    assert_eq!(end(&desk, Some(other_sender())), Some(at(now + 300)));
    desk.status_told(now + 1, OTHER, "PAUSED");
    assert_eq!(end(&desk, None), None, "a pause without an end");
}

#[test]
fn quality_and_category_are_those_of_the_account() {
    let mut desk = Desk::of_two_accounts();
    let now = desk.now;
    let quality = |quality| TemplateFact::Quality { template: sale(), quality };
    desk.template_told(now, ONE, quality(Quality::Red));
    desk.template_told(now, OTHER, quality(Quality::Green));
    assert_eq!(desk.against(), each(Some(Reason::QualityBrake), None));
    desk.put_as(|template| {
        (template.topic, template.category) = (topic_id("orders"), Category::Utility);
    });
    desk.now += 10;
    let now = desk.now;
    assert_eq!(desk.against(), each(None, None));
    desk.template_told(now, ONE, quality(Quality::Green));
    let category = Category::Marketing;
    desk.template_told(now, OTHER, TemplateFact::Category { template: sale(), category });
    assert_eq!(desk.against(), each(None, Some(Reason::NeverAsked)));
    let (category, from) = (Category::Marketing, at(now + 50));
    let template = sale();
    desk.template_told(now, ONE, TemplateFact::CategoryImpending { template, category, from });
    assert_eq!(desk.against(), each(None, Some(Reason::NeverAsked)));
    // What was announced outlives a put; what was filed does not.
    desk.put_as(|template| template.status = "APPROVED".into());
    assert_eq!(desk.against(), each(None, None));
    desk.now += 60;
    assert_eq!(desk.against(), each(Some(Reason::NeverAsked), None));
}

#[test]
fn a_stop_of_marketing_takes_back_what_is_marketing_in_the_account_it_is_sent_by() {
    let mut desk = Desk::of_two_accounts();
    desk.put_as(|template| {
        (template.topic, template.category) = (topic_id("orders"), Category::Utility);
    });
    let tickets = [sender_id(), other_sender()].map(|sender| {
        let mut send = desk.send(1, TEMPLATE);
        (send.sender, send.template) = (sender, Some(sale().name));
        let ticket = send.ticket;
        desk.run(Command::ReserveSend(Box::new(send))).unwrap();
        ticket
    });
    desk.now += 10;
    let (category, now) = (Category::Marketing, desk.now);
    desk.template_told(now, OTHER, TemplateFact::Category { template: sale(), category });
    desk.prefers(1, now, true);
    let states = tickets.map(|ticket| desk.state.ticket(ticket).unwrap().state);
    assert_eq!(states[0], TicketState::Reserved);
    assert!(matches!(states[1], TicketState::Voided { .. }), "{states:?}");
}
