//! The servers: connections to them, which of them has what, and the way of a command to the right one.

mod advice;
pub(crate) mod connection;
mod destination;
mod examination;
pub(crate) mod fault;
pub(crate) mod finder;
mod handshake;
pub(crate) mod link;
mod link_end;
pub(crate) mod location;
mod master;
mod parallel;
mod pushes;
mod reads;
pub(crate) mod router;
mod routes;
mod search;
pub(crate) mod settings;
mod silence;
mod socket;
mod subscriber;
pub(crate) mod tls;
pub(crate) mod together;
mod unannounced;
