//! Given a refusal, when whoever asked waits as long as they were told, then the answer is yes, and
//! was no until then.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Desk, RULES, sender_id, topic_id};
use crate::domain::{
    command::{Command, RegistryCommand},
    contact::Contact,
    eligibility::{PAIR_BURST, Question, Resolved, Verdict},
    hearing::{
        ConsentAnswer, Delivery, Failure, FailureEffect, Heard, HeardFact, RestrictionKind,
        SenderFact, Step, TemplateFact, Wrote,
    },
    ids::TicketId,
    key::{ContactKey, MessageKey},
    names::{Language, TemplateName},
    reason::Reason,
    refusal::Refusal,
    registry::{Category, Quality, Template, TemplateRef},
    ticket::MessageKind,
    time::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp},
};

/// 2027-01-01T00:00Z: eight in the morning in Singapore.
const START: i64 = 1_798_761_600_000;

/// Marketing; utility, of a topic people agreed to marketing by; utility; an answer.
const ASKED: [Option<&str>; 4] = [Some("sale"), Some("news"), Some("order"), None];

const PEOPLE: std::ops::Range<u128> = 1..4;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn template(name: &str) -> TemplateRef {
    let language = Language::parse("id").unwrap();
    TemplateRef { name: TemplateName::parse(name).unwrap(), language }
}

/// A night in which people of these countries get nothing of these categories.
fn night(categories: &[&str], (from, to): (&str, &str)) -> Value {
    json!({"id": "night", "countries": ["*"], "categories": categories, "why": "People sleep.",
        "quiet_hours": {"windows": [{"from": from, "to": to}]}})
}

fn cap(category: &str, count: u32, days: u32) -> Value {
    json!({"category": category, "cap": {"count": count, "days": days}})
}

impl Desk {
    /// People of three countries who agreed to everything, and templates of each kind.
    fn of_the_world() -> Self {
        let mut desk = Self::new();
        for (name, topic) in [("news", "promotions"), ("order", "orders")] {
            let template_put = Template {
                topic: topic_id(topic),
                category: Category::Utility,
                status: "APPROVED".into(),
                answers: std::collections::BTreeMap::new(),
            };
            let id = template(name);
            desk.put(RegistryCommand::PutTemplate { id, template: template_put });
        }
        desk.now = START;
        for (key, country) in PEOPLE.zip(["SG", "ID", "US"]) {
            desk.agree(key);
            desk.at_home(key, country);
        }
        desk
    }

    fn agree(&mut self, key: u128) {
        for topic in ["promotions", "orders"] {
            desk_ok(self.opt_in(key, topic, None));
        }
    }

    /// Reserves, if that may be.
    fn send_now(
        &mut self,
        key: u128,
        what: Option<&str>,
        ttl_ms: i64,
    ) -> Result<TicketId, Refusal> {
        let kind = if what.is_some() { MessageKind::Template } else { MessageKind::Session };
        let mut send = self.send(key, kind);
        send.template = what.map(|name| template(name).name);
        send.ttl_ms = ttl_ms;
        let ticket = send.ticket;
        self.run(Command::ReserveSend(Box::new(send))).map(|_| ticket)
    }

    /// Sends, if that may be, and says so.
    fn sent(&mut self, key: u128, what: Option<&str>) {
        let Ok(ticket) = self.send_now(key, what, 60_000) else { return };
        desk_ok(self.commit(ticket, ticket.as_uuid().as_u128()));
    }

    fn is_told(&mut self, fact: HeardFact) {
        let heard = Heard { at: at(self.now), account: None, sender: Some(sender_id()), fact };
        desk_ok(self.run(Command::Hear(Box::new(heard))));
    }

    fn writes(&mut self, key: u128, answer: Option<ConsentAnswer>) {
        let message = MessageKey::from_bits(self.id().as_u128());
        let (person, kind) = (self.person(key), "text".into());
        let (message_id, opens_window) = ("wamid.in".into(), true);
        let (identity_hash, shared_number) = (None, None);
        self.is_told(HeardFact::Wrote(Wrote {
            person,
            message,
            message_id,
            kind,
            opens_window,
            identity_hash,
            answer,
            shared_number,
        }));
    }

    fn is_failed(&mut self, key: u128, effect: FailureEffect, pause_ms: Option<i64>) {
        let message = MessageKey::from_bits(self.id().as_u128());
        let person = Some(self.person(key));
        self.is_told(HeardFact::Delivery(Delivery {
            person,
            message,
            message_id: "wamid.out".into(),
            is_message: true,
            ticket: None,
            step: Step::Failed,
            identity_hash: None,
            failure: Some(Failure { code: 1, effect, pause_ms, country: None }),
        }));
    }

    fn turns(&mut self, name: &str, after_ms: i64) {
        let (template, from) = (template(name), at(self.now + after_ms));
        let category = Category::Marketing;
        let fact = TemplateFact::CategoryImpending { template, category, from };
        self.is_told(HeardFact::Template(fact));
    }

    fn pauses(&mut self, name: &str, pause_ms: Option<i64>) {
        let (template, status) = (template(name), "PAUSED".into());
        let fact = TemplateFact::Status { template, status, category: None, pause_ms };
        self.is_told(HeardFact::Template(fact));
    }

    fn contact(&self, key: u128) -> Option<&Contact> {
        let contacts = self.state.contacts();
        contacts.get(contacts.find(ContactKey::from_bits(key))?)
    }

    fn judged(&self, key: u128, what: Option<&str>, ms: i64) -> (Resolved, Verdict) {
        let question = Question {
            kind: if what.is_some() { MessageKind::Template } else { MessageKind::Session },
            template: what.map(|name| template(name).name),
            language: None,
            topic: None,
            sender: Some(sender_id()),
        };
        let resolved = question.resolve(&self.state, at(ms)).unwrap();
        let whom = (self.contact(key), Some(ContactKey::from_bits(key)));
        let verdict = resolved.judge(whom, RULES.session, at(ms));
        (resolved, verdict)
    }

    fn reasons_at(&self, key: u128, what: Option<&str>, ms: i64) -> Vec<Reason> {
        self.judged(key, what, ms).1.hits.iter().map(|hit| hit.reason).collect()
    }

    /// How long to wait, in milliseconds, as a decision says, after holding it to what comes.
    fn wait_ms(&self, key: u128, what: Option<&str>) -> Option<i64> {
        let (resolved, verdict) = self.judged(key, what, self.now);
        let whom = (self.contact(key), Some(ContactKey::from_bits(key)));
        let judged = (&verdict, at(self.now));
        let next = resolved.eligible_from(whom, RULES.session, judged, |_| true);
        let next = next.map(Timestamp::unix_ms);
        let is_open = |ms: &i64| self.reasons_at(key, what, *ms).is_empty();
        if let Some(next) = next {
            assert!(!verdict.is_eligible() && self.now < next, "{verdict:?}");
            assert!(is_open(&next), "{:?} {verdict:?}", self.reasons_at(key, what, next));
            let between = (0..40).map(|part| self.now + (next - self.now) * part / 40);
            let ends = verdict.hits.iter().filter_map(|hit| hit.retry_at.map(Timestamp::unix_ms));
            let sooner = between.chain(ends).chain([next - 1]).filter(|ms| *ms < next);
            assert_eq!(sooner.into_iter().find(is_open), None, "{next} {verdict:?}");
        } else if verdict.hits.iter().all(|hit| hit.retry_at.is_some()) && !verdict.is_eligible() {
            let days = (0..120).map(|hour| self.now + hour * HOUR_MS);
            let months = (0..200).map(|step| self.now + step * 7 * HOUR_MS);
            let later = days.chain(months).find(is_open);
            assert_eq!(later, None, "never by waiting: {verdict:?}");
        }
        next.map(|next| next - self.now)
    }
}

fn desk_ok<T>(done: Result<T, Refusal>) {
    done.map(drop).unwrap();
}

const SALE: Option<&str> = Some("sale");

#[test]
fn a_cap_that_ends_at_night_is_waited_for_until_the_morning() {
    let mut desk = Desk::of_the_world();
    desk.choose(json!({"rules": [night(&["marketing"], ("20:00", "08:30"))],
        "settings": {"frequency_caps": [cap("marketing", 1, 2)]}}));
    desk.now = START + HOUR_MS;
    // It counts from the end of its ticket, which is the beginning of the night.
    desk_ok(desk.send_now(1, SALE, DAY_MS));
    desk.now = START + 2 * DAY_MS;
    assert_eq!(desk.reasons_at(1, SALE, desk.now), [Reason::FrequencyCap, Reason::QuietHours]);
    // Two days after 20:00 are 20:00.
    assert_eq!(desk.wait_ms(1, SALE), Some(DAY_MS + HOUR_MS / 2));
}

#[test]
fn an_agreement_that_runs_out_meanwhile_is_not_waited_for() {
    let mut desk = Desk::of_the_world();
    let old = json!({"id": "old", "countries": ["*"], "categories": ["marketing"],
        "why": "Old agreements prove little.", "consent_expiry": {"days": 10}});
    for (days, wait) in [(9, Some(9 * DAY_MS)), (14, None)] {
        desk.choose(json!({"rules": [old], "settings":
            {"frequency_caps": [cap("marketing", 1, days)]}}));
        desk.now += DAY_MS;
        desk.agree(1);
        desk.sent(1, SALE);
        assert_eq!(desk.reasons_at(1, SALE, desk.now), [Reason::FrequencyCap]);
        assert_eq!(desk.wait_ms(1, SALE), wait);
        desk.now += 40 * DAY_MS;
    }
}

#[test]
fn a_window_that_closes_meanwhile_is_not_waited_for() {
    let mut desk = Desk::of_the_world();
    for (left_ms, wait) in [(HOUR_MS, Some(6 * SECOND_MS)), (62 * SECOND_MS, None)] {
        desk.writes(1, None);
        desk.now += DAY_MS - left_ms;
        let start = desk.now;
        for _ in 0..PAIR_BURST {
            desk.now = start - 1;
            desk_ok(desk.send_now(1, None, 60_000));
        }
        assert_eq!(desk.reasons_at(1, None, start), [Reason::PairRate]);
        assert_eq!(desk.wait_ms(1, None), wait);
        desk.now += DAY_MS;
    }
}

#[test]
fn a_template_that_turns_marketing_meanwhile_is_judged_as_that() {
    let mut desk = Desk::of_the_world();
    let caps = json!([cap("utility", 1, 3), cap("marketing", 1, 9)]);
    desk.choose(json!({"settings": {"frequency_caps": caps}}));
    for name in ["news", "order"] {
        desk.now += 10 * DAY_MS;
        desk.sent(1, Some(name));
        assert_eq!(desk.wait_ms(1, Some(name)), Some(3 * DAY_MS), "{name}");
        desk.turns(name, DAY_MS);
    }
    // Nobody agreed to marketing by the topic of this one.
    assert_eq!(desk.wait_ms(1, Some("order")), None);
    // Of marketing there was none yet, so that it turns ends the wait.
    let mut desk = Desk::of_the_world();
    desk.choose(json!({"settings": {"frequency_caps": caps}}));
    desk.sent(1, Some("news"));
    desk.turns("news", DAY_MS);
    assert_eq!(desk.reasons_at(1, Some("news"), desk.now), [Reason::FrequencyCap]);
    assert_eq!(desk.wait_ms(1, Some("news")), Some(DAY_MS - 1));
}

#[test]
fn what_an_open_window_hides_is_waited_for_where_it_will_have_closed() {
    let mut desk = Desk::of_the_world();
    desk.is_failed(1, FailureEffect::Experiment, None);
    let told_at = desk.now;
    desk.writes(1, None);
    for (pause_ms, wait) in [(HOUR_MS, HOUR_MS), (2 * DAY_MS, 30 * DAY_MS)] {
        desk.pauses("sale", Some(pause_ms));
        assert_eq!(desk.reasons_at(1, SALE, desk.now), [Reason::TemplatePaused]);
        let is_hidden = wait > pause_ms;
        let since = if is_hidden { told_at - 1 } else { desk.now - 1 };
        assert_eq!(desk.wait_ms(1, SALE), Some(since + wait - desk.now));
    }
}

#[test]
fn what_people_have_yet_to_decide_is_not_waited_for() {
    let mut desk = Desk::of_the_world();
    desk.choose(json!({"packs": {"asia-pacific": {"on": true}},
        "settings": {"overdue_stop_holds": true, "frequency_caps": [cap("marketing", 1, 30)]}}));
    desk.sent(2, SALE);
    assert!(desk.wait_ms(2, SALE).is_some());
    desk.writes(2, Some(doubt()));
    assert!(!desk.reasons_at(2, SALE, desk.now).contains(&Reason::MarketingCooldown));
    assert_eq!(desk.wait_ms(2, SALE), None);
}

#[test]
fn a_refused_send_says_the_moment_a_question_says() {
    let mut desk = Desk::of_the_world();
    desk.choose(json!({"rules": [night(&["marketing"], ("20:00", "08:30"))],
        "settings": {"frequency_caps": [cap("marketing", 1, 2)]}}));
    desk.now = START + HOUR_MS;
    desk_ok(desk.send_now(1, SALE, DAY_MS));
    desk.now = START + 2 * DAY_MS - 1;
    let Err(Refusal::SendRefused(refused)) = desk.send_now(1, SALE, 60_000) else { panic!() };
    let retry_at: Vec<_> = refused.verdict.hits.iter().map(|hit| hit.retry_at).collect();
    let (cap, night) = (START + 2 * DAY_MS + 12 * HOUR_MS, START + 2 * DAY_MS + HOUR_MS / 2);
    assert_eq!(retry_at, [Some(at(cap)), Some(at(night))], "each by itself");
    let next = at(START + 3 * DAY_MS + HOUR_MS / 2);
    assert_eq!(refused.next_eligible_at, Some(next));
    assert_eq!(desk.wait_ms(1, SALE).map(|wait| at(desk.now + wait)), Some(next));
}

fn doubt() -> ConsentAnswer {
    ConsentAnswer::Review { why: "near_miss".into(), word: None, scope: Some("all".into()) }
}

/// Something that bears on how long to wait.
#[derive(Debug, Clone)]
enum Happens {
    Agrees(u128),
    Sent(u128, usize, bool),
    Reserved(u128, usize, i64),
    Burst(u128),
    Writes(u128, bool),
    Fails(u128, FailureEffect, i64),
    Pauses(usize, i64),
    Turns(usize, i64),
    Held(i64),
    Quality(bool),
    Limit(u32),
    Rules(Value),
    Waits(i64),
}

fn rules() -> impl Strategy<Value = Value> {
    let categories = || {
        let sets = vec![
            json!(["marketing"]),
            json!(["utility"]),
            json!(["session"]),
            json!(["marketing", "utility", "session"]),
        ];
        prop::sample::select(sets)
    };
    let hours =
        prop::sample::select(vec![("21:00", "09:00"), ("12:00", "13:30"), ("09:00", "21:00")]);
    let night = (categories(), hours).prop_map(|(categories, (from, to))| {
        json!({"id": "night", "countries": ["*"], "categories": categories,
            "why": "People sleep.", "quiet_hours": {"windows": [{"from": from, "to": to}]}})
    });
    let kinds = prop::sample::select(vec!["marketing", "utility"]);
    let old = (kinds, 1_u32..12).prop_map(|(category, days)| {
        json!({"id": "old", "countries": ["*"], "categories": [category],
            "why": "Old agreements prove little.", "consent_expiry": {"days": days}})
    });
    let caps = [("marketing", 1_u32..4), ("utility", 1_u32..4)].map(|(category, days)| {
        prop::option::of(days.prop_map(move |days| cap(category, 1, days)))
    });
    let rules = (prop::option::of(night), prop::option::weighted(0.3, old));
    (rules, caps, any::<bool>()).prop_map(|((night, old), caps, holds)| {
        let rules: Vec<_> = [night, old].into_iter().flatten().collect();
        let caps: Vec<_> = caps.into_iter().flatten().collect();
        json!({"rules": rules, "packs": {"asia-pacific": {"on": holds}},
            "settings": {"frequency_caps": caps, "overdue_stop_holds": holds}})
    })
}

fn histories() -> impl Strategy<Value = Vec<Happens>> {
    let asked = 0..ASKED.len();
    let templates = 0..ASKED.len() - 1;
    let effects = prop::sample::select(vec![
        FailureEffect::MarketingCooldown,
        FailureEffect::Experiment,
        FailureEffect::PairBackoff,
    ]);
    let span = || prop_oneof![1..HOUR_MS, HOUR_MS..4 * DAY_MS];
    let happens = prop_oneof![
        1 => PEOPLE.prop_map(Happens::Agrees),
        6 => (PEOPLE, asked.clone(), any::<bool>()).prop_map(|(k, w, c)| Happens::Sent(k, w, c)),
        3 => (PEOPLE, asked, 1_000..DAY_MS).prop_map(|(k, w, t)| Happens::Reserved(k, w, t)),
        1 => PEOPLE.prop_map(Happens::Burst),
        4 => (PEOPLE, any::<bool>()).prop_map(|(k, doubted)| Happens::Writes(k, doubted)),
        3 => (PEOPLE, effects, span()).prop_map(|(k, e, ms)| Happens::Fails(k, e, ms)),
        2 => (templates.clone(), span()).prop_map(|(w, ms)| Happens::Pauses(w, ms)),
        2 => (templates, span()).prop_map(|(w, ms)| Happens::Turns(w, ms)),
        1 => span().prop_map(Happens::Held),
        1 => any::<bool>().prop_map(Happens::Quality),
        1 => (0_u32..4).prop_map(Happens::Limit),
        3 => rules().prop_map(Happens::Rules),
        6 => span().prop_map(Happens::Waits),
    ];
    prop::collection::vec(happens, 1..40)
}

impl Desk {
    fn lives(&mut self, happens: Happens) {
        match happens {
            Happens::Agrees(key) => self.agree(key),
            Happens::Sent(key, what, true) => self.sent(key, ASKED[what]),
            Happens::Sent(key, what, false) => drop(self.send_now(key, ASKED[what], 60_000)),
            Happens::Reserved(key, what, ttl) => drop(self.send_now(key, ASKED[what], ttl)),
            Happens::Burst(key) => {
                let start = self.now;
                for _ in 0..PAIR_BURST {
                    self.now = start;
                    drop(self.send_now(key, None, 60_000));
                }
            }
            Happens::Writes(key, is_doubted) => self.writes(key, is_doubted.then(doubt)),
            Happens::Fails(key, effect, ms) => self.is_failed(key, effect, Some(ms)),
            Happens::Pauses(what, ms) => self.pauses(ASKED[what].unwrap(), Some(ms)),
            Happens::Turns(what, ms) => self.turns(ASKED[what].unwrap(), ms),
            Happens::Held(ms) => {
                let kinds = vec![(RestrictionKind::BusinessInitiated, Some(at(self.now + ms)))];
                self.is_told(HeardFact::SenderNumber(SenderFact::Restricted { kinds }));
            }
            Happens::Quality(is_yellow) => self.sender_is(|sender| {
                sender.quality = if is_yellow { Quality::Yellow } else { Quality::Green };
            }),
            Happens::Limit(limit) => self.limit(Some(limit)),
            Happens::Rules(overrides) => self.choose(overrides),
            Happens::Waits(ms) => self.now += ms,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happened_waiting_as_long_as_told_is_enough_and_no_less_is(
        happens in histories(),
    ) {
        let mut desk = Desk::of_the_world();
        for one in happens {
            desk.lives(one);
            // One question after each, and all of them at the end.
            let key = 1 + u128::try_from(desk.now % 3).unwrap();
            desk.wait_ms(key, ASKED[usize::try_from(desk.now / 3 % 4).unwrap()]);
        }
        for key in PEOPLE {
            for what in ASKED {
                desk.wait_ms(key, what);
            }
        }
    }
}
