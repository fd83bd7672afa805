//! Given what is known of the business, when WhatsApp says something about it, then what may be
//! sent.

use super::{Desk, SESSION, TEMPLATE, at};
use crate::domain::{
    command::{Command, RegistryCommand},
    decide::tests::{sender_id, topic_id},
    event::Event,
    hearing::{AccountFact, Heard, HeardFact, RestrictionKind, SenderFact, TemplateFact},
    key::MessageKey,
    names::{AccountId, Language, PortfolioId, SenderId, TemplateName},
    reason::Reason,
    registry::{Category, Quality, TemplateRef},
    ticket::TicketState,
};

pub(super) fn sale() -> TemplateRef {
    TemplateRef {
        name: TemplateName::parse("sale").unwrap(),
        language: Language::parse("id").unwrap(),
    }
}

impl Desk {
    pub(super) fn told(
        &mut self,
        ms: i64,
        (account, sender): (&str, Option<SenderId>),
        fact: HeardFact,
    ) -> Vec<Event> {
        let account = Some(AccountId::parse(account).unwrap());
        let heard = Heard { at: at(ms), account, sender, fact };
        self.run(Command::Hear(Box::new(heard))).unwrap()
    }

    fn account(&mut self, ms: i64, fact: AccountFact) -> Vec<Event> {
        self.told(ms, ("a1", None), HeardFact::Account(fact))
    }

    pub(super) fn template_is(
        &mut self,
        ms: i64,
        status: &str,
        pause_ms: Option<i64>,
    ) -> Vec<Event> {
        let (template, status, category) = (sale(), status.into(), None);
        let status = TemplateFact::Status { template, status, pause_ms, category };
        self.told(ms, ("a1", None), HeardFact::Template(status))
    }

    /// Somebody who agreed and wrote, some time ago.
    pub(super) fn willing() -> Self {
        let mut desk = Self::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_in(1, "orders", None).unwrap();
        desk.wrote(1, desk.now, None);
        desk.now += 100;
        desk
    }
}

fn restricted(kind: RestrictionKind, until: Option<i64>) -> AccountFact {
    AccountFact::Restricted { kinds: vec![(kind, until.map(at))] }
}

#[test]
fn a_restriction_stops_what_it_names_until_its_end() {
    let mut desk = Desk::willing();
    let now = desk.now;
    assert!(desk.account(now, restricted(RestrictionKind::Other, None)).is_empty());
    let fact = restricted(RestrictionKind::BusinessInitiated, Some(now + 50));
    assert_eq!(desk.account(now, fact.clone()).len(), 1);
    assert!(desk.account(now, fact.clone()).is_empty(), "a repeat");
    assert!(desk.account(now - 1, fact).is_empty(), "an older one");
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]));
    assert!(desk.reserve(1, SESSION).is_ok());
    desk.now += 50;
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    desk.account(desk.now, restricted(RestrictionKind::CustomerInitiated, None));
    assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::AccountRestricted]));
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn an_account_that_is_disabled_sends_nothing_until_it_is_back_in_any_order() {
    for late in [false, true] {
        let mut desk = Desk::willing();
        let now = desk.now;
        desk.now += 10;
        if late {
            desk.account(now + 1, AccountFact::Reinstated);
            assert!(desk.account(now, AccountFact::Disabled).is_empty());
        } else {
            desk.account(now, AccountFact::Disabled);
            assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::AccountRestricted]));
            assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]));
            desk.account(now + 1, AccountFact::Reinstated);
        }
        assert!(desk.reserve(1, TEMPLATE).is_ok());
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn an_accounts_trouble_is_that_of_its_senders_and_of_those_nobody_knows_the_account_of() {
    let mut desk = Desk::willing();
    desk.account(desk.now, AccountFact::Disabled);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]));
    let now = desk.now;
    let fact = HeardFact::SenderNumber(SenderFact::Throughput("HIGH".into()));
    let events = desk.told(now, ("a2", Some(sender_id())), fact);
    assert!(matches!(events[..], [Event::SenderLearned(_)]));
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn putting_the_portfolio_lifts_what_whatsapp_stopped() {
    let mut desk = Desk::willing();
    let fact = HeardFact::SenderNumber(SenderFact::Throughput("HIGH".into()));
    desk.told(desk.now, ("a1", Some(sender_id())), fact);
    desk.account(desk.now, AccountFact::Offboarded);
    let id = PortfolioId::parse("p1").unwrap();
    let portfolio = desk.state.registry().portfolio(&id).unwrap().value.clone();
    desk.put(RegistryCommand::PutPortfolio { id, portfolio });
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn putting_a_template_as_paused_outlasts_the_pause_that_whatsapp_spoke_of() {
    let mut desk = Desk::willing();
    desk.template_is(desk.now, "PAUSED", Some(50));
    desk.now += 60;
    let mut template = desk.state.registry().template(&sale()).unwrap().value.clone();
    template.status = "PAUSED".into();
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::TemplatePaused]));
}

#[test]
fn a_paused_template_comes_back_at_its_own_end_or_when_whatsapp_says_so() {
    let mut desk = Desk::willing();
    let now = desk.now;
    desk.template_is(now, "PAUSED", Some(50));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::TemplatePaused]));
    desk.now += 60;
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    desk.template_is(now + 2, "PAUSED", None);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::TemplatePaused]));
    assert!(desk.template_is(now + 1, "APPROVED", None).is_empty(), "an older word");
    desk.template_is(now + 3, "APPROVED", None);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    desk.template_is(now + 4, "DISABLED", None);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::TemplateDisabled]));
    let mut template = desk.state.registry().template(&sale()).unwrap().value.clone();
    template.status = "APPROVED".into();
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    assert!(desk.template_is(now + 5, "DISABLED", None).is_empty(), "older than what was put");
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

/// A message of the template failed, which means that it is paused.
fn pause_failure(desk: &mut Desk, ms: i64, code: i64, pause_ms: Option<i64>) -> Vec<Event> {
    let ticket = desk.state.ticket_of(MessageKey::from_bits(700)).map(|ticket| ticket.id);
    let failed = super::delivery(desk, 1, 700, super::Step::Failed);
    let effect = super::FailureEffect::TemplatePaused;
    let failure = Some(super::Failure { code, effect, pause_ms, country: None });
    let fact = HeardFact::Delivery(super::Delivery { ticket, failure, ..failed });
    desk.told(ms, ("a1", Some(sender_id())), fact)
}

#[test]
fn a_pause_concluded_from_a_failure_neither_shortens_nor_replaces_one_that_was_told() {
    // When the told pause begins and ends, when a message fails and for how long that would hold,
    // and when the template can be sent again.
    const NEVER: i64 = i64::MAX;
    for (told, failed, end) in [
        ((10, Some(100)), (20, Some(5)), 110),
        ((10, Some(100)), (20, None), 110),
        ((10, Some(100)), (20, Some(500)), 110),
        ((30, Some(100)), (20, None), 130),
        ((10, None), (20, Some(5)), NEVER),
        // The told one was over when the message failed.
        ((10, Some(100)), (150, Some(50)), 200),
    ] {
        for told_first in [true, false] {
            let mut desk = Desk::willing();
            let ticket = desk.reserve(1, TEMPLATE).unwrap();
            desk.commit(ticket, 700).unwrap();
            let start = desk.now;
            desk.now += 160;
            if told_first {
                desk.template_is(start + told.0, "PAUSED", told.1);
            }
            pause_failure(&mut desk, start + failed.0, 132_015, failed.1);
            if !told_first {
                desk.template_is(start + told.0, "PAUSED", told.1);
            }
            let again = pause_failure(&mut desk, start + failed.0, 132_015, failed.1);
            assert!(again.is_empty(), "{again:?}");
            assert!(desk.template_is(start + told.0, "PAUSED", told.1).is_empty());
            let report = desk.state.registry().reported().template(&sale()).unwrap();
            let until = report.strictest(std::iter::empty()).status.until;
            let expected = (end != NEVER).then(|| at(start + end));
            assert_eq!(until, expected, "{told:?} {failed:?} {told_first}");
            assert!(desk.replayed() == desk.state);
        }
    }
}

#[test]
fn what_was_put_as_paused_is_not_ended_by_the_end_of_what_a_failure_lets_conclude() {
    let mut desk = Desk::willing();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.commit(ticket, 700).unwrap();
    let mut template = desk.state.registry().template(&sale()).unwrap().value.clone();
    template.status = "PAUSED".into();
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    desk.now += 10;
    let now = desk.now;
    pause_failure(&mut desk, now, 132_069, Some(5));
    desk.now += 50;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::TemplatePaused]));
}

#[test]
fn a_template_that_turns_marketing_is_not_what_people_agreed_to() {
    let mut desk = Desk::willing();
    let mut template = desk.state.registry().template(&sale()).unwrap().value.clone();
    (template.topic, template.category) = (topic_id("orders"), Category::Utility);
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    desk.now += 10;
    let (now, category) = (desk.now, Category::Marketing);
    let coming = TemplateFact::CategoryImpending { template: sale(), category, from: at(now + 50) };
    desk.told(now, ("a1", None), HeardFact::Template(coming));
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    desk.now += 60;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::NeverAsked]));
    let done = TemplateFact::Category { template: sale(), category };
    desk.told(now + 50, ("a1", None), HeardFact::Template(done));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::NeverAsked]));
    let view = desk.state.registry().template_for(&sale(), Some(&sender_id())).unwrap();
    assert_eq!(view.category, Category::Marketing);
    let done = TemplateFact::Category { template: sale(), category: Category::Utility };
    desk.told(now + 51, ("a1", None), HeardFact::Template(done));
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn the_latest_report_about_a_sender_counts_and_so_does_what_is_put_after_it() {
    let mut desk = Desk::willing();
    let now = desk.now;
    desk.now += 10;
    let one = |desk: &mut Desk, ms, fact| {
        desk.told(ms, ("a1", Some(sender_id())), HeardFact::SenderNumber(fact))
    };
    one(&mut desk, now + 2, SenderFact::Status("RESTRICTED".into()));
    one(&mut desk, now + 2, SenderFact::Quality(Quality::Red));
    assert!(one(&mut desk, now + 1, SenderFact::Status("CONNECTED".into())).is_empty());
    let both = vec![Reason::SenderNotConnected, Reason::QualityBrake];
    assert_eq!(desk.reserve(1, TEMPLATE), Err(both));
    let mut sender = desk.state.registry().sender(&sender_id()).unwrap().1.value.clone();
    assert_eq!(sender.quality, Quality::Red);
    (sender.status, sender.quality) = ("CONNECTED".into(), Quality::Green);
    desk.put(RegistryCommand::PutSender { id: sender_id(), sender });
    assert!(one(&mut desk, now + 3, SenderFact::Status("BANNED".into())).is_empty());
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn a_reported_limit_is_that_of_the_portfolio_and_the_latest_counts() {
    let mut desk = Desk::willing();
    let (now, id) = (desk.now, PortfolioId::parse("p1").unwrap());
    desk.now += 10;
    let limit = |desk: &Desk| desk.state.registry().portfolio(&id).unwrap().value.messaging_limit;
    desk.told(now + 2, ("a1", None), HeardFact::Limit { limit: None });
    assert_eq!(limit(&desk), None);
    assert!(desk.told(now + 1, ("a1", None), HeardFact::Limit { limit: Some(2_000) }).is_empty());
    desk.told(now + 3, ("a1", None), HeardFact::Limit { limit: Some(10_000) });
    assert_eq!(limit(&desk), Some(10_000));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn an_account_that_may_make_no_utility_templates_sends_those_it_has() {
    let mut desk = Desk::willing();
    desk.account(desk.now, restricted(RestrictionKind::UtilityTemplates, None));
    let template = sale();
    let mut put = desk.state.registry().template(&template).unwrap().value.clone();
    put.category = Category::Utility;
    desk.put(RegistryCommand::PutTemplate { id: template, template: put });
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn each_reason_for_a_hold_is_a_hold_of_its_own_and_a_lift_ends_what_it_answers() {
    let mut desk = Desk::willing();
    let now = desk.now;
    let month = 30 * crate::domain::time::DAY_MS;
    desk.account(now, restricted(RestrictionKind::BusinessInitiated, Some(now + month)));
    let failure = |desk: &mut Desk, code, effect, pause_ms| {
        let failed = super::delivery(desk, 1, 500, super::Step::Failed);
        let failure = Some(super::Failure { code, effect, pause_ms, country: None });
        let fact = HeardFact::Delivery(super::Delivery { failure, ..failed });
        desk.told(desk.now, ("a1", Some(sender_id())), fact);
    };
    failure(&mut desk, 131_048, super::FailureEffect::HaltTemplates, Some(1_000));
    desk.now += 2_000;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]), "for 30 days");
    desk.now += month;
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    failure(&mut desk, 131_042, super::FailureEffect::HaltAccount, None);
    desk.account(desk.now, AccountFact::Disabled);
    desk.account(desk.now, AccountFact::Reconnected);
    desk.account(desk.now, AccountFact::Reinstated);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]), "unpaid");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_spam_limit_stops_templates_of_the_number_alone_and_answers_go_on() {
    let mut desk = Desk::willing();
    let fact = HeardFact::SenderNumber(SenderFact::Throughput("HIGH".into()));
    desk.told(desk.now, ("a1", Some(sender_id())), fact);
    let open = desk.reserve(1, SESSION).unwrap();
    let now = desk.now;
    super::fail(&mut desk, now, 131_048, super::FailureEffect::HaltSenderTemplates, None);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::SenderHalted]));
    assert!(desk.reserve(1, SESSION).is_ok());
    assert_eq!(desk.state.ticket(open).unwrap().state, TicketState::Reserved);
    assert!(desk.state.registry().reported().account(&AccountId::parse("a1").unwrap()).is_none());
}

#[test]
fn a_put_that_says_nothing_of_how_it_stands_lifts_nothing() {
    let mut desk = Desk::willing();
    let fact = HeardFact::SenderNumber(SenderFact::Throughput("HIGH".into()));
    desk.told(desk.now, ("a1", Some(sender_id())), fact);
    let now = desk.now;
    super::fail(&mut desk, now, 131_031, super::FailureEffect::HaltSender, None);
    let mut sender = desk.state.registry().sender(&sender_id()).unwrap().1.value.clone();
    sender.quality = Quality::Yellow;
    desk.put(RegistryCommand::PutSender { id: sender_id(), sender: sender.clone() });
    sender.quality = Quality::Green;
    desk.put(RegistryCommand::PutSender { id: sender_id(), sender: sender.clone() });
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::SenderHalted]));
    desk.put(RegistryCommand::PutSender { id: sender_id(), sender });
    assert!(desk.reserve(1, TEMPLATE).is_ok(), "the same once more is a wish");
    desk.account(desk.now, AccountFact::Disabled);
    let id = PortfolioId::parse("p1").unwrap();
    let mut portfolio = desk.state.registry().portfolio(&id).unwrap().value.clone();
    portfolio.messaging_limit = Some(2_000);
    desk.put(RegistryCommand::PutPortfolio { id: id.clone(), portfolio: portfolio.clone() });
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]));
    desk.put(RegistryCommand::PutPortfolio { id, portfolio });
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn an_announced_category_outlives_a_put_of_another() {
    let mut desk = Desk::willing();
    let put = |desk: &Desk| desk.state.registry().template(&sale()).unwrap().value.clone();
    let mut template = put(&desk);
    (template.topic, template.category) = (topic_id("orders"), Category::Utility);
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    desk.now += 10;
    let (now, category) = (desk.now, Category::Marketing);
    let coming = TemplateFact::CategoryImpending { template: sale(), category, from: at(now + 50) };
    desk.told(now, ("a1", None), HeardFact::Template(coming));
    let mut template = put(&desk);
    template.status = "PAUSED".into();
    desk.put(RegistryCommand::PutTemplate { id: sale(), template });
    desk.now += 60;
    let refused = desk.reserve(1, TEMPLATE).unwrap_err();
    assert!(refused.contains(&Reason::NeverAsked), "{refused:?}");
}

#[test]
fn the_account_of_the_latest_message_is_the_senders_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut desk = Desk::willing();
        let now = desk.now;
        desk.now += 100;
        for place in order {
            let account = ["a1", "a2", "a1"][place];
            let wrote = super::wrote(desk.person(10 + u128::try_from(place).unwrap()), None);
            let at = now + i64::try_from(place).unwrap();
            desk.told(at, (account, Some(sender_id())), HeardFact::Wrote(wrote));
        }
        let account = desk.state.registry().account_of(&sender_id()).unwrap();
        assert_eq!(account.as_str(), "a1", "{order:?}");
        assert!(desk.replayed() == desk.state);
    }
    // Message after message of the same account is no news of it.
    let mut desk = Desk::willing();
    for place in 0..3 {
        let wrote = super::wrote(desk.person(10 + place), None);
        desk.now += 10;
        let events = desk.told(desk.now, ("a1", Some(sender_id())), HeardFact::Wrote(wrote));
        let is_learned = |event: &Event| matches!(event, Event::SenderLearned(_));
        assert_eq!(events.iter().any(is_learned), place == 0);
    }
}

#[test]
fn the_account_a_sender_was_put_with_counts_until_traffic_shows_another() {
    let mut desk = Desk::willing();
    let id = sender_id();
    let mut put = desk.state.registry().sender(&id).unwrap().1.value.clone();
    put.account = Some(AccountId::parse("a9").unwrap());
    desk.put(RegistryCommand::PutSender { id, sender: put });
    desk.account(desk.now, AccountFact::Disabled);
    assert!(desk.reserve(1, TEMPLATE).is_ok(), "another account's trouble");
    desk.told(desk.now, ("a9", None), HeardFact::Account(AccountFact::Disabled));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::AccountRestricted]));
}
