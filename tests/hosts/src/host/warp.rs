//! warp 0.4, on plain hyper.

use std::convert::Infallible;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tower::ServiceBuilder;
use tower_wx_session::Session;
use warp::Filter;

use crate::site::Site;
use crate::support::http::Server;

pub async fn start(site: Site) -> Server {
    let layer = site.layer.clone();
    let me = warp::path("me").or(warp::path("maybe")).unify();
    let handler = me
        .and(warp::ext::optional::<Session>())
        .map(move |session: Option<Session>| site.greet(session.as_ref()));
    let service = ServiceBuilder::new().layer(layer).service(warp::service(handler));
    Server::serving(|listener| async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
        #[allow(unreachable_code, reason = "the type of the future")]
        Ok::<_, Infallible>(())
    })
    .await
}
