//! Words that must not be in the project, and words that must be in its documents.
//!
//! The forbidden ones are written in pieces here, so that this file does not hold them.

use anyhow::{Result, ensure};

use super::{
    files::{rust_files, text_files},
    lexer::{Token, tokens, without_unit_tests},
};

/// Marks of work left open.
const LEFT_OPEN: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Places and names of one developer's machine.
const LOCAL: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "wt"),
    concat!("fa", "rm-"),
    concat!("/fa", "rm/"),
    concat!(".lib", "rary"),
    concat!("arti", "factory"),
    concat!("sub", "agent"),
];

/// Returns whether `text` holds `word` with no letter, digit or `_` right beside it.
fn holds_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let (before, from) = text.split_at(at);
        let after = from.split_at(word.len()).1;
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

#[test]
fn nothing_is_left_open() -> Result<()> {
    let mut faults = Vec::new();
    for file in rust_files()? {
        for (line, text) in file.text.lines().enumerate() {
            if let Some(word) = LEFT_OPEN.iter().find(|word| holds_word(text, word)) {
                faults.push(format!("{}:{}: {word}", file.path, line + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn nothing_is_unsafe_and_no_test_is_switched_off() -> Result<()> {
    let mut faults = Vec::new();
    for file in rust_files()? {
        let found = tokens(&file.text);
        if found.contains(&Token::Word("unsafe")) {
            faults.push(format!("{}: unsafe", file.path));
        }
        if found.windows(3).any(|window| {
            matches!(window, [Token::Mark('#'), Token::Mark('['), Token::Word("ignore")])
        }) {
            faults.push(format!("{}: a test that is not run", file.path));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn no_file_names_a_place_on_one_machine() -> Result<()> {
    let mut faults = Vec::new();
    for file in text_files("")? {
        for (line, text) in file.text.lines().enumerate() {
            if let Some(word) = LOCAL.iter().find(|word| text.contains(**word)) {
                faults.push(format!("{}:{}: {word}", file.path, line + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

/// Returns the problem codes in a source: a text right before its HTTP status.
fn problem_codes<'a>(found: &[Token<'a>]) -> Vec<&'a str> {
    found
        .windows(3)
        .filter_map(|window| match window {
            [Token::Text(code), Token::Mark(','), Token::Word("StatusCode")] => Some(*code),
            [Token::Text(code), Token::Mark(','), Token::Number(status)]
                if status.parse::<u16>().is_ok_and(|status| (400..600).contains(&status)) =>
            {
                Some(*code)
            }
            _ => None,
        })
        .collect()
}

#[test]
fn every_problem_code_is_documented() -> Result<()> {
    let documents = text_files("api")?;
    let Some(catalogue) = documents.iter().find(|file| file.path == "api/problems.md") else {
        return Ok(());
    };
    for file in text_files("src/http")? {
        if !file.path.starts_with("src/http/problem") {
            continue;
        }
        let all = tokens(&file.text);
        let production = without_unit_tests(&all);
        for code in problem_codes(&production) {
            ensure!(
                catalogue.text.contains(&format!("`{code}`")),
                "`{code}` in {} has no row in api/problems.md",
                file.path
            );
        }
    }
    Ok(())
}

#[test]
fn a_problem_code_is_seen_beside_its_status() {
    let source = r#"kind("busy", StatusCode::SERVICE_UNAVAILABLE, "Busy"), row("gone", 410, "Gone"), f("no", 7)"#;
    assert_eq!(problem_codes(&tokens(source)), ["busy", "gone"]);
}

#[test]
fn a_word_inside_a_longer_one_is_not_meant() {
    assert!(holds_word("see it, then stop", "it"));
    assert!(!holds_word("with its kit", "it"));
}
