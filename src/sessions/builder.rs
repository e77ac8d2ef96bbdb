use std::fmt::Debug;
use std::time::Duration;

use super::Sessions;
use crate::config_error::ConfigError;
use crate::node::config::Config;
use crate::node::key_check_policy::KeyCheckPolicy;
use crate::node::outage_policy::OutagePolicy;
use crate::node::seal::Seal;
use crate::session::Freshness;
use crate::session_key::{AnyCheck, SessionKeyCheck};
use crate::store::SessionStore;
use crate::time::Clock;

/// Configures [`Sessions`]. Every setting has a default that suits production.
///
/// ```
/// use std::time::Duration;
/// use tower_wx_session::{Sessions, store::MemoryStore};
///
/// let sessions = Sessions::builder(MemoryStore::new())
///     .idle_timeout(Duration::from_secs(30 * 60))
///     .sessions_per_user(5)
///     .build()?;
///
/// let no_room = Sessions::builder(MemoryStore::new()).sessions_per_user(0).build();
/// assert!(no_room.is_err());
/// # Ok::<_, tower_wx_session::sessions::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct SessionsBuilder<S> {
    store: S,
    config: Config,
    /// As it was set; it goes by the grace otherwise.
    fresh_for: Option<Duration>,
    clock: Clock,
}

impl<S> SessionsBuilder<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            config: Config::default(),
            fresh_for: None,
            clock: Clock::monotonic(),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(&mut self.config);
        self
    }

    /// How long a session may go unused. Default: 2 hours.
    ///
    /// A session never used ends exactly then; one that was used, at the earliest then and at
    /// most a tenth later, because uses are written only once per tenth.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|config| config.idle_timeout = timeout)
    }

    /// How long a session lasts however much it is used. Default: 30 days.
    ///
    /// Exact to a tick of the system's clock (1 to 10 ms on Linux, usually 4) and to how well a node
    /// knows the store's.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.with(|config| config.lifetime = lifetime)
    }

    /// How long an old token stays good after a rotation, or after a login that presented it.
    /// Default: 30 seconds.
    pub fn rotation_grace(self, grace: Duration) -> Self {
        self.with(|config| config.rotation_grace = grace)
    }

    /// How many sessions a user may have: a login beyond that ends the oldest one. Default: any
    /// number, because a mini program's parallel requests log in in parallel.
    pub fn sessions_per_user(self, most: usize) -> Self {
        self.with(|config| config.sessions_per_user = Some(most))
    }

    /// How many sessions are cached in front of the store. Default: 200 000.
    ///
    /// Sessions that nobody has used for the longest of [`fresh_for`](Self::fresh_for), the same
    /// without a link and the grace of the [`outage_policy`](Self::outage_policy) (a minute at least,
    /// and by default) leave it. Of too many, the one used longest ago goes first.
    ///
    /// A cached session takes some 435 bytes (`cargo bench -p peers -- memory`). 32 to 64 of them, for at
    /// most 33 million sessions, are the table's that answers hits, and are allocated when this node is
    /// built; see the [guide](crate::guide::performance).
    pub fn cache_capacity(self, sessions: u64) -> Self {
        self.with(|config| config.cache_capacity = sessions)
    }

    /// How long a cached session is good without a read from the store, while revocations reach this
    /// node. Default: 30 seconds; at four fifths of it the session is confirmed in the background. At
    /// most the grace of the [`outage_policy`](Self::outage_policy), unless that is nothing: with a
    /// shorter grace, that is the default.
    pub fn fresh_for(self, span: Duration) -> Self {
        Self {
            fresh_for: Some(span),
            ..self
        }
    }

    /// The same while revocations may not reach this node. Default: 3 seconds.
    pub fn fresh_for_without_link(self, span: Duration) -> Self {
        self.with(|config| config.freshness.unlinked = span)
    }

    /// What becomes of known sessions while the store is unavailable. Default: they pass until 60
    /// seconds after their last confirmation.
    pub fn outage_policy(self, policy: OutagePolicy) -> Self {
        self.with(|config| config.freshness.grace = policy.grace())
    }

    /// The longest that anything waits for the store, queueing included. Default: 250 ms.
    pub fn store_deadline(self, deadline: Duration) -> Self {
        self.with(|config| config.store_deadline = deadline)
    }

    /// Reads at the same time from one part of the store, such as a master of a Cluster; more of
    /// them wait. Default: 256.
    pub fn loads_in_flight(self, most: usize) -> Self {
        self.with(|config| config.loads_in_flight = most)
    }

    /// Revocations that wait for a store that is down; one more fails. Default: 10 000.
    pub fn pending_revocations(self, most: usize) -> Self {
        self.with(|config| config.pending_revocations = most)
    }

    /// Seals the users' session_keys in the store with this key. Default: none; a store that
    /// other processes can read keeps no session_keys then.
    ///
    /// All nodes need the same key: 32 random bytes, kept like a password. With another key, what
    /// was sealed before reads as not kept until the user's next login.
    pub fn seal_key(self, key: [u8; 32]) -> Self {
        self.with(|config| config.seal = Some(Seal::new(key)))
    }

    /// Ends a user's sessions when the platform calls the user's session_key over. Default: a
    /// session does not depend on it.
    ///
    /// The client is told `session_key_expired` and to log in, which brings a new key. For servers
    /// that decrypt or verify with the key what clients send; [the guide](crate::guide::session_keys) says when
    /// to want it and what it costs.
    ///
    /// The platform is asked in the background, where a node has read a session in use from the
    /// store; requests do not wait for it. It is asked about the newest key that is kept of a user,
    /// at most once per user, node and interval, within the bounds of the
    /// [`key_check_policy`](Self::key_check_policy). A session issued after the question began, or
    /// in the 5 s before, stays; so do all if the user has logged in meanwhile. A platform that
    /// [cannot tell](crate::login::Validity::CannotTell), a user of an app that it does not
    /// [know](SessionKeyCheck::knows), a user without a kept key, and a store that is unavailable
    /// change nothing.
    ///
    /// In a store that processes share it takes a [`seal_key`](Self::seal_key). What it writes
    /// there is new: a node of an earlier release answers `session_unknown` for such a session, so
    /// switch it on when all nodes run a release that has it.
    pub fn following_session_keys(self, check: impl SessionKeyCheck) -> Self {
        self.with(|config| config.key_check = Some(AnyCheck::new(check)))
    }

    /// How often session_keys are checked where they are
    /// [followed](Self::following_session_keys), and what bounds that. Default: once an hour.
    pub fn key_check_policy(self, policy: KeyCheckPolicy) -> Self {
        self.with(|config| config.key_check_policy = policy)
    }

    /// The mini programs whose sessions are good here, at least one. Default: any in the store.
    ///
    /// A token says nothing of where it is good: whatever shares a store, with the same prefix, takes
    /// each other's tokens. So give each project a
    #[cfg_attr(
        feature = "redis",
        doc = "[prefix](crate::store::RedisStoreBuilder::prefix)"
    )]
    #[cfg_attr(not(feature = "redis"), doc = "prefix")]
    /// of its own, or name its mini programs here. The session of another one is then refused as
    /// [`SessionUnknown`](crate::RejectionKind::SessionUnknown) by the layer and by all of
    /// [`Sessions`] that takes a token or checks a session, a login to another one spends no code, and
    /// none can be issued. What names a user or a session itself, such as a list or a revocation, is
    /// done as asked.
    ///
    /// It costs nothing on a request: what another app has is never taken in.
    ///
    /// ```
    /// use tower_wx_session::{Identity, RejectionKind, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new();
    /// let shop = Sessions::builder(store.clone()).appids(["wxshop"]).build()?;
    /// let staff = Sessions::builder(store).appids(["wxstaff"]).build()?;
    ///
    /// let issued = shop.issue(Identity::new("wxshop", "openid")).await?;
    /// let token = issued.token().expose();
    /// assert!(shop.check(token).await.is_ok());
    /// let refused = staff.check(token).await.unwrap_err();
    /// assert_eq!(refused.kind(), RejectionKind::SessionUnknown);
    /// # Ok(())
    /// # }
    /// ```
    pub fn appids(self, appids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let appids = appids.into_iter().map(Into::into).collect();
        self.with(|config| config.appids = Some(appids))
    }

    /// Tells the time by a clock that a test moves; give the store the same one.
    #[cfg(any(test, feature = "test-util"))]
    pub fn clock(self, clock: crate::time::ManualClock) -> Self {
        Self {
            clock: clock.into(),
            ..self
        }
    }
}

impl<S: SessionStore> SessionsBuilder<S> {
    /// Makes the handle. Needs no runtime; nothing runs until the first use.
    ///
    /// # Errors
    ///
    /// If a setting that has to be at least one (or longer than nothing) is zero, if one of the
    /// [`appids`](Self::appids) is empty, or if
    /// [`fresh_for`](Self::fresh_for) is longer than the grace of the
    /// [`outage_policy`](Self::outage_policy): most sessions in use would be refused at the moment
    /// at which the store fails, because they were confirmed longer ago than the grace lets pass.
    /// Without any grace that is what was asked for.
    ///
    /// If session_keys are to be [followed](Self::following_session_keys) in a store that keeps none
    /// without a [`seal_key`](Self::seal_key), or more than 1000 calls a second are to follow them.
    pub fn build(self) -> Result<Sessions<S>, ConfigError> {
        let config = &self.config;
        above_zero("idle_timeout", config.idle_timeout)?;
        above_zero("lifetime", config.lifetime)?;
        above_zero("sessions_per_user", config.sessions_per_user.unwrap_or(1))?;
        above_zero("cache_capacity", config.cache_capacity)?;
        above_zero("store_deadline", config.store_deadline)?;
        above_zero("loads_in_flight", config.loads_in_flight)?;
        above_zero("pending_revocations", config.pending_revocations)?;
        if let Some(appids) = &config.appids {
            check_appids(appids)?;
        }
        check_freshness(self.fresh_for, config.freshness.grace)?;
        check_key_checks(config, self.store.is_shared())?;
        Ok(self.build_unchecked())
    }

    pub(super) fn build_unchecked(self) -> Sessions<S> {
        let mut config = self.config;
        let Freshness { linked, grace, .. } = &mut config.freshness;
        *linked = match self.fresh_for {
            Some(fresh_for) => fresh_for,
            None if grace.is_zero() => *linked,
            None => (*linked).min(*grace),
        };
        Sessions::on(self.store, config, self.clock)
    }
}

fn above_zero<T>(setting: &'static str, value: T) -> Result<(), ConfigError>
where
    T: Copy + Debug + Default + PartialEq,
{
    match value == T::default() {
        true => Err(ConfigError::new(setting, "more than zero", &value)),
        false => Ok(()),
    }
}

/// An empty one is that of a variable that nobody set: no user would have it.
fn check_appids(appids: &[String]) -> Result<(), ConfigError> {
    let error = |expected| Err(ConfigError::new("appids", expected, &appids));
    match appids {
        [] => error("at least one"),
        _ if appids.iter().any(String::is_empty) => error("none that is empty"),
        _ => Ok(()),
    }
}

fn check_freshness(fresh_for: Option<Duration>, grace: Duration) -> Result<(), ConfigError> {
    match fresh_for {
        Some(fresh_for) if fresh_for > grace && !grace.is_zero() => {
            let most = format!("at most {grace:?}, the grace of outage_policy");
            Err(ConfigError::new("fresh_for", most, &fresh_for))
        }
        _ => Ok(()),
    }
}

fn check_key_checks(config: &Config, is_shared: bool) -> Result<(), ConfigError> {
    let policy = &config.key_check_policy;
    above_zero("key_check_policy: interval", policy.interval)?;
    above_zero("key_check_policy: calls_in_flight", policy.calls_in_flight)?;
    above_zero("key_check_policy: waiting", policy.waiting)?;
    if !(1..=1000).contains(&policy.calls_per_second) {
        let setting = "key_check_policy: calls_per_second";
        return Err(ConfigError::new(
            setting,
            "1 to 1000",
            &policy.calls_per_second,
        ));
    }
    if config.key_check.is_some() && config.seal.is_none() && is_shared {
        let needed = "a seal_key, because other processes can read the store";
        return Err(ConfigError::new(
            "following_session_keys",
            needed,
            &config.seal,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn build(fresh_for: Duration, policy: OutagePolicy) -> Result<(), String> {
        let builder = SessionsBuilder::new(MemoryStore::new()).fresh_for(fresh_for);
        let built = builder.outage_policy(policy).build();
        built.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn sessions_are_fresh_for_no_longer_than_the_grace() {
        let serve = OutagePolicy::ServeKnown;
        assert_eq!(build(MINUTE, serve(MINUTE)), Ok(()));
        assert_eq!(build(HOUR, OutagePolicy::Strict), Ok(()));
        assert_eq!(
            build(2 * MINUTE, serve(MINUTE)).unwrap_err(),
            "fresh_for: expected at most 60s, the grace of outage_policy, got 120s"
        );
    }
}
