//! What goes over the wire, as values: bytes in, values out, and back. Nothing here waits or connects.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod cluster_view;
pub(crate) mod greeting;
pub(crate) mod heard;
pub(crate) mod info;
pub(crate) mod keys;
pub(crate) mod reply;
pub(crate) mod session_key;
pub(crate) mod slots;
