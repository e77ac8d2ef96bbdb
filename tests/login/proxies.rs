//! `WeChat` in other environments: with proxies, and without root certificates.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_wx_session::login::ExchangeErrorKind::*;
use tower_wx_session::wechat::WeChat;

use super::wechat::{APPID, SECRET, exchange, failure, start, wechat};

/// The environment can only be set for another process.
#[test]
fn proxies_and_missing_root_certificates_do_not_touch_loopback() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "in_a_hostile_environment"])
        .env("HOSTILE_ENVIRONMENT", "1")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("http_proxy", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn in_a_hostile_environment() {
    if std::env::var_os("HOSTILE_ENVIRONMENT").is_none() {
        return;
    }
    let (_fake, wechat) = start().await;
    exchange(&wechat, "alice:1").await.unwrap();

    // Other systems than Linux do not take their certificates from files.
    if cfg!(target_os = "linux") {
        let official = WeChat::new(APPID, SECRET);
        let (kind, text) = failure(exchange(&official, "alice:2").await, "alice:2");
        assert_eq!(kind, Misconfigured);
        assert!(text.starts_with("cannot make an HTTP client: "), "{text}");
    }
}

/// A proxy at which every name is the fake's. Ends with its runtime.
async fn socks5_proxy(target: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let target = target.clone();
            tokio::spawn(async move {
                // A greeting with one method, answered with no authentication; then the address.
                client.read_exact(&mut [0; 3]).await.unwrap();
                client.write_all(&[5, 0]).await.unwrap();
                let mut request = [0; 5];
                client.read_exact(&mut request).await.unwrap();
                let rest = match request[3] {
                    1 => 5,
                    _ => usize::from(request[4]) + 2,
                };
                client.read_exact(&mut vec![0; rest]).await.unwrap();
                client
                    .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                    .await
                    .unwrap();
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_socks_proxy_of_the_environment_is_used() {
    let (fake, _) = start().await;
    let target = fake.base_url().strip_prefix("http://").unwrap().to_owned();
    let port = socks5_proxy(target).await;
    for (scheme, there) in [("socks5", true), ("socks5h", true), ("socks5", false)] {
        let port = if there { port } else { 1 };
        let child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "behind_a_socks_proxy"])
            .env("SOCKS_PROXY_IS_THERE", there.to_string())
            .env("ALL_PROXY", format!("{scheme}://127.0.0.1:{port}"))
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .await
            .unwrap();
        let stdout = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && stdout.contains("1 passed"),
            "{scheme} {there} {stdout}"
        );
    }
    assert_eq!(fake.exchanges(), 2);
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn behind_a_socks_proxy() {
    let Ok(there) = std::env::var("SOCKS_PROXY_IS_THERE") else {
        return;
    };
    // An address that is nobody's: only the proxy can lead to an answer.
    let wechat = wechat("http://192.0.2.1");
    let code = format!("alice:{}", std::env::var("ALL_PROXY").unwrap());
    let exchanged = exchange(&wechat, &code).await;
    if there == "true" {
        exchanged.unwrap();
    } else {
        let (kind, text) = failure(exchanged, &code);
        assert_eq!(kind, Unavailable);
        assert!(text.starts_with("cannot connect: "), "{text}");
    }
}
