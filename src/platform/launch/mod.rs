//! What platforms share that sign launch data instead of giving a code.

mod age;
mod apps;
mod fields;
mod mac;
mod refused;

pub(super) use self::age::Age;
pub(super) use self::apps::Apps;
pub(super) use self::fields::Fields;
pub(super) use self::mac::{Mac, keyed, verify};
pub(super) use self::refused::Refused;
