//! Consent words held against texts as people write them, language by language.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use izin::words::{Reading, Scope, Words, page};

use crate::process;

/// One text and what it has to be read as.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    reading: String,
}

/// Every language that has to have texts, and a list of its own.
const LANGUAGES: &[&str] = &[
    "ar", "bn", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "ms", "nl", "pt", "ru", "th",
    "tl", "tr", "vi", "zh",
];

fn rows(language: &str) -> Vec<Row> {
    let file = format!("tests/data/words/{language}.jsonl");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn name(reading: Reading<'_>) -> &'static str {
    match reading {
        Reading::OptOut { scope: Scope::Everything, .. } => "opt_out_everything",
        Reading::OptOut { scope: Scope::Marketing, .. } => "opt_out_marketing",
        Reading::OptIn { answer_only: false, .. } => "opt_in",
        Reading::OptIn { answer_only: true, .. } => "answer_yes",
        Reading::Decline { .. } => "answer_no",
        Reading::NearMiss { .. } => "near_miss",
        Reading::None => "none",
    }
}

#[test]
fn people_are_understood_in_every_language() {
    let mut wrong = Vec::new();
    for language in LANGUAGES {
        for Row { text, reading } in rows(language) {
            let found = Words::built_in().read(&text);
            if name(found) != reading {
                wrong.push(format!("{language}: {text:?} is not {reading} but {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_language_has_texts_of_every_kind() {
    for language in LANGUAGES {
        let mut kinds = BTreeMap::new();
        for row in rows(language) {
            *kinds.entry(row.reading).or_insert(0) += 1;
        }
        for kind in ["opt_out_everything", "opt_out_marketing", "answer_no", "answer_yes"] {
            assert!(kinds.contains_key(kind), "{language} has no {kind}");
        }
        for kind in ["near_miss", "none"] {
            assert!(kinds.get(kind).is_some_and(|rows| *rows >= 3), "{language} has few {kind}");
        }
    }
}

/// Opt-outs from everything, glued to words of another script.
pub(crate) const GLUED: &[&str] = &[
    "STOPしてください",
    "はもうSTOPしてください",
    "stopしたい",
    "ＳＴＯＰしてください",
    "STOP해주세요",
    "unsubscribe해주세요",
    "STOPครับ",
    "ขอSTOPครับ",
    "拜托stop吧",
    "STOPকরুন",
    "STOPकरो",
    "ستوبplease",
    "توقفوا stopمن",
    "СТОПpls",
    "S.T.O.P.してください",
    "配信STOP2回",
    "opt out해주세요",
];

/// The word STOP in letters of other scripts.
pub(crate) const LOOK_ALIKES: &[&str] =
    &["ЅТОР", "ѕтор", "ЅТОР please", "Please ЅТОР!", "SТΟР", "ᏚᎢΟᏢ", "UΝЅUВЅСRІВЕ me", "ОРТ ОUТ"];

/// The word STOP letter by letter, before or behind something else.
pub(crate) const SPELT_OUT: &[&str] = &[
    "s t o p please",
    "S T O P sending me messages",
    "please s.t.o.p. now",
    "I s t o p this",
    "s t o p a spammer like you",
    "I want to s-t-o-p a spammer",
    "с т о п пожалуйста вам",
    "S T O Pしてください",
    "ｓ ｔ ｏ ｐ sending",
];

/// The word STOP in letters that are Latin ones in another style.
pub(crate) const STYLED: &[&str] = &[
    "🆂🆃🅾🅿",
    "🆂 🆃 🅾\u{FE0F} 🅿\u{FE0F}",
    "🅢🅣🅞🅟",
    "🅂🅃🄾🄿",
    "🇸🇹🇴🇵",
    "🇸 🇹 🇴 🇵",
    "🇸🇹🇴🇵 🇸🇹🇴🇵 🇮🇩🇲🇾",
    "ꜱᴛᴏᴘ",
    "Sᴛᴏᴘ!",
    "ˢᵗᵒᵖ",
];

#[test]
fn an_opt_out_nobody_can_be_sure_of_is_looked_at_with_its_scope() {
    let mut wrong = Vec::new();
    for text in GLUED.iter().chain(LOOK_ALIKES).chain(SPELT_OUT) {
        let found = Words::built_in().read(text);
        if !matches!(found, Reading::NearMiss { scope: Some(Scope::Everything), .. }) {
            wrong.push(format!("{text:?} is {found:?}"));
        }
    }
    let promo = Words::built_in().read("s t o p promo ya");
    if !matches!(promo, Reading::NearMiss { scope: Some(Scope::Marketing), .. }) {
        wrong.push(format!("the longest word counts, not {promo:?}"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn styled_letters_are_the_letters() {
    let mut wrong = Vec::new();
    let more = ["ᴜɴꜱᴜʙꜱᴄʀɪʙᴇ", "🅤🅝🅢🅤🅑🅢🅒🅡🅘🅑🅔", "🇺🇳🇸🇺🇧", "STOP 🇮🇩", "STOP 🇮🇩🇲🇾🇸🇬"];
    for text in STYLED.iter().chain(&more) {
        let found = name(Words::built_in().read(text));
        if found != "opt_out_everything" {
            wrong.push(format!("{text:?} is {found}"));
        }
    }
    assert_eq!(name(Words::built_in().read("ya 🇮🇩🇮🇩")), "answer_yes", "flags are no letters");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_only_begins_alike_is_left_alone() {
    let mut wrong = Vec::new();
    for text in [
        "iPhoneケースはありますか",
        "Tシャツの L サイズ",
        "LINE通知",
        "카톡ID 알려주세요",
        "ราคา100บาท VIPครับ",
        "STEAMください",
        "сок, рот и нос",
        "Хорошо, спасибо за тест",
        "Где мой заказ? Это срочно",
        "ΣΤΟ ΣΠΙΤΙ ΤΟ ΒΡΑΔΥ",
        "Привет ОК",
        "тор ток кот рота вата тара",
        "a b c d",
        "size s m l xl",
        "e n c o d e me a w o r d",
        "🅰️ or 🅱️ type",
        "🇮🇩🇲🇾🇸🇬",
    ] {
        let found = Words::built_in().read(text);
        if found != Reading::None {
            wrong.push(format!("{text:?} is {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_published_page_is_that_of_the_lists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/consent-words.md");
    assert!(
        fs::read_to_string(path).unwrap() == page(),
        "docs/consent-words.md is not what the lists say; run `cargo run -- words > docs/consent-words.md`"
    );
}

#[test]
fn whoever_reads_no_further_is_told_nothing_of_it() {
    let folder = tempfile::TempDir::new().unwrap();
    for arguments in [&["words"][..], &["openapi"][..], &["simulate", "--days", "1"][..]] {
        let mut command = process::izin(folder.path(), arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Nobody reads: what is printed finds the pipe closed.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(process::said(&output), "", "{arguments:?}");
        assert!(output.status.success(), "{arguments:?}");
    }
}
