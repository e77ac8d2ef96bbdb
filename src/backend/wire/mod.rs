//! What stores keep and announce, as bytes: values in, bytes out, and back. Nothing here waits.
//!
//! What each store needs of it: Redis' scripts rewrite records byte by byte, a file keeps them as they are, and
//! SQL has columns instead.

#[cfg(any(
    feature = "file",
    feature = "mysql",
    feature = "postgres",
    feature = "redis"
))]
pub(crate) mod bytes;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod message;
#[cfg(feature = "mysql")]
pub(crate) mod reason;
#[cfg(any(feature = "file", feature = "redis"))]
pub(crate) mod record;
#[cfg(any(
    feature = "file",
    feature = "mysql",
    feature = "postgres",
    feature = "redis"
))]
pub(crate) mod tag_key;
#[cfg(any(
    feature = "file",
    feature = "mysql",
    feature = "postgres",
    feature = "redis"
))]
pub(crate) mod user;
