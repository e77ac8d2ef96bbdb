//! What becomes of what a read or a write came to: the breaker, what is written of it, the log.

use std::time::Duration;

use super::breaker::Trial;
use super::{Place, Upstream};
use crate::observe::{meter, trace};
use crate::store::{SessionStore, StoreError};

impl<S: SessionStore> Upstream<S> {
    /// Notes what a read came to, for the breaker and the log.
    pub(super) fn note_read<T>(
        &self,
        place: Place,
        trial: Option<Trial<'_>>,
        answer: &Result<T, StoreError>,
    ) {
        if trial.is_none() && answer.is_ok() {
            return self.note_good_read(place);
        }
        self.report(place, answer);
        let has_failed = answer.as_ref().is_err_and(StoreError::is_unavailable);
        match trial {
            Some(trial) => {
                if trial.ends(has_failed) {
                    meter::breaker(self.breaker.is_open());
                    trace::breaker_closed();
                }
            }
            None => {
                if self.breaker.read(place.part, has_failed) {
                    meter::breaker(true);
                    trace::breaker_opened();
                }
            }
        }
    }

    /// All that there is to note of almost every read, under one lock. It opens nothing: it is no
    /// failure, and pushes one out of those that are remembered at most.
    fn note_good_read(&self, place: Place) {
        let now = self.clock.uptime();
        let over = self.breaker.with(place.part, |part| {
            part.read(false, || Duration::ZERO);
            part.succeeded(now)
        });
        if let Some(over) = over {
            trace::store_is_back(over);
        }
    }

    /// Notes a write that failed.
    pub(super) fn note_write<T>(&self, place: Place, written: &Result<T, StoreError>) {
        if let Some(bucket) = place.bucket
            && written.as_ref().is_err_and(StoreError::is_unavailable)
        {
            let now = self.clock.uptime();
            let part = place.part;
            (self.breaker).with(part, |part| part.not_written(bucket, now));
        }
    }

    /// Tells operators when a part begins to fail and when that is over.
    pub(super) fn report<T>(&self, place: Place, answer: &Result<T, StoreError>) {
        let now = self.clock.uptime();
        match answer {
            // The server answers: only a write can end that.
            Err(error) if error.is_unwritten() => {
                let tells = self.breaker.with(place.part, |part| part.refused(now));
                trace::store_failed(error, tells);
            }
            Err(error) if error.is_unavailable() && !error.is_of_link_alone() => {
                let tells = (self.breaker).with(place.part, |part| part.failed(error, now));
                trace::store_failed(error, tells);
            }
            answer => {
                if let Some(over) = self.breaker.with(place.part, |part| part.succeeded(now)) {
                    trace::store_is_back(over);
                }
                // Of one record or of the link, not of the store.
                if let Err(error) = answer {
                    trace::store_failed(error, false);
                }
            }
        }
    }
}
