//! Events as a history shows them: what happened, without what only the service needs.

use serde_json::{Map, Value};

use crate::domain::{event::Event, time::Timestamp};

/// Members that hold moments. The ledger has milliseconds, an answer RFC 3339.
const MOMENTS: &[&str] = &[
    "answered_at",
    "at",
    "captured_at",
    "confirmed_at",
    "created_at",
    "expires_at",
    "from",
    "happened_at",
    "observed_at",
    "old_until",
    "paced_until",
    "reached_at",
    "revoked_at",
    "send_at",
    "until",
];

/// Members that hold keyed hashes, places or the service's own reckoning: they are of use inside
/// and say nothing outside.
const INTERNAL: &[&str] = &[
    "closed_key",
    "live",
    "message",
    "number_key",
    "place",
    "sender_paced_us",
    "under",
    "user_key",
    "wa_key",
    "weak_keys",
];

/// Members whose own members are named by callers.
const FOREIGN: &[&str] = &["evidence"];

/// Returns an event as a history shows it.
///
/// # Errors
///
/// None that plain data causes.
pub(super) fn shown(event: &Event) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(event)?;
    show(&mut value);
    Ok(value)
}

fn show(value: &mut Value) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(show);
    } else if let Value::Object(members) = value {
        show_members(members);
    }
}

fn show_members(members: &mut Map<String, Value>) {
    members.retain(|name, _| !INTERNAL.contains(&&**name));
    for (name, value) in members {
        if FOREIGN.contains(&&**name) {
            continue;
        }
        match value.as_i64().filter(|_| MOMENTS.contains(&&**name)) {
            Some(unix_ms) => *value = Timestamp::from_unix_ms(unix_ms).to_rfc3339().into(),
            None => show(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown_of(stored: Value) -> Value {
        shown(&serde_json::from_value::<Event>(stored).unwrap()).unwrap()
    }

    #[test]
    fn moments_are_dates_and_keyed_hashes_stay_inside() {
        let stored = json!({"type": "opted_in", "number": "+12025550101",
            "topics": [{"topic": "orders", "status": "granted", "at": 1_000, "expires_at": 2_000}],
            "captured_at": 1_000, "awaits_confirmation": false, "source": {"type": "qr"},
            "evidence": {"message": "yes", "at": "the counter"}});
        let expected = json!({"type": "opted_in", "number": "+12025550101",
            "topics": [{"topic": "orders", "status": "granted", "at": "1970-01-01T00:00:01Z",
                "expires_at": "1970-01-01T00:00:02Z"}],
            "captured_at": "1970-01-01T00:00:01Z", "awaits_confirmation": false,
            "source": {"type": "qr"}, "evidence": {"message": "yes", "at": "the counter"}});
        assert_eq!(shown_of(stored), expected);
        let id = "0190a3c4-0000-7000-8000-000000000000";
        let stored = json!({"type": "ticket_committed", "ticket": id, "message_id": "wamid.1",
            "message": "00000000000000000000000000000007"});
        let expected = json!({"type": "ticket_committed", "ticket": id, "message_id": "wamid.1"});
        assert_eq!(shown_of(stored), expected);
        let key = "00000000000000000000000000000001";
        let stored = json!({"type": "contact_added", "contact": id, "number_key": key,
            "number_valid": true, "user_key": key, "weak_keys": [key]});
        let expected = json!({"type": "contact_added", "contact": id, "number_valid": true});
        assert_eq!(shown_of(stored), expected);
    }

    #[test]
    fn a_merge_is_shown_with_dates_and_without_keyed_hashes_and_places() {
        let id = "0190a3c4-0000-7000-8000-000000000000";
        let key = "00000000000000000000000000000001";
        let date = "1970-01-01T00:00:01Z";
        let stored = json!({"type": "contact_absorbed", "contact": id, "place": 3,
            "number_key": key, "weak_keys": [key],
            "topics": [{"topic": "orders", "act": "took_back", "at": 1_000, "seq": 4}],
            "full_stop": {"at": 1_000, "seq": 5}, "inbound": [{"sender": "1", "at": 1_000}],
            "reached_at": 1_000, "lookup": {"state": "registered", "answered_at": 1_000,
                "was_contacted": true}});
        let expected = json!({"type": "contact_absorbed", "contact": id,
            "topics": [{"topic": "orders", "act": "took_back", "at": date, "seq": 4}],
            "full_stop": {"at": date, "seq": 5}, "inbound": [{"sender": "1", "at": date}],
            "reached_at": date, "lookup": {"state": "registered", "answered_at": date,
                "was_contacted": true}});
        assert_eq!(shown_of(stored), expected);
        let stored = json!({"type": "contact_merged", "into": id, "place": 3});
        assert_eq!(shown_of(stored), json!({"type": "contact_merged", "into": id}));
        let stored = json!({"type": "lookup_concluded", "lookup": id, "state": "registered",
            "wa_id": "12025550101", "wa_key": key});
        let expected = json!({"type": "lookup_concluded", "lookup": id, "state": "registered",
            "wa_id": "12025550101"});
        assert_eq!(shown_of(stored), expected);
    }
}
