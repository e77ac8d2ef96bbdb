//! A token that a platform wants with its calls: one for all calls of an app, fetched ahead of its end.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::failure::Failure;
use crate::observe::trace;
use crate::sync::Lock;
use crate::time::{Clock, Uptime};

/// How long before its end a token is replaced: platforms hand out the next one from then on.
pub(crate) const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long after a try to replace a token ahead of its end the next one comes.
const PAUSE: Duration = Duration::from_secs(10);

/// A platform's token. Its `Debug` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Arc<str>);

/// A token, and how long it is good from when it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) token: Token,
    pub(crate) lives_for: Duration,
}

/// Where the tokens of an app come from.
pub(crate) trait FetchToken: Send + Sync + 'static {
    /// Gives a token; never `refused`, which the platform takes no longer.
    fn fetch(
        &self,
        refused: Option<&Token>,
    ) -> impl Future<Output = Result<Fetched, Failure>> + Send;
}

/// The token of one app, fetched by one task at a time for all who want it.
///
/// Five minutes before its end it is replaced in the background, and is good meanwhile; while that
/// fails, it is tried every 10 s until the end. Whoever waits and goes away ends nothing for others.
pub(crate) struct TokenCache<F> {
    source: F,
    clock: Clock,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// What the platform has refused since the last fetch.
    refused: Option<Token>,
    flight: Option<Flight>,
    /// When the token is replaced next ahead of its end.
    next_try: Uptime,
}

struct Kept {
    token: Token,
    until: Uptime,
}

/// What the task that fetches has come to, once it has.
type Flight = watch::Receiver<Option<Result<Token, Failure>>>;

enum Look {
    Good(Token),
    Wait(Flight),
}

impl Token {
    pub(crate) fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The token itself: never log it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl<F: FetchToken> TokenCache<F> {
    pub(crate) fn new(source: F, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            source,
            clock,
            state: Lock::default(),
        })
    }

    pub(crate) async fn get(self: &Arc<Self>) -> Result<Token, Failure> {
        loop {
            let mut flight = match self.look() {
                Look::Good(token) => return Ok(token),
                Look::Wait(flight) => flight,
            };
            // An error means that the task ended with its runtime: the next look starts another.
            if let Ok(landed) = flight.wait_for(Option::is_some).await
                && let Some(result) = &*landed
            {
                return result.clone();
            }
        }
    }

    /// The token to use after the platform refused this one. Of many who were refused the same, one
    /// has another fetched; who comes late gets what is there already.
    pub(crate) async fn get_instead_of(
        self: &Arc<Self>,
        refused: &Token,
    ) -> Result<Token, Failure> {
        self.state.lock().refuse(refused);
        self.get().await
    }

    fn look(self: &Arc<Self>) -> Look {
        let now = self.clock.uptime();
        let mut state = self.state.lock();
        let Some(kept) = state.kept.as_ref().filter(|kept| now < kept.until) else {
            return Look::Wait(self.flight(&mut state, now));
        };
        let token = kept.token.clone();
        if kept.until.since(now) <= AHEAD && now >= state.next_try {
            self.flight(&mut state, now);
        }
        Look::Good(token)
    }

    /// The flight that is under way, or a new one.
    fn flight(self: &Arc<Self>, state: &mut State, now: Uptime) -> Flight {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return flight.clone();
        }
        let (landed, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        state.next_try = now.after(PAUSE);
        let cache = Arc::clone(self);
        // A task of its own: it goes on when the caller that began it goes away.
        tokio::spawn(trace::inherit(async move {
            let result = cache.fetch().await;
            if result.is_err() {
                cache.state.lock().land();
            }
            landed.send_replace(Some(result));
        }));
        flight
    }

    async fn fetch(&self) -> Result<Token, Failure> {
        let mut refused = self.state.lock().refused.clone();
        loop {
            let began = self.clock.uptime();
            let fetched = self.source.fetch(refused.as_ref()).await?;
            let until = began.after(fetched.lives_for);
            match self.state.lock().keep(fetched.token, until) {
                Ok(token) => return Ok(token),
                // Refused while it was fetched: fetched again, as one that was refused.
                Err(token) if refused.as_ref() != Some(&token) => refused = Some(token),
                Err(_) => return Err(Failure::unreadable("the token that was refused, again")),
            }
        }
    }
}

impl State {
    fn refuse(&mut self, token: &Token) {
        let is_kept = |kept: &Kept| kept.token == *token;
        if self.kept.as_ref().is_some_and(is_kept) {
            self.kept = None;
            self.refused = Some(token.clone());
        }
    }

    /// Keeps what was fetched, unless it was refused; then nothing is under way any longer. In one
    /// step: who is refused the new token right after it starts another flight.
    fn keep(&mut self, token: Token, until: Uptime) -> Result<Token, Token> {
        if self.refused.as_ref() == Some(&token) {
            return Err(token);
        }
        self.kept = Some(Kept {
            token: token.clone(),
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

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl<F> fmt::Debug for TokenCache<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
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
        fetched: Arc<AtomicUsize>,
        lets: Arc<Semaphore>,
        broken: Arc<Lock<bool>>,
    }

    impl FetchToken for Counting {
        async fn fetch(&self, _: Option<&Token>) -> Result<Fetched, Failure> {
            self.lets.acquire().await.unwrap().forget();
            if *self.broken.lock() {
                return Err(Failure::TimedOut(Duration::from_secs(3)));
            }
            let number = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Fetched {
                token: Token::new(format!("t{number}")),
                lives_for: TWO_HOURS,
            })
        }
    }

    struct Bench {
        cache: Arc<TokenCache<Counting>>,
        clock: ManualClock,
        fetched: Arc<AtomicUsize>,
        lets: Arc<Semaphore>,
        broken: Arc<Lock<bool>>,
    }

    impl Bench {
        fn new(lets: usize) -> Self {
            let clock = ManualClock::new();
            let fetched = Arc::<AtomicUsize>::default();
            let lets = Arc::new(Semaphore::new(lets));
            let broken = Arc::<Lock<bool>>::default();
            let source = Counting {
                fetched: Arc::clone(&fetched),
                lets: Arc::clone(&lets),
                broken: Arc::clone(&broken),
            };
            Self {
                cache: TokenCache::new(source, clock.clone().into()),
                clock,
                fetched,
                lets,
                broken,
            }
        }

        async fn get(&self) -> String {
            self.cache.get().await.unwrap().expose().to_owned()
        }

        fn fetched(&self) -> usize {
            self.fetched.load(Ordering::SeqCst)
        }

        async fn settle(&self) {
            while self.cache.state.lock().flight.is_some() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_thousand_who_want_one_at_the_same_time_share_one_fetch() {
        let bench = Bench::new(0);
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let cache = Arc::clone(&bench.cache);
                tokio::spawn(async move { cache.get().await.unwrap() })
            })
            .collect();
        tokio::task::yield_now().await;
        bench.lets.add_permits(1000);
        for task in waiting {
            assert_eq!(task.await.unwrap().expose(), "t1");
        }
        assert_eq!(bench.fetched(), 1);
    }

    #[tokio::test]
    async fn who_goes_away_ends_nothing_for_the_others() {
        let bench = Bench::new(0);
        let cache = Arc::clone(&bench.cache);
        let first = tokio::spawn(async move { cache.get().await.unwrap() });
        tokio::task::yield_now().await;
        let cache = Arc::clone(&bench.cache);
        let second = tokio::spawn(async move { cache.get().await.unwrap() });
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        bench.lets.add_permits(1000);
        assert_eq!(second.await.unwrap().expose(), "t1");
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
        assert!(bench.cache.state.lock().flight.is_none());

        bench.clock.advance(Duration::from_millis(1));
        assert_eq!(bench.get().await, "t1", "nobody waits for the next one");
        assert!(bench.cache.state.lock().flight.is_some());
        bench.lets.add_permits(1);
        bench.settle().await;
        assert_eq!(bench.get().await, "t2");
        assert_eq!(bench.fetched(), 2);
    }

    #[tokio::test]
    async fn an_outage_costs_nothing_until_the_token_s_end() {
        let bench = Bench::new(1000);
        assert_eq!(bench.get().await, "t1");
        *bench.broken.lock() = true;
        bench.clock.advance(TWO_HOURS - AHEAD);
        for _ in 0..29 {
            assert_eq!(bench.get().await, "t1");
            bench.settle().await;
            bench.clock.advance(PAUSE);
        }
        assert_eq!(1000 - bench.lets.available_permits(), 30, "every 10 s");
        bench.clock.advance(PAUSE);
        assert!(bench.cache.get().await.is_err());

        *bench.broken.lock() = false;
        assert_eq!(bench.get().await, "t2");
    }

    #[tokio::test]
    async fn a_storm_of_refusals_of_one_token_is_one_fetch() {
        let bench = Bench::new(1000);
        let old = bench.cache.get().await.unwrap();
        let storm = (0..100).map(|_| {
            let (cache, old) = (Arc::clone(&bench.cache), old.clone());
            tokio::spawn(async move { cache.get_instead_of(&old).await.unwrap() })
        });
        for task in storm.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap().expose(), "t2");
        }
        let late = bench.cache.get_instead_of(&old).await.unwrap();
        assert_eq!((late.expose(), bench.fetched()), ("t2", 2));
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
            let cache = Arc::clone(&bench.cache);
            tokio::spawn(async move { cache.get().await.ok() });
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        drop(first);
        bench.lets.add_permits(1);
        assert_eq!(runtime().block_on(bench.get()), "t1");
    }
}
