use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};

use super::bot_token::BotToken;
use crate::hex;
use crate::platform::launch::{Fields, Mac, Refused, keyed, verify};

/// Telegram's published keys, of which each signs in its environment.
/// <https://core.telegram.org/bots/webapps#validating-data-for-third-party-use>
pub(super) const PRODUCTION: [u8; 32] = [
    0xe7, 0xbf, 0x03, 0xa2, 0xfa, 0x46, 0x02, 0xaf, 0x45, 0x80, 0x70, 0x3d, 0x88, 0xdd, 0xa5, 0xbb,
    0x59, 0xf3, 0x2e, 0xd8, 0xb0, 0x2a, 0x56, 0xc1, 0x87, 0xfe, 0x7d, 0x34, 0xca, 0xed, 0x24, 0x2d,
];
pub(super) const TEST: [u8; 32] = [
    0x40, 0x05, 0x50, 0x58, 0xa4, 0xee, 0x38, 0x15, 0x6a, 0x06, 0x56, 0x2e, 0x52, 0xee, 0xce, 0x92,
    0xa7, 0x71, 0xbc, 0xd8, 0x34, 0x6a, 0x8c, 0x46, 0x15, 0xcb, 0x73, 0x76, 0xed, 0xdf, 0x72, 0xec,
];

/// How the launch data of a bot is proved to come from Telegram.
#[derive(Clone)]
pub(super) enum Proof {
    /// By `hash`, with a key that is made from the bot's token.
    Token(Mac),
    /// By `signature`, with Telegram's public key and the bot's id.
    ThirdParty(u64),
}

impl Proof {
    pub(super) fn by_token(token: &BotToken<'_>) -> Self {
        use hmac::Mac as _;
        let key = keyed(b"WebAppData").chain_update(token.text).finalize();
        Self::Token(keyed(&key.into_bytes()))
    }

    /// The text that Telegram has signed.
    pub(super) fn check(
        &self,
        fields: &Fields<'_>,
        public_key: &VerifyingKey,
    ) -> Result<String, Refused> {
        match self {
            Self::Token(key) => {
                let hash = hex(fields.get("hash")?).ok_or(Refused::Signature)?;
                let text = lines(fields, &["hash"])?;
                verify(key, &text, &hash).map(|()| text)
            }
            Self::ThirdParty(bot_id) => {
                let signature = signature(fields.get("signature")?)?;
                let lines = lines(fields, &["hash", "signature"])?;
                let text = format!("{bot_id}:WebAppData\n{lines}");
                let verified = public_key.verify_strict(text.as_bytes(), &signature);
                verified.map(|()| text).map_err(|_| Refused::Signature)
            }
        }
    }
}

/// `name=value`, a line for each but these. A line break in a field would make two texts of one.
fn lines(fields: &Fields<'_>, left_out: &[&str]) -> Result<String, Refused> {
    let mut lines = Vec::new();
    for (name, value) in fields.iter() {
        if name.contains('\n') || value.contains('\n') {
            return Err(Refused::LineBreak);
        }
        if !left_out.contains(&name) {
            lines.push(format!("{name}={value}"));
        }
    }
    Ok(lines.join("\n"))
}

fn signature(text: &str) -> Result<Signature, Refused> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
    signature.ok_or(Refused::Signature)
}

/// 32 bytes in hexadecimal, which Telegram writes in lower case.
fn hex(text: &str) -> Option<[u8; 32]> {
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode(text).filter(|_| is_lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_keys_are_points_of_the_curve() {
        for key in [PRODUCTION, TEST] {
            assert!(VerifyingKey::from_bytes(&key).is_ok_and(|key| !key.is_weak()));
        }
    }

    #[test]
    fn a_hash_is_64_lower_case_digits() {
        let mut expected = [0xa1; 32];
        expected[0] = 0x0f;
        assert_eq!(hex(&format!("0f{}", "a1".repeat(31))), Some(expected));
        let wrong = ["", "0", "0g", "A1", "\u{e9}"].map(|end| "0".repeat(62) + end);
        for text in [wrong.concat(), "0".repeat(65)].iter().chain(&wrong) {
            assert_eq!(hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_break_inside_of_a_field_is_refused() {
        for text in ["a=1%0Ab=2", "a%0Ab=1", "hash=1%0A"] {
            let fields = Fields::parse(text).ok().unwrap();
            assert_eq!(lines(&fields, &["hash"]), Err(Refused::LineBreak), "{text}");
        }
        let fields = Fields::parse("b=2&hash=x&a=1").ok().unwrap();
        assert_eq!(lines(&fields, &["hash"]).unwrap(), "a=1\nb=2");
    }
}
