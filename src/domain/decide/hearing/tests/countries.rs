//! When WhatsApp says of a message that the business may not write to a country, then none of its
//! senders does, until a later message of any of them arrives there.

use super::{Desk, at, but_counted, delivery};
use crate::domain::{
    command::{Command, RegistryCommand},
    decide::tests::{RULES, sender_id},
    eligibility::Question,
    event::Event,
    hearing::{Delivery, Failure, FailureEffect, Heard, HeardFact, Step},
    home::Home,
    key::ContactKey,
    names::{PortfolioId, SenderId, TemplateName},
    reason::Reason,
    registry::{Portfolio, Sender},
    ticket::MessageKind,
};
use crate::policy::Country;

/// Somebody in Indonesia whom nothing was sent, and somebody in Singapore.
const HERE: u128 = 1;
const ELSEWHERE: u128 = 2;
/// People in Indonesia to whom messages fail or arrive.
const FAILED: u128 = 3;
const ARRIVED: u128 = 4;

/// The sender that is there, another of the same portfolio, and one of another.
const FIRST: &str = "700100200300501";
const SIBLING: &str = "700100200300502";
const STRANGER: &str = "700100200300601";

fn sender(id: &str) -> SenderId {
    SenderId::parse(id).unwrap()
}

impl Desk {
    /// Two senders of one portfolio, one of another, and people of two countries who agreed.
    fn in_two_countries() -> Self {
        let mut desk = Self::new();
        for (key, country) in [(HERE, "ID"), (ELSEWHERE, "SG"), (FAILED, "ID"), (ARRIVED, "ID")] {
            desk.opt_in(key, "promotions", None).unwrap();
            desk.home_of(key, Home { country: Country::parse(country).ok(), zone: None });
        }
        let portfolio = Portfolio { name: "Two".into(), messaging_limit: None, restricted: false };
        let id = PortfolioId::parse("p2").unwrap();
        desk.put(RegistryCommand::PutPortfolio { id, portfolio });
        desk.put_sender(SIBLING, "p1");
        desk.put_sender(STRANGER, "p2");
        desk.now += 100;
        desk
    }

    fn put_sender(&mut self, id: &str, portfolio: &str) {
        let (_, put) = self.state.registry().sender(&sender_id()).unwrap();
        let portfolio = PortfolioId::parse(portfolio).unwrap();
        let sender_put = Sender { portfolio, ..put.value.clone() };
        self.put(RegistryCommand::PutSender { id: sender(id), sender: sender_put });
    }

    fn heard_of(&mut self, id: &SenderId, ms: i64, delivery: Delivery) -> Vec<Event> {
        let fact = HeardFact::Delivery(delivery);
        let heard = Heard { at: at(ms), account: None, sender: Some(id.clone()), fact };
        but_counted(self.run(Command::Hear(Box::new(heard))).unwrap())
    }

    fn closed(&mut self, id: &SenderId, ms: i64) -> Vec<Event> {
        let failed = delivery(self, FAILED, 700, Step::Failed);
        let (effect, country) = (FailureEffect::CountryBlocked, Some("ID".into()));
        let failure = Some(Failure { code: 130_497, effect, pause_ms: None, country });
        self.heard_of(id, ms, Delivery { failure, ..failed })
    }

    fn arrives_from(&mut self, id: &SenderId, ms: i64) {
        let arrived = delivery(self, ARRIVED, 800, Step::Delivered);
        self.heard_of(id, ms, arrived);
    }

    /// Why a template to somebody would be refused.
    fn refused(&self, key: u128, from: Option<&SenderId>) -> Vec<Reason> {
        let question = Question {
            kind: MessageKind::Template,
            template: Some(TemplateName::parse("sale").unwrap()),
            language: None,
            topic: None,
            sender: from.cloned(),
        };
        let (now, key) = (at(self.now), ContactKey::from_bits(key));
        let contact = self.state.contacts().get(self.state.contacts().find(key).unwrap());
        let resolved = question.resolve(&self.state, now).unwrap();
        let verdict = resolved.judge((contact, Some(key)), RULES.session, now);
        verdict.hits.iter().map(|hit| hit.reason).collect()
    }

    /// Whether the first sender, its sibling, the stranger, and a question without a sender get
    /// through to somebody in Indonesia.
    fn is_open(&self) -> [bool; 4] {
        let of = |from: Option<SenderId>| {
            let refused = self.refused(HERE, from.as_ref());
            assert!(refused.is_empty() || refused == [Reason::CountryBlocked], "{refused:?}");
            assert_eq!(self.refused(ELSEWHERE, from.as_ref()), [], "another country");
            refused.is_empty()
        };
        [of(Some(sender_id())), of(Some(sender(SIBLING))), of(Some(sender(STRANGER))), of(None)]
    }
}

#[test]
fn a_country_is_closed_to_every_sender_of_the_portfolio_and_to_a_question_without_one() {
    let mut desk = Desk::in_two_countries();
    assert_eq!(desk.is_open(), [true; 4]);
    let now = desk.now;
    assert_eq!(desk.closed(&sender_id(), now).len(), 1);
    assert!(desk.closed(&sender_id(), now).is_empty(), "told again");
    assert_eq!(desk.is_open(), [false, false, true, false]);
    desk.put_sender("700100200300503", "p1");
    let late = sender("700100200300503");
    assert_eq!(desk.refused(HERE, Some(&late)), [Reason::CountryBlocked], "put afterwards");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_later_message_of_any_sender_of_the_portfolio_opens_it_in_any_order_and_told_twice() {
    enum Said {
        Closed(&'static str, i64),
        Arrived(&'static str, i64),
    }
    use Said::{Arrived, Closed};
    let closed = [false, false, true, false];
    for (place, (said, expected)) in [
        ([Closed(FIRST, 10), Arrived(SIBLING, 20)], [true; 4]),
        ([Closed(SIBLING, 10), Arrived(FIRST, 20)], [true; 4]),
        ([Closed(FIRST, 20), Arrived(SIBLING, 10)], closed),
        ([Closed(FIRST, 20), Arrived(SIBLING, 20)], closed),
        ([Closed(FIRST, 10), Arrived(STRANGER, 20)], closed),
        ([Closed(FIRST, 10), Closed(SIBLING, 30)], closed),
        ([Closed(FIRST, 10), Closed(STRANGER, 20)], [false; 4]),
    ]
    .into_iter()
    .enumerate()
    {
        for order in [[0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0]] {
            let mut desk = Desk::in_two_countries();
            let start = desk.now;
            desk.now += 100;
            for one in order {
                match said[one] {
                    Closed(id, after) => drop(desk.closed(&sender(id), start + after)),
                    Arrived(id, after) => desk.arrives_from(&sender(id), start + after),
                }
            }
            assert_eq!(desk.is_open(), expected, "{place} {order:?}");
            assert!(desk.replayed() == desk.state, "{place} {order:?}");
        }
    }
}

#[test]
fn the_latest_that_was_closed_counts_among_the_senders_of_a_portfolio() {
    let mut desk = Desk::in_two_countries();
    let start = desk.now;
    desk.now += 100;
    desk.closed(&sender(SIBLING), start + 30);
    desk.closed(&sender_id(), start + 10);
    desk.arrives_from(&sender_id(), start + 20);
    assert_eq!(desk.is_open(), [false, false, true, false], "closed again since");
    desk.arrives_from(&sender_id(), start + 31);
    assert_eq!(desk.is_open(), [true; 4]);
}

#[test]
fn what_was_stored_of_one_sender_closes_the_country_to_its_portfolio() {
    let mut desk = Desk::in_two_countries();
    desk.stored(&format!(
        r#"{{"type":"country_blocked","country":"ID","sender":"{FIRST}","happened_at":{}}}"#,
        desk.now
    ));
    assert_eq!(desk.is_open(), [false, false, true, false]);
}
