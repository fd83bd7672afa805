//! Takes the style off Latin letters that Unicode keeps as letters or signs of their own.
//!
//! NFKC does so for bold, circled, squared, full-width and raised letters; it leaves white letters
//! on black, small capitals and regional indicators. Letters of other scripts that only look
//! alike are none of its business.

use std::borrow::Cow;

/// Every two letters that make a flag: the others stay letters on every screen.
///
/// Source: ISO 3166-1, with what Unicode adds to it in `RGI_Emoji_Flag_Sequence` (Emoji 16).
const FLAGS: &str = "\
    AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CP CQ CR CU CV CW CX CY CZ DE DG DJ \
    DK DM DO DZ EA EC EE EG EH ER ES ET EU FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP \
    GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL \
    PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG \
    VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Returns a text with styled Latin letters as plain ones; borrowed if it has none.
///
/// Regional indicators side by side stay if they are flags and nothing else.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| indicated(c).or_else(|| boxed(c)).or_else(|| small(c)).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c| indicated(c).is_none()).unwrap_or(rest.len());
        let (indicators, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if indicators.is_empty() {
            plain.push(boxed(c).or_else(|| small(c)).unwrap_or(c));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        if are_flags(indicators) {
            plain.push_str(indicators);
        } else {
            plain.extend(indicators.chars().filter_map(indicated));
        }
        rest = after;
    }
    Cow::Owned(plain)
}

fn are_flags(indicators: &str) -> bool {
    let mut letters = indicators.chars().filter_map(indicated);
    while let Some(first) = letters.next() {
        let is_flag = letters
            .next()
            .is_some_and(|second| FLAGS.split(' ').any(|flag| flag.chars().eq([first, second])));
        if !is_flag {
            return false;
        }
    }
    true
}

/// Returns the letter of a regional indicator.
fn indicated(c: char) -> Option<char> {
    within('\u{1F1E6}', c)
}

/// Returns the letter that is white on a black circle or square.
fn boxed(c: char) -> Option<char> {
    within('\u{1F150}', c).or_else(|| within('\u{1F170}', c))
}

/// Returns the letter that is as far from A as a character is from the A of its block.
fn within(block: char, c: char) -> Option<char> {
    let place = u32::from(c).checked_sub(u32::from(block)).filter(|place| *place < 26)?;
    char::from_u32(u32::from('A') + place)
}

/// Returns the letter that a small capital is, in lower case.
///
/// Source: Unicode, the letters named LATIN LETTER SMALL CAPITAL that have a plain one in ASCII.
pub(super) fn small(c: char) -> Option<char> {
    Some(match c {
        'ᴀ' => 'a',
        'ʙ' => 'b',
        'ᴄ' => 'c',
        'ᴅ' => 'd',
        'ᴇ' => 'e',
        'ꜰ' => 'f',
        'ɢ' => 'g',
        'ʜ' => 'h',
        'ɪ' => 'i',
        'ᴊ' => 'j',
        'ᴋ' => 'k',
        'ʟ' => 'l',
        'ᴍ' => 'm',
        'ɴ' => 'n',
        'ᴏ' => 'o',
        'ᴘ' => 'p',
        'ꞯ' => 'q',
        'ʀ' => 'r',
        'ꜱ' => 's',
        'ᴛ' => 't',
        'ᴜ' => 'u',
        'ᴠ' => 'v',
        'ᴡ' => 'w',
        'ʏ' => 'y',
        'ᴢ' => 'z',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styled_letters_become_plain_and_flags_stay() {
        for (text, expected) in [
            ("🅐🅩🅰🆉 ᴀᴢ", "AZAZ az"),
            ("x🇸🇹🇴🇵y", "xSTOPy"),
            ("🇸 🇹", "S T"),
            ("🇪🇳🇩", "END"),
            ("🇮🇩🇲🇾 🇴🇵 🇺🇳", "🇮🇩🇲🇾 OP 🇺🇳"),
            ("🇿🇼🇿", "ZWZ"),
        ] {
            assert_eq!(plain(text), expected);
        }
        for text in ["", "stop ⓢ Ａ 🆗 🆎", "стоп"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
