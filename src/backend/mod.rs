//! The stores that come with the crate; [`store`](crate::store) has their names.

#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod batches;
mod feeds;
#[cfg(feature = "file")]
pub(crate) mod file;
mod kept_keys;
mod ledger;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod link;
pub(crate) mod memory;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod network_advice;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod stored;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod user_locks;
mod wire;
