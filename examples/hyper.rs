//! A mini program's backend on plain hyper: the layer and the login are `tower::Service`s.
//!
//! It takes the variables of the axum example, and logs users in at a fake WeChat unless they name
//! an app. SIGTERM or Ctrl-C ends it: requests in flight get 5 s.
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
use tower_wx_session::{Session, SessionLayer, TokenSource};

mod settings;

use settings::{Settings, stop};

type Answer = Response<BoxBody<Bytes, Infallible>>;

#[tokio::main]
async fn main() -> ExitCode {
    settings::exit_code(run().await.map_err(|error| error.to_string()))
}

async fn run() -> Result<(), Box<dyn Error>> {
    settings::log()?;
    let settings = Settings::from_env("127.0.0.1:3000")?;
    let listener = settings.listener().await?;
    let sessions = settings.sessions()?;
    let platform = settings.platform().await?;

    let login =
        Login::new(sessions.clone(), platform.login).with_rejection_response(settings.refusal);
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
    let asked = stop::asked()?;
    println!("listening on http://{}", listener.local_addr()?);
    stop::serve(asked, |asked| serve(listener, app, asked)).await?;
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

/// Serves HTTP/1 and HTTP/2 until it is asked to stop, and then the requests in flight.
async fn serve<S, F>(
    listener: TcpListener,
    app: S,
    mut asked_to_stop: stop::Asked,
) -> Result<(), Infallible>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future = F>,
    S: Clone + Send + 'static,
    F: Future<Output = Result<Answer, Infallible>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut asked_to_stop => break,
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
    connections.shutdown().await;
    Ok(())
}
