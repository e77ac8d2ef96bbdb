//! What a platform tells of its users only in encrypted or signed form: phone numbers, names, steps.
//!
//! The client gets `encryptedData` and `iv` from its platform and sends both here. Only the user's
//! session_key opens them, and it never leaves the server:
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Json, extract::State};
//! use tower_wx_session::open_data::{OpenDataError, PhoneNumber};
//! use tower_wx_session::{Session, Sessions, store::MemoryStore};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Sent {
//!     encrypted_data: String,
//!     iv: String,
//! }
//!
//! async fn phone(
//!     State(sessions): State<Sessions<MemoryStore>>,
//!     session: Session,
//!     Json(sent): Json<Sent>,
//! ) -> Result<Json<PhoneNumber>, OpenDataError> {
//!     Ok(Json(sessions.open_data(&session).await?.decrypt(&sent.encrypted_data, &sent.iv)?))
//! }
//! ```
//!
//! Without a store or a framework, with an example of WeChat's:
//!
//! ```
//! use std::time::Duration;
//! use tower_wx_session::SessionKey;
//! use tower_wx_session::open_data::{OpenData, OpenDataErrorKind};
//!
//! # fn main() -> Result<(), tower_wx_session::open_data::OpenDataError> {
//! let key = SessionKey::new("HyVFkGl5F5OQWJZZaNzBBg==");
//! let data = OpenData::new(key, "wx4f4bc4dec97d474b").with_max_age(Duration::from_secs(60));
//!
//! let raw_data = r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#;
//! data.verify_raw_data(raw_data, "75e81ceda165f4ffa64f4068af58c64b8f54b88c")?;
//!
//! let error = data.decrypt::<serde_json::Value>("rubbish!", "").unwrap_err();
//! assert_eq!(error.kind(), OpenDataErrorKind::BadBase64);
//! assert_eq!(error.reason(), "bad_base64");
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! 1. **The input.** Base64 is taken as it comes from the field: with line breaks, in the url-safe alphabet, without
//!    `=`, with spaces where a form has lost its `+`. Then `iv` is 16 bytes and the text whole blocks of 16, or it
//!    is refused.
//! 2. **The keys.** AES-128-CBC with PKCS#7, with each of the user's [`SessionKeys`](crate::sessions::SessionKeys),
//!    newest first: a client that logs in and fetches data at the same time has it encrypted with the key of the
//!    login before. There are five at most, and those before the newest are kept for an hour. Data is taken for
//!    10 minutes only, whichever key it is encrypted with.
//! 3. **The watermark.** A wrong key gives right padding once in 255 times, so a key counts as the right one only if
//!    there is JSON with the `watermark` of the session's app in it.
//! 4. **The age.** The watermark's time is at most [10 minutes](OpenData::with_max_age) behind the fleet's clock and
//!    [5 minutes](OpenData::with_max_ahead) ahead of it.
//! 5. **The type.** Only then is the JSON read as the type that you ask for.
//!
//! Whether the padding, the JSON or the app was wrong cannot be told from outside: it is one error with one text, and
//! padding is looked at in constant time, after the JSON was read. A client that could tell them apart could
//! have any phone number of its choice taken for encrypted.
//!
//! # What is not proved
//!
//! AES-CBC signs nothing. A client can leave out blocks at the front of its data and choose the first 16 bytes of the
//! rest, and so have a name of its choice follow `{"phoneNumber":"`. So:
//!
//! - A type of yours has every member of its kind of data as a must, as [`PhoneNumber`] has. `serde_json::Value` takes
//!   anything that ends in a watermark.
//! - Who the user is says the [`Session`](crate::Session), not the unionid in [`UserInfo`]. An `openId` is compared with the
//!   session's.
//! - A phone number on which much depends is fetched by code, from the platform itself: at WeChat by
//!   `WeChat::phone_number`.
//!
//! # Platforms
//!
//! WeChat, QQ and Douyin encrypt and sign in this way. Kuaishou's documents describe the same cipher and show no
//! watermark: data without one is refused, because nothing would prove it. **Baidu's is another one** (AES-192, a
//! frame of its own); its keys of 24 bytes are
//! [`UnsupportedSessionKey`](OpenDataErrorKind::UnsupportedSessionKey).

mod base64;
mod cipher;
mod data;
mod error;
mod group_info;
mod response;
mod sealed;
mod sessions;
mod signature;
mod user_info;
mod watermark;
mod we_run;

#[cfg(feature = "test-util")]
pub(crate) use self::base64::decode_block;
pub use self::data::OpenData;
pub use self::error::{OpenDataError, OpenDataErrorKind};
pub use self::group_info::GroupInfo;
pub use self::user_info::UserInfo;
pub use self::we_run::{StepInfo, WeRun};
pub use crate::phone_number::PhoneNumber;
pub use crate::watermark::Watermark;
