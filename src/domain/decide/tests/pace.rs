//! Given what was sent, when more is to be sent, then no more than limits, caps and paces allow.

use std::num::NonZeroU32;

use proptest::prelude::*;
use serde_json::json;

use super::{Desk, desk::sender_id, topic_id};
use crate::{
    domain::{
        command::{Command, OptIn, RegistryCommand},
        consent::ConsentStatus,
        eligibility::{PAIR_BURST, PAIR_MS},
        event::{Event, Evidence},
        home::Home,
        ids::TicketId,
        names::PortfolioId,
        pace::UsageKey,
        reason::Reason,
        refusal::Refusal,
        registry::{Category, Quality},
        ticket::{MessageKind, TicketState, VoidCause},
        time::{DAY_MS, HOUR_MS, Timestamp},
    },
    policy::{ConsentBasis, Country},
};

const TEMPLATE: MessageKind = MessageKind::Template;
const SESSION: MessageKind = MessageKind::Session;

/// How long the desk's tickets are good.
const TTL_MS: i64 = 60_000;

fn portfolio() -> PortfolioId {
    PortfolioId::parse("p1").unwrap()
}

impl Desk {
    /// People who agreed, none of whom was written to.
    fn with_people(count: u128) -> Self {
        let mut desk = Self::new();
        for key in 1..=count {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        desk
    }

    pub(super) fn limit(&mut self, limit: Option<u32>) {
        let id = portfolio();
        let mut portfolio = self.state.registry().portfolio(&id).unwrap().value.clone();
        portfolio.messaging_limit = limit;
        self.put(RegistryCommand::PutPortfolio { id, portfolio });
    }

    pub(super) fn sender_is(&mut self, change: impl FnOnce(&mut crate::domain::registry::Sender)) {
        let id = sender_id();
        let mut sender = self.state.registry().sender(&id).unwrap().1.value.clone();
        change(&mut sender);
        self.put(RegistryCommand::PutSender { id, sender });
    }

    pub(crate) fn used(&self) -> u64 {
        self.state.counted(&UsageKey::Portfolio(portfolio())).within(self.time())
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.now)
    }

    pub(super) fn choose(&mut self, overrides: serde_json::Value) {
        self.policy(serde_json::from_value(overrides).unwrap());
    }

    fn release(&mut self, ticket: TicketId) -> Result<Vec<Event>, Refusal> {
        self.run(Command::ReleaseSend { ticket })
    }
}

#[test]
fn a_limit_is_kept_to_the_unit_and_frees_up_after_exactly_a_day() {
    let mut desk = Desk::with_people(5);
    desk.limit(Some(2));
    let tickets = [1, 2].map(|key| desk.reserve(key, TEMPLATE).unwrap());
    assert_eq!(desk.used(), 2);
    assert_eq!(desk.reserve(3, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    desk.reserve(1, TEMPLATE).expect("a person counts once");
    assert_eq!(desk.used(), 2);
    for (ticket, message) in tickets.into_iter().zip([1, 2]) {
        desk.commit(ticket, message).unwrap();
    }
    // The first person counts until a day after the end of the ticket nobody heard of, the second
    // until a day after the only message.
    desk.now += DAY_MS - 2;
    assert_eq!(desk.reserve(3, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    desk.reserve(3, TEMPLATE).expect("the second one counts no more");
    assert_eq!(desk.used(), 2);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn room_comes_back_with_a_release_and_stays_gone_with_a_withdrawal() {
    let mut desk = Desk::with_people(4);
    desk.limit(Some(1));
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    desk.release(ticket).unwrap();
    assert_eq!(desk.used(), 0);
    let ticket = desk.reserve(2, TEMPLATE).unwrap();
    desk.opt_out(2, None).unwrap();
    assert_eq!(desk.used(), 1, "the message may be on its way");
    desk.release(ticket).unwrap();
    assert_eq!(desk.used(), 0);
    let ticket = desk.reserve(3, TEMPLATE).unwrap();
    desk.commit(ticket, 9).unwrap();
    assert_eq!(desk.used(), 1);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_goes_into_an_open_window_takes_no_room() {
    let mut desk = Desk::with_people(2);
    desk.limit(Some(0));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::MessagingLimit]));
    desk.inbound(1, None).unwrap();
    desk.reserve(1, TEMPLATE).unwrap();
    desk.reserve(1, SESSION).unwrap();
    assert_eq!(desk.used(), 0);
}

#[test]
fn an_expired_ticket_keeps_its_room_because_it_may_have_been_used() {
    let mut desk = Desk::with_people(2);
    desk.limit(Some(1));
    desk.reserve(1, TEMPLATE).unwrap();
    desk.now += HOUR_MS;
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::MessagingLimit]));
}

#[test]
fn one_marketing_message_in_fourteen_days_unless_policy_says_otherwise() {
    let mut desk = Desk::with_people(1);
    desk.choose(json!({}));
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::FrequencyCap]));
    desk.commit(ticket, 1).unwrap();
    let at = desk.now;
    desk.now = at + 14 * DAY_MS - 2;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::FrequencyCap]));
    desk.reserve(1, TEMPLATE).unwrap();
    let cap = json!({"category": "marketing", "cap": {"count": 3, "days": 1}});
    desk.choose(json!({"settings": {"frequency_caps": [cap]}}));
    desk.reserve(1, TEMPLATE).unwrap();
    desk.reserve(1, TEMPLATE).unwrap();
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::FrequencyCap]));
    desk.reserve(1, SESSION).expect_err("no window");
    desk.inbound(1, None).unwrap();
    desk.reserve(1, SESSION).expect("a cap is about templates");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_pair_has_its_burst_and_then_one_message_in_six_seconds() {
    let mut desk = Desk::with_people(1);
    desk.inbound(1, None).unwrap();
    let start = desk.now;
    for _ in 0..PAIR_BURST {
        desk.now = start;
        desk.reserve(1, SESSION).unwrap();
    }
    desk.now = start;
    assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::PairRate]));
    desk.now = start + PAIR_MS;
    desk.reserve(1, SESSION).expect("six seconds later");
    assert_eq!(desk.reserve(1, SESSION), Err(vec![Reason::PairRate]));
}

#[test]
fn tickets_of_a_sender_are_spaced_by_its_throughput_and_never_beyond_their_end() {
    let mut desk = Desk::with_people(30);
    desk.sender_is(|sender| sender.throughput = NonZeroU32::new(10));
    let start = desk.now;
    let mut starts = Vec::new();
    for key in 1..=30 {
        desk.now = start;
        let mut send = desk.send(key, TEMPLATE);
        send.ttl_ms = 1_500;
        match desk.run(Command::ReserveSend(Box::new(send))) {
            Ok(events) => {
                let [Event::TicketReserved(event)] = &events[..] else { panic!("{events:?}") };
                starts.push(event.send_at.map_or(0, |at| at.unix_ms() - start - 1));
            }
            Err(Refusal::SenderBusy { frees_at }) => {
                assert_eq!(starts.len(), 24, "a second's worth at once, and 14 within their time");
                assert!(frees_at.unix_ms() > start);
                assert!(starts.is_sorted());
                assert_eq!((starts[9], starts[10], starts[23]), (0, 100, 1_400));
                return;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("nothing was refused: {starts:?}");
}

#[test]
fn red_quality_stops_marketing_yellow_halves_it_and_neither_touches_anything_else() {
    let mut desk = Desk::with_people(5);
    desk.limit(Some(4));
    desk.sender_is(|sender| sender.quality = Quality::Yellow);
    desk.reserve(1, TEMPLATE).unwrap();
    desk.reserve(2, TEMPLATE).unwrap();
    assert_eq!(desk.reserve(3, TEMPLATE), Err(vec![Reason::QualityBrake]));
    desk.sender_is(|sender| sender.quality = Quality::Red);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::QualityBrake]));
    desk.inbound(1, None).unwrap();
    desk.reserve(1, SESSION).unwrap();
    desk.sender_is(|sender| sender.quality = Quality::Green);
    desk.reserve(3, TEMPLATE).unwrap();
}

#[test]
fn a_sender_that_is_stopped_loses_its_open_tickets() {
    let mut desk = Desk::with_people(2);
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    desk.sender_is(|sender| sender.halted = true);
    let state = desk.state.ticket(ticket).unwrap().state;
    assert_eq!(state, TicketState::Voided { cause: VoidCause::SenderHalted });
    assert!(matches!(desk.commit(ticket, 7), Err(Refusal::TicketVoided { .. })));
}

#[test]
fn a_rule_of_a_pack_is_named_by_every_refusal_it_causes() {
    let mut desk = Desk::with_people(1);
    desk.at_home(1, "US");
    desk.reserve(1, TEMPLATE).expect("no pack counts by itself");
    desk.choose(json!({"packs": {"whatsapp": {"on": true}}, "settings": {"frequency_caps": []}}));
    let command = desk.send(1, TEMPLATE);
    let Err(Refusal::SendRefused(refused)) = desk.run(Command::ReserveSend(Box::new(command)))
    else {
        panic!("the pause of marketing to the United States")
    };
    let [(Reason::CountryBlocked, rule)] = &refused.verdict.grounds[..] else {
        panic!("{:?}", refused.verdict)
    };
    assert!(rule.to_string().starts_with("whatsapp@"), "{rule}");
}

#[test]
fn quiet_hours_are_those_of_the_recipients_clock_and_say_when_they_end() {
    let mut desk = Desk::with_people(1);
    desk.at_home(1, "SG");
    let rule = json!({"id": "night", "countries": ["SG"], "categories": ["marketing"],
        "why": "People sleep.", "quiet_hours": {"windows": [{"from": "21:00", "to": "09:00"}]}});
    desk.choose(json!({"rules": [rule], "settings": {"frequency_caps": []}}));
    // 2027-01-01T16:00Z is midnight in Singapore.
    desk.now = 1_798_819_200_000;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::QuietHours]));
    desk.now += 9 * HOUR_MS - 3;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::QuietHours]));
    desk.reserve(1, TEMPLATE).expect("nine in the morning");
}

#[test]
fn an_agreement_runs_out_by_a_rule_and_a_later_one_counts_again() {
    let mut desk = Desk::with_people(1);
    desk.at_home(1, "SG");
    let rule = json!({"id": "old", "countries": ["*"], "categories": ["marketing"],
        "why": "Old agreements prove little.", "consent_expiry": {"days": 10}});
    desk.choose(json!({"rules": [rule], "settings": {"frequency_caps": []}}));
    desk.now += 11 * DAY_MS;
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Expired]));
    desk.opt_in(1, "promotions", None).unwrap();
    desk.reserve(1, TEMPLATE).unwrap();
}

/// Somebody in Canada, where policy says how long what is implied lasts, and what followed.
fn customer(acts: &[(ConsentBasis, i64)]) -> Desk {
    let mut desk = Desk::new();
    desk.choose(json!({"packs": {"americas": {"on": true}}, "settings": {"frequency_caps": []}}));
    for (basis, after_ms) in acts {
        desk.now += after_ms;
        desk.agree_on(1, *basis);
    }
    desk
}

impl Desk {
    fn agree_on(&mut self, key: u128, basis: ConsentBasis) {
        let mut person = self.person(key);
        if let Some(number) = &mut person.number {
            number.home = Home { country: Country::parse("CA").ok(), zone: None };
        }
        let command = OptIn { basis, ..super::opt_in_of(person, "promotions") };
        self.run(Command::OptIn(Box::new(command))).unwrap();
    }

    /// The days after which nothing may be sent any more, and why.
    fn lasts(&mut self) -> (i64, Option<Vec<Reason>>) {
        for day in 0..1_500 {
            if let Err(why) = self.reserve(1, TEMPLATE) {
                return (day, Some(why));
            }
            self.now += DAY_MS;
        }
        (1_500, None)
    }
}

#[test]
fn what_is_implied_lasts_as_long_as_policy_says_of_its_kind() {
    use ConsentBasis::{Express, Implied, ImpliedInquiry, ImpliedPurchase};
    let expired = Some(vec![Reason::Expired]);
    assert_eq!(customer(&[(Express, 0)]).lasts(), (1_500, None));
    assert_eq!(customer(&[(ImpliedPurchase, 0)]).lasts(), (730, expired.clone()));
    assert_eq!(customer(&[(ImpliedInquiry, 0)]).lasts(), (181, expired.clone()));
    assert_eq!(customer(&[(Implied, 0)]).lasts(), (181, expired.clone()), "nobody says from what");
    // An inquiry takes nothing from a purchase, and lasts where the purchase is long ago.
    let inquired = |days: i64| customer(&[(ImpliedPurchase, 0), (ImpliedInquiry, days * DAY_MS)]);
    assert_eq!(inquired(1).lasts(), (729, expired.clone()));
    assert_eq!(inquired(700).lasts(), (181, expired.clone()));
    // What the person said has no end, and a purchase after it gives it none.
    assert_eq!(customer(&[(ImpliedInquiry, 0), (Express, DAY_MS)]).lasts(), (1_500, None));
    assert_eq!(customer(&[(Express, 0), (ImpliedPurchase, DAY_MS)]).lasts(), (1_500, None));
}

#[test]
fn what_is_implied_lifts_neither_a_withdrawal_nor_a_changed_identity() {
    let mut desk = customer(&[(ConsentBasis::ImpliedPurchase, 0)]);
    desk.reserve(1, TEMPLATE).unwrap();
    for hash in ["A", "B"] {
        desk.identity(1, hash, desk.now).unwrap();
        desk.now += 1;
    }
    desk.agree_on(1, ConsentBasis::ImpliedPurchase);
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]));
    desk.agree_on(1, ConsentBasis::Express);
    desk.reserve(1, TEMPLATE).expect("the person said so since");
    desk.opt_out(1, None).unwrap();
    desk.now += 1;
    desk.agree_on(1, ConsentBasis::ImpliedPurchase);
    let reasons = desk.reserve(1, TEMPLATE).unwrap_err();
    assert!(reasons.contains(&Reason::Withdrawn), "{reasons:?}");
}

#[test]
fn what_is_implied_waits_for_a_confirmation_where_policy_wants_one() {
    let mut desk = customer(&[]);
    let rule = json!({"id": "twice", "countries": ["CA"], "categories": ["marketing"],
        "why": "To be sure.", "double_opt_in": true});
    desk.choose(json!({"rules": [rule]}));
    desk.agree_on(1, ConsentBasis::ImpliedPurchase);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Pending);
}

#[test]
fn where_policy_wants_a_confirmation_an_agreement_waits_for_it() {
    let mut desk = Desk::new();
    desk.choose(json!({"packs": {"europe-practice": {"on": true}}}));
    let berlin = Home { country: Country::parse("DE").ok(), zone: None };
    let claim = |desk: &mut Desk, evidence: Evidence| {
        let mut person = desk.person(1);
        if let Some(number) = &mut person.number {
            number.home = berlin;
        }
        let command = OptIn { evidence, ..super::opt_in_of(person, "promotions") };
        desk.run(Command::OptIn(Box::new(command))).unwrap();
        desk.status(1, "promotions")
    };
    assert_eq!(claim(&mut desk, Evidence::new()), ConsentStatus::Pending);
    assert_eq!(claim(&mut desk, Evidence::new()), ConsentStatus::Pending, "the form again");
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Pending]));
    let proof = Evidence::from([("mail".into(), "the link was followed".into())]);
    assert_eq!(claim(&mut desk, proof), ConsentStatus::Granted);
    // A form that anybody can fill in does not vouch for whoever has the number now.
    let proof = || Evidence::from([("mail".into(), "the link was followed".into())]);
    let mailed_again = || Evidence::from([("mail".into(), "the second link was followed".into())]);
    for hash in ["A", "B"] {
        desk.now += 10;
        desk.identity(1, hash, desk.now).unwrap();
    }
    for (evidence, refused) in [
        (proof(), Some(Reason::IdentityChanged)),
        (Evidence::new(), Some(Reason::IdentityChanged)),
        (proof(), Some(Reason::IdentityChanged)),
        (mailed_again(), None),
    ] {
        desk.now += 10;
        claim(&mut desk, evidence);
        let reasons = desk.reserve(1, TEMPLATE).err().unwrap_or_default();
        assert_eq!(reasons, refused.into_iter().collect::<Vec<_>>());
    }
    // One that has run out is claimed and confirmed like a first one.
    let topic = crate::domain::registry::Topic {
        name: "Promotions".into(),
        category: Category::Marketing,
        description: None,
        expires_after_days: Some(1),
    };
    desk.put(RegistryCommand::PutTopic { id: topic_id("promotions"), topic });
    assert_eq!(claim(&mut desk, proof()), ConsentStatus::Granted, "it repeats what is in force");
    desk.now += 2 * DAY_MS;
    assert_eq!(claim(&mut desk, proof()), ConsentStatus::Expired, "nobody asked since");
    desk.now += 1;
    assert_eq!(claim(&mut desk, mailed_again()), ConsentStatus::Granted);
    // Nobody has shown that the user id beside a claim is the person's.
    let mut person = desk.person(3);
    if let Some(number) = &mut person.number {
        number.home = berlin;
    }
    person.user = Some(crate::domain::command::UserIdentifier {
        user_id: "DE.90000000001".into(),
        key: crate::domain::key::ContactKey::from_bits(90),
    });
    let claimed = super::opt_in_of(person, "promotions");
    desk.run(Command::OptIn(Box::new(claimed))).unwrap();
    assert_eq!(desk.status(3, "promotions"), ConsentStatus::Pending);
    assert!(desk.state.contacts().find(crate::domain::key::ContactKey::from_bits(90)).is_none());
    desk.opt_in(2, "promotions", None).unwrap();
    assert_eq!(desk.status(2, "promotions"), ConsentStatus::Granted, "elsewhere nobody waits");
}

#[test]
fn an_agreement_to_everything_covers_a_topic_where_policy_lets_it_and_a_withdrawal_beats_it() {
    let mut desk = Desk::new();
    desk.put(RegistryCommand::PutTopic {
        id: topic_id("general"),
        topic: crate::domain::registry::Topic {
            name: "Everything".into(),
            category: Category::Marketing,
            description: None,
            expires_after_days: None,
        },
    });
    desk.opt_in(1, "general", None).unwrap();
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::NeverAsked]));
    desk.choose(json!({"settings": {"frequency_caps": [], "general_topic": true}}));
    desk.reserve(1, TEMPLATE).unwrap();
    desk.opt_out(1, Some(&["promotions"])).unwrap();
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Withdrawn]));
}

#[test]
fn an_agreement_to_everything_after_a_change_registers_the_new_person_for_what_it_covers() {
    let mut desk = Desk::new();
    for id in ["general", "promotions"] {
        desk.put(RegistryCommand::PutTopic {
            id: topic_id(id),
            topic: crate::domain::registry::Topic {
                name: id.into(),
                category: Category::Marketing,
                description: None,
                expires_after_days: None,
            },
        });
    }
    desk.choose(json!({"settings": {"frequency_caps": [], "general_topic": true}}));
    for (person, topic) in [(1, "general"), (2, "promotions")] {
        desk.opt_in(person, topic, None).unwrap();
        desk.identity(person, "first", desk.now).unwrap();
        desk.now += 10;
        desk.identity(person, "second", desk.now).unwrap();
        assert_eq!(desk.reserve(person, TEMPLATE), Err(vec![Reason::IdentityChanged]));
        desk.now += 10;
        desk.opt_in(person, "general", None).unwrap();
    }
    desk.reserve(1, TEMPLATE).unwrap();
    // The person before agreed to this very topic, which the general one does not stand for.
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::IdentityChanged]));
}

impl Desk {
    /// Makes a person known to be at home somewhere, as a linked number would.
    pub(super) fn at_home(&mut self, key: u128, country: &str) {
        let home = Home { country: Country::parse(country).ok(), zone: None };
        self.home_of(key, home);
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_the_limit_holds_and_is_counted_as_a_list_would(
        steps in prop::collection::vec((0_u8..7, 1_u128..8, 0_i64..20), 1..120),
        limit in 0_u32..5,
    ) {
        let mut desk = Desk::with_people(7);
        desk.limit(Some(limit));
        // For whom, which, when it counts as sent, and whether it is known to be.
        let mut open: Vec<(u128, TicketId, i64, bool)> = Vec::new();
        for (step, key, hours) in steps {
            // Else a ticket would rarely be good when something comes of it.
            desk.now += if step % 2 == 0 { hours * HOUR_MS } else { hours };
            match step {
                0..=2 => {
                    if let Ok(ticket) = desk.reserve(key, TEMPLATE) {
                        open.push((key, ticket, desk.now + TTL_MS, false));
                    }
                }
                3 => {
                    // What was sent is not given back, and what is long over is not known.
                    if let Some(last) = open.pop()
                        && (desk.release(last.1).is_err() || last.3)
                    {
                        open.push(last);
                    }
                }
                4 | 5 => {
                    let is_mine = |one: &&mut (u128, TicketId, i64, bool)| {
                        one.0 == key && !one.3 && desk.now < one.2
                    };
                    if let Some(mine) = open.iter_mut().find(is_mine) {
                        // Refused where it was taken back, and noted.
                        let _committed = desk.commit(mine.1, key + 1_000);
                        (mine.2, mine.3) = (desk.now, true);
                    }
                }
                _ => {
                    // What was open and good then is taken back, and may have gone out.
                    desk.opt_out(key, None).unwrap();
                    desk.opt_in(key, "promotions", None).unwrap();
                }
            }
            let horizon = desk.now - DAY_MS;
            let mut people: Vec<u128> =
                open.iter().filter(|one| one.2 > horizon).map(|one| one.0).collect();
            people.sort_unstable();
            people.dedup();
            prop_assert_eq!(desk.used(), u64::try_from(people.len()).unwrap());
            prop_assert!(people.len() <= usize::try_from(limit).unwrap());
        }
        prop_assert!(desk.replayed() == desk.state);
    }
}
