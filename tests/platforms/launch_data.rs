//! Launch data in the hands of `Login`: its age, and that it logs in once.

use std::error::Error;
use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_wx_session::login::{IdentityProvider, Login, LoginRequest};
use tower_wx_session::platform::{Telegram, Vk};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::{FakeTelegram, FakeVk, ManualClock};

use crate::support::golden::{LOGIN, golden};
use crate::support::http::Answer;
use crate::support::languages::{answers_to, python_program};
use crate::support::nodes::node;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Two nodes on one store, where users of a platform log in.
struct Fleet<P> {
    clock: ManualClock,
    nodes: [Login<MemoryStore, P>; 2],
}

impl<P: IdentityProvider + Clone> Fleet<P> {
    fn new(provider: &P) -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::with_clock(clock.clone());
        let login = || Login::new(node(&store, &clock), provider.clone());
        let nodes = [login(), login()];
        Self { clock, nodes }
    }

    async fn log_in(&self, code: &str) -> Answer {
        log_in_at(&self.nodes[0], code).await
    }

    async fn log_in_at_the_other(&self, code: &str) -> Answer {
        log_in_at(&self.nodes[1], code).await
    }
}

async fn log_in_at<P: IdentityProvider>(login: &Login<MemoryStore, P>, code: &str) -> Answer {
    let request = Request::post("/").body(json!({ "code": code }).to_string());
    let response = login.clone().oneshot(request.unwrap()).await.unwrap();
    Answer::read(response.map(reqwest::Body::wrap).into()).await
}

#[track_caller]
fn assert_rejected(answer: &Answer) {
    let row = golden(LOGIN, "code rejected");
    assert_eq!((answer.status, &*answer.body), (row.status, row.json));
}

/// Fleets of both platforms, and what signs launch data by their clock.
fn telegram() -> (Fleet<Telegram>, impl Fn(&Fleet<Telegram>, &str) -> String) {
    let fake = FakeTelegram::new();
    let fleet = Fleet::new(&Telegram::new(fake.bot_token()).unwrap());
    (fleet, move |fleet, name| {
        fake.init_data_at(name, fleet.clock.now().into())
    })
}

fn vk() -> (Fleet<Vk>, impl Fn(&Fleet<Vk>, &str) -> String) {
    let fake = FakeVk::new();
    let fleet = Fleet::new(&Vk::new(fake.appid(), fake.secure_key()));
    (fleet, move |fleet, name| {
        fake.launch_query_at(name, fleet.clock.now().into())
    })
}

async fn logs_in_once<P: IdentityProvider + Clone>(
    fleet: &Fleet<P>,
    sign: impl Fn(&Fleet<P>, &str) -> String,
) {
    let data = sign(fleet, "alice");
    let first = fleet.log_in(&data).await;
    assert_eq!(first.status, 200, "{}", first.body);

    fleet.clock.advance(4 * SECOND);
    let repeated = fleet.log_in(&data).await;
    assert_eq!(repeated.token(), first.token());

    fleet.clock.advance(2 * SECOND);
    assert_rejected(&fleet.log_in(&data).await);

    let next = fleet.log_in(&sign(fleet, "alice")).await;
    assert_ne!(next.token(), first.token());
}

async fn is_good_for_an_hour<P: IdentityProvider + Clone>(
    fleet: &Fleet<P>,
    sign: impl Fn(&Fleet<P>, &str) -> String,
) {
    let [alice, bob] = ["alice", "bob"].map(|name| sign(fleet, name));
    fleet.clock.advance(HOUR - SECOND);
    assert_eq!(fleet.log_in(&alice).await.status, 200);
    fleet.clock.advance(SECOND);
    assert_rejected(&fleet.log_in(&bob).await);
}

/// The same content in other words, and at another node.
async fn logs_in_once_however_it_is_written<P: IdentityProvider + Clone>(
    fleet: &Fleet<P>,
    sign: impl Fn(&Fleet<P>, &str) -> String,
    other_words: &[fn(&str) -> String],
) {
    let data = sign(fleet, "alice");
    assert_eq!(fleet.log_in(&data).await.status, 200);
    assert_rejected(&fleet.log_in_at_the_other(&data).await);
    for words in other_words {
        assert_rejected(&fleet.log_in(&words(&data)).await);
        assert_rejected(&fleet.log_in_at_the_other(&words(&data)).await);
    }
    // For as long as it is taken at all.
    fleet.clock.advance(HOUR - SECOND);
    assert_rejected(&fleet.log_in_at_the_other(&data).await);
}

fn with_an_ampersand_at_the_end(data: &str) -> String {
    format!("{data}&")
}

fn last_field_first(data: &str) -> String {
    let (rest, last) = data.rsplit_once('&').unwrap();
    format!("{last}&{rest}")
}

fn with_more_escapes(data: &str) -> String {
    data.replace('r', "%72")
}

#[tokio::test]
async fn launch_data_of_telegram_logs_in_once() {
    let (fleet, sign) = telegram();
    logs_in_once(&fleet, sign).await;
}

#[tokio::test]
async fn launch_parameters_of_vk_log_in_once() {
    let (fleet, sign) = vk();
    logs_in_once(&fleet, sign).await;
}

#[tokio::test]
async fn launch_data_of_telegram_is_good_for_an_hour() {
    let (fleet, sign) = telegram();
    is_good_for_an_hour(&fleet, sign).await;
}

#[tokio::test]
async fn launch_parameters_of_vk_are_good_for_an_hour() {
    let (fleet, sign) = vk();
    is_good_for_an_hour(&fleet, sign).await;
}

#[tokio::test]
async fn launch_data_of_telegram_logs_in_once_however_it_is_written() {
    let (fleet, sign) = telegram();
    let other_words: &[fn(&str) -> String] = &[
        with_an_ampersand_at_the_end,
        last_field_first,
        with_more_escapes,
        |data| format!("tma {data}"),
    ];
    logs_in_once_however_it_is_written(&fleet, sign, other_words).await;
}

#[tokio::test]
async fn launch_parameters_of_vk_log_in_once_however_they_are_written() {
    let (fleet, sign) = vk();
    let other_words: &[fn(&str) -> String] = &[
        with_an_ampersand_at_the_end,
        last_field_first,
        with_more_escapes,
        |data| format!("?{data}"),
        |data| format!("{data}&utm_source=x"),
    ];
    logs_in_once_however_it_is_written(&fleet, sign, other_words).await;
}

#[tokio::test]
async fn a_fake_takes_a_name_for_launch_data_and_each_code_once() {
    let fleet = Fleet::new(&FakeTelegram::new());
    takes_names(&fleet).await;
    let fleet = Fleet::new(&FakeVk::new());
    takes_names(&fleet).await;
}

async fn takes_names<P: IdentityProvider + Clone>(fleet: &Fleet<P>) {
    let first = fleet.log_in("alice:1").await;
    let second = fleet.log_in("alice:2").await;
    assert_ne!(first.token(), second.token());
    fleet.clock.advance(6 * SECOND);
    for code in ["alice:1", "broken:1", "old:1", ":1", "alice"] {
        assert_rejected(&fleet.log_in(code).await);
    }
}

#[tokio::test]
async fn no_key_and_no_launch_data_is_shown_by_anything() {
    let (bot_token, secure_key) = ("7:cAnArY-token", "cAnArY-key");
    let telegram = Telegram::new(bot_token).unwrap();
    let vk = Vk::new("7", secure_key);
    let data = "user=cAnArY&auth_date=1&vk_app_id=7&vk_ref=cAnArY&hash=cAnArY&sign=cAnArY&x=cAnArY";
    let request = LoginRequest::new("7", data);
    let refused = [
        telegram.exchange(request).await.unwrap_err(),
        vk.exchange(request).await.unwrap_err(),
    ];
    let bad_token = Telegram::new("7:cAnArY token").unwrap_err();
    let mut texts = vec![
        format!("{telegram:?} {vk:?} {request:?}"),
        format!("{bad_token} {bad_token:?}"),
        format!("{:?} {:?}", FakeTelegram::new(), FakeVk::new()),
        format!("{:?} {:?}", fleet_of(&telegram), fleet_of(&vk)),
    ];
    texts.extend(refused.map(|error| format!("{error} {error:?} {:?}", error.source())));
    for text in texts {
        assert!(!text.contains("cAnArY"), "{text}");
    }
}

fn fleet_of<P: IdentityProvider + Clone>(provider: &P) -> [Login<MemoryStore, P>; 2] {
    Fleet::new(provider).nodes
}

#[tokio::test]
async fn what_the_fakes_sign_is_taken_by_published_packages() {
    let (telegram, vk) = (FakeTelegram::new(), FakeVk::new());
    let (data, query) = (telegram.init_data("alice"), vk.launch_query("alice"));
    let id = |openid: String| openid.parse::<u64>().unwrap();
    let (alice, public_key) = (id(telegram.openid("alice")), hex(&telegram.public_key()));
    let order = json!({
        "telegram": {
            "token": telegram.bot_token(),
            "bot_id": id(telegram.appid().to_owned()),
            "public_key": public_key,
            "check": [data, data.replace("alice", "mallory")],
        },
        "vk": {
            "app_id": id(vk.appid().to_owned()),
            "secure_key": vk.secure_key(),
            "check": [query, query.replace("vk_is_app_user=1", "vk_is_app_user=0")],
        },
    });
    let users = answers_to(python_program("launch.py"), &order).await;
    let vk_alice = id(vk.openid("alice"));
    let expected = json!([alice, alice, null, null, vk_alice, null]);
    assert_eq!(Value::from(users), expected);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn launch_data_of_any_age_logs_in_once_too() {
    let fake = FakeTelegram::new();
    let telegram = Telegram::new(fake.bot_token())
        .unwrap()
        .with_max_age(Duration::MAX);
    let fleet = Fleet::new(&telegram);
    let data = fake.init_data_at("alice", std::time::UNIX_EPOCH + SECOND);
    assert_eq!(fleet.log_in(&data).await.status, 200);
    fleet.clock.advance(10_000 * HOUR);
    assert_rejected(&fleet.log_in(&data).await);
    assert_rejected(&fleet.log_in_at_the_other(&data).await);
}
