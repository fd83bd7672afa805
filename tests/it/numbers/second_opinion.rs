//! What the `phonenumber` crate says to the recorded questions: how often it differs from Google.
//!
//! It is no part of Izin. The counts are why; they are recorded so that a change of either side is
//! seen. See `docs/adr/0004-rlibphonenumber.md`.

use std::{collections::BTreeMap, fmt::Write as _};

use phonenumber::{Mode, country};

use super::rows::{Row, corpus};

/// Forms that Izin reads by a rule of its own, of which the crate cannot know.
const WHATSAPPS: &[&str] = &["wa_link", "wa_prefix", "wa_jid"];

/// How often the answers to one written form differ, and in what.
#[derive(Default)]
struct Differences {
    rows: usize,
    /// Google reads a number, the crate refuses the text, or the other way round.
    read: usize,
    /// Both read a number, and not the same.
    number: usize,
    /// One calls the number valid, the other does not.
    valid: usize,
    /// Both call their number valid, and it is not the same number.
    stranger: usize,
}

fn answer(row: &Row) -> (Option<String>, bool) {
    let hint: Option<country::Id> = row.region_hint.as_deref().and_then(|code| code.parse().ok());
    match phonenumber::parse(hint, &row.input) {
        Ok(number) => (Some(number.format().mode(Mode::E164).to_string()), number.is_valid()),
        Err(_) => (None, false),
    }
}

fn counted(rows: &[Row]) -> BTreeMap<String, Differences> {
    let mut forms = BTreeMap::<String, Differences>::new();
    for row in rows {
        let (e164, valid) = answer(row);
        for form in [row.form(), "TOTAL"] {
            let found = forms.entry(form.to_owned()).or_default();
            let is_other = e164.is_some() && row.e164.is_some() && e164 != row.e164;
            found.rows += 1;
            found.read += usize::from(e164.is_some() != row.e164.is_some());
            found.number += usize::from(is_other);
            found.valid += usize::from(valid != row.valid);
            found.stranger += usize::from(is_other && valid && row.valid);
        }
    }
    forms
}

#[test]
fn the_second_opinion_differs_as_often_as_recorded() {
    let mut rows = corpus();
    rows.retain(|row| !WHATSAPPS.contains(&row.form()));
    // The crate compiles a country's patterns anew whenever it comes back to the country, which
    // takes milliseconds. Sorted by country the rows take seconds, mixed they take minutes.
    rows.sort_by_cached_key(|row| (row.e164.clone(), row.region_hint.clone()));
    let mut table = String::from("form                  rows  read  number  valid  stranger\n");
    for (form, Differences { rows, read, number, valid, stranger }) in counted(&rows) {
        writeln!(table, "{form:<20} {rows:>5} {read:>5} {number:>7} {valid:>6} {stranger:>9}")
            .unwrap();
    }
    insta::assert_snapshot!(table, @r"
    form                  rows  read  number  valid  stranger
    TOTAL                 4697   492     240    384         1
    arabic_indic           102   102       0     68         0
    cc_noplus_hint         102     0      11      2         1
    country_code_sweep     102     0       3      1         0
    double_number          101     1       0      0         0
    e164                   101     1       0      0         0
    e164_hint_other        101     0       6      3         0
    e164_hint_self         101     0       1      2         0
    extension              101    26       4     17         0
    fullwidth              101   101       0     61         0
    garbage                101     3       2      0         0
    idd_00                 101     0      13      3         0
    idd_011                101     0       8      5         0
    idd_google             101     0       3      2         0
    idd_nohint             101     0       0      0         0
    idd_wrong              101     0      42      0         0
    intl_dashes            101     0       1      1         0
    intl_dots              101     0       1      2         0
    intl_google            101     0       2      2         0
    intl_mixed             101     2       5      6         0
    intl_paren_cc          101     0       0      1         0
    intl_parens            101     0       1      2         0
    intl_trunk0            101     0      10      4         0
    leading_punct          101     0       5      2         0
    long                   101     9       0      4         0
    mixed_scripts          101   100       0     58         0
    national_google        101     0       1      0         0
    national_messy         101     0       2      2         0
    national_nohint        101     0       0      0         0
    national_plain         101     0       2      3         0
    national_prefix        101     0      13      2         0
    national_wrong_hint    101     0       3      0         0
    odd_char               101     1       0      0         0
    other_digits           101   101       0     67         0
    plusplus               101     0       0      0         0
    random_chars           101     3       0      0         0
    random_digits          101     2       2      2         0
    random_plus_digits     101     2       2      0         0
    short_after_idd         48     2       4      0         0
    short_nsn              101     7      29      2         0
    tel_uri                101    15       0     10         0
    text                   101     1      10      7         0
    trailing_punct         101    13       4      9         0
    vanity                 101     0      43     28         0
    wa_id                  101     0       0      0         0
    wa_id_hint_other       101     0       0      1         0
    wa_quirk               101     0       6      4         0
    ws_junk                101     0       1      1         0
    ");
}
