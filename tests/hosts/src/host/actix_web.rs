//! actix-web 4.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, Result, web};
use tower_wx_session::{SessionLayer, store::AnyStore};

type Layer = web::Data<SessionLayer<AnyStore>>;
type Reply = Result<ServiceResponse>;

async fn check(layer: Layer, req: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Reply {
    let admitted = layer.admit_raw(req.method(), req.uri(), req.headers()).await;
    let Err(refusal) = admitted.map(|found| found.map(|it| req.extensions_mut().insert(it))) else {
        return next.call(req).await.map(ServiceResponse::map_into_boxed_body);
    };
    let mut answer = HttpResponse::build(StatusCode::from_u16(refusal.status().as_u16()).unwrap());
    let headers = refusal.headers().iter();
    headers.for_each(|(name, value)| _ = answer.append_header((name.as_str(), value.as_bytes())));
    Ok(req.into_response(answer.body(refusal.into_body())))
}
// The page of the guide ends here.

use actix_web::middleware::{Logger, from_fn};
use actix_web::web::ReqData;
use actix_web::{App, HttpServer};
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

async fn me(session: ReqData<Session>, site: web::Data<Site>) -> String {
    site.greet(Some(&session))
}

async fn maybe(session: Option<ReqData<Session>>, site: web::Data<Site>) -> String {
    site.greet(session.as_deref())
}

pub async fn start(site: Site) -> Server {
    let app = move || {
        App::new()
            .route("/me", web::route().to(me))
            .route("/maybe", web::route().to(maybe))
            // Another body than that of the handlers.
            .wrap(Logger::default())
            .wrap(from_fn(check))
            .app_data(web::Data::new(site.layer.clone()))
            .app_data(web::Data::new(site.clone()))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    Server::serving(|listener| server.listen(listener.into_std().unwrap()).unwrap().run()).await
}
