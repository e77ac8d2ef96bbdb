//! No secret in what is logged or printed, whatever WeChat answers.

use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::test_util::Fault;
use tower_wx_session::wechat::MultiEnd;
use tracing::Level;

use super::support::log::Log;
use super::wechat::Site;
use crate::support::errors::texts;

const CODE: &str = "alice:cAnArYcOdE0123456789";

#[tokio::test]
async fn nothing_secret_is_logged_or_printed() {
    let (log, _guard) = Log::from(Level::TRACE);
    let site = Site::start().await;
    let (user, key) = site.log_in(CODE).await;
    let mut secrets = vec![
        site.fake.secret().to_owned(),
        key.expose().to_owned(),
        "cAnArYcOdE0123456789".to_owned(),
        "access_token=".to_owned(),
        "signature=".to_owned(),
    ];
    let mut printed = String::new();
    for fault in [
        None,
        Some(Fault::Busy),
        Some(Fault::Reset),
        Some(Fault::Cut),
        Some(Fault::Error5xx),
        Some(Fault::Errcode(40001)),
        Some(Fault::Errcode(87009)),
    ] {
        secrets.push(site.token().await);
        site.fake.fail_all(fault);
        if let Validity::CannotTell(error) = site.wechat.check_session_key(&user, &key).await {
            printed += &texts(&error);
        }
        match site.wechat.phone_number(user.appid(), CODE).await {
            Ok(phone) => printed += &format!("{phone:?}"),
            Err(error) => printed += &texts(&error),
        }
        match site.wechat.encryption_keys(&user, &key).await {
            Ok(keys) => printed += &format!("{keys:?}"),
            Err(error) => printed += &texts(&error),
        }
        let multi_end = MultiEnd::new(user.appid(), site.fake.secret());
        let multi_end = multi_end.with_base_url(site.fake.base_url()).unwrap();
        match multi_end.verify(user.appid(), CODE).await {
            Ok(user) => printed += &format!("{user:?}"),
            Err(error) => printed += &texts(&error),
        }
        printed += &format!("{multi_end:?} {:?}", site.wechat);
        site.fake.fail_all(None);
    }
    let logged = log.text();
    assert!(logged.contains("connect"), "nothing was logged: {logged}");
    assert!(printed.contains("errcode 87009: "), "{printed}");
    for (place, text) in [("the log", logged), ("what is printed", printed)] {
        let text = text.to_lowercase();
        for secret in &secrets {
            let secret = secret.to_lowercase();
            let half = &secret[..secret.len().min(16)];
            assert!(!text.contains(half), "{half} in {place}: {text}");
        }
    }
}
