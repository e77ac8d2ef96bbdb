//! A page on another origin, in a real browser, behind the CORS layer of `guide::composing`.

use std::sync::atomic::Ordering;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_wx_session::TokenSource;

use crate::cors::cors;
use crate::site::{Sessioned, Site, routes};
use crate::support::chromium::Chromium;
use crate::support::http::Server;
use crate::support::nodes::log_in;
use crate::told::page;

/// Sends each request, and tells what it may know of the answer.
const PAGE: &str = "const NAMES = ['www-authenticate', 'retry-after', 'x-wx-action', 'grpc-status', 'x-rejection']
const ask = async ([url, headers, method]) => {
  const answer = await fetch(url, { headers, method })
  const body = await answer.text()
  return [answer.status, NAMES.map(name => answer.headers.get(name)), body.startsWith('{') ? JSON.parse(body).reason : body]
}
const told = []
for (const request of REQUESTS) told.push(await ask(request).catch(({ name }) => name))";

/// Where a page will be, before the server that it asks knows it.
struct Place {
    listener: TcpListener,
    origin: String,
}

impl Place {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, origin }
    }

    /// What a page here knows of the answers to these requests.
    async fn ask(self, requests: Value) -> Value {
        let (page, told) = page(&PAGE.replace("REQUESTS", &requests.to_string()));
        let address = self.listener.local_addr().unwrap();
        let serving = axum::serve(self.listener, page).into_future();
        let _server = Server::listening(address, serving);
        let _browser = Chromium::open(&self.origin);
        told.heard().await
    }
}

fn outside(origin: &str) -> impl Fn(Sessioned) -> Router {
    let sources = || [TokenSource::bearer(), TokenSource::skey()];
    move |layer| {
        let layer = layer.with_sources(sources());
        routes().layer(layer).layer(cors(origin))
    }
}

fn bearer(token: &str) -> Value {
    json!({ "authorization": format!("Bearer {token}") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_cors_outside_a_browser_shows_the_page_what_a_refusal_asks_for() {
    let place = Place::new().await;
    let site = Site::new(outside(&place.origin)).await;
    let without_store = Site::new(outside(&place.origin)).await;
    without_store.is_down.store(true, Ordering::SeqCst);
    let over = log_in(&site.sessions).await;
    let session = site.sessions.check(&over).await.unwrap();
    site.sessions.kick_out(&session).await.unwrap();

    let me = site.server.url("/me");
    let grpc = json!({ "content-type": "application/grpc-web+proto", "x-grpc-web": "1" });
    let told = place.ask(json!([
        [me, bearer(&site.token), "GET"],
        [me, { "x-wx-skey": site.token }, "GET"],
        [me, {}, "GET"],
        [me, bearer(&over), "GET"],
        [me, bearer(&over), "POST"],
        [me, grpc, "POST"],
        [without_store.server.url("/me"), bearer(&without_store.token), "GET"],
    ]));
    let kicked_out = "Bearer error=\"invalid_token\", \
        error_description=\"session ended by the service: call wx.login\"";
    let kicked_out = json!([
        401,
        [kicked_out, null, "login", null, null],
        "session_kicked_out"
    ]);
    // The last name, `x-rejection`, is in each refusal, too, but is not exposed.
    let expected = json!([
        [200, [null, null, null, null, null], "alice"],
        [200, [null, null, null, null, null], "alice"],
        [
            401,
            ["Bearer", null, "login", null, null],
            "session_missing"
        ],
        kicked_out,
        kicked_out,
        [200, [null, null, "login", "16", null], ""],
        [503, [null, "1", "retry", null, null], "store_unavailable"],
    ]);
    assert_eq!(told.await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_cors_inside_a_browser_hides_refusals_and_live_sessions_alike() {
    let place = Place::new().await;
    let site = Site::new(|layer| routes().layer(cors(&place.origin)).layer(layer)).await;
    let me = site.server.url("/me");
    let told = place.ask(json!([[me, {}, "GET"], [me, bearer(&site.token), "GET"]]));
    assert_eq!(told.await, json!(["TypeError", "TypeError"]));
}
