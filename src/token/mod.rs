//! The opaque secret that a client presents, and the public name derived from it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

mod base64url;
mod fingerprint;
mod found;
mod id;
mod offered;
mod parameter;
mod source;
mod spread_ids;
mod tag;

pub(crate) use self::fingerprint::{Fingerprint, FingerprintKey, OnceFingerprint};
pub(crate) use self::found::{Found, Presented};
pub use self::id::{ParseSessionIdError, SessionId};
pub(crate) use self::offered::{BEARER, has_token};
pub use self::source::TokenSource;
pub(crate) use self::source::{find, find_and_mark, hide, remove};
pub(crate) use self::spread_ids::SpreadIds;
pub use self::tag::TagKey;

/// Characters of a token: the prefix and base64url of 44 bytes.
const TEXT_LEN: usize = 63;
const PREFIX: &[u8] = b"wxs_";
/// version · tag-key id · bucket (2) · random (32) · tag (8)
const LEN: usize = 44;
/// Characters of base64url that those are.
const ENCODED_LEN: usize = 59;
const TAGGED_LEN: usize = 36;
const VERSION: u8 = 1;

/// The session token of a login: the secret that the client keeps and presents.
///
/// Whoever holds it is the user, so its `Debug` is redacted and [`expose`](Self::expose) is the
/// only way out. Stores and caches know only the [`SessionId`].
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    text: Box<str>,
    id: SessionId,
}

impl SessionToken {
    /// The 63 characters to send to the client: `wxs_` and base64url. Never log them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The public name of the session, safe to log.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

/// The user's bucket in the text of a token, where it stands in the clear; in another text anything.
#[inline]
pub(crate) fn bucket_in(text: &[u8]) -> [u8; 2] {
    // Four characters hold bytes 2 and 3, and of those around them four bits each.
    let around = text.get(PREFIX.len() + 2..).and_then(<[u8]>::first_chunk);
    let word = around.map_or(0, |around| base64url::word(*around));
    ((word >> 4) as u16).to_be_bytes()
}

/// A decoded token, on the stack.
#[derive(Clone)]
pub(crate) struct Token([u8; LEN]);

impl Token {
    /// Makes a token out of 32 bytes of the system's randomness.
    pub(crate) fn mint(key: &TagKey, bucket: [u8; 2], random: &[u8; 32]) -> Self {
        let mut bytes = [0; LEN];
        bytes[0] = VERSION;
        bytes[1] = key.id();
        bytes[2..4].copy_from_slice(&bucket);
        bytes[4..TAGGED_LEN].copy_from_slice(random);
        let tag = key.tag(&bytes[..TAGGED_LEN]);
        bytes[TAGGED_LEN..].copy_from_slice(&tag);
        Self(bytes)
    }

    /// Decodes what a client sent; `None` unless it has the exact form of a token.
    #[inline]
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?.try_into().ok()?;
        let mut token = Self([0; LEN]);
        let is_token = base64url::decode(encoded, &mut token.0) && token.0[0] == VERSION;
        is_token.then_some(token)
    }

    #[inline]
    pub(crate) fn id(&self) -> SessionId {
        SessionId::digest(&self.0, [self.0[2], self.0[3]])
    }

    /// Which key the tag was made with.
    pub(crate) const fn key_id(&self) -> u8 {
        self.0[1]
    }

    pub(crate) fn has_tag_of(&self, key: &TagKey) -> bool {
        let (tagged, tag) = self.0.split_at(TAGGED_LEN);
        // One comparison of whole words: its time does not depend on the bytes.
        u64::from_le_bytes(key.tag(tagged))
            == u64::from_le_bytes(tag.try_into().unwrap_or_default())
    }

    pub(crate) fn to_text(&self) -> SessionToken {
        let mut text = String::with_capacity(TEXT_LEN);
        text.push_str("wxs_");
        URL_SAFE_NO_PAD.encode_string(self.0, &mut text);
        SessionToken {
            text: text.into(),
            id: self.id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::mint(&TagKey::new(7, [3; 16]), [1, 2], &[9; 32])
    }

    #[test]
    fn a_token_survives_its_text() {
        let text = token().to_text();
        assert_eq!(text.expose().len(), TEXT_LEN);
        assert_eq!(Token::parse(text.expose().as_bytes()).unwrap().0, token().0);
        assert_eq!(text.id(), token().id());
        assert_eq!(token().key_id(), 7);
        assert_eq!(token().id().bucket(), [1, 2]);
    }

    #[test]
    fn the_bucket_is_read_off_the_text() {
        for bucket in (0..=u16::MAX).map(u16::to_be_bytes) {
            let token = Token::mint(&TagKey::new(0xa5, [3; 16]), bucket, &[0x5a; 32]);
            assert_eq!(bucket_in(token.to_text().expose().as_bytes()), bucket);
        }
        for other in ["", "wxs_", "wxs_AQcBA", "\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}"] {
            bucket_in(other.as_bytes());
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        let good = token().to_text().expose().to_owned();
        let with = |i: usize, c: char| {
            let mut text = good.clone();
            text.replace_range(i..=i, &c.to_string());
            text
        };
        let wrong = [
            String::new(),
            "wxs_".to_owned(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{good}="),
            good[..TEXT_LEN - 1].to_owned(),
            good.to_uppercase(),
            with(0, 'W'),
            with(10, '+'),
            with(10, '/'),
            with(10, '='),
            with(10, ' '),
            with(10, 'é'),
            with(4, 'z'),
        ];
        for text in wrong {
            assert!(Token::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Token::parse(&[0xff; TEXT_LEN]).is_none());
    }

    #[test]
    fn only_one_text_stands_for_a_token() {
        // 44 bytes leave two bits of the last character unused; they have to be zero.
        let good = token().to_text().expose().to_owned();
        let accepted = ('!'..='~')
            .map(|last| format!("{}{last}", &good[..TEXT_LEN - 1]))
            .filter(|text| {
                Token::parse(text.as_bytes()).is_some_and(|t| t.0[..43] == token().0[..43])
            })
            .count();
        assert_eq!(accepted, 16);
    }

    #[test]
    fn a_flipped_bit_anywhere_breaks_the_tag() {
        let key = TagKey::new(7, [3; 16]);
        assert!(token().has_tag_of(&key));
        assert!(!token().has_tag_of(&TagKey::new(7, [4; 16])));
        for bit in 0..LEN * 8 {
            let mut forged = token();
            forged.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!forged.has_tag_of(&key), "bit {bit}");
        }
    }

    #[test]
    fn the_token_cannot_print() {
        let text = token().to_text();
        assert_eq!(format!("{text:?}"), "SessionToken(..)");
    }
}
