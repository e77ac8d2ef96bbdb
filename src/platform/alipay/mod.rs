mod answer;
mod certificate;
mod der;
mod error_code;
#[cfg(test)]
mod fixtures;
mod keys;
mod pem;
mod private_key;
mod provider;
mod public_key;
mod request;
mod sign;
mod timestamp;
mod user_id;

pub use self::keys::AlipayKeys;
#[cfg(feature = "test-util")]
pub(crate) use self::private_key::PrivateKey;
pub use self::provider::Alipay;
#[cfg(feature = "test-util")]
pub(crate) use self::public_key::PublicKey;
pub use self::user_id::AlipayUserId;
