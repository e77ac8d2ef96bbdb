//! What gRPC and grpc-web clients see of the layer: byte for byte, and through real clients.

use account_proto::account_client::AccountClient;
use account_proto::{EchoMessage, Empty, LoginRequest};
use bytes::Bytes;
use http::{Method, Version};
use http_body::Body as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tonic::transport::Server as Tonic;
use tonic::{Code, Status};
use tonic_web::{GrpcWebCall, GrpcWebClientLayer, GrpcWebClientService, GrpcWebLayer};
use tower::{Layer, ServiceBuilder};
use tower_wx_session::SessionLayer;

use crate::forms::{VERSIONS, layers, refused_login, world_with};
use crate::support::case::{Headers, bearer};
use crate::support::grpc::{self, Accounts, EMPTY, WHO_AM_I, assert_refused, request};
use crate::support::grpc_golden::{Golden, LAYER, LOGIN, golden};
use crate::support::http::{Answer, Server, client};
use crate::support::world::{World, layer_of, within_ten_seconds};
use crate::support::{HookedStore, golden as http_golden};

const GRPC: [&str; 6] = [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

const NO_GRPC: [&str; 5] = [
    "application/grpcx",
    "application/grpc-websocket",
    "application/json",
    "application/octet-stream",
    "text/plain",
];

async fn post(server: &Server, version: Version, content_type: &str, headers: &Headers) -> Answer {
    send(Method::POST, server, version, content_type, headers).await
}

async fn send(
    method: Method,
    server: &Server,
    version: Version,
    content_type: &str,
    headers: &Headers,
) -> Answer {
    let request = client(version).request(method, server.url(WHO_AM_I));
    let request = request.body(EMPTY).header("content-type", content_type);
    let add = |request: reqwest::RequestBuilder, (name, value): &(&'static str, String)| {
        request.header(*name, value)
    };
    Answer::to(headers.iter().fold(request, add)).await
}

fn expected(row: &Golden, content_type: &str) -> Answer {
    let headers = [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("x-wx-action", row.action),
        ("grpc-status", &*row.code.to_string()),
        ("grpc-message", row.message),
        ("grpc-status-details-bin", row.details),
    ];
    Answer::new(200, &headers, "")
}

#[tokio::test]
async fn every_refusal_is_trailers_only_whatever_the_preset() {
    for row in LAYER {
        let (world, headers) = world_with(row.case).await;
        for node in [world.sessions.clone(), world.another_node()] {
            for (form, layer) in layers(&node).into_iter().enumerate() {
                let accounts = Accounts::default();
                let server = grpc::start(layer, &accounts).await;
                for version in VERSIONS {
                    for content_type in GRPC {
                        let answer = post(&server, version, content_type, &headers).await;
                        let context = format!("{}, {version:?}, form {form}", row.case);
                        assert_eq!(answer, expected(row, content_type), "{context}");
                    }
                }
                assert_eq!(accounts.calls(), 0, "{}", row.case);
            }
        }
    }
}

#[tokio::test]
async fn whoever_speaks_no_grpc_gets_json_from_the_same_server() {
    for row in http_golden::LAYER {
        let (world, headers) = world_with(row.case).await;
        let server = grpc::start(world.layer(), &Accounts::default()).await;
        for version in VERSIONS {
            for content_type in NO_GRPC {
                let answer = post(&server, version, content_type, &headers).await;
                let context = format!("{}, {version:?}, {content_type}", row.case);
                assert_eq!(answer.status, row.status, "{context}");
                assert_eq!(answer.body, row.json, "{context}");
                let content_type = answer.header("content-type");
                assert_eq!(content_type, Some("application/json"), "{context}");
                assert_eq!(answer.header("grpc-status"), None, "{context}");
            }
        }
    }
}

/// A proxy that checks requests asks by a GET with their headers, and takes 200 for a pass.
#[tokio::test]
async fn only_a_post_is_answered_in_grpc_form() {
    for row in http_golden::LAYER {
        let (world, headers) = world_with(row.case).await;
        let server = grpc::start(world.layer(), &Accounts::default()).await;
        for version in VERSIONS {
            for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
                let answer = send(method, &server, version, "application/grpc", &headers).await;
                let context = format!("{}, {version:?}", row.case);
                assert_eq!(answer.status, row.status, "{context}");
                assert_eq!(answer.body, row.json, "{context}");
                assert_eq!(answer.header("grpc-status"), None, "{context}");
                let action = answer.header("x-wx-action");
                assert_eq!(action, Some(row.action()), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn the_content_type_is_known_in_any_spelling_and_echoed_as_it_came() {
    let (world, headers) = world_with("malformed").await;
    let server = grpc::start(world.layer(), &Accounts::default()).await;
    let row = golden(LAYER, "malformed");
    for content_type in ["Application/GRPC", "application/grpc; charset=utf-8"] {
        let answer = post(&server, Version::HTTP_2, content_type, &headers).await;
        assert_eq!(answer, expected(row, content_type));
    }
}

#[tokio::test]
async fn a_refusal_ends_the_stream_with_its_headers() {
    let (world, _) = world_with("missing").await;
    let server = grpc::start(world.layer(), &Accounts::default()).await;
    let mut client = Client::builder(TokioExecutor::new());
    let client = client.http2_only(true).build_http();
    let request = http::Request::post(server.url(WHO_AM_I))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(EMPTY)));
    let response = client.request(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "16");
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn a_tonic_client_understands_every_refusal() {
    for row in LAYER {
        let (world, headers) = world_with(row.case).await;
        for node in [world.sessions.clone(), world.another_node()] {
            let accounts = Accounts::default();
            let server = grpc::start(layer_of(&node), &accounts).await;
            let mut client = grpc::client(&server).await;
            let unary = client.who_am_i(request(Empty {}, &headers)).await;
            assert_refused(&unary.unwrap_err(), row, "unary");
            let streaming = client.watch(request(Empty {}, &headers)).await;
            assert_refused(&streaming.unwrap_err(), row, "server streaming");
            // The client goes on sending: it is answered nevertheless.
            let endless = tokio_stream::pending::<EchoMessage>();
            let both_ways = within_ten_seconds(client.echo(request(endless, &headers))).await;
            assert_refused(&both_ways.unwrap_err(), row, "bidirectional");
            assert_eq!(accounts.calls(), 0, "{}", row.case);
        }
    }
}

type WebClient =
    AccountClient<GrpcWebClientService<Client<HttpConnector, GrpcWebCall<tonic::body::Body>>>>;

/// A grpc-web client over HTTP/1 for the server.
fn web_client(server: &Server) -> WebClient {
    let http = Client::builder(TokioExecutor::new()).build_http();
    let web = GrpcWebClientLayer::new().layer(http);
    AccountClient::with_origin(web, server.url("").parse().unwrap())
}

/// The service with one order of the layers, and with the other.
async fn both_orders(layer: &SessionLayer<HookedStore>) -> [Server; 2] {
    let accounts = Accounts::default();
    let inside = ServiceBuilder::new()
        .layer(GrpcWebLayer::new())
        .layer(layer.clone());
    let mut inside = Tonic::builder().accept_http1(true).layer(inside);
    let inside = inside.add_service(accounts.service());
    [
        grpc::start(layer.clone(), &accounts).await,
        grpc::serve(inside).await,
    ]
}

#[tokio::test]
async fn a_grpc_web_client_understands_every_refusal_in_any_order_of_the_layers() {
    for row in LAYER {
        let (world, headers) = world_with(row.case).await;
        for server in both_orders(&world.layer()).await {
            let mut client = web_client(&server);
            let unary = client.who_am_i(request(Empty {}, &headers)).await;
            assert_refused(&unary.unwrap_err(), row, "unary");
            let streaming = client.watch(request(Empty {}, &headers)).await;
            assert_refused(&streaming.unwrap_err(), row, "server streaming");
        }
    }
}

#[tokio::test]
async fn a_live_session_reaches_the_handler_over_grpc_and_grpc_web() {
    let world = World::new().await;
    let headers = bearer(&crate::support::nodes::log_in(&world.sessions).await);
    for server in both_orders(&world.layer()).await {
        let mut client = grpc::client(&server).await;
        let reply = client.who_am_i(request(Empty {}, &headers)).await;
        assert_eq!(reply.unwrap().into_inner().openid, "alice");
        let mut client = web_client(&server);
        let reply = client.who_am_i(request(Empty {}, &headers)).await;
        assert_eq!(reply.unwrap().into_inner().openid, "alice");
    }
}

#[tokio::test]
async fn a_handlers_own_status_is_left_alone() {
    let world = World::new().await;
    let headers = bearer(&crate::support::nodes::log_in(&world.sessions).await);
    let server = grpc::start(world.layer(), &Accounts::default()).await;
    let mut client = grpc::client(&server).await;
    let login = request(LoginRequest::default(), &headers);
    let status: Status = client.login(login).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(status.message(), "the handler's: 100 % of them");
    assert_eq!(status.details(), b"the handler's details");
}

#[tokio::test]
async fn a_login_refused_in_a_handler_has_the_status_of_its_cause() {
    for row in LOGIN {
        let status = refused_login(row.case).await.grpc_status();
        let status = Status::with_details(status.code().into(), status.message(), status.details());
        assert_refused(&status, row, "from a handler");
    }
}
