//! What answers about templates say beside what webhooks, failures and puts said.

use izin::{
    domain::{
        command::ReserveSend,
        hearing::{Delivery, Failure, FailureEffect, Step, TemplateFact},
        ids::TicketId,
        key::MessageKey,
        registry::TemplateView,
        ticket::MessageKind,
        time::Timestamp,
    },
    runtime::clock::Clock as _,
};
use uuid::Uuid;

use super::{
    ACCOUNT, Asking, Category, Command, Envelope, FIRST, Heard, HeardFact, Ledger, NUMBER, Quality,
    Reply, asking, put_sender, put_template, sender_id, template,
};
use crate::business::{contact, opt_in, person};

/// What of a template's view is looked at here.
#[derive(Debug, PartialEq, Eq)]
struct Stands {
    is_stopped: bool,
    category: Category,
    has_turned: bool,
    quality: Option<Quality>,
}

const SENT: Stands =
    Stands { is_stopped: false, category: Category::Utility, has_turned: false, quality: None };

impl Asking {
    fn stands(&self) -> Stands {
        let now = self.business.clock.now();
        let state = self.business.views.state();
        let sender = sender_id(FIRST);
        let view = state.registry().template_for(&template("sale", "en"), Some(&sender)).unwrap();
        let TemplateView { status, category, quality, marketing_since, .. } = view;
        let has_turned = marketing_since.is_some_and(|(since, _)| since <= now);
        Stands { is_stopped: status.stops(now), category, has_turned, quality }
    }

    async fn tell(&self, at: Timestamp, fact: HeardFact) {
        tell(&self.ledger, at, fact).await;
    }

    /// Asks once more, some time after the last, and returns how many entries that made.
    async fn asks_again(&mut self, status: &str, category: &str) -> u64 {
        self.business.clock.advance_ms(600_000);
        self.answers(status, category);
        let before = self.last();
        self.poller.round().await;
        self.last() - before
    }

    fn answers(&self, status: &str, category: &str) {
        let templates = format!(
            r#"{{"data":[{{"name":"sale","language":"en","status":"{status}",
                "category":"{category}"}}]}}"#
        );
        self.fake.answer_by(move |received| {
            let is_about_templates = received.target.contains("/message_templates");
            Reply::json(if is_about_templates { &templates } else { NUMBER })
        });
    }
}

async fn tell(ledger: &Ledger, at: Timestamp, fact: HeardFact) {
    let account = Some(izin::domain::names::AccountId::parse(ACCOUNT).unwrap());
    let heard = Heard { at, account, sender: Some(sender_id(FIRST)), fact };
    let command = Command::Hear(Box::new(heard));
    let envelope = Envelope { actor: super::Actor::System, once: None, command };
    ledger.submit(envelope).await.unwrap();
}

fn status(status: &str, pause_ms: Option<i64>) -> HeardFact {
    let (template, status) = (template("sale", "en"), status.into());
    HeardFact::Template(TemplateFact::Status { template, status, pause_ms, category: None })
}

fn put() -> Vec<Command> {
    vec![put_sender(FIRST, ACCOUNT), put_template("sale", "en"), opt_in(0, &["orders"], None)]
}

#[test]
fn a_pause_that_should_be_over_goes_on_for_as_long_as_whatsapp_says_so() {
    asking(put(), async |asking| {
        asking.tell(asking.business.clock.now(), status("PAUSED", Some(700_000))).await;
        assert_eq!(asking.asks_again("PAUSED", "UTILITY").await, 0, "known");
        asking.business.clock.advance_ms(300_000);
        assert_eq!(asking.stands(), SENT, "it should be over");
        assert_eq!(asking.asks_again("PAUSED", "UTILITY").await, 1);
        assert_eq!(asking.stands(), Stands { is_stopped: true, ..SENT });
        assert_eq!(asking.asks_again("PAUSED", "UTILITY").await, 0, "known");
        assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 1);
        assert_eq!(asking.stands(), SENT);
    });
}

#[test]
fn an_answer_that_repeats_approved_ends_nothing_that_a_failure_lets_conclude() {
    for pause_ms in [None, Some(3_600_000)] {
        asking(put(), async move |asking| {
            let ticket = TicketId::from_uuid(Uuid::from_u128(7));
            let reserve = ReserveSend {
                ticket,
                recipient: contact(0),
                number: None,
                user_id: None,
                kind: MessageKind::Template,
                template: Some(template("sale", "en").name),
                language: None,
                sender: sender_id(FIRST),
                ttl_ms: 60_000,
            };
            let command = Command::ReserveSend(Box::new(reserve));
            let envelope = Envelope { actor: super::Actor::Operator, once: None, command };
            asking.ledger.submit(envelope).await.unwrap();
            // The flow of the template is blocked, or throttled for an hour.
            let (code, effect) = (132_068, FailureEffect::TemplatePaused);
            let failed = HeardFact::Delivery(Delivery {
                person: Some(person(0)),
                message: MessageKey::from_bits(9),
                message_id: "wamid.out".into(),
                is_message: true,
                ticket: Some(ticket),
                step: Step::Failed,
                identity_hash: None,
                failure: Some(Failure { code, effect, pause_ms, country: None }),
            });
            asking.tell(asking.business.clock.now(), failed).await;
            let stopped = Stands { is_stopped: true, ..SENT };
            assert_eq!(asking.stands(), stopped);
            assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 0);
            assert_eq!(asking.stands(), stopped);
            if pause_ms.is_some() {
                asking.business.clock.advance_ms(3_000_000);
                assert_eq!(asking.stands(), SENT, "its own end");
            } else {
                asking.tell(asking.business.clock.now(), status("APPROVED", None)).await;
                assert_eq!(asking.stands(), SENT, "WhatsApp's own word");
            }
        });
    }
}

#[test]
fn a_pause_of_the_second_of_the_question_outlasts_the_answer_in_any_order() {
    for is_first in [true, false] {
        asking(put(), async move |asking| {
            asking.answers("PENDING", "UTILITY");
            asking.poller.round().await;
            asking.business.clock.advance_ms(60_000);
            let (second, ledger) = (asking.business.clock.now(), asking.ledger.clone());
            asking.business.clock.advance_ms(700);
            if is_first {
                let templates = r#"{"data":[{"name":"sale","language":"en","status":"APPROVED",
                    "category":"UTILITY"}]}"#;
                asking.fake.answer_by(move |received| {
                    if !received.target.contains("/message_templates") {
                        return Reply::json(NUMBER);
                    }
                    // It is paused, and its webhook comes, while the answer is on its way.
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(tell(&ledger, second, status("PAUSED", None)));
                    Reply::json(templates)
                });
                asking.poller.round().await;
            } else {
                asking.answers("APPROVED", "UTILITY");
                asking.poller.round().await;
                assert_eq!(asking.stands(), SENT);
                asking.tell(second, status("PAUSED", None)).await;
            }
            assert_eq!(asking.stands(), Stands { is_stopped: true, ..SENT }, "{is_first}");
            assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 1);
            assert_eq!(asking.stands(), SENT);
        });
    }
}

#[test]
fn a_change_that_was_announced_and_never_came_ends_with_the_answer() {
    asking(put(), async |asking| {
        let now = asking.business.clock.now();
        let (category, from) = (Category::Marketing, now.plus_ms(900_000));
        let template = template("sale", "en");
        let fact = TemplateFact::CategoryImpending { template, category, from };
        asking.tell(now, HeardFact::Template(fact)).await;
        assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 0, "its day is to come");
        asking.business.clock.advance_ms(300_000);
        assert_eq!(asking.stands(), Stands { has_turned: true, ..SENT });
        assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 1);
        assert_eq!(asking.stands(), SENT);
        assert_eq!(asking.asks_again("APPROVED", "UTILITY").await, 0, "known");
        assert_eq!(asking.asks_again("APPROVED", "MARKETING").await, 1);
        let stands = asking.stands();
        assert!(stands.has_turned && stands.category == Category::Marketing);
        assert_eq!(asking.asks_again("APPROVED", "MARKETING").await, 0, "known");
    });
}

#[test]
fn answers_are_dated_by_the_whole_second_of_their_question() {
    asking(put(), async |asking| {
        let second = asking.business.clock.now();
        asking.business.clock.advance_ms(999);
        asking.answers("PAUSED", "UTILITY");
        asking.poller.round().await;
        let state = asking.business.views.state();
        let (id, sender) = (template("sale", "en"), sender_id(FIRST));
        let view = state.registry().template_for(&id, Some(&sender)).unwrap();
        assert_eq!(view.status.at, second);
    });
}
