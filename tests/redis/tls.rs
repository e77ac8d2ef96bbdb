//! Encrypted connections: whom a node trusts, and who it says that it is.

use std::fs;
use std::path::PathBuf;

use tower_wx_session::store::{RedisStore, RedisStoreBuilder, SessionStore};

use super::link::beats;
use super::records::{keep, user};
use crate::support::authority::{Authority, Signed};
use crate::support::errors::texts;
use crate::support::redis::{RedisServer, directory, free_port, path};

/// A server with a certificate, which takes `clients` for an answer to whether they need one.
struct TlsServer {
    server: RedisServer,
    files: PathBuf,
}

impl TlsServer {
    async fn start(authority: &Authority, signed: &Signed, clients: &str) -> Self {
        Self::start_with(authority, signed, clients, &[]).await
    }

    async fn start_with(
        authority: &Authority,
        signed: &Signed,
        clients: &str,
        more: &[&str],
    ) -> Self {
        let files = directory();
        for (name, pem) in [
            ("ca", &authority.pem()),
            ("certificate", &signed.0),
            ("key", &signed.1),
        ] {
            fs::write(files.join(name), pem).unwrap();
        }
        let port = free_port();
        let number = port.to_string();
        let [ca, certificate, key] = ["ca", "certificate", "key"].map(|name| files.join(name));
        let arguments = [
            "--tls-port",
            &number,
            "--port",
            "0",
            "--tls-ca-cert-file",
            path(&ca),
            "--tls-cert-file",
            path(&certificate),
            "--tls-key-file",
            path(&key),
            "--tls-auth-clients",
            clients,
        ];
        let server = RedisServer::start_on(port, &[more, &arguments].concat()).await;
        Self { server, files }
    }

    fn builder(&self) -> RedisStoreBuilder {
        RedisStore::builder(&format!("rediss://127.0.0.1:{}", self.server.port))
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.files);
    }
}

async fn told(builder: RedisStoreBuilder) -> String {
    let error = builder.build().unwrap().now().await.unwrap_err();
    texts(&error)
}

#[track_caller]
fn holds(told: &str, advice: &str) {
    assert!(told.contains(advice), "{advice:?} is not in {told}");
}

#[tokio::test]
async fn a_client_certificate_opens_a_server_that_wants_one() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let server = TlsServer::start(&authority, &authority.sign("127.0.0.1"), "yes").await;
    let trusting = || server.builder().tls_authorities(authority.pem());
    let (certificate, key) = authority.sign("node");
    let store = trusting()
        .tls_client_certificate(certificate, key.clone())
        .build()
        .unwrap();
    keep(&store, &user(), 1).await;
    beats(&mut store.subscribe().await.unwrap()).await;

    let advice = "the server wants a client certificate: give it tls_client_certificate";
    holds(&told(trusting()).await, advice);
    for (certificate, key) in [stranger.sign("node"), authority.sign_until("node", 2020)] {
        let with_another = trusting().tls_client_certificate(certificate, key);
        let advice = "the server does not accept our tls_client_certificate";
        holds(&told(with_another).await, advice);
    }
}

#[tokio::test]
async fn a_sentinel_is_shown_the_same_certificate() {
    let authority = Authority::new("ours");
    let signed = authority.sign("127.0.0.1");
    let master = TlsServer::start(&authority, &signed, "yes").await;
    let settings = format!(
        "sentinel monitor sessions 127.0.0.1 {} 1\ntls-replication yes\n",
        master.server.port
    );
    let file = master.files.join("sentinel.conf");
    fs::write(&file, settings).unwrap();
    let more = [path(&file), "--sentinel", "--requirepass", "secret"];
    let sentinel = TlsServer::start_with(&authority, &signed, "yes", &more).await;
    let port = sentinel.server.port;
    let builder = |password: &str| {
        RedisStore::builder(&format!("rediss+sentinel://127.0.0.1:{port}/sessions"))
            .tls_authorities(authority.pem())
            .sentinel_password(password)
    };
    let (certificate, key) = authority.sign("node");
    let with_certificate =
        |password| builder(password).tls_client_certificate(certificate.clone(), key.clone());
    let store = with_certificate("secret").build().unwrap();
    keep(&store, &user(), 1).await;

    holds(
        &told(builder("secret")).await,
        "the server wants a client certificate",
    );
    let refused = told(with_certificate("wrong-word")).await;
    holds(&refused, "see sentinel_user and sentinel_password");
    assert!(!refused.contains("wrong-word"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted() {
    let authority = Authority::new("ours");
    for (signed, trusted, advice) in [
        (
            authority.sign("127.0.0.1"),
            "",
            "give that to tls_authorities",
        ),
        (
            authority.sign("elsewhere.example"),
            &*authority.pem(),
            "the server's certificate is for another name",
        ),
        (
            authority.sign_until("127.0.0.1", 2020),
            &authority.pem(),
            "the server's certificate has expired",
        ),
    ] {
        let server = TlsServer::start(&authority, &signed, "no").await;
        let builder = server.builder().tls_authorities(trusted);
        holds(&told(builder).await, advice);
    }
}

#[tokio::test]
async fn a_url_with_tls_and_a_server_without_or_the_other_way_round() {
    let authority = Authority::new("ours");
    let encrypted = TlsServer::start(&authority, &authority.sign("127.0.0.1"), "no").await;
    let plain = RedisServer::start().await;
    let advice = "if it speaks TLS, write rediss instead of redis in the URL";
    holds(
        &told(RedisStore::builder(&encrypted.server.url())).await,
        advice,
    );
    let at_plain = RedisStore::builder(&format!("rediss://127.0.0.1:{}", plain.port));
    let told = told(at_plain).await;
    // A server that finds the end of a line in the handshake answers it.
    let advice = "write redis instead of rediss in the URL";
    holds(&told, advice);
}

#[test]
fn options_need_a_url_that_they_are_about() {
    let (certificate, key) = Authority::new("ours").sign("node");
    let builder = || RedisStore::builder("redis://127.0.0.1");
    let error = builder().tls_authorities(certificate.clone()).build();
    let hidden = "a value that is not shown, as it may hold credentials";
    let expected = format!("expected a URL that begins with rediss, got {hidden}");
    let expected_of = |setting: &str| format!("{setting}: {expected}");
    assert_eq!(
        error.unwrap_err().to_string(),
        expected_of("tls_authorities")
    );
    let error = builder().tls_client_certificate(certificate, key).build();
    assert_eq!(
        error.unwrap_err().to_string(),
        expected_of("tls_client_certificate")
    );
    let error = builder().sentinel_password("secret").build();
    let expected = "a URL that begins with redis+sentinel or rediss+sentinel";
    let expected = format!("sentinel_password: expected {expected}, got {hidden}");
    assert_eq!(error.unwrap_err().to_string(), expected);
    // What was left empty, as from a variable of the environment, is no option.
    let left_empty = builder().tls_authorities("").sentinel_password("");
    assert!(left_empty.build().is_ok());
}
