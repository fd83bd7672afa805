//! Recorded webhooks that the binary signs and sends again.
#![expect(clippy::expect_used, reason = "helpers of tests say what went wrong by failing")]

use std::{fs, path::Path};

use serde_json::Value;

use crate::process::{Izin, izin, refused, run};

/// Returns what `izin webhooks replay` printed about each file.
fn summaries(printed: &[u8]) -> Vec<Value> {
    let lines = printed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

#[test]
fn recorded_webhooks_are_replayed_into_a_data_directory_and_into_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/whatsapp");
    let sample = |name: &str| samples.join(name).display().to_string();
    let (stop, wish) =
        (sample("inbound_text_stop_keyword.json"), sample("user_preferences_stop.json"));
    let replay = ["webhooks", "replay", &stop, &wish];
    assert_eq!(Izin::start(&data).stop().0.code(), Some(0));
    let first = summaries(run(&data, &replay).as_bytes());
    assert_eq!(first.len(), 2);
    for (summary, file, entry) in
        [(&first[0], &stop, "opted_out"), (&first[1], &wish, "marketing_preference_seen")]
    {
        assert_eq!(summary["file"], file.as_str());
        assert_eq!(summary["webhooks"][0]["facts"][0]["effects"][entry], 1, "{summary}");
    }
    let lines = folder.path().join("day.ndjson");
    let compact =
        |file: &str| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    fs::write(&lines, format!("{}\r\n\r\n{}\n", compact(&stop), compact(&wish))).unwrap();
    let again =
        summaries(run(&data, &["webhooks", "replay", &lines.display().to_string()]).as_bytes());
    assert_eq!(again[0]["webhooks"].as_array().unwrap().len(), 2);
    for webhook in again[0]["webhooks"].as_array().unwrap() {
        assert_eq!(webhook["outcome"], "nothing_new", "{webhook}");
    }

    let secret = ("IZIN_WHATSAPP_APP_SECRET", "app-secret-of-tests");
    let server = Izin::start_with(&data, &[secret]);
    let said = refused(&data, &replay, 1);
    assert!(said.contains(secret.0), "{said}");
    let url = format!("http://{}/", server.addr);
    for place in [&["--url", &url][..], &[]] {
        let arguments = [&replay[..], place].concat();
        let taken = izin(&data, &arguments).env(secret.0, secret.1).output().unwrap();
        assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
        assert_eq!(summaries(&taken.stdout)[0]["webhooks"][0]["outcome"], "nothing_new");
        let wrong = izin(&data, &arguments).env(secret.0, "another-secret").output().unwrap();
        assert_eq!(wrong.status.code(), Some(1));
        let problem = summaries(&wrong.stdout)[1]["webhooks"][0]["problem"].to_string();
        assert!(problem.contains("signature_invalid"), "{problem}");
    }
    assert_eq!(server.stop().0.code(), Some(0));
    let arguments = [&replay[..], &["--url", &url]].concat();
    let nowhere = izin(&data, &arguments).env(secret.0, secret.1).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    let told = summaries(&nowhere.stdout);
    assert_eq!(told.len(), 2, "the second is tried as well");
    assert!(told[1]["webhooks"][0]["error"].is_string(), "{told:?}");
}

#[test]
fn a_replay_goes_on_behind_files_it_cannot_read_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Izin::start(&data).stop().0.code(), Some(0));
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/whatsapp");
    let stop = samples.join("inbound_text_stop_keyword.json").display().to_string();
    let missing = folder.path().join("missing.json").display().to_string();
    let lines = folder.path().join("missing.ndjson").display().to_string();
    let a_folder = folder.path().display().to_string();
    let files = [&missing, &stop, &lines, &a_folder, &stop];
    let arguments: Vec<&str> =
        ["webhooks", "replay"].into_iter().chain(files.map(String::as_str)).collect();
    let output = izin(&data, &arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("0 webhooks were not taken, and 3 files"), "{said}");
    let told = summaries(&output.stdout);
    assert_eq!(told.len(), files.len());
    for (summary, file) in told.iter().zip(files) {
        assert_eq!(summary["file"], file.as_str());
        let is_read = *file == stop;
        assert_eq!(summary["error"].is_null(), is_read, "{summary}");
        assert_eq!(summary["webhooks"].as_array().unwrap().len(), usize::from(is_read));
    }
    assert_eq!(told[1]["webhooks"][0]["outcome"], "recorded", "{}", told[1]);
    assert_eq!(told[4]["webhooks"][0]["outcome"], "nothing_new", "{}", told[4]);
}
