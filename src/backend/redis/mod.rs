use std::fmt;

use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

mod builder;
mod loads;
mod logins;
mod piecewise;
mod runs;
mod scripts;
mod servers;
mod tag_keys;
mod wire;

pub use self::builder::RedisStoreBuilder;
use self::servers::link;
use self::servers::router::Router;
use self::servers::settings::Settings;
use self::wire::answer::{ended, inserted, rotated, touched};
use self::wire::keys::{Keys, bucket_slot};
use self::wire::reply::{bytes, items};
use self::wire::session_key;
pub use crate::config_error::ConfigError as RedisConfigError;

/// Keeps sessions in Redis (6.2 or later) or Valkey, for any number of processes.
///
/// | URL | servers |
/// |---|---|
/// | `redis://[user:password@]host[:port][/database]` | one |
/// | `redis+sentinel://host[:port],host[:port]/service[/database]` | whichever the Sentinels name |
/// | `redis+cluster://host[:port],host[:port][/database]` | a Cluster, found through any of its servers |
///
/// User and password go before the hosts, percent-encoded, in each form; with `rediss` instead of
/// `redis` all connections are encrypted. A database other than 0 in a Cluster takes Valkey 9 with
/// `cluster-databases`, or a service that has the like.
///
/// **Two projects on one database need a [prefix](RedisStoreBuilder::prefix) each**, or each takes the
/// other's tokens: what they share is one set of sessions, as it has to be for the nodes of one.
///
/// 1. A load is one `GET`. While eight are under way over a connection, or two of the following, those that come
///    go together, up to 32 as one `MGET`; in a Cluster, and where that is refused, as so many `GET`s at once. So do
///    logins that concern no other session, as one run of a script, where a server says over RESP3 that it
///    is no part of a Cluster and the first of them are found where each is looked for. Everything else
///    that concerns sessions is a script in one slot of a Cluster, with every key it touches among its
///    `KEYS`. It runs again where it needs others than it was given: what concerns all sessions of a user
///    is two runs, and so is a rotation. A use is written by one run, and a second one keeps the session
///    in its user's index. Keys stand in the scripts as `KEYS[n]`, with a number or a variable
///    as the index, and Lua may be 5.1 or 5.4.
/// 2. Names of keys hold digests, never a token or an openid. The records name the user.
/// 3. Every key expires by itself but `{prefix}:tag-key` and its four copies, which are spread over
///    a Cluster: nodes that start while a master is down find the keys of the tokens' tags there. A
///    session's does 6 hours after its idle deadline (one idle timeout, if that is longer), at most
///    one idle timeout after its absolute end: until then a late use counts.
/// 4. Nothing connects before the first operation. While the servers are down operations fail;
///    they work again by themselves. No operation is sent twice unless it was refused.
/// 5. A link has a connection of its own to every master, and a heartbeat every 500 ms that fails
///    where one is no master any more. Over RESP2, and where one address stands for several masters, it
///    has two, one of which only hears messages: each heartbeat publishes a probe behind the changes of
///    each master, and counts once all of them are heard.
/// 6. Each master of a Cluster is a part of its own: while it is down, its users get 503 or pass as
///    [`OutagePolicy`](crate::sessions::OutagePolicy) says, and the others' do not notice; a node
///    that starts meanwhile serves them. But there is no link then, because it needs every master:
///    nodes confirm sessions after 3 s instead of 30 s, each at its own master.
///
/// For this a Cluster needs `cluster-require-full-coverage no`: by default all masters refuse all
/// commands until a replica has taken the place of the dead one. Each master announces its changes to
/// all others; see [`announce_per_master`](RedisStoreBuilder::announce_per_master).
///
/// It speaks RESP3 with servers that do, and RESP2 with the others, which need not know HELLO, CLIENT,
/// ACL or RESET. A proxy may stand for a whole Cluster with its one address, and bring each command
/// to the right master by itself. All masters are one part then: while one is down, its users'
/// failures may have the others wait, too. A link proves at each heartbeat that it hears every one
/// of them, and `announce_per_master` means nothing.
///
/// The server must not evict (`maxmemory-policy noeviction`); there is a warning where it may. A
/// record that is evicted logs its client out, and forgets that a session was revoked together
/// with the session. The index that is evicted hides a user's sessions from
/// [`list`](crate::Sessions::list), from caps and from whatever ends them all
/// ([`revoke_user`](crate::Sessions::revoke_user), [`revoke_others`](crate::Sessions::revoke_others)):
/// each one comes back into it with the next use that is written, at most a tenth of the idle
/// timeout later, and one that is not used again lives on until its idle timeout.
/// [`revoke_all`](crate::Sessions::revoke_all) ends the caller's own session in any case.
///
/// While a slot of a Cluster moves the classic way, its keys are in two places, and no script gets
/// several of them. Everything goes on meanwhile: what needs several keys of a user is done in steps of
/// one key each, in an order that keeps every promise. A login, a rotation or an end of sessions takes
/// some more round trips then. Servers that are new, or were replicas, are found as soon as any other
/// names them. While a slot has no master, its users get 503, and ends of their sessions are pending.
///
/// Scripts publish what they change. Where a server does not let them, which is tried once on each
/// connection, the store publishes it after the script, on the common channel and before anything is
/// done; until it can, ends of sessions are pending and the rest fails as unavailable. A process that
/// dies between the two has answered nothing; other nodes find out when they confirm the session, at
/// most 30 s later.
///
/// Redis may lose the last writes in a failover, revocations among them. The clocks of a Cluster's
/// servers have to agree.
///
/// # What is wrong with a server
///
/// Errors, and with them the log of a node, say what to do where that is known: that the URL should begin
/// otherwise, which command the user may not run, what the TLS options lack. That a server is of another
/// kind than the URL says, or runs no scripts, is found out while connecting, and fails every operation
/// alike; a right that is missing fails those that need it.
///
/// # Rights
///
/// A user of the servers needs these rights and no others, with the [prefix](RedisStoreBuilder::prefix) of
/// the store instead of `wxs`; the scripts run most of the commands. Begin with
/// `ACL SETUSER name reset on >password`, and add:
///
/// | for | rules |
/// |---|---|
/// | every store | `resetchannels &wxs:* ~wxs:* +eval +evalsha +exists +get +getrange +hdel +hget +hmget +hset +pexpireat +pttl +publish +set +setrange +strlen +subscribe +time +zadd +zcard +zrandmember +zrange +zrem +zrevrange` |
/// | several loads as one command; without it each is a `GET` | `+mget` |
/// | a database other than 0 | `+select` |
/// | a Cluster | `+asking +cluster\|info +cluster\|slots` |
/// | a server that speaks RESP2 alone, if not `+info` | `+role` |
/// | [`announce_per_master`](RedisStoreBuilder::announce_per_master) | `+cluster\|myid` |
/// | the warning that the server may evict | `+info` |
/// | the user at the Sentinels | `+sentinel\|get-master-addr-by-name` |
///
/// ```
/// use tower_wx_session::{Sessions, store::RedisStore};
///
/// let store = RedisStore::builder("redis://localhost:6379").build()?;
/// let sessions = Sessions::builder(store).build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// Clones are handles to the same connections.
#[derive(Clone)]
pub struct RedisStore {
    keys: Keys,
    router: Router,
    announces_per_master: bool,
}

impl RedisStore {
    fn on(settings: Settings, keys: Keys, announces_per_master: bool) -> Self {
        Self {
            keys,
            router: Router::new(settings),
            announces_per_master,
        }
    }
}

impl SessionStore for RedisStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        let bucket = insert.id.bucket();
        let answer = match insert.concerns_no_other() {
            // Boxed: the futures that hold it have it in several places.
            true => Box::pin(self.add(&insert)).await?,
            false => {
                let mut call = self.calls(bucket).insert(&insert);
                self.run_unless_moving(bucket, &mut call).await?
            }
        };
        let Some(answer) = answer else {
            return Box::pin(self.insert_piecewise(&insert)).await;
        };
        let (inserted, perhaps_gone) = inserted(&answer)?;
        if !perhaps_gone.is_empty() {
            let user = &insert.record.identity;
            self.tidy(bucket, user, &perhaps_gone).await;
        }
        Ok(inserted)
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        Ok(match self.stored(id).await? {
            Some(stored) => stored.loaded(self.router.finder().clock.now()),
            None => Loaded::NeverSeen,
        })
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        let call = self.calls(touch.id.bucket()).touch(&touch);
        let answer = self.router.run(&call).await?;
        let (deadline, in_index) = touched(&answer)?;
        if let Some(kept) = in_index {
            self.keep_in_index(touch.id, kept).await;
        }
        Ok(deadline)
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let bucket = rotate.old.bucket();
        let mut call = self.calls(bucket).rotate(&rotate);
        match self.run_unless_moving(bucket, &mut call).await? {
            Some(answer) => rotated(&answer),
            None => Box::pin(self.rotate_piecewise(&rotate)).await,
        }
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let bucket = revoke.target.bucket();
        let mut call = self.calls(bucket).revoke(&revoke);
        match self.run_unless_moving(bucket, &mut call).await? {
            Some(answer) => ended(&answer),
            None => Box::pin(self.revoke_piecewise(&revoke)).await,
        }
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.sessions_of(&user).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        let call = self.calls(put.user.bucket()).put_session_key(put);
        self.router.run(&call).await.map(drop)
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        let key = self.keys.session_keys(&user);
        let mut get = redis::cmd("HMGET");
        get.arg(&key).arg(&session_key::SESSION_KEY_FIELDS);
        let answer = self.router.query(&key, &get).await?;
        let now = self.router.finder().clock.now();
        let keys = items(&answer)?.iter().filter_map(bytes);
        keys.filter_map(|kept| session_key::session_key(kept, now).transpose())
            .collect()
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        Box::pin(self.keep_tag_keys(&offer)).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.router.time().await
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        // Nothing is put at the end of nothing, so no key comes of it; but a server that is full, or
        // takes no writes, refuses it as it would any other.
        let key = self.keys.trial(bucket);
        let mut write = redis::cmd("SETRANGE");
        write.arg(&key).arg(0).arg("");
        self.router.try_writing(&key, &write).await
    }

    async fn reach(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        // Nothing is there, but only a server that serves the slot says so.
        let key = self.keys.probe(bucket);
        let mut exists = redis::cmd("EXISTS");
        exists.arg(&key);
        self.router.query(&key, &exists).await.map(drop)
    }

    fn part(&self, bucket: [u8; 2]) -> u64 {
        self.router.finder().part(bucket_slot(bucket))
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        link::open(self.router.finder()).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
