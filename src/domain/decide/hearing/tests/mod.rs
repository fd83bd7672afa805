//! Given what happened, when WhatsApp says something, then events, and never a refusal.

mod alike;
mod barred;
mod business;
mod countries;
mod days;
mod early;
mod follow;
mod former;
mod given_up;
mod incidents;
mod kept;
mod late;
mod messages;
mod moments;
mod order;
mod owners;
mod pair;
mod people;
mod seconds;
mod spellings;
mod templates;
mod tickets;
mod together;

use super::*;
use crate::domain::{
    command::{Command, OptIn},
    decide::tests::source,
};
use crate::domain::{
    consent::ConsentStatus,
    decide::tests::{Desk, sender_id, topic_id},
    entry::Seq,
    event::Evidence,
    hearing::{
        AnswerHow, ConsentAnswer, DecideReview, Delivery, Failure, FailureEffect, ReviewDecision,
        Step, Wrote,
    },
    key::{ContactKey, MessageKey},
    reason::Reason,
    spans::EXPERIMENT_MS,
    ticket::MessageKind,
};

const TEMPLATE: MessageKind = MessageKind::Template;
const SESSION: MessageKind = MessageKind::Session;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

impl Desk {
    fn hear(&mut self, ms: i64, fact: HeardFact) -> Vec<Event> {
        let heard = Heard { at: at(ms), account: None, sender: Some(sender_id()), fact };
        self.run(Command::Hear(Box::new(heard))).unwrap()
    }

    fn both(&mut self, number: u128, user: u128) -> Person {
        Person { user: Some(user_of(user)), ..self.person(number) }
    }

    fn write(&mut self, person: Person, ms: i64, answer: Option<ConsentAnswer>) -> Vec<Event> {
        self.hear(ms, HeardFact::Wrote(wrote(person, answer)))
    }

    fn wrote(&mut self, key: u128, ms: i64, answer: Option<ConsentAnswer>) -> Vec<Event> {
        let person = self.person(key);
        self.write(person, ms, answer)
    }

    fn seen_with(&mut self, key: u128, ms: i64, hash: &str) -> Vec<Event> {
        let wrote = wrote(self.person(key), None);
        let identity_hash = Some(hash.into());
        self.hear(ms, HeardFact::Wrote(Wrote { identity_hash, ..wrote }))
    }

    fn ask(&mut self, key: u128, topic: &str) {
        self.ask_at(key, topic, self.now + 1);
    }

    fn ask_at(&mut self, key: u128, topic: &str, ms: i64) {
        let command = OptIn {
            person: self.person(key),
            topics: vec![topic_id(topic)],
            source: source("web_form"),
            statement: None,
            language: None,
            evidence: Evidence::new(),
            captured_at: Some(at(ms)),
            awaits_confirmation: true,
            basis: crate::policy::ConsentBasis::Express,
        };
        self.run(Command::OptIn(Box::new(command))).unwrap();
    }

    fn prefers(&mut self, key: u128, ms: i64, is_stopped: bool) -> Vec<Event> {
        let person = self.person(key);
        self.hear(ms, HeardFact::MarketingPreference { person, is_stopped })
    }

    fn moved_user(&mut self, previous: u128, new: u128) -> HeardFact {
        let new_id = ContactId::from_uuid(self.id());
        let (previous, new, number) = (user_of(previous), user_of(new), None);
        HeardFact::MovedUser { previous, new, number, new_id }
    }

    fn reviews(&self) -> Vec<(Seq, String)> {
        let reviews = self.state.reviews_from(Seq(0));
        reviews.map(|(seq, review)| (seq, review.why.to_string())).collect()
    }
}

fn user_of(user: u128) -> UserIdentifier {
    UserIdentifier { user_id: format!("US.{user}").into(), key: ContactKey::from_bits(user) }
}

fn user_only(desk: &mut Desk, user: u128) -> Person {
    Person { number: None, ..desk.both(1, user) }
}

fn wrote(person: Person, answer: Option<ConsentAnswer>) -> Wrote {
    Wrote {
        person,
        message: MessageKey::from_bits(1),
        message_id: "wamid.in".into(),
        kind: "text".into(),
        opens_window: true,
        identity_hash: None,
        answer,
        shared_number: None,
    }
}

fn how() -> AnswerHow {
    AnswerHow { kind: "keyword".into(), text: Some("STOP".into()), ..AnswerHow::default() }
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn stop() -> Option<ConsentAnswer> {
    Some(ConsentAnswer::OptOut { topics: None, how: how() })
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn yes() -> Option<ConsentAnswer> {
    Some(ConsentAnswer::Yes { how: how(), answer_only: false })
}

#[test]
fn a_message_makes_its_writer_known_opens_the_window_and_is_recorded_once() {
    let mut desk = Desk::new();
    desk.opt_in(2, "orders", None).unwrap();
    let now = desk.now;
    let events = desk.wrote(1, now, None);
    assert!(matches!(events[..], [Event::ContactAdded { .. }, Event::TrafficSeen { .. }]));
    assert!(desk.reserve(1, SESSION).is_ok());
    assert!(desk.wrote(1, now, None).is_empty(), "a repeat");
    assert!(desk.wrote(1, now - 1, None).is_empty(), "an older one");
    assert_eq!(desk.wrote(1, now + 1, None).len(), 1);
}

#[test]
fn a_message_from_the_future_is_one_that_has_just_come() {
    let mut desk = Desk::new();
    let day = crate::domain::time::DAY_MS;
    desk.wrote(1, desk.now + 10 * day, None);
    assert!(desk.reserve(1, SESSION).is_ok());
    desk.now += day;
    assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::SessionWindowClosed]));
}

#[test]
fn a_number_and_a_user_id_of_one_message_are_one_person() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let person = desk.both(1, 91);
    let events = desk.write(person, desk.now, None);
    assert!(matches!(events[..], [Event::IdentifierLinked { .. }, Event::TrafficSeen { .. }]));
    assert!(desk.reserve(91, TEMPLATE).is_ok());
    assert!(desk.reviews().is_empty());
}

#[test]
fn a_number_that_is_shared_by_its_owner_is_linked_to_the_user_id() {
    let mut desk = Desk::new();
    let person = user_only(&mut desk, 91);
    desk.write(person.clone(), desk.now, None);
    let shared_number = desk.person(7).number;
    let now = desk.now;
    desk.hear(now, HeardFact::Wrote(Wrote { shared_number, ..wrote(person, None) }));
    let contacts = desk.state.contacts();
    let by = |key| contacts.find(ContactKey::from_bits(key));
    assert_eq!(by(7), by(91));
    assert!(by(7).is_some());
}

#[test]
fn a_stop_under_the_identifiers_of_two_contacts_reaches_both_and_is_looked_at_once() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let other = desk.both(2, 92);
    desk.write(other, desk.now, None);
    let person = desk.both(1, 92);
    desk.write(person.clone(), desk.now, None);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    desk.write(person.clone(), desk.now, stop());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    assert_eq!(desk.status(92, "promotions"), ConsentStatus::Withdrawn);
    desk.write(person, desk.now, None);
    let reviews = desk.reviews();
    assert_eq!(reviews.len(), 1, "{reviews:?}");
    assert_eq!(reviews[0].1, "identifiers_conflict");
}

#[test]
fn a_stop_counts_from_its_own_moment_keeps_its_proof_and_is_recorded_once() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let now = desk.now;
    let events = desk.wrote(1, now, stop());
    let Event::OptedOut(stopped) = &events[0] else { panic!("{events:?}") };
    assert!(stopped.everything && stopped.captured_at == at(now));
    assert_eq!(stopped.evidence.get("text").map(|text| &**text), Some("STOP"));
    assert_eq!(stopped.evidence.get("message_id").map(|id| &**id), Some("wamid.in"));
    assert!(matches!(events[1], Event::TicketVoided { ticket: id, .. } if id == ticket));
    assert!(desk.wrote(1, now, stop()).is_empty(), "a repeat");
    desk.opt_in(1, "promotions", None).unwrap();
    desk.wrote(1, now + 1, stop());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "the person came back later");
}

#[test]
fn a_stop_about_a_topic_nobody_put_is_one_about_everything() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let topics = Some(vec![topic_id("gone")]);
    desk.wrote(1, desk.now, Some(ConsentAnswer::OptOut { topics, how: how() }));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
}

#[test]
fn a_yes_confirms_what_was_asked_and_without_a_question_nothing() {
    let mut desk = Desk::new();
    desk.ask(1, "promotions");
    desk.wrote(1, desk.now, yes());
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    assert!(desk.reviews().is_empty());
    desk.wrote(2, desk.now, yes());
    assert!(desk.reviews().is_empty());
    assert_eq!(desk.status(2, "promotions"), ConsentStatus::NeverAsked);
}

#[test]
fn a_yes_of_someone_who_left_is_for_people_to_read_and_beats_nothing_that_came_after_it() {
    let mut desk = Desk::new();
    desk.opt_out(1, None).unwrap();
    let said = desk.now + 1;
    desk.now += 5;
    desk.wrote(1, said, yes());
    let [(review, _)] = desk.reviews()[..] else { panic!() };
    desk.opt_out(1, None).unwrap();
    let decided = DecideReview {
        review,
        decision: ReviewDecision::OptIn,
        topics: Some(vec![topic_id("promotions")]),
        note: None,
    };
    let events = desk.run(Command::DecideReview(Box::new(decided.clone()))).unwrap();
    let Event::OptedIn(agreed) = &events[1] else { panic!("{events:?}") };
    assert_eq!(agreed.captured_at, at(said));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    assert!(desk.reviews().is_empty());
    let again = desk.run(Command::DecideReview(Box::new(decided)));
    assert!(matches!(again, Err(Refusal::ReviewUnknown)));
}

#[test]
fn a_near_miss_changes_nothing_until_somebody_reads_it_as_a_stop() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let near = ConsentAnswer::Review { why: "near_miss".into(), word: None, scope: None };
    desk.wrote(1, desk.now, Some(near));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    let [(review, _)] = desk.reviews()[..] else { panic!() };
    let (decision, topics, note) = (ReviewDecision::OptOut, None, None);
    let decided = DecideReview { review, decision, topics, note };
    desk.run(Command::DecideReview(Box::new(decided))).unwrap();
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
}

#[test]
fn another_hash_suspends_and_takes_tickets_back_also_when_the_older_one_comes_late() {
    for order in [["A", "B"], ["B", "A"]] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let start = desk.now;
        desk.now += 100;
        for hash in order {
            assert!(desk.reserve(1, TEMPLATE).is_ok());
            desk.seen_with(1, if hash == "A" { start + 10 } else { start + 20 }, hash);
        }
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        let contact = desk.state.contacts().get(subject).unwrap();
        assert_eq!(contact.identity_changed().map(|change| change.at), Some(at(start + 20)));
        assert_eq!(contact.identity_hash(), Some("B"));
        assert!(contact.details().tickets.is_empty());
        assert!(desk.seen_with(1, start + 10, "A").is_empty(), "a repeat");
    }
}

#[test]
fn a_change_without_a_hash_suspends_and_leaves_no_hash_to_send_along() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.seen_with(1, desk.now, "A");
    desk.now += 10;
    let (person, now) = (desk.person(1), desk.now);
    let fact = HeardFact::IdentityChanged { person, hash: None };
    assert_eq!(desk.hear(now, fact.clone()).len(), 1);
    assert!(desk.hear(now, fact).is_empty());
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
    assert_eq!(desk.state.contacts().get(subject).unwrap().identity_hash(), None);
    desk.opt_in(1, "promotions", None).unwrap();
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn a_number_that_was_given_up_is_closed_until_whoever_has_it_agrees() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.reserve(1, TEMPLATE).unwrap();
    let (old, new, now) = (desk.person(1), Some(desk.person(2)), desk.now);
    let events = desk.hear(now, HeardFact::MovedNumber { old: old.clone(), new: new.clone() });
    assert!(matches!(
        events[..],
        [
            Event::NumberMoved { .. },
            Event::TicketVoided { .. },
            Event::ContactAdded { .. },
            Event::IdentityDoubted { by_move: true, .. }
        ]
    ));
    assert!(desk.hear(now, HeardFact::MovedNumber { old, new }).is_empty());
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::NeverAsked]));
    desk.opt_in(1, "promotions", None).unwrap();
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn another_user_id_closes_the_contact_of_the_one_before() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let person = desk.both(1, 91);
    desk.write(person, desk.now, None);
    let fact = desk.moved_user(91, 92);
    let now = desk.now;
    desk.hear(now, fact);
    assert_eq!(desk.reserve(91, TEMPLATE), Err(vec![Reason::NumberChanged]));
}

#[test]
fn a_stop_of_marketing_stops_marketing_until_it_is_resumed_and_takes_no_consent_away() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.now += 100;
    desk.prefers(1, start + 20, true);
    assert!(desk.prefers(1, start + 10, false).is_empty(), "an older word");
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::MarketingStopped]));
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
    desk.wrote(1, desk.now, None);
    assert!(desk.reserve(1, SESSION).is_ok(), "answers are no marketing");
    desk.prefers(1, start + 21, false);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn a_stop_of_marketing_by_somebody_unknown_waits_for_them() {
    let mut desk = Desk::new();
    desk.prefers(3, desk.now, true);
    desk.opt_in(3, "promotions", None).unwrap();
    assert_eq!(desk.reserve(3, TEMPLATE), Err(vec![Reason::MarketingStopped]));
}

#[test]
fn what_was_heard_replays_to_the_same_state() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.wrote(1, desk.now, stop());
    desk.seen_with(1, desk.now - 1, "B");
    desk.seen_with(1, desk.now - 9, "A");
    desk.prefers(1, desk.now, true);
    desk.wrote(1, desk.now, yes());
    assert!(desk.replayed() == desk.state);
}

fn delivery(desk: &mut Desk, key: u128, message: u128, step: Step) -> Delivery {
    Delivery {
        person: Some(desk.person(key)),
        message: MessageKey::from_bits(message),
        message_id: "wamid.out".into(),
        is_message: true,
        ticket: None,
        step,
        identity_hash: None,
        failure: None,
    }
}

fn fail(
    desk: &mut Desk,
    ms: i64,
    code: i64,
    effect: FailureEffect,
    pause_ms: Option<i64>,
) -> Vec<Event> {
    let delivery = delivery(desk, 1, 500, Step::Failed);
    let failure = Some(Failure { code, effect, pause_ms, country: None });
    but_counted(desk.hear(ms, HeardFact::Delivery(Delivery { failure, ..delivery })))
}

/// What follows from a message beside its being counted, and kept for its ticket.
fn but_counted(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !matches!(event, Event::OutcomeSeen(_) | Event::StatusKept(_)));
    events
}

#[test]
fn a_status_commits_the_ticket_it_names_and_steps_only_go_up() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let id = desk.reserve(1, TEMPLATE).unwrap();
    let now = desk.now;
    let status = |desk: &mut Desk, ticket, step| {
        let delivery = delivery(desk, 1, 8, step);
        desk.hear(now, HeardFact::Delivery(Delivery { ticket, ..delivery }))
    };
    let events = status(&mut desk, Some(id), Step::Read);
    assert!(
        matches!(
            events[..],
            [Event::TicketCommitted { .. }, Event::TicketStepped { .. }, Event::TrafficSeen { .. }]
        ),
        "{events:?}"
    );
    assert!(status(&mut desk, None, Step::Delivered).is_empty(), "found by the message, and late");
    assert!(status(&mut desk, None, Step::Failed).is_empty(), "what was read did not fail");
    assert_eq!(desk.state.ticket(id).unwrap().step, Some(Step::Read));
    assert!(desk.commit(id, 8).unwrap().is_empty(), "the sender says so as well");
    let other = delivery(&mut desk, 1, 9, Step::Read);
    let other = Delivery { ticket: Some(id), ..other };
    let events = but_counted(desk.hear(now, HeardFact::Delivery(other)));
    assert!(events.is_empty(), "another message");
}

#[test]
fn a_status_makes_known_whom_it_says_something_of() {
    for (step, is_added) in [(Step::Sent, false), (Step::Delivered, true), (Step::Read, true)] {
        let mut desk = Desk::new();
        let (now, fact) = (desk.now, delivery(&mut desk, 1, 8, step));
        let fact = HeardFact::Delivery(fact);
        let events = desk.hear(now, fact.clone());
        assert_eq!(events.len(), if is_added { 2 } else { 0 }, "{step:?} {events:?}");
        assert_eq!(desk.state.contacts().len(), usize::from(is_added), "{step:?}");
        desk.opt_in(1, "promotions", None).unwrap();
        assert!(desk.hear(now, fact).is_empty(), "{step:?}, told again");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn each_effect_of_a_failure_gives_its_reason_once_and_ends_as_it_says() {
    use FailureEffect as E;
    for (effect, pause_ms, reason) in [
        (E::Unreachable, None, Some(Reason::Unreachable)),
        (E::MarketingCooldown, Some(1_000), Some(Reason::MarketingCooldown)),
        (E::MarketingCooldown, None, Some(Reason::MarketingCooldown)),
        (E::MarketingStopped, None, Some(Reason::MarketingStopped)),
        (E::Experiment, None, Some(Reason::ExperimentGroup)),
        (E::PairBackoff, Some(1_000), Some(Reason::PairRate)),
        (E::BlockedByBusiness, None, Some(Reason::Blocked)),
        (E::RefuseForever, None, Some(Reason::Blocked)),
        (E::Identity, None, Some(Reason::IdentityChanged)),
        (E::CountryBlocked, None, Some(Reason::CountryBlocked)),
        (E::HaltSender, Some(1_000), Some(Reason::SenderHalted)),
        (E::HaltSender, None, Some(Reason::SenderHalted)),
        (E::HaltTemplates, None, Some(Reason::SenderHalted)),
        (E::HaltMarketing, None, Some(Reason::SenderHalted)),
        (E::Nothing, None, None),
    ] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.now += 10;
        let now = desk.now;
        let events = fail(&mut desk, now, 131_000, effect, pause_ms);
        assert_eq!(events.len(), usize::from(reason.is_some()), "{effect:?}: {events:?}");
        assert!(fail(&mut desk, now, 131_000, effect, pause_ms).is_empty(), "{effect:?}");
        // Those in a row make a rest or a hold longer, so that an older one is news.
        let grows = matches!(effect, E::PairBackoff | E::MarketingCooldown) && pause_ms.is_some();
        if !grows {
            assert!(fail(&mut desk, now - 5, 131_000, effect, pause_ms).is_empty(), "{effect:?}");
        }
        assert_eq!(desk.reserve(1, TEMPLATE).err(), reason.map(|reason| vec![reason]));
        desk.now += 1_001;
        let is_over = pause_ms.is_some() || reason.is_none();
        assert_eq!(desk.reserve(1, TEMPLATE).is_ok(), is_over, "{effect:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_window_whatsapp_calls_closed_is_closed_until_the_person_writes_again() {
    let mut desk = Desk::new();
    desk.wrote(1, desk.now, None);
    desk.now += 10;
    let now = desk.now;
    fail(&mut desk, now, 131_047, FailureEffect::WindowClosed, None);
    assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::SessionWindowClosed]));
    desk.now += 10;
    desk.wrote(1, desk.now, None);
    assert!(desk.reserve(1, SESSION).is_ok());
}

#[test]
fn marketing_that_is_held_back_again_waits_longer_and_told_in_any_order_as_long() {
    let hour = crate::domain::time::HOUR_MS;
    let times = [0, 25, 50, 75].map(|hours| 1_000_000_000 + hours * hour);
    let cooldown = FailureEffect::MarketingCooldown;
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.now = times[3] + 10;
        for place in order {
            fail(&mut desk, times[place], 131_049, cooldown, Some(24 * hour));
            assert!(fail(&mut desk, times[place], 131_049, cooldown, Some(24 * hour)).is_empty());
        }
        desk.now = times[3] + 8 * 24 * hour - 1_000;
        assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::MarketingCooldown]), "{order:?}");
        assert!(desk.replayed() == desk.state);
        desk.now += 1_000;
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{order:?}");
    }
}

#[test]
fn someone_in_an_experiment_group_gets_marketing_inside_the_window_or_after_its_days() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let now = desk.now;
    fail(&mut desk, now, 130_472, FailureEffect::Experiment, None);
    desk.now = now + EXPERIMENT_MS - 1_000;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::ExperimentGroup]));
    desk.now = now + EXPERIMENT_MS;
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    let now = desk.now;
    fail(&mut desk, now, 130_472, FailureEffect::Experiment, None);
    desk.wrote(1, desk.now, None);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn being_barred_ends_when_somebody_lifts_it_and_older_reports_do_not_bring_it_back() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += 10;
    let now = desk.now;
    fail(&mut desk, now, 130_403, FailureEffect::BlockedByBusiness, None);
    let contact = ContactRef::Key(ContactKey::from_bits(1));
    desk.run(Command::Unblock { contact }).unwrap();
    assert!(fail(&mut desk, now - 1, 130_403, FailureEffect::BlockedByBusiness, None).is_empty());
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}
