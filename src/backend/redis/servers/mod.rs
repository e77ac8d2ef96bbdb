//! The servers: connections to them, which of them has what, and the way of a command to the right one.

pub(crate) mod connection;
mod fault;
pub(crate) mod finder;
pub(crate) mod link;
pub(crate) mod location;
mod master;
pub(crate) mod router;
mod routes;
pub(crate) mod tls;
