//! What has to be so of any packs and overrides, and what the shipped ones say today.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::zones::{self, Until, quiet};

fn country(code: &str) -> Option<Country> {
    let country = Country::parse(code);
    assert!(country.is_ok(), "{code}");
    country.ok()
}

fn name(text: &str) -> PolicyName {
    PolicyName::parse(text).unwrap()
}

/// Switches on every pack that is not chosen otherwise.
fn all_on(packs: &[Pack], mut chosen: Overrides) -> Overrides {
    for pack in packs {
        let on = PackChoice { on: true, version: None };
        chosen.packs.entry(pack.id.clone()).or_insert(on);
    }
    chosen
}

/// The policy of all these packs.
fn all(packs: &[Pack]) -> Policy {
    Policy::effective(packs, &all_on(packs, Overrides::default())).unwrap()
}

fn shipped() -> Policy {
    all(packs())
}

fn with(overrides: Value) -> Result<Policy, String> {
    let overrides: Overrides = serde_json::from_value(overrides).map_err(|e| e.to_string())?;
    Policy::effective(packs(), &all_on(packs(), overrides)).map_err(|error| error.to_string())
}

#[test]
fn nothing_chosen_is_no_pack_and_the_general_cap() {
    let policy = Policy::effective(packs(), &Overrides::default()).unwrap();
    assert_eq!(policy.iter().count(), 0);
    assert_eq!(policy, Policy::default());
    let us = policy.rules(country("US"), Category::Marketing);
    assert_eq!((&us.pause, us.quiet_hours.len(), us.frequency_caps.len()), (&None, 0, 1));
}

/// The name of a rule, as a denial would show it.
fn shown(rule: &RuleRef) -> String {
    format!("{}@{}/{}", rule.pack, rule.version, rule.rule)
}

#[test]
fn what_the_shipped_packs_say() {
    let policy = shipped();
    let marketing = |code| policy.rules(country(code), Category::Marketing);
    let us = marketing("US");
    assert_eq!(us.pause.as_ref().map(shown).unwrap(), "whatsapp@1/us-marketing-pause");
    let hours: Vec<_> = us.quiet_hours.iter().map(|quiet| shown(&quiet.rule)).collect();
    assert_eq!(hours, ["us@1/calling-hours", "us-states@1/calling-hours"]);
    assert_eq!(us.stop_within_hours.as_ref().unwrap().amount, 240);
    let caps: Vec<_> = us.frequency_caps.iter().map(|cap| shown(&cap.rule)).collect();
    assert_eq!(caps, ["us-states@1/three-a-day", "settings@0/frequency-caps"]);

    assert_eq!(marketing("CA").pause, None);
    let lasts = |code| {
        ConsentBasis::ALL.map(|basis| Some(marketing(code).consent_expiry_days(basis)?.amount))
    };
    assert_eq!(lasts("CA"), [None, Some(730), Some(181), Some(181)]);
    assert_eq!(lasts("KR"), [Some(730), Some(181), Some(730), Some(181)]);
    assert!(marketing("DE").double_opt_in.is_some());
    for category in Category::ALL {
        let stop = policy.rules(country("ID"), category).stop_within_hours.as_ref().unwrap();
        assert_eq!((stop.amount, shown(&stop.rule)), (72, "asia-pacific@2/id-withdrawal".into()));
        assert!(policy.rules(country("CU"), category).pause.is_some());
    }
    assert_eq!(policy.rules(country("US"), Category::Utility), &Rules::default());
    assert_eq!(policy.rules(None, Category::Session), &Rules::default());
    assert_eq!(marketing("NO"), policy.rules(None, Category::Marketing));
    assert_eq!(marketing("NO").frequency_caps.len(), 1);
}

#[test]
fn hours_of_several_packs_are_waited_out_together() {
    let policy = shipped();
    let rules = policy.rules(country("US"), Category::Marketing);
    let washington = zones::possible("12025550101", Some("US"), zones::Line::FixedOrMobile);
    // 20:30 in New York: allowed by the federal rule, not by the states'.
    let now = 1_796_175_000_000;
    let answer = quiet(washington, &rules.quiet_hours, now).unwrap();
    assert_eq!(answer.until, Until::AllOpen);
    assert_eq!(answer.until_ms - now, 11 * 3_600_000 + 1_800_000);
    let states_off = with(json!({"packs": {"us-states": {"on": false}}})).unwrap();
    let rules = states_off.rules(country("US"), Category::Marketing);
    assert_eq!(quiet(washington, &rules.quiet_hours, now), None);
}

#[test]
fn what_is_switched_off_does_not_count_and_nothing_else_changes() {
    let off = json!({"pack": "whatsapp", "rule": "us-marketing-pause", "reason": "A pilot."});
    let policy = with(json!({"off": [off]})).unwrap();
    let (all, less) = (shipped(), policy);
    let us = |policy: &Policy| policy.rules(country("US"), Category::Marketing).clone();
    assert_eq!(us(&less), Rules { pause: None, ..us(&all) });
    assert_eq!(less.iter().count() + 1, all.iter().count());
    assert!(less.rules(country("CU"), Category::Marketing).pause.is_some());
}

#[test]
fn own_rules_add_and_never_replace() {
    let own = json!({"id": "short-day", "countries": ["*"], "exclude": ["ID"],
        "categories": ["marketing"], "consent_expiry": {"days": 365}, "why": "House rule."});
    let policy = with(json!({"rules": [own]})).unwrap();
    let expiry = |code| {
        policy.rules(country(code), Category::Marketing).consent_expiry_days(EXPRESS).cloned()
    };
    assert_eq!(shown(&expiry("KR").unwrap().rule), "own@0/short-day");
    assert_eq!(expiry("ID"), None);
    assert_eq!(policy.rule(&expiry("KR").unwrap().rule).unwrap().why(), "House rule.");
    assert!(policy.rules(None, Category::Marketing).consent_expiry_days(EXPRESS).is_some());
}

#[test]
fn overrides_that_miss_are_refused() {
    let off = |pack: &str, rule: &str, reason: &str| json!({"pack": pack, "rule": rule, "reason": reason});
    let pause = off("whatsapp", "us-marketing-pause", "A pilot.");
    let own = json!({"id": "a", "countries": ["*"], "categories": ["marketing"], "pause": true, "why": "w"});
    for (overrides, part) in [
        (json!({"packs": {"usa": {"on": false}}}), "pack `usa`"),
        (json!({"packs": {"us": {"on": true, "version": 9}}}), "version 9 of the pack `us`"),
        (json!({"off": [off("us", "us-marketing-pause", "x")]}), "rule `us-marketing-pause`"),
        (json!({"off": [off("usa", "x", "x")]}), "pack `usa`"),
        (json!({"off": [off("whatsapp", "us-marketing-pause", " ")]}), "no reason"),
        (json!({"off": [pause.clone(), pause]}), "twice"),
        (json!({"rules": [own.clone(), own]}), "two rules of the name `a`"),
        (json!({"rules": [{"id": "a"}]}), "countries"),
        (json!({"settings": {"yellow_marketing_percent": 101}}), "yellow_marketing_percent"),
        (json!({"pack": {}}), "unknown field `pack`"),
        (json!({"packs": {"us": {"on": true, "off": true}}}), "unknown field `off`"),
    ] {
        let error = with(overrides.clone()).unwrap_err();
        assert!(error.contains(part), "{overrides}: {error}");
    }
}

#[test]
fn a_pinned_version_stays_and_the_newest_is_taken_otherwise() {
    let version = |version: u32, days: u32| {
        pack("versioned", version, vec![json!({"id": "expiry", "consent_expiry": {"days": days}})])
    };
    let packs = [version(2, 20), version(1, 10), version(3, 30)];
    let expiry = |overrides: Value| {
        let overrides = serde_json::from_value(overrides).unwrap();
        let policy = Policy::effective(&packs, &all_on(&packs, overrides)).unwrap();
        let limit =
            policy.rules(None, Category::Marketing).consent_expiry_days(EXPRESS).cloned().unwrap();
        (limit.amount, limit.rule.version)
    };
    assert_eq!(expiry(json!({})), (30, 3));
    assert_eq!(expiry(json!({"packs": {"versioned": {"on": true, "version": 1}}})), (10, 1));
}

#[test]
fn a_stored_policy_says_what_it_was_made_by() {
    let policy = shipped();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    assert!(text.len() < 32 * 1_024, "{} bytes", text.len());
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(serde_json::from_str::<Policy>(&newer).unwrap_err().to_string().contains("format 2"));
}

/// Makes a pack of rules, each about marketing to everybody unless it says otherwise.
fn pack(id: &str, version: u32, rules: Vec<Value>) -> Pack {
    let full = |mut rule: Value| {
        for (member, value) in [
            ("countries", json!(["*"])),
            ("categories", json!(["marketing"])),
            ("why", json!("Because.")),
            ("source", json!("https://example.org/")),
        ] {
            rule.as_object_mut().unwrap().entry(member).or_insert(value);
        }
        serde_json::from_value(rule).unwrap()
    };
    Pack {
        id: name(id),
        version,
        valid_from: Date::try_from("2026-01-01".to_owned()).unwrap(),
        kind: Kind::Law,
        title: id.into(),
        about: id.into(),
        rules: rules.into_iter().map(full).collect(),
        looked_at: Vec::new(),
    }
}

const EXPRESS: ConsentBasis = ConsentBasis::Express;

const CODES: [&str; 4] = ["US", "CA", "ID", "DE"];

fn some_action() -> impl Strategy<Value = (&'static str, Value)> {
    let basis = prop::sample::select(vec!["any", "implied", "implied_purchase", "implied_inquiry"]);
    let hour = || (0..24_u32).prop_map(|hour| format!("{hour:02}:00"));
    prop_oneof![
        Just(("pause", json!(true))),
        Just(("double_opt_in", json!(true))),
        (1..1_000_u32, basis).prop_map(|(d, b)| ("consent_expiry", json!({"days": d, "basis": b}))),
        (1..99_u32).prop_map(|hours| ("stop_within", json!({"hours": hours}))),
        (1..9_u32).prop_map(|days| ("stop_within", json!({"business_days": days}))),
        (1..9_u32, 1..30_u32).prop_map(|(c, d)| ("frequency_cap", json!({"count": c, "days": d}))),
        (hour(), hour()).prop_filter_map("no length", |(from, to)| {
            (from != to).then(|| ("quiet_hours", json!({"windows": [{"from": from, "to": to}]})))
        }),
    ]
}

fn some_rule() -> impl Strategy<Value = Value> {
    let these = proptest::sample::subsequence(CODES.to_vec(), 1..3);
    let countries = prop_oneof![
        these.clone().prop_map(|these| (json!(these), json!([]))),
        proptest::sample::subsequence(CODES.to_vec(), 0..2)
            .prop_map(|but| (json!(["*"]), json!(but))),
    ];
    let categories = proptest::sample::subsequence(Category::ALL.to_vec(), 1..4);
    (countries, categories, some_action()).prop_map(|((countries, exclude), categories, action)| {
        json!({"countries": countries, "exclude": exclude, "categories": categories,
            action.0: action.1})
    })
}

fn some_packs() -> impl Strategy<Value = Vec<Pack>> {
    let rules = || proptest::collection::vec(some_rule(), 0..5);
    proptest::collection::vec(rules(), 1..4).prop_map(|packs| {
        let named = |(at, rules): (usize, Vec<Value>)| {
            let rules = rules.into_iter().enumerate().map(|(id, mut rule)| {
                rule["id"] = json!(format!("r{id}"));
                rule
            });
            pack(&format!("p{at}"), 1, rules.collect())
        };
        packs.into_iter().enumerate().map(named).collect()
    })
}

/// Every kind of recipient that random rules can tell apart.
fn everywhere() -> impl Iterator<Item = (Option<Country>, Category)> {
    let countries = CODES.into_iter().map(country).chain([country("FR"), None]);
    countries.flat_map(|country| Category::ALL.map(|category| (country, category)))
}

fn longer(one: Option<&Limit>, than: Option<&Limit>) -> bool {
    match (one, than) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(than)) => one.amount > than.amount,
    }
}

/// Says in what one set of rules lets through more than another.
fn looser(one: &Rules, than: &Rules) -> Option<&'static str> {
    let lasts_longer = |one: &Rules, basis, than: &Rules| {
        let unsaid = one.consent_expiry_days(ConsentBasis::Implied);
        longer(one.consent_expiry_days(basis), than.consent_expiry_days(basis))
            || longer(unsaid, one.consent_expiry_days(basis))
    };
    [
        ("pause", one.pause.is_none() && than.pause.is_some()),
        ("double_opt_in", one.double_opt_in.is_none() && than.double_opt_in.is_some()),
        ("quiet_hours", than.quiet_hours.iter().any(|quiet| !one.quiet_hours.contains(quiet))),
        ("frequency_caps", than.frequency_caps.iter().any(|cap| !one.frequency_caps.contains(cap))),
        ("consent_expiry", ConsentBasis::ALL.iter().any(|basis| lasts_longer(one, *basis, than))),
        ("stop_within", longer(one.stop_within_hours.as_ref(), than.stop_within_hours.as_ref())),
    ]
    .into_iter()
    .find_map(|(what, is_looser)| is_looser.then_some(what))
}

proptest! {
    #[test]
    fn all_packs_together_are_never_looser_than_one(packs in some_packs()) {
        let everything = all(&packs);
        for pack in &packs {
            let alone = all(std::slice::from_ref(pack));
            for (country, category) in everywhere() {
                let (all, alone) = (everything.rules(country, category), alone.rules(country, category));
                prop_assert_eq!(looser(all, alone), None);
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_what_the_rules_say_one_by_one(packs in some_packs()) {
        let everything = all(&packs);
        for (country, category) in everywhere() {
            let about = || packs.iter().flat_map(|pack| &pack.rules).filter(|rule| rule.is_about(country, category));
            let rules = everything.rules(country, category);
            let has = |action: &str| about().any(|rule| rule.action().name() == action);
            prop_assert_eq!(rules.pause.is_some(), has("pause"));
            prop_assert_eq!(rules.double_opt_in.is_some(), has("double_opt_in"));
            let hours = about().filter(|rule| rule.action().name() == "quiet_hours").count();
            prop_assert_eq!(rules.quiet_hours.len(), hours);
            let stop = about().filter_map(|rule| {
                if let Action::StopWithin(stop) = rule.action() { Some(stop.hours()) } else { None }
            });
            prop_assert_eq!(rules.stop_within_hours.as_ref().map(|limit| limit.amount), stop.min());
            for (basis, words) in [
                (ConsentBasis::Express, &[Basis::Any][..]),
                (ConsentBasis::ImpliedPurchase, &[Basis::Any, Basis::Implied, Basis::ImpliedPurchase]),
                (ConsentBasis::ImpliedInquiry, &[Basis::Any, Basis::Implied, Basis::ImpliedInquiry]),
                (ConsentBasis::Implied, &[Basis::Any, Basis::Implied, Basis::ImpliedPurchase, Basis::ImpliedInquiry]),
            ] {
                let days = about().filter_map(|rule| {
                    let Action::ConsentExpiry(Expiry { days, basis }) = rule.action() else { return None };
                    words.contains(basis).then_some(days.get())
                });
                prop_assert_eq!(rules.consent_expiry_days(basis).map(|limit| limit.amount), days.min());
            }
            // Every rule that is named is one about this recipient.
            let named = [&rules.pause, &rules.double_opt_in].into_iter().flatten();
            let named = named.chain(rules.quiet_hours.iter().map(|quiet| &quiet.rule));
            for rule in named.chain(rules.stop_within_hours.iter().map(|limit| &limit.rule)) {
                prop_assert!(everything.rule(rule).unwrap().is_about(country, category));
            }
        }
    }

    #[test]
    fn the_order_of_packs_makes_no_difference(packs in some_packs(), turn in 0..4_usize) {
        let one = all(&packs);
        let mut turned = packs;
        let len = turned.len();
        turned.rotate_left(turn % len);
        for pack in &mut turned {
            pack.rules.reverse();
        }
        let other = all(&turned);
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_policy_is_read_as_it_was_stored(packs in some_packs()) {
        let policy = all(&packs);
        let text = serde_json::to_string(&policy).unwrap();
        let again: Policy = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
        prop_assert_eq!(again, policy);
    }

    #[test]
    fn switching_off_loosens_only_what_the_rule_is_about(packs in some_packs(), pick in any::<prop::sample::Index>()) {
        let rules: Vec<_> = packs.iter().flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule))).collect();
        prop_assume!(!rules.is_empty());
        let (pack, rule) = rules[pick.index(rules.len())];
        let off = Off { pack: pack.id.clone(), rule: rule.id().clone(), reason: "A test.".into() };
        let everything = all(&packs);
        let off = Overrides { off: vec![off], ..Overrides::default() };
        let less = Policy::effective(&packs, &all_on(&packs, off)).unwrap();
        for (country, category) in everywhere() {
            let (all, less) = (everything.rules(country, category), less.rules(country, category));
            if rule.is_about(country, category) {
                prop_assert_eq!(looser(all, less), None);
            } else {
                prop_assert_eq!(all, less);
            }
        }
    }
}
