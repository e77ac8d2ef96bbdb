use super::location::{Credentials, Location};
use super::tls::Tls;
use crate::backend::redis::wire::keys::Keys;

/// How servers are reached, and what is ours there.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) location: Location,
    pub(crate) sentinel: Credentials,
    pub(crate) tls: Option<Tls>,
    pub(crate) keys: Keys,
}
