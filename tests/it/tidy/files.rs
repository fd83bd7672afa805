//! What holds for each file: it is reached by a `mod` line, opens with its purpose, stays short.
//!
//! It also lists the files for the other checks. It does not look into functions; clippy does.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::lexer::{Token, tokens};

/// Longest file, in lines. Beyond it a file has more than one subject.
const FILE_LINES_MAX: usize = 600;

/// Folders that hold no source: built, generated or written by a running server.
const NOT_OURS: &[&str] = &[".git", "target", "izin-data", "node_modules"];

/// A file of the project.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the project, with `/`.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

/// Returns the folder the project is in.
pub(super) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every text file below a folder of the project, in order of path.
pub(super) fn text_files(folder: &str) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    collect(&project().join(folder), &mut paths)?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile { path: relative(&path)?, text });
        }
    }
    Ok(files)
}

/// Returns every Rust file of the project.
pub(super) fn rust_files() -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        files.extend(text_files(folder)?.into_iter().filter(|file| is_rust(&file.path)));
    }
    Ok(files)
}

/// Returns whether a path names Rust source.
pub(super) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn relative(path: &Path) -> Result<String> {
    let inside = path.strip_prefix(project())?;
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    Ok(parts.join("/"))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let is_ours = !NOT_OURS.iter().any(|name| entry.file_name() == *name);
        if entry.file_type()?.is_dir() && is_ours {
            collect(&path, paths)?;
        } else if entry.file_type()?.is_file() && is_ours {
            paths.push(path);
        }
    }
    Ok(())
}

/// Returns whether cargo compiles this file as the root of a target.
fn is_target_root(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["src", "lib.rs" | "main.rs"]
            | ["tests" | "benches", _]
            | ["tests" | "benches", _, "main.rs"]
            | ["tests" | "benches", _, "src", "main.rs"]
    )
}

/// Returns the files that a file's `mod` lines can mean.
fn children(file: &SourceFile) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let own_folder = match name {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ if is_target_root(&file.path) => folder.to_owned(),
        _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let found = tokens(&file.text);
    let mut paths = Vec::new();
    for window in found.windows(3) {
        if let [Token::Word("mod"), Token::Word(module), Token::Mark(';')] = window {
            paths.push(format!("{own_folder}/{module}.rs"));
            paths.push(format!("{own_folder}/{module}/mod.rs"));
        }
    }
    paths
}

#[test]
fn every_file_is_reached_by_a_mod_line() -> Result<()> {
    let files = rust_files()?;
    let mut reached: BTreeSet<String> =
        files.iter().map(|file| file.path.clone()).filter(|path| is_target_root(path)).collect();
    loop {
        let before = reached.len();
        for file in files.iter().filter(|file| reached.contains(&file.path)).collect::<Vec<_>>() {
            reached.extend(children(file));
        }
        if reached.len() == before {
            break;
        }
    }
    let dead: Vec<_> =
        files.iter().map(|file| &file.path).filter(|path| !reached.contains(*path)).collect();
    assert!(dead.is_empty(), "no `mod` line leads to {dead:#?}");
    Ok(())
}

#[test]
fn every_file_opens_with_its_purpose() -> Result<()> {
    let files = rust_files()?;
    let silent: Vec<_> =
        files.iter().filter(|file| !file.text.starts_with("//! ")).map(|file| &file.path).collect();
    assert!(silent.is_empty(), "the first line is not `//! …` in {silent:#?}");
    Ok(())
}

#[test]
fn no_file_is_longer_than_one_subject_needs() -> Result<()> {
    let files = rust_files()?;
    let long: Vec<_> = files
        .iter()
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "more than {FILE_LINES_MAX} lines in {long:#?}");
    Ok(())
}
