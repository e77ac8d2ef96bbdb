//! The page at `/`: the phone, what the server makes of its requests, and what can go wrong.
//!
//! Its files and those of the client are served as they are in the repository.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::get;

const PAGE: &str = include_str!("page/index.html");
/// Nothing but its own files, and no script in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Files of the client, and where the page finds them.
macro_rules! client {
    ($($name:literal)*) => {
        [$((
            concat!("/demo/session/", $name, ".js"),
            include_str!(concat!("../miniprogram/session/", $name, ".js")),
        )),*]
    };
}

const CLIENT: [(&str, &str); 8] =
    client!("answer" "tokens" "platform" "login" "send" "socket" "adapters" "index");

const SCRIPTS: [(&str, &str); 5] = [
    ("/demo/modules.js", include_str!("page/modules.js")),
    ("/demo/words.js", include_str!("page/words.js")),
    ("/demo/phone.js", include_str!("page/phone.js")),
    ("/demo/timeline.js", include_str!("page/timeline.js")),
    ("/demo/page.js", include_str!("page/page.js")),
];

pub fn routes() -> Router {
    let html = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    let css = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    let style = include_str!("page/page.css");
    let routes = Router::new()
        .route("/", get((html, PAGE)))
        .route("/demo/page.css", get((css, style)));
    let scripts = SCRIPTS.into_iter().chain(CLIENT);
    scripts.fold(routes, |routes, (path, script)| {
        let javascript = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
        routes.route(path, get((javascript, script)))
    })
}
