//! The gRPC example as it is started by hand: methods, settings, the end by SIGTERM.

use std::time::{Duration, Instant};

use account_proto::account_client::AccountClient;
use account_proto::{EchoMessage, Empty, LoginRequest};
use http::Version;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower_wx_session::test_util::FakeWeChat;

use crate::support::case::{Headers, bearer};
use crate::support::grpc::{EMPTY, WHO_AM_I, assert_refused, request};
use crate::support::grpc_golden::{LAYER, LOGIN, golden};
use crate::support::http::{Answer, client};
use crate::support::process::{Program, command};
use crate::support::world::within_ten_seconds;

const SERVING: i32 = 1;

async fn connect(server: &Program) -> Channel {
    let endpoint = Endpoint::from_shared(server.base.clone()).unwrap();
    endpoint.connect().await.unwrap()
}

async fn client_of(server: &Program) -> AccountClient<Channel> {
    AccountClient::new(connect(server).await)
}

async fn log_in(client: &mut AccountClient<Channel>, code: &str) -> Result<Headers, Status> {
    let code = code.to_owned();
    let reply = client.login(LoginRequest { code }).await?.into_inner();
    assert!(reply.token.starts_with("wxs_"));
    assert!(reply.expires_in > 0);
    Ok(bearer(&reply.token))
}

async fn who_am_i(
    client: &mut AccountClient<Channel>,
    headers: &Headers,
) -> Result<String, Status> {
    let reply = client.who_am_i(request(Empty {}, headers)).await?;
    Ok(reply.into_inner().openid)
}

#[tokio::test]
async fn a_user_logs_in_and_calls_methods() {
    let mut server = Program::start("tonic", &[]);
    let mut client = client_of(&server).await;
    let login = LoginRequest {
        code: "alice:0".to_owned(),
    };
    let reply = client.login(login).await.unwrap().into_inner();
    assert_eq!(reply.expires_in, 7200);
    let headers = log_in(&mut client, "alice:1").await.unwrap();
    let openid = who_am_i(&mut client, &headers).await.unwrap();
    assert!(openid.starts_with('o'), "{openid}");

    let messages = tokio_stream::iter(["one", "two"].map(|text| EchoMessage {
        text: text.to_owned(),
    }));
    let echo = client.echo(request(messages, &headers)).await.unwrap();
    let mut echo = echo.into_inner();
    for text in ["one", "two"] {
        assert_eq!(echo.message().await.unwrap().unwrap().text, text);
    }
    assert_eq!(echo.message().await.unwrap(), None);
    drop((client, echo));
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn nobody_else_calls_any_method() {
    let server = Program::start("tonic", &[]);
    let mut client = client_of(&server).await;
    for (case, headers) in [("missing", Vec::new()), ("malformed", bearer("rubbish"))] {
        let row = golden(LAYER, case);
        let unary = who_am_i(&mut client, &headers).await.unwrap_err();
        assert_refused(&unary, row, "unary");
        let watch = client.watch(request(Empty {}, &headers)).await;
        assert_refused(&watch.unwrap_err(), row, "watch");
        let endless = request(tokio_stream::pending::<EchoMessage>(), &headers);
        let echo = within_ten_seconds(client.echo(endless)).await;
        assert_refused(&echo.unwrap_err(), row, "echo");
    }
}

#[tokio::test]
async fn a_refused_login_says_what_to_do() {
    let server = Program::start("tonic", &[]);
    let mut client = client_of(&server).await;
    for (code, case) in [
        ("errcode-40029:1", "code rejected"),
        ("no name", "code rejected"),
        ("busy:1", "provider unavailable"),
        ("broken:1", "provider unavailable"),
        ("error5xx:1", "provider unavailable"),
        ("cut:1", "provider unavailable"),
        ("reset:1", "provider unavailable"),
        ("limited:1", "minute quota"),
        ("quota:1", "daily quota"),
        ("blocked:1", "user blocked"),
        ("errcode-40125:1", "misconfigured"),
        ("errcode-41008:1", "bad request"),
        ("", "bad request"),
    ] {
        let status = log_in(&mut client, code).await.unwrap_err();
        assert_refused(&status, golden(LOGIN, case), code);
    }
}

#[tokio::test]
async fn a_stream_shows_life_until_the_session_is_over() {
    // Real time, because the process is real; the limits themselves are tested on a manual clock.
    for (limit, case) in [("IDLE_SECONDS", "idle"), ("LIFETIME_SECONDS", "expired")] {
        let server = Program::start("tonic", &[(limit, "2")]);
        let mut client = client_of(&server).await;
        let headers = log_in(&mut client, "alice:1").await.unwrap();
        let started = Instant::now();
        let watch = client.watch(request(Empty {}, &headers)).await.unwrap();
        let mut watch = watch.into_inner();
        let mut lives = 0;
        let status = loop {
            match within_ten_seconds(watch.message()).await {
                Ok(reply) => {
                    lives += 1;
                    assert!(reply.unwrap().openid.starts_with('o'));
                }
                Err(status) => break status,
            }
        };
        assert_refused(&status, golden(LAYER, case), "the end of a stream");
        assert!((2..=4).contains(&lives), "{lives} signs of life");
        let took = started.elapsed();
        assert!(took > Duration::from_millis(1500), "{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        let refused = who_am_i(&mut client, &headers).await.unwrap_err();
        assert_refused(&refused, golden(LAYER, case), "afterwards");
    }
}

#[tokio::test]
async fn a_logout_ends_the_session_and_its_streams() {
    let server = Program::start("tonic", &[]);
    let mut client = client_of(&server).await;
    let headers = log_in(&mut client, "alice:1").await.unwrap();
    let mut stream = client
        .watch(request(Empty {}, &headers))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    client.logout(request(Empty {}, &headers)).await.unwrap();
    let over = loop {
        match stream.message().await {
            Ok(message) => message.expect("ends with a status"),
            Err(status) => break status,
        };
    };
    assert_refused(&over, golden(LAYER, "logged out"), "the end of a stream");
    let refused = who_am_i(&mut client, &headers).await.unwrap_err();
    assert_refused(&refused, golden(LAYER, "logged out"), "afterwards");
}

#[tokio::test]
async fn health_and_reflection_need_no_session() {
    let server = Program::start("tonic", &[]);
    let mut health = HealthClient::new(connect(&server).await);
    for service in ["", "account.v1.Account"] {
        let service = service.to_owned();
        let check = health.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(check.into_inner().status, SERVING);
    }
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(connect(&server).await);
    let answers = reflection.server_reflection_info(tokio_stream::once(ask));
    let mut answers = answers.await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list");
    };
    let mut names: Vec<_> = list.service.iter().map(|service| &*service.name).collect();
    names.sort_unstable();
    assert!(names.contains(&"account.v1.Account"), "{names:?}");
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
}

#[tokio::test]
async fn grpc_web_is_taken_and_whoever_speaks_neither_gets_the_preset() {
    let server = Program::start("tonic", &[("REFUSAL", "ok_json")]);
    let mut grpc = client_of(&server).await;
    let headers = log_in(&mut grpc, "alice:1").await.unwrap();
    let http = client(Version::HTTP_11);
    let url = format!("{}{WHO_AM_I}", server.base);
    let post = |content_type: &str| {
        let request = http.post(&url).body(EMPTY);
        request.header("content-type", content_type)
    };
    let web = post("application/grpc-web").header(headers[0].0, &headers[0].1);
    let web = web.send().await.unwrap();
    assert_eq!(web.headers()["content-type"], "application/grpc-web+proto");
    let body = web.bytes().await.unwrap();
    let trailers = String::from_utf8_lossy(&body);
    assert!(trailers.contains("grpc-status:0"), "{trailers}");

    let refused = Answer::to(post("application/grpc-web")).await;
    assert_eq!(refused.header("grpc-status"), Some("16"));
    let refused = Answer::to(post("text/plain")).await;
    assert_eq!(
        (refused.status, &*refused.reason()),
        (200, "session_missing")
    );
}

#[tokio::test]
async fn another_wechat_can_stand_in_for_the_real_one() {
    let fake = FakeWeChat::start().await.unwrap();
    let fake = fake.with_app("wx-of-mine", "secret-of-mine");
    let server = Program::start(
        "tonic",
        &[
            ("WX_APPID", "wx-of-mine"),
            ("WX_SECRET", "secret-of-mine"),
            ("WX_API_BASE", fake.base_url()),
        ],
    );
    let mut client = client_of(&server).await;
    log_in(&mut client, "alice:1").await.unwrap();
    assert_eq!(fake.exchanges(), 1);
}

#[tokio::test]
async fn an_endless_stream_does_not_keep_it_from_ending() {
    let mut server = Program::start("tonic", &[]);
    let mut client = client_of(&server).await;
    let headers = log_in(&mut client, "alice:1").await.unwrap();
    let watch = client.watch(request(Empty {}, &headers)).await.unwrap();
    let mut watch = watch.into_inner();
    assert!(watch.message().await.unwrap().is_some());
    let started = Instant::now();
    let code = tokio::task::spawn_blocking(move || server.terminate());
    assert_eq!(code.await.unwrap(), Some(0));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(took > Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_bad_setting_ends_the_start_with_one_clear_line() {
    for (name, value) in [
        ("LISTEN", "nowhere"),
        ("STORE", "floppy"),
        ("REFUSAL", "xml"),
    ] {
        let ended = command("tonic", &[(name, value)]).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{name}");
        let line = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(name), "{line}");
        // The URL of a store may hold a password.
        assert_eq!(line.contains(value), name != "STORE", "{line}");
    }
}
