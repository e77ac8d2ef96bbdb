//! What the compiler says to the mistakes of a newcomer, in an application of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A mistake, and what the message has to say about it.
const MISTAKES: [(&str, &[&str]); 4] = [
    ("not_clone", &["`RateLimit<ServiceFn<_>>: Clone`"]),
    ("dyn_store", &["for `dyn`: `AnyStore`"]),
    (
        "shared_store",
        &["`Arc<MemoryStore>` cannot keep sessions", "AnyStore"],
    ),
    (
        "untyped_closure",
        &["a closure with the types of its arguments written out"],
    ),
];

/// An application with axum and none of our features, outside of the workspace.
fn application() -> PathBuf {
    let folder = Path::new(ROOT).join("target/messages");
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        r#"
            [package]
            name = "application"
            edition = "2024"

            [workspace]

            [dependencies]
            axum = {{ version = "0.8", default-features = false }}
            bytes = "1"
            http = "1"
            tower = {{ version = "0.5", features = ["limit"] }}
            tower-wx-session = {{ path = {ROOT:?} }}
        "#
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(
        Path::new(ROOT).join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .unwrap();
    folder
}

fn check(application: &Path, case: &str) -> Output {
    let source = format!("{ROOT}/tests/project/messages/{case}.rs");
    fs::copy(source, application.join("src/main.rs")).unwrap();
    Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--color", "never"])
        .env("CARGO_TARGET_DIR", application.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(application)
        .output()
        .unwrap()
}

#[test]
fn a_mistake_is_named() {
    let application = application();
    // Without the feature `axum`, and with any version of it, the session is an extension.
    let extension = check(&application, "extension");
    let said = String::from_utf8_lossy(&extension.stderr);
    assert!(extension.status.success(), "{said}");

    for (case, expected) in MISTAKES {
        let output = check(&application, case);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{case} compiles");
        for text in expected {
            assert!(said.contains(text), "{case}: no {text:?} in\n{said}");
        }
    }
}
