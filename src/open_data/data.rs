use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::error::{OpenDataError, OpenDataErrorKind};
use super::sealed::Sealed;
use super::signature::has_signed_raw_data;
use super::watermark::{Bounds, Marked};
use crate::hex;
use crate::session_key::SessionKey;
use crate::sessions::SessionKeys;
use crate::watermark::Watermark;

/// Twice the five minutes for which WeChat's own `cloudID` of the same data is good.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// What Kerberos allows between two clocks (RFC 4120, 1.6): the platform's is not ours.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// Opens a user's open data and checks its signatures, with the keys that the user has at the moment.
///
/// [`Sessions::open_data`](crate::Sessions::open_data) makes it for the user of a session, and
/// [`new`](Self::new) for keys that you keep yourself. See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct OpenData {
    keys: SessionKeys,
    appid: Arc<str>,
    openid: Option<Arc<str>>,
    now: SystemTime,
    bounds: Bounds,
}

impl OpenData {
    /// Open data of a user of the app with this appid, as of now by the system's clock.
    ///
    /// The keys are a [`SessionKey`](crate::SessionKey), or [`SessionKeys`] with the newest first.
    pub fn new(keys: impl Into<SessionKeys>, appid: impl Into<Arc<str>>) -> Self {
        Self {
            keys: keys.into(),
            appid: appid.into(),
            openid: None,
            now: SystemTime::now(),
            bounds: Bounds {
                age: MAX_AGE,
                ahead: MAX_AHEAD,
            },
        }
    }

    /// Names the user: data with the `openId` of another one is refused as
    /// [`Undecryptable`](OpenDataErrorKind::Undecryptable). Nothing is compared unless it is set.
    #[must_use]
    pub fn of_user(self, openid: impl Into<Arc<str>>) -> Self {
        Self {
            openid: Some(openid.into()),
            ..self
        }
    }

    /// Sets the time with which watermarks are compared.
    #[must_use]
    pub fn at(self, now: SystemTime) -> Self {
        Self { now, ..self }
    }

    /// How old data may be: 10 minutes unless set here. With [`Duration::MAX`] any age is good.
    ///
    /// WeChat lets the backend choose, and its own `cloudID` for the same data is good for 5 minutes.
    /// The default is twice that, for clients on bad networks that send again. Whoever sees a request
    /// can send its data again for as long, with a session of the same user.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.bounds.age = age;
        self
    }

    /// How far ahead of our clock data may be: 5 minutes unless set here.
    #[must_use]
    pub fn with_max_ahead(mut self, ahead: Duration) -> Self {
        self.bounds.ahead = ahead;
        self
    }

    /// Decrypts what the client sends as `encryptedData` and `iv`.
    ///
    /// `T` is a type of this module such as [`PhoneNumber`](super::PhoneNumber), `serde_json::Value`, or a
    /// type of yours that serde can read from the JSON.
    ///
    /// # Errors
    ///
    /// One [kind](OpenDataErrorKind) for each cause. A wrong key, wrong padding, what is no JSON and
    /// another app's watermark are one cause, [`Undecryptable`](OpenDataErrorKind::Undecryptable).
    pub fn decrypt<T: DeserializeOwned>(
        &self,
        encrypted_data: &str,
        iv: &str,
    ) -> Result<T, OpenDataError> {
        let sealed = Sealed::decode(encrypted_data, iv)?;
        let (text, watermark) = self.open(&sealed)?;
        self.bounds.check(&watermark, self.now)?;
        serde_json::from_slice(&text).map_err(|error| wrong_type(&error))
    }

    /// Checks the `signature` of what the client sends as `rawData`, to the byte as it was given.
    ///
    /// It says nothing of the app or the time, and whoever has seen it can send it again, so prefer
    /// [`decrypt`](Self::decrypt).
    ///
    /// # Errors
    ///
    /// [`BadSignature`](OpenDataErrorKind::BadSignature) or
    /// [`NoSessionKey`](OpenDataErrorKind::NoSessionKey).
    pub fn verify_raw_data(&self, raw_data: &str, signature: &str) -> Result<(), OpenDataError> {
        self.verify(signature, |key, signature| {
            has_signed_raw_data(key, raw_data, signature)
        })
    }

    /// Checks a signature that was made with [`SessionKey::sign`](crate::SessionKey::sign), such as one
    /// over the body of a request.
    ///
    /// # Errors
    ///
    /// [`BadSignature`](OpenDataErrorKind::BadSignature) or
    /// [`NoSessionKey`](OpenDataErrorKind::NoSessionKey).
    pub fn verify_message(&self, message: &[u8], signature: &str) -> Result<(), OpenDataError> {
        self.verify(signature, |key, signature: [u8; 32]| {
            key.has_signed(message, &signature)
        })
    }

    /// Only a watermark of this app proves that a key is the right one: with a wrong one the padding
    /// is right once in 255 times.
    fn open(&self, sealed: &Sealed) -> Result<(Vec<u8>, Watermark), OpenDataErrorKind> {
        let mut problem = OpenDataErrorKind::NoSessionKey;
        for key in self.keys.iter() {
            match self.open_with(key, sealed) {
                Ok(opened) => return Ok(opened),
                Err(kind) => problem = kind,
            }
        }
        Err(problem)
    }

    fn open_with(
        &self,
        key: &SessionKey,
        sealed: &Sealed,
    ) -> Result<(Vec<u8>, Watermark), OpenDataErrorKind> {
        let decrypted = sealed.decrypt(key)?;
        // Read even if the padding is wrong. Who could tell the two apart by the time could have any
        // text of theirs taken for encrypted (a padding oracle).
        let marked: Option<Marked> = serde_json::from_slice(decrypted.text()).ok();
        marked
            .filter(|marked| self.is_of_user(marked))
            .map(|marked| marked.watermark)
            .filter(|watermark| *watermark.appid == *self.appid)
            .filter(|_| decrypted.is_padded.into())
            .map(|watermark| (decrypted.text().to_vec(), watermark))
            .ok_or(OpenDataErrorKind::Undecryptable)
    }

    fn is_of_user(&self, marked: &Marked) -> bool {
        match (&self.openid, &marked.open_id) {
            (Some(user), Some(openid)) => **user == **openid,
            _ => true,
        }
    }

    fn verify<const N: usize>(
        &self,
        signature: &str,
        has_signed: impl Fn(&SessionKey, [u8; N]) -> bool,
    ) -> Result<(), OpenDataError> {
        self.keys.newest().ok_or(OpenDataErrorKind::NoSessionKey)?;
        hex::decode(signature)
            .filter(|&signature| self.keys.iter().any(|key| has_signed(key, signature)))
            .map(|_| ())
            .ok_or(OpenDataErrorKind::BadSignature.into())
    }
}

/// Keeps the place only: serde's own text may quote the data.
fn wrong_type(error: &serde_json::Error) -> OpenDataError {
    let (line, column) = (error.line(), error.column());
    let place = format!("not of the expected type at line {line} column {column}");
    OpenDataError::from(OpenDataErrorKind::WrongType).caused_by(place)
}

#[cfg(test)]
mod tests {
    use ::base64::Engine;
    use ::base64::prelude::BASE64_STANDARD;
    use aes::Aes128;
    use cbc::Encryptor;
    use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
    use serde_json::Value;

    use super::*;
    use crate::open_data::{PhoneNumber, UserInfo};

    /// The example of WeChat's demo (`WXBizDataCrypt`).
    const APPID: &str = "wx4f4bc4dec97d474b";
    const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
    const IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
    const ENCRYPTED_DATA: &str = "\
        CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRg\
        v+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7U\
        L/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3\
        g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFd\
        lqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK\
        01EpqOyuxINew==";
    const MADE_AT: u64 = 1_477_314_187;
    const RAW_DATA: &str = r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#;

    fn keys(newest_first: &[&str]) -> SessionKeys {
        newest_first
            .iter()
            .map(|&key| SessionKey::new(key))
            .collect()
    }

    fn open_data(newest_first: &[&str]) -> OpenData {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(MADE_AT);
        OpenData::new(keys(newest_first), APPID).at(now)
    }

    fn opened(data: &OpenData) -> Result<Value, OpenDataErrorKind> {
        data.decrypt(ENCRYPTED_DATA, IV)
            .map_err(|error| error.kind())
    }

    #[test]
    fn data_of_another_user_is_none_of_this_one_s() {
        let data = |openid| {
            let key = SessionKey::new(KEY);
            let data = OpenData::new(key, APPID).with_max_age(std::time::Duration::MAX);
            let data = data.of_user(openid);
            data.decrypt::<UserInfo>(ENCRYPTED_DATA, IV)
                .map(|user| user.open_id)
        };
        let openid = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
        assert_eq!(data(openid).unwrap().as_deref(), Some(openid));
        assert_eq!(
            data("oOther").unwrap_err().kind(),
            OpenDataErrorKind::Undecryptable
        );
    }

    #[test]
    fn the_example_of_wechat_s_demo_opens() {
        let user: UserInfo = open_data(&[KEY]).decrypt(ENCRYPTED_DATA, IV).unwrap();
        assert_eq!(
            user.open_id.as_deref(),
            Some("oGZUI0egBJY1zhBYw2KhdUfwVJJE")
        );
        assert_eq!(
            user.union_id.as_deref(),
            Some("ocMvos6NjeKLIBqg5Mr9QjxrP1FA")
        );
        assert_eq!(user.nick_name.as_deref(), Some("Band"));
        assert_eq!(user.city.as_deref(), Some("Guangzhou"));
        assert_eq!(user.gender, 1);
        assert_eq!(user.watermark.timestamp, MADE_AT);
        assert_eq!(user.watermark.appid, APPID);
    }

    #[test]
    fn an_earlier_key_opens_it_and_no_other_app_s() {
        let wrong = "AAAAAAAAAAAAAAAAAAAAAA==";
        assert!(opened(&open_data(&[wrong, wrong, KEY])).is_ok());
        let undecryptable = Err(OpenDataErrorKind::Undecryptable);
        assert_eq!(opened(&open_data(&[wrong])), undecryptable);
        let mut other = open_data(&[KEY]);
        other.appid = "wx4f4bc4dec97d474c".into();
        assert_eq!(opened(&other), undecryptable);
        let no_key = open_data(&[]);
        assert_eq!(opened(&no_key), Err(OpenDataErrorKind::NoSessionKey));
    }

    /// Encrypts whole blocks with a key and an initial vector of zeros.
    fn encrypted(text: &[u8]) -> Vec<u8> {
        let mut bytes = text.to_vec();
        let mut encryptor = Encryptor::<Aes128>::new(&[0; 16].into(), &[0; 16].into());
        for block in bytes.as_chunks_mut::<16>().0 {
            encryptor.encrypt_block(block.into());
        }
        bytes
    }

    /// Opens what is encrypted with a key of zeros.
    fn opened_as<T: DeserializeOwned>(blocks: &[u8], iv: [u8; 16]) -> Result<T, OpenDataErrorKind> {
        let data = open_data(&[&BASE64_STANDARD.encode([0; 16])]);
        let [blocks, iv] = [blocks, &iv].map(|bytes| BASE64_STANDARD.encode(bytes));
        data.decrypt(&blocks, &iv).map_err(|error| error.kind())
    }

    fn opened_blocks(text: &[u8]) -> Result<Value, OpenDataErrorKind> {
        opened_as(&encrypted(text), [0; 16])
    }

    /// A client can leave out blocks at the front, and choose the first one of the rest.
    #[test]
    fn a_name_that_is_made_to_look_like_a_phone_number_is_none() {
        let head = br#"{"phoneNumber":""#;
        let mut text = format!(
            r#"{{"openId":"oGZUI0egBJY1zhBYw2KhdUf","nickName":"13800000000","gender":1,"watermark":{{"appid":"{APPID}","timestamp":{MADE_AT}}}}}"#
        );
        let padding = 16 - text.len() % 16;
        text.extend(std::iter::repeat_n(padding as u8 as char, padding));
        let (text, blocks) = (text.as_bytes(), encrypted(text.as_bytes()));
        assert_eq!(&text[48..59], b"13800000000");
        let iv = std::array::from_fn(|at| blocks[16 + at] ^ text[32 + at] ^ head[at]);
        let any = opened_as::<Value>(&blocks[32..], iv).unwrap();
        assert_eq!(any["phoneNumber"], "13800000000");
        let phone = opened_as::<PhoneNumber>(&blocks[32..], iv);
        assert_eq!(phone, Err(OpenDataErrorKind::WrongType));
    }

    #[test]
    fn the_right_text_with_wrong_padding_does_not_open() {
        let text = format!(r#"{{"watermark":{{"appid":"{APPID}","timestamp":{MADE_AT}}}}}"#);
        let mut blocks = text.into_bytes();
        blocks.resize(80, b' ');
        let with = |padding: &[u8]| [&blocks, padding].concat();
        assert!(opened_blocks(&with(&[16; 16])).is_ok());
        let mut wrong = [16; 16];
        wrong[8] = 15;
        for padding in [&wrong[..], &[b' '; 16], &[0; 16], &[17; 16], &[]] {
            let undecryptable = Err(OpenDataErrorKind::Undecryptable);
            assert_eq!(opened_blocks(&with(padding)), undecryptable, "{padding:?}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_not_tried_as_a_larger_cipher() {
        for key in ["tiihtNczf5v6AKRyjwEUhQtiihtNczf5", "no base64!", ""] {
            let unsupported = Err(OpenDataErrorKind::UnsupportedSessionKey);
            assert_eq!(opened(&open_data(&[key])), unsupported, "{key}");
        }
    }

    #[test]
    fn the_age_is_bounded_unless_any_is_good() {
        let day = Duration::from_secs(86_400);
        let data = open_data(&[KEY]);
        let (later, earlier) = (data.now + day, data.now - day);
        assert_eq!(
            opened(&data.clone().at(later)),
            Err(OpenDataErrorKind::Stale)
        );
        assert_eq!(
            opened(&data.clone().at(earlier)),
            Err(OpenDataErrorKind::FromFuture)
        );
        assert!(opened(&data.clone().at(later).with_max_age(day)).is_ok());
        assert!(opened(&data.clone().at(earlier).with_max_ahead(day)).is_ok());
        assert!(opened(&data.at(SystemTime::now()).with_max_age(Duration::MAX)).is_ok());
    }

    #[test]
    fn data_of_another_type_is_told_by_its_place_only() {
        let error = open_data(&[KEY]).decrypt::<PhoneNumber>(ENCRYPTED_DATA, IV);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), OpenDataErrorKind::WrongType);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("oGZUI") && text.contains("line 1"), "{text}");
    }

    #[test]
    fn each_fault_of_the_input_has_its_kind_and_names_the_field() {
        let data = open_data(&[KEY]);
        for (encrypted_data, iv, kind, field) in [
            ("%", IV, OpenDataErrorKind::BadBase64, "encryptedData"),
            ("", IV, OpenDataErrorKind::BadLength, "encryptedData"),
            (ENCRYPTED_DATA, "%", OpenDataErrorKind::BadBase64, "iv"),
            (ENCRYPTED_DATA, "", OpenDataErrorKind::BadLength, "iv"),
            (IV, ENCRYPTED_DATA, OpenDataErrorKind::BadLength, "iv"),
        ] {
            let error = data.decrypt::<Value>(encrypted_data, iv).unwrap_err();
            assert_eq!(error.kind(), kind);
            let source = std::error::Error::source(&error).unwrap();
            assert_eq!(source.to_string(), field);
        }
    }

    #[test]
    fn the_signature_of_raw_data_is_checked_with_each_key() {
        let signature = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";
        let data = open_data(&[KEY, "HyVFkGl5F5OQWJZZaNzBBg=="]);
        data.verify_raw_data(RAW_DATA, signature).unwrap();
        data.verify_raw_data(RAW_DATA, &signature.to_uppercase())
            .unwrap();
        let wrong = [
            (RAW_DATA, ""),
            (RAW_DATA, "75e81ceda165f4ffa64f4068af58c64b8f54b88d"),
            (RAW_DATA, &signature[..38]),
            ("{}", signature),
        ];
        for (raw_data, signature) in wrong {
            let error = data.verify_raw_data(raw_data, signature).unwrap_err();
            assert_eq!(error.kind(), OpenDataErrorKind::BadSignature);
        }
        let error = open_data(&[]).verify_raw_data(RAW_DATA, signature);
        assert_eq!(error.unwrap_err().kind(), OpenDataErrorKind::NoSessionKey);
    }

    #[test]
    fn a_signature_of_the_user_s_state_is_checked_with_each_key() {
        let signed = "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b";
        let body = br#"{"foo":"bar"}"#;
        let data = open_data(&[KEY, "o0q0otL8aEzpcZL/FT9WsQ=="]);
        data.verify_message(body, signed).unwrap();
        data.verify_message(body, &signed.to_uppercase()).unwrap();
        let of_nothing = "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735";
        data.verify_message(b"", of_nothing).unwrap();
        assert_eq!(SessionKey::new(KEY).sign(b""), of_nothing);
        for (body, signature) in [
            (&body[..], of_nothing),
            (b"", signed),
            (body, &signed[..40]),
        ] {
            let error = data.verify_message(body, signature).unwrap_err();
            assert_eq!(error.kind(), OpenDataErrorKind::BadSignature);
        }
    }

    #[test]
    fn no_key_is_printed() {
        let data = open_data(&[KEY]);
        assert!(!format!("{data:?}").contains(&KEY[..8]));
    }
}
