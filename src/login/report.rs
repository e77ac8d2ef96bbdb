use super::exchange_error::{ExchangeError, ExchangeErrorKind};
use super::refusal::Refusal;
use crate::observe::outage::Outage;
use crate::observe::trace;
use crate::sync::Lock;
use crate::time::Uptime;

/// Logs what goes wrong at a platform, and an outage of it once.
pub(super) struct ProviderLog {
    /// Its name, where several are behind one login and this is not the first.
    platform: Option<String>,
    outage: Lock<Outage>,
}

impl ProviderLog {
    pub(super) fn of(platform: Option<String>) -> Self {
        Self {
            platform,
            outage: Lock::default(),
        }
    }

    pub(super) fn note<T>(&self, answer: &Result<T, ExchangeError>, now: Uptime) {
        use ExchangeErrorKind::{CodeRejected, Unavailable, UserBlocked};
        // Kept while the event is written: of exchanges that end at the same time one begins the
        // outage and one ends it, and the log has both in that order.
        let mut outage = self.outage.lock();
        let platform = self.platform.as_deref();
        match answer {
            Err(error) if error.kind() == Unavailable => {
                trace::provider_unavailable(error, platform, outage.fails(now));
            }
            // About one user only.
            Err(error) if !matches!(error.kind(), CodeRejected | UserBlocked) => {
                trace::provider_failed(error, platform);
            }
            _ => {
                if let Some(over) = outage.succeeds(now) {
                    trace::provider_is_back(platform, over);
                }
            }
        }
    }
}

/// A user that the application blocks is the application's business.
pub(super) fn report_refusal(refusal: &Refusal) {
    if !refusal.is_blocked() {
        trace::on_login_failed(refusal);
    }
}
