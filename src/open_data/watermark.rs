use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::error::OpenDataErrorKind;
use crate::watermark::Watermark;

/// What is looked at before the data is read as any type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marked {
    pub(super) watermark: Watermark,
    /// Of the user, where the data is about one.
    pub(super) open_id: Option<String>,
}

/// How far a watermark may be from the time of now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) age: Duration,
    pub(super) ahead: Duration,
}

impl Bounds {
    pub(super) fn check(self, mark: &Watermark, now: SystemTime) -> Result<(), OpenDataErrorKind> {
        let made = UNIX_EPOCH.checked_add(Duration::from_secs(mark.timestamp));
        match made.map(|made| now.duration_since(made)) {
            Some(Ok(age)) if age <= self.age => Ok(()),
            Some(Ok(_)) => Err(OpenDataErrorKind::Stale),
            Some(Err(ahead)) if ahead.duration() <= self.ahead => Ok(()),
            Some(Err(_)) | None => Err(OpenDataErrorKind::FromFuture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_exact_on_both_sides() {
        let bounds = Bounds {
            age: Duration::from_secs(600),
            ahead: Duration::from_secs(300),
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let check = |timestamp| {
            let appid = String::new();
            bounds.check(&Watermark { appid, timestamp }, now)
        };
        for (timestamp, verdict) in [
            (0, Err(OpenDataErrorKind::Stale)),
            (1_699_999_399, Err(OpenDataErrorKind::Stale)),
            (1_699_999_400, Ok(())),
            (1_700_000_000, Ok(())),
            (1_700_000_300, Ok(())),
            (1_700_000_301, Err(OpenDataErrorKind::FromFuture)),
            // Milliseconds by mistake, and beyond the end of time.
            (1_700_000_000_000, Err(OpenDataErrorKind::FromFuture)),
            (u64::MAX, Err(OpenDataErrorKind::FromFuture)),
        ] {
            assert_eq!(check(timestamp), verdict, "{timestamp}");
        }
    }
}
