//! OpenSSL's command: keys and signatures that are not ours.

use std::io::Write;
use std::process::{Command, Stdio};

/// What `openssl` prints, given this.
pub fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    let command = command.args(arguments).stderr(Stdio::null());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A fresh RSA key, PKCS#8.
pub fn private_key(bits: &str) -> String {
    let bits = format!("rsa_keygen_bits:{bits}");
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &bits], "")
}

/// The public half of a key in PEM.
pub fn public_key(private: &str) -> String {
    openssl(&["pkey", "-pubout"], private)
}
