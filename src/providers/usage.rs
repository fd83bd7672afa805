//! Reads how much of what it grants the Graph API says is used.
//!
//! Source: Meta, "Graph API: rate limits", headers `X-App-Usage` and `X-Business-Use-Case-Usage`,
//! read November 2026: whole percents, and minutes until calls are taken again.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

const OF_APP: &str = "x-app-usage";
const OF_BUSINESS: &str = "x-business-use-case-usage";

/// So many percent are as good as all: others may use the same app.
const NEARLY_ALL_PERCENT: u64 = 95;

/// How long to leave it alone where it does not say how long. What counts is the last hour.
const REST: Duration = Duration::from_mins(15);

/// Longest a header can order to wait: a day. What is counted is over by then, and who would wait
/// longer hears nothing of senders that are stopped meanwhile.
pub(super) const PAUSE_MAX: Duration = Duration::from_hours(24);

/// Returns how long to leave the API alone; nothing while enough is left.
pub(super) fn pause(headers: &HeaderMap) -> Option<Duration> {
    let values = [OF_APP, OF_BUSINESS].into_iter().flat_map(|name| headers.get_all(name));
    let values = values.filter_map(|value| serde_json::from_slice::<Value>(value.as_bytes()).ok());
    values.filter_map(|usage| pause_of(&usage)).max()
}

/// Usage stands at the top or, per business, in a list under its id.
fn pause_of(usage: &Value) -> Option<Duration> {
    let lists = usage.as_object()?.values().filter_map(Value::as_array);
    let listed = lists.flatten().filter_map(pause_of_one).max();
    listed.max(pause_of_one(usage))
}

fn pause_of_one(usage: &Value) -> Option<Duration> {
    let minutes = usage.get("estimated_time_to_regain_access").and_then(Value::as_u64);
    let seconds = minutes.unwrap_or(0).saturating_mul(60);
    if seconds > 0 {
        return Some(Duration::from_secs(seconds).min(PAUSE_MAX));
    }
    let used = ["call_count", "total_cputime", "total_time"];
    let used = used.iter().filter_map(|name| usage.get(name).and_then(Value::as_u64)).max();
    (used.unwrap_or(0) >= NEARLY_ALL_PERCENT).then_some(REST)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn pause_with(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        pause(&headers)
    }

    #[test]
    fn nothing_is_asked_while_nearly_all_is_used() {
        for (percent, rest) in [(0, None), (94, None), (95, Some(REST)), (250, Some(REST))] {
            for name in ["call_count", "total_cputime", "total_time"] {
                let app = format!("{{\"{name}\":{percent},\"other\":99}}");
                assert_eq!(pause_with(OF_APP, &app), rest, "{app}");
                let business = format!("{{\"9001\":[{{\"type\":\"x\"}},{app}]}}");
                assert_eq!(pause_with(OF_BUSINESS, &business), rest, "{business}");
            }
        }
        assert_eq!(pause(&HeaderMap::new()), None);
    }

    #[test]
    fn the_wait_it_names_counts_up_to_a_day_and_the_longest_of_several() {
        let named = |minutes: u64| {
            let usage = format!(
                "{{\"9001\":[{{\"call_count\":100,\"estimated_time_to_regain_access\":{minutes}}},\
                 {{\"estimated_time_to_regain_access\":3}}]}}"
            );
            pause_with(OF_BUSINESS, &usage)
        };
        assert_eq!(named(19), Some(Duration::from_mins(19)));
        assert_eq!(named(0), Some(REST));
        assert_eq!(named(u64::MAX), Some(Duration::from_hours(24)));
    }

    #[test]
    fn what_is_no_usage_says_nothing() {
        for text in ["", "100", "[100]", "{\"call_count\":\"100\"}", "{\"call_count\":-1}", "{"] {
            assert_eq!(pause_with(OF_APP, text), None, "{text}");
        }
    }
}
