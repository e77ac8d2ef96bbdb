//! What a visitor can do to the example server: `POST /demo/…` lets time pass, stops the store, or has
//! WeChat misbehave, and `GET /demo/state` tells how things are. The page at `/` has a button for each.
//! Only where everything is a stand-in: the store is in memory, and WeChat the fake one. Whoever reaches
//! the address that `LISTEN` names may do all of it, but no web page of anybody else's.
//!
//! | Request | What it does |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /demo/state` | live sessions (`null` if the store does not tell), exchanges so far, the state of the store and of WeChat |
//! | `GET /demo/requests/0` | the last requests after that number: status, reason, verdict, where the check was answered |
//! | `POST /demo/advance` `{"seconds":60}` | moves the clock of the store and the node forward |
//! | `POST /demo/idle_out` | moves it until every session has been idle for too long |
//! | `POST /demo/kick_out` | ends all sessions of all users, as an administrator |
//! | `POST /demo/store` `{"state":"up"}` | the store works: `up`, `down`, or `full`: it takes no writes |
//! | `GET /demo/phone_number/{openid}` | what WeChat gives the client of this user for `POST /decrypt` |
//! | `POST /demo/wechat` `{"state":"ok"}` | WeChat answers: `ok`, `busy`, `limited`, `blocked`, `slow` |
#![allow(unreachable_pub, reason = "a module of a program")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval};
use tower_wx_session::sessions::SessionsBuilder;
use tower_wx_session::store::{AnyStore, MemoryStore};
use tower_wx_session::test_util::{Chaos, ChaosStore, FakeWeChat, Fault, ManualClock};
use tower_wx_session::{Rejection, SessionId, Sessions};

mod guard;
mod journal;
mod page;
mod phone_number;
pub mod places;
mod users;

use crate::unix_seconds;
use journal::Journal;
use users::Users;

/// How often the clock that a visitor moves follows the real one.
const TICK: Duration = Duration::from_millis(50);

/// The longest that a visitor lets pass at once, in seconds.
const A_YEAR: u64 = 365 * 24 * 60 * 60;

/// A clock and a store in the visitor's hands.
#[derive(Clone)]
pub struct Demo {
    clock: ManualClock,
    chaos: Chaos,
    users: Users,
    journal: Journal,
}

impl Demo {
    /// Its clock goes on by itself, and shows the real time until somebody moves it.
    pub fn start() -> Self {
        let clock = ManualClock::new();
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let shown = Duration::from_millis(clock.now().as_millis());
        clock.advance(since_epoch.saturating_sub(shown));
        tokio::spawn(tick(clock.clone()));
        Self {
            clock,
            chaos: Chaos::seeded(0),
            users: Users::default(),
            journal: Journal::default(),
        }
    }

    /// Sessions in a store of this demo.
    pub fn sessions(&self) -> SessionsBuilder<AnyStore> {
        let store = MemoryStore::with_clock(self.clock.clone());
        let store = AnyStore::new(ChaosStore::new(store, self.chaos.clone()));
        Sessions::builder(store).clock(self.clock.clone())
    }

    /// Who has logged in: for the login's hook.
    pub fn users(&self) -> Users {
        self.users.clone()
    }

    /// Notes the requests to these routes.
    pub fn watch(&self, app: Router) -> Router {
        app.layer(from_fn_with_state(self.journal.clone(), journal::note))
    }

    pub fn routes(
        self,
        sessions: Sessions<AnyStore>,
        wechat: Arc<FakeWeChat>,
        idle_timeout: Duration,
    ) -> Router {
        let requests = Router::new()
            .route("/demo/requests/{after}", get(journal::tell))
            .with_state(self.journal.clone());
        let stage = Stage {
            demo: self,
            sessions,
            wechat,
            idle_timeout,
            state: Arc::default(),
        };
        Router::new()
            .route("/demo/state", get(tell))
            .route("/demo/phone_number/{openid}", get(phone_number::encrypted))
            .route("/demo/advance", post(advance))
            .route("/demo/idle_out", post(idle_out))
            .route("/demo/kick_out", post(kick_out))
            .route("/demo/store", post(set_store))
            .route("/demo/wechat", post(set_wechat))
            .with_state(stage)
            .merge(requests)
            .merge(page::routes())
            .layer(from_fn(guard::from_here))
    }
}

async fn tick(clock: ManualClock) {
    let (mut ticks, mut last) = (interval(TICK), Instant::now());
    loop {
        let now = ticks.tick().await;
        clock.advance(now.duration_since(last));
        last = now;
    }
}

/// All that the routes act on.
#[derive(Clone)]
struct Stage {
    demo: Demo,
    sessions: Sessions<AnyStore>,
    wechat: Arc<FakeWeChat>,
    idle_timeout: Duration,
    state: Arc<Mutex<Condition>>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Condition {
    store: StoreState,
    wechat: WeChatState,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum StoreState {
    #[default]
    Up,
    Down,
    Full,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WeChatState {
    #[default]
    Ok,
    Busy,
    Limited,
    Blocked,
    Slow,
}

impl Stage {
    fn set(&self, change: impl FnOnce(&mut Condition)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn condition(&self) -> Condition {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The live sessions; `None` if the store does not tell.
    async fn live(&self) -> Option<Vec<Shown>> {
        let mut live = Vec::new();
        for user in self.demo.users.all() {
            let sessions = self.sessions.list(&user).await.ok()?;
            live.extend(sessions.iter().map(|session| Shown {
                id: session.id(),
                openid: session.openid().to_owned(),
                issued_at: unix_seconds(session.issued_at()),
                idle_expires_at: unix_seconds(session.idle_expires_at()),
                expires_at: unix_seconds(session.expires_at()),
            }));
        }
        Some(live)
    }
}

/// A live session, in Unix seconds of the demo's clock.
#[derive(Serialize)]
struct Shown {
    id: SessionId,
    openid: String,
    issued_at: u64,
    idle_expires_at: u64,
    expires_at: u64,
}

#[derive(Serialize)]
struct Told {
    now: u64,
    #[serde(flatten)]
    condition: Condition,
    exchanges: u64,
    cached: u64,
    sessions: Option<Vec<Shown>>,
}

async fn tell(State(stage): State<Stage>) -> Json<Told> {
    Json(Told {
        now: stage.demo.clock.now().as_millis() / 1000,
        condition: stage.condition(),
        exchanges: stage.wechat.exchanges(),
        cached: stage.sessions.cached(),
        sessions: stage.live().await,
    })
}

#[derive(Deserialize)]
struct Span {
    seconds: u64,
}

async fn advance(State(stage): State<Stage>, Json(span): Json<Span>) -> StatusCode {
    if span.seconds > A_YEAR {
        return StatusCode::BAD_REQUEST;
    }
    stage.demo.clock.advance(Duration::from_secs(span.seconds));
    StatusCode::NO_CONTENT
}

async fn idle_out(State(stage): State<Stage>) -> StatusCode {
    // A use counts for up to a tenth longer.
    let longest = stage.idle_timeout.saturating_mul(11) / 10;
    stage.demo.clock.advance(longest + Duration::from_secs(1));
    StatusCode::NO_CONTENT
}

async fn kick_out(State(stage): State<Stage>) -> Result<StatusCode, Rejection> {
    for user in stage.demo.users.all() {
        stage.sessions.kick_out(&user).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct New<T> {
    state: T,
}

async fn set_store(State(stage): State<Stage>, Json(new): Json<New<StoreState>>) -> StatusCode {
    let chaos = &stage.demo.chaos;
    chaos.calm();
    match new.state {
        StoreState::Up => {}
        StoreState::Down => {
            chaos.fail(100);
            chaos.cut_links();
        }
        StoreState::Full => chaos.refuse_writes(),
    }
    stage.set(|condition| condition.store = new.state);
    StatusCode::NO_CONTENT
}

async fn set_wechat(State(stage): State<Stage>, Json(new): Json<New<WeChatState>>) -> StatusCode {
    stage.wechat.fail_all(match new.state {
        WeChatState::Ok => None,
        WeChatState::Busy => Some(Fault::Busy),
        WeChatState::Limited => Some(Fault::Limited),
        WeChatState::Blocked => Some(Fault::Blocked),
        WeChatState::Slow => Some(Fault::Slow),
    });
    stage.set(|condition| condition.wechat = new.state);
    StatusCode::NO_CONTENT
}
