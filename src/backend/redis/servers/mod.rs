//! The servers: connections to them, which of them has what, and the way of a command to the right one.

mod connection;
mod fault;
pub(crate) mod finder;
pub(crate) mod link;
pub(crate) mod location;
mod master;
mod parallel;
mod place;
pub(crate) mod router;
mod routes;
mod search;
pub(crate) mod settings;
mod silence;
pub(crate) mod tls;
mod unannounced;
