//! A mini program's backend on plain hyper: the layer and the login are `tower::Service`s.
//!
//! It takes the variables of the axum example, and logs users in at a fake WeChat unless they name
//! an app. Ctrl-C ends it: requests in flight get 5 s.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_wx_session::login::Login;
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Session, SessionLayer, Sessions, TokenSource};

mod settings;

use settings::Settings;

type Answer = Response<BoxBody<Bytes, Infallible>>;

#[tokio::main]
async fn main() -> ExitCode {
    let ended = run().await.inspect_err(|error| eprintln!("{error}"));
    ended.map_or(ExitCode::from(2), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Box<dyn Error>> {
    settings::log()?;
    let settings = Settings::from_env()?;
    let sessions = Sessions::builder(settings.store)
        .idle_timeout(settings.idle_timeout)
        .lifetime(settings.lifetime)
        .build()?;
    // It ends when it is dropped, and costs nothing where it is not asked.
    let fake = FakeWeChat::start().await?;
    let wechat = match settings.wechat {
        Some(wechat) => wechat,
        None => WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url())?,
    };

    let login = Login::new(sessions.clone(), wechat).with_rejection_response(settings.refusal);
    let me = SessionLayer::new(sessions.clone())
        .with_sources([TokenSource::bearer(), TokenSource::skey()])
        .with_rejection_response(settings.refusal)
        .layer(service_fn(me));
    let app = service_fn(move |request: Request<Incoming>| {
        let (login, me) = (login.clone(), me.clone());
        async move {
            match request.uri().path() {
                "/login" => answer(login, request).await,
                "/me" => answer(me, request).await,
                _ => {
                    let not_found = Response::builder().status(StatusCode::NOT_FOUND);
                    Ok(not_found.body(BoxBody::default()).unwrap_or_default())
                }
            }
        }
    });
    let listener = TcpListener::bind(&settings.listen).await;
    let listener = listener.map_err(|error| format!("LISTEN={}: {error}", settings.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(&listener, app).await;
    Ok(sessions.shutdown().await?)
}

/// Has one of the services answer, with the body that all answers have.
async fn answer<S, B>(service: S, request: Request<Incoming>) -> Result<Answer, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static,
{
    Ok(service.oneshot(request).await?.map(BodyExt::boxed))
}

/// The handler; behind the layer there is always a session.
async fn me(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<Session>();
    let openid = session.map(Session::openid).unwrap_or_default();
    Ok(Response::new(openid.to_owned()))
}

/// Serves HTTP/1 and HTTP/2 until Ctrl-C, and then the requests in flight.
async fn serve<S, F>(listener: &TcpListener, app: S)
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future = F>,
    S: Clone + Send + 'static,
    F: Future<Output = Result<Answer, Infallible>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut asked_to_stop = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut asked_to_stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: some will be free again.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let (stream, server) = (TokioIo::new(stream), Builder::new(TokioExecutor::new()));
        let service = TowerToHyperService::new(app.clone());
        let connection = server
            .serve_connection_with_upgrades(stream, service)
            .into_owned();
        tokio::spawn(connections.watch(connection));
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), connections.shutdown()).await;
}
