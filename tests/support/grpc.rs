//! A gRPC service behind the layer, and clients of it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use account_proto::account_client::AccountClient;
use account_proto::account_server::{Account, AccountServer};
use account_proto::{EchoMessage, Empty, LoginReply, LoginRequest, WhoAmIReply};
use bytes::Bytes;
use http::{Request as HttpRequest, Response as HttpResponse};
use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::service::Routes;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server as Tonic};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tonic_types::StatusExt;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service};
use tower_wx_session::{Session, SessionLayer};

use super::HookedStore;
use super::grpc_golden::Golden;
use super::http::Server;

type BoxError = Box<dyn Error + Send + Sync>;

/// The path of the unary method.
pub const WHO_AM_I: &str = "/account.v1.Account/WhoAmI";
/// An empty message in the framing of gRPC.
pub const EMPTY: &[u8] = &[0; 5];

/// The service; it counts its calls.
#[derive(Clone, Default)]
pub struct Accounts {
    pub calls: Arc<AtomicUsize>,
}

impl Accounts {
    pub fn service(&self) -> AccountServer<Self> {
        AccountServer::new(self.clone())
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Counts a call; gives the openid, or `nobody`.
    fn called<T>(&self, request: &Request<T>) -> WhoAmIReply {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let session = request.extensions().get::<Session>();
        let openid = session.map_or("nobody", Session::openid).to_owned();
        WhoAmIReply { openid }
    }
}

#[tonic::async_trait]
impl Account for Accounts {
    async fn logout(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("the test needs none"))
    }

    /// Refuses, with details of its own.
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginReply>, Status> {
        self.called(&request);
        let details = Vec::from(b"the handler's details").into();
        let message = "the handler's: 100 % of them";
        Err(Status::with_details(Code::Aborted, message, details))
    }

    async fn who_am_i(&self, request: Request<Empty>) -> Result<Response<WhoAmIReply>, Status> {
        Ok(Response::new(self.called(&request)))
    }

    type WatchStream = ReceiverStream<Result<WhoAmIReply, Status>>;

    /// Sends the reply twice.
    async fn watch(&self, request: Request<Empty>) -> Result<Response<Self::WatchStream>, Status> {
        let reply = self.called(&request);
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        for _ in 0..2 {
            sender.send(Ok(reply.clone())).await.unwrap();
        }
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    type EchoStream = Streaming<EchoMessage>;

    async fn echo(
        &self,
        request: Request<Streaming<EchoMessage>>,
    ) -> Result<Response<Self::EchoStream>, Status> {
        self.called(&request);
        Ok(Response::new(request.into_inner()))
    }
}

/// A health service that says that all is well.
pub async fn health() -> HealthServer<impl Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_serving::<AccountServer<Accounts>>().await;
    service
}

/// What the service and the health service are, for clients that ask.
pub fn reflection() -> ServerReflectionServer<impl ServerReflection> {
    let reflection = tonic_reflection::server::Builder::configure();
    let reflection = reflection
        .register_encoded_file_descriptor_set(account_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    reflection.build_v1().unwrap()
}

/// Whether a path stands open to everyone: health and reflection.
pub fn is_open(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.")
}

/// The service behind the layer, as the example has it: grpc-web inside of it, health and
/// reflection unchecked.
pub async fn start(layer: SessionLayer<HookedStore>, accounts: &Accounts) -> Server {
    let mut tonic = Tonic::builder()
        .accept_http1(true)
        .layer(layer.with_unchecked(|_, uri| is_open(uri.path())))
        .layer(GrpcWebLayer::new());
    let router = tonic
        .add_service(accounts.service())
        .add_service(health().await)
        .add_service(reflection());
    serve(router).await
}

/// Serves what a builder of tonic's has made.
pub async fn serve<L, B>(router: Router<L>) -> Server
where
    L: Layer<Routes> + Clone + Send + 'static,
    L::Service: Service<HttpRequest<Body>, Response = HttpResponse<B>> + Clone + Send + 'static,
    <L::Service as Service<HttpRequest<Body>>>::Future: Send,
    <L::Service as Service<HttpRequest<Body>>>::Error: Into<BoxError> + Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Server::serving(|listener| router.serve_with_incoming(TcpIncoming::from(listener))).await
}

/// A connection to a server.
pub async fn connect(server: &Server) -> Channel {
    let endpoint = Endpoint::from_shared(server.url("")).unwrap();
    endpoint.connect().await.unwrap()
}

pub async fn client(server: &Server) -> AccountClient<Channel> {
    AccountClient::new(connect(server).await)
}

/// A message with these headers as its metadata.
pub fn request<T>(message: T, headers: &[(&'static str, String)]) -> Request<T> {
    let mut request = Request::new(message);
    let metadata: &mut MetadataMap = request.metadata_mut();
    for (name, value) in headers {
        let name = MetadataKey::from_static(name);
        metadata.append(name, value.parse().unwrap());
    }
    request
}

/// Compares what a client of tonic's has understood with a row of the tables.
#[track_caller]
pub fn assert_refused(status: &Status, row: &Golden, context: &str) {
    let case = format!("{}, {context}", row.case);
    assert_eq!(status.code() as i32, row.code, "{case}: {status:?}");
    assert_eq!(status.message(), row.message, "{case}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, row.reason, "{case}");
    assert_eq!(info.domain, "tower-wx-session", "{case}");
    assert_eq!(info.metadata.len(), 1, "{case}");
    assert_eq!(info.metadata["action"], row.action, "{case}");
    let retry = details.retry_info().map(|retry| retry.retry_delay.unwrap());
    let retry = retry.map(|delay| (delay.as_secs(), delay.subsec_nanos()));
    assert_eq!(retry, row.retry_after.map(|wait| (wait, 0)), "{case}");
    let inner = tonic_types::Status::decode(status.details()).unwrap();
    assert_eq!(
        (inner.code, &*inner.message),
        (row.code, row.message),
        "{case}"
    );
}
