//! `[whatsapp]`: what WhatsApp and this server know each other by, and how WhatsApp is asked.
//!
//! The secrets may be missing; webhooks are then refused, and WhatsApp is not asked.

use crate::{
    config::{
        network::BaseUrl,
        reader::{Name, Reader},
        secret::Secret,
    },
    limits::{PLATFORM_INTERVAL_S_MAX, PLATFORM_INTERVAL_S_MIN},
};

/// Characters of the shortest secret; Meta's app secrets have 32.
const SECRET_CHARS_MIN: usize = 8;

/// Where the Graph API is. Source: Meta, "Graph API: versions"; 25.0 is of 2026.
const GRAPH_URL: &str = "https://graph.facebook.com/v25.0";

/// What WhatsApp and this server know each other by.
#[derive(Debug, Clone)]
pub struct WhatsApp {
    /// Meta signs its webhooks with one of them: mostly one, two while it is being replaced.
    pub app_secrets: Vec<Secret<String>>,
    /// Meta shows it once, when the webhook is set up.
    pub verify_token: Option<Secret<String>>,
    /// How WhatsApp is asked how senders and templates stand; `None` if it is not.
    pub graph: Option<Graph>,
}

/// How WhatsApp is asked.
#[derive(Debug, Clone)]
pub struct Graph {
    /// What lets us in.
    pub token: Secret<String>,
    /// Where the API is, with its version.
    pub url: BaseUrl,
    /// Seconds from the end of one round of questions to the next.
    pub interval_s: u32,
}

impl WhatsApp {
    pub(super) fn read(from: &mut Reader) -> Self {
        let app_secret = Name::fixed("whatsapp.app_secret", "IZIN_WHATSAPP_APP_SECRET");
        let verify_token = Name::fixed("whatsapp.verify_token", "IZIN_WHATSAPP_VERIFY_TOKEN");
        let given = from.secret(app_secret, SECRET_CHARS_MIN);
        let mut app_secrets = Vec::new();
        for part in given.iter().flat_map(|given| given.expose().split(',')) {
            if part.len() < SECRET_CHARS_MIN {
                let rule = format!(
                    "must be secrets of at least {SECRET_CHARS_MIN} characters, separated by commas"
                );
                from.rule("whatsapp.app_secret", rule);
                break;
            }
            app_secrets.push(Secret::new(part.to_owned()));
        }
        let verify_token = from.secret(verify_token, SECRET_CHARS_MIN);
        Self { app_secrets, verify_token, graph: graph(from) }
    }
}

/// The token gives everything at WhatsApp away, so it goes nowhere unencrypted.
fn graph(from: &mut Reader) -> Option<Graph> {
    let token = Name::fixed("whatsapp.token", "IZIN_WHATSAPP_TOKEN");
    let token = from.secret(token, SECRET_CHARS_MIN);
    let url = Name::fixed("whatsapp.graph_url", "IZIN_WHATSAPP_GRAPH_URL");
    let must_be = "a URL that begins with https://, or http:// on this machine, and has no user, \
        query or fragment";
    let show = |url: &BaseUrl| url.as_str().to_owned();
    let parse = |text: &str| BaseUrl::parse(text).filter(BaseUrl::is_confidential);
    let url = from.text(url, BaseUrl::parse(GRAPH_URL), must_be, show, parse);
    let bounds = PLATFORM_INTERVAL_S_MIN..=PLATFORM_INTERVAL_S_MAX;
    let interval_s = from.whole("whatsapp.poll_interval_s", 600, bounds);
    token.zip(url).map(|(token, url)| Graph { token, url, interval_s })
}
