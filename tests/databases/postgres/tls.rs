//! Encrypted connections: whom a node trusts, and who it says that it is.

use tower_wx_session::store::{PostgresStore, PostgresStoreBuilder, SessionStore};

use super::records::{keep, user};
use crate::support::authority::Authority;
use crate::support::errors::texts;
use crate::support::postgres::PostgresServer;

/// A server that takes encrypted connections alone, of those who have a certificate if it asks for one.
async fn server(authority: &Authority, name: &str, asks: &str) -> PostgresServer {
    let (certificate, key) = authority.sign(name);
    let hba = format!("hostssl all all all {asks}\nhost all all all reject\n");
    let ca = authority.pem();
    let files = [
        ("server.crt", certificate.as_str()),
        ("server.key", key.as_str()),
        ("ca.crt", ca.as_str()),
        ("pg_hba.conf", hba.as_str()),
    ];
    let settings = ["fsync=off", "ssl=on", "ssl_ca_file=ca.crt"];
    PostgresServer::start_with_files(&settings, &files).await
}

fn builder(server: &PostgresServer, host: &str) -> PostgresStoreBuilder {
    PostgresStore::builder(&server.url().replace("127.0.0.1", host))
}

async fn refusal(builder: PostgresStoreBuilder) -> String {
    let store = builder.build().unwrap();
    texts(&store.now().await.unwrap_err())
}

#[tokio::test]
async fn the_server_s_certificate_is_verified_with_its_name() {
    let authority = Authority::new("an authority");
    let server = server(&authority, "localhost", "trust").await;
    let trusting = |host| builder(&server, host).tls_authorities(authority.pem());
    let store = trusting("localhost").build().unwrap();
    keep(&store, &user("u")).await;
    store.subscribe().await.unwrap();

    let error = refusal(builder(&server, "localhost")).await;
    assert!(error.contains("give that to tls_authorities"), "{error}");
    let error = refusal(trusting("127.0.0.1")).await;
    assert!(error.contains("certificate is for another name"), "{error}");
    let stranger = Authority::new("a stranger").pem();
    let error = refusal(builder(&server, "localhost").tls_authorities(stranger)).await;
    assert!(error.contains("give that to tls_authorities"), "{error}");
}

#[tokio::test]
async fn whoever_gives_authorities_speaks_to_no_server_in_the_clear() {
    let plain = PostgresServer::shared().await;
    let authority = Authority::new("a stranger").pem();
    let builder = || builder(&plain, "localhost").tls_authorities(authority.clone());
    let error = refusal(builder()).await;
    assert!(error.contains("the server speaks no TLS"), "{error}");
    let url = format!("{}?sslmode=disable", plain.url());
    let disabled = PostgresStore::builder(&url).tls_authorities(authority.clone());
    let error = disabled.build().unwrap_err().to_string();
    assert!(error.contains("url: expected sslmode=require"), "{error}");
}

#[tokio::test]
async fn a_node_shows_its_certificate() {
    let authority = Authority::new("an authority");
    let server = server(&authority, "localhost", "cert").await;
    let builder = || builder(&server, "localhost").tls_authorities(authority.pem());
    let (certificate, key) = authority.sign("postgres");
    let store = builder().tls_client_certificate(certificate, key).build();
    keep(&store.unwrap(), &user("u")).await;
    let error = refusal(builder()).await;
    assert!(error.contains("wants a client certificate"), "{error}");
}
