//! A token that a platform wants with its calls: one for all calls of an app, fetched ahead of its end.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::failure::Failure;
use super::fields::Fields;
use crate::observe::trace;
use crate::sync::Lock;
use crate::time::{Clock, Uptime};

/// How long before its end a token is replaced: platforms hand out the next one from then on.
pub(crate) const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long after a try to replace a token ahead of its end the next one comes.
const PAUSE: Duration = Duration::from_secs(10);

/// The token by which a platform knows an app, asked for by one task at a time for all who want it.
///
/// Five minutes before its end it is replaced in the background, and is good meanwhile; while that
/// fails, it is tried every 10 s until the end. Whoever waits and goes away ends nothing for others.
pub(crate) struct CachedToken {
    clock: Clock,
    state: Lock<State>,
}

/// A token as a platform grants it, and how long it is good from when it was asked for.
#[derive(Clone)]
pub(crate) struct Granted {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

impl Granted {
    /// Reads a token, and its seconds, from these members.
    pub(crate) fn read(fields: &Fields, token: &str, lifetime: &str) -> Result<Self, Failure> {
        Ok(Self {
            token: fields.require(token)?.to_owned(),
            lifetime: fields.seconds(lifetime)?,
        })
    }
}

/// Asks the platform for a token: any closure that gives such a future.
pub(crate) trait Ask: Clone + Send + Sync + 'static {
    /// `refused` is a token that the platform takes no longer: another one is wanted.
    fn ask(
        &self,
        refused: Option<Arc<str>>,
    ) -> impl Future<Output = Result<Granted, Failure>> + Send;
}

impl<F, G> Ask for F
where
    F: Fn(Option<Arc<str>>) -> G + Clone + Send + Sync + 'static,
    G: Future<Output = Result<Granted, Failure>> + Send,
{
    fn ask(
        &self,
        refused: Option<Arc<str>>,
    ) -> impl Future<Output = Result<Granted, Failure>> + Send {
        self(refused)
    }
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// What the platform has refused since the last grant.
    refused: Option<Arc<str>>,
    flight: Option<Flight>,
    /// When the token is replaced next ahead of its end.
    next_try: Uptime,
}

struct Kept {
    token: Arc<str>,
    until: Uptime,
}

/// What the task that asks for a token has come to, once it has.
type Flight = watch::Receiver<Option<Result<Arc<str>, Failure>>>;

enum Look {
    Good(Arc<str>),
    Wait(Flight),
}

impl CachedToken {
    pub(crate) fn on(clock: Clock) -> Self {
        Self {
            clock,
            state: Lock::default(),
        }
    }

    /// The token; the platform is asked only if it takes a new one.
    pub(crate) async fn get(self: &Arc<Self>, ask: impl Ask) -> Result<Arc<str>, Failure> {
        for _ in 0..2 {
            let mut flight = match self.look(&ask) {
                Look::Good(token) => return Ok(token),
                Look::Wait(flight) => flight,
            };
            // An error means that the task ended with its runtime, and the next look starts another in
            // ours; or that it panicked, and would again.
            if let Ok(landed) = flight.wait_for(Option::is_some).await
                && let Some(result) = &*landed
            {
                return result.clone();
            }
        }
        Err(Failure::Transport("the task that asks has ended".into()))
    }

    /// The token to use after the platform refused this one. Of many who were refused the same, one
    /// has another asked for; who comes late gets what is there already.
    pub(crate) async fn get_instead_of(
        self: &Arc<Self>,
        refused: &str,
        ask: impl Ask,
    ) -> Result<Arc<str>, Failure> {
        self.state.lock().refuse(refused);
        self.get(ask).await
    }

    fn look(self: &Arc<Self>, ask: &impl Ask) -> Look {
        let now = self.clock.uptime();
        let mut state = self.state.lock();
        let Some(kept) = state.kept.as_ref().filter(|kept| now < kept.until) else {
            return Look::Wait(self.flight(&mut state, now, ask));
        };
        let token = Arc::clone(&kept.token);
        if kept.until.since(now) <= AHEAD && now >= state.next_try {
            self.flight(&mut state, now, ask);
        }
        Look::Good(token)
    }

    /// The flight that is under way, or a new one.
    fn flight(self: &Arc<Self>, state: &mut State, now: Uptime, ask: &impl Ask) -> Flight {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return flight.clone();
        }
        let (landed, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        state.next_try = now.after(PAUSE);
        let (cached, ask) = (Arc::clone(self), ask.clone());
        // A task of its own: it goes on when the caller that began it goes away.
        tokio::spawn(trace::inherit(async move {
            let result = cached.renew(ask).await;
            if result.is_err() {
                cached.state.lock().land();
            }
            landed.send_replace(Some(result));
        }));
        flight
    }

    async fn renew(&self, ask: impl Ask) -> Result<Arc<str>, Failure> {
        let mut refused = self.state.lock().refused.clone();
        loop {
            let began = self.clock.uptime();
            let granted = ask.ask(refused.clone()).await?;
            let until = began.after(granted.lifetime);
            match self.state.lock().keep(granted.token.into(), until) {
                Ok(token) => return Ok(token),
                // Refused while it was asked for: asked for again, as one that was refused.
                Err(token) if refused.as_ref() != Some(&token) => refused = Some(token),
                Err(_) => return Err(Failure::SameToken),
            }
        }
    }
}

impl State {
    fn refuse(&mut self, token: &str) {
        if let Some(kept) = self.kept.take_if(|kept| *kept.token == *token) {
            self.refused = Some(kept.token);
        } else if self.kept.is_none() {
            // As after an outage: nothing here says that there is another one.
            self.refused.get_or_insert_with(|| token.into());
        }
    }

    /// Keeps what was granted, unless it was refused; then nothing is under way any longer. In one
    /// step: who is refused the new token right after it starts another flight.
    fn keep(&mut self, token: Arc<str>, until: Uptime) -> Result<Arc<str>, Arc<str>> {
        if self.refused.as_ref() == Some(&token) {
            return Err(token);
        }
        self.kept = Some(Kept {
            token: Arc::clone(&token),
            until,
        });
        self.land();
        Ok(token)
    }

    /// Nothing is under way any longer. What was refused is forgotten: where no other token is to be
    /// had, it is tried again rather than given up for good.
    fn land(&mut self) {
        self.flight = None;
        self.refused = None;
    }
}

impl Default for CachedToken {
    fn default() -> Self {
        Self::on(Clock::monotonic())
    }
}

impl fmt::Debug for CachedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;
    use crate::time::ManualClock;

    const TWO_HOURS: Duration = Duration::from_secs(7200);

    /// Hands out `t1`, `t2`, … one each time it is let.
    struct Counting {
        fetched: AtomicUsize,
        lets: Semaphore,
        broken: Lock<bool>,
    }

    impl Counting {
        async fn grant(&self) -> Result<Granted, Failure> {
            self.lets.acquire().await.unwrap().forget();
            if *self.broken.lock() {
                return Err(Failure::TimedOut(Duration::from_secs(3)));
            }
            let number = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Granted {
                token: format!("t{number}"),
                lifetime: TWO_HOURS,
            })
        }
    }

    #[derive(Clone)]
    struct Bench {
        cached: Arc<CachedToken>,
        clock: ManualClock,
        platform: Arc<Counting>,
    }

    impl Bench {
        fn new(lets: usize) -> Self {
            let clock = ManualClock::new();
            Self {
                cached: Arc::new(CachedToken::on(clock.clone().into())),
                clock,
                platform: Arc::new(Counting {
                    fetched: AtomicUsize::new(0),
                    lets: Semaphore::new(lets),
                    broken: Lock::default(),
                }),
            }
        }

        async fn try_get(&self) -> Result<Arc<str>, Failure> {
            let platform = Arc::clone(&self.platform);
            let ask = move |_| {
                let platform = Arc::clone(&platform);
                async move { platform.grant().await }
            };
            self.cached.get(ask).await
        }

        async fn get(&self) -> String {
            self.try_get().await.unwrap().to_string()
        }

        async fn get_instead_of(&self, refused: &str) -> String {
            self.cached.state.lock().refuse(refused);
            self.get().await
        }

        fn fetched(&self) -> usize {
            self.platform.fetched.load(Ordering::SeqCst)
        }

        async fn settle(&self) {
            while self.cached.state.lock().flight.is_some() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_thousand_who_want_one_at_the_same_time_share_one_fetch() {
        let bench = Bench::new(0);
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let bench = bench.clone();
                tokio::spawn(async move { bench.get().await })
            })
            .collect();
        tokio::task::yield_now().await;
        bench.platform.lets.add_permits(1000);
        for task in waiting {
            assert_eq!(task.await.unwrap(), "t1");
        }
        assert_eq!(bench.fetched(), 1);
    }

    #[tokio::test]
    async fn who_goes_away_ends_nothing_for_the_others() {
        let bench = Bench::new(0);
        let caller = bench.clone();
        let first = tokio::spawn(async move { caller.get().await });
        tokio::task::yield_now().await;
        let caller = bench.clone();
        let second = tokio::spawn(async move { caller.get().await });
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        bench.platform.lets.add_permits(1000);
        assert_eq!(second.await.unwrap(), "t1");
        assert_eq!(bench.fetched(), 1);
    }

    #[tokio::test]
    async fn it_is_replaced_ahead_of_its_end_and_is_good_meanwhile() {
        let bench = Bench::new(1);
        assert_eq!(bench.get().await, "t1");
        bench
            .clock
            .advance(TWO_HOURS - AHEAD - Duration::from_millis(1));
        assert_eq!(bench.get().await, "t1");
        assert!(bench.cached.state.lock().flight.is_none());

        bench.clock.advance(Duration::from_millis(1));
        assert_eq!(bench.get().await, "t1", "nobody waits for the next one");
        assert!(bench.cached.state.lock().flight.is_some());
        bench.platform.lets.add_permits(1);
        bench.settle().await;
        assert_eq!(bench.get().await, "t2");
        assert_eq!(bench.fetched(), 2);
    }

    #[tokio::test]
    async fn an_outage_costs_nothing_until_the_token_s_end() {
        let bench = Bench::new(1000);
        assert_eq!(bench.get().await, "t1");
        *bench.platform.broken.lock() = true;
        bench.clock.advance(TWO_HOURS - AHEAD);
        for _ in 0..29 {
            assert_eq!(bench.get().await, "t1");
            bench.settle().await;
            bench.clock.advance(PAUSE);
        }
        assert_eq!(
            1000 - bench.platform.lets.available_permits(),
            30,
            "every 10 s"
        );
        bench.clock.advance(PAUSE);
        assert!(bench.try_get().await.is_err());

        *bench.platform.broken.lock() = false;
        assert_eq!(bench.get().await, "t2");
    }

    #[tokio::test]
    async fn a_token_that_was_refused_before_an_outage_is_refused_after_it() {
        let (cached, is_down) = (
            Arc::new(CachedToken::default()),
            Arc::<Lock<bool>>::default(),
        );
        let down = Arc::clone(&is_down);
        // A platform that hands out the same token until it hears that it refuses it.
        let ask = move |refused: Option<Arc<str>>| {
            let is_down = *down.lock();
            async move {
                let token = if refused.is_some() { "t2" } else { "t1" }.to_owned();
                let lifetime = TWO_HOURS;
                match is_down {
                    true => Err(Failure::TimedOut(PAUSE)),
                    false => Ok(Granted { token, lifetime }),
                }
            }
        };
        assert_eq!(&*cached.get(ask.clone()).await.unwrap(), "t1");
        *is_down.lock() = true;
        assert!(cached.get_instead_of("t1", ask.clone()).await.is_err());
        *is_down.lock() = false;
        assert_eq!(&*cached.get_instead_of("t1", ask).await.unwrap(), "t2");
    }

    #[tokio::test]
    async fn a_fetch_that_panics_is_a_failure() {
        let cached = Arc::new(CachedToken::default());
        let ask = |_| async { panic!("such as in a runtime without a timer") };
        let got = tokio::time::timeout(PAUSE, cached.get(ask)).await;
        assert!(got.expect("an answer").is_err());
    }

    #[tokio::test]
    async fn a_storm_of_refusals_of_one_token_is_one_fetch() {
        let bench = Bench::new(1000);
        let old = bench.get().await;
        let storm = (0..100).map(|_| {
            let (bench, old) = (bench.clone(), old.clone());
            tokio::spawn(async move { bench.get_instead_of(&old).await })
        });
        for task in storm.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), "t2");
        }
        assert_eq!(bench.get_instead_of(&old).await, "t2");
        assert_eq!(bench.fetched(), 2);
    }

    #[test]
    fn a_fetch_that_ended_with_its_runtime_is_begun_again() {
        let bench = Bench::new(0);
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        let first = runtime();
        first.block_on(async {
            let caller = bench.clone();
            tokio::spawn(async move { caller.get().await });
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        drop(first);
        bench.platform.lets.add_permits(1);
        assert_eq!(runtime().block_on(bench.get()), "t1");
    }
}
