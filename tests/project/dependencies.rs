//! What an application compiles in without having asked for it.

use std::process::Command;

/// The crates that an application gets with the library, without those of its tests.
fn tree(features: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", features])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&tree.stderr).into_owned();
    assert!(tree.status.success(), "{problem}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let names: Vec<_> = tree.lines().map(name).collect();
    assert_eq!(names[0], "tower-wx-session");
    names
}

#[test]
fn the_core_knows_no_framework_no_http_client_and_no_protobuf() {
    let core = tree("--no-default-features");
    assert!(core.iter().any(|name| name == "moka"), "{core:?}");
    let foreign = ["axum", "tonic", "prost", "reqwest", "hyper", "tracing"];
    let is_foreign = |name: &&String| foreign.iter().any(|foreign| name.starts_with(foreign));
    let found: Vec<_> = core.iter().filter(is_foreign).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_feature_brings_tonic_or_protobuf() {
    let all = tree("--all-features");
    let is_grpc = |name: &&String| name.starts_with("tonic") || name.starts_with("prost");
    let found: Vec<_> = all.iter().filter(is_grpc).collect();
    assert!(found.is_empty(), "{found:?}");
}
