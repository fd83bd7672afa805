//! A few made-up days: no rule is broken, and whoever breaks one is seen.

use std::collections::BTreeSet;

use izin::{
    runtime::clock::ManualClock,
    simulate::{Plan, Report, Sabotage, run},
};

const PLAN: Plan = Plan { seed: 1, days: 9, contacts: 120, sabotage: None, trace: None };

fn play(plan: Plan) -> (Report, String) {
    let mut out = Vec::new();
    let report = run(plan, &ManualClock::at(0), &mut out).unwrap();
    (report, String::from_utf8(out).unwrap())
}

#[test]
fn no_rule_is_broken_and_every_rule_was_needed() {
    let mut refused = BTreeSet::new();
    for seed in [1, 2] {
        let (report, out) = play(Plan { seed, ..PLAN });
        assert!(report.violations.is_empty(), "seed {seed}:\n{out}");
        assert!(report.tickets > 500, "{out}");
        let reasons = out.lines().filter_map(|line| line.trim().strip_prefix("refused "));
        let names = reasons.flat_map(|line| line.split(' ').step_by(2).map(str::to_owned));
        refused.extend(names);
        assert_eq!(out.lines().filter(|line| line.starts_with("day ")).count(), 9);
    }
    for reason in [
        "blocked",
        "frequency_cap",
        "identity_changed",
        "lookup_budget",
        "marketing_stopped",
        "messaging_limit",
        "never_asked",
        "number_changed",
        "pair_rate",
        "pending",
        "quality_brake",
        "quiet_hours",
        "sender_halted",
        "session_window_closed",
        "template_paused",
        "withdrawn",
    ] {
        assert!(refused.contains(reason), "{reason} was never needed: {refused:?}");
    }
}

#[test]
fn the_same_seed_comes_to_the_same() {
    assert_eq!(play(PLAN).1, play(PLAN).1);
    assert_ne!(play(PLAN).1, play(Plan { seed: 3, ..PLAN }).1);
}

#[test]
fn whatever_goes_wrong_is_seen() {
    for (sabotage, expected) in [
        (Sabotage::LostStops, &["no consent", "not taken back", "sent on a dead ticket"][..]),
        (Sabotage::LostIdentities, &["identity changed"]),
        (Sabotage::LooseLimits, &["messaging limit"]),
        (Sabotage::LooseCaps, &["marketing cap"]),
        (Sabotage::LostQuality, &["marketing of red quality", "marketing of yellow quality"]),
        (Sabotage::LostMoves, &["number changed"]),
        (Sabotage::LostMerges, &["no consent"]),
        (Sabotage::LooseHours, &["quiet hours"]),
        (Sabotage::LooseSteps, &["no consent"]),
        (Sabotage::LooseBudget, &["look-ups beyond the budget"]),
    ] {
        let (report, out) = play(Plan { sabotage: Some(sabotage), contacts: 200, ..PLAN });
        for rule in expected {
            let is_seen = report.violations.iter().any(|violation| violation.rule == *rule);
            assert!(is_seen, "{sabotage:?}: {rule} was not seen\n{out}");
        }
    }
}
