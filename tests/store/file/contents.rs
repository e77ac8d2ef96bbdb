use std::time::Duration;

use tower_wx_session::store::{
    FileStore, Insert, Loaded, PutSessionKey, Record, SessionStore, StoreError, TagKey, Timestamp,
};
use tower_wx_session::{Identity, SessionId};

const IDLE: Duration = Duration::from_secs(7200);
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
const PER_USER: u32 = 3;

/// The session of this number; three of each user follow each other.
pub fn id(number: u32) -> SessionId {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&user(number).bucket());
    // As mixed as digests are.
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    bytes[2..].copy_from_slice(&mixed.to_be_bytes());
    SessionId::from_bytes(bytes)
}

pub fn user(number: u32) -> Identity {
    Identity::new("wxappid", format!("openid-{}", number / PER_USER))
}

pub fn record(number: u32, now: Timestamp) -> Record {
    Record::issued(user(number), now, LIFETIME, IDLE, None)
}

pub async fn fill(store: &FileStore, numbers: std::ops::Range<u32>) {
    let now = store.now().await.unwrap();
    let mut inserts = tokio::task::JoinSet::new();
    for number in numbers {
        let (store, record) = (store.clone(), record(number, now));
        inserts.spawn(async move {
            let kept = store.insert(Insert::new(id(number), record)).await;
            kept.unwrap();
            let key = number.to_be_bytes().to_vec();
            let put = PutSessionKey::new(user(number), key, [number as u8; 16], LIFETIME, LIFETIME);
            store.put_session_key(put).await.unwrap();
        });
    }
    inserts.join_all().await;
}

/// All that can be read of sessions `0..count`, each with its question.
pub async fn read(store: &FileStore, count: u32) -> Vec<Result<Answer, StoreError>> {
    let mut answers = Vec::new();
    for number in 0..count {
        answers.push(store.load(id(number)).await.map(Answer::Session));
    }
    for number in (0..count).step_by(PER_USER as usize) {
        answers.push(store.list(user(number)).await.map(Answer::List));
        let keys = store.session_keys(user(number)).await;
        answers.push(keys.map(Answer::Keys));
    }
    let offer = TagKey::new(0, [0; 16]);
    answers.push(store.tag_keys(offer).await.map(Answer::TagKeys));
    answers
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Session(Loaded),
    List(Vec<(SessionId, Record)>),
    Keys(Vec<Vec<u8>>),
    TagKeys(Vec<TagKey>),
}
