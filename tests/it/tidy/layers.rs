//! Who may import whom, and who may name which outside crate.
//!
//! The tables are the architecture: a change here is a decision, not a repair. Unit tests may use
//! any outside crate, but no other layer than the code they test.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::{
    files::{SourceFile, is_rust, project, text_files},
    lexer::{Token, tokens, without_unit_tests},
};

/// A layer, which is a module right under the root, and what of the crate it may import.
///
/// Each import is a path: `runtime::clock` allows that module, `domain` the whole layer. Every
/// layer may also import itself and `limits`.
type Layer = (&'static str, &'static [&'static str]);

const LAYERS: &[Layer] = &[
    ("limits", &[]),
    ("domain", &["policy", "zones"]),
    ("numbers", &[]),
    ("words", &[]),
    ("zones", &[]),
    ("policy", &["zones"]),
    ("whatsapp", &["domain::names", "domain::registry", "domain::spans", "domain::time"]),
    ("documents", &["domain", "policy::ConsentBasis"]),
    ("runtime", &["domain::ids", "domain::time"]),
    ("config", &["domain", "numbers", "runtime"]),
    ("secrets", &["config::secret", "runtime"]),
    ("keys", &["domain", "runtime", "secrets"]),
    ("ledger", &["domain", "runtime"]),
    ("store", &["documents", "domain", "ledger", "runtime"]),
    ("providers", &["config::secret", "domain", "runtime", "whatsapp"]),
    // Readers of the database are handed out as types of `store` that show nothing of sled.
    (
        "effects",
        &[
            "config",
            "documents",
            "domain",
            "ledger",
            "numbers",
            "providers",
            "runtime",
            "store::StoreReader",
            "whatsapp",
        ],
    ),
    (
        "export",
        &["documents", "domain", "ledger", "runtime", "store::StoreError", "store::StoreReader"],
    ),
    (
        "http",
        &[
            "config",
            "documents",
            "domain",
            "effects",
            "export",
            "keys",
            "ledger",
            "numbers",
            "policy",
            "providers",
            "runtime",
            "store::Lag",
            "store::StoreReader",
            "whatsapp",
            "words",
            "zones",
        ],
    ),
    ("simulate", &["domain", "policy", "runtime::clock"]),
    (
        "app",
        &[
            "config",
            "documents",
            "domain",
            "effects",
            "export",
            "http",
            "keys",
            "ledger",
            "numbers",
            "providers",
            "runtime",
            "secrets",
            "store",
            "whatsapp",
            "words",
        ],
    ),
];

/// Outside crates, and the only places that may name them.
const CONFINED: &[(&str, &[&str])] = &[
    ("actix_web", &["src/app/", "src/http/", "src/runtime/blocking.rs"]),
    ("aho_corasick", &["src/words/"]),
    ("anyhow", &["src/main.rs"]),
    ("chacha20", &["src/ledger/cipher.rs"]),
    ("chrono_tz", &["src/zones/"]),
    ("clap", &["src/main.rs", "src/config/"]),
    ("icu_casemap", &["src/words/"]),
    ("icu_normalizer", &["src/words/"]),
    ("icu_properties", &["src/words/"]),
    ("reqwest", &["src/app/", "src/providers/"]),
    ("ring", &["src/ledger/cipher.rs"]),
    ("rlibphonenumber", &["src/numbers/"]),
    ("rustls", &["src/providers/"]),
    ("sled", &["src/store/"]),
    ("toml", &["src/config/", "src/policy/", "src/words/"]),
    ("tracing_subscriber", &["src/runtime/telemetry"]),
    ("unicode_security", &["src/words/"]),
    ("utoipa", &["src/http/"]),
    ("utoipa_swagger_ui", &["src/http/"]),
];

/// Layers that must give the same answer on every machine, and all they may name from outside.
const PURE: &[(&str, &[&str])] = &[
    ("documents", &["chrono", "serde", "smallvec", "thiserror", "uuid"]),
    ("domain", &["chrono", "hashbrown", "hex", "serde", "smallvec", "thiserror", "uuid"]),
    ("numbers", &["rlibphonenumber", "serde", "serde_json", "smallvec", "thiserror"]),
    ("policy", &["chrono", "serde", "serde_path_to_error", "thiserror", "toml"]),
    (
        "words",
        &[
            "aho_corasick",
            "hashbrown",
            "icu_casemap",
            "icu_normalizer",
            "icu_properties",
            "serde",
            "smallvec",
            "thiserror",
            "toml",
            "unicode_security",
        ],
    ),
    ("whatsapp", &["chrono", "hex", "hmac", "serde", "serde_json", "sha2", "thiserror"]),
    ("zones", &["chrono", "chrono_tz", "serde", "thiserror"]),
];

/// Parts of the standard library that reach outside the process, and the words of async code.
const IMPURE_STD: &[&str] = &["env", "fs", "net", "process", "thread"];
const ASYNC_WORDS: &[&str] = &["async", "await"];

/// Returns the layer a file is in; `lib` and `main` stand outside of the layers.
fn layer_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Returns how many modules deep a file's own module is: 1 for a layer's root.
fn depth_of(path: &str) -> usize {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") { parts - 1 } else { parts }
}

fn is_unit_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Returns every path named after a root such as `crate`, groups taken apart: `crate::{a, b::{c}}`
/// gives `a` and `b::c`.
fn imports(found: &[Token<'_>], root: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = found;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == Token::Word(root)
            && let [Token::PathSep, tree @ ..] = rest
        {
            rest = use_tree(tree, "", &mut paths);
        }
    }
    paths
}

/// Reads one path or group and returns what follows it.
fn use_tree<'t, 'a>(
    tree: &'t [Token<'a>],
    prefix: &str,
    paths: &mut BTreeSet<String>,
) -> &'t [Token<'a>] {
    match tree {
        [Token::Mark('{'), group @ ..] => {
            let mut rest = use_tree(group, prefix, paths);
            while let [first, after @ ..] = rest {
                if *first == Token::Mark('}') {
                    return after;
                }
                rest = use_tree(after, prefix, paths);
            }
            rest
        }
        [Token::Word(word), Token::PathSep, deeper @ ..] => {
            use_tree(deeper, &joined(prefix, word), paths)
        }
        [Token::Word(word), after @ ..] => {
            paths.insert(joined(prefix, word));
            match after {
                [Token::Word("as"), Token::Word(_), after @ ..] => after,
                _ => after,
            }
        }
        [Token::Mark('*'), after @ ..] => {
            paths.insert(prefix.to_owned());
            after
        }
        _ => tree,
    }
}

fn joined(prefix: &str, word: &str) -> String {
    if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") }
}

/// Returns whether a chain of `super` climbs out of the layer.
fn climbs_out(found: &[Token<'_>], depth: usize) -> bool {
    let mut braces = 0_usize;
    let mut inline_modules = Vec::new();
    let mut climbed = 0_usize;
    for (at, token) in found.iter().enumerate() {
        match token {
            Token::Mark('{') => {
                let before = found.split_at(at).0;
                if matches!(before, [.., Token::Word("mod"), Token::Word(_)]) {
                    inline_modules.push(braces);
                }
                braces += 1;
            }
            Token::Mark('}') => {
                braces = braces.saturating_sub(1);
                inline_modules.pop_if(|opened| *opened == braces);
            }
            Token::Word("super") => {
                climbed += 1;
                if climbed >= depth + inline_modules.len() {
                    return true;
                }
                continue;
            }
            Token::PathSep => continue,
            Token::Word(_) | Token::Text(_) | Token::Number(_) | Token::Mark(_) => {}
        }
        climbed = 0;
    }
    false
}

/// Returns which of these crates are named: `name::…` or `use name;`, and not `…::name`.
fn crates_named<'c>(found: &[Token<'_>], crates: &'c BTreeSet<String>) -> BTreeSet<&'c str> {
    let mut named = BTreeSet::new();
    for (at, token) in found.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let Some(name) = crates.get(*word) else { continue };
        let (before, from) = found.split_at(at);
        let is_inner = matches!(before, [.., Token::PathSep]) && !is_leading_sep(before);
        let is_used = matches!(before, [.., Token::Word("use")]);
        let is_path = matches!(from, [_, Token::PathSep, ..]);
        if !is_inner && (is_path || is_used) {
            named.insert(name.as_str());
        }
    }
    named
}

/// `::name` with nothing to its left names a crate, `a::name` does not.
fn is_leading_sep(before: &[Token<'_>]) -> bool {
    match before {
        [.., Token::Mark('-'), Token::Mark('>'), Token::PathSep] => true,
        [.., Token::Word(_) | Token::Mark('>'), Token::PathSep] => false,
        _ => true,
    }
}

/// Returns the crates of `[dependencies]`, as code names them.
fn dependencies() -> Result<BTreeSet<String>> {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse().context("cannot read Cargo.toml")?;
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    let table = table.context("Cargo.toml has no dependencies")?;
    Ok(table.keys().map(|name| name.replace('-', "_")).collect())
}

/// Returns whether an import path lies inside an allowed one.
fn is_inside(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn import_faults(file: &SourceFile) -> Vec<String> {
    let layer = layer_of(&file.path);
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{}: `{layer}` is not in the table of layers", file.path)];
    };
    let found = tokens(&file.text);
    let mut faults = Vec::new();
    for path in imports(&found, "crate") {
        let is_own = is_inside(&path, layer) || is_inside(&path, "limits");
        let is_macro = !path.contains("::") && LAYERS.iter().all(|(name, _)| *name != path);
        if !is_own && !is_macro && !allowed.iter().any(|allowed| is_inside(&path, allowed)) {
            faults.push(format!("{}: `{layer}` may not import `{path}`", file.path));
        }
    }
    if climbs_out(&found, depth_of(&file.path)) {
        faults.push(format!("{}: write `crate::…` instead of climbing out by `super`", file.path));
    }
    faults
}

fn crate_faults(file: &SourceFile, dependencies: &BTreeSet<String>) -> Vec<String> {
    let all = tokens(&file.text);
    let found = without_unit_tests(&all);
    let pure = PURE.iter().find(|(layer, _)| *layer == layer_of(&file.path));
    let mut faults = Vec::new();
    for name in crates_named(&found, dependencies) {
        let homes = CONFINED.iter().find(|(confined, _)| *confined == name).map(|(_, homes)| homes);
        if homes.is_some_and(|homes| !homes.iter().any(|home| file.path.starts_with(home))) {
            faults.push(format!("{}: may not name the crate `{name}`", file.path));
        }
        if pure.is_some_and(|(_, allowed)| !allowed.contains(&name)) {
            faults.push(format!("{}: a pure layer may not name the crate `{name}`", file.path));
        }
    }
    if pure.is_some() {
        faults.extend(impurities(&found).into_iter().map(|what| format!("{}: {what}", file.path)));
    }
    faults
}

/// Returns what a pure layer must not do: reach outside the process, or wait.
fn impurities(found: &[Token<'_>]) -> Vec<String> {
    let reaches = imports(found, "std")
        .into_iter()
        .filter(|path| IMPURE_STD.iter().any(|impure| is_inside(path, impure)))
        .map(|path| format!("a pure layer may not name `std::{path}`"));
    let waits = ASYNC_WORDS
        .iter()
        .filter(|word| found.contains(&Token::Word(word)))
        .map(|word| format!("a pure layer may not use `{word}`"));
    reaches.chain(waits).collect()
}

fn layered_files() -> Result<Vec<SourceFile>> {
    let mut files = text_files("src")?;
    files.retain(|file| is_rust(&file.path));
    Ok(files)
}

#[test]
fn imports_point_inwards_only() -> Result<()> {
    let mut faults = Vec::new();
    for file in layered_files()? {
        if !matches!(layer_of(&file.path), "lib" | "main") {
            faults.extend(import_faults(&file));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn outside_crates_are_named_only_where_they_belong() -> Result<()> {
    let dependencies = dependencies()?;
    for (name, _) in CONFINED {
        ensure!(dependencies.contains(*name), "`{name}` is confined but no longer a dependency");
    }
    let mut faults = Vec::new();
    for file in layered_files()? {
        if !is_unit_test_file(&file.path) {
            faults.extend(crate_faults(&file, &dependencies));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn groups_and_globs_are_taken_apart() {
    let source = "use crate::{a::{self, B as C}, d::*, e}; crate::f::g(x); $crate::h!{}";
    let found = imports(&tokens(source), "crate");
    let expected = ["a::B", "a::self", "d", "e", "f::g", "h"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_wrong_import_is_a_fault_however_it_is_written() {
    let file = |text: &str| SourceFile { path: "src/domain/x/y.rs".into(), text: text.into() };
    for bad in [
        "use crate::store::Store;",
        "use crate::{domain::time::Timestamp, store::Store};",
        "fn f() { crate::http::x() }",
        "use super::super::super::store::Store;",
        "mod inner { use super::super::super::super::store::Store; }",
    ] {
        assert!(!import_faults(&file(bad)).is_empty(), "{bad}");
    }
    for good in [
        "use crate::domain::time::Timestamp;",
        "use crate::limits::PAGE_MAX;",
        "use super::super::time::Timestamp;",
        "mod inner { use super::super::super::time::Timestamp; }",
        "// use crate::store::Store;",
    ] {
        assert_eq!(import_faults(&file(good)), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn a_crate_out_of_its_place_is_a_fault() {
    let dependencies = ["sled", "serde", "tokio"].map(str::to_owned).into();
    let faults = |path: &str, text: &str| {
        crate_faults(&SourceFile { path: path.into(), text: text.into() }, &dependencies).len()
    };
    assert_eq!(faults("src/store/mod.rs", "use sled::Db;"), 0);
    assert_eq!(faults("src/http/mod.rs", "use sled::Db;"), 1);
    assert_eq!(faults("src/http/mod.rs", "fn f() -> ::sled::Db {}"), 1);
    assert_eq!(faults("src/http/mod.rs", "use self::sled::Db; // sled::Db"), 0);
    assert_eq!(faults("src/http/mod.rs", "#[cfg(test)] mod tests { use sled::Db; }"), 0);
    assert_eq!(
        faults("src/domain/x.rs", "use tokio::sync; async fn f() { use std::{fmt, fs}; }"),
        3
    );
}
