//! volo-http 0.5.

use tower_wx_session::{Session, SessionLayer, store::AnyStore};
use volo::context::Context;
use volo_http::body::Body;
use volo_http::context::ServerContext;
use volo_http::server::{IntoResponse, middleware::Next};
use volo_http::{request::Request, response::Response};

async fn check(cx: &mut ServerContext, req: Request, next: Next) -> Response {
    let layer = cx.extensions().get::<SessionLayer<AnyStore>>().unwrap();
    let (mut head, body) = req.into_parts();
    if let Err(refusal) = layer.admit(&mut head).await {
        return refusal.map(Body::from);
    }
    let session = head.extensions.remove::<Session>().into_iter();
    session.for_each(|session| cx.extensions_mut().insert(session));
    next.run(cx, Request::from_parts(head, body)).await.into_response()
}
// The page of the guide ends here.

use volo::net::incoming::DefaultIncoming;
use volo_http::server::middleware::from_fn;
use volo_http::server::route::{Router, any};
use volo_http::utils::Extension;

use crate::site::Site;
use crate::support::http::Server;

async fn me(session: Extension<Session>, site: Extension<Site>) -> String {
    site.0.greet(Some(&session.0))
}

async fn maybe(session: Option<Extension<Session>>, site: Extension<Site>) -> String {
    site.0.greet(session.as_ref().map(|session| &session.0))
}

pub async fn start(site: Site) -> Server {
    let app = Router::new()
        .route("/me", any(me))
        .route("/maybe", any(maybe))
        .layer(from_fn(check))
        .layer(Extension(site.layer.clone()))
        .layer(Extension(site));
    let server = volo_http::server::Server::new(app);
    Server::serving(|listener| server.run(DefaultIncoming::from(listener))).await
}
