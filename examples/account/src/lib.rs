//! The service `account.v1.Account`, as the gRPC example and its tests speak it.

tonic::include_proto!("account.v1");

/// The description of the service, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/account.bin"));
