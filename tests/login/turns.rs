//! Many logins at once wait for their turn, and none without end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tower_wx_session::login::Login;
use tower_wx_session::test_util::ManualClock;

use super::answer::{assert_refused, assert_rejected};
use super::moody::{begin, log_in_at, moody};
use crate::support::Op;
use crate::support::golden::{LOGIN, golden};
use crate::support::http::Answer;
use crate::support::world::{App, Gateway, SECOND, World, until, within_ten_seconds};

/// An application whose exchanges wait at a gateway.
pub async fn behind_gateway(world: &World) -> (App, Gateway) {
    let gateway = Gateway::start(&world.fake).await;
    let wechat = world.wechat().with_base_url(&gateway.url()).unwrap();
    let wechat = wechat.with_timeout(20 * SECOND);
    let login = Login::new(world.sessions.clone(), wechat);
    (world.start_with(world.layer(), login).await, gateway)
}

#[track_caller]
fn assert_too_busy(answer: &Answer) -> u64 {
    let row = golden(LOGIN, "provider unavailable");
    assert_eq!((answer.status, &*answer.body), (row.status, row.json));
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3..=6).contains(&wait), "{wait}");
    wait
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exchange_after_the_64th_in_flight_waits_for_its_turn() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    let log_in = |code: String| tokio::spawn(Answer::to(app.post_code(&code)));
    let running: Vec<_> = (0..64)
        .map(|turn| log_in(format!("user-{turn}:1")))
        .collect();
    gateway.wait_for(64).await;

    let asked = world.store.calls(Op::Now);
    let waiting = log_in("alice:1".to_owned());
    until(|| world.store.calls(Op::Now) > asked).await;
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
    gateway.open();
    for login in running {
        login.await.unwrap().token();
    }
    within_ten_seconds(waiting).await.unwrap().token();
    assert_eq!(world.fake.exchanges(), 65);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_spent_if_the_store_goes_down_while_it_waits_for_its_turn() {
    let world = World::new().await;
    let gateway = Gateway::start(&world.fake).await;
    let wechat = world.wechat().with_base_url(&gateway.url()).unwrap();
    let login = Login::new(world.sessions.clone(), wechat).with_exchanges_in_flight(1);
    let app = world.start_with(world.layer(), login).await;
    let running = tokio::spawn(Answer::to(app.post_code("bob:1")));
    gateway.wait_for(1).await;

    let asked = world.store.calls(Op::Now);
    let waiting = tokio::spawn(Answer::to(app.post_code("alice:1")));
    until(|| world.store.calls(Op::Now) > asked).await;
    world.outage.of_all();
    gateway.open();
    for login in [running, waiting] {
        let refusal = within_ten_seconds(login).await.unwrap();
        assert_refused(&refusal, golden(LOGIN, "store down"));
    }
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_leave_no_exchange_taken() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    for round in 0..2 {
        let logins: Vec<_> = (0..64)
            .map(|turn| tokio::spawn(Answer::to(app.post_code(&format!("user-{turn}:{round}")))))
            .collect();
        gateway.wait_for(64 * (round + 1)).await;
        logins.iter().for_each(tokio::task::JoinHandle::abort);
        if round == 0 {
            gateway.open();
            until(|| world.store.calls(Op::Insert) == 64).await;
        }
    }
    until(|| world.store.calls(Op::Insert) == 128).await;
    app.log_in("alice:1").await.token();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_users_log_in_at_the_same_time() {
    let world = World::new().await;
    let app = Arc::new(world.start().await);
    let logins: Vec<_> = (0..45)
        .map(|user| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                let token = app.log_in(&format!("user-{user}:1")).await.token();
                (app.me(&token).await.body, token)
            })
        })
        .collect();
    let (mut openids, mut tokens) = (HashSet::new(), HashSet::new());
    for login in logins {
        let (openid, token) = login.await.unwrap();
        openids.insert(openid);
        tokens.insert(token);
    }
    assert_eq!((openids.len(), tokens.len()), (45, 45));
    assert_eq!(world.fake.exchanges(), 45);
}

#[tokio::test(start_paused = true)]
async fn exchanges_that_hang_end_by_the_deadline_and_free_their_places() {
    let login = moody(&ManualClock::new());
    let started = Instant::now();
    let hanging: Vec<_> = (0..64)
        .map(|turn| {
            let login = login.clone();
            tokio::spawn(async move { log_in_at(&login, &format!("hang-{turn}")).await })
        })
        .collect();
    tokio::time::sleep(SECOND).await;
    let unavailable = golden(LOGIN, "provider unavailable");
    assert_too_busy(&log_in_at(&login, "alice").await);
    assert_eq!(started.elapsed().as_secs(), 6);
    // Who joins an attempt waits no longer than it lasts.
    assert_refused(&log_in_at(&login, "hang-0").await, unavailable);
    for hanging in hanging {
        assert_refused(&hanging.await.unwrap(), unavailable);
    }
    let took = started.elapsed();
    assert!(
        took >= 10 * SECOND && took < 10 * SECOND + Duration::from_millis(10),
        "{took:?}"
    );

    log_in_at(&login, "alice").await.token();
    assert_rejected(&log_in_at(&login, "hang-0").await);
}

#[tokio::test(start_paused = true)]
async fn six_hundred_clients_at_once_are_all_served() {
    let login = moody(&ManualClock::new());
    let started = Instant::now();
    let mut logins = Vec::new();
    for client in 0..600 {
        let code = format!("takes-200-{client}");
        logins.extend(begin(&login, [code].into_iter()).await);
    }
    let mut refused = 0;
    for login in logins {
        refused += usize::from(login.await.unwrap().status != 200);
    }
    assert_eq!(refused, 0, "of 600");
    let took = started.elapsed();
    assert!(took < 3 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn whose_turn_does_not_come_is_told_to_come_back_and_not_all_at_once() {
    let login = moody(&ManualClock::new()).with_exchanges_in_flight(1);
    let _hanging = begin(&login, ["hang".to_owned()].into_iter()).await;
    let started = Instant::now();
    let waiting = begin(&login, (0..4096).map(|client| client.to_string())).await;

    // Nobody waits in vain where too many do already.
    assert_too_busy(&log_in_at(&login, "one more").await);
    assert!(started.elapsed() < SECOND);

    let mut waits = HashMap::new();
    for login in waiting {
        let wait = assert_too_busy(&login.await.unwrap());
        *waits.entry(wait).or_insert(0) += 1;
    }
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(
        waits.len() == 4 && waits.values().all(|count| *count > 800),
        "{waits:?}"
    );

    tokio::time::sleep(5 * SECOND).await;
    for code in ["0", "4095", "one more"] {
        log_in_at(&login, code).await.token();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_without_end_is_fine() {
    let login = moody(&ManualClock::new()).with_deadline(Duration::MAX);
    log_in_at(&login, "alice").await.token();
}
