mod provider;
mod user;

pub use self::provider::MultiEnd;
pub use self::user::{AppUser, MultiEndUser};
