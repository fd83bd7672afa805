//! The binary on data directories that are not what they should be: empty, partly gone, mistyped,
//! locked, or left behind by a process that was killed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use izin::{
    ledger::vault::{Kek, Vault},
    secrets::{ExistingData, Secrets},
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::process::{Izin, files, izin, left_behind, refused, run, said};

/// Whatever starts on a ledger, or works on one that is there; first what ends by itself.
const ALL: &[&[&str]] = &[
    &["check"],
    &["rebuild"],
    &["keys", "list"],
    &["keys", "create", "--name", "crm", "--scope", "registry:read"],
    &["contacts", "duplicates"],
    &["serve"],
    &["serve", "--recover-to-verified-prefix"],
];

/// All files below a folder, to see that nothing changed; the ballast by its length.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = Vec::new();
    files(folder, &mut found);
    let read = |path: PathBuf| {
        let bytes = if path.ends_with("ballast") {
            fs::metadata(&path).unwrap().len().to_string().into_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        (path, bytes)
    };
    found.into_iter().map(read).collect()
}

#[tokio::test]
async fn a_ledger_that_lost_its_journal_is_refused_and_nothing_is_begun_in_its_place() {
    let (folder, data) = left_behind(&["+12025550141", "+12025550142"]).await;
    let (journal, kept) = (data.join("journal"), folder.path().join("kept"));
    fs::rename(&journal, &kept).unwrap();
    // Each of these alone shows that there was a ledger: the database, the first key, the vault.
    for gone in [None, Some("sled"), Some("admin.key")] {
        match gone.map(|name| data.join(name)) {
            Some(path) if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            Some(path) => fs::remove_file(path).unwrap(),
            None => {}
        }
        for is_mounted in [false, true] {
            if is_mounted {
                // The place is there, and what belongs there is not.
                fs::create_dir(&journal).unwrap();
            }
            let before = contents(&data);
            for arguments in ALL {
                let said = refused(&data, arguments, 65);
                assert!(said.contains("the journal is missing"), "{said}");
                assert!(said.contains(&journal.display().to_string()), "{said}");
            }
            assert_eq!(contents(&data), before);
        }
        fs::remove_dir(&journal).unwrap();
    }
    fs::rename(&kept, &journal).unwrap();
    assert!(run(&data, &["check"]).contains("contacts=2"));
}

#[test]
fn a_first_start_that_was_cut_short_goes_on() {
    for stage in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut chance = StdRng::seed_from_u64(stage);
        if stage > 0 {
            let dir = data.join("secrets");
            let secrets = Secrets::open_or_create(&dir, ExistingData::None, &mut chance).unwrap();
            if stage > 1 {
                let kek = Kek::from_bytes(secrets.vault().expose());
                Vault::open(&data.join("vault"), kek, &mut chance).unwrap();
            }
        }
        if stage > 2 {
            fs::create_dir(data.join("journal")).unwrap();
        }
        if stage > 3 {
            fs::write(data.join("journal/anchor.new"), "").unwrap();
        }
        let said = refused(&data, &["check"], 65);
        assert!(said.contains("there is no ledger in"), "stage {stage}: {said}");
        assert_eq!(Izin::start(&data).stop().0.code(), Some(0), "stage {stage}");
        assert!(run(&data, &["check"]).starts_with("OK entries="), "stage {stage}");
    }
}

#[test]
fn where_there_is_no_ledger_nothing_is_made_by_whoever_would_not_begin_one() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("deep/missing"), folder.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    for data in [&missing, &empty] {
        for arguments in [
            &["check"][..],
            &["rebuild"],
            &["keys", "list"],
            &["keys", "rotate", "0123456789"],
            &["keys", "revoke", "0123456789"],
            &["contacts", "duplicates"],
            &["webhooks", "replay", "day.ndjson"],
        ] {
            let said = refused(data, arguments, 65);
            assert!(said.contains("there is no ledger in"), "{said}");
            assert!(said.contains(&data.display().to_string()), "{said}");
        }
        refused(data, &["health"], 1);
    }
    assert!(!folder.path().join("deep").exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
}

#[tokio::test]
async fn no_key_goes_to_the_address_of_a_process_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut killed = Izin::start(&data);
    killed.kill();
    let file = data.join("listen.addr");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), killed.addr);
    let stranger = TcpListener::bind(&killed.addr).unwrap();
    stranger.set_nonblocking(true).unwrap();
    // As the next process does while it verifies the ledger.
    let lock = File::open(data.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let webhook = folder.path().join("webhook.json");
    fs::write(&webhook, "{}").unwrap();
    let webhook = webhook.display().to_string();
    let start = |arguments: &[&str]| {
        let mut command = izin(&data, arguments);
        command.env("IZIN_WHATSAPP_APP_SECRET", "app-secret-of-tests");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all = [&["keys", "list"][..], &["health"], &["webhooks", "replay", &webhook]];
    let asking = all.map(start);
    for asking in asking {
        let output = asking.wait_with_output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(75), "{said}");
        assert!(said.contains("does not listen"), "{said}");
    }
    assert!(stranger.accept().is_err(), "a stranger was asked");
    // Whoever is only about to stop is waited for.
    let asking = start(&["keys", "list"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    lock.unlock().unwrap();
    let output = asking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(stranger.accept().is_err(), "a stranger was asked");
    assert!(!file.exists());
    // And whoever takes the directory takes the old address away before anything else.
    fs::write(&file, &killed.addr).unwrap();
    fs::rename(data.join("vault"), folder.path().join("vault")).unwrap();
    refused(&data, &["serve"], 65);
    assert!(!file.exists());
}

#[tokio::test]
async fn exit_codes_tell_settings_lost_data_and_a_failing_disk_apart() {
    let (folder, data) = left_behind(&[]).await;
    let nowhere = folder.path().join("words.toml");
    for arguments in [["check-config"], ["serve"]] {
        let output = izin(&data, &arguments).env("IZIN_WORDS__FILE", &nowhere).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("words.file") && said.contains("words.toml"), "{said}");
    }
    let (secrets, kept) = (data.join("secrets"), folder.path().join("secrets"));
    fs::rename(secrets.join("pepper"), folder.path().join("pepper")).unwrap();
    refused(&data, &["check"], 65);
    fs::rename(folder.path().join("pepper"), secrets.join("pepper")).unwrap();
    fs::rename(&secrets, &kept).unwrap();
    let said = refused(&data, &["serve"], 65);
    assert!(said.contains("IZIN_SECRETS_DIR"), "{said}");
    fs::remove_dir(&secrets).unwrap();
    fs::rename(&kept, &secrets).unwrap();
    fs::remove_file(data.join("lock")).unwrap();
    fs::create_dir(data.join("lock")).unwrap();
    for arguments in [["check"], ["serve"]] {
        let said = refused(&data, &arguments, 1);
        assert!(said.contains("failed to lock"), "{said}");
        assert!(!said.contains("another process"), "{said}");
    }
    fs::remove_dir(data.join("lock")).unwrap();
    assert!(run(&data, &["check"]).starts_with("OK "));
}
