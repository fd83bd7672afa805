//! What holds for any webhook, however it is written, cut up or damaged.

use std::sync::LazyLock;

use izin::{
    limits::{WEBHOOK_BYTES_MAX, WEBHOOK_ITEMS_MAX, WEBHOOK_UPDATES_MAX, WEBHOOK_VALUES_MAX},
    whatsapp::{self, Conclusion, Fact, ReadError, Reading},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    generated::{Update, body, shuffled, update, with_strangers},
    samples,
};

fn read(body: &Value) -> Reading {
    whatsapp::read(body.to_string().as_bytes()).unwrap()
}

/// Without what is made of a whole value: its key, and the names of its members.
fn conclusions(reading: Reading) -> Vec<Fact> {
    let forget = |fact: Fact| {
        let is_named = matches!(fact.conclusion, Conclusion::Unknown { .. });
        let is_of_value = fact.conclusion.name().contains("account")
            || fact.conclusion.name().contains("template")
            || fact.conclusion.name().contains("limit");
        let conclusion = if is_named {
            Conclusion::Unknown { field: None, shape: "".into() }
        } else {
            fact.conclusion
        };
        let key = if is_of_value || is_named { None } else { fact.key };
        Fact { key, content: None, conclusion, ..fact }
    };
    reading.facts.into_iter().map(forget).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(whatsapp::read(&body));
    }

    #[test]
    fn no_damage_to_a_sample_makes_it_panic(
        sample in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        static SAMPLES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(samples::all);
        let mut body = SAMPLES[sample.index(SAMPLES.len())].1.clone();
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
            let is_json = serde_json::from_slice::<Value>(&body).is_ok();
            prop_assert_eq!(whatsapp::read(&body).is_ok(), is_json);
        } else {
            body[at] = byte;
            drop(whatsapp::read(&body));
        }
    }

    #[test]
    fn the_order_of_members_changes_nothing(
        updates in prop::collection::vec(update(), 0..6),
        seed in any::<u64>(),
    ) {
        let body = body(&updates);
        let other = whatsapp::read(shuffled(&body, seed).as_bytes()).unwrap();
        prop_assert_eq!(read(&body), other);
    }

    #[test]
    fn members_nobody_knows_change_no_conclusion(
        updates in prop::collection::vec(update(), 0..6),
        names in prop::collection::vec("[a-z]{1,5}", 1..3),
    ) {
        let body = body(&updates);
        let more = with_strangers(&body, &names);
        prop_assert_eq!(conclusions(read(&more)), conclusions(read(&body)));
    }

    #[test]
    fn a_webhook_of_many_updates_says_what_many_of_one_say(
        updates in prop::collection::vec(update(), 0..12),
    ) {
        let together = read(&body(&updates));
        let one_by_one: Vec<_> =
            updates.iter().flat_map(|update| read(&body(std::slice::from_ref(update))).facts).collect();
        prop_assert_eq!(together.facts, one_by_one);
        prop_assert_eq!(together.unread.len(), 0);
    }

    #[test]
    fn every_fact_of_a_repeat_has_the_key_of_the_first(
        updates in prop::collection::vec(update(), 1..6),
    ) {
        let twice: Vec<Update> = updates.iter().chain(&updates).cloned().collect();
        let facts = read(&body(&twice)).facts;
        let (first, again) = facts.split_at(facts.len() / 2);
        prop_assert!(facts.iter().all(|fact| fact.key.is_some() && fact.at.is_some()));
        prop_assert_eq!(first, again);
    }

    #[test]
    fn a_broken_part_never_costs_its_neighbours(
        updates in prop::collection::vec(update(), 1..6),
        broken in prop::sample::select(vec![
            json!(null), json!(7), json!("x"), json!([]), json!({}), json!({"changes": 5}),
            json!({"id": {}, "changes": [5]}), json!({"changes": [{"field": 5, "value": 5}]}),
            json!({"changes": [{"field": "messages", "value": {"messages": [5, {"id": 5}]}}]}),
            json!({"changes": [{"field": "messages", "value": {"statuses": {"status": 1}}}]}),
            json!({"changes": [{"field": "messages", "value": {"statuses": 1, "messages": "x"}}]}),
        ]),
        place in any::<prop::sample::Index>(),
    ) {
        let sound = body(&updates);
        let mut damaged = sound.clone();
        let entries = damaged["entry"].as_array_mut().unwrap();
        entries.insert(place.index(entries.len() + 1), broken);
        prop_assert_eq!(read(&damaged).facts, read(&sound).facts);
    }

    #[test]
    fn half_an_emoji_in_one_message_costs_only_itself(
        updates in prop::collection::vec(update(), 1..4),
    ) {
        let sound = body(&updates);
        let mut with_name = sound.clone();
        with_name["entry"][0]["changes"][0]["value"]["note"] = json!("HALF");
        let damaged = with_name.to_string().replace("HALF", "\\ud83d");
        let reading = whatsapp::read(damaged.as_bytes()).unwrap();
        prop_assert_eq!(conclusions(reading), conclusions(read(&sound)));
    }
}

/// Returns a webhook of this many updates with this many statuses each.
fn statuses(updates: usize, each: usize) -> Vec<u8> {
    let status = r#"{"id":"wamid.x","status":"read","timestamp":"1795165200","recipient_id":"1"}"#;
    let list = vec![status; each].join(",");
    let change = format!(r#"{{"field":"messages","value":{{"statuses":[{list}]}}}}"#);
    let changes = vec![change; updates].join(",");
    format!(r#"{{"entry":[{{"id":"1","changes":[{changes}]}}]}}"#).into_bytes()
}

#[test]
fn a_thousand_updates_are_read_and_what_is_beyond_all_bounds_is_refused() {
    let full = whatsapp::read(&statuses(WEBHOOK_UPDATES_MAX, 1)).unwrap();
    assert_eq!(full.facts.len(), WEBHOOK_UPDATES_MAX);
    let fuller = whatsapp::read(&statuses(WEBHOOK_UPDATES_MAX, 10)).unwrap();
    assert_eq!(fuller.facts.len(), WEBHOOK_ITEMS_MAX);
    for body in [
        statuses(WEBHOOK_UPDATES_MAX + 1, 1),
        statuses(1, WEBHOOK_ITEMS_MAX + 1),
        format!("[{}0]", "0,".repeat(WEBHOOK_VALUES_MAX)).into_bytes(),
    ] {
        assert_eq!(whatsapp::read(&body), Err(ReadError::TooMuch));
    }
    let mut longest = statuses(1, 1);
    longest.resize(WEBHOOK_BYTES_MAX, b' ');
    assert_eq!(whatsapp::read(&longest).unwrap().facts.len(), 1);
    longest.push(b' ');
    assert_eq!(whatsapp::read(&longest), Err(ReadError::TooLong));
}

#[test]
fn what_is_no_webhook_at_all_is_refused() {
    for (body, error) in [
        ("", ReadError::NotJson),
        ("{", ReadError::NotJson),
        ("{} {}", ReadError::NotJson),
        ("<html></html>", ReadError::NotJson),
        ("[]", ReadError::NotAnObject),
        ("null", ReadError::NotAnObject),
        ("7", ReadError::NotAnObject),
    ] {
        assert_eq!(whatsapp::read(body.as_bytes()), Err(error), "{body}");
    }
}

#[test]
fn deep_nesting_costs_only_what_is_nested() {
    let mut change = json!({"field": "messages", "value": {"statuses": [
        {"id": "wamid.x", "status": "read", "timestamp": "1795165200", "recipient_id": "1"}]}});
    change["value"]["note"] = json!("DEEP");
    let body = json!({"entry": [{"id": "1", "changes": [change]}]}).to_string();
    for depth in [40, 200, 200_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let reading = whatsapp::read(body.replace("\"DEEP\"", &deep).as_bytes()).unwrap();
        assert_eq!((reading.facts.len(), reading.unread.len()), (1, 0), "{depth}");
    }
}
