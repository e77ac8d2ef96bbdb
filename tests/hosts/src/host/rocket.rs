//! Rocket 0.5.

use std::io::Cursor;

use bytes::Bytes;
use rocket::http::Status;
use rocket::outcome::IntoOutcome;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::Response;
use tower_wx_session::{Session, SessionLayer, store::AnyStore};

type Admitted = Result<Option<Session>, Box<http::Response<Bytes>>>;
struct User(Session);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = ();
    async fn from_request(req: &'r Request<'_>) -> Outcome<Self, ()> {
        let layer = req.rocket().state::<SessionLayer<AnyStore>>().unwrap();
        let headers = req.headers().iter().map(|it| (it.name, it.value.into_owned()));
        let admitted = layer.admit_raw(req.method(), req.uri(), headers).await.map_err(Box::new);
        let session = req.local_cache(|| admitted).as_ref().ok().cloned().flatten();
        session.map(User).or_error((Status::Unauthorized, ()))
    }
}

async fn refuse(req: &Request<'_>, answer: &mut Response<'_>) {
    let Err(refusal) = req.local_cache(|| Admitted::Ok(None)) else { return };
    *answer = Response::build().status(Status::new(refusal.status().as_u16())).finalize();
    for (name, value) in refusal.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        answer.adjoin_raw_header(name.to_string(), value);
    }
    answer.set_sized_body(refusal.body().len(), Cursor::new(refusal.body().clone()));
}
// The page of the guide ends here.

use rocket::config::{Config, LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::{State, get, post, routes};
use tokio::sync::oneshot;

use crate::site::Site;
use crate::support::http::Server;

/// For optional mode: `Option<User>` would be `None` for a bad token, too.
struct Visitor(Option<Session>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = ();
    async fn from_request(req: &'r Request<'_>) -> Outcome<Self, ()> {
        let layer = req.rocket().state::<SessionLayer<AnyStore>>().unwrap();
        let headers = req.headers().iter().map(|it| (it.name, it.value.into_owned()));
        let admitted = layer.admit_raw(req.method(), req.uri(), headers).await.map_err(Box::new);
        match req.local_cache(|| admitted) {
            Ok(session) => Outcome::Success(Visitor(session.clone())),
            Err(_) => Outcome::Error((Status::Unauthorized, ())),
        }
    }
}

#[get("/me")]
fn me(user: User, site: &State<Site>) -> String {
    site.greet(Some(&user.0))
}

#[post("/me")]
fn post_me(user: User, site: &State<Site>) -> String {
    site.greet(Some(&user.0))
}

/// What the guide warns of.
#[get("/option")]
fn option(user: Option<User>, site: &State<Site>) -> String {
    site.greet(user.as_ref().map(|user| &user.0))
}

#[get("/maybe")]
fn maybe(visitor: Visitor, site: &State<Site>) -> String {
    site.greet(visitor.0.as_ref())
}

pub async fn start(site: Site) -> Server {
    let config = Config {
        port: 0,
        log_level: LogLevel::Off,
        shutdown: Shutdown { ctrlc: false, signals: Default::default(), ..Shutdown::default() },
        ..Config::default()
    };
    let (tell, listening) = oneshot::channel();
    let liftoff = AdHoc::on_liftoff("port", |rocket| {
        let address = (rocket.config().address, rocket.config().port).into();
        Box::pin(async move { tell.send(address).unwrap() })
    });
    let rocket = rocket::custom(config)
        .manage(site.layer.clone())
        .manage(site)
        .mount("/", routes![me, post_me, option, maybe])
        .attach(AdHoc::on_response("refusals", |req, answer| Box::pin(refuse(req, answer))))
        .attach(liftoff);
    let serving = tokio::spawn(async { rocket.launch().await.map(drop) });
    let address = listening.await.unwrap();
    Server::listening(address, async { serving.await.unwrap() })
}
