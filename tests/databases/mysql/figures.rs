//! How much a server does in a second. Printed, not compared: `cargo test --release --features mysql,test-util
//! --test databases mysql::figures -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tower_wx_session::store::{
    Insert, MySqlStore, Record, Revoke, RevokeReason, SessionStore, Touch,
};
use tower_wx_session::{Identity, SessionId};

use crate::support::mariadb::{MariaDb, store};

const HOUR: Duration = Duration::from_secs(3600);
const SESSIONS: usize = 6000;

fn new_session(number: usize) -> (SessionId, Identity) {
    let user = Identity::new(
        "wx4f4bc4dec97d474b",
        format!("oGZUI0egBJY1zhBYw2KhdUf{number:05}"),
    );
    let mut id = [0; 18];
    id[..2].copy_from_slice(&user.bucket());
    for (at, byte) in id[2..].iter_mut().enumerate() {
        *byte = (number >> (at % 8)) as u8 ^ (at as u8).wrapping_mul(31) ^ (number % 251) as u8;
    }
    id[10..18].copy_from_slice(&(number as u64).to_be_bytes());
    (SessionId::from_bytes(id), user)
}

/// Has so many tasks do something with each session, and prints what that comes to.
async fn measure<F, A>(
    what: &str,
    tasks: usize,
    sessions: &Arc<Vec<(SessionId, Identity)>>,
    operate: F,
) where
    F: Fn(SessionId, Identity) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send,
{
    let start = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (sessions, operate) = (Arc::clone(sessions), operate.clone());
        running.spawn(async move {
            let mut took = Vec::new();
            for (id, user) in sessions.iter().skip(task).step_by(tasks) {
                let start = Instant::now();
                operate(*id, user.clone()).await;
                took.push(start.elapsed());
            }
            took
        });
    }
    let mut took: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    let per_second = took.len() as f64 / start.elapsed().as_secs_f64();
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    println!("{what:>12} {tasks:>3} in flight: {per_second:>8.0} per second, p99 {p99:.2?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "only measures"]
async fn operations_per_second() {
    let server = MariaDb::start().await;
    let url = server.database().await;
    let store = store(&url);
    let now = store.now().await.unwrap();
    for (round, tasks) in [1, 8, 64].into_iter().enumerate() {
        let count = if tasks == 1 { SESSIONS / 4 } else { SESSIONS };
        let first = round * SESSIONS;
        let sessions: Vec<_> = (first..first + count).map(new_session).collect();
        let sessions = Arc::new(sessions);
        let with = || store.clone();
        let s = with();
        measure("issue", tasks, &sessions, move |id, user| {
            let s = s.clone();
            async move {
                let record = Record::issued(user, now, 24 * HOUR, HOUR, None);
                s.insert(Insert::new(id, record)).await.unwrap();
            }
        })
        .await;
        let s = with();
        measure("load", tasks, &sessions, move |id, _| {
            let s = s.clone();
            async move {
                s.load(id).await.unwrap();
            }
        })
        .await;
        let s = with();
        let used = now.after(Duration::from_millis(1));
        measure("touch", tasks, &sessions, move |id, _| {
            let s = s.clone();
            async move {
                let deadline = s.touch(Touch::new(id, used, HOUR / 10)).await.unwrap();
                assert!(deadline.is_some());
            }
        })
        .await;
        let s: MySqlStore = with();
        measure("revoke", tasks, &sessions, move |id, _| {
            let s = s.clone();
            async move {
                let revoked = s.revoke(Revoke::new(id, RevokeReason::LoggedOut)).await;
                assert_eq!(revoked.unwrap(), [id]);
            }
        })
        .await;
        let s = with();
        let capped: Vec<_> = (first..first + count / 2)
            .map(|n| new_session(1_000_000 + n))
            .collect();
        measure("capped issue", tasks, &Arc::new(capped), move |id, user| {
            let s = s.clone();
            async move {
                let record = Record::issued(user, now, 24 * HOUR, HOUR, None);
                let mut insert = Insert::new(id, record);
                insert.cap = Some(5);
                s.insert(insert).await.unwrap();
            }
        })
        .await;
    }
}
