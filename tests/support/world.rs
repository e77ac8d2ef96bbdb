//! An application: sessions on a manual clock, in a store that can be down, with a fake WeChat.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::{any, get};
use http::Version;
use tokio::sync::Semaphore;
use tower_wx_session::login::Login;
use tower_wx_session::sessions::SessionsBuilder;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::{FakeWeChat, ManualClock};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Session, SessionLayer, Sessions, TokenSource};

use super::http::{Answer, Server, client};
use super::nodes::ROOM;
use super::{HookedStore, Op, down};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const SECOND: Duration = Duration::from_secs(1);

/// Operations that fail at the moment.
#[derive(Clone, Default)]
pub struct Outage(Arc<Mutex<Vec<Op>>>);

impl Outage {
    pub fn of(&self, ops: &[Op]) {
        *self.0.lock().unwrap() = ops.to_vec();
    }

    pub fn of_all(&self) {
        self.of(&Op::ALL);
    }

    pub fn is_over(&self) {
        self.of(&[]);
    }

    fn hits(&self, op: Op) -> bool {
        self.0.lock().unwrap().contains(&op)
    }
}

pub struct World {
    pub clock: ManualClock,
    pub outage: Outage,
    pub store: HookedStore,
    pub sessions: Sessions<HookedStore>,
    pub fake: FakeWeChat,
    /// How often a handler was called.
    pub calls: Arc<AtomicUsize>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn with(
        configure: impl FnOnce(SessionsBuilder<HookedStore>) -> SessionsBuilder<HookedStore>,
    ) -> Self {
        let clock = ManualClock::new();
        let outage = Outage::default();
        let store = HookedStore::new(MemoryStore::with_clock(clock.clone())).before({
            let outage = outage.clone();
            move |op| {
                let hits = outage.hits(op);
                async move { if hits { Err(down()) } else { Ok(()) } }
            }
        });
        Self {
            sessions: configure(builder(&store, &clock)).build().unwrap(),
            fake: FakeWeChat::start().await.unwrap(),
            calls: Arc::default(),
            clock,
            outage,
            store,
        }
    }

    /// A node that knows no session yet.
    pub fn another_node(&self) -> Sessions<HookedStore> {
        builder(&self.store, &self.clock).build().unwrap()
    }

    pub fn layer(&self) -> SessionLayer<HookedStore> {
        layer_of(&self.sessions)
    }

    pub fn wechat(&self) -> WeChat {
        WeChat::new(self.fake.appid(), self.fake.secret())
            .with_base_url(self.fake.base_url())
            .unwrap()
    }

    pub fn login(&self) -> Login<HookedStore, WeChat> {
        Login::new(self.sessions.clone(), self.wechat())
    }

    /// A handler behind the layer: it answers with the user's openid, or `nobody`.
    pub fn behind(&self, layer: SessionLayer<HookedStore>) -> Router {
        let calls = Arc::clone(&self.calls);
        let me = move |session: Option<Session>| {
            calls.fetch_add(1, Ordering::SeqCst);
            let openid = session
                .as_ref()
                .map_or("nobody", Session::openid)
                .to_owned();
            async move { openid }
        };
        Router::new().route("/me", any(me)).layer(layer)
    }

    /// The whole application, with the presets as they come.
    pub async fn start(&self) -> App {
        self.start_with(self.layer(), self.login()).await
    }

    pub async fn start_with(
        &self,
        layer: SessionLayer<HookedStore>,
        login: Login<HookedStore, WeChat>,
    ) -> App {
        let app = self.behind(layer).route_service("/login", login);
        App {
            server: Server::start(app).await,
            client: client(Version::HTTP_11),
        }
    }

    pub fn handler_calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// The layer on a node, with both headers as sources.
pub fn layer_of(node: &Sessions<HookedStore>) -> SessionLayer<HookedStore> {
    let sources = [TokenSource::bearer(), TokenSource::skey()];
    SessionLayer::new(node.clone()).with_sources(sources)
}

/// The deadline is longer than the default, because tests share a machine.
fn builder(store: &HookedStore, clock: &ManualClock) -> SessionsBuilder<HookedStore> {
    Sessions::builder(store.clone())
        .clock(clock.clone())
        .cache_capacity(ROOM)
        .store_deadline(5 * SECOND)
}

/// The application as a client sees it.
pub struct App {
    pub server: Server,
    pub client: reqwest::Client,
}

impl App {
    pub fn post_code(&self, code: &str) -> reqwest::RequestBuilder {
        let body = serde_json::json!({ "code": code }).to_string();
        self.client.post(self.server.url("/login")).body(body)
    }

    pub async fn log_in(&self, code: &str) -> Answer {
        Answer::to(self.post_code(code)).await
    }

    pub async fn me(&self, token: &str) -> Answer {
        let request = self.client.get(self.server.url("/me")).bearer_auth(token);
        Answer::to(request).await
    }
}

/// Stands between the application and the fake, and lets exchanges wait.
pub struct Gateway {
    server: Server,
    gate: Arc<Semaphore>,
    arrived: Arc<AtomicUsize>,
}

impl Gateway {
    pub async fn start(fake: &FakeWeChat) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let arrived = Arc::new(AtomicUsize::new(0));
        let (target, client) = (fake.base_url().to_owned(), client(Version::HTTP_11));
        let (entry, counter) = (Arc::clone(&gate), Arc::clone(&arrived));
        let forward = move |RawQuery(query): RawQuery| {
            let url = format!("{target}/sns/jscode2session?{}", query.unwrap());
            let (entry, client) = (Arc::clone(&entry), client.clone());
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                let _permit = entry.acquire().await.unwrap();
                client.get(url).send().await.unwrap().text().await.unwrap()
            }
        };
        let app = Router::new().route("/sns/jscode2session", get(forward));
        Self {
            server: Server::start(app).await,
            gate,
            arrived,
        }
    }

    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Waits until so many exchanges have come.
    pub async fn wait_for(&self, exchanges: usize) {
        until(|| self.arrived.load(Ordering::SeqCst) >= exchanges).await;
    }

    pub fn open(&self) {
        self.gate.add_permits(1000);
    }
}

/// Waits for what another task is about to do.
pub async fn until(mut happened: impl FnMut() -> bool) {
    let wait = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within_ten_seconds(wait).await;
}

/// Fails a test that would hang.
#[track_caller]
pub fn within_ten_seconds<T>(wait: impl Future<Output = T>) -> impl Future<Output = T> {
    let limit = tokio::time::timeout(10 * SECOND, wait);
    async { limit.await.expect("nothing happened for ten seconds") }
}
