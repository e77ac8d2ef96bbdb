//! Bodies as they come from hyper, and of types that the layer does not know by itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tower::{Layer, ServiceExt, service_fn};
use tower_wx_session::SessionLayer;

use crate::patient;
use crate::site::lost;
use crate::support::HookedStore;
use crate::support::http::Server;
use crate::support::world::World;

/// A body of the application's own.
struct Own(Incoming);

impl Body for Own {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

/// Serves what is behind the layer to bodies that `wrap` makes of hyper's.
async fn start<B: Send + 'static>(
    layer: SessionLayer<HookedStore>,
    wrap: fn(Incoming) -> B,
) -> Server {
    let service = layer.layer(service_fn(async |_: Request<B>| {
        Ok::<_, Infallible>(Response::new("passed".to_owned()))
    }));
    let service = service.map_request(move |request: Request<Incoming>| request.map(wrap));
    Server::serving(|listener| async move {
        loop {
            let (stream, _) = listener.accept().await?;
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
        #[allow(unreachable_code, reason = "names the error")]
        Ok::<(), std::io::Error>(())
    })
    .await
}

async fn none_is_lost(server: &Server) {
    let upload = |length| (patient::Request::post("/", length), "session_missing");
    let requests = [20_000, 300_000, 2_000_000, 20_000_000].map(upload);
    let url = server.url("");
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    for keeps_alive in [false, true] {
        let requests = requests.iter().cloned().cycle().take(12).collect();
        assert_eq!(lost(port, requests, keeps_alive).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hypers_own_body_is_read_on() {
    let world = World::new().await;
    none_is_lost(&start(world.layer(), |body| body).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_body_is_read_on() {
    let world = World::new().await;
    none_is_lost(&start(world.layer(), |body| Limited::new(body, 1 << 30)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_type_is_read_on_once_the_type_is_named() {
    let world = World::new().await;
    let layer = world.layer().with_drained_body::<Own>();
    none_is_lost(&start(layer, Own).await).await;
}
