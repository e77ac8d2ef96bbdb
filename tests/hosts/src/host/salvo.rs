//! salvo, by its compatibility with tower.

use salvo::conn::tcp::TcpAcceptor;
use salvo::http::ReqBody;
use salvo::prelude::*;
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server as Running;

#[handler]
async fn greet(request: &mut Request, depot: &mut Depot) -> String {
    let site = depot.obtain::<Site>().unwrap();
    site.greet(request.extensions().get::<Session>())
}

pub async fn start(site: Site) -> Running {
    let layer = site.layer.clone().with_drained_body::<ReqBody>().compat::<ReqBody>();
    let router = Router::with_hoop(affix_state::inject(site))
        .hoop(layer)
        .push(Router::with_path("me").goal(greet))
        .push(Router::with_path("maybe").goal(greet));
    Running::serving(|listener| async move {
        let acceptor = TcpAcceptor::try_from(listener)?;
        Server::new(acceptor).try_serve(router).await
    })
    .await
}
