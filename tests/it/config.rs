//! Settings as people write them: the documented example, the environment, and mistakes.

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    path::PathBuf,
};

use izin::config::{Config, ConfigError, LogFormat, Overrides, ProviderKind};
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../api/config.example.toml");

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// Loads with this file, readable to its owner alone, and these variables.
fn load(file: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_with_mode(file, 0o600, pairs)
}

fn load_with_mode(file: &str, mode: u32, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("izin.toml");
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    Config::load(&overrides, variables(pairs))
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&Overrides::default(), variables(pairs))
}

fn faults(outcome: Result<Config, ConfigError>) -> Vec<String> {
    match outcome {
        Err(ConfigError::Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
        other => vec![format!("no faults: {other:?}")],
    }
}

fn names_and_values(config: &Config) -> Vec<(&str, Option<&str>)> {
    config.settings().iter().map(|setting| (setting.name(), setting.value())).collect()
}

/// Returns the example with its commented-out settings switched on.
fn example_in_full() -> String {
    let key = |line: &str| {
        let name = line.strip_prefix("# ")?.split_once(" = ")?.0;
        name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()).then_some(())
    };
    let switch_on = |line: &str| match key(line) {
        Some(()) => line.trim_start_matches("# ").to_owned(),
        None => line.to_owned(),
    };
    EXAMPLE.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let defaults = from_environment(&[]).unwrap();
    let example = load(EXAMPLE, &[]).unwrap();
    assert_eq!(names_and_values(&example), names_and_values(&defaults));
    let in_example: toml::Table = EXAMPLE.parse().unwrap();
    for setting in defaults.settings() {
        let (section, key) = setting.name().split_once('.').unwrap_or(("", setting.name()));
        let table = in_example.get(section).and_then(toml::Value::as_table).unwrap_or(&in_example);
        // Its default follows `data_dir`; in a copied example it must not stay behind.
        let has_fixed_default = setting.value().is_some() && key != "secrets_dir";
        assert_eq!(table.contains_key(key), has_fixed_default, "{}", setting.name());
    }
}

#[test]
fn the_example_lists_every_setting_in_order_and_nothing_else() {
    let mut listed = Vec::new();
    let mut section = String::new();
    for line in example_in_full().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            listed.push(format!("{section}{key}"));
        }
    }
    let config = from_environment(&[]).unwrap();
    let known: Vec<_> = config.settings().iter().map(|setting| setting.name().to_owned()).collect();
    assert_eq!(listed, known);
}

#[test]
fn the_example_works_with_everything_in_it_switched_on() {
    let config =
        load(&example_in_full().replace("replace-me", "replaced-by-somebody-who-knew"), &[])
            .unwrap();
    assert!(config.settings().iter().all(|setting| setting.value().is_some()));
    assert_eq!(config.http.workers, Some(4));
    let provider = config.verification.provider.unwrap();
    assert_eq!(provider.kind, ProviderKind::ContactsApi);
    assert_eq!(provider.url.as_str(), "http://127.0.0.1:3000");
    assert_eq!(provider.token.unwrap().expose(), "replaced-by-somebody-who-knew");
}

#[test]
fn no_secret_of_the_example_is_taken_for_one() {
    let told = faults(load(&example_in_full(), &[]));
    let secret = |line: &&str| line.contains(" = \"replace-me");
    let in_example = example_in_full().lines().filter(secret).count();
    assert_eq!((told.len(), in_example), (5, 5), "{told:?}");
    for (variable, value, setting) in [
        ("IZIN_ADMIN_KEY", "replace-me-with-a-real-key", "keys.admin_key"),
        ("IZIN_WHATSAPP_APP_SECRET", "replace-me", "whatsapp.app_secret"),
        ("IZIN_WHATSAPP_APP_SECRET", "a-real-secret,replace-me", "whatsapp.app_secret"),
        ("IZIN_WHATSAPP_VERIFY_TOKEN", "replace-me", "whatsapp.verify_token"),
        ("IZIN_WHATSAPP_TOKEN", "replace-me", "whatsapp.token"),
    ] {
        let told = faults(from_environment(&[(variable, value)]));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(setting) || told[0].contains(variable), "{told:?}");
        assert!(!told[0].contains(value), "{told:?}");
    }
}

#[test]
fn the_example_names_every_variable_that_does_not_follow_the_rule() {
    for setting in from_environment(&[]).unwrap().settings() {
        let by_rule = format!("IZIN_{}", setting.name().to_uppercase().replace('.', "__"));
        let named = EXAMPLE.contains(setting.variable());
        assert!(setting.variable() == by_rule || named, "{}", setting.variable());
    }
}

#[test]
fn what_the_outside_relies_on_has_its_fixed_variables() {
    let config = from_environment(&[
        ("IZIN_DATA_DIR", "/srv/izin"),
        ("IZIN_LISTEN", "127.0.0.1:0"),
        ("IZIN_ADMIN_KEY", "0123456789abcdef-0123456789"),
        ("IZIN_SECRETS_DIR", "/run/izin-secrets"),
        ("IZIN_VERIFY_PROVIDER", "waha"),
        ("IZIN_VERIFY_URL", "http://127.0.0.1:3000/"),
        ("IZIN_VERIFY_TOKEN", "t0ken"),
        ("IZIN_WHATSAPP_APP_SECRET", "app-secret"),
        ("IZIN_WHATSAPP_VERIFY_TOKEN", "verify-token"),
        ("IZIN_TELEMETRY__FORMAT", "json"),
        ("PATH", "/usr/bin"),
    ])
    .unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/srv/izin"));
    assert_eq!(config.secrets_dir, PathBuf::from("/run/izin-secrets"));
    assert_eq!(config.http.listen.port(), 0);
    assert_eq!(config.keys.admin_key.unwrap().expose(), "0123456789abcdef-0123456789");
    let provider = config.verification.provider.unwrap();
    assert_eq!(provider.kind, ProviderKind::Waha);
    assert_eq!(provider.url.as_str(), "http://127.0.0.1:3000");
    assert_eq!(provider.token.unwrap().expose(), "t0ken");
    let app_secrets: Vec<_> =
        config.whatsapp.app_secrets.iter().map(izin::config::Secret::expose).collect();
    assert_eq!(app_secrets, ["app-secret"]);
    assert_eq!(config.whatsapp.verify_token.unwrap().expose(), "verify-token");
    assert_eq!(config.telemetry.format, LogFormat::Json);
}

#[test]
fn whatsapp_is_asked_only_with_a_token_and_the_token_goes_nowhere_in_the_clear() {
    let none = from_environment(&[("IZIN_WHATSAPP__POLL_INTERVAL_S", "60")]).unwrap();
    assert!(none.whatsapp.graph.is_none());
    let token = ("IZIN_WHATSAPP_TOKEN", "t0ken-s3cret");
    let config = from_environment(&[token]).unwrap();
    let graph = config.whatsapp.graph.as_ref().unwrap();
    assert_eq!(graph.url.as_str(), "https://graph.facebook.com/v25.0");
    assert_eq!((graph.token.expose().as_str(), graph.interval_s), ("t0ken-s3cret", 600));
    assert!(!config.redacted().contains("s3cret") && !format!("{config:?}").contains("s3cret"));
    let at = |url| from_environment(&[token, ("IZIN_WHATSAPP_GRAPH_URL", url)]);
    assert!(at("http://127.0.0.1:8081/v25.0").is_ok());
    for url in ["http://graph.example/v25.0", "https://u:p@graph.example", "graph.example"] {
        let said = faults(at(url));
        assert!(said[0].contains("whatsapp.graph_url") && !said[0].contains("example"), "{said:?}");
    }
    for seconds in ["59", "86401", "0", "-1"] {
        let said = faults(from_environment(&[("IZIN_WHATSAPP__POLL_INTERVAL_S", seconds)]));
        assert!(said[0].contains("60 to 86400"), "{said:?}");
    }
}

#[test]
fn app_secrets_are_several_while_one_is_being_replaced() {
    let secrets = |text| from_environment(&[("IZIN_WHATSAPP_APP_SECRET", text)]);
    let two = secrets("app-secret-old,app-secret-new").unwrap().whatsapp.app_secrets;
    let two: Vec<_> = two.iter().map(|one| one.expose().as_str()).collect();
    assert_eq!(two, ["app-secret-old", "app-secret-new"]);
    for text in ["app-secret-old,", ",app-secret-old", "app-secret-old,short"] {
        let faults = faults(secrets(text));
        assert!(faults[0].contains("separated by commas"), "{faults:?}");
        assert!(!faults[0].contains("app-secret-old"), "{faults:?}");
    }
}

#[test]
fn every_protocol_has_a_name_and_one_of_them_needs_its_token_and_a_number() {
    for (name, kind) in [
        ("contacts_api", ProviderKind::ContactsApi),
        ("evolution", ProviderKind::Evolution),
        ("green_api", ProviderKind::GreenApi),
        ("waha", ProviderKind::Waha),
        ("whapi", ProviderKind::Whapi),
        ("wppconnect", ProviderKind::Wppconnect),
    ] {
        let config = from_environment(&[
            ("IZIN_VERIFY_PROVIDER", name),
            ("IZIN_VERIFY_URL", "http://127.0.0.1:3000"),
            ("IZIN_VERIFY_TOKEN", "t0ken"),
            ("IZIN_VERIFICATION__SESSION", "1101000001"),
        ]);
        assert_eq!(config.unwrap().verification.provider.unwrap().kind, kind);
    }
    let told = faults(from_environment(&[
        ("IZIN_VERIFY_PROVIDER", "green_api"),
        ("IZIN_VERIFY_URL", "http://127.0.0.1:3000"),
    ]));
    let named = ["verification.token is missing", "verification.session must be the number"];
    assert_eq!(told.len(), named.len(), "{told:?}");
    for (told, named) in told.iter().zip(named) {
        assert!(told.starts_with(named), "{told}");
    }
}

#[test]
fn whatsapp_is_another_name_for_the_contacts_api() {
    let pairs = [("IZIN_VERIFY_PROVIDER", "whatsapp"), ("IZIN_VERIFY_URL", "http://localhost:1")];
    let provider = from_environment(&pairs).unwrap().verification.provider.unwrap();
    assert_eq!(provider.kind, ProviderKind::ContactsApi);
}

#[test]
fn secrets_live_in_the_data_directory_unless_told_otherwise() {
    let config = from_environment(&[("IZIN_DATA_DIR", "/srv/izin")]).unwrap();
    assert_eq!(config.secrets_dir, PathBuf::from("/srv/izin/secrets"));
}

#[test]
fn the_command_line_wins_and_the_environment_beats_the_file() {
    let file = "data_dir = '/file'\n[http]\nlisten = '127.0.0.1:1'\nkeep_alive_s = 3";
    let pairs = [("IZIN_DATA_DIR", "/variable"), ("IZIN_HTTP__KEEP_ALIVE_S", "4")];
    let config = load(file, &pairs).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/variable"));
    assert_eq!((config.http.listen.port(), config.http.keep_alive_s), (1, 4));

    let overrides = Overrides {
        config: None,
        data_dir: Some("/option".to_owned()),
        listen: Some("127.0.0.1:9".to_owned()),
    };
    let config = Config::load(&overrides, variables(&pairs)).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/option"));
    assert_eq!(config.http.listen.port(), 9);
}

#[test]
fn the_file_can_be_named_by_a_variable_and_must_then_exist() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("named.toml");
    fs::write(&path, "[ledger]\nqueue_len = 7").unwrap();
    let path = path.to_str().unwrap();
    let config = from_environment(&[("IZIN_CONFIG", path)]).unwrap();
    assert_eq!(config.ledger.queue_len, 7);
    let missing = from_environment(&[("IZIN_CONFIG", "/nowhere/izin.toml")]).unwrap_err();
    assert_eq!(missing.to_string(), "failed to read the settings file /nowhere/izin.toml");
}

#[test]
fn a_misspelt_variable_is_an_error_that_names_the_nearest() {
    let outcome = from_environment(&[("IZIN_LISTN", "127.0.0.1:1")]);
    assert_eq!(faults(outcome), ["IZIN_LISTN is not a setting; did you mean IZIN_LISTEN?"]);
    let outcome = from_environment(&[("IZIN_LEDGER__QUEUE_LENGTH", "1")]);
    assert_eq!(
        faults(outcome),
        ["IZIN_LEDGER__QUEUE_LENGTH is not a setting; did you mean IZIN_LEDGER__QUEUE_LEN?"]
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let outcome = load(
        "[http]\nworkers = 0\nlisten = 'everywhere'\n[stor]\nbatch_len = 1\n[idempotency]\nkeep_hours = 23",
        &[("IZIN_TELEMETRY__LEVEL", "loud"), ("IZIN_NUMBERS__DEFAULT_REGION", "Indonesia")],
    );
    assert_eq!(
        faults(outcome),
        [
            "http.listen (settings file) must be an IP address and a port, such as 127.0.0.1:8080 \
             or [::1]:8080",
            "http.workers (settings file) must be a whole number from 1 to 256",
            "numbers.default_region (IZIN_NUMBERS__DEFAULT_REGION) must be the two letters of a \
             country, such as ID",
            "idempotency.keep_hours (settings file) must be a whole number from 24 to 8760",
            "telemetry.level (IZIN_TELEMETRY__LEVEL) must be one of error, warn, info, debug, trace",
            "stor.batch_len is not a setting; did you mean store.batch_len?",
        ]
    );
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (pairs, named) in [
        (vec![("IZIN_HTTP__BATCH_BODY_BYTES_MAX", "1024")], "http.batch_body_bytes_max must be"),
        (vec![("IZIN_HTTP__IN_FLIGHT_BYTES_MAX", "65536")], "http.in_flight_bytes_max must be"),
        (vec![("IZIN_STORE__LAG_MAX", "49")], "store.lag_max must be"),
        (vec![("IZIN_SENDS__TICKET_TTL_S_MAX", "299")], "sends.ticket_ttl_s_max must be"),
        (vec![("IZIN_VERIFICATION__BREAKER_OPEN_S_MAX", "29")], "verification.breaker_open_s_max"),
        (vec![("IZIN_VERIFICATION__RED_PERCENT", "69")], "verification.red_percent must be at"),
        (vec![("IZIN_VERIFICATION__AMBER_PERCENT", "0")], "verification.amber_percent"),
        (vec![("IZIN_VERIFY_PROVIDER", "waha")], "verification.url is missing"),
        (vec![("IZIN_VERIFY_URL", "http://localhost")], "verification.provider is missing"),
    ] {
        let told = faults(from_environment(&pairs));
        assert!(told.len() == 1 && told.concat().starts_with(named), "{told:?}");
    }
}

#[test]
fn a_refused_provider_is_not_called_missing_as_well() {
    let pairs = [("IZIN_VERIFY_PROVIDER", "other"), ("IZIN_VERIFY_URL", "http://localhost")];
    let told = faults(from_environment(&pairs));
    let must_be = "must be one of contacts_api, evolution, green_api, waha, whapi, whatsapp, \
         wppconnect";
    assert_eq!(told, [format!("verification.provider (IZIN_VERIFY_PROVIDER) {must_be}")]);
}

#[test]
fn listening_beyond_this_machine_must_be_asked_for_in_so_many_words() {
    for reaching in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
        let told = faults(from_environment(&[("IZIN_LISTEN", reaching)]));
        assert!(told.concat().contains("http.insecure_http = true"), "{reaching}: {told:?}");
        let insecure = ("IZIN_HTTP__INSECURE_HTTP", "true");
        assert!(from_environment(&[("IZIN_LISTEN", reaching), insecure]).is_ok(), "{reaching}");
    }
    for local in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(from_environment(&[("IZIN_LISTEN", local)]).is_ok(), "{local}");
    }
}

#[test]
fn a_broken_file_is_located_and_not_quoted() {
    let error = load("[keys]\nadmin_key = \"do-not-show-this\n", &[]).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("line 2"), "{shown}");
    assert!(!shown.contains("do-not-show-this"), "{shown}");
}

#[test]
fn a_secret_in_a_file_that_everybody_may_read_is_refused() {
    let file = "[keys]\nadmin_key = '0123456789abcdef-0123456789'";
    assert!(load_with_mode(file, 0o640, &[]).is_ok());
    let told = faults(load_with_mode(file, 0o644, &[])).concat();
    assert!(told.starts_with("keys.admin_key stands in "), "{told}");
    let overridden = [("IZIN_ADMIN_KEY", "fedcba9876543210-fedcba9876")];
    assert!(load_with_mode(file, 0o644, &overridden).is_err());
    assert!(load_with_mode("[ledger]\nqueue_len = 7", 0o644, &[]).is_ok());
}

#[test]
fn a_value_that_is_not_unicode_is_refused_where_it_is_used() {
    let bytes = || OsString::from_vec(vec![b'/', 0xff]);
    for name in ["IZIN_DATA_DIR", "IZIN_LISTEN", "IZIN_VERIFY_TOKEN"] {
        let outcome = Config::load(&Overrides::default(), [(name.into(), bytes())]);
        assert_eq!(faults(outcome).len(), 1, "{name}");
    }
    let stray = [(OsString::from_vec(vec![b'I', 0xff]), bytes())];
    assert!(Config::load(&Overrides::default(), stray).is_ok());
}

#[test]
fn what_is_printed_names_origins_hides_secrets_and_can_be_loaded_again() {
    let secret = "0123456789abcdef-0123456789";
    let config = load(
        "[ledger]\nqueue_len = 7\n[http]\ntrusted_proxies = ['10.0.0.0/8', '::1']",
        &[("IZIN_ADMIN_KEY", secret), ("IZIN_DATA_DIR", "/srv/\"izin\"")],
    )
    .unwrap();
    let printed = config.redacted();
    assert!(!printed.contains(secret) && !format!("{config:?}").contains(secret), "{printed}");
    assert!(printed.contains("queue_len = 7  # settings file\n"), "{printed}");
    assert!(printed.contains("admin_key = \"(set, hidden)\"  # IZIN_ADMIN_KEY\n"), "{printed}");
    assert!(printed.contains("# workers is not set\n"), "{printed}");

    let again = load(&printed.replace("(set, hidden)", secret), &[]).unwrap();
    assert_eq!(names_and_values(&again), names_and_values(&config));
}

#[test]
fn an_admin_key_that_could_be_guessed_is_refused() {
    for weak in [
        "0123456789abcdef0123456",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabcabcabc",
    ] {
        let told = faults(from_environment(&[("IZIN_ADMIN_KEY", weak)])).concat();
        assert!(told.contains("at least 24 characters") && told.contains("openssl"), "{told}");
        assert!(!told.contains(weak), "{told}");
    }
    let drawn = "q8mG0c0v2Vtq0k9k3lJ3m2s9m0R1n0aXyZw4T7uB1cE=";
    assert!(from_environment(&[("IZIN_ADMIN_KEY", drawn)]).is_ok());
}
