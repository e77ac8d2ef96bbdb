//! A tower service in poem.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use poem::Route;
use poem::endpoint::TowerCompatExt;
use poem::listener::TcpAcceptor;
use tower::{ServiceBuilder, service_fn};
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

type Body = BoxBody<Bytes, io::Error>;

pub async fn start(site: Site) -> Server {
    let layer = site.layer.clone().with_drained_body::<Body>();
    let handler = service_fn(move |request: Request<Body>| {
        let greeting = site.greet(request.extensions().get::<Session>());
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(greeting))) }
    });
    let service = ServiceBuilder::new().layer(layer).service(handler);
    let app = Route::new().at("/me", service.clone().compat()).at("/maybe", service.compat());
    Server::serving(|listener| {
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        poem::Server::new_with_acceptor(acceptor).run(app)
    })
    .await
}
