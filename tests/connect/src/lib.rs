//! The service `account.v1.Account`, as servers and clients of Connect's speak it.

include!(concat!(env!("OUT_DIR"), "/account.rs"));
