//! WeChat's data prefetch: its server asks for a page's data, with our token in the query.

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http::Version;
use tower_wx_session::{Identity, Session, SessionLayer, TokenSource};

use crate::support::golden::{LAYER, golden};
use crate::support::http::{Answer, Server, client};
use crate::support::world::World;

/// Answers with the user and the query that is left.
async fn prefetch(session: Session, request: Request) -> String {
    let query = request.uri().query().unwrap_or_default();
    format!("{} {query}", session.openid())
}

struct Prefetch {
    server: Server,
    token: String,
}

impl Prefetch {
    async fn start(world: &World) -> Self {
        let issued = world.sessions.issue(Identity::new("wxa", "alice")).await;
        let layer = SessionLayer::new(world.sessions.clone());
        let layer = layer.with_sources([TokenSource::query("token")]);
        let app = Router::new().route("/prefetch", get(prefetch)).layer(layer);
        Self {
            server: Server::start(app).await,
            token: issued.unwrap().token().expose().to_owned(),
        }
    }

    /// As WeChat's server asks, with `TOKEN` for the token.
    async fn ask(&self, query: &str) -> Answer {
        let query = query.replace("TOKEN", &self.token);
        let url = self.server.url(&format!("/prefetch?{query}"));
        let request = client(Version::HTTP_11).get(url);
        Answer::to(
            request
                .header("user-agent", "Mozilla/4.0")
                .header("accept", "*/*"),
        )
        .await
    }
}

#[tokio::test]
async fn the_token_is_taken_and_the_other_parameters_reach_the_handler() {
    let world = World::new().await;
    let prefetch = Prefetch::start(&world).await;
    assert!(prefetch.token.len() <= 1024, "what WeChat keeps of a token");
    let rows = [
        (
            "appid=wxa&token=TOKEN&timestamp=1769558400000&path=pages%2Findex%2Findex&query=id%3D7&scene=1089",
            "appid=wxa&timestamp=1769558400000&path=pages%2Findex%2Findex&query=id%3D7&scene=1089",
        ),
        // What the page was opened with has a `token` of its own.
        (
            "appid=wxa&token=TOKEN&timestamp=1&path=pages%2Fa%3Ftoken%3Dwxs_x&query=token%3Dx%26a%3D1&scene=1001",
            "appid=wxa&timestamp=1&path=pages%2Fa%3Ftoken%3Dwxs_x&query=token%3Dx%26a%3D1&scene=1001",
        ),
        (
            "query=%26token%3DTOKEN%26&appid=wxa&token=TOKEN&timestamp=1",
            "query=%26token%3DTOKEN%26&appid=wxa&timestamp=1",
        ),
        (
            "appid=wxa&token=TOKEN&timestamp=1&path=&query=&scene=&customMiniprogramVersion=1.2.3",
            "appid=wxa&timestamp=1&path=&query=&scene=&customMiniprogramVersion=1.2.3",
        ),
    ];
    for (query, left) in rows {
        let answer = prefetch.ask(query).await;
        let left = left.replace("TOKEN", &prefetch.token);
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(answer.body, format!("alice {left}"));
    }
}

#[tokio::test]
async fn a_token_inside_of_another_parameter_is_none() {
    let world = World::new().await;
    let prefetch = Prefetch::start(&world).await;
    for query in [
        // Before `wx.setBackgroundFetchToken` WeChat sends a code instead.
        "appid=wxa&code=0a1b2c&timestamp=1&path=pages%2Findex&query=&scene=1001",
        "appid=wxa&timestamp=1&path=pages%2Findex&query=token%3DTOKEN&scene=1001",
        "appid=wxa&timestamp=1&query=%26token%3DTOKEN",
    ] {
        let answer = prefetch.ask(query).await;
        let missing = golden(LAYER, "missing");
        assert_eq!(
            (answer.status, &*answer.body),
            (401, missing.json),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_session_that_is_over_says_so_in_the_body_which_is_all_that_wechat_keeps() {
    let world = World::new().await;
    let prefetch = Prefetch::start(&world).await;
    let alice = Identity::new("wxa", "alice");
    world.sessions.revoke_user(&alice).await.unwrap();
    let answer = prefetch.ask("appid=wxa&token=TOKEN&timestamp=1").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["reason"], "session_revoked");
    assert_eq!(answer.json()["action"], "login");
}
