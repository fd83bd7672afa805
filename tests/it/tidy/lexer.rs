//! Cuts Rust source into the few kinds of token that the checks look at.
//!
//! It drops comments and whitespace and keeps no positions; it does not check that the source is
//! valid, because the compiler has done so before a test runs.

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or keyword; `r#` is dropped.
    Word(&'a str),
    /// The inside of a string literal, escapes as written.
    Text(&'a str),
    /// A number literal, with its suffix.
    Number(&'a str),
    /// `::`.
    PathSep,
    /// Any other character.
    Mark(char),
}

/// Returns the tokens of a source text.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        rest = if first.is_whitespace() {
            rest.trim_start()
        } else if rest.starts_with("//") {
            rest.find('\n').map_or("", |end| rest.split_at(end).1)
        } else if rest.starts_with("/*") {
            after_block_comment(rest)
        } else if let Some((text, after)) = string_literal(rest) {
            found.push(Token::Text(text));
            after
        } else if first == '\'' || rest.starts_with("b'") {
            after_quote(rest)
        } else if first.is_alphabetic() || first == '_' {
            let (word, after) = split_word(rest.strip_prefix("r#").unwrap_or(rest));
            found.push(Token::Word(word));
            after
        } else if first.is_ascii_digit() {
            let (number, after) = split_word(rest);
            found.push(Token::Number(number));
            after
        } else if let Some(after) = rest.strip_prefix("::") {
            found.push(Token::PathSep);
            after
        } else {
            found.push(Token::Mark(first));
            rest.split_at(first.len_utf8()).1
        };
    }
    found
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// Block comments nest.
fn after_block_comment(text: &str) -> &str {
    let mut rest = text;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("/*") {
            depth += 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = after;
            if depth == 0 {
                break;
            }
        } else {
            rest = rest.split_at(first.len_utf8()).1;
        }
    }
    rest
}

/// Splits a plain, byte, C or raw string literal off the front.
fn string_literal(text: &str) -> Option<(&str, &str)> {
    let after_kind = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = after_kind.strip_prefix('r') {
        let body = raw.trim_start_matches('#');
        let hashes = raw.len() - body.len();
        let inside = body.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        return inside.split_once(close.as_str());
    }
    let inside = after_kind.strip_prefix('"')?;
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == '"' {
            let (body, quote) = inside.split_at(at);
            return Some((body, quote.strip_prefix('"')?));
        }
    }
    None
}

/// Skips a character literal, or the `'` and name of a lifetime.
fn after_quote(text: &str) -> &str {
    let inside = text.strip_prefix('b').unwrap_or(text).trim_start_matches('\'');
    let mut chars = inside.char_indices();
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((_, escaped))) => {
            let body = inside.split_at(1 + escaped.len_utf8()).1;
            body.split_once('\'').map_or("", |(_, after)| after)
        }
        (Some(_), Some((at, '\''))) => inside.split_at(at + 1).1,
        _ => split_word(inside).1,
    }
}

/// Returns the tokens outside `#[cfg(test)] mod … { … }`.
pub(super) fn without_unit_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let attribute = tokens_of_cfg_test();
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        let Some([Token::Word("mod"), Token::Word(_), Token::Mark('{'), body @ ..]) =
            rest.strip_prefix(attribute.as_slice())
        else {
            kept.push(first.clone());
            rest = after;
            continue;
        };
        rest = after_braces(body);
    }
    kept
}

fn tokens_of_cfg_test() -> Vec<Token<'static>> {
    tokens("#[cfg(test)]")
}

/// Skips to behind the brace that closes the one already opened.
fn after_braces<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let mut depth = 1_usize;
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => depth -= 1,
            Token::Word(_)
            | Token::Text(_)
            | Token::Number(_)
            | Token::PathSep
            | Token::Mark(_) => {}
        }
        if depth == 0 {
            break;
        }
    }
    rest
}

#[test]
fn comments_and_literals_hide_what_they_hold() {
    let source = r##"
        // sled:: in a comment
        /* sled:: /* nested */ sled:: */
        let a = "sled:: \" sled::"; let b = r#"sled:: " "#; let c = b"x"; let d = '"'; let e = '\'';
        fn f<'a>(x: &'a str) {}
    "##;
    let found = tokens(source);
    assert!(!found.contains(&Token::Word("sled")), "{found:?}");
    assert!(found.contains(&Token::Text("sled:: \\\" sled::")), "{found:?}");
    assert!(found.contains(&Token::Text("sled:: \" ")), "{found:?}");
    assert!(found.ends_with(&[Token::Mark(')'), Token::Mark('{'), Token::Mark('}')]), "{found:?}");
}

#[test]
fn unit_tests_are_left_out_and_what_follows_them_is_kept() {
    let source = "a; #[cfg(test)] mod tests { b { c } } d; #[cfg(test)] mod other; e";
    let all = tokens(source);
    let kept = without_unit_tests(&all);
    for (word, is_kept) in [("a", true), ("b", false), ("c", false), ("d", true), ("other", true)] {
        assert_eq!(kept.contains(&Token::Word(word)), is_kept, "{word}");
    }
}
