//! A day of traffic ends the same in any order, however often it is told.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Desk, TEMPLATE, business::sale, wrote};
use crate::domain::{
    command::{Command, Person, RegistryCommand},
    consent::{FullStop, Standing},
    contact::Contact,
    decide::tests::{sender_id, topic_id},
    entry::Subject,
    event::Event,
    hearing::{
        AccountFact, AnswerHow, ConsentAnswer, Delivery, Failure, FailureEffect, Heard, HeardFact,
        RestrictionKind, Review, SenderFact, Step, TemplateFact, Wrote,
    },
    ids::TicketId,
    key::{ContactKey, MessageKey},
    names::{AccountId, PortfolioId, SenderId},
    registry::{Category, Quality},
    state::State,
    ticket::TicketState,
    time::Timestamp,
};

const PEOPLE: u128 = 8;
/// Somebody who was asked, and says yes now and then; and somebody who says no.
const ASKED: [u128; 2] = [20, 21];
/// People nobody knows in the morning.
const STRANGERS: u128 = 3;
/// Two accounts, each with a sender and a template of the same name.
const ACCOUNTS: [&str; 2] = ["a1", "a2"];
const FACTS_MAX: usize = 300;
/// When the first of the facts that are dated by whole seconds happens.
const SECONDS_FROM: i64 = 1_001_000;
/// Moments of a day, in milliseconds: no two facts about people share one.
const SPACING_MS: i64 = 1_000;

/// One fact, before it is dated: a kind, a person, through whom, and two further choices.
#[derive(Debug, Clone)]
struct Seed {
    kind: u8,
    person: u128,
    through: u8,
    choice: u8,
    at: i64,
}

fn day() -> impl Strategy<Value = Vec<Seed>> {
    let seed = (0_u8..15, 0..PEOPLE, 0_u8..4, any::<u8>(), 0_i64..SPACING_MS)
        .prop_map(|(kind, person, through, choice, at)| Seed { kind, person, through, choice, at });
    prop::collection::vec(seed, 1..FACTS_MAX)
}

/// A business, people who agreed, and a ticket for each of them.
fn morning() -> (Desk, Vec<TicketId>) {
    let mut desk = Desk::new();
    let mut tickets = Vec::new();
    for key in 1..=PEOPLE {
        desk.opt_in(key, "promotions", None).unwrap();
        // Of some nobody knows yet which user id is theirs.
        let both = desk.both(key, 90 + key);
        let user = both.user.clone().filter(|_| key % 2 == 0);
        desk.write(Person { user, ..both }, 900_000, None);
        tickets.push(desk.reserve(key, TEMPLATE).unwrap());
    }
    for key in ASKED {
        desk.ask(key, "promotions");
    }
    let (_, put) = desk.state.registry().sender(&sender_id()).unwrap();
    let sender = put.value.clone();
    desk.put(RegistryCommand::PutSender { id: other_sender(), sender });
    // Whose sender it is must be known: what stops an account stops senders of none, too.
    for (sender, account) in [(sender_id(), ACCOUNTS[0]), (other_sender(), ACCOUNTS[1])] {
        let fact = HeardFact::SenderNumber(SenderFact::Throughput("HIGH".into()));
        desk.told(900_000, (account, Some(sender)), fact);
    }
    desk.now += SPACING_MS * 400;
    (desk, tickets)
}

fn other_sender() -> SenderId {
    SenderId::parse("700100200300502").unwrap()
}

fn pick<T: Clone>(choice: u8, all: &[T]) -> T {
    all[usize::from(choice) % all.len()].clone()
}

/// Who is behind a number changes twice a day.
#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn hash_at(at: i64) -> Option<Box<str>> {
    Some(format!("hash {}", at / (SPACING_MS * 100)).into())
}

fn answer(choice: u8) -> Option<ConsentAnswer> {
    let how = AnswerHow { kind: "keyword".into(), ..AnswerHow::default() };
    let topics = vec![topic_id(pick(choice, &["promotions", "orders"]))];
    match choice % 7 {
        0 => Some(ConsentAnswer::OptOut { topics: None, how }),
        1 => Some(ConsentAnswer::OptOut { topics: Some(topics), how }),
        2 | 3 => Some(ConsentAnswer::OptIn { topics, statement: None, language: None, how }),
        4 => Some(ConsentAnswer::Review { why: "near_miss".into(), word: None, scope: None }),
        _ => None,
    }
}

fn failure(choice: u8) -> Failure {
    use FailureEffect as E;
    let effect = pick(
        choice,
        &[
            E::Unreachable,
            E::WindowClosed,
            E::MarketingCooldown,
            E::MarketingStopped,
            E::Experiment,
            E::PairBackoff,
            E::BlockedByBusiness,
            E::RefuseForever,
            E::Identity,
            E::CountryBlocked,
            E::HaltSender,
            E::HaltAccount,
            E::HaltTemplates,
            E::HaltMarketing,
            E::TemplatePaused,
            E::TemplateDisabled,
            E::TemplateUnknown,
            E::Nothing,
        ],
    );
    let pause_ms = (choice.is_multiple_of(3) || effect == E::PairBackoff).then_some(90_000);
    Failure { code: 131_000, effect, pause_ms, country: None }
}

fn status(person: Person, message: u128, choice: u8, at: i64) -> Delivery {
    let step = pick(choice, &[Step::Sent, Step::Delivered, Step::Read, Step::Failed]);
    Delivery {
        person: Some(person),
        message: MessageKey::from_bits(message),
        message_id: "wamid.out".into(),
        is_message: true,
        ticket: None,
        step,
        identity_hash: hash_at(at).filter(|_| choice.is_multiple_of(3)),
        failure: (step == Step::Failed).then(|| failure(choice / 4)),
    }
}

fn about_template(choice: u8, at: i64) -> TemplateFact {
    let (template, category) =
        (sale(), pick(choice / 4, &[Category::Marketing, Category::Utility]));
    match choice % 4 {
        0 => TemplateFact::Quality {
            template,
            quality: pick(choice / 4, &[Quality::Red, Quality::Green]),
        },
        1 => TemplateFact::Category { template, category },
        2 => {
            let from = Timestamp::from_unix_ms(at + 50_000);
            TemplateFact::CategoryImpending { template, category, from }
        }
        _ => TemplateFact::Status {
            template,
            status: pick(choice / 4, &["APPROVED", "PAUSED", "DISABLED"]).into(),
            pause_ms: (choice / 16).is_multiple_of(2).then_some(10_000),
            category: (choice / 32).is_multiple_of(3).then_some(category),
        },
    }
}

fn about_account(choice: u8, at: i64) -> AccountFact {
    let until = choice.is_multiple_of(2).then(|| Timestamp::from_unix_ms(at + 70_000));
    let kinds = vec![
        (RestrictionKind::BusinessInitiated, until),
        (pick(choice, &[RestrictionKind::CustomerInitiated, RestrictionKind::Other]), until),
    ];
    pick(
        choice,
        &[
            AccountFact::Restricted { kinds },
            AccountFact::Disabled,
            AccountFact::Reinstated,
            AccountFact::Deleted,
            AccountFact::Offboarded,
            AccountFact::Reconnected,
            AccountFact::PartnerRemoved,
        ],
    )
}

/// Now and then only the user id is told, or only the number.
fn seen_as(person: Person, choice: u8) -> Person {
    let number = person.number.filter(|_| choice % 11 < 7);
    let user = person.user.filter(|_| number.is_none() || choice % 11 < 4);
    Person { number, user, ..person }
}

fn fact(desk: &mut Desk, tickets: &[TicketId], seed: &Seed, at: i64) -> HeardFact {
    let (key, choice) = (seed.person + 1, seed.choice);
    let person: Person = desk.both(key, 90 + key);
    match seed.kind {
        0..=3 => {
            let identity_hash = hash_at(at).filter(|_| choice.is_multiple_of(2));
            let opens_window = !choice.is_multiple_of(5);
            let wrote = wrote(seen_as(person, choice), answer(choice));
            HeardFact::Wrote(Wrote { opens_window, identity_hash, ..wrote })
        }
        4..=6 => {
            let ticket = tickets.get(usize::try_from(seed.person).unwrap()).copied();
            let status = status(person, 7_000 + key, choice, at);
            // What was sent to a number names it, and now and then the user id beside it.
            let person = status.person.clone().map(|person| {
                let user = person.user.filter(|_| choice % 3 > 0);
                Person { user, ..person }
            });
            let person = person.filter(|_| !choice.is_multiple_of(7));
            HeardFact::Delivery(Delivery { person, ticket, ..status })
        }
        7 => {
            let (person, is_stopped) = (seen_as(person, choice), choice.is_multiple_of(2));
            HeardFact::MarketingPreference { person, is_stopped }
        }
        8 => match choice % 3 {
            0 => HeardFact::MovedNumber { old: person, new: None },
            1 => desk.moved_user(90 + key, 990 + key),
            _ => {
                let hash = hash_at(at).filter(|_| choice.is_multiple_of(2));
                HeardFact::IdentityChanged { person, hash }
            }
        },
        9 => HeardFact::Account(about_account(choice, at)),
        10 => HeardFact::Template(about_template(choice, at)),
        12 => {
            let place = usize::from(choice) % ASKED.len();
            let answer = match place {
                0 => ConsentAnswer::Yes { how: AnswerHow::default(), answer_only: false },
                _ => ConsentAnswer::No { how: AnswerHow::default() },
            };
            HeardFact::Wrote(wrote(desk.person(ASKED[place]), Some(answer)))
        }
        13 => {
            let key = seed.person % STRANGERS;
            let person = desk.both(30 + key, 130 + key);
            match choice % 5 {
                0 => {
                    HeardFact::MarketingPreference { person, is_stopped: choice.is_multiple_of(2) }
                }
                1 => HeardFact::Wrote(wrote(person, None)),
                2 => HeardFact::IdentityChanged { person, hash: None },
                _ => HeardFact::Delivery(status(person, 8_000 + key, choice / 5, at)),
            }
        }
        14 => {
            // A person moves to a number that somebody may have had.
            let new =
                Some(desk.person(if choice.is_multiple_of(2) { 30 } else { key % PEOPLE + 1 }));
            HeardFact::MovedNumber { old: person, new }
        }
        _ => match choice % 3 {
            0 => HeardFact::Limit { limit: pick(choice / 3, &[None, Some(2_000), Some(10_000)]) },
            1 => HeardFact::SenderNumber(SenderFact::Quality(pick(
                choice / 3,
                &[Quality::Green, Quality::Yellow, Quality::Red],
            ))),
            _ => {
                let status = pick(choice / 3, &["CONNECTED", "RESTRICTED", "BANNED"]);
                HeardFact::SenderNumber(SenderFact::Status(status.into()))
            }
        },
    }
}

/// What is said about the business comes by the handful at one moment.
fn moment(seed: &Seed, place: usize) -> i64 {
    let of_day = |place: usize| 1_000_100 + i64::try_from(place).unwrap() * SPACING_MS;
    if matches!(seed.kind, 9..=11) { of_day(place - place % 16) } else { of_day(place) + seed.at }
}

/// What somebody agreed to by another channel, dated to the millisecond: which person, whether to
/// promotions, and how long after the morning.
type Act = (u128, bool, i64);

/// Acts that are known before anything is told, within the seconds that facts are dated by.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec((0..PEOPLE, any::<bool>(), 0..SPACING_MS * 40), 0..24)
}

/// Tells a day in some order. As the writer does by its marks, an answer is taken once.
struct Teller {
    desk: Desk,
    tickets: Vec<TicketId>,
    answered: BTreeSet<usize>,
    /// Whether consents follow numbers, and people move to numbers nobody has.
    follows: bool,
    /// Whether facts are dated by whole seconds.
    by_second: bool,
}

impl Teller {
    fn new() -> Self {
        let (desk, tickets) = morning();
        Self { desk, tickets, answered: BTreeSet::new(), follows: false, by_second: false }
    }

    fn following() -> Self {
        let mut teller = Self::new();
        teller.desk.let_follow(true);
        teller.follows = true;
        teller
    }

    /// Facts are dated by whole seconds, and what was agreed and asked within those is known.
    fn by_second(acts: &[Act]) -> Self {
        let mut teller = Self::new();
        for (person, promotions, after) in acts {
            let topic = if *promotions { "promotions" } else { "orders" };
            let ms = SECONDS_FROM + after;
            teller.desk.opt_in(person + 1, topic, Some(ms)).unwrap();
            teller.desk.ask_at(ASKED[usize::from(*promotions)], "promotions", ms);
        }
        teller.by_second = true;
        teller
    }

    /// A move to a number nobody has, or only whoever moved there before.
    fn move_away(&mut self, seed: &Seed) -> HeardFact {
        let key = |place: u128| if place < PEOPLE { place + 1 } else { 40 + place };
        let old = key(u128::from(seed.choice) % (PEOPLE + 3));
        let new = Some(self.desk.person(key(PEOPLE + seed.person % 4)));
        HeardFact::MovedNumber { old: self.desk.person(old), new }
    }

    fn tell(&mut self, day: &[Seed], place: usize) -> Vec<Event> {
        let seed = &day[place];
        let at = if self.by_second {
            SECONDS_FROM + i64::try_from(place).unwrap() * SPACING_MS
        } else {
            moment(seed, place)
        };
        let fact = if self.follows && matches!(seed.kind, 9 | 10 | 11 | 14) {
            self.move_away(seed)
        } else {
            fact(&mut self.desk, &self.tickets, seed, at)
        };
        let has_answer = matches!(&fact, HeardFact::Wrote(wrote) if wrote.answer.is_some());
        if has_answer && !self.answered.insert(place) {
            return Vec::new();
        }
        let is_other = seed.through == 3;
        let sender = if is_other { other_sender() } else { sender_id() };
        // Now and then nobody says of which account a template is.
        let is_about_template = matches!(fact, HeardFact::Template(_) | HeardFact::Delivery(_));
        let is_known = !is_about_template || seed.through > 0;
        let account = AccountId::parse(ACCOUNTS[usize::from(is_other)]).unwrap();
        let heard = Heard {
            at: Timestamp::from_unix_ms(at),
            account: Some(account).filter(|_| is_known),
            sender: Some(sender),
            fact,
        };
        self.desk.run(Command::Hear(Box::new(heard))).unwrap()
    }
}

/// What a state says, without the positions of entries, which are those of arrival.
fn said(state: &State, tickets: &[TicketId]) -> Vec<String> {
    said_by(state, tickets, |at| at)
}

/// The same, with the dates of what people said as `dated`.
fn said_by(
    state: &State,
    tickets: &[TicketId],
    dated: impl Fn(Timestamp) -> Timestamp,
) -> Vec<String> {
    let now = Timestamp::from_unix_ms(1_000_000 + SPACING_MS * 1_000);
    let registry = state.registry();
    let mut lines = Vec::new();
    for (_, contact) in state.contacts().from(Subject(1)) {
        if contact.details().merged_into.is_some() {
            continue;
        }
        // The order in which people became known is one of arrival.
        let who = contact.own();
        let standings = ["promotions", "orders"].map(|topic| {
            let (ix, _) = registry.topic(&topic_id(topic)).unwrap();
            let standing = contact.consents.standing(ix, now);
            Standing { at: standing.at.map(&dated), ..standing }
        });
        let stop = contact.consents.full_stop();
        let stop = stop.map(|stop| FullStop { at: dated(stop.at), ..stop });
        // Of several answers to one question the first that comes is taken down: when it was given
        // is a matter of arrival, what it was is not.
        let is_asked = ASKED.map(|key| Some(ContactKey::from_bits(key)));
        if is_asked.contains(&contact.number_key) {
            let statuses = standings.map(|standing| standing.status);
            // Nor is which of them are answers to nothing that was asked by then.
            let mut contact = contact.clone();
            contact.details_mut().told_mut().answers.clear();
            lines.push(format!("{who:?} {statuses:?} {:?}", contact.details()));
            continue;
        }
        // Who has what was given up, by each identifier.
        let lifted = [contact.number_key, contact.user_key].map(|key| {
            let (mark, tag) = contact.given_up(key)?;
            Some(contact.consents.has_agreed_under(tag, None, mark))
        });
        lines.push(format!("{who:?} {standings:?} {stop:?} {lifted:?} {:?}", contact.details()));
    }
    lines.sort_unstable();
    for id in tickets {
        lines.push(format!(
            "{:?}",
            state.ticket(*id).map(|ticket| {
                // Whether a message was sent on a ticket or the ticket taken back before, is a matter
                // of arrival; how far its message got is not.
                (ticket.step, ticket.state == TicketState::Reserved)
            })
        ));
    }
    let mut reviews: Vec<_> = state
        .reviews_from(crate::domain::entry::Seq(0))
        .map(|(_, review)| {
            let place = state.contacts().resolve(review.contact);
            let who = state.contacts().get(place).map(Contact::own);
            let contact = Subject::SYSTEM;
            format!("{who:?} {:?}", Review { contact, ..review.clone() })
        })
        .collect();
    reviews.sort_unstable();
    lines.append(&mut reviews);
    for (sender, account) in [sender_id(), other_sender()].iter().zip(ACCOUNTS) {
        lines.push(format!("{:?}", registry.reported().sender(sender)));
        lines.push(format!("{:?}", registry.sender(sender)));
        let account = AccountId::parse(account).unwrap();
        lines.push(format!("{:?}", registry.reported().account(&account)));
        lines.push(format!("{:?}", registry.template_for(&sale(), Some(sender))));
    }
    lines.push(format!("{:?}", registry.template_for(&sale(), None)));
    lines.push(format!("{:?}", registry.reported().template(&sale())));
    lines.push(format!("{:?}", registry.portfolio(&PortfolioId::parse("p1").unwrap())));
    lines.iter().map(|line| without_seqs(line)).collect()
}

fn without_seqs(line: &str) -> String {
    let mut parts = line.split("Seq(");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str("Seq");
        kept.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_day_told_late_twice_and_in_any_order_ends_the_same_and_told_again_says_nothing_new(
        day in day(),
        order in prop::collection::vec(any::<u32>(), FACTS_MAX * 2),
    ) {
        let mut in_order = Teller::new();
        for place in 0..day.len() {
            in_order.tell(&day, place);
        }
        // Everything once and half of it twice, in an order of its own.
        let mut places: Vec<usize> = (0..day.len()).chain((0..day.len()).step_by(2)).collect();
        let mut keys = order.iter();
        places.sort_by_cached_key(|_| keys.next().copied());
        let mut mixed = Teller::new();
        for place in places {
            mixed.tell(&day, place);
        }
        let (one, other) = (&in_order.desk.state, &mixed.desk.state);
        let (one, other) = (said(one, &in_order.tickets), said(other, &mixed.tickets));
        prop_assert_eq!(one.len(), other.len());
        for (one, other) in one.into_iter().zip(other) {
            prop_assert_eq!(one, other);
        }
        for place in 0..day.len() {
            prop_assert!(mixed.tell(&day, place).is_empty(), "told again: {:?}", day[place]);
        }
        prop_assert!(mixed.desk.replayed() == mixed.desk.state);
    }

    #[test]
    fn a_day_on_which_consents_follow_numbers_replays_the_same_and_told_again_says_nothing_new(
        day in day(),
        order in prop::collection::vec(any::<u32>(), FACTS_MAX * 2),
    ) {
        let mut places: Vec<usize> = (0..day.len()).chain((0..day.len()).step_by(2)).collect();
        let mut keys = order.iter();
        places.sort_by_cached_key(|_| keys.next().copied());
        let mut teller = Teller::following();
        for place in places {
            teller.tell(&day, place);
        }
        for place in 0..day.len() {
            let again = teller.tell(&day, place);
            prop_assert!(again.is_empty(), "told again: {:?}: {:?}", day[place], again);
        }
        prop_assert!(teller.desk.replayed() == teller.desk.state);
    }
    #[test]
    fn a_day_by_whole_seconds_ends_the_same_among_acts_dated_to_the_millisecond(
        day in day(),
        acts in acts(),
        order in prop::collection::vec(any::<u32>(), FACTS_MAX * 2),
    ) {
        let mut in_order = Teller::by_second(&acts);
        for place in 0..day.len() {
            in_order.tell(&day, place);
        }
        let mut places: Vec<usize> = (0..day.len()).chain((0..day.len()).step_by(2)).collect();
        let mut keys = order.iter();
        places.sort_by_cached_key(|_| keys.next().copied());
        let mut mixed = Teller::by_second(&acts);
        for place in places {
            mixed.tell(&day, place);
        }
        // Until when exactly a withdrawal reaches within its second depends on what it met.
        let said = |teller: &Teller| {
            said_by(&teller.desk.state, &teller.tickets, Timestamp::floor_second)
        };
        for (one, other) in said(&in_order).into_iter().zip(said(&mixed)) {
            prop_assert_eq!(one, other);
        }
        for place in 0..day.len() {
            let again = mixed.tell(&day, place);
            prop_assert!(again.is_empty(), "told again: {:?}: {:?}", day[place], again);
        }
        prop_assert!(mixed.desk.replayed() == mixed.desk.state);
    }
}
