//! Sessions in PostgreSQL.

mod names;
mod server;
mod settings;
