//! From a number to the zones its owner's clock may be in.

use std::{collections::BTreeMap, sync::LazyLock};

use super::zone::Zone;

const REGIONS: &str = include_str!("data/regions.tsv");
const CODES: &str = include_str!("data/codes.tsv");
const PREFIXES: &str = include_str!("data/prefixes.tsv");

/// Calling codes in whose plans a mobile's number begins with an area code as well: the North
/// American plan and Brazil.
///
/// Source: NANPA, "About the North American Numbering Plan"; Anatel, Resolution 749 of 2022 (the
/// national code, `CN`, stands before mobile numbers too).
const MOBILES_WITH_AREAS: [&str; 2] = ["1", "55"];

/// Longest prefix, in digits.
const PREFIX_DIGITS_MAX: usize = 9;

type Table = BTreeMap<&'static str, Box<[Zone]>>;

struct Tables {
    regions: Table,
    codes: Table,
    prefixes: Table,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    regions: read(REGIONS),
    codes: read(CODES),
    prefixes: read(PREFIXES),
});

/// Reads one of the files: a key, a tab, zones with `&` between them.
#[expect(clippy::expect_used, reason = "the files are part of the binary")]
fn read(text: &'static str) -> Table {
    let row = |line: &'static str| {
        let (key, zones) = line.split_once('\t').expect("a test reads every row");
        let zone = |name| Zone::parse(name).expect("a test reads every zone");
        (key, zones.split('&').map(zone).collect())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

/// What kind of line a number is for, as far as it says where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A landline: its number begins with an area.
    Fixed,
    /// A landline or a mobile; the range does not tell.
    FixedOrMobile,
    /// A mobile.
    Mobile,
    /// Neither, such as a free call or a number for the internet.
    Other,
}

/// Returns every zone in which the owner of a number may be, by the number alone.
///
/// `digits` is the number in E.164 form, with or without its `+`; `region` the two letters of the
/// country it belongs to, if it decides between those that share its calling code. A prefix
/// narrows the country down only for landlines, and for mobiles in plans where they have areas;
/// everybody else may be anywhere in the country. A number of no country, such as a satellite
/// phone's, has no zones.
///
/// People take numbers with them. This is what a sender can know, not where somebody is.
pub fn possible(digits: &str, region: Option<&str>, line: Line) -> &'static [Zone] {
    let tables = &*TABLES;
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let country = region.and_then(|region| tables.regions.get(region)).map(|zones| &**zones);
    if let Some(only @ [_]) = country {
        return only;
    }
    let says_where = match line {
        Line::Fixed => true,
        Line::FixedOrMobile | Line::Mobile => {
            MOBILES_WITH_AREAS.iter().any(|code| digits.starts_with(code))
        }
        Line::Other => false,
    };
    let area = says_where.then(|| longest(&tables.prefixes, digits, PREFIX_DIGITS_MAX)).flatten();
    area.or(country).or_else(|| longest(&tables.codes, digits, 3)).unwrap_or_default()
}

/// Returns the zones of a country or territory, by its two capital letters; none if it is none.
pub fn of_region(region: &str) -> &'static [Zone] {
    TABLES.regions.get(region).map_or(&[], |zones| zones)
}

/// Returns whether two capital letters name a country or territory.
pub fn is_region(code: &str) -> bool {
    TABLES.regions.contains_key(code)
}

fn longest<'t>(table: &'t Table, digits: &str, len_max: usize) -> Option<&'t [Zone]> {
    let found = |len| table.get(digits.get(..len)?).map(|zones| &**zones);
    (1..=len_max.min(digits.len())).rev().find_map(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::zones::zone::database_version;

    fn names(zones: &[Zone]) -> Vec<&'static str> {
        zones.iter().map(|zone| zone.name()).collect()
    }

    fn of(digits: &str, region: &str, line: Line) -> Vec<&'static str> {
        names(possible(digits, Some(region), line))
    }

    #[test]
    fn every_row_is_read_and_none_is_empty() {
        for (table, rows_min) in
            [(&TABLES.regions, 245), (&TABLES.codes, 190), (&TABLES.prefixes, 1_000)]
        {
            assert!(table.len() > rows_min, "{} rows", table.len());
            assert!(table.values().all(|zones| !zones.is_empty()));
        }
        assert!(TABLES.prefixes.keys().all(|prefix| prefix.len() <= PREFIX_DIGITS_MAX));
        assert!(TABLES.codes.keys().all(|code| code.len() <= 3));
    }

    #[test]
    fn the_tables_are_of_the_database_the_clocks_are_of() {
        for text in [REGIONS, CODES, PREFIXES] {
            let made = format!("tz database {}.", database_version());
            assert!(text.lines().nth(1).unwrap().ends_with(&made), "run scripts/time-zones");
        }
    }

    #[test]
    fn a_number_of_the_north_american_plan_is_where_its_area_is() {
        let washington = of("12025550101", "US", Line::FixedOrMobile);
        assert_eq!(washington, ["America/New_York"]);
        assert_eq!(of("+18085550101", "US", Line::FixedOrMobile), ["Pacific/Honolulu"]);
        let alaska = of("19075550101", "US", Line::FixedOrMobile);
        assert_eq!(alaska, ["America/Adak", "America/Anchorage", "Pacific/Honolulu"]);
        // The western end of Florida, and the code laid over it.
        for area in ["1850", "1448"] {
            let found = of(&format!("{area}5550101"), "US", Line::FixedOrMobile);
            assert_eq!(found, ["America/Chicago", "America/New_York"], "{area}");
        }
        assert_eq!(of("12045550101", "CA", Line::FixedOrMobile), ["America/Winnipeg"]);
        assert_eq!(of("18765550101", "JM", Line::FixedOrMobile), ["America/Jamaica"]);
    }

    #[test]
    fn a_number_that_says_nothing_stands_for_its_whole_country() {
        assert_eq!(of("19995550101", "US", Line::FixedOrMobile).len(), 8);
        assert_eq!(of("12025550101", "US", Line::Other).len(), 8);
        assert_eq!(
            of("6289012345678", "ID", Line::Mobile),
            ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]
        );
        assert_eq!(of("61491570156", "AU", Line::Mobile).len(), 7);
        assert_eq!(of("79161234567", "RU", Line::Mobile).len(), 11);
        assert_eq!(of("447700900123", "GB", Line::Mobile), ["Europe/London"]);
        assert_eq!(of("919999999999", "IN", Line::Mobile), ["Asia/Kolkata"]);
    }

    #[test]
    fn a_landline_is_where_its_area_is() {
        assert_eq!(of("62361123456", "ID", Line::Fixed), ["Asia/Makassar"]);
        assert_eq!(of("62211234567", "ID", Line::Fixed), ["Asia/Jakarta"]);
        assert_eq!(of("62361123456", "ID", Line::FixedOrMobile).len(), 3);
        assert_eq!(of("5511987654321", "BR", Line::Mobile), ["America/Sao_Paulo"]);
        assert_eq!(of("5565987654321", "BR", Line::Mobile), ["America/Manaus"]);
    }

    #[test]
    fn without_a_country_all_who_share_the_code_count() {
        assert!(possible("18005550101", None, Line::Other).len() > 12);
        assert_eq!(names(possible("883130000000", None, Line::Other)), Vec::<&str>::new());
        assert_eq!(names(possible("", None, Line::Fixed)), Vec::<&str>::new());
        assert_eq!(names(possible("+\u{661}\u{662}", Some("ZZ"), Line::Fixed)), Vec::<&str>::new());
    }

    /// Returns how the clock goes of every zone that is named: its offset on each day of 2026 to
    /// 2039.
    fn courses() -> BTreeMap<&'static str, Vec<i64>> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let first = 1_767_225_600_000 / DAY_MS;
        let course =
            |zone: Zone| (first..first + 14 * 365).map(move |day| zone.offset_ms(day * DAY_MS));
        let tables = [&TABLES.regions, &TABLES.codes, &TABLES.prefixes];
        let zones: BTreeSet<_> = tables
            .into_iter()
            .flat_map(BTreeMap::values)
            .flatten()
            .map(|zone| zone.name())
            .collect();
        zones.into_iter().map(|name| (name, course(Zone::parse(name).unwrap()).collect())).collect()
    }

    #[test]
    fn zones_of_one_row_differ_and_no_prefix_leaves_its_plan() {
        let courses = courses();
        let of = |zones: &[Zone]| -> BTreeSet<_> {
            zones.iter().map(|zone| &courses[zone.name()]).collect()
        };
        for (key, zones) in TABLES.regions.iter().chain(&TABLES.prefixes).chain(&TABLES.codes) {
            assert_eq!(of(zones).len(), zones.len(), "{key}");
        }
        let of_all: BTreeSet<_> = TABLES.regions.values().flat_map(|zones| of(zones)).collect();
        for (prefix, zones) in &TABLES.prefixes {
            let code = (1..=3).rev().find_map(|len| TABLES.codes.get(prefix.get(..len)?)).unwrap();
            assert!(of(zones).is_subset(&of(code)), "{prefix}");
            assert!(of(zones).is_subset(&of_all), "{prefix}");
        }
    }
}
