//! Another host only when nothing has left: a code is never sent twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
use tower_wx_session::test_util::{FakeWeChat, Fault};
use tower_wx_session::wechat::WeChat;

use crate::support::errors::texts;

const CODE: &str = "alice:cAnArYcOdE";

/// What a server does with each connection.
#[derive(Clone, Copy, Debug)]
enum Manner {
    CloseAtOnce,
    CloseAfterHello,
    AnswerInPlainText,
    SayNothing,
}

/// A server that never answers a request; it counts connections, and those that brought the code.
struct Broken {
    address: String,
    connections: Arc<AtomicUsize>,
    codes: Arc<AtomicUsize>,
}

impl Broken {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (connections, codes) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counted = (Arc::clone(&connections), Arc::clone(&codes));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.0.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(behave(stream, manner, Arc::clone(&counted.1)));
            }
        });
        Self {
            address,
            connections,
            codes,
        }
    }

    fn seen(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.connections), count(&self.codes))
    }
}

async fn behave(mut stream: TcpStream, manner: Manner, codes: Arc<AtomicUsize>) {
    if let Manner::CloseAtOnce = manner {
        return;
    }
    let mut heard = vec![0; 4096];
    let length = stream.read(&mut heard).await.unwrap_or_default();
    if String::from_utf8_lossy(&heard[..length]).contains("cAnArYcOdE") {
        codes.fetch_add(1, Ordering::SeqCst);
    }
    match manner {
        Manner::AnswerInPlainText => {
            let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.ok();
        }
        Manner::SayNothing => tokio::time::sleep(Duration::from_secs(30)).await,
        Manner::CloseAtOnce | Manner::CloseAfterHello => {}
    }
}

/// Exchanges the code at the first host and, should that be allowed, at the second, which is good.
async fn exchange(first: &str) -> (FakeWeChat, Result<(), (ExchangeErrorKind, String)>) {
    let fake = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(fake.appid(), fake.secret())
        .with_hosts(&[first, fake.base_url()])
        .unwrap()
        .with_timeout(Duration::from_secs(2));
    let login = LoginRequest::new(fake.appid(), CODE);
    let outcome = wechat.exchange(login).await;
    let outcome = outcome.map(drop).map_err(|error| {
        let text = texts(&error);
        assert!(!text.contains("cAnArYcOdE"), "{text}");
        (error.kind(), text)
    });
    (fake, outcome)
}

#[tokio::test]
async fn a_host_that_refuses_connections_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (fake, outcome) = exchange(&nobody).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(fake.exchanges_of(CODE), 1);
}

#[tokio::test]
async fn a_time_out_may_be_as_short_or_as_long_as_it_likes() {
    let fake = FakeWeChat::start().await.unwrap();
    // A code each: a request that was given up may have been on its way.
    for (code, timeout, expected) in [
        (
            "alice:1",
            Duration::ZERO,
            Err(ExchangeErrorKind::Unavailable),
        ),
        (
            "alice:2",
            Duration::from_nanos(1),
            Err(ExchangeErrorKind::Unavailable),
        ),
        ("alice:3", Duration::MAX, Ok(())),
    ] {
        let wechat = WeChat::new(fake.appid(), fake.secret())
            .with_hosts(&["http://127.0.0.1:1", fake.base_url()])
            .unwrap()
            .with_timeout(timeout);
        let login = LoginRequest::new(fake.appid(), code);
        let outcome = wechat.exchange(login).await.map(drop);
        assert_eq!(outcome.map_err(|error| error.kind()), expected);
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_passed_over() {
    // Reserved by RFC 6761: no resolver has it.
    let (fake, outcome) = exchange("http://api.weixin.invalid").await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(fake.exchanges_of(CODE), 1);
}

#[tokio::test]
async fn a_host_without_tls_is_passed_over() {
    for manner in [
        Manner::CloseAtOnce,
        Manner::CloseAfterHello,
        Manner::AnswerInPlainText,
        Manner::SayNothing,
    ] {
        let broken = Broken::start(manner).await;
        let (fake, outcome) = exchange(&format!("https://{}", broken.address)).await;
        assert_eq!(outcome, Ok(()), "{manner:?}");
        assert_eq!(fake.exchanges_of(CODE), 1, "{manner:?}");
        assert_eq!(broken.seen(), (1, 0), "{manner:?}");
    }
}

#[tokio::test]
async fn a_host_that_took_the_request_is_the_last() {
    for manner in [
        Manner::CloseAfterHello,
        Manner::AnswerInPlainText,
        Manner::SayNothing,
    ] {
        let broken = Broken::start(manner).await;
        let (fake, outcome) = exchange(&format!("http://{}", broken.address)).await;
        let (kind, text) = outcome.unwrap_err();
        assert_eq!(kind, ExchangeErrorKind::Unavailable, "{manner:?}: {text}");
        assert_eq!(fake.exchanges(), 0, "{manner:?}");
        assert_eq!(broken.seen(), (1, 1), "{manner:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_before_the_request_counts_as_one_that_took_it() {
    let broken = Broken::start(Manner::CloseAtOnce).await;
    let (fake, outcome) = exchange(&format!("http://{}", broken.address)).await;
    assert_eq!(outcome.unwrap_err().0, ExchangeErrorKind::Unavailable);
    assert_eq!((fake.exchanges(), broken.seen().0), (0, 1));
}

#[tokio::test]
async fn whatever_a_host_answers_is_final() {
    for fault in [
        Fault::Error5xx,
        Fault::Cut,
        Fault::Reset,
        Fault::Broken,
        Fault::Busy,
        Fault::SlowBody,
        Fault::Slow,
    ] {
        let first = FakeWeChat::start().await.unwrap();
        first.fail_all(Some(fault));
        let (second, outcome) = exchange(first.base_url()).await;
        let (kind, text) = outcome.unwrap_err();
        assert_eq!(kind, ExchangeErrorKind::Unavailable, "{fault:?}: {text}");
        assert_eq!((first.exchanges_of(CODE), second.exchanges()), (1, 0));
    }
}

/// A proxy that is asked for a tunnel, and makes none.
async fn refusing_proxy() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).await.unwrap();
            assert!(heard.starts_with(b"CONNECT "));
            assert!(!String::from_utf8_lossy(&heard[..length]).contains("cAnArYcOdE"));
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (port, asked)
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_is_no_connection() {
    let (port, asked) = refusing_proxy().await;
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "behind_a_proxy_that_makes_no_tunnel"])
        .env("NO_TUNNEL", "1")
        .env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"))
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("ALL_PROXY")
        .output();
    let output = child.await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn behind_a_proxy_that_makes_no_tunnel() {
    if std::env::var_os("NO_TUNNEL").is_none() {
        return;
    }
    // An address that is nobody's.
    let (fake, outcome) = exchange("https://192.0.2.1").await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(fake.exchanges_of(CODE), 1);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_no_connection() {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handshakes = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.map(drop)
    });
    let (fake, outcome) = exchange(&format!("https://{address}")).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(fake.exchanges_of(CODE), 1);
    handshakes.await.unwrap().unwrap_err();
}
