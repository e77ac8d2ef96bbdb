//! poem 3.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use tower_wx_session::{SessionLayer, store::AnyStore};

async fn check<E: Endpoint>(next: Arc<E>, mut req: Request) -> Result<Response> {
    let layer = req.data::<SessionLayer<AnyStore>>().unwrap();
    let body = |bytes| Full::new(bytes).map_err(io::Error::other);
    match layer.admit_raw(req.method(), req.uri(), req.headers()).await {
        Ok(Some(session)) => req.set_data(session),
        Ok(None) => {}
        Err(refusal) => return Ok(refusal.map(body).into()),
    }
    next.call(req).await.map(IntoResponse::into_response)
}
// The page of the guide ends here.

use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{EndpointExt, Route, handler};
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

#[handler]
async fn me(session: Data<&Session>, site: Data<&Site>) -> String {
    site.greet(Some(&session))
}

#[handler]
async fn maybe(session: Option<Data<&Session>>, site: Data<&Site>) -> String {
    site.greet(session.as_deref().copied())
}

pub async fn start(site: Site) -> Server {
    let app = Route::new()
        .at("/me", me)
        .at("/maybe", maybe)
        .around(check)
        .data(site.layer.clone())
        .data(site);
    Server::serving(|listener| {
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        poem::Server::new_with_acceptor(acceptor).run(app)
    })
    .await
}
