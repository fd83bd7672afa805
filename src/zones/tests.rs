//! Quiet hours where clocks are set, stand far apart, or leave no moment: held against a search
//! that tries every minute.

use std::hint::black_box;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

fn ms(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

fn zones(names: &[&str]) -> Vec<Zone> {
    names.iter().map(|name| Zone::parse(name).unwrap()).collect()
}

fn hours(windows: &[(&str, &str, &[Day])], holidays: &[&str]) -> Hours {
    let window = |(from, to, days): &(&str, &str, &[Day])| {
        let days = if days.is_empty() { Days::EVERY } else { Days::of(days) };
        Window::new(from, to, days).unwrap()
    };
    let holidays = holidays.iter().map(|text| Holiday::parse(text).unwrap()).collect();
    Hours::new(windows.iter().map(window).collect(), holidays).unwrap()
}

fn nights(from: &str, to: &str) -> Hours {
    hours(&[(from, to, &[])], &[])
}

fn until(zones: &[Zone], hours: &Hours, now: &str) -> Option<(String, Until)> {
    let Quiet { until_ms, until } = quiet(zones, &[hours], ms(now))?;
    let moment = DateTime::from_timestamp_millis(until_ms).unwrap();
    Some((moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), until))
}

/// What [`until`] answers for a moment that suits every zone.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer that may be none")]
fn all_open(text: &str) -> Option<(String, Until)> {
    Some((text.to_owned(), Until::AllOpen))
}

#[test]
fn the_whole_united_states_wait_for_hawaii_and_stop_for_the_east() {
    let zones = of_region("US");
    let night = nights("21:00", "08:00");
    // 20:59 in New York is 14:59 in Honolulu; a minute later New York sleeps until Honolulu,
    // and Adak with it in winter, is up.
    assert_eq!(until(zones, &night, "2026-12-01T01:59:59.999Z"), None);
    assert_eq!(until(zones, &night, "2026-12-01T02:00:00Z"), all_open("2026-12-01T18:00:00Z"));
    // In summer Adak is an hour ahead of Honolulu.
    assert_eq!(until(zones, &night, "2026-07-01T01:00:00Z"), all_open("2026-07-01T18:00:00Z"));
}

#[test]
fn indonesia_opens_when_the_west_does_and_closes_with_the_east() {
    let zones = of_region("ID");
    let night = nights("21:00", "08:00");
    assert_eq!(until(zones, &night, "2026-12-01T00:59:59Z"), all_open("2026-12-01T01:00:00Z"));
    assert_eq!(until(zones, &night, "2026-12-01T11:59:59Z"), None);
    assert_eq!(until(zones, &night, "2026-12-01T12:00:00Z"), all_open("2026-12-02T01:00:00Z"));
}

#[test]
fn half_hours_are_hours_too() {
    let promotions = nights("21:00", "10:00");
    let india = of_region("IN");
    assert_eq!(until(india, &promotions, "2026-12-01T04:00:00Z"), all_open("2026-12-01T04:30:00Z"));
    assert_eq!(until(india, &promotions, "2026-12-01T15:29:00Z"), None);
    assert_eq!(until(india, &promotions, "2026-12-01T15:30:00Z"), all_open("2026-12-02T04:30:00Z"));
}

#[test]
fn a_night_is_shorter_or_longer_when_clocks_are_set() {
    let new_york = zones(&["America/New_York"]);
    let night = nights("21:00", "08:00");
    assert_eq!(
        until(&new_york, &night, "2027-03-14T02:00:00Z"),
        all_open("2027-03-14T12:00:00Z"),
        "ten hours of night"
    );
    assert_eq!(
        until(&new_york, &night, "2026-11-01T01:00:00Z"),
        all_open("2026-11-01T13:00:00Z"),
        "twelve hours of night"
    );
}

#[test]
fn an_end_that_the_clock_jumps_over_is_where_it_jumps() {
    // 02:00 to 03:00 does not exist on 14 March 2027.
    let new_york = zones(&["America/New_York"]);
    let early = nights("23:00", "02:30");
    assert_eq!(until(&new_york, &early, "2027-03-14T06:59:00Z"), all_open("2027-03-14T07:00:00Z"));
    // Hours that lie in the gap are skipped with it.
    let gap = nights("02:10", "02:50");
    assert_eq!(until(&new_york, &gap, "2027-03-14T06:59:59Z"), None);
    assert_eq!(until(&new_york, &gap, "2027-03-14T07:00:00Z"), None);
}

#[test]
fn an_hour_that_comes_twice_is_quiet_twice() {
    // 01:00 to 02:00 comes twice on 1 November 2026: from 05:00Z and from 06:00Z.
    let new_york = zones(&["America/New_York"]);
    let small = nights("01:15", "01:45");
    for (now, open) in [
        ("2026-11-01T05:15:00Z", all_open("2026-11-01T05:45:00Z")),
        ("2026-11-01T05:50:00Z", None),
        ("2026-11-01T06:14:00Z", None),
        ("2026-11-01T06:15:00Z", all_open("2026-11-01T06:45:00Z")),
    ] {
        assert_eq!(until(&new_york, &small, now), open, "{now}");
    }
    // Quiet that ends at 02:00 is over only when the second one has passed.
    let long = nights("00:30", "02:00");
    assert_eq!(until(&new_york, &long, "2026-11-01T05:30:00Z"), all_open("2026-11-01T07:00:00Z"));
}

#[test]
fn sundays_and_holidays_are_waited_out_together() {
    let paris = of_region("FR");
    let rest: &[Day] = &[Day::Sunday, Day::Holidays];
    let hours = hours(&[("20:00", "08:00", &[]), ("00:00", "24:00", rest)], &["easter+1", "12-25"]);
    // Saturday night before Easter 2027: Sunday, Monday, and the night after.
    assert_eq!(until(paris, &hours, "2027-03-27T19:30:00Z"), all_open("2027-03-30T06:00:00Z"));
    assert_eq!(until(paris, &hours, "2026-12-25T10:00:00Z"), all_open("2026-12-26T07:00:00Z"));
}

#[test]
fn what_suits_nobody_is_sent_when_it_suits_most() {
    // Two hours a day, in zones four hours apart and one hour apart.
    let hours = nights("12:00", "10:00");
    let three = zones(&["Etc/GMT-4", "Etc/GMT-1", "Etc/GMT"]);
    let answer = until(&three, &hours, "2026-12-01T00:00:00Z");
    assert_eq!(answer, Some(("2026-12-01T10:00:00Z".to_owned(), Until::MostOpen)));
    // At that moment, and while it is no worse, nothing stands in the way.
    assert_eq!(until(&three, &hours, "2026-12-01T10:00:00Z"), None);
    assert_eq!(until(&three, &hours, "2026-12-01T10:59:59Z"), None);
    let next = until(&three, &hours, "2026-12-01T11:00:00Z");
    assert_eq!(next, Some(("2026-12-02T10:00:00Z".to_owned(), Until::MostOpen)));
}

#[test]
fn rules_that_together_never_end_are_said_to() {
    let (day, night) = (nights("07:00", "22:00"), nights("21:00", "08:00"));
    let now = ms("2026-12-01T00:00:00Z");
    let answer = quiet(of_region("ID"), &[day, night], now).unwrap();
    assert_eq!(answer, Quiet { until_ms: now + 8 * DAY_MS, until: Until::NoneOpen });
}

#[test]
fn nothing_known_or_nothing_ruled_is_not_quiet() {
    let now = ms("2026-12-01T00:00:00Z");
    assert_eq!(quiet(&[], &[nights("00:00", "23:00")], now), None);
    assert_eq!(quiet::<Hours>(of_region("ID"), &[], now), None);
}

/// What a clock on the wall shows, by chrono itself.
fn is_quiet_by_the_book(zone: Zone, hours: &[Hours], at_ms: i64) -> bool {
    use chrono::{Datelike, Timelike};
    let tz: chrono_tz::Tz = zone.name().parse().unwrap();
    let local = DateTime::from_timestamp_millis(at_ms).unwrap().with_timezone(&tz).naive_local();
    let minute = i64::from(local.hour() * 60 + local.minute());
    let is_on = |days: Days, date: chrono::NaiveDate| {
        let name = date.format("%A").to_string().to_lowercase();
        days.iter().any(|day| day.name() == name)
            || (days.has(Day::Holidays) && (date.month(), date.day()) == (12, 25))
    };
    let yesterday = local.date().pred_opt().unwrap();
    hours.iter().flat_map(Hours::windows).any(|window| {
        let (from, to) = window.minutes();
        (from <= minute && minute < to && is_on(window.days(), local.date()))
            || (minute + 1_440 < to && is_on(window.days(), yesterday))
    })
}

fn some_zones() -> impl Strategy<Value = Vec<Zone>> {
    // The ones that set clocks by half an hour, at midnight, in Ramadan, or far from everybody.
    const NAMES: [&str; 14] = [
        "America/New_York",
        "America/Adak",
        "Pacific/Honolulu",
        "America/St_Johns",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Europe/London",
        "America/Santiago",
        "Asia/Jakarta",
        "Pacific/Kiritimati",
        "Asia/Beirut",
        "Africa/Cairo",
    ];
    proptest::sample::subsequence(NAMES.to_vec(), 1..4).prop_map(|names| zones(&names))
}

fn some_hours() -> impl Strategy<Value = Hours> {
    let time = (0..24_u32, prop::sample::select(vec![0, 1, 30, 59]));
    let time = time.prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let all = vec![
        Day::Monday,
        Day::Tuesday,
        Day::Wednesday,
        Day::Thursday,
        Day::Friday,
        Day::Saturday,
        Day::Sunday,
        Day::Holidays,
    ];
    let days = prop_oneof![
        Just(Days::EVERY),
        proptest::sample::subsequence(all, 1..8).prop_map(|days| Days::of(&days)),
    ];
    let window = (time.clone(), time, days)
        .prop_filter_map("no length", |(from, to, days)| Window::new(&from, &to, days).ok());
    proptest::collection::vec(window, 1..4).prop_filter_map("never open", |windows| {
        let on_holidays = windows.iter().any(|window| window.days().has(Day::Holidays));
        let christmas = Holiday::parse("12-25").unwrap();
        Hours::new(windows, if on_holidays { vec![christmas] } else { vec![] }).ok()
    })
}

/// Moments of 2026 to 2028, most of them near one at which some clock is set.
fn some_moment() -> impl Strategy<Value = i64> {
    let settings = [
        "2026-03-08T10:00:00Z",
        "2026-11-01T06:00:00Z",
        "2027-04-03T15:00:00Z",
        "2027-10-02T15:30:00Z",
        "2026-02-15T02:00:00Z",
        "2027-03-28T01:00:00Z",
        "2026-10-30T21:00:00Z",
        "2026-12-25T00:00:00Z",
        "2027-09-05T04:00:00Z",
    ];
    let settings: Vec<_> = settings.iter().map(|text| ms(text)).collect();
    prop_oneof![
        (prop::sample::select(settings), -1_500..1_500_i64)
            .prop_map(|(at, minutes)| at + minutes * MINUTE_MS),
        ms("2026-01-01T00:00:00Z")..ms("2028-01-01T00:00:00Z"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_answer_is_the_one_a_search_of_every_minute_finds(
        zones in some_zones(),
        rules in proptest::collection::vec(some_hours(), 1..3),
        now in some_moment(),
    ) {
        let quiet_at = |at| zones.iter().filter(|zone| is_quiet_by_the_book(**zone, &rules, at)).count();
        let minutes = |upto: i64| (1..).map(move |n| (now / MINUTE_MS + n) * MINUTE_MS).take_while(move |at| *at < upto);
        let end = now + 8 * DAY_MS;
        match quiet(&zones, &rules, now) {
            Some(Quiet { until_ms, until: Until::AllOpen }) => {
                prop_assert!(quiet_at(now) > 0);
                prop_assert!(until_ms > now && quiet_at(until_ms) == 0);
                prop_assert_eq!(minutes(until_ms).find(|at| quiet_at(*at) == 0), None);
                prop_assert_eq!(quiet(&zones, &rules, until_ms), None);
            }
            Some(Quiet { until_ms, until: Until::MostOpen }) => {
                let fewest = quiet_at(until_ms);
                prop_assert!(fewest > 0 && fewest < zones.len());
                prop_assert_eq!(minutes(until_ms).chain([now]).find(|at| quiet_at(*at) <= fewest), None);
                prop_assert_eq!(minutes(end).find(|at| quiet_at(*at) < fewest), None);
            }
            Some(Quiet { until_ms, until: Until::NoneOpen }) => {
                prop_assert_eq!(until_ms, end);
                prop_assert_eq!(minutes(end).find(|at| quiet_at(*at) < zones.len()), None);
            }
            None => {
                let now_quiet = quiet_at(now);
                if now_quiet > 0 {
                    prop_assert_eq!(minutes(end).find(|at| quiet_at(*at) < now_quiet), None);
                }
            }
        }
    }

    #[test]
    fn a_further_zone_or_rule_never_shortens_the_wait(
        zones in some_zones(),
        rules in proptest::collection::vec(some_hours(), 2..3),
        now in some_moment(),
    ) {
        let open_ms = |zones: &[Zone], rules: &[Hours]| match quiet(zones, rules, now) {
            None => Some(now),
            Some(Quiet { until_ms, until: Until::AllOpen }) => Some(until_ms),
            Some(_) => None,
        };
        // Only where a moment suits everybody: the least bad moment is another question.
        let all = quiet(&zones, &rules, now);
        let Some(Quiet { until_ms: all_ms, until: Until::AllOpen }) = all else { return Ok(()) };
        for zone in &zones {
            prop_assert!(open_ms(&[*zone], &rules).is_some_and(|ms| ms <= all_ms));
        }
        for rule in &rules {
            let alone = open_ms(&zones, std::slice::from_ref(rule));
            prop_assert!(alone.is_some_and(|ms| ms <= all_ms));
        }
    }

    #[test]
    fn no_number_and_no_moment_panics(digits in ".{0,20}", region in "[A-Z]{2}", now in any::<i64>()) {
        for line in [Line::Fixed, Line::FixedOrMobile, Line::Mobile, Line::Other] {
            let zones = possible(&digits, Some(&region), line);
            black_box(quiet(zones, &[nights("21:00", "08:00")], now));
        }
    }
}
