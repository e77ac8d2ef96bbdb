//! Generates the service of the gRPC example for the crate `connectrpc`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

const FOLDER: &str = "../../examples/account/proto";
const PROTO: &str = "account/v1/account.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let descriptors = protox::compile([PROTO], [FOLDER])?.encode_to_vec();
    let set = PathBuf::from(env::var("OUT_DIR")?).join("account.bin");
    fs::write(&set, descriptors)?;
    connectrpc_build::Config::new()
        .descriptor_set(set)
        .files(&[PROTO])
        .include_file("account.rs")
        .compile()?;
    Ok(())
}
