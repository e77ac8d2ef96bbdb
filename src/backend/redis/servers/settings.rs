use super::location::{Credentials, Location};
use super::tls::Tls;

/// How servers are reached.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) location: Location,
    pub(crate) sentinel: Credentials,
    pub(crate) tls: Option<Tls>,
}
