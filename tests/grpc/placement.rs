//! The layer wherever it can stand in a gRPC server, and what it must leave alone there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use account_proto::{EchoMessage, Empty};
use axum::Router;
use axum::routing::get;
use http::Version;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::service::{LayerExt, Routes};
use tonic::transport::Server as Tonic;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::Layer;
use tower::limit::ConcurrencyLimitLayer;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{Session, SessionLayer, Sessions};

use crate::support::case::{Headers, bearer};
use crate::support::grpc::{self, Accounts, EMPTY, WHO_AM_I, assert_refused, request};
use crate::support::grpc_golden::{LAYER, golden};
use crate::support::http::{Answer, Server, client};
use crate::support::nodes::log_in;
use crate::support::world::{SECOND, World, layer_of, within_ten_seconds};
use crate::support::{HookedStore, Op};

const SERVING: i32 = 1;
const LARGE: usize = 1 << 20;

/// A live session goes in, nobody else does.
async fn assert_guarded(server: &Server, world: &World, context: &str) {
    let mut client = grpc::client(server).await;
    let headers = bearer(&log_in(&world.sessions).await);
    let reply = client.who_am_i(request(Empty {}, &headers)).await;
    assert_eq!(reply.unwrap().into_inner().openid, "alice", "{context}");
    for (case, headers) in [
        ("missing", Headers::new()),
        ("malformed", bearer("rubbish")),
    ] {
        let refused = client.who_am_i(request(Empty {}, &headers)).await;
        assert_refused(&refused.unwrap_err(), golden(LAYER, case), context);
    }
}

async fn health(server: &Server) -> i32 {
    let mut client = HealthClient::new(grpc::connect(server).await);
    let service = "account.v1.Account".to_owned();
    let check = client.check(HealthCheckRequest { service }).await;
    check.unwrap().into_inner().status
}

#[tokio::test]
async fn the_layer_stands_before_a_whole_server() {
    let world = World::new().await;
    let mut tonic = Tonic::builder().layer(world.layer());
    let server = grpc::serve(tonic.add_service(Accounts::default().service())).await;
    assert_guarded(&server, &world, "Server::layer").await;
}

#[tokio::test]
async fn the_layer_stands_before_one_service_of_several() {
    let world = World::new().await;
    let guarded = world.layer().named_layer(Accounts::default().service());
    let router = Tonic::builder()
        .add_service(guarded.clone())
        .add_service(grpc::health().await);
    let server = grpc::serve(router).await;
    assert_guarded(&server, &world, "add_service").await;
    assert_eq!(health(&server).await, SERVING);

    let server = grpc::serve(Tonic::builder().add_routes(Routes::new(guarded))).await;
    assert_guarded(&server, &world, "add_routes").await;
}

/// HTTP and gRPC on one port.
fn multiplexed(grpc: Router) -> Router {
    let me = async |session: Session| session.openid().to_owned();
    grpc.route("/me", get(me))
}

#[tokio::test]
async fn http_and_grpc_share_a_port_and_the_layer() {
    let world = World::new().await;
    let service = Accounts::default().service();
    let wildcard = "/account.v1.Account/{*method}";
    for (context, app) in [
        (
            "around both",
            multiplexed(Routes::new(service.clone()).into_axum_router()).layer(world.layer()),
        ),
        (
            "each its own",
            Router::new()
                .route(
                    "/me",
                    get(async |session: Session| session.openid().to_owned()),
                )
                .layer(world.layer())
                .route_service(wildcard, world.layer().layer(service.clone())),
        ),
    ] {
        let server = Server::start(app).await;
        assert_guarded(&server, &world, context).await;
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let me = client(version).get(server.url("/me"));
            let refusal = Answer::to(me).await;
            assert_eq!(refusal.status, 401, "{context}");
            assert_eq!(refusal.reason(), "session_missing", "{context}");
            let token = log_in(&world.sessions).await;
            let me = client(version).get(server.url("/me")).bearer_auth(token);
            assert_eq!(Answer::to(me).await.body, "alice", "{context}");
        }
    }
}

#[tokio::test]
async fn a_grpc_refusal_has_its_cause_in_the_extensions() {
    let world = World::new().await;
    let app = Routes::new(Accounts::default().service()).into_axum_router();
    let server = Server::start(app.layer(world.layer())).await;
    let refused = client(Version::HTTP_2).post(server.url(WHO_AM_I));
    let refused = refused
        .header("content-type", "application/grpc")
        .body(EMPTY);
    let answer = Answer::to(refused).await;
    assert_eq!(answer.header("x-rejection"), Some("SessionMissing None"));
}

#[tokio::test]
async fn health_and_reflection_need_no_session() {
    let world = World::new().await;
    let server = grpc::start(world.layer(), &Accounts::default()).await;
    assert_eq!(health(&server).await, SERVING);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(grpc::connect(&server).await);
    let answers = client.server_reflection_info(tokio_stream::once(ask)).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.unwrap().message_response else {
        panic!("not a list");
    };
    assert!(
        list.service
            .iter()
            .any(|service| service.name == "account.v1.Account")
    );
    assert_guarded(&server, &world, "beside them").await;
}

#[tokio::test]
async fn a_stream_goes_both_ways_through_the_layer_untouched() {
    let world = World::new().await;
    let token = log_in(&world.sessions).await;
    for node in [world.sessions.clone(), world.another_node()] {
        let server = grpc::start(layer_of(&node), &Accounts::default()).await;
        let mut client = grpc::client(&server).await;
        let (sender, receiver) = mpsc::channel(1);
        let messages = request(ReceiverStream::new(receiver), &bearer(&token));
        let echo = within_ten_seconds(client.echo(messages)).await;
        let mut echo = echo.unwrap().into_inner();
        // Each message is answered before the next one exists.
        for text in ["first".to_owned(), "x".repeat(LARGE), String::new()] {
            sender
                .send(EchoMessage { text: text.clone() })
                .await
                .unwrap();
            let answer = within_ten_seconds(echo.message()).await.unwrap();
            assert!(answer.unwrap().text == text, "{} bytes", text.len());
        }
        drop(sender);
        assert_eq!(within_ten_seconds(echo.message()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn calls_keep_and_free_their_place_under_a_concurrency_limit() {
    let world = World::new().await;
    let token = log_in(&world.sessions).await;
    let mut connections = Vec::new();
    // No session is known to the node, so that calls have to wait for the store.
    for _ in 0..3 {
        let mut tonic = Tonic::builder()
            .layer(layer_of(&world.another_node()))
            .layer(ConcurrencyLimitLayer::new(1));
        let server = grpc::serve(tonic.add_service(Accounts::default().service())).await;
        for (headers, expected) in [
            (bearer(&token), Code::Ok),
            (bearer("rubbish"), Code::Unauthenticated),
            (Headers::new(), Code::Unauthenticated),
            (bearer(&token), Code::Ok),
        ] {
            let mut client = grpc::client(&server).await;
            let call = client.who_am_i(request(Empty {}, &headers));
            let answer = within_ten_seconds(call).await;
            let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
            assert_eq!(code, expected);
            connections.push(client);
        }
    }
}

#[tokio::test]
async fn a_deadline_cuts_the_wait_for_the_store_and_nothing_else() {
    let gate = Arc::new(Semaphore::new(0));
    let entry = Arc::clone(&gate);
    let store = HookedStore::new(MemoryStore::new()).before(move |op| {
        let entry = Arc::clone(&entry);
        async move {
            if op == Op::Load {
                let _permit = entry.acquire().await.unwrap();
            }
            Ok(())
        }
    });
    let node = || Sessions::builder(store.clone()).store_deadline(30 * SECOND);
    let token = log_in(&node().build().unwrap()).await;
    let layer = SessionLayer::new(node().build().unwrap());
    let server = grpc::start(layer, &Accounts::default()).await;

    // By hand: a client of tonic's would not wait for the server's answer.
    let call = client(Version::HTTP_2)
        .post(server.url(WHO_AM_I))
        .body(EMPTY);
    let call = call.header("content-type", "application/grpc");
    let call = call.bearer_auth(&token).header("grpc-timeout", "100m");
    let started = Instant::now();
    let answer = within_ten_seconds(Answer::to(call)).await;
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(answer.header("grpc-message"), Some("Timeout%20expired"));

    gate.add_permits(1);
    let mut client = grpc::client(&server).await;
    let mut patient = request(Empty {}, &bearer(&token));
    patient.set_timeout(10 * SECOND);
    let reply = client.who_am_i(patient).await.unwrap();
    assert_eq!(reply.into_inner().openid, "alice");
}
