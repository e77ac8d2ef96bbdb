//! Sentinel with TLS, and with passwords of which servers and Sentinels have one each.

use std::fs;
use std::path::PathBuf;

use tower_wx_session::store::{RedisStore, SessionStore};

use super::topology::follows_a_failover;
use crate::support::redis::{
    Client, RedisServer, client, directory, eventually, free_port, in_step, path,
};

const OF_SERVERS: &str = "of-the-servers";
const OF_SENTINELS: &str = "of-the-sentinels";

/// A certificate that vouches for itself.
struct Certificate {
    pem: String,
    directory: PathBuf,
}

impl Certificate {
    fn new() -> Self {
        let directory = directory();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let pem = certificate.self_signed(&key).unwrap().pem();
        fs::write(directory.join("certificate"), &pem).unwrap();
        fs::write(directory.join("key"), key.serialize_pem()).unwrap();
        Self { pem, directory }
    }

    fn file(&self, name: &str) -> String {
        path(&self.directory.join(name)).to_owned()
    }

    /// A server with TLS on one port, and without on another, for the test's own questions.
    async fn server(&self, first: &[&str], tls_port: u16, more: &[&str]) -> RedisServer {
        let (plain, tls_port) = (free_port(), tls_port.to_string());
        let (certificate, key) = (self.file("certificate"), self.file("key"));
        let plain_port = plain.to_string();
        let secured = [
            ["--port", &plain_port],
            ["--tls-port", &tls_port],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &certificate],
            ["--tls-auth-clients", "no"],
            ["--tls-replication", "yes"],
        ];
        let arguments = [first, secured.as_flattened(), more].concat();
        RedisServer::start_on(plain, &arguments).await
    }

    /// A server that holds data.
    async fn data_server(&self, tls_port: u16, more: &[&str]) -> RedisServer {
        let passwords = ["--requirepass", OF_SERVERS, "--masterauth", OF_SERVERS];
        self.server(&[], tls_port, &[&passwords, more].concat())
            .await
    }

    async fn sentinel(&self, tls_port: u16, master: u16) -> RedisServer {
        let settings = format!(
            "requirepass {OF_SENTINELS}\n\
             sentinel monitor sessions 127.0.0.1 {master} 1\n\
             sentinel auth-pass sessions {OF_SERVERS}\n\
             sentinel down-after-milliseconds sessions 500\n\
             sentinel failover-timeout sessions 2000\n"
        );
        let file = self.file("sentinel.conf");
        fs::write(&file, settings).unwrap();
        self.server(&[&file, "--sentinel"], tls_port, &[]).await
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

async fn ask_with(password: &str, server: &RedisServer) -> Client {
    client(&format!("redis://:{password}@127.0.0.1:{}", server.port)).await
}

#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn a_failover_is_followed_with_tls_and_passwords() {
    let certificate = Certificate::new();
    let [of_master, of_replica, of_sentinel] = [free_port(), free_port(), free_port()];
    let master = certificate.data_server(of_master, &[]).await;
    let its_port = of_master.to_string();
    let follow = ["--replicaof", "127.0.0.1", &its_port];
    let replica = certificate.data_server(of_replica, &follow).await;
    let at_replica = ask_with(OF_SERVERS, &replica).await;
    in_step(&at_replica).await;
    let sentinel = certificate.sentinel(of_sentinel, of_master).await;
    let at_sentinel = ask_with(OF_SENTINELS, &sentinel).await;
    eventually("the Sentinel to know the replica", async || {
        let info: String = at_sentinel.ask(&["INFO", "sentinel"]).await;
        info.contains("slaves=1")
    })
    .await;

    let url = format!("rediss+sentinel://:{OF_SERVERS}@127.0.0.1:{of_sentinel}/sessions");
    let builder = RedisStore::builder(&url).tls_authorities(certificate.pem.as_str());
    let without = builder.clone().build().unwrap();
    let error = format!("{:?}", without.now().await.unwrap_err());
    assert!(error.contains("NOAUTH"), "{error}");
    let advice = "the Sentinel wants a password: give it sentinel_password";
    assert!(error.contains(advice), "{error}");
    let with = builder.sentinel_password(OF_SENTINELS).build().unwrap();
    follows_a_failover(&with, &master, &at_replica).await;
}
