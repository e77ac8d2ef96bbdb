//! Public types can be shared between threads and held across await points.

use tower_wx_session::login::{
    CheckError, CloudHosting, CodePolicy, ExchangeError, Exchanged, Login, LoginFuture, Platforms,
    Refusal, Validity,
};
use tower_wx_session::response::Preset;
use tower_wx_session::sessions::{
    Issued, KeyCheckPolicy, NewSession, SessionKeyError, SessionKeys, SessionsBuilder,
};
use tower_wx_session::store::{
    AnyStore, Feed, FeedSender, Insert, Loaded, MemoryStore, Record, Revoke, Rotate, StoreError,
};
use tower_wx_session::{
    Identity, Rejection, ResponseBody, ResponseFuture, Session, SessionId, SessionKey,
    SessionLayer, SessionService, SessionToken, Sessions, TokenSource,
};

fn assert_send_sync<T: Send + Sync>() {}
fn assert_send<T: Send>() {}

type Inner = tower::util::BoxCloneSyncService<
    http::Request<()>,
    http::Response<()>,
    std::convert::Infallible,
>;

#[test]
fn public_types_are_send_and_sync() {
    assert_send_sync::<Sessions<AnyStore>>();
    assert_send_sync::<SessionsBuilder<MemoryStore>>();
    assert_send_sync::<SessionLayer<MemoryStore>>();
    assert_send_sync::<SessionService<Inner, MemoryStore>>();
    assert_send_sync::<ResponseBody<()>>();
    assert_send_sync::<Login<MemoryStore, ()>>();
    assert_send_sync::<(Session, SessionId, SessionKey, SessionToken, Identity)>();
    assert_send_sync::<(Rejection, Preset, TokenSource, Refusal)>();
    assert_send_sync::<(Issued, NewSession, SessionKeys, SessionKeyError)>();
    assert_send_sync::<(Platforms, CodePolicy, CloudHosting)>();
    assert_send_sync::<(KeyCheckPolicy, Validity, CheckError)>();
    assert_send_sync::<(Exchanged, ExchangeError, StoreError)>();
    assert_send_sync::<(Insert, Loaded, Record, Revoke, Rotate, Feed, FeedSender)>();
}

#[cfg(feature = "crypto")]
#[test]
fn the_types_of_open_data_are_send_and_sync() {
    use tower_wx_session::open_data::{OpenData, OpenDataError, PhoneNumber, UserInfo, WeRun};

    assert_send_sync::<(OpenData, OpenDataError, PhoneNumber, UserInfo, WeRun)>();
}

#[cfg(feature = "wechat")]
#[test]
fn the_types_of_wechat_are_send_and_sync() {
    use tower_wx_session::wechat::{
        AccessToken, ApiError, EncryptionKey, MultiEnd, MultiEndUser, PhoneNumber, ResetError,
        WeChat,
    };

    assert_send_sync::<(WeChat, MultiEnd, AccessToken, EncryptionKey)>();
    assert_send_sync::<(MultiEndUser, PhoneNumber, ApiError, ResetError)>();
}

#[cfg(feature = "redis")]
#[test]
fn the_types_of_redis_are_send_and_sync() {
    use tower_wx_session::store::{RedisConfigError, RedisStore, RedisStoreBuilder};

    assert_send_sync::<(RedisStore, RedisStoreBuilder, RedisConfigError)>();
}

#[test]
fn futures_are_send_although_the_inner_ones_need_not_be_sync() {
    assert_send::<ResponseFuture<Inner, (), MemoryStore>>();
    assert_send::<LoginFuture>();
}
