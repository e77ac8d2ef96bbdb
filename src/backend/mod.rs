//! The stores that come with the crate; [`store`](crate::store) has their names.

pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod stored;
