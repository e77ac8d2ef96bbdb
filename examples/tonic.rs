//! A mini program's backend over gRPC: login, unary calls, a stream that ends with the session.
//!
//! `cargo run --release --all-features --example tonic` needs nothing installed or configured: it
//! logs users in at a fake WeChat in the same process. The service is described in
//! `examples/account/proto`; health and reflection are there too, and grpc-web is taken as well.
//!
//! The environment is that of the example `axum`, but for the default of `LISTEN`:
//!
//! | Variable | Meaning | Default |
//! |---|---|---|
//! | `LISTEN` | address and port | `127.0.0.1:50051` |
//! | `STORE` | where sessions are kept: `memory`; `file:PATH`; `postgres://…`, `mysql://…`, `redis://…`, `rediss://…`, `redis+sentinel://…`, `redis+cluster://…` as the stores of these names have it | `memory` |
//! | `PLATFORM` | whose fake logs users in; see the axum example | `wechat` |
//! | `WX_APPID`, `WX_SECRET` | the app at the real WeChat | the fake WeChat |
//! | `WX_API_BASE` | another WeChat than the real one | `https://api.weixin.qq.com` |
//! | `IDLE_SECONDS` | how long a session may go unused | `7200` |
//! | `LIFETIME_SECONDS` | how long a session lasts in any case | `2592000` |
//! | `GRACE_SECONDS` | how long known sessions pass after their last confirmation while the store is down | `60` |
//! | `REFUSAL` | what refusals look like where the client speaks no gRPC | `json` |
//! | `RUST_LOG` | what is logged | `info` |
//!
//! SIGTERM or Ctrl-C ends it: calls in flight get 5 s.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to whoever started it"
)]

use std::process::ExitCode;
use std::time::Duration;

use account_proto::account_server::{Account, AccountServer};
use account_proto::{EchoMessage, Empty, LoginReply, LoginRequest, WhoAmIReply};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tonic_web::GrpcWebLayer;
use tower_wx_session::login::{Credentials, Login, Platforms};
use tower_wx_session::store::{AnyStore, RevokeReason};
use tower_wx_session::{Rejection, Session, SessionLayer, Sessions};

mod settings;

use settings::{Settings, stop};

/// The method that can be called without a session,
const LOGIN: &str = "/account.v1.Account/Login";
/// and the services.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// Pause between two signs of life of a stream.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    settings::exit_code(run().await)
}

async fn run() -> Result<(), String> {
    settings::log()?;
    let settings = Settings::from_env("127.0.0.1:50051")?;
    let listener = settings.listener().await?;
    let sessions = settings.sessions()?;
    let platform = settings.platform().await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let asked = stop::asked().map_err(|error| error.to_string())?;
    println!("listening on http://{address}");

    let layer = SessionLayer::new(sessions.clone())
        .with_rejection_response(settings.refusal)
        // Of grpc-web, and of requests that speak no gRPC: a refusal reads on what is left.
        .with_drained_body::<tonic::body::Body>()
        .with_unchecked(|_, uri| is_open(uri.path()));
    let accounts = Accounts {
        login: Login::new(sessions.clone(), platform.login),
        sessions: sessions.clone(),
    };
    stop::serve(asked, |asked| serve(listener, layer, accounts, asked)).await?;
    stop::shut_down(sessions).await
}

/// The session layer stands outside of the one for grpc-web, so that a refusal is not translated:
/// it answers grpc-web by itself. The other way round works too.
async fn serve(
    listener: TcpListener,
    layer: SessionLayer<AnyStore>,
    accounts: Accounts,
    asked_to_stop: stop::Asked,
) -> Result<(), String> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AccountServer<Accounts>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(account_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| error.to_string())?;
    Server::builder()
        // For grpc-web, which comes over HTTP/1 too.
        .accept_http1(true)
        .layer(layer)
        .layer(GrpcWebLayer::new())
        .add_service(AccountServer::new(accounts))
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), asked_to_stop)
        .await
        .map_err(|error| error.to_string())
}

struct Accounts {
    login: Login<AnyStore, Platforms>,
    sessions: Sessions<AnyStore>,
}

#[tonic::async_trait]
impl Account for Accounts {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginReply>, Status> {
        let token = bearer(&request).map(str::to_owned);
        let mut credentials = Credentials::new(request.into_inner().code);
        if let Some(token) = token {
            // The session that the client still has is retired.
            credentials = credentials.presenting(&token);
        }
        let issued = self.login.log_in(credentials).await;
        let issued = issued.map_err(|rejection| status(&rejection))?;
        Ok(Response::new(LoginReply {
            token: issued.token().expose().to_owned(),
            expires_in: issued.expires_in().as_secs().cast_signed(),
        }))
    }

    async fn who_am_i(&self, request: Request<Empty>) -> Result<Response<WhoAmIReply>, Status> {
        let session = session_of(&request)?;
        Ok(Response::new(about(&session)))
    }

    async fn logout(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        let session = session_of(&request)?;
        let reason = RevokeReason::LoggedOut;
        // Where the store is down it is pending, and holds on this node already.
        let revoked = self.sessions.revoke(&session, reason).await;
        revoked.map_err(|rejection| status(&rejection))?;
        Ok(Response::new(Empty {}))
    }

    type WatchStream = ReceiverStream<Result<WhoAmIReply, Status>>;

    /// Ends with the client, or with the session: then the status says why. Watching does
    /// not count as activity of the session, which can go idle meanwhile.
    async fn watch(&self, request: Request<Empty>) -> Result<Response<Self::WatchStream>, Status> {
        let session = session_of(&request)?;
        let ended = self.sessions.ended(session.id());
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            tokio::select! {
                rejection = ended => {
                    let _ = sender.send(Err(status(&rejection))).await;
                }
                () = show_life(&sender, about(&session)) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    type EchoStream = Streaming<EchoMessage>;

    async fn echo(
        &self,
        request: Request<Streaming<EchoMessage>>,
    ) -> Result<Response<Self::EchoStream>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Sends the reply at once and after every pause, until nobody listens.
async fn show_life(sender: &mpsc::Sender<Result<WhoAmIReply, Status>>, reply: WhoAmIReply) {
    let mut pauses = interval(SIGN_OF_LIFE);
    loop {
        pauses.tick().await;
        if sender.send(Ok(reply.clone())).await.is_err() {
            return;
        }
    }
}

fn is_open(path: &str) -> bool {
    path == LOGIN || OPEN.iter().any(|service| path.starts_with(service))
}

/// The token that a request carries although it needs none.
fn bearer<T>(request: &Request<T>) -> Option<&str> {
    let value = request.metadata().get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

/// The session that the layer has put there.
fn session_of<T>(request: &Request<T>) -> Result<Session, Status> {
    let session = request.extensions().get::<Session>().cloned();
    session.ok_or_else(|| Status::internal("no session: the layer is missing"))
}

fn about(session: &Session) -> WhoAmIReply {
    WhoAmIReply {
        openid: session.openid().to_owned(),
    }
}

fn status(rejection: &Rejection) -> Status {
    let status = rejection.grpc_status();
    Status::with_details(status.code().into(), status.message(), status.details())
}
