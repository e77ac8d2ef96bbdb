use connect::account::v1::{AccountClient, EchoMessage, Empty, LoginRequest};
use connectrpc::client::{ClientConfig, HttpClient};
use connectrpc::{CodecFormat, ConnectError, Protocol};
use serde_json::Value;

use crate::accounts;
use crate::support::case::{Headers, bearer, bring_about};
use crate::support::connect_golden::{LAYER, LOGIN, golden};
use crate::support::http::Server;
use crate::support::nodes::log_in;
use crate::support::world::{HOUR, World};

/// How a client calls.
#[derive(Clone, Copy, Debug)]
struct Way {
    http2: bool,
    protocol: Protocol,
    format: CodecFormat,
}

const WAYS: [Way; 6] = [
    way(false, Protocol::Connect, CodecFormat::Proto),
    way(false, Protocol::Connect, CodecFormat::Json),
    way(false, Protocol::GrpcWeb, CodecFormat::Proto),
    way(true, Protocol::Connect, CodecFormat::Proto),
    way(true, Protocol::Connect, CodecFormat::Json),
    way(true, Protocol::Grpc, CodecFormat::Proto),
];

const fn way(http2: bool, protocol: Protocol, format: CodecFormat) -> Way {
    Way {
        http2,
        protocol,
        format,
    }
}

/// A client of a server that sends the headers along.
fn client(way: Way, server: &Server, headers: &Headers) -> AccountClient<HttpClient> {
    let http = match way.http2 {
        true => HttpClient::plaintext_http2_only(),
        false => HttpClient::plaintext(),
    };
    let config = ClientConfig::new(server.url("").parse().unwrap())
        .with_protocol(way.protocol)
        .with_codec_format(way.format);
    let config = headers.iter().fold(config, |config, (name, value)| {
        config.with_default_header(*name, value)
    });
    AccountClient::new(http, config)
}

async fn unary(client: &AccountClient<HttpClient>) -> Result<Vec<String>, ConnectError> {
    let reply = client.who_am_i(Empty::default()).await?;
    Ok(vec![reply.into_owned().openid])
}

async fn streaming(client: &AccountClient<HttpClient>) -> Result<Vec<String>, ConnectError> {
    let mut stream = client.watch(Empty::default()).await?;
    let mut replies = Vec::new();
    while let Some(reply) = stream.message().await? {
        replies.push(reply.to_owned_message().openid);
    }
    Ok(replies)
}

async fn both_ways(client: &AccountClient<HttpClient>) -> Result<Vec<String>, ConnectError> {
    let mut stream = client.echo().await?;
    let mut replies = Vec::new();
    for text in ["first", "second"] {
        let message = EchoMessage {
            text: text.to_owned(),
            ..EchoMessage::default()
        };
        // A server that has refused takes no more; what it said is read below.
        let _ = stream.send(message).await;
    }
    stream.close_send();
    while let Some(reply) = stream.message().await? {
        replies.push(reply.to_owned_message().text);
    }
    Ok(replies)
}

/// Compares an error that a client has understood with that of a row.
#[track_caller]
fn assert_error(mut error: ConnectError, expected: &str, context: &str) {
    for detail in &mut error.details {
        // Over gRPC it is left as it came, a URL.
        let name = detail.type_url.rsplit('/').next();
        detail.type_url = name.unwrap().to_owned();
    }
    let error: Value = serde_json::from_slice(&error.to_json()).unwrap();
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(error, expected, "{context}");
}

#[tokio::test]
async fn a_client_of_connectrpc_understands_every_refusal() {
    for row in LAYER {
        let world = World::with(|sessions| sessions.lifetime(3 * HOUR).sessions_per_user(1)).await;
        let headers = bring_about(row.case, &world).await;
        let server = accounts::start(&world, world.layer()).await;
        for way in WAYS {
            let client = client(way, &server, &headers);
            let context = format!("{}, {way:?}", row.case);
            assert_error(unary(&client).await.unwrap_err(), row.error, &context);
            assert_error(streaming(&client).await.unwrap_err(), row.error, &context);
            if way.http2 {
                assert_error(both_ways(&client).await.unwrap_err(), row.error, &context);
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_connectrpc_with_a_live_session_reaches_the_handler() {
    let world = World::new().await;
    let server = accounts::start(&world, world.layer()).await;
    let headers = bearer(&log_in(&world.sessions).await);
    for way in WAYS {
        let client = client(way, &server, &headers);
        assert_eq!(unary(&client).await.unwrap(), ["alice"], "{way:?}");
        let replies = streaming(&client).await.unwrap();
        assert_eq!(replies, ["alice", "alice"], "{way:?}");
        if way.http2 {
            let replies = both_ways(&client).await.unwrap();
            assert_eq!(replies, ["first", "second"], "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_of_connectrpc_answers_a_refused_login() {
    for (case, code) in [
        ("code rejected", "errcode-40029:1"),
        ("minute quota", "limited:1"),
        ("daily quota", "quota:1"),
        ("user blocked", "blocked:1"),
    ] {
        for (turn, way) in WAYS.into_iter().enumerate() {
            let world = World::new().await;
            let server = accounts::start(&world, world.layer()).await;
            let request = LoginRequest {
                code: code.replace(":1", &format!(":{turn}")),
                ..LoginRequest::default()
            };
            let answer = client(way, &server, &Vec::new()).login(request).await;
            let error = answer.err().unwrap();
            let context = format!("{case}, {way:?}");
            assert_error(error, golden(LOGIN, case).error, &context);
        }
    }
}
