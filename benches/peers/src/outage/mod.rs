//! Latency while Redis is killed, is gone, and comes back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, StatusCode};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tower::{Layer, ServiceExt, service_fn};
use tower_wx_session::store::RedisStore;
use tower_wx_session::{SessionLayer, SessionService, Sessions};

use self::timeline::{Kind, Seen, Timeline};
use crate::Outcome;
use crate::contender::{Answer, ours};
use crate::redis_server::RedisServer;
use crate::runtime::runtime;
use crate::user::identity;

mod timeline;

/// When Redis is killed, when it is started again, and when all ends.
const KILLED: Duration = Duration::from_secs(3);
const RESTARTED: Duration = Duration::from_secs(6);
const OVER: Duration = Duration::from_secs(10);

/// Sessions that the node knows.
const KNOWN: usize = 1_000;
/// Between two requests of a kind.
const PACE: Duration = Duration::from_millis(1);
/// Sessions that the node has not seen: one for each request of that kind.
const UNKNOWN: usize = 10_500;
/// Logins at the same time.
const AT_ONCE: usize = 50;

type Handler = fn(Request<Bytes>) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;
type Service = SessionService<tower::util::ServiceFn<Handler>, RedisStore>;

pub(crate) fn run() -> Outcome {
    let mut server = RedisServer::start(&["--appendonly", "yes"])?;
    let timeline = runtime().block_on(measure(&mut server))?;
    timeline.report(KILLED..RESTARTED)
}

async fn measure(server: &mut RedisServer) -> Result<Timeline, Box<dyn std::error::Error>> {
    let sessions = node(server)?;
    let known = log_in(&sessions, KNOWN).await?;
    let unknown = log_in(&node(server)?, UNKNOWN).await?;
    let handler: Handler = |request| Box::pin(ours::handler(request));
    let service = SessionLayer::new(sessions).layer(service_fn(handler));
    let (seen, mut all_seen) = mpsc::unbounded_channel();
    let start = Instant::now();
    for (kind, clients) in [(Kind::Known, known), (Kind::Unknown, unknown)] {
        tokio::spawn(load(service.clone(), kind, clients, start, seen.clone()));
    }
    drop(seen);
    sleep_until(start + KILLED).await;
    server.kill();
    sleep_until(start + RESTARTED).await;
    server.restart()?;
    let mut timeline = Timeline::default();
    while let Some(seen) = all_seen.recv().await {
        timeline.add(seen);
    }
    Ok(timeline)
}

fn node(server: &RedisServer) -> Result<Sessions<RedisStore>, Box<dyn std::error::Error>> {
    let store = RedisStore::builder(&server.url()).build()?;
    Ok(Sessions::new(store))
}

async fn log_in(
    sessions: &Sessions<RedisStore>,
    many: usize,
) -> Result<Vec<HeaderValue>, Box<dyn std::error::Error>> {
    // The first one alone, so that there are keys for the tokens of the others.
    sessions.issue(identity(many)).await?;
    let tasks = (0..AT_ONCE).map(|task| {
        let sessions = sessions.clone();
        tokio::spawn(async move {
            let mut issued = Vec::new();
            for user in (task..many).step_by(AT_ONCE) {
                issued.push(sessions.issue(identity(user)).await);
            }
            issued
        })
    });
    let mut headers = Vec::with_capacity(many);
    for task in tasks.collect::<Vec<_>>() {
        for issued in task.await? {
            let credentials = format!("Bearer {}", issued?.token().expose());
            headers.push(HeaderValue::try_from(credentials)?);
        }
    }
    Ok(headers)
}

/// Sends a request at every tick, whether the ones before are answered or not.
async fn load(
    service: Service,
    kind: Kind,
    clients: Vec<HeaderValue>,
    start: Instant,
    seen: UnboundedSender<Seen>,
) {
    let service = Arc::new(service);
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for credentials in clients.iter().cycle() {
        ticks.tick().await;
        if start.elapsed() >= OVER {
            break;
        }
        let service = Service::clone(&service);
        let mut request = Request::new(Bytes::new());
        request
            .headers_mut()
            .insert(AUTHORIZATION, credentials.clone());
        let seen = seen.clone();
        tokio::spawn(async move {
            let sent = Instant::now();
            let status = service
                .oneshot(request)
                .await
                .map(|response| response.status());
            // Nobody listens any more only if all is over.
            let _ = seen.send(Seen {
                kind,
                at: sent - start,
                latency: sent.elapsed(),
                status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            });
        });
    }
}
