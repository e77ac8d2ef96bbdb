use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use tower::ServiceBuilder;
use tower_wx_session::{SessionLayer, Sessions, store::MemoryStore};

fn main() {
    ServiceBuilder::new()
        .layer(SessionLayer::new(Sessions::new(MemoryStore::new())))
        .rate_limit(1, Duration::from_secs(1))
        .service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
}
