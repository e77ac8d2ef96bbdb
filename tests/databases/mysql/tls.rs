//! Encrypted connections: whom a node trusts.

use std::fs;

use tower_wx_session::store::{MySqlStore, MySqlStoreBuilder, SessionStore};

use super::records::{holds, keep, told, user};
use crate::support::authority::Authority;
use crate::support::mariadb::MariaDb;

#[tokio::test]
async fn a_store_speaks_tls_with_whom_it_trusts_and_with_nobody_else() {
    let (ours, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let (certificate, key) = ours.sign("127.0.0.1");
    let files = std::env::temp_dir().join(format!("tower-wx-session-tls-{}", std::process::id()));
    fs::create_dir_all(&files).unwrap();
    let mut settings = vec!["require-secure-transport=0".to_owned()];
    let authority = ours.pem();
    for (name, pem) in [("ca", &authority), ("cert", &certificate), ("key", &key)] {
        fs::write(files.join(name), pem).unwrap();
        settings.push(format!("ssl-{name}={}", files.join(name).display()));
    }
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let server = MariaDb::start_with(&settings).await;
    let url = server.database().await + "?ssl-mode=VERIFY_IDENTITY";
    let trusting = |authority: &Authority| -> MySqlStoreBuilder {
        MySqlStore::builder(&url).tls_authorities(authority.pem())
    };
    let store = trusting(&ours).build().unwrap();
    keep(&store, &user(), 1).await;
    store.subscribe().await.unwrap();

    let distrusting = trusting(&stranger).build().unwrap();
    let advice = "this machine does not trust the authority of the server's certificate";
    holds(&told(distrusting.now().await), advice);
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let elsewhere = MySqlStore::builder(&elsewhere).tls_authorities(ours.pem());
    let advice = "the server's certificate is for another name";
    holds(&told(elsewhere.build().unwrap().now().await), advice);
    fs::remove_dir_all(files).unwrap();
}
