//! Webhooks made up at random: updates of every kind, and ways to write the same thing otherwise.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// One update, with the account it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Update {
    account: String,
    time: Option<u64>,
    change: Value,
}

/// Returns the body of one webhook with these updates, an entry for each.
pub(super) fn body(updates: &[Update]) -> Value {
    let entry = |update: &Update| {
        let Update { account, time, change } = update;
        let mut entry = json!({"id": account, "changes": [change]});
        if let Some(time) = time {
            entry["time"] = json!(time);
        }
        entry
    };
    let entries: Vec<_> = updates.iter().map(entry).collect();
    json!({"object": "whatsapp_business_account", "entry": entries})
}

/// Returns a value with further members in every object, under names nobody uses.
pub(super) fn with_strangers(value: &Value, names: &[String]) -> Value {
    match value {
        Value::Object(members) => {
            let mut more: Map<String, Value> = members
                .iter()
                .map(|(name, inner)| (name.clone(), with_strangers(inner, names)))
                .collect();
            for name in names {
                more.insert(format!("stranger_{name}"), json!({"a": [1, null, "b"], "id": "x"}));
            }
            Value::Object(more)
        }
        Value::Array(items) => items.iter().map(|item| with_strangers(item, names)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Writes a value with the members of every object in an order drawn from `seed`, and spaces.
pub(super) fn shuffled(value: &Value, seed: u64) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let count = u64::try_from(members.len()).unwrap().max(1);
            members.rotate_left(usize::try_from(seed % count).unwrap());
            if seed / count % 2 == 1 {
                members.reverse();
            }
            let next = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let members = members
                .into_iter()
                .map(|(name, inner)| format!("{} : {}", json!(name), shuffled(inner, next)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(" , "))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| shuffled(item, seed.rotate_left(7)));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn at() -> impl Strategy<Value = u64> {
    1_795_165_200..1_795_251_600_u64
}

fn number() -> impl Strategy<Value = String> {
    (100..200_u32).prop_map(|free| format!("12025550{free}"))
}

fn user() -> impl Strategy<Value = String> {
    (0..50_u32).prop_map(|free| format!("US.9{free:019}"))
}

/// A person by number, by user id, or by both.
fn person() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    prop_oneof![
        number().prop_map(|number| (Some(number), None)),
        user().prop_map(|user| (None, Some(user))),
        (number(), user()).prop_map(|(number, user)| (Some(number), Some(user))),
    ]
}

fn conversation(list: &str, items: Value, field: &str) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "12025550100", "phone_number_id": "700100200300501"},
    });
    value[list] = items;
    json!({"field": field, "value": value})
}

fn put(object: &mut Value, name: &str, text: Option<&String>) {
    if let Some(text) = text {
        object[name] = json!(text);
    }
}

fn message() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        any::<String>().prop_map(|body| json!({"type": "text", "text": {"body": body}})),
        "[A-Z_]{1,12}"
            .prop_map(|payload| json!({"type": "button", "button": {"payload": payload}})),
        Just(json!({"type": "image", "image": {"id": "1"}})),
        Just(json!({"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}})),
        Just(json!({"type": "unsupported", "errors": [{"code": 131_051}]})),
        number().prop_map(|to| {
            json!({"type": "system", "system": {"type": "user_changed_number", "wa_id": to}})
        }),
    ];
    (content, person(), 0..99_u32, at()).prop_map(|(content, (number, user), id, at)| {
        let mut message = content;
        put(&mut message, "from", number.as_ref());
        put(&mut message, "from_user_id", user.as_ref());
        message["id"] = json!(format!("wamid.in{id}"));
        message["timestamp"] = json!(at.to_string());
        conversation("messages", json!([message]), "messages")
    })
}

fn status() -> impl Strategy<Value = Value> {
    let state = prop::sample::select(vec!["sent", "delivered", "read", "played", "failed", "new"]);
    let code = prop::sample::select(vec![131_026, 131_049, 131_050, 137_000, 132_015, 7]);
    (state, person(), 0..99_u32, at(), code).prop_map(|(state, (number, user), id, at, code)| {
        let id = format!("wamid.out{id}");
        let mut status = json!({"id": id, "status": state, "timestamp": at.to_string()});
        put(&mut status, "recipient_id", number.as_ref());
        put(&mut status, "recipient_user_id", user.as_ref());
        if state == "failed" {
            status["errors"] = json!([{"code": code, "title": "t"}]);
        }
        conversation("statuses", json!([status]), "messages")
    })
}

fn preference() -> impl Strategy<Value = Value> {
    (person(), any::<bool>(), at()).prop_map(|((number, user), stops, at)| {
        let value = if stops { "stop" } else { "resume" };
        let mut wish = json!({"category": "marketing_messages", "value": value, "timestamp": at});
        put(&mut wish, "wa_id", number.as_ref());
        put(&mut wish, "user_id", user.as_ref());
        conversation("user_preferences", json!([wish]), "user_preferences")
    })
}

fn about_the_business() -> impl Strategy<Value = Value> {
    let template = json!({"message_template_id": 500_100_200_300_701_u64,
        "message_template_name": "order_update", "message_template_language": "id"});
    let with = move |more: Value| {
        let mut value = template.clone();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    prop::sample::select(vec![
        json!({"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}),
        json!({"field": "account_update", "value": {"event": "ACCOUNT_RECONNECTED"}}),
        json!({"field": "business_capability_update",
            "value": {"max_daily_conversations_per_business": 2_000}}),
        json!({"field": "message_template_status_update", "value": with(json!({"event": "PAUSED"}))}),
        json!({"field": "message_template_quality_update",
            "value": with(json!({"new_quality_score": "RED"}))}),
        json!({"field": "field_from_the_future", "value": {"a": 1}}),
    ])
}

/// An update of any kind.
pub(super) fn update() -> impl Strategy<Value = Update> {
    let account = prop::sample::select(vec!["900100200300401", "900100200300402"]);
    let about_people = prop_oneof![message(), status(), preference()].prop_map(|it| (None, it));
    let about_us = (at().prop_map(Some), about_the_business());
    (account, prop_oneof![3 => about_people, 1 => about_us])
        .prop_map(|(account, (time, change))| Update { account: account.into(), time, change })
}
