//! Given what happened, when a command comes, then events or a refusal.

use crate::{
    domain::{
        command::{
            Command, ContactRef, OptOut, Person, RegistryCommand, ReserveSend, UserIdentifier,
        },
        consent::ConsentStatus,
        contact::LookupState,
        decide::tests::{Desk, RULES, opt_in_of, source, topic_id},
        eligibility::{PAIR_MS, QuestionError},
        event::{Event, TrafficKind},
        key::{ContactKey, MessageKey},
        names::StatementId,
        reason::Reason,
        refusal::Refusal,
        registry::{Statement, Topic},
        ticket::{MessageKind, VoidCause},
        time::{DAY_MS, Timestamp},
    },
    limits::TICKETS_OPEN_MAX,
};

#[test]
fn a_person_who_never_agreed_is_refused_and_one_who_did_gets_a_ticket() {
    let mut desk = Desk::new();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::NeverAsked]));
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    assert_eq!(desk.commit(ticket, 7).unwrap().len(), 1);
    assert!(desk.commit(ticket, 7).unwrap().is_empty(), "the same report again is no error");
    assert!(matches!(desk.commit(ticket, 8), Err(Refusal::TicketCommitted)));
}

#[test]
fn agreeing_to_one_topic_is_not_agreeing_to_another() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::NeverAsked]));
}

#[test]
fn a_stop_of_someone_nobody_knew_is_kept_and_refuses_an_older_claim() {
    let mut desk = Desk::new();
    let events = desk.opt_out(9, None).unwrap();
    assert!(matches!(events.as_slice(), [Event::ContactAdded { .. }, Event::OptedOut(_)]));
    let before = desk.now - 10;
    desk.opt_in(9, "promotions", Some(before)).unwrap();
    assert_eq!(desk.status(9, "promotions"), ConsentStatus::Withdrawn);
    assert_eq!(desk.reserve(9, MessageKind::Template), Err(vec![Reason::Withdrawn]));
}

#[test]
fn a_stop_takes_back_the_open_tickets_of_its_topics_only() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    assert_eq!(desk.opt_out(1, Some(&["orders"])).unwrap().len(), 1);
    assert_eq!(desk.opt_out(1, Some(&["promotions"])).unwrap().len(), 2);
    let voided = desk.commit(ticket, 7);
    assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::Withdrawn })));
}

#[test]
fn an_identity_change_suspends_until_the_person_agrees_again_topic_by_topic() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(1, "orders", None).unwrap();
    let first = desk.now;
    assert_eq!(desk.identity(1, "A", first).unwrap().len(), 1);
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    let changed = desk.now;
    assert_eq!(desk.identity(1, "B", changed).unwrap().len(), 2, "the change and the void");
    let voided = desk.commit(ticket, 7);
    assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::IdentityChanged })));
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "promotions", Some(changed)).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "promotions", None).unwrap();
    assert!(desk.reserve(1, MessageKind::Template).is_ok());
}

#[test]
fn an_agreement_after_a_change_that_ran_out_is_expired_and_not_somebody_elses() {
    let mut desk = Desk::new();
    let (_, put) = desk.state.registry().topic(&topic_id("promotions")).unwrap();
    let topic = Topic { expires_after_days: Some(1), ..put.value.clone() };
    desk.put(RegistryCommand::PutTopic { id: topic_id("promotions"), topic });
    desk.opt_in(1, "promotions", None).unwrap();
    desk.identity(1, "A", desk.now).unwrap();
    desk.identity(1, "B", desk.now + 1).unwrap();
    desk.opt_in(1, "promotions", None).unwrap();
    assert!(desk.reserve(1, MessageKind::Template).is_ok());
    desk.now += DAY_MS;
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::Expired]));
    // Who took it back may be anyone: both reasons stand until somebody agrees again.
    desk.opt_out(1, None).unwrap();
    let both = vec![Reason::IdentityChanged, Reason::Withdrawn];
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(both));
}

#[test]
fn late_and_repeated_identity_reports_change_nothing() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 2).unwrap();
    let changed = desk.state.clone();
    assert!(desk.identity(1, "B", start + 2).unwrap().is_empty());
    assert!(desk.identity(1, "A", start + 1).unwrap().is_empty());
    assert!(changed == desk.state);
    desk.now = start + 100;
    let again = desk.identity(1, "B", start + 99).unwrap();
    assert!(matches!(again.as_slice(), [Event::IdentityObserved { again: true, .. }]));
    assert!(desk.identity(1, "A", start + 50).unwrap().is_empty(), "B was there before and after");
}

#[test]
fn only_the_latest_hash_can_be_confirmed_and_then_everything_counts_again() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 1).unwrap();
    assert!(matches!(desk.confirm(1, "A"), Err(Refusal::IdentityHashMismatch)));
    desk.now += 100;
    assert_eq!(desk.confirm(1, "B").unwrap().len(), 1);
    assert!(desk.confirm(1, "B").unwrap().is_empty());
    assert!(desk.reserve(1, MessageKind::Template).is_ok());
    // Who vouched for B knew nothing of C, though C was seen before that.
    assert_eq!(desk.identity(1, "C", start + 50).unwrap().len(), 2);
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
}

#[test]
fn a_session_message_needs_an_open_window_and_a_person_who_has_not_left() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::SessionWindowClosed]));
    let wrote_at = desk.now;
    desk.inbound(1, Some(wrote_at)).unwrap();
    assert!(desk.reserve(1, MessageKind::Session).is_ok());
    desk.opt_out(1, None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::Withdrawn]));
    let mut question = desk.send(1, MessageKind::Session);
    question.template = desk.send(1, MessageKind::Template).template;
    let refused = desk.run(Command::ReserveSend(Box::new(question)));
    assert!(matches!(refused, Err(Refusal::Question(QuestionError::TemplateInSession))));
    desk.opt_in(1, "orders", None).unwrap();
    let closes = wrote_at + crate::domain::eligibility::SESSION_WINDOW_MS;
    desk.now = closes - RULES.session.margin_ms - 2;
    assert!(desk.reserve(1, MessageKind::Session).is_ok(), "one millisecond before the margin");
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::SessionWindowClosed]));
}

#[test]
fn all_reasons_are_given_in_the_order_of_the_table() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 1).unwrap();
    desk.run(Command::Block { contact: ContactRef::Key(ContactKey::from_bits(1)), reason: None })
        .unwrap();
    desk.opt_out(1, None).unwrap();
    assert_eq!(
        desk.reserve(1, MessageKind::Template),
        Err(vec![Reason::Blocked, Reason::IdentityChanged, Reason::Withdrawn])
    );
}

#[test]
fn a_future_act_is_refused_and_a_little_clock_skew_is_not() {
    let mut desk = Desk::new();
    let ahead = desk.now + RULES.skew_ms;
    assert!(desk.opt_in(1, "orders", Some(ahead)).is_ok());
    let refused = desk.opt_in(1, "orders", Some(ahead + 1_000));
    assert!(matches!(refused, Err(Refusal::InTheFuture { .. })));
    assert!(matches!(desk.opt_in(1, "nope", None), Err(Refusal::TopicUnknown { place: Some(0) })));
}

#[test]
fn an_act_reported_by_a_clock_that_is_ahead_does_not_beat_what_comes_after_it() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", Some(desk.now + 240_000)).unwrap();
    desk.now += 60_000;
    desk.opt_out(1, None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::Withdrawn]));
    desk.opt_in(2, "promotions", None).unwrap();
    desk.identity(2, "A", desk.now + 240_000).unwrap();
    desk.identity(2, "B", desk.now + 60_000).unwrap();
    assert_eq!(desk.reserve(2, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
}

#[test]
fn a_claim_that_awaits_confirmation_joins_no_user_id_to_a_number() {
    let mut desk = Desk::new();
    let mut claim = |key: u128, awaits_confirmation: bool| {
        let mut person = desk.person(key);
        let user_id = "US.9".into();
        person.user = Some(UserIdentifier { user_id, key: ContactKey::from_bits(99) });
        let mut command = opt_in_of(person, "promotions");
        command.awaits_confirmation = awaits_confirmation;
        desk.run(Command::OptIn(Box::new(command))).unwrap();
        let contacts = desk.state.contacts();
        let is_joined = contacts.find(ContactKey::from_bits(99)).is_some();
        assert!(contacts.find(ContactKey::from_bits(key)).is_some());
        is_joined
    };
    assert!(!claim(1, true), "nobody was known");
    assert!(!claim(1, true), "the number was known");
    assert!(claim(1, false));
    claim(2, true);
    assert_eq!(desk.status(2, "promotions"), ConsentStatus::Pending);
}

#[test]
fn a_statement_proves_only_what_it_says_in_a_language_it_has() {
    let mut desk = Desk::new();
    let language = |text: &str| crate::domain::names::Language::parse(text).unwrap();
    let statement = Statement {
        business_name: "Toko".into(),
        texts: [(language("id"), "Saya setuju".into())].into(),
        topics: vec![topic_id("orders")],
    };
    let id = StatementId::parse("signup").unwrap();
    let digest = "00".into();
    desk.put(RegistryCommand::PutStatement { id: id.clone(), digest, statement });
    let mut opt_in = |topic: &str, statement: Option<&StatementId>, text: Option<&str>| {
        let mut command = opt_in_of(desk.person(1), topic);
        command.statement = statement.cloned();
        command.language = text.map(language);
        desk.run(Command::OptIn(Box::new(command)))
    };
    assert!(opt_in("orders", Some(&id), Some("id")).is_ok());
    assert!(opt_in("orders", Some(&id), None).is_ok());
    let other = opt_in("promotions", Some(&id), Some("id"));
    assert!(matches!(other, Err(Refusal::StatementTopic { place: 0 })));
    let untold = opt_in("orders", Some(&id), Some("en"));
    assert!(matches!(untold, Err(Refusal::StatementLanguage)));
    assert!(matches!(opt_in("orders", None, Some("id")), Err(Refusal::StatementMissing)));
}

#[test]
fn tickets_of_one_sender_for_one_contact_are_few_and_those_that_ran_out_do_not_count() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let listed = |desk: &Desk| {
        let contacts = desk.state.contacts();
        let subject = contacts.find(ContactKey::from_bits(1)).unwrap();
        contacts.get(subject).unwrap().details().tickets.len()
    };
    for _ in 0..TICKETS_OPEN_MAX {
        let send = ReserveSend { ttl_ms: 600_000, ..desk.send(1, MessageKind::Template) };
        desk.run(Command::ReserveSend(Box::new(send))).unwrap();
        // The pace of a pair lets no more than a burst out at once.
        desk.now += PAIR_MS / 2;
    }
    let command = Command::ReserveSend(Box::new(desk.send(1, MessageKind::Template)));
    assert!(matches!(desk.run(&command), Err(Refusal::TicketsOpen { .. })));
    assert_eq!(listed(&desk), TICKETS_OPEN_MAX);
    desk.now += 600_000;
    desk.run(&command).unwrap();
    assert_eq!(listed(&desk), 1, "the others ran out");
    assert_eq!(desk.opt_out(1, None).unwrap().len(), 2, "one ticket was left to take back");
}

#[test]
fn a_message_leads_to_its_latest_ticket_when_an_older_one_is_forgotten_and_after_replay() {
    for days_between in [2, 9] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let first = desk.reserve(1, MessageKind::Template).unwrap();
        desk.commit(first, 9).unwrap();
        desk.now += days_between * DAY_MS;
        desk.opt_in(1, "promotions", None).unwrap();
        let second = desk.reserve(1, MessageKind::Template).unwrap();
        desk.commit(second, 9).unwrap();
        desk.now += (9 - days_between) * DAY_MS;
        desk.opt_in(1, "promotions", None).unwrap();
        assert!(desk.state.ticket(first).is_none(), "forgotten");
        let found = desk.state.ticket_of(MessageKey::from_bits(9)).map(|ticket| ticket.id);
        assert_eq!(found, Some(second), "{days_between}");
        assert!(desk.replayed() == desk.state, "{days_between}");
    }
}

#[test]
fn who_writes_becomes_known_and_who_is_not_reached_does_not() {
    let mut desk = Desk::new();
    let undeliverable = Command::ReportTraffic {
        contact: ContactRef::Key(ContactKey::from_bits(1)),
        newcomer: Some(Box::new(desk.person(1))),
        kind: TrafficKind::Undeliverable,
        sender: None,
        happened_at: None,
    };
    assert!(matches!(desk.run(undeliverable), Err(Refusal::ContactUnknown)));
    assert_eq!(desk.inbound(1, None).unwrap().len(), 2);
    assert_eq!(desk.inbound(1, None).unwrap().len(), 1);
    assert!(desk.reserve(1, MessageKind::Session).is_ok());
    let late = desk.inbound(1, Some(desk.now + RULES.skew_ms + 1_000));
    assert!(matches!(late, Err(Refusal::InTheFuture { member: "happened_at", .. })));
}

#[test]
fn two_identifiers_of_two_people_are_not_joined_by_an_opt_in() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let mut person = desk.person(2);
    person.user = Some(UserIdentifier { user_id: "US.9".into(), key: ContactKey::from_bits(99) });
    let opt_in = |person: Person| Command::OptIn(Box::new(opt_in_of(person, "promotions")));
    desk.run(opt_in(person.clone())).unwrap();
    person.number = desk.person(1).number;
    assert!(matches!(desk.run(opt_in(person)), Err(Refusal::IdentifiersConflict)));
}

/// Withdraws by a number and a user id.
fn opt_out_by_both(desk: &mut Desk, number: u128, user: u128) -> Vec<Event> {
    let mut person = desk.person(number);
    person.user = Some(UserIdentifier { user_id: "US.9".into(), key: ContactKey::from_bits(user) });
    let (topics, source, reason, captured_at) = (None, source("api"), None, None);
    let opt_out = OptOut { person, topics, source, reason, captured_at };
    desk.run(Command::OptOut(Box::new(opt_out))).unwrap()
}

/// A desk where 1 and 2 are known by number, and 2 by the user id 99 too.
fn two_contacts() -> Desk {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let mut person = desk.person(2);
    person.user = Some(UserIdentifier { user_id: "US.9".into(), key: ContactKey::from_bits(99) });
    desk.run(Command::OptIn(Box::new(opt_in_of(person, "promotions")))).unwrap();
    desk
}

#[test]
fn a_stop_that_names_two_contacts_is_recorded_for_both_and_takes_back_the_tickets_of_both() {
    let mut desk = two_contacts();
    // That one may be the other's spelling is no reason to record it twice.
    desk.weak = vec![(1, 2)];
    let tickets = [1, 2].map(|key| desk.reserve(key, MessageKind::Template).unwrap());
    let events = opt_out_by_both(&mut desk, 1, 99);
    let [
        Event::OptedOut(by_user),
        Event::TicketVoided { .. },
        Event::OptedOut(by_number),
        Event::TicketVoided { .. },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((by_user.derived_from, by_number.derived_from), (None, None));
    assert_eq!((by_user.number.is_some(), by_number.number.is_some()), (false, true));
    for key in [1, 2, 99] {
        assert_eq!(desk.status(key, "promotions"), ConsentStatus::Withdrawn);
    }
    for ticket in tickets {
        let voided = desk.commit(ticket, 7);
        assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::Withdrawn })));
    }
    let found = |key| desk.state.contacts().find(ContactKey::from_bits(key));
    assert_ne!(found(1), found(99), "a stop joins nobody");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_stop_whose_number_or_user_id_is_new_beside_anothers_is_recorded_for_it_too() {
    for (number, user, known) in [(3, 99, 2), (2, 98, 2)] {
        let mut desk = two_contacts();
        desk.weak = vec![(1, number)];
        opt_out_by_both(&mut desk, number, user);
        assert_eq!(desk.status(known, "promotions"), ConsentStatus::Withdrawn);
        let found = |key| desk.state.contacts().find(ContactKey::from_bits(key)).unwrap();
        assert_ne!(found(number), found(user));
        assert_eq!(desk.reserve(number, MessageKind::Template), Err(vec![Reason::Withdrawn]));
        assert_eq!(desk.reserve(user, MessageKind::Template), Err(vec![Reason::Withdrawn]));
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "its other spelling");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn look_ups_need_an_opt_in_and_a_budget_and_messages_earn_more() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(2, "promotions", None).unwrap();
    desk.opt_out(3, None).unwrap();
    let count = |desk: &Desk| desk.state.lookups().count();
    desk.look_up(3).unwrap();
    assert_eq!(count(&desk), 0, "nobody may look up a person who withdrew");
    let first = desk.look_up(1).unwrap();
    assert_eq!(count(&desk), 1);
    desk.look_up(1).unwrap();
    assert_eq!(count(&desk), 1, "one look-up in flight per number");
    let refused = desk.look_up(2);
    assert!(matches!(refused, Err(Refusal::LookupBudget { wanted: 1, left: 0, .. })));
    let conclude = Command::ConcludeLookup {
        lookup: first,
        state: LookupState::Registered,
        cause: None,
        wa_id: None,
        wa_key: None,
        was_asked: true,
    };
    desk.run(&conclude).unwrap();
    assert!(matches!(desk.run(&conclude), Err(Refusal::LookupUnknown)));
    let budget = desk.state.governor().budget(&RULES.lookup, Timestamp::from_unix_ms(desk.now));
    assert_eq!((budget.left, budget.uncontacted), (0, 1));
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    desk.commit(ticket, 7).unwrap();
    let budget = desk.state.governor().budget(&RULES.lookup, Timestamp::from_unix_ms(desk.now));
    assert_eq!((budget.left, budget.uncontacted), (1, 0));
    assert!(desk.look_up(2).is_ok());
}
