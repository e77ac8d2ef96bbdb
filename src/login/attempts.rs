use std::future::Future;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::watch;
use tokio::time::sleep;

use super::code::CodeDigest;
use super::provider::Exchanged;
use super::spent::Spent;
use crate::observe::trace;
use crate::recent::recent;
use crate::rejection::{Rejection, RejectionKind};
use crate::sessions::{Claim, Issued};
use crate::time::{Clock, Timestamp, Uptime};

/// How long a repeat of a code gets the same token.
const REPLAY_WINDOW: Duration = Duration::from_secs(5);
/// An attempt is older than its outcome. A backstop: the outcome goes with the replay window.
const ATTEMPT_MEMORY: Duration = Duration::from_secs(60);
const ATTEMPTS: u64 = 10_000;

/// What a code was exchanged for.
#[derive(Clone)]
pub(super) struct Redeemed {
    pub(super) exchanged: Exchanged,
    /// When the exchange began, on the fleet's clock: the user's last login is the one that began
    /// last, whichever is stored last.
    pub(super) began: Timestamp,
    /// What has to be claimed yet, for a code that the platform does not take back.
    pub(super) claim: Option<Claim>,
}

/// How an attempt ended, and when.
#[derive(Clone, Debug)]
struct Outcome {
    result: Result<Issued, Rejection>,
    at: Uptime,
}

type Recent = Cache<CodeDigest, watch::Receiver<Option<Outcome>>>;

/// The single flight of logins: what became of recent codes.
///
/// A running or recent attempt is the only place that keeps a token.
pub(super) struct Attempts {
    recent: Recent,
    pub(super) spent: Spent,
    /// Codes that were exchanged, and whose session could not be stored.
    without_session: Cache<CodeDigest, (Redeemed, Uptime)>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            recent: recent(ATTEMPTS, ATTEMPT_MEMORY),
            spent: Spent::new(),
            without_session: recent(ATTEMPTS, REPLAY_WINDOW),
        }
    }

    /// The outcome of the attempt with this code: one that runs, a recent one, or a new one.
    ///
    /// # Cancellation
    ///
    /// The attempt is a task of its own, so dropping the returned future only stops waiting for it.
    /// Were it part of the request, a client that hangs up would end it between the exchange and
    /// the answer: the code would be spent, and its repeat would have nothing to join.
    pub(super) async fn join<F>(&self, code: CodeDigest, clock: &Clock, attempt: F) -> Attempted
    where
        F: Future<Output = Result<Issued, Rejection>> + Send + 'static,
    {
        // moka runs the closure for one of those who come with the same code at the same time, and
        // gives all of them the receiver that it made. So one of them leads and has the sender.
        // After a lookup and an insertion by themselves, two could lead.
        let mut sender = None;
        let entry = self.recent.entry(code).or_insert_with(|| {
            let (new, receiver) = watch::channel(None);
            sender = Some(new);
            receiver
        });
        let leads = sender.is_some();
        if let Some(sender) = sender {
            let recent = self.recent.clone();
            let run = run(code, attempt, clock.clone(), recent, sender);
            tokio::spawn(trace::inherit(run));
        }
        let mut outcome = entry.into_value();
        // Before the wait: what ends while this request waits is its own answer, and no replay.
        let is_replay = outcome.borrow().is_some();
        let ended = match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        };
        match ended {
            // The sender is gone: the attempt panicked, in the provider or in the application's hook.
            None => Attempted::Led(Err(RejectionKind::ProviderUnavailable.into())),
            Some(Outcome {
                result: Ok(issued),
                at,
            }) if is_replay => {
                let is_recent = clock.uptime().since(at) < REPLAY_WINDOW;
                if is_recent {
                    Attempted::Replayed(issued)
                } else {
                    Attempted::TooOld
                }
            }
            Some(outcome) if leads => Attempted::Led(outcome.result),
            Some(outcome) => Attempted::Joined(outcome.result),
        }
    }

    /// Lets the next request with this code start over.
    pub(super) fn forget(&self, code: CodeDigest) {
        self.recent.invalidate(&code);
    }

    /// Keeps what a code was exchanged for, so that a repeat of it needs no second exchange.
    pub(super) fn put_redeemed(&self, code: CodeDigest, redeemed: Redeemed, now: Uptime) {
        self.without_session.insert(code, (redeemed, now));
    }

    /// What a code was exchanged for, if there is no session for it yet. Taken by one attempt only.
    pub(super) fn take_redeemed(&self, code: CodeDigest, now: Uptime) -> Option<Redeemed> {
        let (redeemed, at) = self.without_session.remove(&code)?;
        (now.since(at) < REPLAY_WINDOW).then_some(redeemed)
    }
}

/// An attempt that has ended.
pub(super) enum Attempted {
    /// It was begun for this request.
    Led(Result<Issued, Rejection>),
    /// It was begun for another request: it ended while this one waited, or it was refused.
    Joined(Result<Issued, Rejection>),
    /// It was over, with a token, within the replay window before this request.
    Replayed(Issued),
    /// It was over, with a token, before that.
    TooOld,
}

async fn run(
    code: CodeDigest,
    attempt: impl Future<Output = Result<Issued, Rejection>>,
    clock: Clock,
    recent: Recent,
    sender: watch::Sender<Option<Outcome>>,
) {
    let result = attempt.await;
    // An attempt that failed, or is not to be replayed, has left `recent` by now: see `Forget`.
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
    // Should a later attempt with this code be there by now, it is forgotten instead, and the next
    // one begins; `spent` keeps it from the provider.
    recent.invalidate(&code);
}
