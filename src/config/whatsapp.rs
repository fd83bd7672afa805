//! `[whatsapp]`: what WhatsApp and this server know each other by.
//!
//! Both are secrets and both may be missing; webhooks are then refused.

use crate::config::{
    reader::{Name, Reader},
    secret::Secret,
};

/// What WhatsApp and this server know each other by.
#[derive(Debug, Clone)]
pub struct WhatsApp {
    /// Meta signs its webhooks with it.
    pub app_secret: Option<Secret<String>>,
    /// Meta shows it once, when the webhook is set up.
    pub verify_token: Option<Secret<String>>,
}

impl WhatsApp {
    pub(super) fn read(from: &mut Reader) -> Self {
        let app_secret = Name::fixed("whatsapp.app_secret", "IZIN_WHATSAPP_APP_SECRET");
        let verify_token = Name::fixed("whatsapp.verify_token", "IZIN_WHATSAPP_VERIFY_TOKEN");
        Self { app_secret: from.secret(app_secret, 8), verify_token: from.secret(verify_token, 8) }
    }
}
