use std::future::Future;
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::sleep;

use super::provider::Exchanged;
use crate::observe::trace;
use crate::recent::recent;
use crate::rejection::{Rejection, RejectionKind};
use crate::sessions::Issued;
use crate::time::{Clock, Timestamp, Uptime};

/// How long a repeat of a code gets the same token.
const REPLAY_WINDOW: Duration = Duration::from_secs(5);
/// An attempt is older than its outcome. A backstop: the outcome goes with the replay window.
const ATTEMPT_MEMORY: Duration = Duration::from_secs(60);
const ATTEMPTS: u64 = 10_000;
/// How long a code lives at WeChat, and is remembered as spent.
const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);
const SPENT: u64 = 100_000;

/// A code of an app, as it is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CodeDigest([u8; 32]);

impl CodeDigest {
    pub(super) fn new(appid: &str, code: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(appid.as_bytes())
            .chain_update([0])
            .chain_update(code.as_bytes())
            .finalize();
        Self(digest.into())
    }

    /// Another number for each code, as likely as any other.
    pub(super) const fn spread(self) -> u8 {
        self.0[31]
    }
}

/// What a code was spent for.
#[derive(Clone)]
pub(super) struct Paid {
    pub(super) exchanged: Exchanged,
    /// When the exchange began, on the fleet's clock: the user's last login is the one that began
    /// last, whichever is stored last.
    pub(super) began: Timestamp,
}

/// How a login ended, and when.
#[derive(Clone, Debug)]
struct Outcome {
    result: Result<Issued, Rejection>,
    at: Uptime,
}

type Recent = Cache<CodeDigest, watch::Receiver<Option<Outcome>>>;

/// What became of codes. A running or recent attempt is the only place that holds a token.
pub(super) struct Attempts {
    recent: Recent,
    spent: Cache<CodeDigest, Uptime>,
    /// Identities that were paid for with a code and got no session yet.
    unused: Cache<CodeDigest, (Paid, Uptime)>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            recent: recent(ATTEMPTS, ATTEMPT_MEMORY),
            spent: recent(SPENT, CODE_LIFETIME),
            unused: recent(ATTEMPTS, REPLAY_WINDOW),
        }
    }

    /// The outcome of the attempt with this code: one that runs, a recent one, or a new one.
    ///
    /// The attempt goes on if the returned future is dropped.
    pub(super) async fn join<F>(&self, code: CodeDigest, clock: &Clock, attempt: F) -> Attempted
    where
        F: Future<Output = Result<Issued, Rejection>> + Send + 'static,
    {
        let mut sender = None;
        let entry = self.recent.entry(code).or_insert_with(|| {
            let (new, receiver) = watch::channel(None);
            sender = Some(new);
            receiver
        });
        let is_first = sender.is_some();
        if let Some(sender) = sender {
            let recent = self.recent.clone();
            let run = run(code, attempt, clock.clone(), recent, sender);
            tokio::spawn(trace::inherit(run));
        }
        let mut outcome = entry.into_value();
        let is_repeat = outcome.borrow().is_some();
        let ended = match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        };
        match ended {
            // The attempt panicked, in the provider or in the application's hook.
            None => Attempted::Now(Err(RejectionKind::ProviderUnavailable.into())),
            Some(Outcome {
                result: Ok(issued),
                at,
            }) if is_repeat => {
                let is_recent = clock.uptime().since(at) < REPLAY_WINDOW;
                if is_recent {
                    Attempted::Before(issued)
                } else {
                    Attempted::LongAgo
                }
            }
            Some(outcome) if is_first => Attempted::Now(outcome.result),
            Some(outcome) => Attempted::Beside(outcome.result),
        }
    }

    /// Lets the next request with this code start over.
    pub(super) fn forget(&self, code: CodeDigest) {
        self.recent.invalidate(&code);
    }

    /// Marks a code as spent; `false` if it was already.
    pub(super) fn spend(&self, code: CodeDigest, now: Uptime) -> bool {
        let is_forgotten = |spent_at: &Uptime| now.since(*spent_at) >= CODE_LIFETIME;
        let entry = self.spent.entry(code);
        entry.or_insert_with_if(|| now, is_forgotten).is_fresh()
    }

    pub(super) fn is_spent(&self, code: CodeDigest, now: Uptime) -> bool {
        let spent_at = self.spent.get(&code);
        spent_at.is_some_and(|at| now.since(at) < CODE_LIFETIME)
    }

    /// Keeps an identity for a repeat of its code, because it got no session.
    pub(super) fn keep_unused(&self, code: CodeDigest, paid: Paid, now: Uptime) {
        self.unused.insert(code, (paid, now));
    }

    /// The identity that a code has been paid for.
    pub(super) fn take_unused(&self, code: CodeDigest, now: Uptime) -> Option<Paid> {
        let (paid, at) = self.unused.remove(&code)?;
        (now.since(at) < REPLAY_WINDOW).then_some(paid)
    }
}

/// An attempt that has ended.
pub(super) enum Attempted {
    /// While this request waited for it.
    Now(Result<Issued, Rejection>),
    /// The same, but it was begun for another request.
    Beside(Result<Issued, Rejection>),
    /// Well, and recently enough to be repeated.
    Before(Issued),
    LongAgo,
}

async fn run(
    code: CodeDigest,
    attempt: impl Future<Output = Result<Issued, Rejection>>,
    clock: Clock,
    recent: Recent,
    sender: watch::Sender<Option<Outcome>>,
) {
    let result = attempt.await;
    let is_kept = result.is_ok() && recent.contains_key(&code);
    let at = clock.uptime();
    sender.send_replace(Some(Outcome { result, at }));
    if is_kept {
        // A task of its own, because this one is as large as the attempt was.
        tokio::spawn(forget_later(code, recent, sender));
    }
}

/// Drops the token of a login when its replay window is over.
async fn forget_later(code: CodeDigest, recent: Recent, outcome: watch::Sender<Option<Outcome>>) {
    sleep(REPLAY_WINDOW).await;
    // moka drops what it forgets some time later, so the token is taken out before.
    outcome.send_modify(|outcome| {
        if let Some(outcome) = outcome {
            outcome.result = Err(RejectionKind::CodeRejected.into());
        }
    });
    recent.invalidate(&code);
}
