//! Given a ticket, when what it was judged on ends, then it ends too; and it counts until it is
//! known what became of it.

use serde_json::json;

use super::{Desk, desk::sender_id, topic_id};
use crate::{
    domain::{
        command::{Command, ContactRef, OptIn, RegistryCommand},
        event::Event,
        hearing::{ConsentAnswer, Delivery, Failure, FailureEffect, Heard, HeardFact, Step, Wrote},
        home::Home,
        ids::TicketId,
        key::{ContactKey, MessageKey},
        names::{PortfolioId, TemplateName, TopicId},
        pace::UsageKey,
        reason::Reason,
        refusal::Refusal,
        registry::{Category, Quality, Template, TemplateRef, Topic},
        ticket::{MessageKind, TicketState, VoidCause},
        time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp},
    },
    policy::{ConsentBasis, Country},
};

const TEMPLATE: MessageKind = MessageKind::Template;
const SESSION: MessageKind = MessageKind::Session;

/// Midnight in UTC of the first day of 2027.
const NEW_YEAR: i64 = 1_798_761_600_000;

fn portfolio() -> PortfolioId {
    PortfolioId::parse("p1").unwrap()
}

impl Desk {
    fn with_consenting(count: u128) -> Self {
        let mut desk = Self::new();
        for key in 1..=count {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        desk
    }

    /// Reserves for so long and returns the ticket, when it should be used, and its end.
    fn reserve_for(
        &mut self,
        key: u128,
        kind: MessageKind,
        ttl_ms: i64,
    ) -> Result<(TicketId, i64, i64), Vec<Reason>> {
        let mut send = self.send(key, kind);
        send.ttl_ms = ttl_ms;
        match self.run(Command::ReserveSend(Box::new(send))) {
            Ok(events) => {
                let [Event::TicketReserved(event)] = &events[..] else { panic!("{events:?}") };
                let send_at = event.send_at.map_or(self.now, Timestamp::unix_ms);
                Ok((event.ticket, send_at, event.expires_at.unix_ms()))
            }
            Err(Refusal::SendRefused(refused)) => {
                Err(refused.verdict.hits.iter().map(|hit| hit.reason).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Reserves just so that the ticket ends with what it rests on, and then when that is over.
    fn ends_with(&mut self, (key, kind): (u128, MessageKind), ends_at: i64, then: Reason) {
        self.now = ends_at - MINUTE_MS;
        let (_, _, end) = self.reserve_for(key, kind, DAY_MS).unwrap();
        assert_eq!(end, ends_at, "as long as it rests on something, and no longer");
        self.now = ends_at - MINUTE_MS;
        let (_, _, end) = self.reserve_for(key, kind, 1_000).unwrap();
        assert_eq!(end, ends_at - MINUTE_MS + 1 + 1_000, "no longer than was asked for");
        self.now = ends_at - 2;
        let (_, _, end) = self.reserve_for(key, kind, DAY_MS).unwrap();
        assert_eq!(end, ends_at);
        assert_eq!(self.reserve_for(key, kind, DAY_MS), Err(vec![then]));
    }

    fn ruled(&mut self, overrides: serde_json::Value) {
        self.policy(serde_json::from_value(overrides).unwrap());
    }

    fn limited(&mut self, limit: u32) {
        let id = portfolio();
        let mut portfolio = self.state.registry().portfolio(&id).unwrap().value.clone();
        portfolio.messaging_limit = Some(limit);
        self.put(RegistryCommand::PutPortfolio { id, portfolio });
    }

    fn counts(&self) -> u64 {
        let now = Timestamp::from_unix_ms(self.now);
        self.state.counted(&UsageKey::Portfolio(portfolio())).within(now)
    }

    fn give_back(&mut self, ticket: TicketId) -> usize {
        self.run(Command::ReleaseSend { ticket }).unwrap().len()
    }

    fn blocks(&mut self, key: u128, is_blocked: bool) {
        let contact = ContactRef::Key(ContactKey::from_bits(key));
        let block = Command::Block { contact, reason: None };
        let command = if is_blocked { block } else { Command::Unblock { contact } };
        self.run(command).unwrap();
    }

    fn hears(&mut self, at: i64, fact: HeardFact) -> Vec<Event> {
        let at = Timestamp::from_unix_ms(at);
        let heard = Heard { at, account: None, sender: Some(sender_id()), fact };
        self.run(Command::Hear(Box::new(heard))).unwrap()
    }

    /// WhatsApp says how far the message of a ticket got.
    pub(super) fn steps(
        &mut self,
        (ticket, message): (Option<TicketId>, u128),
        step: Step,
        at: i64,
    ) -> Vec<Event> {
        let effect = FailureEffect::Nothing;
        let failure = Failure { code: 131_000, effect, pause_ms: None, country: None };
        let delivery = Delivery {
            person: None,
            message: MessageKey::from_bits(message),
            message_id: "wamid.x".into(),
            is_message: true,
            ticket,
            step,
            identity_hash: None,
            failure: (step == Step::Failed).then_some(failure),
        };
        self.hears(at, HeardFact::Delivery(delivery))
    }
}

#[test]
fn a_session_ticket_ends_before_the_window_does() {
    let mut desk = Desk::new();
    desk.inbound(1, None).unwrap();
    let closes_at = desk.now + DAY_MS - 60_000;
    desk.ends_with((1, SESSION), closes_at, Reason::SessionWindowClosed);
}

#[test]
fn a_template_that_takes_no_room_because_of_the_window_ends_before_it_does() {
    let mut desk = Desk::with_consenting(2);
    desk.inbound(1, None).unwrap();
    desk.limited(0);
    let closes_at = desk.now - 1 + DAY_MS - 60_000;
    desk.ends_with((1, TEMPLATE), closes_at, Reason::MessagingLimit);
    desk.limited(1);
    let (_, _, end) = desk.reserve_for(1, TEMPLATE, DAY_MS).unwrap();
    assert_eq!((end, desk.counts()), (desk.now + DAY_MS, 1), "outside the window it counts");
}

#[test]
fn a_ticket_ends_with_the_agreement_it_rests_on() {
    let mut desk = Desk::new();
    let id = topic_id("short");
    let expires_after_days = std::num::NonZeroU32::new(2);
    let topic = Topic {
        name: "Short".into(),
        category: Category::Utility,
        description: None,
        expires_after_days: expires_after_days.map(Into::into),
    };
    desk.put(RegistryCommand::PutTopic { id: id.clone(), topic });
    desk.put_template_of(id);
    desk.opt_in(1, "short", None).unwrap();
    let ends_at = desk.now + 2 * DAY_MS;
    desk.ends_with((1, TEMPLATE), ends_at, Reason::Expired);
}

impl Desk {
    /// The one template there is belongs to this topic.
    fn put_template_of(&mut self, topic: TopicId) {
        let id = TemplateRef {
            name: TemplateName::parse("sale").unwrap(),
            language: crate::domain::names::Language::parse("id").unwrap(),
        };
        let template = Template {
            topic,
            category: Category::Utility,
            status: "APPROVED".into(),
            answers: std::collections::BTreeMap::new(),
        };
        self.put(RegistryCommand::PutTemplate { id, template });
    }

    fn agrees_at_home(&mut self, key: u128, country: &str, basis: ConsentBasis) {
        let mut person = self.person(key);
        if let Some(number) = &mut person.number {
            number.home = Home { country: Country::parse(country).ok(), zone: None };
        }
        let command = OptIn { basis, ..super::opt_in_of(person, "promotions") };
        self.run(Command::OptIn(Box::new(command))).unwrap();
    }
}

#[test]
fn a_ticket_ends_with_what_is_implied_where_policy_says_so() {
    let mut desk = Desk::new();
    let rule = json!({"id": "old", "countries": ["SG"], "categories": ["marketing"],
        "why": "What is implied does not last.", "consent_expiry": {"days": 10}});
    desk.ruled(json!({"rules": [rule], "settings": {"frequency_caps": []}}));
    desk.agrees_at_home(1, "SG", ConsentBasis::Express);
    let ends_at = desk.now + 10 * DAY_MS;
    desk.ends_with((1, TEMPLATE), ends_at, Reason::Expired);
}

#[test]
fn a_ticket_ends_where_quiet_hours_begin_and_knows_none_of_days_that_have_none() {
    let mut desk = Desk::new();
    desk.now = NEW_YEAR;
    let rule = json!({"id": "night", "countries": ["SG"], "categories": ["marketing"],
        "why": "People sleep.", "quiet_hours": {"windows":
            [{"from": "21:00", "to": "09:00", "on": ["monday", "tuesday", "wednesday", "thursday", "friday"]}]}});
    desk.ruled(json!({"rules": [rule], "settings": {"frequency_caps": []}}));
    desk.agrees_at_home(1, "SG", ConsentBasis::Express);
    // Friday, nine in the evening in Singapore.
    desk.ends_with((1, TEMPLATE), NEW_YEAR + 13 * HOUR_MS, Reason::QuietHours);
    desk.now = NEW_YEAR + 36 * HOUR_MS;
    let (_, _, end) = desk.reserve_for(1, TEMPLATE, DAY_MS).unwrap();
    assert_eq!(end, desk.now + DAY_MS, "from Saturday evening until Sunday evening nobody minds");
}

#[test]
fn a_ticket_ends_when_a_doubt_about_a_stop_is_due() {
    let mut desk = Desk::with_consenting(1);
    let (why, word) = ("near_miss".into(), Some("STOPP".into()));
    let answer = Some(ConsentAnswer::Review { why, word, scope: Some("everything".into()) });
    let wrote = Wrote {
        person: desk.person(1),
        message: MessageKey::from_bits(1),
        message_id: "wamid.in".into(),
        kind: "text".into(),
        opens_window: false,
        identity_hash: None,
        answer,
        shared_number: None,
    };
    let wrote_at = desk.now;
    desk.hears(wrote_at, HeardFact::Wrote(wrote));
    desk.ends_with((1, TEMPLATE), wrote_at + 72 * HOUR_MS, Reason::MarketingCooldown);
}

#[test]
fn a_message_whose_turn_comes_too_late_is_refused_for_what_ends_before_it() {
    let mut desk = Desk::new();
    let id = sender_id();
    let mut sender = desk.state.registry().sender(&id).unwrap().1.value.clone();
    sender.throughput = std::num::NonZeroU32::new(1);
    desk.put(RegistryCommand::PutSender { id, sender });
    for key in 1..=6 {
        desk.inbound(key, None).unwrap();
    }
    let closes_at = desk.now - 5 + DAY_MS - 60_000;
    for key in 1..=3 {
        desk.now = closes_at - 2_500;
        let (_, send_at, end) = desk.reserve_for(key, SESSION, 60_000).unwrap();
        assert!(send_at < end, "{send_at} {end}");
    }
    desk.now = closes_at - 2_500;
    assert_eq!(desk.reserve_for(4, SESSION, 60_000), Err(vec![Reason::SessionWindowClosed]));
}

#[test]
fn a_person_counts_from_the_message_and_not_from_the_reservation() {
    let mut desk = Desk::with_consenting(4);
    desk.limited(2);
    let start = desk.now;
    let one = desk.reserve_for(1, TEMPLATE, DAY_MS).unwrap().0;
    let other = desk.reserve_for(2, TEMPLATE, DAY_MS).unwrap().0;
    desk.now = start + DAY_MS - MINUTE_MS;
    desk.commit(one, 1).unwrap();
    let sent_at = desk.now;
    // The other one was not heard of: it may go out until its ticket ends.
    desk.now = start + DAY_MS + HOUR_MS;
    assert_eq!(desk.reserve_for(3, TEMPLATE, 1_000), Err(vec![Reason::MessagingLimit]));
    desk.now = sent_at + DAY_MS - 2;
    assert_eq!(desk.reserve_for(3, TEMPLATE, 1_000), Err(vec![Reason::MessagingLimit]));
    desk.reserve_for(3, TEMPLATE, 1_000).expect("a day after the message to the first");
    // It had gone out at once, and WhatsApp says so late: the moment is when it went.
    desk.steps((Some(other), 2), Step::Sent, start + HOUR_MS);
    desk.reserve_for(4, TEMPLATE, 1_000).expect("a day after the message to the second");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_whatsapp_says_of_a_message_dates_it_but_never_before_its_reservation() {
    let mut desk = Desk::with_consenting(6);
    let freed = |desk: &Desk| {
        let counted = desk.state.counted(&UsageKey::Portfolio(portfolio()));
        counted.freed_at(1, Timestamp::from_unix_ms(desk.now)).map(|at| at.unix_ms() - DAY_MS)
    };
    let (ticket, reserved_at, end) = desk.reserve_for(1, TEMPLATE, DAY_MS).unwrap();
    assert_eq!(freed(&desk), Some(end));
    desk.now += 4 * HOUR_MS;
    desk.commit(ticket, 1).unwrap();
    let committed_at = desk.now;
    assert_eq!(freed(&desk), Some(committed_at));
    desk.steps((None, 1), Step::Sent, reserved_at + HOUR_MS);
    assert_eq!(freed(&desk), Some(reserved_at + HOUR_MS));
    desk.steps((None, 1), Step::Delivered, reserved_at + 3 * HOUR_MS);
    assert_eq!(freed(&desk), Some(reserved_at + HOUR_MS), "when it arrived is another matter");
    desk.steps((None, 1), Step::Failed, desk.now);
    desk.now += 2 * DAY_MS;

    let (ticket, reserved_at, _) = desk.reserve_for(2, TEMPLATE, DAY_MS).unwrap();
    desk.steps((Some(ticket), 2), Step::Sent, reserved_at - HOUR_MS);
    assert_eq!(freed(&desk), Some(reserved_at), "no clock is that right");
    desk.now += 2 * DAY_MS;

    let (ticket, reserved_at, _) = desk.reserve_for(3, TEMPLATE, DAY_MS).unwrap();
    desk.commit(ticket, 3).unwrap();
    let committed_at = desk.now;
    desk.now = reserved_at + 9 * HOUR_MS;
    desk.steps((None, 3), Step::Delivered, desk.now);
    assert_eq!(freed(&desk), Some(committed_at), "it arrived long after it was sent");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn the_cap_and_the_share_of_yellow_quality_count_from_the_message_too() {
    let mut desk = Desk::with_consenting(4);
    desk.ruled(json!({}));
    let start = desk.now;
    let ticket = desk.reserve_for(1, TEMPLATE, DAY_MS).unwrap().0;
    desk.now = start + DAY_MS - MINUTE_MS;
    desk.commit(ticket, 1).unwrap();
    let sent_at = desk.now;
    desk.now = sent_at + 14 * DAY_MS - 2;
    assert_eq!(desk.reserve_for(1, TEMPLATE, 1_000), Err(vec![Reason::FrequencyCap]));
    desk.reserve_for(1, TEMPLATE, 1_000).expect("fourteen days after the message");

    desk.ruled(json!({"settings": {"frequency_caps": [], "yellow_marketing_percent": 50}}));
    desk.limited(2);
    let id = sender_id();
    let mut sender = desk.state.registry().sender(&id).unwrap().1.value.clone();
    sender.quality = Quality::Yellow;
    desk.put(RegistryCommand::PutSender { id, sender });
    desk.now += 2 * DAY_MS;
    let start = desk.now;
    let ticket = desk.reserve_for(2, TEMPLATE, DAY_MS).unwrap().0;
    desk.now = start + DAY_MS - MINUTE_MS;
    desk.commit(ticket, 2).unwrap();
    let sent_at = desk.now;
    desk.now = sent_at + DAY_MS - 2;
    assert_eq!(desk.reserve_for(3, TEMPLATE, 1_000), Err(vec![Reason::QualityBrake]));
    desk.reserve_for(3, TEMPLATE, 1_000).expect("a day after the message");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_was_taken_back_counts_because_it_may_have_gone_out() {
    let mut desk = Desk::with_consenting(1);
    desk.ruled(json!({}));
    let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
    desk.blocks(1, true);
    let voided = desk.commit(ticket, 1);
    assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::Blocked })));
    let sent_at = desk.now;
    desk.blocks(1, false);
    assert_eq!(desk.reserve_for(1, TEMPLATE, 1_000), Err(vec![Reason::FrequencyCap]));
    let before = desk.entries.len();
    let again = desk.commit(ticket, 1);
    assert!(matches!(again, Err(Refusal::TicketVoided { cause: VoidCause::Blocked })));
    assert!(matches!(desk.commit(ticket, 2), Err(Refusal::TicketVoided { .. })));
    assert_eq!(desk.give_back(ticket), 0, "what was sent is not given back");
    assert_eq!(desk.entries.len(), before, "that is noted once");
    // Its later statuses find it, and the person, by the message alone.
    let events = desk.steps((None, 1), Step::Delivered, desk.now);
    assert!(
        matches!(events[..], [Event::TicketStepped { ticket: known, .. }, ..] if known == ticket)
    );
    desk.now = sent_at + 14 * DAY_MS - 2;
    assert_eq!(desk.reserve_for(1, TEMPLATE, 1_000), Err(vec![Reason::FrequencyCap]));
    desk.reserve_for(1, TEMPLATE, 1_000).expect("fourteen days after it went out");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn room_of_what_was_taken_back_comes_back_when_it_is_given_back_or_fails_or_in_time() {
    let mut desk = Desk::with_consenting(5);
    desk.limited(3);
    let tickets = [1, 2, 3].map(|key| desk.reserve_for(key, TEMPLATE, HOUR_MS).unwrap());
    for key in 1..=3 {
        desk.blocks(key, true);
    }
    assert_eq!(desk.counts(), 3, "nobody said that they did not go out");
    assert_eq!(desk.give_back(tickets[0].0), 1);
    assert_eq!(desk.give_back(tickets[0].0), 0);
    let state = desk.state.ticket(tickets[0].0).unwrap().state;
    assert_eq!(state, TicketState::Voided { cause: VoidCause::Blocked });
    assert_eq!(desk.counts(), 2);
    desk.steps((Some(tickets[1].0), 9), Step::Failed, desk.now);
    assert_eq!(desk.counts(), 1);
    desk.now = tickets[2].2 + DAY_MS - 1;
    assert_eq!(desk.counts(), 1);
    desk.now += 1;
    assert_eq!(desk.counts(), 0, "a day after it ended, as of any ticket nobody heard of");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_cap_counts_what_was_taken_back_for_a_day_and_what_was_sent_for_all_its_days() {
    for is_sent in [false, true] {
        let mut desk = Desk::with_consenting(1);
        desk.ruled(json!({}));
        let (ticket, _, end) = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap();
        desk.blocks(1, true);
        desk.blocks(1, false);
        desk.now = end + DAY_MS - 2;
        assert_eq!(desk.reserve_for(1, TEMPLATE, 1_000), Err(vec![Reason::FrequencyCap]));
        if is_sent {
            // It had gone out all the same, as WhatsApp says late.
            desk.steps((Some(ticket), 9), Step::Delivered, end);
            desk.now = end + 14 * DAY_MS - 2;
            assert_eq!(desk.reserve_for(1, TEMPLATE, 1_000), Err(vec![Reason::FrequencyCap]));
        }
        desk.reserve_for(1, TEMPLATE, 1_000).expect("its days are over");
        assert!(desk.replayed() == desk.state);
    }
    // Of several under a cap, the one that ends first says when there is room.
    let mut desk = Desk::with_consenting(1);
    let cap = json!({"category": "marketing", "cap": {"count": 2, "days": 14}});
    desk.ruled(json!({"settings": {"frequency_caps": [cap]}}));
    let sent = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
    desk.commit(sent, 1).unwrap();
    let (_, _, end) = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap();
    desk.blocks(1, true);
    desk.blocks(1, false);
    let refused = desk.reserve_for(1, TEMPLATE, 1_000);
    assert_eq!(refused, Err(vec![Reason::FrequencyCap]));
    desk.now = end + DAY_MS;
    desk.reserve_for(1, TEMPLATE, 1_000).expect("one of the two counts no more");
}

#[test]
fn what_is_sent_on_a_ticket_that_was_given_back_counts_again() {
    let mut desk = Desk::with_consenting(1);
    let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
    desk.give_back(ticket);
    assert_eq!(desk.counts(), 0);
    assert!(matches!(desk.commit(ticket, 1), Err(Refusal::TicketReleased)));
    assert_eq!(desk.counts(), 1);
    assert!(matches!(desk.commit(ticket, 1), Err(Refusal::TicketReleased)));
}

#[test]
fn a_portfolio_that_is_restricted_takes_back_the_tickets_of_its_senders_and_no_others() {
    let mut desk = Desk::with_consenting(2);
    let other = PortfolioId::parse("p2").unwrap();
    let known = desk.state.registry().portfolio(&portfolio()).unwrap().value.clone();
    desk.put(RegistryCommand::PutPortfolio { id: other.clone(), portfolio: known.clone() });
    let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
    let restricted = crate::domain::registry::Portfolio { restricted: true, ..known };
    let put = |id| RegistryCommand::PutPortfolio { id, portfolio: restricted.clone() };
    desk.put(put(other.clone()));
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Reserved);
    let events = desk.run(Command::Registry(Box::new(put(portfolio())))).unwrap();
    assert!(matches!(events[..], [Event::PortfolioPut { .. }, Event::TicketVoided { .. }]));
    let voided = TicketState::Voided { cause: VoidCause::SenderHalted };
    assert_eq!(desk.state.ticket(ticket).unwrap().state, voided);
    assert_eq!(desk.reserve_for(2, TEMPLATE, 1_000), Err(vec![Reason::AccountRestricted]));

    let mut desk = Desk::with_consenting(1);
    desk.put(put(other.clone()));
    let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
    let id = sender_id();
    let mut sender = desk.state.registry().sender(&id).unwrap().1.value.clone();
    sender.portfolio = other;
    desk.put(RegistryCommand::PutSender { id, sender });
    assert_eq!(desk.state.ticket(ticket).unwrap().state, voided, "it moved where nobody may send");
}

/// Everything that somebody may agree to at once.
fn general(desk: &mut Desk) {
    let (name, category, description) = ("Everything".into(), Category::Marketing, None);
    let topic = Topic { name, category, description, expires_after_days: None };
    desk.put(RegistryCommand::PutTopic { id: topic_id("general"), topic });
    let text = r#"{"settings": {"frequency_caps": [], "general_topic": true}}"#;
    desk.policy(serde_json::from_str(text).unwrap());
}

#[test]
fn a_withdrawal_from_what_covers_a_topic_takes_back_what_rested_on_it_and_no_more() {
    for (agreed, state) in [
        (&["general"][..], TicketState::Voided { cause: VoidCause::Withdrawn }),
        (&["general", "promotions"][..], TicketState::Reserved),
    ] {
        let mut desk = Desk::new();
        general(&mut desk);
        for topic in agreed {
            desk.opt_in(1, topic, None).unwrap();
        }
        let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
        desk.now += 10;
        desk.opt_out(1, Some(&["general"])).unwrap();
        assert_eq!(desk.state.ticket(ticket).unwrap().state, state, "{agreed:?}");
        let is_allowed = desk.reserve_for(1, TEMPLATE, HOUR_MS).is_ok();
        assert_eq!(is_allowed, state == TicketState::Reserved, "as a new one would be");
    }
}

#[test]
fn a_withdrawal_that_comes_late_and_changes_nothing_takes_nothing_back() {
    for topics in [None, Some(&["promotions"][..])] {
        for kind in [TEMPLATE, SESSION] {
            let mut desk = Desk::new();
            desk.now += 2 * DAY_MS;
            let before = desk.now - DAY_MS;
            desk.inbound(1, Some(desk.now)).unwrap();
            desk.opt_in(1, "promotions", None).unwrap();
            let ticket = desk.reserve_for(1, kind, HOUR_MS).unwrap().0;
            desk.now += 10;
            desk.opt_out_at(1, topics, Some(before)).unwrap();
            assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Reserved);
            assert!(desk.reserve_for(1, kind, HOUR_MS).is_ok());
            desk.opt_out(1, topics).unwrap();
            let voided = TicketState::Voided { cause: VoidCause::Withdrawn };
            let is_left = kind == SESSION && topics.is_some();
            let expected = if is_left { TicketState::Reserved } else { voided };
            assert_eq!(desk.state.ticket(ticket).unwrap().state, expected, "{topics:?} {kind:?}");
        }
    }
}

#[test]
fn a_sender_that_is_put_into_an_account_whatsapp_stopped_loses_what_that_stops() {
    let account = |id| crate::domain::names::AccountId::parse(id).unwrap();
    let into = |desk: &mut Desk, id| {
        let sender = desk.state.registry().sender(&sender_id()).unwrap().1.value.clone();
        let sender = crate::domain::registry::Sender { account: Some(account(id)), ..sender };
        desk.put(RegistryCommand::PutSender { id: sender_id(), sender });
    };
    for (scope, state) in [
        ("all", TicketState::Voided { cause: VoidCause::SenderHalted }),
        ("utility", TicketState::Reserved),
    ] {
        let mut desk = Desk::with_consenting(1);
        into(&mut desk, "a1");
        let held = format!(
            r#"{{"type": "account_held", "account": "a2", "scope": "{scope}", "happened_at": {}}}"#,
            desk.now
        );
        desk.stored(&held);
        let ticket = desk.reserve_for(1, TEMPLATE, HOUR_MS).unwrap().0;
        desk.now += 10;
        into(&mut desk, "a2");
        assert_eq!(desk.state.ticket(ticket).unwrap().state, state, "{scope}");
        let is_allowed = desk.reserve_for(1, TEMPLATE, HOUR_MS).is_ok();
        assert_eq!(is_allowed, state == TicketState::Reserved, "{scope}");
    }
}
